/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/memory.c — from the loader's region list to an allocator and a ledger that balances.
 *
 * WHAT   The order of memory's boot:
 *          1 early       a bump allocator over usable regions (mm/early.h)
 *          2 keep        what the firmware left in memory that is about to be reclaimed is copied
 *          3 records     16 bytes for each frame of RAM, in the two arrays of mm/frame.h, mapped only where there
 *                        is RAM, so that their cost follows RAM and not the highest address
 *          4 nodes       bitmaps and tiers over all general memory, one allocator a NUMA node; from here boot-services and
 *                        loader memory is free
 *          5 sources     tables and stacks come from the nodes
 * HOW    Records take large pages where a whole one is needed (one covers 512 MiB of RAM).  All record memory and all tables
 *        for it are taken in a few large runs before the first is mapped, because the early allocator's list of what was
 *        taken is short and neighbours of one owner share an entry.
 * LOCKING  One CPU; nothing runs beside it.
 * WHY NOT  a panic for each failing step: too little memory is the one reason, and the message says so with the figures.
 */
#include "kernel/memory.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/broken.h"
#include "kernel/firmware.h"
#include "kernel/handoff.h"
#include "kernel/image.h"
#include "kernel/klog.h"
#include "kernel/layout.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/early.h"
#include "mm/engine.h"
#include "mm/kspace.h"
#include "mm/ledger.h"
#include "mm/physmap.h"
#include "mm/records.h"

#define ATTRIBUTES_MAX    4096U /* Entries of the memory attributes table; real ones have some dozens. */
#define ATTRIBUTES_STRIDE 256U
#define VENDOR_MAX        64

static struct pagetable tables;
RO_AFTER_INIT static struct nodes *nodes;
RO_AFTER_INIT static const struct boot_handoff *handoff;
RO_AFTER_INIT static char vendor[VENDOR_MAX];

struct nodes *memory_nodes(void) { return nodes; }
const struct boot_handoff *memory_handoff(void) { return handoff; }
struct pagetable *memory_tables(void) { return &tables; }
const char *memory_firmware_vendor(void) { return vendor; }

const struct boot_region *memory_regions(size_t *count) {
  *count = handoff->regions.count;
  return handoff_span(handoff, handoff->regions);
}

/* Boot cannot go on without it. */
static void need(status_t s, const char *what) {
  if (s == OK) return;
  char size[12];
  uint64_t usable = 0;
  size_t count;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++) usable += memmap_kind_is_general(r[i].kind) ? r[i].end - r[i].start : 0;
  panic("%s: %s, with %s of usable memory: Cairn needs 48 MiB", what, status_name(s), format_size(size, usable));
}

/* --- 1: early memory --------------------------------------------------------------------------------------------------- */

static status_t early_take_table(void *context, paddr_t *frame) {
  return early_alloc(context, FRAME_OWNER_PAGE_TABLES, FRAME_SIZE, FRAME_SIZE, frame);
}
static status_t early_take_stack(void *context, uint64_t frames, paddr_t *start) {
  return early_alloc(context, FRAME_OWNER_STACKS, frames * FRAME_SIZE, FRAME_SIZE, start);
}

static void init_maps(struct early *e) {
  pagetable_init(&tables, arch_mmu_root(), (struct pagetable_source){early_take_table, nullptr, e});
  kspace_init(&tables, layout_window(BOOT_WINDOW_KSPACE), layout_window(BOOT_WINDOW_STACKS),
              (struct kspace_source){early_take_stack, e});
}

/* --- 2: what the firmware left ------------------------------------------------------------------------------------ */

const void *memory_look(uint64_t at, uint64_t size) {
  void *mapped;
  if (at == 0 || size == 0 || !arch_cpu_can_address(at, size)) return nullptr;
  if (physmap_covers(paddr(at), size)) return physmap_at(paddr(at));
  return kspace_map(paddr(at), size, 0, &mapped) == OK ? mapped : nullptr;
}

