/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/bad.c: a broken frame leaves service from wherever it is, once, and nothing else does.
 *
 * One node or two of 32 MiB, with real bytes where frames move.  Each test ends with the ledger and mm_check.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "machine.h"
#include "mm/bad.h"
#include "mm/check.h"
#include "mm/dma.h"
#include "mm/phys/nodes_instance.h"
#include "mm/zero.h"
#include "movers.h"
#include "platform.h"

#define F(bytes) ((bytes) / FRAME_SIZE)
#define RAM_SIZE (65 * MIB)
#define TEST     FRAME_OWNER_TEST

static char *ram;
static const struct boot_region map[] = {{MIB, RAM_SIZE, BOOT_MEMORY_USABLE, 7, 8},
                                         {RAM_SIZE, RAM_SIZE + MIB, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
                                         {UINT64_C(0xfec00000), UINT64_C(0xfec01000), BOOT_MEMORY_MMIO, 11, 1}};
static const struct nodes_range two[] = {{F(0), F(33 * MIB), 0}, {F(33 * MIB), F(RAM_SIZE), 1}};
static const struct nodes_layout two_nodes = {2, two, ARRAY_COUNT(two), NULL, 0};

static struct {
  unsigned calls;
  enum frame_owner owner;
  uint64_t frame;
} told;

static void listen(void *context, enum frame_owner owner, pfn_t frame) {
  assert_ptr_equal(context, &told);
  told.calls++;
  told.owner = owner;
  told.frame = frame.raw;
}

static struct machine start(const struct nodes_layout *layout) {
  struct machine m = machine_create(map, ARRAY_COUNT(map), layout, NULL, 0);
  assert_int_equal(m.status, OK);
  memset(&told, 0, sizeof told);
  return m;
}

static void end(struct machine *m) {
  machine_must_be_sound(m, "at the end");
  machine_destroy(m);
}

static uint64_t bad_frames(const struct machine *m) {
  struct ledger l;
  nodes_ledger_read(m->nodes, NODES_ALL, &l);
  assert_true(ledger_balances(&l));
  return l.frames[FRAME_OWNER_BAD];
}

static enum frame_state state_of(const struct machine *m, uint64_t frame) {
  struct pmm_story story;
  nodes_describe(m->nodes, paddr_of_pfn(pfn(frame)), &story);
  return story.state;
}

static enum bad_outcome report(struct machine *m, uint64_t frame) {
  enum bad_outcome outcome;
  assert_int_equal(bad_report(m->nodes, NULL, pfn(frame), &outcome), OK);
  return outcome;
}

static pfn_t alloc(struct machine *m, uint64_t count) {
  pfn_t f;
  const struct frame_limits aligned = {.align = count == FRAMES_PER_2M ? count : 1};
  assert_int_equal(nodes_alloc_run(m->nodes, TEST, 0, count, &aligned, &f), OK);
  return f;
}

/* Takes all there is: `frame` must not be among it. */
static void never_handed_out(struct machine *m, uint64_t frame) {
  pfn_t f;
  while (nodes_alloc_frame(m->nodes, TEST, 0, &f) == OK) assert_int_not_equal(f.raw, frame);
  assert_int_equal(state_of(m, frame), FRAME_BAD);
}

static void a_free_frame_is_out_of_service_at_once(void **state) {
  (void)state;
  struct machine m = start(&two_nodes);
  enum bad_outcome outcome;
  assert_int_equal(report(&m, 1000), BAD_RETIRED);
  assert_int_equal(state_of(&m, 1000), FRAME_BAD);
  assert_int_equal(bad_report(m.nodes, NULL, pfn(1000), &outcome), ERR_EXISTS);
  assert_int_equal(bad_frames(&m), 1);
  never_handed_out(&m, 1000);
  end(&m);
}

static void what_is_not_ours_is_refused(void **state) {
  (void)state;
  struct machine m = start(&two_nodes);
  const uint64_t not_ours[] = {
      0, F(RAM_SIZE), F(RAM_SIZE) + 255, F(UINT64_C(0xfec00000)), F(GIB), UINT64_MAX >> FRAME_SHIFT};
  enum bad_outcome outcome;
  for (size_t i = 0; i < ARRAY_COUNT(not_ours); i++)
    assert_int_equal(bad_report(m.nodes, NULL, pfn(not_ours[i]), &outcome), ERR_RANGE);
  end(&m);
}

/*
 * Free, but in the block that this CPU's slot owns and serves from: its neighbours have just been handed out, and it would
 * be next.  The machine is large enough for slots to own blocks.
 */
static void the_next_frame_of_a_slots_block_is_out_of_service_too(void **state) {
  (void)state;
  static const struct boot_region large[] = {{MIB, 16 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  struct machine m = machine_create(large, 1, NULL, NULL, 0);
  pfn_t frames[20], again;
  assert_int_equal(m.status, OK);
  for (size_t i = 0; i < ARRAY_COUNT(frames); i++) assert_int_equal(nodes_alloc_frame(m.nodes, TEST, 0, &frames[i]), OK);
  const pfn_t last = frames[ARRAY_COUNT(frames) - 1];
  assert_int_equal(nodes_free_frame(m.nodes, TEST, last), OK);
  assert_int_equal(report(&m, last.raw), BAD_RETIRED);
  assert_int_equal(report(&m, frames[3].raw), BAD_CONDEMNED); /* Used, and freed into the slot's own block. */
  assert_int_equal(nodes_free_frame(m.nodes, TEST, frames[3]), OK);
  for (size_t i = 0; i < 5000; i++) {
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, 0, &again), OK);
    assert_true(again.raw != last.raw && again.raw != frames[3].raw);
  }
  assert_int_equal(state_of(&m, last.raw), FRAME_BAD);
  assert_int_equal(state_of(&m, frames[3].raw), FRAME_BAD);
  assert_int_equal(bad_frames(&m), 2);
  end(&m);
}

static void a_used_frame_is_condemned_and_its_owner_told(void **state) {
  (void)state;
  const struct nodes_layout *layouts[] = {NULL, &two_nodes};
  for (size_t i = 0; i < 2; i++) {
    struct machine m = start(layouts[i]);
    enum bad_outcome outcome;
    struct bad_range list[2];
    assert_int_equal(bad_listen(m.nodes, TEST, listen, &told), OK);
    assert_int_equal(bad_listen(m.nodes, TEST, listen, &told), ERR_EXISTS);
    assert_int_equal(bad_listen(m.nodes, FRAME_OWNER_LOW, listen, &told), ERR_INVALID);
    const pfn_t f = alloc(&m, 1);
    const uint64_t lines = fake_platform_log_count();
    assert_int_equal(report(&m, f.raw), BAD_CONDEMNED);
    assert_int_equal(fake_platform_log_count(), lines + 1);
    assert_non_null(strstr(fake_platform_last_line(), "tests"));
    assert_int_equal(told.calls, 1);
    assert_int_equal(told.owner, TEST);
    assert_int_equal(told.frame, f.raw);
    assert_int_equal(bad_report(m.nodes, NULL, f, &outcome), ERR_EXISTS);
    assert_int_equal(bad_condemned(m.nodes), 1);
    assert_int_equal(bad_ranges(m.nodes, list, 2), 1);
    assert_true(list[0].start == f.raw && list[0].end == f.raw + 1);
    assert_int_equal(state_of(&m, f.raw), FRAME_ALLOCATED);
    assert_int_equal(nodes_free_frame(m.nodes, FRAME_OWNER_USER, f), ERR_OWNER);
    assert_int_equal(nodes_free_frame(m.nodes, TEST, f), OK);
    assert_int_equal(state_of(&m, f.raw), FRAME_BAD);
    assert_int_equal(bad_ranges(m.nodes, list, 2), 0);
    assert_int_equal(nodes_free_frame(m.nodes, TEST, f), ERR_STATE);
    never_handed_out(&m, f.raw);
    end(&m);
  }
}

static void of_a_run_only_the_broken_frames_stay_out_of_service(void **state) {
  (void)state;
  struct machine m = start(&two_nodes);
  const struct frame_limits across = {.min = F(33 * MIB) - 50, .max = F(33 * MIB) + 50};
  pfn_t f;
  struct ledger before, after;
  nodes_ledger_read(m.nodes, NODES_ALL, &before);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 100, &across, &f), OK);
  const uint64_t broken[] = {0, 1, 49, 50, 77, 99};
  for (size_t i = 0; i < ARRAY_COUNT(broken); i++) assert_int_equal(report(&m, f.raw + broken[i]), BAD_CONDEMNED);
  const uint64_t digest = machine_digest(&m);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 101), ERR_STATE);
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, f, 100), ERR_OWNER);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 0), ERR_INVALID);
  assert_int_equal(machine_digest(&m), digest);
  assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(f.raw + 60), 40), OK);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 60), OK);
  for (uint64_t i = 0; i < 100; i++) {
    bool is_broken = false;
    for (size_t k = 0; k < ARRAY_COUNT(broken); k++) is_broken |= broken[k] == i;
    assert_int_equal(state_of(&m, f.raw + i), is_broken ? FRAME_BAD : FRAME_FREE);
  }
  nodes_ledger_read(m.nodes, NODES_ALL, &after);
  assert_int_equal(after.frames[FRAME_OWNER_FREE], before.frames[FRAME_OWNER_FREE] - ARRAY_COUNT(broken));
  assert_int_equal(bad_condemned(m.nodes), 0);
  end(&m);
}

