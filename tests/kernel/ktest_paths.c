/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_paths.c — the ways through the allocator, for a counter of instructions.
 *
 * WHAT   Each path_ function goes one way ROUNDS times, as the kernel's own callers do: through the door of the nodes, with
 *        the records, the owners and every check in force.  scripts/insns boots this test under QEMU's plugin, which counts
 *        what the first call of each function takes; path_nothing is what the loop itself takes.
 * HOW    Interrupts are masked meanwhile, for a tick is no part of the way.  Every path is gone once before it is counted: a
 *        slot's first block is another path.
 * WHY NOT  the clock: under TCG a second says nothing, and an instruction repeats.
 */
#include "base/atomic.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "mm/physmap.h"
#include "mm/platform.h"

#define ROUNDS 1000U
#define FILL   4096U                /* Frames: eight blocks. */
#define LEAST  (UINT64_C(4) * FILL) /* Free frames. */

static const struct frame_limits block = {.align = FRAMES_PER_2M};
static const struct frame_limits gig = {.align = FRAMES_PER_1G};
static const struct frame_limits some_run = {.max = UINT64_C(1) << 20, .align = 16, .boundary = 4096};

#define FILLED_FRAMES (sizeof(pfn_t) * FILL / FRAME_SIZE)
static pfn_t *filled; /* FILL of them, while the test runs: in the image they would be memory that small machines lack. */

/* Both ways of one run, over and over. */
static inline unsigned there_and_back(unsigned rounds, uint64_t count, const struct frame_limits *where) {
  struct nodes *n = memory_nodes();
  unsigned failures = 0;
  for (unsigned i = 0; i < rounds; i++) {
    pfn_t first;
    failures += nodes_alloc_run(n, FRAME_OWNER_TEST, 0, count, where, &first) != OK ||
                nodes_free_run(n, FRAME_OWNER_TEST, first, count) != OK;
  }
  return failures;
}

static inline unsigned refused(unsigned rounds, uint64_t count, const struct frame_limits *where) {
  struct nodes *n = memory_nodes();
  unsigned failures = 0;
  pfn_t first;
  for (unsigned i = 0; i < rounds; i++)
    failures += nodes_alloc_run(n, FRAME_OWNER_TEST, 0, count, where, &first) != ERR_NO_MEMORY;
  return failures;
}

[[gnu::noinline]] static unsigned path_nothing(unsigned rounds) {
  for (unsigned i = 0; i < rounds; i++) atomic_fence_compiler();
  return 0;
}

static inline unsigned frames(unsigned rounds) {
  struct nodes *n = memory_nodes();
  unsigned failures = 0;
  for (unsigned i = 0; i < rounds; i++) {
    pfn_t frame;
    failures +=
        nodes_alloc_frame(n, FRAME_OWNER_TEST, 0, &frame) != OK || nodes_free_frame(n, FRAME_OWNER_TEST, frame) != OK;
  }
  return failures;
}

[[gnu::noinline]] static unsigned path_frame(unsigned rounds) { return frames(rounds); }

[[gnu::noinline]] static unsigned path_block(unsigned rounds) { return there_and_back(rounds, FRAMES_PER_2M, &block); }
[[gnu::noinline]] static unsigned path_gig(unsigned rounds) { return there_and_back(rounds, FRAMES_PER_1G, &gig); }
[[gnu::noinline]] static unsigned path_run(unsigned rounds) { return there_and_back(rounds, 48, &some_run); }

/* Blocks are taken, written and given back as they go by. */
[[gnu::noinline]] static unsigned path_fill(unsigned rounds) {
  unsigned failures = 0;
  pfn_t *const to = filled;
  for (unsigned i = 0; i < rounds; i++) failures += nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &to[i]) != OK;
  return failures;
}

/* One in each of the blocks, in turn: most of them are nobody's by now. */
[[gnu::noinline]] static unsigned path_empty(unsigned rounds) {
  unsigned failures = 0;
  const pfn_t *const from = filled;
  for (unsigned i = 0; i < rounds; i++) {
    const unsigned at = i % (FILL / 512) * 512 + i / (FILL / 512);
    failures += nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, from[at]) != OK;
  }
  return failures;
}

[[gnu::noinline]] static unsigned path_no_frame(unsigned rounds) { return refused(rounds, 1, NULL); }
[[gnu::noinline]] static unsigned path_no_block(unsigned rounds) { return refused(rounds, FRAMES_PER_2M, &block); }
[[gnu::noinline]] static unsigned path_no_gig(unsigned rounds) { return refused(rounds, FRAMES_PER_1G, &gig); }
[[gnu::noinline]] static unsigned path_no_run(unsigned rounds) { return refused(rounds, 48, NULL); }
/* The last: here the counter ends the machine. */
[[gnu::noinline]] static unsigned path_end(unsigned rounds) { return path_nothing(rounds); }

static void go(unsigned (*path)(unsigned rounds), unsigned rounds) {
  const bool were_on = platform_mask();
  const unsigned failures = path(rounds);
  platform_unmask(were_on);
  KTEST_EXPECT(failures == 0);
}

/* What is held is chained through the memory itself. */
struct held {
  struct held *next;
  uint64_t count;
};

/* Takes runs of so many frames until there are none. */
static void take_all(struct held **list, uint64_t count) {
  const struct frame_limits where = {.align = count};
  pfn_t first;
  while (nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, NODE_PROBE, count, &where, &first) == OK) {
    struct held *h = physmap_at(paddr_of_pfn(first));
    *h = (struct held){*list, count};
    *list = h;
  }
}

static void give_all(struct held *list) {
  while (list) {
    const struct held h = *list;
    KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn_of_paddr(physmap_address_of(list)), h.count) == OK);
    list = h.next;
  }
}

KTEST(P2, the_ways_through_the_allocator) {
  struct pmm_stats stats;
  struct held *all = NULL;
  pfn_t list;
  nodes_stats_read(memory_nodes(), NODES_ALL, &stats);
  const bool fits = stats.free_frames >= LEAST && stats.free_2m != 0;
  if (!fits || nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, FILLED_FRAMES, NULL, &list) != OK) {
    ktest_skip("there is not the memory to go them all");
    return;
  }
  filled = physmap_at(paddr_of_pfn(list));
  frames(1);
  go(path_nothing, ROUNDS);
  go(path_frame, ROUNDS);
  go(path_fill, FILL);
  go(path_empty, FILL);
  there_and_back(1, FRAMES_PER_2M, &block);
  go(path_block, ROUNDS);
  there_and_back(1, 48, &some_run);
  go(path_run, ROUNDS);
  if (stats.free_1g != 0) go(path_gig, ROUNDS);
  for (uint64_t count = FRAMES_PER_1G; count != 0; count /= 8) take_all(&all, count);
  refused(1, 1, NULL);
  go(path_no_frame, ROUNDS);
  refused(1, FRAMES_PER_2M, &block);
  go(path_no_block, ROUNDS);
  refused(1, 48, NULL);
  go(path_no_run, ROUNDS);
  if (stats.free_1g != 0) go(path_no_gig, ROUNDS);
  give_all(all);
  KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, list, FILLED_FRAMES) == OK);
  go(path_end, ROUNDS);
  ktest_note("rounds=%u fill=%u", ROUNDS, FILL);
}
