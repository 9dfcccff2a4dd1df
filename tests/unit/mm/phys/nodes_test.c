/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/nodes*.c: who serves whom in what order, runs across borders of nodes, and what does not hold together. */
#include "mm/nodes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "machine.h"
#include "platform.h"

#define F(bytes) ((bytes) / FRAME_SIZE)
#define TEST     FRAME_OWNER_TEST

/* 64 MiB, 16 for each of four nodes, and what firmware keeps at the top of node 3. */
static const struct boot_region map[] = {
    {0x1000, 0x100000, BOOT_MEMORY_LOW, 7, 8},
    {0x100000, 0x3800000, BOOT_MEMORY_USABLE, 7, 8},
    {0x3800000, 0x3900000, BOOT_MEMORY_BOOT_SERVICES, 4, 8},
    {0x3900000, 0x4000000, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
    {0xfec00000, 0xfec01000, BOOT_MEMORY_MMIO, 11, 1},
};
static const struct nodes_range four[] = {
    {F(0), F(0x1000000), 0},
    {F(0x1000000), F(0x2000000), 1},
    {F(0x2000000), F(0x3000000), 2},
    {F(0x3000000), F(0x4000000), 3},
};
static const uint8_t odd[4][4] = {{10, 21, 17, 17}, {21, 10, 33, 15}, {99, 98, 10, 97}, {12, 12, 12, 10}};
static const uint8_t odd_order[4][4] = {{0, 2, 3, 1}, {1, 3, 0, 2}, {2, 3, 1, 0}, {3, 0, 1, 2}};

static const struct nodes_layout four_nodes = {4, four, ARRAY_COUNT(four), &odd[0][0], 4};

static struct machine start(const struct nodes_layout *layout) {
  struct machine m = machine_create(map, ARRAY_COUNT(map), layout, NULL, 0);
  assert_int_equal(m.status, OK);
  machine_must_be_sound(&m, "at the start");
  return m;
}

static uint64_t free_in(const struct machine *m, uint32_t node) {
  struct ledger l;
  nodes_ledger_read(m->nodes, node, &l);
  return l.frames[FRAME_OWNER_FREE];
}

/* Takes all that the flags allow, as single frames; they are kept in a list of the test's. */
static uint64_t *take_all(const struct machine *m, uint32_t flags, uint64_t *count) {
  uint64_t *list = malloc(sizeof *list * (free_in(m, NODES_ALL) + 1));
  pfn_t frame;
  status_t s;
  assert_non_null(list);
  for (*count = 0; (s = nodes_alloc_frame(m->nodes, TEST, flags, &frame)) == OK;) list[(*count)++] = frame.raw;
  assert_int_equal(s, ERR_NO_MEMORY);
  return list;
}

static void give_all(const struct machine *m, uint64_t *list, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) assert_int_equal(nodes_free_frame(m->nodes, TEST, pfn(list[i])), OK);
  free(list);
}

static void one_node_is_served_by_one_allocator(void **state) {
  (void)state;
  struct machine m = start(NULL);
  pfn_t frame;
  assert_ptr_equal(((const struct nodes_front *)m.nodes)->only, nodes_pmm(m.nodes, 0));
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, 0, &frame), OK);
  assert_int_equal(nodes_free_frame(m.nodes, TEST, frame), OK);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(0) | NODE_EXACT, &frame), OK);
  assert_int_equal(nodes_free_frame(m.nodes, TEST, frame), OK);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(1), &frame), ERR_INVALID);
  assert_null(nodes_pmm(m.nodes, 1));
  machine_must_be_sound(&m, "at the end");
  machine_destroy(&m);
}

static void nodes_serve_by_distance_and_equals_by_number(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  uint32_t node;
  for (uint32_t from = 0; from < 4; from++) {
    for (uint32_t i = 0; i < 4; i++) {
      assert_true(nodes_fallback(m.nodes, from, i, &node));
      assert_int_equal(node, odd_order[from][i]);
    }
    assert_false(nodes_fallback(m.nodes, from, 4, &node));
  }
  assert_false(nodes_fallback(m.nodes, 4, 0, &node));
  machine_destroy(&m);
  struct nodes_layout flat = four_nodes;
  flat.distance = NULL;
  m = start(&flat);
  const uint8_t want[4] = {2, 0, 1, 3};
  for (uint32_t i = 0; i < 4; i++) assert_true(nodes_fallback(m.nodes, 2, i, &node) && node == want[i]);
  machine_destroy(&m);
}

