/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_nodes.c — the nodes of this machine: whose memory is whose, who serves whom, to the last frame.
 *
 * What the order has to be is worked out here a second time, from the distances that the firmware's tables gave.
 */
#include "base/bits.h"
#include "kernel/acpi.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/smp.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "mm/check.h"
#include "mm/nodes.h"
#include "mm/physmap.h"

#define TEST FRAME_OWNER_TEST

static uint64_t free_frames(uint32_t node) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), node, &l);
  KTEST_EXPECT(node == NODES_ALL || ledger_balances(&l));
  return l.frames[FRAME_OWNER_FREE];
}

KTEST(P8, each_node_has_the_memory_that_the_tables_say) {
  const struct numa_map *m = acpi_numa();
  uint64_t ram[NUMA_NODES_MAX] = {0};
  uint64_t sum = 0;
  struct ledger l;
  size_t count;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++)
    if (memmap_kind_is_ram(r[i].kind)) numa_share(m, r[i].start, r[i].end, ram);
  KTEST_EXPECT(nodes_count(memory_nodes()) == m->node_count);
  for (uint32_t i = 0; i < m->node_count; i++) {
    nodes_ledger_read(memory_nodes(), i, &l);
    KTEST_EXPECT(ledger_balances(&l));
    /* A memory-less node's RAM, which nobody may use, is in another's books. */
    KTEST_EXPECT(nodes_pmm(memory_nodes(), i) ? l.total >= ram[i] / FRAME_SIZE : l.total == 0);
    sum += l.total;
    ktest_note("node_%u=%lluK free=%lluK", i, (unsigned long long)(l.total * FRAME_SIZE / KIB),
               (unsigned long long)(l.frames[FRAME_OWNER_FREE] * FRAME_SIZE / KIB));
  }
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  KTEST_EXPECT(sum == l.total && l.sum == l.total);
}

/* --- the order -------------------------------------------------------------------------------------------------------- */

/* What is held is chained through the memory itself. */
struct held {
  struct held *next;
  uint64_t first, count;
};

static void hold(struct held **list, uint64_t first, uint64_t count) {
  struct held *h = physmap_at(paddr_of_pfn(pfn(first)));
  *h = (struct held){*list, first, count};
  *list = h;
}

static void give_all(struct held **list) {
  while (*list) {
    const struct held h = **list;
    *list = h.next;
    KTEST_EXPECT(nodes_free_run(memory_nodes(), TEST, pfn(h.first), h.count) == OK);
  }
}

/* All of one node, large blocks first; returns the frames. */
static uint64_t take_node(uint32_t node, struct held **list) {
  static const uint64_t sizes[] = {FRAMES_PER_1G, FRAMES_PER_2M, 16, 1};
  uint64_t frames = 0;
  for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
    const struct frame_limits where = {.align = sizes[i]};
    pfn_t first;
    while (nodes_alloc_run(memory_nodes(), TEST, NODE(node) | NODE_EXACT, sizes[i], &where, &first) == OK) {
      if (nodes_node_of(memory_nodes(), first.raw) != node) ktest_fail("a frame of that node", __FILE_NAME__, __LINE__);
      hold(list, first.raw, sizes[i]);
      frames += sizes[i];
    }
  }
  return frames;
}

/* The nearest node that has not had its turn: by distance, then by number. */
static bool next_by_distance(uint32_t from, uint32_t *had, uint32_t *node) {
  const struct numa_map *m = acpi_numa();
  bool is_any = false;
  for (uint32_t i = 0; i < m->node_count; i++) {
    if ((*had >> i & 1) || !nodes_pmm(memory_nodes(), i)) continue;
    if (is_any && m->distance[from][i] >= m->distance[from][*node]) continue;
    *node = i;
    is_any = true;
  }
  if (is_any) *had |= UINT32_C(1) << *node;
  return is_any;
}

static bool has_memory(void) {
  pfn_t frame;
  if (nodes_alloc_frame(memory_nodes(), TEST, 0, &frame) != OK) return false;
  KTEST_EXPECT(nodes_free_frame(memory_nodes(), TEST, frame) == OK);
  return true;
}

/* From one node's place: whoever is next in the order gives the next frame, until its last one is gone. */
static void use_up_from(uint32_t from) {
  struct held *list = NULL;
  char order[4 * NUMA_NODES_MAX] = "";
  size_t used = 0;
  uint32_t had = 0;
  uint32_t node;
  pfn_t frame;
  for (uint32_t turn = 0; next_by_distance(from, &had, &node); turn++) {
    const uint64_t before = free_frames(node);
    KTEST_EXPECT(nodes_alloc_frame(memory_nodes(), TEST, NODE(from), &frame) == OK);
    KTEST_EXPECT(nodes_node_of(memory_nodes(), frame.raw) == node);
    KTEST_EXPECT(nodes_free_frame(memory_nodes(), TEST, frame) == OK);
    KTEST_EXPECT(take_node(node, &list) == before);
    KTEST_EXPECT(nodes_alloc_frame(memory_nodes(), TEST, NODE(node) | NODE_EXACT, &frame) == ERR_NO_MEMORY);
    used += format_string(order + used, sizeof order - used, turn == 0 ? "%u" : "-%u", node);
  }
  KTEST_EXPECT(!has_memory());
  give_all(&list);
  ktest_note("from_%u=%s", from, order);
}

