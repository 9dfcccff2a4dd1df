/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/dma.c: what a device gets lies within its limits, is zeroed, and comes back only behind a fence.
 *
 * The machine has 24 MiB of RAM below 2^24 + 2^23, a piece around 2^28 and one above 4 GiB; all of it is really there, as
 * sparse memory of the host.  The oracle looks at every frame's state.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/units.h"
#include "machine.h"
#include "mm/dma.h"
#include "platform.h"
#include "seed.h"

#define RAM_SIZE (5 * GIB)

static const struct boot_region map[] = {
    {0x100000, 0x1800000, BOOT_MEMORY_USABLE, 7, 8},
    {0xff80000, 0x10080000, BOOT_MEMORY_USABLE, 7, 8},
    {0x100000000, 0x100800000, BOOT_MEMORY_USABLE, 7, 8},
};
#define MACHINE_REGIONS (sizeof map / sizeof *map)

static char *ram;

static struct machine start(void) {
  struct machine h = machine_create(map, MACHINE_REGIONS, NULL, NULL, 0);
  assert_int_equal(h.status, OK);
  return h;
}

static struct dma_device *device(struct machine *h, struct dma_limits limits) {
  struct dma_device *d;
  assert_int_equal(dma_device_create(h->nodes, "fake", &limits, &d), OK);
  return d;
}

static uint64_t owned_by_dma(struct machine *h) {
  struct ledger l;
  nodes_ledger_read(h->nodes, NODES_ALL, &l);
  assert_true(ledger_balances(&l));
  return l.frames[FRAME_OWNER_DMA];
}

static bool is_zero(const struct dma_segment *s) {
  const char *bytes = s->cpu;
  for (uint64_t i = 0; i < s->size; i++) {
    if (bytes[i] != 0) return false;
  }
  return true;
}

static bool is_within(const struct dma_limits *l, const struct dma_segment *s) {
  const uint64_t first = s->device.raw, last = first + s->size - 1;
  if (l->address_bits != 0 && l->address_bits < 64 && last >> l->address_bits != 0) return false;
  if (l->align != 0 && first % l->align != 0) return false;
  if (l->boundary != 0 && first / l->boundary != last / l->boundary) return false;
  return l->segment_max == 0 || s->size <= l->segment_max;
}

static bool is_free(const struct machine *h, uint64_t frame) {
  struct pmm_story story;
  nodes_describe(h->nodes, paddr_of_pfn(pfn(frame)), &story);
  return story.has_record && story.state == FRAME_FREE;
}

/* Nobody moves it, and the CPU sees the same bytes as the device. */
static bool is_pinned(const struct machine *h, const struct dma_segment *s) {
  struct pmm_story story;
  for (uint64_t at = 0; at < s->size; at += FRAME_SIZE) {
    nodes_describe(h->nodes, paddr_add(s->device, at), &story);
    if (story.owner != FRAME_OWNER_DMA || story.is_movable) return false;
  }
  return (char *)s->cpu == ram + s->device.raw;
}

/* Does a run exist?  Every start is tried. */
static bool exists(const struct machine *h, const struct dma_limits *l, uint64_t size) {
  const uint64_t frames = bits_align_up(size, FRAME_SIZE) / FRAME_SIZE;
  for (size_t i = 0; i < MACHINE_REGIONS; i++) {
    uint64_t run = 0;
    for (uint64_t f = map[i].start / FRAME_SIZE; f < map[i].end / FRAME_SIZE; f++) {
      run = is_free(h, f) ? run + 1 : 0;
      if (run < frames) continue;
      const struct dma_segment s = {paddr((f + 1 - frames) * FRAME_SIZE), NULL, size};
      const struct dma_segment whole = {s.device, NULL, frames * FRAME_SIZE};
      const struct dma_limits in_frames = {.address_bits = l->address_bits};
      if (is_within(l, &s) && is_within(&in_frames, &whole)) return true;
    }
  }
  return false;
}

static struct dma_limits some_limits(struct dice *d) {
  struct dma_limits l = {0};
  if (!dice_one_in(d, 4)) l.address_bits = (unsigned)dice_between(d, 20, 34);
  if (dice_one_in(d, 2)) l.align = UINT64_C(1) << dice_below(d, 23);
  if (dice_one_in(d, 2)) l.boundary = UINT64_C(1) << dice_between(d, 8, 24);
  if (dice_one_in(d, 3)) l.segment_max = 1 + dice_any_size(d, 22);
  if (dice_one_in(d, 4)) l.segment_count_max = 1 + (uint32_t)dice_below(d, 40);
  return l;
}

