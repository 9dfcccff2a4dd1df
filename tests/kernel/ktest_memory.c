/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_memory.c — the allocator on this machine's real map.
 *
 * Each test gives back what it took; ktest_run checks all of memory after each.
 */
#include "arch/cpu.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/handoff.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/smp.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/ledger.h"
#include "mm/physmap.h"

KTEST(P10, the_ledger_balances) {
  struct ledger l;
  size_t count;
  uint64_t ram = 0;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++) ram += memmap_kind_is_ram(r[i].kind) ? (r[i].end - r[i].start) / FRAME_SIZE : 0;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  KTEST_EXPECT(ledger_balances(&l));
  KTEST_EXPECT(l.total == ram);
  KTEST_EXPECT(l.frames[FRAME_OWNER_FREE] > 0);
  ktest_note("total=%llu free=%llu image=%llu records=%llu bitmaps=%llu tables=%llu stacks=%llu",
             (unsigned long long)l.total, (unsigned long long)l.frames[FRAME_OWNER_FREE],
             (unsigned long long)l.frames[FRAME_OWNER_KERNEL_IMAGE], (unsigned long long)l.frames[FRAME_OWNER_FRAME_RECORDS],
             (unsigned long long)l.frames[FRAME_OWNER_BITMAPS], (unsigned long long)l.frames[FRAME_OWNER_PAGE_TABLES],
             (unsigned long long)l.frames[FRAME_OWNER_STACKS]);
  ktest_note("firmware=%llu acpi=%llu low=%llu bad=%llu sum=%llu boot_services=%llu loader=%llu",
             (unsigned long long)l.frames[FRAME_OWNER_FIRMWARE], (unsigned long long)l.frames[FRAME_OWNER_ACPI],
             (unsigned long long)l.frames[FRAME_OWNER_LOW], (unsigned long long)l.frames[FRAME_OWNER_BAD],
             (unsigned long long)l.sum, (unsigned long long)l.reclaimed_boot_services,
             (unsigned long long)l.reclaimed_loader);
}

/* One descriptor of the firmware's map; false when more than a sum is needed to understand it. */
static bool read_descriptor(const uint8_t *at, struct memmap_descriptor *d) {
  memcpy(d, at, sizeof *d);
  return d->physical_start % FRAME_SIZE == 0 && d->pages > 0 && d->physical_start < MEMMAP_ADDRESS_END &&
         d->pages <= (MEMMAP_ADDRESS_END - d->physical_start) / FRAME_SIZE;
}

/* RAM by the firmware's own descriptors: nothing of the canonicaliser is used, its contract is written down anew.  False
 * where descriptors overlap, or lie beyond the CPU's addresses, or have attributes that make RAM something else. */
static bool sum_firmware_map(const struct boot_handoff *h, uint64_t *frames) {
  enum { LOADER_CODE = 1, CONVENTIONAL = 7, ACPI_NVS = 10, UNACCEPTED = 15 };
  const uint64_t wb = 8;
  const uint8_t *map = handoff_span(h, h->firmware_map);
  const uint32_t stride = h->firmware_descriptor_size;
  *frames = 0;
  if (h->firmware_map.count == 0) return false; /* A loader without EFI has none. */
  for (uint32_t at = 0; at < h->firmware_map.count; at += stride) {
    struct memmap_descriptor d;
    struct memmap_descriptor e;
    if (!read_descriptor(map + at, &d)) return false;
    const uint64_t end = d.physical_start + d.pages * FRAME_SIZE;
    for (uint32_t before = 0; before < at; before += stride) {
      if (!read_descriptor(map + before, &e)) return false;
      if (d.physical_start < e.physical_start + e.pages * FRAME_SIZE && e.physical_start < end) return false;
    }
    const bool is_ram = (d.type >= LOADER_CODE && d.type <= ACPI_NVS) || d.type == UNACCEPTED;
    if (is_ram && d.type <= CONVENTIONAL && !(d.attributes & wb)) return false;
    if (is_ram && (end - 1) >> arch_cpu_physical_bits() != 0) return false;
    if (is_ram) *frames += d.pages;
  }
  return true;
}