static void keep_vendor(const struct boot_handoff *h) {
  const uint16_t *name = memory_look(h->firmware_vendor, sizeof(uint16_t) * VENDOR_MAX);
  for (size_t i = 0; name && i + 1 < VENDOR_MAX && name[i]; i++) {
    vendor[i] = '?';
    if (name[i] >= ' ' && name[i] < 0x7f) vendor[i] = (char)name[i];
  }
}

struct attributes_header {
  uint32_t version, count, stride, flags;
};

static bool attributes_entry(const void *at, struct firmware_region *out) {
  struct memmap_descriptor d;
  uint64_t bytes;
  uint64_t end;
  memcpy(&d, at, sizeof d);
  if (!bits_is_aligned(d.physical_start, FRAME_SIZE) || d.pages == 0) return false;
  if (!bits_mul(d.pages, FRAME_SIZE, &bytes) || !bits_add(d.physical_start, bytes, &end)) return false;
  if (end > UINT64_C(1) << 47) return false;
  *out = (struct firmware_region){d.physical_start, end, d.attributes};
  return true;
}

/* The list must be sorted and disjoint, or it is not believed at all. */
static void keep_attributes(struct early *e, const struct boot_handoff *h) {
  const struct attributes_header *header = memory_look(h->memory_attributes, sizeof *header);
  struct firmware_region *list = nullptr;
  size_t count = 0;
  paddr_t storage;
  if (header && header->count > 0 && header->count <= ATTRIBUTES_MAX && header->stride >= sizeof(struct memmap_descriptor) &&
      header->stride <= ATTRIBUTES_STRIDE) {
    const uint64_t size = (uint64_t)header->count * sizeof *list;
    const uint8_t *entries = memory_look(h->memory_attributes + sizeof *header, (uint64_t)header->count * header->stride);
    if (entries && early_alloc(e, FRAME_OWNER_KERNEL, size, FRAME_SIZE, &storage) == OK) list = physmap_at(storage);
    for (uint32_t i = 0; list && i < header->count; i++) {
      struct firmware_region r;
      const bool good = attributes_entry(entries + (size_t)i * header->stride, &r);
      if (!good || (count > 0 && r.start < list[count - 1].end)) {
        klog(KLOG_WARN, "memory", "memory attributes table: entry %u makes no sense; the table is not used", (unsigned)i);
        count = 0;
        break;
      }
      list[count++] = r;
    }
  }
  firmware_init(h, list, count);
}

static struct early *keeper; /* While memory_keep may be called. */

const void *memory_keep(const void *bytes, uint64_t size) {
  paddr_t at;
  if (!keeper || early_alloc(keeper, FRAME_OWNER_KERNEL, size, FRAME_SIZE, &at) != OK) return nullptr;
  return memcpy(physmap_at(at), bytes, size);
}

/* While the tables are as the firmware left them, wherever they are. */
static void read_acpi(struct early *e, const struct boot_handoff *h) {
  keeper = e;
  const status_t s = acpi_init(paddr(h->rsdp));
  keeper = nullptr;
  if (s != OK) klog(KLOG_WARN, "acpi", "no tables that can be used: %s", status_name(s));
}

/* --- 3: frame records --------------------------------------------------------------------------------------------- */

static struct records_plan plan_records(const struct boot_handoff *h) {
  void *base = (void *)(uintptr_t)layout_window(BOOT_WINDOW_FRAMES).start.raw; // NOLINT(performance-no-int-to-ptr)
  return records_plan(base, handoff_span(h, h->regions), h->regions.count);
}

/* Memory for records: runs as long as can be had, handed out piece by piece. */
struct record_pool {
  struct early *early;
  uint64_t step;   /* 4 KiB or 2 MiB. */
  uint64_t wanted; /* Bytes not yet taken from the early allocator. */
  paddr_t at;      /* What is left of the run at hand. */
  uint64_t left;
};

static void pool_refill(struct record_pool *pool) {
  uint64_t size = pool->wanted;
  for (;; size = bits_align_up(size / 2, pool->step)) {
    const status_t s = early_alloc(pool->early, FRAME_OWNER_FRAME_RECORDS, size, pool->step, &pool->at);
    if (s == OK) break;
    if (size == pool->step) need(s, "frame records");
  }
  pool->left = size;
  pool->wanted -= size;
}