/* Holes at random, so that limits and fragments meet. */
static void fragment(struct machine *h, struct dice *d) {
  for (uint64_t n = dice_one_in(d, 3) ? 600 : dice_below(d, 60); n > 0; n--) {
    const struct boot_region *r = &map[dice_below(d, MACHINE_REGIONS)];
    const uint64_t first = r->start / FRAME_SIZE + dice_below(d, (r->end - r->start) / FRAME_SIZE);
    const uint64_t count = 1 + dice_any_size(d, 9);
    const struct frame_limits here = {.min = first, .max = first + count};
    pfn_t out;
    if (nodes_alloc_run(h->nodes, FRAME_OWNER_TEST, 0, count, &here, &out) == OK) {
      memset(ram + out.raw * FRAME_SIZE, 0xa5, count * FRAME_SIZE);
      if (dice_one_in(d, 2)) assert_int_equal(nodes_free_run(h->nodes, FRAME_OWNER_TEST, out, count), OK);
    }
  }
}

static void one_run_is_found_within_the_limits_if_and_only_if_there_is_one(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  unsigned found = 0, none = 0, impossible = 0;
  for (unsigned i = 0; i < 400; i++) {
    struct machine h = start();
    fragment(&h, &d);
    const struct dma_limits l = some_limits(&d);
    struct dma_device *dev = device(&h, l);
    const uint64_t size = 1 + dice_any_size(&d, 24);
    const bool is_there = exists(&h, &l, size);
    const uint64_t before = machine_digest(&h);
    struct dma_segment s;
    const status_t status = dma_alloc(dev, size, DMA_COHERENT, &s);
    if (status == OK) {
      found++;
      assert_true(is_there && is_within(&l, &s) && is_zero(&s) && is_pinned(&h, &s) && s.size == size);
      assert_int_equal(owned_by_dma(&h), bits_align_up(size, FRAME_SIZE) / FRAME_SIZE);
      assert_int_equal(dma_free(dev, &s), OK);
      assert_int_equal(dma_fence(dev), bits_align_up(size, FRAME_SIZE) / FRAME_SIZE);
    } else {
      assert_false(is_there);
      if (status == ERR_INVALID) impossible++;
      if (status == ERR_NO_MEMORY) none++;
      assert_true(status == ERR_INVALID || status == ERR_NO_MEMORY || status == ERR_RANGE);
    }
    assert_int_equal(machine_digest(&h), before);
    machine_must_be_sound(&h, "after one run");
    machine_destroy(&h);
  }
  printf("%u found, %u not there, %u impossible\n", found, none, impossible);
  assert_true(found > 20 && none > 0 && impossible > 20);
}

static void check_list(struct machine *h, const struct dma_limits *l, const struct dma_segment *list, size_t n,
                       uint64_t size) {
  uint64_t sum = 0, frames = 0;
  for (size_t i = 0; i < n; i++) {
    assert_true(is_within(l, &list[i]) && is_zero(&list[i]) && is_pinned(h, &list[i]));
    assert_true(i + 1 == n || list[i].size % FRAME_SIZE == 0);
    sum += list[i].size;
    frames += bits_align_up(list[i].size, FRAME_SIZE) / FRAME_SIZE;
  }
  assert_int_equal(sum, size);
  assert_int_equal(owned_by_dma(h), frames);
}

static int longer_first(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x < y) - (x > y);
}

/* The fewest segments that hold so many frames, for limits without alignment and boundary; SIZE_MAX when none do. */
static size_t fewest(const struct machine *h, const struct dma_limits *l, uint64_t frames) {
  static uint64_t pieces[16384];
  const uint64_t step = l->segment_max == 0 ? UINT64_MAX : l->segment_max / FRAME_SIZE;
  const uint64_t reach = l->address_bits == 0 ? UINT64_MAX : UINT64_C(1) << (l->address_bits - FRAME_SHIFT);
  size_t n = 0, used = 0;
  for (size_t i = 0; i < MACHINE_REGIONS; i++) {
    uint64_t run = 0;
    for (uint64_t f = map[i].start / FRAME_SIZE; f <= map[i].end / FRAME_SIZE; f++) {
      const bool ends = f == map[i].end / FRAME_SIZE || f >= reach || !is_free(h, f);
      if (!ends) run++;
      if (run == step || (ends && run > 0)) {
        pieces[n++] = run;
        run = 0;
      }
    }
  }
  qsort(pieces, n, sizeof *pieces, longer_first);
  for (; frames > 0 && used < n; used++) frames -= bits_min(frames, pieces[used]);
  return frames == 0 ? used : SIZE_MAX;
}