KTEST(P10, the_ledger_counts_what_the_firmware_reported) {
  struct ledger l;
  uint64_t reported;
  if (!sum_firmware_map(memory_handoff(), &reported)) {
    ktest_skip("this firmware's map is no plain list: tests/firmware has an oracle for such");
    return;
  }
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  KTEST_EXPECT(l.total == reported);
  ktest_note("reported=%llu total=%llu", (unsigned long long)reported, (unsigned long long)l.total);
}

KTEST(P10, mm_check_finds_nothing) {
  struct mm_check_report report;
  const bool good = mm_check_nodes(memory_nodes(), 0, &report);
  KTEST_EXPECT(good);
  ktest_note("frames=%llu invariant=%u", (unsigned long long)report.frames_checked, (unsigned)report.invariant);
}

static bool share_free(void *context, const struct pmm_range *r) {
  if (r->state == FRAME_FREE) numa_share(acpi_numa(), r->start * FRAME_SIZE, r->end * FRAME_SIZE, context);
  return true;
}

/* What the tables name (of a machine without holes it is what was plugged in), and whose the RAM of the map is. */
KTEST(P10, the_nodes_share_all_memory) {
  const struct numa_map *m = acpi_numa();
  uint64_t ram[NUMA_NODES_MAX] = {0};
  uint64_t unused[NUMA_NODES_MAX] = {0};
  uint64_t ram_sum = 0;
  uint64_t unused_sum = 0;
  struct pmm_stats s;
  size_t count;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++)
    if (memmap_kind_is_ram(r[i].kind)) numa_share(m, r[i].start, r[i].end, ram);
  nodes_visit(memory_nodes(), NODES_ALL, share_free, unused);
  ktest_note("nodes=%u", m->node_count);
  for (uint32_t i = 0; i < m->node_count; i++) {
    uint64_t named = 0;
    for (uint32_t k = 0; k < m->range_count; k++)
      if (m->ranges[k].node == i) named += m->ranges[k].end - m->ranges[k].start;
    KTEST_EXPECT(unused[i] <= ram[i]);
    ram_sum += ram[i];
    unused_sum += unused[i];
    ktest_note("node_%u=%lluK ram=%lluK free=%lluK cpus=%u far=%u", i, (unsigned long long)(named / KIB),
               (unsigned long long)(ram[i] / KIB), (unsigned long long)(unused[i] / KIB), m->cpus[i],
               m->distance[i][m->node_count - 1 - i]);
  }
  nodes_stats_read(memory_nodes(), NODES_ALL, &s);
  KTEST_EXPECT(ram_sum == s.total_frames * FRAME_SIZE);
  KTEST_EXPECT(unused_sum == s.free_frames * FRAME_SIZE);
}

/* --- P7: everything, once ----------------------------------------------------------------------------------------- */

/* Is every byte of [start, end) in regions that may be handed out? */
static bool is_general(uint64_t start, uint64_t end) {
  size_t count;
  const struct boot_region *r = memory_regions(&count);
  size_t low = 0;
  size_t high = count;
  while (low < high) { /* The first region that ends above start. */
    const size_t middle = low + (high - low) / 2;
    if (r[middle].end <= start) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (uint64_t at = start; at < end; low++) {
    if (low == count || r[low].start > at || !memmap_kind_is_general(r[low].kind)) return false;
    at = r[low].end;
  }
  return true;
}

/* What the sweep holds is chained through the memory itself. */
struct held {
  struct held *next;
  uint64_t first, count;
};

struct sweep {
  struct held *list;
  uint64_t frames, forbidden, calls;
};

static void hold(struct sweep *s, uint64_t first, uint64_t count) {
  struct held *h = physmap_at(paddr_of_pfn(pfn(first)));
  if (first == 0 || !is_general(first * FRAME_SIZE, (first + count) * FRAME_SIZE)) {
    s->forbidden++; /* Not written to; it stays lost, and the ledger shows it. */
    return;
  }
  *h = (struct held){s->list, first, count};
  s->list = h;
  s->frames += count;
  s->calls++;
}

/* Takes runs of one size until there is none left. */
static void take_all(struct sweep *s, uint64_t count) {
  const struct frame_limits where = {.max = UINT64_MAX, .align = count};
  pfn_t first;
  while (nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, count, &where, &first) == OK) hold(s, first.raw, count);
}

