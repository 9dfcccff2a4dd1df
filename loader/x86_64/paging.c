/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/paging.c — builds the first page tables in memory that somebody else has found.
 *
 * WHAT   A list of mappings goes in (paging.h says which), tables come out.  The same code runs twice: once without a
 *        pool, when it only counts the tables it would take, and once with one, when it fills them.
 * HOW    A mapping is cut into runs: leaves of one size in one table.  The largest leaf that address, frame and rest
 *        allow comes first; since a table of one level covers exactly one leaf of the next, no run misses a larger leaf.
 *
 *          4 KiB leaves up to the next 2 MiB | 2 MiB leaves up to the next 1 GiB | 1 GiB leaves | 2 MiB | 4 KiB
 *
 *        The table of each level that was used last is remembered with the addresses it covers, so that neighbours cost
 *        no walk from the root.  Counting needs nothing but that memory: a table is new when the addresses differ from
 *        the last.  Only a table that is left and visited again is then counted twice, so the count is an upper bound.
 * INVARIANTS
 *   1    No leaf is writable and executable: leaf_bits knows three permissions and none of them is both.
 *   2    Nothing is mapped twice: an entry is written only while it is zero.
 *   3    The cost is O(regions + tables): memory that a large leaf covers is never looked at.
 * WHY NOT a bound by formula (edges times levels): 2,000 regions would ask for 32 MiB of tables, and the real number
 *        is 40.
 * SOURCE Intel SDM 3A: 4.5 (four and five levels), 4.7 and table 4-19 (formats), 12.12.3 (PAT bits in leaves).
 */
#include "loader/x86_64/paging.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/units.h"
#include "boot/pat.h"
#include "lib/memmap.h"
#include "lib/string.h"

#define ENTRIES 512U

#define ENTRY_PRESENT   UINT64_C(0x001)
#define ENTRY_WRITE     UINT64_C(0x002)
#define ENTRY_WT        UINT64_C(0x008) /* PAT index bit 0. */
#define ENTRY_CD        UINT64_C(0x010) /* PAT index bit 1. */
#define ENTRY_ACCESSED  UINT64_C(0x020)
#define ENTRY_DIRTY     UINT64_C(0x040)
#define ENTRY_LARGE     UINT64_C(0x080) /* In levels 2 and 3: a leaf.  In level 1 this bit is PAT index bit 2. */
#define ENTRY_GLOBAL    UINT64_C(0x100)
#define ENTRY_PAT_LARGE UINT64_C(0x1000)
#define ENTRY_NX        (UINT64_C(1) << 63)
#define ENTRY_ADDRESS   UINT64_C(0x000ffffffffff000)

#define LEVELS_MAX 5
#define LEVEL_4K   1U
#define LEVEL_2M   2U
#define LEVEL_1G   3U

enum permission { READ_ONLY, READ_WRITE, READ_EXECUTE };

struct mapping {
  uint64_t va, pa, size; /* All in whole pages. */
  enum permission permission;
  bool is_global;
  bool is_wc; /* Write-combining. */
};

struct builder {
  struct paging_pool *pool; /* NULL: count only. */
  uint64_t tables;          /* Counted so far. */
  uint32_t levels;
  bool has_gib_pages;
  uint64_t covers[LEVELS_MAX + 1]; /* By level: which table was used last (coverage), */
  uint64_t *table[LEVELS_MAX + 1]; /* and where it is (NULL when counting). */
  struct mapping pending;          /* Of the direct map: may still grow; size 0 for none. */
};

/* Bits of an address below an entry of this level: 12, 21, 30, 39, 48. */
static unsigned entry_shift(unsigned level) { return FRAME_SHIFT + 9 * (level - 1); }
static unsigned entry_index(uint64_t va, unsigned level) { return (unsigned)(va >> entry_shift(level)) % ENTRIES; }
/* Number of the table of this level that an address falls into; never NO_TABLE. */
static uint64_t coverage(uint64_t va, unsigned level) { return va >> entry_shift(level + 1); }
#define NO_TABLE UINT64_MAX

static status_t take_table(struct builder *b, uint64_t **table, uint64_t *physical) {
  struct paging_pool *pool = b->pool;
  if (pool->used == pool->frames) return ERR_NO_MEMORY;
  *physical = pool->physical + pool->used * FRAME_SIZE;
  *table = (uint64_t *)pool->memory + pool->used * ENTRIES;
  pool->used++;
  memset(*table, 0, FRAME_SIZE);
  return OK;
}

