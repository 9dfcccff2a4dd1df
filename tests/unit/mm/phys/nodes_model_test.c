/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes*.c against a model: random machines with borders anywhere, random requests, and an oracle that keeps one
 * byte a frame and searches by looking at every place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "machine.h"
#include "platform.h"
#include "seed.h"
#include "slots.h"

#define FRAMES      UINT64_C(8192) /* 32 MiB; places above are holes. */
#define REGIONS_MAX 12
#define RANGES_MAX  10
#define MACHINES    300
#define STEPS       400
#define CPUS        18 /* Two of them without a slot. */
#define TEST        FRAME_OWNER_TEST

/* What the oracle knows about a frame. */
enum { HOLE, KEPT, FREE, TAKEN };

struct model {
  struct boot_region regions[REGIONS_MAX];
  size_t region_count;
  struct nodes_range ranges[RANGES_MAX];
  uint8_t distance[NODES_MAX][NODES_MAX];
  struct nodes_layout layout;
  uint8_t frame[FRAMES];
  uint8_t node[FRAMES];       /* By the ranges; 0 where there is none. */
  uint32_t keeper[NODES_MAX]; /* In whose books a node's memory is. */
  struct {
    uint64_t first, count;
  } held[STEPS];
  size_t held_count;
  struct machine machine;
};

static uint64_t counts[8]; /* Found in one node, across, refused, exact refused, freed, refused frees; for the last line. */

static void make_map(struct model *m, struct dice *d) {
  static const uint32_t kinds[] = {BOOT_MEMORY_USABLE,        BOOT_MEMORY_USABLE,       BOOT_MEMORY_USABLE,
                                   BOOT_MEMORY_BOOT_SERVICES, BOOT_MEMORY_RUNTIME_DATA, BOOT_MEMORY_RESERVED};
  uint64_t at = 256 + dice_below(d, 64);
  m->region_count = 0;
  memset(m->frame, HOLE, sizeof m->frame);
  for (size_t i = 0; i < REGIONS_MAX; i++) {
    const uint32_t kind = i == 0 ? BOOT_MEMORY_USABLE : kinds[dice_below(d, ARRAY_COUNT(kinds))];
    const uint64_t end = bits_min(at + 1 + dice_any_size(d, 12), FRAMES);
    const struct boot_region *last = i > 0 ? &m->regions[i - 1] : NULL;
    if (last && last->kind == kind && last->end == at * FRAME_SIZE) at++;
    if (at >= end) break;
    m->regions[m->region_count++] = (struct boot_region){at * FRAME_SIZE, end * FRAME_SIZE, kind, 7, 8};
    const bool is_general = kind == BOOT_MEMORY_USABLE || kind == BOOT_MEMORY_BOOT_SERVICES;
    memset(m->frame + at, is_general ? FREE : kind == BOOT_MEMORY_RESERVED ? HOLE : KEPT, end - at);
    at = end + (dice_one_in(d, 2) ? dice_any_size(d, 10) : 0);
  }
}

static void make_nodes(struct model *m, struct dice *d) {
  const uint32_t count = 1 + (uint32_t)dice_below(d, 6);
  size_t ranges = 0;
  memset(m->node, 0, sizeof m->node);
  for (uint64_t at = dice_any_size(d, 13); ranges < RANGES_MAX && at < FRAMES;) {
    const uint64_t end = at + 1 + dice_any_size(d, 13);
    m->ranges[ranges] = (struct nodes_range){at, end, (uint32_t)dice_below(d, count)};
    memset(m->node + at, (int)m->ranges[ranges].node, bits_min(end, FRAMES) - at);
    ranges++;
    at = end + (dice_one_in(d, 2) ? dice_any_size(d, 9) : 0);
  }
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t j = 0; j < count; j++) m->distance[i][j] = i == j ? 10 : (uint8_t)(11 + dice_below(d, 4));
  }
  m->layout = (struct nodes_layout){count, m->ranges, ranges, &m->distance[0][0], NODES_MAX};
}

/* The nearest node with free frames at the start, by counting. */
static uint32_t nearest(const struct model *m, const uint64_t *size, uint32_t from) {
  uint32_t best = NODES_MAX;
  for (uint32_t i = 0; i < m->layout.count; i++) {
    if (size[i] == 0) continue;
    if (i == from) return i;
    if (best == NODES_MAX || m->distance[from][i] < m->distance[from][best]) best = i;
  }
  return best;
}