KTEST(P8, nodes_are_used_up_in_the_order_of_distance) {
  const uint64_t before = free_frames(NODES_ALL);
  for (uint32_t from = 0; from < acpi_numa()->node_count; from++) use_up_from(from);
  KTEST_EXPECT(free_frames(NODES_ALL) == before);
}

KTEST(P8, a_wrong_node_is_told_from_exhaustion) {
  const uint32_t none = acpi_numa()->node_count;
  pfn_t frame;
  KTEST_EXPECT(nodes_alloc_frame(memory_nodes(), TEST, NODE(none), &frame) == ERR_INVALID);
  KTEST_EXPECT(nodes_alloc_frame(memory_nodes(), TEST, NODE(none) | NODE_EXACT, &frame) == ERR_INVALID);
  KTEST_EXPECT(nodes_alloc_run(memory_nodes(), TEST, NODE(UINT32_MAX), 512, NULL, &frame) == ERR_INVALID);
  KTEST_EXPECT(nodes_set_home(memory_nodes(), 0, none) == ERR_INVALID);
}

/* --- CPUs ------------------------------------------------------------------------------------------------------------- */

/* What a CPU got without saying from where. */
struct answer {
  status_t status;
  uint32_t node;
};

static void ask(void *argument) {
  struct answer *a = argument;
  pfn_t frame;
  a->status = nodes_alloc_frame(memory_nodes(), TEST, 0, &frame);
  if (a->status != OK) return;
  a->node = nodes_node_of(memory_nodes(), frame.raw);
  a->status = nodes_free_frame(memory_nodes(), TEST, frame);
}

KTEST(P8, each_cpu_is_served_by_the_node_that_is_nearest_to_it) {
  for (unsigned cpu = 0; cpu < smp_cpu_limit(); cpu++) {
    struct answer a = {ERR_STATE, 0};
    uint32_t had = 0;
    uint32_t node = 0;
    if (!smp_is_online(cpu)) continue;
    if (cpu == smp_this_cpu()) {
      ask(&a);
    } else if (smp_run(cpu, ask, &a) == OK) {
      smp_wait(cpu);
    }
    KTEST_EXPECT(next_by_distance(smp_cpu_node(cpu), &had, &node));
    KTEST_EXPECT(a.status == OK && a.node == node);
    ktest_note("cpu_%u=%u", cpu, smp_cpu_node(cpu));
  }
}

/* --- borders ---------------------------------------------------------------------------------------------------------- */

/* Wherever free memory of two nodes touches, a run across it exists, and goes home in two parts. */
KTEST(P8, runs_cross_the_borders_of_nodes) {
  const struct numa_map *m = acpi_numa();
  unsigned crossed = 0;
  for (uint32_t i = 0; i < m->range_count; i++) {
    const uint64_t border = m->ranges[i].start / FRAME_SIZE;
    const struct frame_limits across = {.min = border - 1, .max = border + 1};
    struct pmm_story below;
    struct pmm_story above;
    pfn_t first;
    if (border == 0) continue;
    nodes_describe(memory_nodes(), paddr_of_pfn(pfn(border - 1)), &below);
    nodes_describe(memory_nodes(), paddr_of_pfn(pfn(border)), &above);
    const bool exists = below.state == FRAME_FREE && above.state == FRAME_FREE;
    const status_t s = nodes_alloc_run(memory_nodes(), TEST, 0, 2, &across, &first);
    KTEST_EXPECT(exists ? s == OK : s == ERR_NO_MEMORY || s == ERR_RANGE);
    if (s != OK) continue;
    const bool is_border = nodes_node_of(memory_nodes(), border - 1) != nodes_node_of(memory_nodes(), border);
    crossed += is_border;
    KTEST_EXPECT(nodes_free_frame(memory_nodes(), TEST, pfn(border)) == OK);
    KTEST_EXPECT(nodes_free_run(memory_nodes(), TEST, first, 2) == ERR_STATE);
    KTEST_EXPECT(nodes_free_frame(memory_nodes(), TEST, first) == OK);
  }
  ktest_note("crossed=%u", crossed);
}

/* --- what it costs ---------------------------------------------------------------------------------------------------- */

/* Records and bitmaps, as the ledger has them; their page tables are in the books of all tables. */
KTEST(P9, bookkeeping_is_a_small_part_of_ram) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  const uint64_t frames = l.frames[FRAME_OWNER_FRAME_RECORDS] + l.frames[FRAME_OWNER_BITMAPS];
  /* 0.45 %; below 512 MiB the last page of each array counts for more than that. */
  KTEST_EXPECT(l.total < 512 * MIB / FRAME_SIZE * 9 / 10 || frames * 10000 <= l.total * 45);
  ktest_note("frames=%llu of=%llu per_100000=%llu", (unsigned long long)frames, (unsigned long long)l.total,
             (unsigned long long)(frames * 100000 / l.total));
}