/* Makes the table of `level` for va the current one; its parent is. */
static status_t enter_table(struct builder *b, uint64_t va, unsigned level) {
  uint64_t physical = 0;
  b->tables++;
  b->covers[level] = coverage(va, level);
  if (!b->pool) return OK;
  uint64_t *entry = &b->table[level + 1][entry_index(va, level + 1)];
  if (*entry & ENTRY_PRESENT) {
    if (*entry & ENTRY_LARGE) return ERR_OVERLAP;
    b->table[level] = (uint64_t *)b->pool->memory + ((*entry & ENTRY_ADDRESS) - b->pool->physical) / sizeof(uint64_t);
    return OK;
  }
  status_t s = take_table(b, &b->table[level], &physical);
  /* What a table allows is everything: the leaves decide. */
  if (s == OK) *entry = physical | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED;
  return s;
}

static status_t find_table(struct builder *b, uint64_t va, unsigned level) {
  for (unsigned l = b->levels - 1; l >= level; l--) {
    if (b->covers[l] == coverage(va, l)) continue;
    status_t s = enter_table(b, va, l);
    if (s != OK) return s;
  }
  return OK;
}

static uint64_t leaf_bits(const struct mapping *m, unsigned level) {
  uint64_t bits = ENTRY_PRESENT | ENTRY_ACCESSED;
  switch (m->permission) {
  case READ_ONLY:
    bits |= ENTRY_NX;
    break;
  case READ_WRITE:
    bits |= ENTRY_NX | ENTRY_WRITE | ENTRY_DIRTY; /* Dirty only here: read-only and dirty is a shadow stack to CET. */
    break;
  case READ_EXECUTE:
    break;
  }
  if (m->is_global) bits |= ENTRY_GLOBAL;
  if (level != LEVEL_4K) bits |= ENTRY_LARGE;
  if (m->is_wc) {
    static_assert(BOOT_PAT_WC == 5);
    bits |= ENTRY_WT | (level == LEVEL_4K ? ENTRY_LARGE : ENTRY_PAT_LARGE);
  }
  return bits;
}

static unsigned leaf_level(const struct builder *b, const struct mapping *m) {
  uint64_t both = m->va | m->pa;
  if (b->has_gib_pages && bits_is_aligned(both, FRAME_1G_SIZE) && m->size >= FRAME_1G_SIZE) return LEVEL_1G;
  if (bits_is_aligned(both, FRAME_2M_SIZE) && m->size >= FRAME_2M_SIZE) return LEVEL_2M;
  return LEVEL_4K;
}

/* Writes values that grow by a step into entries, four at a time; false when one of them is not zero. */
static bool fill(uint64_t *entry, uint64_t count, uint64_t value, uint64_t step) {
  for (; count >= 4; count -= 4, entry += 4, value += 2 * step) {
    if ((entry[0] | entry[1] | entry[2] | entry[3]) != 0) return false;
    entry[0] = value;
    entry[1] = value + step;
    value += 2 * step;
    entry[2] = value;
    entry[3] = value + step;
  }
  for (; count > 0; count--, entry++, value += step) {
    if (*entry != 0) return false;
    *entry = value;
  }
  return true;
}

/* Writes one run: as many leaves of one size as fit into their table; *m becomes what is left. */
static status_t map_run(struct builder *b, struct mapping *m) {
  unsigned level = leaf_level(b, m);
  unsigned shift = entry_shift(level);
  unsigned index = entry_index(m->va, level);
  uint64_t count = bits_min(ENTRIES - index, m->size >> shift);
  status_t s = find_table(b, m->va, level);
  if (s != OK) return s;
  if (b->pool && !fill(&b->table[level][index], count, m->pa | leaf_bits(m, level), UINT64_C(1) << shift)) {
    return ERR_OVERLAP;
  }
  m->va += count << shift;
  m->pa += count << shift;
  m->size -= count << shift;
  return OK;
}

static status_t map(struct builder *b, struct mapping m) {
  status_t s = OK;
  while (s == OK && m.size > 0) s = map_run(b, &m);
  return s;
}

/* --- the direct map ------------------------------------------------------------------------------------------------- */

static status_t flush_pending(struct builder *b) {
  struct mapping m = b->pending;
  b->pending.size = 0;
  return map(b, m);
}

