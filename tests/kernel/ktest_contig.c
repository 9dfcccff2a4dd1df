/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_contig.c — contiguity on this machine: frames that really move keep every byte.
 *
 * A jumble of movable frames with holes lies somewhere in memory; the run that is made is a 2 MiB frame of its own.
 */
#include "base/bits.h"
#include "kernel/clock.h"
#include "kernel/debug/jumble.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "mm/contig_pool.h"
#include "mm/ledger.h"

#define JUMBLE_FRAMES UINT64_C(8192)

/*
 * A jumble of 32 MiB, or of a quarter of what is free, but of more than fits beside what does not move: frames one by one
 * come from blocks that are broken already, and a window is needed in which all can move.  False with the test's verdict.
 */
static bool begin(struct jumble_state *j) {
  struct pmm_stats s;
  jumble_clear();
  nodes_stats_read(memory_nodes(), NODES_ALL, &s);
  const uint64_t broken = s.free_frames - s.free_2m * FRAMES_PER_2M;
  const uint64_t frames = bits_max(bits_min(JUMBLE_FRAMES, s.free_frames / 4), broken + 4 * FRAMES_PER_2M);
  const bool fits = s.free_2m >= 8 && frames >= 4 * FRAMES_PER_2M;
  const status_t status = fits ? jumble_make(frames, clock_us()) : ERR_NO_MEMORY;
  if (status != OK) {
    ktest_skip("not enough memory");
    return false;
  }
  jumble_look(j);
  return true;
}

/* The quote of a 2 MiB frame with much to be moved out of it. */
static bool find_window(const struct jumble_state *j, struct movers_quote *q) {
  for (uint64_t at = bits_align_up(j->low, FRAMES_PER_2M); at + FRAMES_PER_2M <= j->high; at += FRAMES_PER_2M) {
    const struct frame_limits exactly = {.min = at, .max = at + FRAMES_PER_2M};
    if (movers_quote(0, FRAMES_PER_2M, &exactly, q) == OK && q->quote.moves > FRAMES_PER_2M / 4) return true;
  }
  ktest_fail("no 2 MiB frame is full of movable frames", __FILE_NAME__, __LINE__);
  return false;
}

static uint64_t frames_of_tests(void) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  return l.frames[FRAME_OWNER_TEST] + l.frames[FRAME_OWNER_GATHERED];
}

KTEST(P15, a_run_that_does_not_exist_is_quoted_and_made) {
  struct jumble_state before, after;
  struct movers_quote q;
  pfn_t first;
  if (!begin(&before)) return;
  KTEST_EXPECT(before.intact == before.frames);
  if (find_window(&before, &q)) {
    const uint64_t charged = frames_of_tests();
    KTEST_EXPECT(contig_commit(q.contig, &q.quote, FRAME_OWNER_TEST, &first) == OK);
    jumble_look(&after);
    KTEST_EXPECT(after.frames == before.frames && after.intact == before.frames);
    KTEST_EXPECT(after.moves == q.quote.moves);
    KTEST_EXPECT(frames_of_tests() == charged + FRAMES_PER_2M);
    KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, first, FRAMES_PER_2M) == OK);
    ktest_note("moves=%llu intact=%llu", (unsigned long long)q.quote.moves, (unsigned long long)after.intact);
  }
  jumble_clear();
}

KTEST(P15, a_pinned_frame_stops_it_and_nothing_has_moved) {
  struct jumble_state before, after;
  struct movers_quote q;
  pfn_t first;
  if (!begin(&before)) return;
  if (find_window(&before, &q)) {
    const uint64_t charged = frames_of_tests();
    jumble_pin(q.quote.first.raw + FRAMES_PER_2M / 2); /* The first half is held before that is noticed. */
    KTEST_EXPECT(contig_commit(q.contig, &q.quote, FRAME_OWNER_TEST, &first) == ERR_DENIED);
    jumble_pin(UINT64_MAX);
    jumble_look(&after);
    KTEST_EXPECT(after.frames == before.frames && after.intact == before.frames && after.moves == 0);
    KTEST_EXPECT(frames_of_tests() == charged);
  }
  jumble_clear();
}

KTEST(P15, compaction_makes_every_2_mib_frame_that_is_possible) {
  struct jumble_state before, after;
  uint64_t made = 0, moves = 0, possible = 0, whole = 0;
  if (!begin(&before)) return;
  for (uint32_t node = 0; node < NODES_MAX; node++) {
    struct contig_compaction c;
    if (!movers_contig(node)) continue;
    KTEST_EXPECT(contig_compact(movers_contig(node), FRAMES_PER_2M, UINT64_MAX, &c) == OK);
    KTEST_EXPECT(c.before + c.made == c.possible && c.refused == 0);
    made += c.made;
    moves += c.moves;
    possible += c.possible;
    whole += c.before;
  }
  jumble_look(&after);
  KTEST_EXPECT(after.frames == before.frames && after.intact == before.frames);
  KTEST_EXPECT(after.moves == moves);
  KTEST_EXPECT(made > 0);
  ktest_note("before=%llu made=%llu possible=%llu moves=%llu intact=%llu", (unsigned long long)whole,
             (unsigned long long)made, (unsigned long long)possible, (unsigned long long)moves,
             (unsigned long long)after.intact);
  jumble_clear();
}

KTEST(P4, a_certified_pool_serves_whoever_keeps_the_promise) {
  const struct contig_pool_promise promise = {64, 16, CONTIG_POOL_POWERS};
  struct contig_pool *pool;
  struct contig_pool_stats stats;
  pfn_t single[64], block[4], one;
  if (!movers_contig(0) || contig_pool_create(movers_contig(0), FRAME_OWNER_TEST, &promise, NULL, 0, &pool) != OK) {
    ktest_skip("node 0 has no room for it");
    return;
  }
  for (unsigned i = 0; i < 64; i++) KTEST_EXPECT(contig_pool_alloc(pool, 1, &single[i]) == OK);
  KTEST_EXPECT(contig_pool_alloc(pool, 1, &one) == ERR_DENIED);
  for (unsigned i = 0; i < 64; i++)
    if (i % 16 != 0) KTEST_EXPECT(contig_pool_free(pool, single[i], 1) == OK);
  for (unsigned i = 0; i < 3; i++) KTEST_EXPECT(contig_pool_alloc(pool, 16, &block[i]) == OK && block[i].raw % 16 == 0);
  contig_pool_stats_read(pool, &stats);
  ktest_note("reserved=%llu highest=%llu", (unsigned long long)stats.reserved, (unsigned long long)stats.highest);
  for (unsigned i = 0; i < 3; i++) KTEST_EXPECT(contig_pool_free(pool, block[i], 16) == OK);
  for (unsigned i = 0; i < 64; i += 16) KTEST_EXPECT(contig_pool_free(pool, single[i], 1) == OK);
  KTEST_EXPECT(contig_pool_destroy(pool) == OK);
}