static void a_scatter_list_lies_within_the_limits_and_adds_up(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run() + 1);
  unsigned made = 0, several = 0, failed = 0, judged = 0;
  static struct dma_segment list[DMA_RUNS_MAX];
  for (unsigned i = 0; i < 600; i++) {
    struct machine h = start();
    for (uint64_t k = dice_below(&d, 8); k > 0; k--) fragment(&h, &d);
    struct dma_limits l = some_limits(&d);
    if (dice_one_in(&d, 2)) l.align = l.boundary = 0;
    struct dma_device *dev = device(&h, l);
    const uint64_t size = 1 + dice_any_size(&d, 25), before = machine_digest(&h);
    const size_t room = 1 + dice_below(&d, DMA_RUNS_MAX);
    const bool is_simple = l.align <= FRAME_SIZE && l.boundary == 0 && (l.segment_max == 0 || l.segment_max >= FRAME_SIZE);
    const size_t least = is_simple ? fewest(&h, &l, bits_align_up(size, FRAME_SIZE) / FRAME_SIZE) : 0;
    const size_t allowed = l.segment_count_max == 0 ? room : bits_min(room, l.segment_count_max);
    size_t n = 0;
    const status_t status = dma_alloc_scatter(dev, size, DMA_COHERENT, list, room, &n);
    if (is_simple) {
      judged++;
      assert_int_equal(status == OK, least <= allowed);
      if (status == OK) assert_int_equal(n, least);
    }
    if (status == OK) {
      made++;
      several += n > 1;
      assert_true(n <= room && (l.segment_count_max == 0 || n <= l.segment_count_max));
      check_list(&h, &l, list, n, size);
      assert_int_equal(dma_free_scatter(dev, list, n), OK);
      assert_true(dma_fence(dev) > 0);
    } else {
      failed++;
      assert_int_equal(n, 0);
      assert_true(status == ERR_INVALID || status == ERR_NO_MEMORY || status == ERR_RANGE);
    }
    assert_int_equal(machine_digest(&h), before);
    machine_must_be_sound(&h, "after a scatter list");
    machine_destroy(&h);
  }
  printf("%u lists, %u of several segments, %u failed; %u judged by the oracle\n", made, several, failed, judged);
  assert_true(made > 50 && several > 20 && failed > 50 && judged > 50);
}

/* Single frames all over, every second one free. */
static void make_a_comb(struct machine *h) {
  pfn_t f;
  for (uint64_t at = map[0].start / FRAME_SIZE; at < map[0].end / FRAME_SIZE; at += 2) {
    const struct frame_limits here = {.min = at, .max = at + 1};
    assert_int_equal(nodes_alloc_run(h->nodes, FRAME_OWNER_TEST, 0, 1, &here, &f), OK);
  }
}

static void memory_in_single_frames_is_used_to_the_last_one(void **state) {
  (void)state;
  struct machine h = start();
  static struct dma_segment list[DMA_RUNS_MAX];
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 24});
  size_t n = 0;
  make_a_comb(&h);
  struct dma_segment one;
  const uint64_t failures = nodes_failure_count(h.nodes);
  assert_int_equal(dma_alloc(d, 2 * FRAME_SIZE, DMA_COHERENT, &one), ERR_NO_MEMORY);
  assert_int_equal(dma_alloc_scatter(d, 100 * FRAME_SIZE, DMA_COHERENT, list, 99, &n), ERR_NO_MEMORY);
  assert_int_equal(dma_alloc_scatter(d, 100 * FRAME_SIZE, DMA_COHERENT, list, 100, &n), OK);
  assert_int_equal(n, 100);
  assert_int_equal(nodes_failure_count(h.nodes), failures + 1); /* The run of two; bisection asks, and does not fail. */
  machine_destroy(&h);
}