/* Adds [start, end) to the direct map; neighbours with one permission become one mapping, whatever their kinds. */
static status_t add_direct(struct builder *b, uint64_t base, uint64_t start, uint64_t end, enum permission permission) {
  struct mapping *p = &b->pending;
  if (start >= end) return OK;
  if (p->size > 0 && p->pa + p->size == start && p->permission == permission) {
    p->size += end - start;
    return OK;
  }
  status_t s = flush_pending(b);
  *p = (struct mapping){.va = base + start, .pa = start, .size = end - start, .permission = permission, .is_global = true};
  return s;
}

/* One region, cut where the image lies in it: no writable alias of code, constants or relocated tables. */
static status_t add_region(struct builder *b, const struct paging_request *q, const struct boot_region *r) {
  uint64_t base = q->windows[BOOT_WINDOW_DIRECT_MAP].base;
  uint64_t at = r->start;
  status_t s = OK;
  if (r->kind == BOOT_MEMORY_ACPI_RECLAIM || r->kind == BOOT_MEMORY_ACPI_NVS) {
    return add_direct(b, base, r->start, r->end, READ_ONLY);
  }
  const struct image_run *last = q->run_count > 0 ? &q->runs[q->run_count - 1] : NULL;
  if (!last || r->end <= q->image_physical || r->start >= q->image_physical + last->offset + last->size) {
    return add_direct(b, base, r->start, r->end, READ_WRITE);
  }
  for (size_t i = 0; s == OK && i < q->run_count; i++) {
    uint64_t start = bits_max(at, q->image_physical + q->runs[i].offset);
    uint64_t end = bits_min(r->end, q->image_physical + q->runs[i].offset + q->runs[i].size);
    if ((q->runs[i].permissions & IMAGE_WRITE) || start >= end) continue;
    s = add_direct(b, base, at, start, READ_WRITE);
    if (s == OK) s = add_direct(b, base, start, end, READ_ONLY);
    at = end;
  }
  return s == OK ? add_direct(b, base, at, r->end, READ_WRITE) : s;
}

static status_t map_direct(struct builder *b, const struct paging_request *q) {
  status_t s = OK;
  for (size_t i = 0; s == OK && i < q->region_count; i++) {
    if (memmap_kind_in_direct_map(q->regions[i].kind)) s = add_region(b, q, &q->regions[i]);
  }
  return s == OK ? flush_pending(b) : s;
}

/* --- the other windows ---------------------------------------------------------------------------------------------- */

static status_t map_image(struct builder *b, const struct paging_request *q) {
  uint64_t base = q->windows[BOOT_WINDOW_IMAGE].base;
  status_t s = OK;
  for (size_t i = 0; s == OK && i < q->run_count; i++) {
    const struct image_run *r = &q->runs[i];
    enum permission p = r->permissions & IMAGE_WRITE     ? READ_WRITE
                        : r->permissions & IMAGE_EXECUTE ? READ_EXECUTE
                                                         : READ_ONLY;
    s = map(b, (struct mapping){.va = base + r->offset,
                                .pa = q->image_physical + r->offset,
                                .size = r->size,
                                .permission = p,
                                .is_global = true});
  }
  return s;
}

static status_t map_framebuffer(struct builder *b, const struct paging_request *q) {
  uint64_t start = bits_align_down(q->framebuffer, FRAME_SIZE);
  uint64_t end = bits_align_up(q->framebuffer + q->framebuffer_size, FRAME_SIZE);
  if (q->framebuffer_size == 0) return OK;
  return map(b, (struct mapping){.va = q->windows[BOOT_WINDOW_FRAMEBUFFER].base + start % FRAME_2M_SIZE,
                                 .pa = start,
                                 .size = end - start,
                                 .permission = READ_WRITE,
                                 .is_global = true,
                                 .is_wc = true});
}