static void a_frame_within_a_2_mib_frame_goes_and_the_other_511_come_back(void **state) {
  (void)state;
  struct machine m = start(NULL);
  const pfn_t f = alloc(&m, FRAMES_PER_2M);
  assert_int_equal(report(&m, f.raw + 300), BAD_CONDEMNED);
  machine_must_be_sound(&m, "with a condemned frame in a 2 MiB frame");
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, FRAMES_PER_2M), OK);
  assert_int_equal(state_of(&m, f.raw + 300), FRAME_BAD);
  assert_int_equal(state_of(&m, f.raw + 299), FRAME_FREE);
  assert_int_equal(state_of(&m, f.raw + 301), FRAME_FREE);
  assert_int_equal(bad_frames(&m), 1);
  never_handed_out(&m, f.raw + 300);
  end(&m);
}

static void a_frame_in_the_stock_of_zeros_is_called_in_and_taken_out(void **state) {
  (void)state;
  struct machine m = start(NULL);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_ALLOC, 4 * MIB), OK);
  for (unsigned i = 0; i < 260; i++) assert_true(nodes_idle(m.nodes)); /* The last four are of a 2 MiB frame. */
  uint64_t frame = F(MIB), half = 0;
  struct pmm_story story;
  for (uint64_t f = F(MIB); f < F(RAM_SIZE); f++) {
    nodes_describe(m.nodes, paddr_of_pfn(pfn(f)), &story);
    if (story.state == FRAME_ALLOCATED && story.owner == FRAME_OWNER_ZEROED) *(half == 0 ? &half : &frame) = f;
  }
  assert_int_equal(report(&m, frame), BAD_RETIRED);
  assert_int_equal(state_of(&m, frame), FRAME_BAD);
  for (unsigned i = 0; i < 300; i++) nodes_idle(m.nodes);
  assert_int_equal(report(&m, half), BAD_RETIRED);
  never_handed_out(&m, half);
  end(&m);
}