/* To the last frame, each node's memory is handed out before a frame of the next one is. */
static void memory_is_used_up_in_the_exact_order_of_distance(void **state) {
  (void)state;
  for (uint32_t from = 0; from < 4; from++) {
    struct machine m = start(&four_nodes);
    uint64_t size[4], count, at = 0;
    for (uint32_t i = 0; i < 4; i++) size[i] = free_in(&m, i);
    const uint64_t digest = machine_digest(&m);
    uint64_t *list = take_all(&m, NODE(from), &count);
    assert_int_equal(count, size[0] + size[1] + size[2] + size[3]);
    for (uint32_t i = 0; i < 4; i++) {
      const uint32_t node = odd_order[from][i];
      for (uint64_t n = 0; n < size[node]; n++) assert_int_equal(nodes_node_of(m.nodes, list[at++]), node);
    }
    give_all(&m, list, count);
    assert_int_equal(machine_digest(&m), digest);
    machine_must_be_sound(&m, "after everything");
    machine_destroy(&m);
  }
}

static void an_exact_node_gives_all_it_has_and_no_more(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  for (uint32_t node = 0; node < 4; node++) {
    const uint64_t have = free_in(&m, node), others = free_in(&m, NODES_ALL) - have;
    uint64_t count;
    uint64_t *list = take_all(&m, NODE(node) | NODE_EXACT, &count);
    assert_int_equal(count, have);
    assert_int_equal(free_in(&m, NODES_ALL), others);
    for (uint64_t i = 0; i < count; i++) assert_int_equal(nodes_node_of(m.nodes, list[i]), node);
    give_all(&m, list, count);
  }
  machine_must_be_sound(&m, "after each node");
  machine_destroy(&m);
}

static void a_slot_is_served_at_home_first(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  pfn_t frame;
  assert_int_equal(nodes_set_home(m.nodes, 7, 2), OK);
  assert_int_equal(nodes_set_home(m.nodes, 8, 3), OK);
  assert_int_equal(nodes_set_home(m.nodes, 7, 4), ERR_INVALID);
  assert_int_equal(nodes_set_home(m.nodes, NODES_SLOTS_MAX, 0), ERR_INVALID);
  const struct {
    uint32_t slot, node;
  } cases[] = {{0, 0}, {7, 2}, {8, 3}, {9, 0}, {NODES_SLOTS_MAX, 0}, {UINT32_MAX, 0}};
  for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
    fake_platform_set_slot_hint(cases[i].slot);
    assert_int_equal(nodes_home(m.nodes, cases[i].slot), cases[i].node);
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, 0, &frame), OK);
    assert_int_equal(nodes_node_of(m.nodes, frame.raw), cases[i].node);
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE_EXACT, &frame), OK);
    assert_int_equal(nodes_node_of(m.nodes, frame.raw), cases[i].node);
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 3, NULL, &frame), OK);
    assert_int_equal(nodes_node_of(m.nodes, frame.raw), cases[i].node);
  }
  fake_platform_set_slot_hint(0);
  machine_destroy(&m);
}

/* --- wrong requests --------------------------------------------------------------------------------------------------- */