static status_t map_all(struct builder *b, const struct paging_request *q) {
  const struct mapping fixed[] = {
      {.va = q->jump_page, .pa = q->jump_page, .size = FRAME_SIZE, .permission = READ_EXECUTE},
      {.va = q->windows[BOOT_WINDOW_STACKS].base + FRAME_SIZE,
       .pa = q->stack_physical,
       .size = q->stack_size,
       .permission = READ_WRITE,
       .is_global = true},
      {.va = q->windows[BOOT_WINDOW_HANDOFF].base,
       .pa = q->handoff_physical,
       .size = q->handoff_size,
       .permission = READ_ONLY,
       .is_global = true},
  };
  status_t s = OK;
  for (size_t i = 0; s == OK && i < ARRAY_COUNT(fixed); i++) s = map(b, fixed[i]);
  if (s == OK) s = map_image(b, q);
  if (s == OK) s = map_framebuffer(b, q);
  if (s == OK) s = map_direct(b, q);
  return s;
}

static void init(struct builder *b, const struct paging_request *q, struct paging_pool *pool) {
  *b = (struct builder){.pool = pool, .levels = q->levels, .has_gib_pages = q->has_gib_pages, .tables = 1};
  for (unsigned l = 0; l <= LEVELS_MAX; l++) b->covers[l] = NO_TABLE;
}

uint64_t paging_frames_max(const struct paging_request *request) {
  struct builder b;
  init(&b, request, NULL);
  CHECK(map_all(&b, request) == OK); /* Without a pool nothing can run out or be in the way. */
  return b.tables;
}

/* --- what is asked for must make sense ------------------------------------------------------------------------------ */

static bool is_paged(const struct paging_request *q) {
  uint64_t all =
      q->image_physical | q->stack_physical | q->stack_size | q->handoff_physical | q->handoff_size | q->jump_page;
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) all |= q->windows[i].base;
  for (size_t i = 0; i < q->run_count; i++) all |= q->runs[i].offset | q->runs[i].size;
  for (size_t i = 0; i < q->region_count; i++) all |= q->regions[i].start | q->regions[i].end;
  return bits_is_aligned(all, FRAME_SIZE) && bits_is_aligned(q->windows[BOOT_WINDOW_DIRECT_MAP].base, FRAME_1G_SIZE);
}

/* True when [offset, offset + size) lies in the window and `physical` .. in 52 bits. */
static bool fits(const struct paging_request *q, enum boot_window_id id, uint64_t offset, uint64_t physical, uint64_t size) {
  uint64_t room = q->windows[id].size;
  return offset <= room && size <= room - offset && physical < MEMMAP_ADDRESS_END && size <= MEMMAP_ADDRESS_END - physical;
}

static bool is_in_range(const struct paging_request *q) {
  uint64_t start = q->levels == 5 ? LAYOUT_START_5 : LAYOUT_START_4;
  uint64_t end = q->levels == 5 ? LAYOUT_END_5 : LAYOUT_END_4;
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    const struct boot_window *w = &q->windows[i];
    if (w->base < start || w->base >= end || w->size > end - w->base) return false;
  }
  for (size_t i = 0; i < q->run_count; i++) {
    const struct image_run *r = &q->runs[i];
    if (!fits(q, BOOT_WINDOW_IMAGE, r->offset, q->image_physical + r->offset, r->size)) return false;
  }
  for (size_t i = 0; i < q->region_count; i++) {
    const struct boot_region *r = &q->regions[i];
    if (!memmap_kind_in_direct_map(r->kind)) continue;
    if (r->start > r->end || !fits(q, BOOT_WINDOW_DIRECT_MAP, r->start, r->start, r->end - r->start)) return false;
  }
  return fits(q, BOOT_WINDOW_STACKS, 2 * FRAME_SIZE, q->stack_physical, q->stack_size) &&
         fits(q, BOOT_WINDOW_HANDOFF, 0, q->handoff_physical, q->handoff_size) &&
         fits(q, BOOT_WINDOW_FRAMEBUFFER, q->framebuffer % FRAME_2M_SIZE, q->framebuffer, q->framebuffer_size) &&
         q->jump_page != 0 && q->jump_page < UINT64_C(1) << 47;
}

status_t paging_build(const struct paging_request *request, struct paging_pool *pool, uint64_t *root) {
  struct builder b;
  uint64_t top = 0;
  if (request->levels != 4 && request->levels != 5) return ERR_INVALID;
  if (!is_paged(request)) return ERR_UNALIGNED;
  if (!is_in_range(request)) return ERR_RANGE;
  init(&b, request, pool);
  pool->used = 0;
  status_t s = take_table(&b, &b.table[b.levels], &top);
  if (s == OK) s = map_all(&b, request);
  if (s != OK) {
    pool->used = 0;
    return s;
  }
  *root = top;
  return OK;
}
