/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_zero.c — a secret that was freed is never read by who asks for zeros, on this machine and its options.
 */
#include "kernel/clock.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "lib/string.h"
#include "mm/physmap.h"
#include "mm/zero.h"

#define ROUNDS 10000U
#define SECRET UINT64_C(0x5ec2e75ec2e75ec2)

static void write_secret(pfn_t first, uint64_t count) {
  volatile uint64_t *words = physmap_at(paddr_of_pfn(first));
  for (uint64_t i = 0; i < count * FRAME_SIZE / sizeof *words; i++) words[i] = SECRET;
}

static bool is_zero(pfn_t first, uint64_t count) {
  const volatile uint64_t *words = physmap_at(paddr_of_pfn(first));
  uint64_t all = 0;
  for (uint64_t i = 0; i < count * FRAME_SIZE / sizeof *words; i++) all |= words[i];
  return all == 0;
}

static uint64_t frames_in_stock(void) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  return l.frames[FRAME_OWNER_ZEROED];
}

/* Freed with a secret in it, taken again with zeros; every fourth time an idle CPU has had a moment in between. */
KTEST(P17, a_freed_secret_is_never_seen_again) {
  struct nodes *n = memory_nodes();
  unsigned leaks = 0, same = 0;
  uint64_t last = UINT64_MAX;
  for (unsigned i = 0; i < ROUNDS; i++) {
    const uint64_t count = i % 1000 == 0 ? FRAMES_PER_2M : i % 16 == 0 ? 3 : 1;
    const struct frame_limits aligned = {.align = count == 3 ? 1 : count};
    pfn_t f;
    if (nodes_alloc_run(n, FRAME_OWNER_TEST, NODE_ZEROED, count, &aligned, &f) != OK) {
      ktest_fail("memory", __FILE_NAME__, __LINE__);
      break;
    }
    leaks += !is_zero(f, count);
    same += f.raw == last;
    last = f.raw;
    write_secret(f, count);
    KTEST_EXPECT(nodes_free_run(n, FRAME_OWNER_TEST, f, count) == OK);
    if (i % 4 == 0) nodes_idle(n);
  }
  struct zero_stats s;
  nodes_zero_stats_read(n, &s);
  KTEST_EXPECT(leaks == 0);
  ktest_note("rounds=%u leaks=%u same_frame=%u from_stock=%llu cleared=%llu", ROUNDS, leaks, same,
             (unsigned long long)s.hits, (unsigned long long)s.misses);
}

KTEST(P17, the_stock_fills_when_idle_and_counts_as_available) {
  struct nodes *n = memory_nodes();
  struct zero_stats s;
  if (options->zero == OPTION_ZERO_FREE || options->zero_stock == 0) {
    ktest_skip("there is no stock");
    return;
  }
  KTEST_EXPECT(nodes_call_in(n) == 0 && frames_in_stock() == 0);
  uint64_t steps = 0, longest = 0, at = clock_us();
  const uint64_t start = at;
  while (nodes_idle(n)) {
    const uint64_t now = clock_us();
    if (now - at > longest) longest = now - at;
    at = now;
    steps++;
  }
  nodes_zero_stats_read(n, &s);
  const uint64_t held = s.frames + s.blocks * FRAMES_PER_2M;
  KTEST_EXPECT(frames_in_stock() == held);
  KTEST_EXPECT(s.frames == s.frames_max && s.blocks <= s.blocks_max);
  ktest_note("frames=%llu blocks=%llu steps=%llu us=%llu longest_us=%llu", (unsigned long long)s.frames,
             (unsigned long long)s.blocks, (unsigned long long)steps, (unsigned long long)(at - start),
             (unsigned long long)longest);
  KTEST_EXPECT(nodes_call_in(n) == held);
  KTEST_EXPECT(frames_in_stock() == 0);
}

static bool look_at_range(void *context, const struct pmm_range *r) {
  uint64_t *dirty = context;
  if (r->state != FRAME_FREE) return true;
  for (uint64_t f = r->start; f < r->end; f++) *dirty += !is_zero(pfn(f), 1);
  return true;
}

KTEST(P17, with_clearing_on_free_all_free_memory_is_zeros) {
  uint64_t dirty = 0;
  if (options->zero != OPTION_ZERO_FREE) {
    ktest_skip("memory is cleared when it is asked for");
    return;
  }
  nodes_visit(memory_nodes(), NODES_ALL, look_at_range, &dirty);
  KTEST_EXPECT(dirty == 0);
  ktest_note("dirty=%llu", (unsigned long long)dirty);
}