static void a_wrong_node_is_told_from_an_empty_one(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  const uint32_t wrong[] = {NODE(4), NODE(31), NODE(32), NODE(253), NODE(254), NODE(255), NODE(256), NODE(UINT32_MAX)};
  uint64_t count;
  pfn_t frame = pfn(12345);
  for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, wrong[i], &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, wrong[i] | NODE_EXACT, &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, wrong[i], 2, NULL, &frame), ERR_INVALID);
  }
  assert_int_equal(nodes_failure_count(m.nodes), 0); /* Bad requests are not failures of memory. */
  uint64_t *list = take_all(&m, NODE(1) | NODE_EXACT, &count);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(1) | NODE_EXACT, &frame), ERR_NO_MEMORY);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, NODE(1) | NODE_EXACT, 2, NULL, &frame), ERR_NO_MEMORY);
  assert_int_equal(frame.raw, 12345);
  give_all(&m, list, count);
  assert_int_equal(nodes_alloc_frame(m.nodes, FRAME_OWNER_LOW, NODE(1), &frame), ERR_INVALID);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 0, NULL, &frame), ERR_INVALID);
  const struct frame_limits backwards = {.min = 10, .max = 9};
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 1, &backwards, &frame), ERR_INVALID);
  assert_int_equal(frame.raw, 12345);
  machine_destroy(&m);
}

/* Also by a node that has no allocator to say so, and whatever the reach that the flags name. */
static void senseless_requests_are_told_from_exhaustion_on_every_node(void **state) {
  (void)state;
  static const struct nodes_range ranges[] = {{F(0), F(0x4000000), 0}}; /* Node 1 has nothing. */
  const struct nodes_layout layout = {2, ranges, ARRAY_COUNT(ranges), NULL, 0};
  const uint32_t flags[] = {0, NODE(0), NODE(0) | NODE_EXACT, NODE(1), NODE(1) | NODE_EXACT};
  static const struct frame_limits odd_align = {.align = 3}, tight = {.boundary = 4};
  struct machine m = start(&layout);
  struct nodes_reason why;
  pfn_t frame = pfn(12345);
  for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, flags[i], 0, NULL, &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, flags[i], 2, &odd_align, &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, flags[i], 5, &tight, &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_LOW, flags[i], 5, NULL, &frame), ERR_INVALID);
    assert_int_equal(nodes_alloc_frame(m.nodes, FRAME_OWNER_FREE, flags[i], &frame), ERR_INVALID);
    for (uint32_t bits = 1; bits <= 300; bits = bits == 12 ? 65 : bits + 1) {
      assert_int_equal(nodes_alloc_frame(m.nodes, TEST, flags[i] | PMM_BELOW(bits), &frame), ERR_INVALID);
      assert_int_equal(nodes_alloc_run(m.nodes, TEST, flags[i] | PMM_BELOW(bits), 2, NULL, &frame), ERR_INVALID);
      assert_int_equal(nodes_explain(m.nodes, flags[i] | PMM_BELOW(bits), 2, NULL, &why), ERR_INVALID);
    }
    assert_int_equal(nodes_explain(m.nodes, flags[i], 2, &odd_align, &why), ERR_INVALID);
    assert_int_equal(nodes_explain(m.nodes, flags[i], 5, &tight, &why), ERR_INVALID);
  }
  assert_int_equal(nodes_failure_count(m.nodes), 0);
  assert_int_equal(frame.raw, 12345);
  machine_destroy(&m);
}

static void a_layout_that_cannot_be_is_refused(void **state) {
  (void)state;
  static const struct nodes_range backwards[] = {{16, 16, 0}}, crossed[] = {{0, 32, 0}, {31, 64, 1}},
                                  unsorted[] = {{32, 64, 0}, {0, 16, 1}}, stranger[] = {{0, 32, 2}};
  const struct nodes_layout bad[] = {
      {0, NULL, 0, NULL, 0},     {NODES_MAX + 1, NULL, 0, NULL, 0}, {2, backwards, 1, NULL, 0},  {2, crossed, 2, NULL, 0},
      {2, unsorted, 2, NULL, 0}, {2, stranger, 1, NULL, 0},         {2, four, 2, &odd[0][0], 1},
  };
  for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
    struct machine m = machine_create(map, ARRAY_COUNT(map), &bad[i], NULL, 0);
    assert_int_equal(m.status, ERR_INVALID);
    machine_destroy(&m);
  }
  const struct boot_region unsorted_map[] = {map[1], map[0]};
  struct machine m = machine_create(unsorted_map, 2, &four_nodes, NULL, 0);
  assert_int_equal(m.status, ERR_CORRUPT);
  machine_destroy(&m);
  m = machine_create(&map[3], 2, &four_nodes, NULL, 0);
  assert_int_equal(m.status, ERR_NOT_FOUND);
  machine_destroy(&m);
}