static void find_keepers(struct model *m) {
  uint64_t size[NODES_MAX] = {0};
  for (uint64_t f = 0; f < FRAMES; f++) size[m->node[f]] += m->frame[f] == FREE;
  for (uint32_t i = 0; i < m->layout.count; i++) m->keeper[i] = nearest(m, size, i);
}

/* The first place of a run within limits, all of it in one node when `node` says so, of free frames, or of any that may be
 * handed out; FRAMES when there is none. */
static uint64_t search_in(const struct model *m, uint64_t count, const struct frame_limits *w, uint32_t node, bool is_any) {
  const uint64_t max = w->max == 0 ? FRAMES : bits_min(w->max, FRAMES), align = bits_max(w->align, 1);
  for (uint64_t at = bits_align_up(w->min, align); at < max && count <= max - at; at += align) {
    uint64_t n = 0;
    if (w->boundary != 0 && at / w->boundary != (at + count - 1) / w->boundary) continue;
    while (n < count && (m->frame[at + n] == FREE || (is_any && m->frame[at + n] == TAKEN)) &&
           (node == NODES_ALL || m->keeper[m->node[at + n]] == node))
      n++;
    if (n == count) return at;
  }
  return FRAMES;
}

static uint64_t search(const struct model *m, uint64_t count, const struct frame_limits *w, uint32_t node) {
  return search_in(m, count, w, node, false);
}

static bool fits(const struct model *m, uint64_t first, uint64_t count, const struct frame_limits *w) {
  if (first < w->min || (w->max != 0 && first + count > w->max) || first + count > FRAMES) return false;
  if (w->align > 1 && first % w->align != 0) return false;
  if (w->boundary != 0 && first / w->boundary != (first + count - 1) / w->boundary) return false;
  for (uint64_t i = 0; i < count; i++) {
    if (m->frame[first + i] != FREE) return false;
  }
  return true;
}

static struct frame_limits some_limits(struct dice *d, uint64_t count) {
  struct frame_limits w = {0};
  if (dice_one_in(d, 4)) w.align = UINT64_C(1) << dice_below(d, 10);
  if (dice_one_in(d, 4)) w.boundary = UINT64_C(1) << (bits_log2_floor(count) + 1 + dice_below(d, 3));
  if (dice_one_in(d, 4)) w.min = dice_below(d, FRAMES);
  if (dice_one_in(d, 4)) w.max = w.min + 1 + dice_below(d, FRAMES);
  return w;
}

static uint64_t longest_run(const struct model *m) {
  uint64_t longest = 0;
  for (uint64_t f = 0, run = 0; f < FRAMES; f++) {
    run = m->frame[f] == FREE ? run + 1 : 0;
    longest = bits_max(longest, run);
  }
  return longest;
}

static void allocate(struct model *m, struct dice *d) {
  /* Long runs are those that only cross borders. */
  const uint64_t longest = longest_run(m);
  const bool is_long = dice_one_in(d, 4) && longest > 8, is_frame = !is_long && dice_one_in(d, 3);
  const uint64_t count = is_long ? longest + 1 - dice_below(d, 8) : is_frame ? 1 : 1 + dice_any_size(d, 11);
  const struct frame_limits w = is_frame ? (struct frame_limits){0} : some_limits(d, count);
  const uint32_t wanted = (uint32_t)dice_below(d, m->layout.count);
  const bool is_exact = dice_one_in(d, 3), is_named = dice_one_in(d, 2);
  const uint32_t node = is_named ? wanted : 0;
  const uint32_t flags = (is_named ? NODE(wanted) : 0) | (is_exact ? NODE_EXACT : 0);
  pfn_t first;
  /* The first node in the order that has one; else any place. */
  uint32_t at_node = NODES_ALL, served = 0, candidate;
  if (is_exact) {
    if (m->keeper[node] == node && search(m, count, &w, node) < FRAMES) at_node = node;
  } else {
    for (; at_node == NODES_ALL && nodes_fallback(m->machine.nodes, node, served, &candidate); served++) {
      if (search(m, count, &w, candidate) < FRAMES) at_node = candidate;
    }
  }
  const bool exists = at_node != NODES_ALL || (!is_exact && search(m, count, &w, NODES_ALL) < FRAMES);
  const status_t s = is_frame ? nodes_alloc_frame(m->machine.nodes, TEST, flags, &first)
                              : nodes_alloc_run(m->machine.nodes, TEST, flags, count, &w, &first);
  const bool is_memoryless = is_exact && m->keeper[node] != node;
  const bool is_possible = !is_memoryless && search_in(m, count, &w, is_exact ? node : NODES_ALL, true) < FRAMES;
  assert_int_equal(s, exists ? OK : is_possible ? ERR_NO_MEMORY : ERR_RANGE);
  counts[!exists ? is_possible ? 2 + is_exact : 6 : at_node == NODES_ALL]++;
  if (s != OK) return;
  assert_true(fits(m, first.raw, count, &w));
  for (uint64_t i = 0; i < count && at_node != NODES_ALL; i++)
    assert_int_equal(nodes_node_of(m->machine.nodes, first.raw + i), at_node);
  memset(m->frame + first.raw, TAKEN, count);
  m->held[m->held_count].first = first.raw;
  m->held[m->held_count++].count = count;
}