static uint64_t give_all(struct sweep *s) {
  uint64_t failures = 0;
  while (s->list) {
    const struct held h = *s->list;
    s->list = h.next;
    if (nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn(h.first), h.count) != OK) failures++;
  }
  return failures;
}

/* Large blocks first keep the number of calls, and so the time, small on machines with much memory. */
KTEST(P7, all_memory_is_handed_out_once_and_none_of_it_is_forbidden) {
  struct pmm_stats before;
  struct pmm_stats empty;
  struct pmm_stats after;
  struct sweep s = {0};
  pfn_t frame;
  nodes_stats_read(memory_nodes(), NODES_ALL, &before);
  take_all(&s, FRAMES_PER_1G);
  take_all(&s, FRAMES_PER_2M);
  take_all(&s, 16);
  while (nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &frame) == OK) hold(&s, frame.raw, 1);
  nodes_stats_read(memory_nodes(), NODES_ALL, &empty);
  KTEST_EXPECT(s.forbidden == 0);
  KTEST_EXPECT(s.frames == before.free_frames);
  KTEST_EXPECT(empty.free_frames == 0);
  KTEST_EXPECT(give_all(&s) == 0);
  nodes_stats_read(memory_nodes(), NODES_ALL, &after);
  KTEST_EXPECT(after.free_frames == before.free_frames);
  ktest_note("frames=%llu runs=%llu forbidden=%llu free_after=%llu", (unsigned long long)s.frames,
             (unsigned long long)s.calls, (unsigned long long)s.forbidden, (unsigned long long)after.free_frames);
}

/* --- single promises ---------------------------------------------------------------------------------------------- */

static void try_run(uint64_t frames, const struct frame_limits *where, bool must_exist) {
  pfn_t first;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, frames, where, &first);
  ktest_note("mib_%llu=%s", (unsigned long long)(frames * FRAME_SIZE / MIB), s == OK ? "ok" : "none");
  if (s != OK) {
    KTEST_EXPECT((s == ERR_NO_MEMORY || s == ERR_RANGE) && !must_exist);
    return;
  }
  KTEST_EXPECT(bits_is_aligned(first.raw, where->align));
  KTEST_EXPECT(first.raw + frames <= where->max);
  KTEST_EXPECT(is_general(first.raw * FRAME_SIZE, (first.raw + frames) * FRAME_SIZE));
  KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, first, frames) == OK);
}

KTEST(P4, contiguous_runs_are_aligned_and_below_their_limit) {
  struct pmm_stats stats;
  const struct frame_limits below_4g = {.max = 4 * GIB / FRAME_SIZE, .align = FRAMES_PER_2M};
  nodes_stats_read(memory_nodes(), NODES_ALL, &stats);
  try_run(2 * MIB / FRAME_SIZE, &below_4g, false);
  try_run(6 * MIB / FRAME_SIZE, &below_4g, false);
  try_run(64 * MIB / FRAME_SIZE, &below_4g, false);
  const struct frame_limits anywhere = {.max = UINT64_MAX, .align = 1};
  try_run(stats.largest_free_run, &anywhere, true);
  pfn_t first;
  const uint64_t more = stats.largest_free_run + 1;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, more, &anywhere, &first);
  KTEST_EXPECT(s == ERR_NO_MEMORY || s == ERR_RANGE); /* Not now, or never on this machine. */
  KTEST_EXPECT(nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, stats.total_frames + 1, NULL, &first) == ERR_RANGE);
}