/* --- who has what ----------------------------------------------------------------------------------------------------- */

static void a_node_without_memory_is_served_by_the_others(void **state) {
  (void)state;
  /* Node 1 has nothing, node 2 only what firmware keeps: that goes into the books of node 3, the nearest. */
  static const struct nodes_range ranges[] = {
      {F(0), F(0x3000000), 0}, {F(0x3000000), F(0x3900000), 3}, {F(0x3900000), F(0x4000000), 2}};
  const struct nodes_layout layout = {4, ranges, ARRAY_COUNT(ranges), &odd[0][0], 4};
  struct machine m = start(&layout);
  struct ledger l;
  pfn_t frame;
  assert_null(nodes_pmm(m.nodes, 1));
  assert_null(nodes_pmm(m.nodes, 2));
  assert_int_equal(nodes_node_of(m.nodes, F(0x3a00000)), 3);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(1) | NODE_EXACT, &frame), ERR_RANGE);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, NODE(2) | NODE_EXACT, 5, NULL, &frame), ERR_RANGE);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(1), &frame), OK);
  assert_int_equal(nodes_node_of(m.nodes, frame.raw), 3);
  assert_int_equal(nodes_set_home(m.nodes, 0, 2), OK);
  assert_int_equal(nodes_alloc_frame(m.nodes, TEST, 0, &frame), OK);
  assert_int_equal(nodes_node_of(m.nodes, frame.raw), 3);
  nodes_ledger_read(m.nodes, 1, &l);
  assert_true(l.total == 0 && ledger_balances(&l));
  nodes_ledger_read(m.nodes, 3, &l);
  assert_true(l.total == F(0x1000000) && ledger_balances(&l));
  machine_must_be_sound(&m, "with memory-less nodes");
  machine_destroy(&m);
}

static void memory_that_no_range_names_is_node_0s(void **state) {
  (void)state;
  static const struct nodes_range ranges[] = {{F(0x1100000), F(0x1200000), 1}, {F(0x5000000), F(0x6000000), 1}};
  const struct nodes_layout layout = {2, ranges, 2, NULL, 0};
  struct machine m = start(&layout);
  assert_int_equal(nodes_node_of(m.nodes, F(0x1100000) - 1), 0);
  assert_int_equal(nodes_node_of(m.nodes, F(0x1100000)), 1);
  assert_int_equal(nodes_node_of(m.nodes, F(0x1200000) - 1), 1);
  assert_int_equal(nodes_node_of(m.nodes, F(0x1200000)), 0);
  assert_int_equal(nodes_node_of(m.nodes, F(0x4000000) - 1), 0);
  assert_int_equal(free_in(&m, 1), 256);
  machine_destroy(&m);
}

static void what_boot_has_taken_is_cut_at_the_borders(void **state) {
  (void)state;
  const struct pmm_taken taken[] = {{F(0xf00000), F(0x3100000), FRAME_OWNER_FRAME_RECORDS}, {512, 513, FRAME_OWNER_BITMAPS}};
  struct machine m = machine_create(map, ARRAY_COUNT(map), &four_nodes, taken, 2);
  struct ledger l;
  assert_int_equal(m.status, OK);
  const uint64_t want[4] = {F(0x100000), F(0x1000000), F(0x1000000), F(0x100000)};
  for (uint32_t i = 0; i < 4; i++) {
    nodes_ledger_read(m.nodes, i, &l);
    assert_int_equal(l.frames[FRAME_OWNER_FRAME_RECORDS], want[i]);
    assert_int_equal(l.frames[FRAME_OWNER_BITMAPS], i == 0);
  }
  machine_must_be_sound(&m, "with taken ranges");
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_FRAME_RECORDS, pfn(F(0xf00000)), F(0x2200000)), OK);
  machine_must_be_sound(&m, "without them");
  machine_destroy(&m);
  const struct pmm_taken bad[][2] = {
      {{F(0x1f00000), F(0x2100000), FRAME_OWNER_KERNEL}, {F(0x20ff000), F(0x2200000), FRAME_OWNER_KERNEL}},
      {{F(0x3800000), F(0x3901000), FRAME_OWNER_KERNEL}, {512, 513, FRAME_OWNER_KERNEL}},
      {{F(0x5000000), F(0x5001000), FRAME_OWNER_KERNEL}, {512, 513, FRAME_OWNER_KERNEL}},
  };
  for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
    m = machine_create(map, ARRAY_COUNT(map), &four_nodes, bad[i], 2);
    assert_int_equal(m.status, ERR_OVERLAP);
    machine_destroy(&m);
  }
  const struct pmm_taken empty = {512, 512, FRAME_OWNER_KERNEL};
  m = machine_create(map, ARRAY_COUNT(map), &four_nodes, &empty, 1);
  assert_int_equal(m.status, ERR_INVALID);
  machine_destroy(&m);
}