static void release(struct model *m, struct dice *d) {
  if (m->held_count == 0) return;
  const size_t i = dice_below(d, m->held_count);
  const uint64_t first = m->held[i].first, count = m->held[i].count;
  m->held[i] = m->held[--m->held_count];
  assert_int_equal(nodes_free_run(m->machine.nodes, TEST, pfn(first), count), OK);
  memset(m->frame + first, FREE, count);
  counts[4]++;
}

/* Any frames: freed only when all of them are the test's; what is not changes nothing. */
static void release_anything(struct model *m, struct dice *d) {
  const uint64_t first = dice_below(d, FRAMES), count = 1 + dice_any_size(d, 12);
  for (uint64_t i = 0; i < count; i++) {
    if (first + i < FRAMES && m->frame[first + i] == TAKEN) continue;
    const uint64_t digest = machine_digest(&m->machine);
    const status_t s = nodes_free_run(m->machine.nodes, TEST, pfn(first), count);
    assert_true(s == ERR_STATE || s == ERR_RANGE || s == ERR_OVERLAP); /* The last: of a node that is asked before. */
    assert_int_equal(machine_digest(&m->machine), digest);
    counts[5]++;
    return;
  }
}

static void check(const struct model *m) {
  uint64_t free_frames = 0;
  struct pmm_stats s;
  machine_must_be_sound(&m->machine, "in the model");
  for (uint64_t f = 0; f < FRAMES; f++) {
    free_frames += m->frame[f] == FREE;
    if (m->frame[f] != HOLE) assert_int_equal(nodes_node_of(m->machine.nodes, f), m->keeper[m->node[f]]);
  }
  nodes_stats_read(m->machine.nodes, NODES_ALL, &s);
  assert_int_equal(s.free_frames, free_frames);
  assert_int_equal(s.largest_free_run, longest_run(m));
}

static void a_machine_of_nodes_is_what_an_oracle_says(void **state) {
  (void)state;
  static struct model m;
  const uint64_t seed = seed_of_run();
  for (unsigned i = 0; i < MACHINES; i++) {
    struct dice d = dice_of(seed + ((uint64_t)i << 40));
    make_map(&m, &d);
    make_nodes(&m, &d);
    find_keepers(&m);
    m.held_count = 0;
    m.machine = machine_create(m.regions, m.region_count, &m.layout, NULL, 0);
    assert_int_equal(m.machine.status, OK);
    const uint64_t digest = machine_digest(&m.machine);
    for (unsigned step = 0; step < STEPS; step++) {
      const uint64_t what = dice_below(&d, 16);
      slots_play((uint32_t)dice_below(&d, CPUS)); /* What one CPU keeps is there for all. */
      if (what < 8) allocate(&m, &d);
      if (what >= 8 && what < 15) release(&m, &d);
      if (what == 15) release_anything(&m, &d);
      if (step % 50 == 0) check(&m);
    }
    while (m.held_count > 0) release(&m, &d);
    check(&m);
    assert_int_equal(machine_digest(&m.machine), digest);
    machine_destroy(&m.machine);
  }
  print_message("%u machines: %llu runs in one node, %llu across borders, %llu refused, %llu by an exact node, %llu never; "
                "%llu freed, %llu refused\n",
                MACHINES, (unsigned long long)counts[0], (unsigned long long)counts[1], (unsigned long long)counts[2],
                (unsigned long long)counts[3], (unsigned long long)counts[6], (unsigned long long)counts[4],
                (unsigned long long)counts[5]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_machine_of_nodes_is_what_an_oracle_says)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
