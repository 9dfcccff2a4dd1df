/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes_clear.c and the door: NODE_ZEROED means zeros, zero=free leaves none but zeros behind, stocks are available
 * memory.
 *
 * Two nodes of 32 MiB that are really there, full of poison; whoever has memory in these tests poisons it.
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
#include "mm/zero.h"
#include "movers.h"
#include "platform.h"

#define F(bytes) ((bytes) / FRAME_SIZE)
#define RAM_SIZE (65 * MIB)
#define FRAMES   F(64 * MIB)
#define POISON   0xa5

static char *ram;
static const struct boot_region map[] = {{MIB, RAM_SIZE, BOOT_MEMORY_USABLE, 7, 8}};
static const struct nodes_range two[] = {{F(0), F(33 * MIB), 0}, {F(33 * MIB), F(RAM_SIZE), 1}};
static const struct nodes_layout two_nodes = {2, two, ARRAY_COUNT(two), NULL, 0};

static struct machine start(const struct nodes_layout *layout, enum nodes_clearing when, uint64_t stock) {
  struct machine m = machine_create(map, ARRAY_COUNT(map), layout, NULL, 0);
  assert_int_equal(m.status, OK);
  memset(ram, POISON, RAM_SIZE);
  assert_int_equal(nodes_clear_init(m.nodes, when, stock), OK);
  return m;
}

static bool is_zero(pfn_t first, uint64_t count) {
  const char *bytes = ram + first.raw * FRAME_SIZE;
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, count * FRAME_SIZE - 1) == 0;
}

static uint64_t frames_of(const struct machine *m, uint32_t node, enum frame_owner owner) {
  struct ledger l;
  nodes_ledger_read(m->nodes, node, &l);
  assert_true(ledger_balances(&l));
  return l.frames[owner];
}

static void fill(const struct machine *m) {
  while (nodes_idle(m->nodes)) {}
}

static uint64_t some_count(struct dice *d) {
  if (dice_one_in(d, 20)) return FRAMES_PER_2M;
  return dice_one_in(d, 3) ? 1 + dice_below(d, 40) : 1;
}

/* Takes, poisons and frees at random; who asked for zeros, or everybody when `all`, must get them. */
static void churn(struct machine *m, struct dice *d, bool all, unsigned steps) {
  static struct {
    pfn_t first;
    uint64_t count;
  } held[64];
  for (unsigned i = 0; i < steps; i++) {
    const size_t at = dice_below(d, 64);
    if (held[at].count != 0) {
      memset(ram + held[at].first.raw * FRAME_SIZE, POISON, held[at].count * FRAME_SIZE);
      const status_t s = held[at].count == 1 ? nodes_free_frame(m->nodes, FRAME_OWNER_TEST, held[at].first)
                                             : nodes_free_run(m->nodes, FRAME_OWNER_TEST, held[at].first, held[at].count);
      assert_int_equal(s, OK);
    }
    const uint64_t count = some_count(d);
    const struct frame_limits where = {.align = dice_one_in(d, 4) ? 4 : 0, .max = dice_one_in(d, 4) ? F(40 * MIB) : 0};
    uint32_t flags = dice_one_in(d, 2) ? NODE_ZEROED : 0;
    if (dice_one_in(d, 4)) flags |= NODE(dice_below(d, nodes_count(m->nodes)));
    const status_t s = count == 1 && dice_one_in(d, 2)
                           ? nodes_alloc_frame(m->nodes, FRAME_OWNER_TEST, flags, &held[at].first)
                           : nodes_alloc_run(m->nodes, FRAME_OWNER_TEST, flags, count, &where, &held[at].first);
    held[at].count = s == OK ? count : 0;
    if (s == OK && (all || (flags & NODE_ZEROED))) assert_true(is_zero(held[at].first, count));
    for (uint64_t idle = dice_below(d, 4); idle > 0; idle--) nodes_idle(m->nodes);
  }
  for (size_t i = 0; i < 64; i++) {
    if (held[i].count == 0) continue;
    memset(ram + held[i].first.raw * FRAME_SIZE, POISON, held[i].count * FRAME_SIZE);
    assert_int_equal(nodes_free_run(m->nodes, FRAME_OWNER_TEST, held[i].first, held[i].count), OK);
    held[i].count = 0;
  }
}

static void who_asks_for_zeros_gets_zeros(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  const struct nodes_layout *layouts[] = {NULL, &two_nodes};
  for (size_t i = 0; i < 2; i++) {
    struct machine m = start(layouts[i], NODES_CLEAR_ON_ALLOC, 4 * MIB);
    struct zero_stats s;
    churn(&m, &d, false, 8000);
    nodes_zero_stats_read(m.nodes, &s);
    printf("%llu from a stock, %llu not\n", (unsigned long long)s.hits, (unsigned long long)s.misses);
    assert_true(s.hits > 100 && s.filled > 100);
    machine_must_be_sound(&m, "after zeros");
    machine_destroy(&m);
  }
}