KTEST(P11, frames_are_not_freed_twice_nor_by_others) {
  struct nodes *p = memory_nodes();
  pfn_t frame;
  const status_t s = nodes_alloc_frame(p, FRAME_OWNER_TEST, 0, &frame);
  KTEST_EXPECT(s == OK);
  if (s != OK) return;
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_USER, frame) == ERR_OWNER);
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_TEST, frame) == OK);
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_TEST, frame) == ERR_STATE);
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_TEST, pfn(UINT64_MAX >> FRAME_SHIFT)) != OK);
  const pfn_t image = pfn_of_paddr(paddr(memory_handoff()->kernel_physical));
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_TEST, image) != OK);
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_LOW, pfn(0)) != OK);
}

KTEST(P12, bad_frames_are_never_handed_out) {
  struct nodes *p = memory_nodes();
  struct pmm_story story;
  struct ledger before;
  struct ledger after;
  pfn_t frame;
  nodes_ledger_read(p, NODES_ALL, &before);
  KTEST_EXPECT(nodes_alloc_frame(p, FRAME_OWNER_TEST, 0, &frame) == OK);
  KTEST_EXPECT(nodes_mark_bad(p, frame) == ERR_STATE); /* In use. */
  KTEST_EXPECT(nodes_free_frame(p, FRAME_OWNER_TEST, frame) == OK);
  for (uint32_t i = 0; i < options->badmem.count; i++) {
    nodes_describe(p, paddr(options->badmem.range[i].start), &story);
    KTEST_EXPECT(story.state == FRAME_BAD || !story.has_record || story.state == FRAME_FIRMWARE ||
                 story.state == FRAME_ALLOCATED);
    ktest_note("at_0x%llx=%s", (unsigned long long)options->badmem.range[i].start, frame_state_name(story.state));
  }
  nodes_ledger_read(p, NODES_ALL, &after);
  KTEST_EXPECT(after.frames[FRAME_OWNER_BAD] == before.frames[FRAME_OWNER_BAD]);
  ktest_note("bad=%llu", (unsigned long long)after.frames[FRAME_OWNER_BAD]);
}

KTEST(P14, free_blocks_by_order_add_up) {
  struct pmm_stats s;
  uint64_t sum = 0;
  nodes_stats_read(memory_nodes(), NODES_ALL, &s);
  for (unsigned i = 0; i < ARRAY_COUNT(s.free_by_order); i++) sum += s.free_by_order[i] << i;
  KTEST_EXPECT(sum == s.free_frames);
  ktest_note("free=%llu free_2m=%llu free_1g=%llu largest=%llu", (unsigned long long)s.free_frames,
             (unsigned long long)s.free_2m, (unsigned long long)s.free_1g, (unsigned long long)s.largest_free_run);
}

/* Bitmaps and tiers are at most 0.004 % of RAM; besides them stand the door, what each CPU keeps of each node, and a section
 * of each on both sides of a border between nodes.  It does not follow the highest address. */
KTEST(P9, metadata_follows_ram) {
  struct pmm_stats s;
  nodes_stats_read(memory_nodes(), NODES_ALL, &s);
  const uint64_t allowed = s.total_frames * FRAME_SIZE / 25000;
  const uint64_t door = 8 * KIB + 2 * KIB * acpi_numa()->range_count;
  const uint64_t cpus = nodes_count(memory_nodes()) * (smp_cpu_room() * UINT64_C(512) + 6 * KIB);
  KTEST_EXPECT(s.metadata_bytes <= allowed + door + cpus);
  ktest_note("meta_bytes=%llu record_bytes=%llu frames=%llu", (unsigned long long)s.metadata_bytes,
             (unsigned long long)s.record_bytes, (unsigned long long)s.total_frames);
}
