/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_lab.c — what every engine of the laboratory has to stand, whatever it promises beyond that.
 */
#include "base/bits.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "mm/engine.h"
#include "mm/ledger.h"
#include "mm/physmap.h"

#define HELD  256
#define STEPS 6000

/*
 * Tests of what the tiers promise: runs that are found if and only if they exist; metadata; and prices, which are worked out
 * from the tiers.  With an engine in their place they are skipped, where there is a reason to.
 */
static const char prices[] = "the price of a run is worked out from the tiers";
static const char lengths[] = "how long the ways are is promised of the tiers; make bench compares";
const struct ktest_promise ktest_promises[] = {
    {"contiguous_runs_are_aligned_and_below_their_limit", NULL},
    {"metadata_follows_ram", NULL},
    {"bookkeeping_is_a_small_part_of_ram", NULL},
    {"random_operations_agree_with_the_model", NULL},
    {"the_ways_through_the_allocator", lengths},
    {"a_run_that_does_not_exist_is_quoted_and_made", prices},
    {"a_pinned_frame_stops_it_and_nothing_has_moved", prices},
    {"compaction_makes_every_2_mib_frame_that_is_possible", prices},
    {NULL, NULL},
};

struct run {
  uint64_t first, count;
};

static uint64_t state;

/* The same numbers in every boot. */
static uint64_t below(uint64_t bound) {
  state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
  return (state >> 33) % bound;
}

static bool take(struct run *r) {
  struct frame_limits where = {.align = UINT64_C(1) << below(6)};
  pfn_t first;
  status_t s;
  switch (below(8)) {
  case 0:
    r->count = where.align = FRAMES_PER_2M;
    break;
  case 1:
    r->count = 1 + below(300);
    where.boundary = UINT64_C(1) << (bits_log2_floor(r->count) + 1 + below(4));
    break;
  case 2:
    r->count = 1 + below(40);
    where.max = UINT64_C(1) << 20; /* 4 GiB. */
    break;
  default:
    r->count = 1;
    s = nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, below(2) ? PMM_MOVABLE : 0, &first);
    if (s == OK) r->first = first.raw;
    return s == OK;
  }
  s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, r->count, &where, &first);
  if (s != OK) return false;
  r->first = first.raw;
  KTEST_EXPECT(bits_is_aligned(r->first, where.align));
  if (where.max != 0) KTEST_EXPECT(r->first + r->count <= where.max);
  if (where.boundary != 0) KTEST_EXPECT(r->first / where.boundary == (r->first + r->count - 1) / where.boundary);
  return true;
}

/* Gives a run back, or its beginning. */
static void give(struct run *r) {
  const uint64_t n = below(4) == 0 ? 1 + below(r->count) : r->count;
  KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn(r->first), n) == OK);
  r->first += n;
  r->count -= n;
}

static const char *name_of_engine(void) {
  uint32_t node; /* The nearest with memory. */
  return nodes_fallback(memory_nodes(), 0, 0, &node) ? engine_name(nodes_pmm(memory_nodes(), node)) : "none";
}

KTEST(V26, a_storm_of_requests_leaves_memory_as_it_was) {
  static_assert(sizeof(struct run[HELD]) <= FRAME_SIZE);
  pfn_t list;
  if (nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &list) != OK) {
    ktest_skip("no frame for the list");
    return;
  }
  struct run *held = physmap_at(paddr_of_pfn(list));
  struct ledger before;
  struct ledger after;
  size_t n = 0;
  uint64_t taken = 0;
  uint64_t refused = 0;
  state = 1;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &before);
  for (unsigned i = 0; i < STEPS; i++) {
    if (n < HELD && below(100) < 55) {
      const bool ok = take(&held[n]);
      n += ok;
      taken += ok;
      refused += !ok;
    } else if (n > 0) {
      struct run *r = &held[below(n)];
      give(r);
      if (r->count == 0) *r = held[--n];
    }
  }
  while (n > 0) {
    if (held[n - 1].count > 0) give(&held[n - 1]);
    if (held[n - 1].count == 0) n--;
  }
  nodes_ledger_read(memory_nodes(), NODES_ALL, &after);
  KTEST_EXPECT(nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, list) == OK);
  KTEST_EXPECT(after.frames[FRAME_OWNER_FREE] == before.frames[FRAME_OWNER_FREE]);
  KTEST_EXPECT(after.frames[FRAME_OWNER_TEST] == before.frames[FRAME_OWNER_TEST]);
  ktest_note("engine=%s taken=%llu refused=%llu", name_of_engine(), (unsigned long long)taken, (unsigned long long)refused);
}