struct visited {
  uint64_t ram, next;
  bool is_ordered;
};

static bool visit(void *context, const struct pmm_range *r) {
  struct visited *v = context;
  v->is_ordered &= r->start >= v->next && r->start < r->end;
  v->next = r->end;
  v->ram += r->end - r->start;
  return true;
}

static void all_that_is_seen_adds_up(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  struct pmm_stats all, one;
  struct ledger l, sum = {0};
  struct visited v = {.is_ordered = true};
  pfn_t frame;
  for (uint32_t i = 0; i < 4; i++) { /* So that each has something to say. */
    assert_int_equal(nodes_alloc_frame(m.nodes, TEST, NODE(i), &frame), OK);
    assert_int_equal(nodes_free_frame(m.nodes, TEST, frame), OK);
  }
  nodes_visit(m.nodes, NODES_ALL, visit, &v);
  assert_true(v.is_ordered);
  nodes_stats_read(m.nodes, NODES_ALL, &all);
  assert_int_equal(v.ram, all.total_frames);
  assert_true(all.allocations == 4 && all.refills > 0);
  for (uint32_t i = 0; i < 4; i++) {
    nodes_stats_read(m.nodes, i, &one);
    nodes_ledger_read(m.nodes, i, &l);
    assert_true(ledger_balances(&l));
    all.total_frames -= one.total_frames;
    all.free_frames -= one.free_frames;
    all.allocations -= one.allocations;
    all.refills -= one.refills;
    sum.sum += l.sum;
    v = (struct visited){.is_ordered = true};
    nodes_visit(m.nodes, i, visit, &v);
    assert_true(v.is_ordered && v.ram == one.total_frames);
  }
  assert_int_equal(all.total_frames, 0);
  assert_int_equal(all.free_frames, 0);
  assert_int_equal(all.allocations, 0);
  assert_int_equal(all.refills, 0);
  assert_int_equal(all.largest_free_run, F(0x3900000 - 0x100000)); /* Through three borders. */
  nodes_ledger_read(m.nodes, NODES_ALL, &l);
  assert_int_equal(l.total, sum.sum);
  struct pmm_story s;
  nodes_describe(m.nodes, paddr(0x2345678), &s);
  assert_true(s.has_record && s.region.start == 0x100000 && s.state == FRAME_FREE);
  assert_int_equal(s.free_run, F(0x1000000));
  nodes_describe(m.nodes, paddr(0xfec00000), &s);
  assert_true(s.has_region && !s.has_record && s.region.kind == BOOT_MEMORY_MMIO);
  nodes_describe(m.nodes, paddr(0x5000000), &s);
  assert_true(!s.has_region && !s.has_record);
  nodes_describe(m.nodes, paddr(UINT64_MAX), &s);
  assert_true(!s.has_region && !s.has_record);
  machine_destroy(&m);
}

/* --- across borders --------------------------------------------------------------------------------------------------- */