static void a_frame_in_quarantine_waits_for_the_fence(void **state) {
  (void)state;
  struct machine m = start(NULL);
  const struct dma_limits limits = {.address_bits = 26};
  struct dma_device *d;
  struct dma_segment s;
  assert_int_equal(dma_device_create(m.nodes, "fake", &limits, &d), OK);
  assert_int_equal(dma_alloc(d, 10 * FRAME_SIZE, DMA_COHERENT, &s), OK);
  assert_int_equal(dma_free(d, &s), OK);
  const uint64_t frame = s.device.raw / FRAME_SIZE + 4;
  assert_int_equal(report(&m, frame), BAD_CONDEMNED);
  assert_int_equal(state_of(&m, frame), FRAME_ALLOCATED);
  assert_int_equal(dma_fence(d), 10);
  assert_int_equal(state_of(&m, frame), FRAME_BAD);
  assert_int_equal(state_of(&m, frame + 1), FRAME_FREE);
  assert_int_equal(dma_device_destroy(d), OK);
  end(&m);
}

static void so_many_ranges_are_remembered_and_no_more(void **state) {
  (void)state;
  struct machine m = start(NULL);
  enum bad_outcome outcome;
  const pfn_t f = alloc(&m, 400);
  for (uint64_t i = 0; i < NODES_CONDEMNED_MAX; i++) assert_int_equal(report(&m, f.raw + 4 * i), BAD_CONDEMNED);
  assert_int_equal(bad_report(m.nodes, NULL, pfn(f.raw + 2), &outcome), ERR_FULL);
  assert_int_equal(bad_condemn(m.nodes, pfn(f.raw + 300), 50), ERR_FULL);
  assert_int_equal(report(&m, f.raw + 1), BAD_CONDEMNED); /* Beside one that is known. */
  assert_int_equal(bad_condemned(m.nodes), NODES_CONDEMNED_MAX + 1);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 400), OK);
  assert_int_equal(bad_frames(&m), NODES_CONDEMNED_MAX + 1);
  assert_int_equal(bad_condemned(m.nodes), 0);
  assert_int_equal(report(&m, f.raw + 2), BAD_RETIRED);
  end(&m);
}