static void a_list_is_no_longer_than_its_device_can_take(void **state) {
  (void)state;
  struct machine h = start();
  make_a_comb(&h);
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 27, .segment_count_max = 3});
  const uint64_t before = machine_digest(&h);
  struct dma_segment list[8];
  size_t n = 0;
  assert_int_equal(dma_alloc_scatter(d, 4 * FRAME_SIZE, DMA_COHERENT, list, 8, &n), ERR_NO_MEMORY);
  assert_int_equal(n, 0);
  assert_int_equal(machine_digest(&h), before);
  assert_int_equal(dma_alloc_scatter(d, 3 * FRAME_SIZE, DMA_COHERENT, list, 8, &n), OK);
  assert_int_equal(n, 3);
  assert_int_equal(dma_alloc_scatter(d, 3 * FRAME_SIZE, DMA_COHERENT, &list[3], 2, &n),
                   ERR_NO_MEMORY); /* Nor than the list. */
  machine_must_be_sound(&h, "with a short list");
  machine_destroy(&h);
}

static void a_failed_list_leaves_nothing_behind_wherever_it_fails(void **state) {
  (void)state;
  static struct dma_segment list[DMA_RUNS_MAX];
  for (uint64_t frames_left = 0; frames_left < 40; frames_left++) {
    struct machine h = start();
    struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 24, .segment_max = 3 * FRAME_SIZE});
    struct dma_segment held[2];
    size_t n = 7;
    pfn_t first;
    /* The first 15 MiB without the last frames: only so many are left below 2^24. */
    const uint64_t count = 15 * MIB / FRAME_SIZE - frames_left;
    const struct frame_limits low = {.min = 256, .max = 256 + count};
    assert_int_equal(nodes_alloc_run(h.nodes, FRAME_OWNER_TEST, 0, count, &low, &first), OK);
    const uint64_t before = machine_digest(&h);
    const status_t status = dma_alloc_scatter(d, 40 * FRAME_SIZE, DMA_COHERENT, list, DMA_RUNS_MAX, &n);
    struct dma_stats stats;
    dma_stats_read(d, &stats);
    assert_int_equal(status, ERR_NO_MEMORY);
    assert_int_equal(n, 7);
    assert_int_equal(stats.live_runs + stats.quarantined_runs, 0);
    assert_int_equal(machine_digest(&h), before);
    if (frames_left == 0) assert_int_equal(dma_alloc(d, 1, DMA_COHERENT, held), ERR_NO_MEMORY);
    machine_destroy(&h);
  }
}

static void without_memory_there_is_no_device(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = NULL;
  const struct dma_limits none = {0};
  pfn_t frame;
  while (nodes_alloc_frame(h.nodes, FRAME_OWNER_TEST, 0, &frame) == OK) {}
  assert_int_equal(dma_device_create(h.nodes, "fake", &none, &d), ERR_NO_MEMORY);
  assert_null(d);
  machine_destroy(&h);
}

static void what_no_machine_could_give_is_told_from_what_this_one_has_not(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_segment s;
  size_t n;
  static const struct dma_limits wrong[] = {{.address_bits = 11}, {.address_bits = 65}, {.align = 3}, {.boundary = 5000}};
  struct dma_device *none;
  for (size_t i = 0; i < 4; i++) assert_int_equal(dma_device_create(h.nodes, "fake", &wrong[i], &none), ERR_INVALID);
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 20, .segment_max = 65536, .boundary = 32768});
  assert_int_equal(dma_alloc(d, 0, DMA_COHERENT, &s), ERR_INVALID);
  assert_int_equal(dma_alloc(d, 32769, DMA_COHERENT, &s), ERR_INVALID);
  assert_int_equal(dma_alloc(d, UINT64_MAX, DMA_COHERENT, &s), ERR_INVALID);
  assert_int_equal(dma_alloc(d, 4096, DMA_COHERENT, &s), ERR_RANGE); /* Below 1 MiB nothing is ours. */
  assert_int_equal(dma_alloc_scatter(d, 65536, DMA_COHERENT, &s, 1, &n), ERR_INVALID);
  assert_int_equal(dma_alloc_scatter(d, 2 * MIB, DMA_COHERENT, &s, SIZE_MAX, &n), ERR_INVALID);
  struct dma_device *any = device(&h, (struct dma_limits){0});
  assert_int_equal(dma_alloc_scatter(any, FRAME_SIZE, DMA_COHERENT, &s, SIZE_MAX, &n), OK); /* Room without end. */
  struct dma_device *bytes = device(&h, (struct dma_limits){.segment_max = 100});
  assert_int_equal(dma_alloc(bytes, 100, DMA_COHERENT, &s), OK);
  assert_int_equal(dma_alloc(bytes, 101, DMA_COHERENT, &s), ERR_INVALID);
  assert_int_equal(dma_alloc_scatter(bytes, 100, DMA_COHERENT, &s, 1, &n), ERR_INVALID);
  for (int kind = 2; kind < 300; kind += 254) { /* Neither of the two kinds of memory. */
    assert_int_equal(dma_alloc(any, FRAME_SIZE, (enum dma_memory)kind, &s), ERR_INVALID);
    assert_int_equal(dma_alloc_scatter(any, FRAME_SIZE, (enum dma_memory)kind, &s, 1, &n), ERR_INVALID);
  }
  machine_destroy(&h);
}