static void a_run_may_cross_borders_when_no_node_has_it(void **state) {
  (void)state;
  /* The border lies in the middle of a 2 MiB block. */
  static const struct nodes_range ranges[] = {{F(0x1100000), F(0x4000000), 1}};
  const struct nodes_layout layout = {2, ranges, 1, NULL, 0};
  struct machine m = start(&layout);
  const uint64_t digest = machine_digest(&m), all = F(0x3900000 - 0x100000);
  const struct frame_limits block = {.min = F(0x1000000), .max = F(0x1200000), .align = 512, .boundary = 512};
  pfn_t first;
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, NODE_EXACT, 512, &block, &first), ERR_RANGE);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, NODE(1) | NODE_EXACT, 512, &block, &first), ERR_RANGE);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 512, &block, &first), OK);
  assert_int_equal(first.raw, F(0x1000000));
  machine_must_be_sound(&m, "with a run across a border");
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, first, 512), ERR_OWNER);
  assert_int_equal(nodes_give_run(m.nodes, TEST, FRAME_OWNER_USER, first, 512), OK);
  assert_int_equal(nodes_free_frame(m.nodes, FRAME_OWNER_USER, pfn(first.raw + 256)), OK); /* The first of node 1. */
  const uint64_t with_hole = machine_digest(&m);
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, first, 512), ERR_STATE);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_USER, TEST, first, 512), ERR_STATE);
  assert_int_equal(machine_digest(&m), with_hole); /* All or nothing, in both nodes. */
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, first, 256), OK);
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, pfn(first.raw + 257), 255), OK);
  assert_int_equal(machine_digest(&m), digest);

  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, all + 1, NULL, &first), ERR_RANGE);
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, all, NULL, &first), OK); /* All of RAM, in one piece. */
  assert_int_equal(free_in(&m, NODES_ALL), 0);
  machine_must_be_sound(&m, "with everything in one run");
  assert_int_equal(nodes_free_run(m.nodes, TEST, first, all + 1), ERR_RANGE);
  assert_int_equal(nodes_free_run(m.nodes, TEST, first, UINT64_MAX), ERR_INVALID);
  assert_int_equal(nodes_free_run(m.nodes, TEST, first, 0), ERR_INVALID);
  assert_int_equal(nodes_free_run(m.nodes, TEST, first, all), OK);
  assert_int_equal(machine_digest(&m), digest);
  machine_destroy(&m);
}

/* Whatever is in the way, it says what was asked, of whom, and for whom. */
static void a_refusal_across_a_border_says_what_was_asked(void **state) {
  (void)state;
  static const struct nodes_range ranges[] = {{F(0x1100000), F(0x4000000), 1}};
  const struct nodes_layout layout = {2, ranges, 1, NULL, 0};
  const struct frame_limits across = {.min = F(0x1100000) - 50, .max = F(0x1100000) + 50};
  struct machine m = start(&layout);
  pfn_t f;
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 100, &across, &f), OK);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_USER, TEST, f, 100), ERR_OWNER);
  assert_non_null(strstr(fake_platform_last_line(), "refused to give away frame 0x10ce for user: it is allocated"));
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_USER, f, 100), ERR_OWNER);
  assert_non_null(strstr(fake_platform_last_line(), "refused to free frame 0x10ce for user: it is allocated"));
  assert_int_equal(nodes_free_frame(m.nodes, TEST, pfn(f.raw + 70)), OK);
  assert_int_equal(nodes_give_run(m.nodes, TEST, FRAME_OWNER_USER, f, 100), ERR_STATE);
  assert_non_null(strstr(fake_platform_last_line(), "refused to give away frame 0x1114 for tests: it is free"));
  machine_destroy(&m);
}

static void bad_frames_are_taken_out_of_their_node(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  struct ledger l;
  assert_int_equal(nodes_mark_bad(m.nodes, pfn(F(0x2000000))), OK);
  assert_int_equal(nodes_mark_bad(m.nodes, pfn(F(0x2000000))), ERR_STATE);
  assert_int_equal(nodes_mark_bad(m.nodes, pfn(F(0x9000000))), ERR_RANGE);
  assert_int_equal(nodes_free_frame(m.nodes, TEST, pfn(UINT64_MAX >> FRAME_SHIFT)), ERR_RANGE);
  nodes_ledger_read(m.nodes, 2, &l);
  assert_int_equal(l.frames[FRAME_OWNER_BAD], 1);
  machine_must_be_sound(&m, "with a bad frame");
  machine_destroy(&m);
}

