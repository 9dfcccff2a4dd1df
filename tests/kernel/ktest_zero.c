/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_zero.c — a secret that was freed is never read by who asks for zeros, on this machine and its options.
 */
#include "kernel/clock.h"
#include "kernel/idle.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/smp.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/physmap.h"
#include "mm/zero.h"

#define ROUNDS    10000U
#define CPUS_SEEN 32U
#define SECRET    UINT64_C(0x5ec2e75ec2e75ec2)

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

/* How many CPUs but this one have been at it since `before`, of this node or of all. */
static unsigned fillers(const uint32_t *before, uint32_t node) {
  unsigned n = 0;
  for (unsigned i = 1; i < smp_cpu_limit() && i < CPUS_SEEN; i++) {
    if (node != NODES_ALL && smp_cpu_node(i) != node) continue;
    n += __atomic_load_n(&arch_smp_cpu(i)->idle_steps, __ATOMIC_RELAXED) != before[i];
  }
  return n;
}

static bool has_others(uint32_t node) {
  for (unsigned i = 1; i < smp_cpu_limit() && i < CPUS_SEEN; i++)
    if (smp_is_online(i) && smp_cpu_node(i) == node) return true;
  return false;
}

/* CPU 0 only looks on.  Every node's stock that has a CPU near it is filled to where nothing more is wanted. */
static bool are_filled(void) {
  bool wanted = false;
  for (uint32_t node = 0; node < nodes_count(memory_nodes()); node++)
    wanted |= has_others(node) && nodes_wants_idle(memory_nodes(), node);
  return !wanted;
}

KTEST(P17, other_cpus_fill_the_stock_of_their_node_when_idle) {
  struct nodes *n = memory_nodes();
  struct mm_check_report report;
  uint32_t before[CPUS_SEEN] = {0};
  if (options->zero == OPTION_ZERO_FREE || options->zero_stock == 0 || smp_cpu_count() == 1) {
    ktest_skip(smp_cpu_count() == 1 ? "one_cpu" : "there is no stock");
    return;
  }
  for (unsigned i = 1; i < smp_cpu_limit() && i < CPUS_SEEN; i++) before[i] = arch_smp_cpu(i)->idle_steps;
  const uint64_t start = clock_us();
  idle_resume();
  while (!are_filled() && clock_us() - start < 5000000) smp_relax();
  const uint64_t us = clock_us() - start;
  idle_pause();
  KTEST_EXPECT(are_filled());
  const uint64_t held = frames_in_stock();
  for (uint32_t node = 0; node < nodes_count(n); node++) {
    struct ledger l;
    nodes_ledger_read(n, node, &l);
    const bool is_filled = has_others(node) && nodes_pmm(n, node) != nullptr; /* A node without memory has no stock. */
    KTEST_EXPECT((l.frames[FRAME_OWNER_ZEROED] > 0) == is_filled);
    if (has_others(node)) ktest_note("node_%u=%u", node, fillers(before, node));
    if (has_others(node)) KTEST_EXPECT((fillers(before, node) > 0) == is_filled);
  }
  if (!mm_check_nodes(n, 0, &report)) ktest_fail(report.text, __FILE_NAME__, __LINE__);
  KTEST_EXPECT(nodes_call_in(n) == held);
  ktest_note("fillers=%u frames=%llu us=%llu", fillers(before, NODES_ALL), (unsigned long long)held, (unsigned long long)us);
}

/* Paused, nothing is done, whoever is woken. */
KTEST(P17, nobody_fills_the_stock_while_all_is_paused) {
  nodes_call_in(memory_nodes());
  for (unsigned i = 1; i < smp_cpu_limit(); i++) (void)smp_nudge(i);
  const uint64_t start = clock_us();
  while (clock_us() - start < 20000) smp_relax();
  KTEST_EXPECT(!idle_step());
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