/* A list longer than all memory is refused for what it is, before the memory of everybody else is taken and cleared. */
static void a_list_that_can_never_be_takes_nothing(void **state) {
  (void)state;
  struct machine h = start();
  static struct dma_segment list[DMA_RUNS_MAX];
  struct dma_device *any = device(&h, (struct dma_limits){0}), *near = device(&h, (struct dma_limits){.address_bits = 24});
  size_t n = 3;
  const uint64_t cleared = fake_memory.cleared + fake_memory.cleared_far, before = machine_digest(&h);
  assert_int_equal(dma_alloc_scatter(any, 32 * MIB + 1, DMA_COHERENT, list, DMA_RUNS_MAX, &n), ERR_RANGE);
  assert_int_equal(dma_alloc_scatter(near, 15 * MIB + 1, DMA_COHERENT, list, DMA_RUNS_MAX, &n), ERR_RANGE);
  assert_int_equal(n, 3);
  assert_int_equal(fake_memory.cleared + fake_memory.cleared_far, cleared);
  assert_int_equal(machine_digest(&h), before);
  assert_int_equal(dma_alloc_scatter(any, 32 * MIB, DMA_COHERENT, list, DMA_RUNS_MAX, &n), ERR_NO_MEMORY); /* Not now. */
  assert_int_equal(dma_alloc_scatter(near, 15 * MIB, DMA_COHERENT, list, DMA_RUNS_MAX, &n), OK);
  machine_destroy(&h);
}

static void freed_memory_is_the_devices_until_the_fence(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 28});
  struct dma_device *other = device(&h, (struct dma_limits){0});
  struct dma_segment s, again;
  struct dma_stats stats;
  const uint64_t before = machine_digest(&h);
  assert_int_equal(dma_alloc(d, 64 * KIB, DMA_COHERENT, &s), OK);
  memset(s.cpu, 0xee, s.size);
  assert_int_equal(dma_device_destroy(d), ERR_BUSY);
  assert_int_equal(dma_free(d, &s), OK);
  assert_int_equal(dma_device_destroy(d), ERR_BUSY);
  dma_stats_read(d, &stats);
  assert_int_equal(stats.quarantined_frames, 16);
  assert_int_equal(stats.live_frames, 0);
  assert_int_equal(owned_by_dma(&h), 16);
  assert_int_equal(dma_fence(other), 0);
  /* All the rest of memory is handed out, and none of it is the quarantine. */
  pfn_t frame;
  while (nodes_alloc_frame(h.nodes, FRAME_OWNER_TEST, 0, &frame) == OK) {
    const uint64_t at = frame.raw * FRAME_SIZE;
    assert_true(at < s.device.raw || at >= s.device.raw + s.size);
  }
  assert_int_equal(dma_alloc(d, FRAME_SIZE, DMA_COHERENT, &again), ERR_NO_MEMORY);
  assert_int_equal(dma_fence(d), 16);
  assert_int_equal(dma_fence(d), 0);
  assert_int_equal(dma_alloc(d, 64 * KIB, DMA_COHERENT, &again), OK);
  assert_int_equal(again.device.raw, s.device.raw);
  assert_true(is_zero(&again));
  assert_int_not_equal(machine_digest(&h), before);
  machine_must_be_sound(&h, "after the quarantine");
  machine_destroy(&h);
}

/* Another CPU frees a segment while the fence gives back the first one: of that the driver has not spoken. */
static struct {
  struct dma_device *device;
  struct dma_segment late;
  status_t status;
} other_cpu;