/* --- what was refused ------------------------------------------------------------------------------------------------- */

static void the_last_failures_are_kept(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  struct nodes_failure list[NODES_FAILURES_KEPT + 1];
  const struct frame_limits where = {.min = 5, .max = 1 << 20, .align = 64, .boundary = 1 << 19};
  pfn_t first;
  const struct frame_limits middle = {.min = 8000, .max = 8001};
  assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 1, &middle, &first), OK); /* Too long are runs of 8,000 from now on. */
  assert_int_equal(nodes_failures(m.nodes, list, ARRAY_COUNT(list)), 0);
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_DMA, NODE(3), 12000, &where, &first), ERR_NO_MEMORY);
  assert_int_equal(nodes_failures(m.nodes, list, ARRAY_COUNT(list)), 1);
  assert_int_equal(list[0].number, 1);
  assert_int_equal(list[0].count, 12000);
  assert_int_equal(list[0].flags, NODE(3));
  assert_int_equal(list[0].owner, FRAME_OWNER_DMA);
  assert_int_equal(list[0].status, ERR_NO_MEMORY);
  assert_memory_equal(&list[0].where, &where, sizeof where);
  for (uint64_t i = 0; i < 40; i++)
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 12000 + i, NULL, &first), ERR_NO_MEMORY);
  assert_int_equal(nodes_failures(m.nodes, list, ARRAY_COUNT(list)), NODES_FAILURES_KEPT);
  for (size_t i = 0; i < NODES_FAILURES_KEPT; i++) {
    assert_int_equal(list[i].number, 41 - i);
    assert_int_equal(list[i].count, 12039 - i);
    assert_true(i == 0 || list[i].time < list[i - 1].time);
  }
  assert_int_equal(nodes_failures(m.nodes, list, 3), 3);
  assert_int_equal(nodes_failure_count(m.nodes), 41);
  machine_destroy(&m);
}

static void a_refusal_is_explained_by_what_is_free(void **state) {
  (void)state;
  struct machine m = start(&four_nodes);
  struct nodes_reason r;
  const struct frame_limits low = {.max = 1024}, at_64m = {.min = 4096, .max = 8192, .align = 4096};
  const struct {
    uint64_t count;
    const struct frame_limits *where;
    uint32_t flags;
    enum nodes_cause cause;
  } cases[] = {
      {512, NULL, 0, NODES_FITS_NOW},
      {F(0x3800000), NULL, 0, NODES_FITS_NOW}, /* Across three borders. */
      {F(0x3800000) + 1, NULL, 0, NODES_TOO_LITTLE_FREE},
      {4097, NULL, NODE(1) | NODE_EXACT, NODES_TOO_LITTLE_FREE},
      {1024, &low, 0, NODES_OUT_OF_REACH},
      {1024, NULL, PMM_BELOW(22), NODES_OUT_OF_REACH},
      {1024, NULL, PMM_BELOW(23), NODES_FITS_NOW},
      {4096, &at_64m, 0, NODES_FITS_NOW},
  };
  for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
    pfn_t first;
    assert_int_equal(nodes_explain(m.nodes, cases[i].flags, cases[i].count, cases[i].where, &r), OK);
    assert_int_equal(r.cause, cases[i].cause);
    const status_t s = nodes_alloc_run(m.nodes, TEST, cases[i].flags, cases[i].count, cases[i].where, &first);
    assert_int_equal(s, r.fits_now ? OK : ERR_RANGE); /* All that is missing was never there. */
    if (s == OK) assert_int_equal(nodes_free_run(m.nodes, TEST, first, cases[i].count), OK);
  }
  assert_int_equal(nodes_explain(m.nodes, NODE(4), 1, NULL, &r), ERR_INVALID);
  assert_int_equal(nodes_explain(m.nodes, 0, 0, NULL, &r), ERR_INVALID);

  /* Of each 2 MiB of node 2 the first frame is taken: no block is whole, 31 of 32 groups of 64 KiB are. */
  const uint64_t first_frame = F(0x2000000);
  for (uint64_t f = first_frame; f < first_frame + 4096; f += 512) {
    const struct frame_limits there = {.min = f, .max = f + 1};
    pfn_t got;
    assert_int_equal(nodes_alloc_run(m.nodes, TEST, 0, 1, &there, &got), OK);
  }
  const struct frame_limits block = {.align = 512};
  assert_int_equal(nodes_explain(m.nodes, NODE(2) | NODE_EXACT, 512, &block, &r), OK);
  assert_int_equal(r.cause, NODES_NO_RUN);
  assert_int_equal(r.free_frames, 4096 - 8);
  assert_int_equal(r.largest_run, 511);
  assert_int_equal(r.free_64k, 8 * 31);
  assert_int_equal(r.free_2m, 0);
  const struct frame_limits half = {.align = 256, .boundary = 256};
  assert_int_equal(nodes_explain(m.nodes, NODE(2) | NODE_EXACT, 256, &half, &r), OK);
  assert_int_equal(r.cause, NODES_FITS_NOW);
  const struct frame_limits odd_place = {.align = 512, .boundary = 512};
  assert_int_equal(nodes_explain(m.nodes, NODE(2) | NODE_EXACT, 300, &odd_place, &r), OK);
  assert_int_equal(r.cause, NODES_NO_PLACE);
  machine_destroy(&m);
}