/* As badmem= finds it at boot: silently, however much it is, across the border of nodes, and again. */
static void a_long_range_in_use_is_one_entry(void **state) {
  (void)state;
  struct machine m = start(&two_nodes);
  const struct frame_limits across = {.min = F(33 * MIB) - 2000, .max = F(33 * MIB) + 2000};
  struct bad_range list[4];
  pfn_t f;
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 4000, &across, &f), OK);
  const uint64_t lines = fake_platform_log_count();
  assert_int_equal(bad_condemn(m.nodes, pfn(f.raw + 100), 3000), OK);
  assert_int_equal(bad_condemn(m.nodes, pfn(f.raw + 100), 3000), OK);
  assert_int_equal(bad_condemn(m.nodes, pfn(f.raw + 50), 100), OK);
  assert_int_equal(fake_platform_log_count(), lines);
  assert_int_equal(bad_ranges(m.nodes, list, 4), 1);
  assert_true(list[0].start == f.raw + 50 && list[0].end == f.raw + 3100);
  assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(f.raw + 1000), 10), OK);
  assert_int_equal(nodes_free_frame(m.nodes, TEST, pfn(f.raw + 3500)), OK);
  assert_int_equal(bad_ranges(m.nodes, list, 4), 2);
  assert_int_equal(bad_frames(&m), 10);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 1000), OK);
  assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(f.raw + 1010), 2490), OK);
  assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(f.raw + 3501), 499), OK);
  assert_int_equal(bad_frames(&m), 3050);
  assert_int_equal(bad_condemned(m.nodes), 0);
  end(&m);
}

static void with_clearing_on_free_a_condemned_frame_is_not_touched_any_more(void **state) {
  (void)state;
  struct machine m = start(&two_nodes);
  memset(ram, 0xa5, RAM_SIZE);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_FREE, 0), OK);
  const pfn_t f = alloc(&m, 3);
  memset(ram + f.raw * FRAME_SIZE, 0x77, 3 * FRAME_SIZE);
  assert_int_equal(report(&m, f.raw + 1), BAD_CONDEMNED);
  assert_int_equal(nodes_free_run(m.nodes, TEST, f, 3), OK);
  assert_int_equal(ram[f.raw * FRAME_SIZE], 0);
  assert_int_equal(ram[(f.raw + 1) * FRAME_SIZE], 0x77);
  assert_int_equal(ram[(f.raw + 2) * FRAME_SIZE], 0);
  end(&m);
}