struct records {
  struct record_pool small, large;
  uint64_t tables;
};

static void piece_count(void *context, const struct records_piece *p) {
  struct records *r = context;
  uint64_t cost;
  need(pagetable_map_cost(&tables, vrange(p->start, p->end), paddr(0), &cost), "frame records");
  r->tables += cost;
  *(p->page == FRAME_SIZE ? &r->small.wanted : &r->large.wanted) += p->end - p->start;
}

static void piece_map(void *context, const struct records_piece *p) {
  struct records *r = context;
  struct record_pool *pool = p->page == FRAME_SIZE ? &r->small : &r->large;
  for (uint64_t at = p->start; at < p->end;) {
    if (pool->left == 0) pool_refill(pool);
    const uint64_t size = bits_min(pool->left, p->end - at);
    need(pagetable_map(&tables, vrange(at, at + size), pool->at, PAGE_WRITE | PAGE_GLOBAL), "frame records");
    pool->at = paddr_add(pool->at, size);
    pool->left -= size;
    at += size;
  }
}

static void map_records(struct early *e, const struct records_plan *plan) {
  struct records r = {.small = {.early = e, .step = FRAME_SIZE}, .large = {.early = e, .step = FRAME_2M_SIZE}};
  records_each_piece(plan, piece_count, &r);
  need(pagetable_reserve(&tables, r.tables), "tables for frame records");
  records_each_piece(plan, piece_map, &r);
}

/* --- 4, 5: the allocator ------------------------------------------------------------------------------------------ */

/* What ACPI says about the nodes, for mm. */
static void describe_nodes(struct nodes_layout *l) {
  static struct nodes_range ranges[NUMA_RANGES_MAX];
  const struct numa_map *m = acpi_numa();
  static_assert(NUMA_NODES_MAX <= NODES_MAX);
  for (uint32_t i = 0; i < m->range_count; i++) {
    const struct numa_range *r = &m->ranges[i];
    ranges[i] = (struct nodes_range){r->start / FRAME_SIZE, r->end / FRAME_SIZE, r->node};
  }
  *l = (struct nodes_layout){m->node_count, ranges, m->range_count, &m->distance[0][0], NUMA_NODES_MAX};
}

static void *take_bitmaps(struct early *e, uint64_t size, const char *what) {
  paddr_t memory;
  need(early_alloc(e, FRAME_OWNER_BITMAPS, size, FRAME_SIZE, &memory), what);
  return physmap_at(memory);
}

/* As in the option's words. */
static const char *const engines[] = {[OPTION_PMM_TIER] = "tier", [OPTION_PMM_BUDDY] = "buddy", [OPTION_PMM_FLAT] = "flat"};

/* Asked for by an option, for the laboratory; a machine that is too large for it gets the tiers. */
static void choose_engine(const struct boot_region *regions, size_t count) {
  const status_t s = engine_choose(engines[options->pmm], regions, count);
  if (s == OK) return;
  klog(KLOG_WARN, "memory", "pmm=%s cannot manage as much RAM as this machine has: pmm=tier is used", engines[options->pmm]);
  need(engine_choose("tier", regions, count), "who finds frames");
}

static void create_nodes(struct early *e, const struct boot_handoff *h, struct frame_records records) {
  const struct boot_region *regions = handoff_span(h, h->regions);
  struct nodes_layout layout;
  struct nodes *n;
  describe_nodes(&layout);
  choose_engine(regions, h->regions.count);
  const uint64_t plan_size = nodes_plan_size(h->regions.count, &layout);
  void *plan = memset(take_bitmaps(e, plan_size, "the nodes"), 0, plan_size);
  need(nodes_plan(plan, regions, h->regions.count, &layout, &n), "the nodes");
  void *metadata = take_bitmaps(e, nodes_metadata_size(n), "bitmaps");
  need(nodes_create(n, metadata, records, e->taken, e->taken_count), "the frame allocator");
  nodes = n;
}

static status_t take_table(void *context, paddr_t *out) {
  pfn_t frame;
  (void)context;
  const status_t s = nodes_alloc_frame(nodes, FRAME_OWNER_PAGE_TABLES, 0, &frame);
  if (s == OK) *out = paddr_of_pfn(frame);
  return s;
}