static void a_damaged_border_is_found_and_named(void **state) {
  (void)state;
  const struct nodes_layout *layouts[] = {&four_nodes, NULL};
  struct mm_check_report report;
  for (size_t i = 0; i < ARRAY_COUNT(layouts); i++) {
    struct machine m = start(layouts[i]);
    assert_true(mm_check_nodes(m.nodes, 0, &report));
    assert_non_null(strstr(report.text, "all invariants hold"));
    assert_int_equal(mm_check_nodes_break(m.nodes, "no such promise"), ERR_NOT_FOUND);
    assert_int_equal(mm_check_nodes_break(m.nodes, "nodes"), OK);
    assert_false(mm_check_nodes(m.nodes, 0, &report));
    assert_int_equal(report.invariant, 20);
    assert_non_null(strstr(report.text, "INV-20 nodes broken"));
    machine_destroy(&m);
    m = start(layouts[i]);
    assert_int_equal(mm_check_nodes_break(m.nodes, "ledger"), OK);
    assert_false(mm_check_nodes(m.nodes, 0, &report));
    assert_int_equal(report.invariant, 7);
    machine_destroy(&m);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(one_node_is_served_by_one_allocator),
      cmocka_unit_test(nodes_serve_by_distance_and_equals_by_number),
      cmocka_unit_test(memory_is_used_up_in_the_exact_order_of_distance),
      cmocka_unit_test(an_exact_node_gives_all_it_has_and_no_more),
      cmocka_unit_test(a_slot_is_served_at_home_first),
      cmocka_unit_test(a_wrong_node_is_told_from_an_empty_one),
      cmocka_unit_test(senseless_requests_are_told_from_exhaustion_on_every_node),
      cmocka_unit_test(a_layout_that_cannot_be_is_refused),
      cmocka_unit_test(a_node_without_memory_is_served_by_the_others),
      cmocka_unit_test(memory_that_no_range_names_is_node_0s),
      cmocka_unit_test(what_boot_has_taken_is_cut_at_the_borders),
      cmocka_unit_test(all_that_is_seen_adds_up),
      cmocka_unit_test(a_run_may_cross_borders_when_no_node_has_it),
      cmocka_unit_test(a_refusal_across_a_border_says_what_was_asked),
      cmocka_unit_test(bad_frames_are_taken_out_of_their_node),
      cmocka_unit_test(the_last_failures_are_kept),
      cmocka_unit_test(a_refusal_is_explained_by_what_is_free),
      cmocka_unit_test(a_damaged_border_is_found_and_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