static void free_late(paddr_t start) {
  (void)start;
  fake_cache.in_change = NULL;
  other_cpu.status = dma_free(other_cpu.device, &other_cpu.late);
}

static void what_is_freed_during_a_fence_waits_for_the_next(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 28});
  struct dma_segment early;
  struct dma_stats stats;
  assert_int_equal(dma_alloc(d, 8 * KIB, DMA_WRITE_COMBINING, &early), OK);
  other_cpu.device = d;
  other_cpu.status = ERR_NOT_FOUND;
  assert_int_equal(dma_alloc(d, 64 * KIB, DMA_COHERENT, &other_cpu.late), OK);
  assert_int_equal(dma_free(d, &early), OK);
  fake_cache.in_change = free_late;
  assert_int_equal(dma_fence(d), 2);
  assert_int_equal(other_cpu.status, OK);
  dma_stats_read(d, &stats);
  assert_int_equal(stats.quarantined_frames, 16);
  assert_int_equal(owned_by_dma(&h), 16);
  assert_int_equal(dma_fence(d), 16);
  machine_must_be_sound(&h, "after two fences");
  machine_destroy(&h);
}

static void what_is_freed_twice_or_was_never_had_is_refused(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){0});
  struct dma_device *other = device(&h, (struct dma_limits){0});
  struct dma_segment a, b;
  struct dma_stats stats;
  assert_int_equal(dma_alloc(d, 5000, DMA_COHERENT, &a), OK);
  assert_int_equal(dma_alloc(d, 5000, DMA_COHERENT, &b), OK);
  const uint64_t before = machine_digest(&h);
  const struct dma_segment shorter = {a.device, a.cpu, 100};
  const struct dma_segment inside = {paddr_add(a.device, FRAME_SIZE), a.cpu, 100};
  const struct dma_segment odd = {paddr_add(a.device, 1), a.cpu, 5000};
  const struct dma_segment twice[3] = {a, b, a};
  assert_int_equal(dma_free(other, &a), ERR_OWNER);
  assert_int_equal(dma_free(d, &shorter), ERR_OWNER);
  assert_int_equal(dma_free(d, &inside), ERR_OWNER);
  assert_int_equal(dma_free(d, &odd), ERR_OWNER);
  assert_int_equal(dma_free_scatter(d, twice, 3), ERR_STATE);
  dma_stats_read(d, &stats);
  assert_int_equal(stats.live_runs, 2);
  assert_int_equal(stats.quarantined_runs, 0);
  assert_int_equal(machine_digest(&h), before);
  assert_int_equal(dma_free(d, &a), OK);
  assert_int_equal(dma_free(d, &a), ERR_STATE);
  assert_non_null(strstr(fake_platform_last_line(), "refused"));
  assert_int_equal(dma_fence(d), 2);
  assert_int_equal(dma_free(d, &a), ERR_OWNER);
  machine_destroy(&h);
}

static void a_device_holds_so_many_runs_and_no_more(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){0});
  static struct dma_segment list[DMA_RUNS_MAX + 1];
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) assert_int_equal(dma_alloc(d, 1, DMA_COHERENT, &list[i]), OK);
  const uint64_t before = machine_digest(&h);
  assert_int_equal(dma_alloc(d, 1, DMA_COHERENT, &list[DMA_RUNS_MAX]), ERR_FULL);
  assert_int_equal(machine_digest(&h), before);
  assert_int_equal(dma_free_scatter(d, list, DMA_RUNS_MAX), OK);
  assert_int_equal(dma_alloc(d, 1, DMA_COHERENT, &list[0]), ERR_FULL); /* The quarantine counts. */
  assert_int_equal(dma_fence(d), DMA_RUNS_MAX);
  assert_int_equal(dma_device_destroy(d), OK);
  assert_int_equal(owned_by_dma(&h), 0);
  machine_destroy(&h);
}

static void write_combining_memory_is_so_until_the_fence_and_not_longer(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 28});
  struct dma_segment s, plain;
  assert_int_equal(dma_alloc(d, 40000, DMA_WRITE_COMBINING, &s), OK);
  assert_int_equal(dma_alloc(d, 40000, DMA_COHERENT, &plain), OK);
  assert_int_equal(fake_cache.frames, 10);
  assert_true(is_zero(&s));
  for (uint64_t at = 0; at < s.size; at += FRAME_SIZE) assert_true(fake_platform_is_combining(paddr_add(s.device, at)));
  assert_false(fake_platform_is_combining(plain.device));
  assert_int_equal(dma_free(d, &s), OK);
  assert_int_equal(dma_free(d, &plain), OK);
  assert_int_equal(fake_cache.frames, 10);
  assert_int_equal(dma_fence(d), 20);
  assert_int_equal(fake_cache.frames, 0);
  assert_int_equal(dma_device_destroy(d), OK);
  machine_must_be_sound(&h, "after write-combining memory");
  machine_destroy(&h);
}