/* movers.h speaks of one allocator: that of a machine with one node. */
static struct hosted hosted_of(struct machine *m) { return (struct hosted){.pmm = nodes_pmm(m->nodes, 0)}; }

static void a_movable_frame_moves_with_its_bytes(void **state) {
  (void)state;
  struct machine m = start(NULL);
  struct hosted h = hosted_of(&m);
  struct movers o;
  enum bad_outcome outcome;
  uint64_t frames[20];
  movers_init(&o, &h, FRAME_OWNER_USER, F(RAM_SIZE), true);
  for (unsigned i = 0; i < 20; i++) assert_true(movers_take(&o, &frames[i]));
  assert_int_equal(bad_report(m.nodes, &o.contig, pfn(frames[7]), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(o.moves, 1);
  assert_int_equal(state_of(&m, frames[7]), FRAME_BAD);
  assert_int_equal(bad_condemned(m.nodes), 0);
  movers_must_be_intact(&o);
  movers_fini(&o);
  end(&m);
}

/* Refused: condemned.  Reported again when its owner lets go: moved, and not condemned any more. */
static void a_movable_frame_that_its_owner_holds_is_condemned(void **state) {
  (void)state;
  struct machine m = start(NULL);
  struct hosted h = hosted_of(&m);
  struct movers o;
  enum bad_outcome outcome;
  uint64_t frame;
  movers_init(&o, &h, FRAME_OWNER_USER, F(RAM_SIZE), true);
  assert_true(movers_take(&o, &frame));
  o.refuse_at = 0;
  assert_int_equal(bad_report(m.nodes, &o.contig, pfn(frame), &outcome), OK);
  assert_int_equal(outcome, BAD_CONDEMNED);
  movers_must_be_intact(&o);
  o.refuse_at = UINT64_MAX;
  assert_int_equal(bad_report(m.nodes, &o.contig, pfn(frame), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(bad_condemned(m.nodes), 0);
  assert_int_equal(state_of(&m, frame), FRAME_BAD);
  movers_must_be_intact(&o);
  movers_fini(&o);
  end(&m);
}

/* Else its place would be a part of the next run, and broken memory in somebody's hands again. */
static void a_condemned_frame_is_in_the_way_of_every_run(void **state) {
  (void)state;
  struct machine m = start(NULL);
  struct hosted h = hosted_of(&m);
  struct movers o;
  enum bad_outcome outcome;
  struct contig_quote quote;
  struct contig_obstacle obstacle;
  struct contig_compaction done;
  const uint64_t block = F(16 * MIB), frame = block + 70;
  const struct frame_limits here = {.min = block, .max = block + FRAMES_PER_2M}, beside = {.min = block, .max = block + 64};
  pfn_t first;
  movers_init(&o, &h, FRAME_OWNER_USER, F(RAM_SIZE), true);
  for (uint64_t i = 0; i < FRAMES_PER_2M; i += 10) assert_true(movers_take_at(&o, block + i));
  o.refuse_at = 0;
  assert_int_equal(bad_report(m.nodes, &o.contig, pfn(frame), &outcome), OK);
  assert_int_equal(outcome, BAD_CONDEMNED);
  o.refuse_at = UINT64_MAX;
  assert_int_equal(contig_quote(&o.contig, FRAMES_PER_2M, &here, &quote), ERR_BUSY);
  assert_int_equal(contig_explain(&o.contig, FRAMES_PER_2M, &here, &obstacle), OK);
  assert_true(obstacle.unmovable == 1 && obstacle.frame.raw == frame);
  assert_int_equal(contig_alloc(&o.contig, TEST, FRAMES_PER_2M, &here, 1000, &first), ERR_BUSY);
  assert_int_equal(contig_alloc(&o.contig, TEST, 64, &beside, 1000, &first), OK); /* Its neighbours may move. */
  assert_int_equal(contig_compact(&o.contig, FRAMES_PER_2M, UINT64_MAX, &done), OK);
  assert_int_equal(state_of(&m, frame), FRAME_ALLOCATED);
  assert_int_equal(bad_report(m.nodes, &o.contig, pfn(frame), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(state_of(&m, frame), FRAME_BAD);
  movers_must_be_intact(&o);
  assert_int_equal(nodes_free_run(m.nodes, TEST, first, 64), OK);
  movers_fini(&o);
  end(&m);
}

/* It was freed past its condemnation: the report that comes next finds it free, and nothing is left to wait for. */
static void a_free_frame_that_was_condemned_is_forgotten_when_it_is_retired(void **state) {
  (void)state;
  struct machine m = start(NULL);
  const pfn_t f = alloc(&m, 1);
  assert_int_equal(report(&m, f.raw), BAD_CONDEMNED);
  assert_int_equal(pmm_free_frame(nodes_pmm(m.nodes, 0), TEST, f), OK);
  assert_int_equal(report(&m, f.raw), BAD_RETIRED);
  assert_int_equal(bad_condemned(m.nodes), 0);
  assert_non_null(((const struct nodes_front *)m.nodes)->only);
  end(&m);
}

static void must_be_named(const struct machine *m, bool is_sound) {
  struct mm_check_report r;
  assert_int_equal(mm_check_nodes(m->nodes, 0, &r), is_sound);
  assert_int_equal(r.invariant, is_sound ? 0 : 22);
  assert_non_null(strstr(r.text, is_sound ? "hold" : "INV-22 condemned broken"));
}

/* Each thing that the list promises, damaged and repaired; and the breaker. */
static void a_damaged_list_is_found_and_named(void **state) {
  (void)state;
  const struct nodes_layout *layouts[] = {NULL, &two_nodes};
  for (size_t i = 0; i < 2; i++) {
    struct machine m = start(layouts[i]);
    struct condemned *l = &m.nodes->condemned;
    struct pmm *only = m.nodes->front.only;
    const pfn_t f = alloc(&m, 20);
    assert_int_equal(report(&m, f.raw), BAD_CONDEMNED);
    assert_int_equal(report(&m, f.raw + 10), BAD_CONDEMNED);
    must_be_named(&m, true);
    const struct bad_range saved = l->ranges[1], wrong[] = {{f.raw + 1, f.raw + 3}, /* Touches the other one. */
                                                            {f.raw, f.raw + 11},
                                                            {saved.start, saved.start},
                                                            {F(RAM_SIZE) - 1, F(RAM_SIZE) + 1},
                                                            {0, 1},
                                                            {F(UINT64_C(0xfec00000)), F(UINT64_C(0xfec01000))}};
    for (size_t k = 0; k < ARRAY_COUNT(wrong); k++) {
      l->ranges[1] = wrong[k];
      must_be_named(&m, false);
    }
    l->ranges[1] = saved;
    m.nodes->front.only = nodes_pmm(m.nodes, 0); /* The usual free would go past the list. */
    must_be_named(&m, false);
    m.nodes->front.only = NULL;
    must_be_named(&m, true);
    assert_int_equal(mm_check_nodes_break(m.nodes, "condemned"), OK);
    must_be_named(&m, false);
    l->count--;
    assert_int_equal(nodes_free_run(m.nodes, TEST, f, 20), OK);
    assert_ptr_equal(m.nodes->front.only, only);
    m.nodes->front.only = only ? NULL : nodes_pmm(m.nodes, 0); /* Looks for nothing; or serves all from one node. */
    must_be_named(&m, false);
    m.nodes->front.only = only;
    end(&m);
  }
}

/* Frames come, go and break at random: what was reported is never handed out after its owner let go, and nothing else is
 * lost. */
static void broken_frames_are_never_handed_out_again_whatever_happens(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  const struct nodes_layout *layouts[] = {NULL, &two_nodes};
  for (size_t l = 0; l < 2; l++) {
    struct machine m = start(layouts[l]);
    static bool is_broken[F(RAM_SIZE)];
    struct {
      uint64_t first, count;
    } held[64] = {0};
    uint64_t reported = 0;
    memset(is_broken, 0, sizeof is_broken);
    for (unsigned i = 0; i < 6000; i++) {
      const size_t at = dice_below(&d, 64);
      enum bad_outcome outcome;
      if (held[at].count != 0) {
        assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(held[at].first), held[at].count), OK);
        held[at].count = 0;
      } else {
        const uint64_t count = dice_one_in(&d, 10) ? FRAMES_PER_2M : 1 + dice_any_size(&d, 6);
        const struct frame_limits aligned = {.align = count == FRAMES_PER_2M ? count : 1};
        pfn_t f;
        if (nodes_alloc_run(m.nodes, TEST, 0, count, &aligned, &f) != OK) continue; /* Too many have broken for this. */
        for (uint64_t k = 0; k < count; k++) assert_false(is_broken[f.raw + k]);
        held[at].first = f.raw;
        held[at].count = count;
      }
      if (!dice_one_in(&d, 20)) continue;
      const uint64_t frame = dice_one_in(&d, 2) && held[at].count != 0 ? held[at].first + dice_below(&d, held[at].count)
                                                                       : F(MIB) + dice_below(&d, F(64 * MIB));
      const status_t s = bad_report(m.nodes, NULL, pfn(frame), &outcome);
      assert_int_equal(s, is_broken[frame] ? ERR_EXISTS : OK);
      reported += s == OK;
      is_broken[frame] = true;
    }
    for (size_t i = 0; i < 64; i++)
      if (held[i].count != 0) assert_int_equal(nodes_free_run(m.nodes, TEST, pfn(held[i].first), held[i].count), OK);
    assert_int_equal(bad_frames(&m), reported);
    assert_int_equal(bad_condemned(m.nodes), 0);
    printf("%llu frames broke\n", (unsigned long long)reported);
    end(&m);
  }
}

int main(void) {
  ram = fake_platform_make_ram(RAM_SIZE);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_free_frame_is_out_of_service_at_once),
      cmocka_unit_test(what_is_not_ours_is_refused),
      cmocka_unit_test(the_next_frame_of_a_slots_block_is_out_of_service_too),
      cmocka_unit_test(a_used_frame_is_condemned_and_its_owner_told),
      cmocka_unit_test(of_a_run_only_the_broken_frames_stay_out_of_service),
      cmocka_unit_test(a_frame_within_a_2_mib_frame_goes_and_the_other_511_come_back),
      cmocka_unit_test(a_frame_in_the_stock_of_zeros_is_called_in_and_taken_out),
      cmocka_unit_test(a_frame_in_quarantine_waits_for_the_fence),
      cmocka_unit_test(so_many_ranges_are_remembered_and_no_more),
      cmocka_unit_test(a_long_range_in_use_is_one_entry),
      cmocka_unit_test(a_free_frame_that_was_condemned_is_forgotten_when_it_is_retired),
      cmocka_unit_test(with_clearing_on_free_a_condemned_frame_is_not_touched_any_more),
      cmocka_unit_test(a_damaged_list_is_found_and_named),
      cmocka_unit_test(broken_frames_are_never_handed_out_again_whatever_happens),
      cmocka_unit_test(a_movable_frame_moves_with_its_bytes), /* From here on with memory of movers.h. */
      cmocka_unit_test(a_movable_frame_that_its_owner_holds_is_condemned),
      cmocka_unit_test(a_condemned_frame_is_in_the_way_of_every_run),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