static void give_table(void *context, paddr_t frame) {
  (void)context;
  if (nodes_free_frame(nodes, FRAME_OWNER_PAGE_TABLES, pfn_of_paddr(frame)) != OK)
    panic("a table's frame has another owner");
}

static status_t take_stack(void *context, uint64_t frames, paddr_t *start) {
  pfn_t first;
  (void)context;
  const status_t s = nodes_alloc_run(nodes, FRAME_OWNER_STACKS, 0, frames, nullptr, &first);
  if (s == OK) *start = paddr_of_pfn(first);
  return s;
}

static void retire_early(void) {
  tables.source = (struct pagetable_source){take_table, give_table, nullptr};
  kspace_set_source((struct kspace_source){take_stack, nullptr});
}

/* nofeat=pdpe1gb: the loader's direct map may have 1 GiB leaves already. */
static void split_large_leaves(void) {
  const vrange_t window = layout_window(BOOT_WINDOW_DIRECT_MAP);
  if (arch_mmu_has_leaf(2)) return;
  for (uint64_t at = window.start.raw; at < window.end.raw; at += FRAME_1G_SIZE) {
    struct pagetable_leaf leaf;
    if (pagetable_find(&tables, vaddr(at), &leaf) != OK || leaf.size < FRAME_1G_SIZE) continue;
    need(pagetable_split(&tables, vaddr(at)), "splitting the direct map");
  }
}

static void init_clearing(void) {
  const bool on_free = options->zero == OPTION_ZERO_FREE;
  const status_t s = nodes_clear_init(nodes, on_free ? NODES_CLEAR_ON_FREE : NODES_CLEAR_ON_ALLOC, options->zero_stock);
  if (s != OK) klog(KLOG_WARN, "memory", "no stock of zeroed frames: %s", status_name(s));
  if (on_free) klog(KLOG_NOTICE, "memory", "zero=free: free memory is zeros, and so is all that will be freed");
}

void memory_report(void) {
  struct ledger l;
  char ram[12];
  char available[12];
  nodes_ledger_read(nodes, NODES_ALL, &l);
  klog(KLOG_NOTICE, "memory", "%s of RAM, %s free; %llu frames taken back from the firmware, %llu from the loader",
       format_size(ram, l.total * FRAME_SIZE), format_size(available, l.frames[FRAME_OWNER_FREE] * FRAME_SIZE),
       (unsigned long long)l.reclaimed_boot_services, (unsigned long long)l.reclaimed_loader);
  if (!ledger_balances(&l)) {
    panic("the ledger does not balance: %llu frames by the map, %llu by owners", (unsigned long long)l.total,
          (unsigned long long)l.sum);
  }
}

void memory_init(const struct boot_handoff *h) {
  static struct early early; /* Three KiB: too much for a boot stack. */
  handoff = h;
  size_t broken_count;
  const prange_t *broken = broken_ranges(&broken_count);
  early_init(&early, handoff_span(h, h->regions), h->regions.count);
  early_avoid(&early, broken, broken_count);
  init_maps(&early);
  keep_vendor(h);
  keep_attributes(&early, h);
  read_acpi(&early, h);
  early_add_boot_services(&early);
  const struct records_plan plan = plan_records(h);
  map_records(&early, &plan);
  create_nodes(&early, h, plan.records);
  retire_early();
  split_large_leaves();
  broken_take_out(nodes);
  broken_listen(nodes);
  init_clearing();
}

void memory_seal(void) {
  const vrange_t image = vrange((uint64_t)(uintptr_t)image_seal_start, (uint64_t)(uintptr_t)image_seal_end);
  const uint64_t offset = image.start.raw - (uint64_t)(uintptr_t)image_start;
  const uint64_t alias = (uint64_t)(uintptr_t)physmap_at(paddr(handoff->kernel_physical + offset));
  need(pagetable_protect(&tables, image, PAGE_GLOBAL), "sealing the kernel's data");
  need(pagetable_protect(&tables, vrange(alias, alias + vrange_size(image)), PAGE_GLOBAL), "sealing its alias");
}