static bool must_be_zero(void *context, const struct pmm_range *r) {
  uint64_t *frames = context;
  if (r->state != FRAME_FREE) return true;
  assert_true(is_zero(pfn(r->start), r->end - r->start));
  *frames += r->end - r->start;
  return true;
}

static void with_clearing_on_free_all_that_is_free_is_zeros_always(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run() + 1);
  const struct nodes_layout *layouts[] = {NULL, &two_nodes};
  for (size_t i = 0; i < 2; i++) {
    struct machine m = start(layouts[i], NODES_CLEAR_ON_FREE, 4 * MIB);
    uint64_t frames = 0;
    churn(&m, &d, true, 4000);
    nodes_visit(m.nodes, NODES_ALL, must_be_zero, &frames);
    assert_int_equal(frames, FRAMES);
    assert_false(nodes_idle(m.nodes));
    machine_must_be_sound(&m, "after clearing on free");
    machine_destroy(&m);
  }
}

static void with_clearing_on_free_an_allocation_clears_nothing(void **state) {
  (void)state;
  struct machine m = start(&two_nodes, NODES_CLEAR_ON_FREE, 0);
  pfn_t f;
  const uint64_t before = fake_memory.cleared + fake_memory.cleared_far;
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, NODE_ZEROED, 5000, NULL, &f), OK);
  assert_int_equal(fake_memory.cleared + fake_memory.cleared_far, before);
  assert_true(is_zero(f, 5000));
  machine_destroy(&m);
}

/* A refused free, in one node's books or across the border, has cleared nothing and changed nothing. */
static void a_refused_free_clears_nothing(void **state) {
  (void)state;
  struct machine m = start(&two_nodes, NODES_CLEAR_ON_FREE, 0);
  const struct frame_limits across = {.min = F(33 * MIB) - 8, .max = F(33 * MIB) + 8};
  pfn_t f;
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, 0, 16, &across, &f), OK);
  memset(ram + f.raw * FRAME_SIZE, POISON, 16 * FRAME_SIZE);
  const uint64_t before = machine_digest(&m);
  const uint64_t lines = fake_platform_log_count();
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, f, 16), ERR_OWNER);
  assert_int_equal(fake_platform_log_count(), lines + 1); /* In the words of what was asked for. */
  assert_non_null(strstr(fake_platform_last_line(), "refused to free frame"));
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_TEST, f, 17), ERR_STATE);
  assert_int_equal(nodes_free_frame(m.nodes, FRAME_OWNER_USER, f), ERR_OWNER);
  assert_int_equal(machine_digest(&m), before);
  for (size_t i = 0; i < 16 * FRAME_SIZE; i++) assert_int_equal((unsigned char)ram[f.raw * FRAME_SIZE + i], POISON);
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_TEST, f, 16), OK);
  assert_true(is_zero(f, 16));
  assert_int_equal(nodes_free_frame(m.nodes, FRAME_OWNER_TEST, f), ERR_STATE);
  machine_destroy(&m);
}

/* Frames that left a window, those that were only gathered, and groups that were emptied: all of it zeros. */
static void with_clearing_on_free_what_moves_leaves_zeros_behind(void **state) {
  (void)state;
  struct machine m = start(NULL, NODES_CLEAR_ON_ALLOC, 0);
  struct hosted h = {.pmm = nodes_pmm(m.nodes, 0)};
  struct movers o;
  struct contig_compaction done;
  const struct frame_limits aligned = {.align = 1024};
  uint64_t frames = 0, frame;
  pfn_t f;
  movers_init(&o, &h, FRAME_OWNER_USER, F(RAM_SIZE), true);
  ram = o.ram;
  memset(ram, POISON, RAM_SIZE);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_FREE, 0), OK);
  for (uint64_t i = 0; i < FRAMES / 40; i++) assert_true(movers_take_at(&o, F(MIB) + 37 * i));
  assert_true(movers_take(&o, &frame));
  o.refuse_at = 20;
  assert_int_not_equal(contig_alloc(&o.contig, FRAME_OWNER_TEST, 3000, NULL, 3000, &f), OK); /* Undone half-way. */
  nodes_visit(m.nodes, NODES_ALL, must_be_zero, &frames);
  o.refuse_at = UINT64_MAX;
  assert_int_equal(contig_alloc(&o.contig, FRAME_OWNER_TEST, 3000, &aligned, 3000, &f), OK);
  assert_true(o.moves > 20 && is_zero(f, 3000));
  assert_int_equal(contig_compact(&o.contig, FRAMES_PER_2M, UINT64_MAX, &done), OK);
  assert_true(done.moves > 0);
  nodes_visit(m.nodes, NODES_ALL, must_be_zero, &frames);
  movers_must_be_intact(&o);
  movers_fini(&o);
  machine_destroy(&m);
}