static void what_cannot_be_made_write_combining_is_not_handed_out(void **state) {
  (void)state;
  static struct dma_segment list[DMA_RUNS_MAX];
  const status_t refusals[] = {ERR_NO_MEMORY, ERR_UNSUPPORTED};
  for (size_t i = 0; i < 2; i++) {
    struct machine h = start();
    struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 24, .segment_max = 8 * FRAME_SIZE});
    const uint64_t before = machine_digest(&h);
    const struct frame_limits low = {.max = 512};
    pfn_t frame;
    size_t n = 3;
    fake_cache.refusal = refusals[i];
    assert_int_equal(dma_alloc(d, FRAME_SIZE, DMA_WRITE_COMBINING, &list[0]), refusals[i]);
    assert_int_equal(dma_alloc_scatter(d, MIB, DMA_WRITE_COMBINING, list, DMA_RUNS_MAX, &n), refusals[i]);
    fake_cache.refusal = OK;
    assert_int_equal(n, 3);
    assert_int_equal(machine_digest(&h), before);
    /* A list that ends before its end lets go of what it has changed already. */
    assert_int_equal(nodes_alloc_run(h.nodes, FRAME_OWNER_TEST, 0, 1, &low, &frame), OK);
    const uint64_t changes = fake_cache.changes;
    assert_int_equal(dma_alloc_scatter(d, 15 * MIB, DMA_WRITE_COMBINING, list, DMA_RUNS_MAX, &n), ERR_NO_MEMORY);
    assert_true(fake_cache.changes > changes + 400);
    assert_int_equal(fake_cache.frames, 0);
    assert_int_equal(nodes_free_frame(h.nodes, FRAME_OWNER_TEST, frame), OK);
    assert_int_equal(machine_digest(&h), before);
    assert_int_equal(dma_device_destroy(d), OK);
    machine_destroy(&h);
  }
}

static void the_breaker_makes_the_device_unreachable_memory_appear(void **state) {
  (void)state;
  struct machine h = start();
  struct dma_device *d = device(&h, (struct dma_limits){.address_bits = 28});
  struct dma_segment s;
  assert_int_equal(dma_alloc(d, MIB, DMA_COHERENT, &s), OK);
  assert_true(s.device.raw + s.size <= UINT64_C(1) << 28);
  dma_break_mask();
  assert_int_equal(dma_alloc(d, MIB, DMA_COHERENT, &s), OK);
  assert_true(s.device.raw >= UINT64_C(1) << 32);
  machine_destroy(&h);
}

int main(void) {
  ram = fake_platform_make_ram(RAM_SIZE);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_run_is_found_within_the_limits_if_and_only_if_there_is_one),
      cmocka_unit_test(a_scatter_list_lies_within_the_limits_and_adds_up),
      cmocka_unit_test(memory_in_single_frames_is_used_to_the_last_one),
      cmocka_unit_test(a_list_is_no_longer_than_its_device_can_take),
      cmocka_unit_test(a_failed_list_leaves_nothing_behind_wherever_it_fails),
      cmocka_unit_test(without_memory_there_is_no_device),
      cmocka_unit_test(what_no_machine_could_give_is_told_from_what_this_one_has_not),
      cmocka_unit_test(a_list_that_can_never_be_takes_nothing),
      cmocka_unit_test(freed_memory_is_the_devices_until_the_fence),
      cmocka_unit_test(what_is_freed_during_a_fence_waits_for_the_next),
      cmocka_unit_test(what_is_freed_twice_or_was_never_had_is_refused),
      cmocka_unit_test(a_device_holds_so_many_runs_and_no_more),
      cmocka_unit_test(write_combining_memory_is_so_until_the_fence_and_not_longer),
      cmocka_unit_test(what_cannot_be_made_write_combining_is_not_handed_out),
      cmocka_unit_test(the_breaker_makes_the_device_unreachable_memory_appear), /* Last: it cannot be undone. */
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