/* What nodes_alloc_frame does, step by step: somebody calls the stock in after the allocator has said that it has none. */
static void a_stock_that_another_cpu_has_just_called_in_is_found(void **state) {
  (void)state;
  struct machine m = start(NULL, NODES_CLEAR_ON_ALLOC, 4 * MIB);
  struct pmm *only = nodes_pmm(m.nodes, 0);
  pfn_t f;
  fill(&m);
  while (pmm_alloc_frame(only, FRAME_OWNER_TEST, 0, &f) == OK) continue;
  assert_true(nodes_call_in(m.nodes) > 0);
  assert_int_equal(nodes_alloc_frame_near(m.nodes, FRAME_OWNER_TEST, 0, only, &f), OK);
  machine_must_be_sound(&m, "after the stock");
  while (nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, 0, &f) == OK) continue; /* All of it is known to have come back. */
  struct pmm_stats before, after;
  pmm_stats_read(only, &before);
  assert_int_equal(nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, 0, &f), ERR_NO_MEMORY);
  pmm_stats_read(only, &after);
  assert_int_equal(after.failures, before.failures + 1); /* Nobody was asked twice. */
  machine_destroy(&m);
}

static void each_node_has_a_stock_of_its_own_and_gives_it_back(void **state) {
  (void)state;
  struct machine m = start(&two_nodes, NODES_CLEAR_ON_ALLOC, 4 * MIB);
  pfn_t f;
  fill(&m);
  for (uint32_t node = 0; node < 2; node++) assert_int_equal(frames_of(&m, node, FRAME_OWNER_ZEROED), 384);
  assert_int_equal(nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, NODE(1) | NODE_ZEROED, &f), OK);
  assert_int_equal(nodes_node_of(m.nodes, f.raw), 1);
  assert_int_equal(frames_of(&m, 1, FRAME_OWNER_ZEROED), 383);
  assert_int_equal(nodes_free_frame(m.nodes, FRAME_OWNER_TEST, f), OK);
  uint64_t got = 0;
  while (nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, 0, &f) == OK) got++;
  assert_int_equal(got, FRAMES - 2);
  assert_int_equal(nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, NODE_ZEROED, &f), ERR_NO_MEMORY);
  machine_destroy(&m);
}

/* Exactly what one node has, stock and all, to a frame. */
static void an_exact_node_is_used_to_the_last_frame_of_its_stock(void **state) {
  (void)state;
  struct machine m = start(&two_nodes, NODES_CLEAR_ON_ALLOC, 4 * MIB);
  pfn_t f;
  fill(&m);
  uint64_t got = 0;
  while (nodes_alloc_frame(m.nodes, FRAME_OWNER_TEST, NODE(0) | NODE_EXACT, &f) == OK) got++;
  assert_int_equal(got, FRAMES / 2 - 1);
  machine_destroy(&m);
}

static void a_run_is_refused_only_when_the_stocks_do_not_help(void **state) {
  (void)state;
  struct machine m = start(NULL, NODES_CLEAR_ON_ALLOC, 4 * MIB);
  pfn_t f;
  struct pmm_stats s;
  nodes_stats_read(m.nodes, NODES_ALL, &s);
  const uint64_t longest = s.largest_free_run;
  fill(&m);
  nodes_stats_read(m.nodes, NODES_ALL, &s);
  assert_true(s.largest_free_run < longest);
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, NODE_ZEROED, longest, NULL, &f), OK);
  assert_true(is_zero(f, longest));
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, 0, longest, NULL, &f), ERR_NO_MEMORY);
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, NODE_ZEROED, 0, NULL, &f), ERR_INVALID);
  machine_destroy(&m);
}

int main(void) {
  ram = fake_platform_make_ram(RAM_SIZE);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(who_asks_for_zeros_gets_zeros),
      cmocka_unit_test(with_clearing_on_free_all_that_is_free_is_zeros_always),
      cmocka_unit_test(with_clearing_on_free_an_allocation_clears_nothing),
      cmocka_unit_test(a_refused_free_clears_nothing),
      cmocka_unit_test(a_stock_that_another_cpu_has_just_called_in_is_found),
      cmocka_unit_test(each_node_has_a_stock_of_its_own_and_gives_it_back),
      cmocka_unit_test(an_exact_node_is_used_to_the_last_frame_of_its_stock),
      cmocka_unit_test(a_run_is_refused_only_when_the_stocks_do_not_help),
      cmocka_unit_test(with_clearing_on_free_what_moves_leaves_zeros_behind), /* Last: with memory of movers.h. */
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
