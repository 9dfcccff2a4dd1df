/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/map/pagetable.c — maps, protects and unmaps ranges in a tree of tables.
 *
 * WHAT   Walks the tree through the direct map, iteratively, one leaf a step.  What an entry looks like is the seam's
 *        business (arch/mmu.h); this file knows levels, spans and nothing of bits.
 * HOW    plan:    the walk is made once without writing; it refuses what is wrong and counts the tables that are missing.
 *                 A table of level l that a step finds missing is counted by the first step that would use it: the one at
 *                 the start of the range, or the one whose address is a multiple of what the table covers.
 *        reserve: so many frames are put on the spare chain.
 *        commit:  the same walk writes.  It takes tables from the chain and cannot fail.
 *        Splitting: a leaf of which only a part changes becomes a table of leaves one level below with the same
 *        translation, so that no walk on any CPU ever sees a hole.
 * LOCKING  t->lock: one writer at a time, from its plan to its commit; frames are asked for under it.  Readers take none: an
 *        entry is one store, and a table is complete before an entry points at it.  Only a join takes a table away: who
 *        reads a range meanwhile must keep that from happening.
 * INVARIANTS
 *   1  Outside a commit every table reachable from the root is whole; a table is zeroed before an entry points at it.
 *   2  spare_count is the length of the spare chain.
 *   3  No leaf written here is both writable and executable.
 * WHY NOT  recursion: five levels deep it would be shorter, but a panic walks these tables on a stack it cannot trust.
 * WHY NOT  a flush after pagetable_map: entries that are not present are never cached (SDM 3A 4.10.2.3).
 */
#include "mm/pagetable.h"

#include "arch/tlb.h"
#include "base/assert.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/physmap.h"
#include "mm/platform.h"

/* Above so many leaves one full flush is cheaper than single ones (design: section 6). */
#define FLUSH_SINGLE_MAX 32

static arch_pte_t *table_at(paddr_t table) { return physmap_at(table); }

static bool is_canonical(vaddr_t a) {
  const unsigned unused = 64 - arch_mmu_shift(arch_mmu_levels());
  return (uint64_t)((int64_t)(a.raw << unused) >> unused) == a.raw;
}

void pagetable_init(struct pagetable *t, paddr_t root, struct pagetable_source source) {
  *t = (struct pagetable){.root = root, .source = source};
}

/* --- spare frames ---------------------------------------------------------------------------------------------------- */

static void spare_push(struct pagetable *t, paddr_t frame) {
  *(paddr_t *)physmap_at(frame) = t->spare;
  t->spare = frame;
  t->spare_count++;
}

static paddr_t spare_pop(struct pagetable *t) {
  CHECK(t->spare_count > 0);
  const paddr_t frame = t->spare;
  t->spare = *(paddr_t *)physmap_at(frame);
  t->spare_count--;
  return frame;
}

static void trim(struct pagetable *t, uint64_t count) REQUIRES(&t->lock) {
  while (t->source.give && t->spare_count > count) t->source.give(t->source.context, spare_pop(t));
}

static status_t reserve(struct pagetable *t, uint64_t count) REQUIRES(&t->lock) {
  const uint64_t before = t->spare_count;
  while (t->spare_count < count) {
    paddr_t frame;
    if (t->source.take(t->source.context, &frame) == OK) {
      spare_push(t, frame);
      continue;
    }
    trim(t, before);
    return ERR_NO_MEMORY;
  }
  return OK;
}

status_t pagetable_reserve(struct pagetable *t, uint64_t count) {
  platform_lock_acquire(&t->lock);
  const status_t s = reserve(t, count);
  platform_lock_release(&t->lock);
  return s;
}

void pagetable_trim(struct pagetable *t, uint64_t count) {
  platform_lock_acquire(&t->lock);
  trim(t, count);
  platform_lock_release(&t->lock);
}

/* A new table in an empty slot. */
static arch_pte_t *table_add(struct pagetable *t, arch_pte_t *slot, unsigned level) {
  const paddr_t frame = spare_pop(t);
  memset(physmap_at(frame), 0, FRAME_SIZE);
  *(volatile arch_pte_t *)slot = arch_pte_table(frame, level);
  t->tables++;
  return table_at(frame);
}

/* --- arguments ------------------------------------------------------------------------------------------------------- */

static status_t check_range(vrange_t where) {
  if (where.start.raw >= where.end.raw) return ERR_INVALID;
  if (!bits_is_aligned(where.start.raw | where.end.raw, FRAME_SIZE)) return ERR_UNALIGNED;
  const vaddr_t last = vaddr(where.end.raw - 1);
  if (!is_canonical(where.start) || !is_canonical(last)) return ERR_RANGE;
  if ((where.start.raw ^ last.raw) >> 63) return ERR_RANGE; /* Over the hole from one half into the other. */
  return OK;
}

static status_t check_flags(uint32_t flags) {
  if ((flags & PAGE_WRITE) && (flags & PAGE_EXECUTE)) return ERR_INVALID;
  if ((flags & PAGE_UNCACHED) && (flags & PAGE_WRITE_COMBINING)) return ERR_INVALID;
  return OK;
}

/* May a leaf of this level stand at va -> to, with `left` bytes to go? */
static bool leaf_fits(vaddr_t va, paddr_t to, uint64_t left, unsigned level) {
  return arch_mmu_has_leaf(level) && left >= arch_mmu_span(level) && bits_is_aligned(va.raw | to.raw, arch_mmu_span(level));
}

/* --- map ------------------------------------------------------------------------------------------------------------- */

/*
 * How many leaves of one level stand side by side from va on: as far as the table (NULL: one that is not there yet) has
 * empty slots and `left` bytes last.  Larger leaves can begin only where a table ends, so none is missed.
 */
static uint64_t leaves_in_row(const arch_pte_t *table, vaddr_t va, uint64_t left, unsigned level) {
  const unsigned at = arch_mmu_index(va, level);
  const uint64_t most = bits_min(left >> arch_mmu_shift(level), ARCH_MMU_ENTRIES - at);
  uint64_t n = 1;
  if (!table) return most;
  while (n < most && !arch_pte_present(table[at + n], level)) n++;
  return n;
}

/* Where the next leaves go: at which level and how many, and how many tables they are the first to need. */
static status_t plan_leaves(const struct pagetable *t, vrange_t where, vaddr_t va, paddr_t to, uint64_t *size,
                            uint64_t *missing) {
  const uint64_t left = where.end.raw - va.raw;
  const arch_pte_t *table = table_at(t->root);
  uint64_t count = 0;
  unsigned level = arch_mmu_levels() - 1;
  for (;; level--) {
    const arch_pte_t pte = table ? table[arch_mmu_index(va, level)] : 0;
    const bool present = table && arch_pte_present(pte, level);
    if (present && arch_pte_is_leaf(pte, level)) return ERR_EXISTS;
    if (!present && leaf_fits(va, to, left, level)) break;
    if (level == 0) return ERR_CORRUPT; /* A table entry at the lowest level: not ours. */
    if (!present && (va.raw == where.start.raw || bits_is_aligned(va.raw, arch_mmu_span(level)))) count++;
    table = present ? table_at(arch_pte_address(pte, level)) : nullptr;
  }
  *size = leaves_in_row(table, va, left, level) << arch_mmu_shift(level);
  *missing += count;
  return OK;
}

status_t pagetable_map_cost(const struct pagetable *t, vrange_t where, paddr_t to, uint64_t *count) {
  const status_t s = check_range(where);
  if (s != OK) return s;
  if (!bits_is_aligned(to.raw, FRAME_SIZE)) return ERR_UNALIGNED;
  uint64_t end;
  if (!bits_add(to.raw, vrange_size(where), &end)) return ERR_RANGE;
  uint64_t missing = 0;
  uint64_t done = 0;
  while (done < vrange_size(where)) {
    uint64_t size;
    const status_t leaf = plan_leaves(t, where, vaddr_add(where.start, done), paddr_add(to, done), &size, &missing);
    if (leaf != OK) return leaf;
    done += size;
  }
  *count = missing;
  return OK;
}

/* Writes leaves side by side and returns how much they map. */
static uint64_t commit_leaves(struct pagetable *t, vaddr_t va, paddr_t to, uint64_t left, uint32_t flags) {
  arch_pte_t *table = table_at(t->root);
  for (unsigned level = arch_mmu_levels() - 1;; level--) {
    arch_pte_t *slot = &table[arch_mmu_index(va, level)];
    const bool present = arch_pte_present(*slot, level);
    if (!present && leaf_fits(va, to, left, level)) {
      const uint64_t n = leaves_in_row(table, va, left, level);
      arch_pte_t leaf = arch_pte_leaf(to, flags, level);
      const arch_pte_t step = n > 1 ? arch_pte_leaf(paddr_add(to, arch_mmu_span(level)), flags, level) - leaf : 0;
      for (uint64_t i = 0; i < n; i++, leaf += step) *(volatile arch_pte_t *)&slot[i] = leaf;
      return n << arch_mmu_shift(level);
    }
    CHECK(level > 0);
    table = present ? table_at(arch_pte_address(*slot, level)) : table_add(t, slot, level);
  }
}

static status_t map(struct pagetable *t, vrange_t where, paddr_t to, uint32_t flags) REQUIRES(&t->lock) {
  uint64_t cost;
  status_t s = check_flags(flags);
  if (s == OK) s = pagetable_map_cost(t, where, to, &cost);
  if (s == OK) s = reserve(t, cost);
  if (s != OK) return s;
  for (uint64_t done = 0; done < vrange_size(where);) {
    done += commit_leaves(t, vaddr_add(where.start, done), paddr_add(to, done), vrange_size(where) - done, flags);
  }
  return OK;
}

status_t pagetable_map(struct pagetable *t, vrange_t where, paddr_t to, uint32_t flags) {
  platform_lock_acquire(&t->lock);
  const status_t s = map(t, where, to, flags);
  platform_lock_release(&t->lock);
  return s;
}

/* --- change ---------------------------------------------------------------------------------------------------------- */

/* The slot of the leaf that maps va, or NULL. */
static arch_pte_t *find_leaf(const struct pagetable *t, vaddr_t va, unsigned *leaf_level) {
  arch_pte_t *table = table_at(t->root);
  for (unsigned level = arch_mmu_levels() - 1;; level--) {
    arch_pte_t *slot = &table[arch_mmu_index(va, level)];
    if (!arch_pte_present(*slot, level)) return nullptr;
    if (arch_pte_is_leaf(*slot, level)) {
      *leaf_level = level;
      return slot;
    }
    if (level == 0) return nullptr;
    table = table_at(arch_pte_address(*slot, level));
  }
}

static bool leaf_is_covered(vaddr_t va, vaddr_t end, unsigned level) {
  return bits_is_aligned(va.raw, arch_mmu_span(level)) && end.raw - va.raw >= arch_mmu_span(level);
}

static vaddr_t leaf_end(vaddr_t va, unsigned level) {
  return vaddr(bits_align_down(va.raw, arch_mmu_span(level)) + arch_mmu_span(level));
}

/*
 * Tables that splitting needs at most.  A leaf of level l of which [a, b) changes becomes one table of level l-1; of its
 * leaves only the one at a and the one before b can be cut again: 1 + 2 * (l - 1).
 */
static status_t plan_change(const struct pagetable *t, vrange_t where, uint64_t *tables) {
  *tables = 0;
  for (vaddr_t va = where.start; va.raw < where.end.raw;) {
    unsigned level;
    if (!find_leaf(t, va, &level)) return ERR_NOT_FOUND;
    if (!leaf_is_covered(va, where.end, level)) *tables += 1 + 2 * (uint64_t)(level - 1);
    va = leaf_end(va, level);
    if (va.raw == 0) break; /* The leaf was the last of the address space. */
  }
  return OK;
}

static void split(struct pagetable *t, arch_pte_t *slot, unsigned level) {
  const arch_pte_t old = *slot;
  const paddr_t to = arch_pte_address(old, level);
  const uint32_t flags = arch_pte_flags(old, level);
  const paddr_t frame = spare_pop(t);
  arch_pte_t *table = table_at(frame);
  for (unsigned i = 0; i < ARCH_MMU_ENTRIES; i++) {
    table[i] = arch_pte_leaf(paddr_add(to, i * arch_mmu_span(level - 1)), flags, level - 1);
  }
  *(volatile arch_pte_t *)slot = arch_pte_table(frame, level);
  t->tables++;
}

/* Changes every leaf of the range; `unmap` empties the entry, else it gets `flags`. */
static void commit_change(struct pagetable *t, vrange_t where, bool unmap, uint32_t flags) {
  unsigned leaves = 0;
  for (vaddr_t va = where.start; va.raw < where.end.raw;) {
    unsigned level;
    arch_pte_t *slot = find_leaf(t, va, &level);
    CHECK(slot != nullptr);
    if (!leaf_is_covered(va, where.end, level)) {
      split(t, slot, level);
      continue;
    }
    *(volatile arch_pte_t *)slot = unmap ? 0 : arch_pte_leaf(arch_pte_address(*slot, level), flags, level);
    if (++leaves <= FLUSH_SINGLE_MAX) arch_tlb_flush_page(va);
    va = leaf_end(va, level);
    if (va.raw == 0) break;
  }
  if (leaves > FLUSH_SINGLE_MAX) arch_tlb_flush_all();
  arch_tlb_flush_others();
}

static status_t change(struct pagetable *t, vrange_t where, bool unmap, uint32_t flags) {
  uint64_t tables;
  status_t s = check_range(where);
  if (s == OK) s = check_flags(flags);
  if (s != OK) return s;
  platform_lock_acquire(&t->lock);
  s = plan_change(t, where, &tables);
  if (s == OK) s = reserve(t, tables);
  if (s == OK) commit_change(t, where, unmap, flags);
  platform_lock_release(&t->lock);
  return s;
}

status_t pagetable_protect(struct pagetable *t, vrange_t where, uint32_t flags) { return change(t, where, false, flags); }
status_t pagetable_unmap(struct pagetable *t, vrange_t where) { return change(t, where, true, 0); }

static status_t split_one(struct pagetable *t, vaddr_t address) REQUIRES(&t->lock) {
  unsigned level;
  arch_pte_t *slot = is_canonical(address) ? find_leaf(t, address, &level) : nullptr;
  if (!slot) return ERR_NOT_FOUND;
  if (level == 0) return ERR_UNSUPPORTED;
  const status_t s = reserve(t, 1);
  if (s != OK) return s;
  split(t, slot, level);
  arch_tlb_flush_page(address);
  arch_tlb_flush_others();
  return OK;
}

status_t pagetable_split(struct pagetable *t, vaddr_t address) {
  platform_lock_acquire(&t->lock);
  const status_t s = split_one(t, address);
  platform_lock_release(&t->lock);
  return s;
}

/* The slot at `level` that points to the table of an address, or NULL. */
static arch_pte_t *find_table(const struct pagetable *t, vaddr_t va, unsigned level) {
  arch_pte_t *table = table_at(t->root);
  for (unsigned l = arch_mmu_levels() - 1;; l--) {
    arch_pte_t *slot = &table[arch_mmu_index(va, l)];
    if (!arch_pte_present(*slot, l) || arch_pte_is_leaf(*slot, l)) return nullptr;
    if (l == level) return slot;
    table = table_at(arch_pte_address(*slot, l));
  }
}

/* Do the leaves of a table of `level`, from `to` on, make one leaf of the level above? */
static bool leaves_fit(const arch_pte_t *table, unsigned level, paddr_t *to, uint32_t *flags) {
  for (unsigned i = 0; i < ARCH_MMU_ENTRIES; i++) {
    const arch_pte_t pte = table[i];
    if (!arch_pte_present(pte, level) || !arch_pte_is_leaf(pte, level)) return false;
    if (i == 0) {
      *to = arch_pte_address(pte, level);
      *flags = arch_pte_flags(pte, level);
    }
    const bool is_next = arch_pte_address(pte, level).raw == to->raw + i * arch_mmu_span(level);
    if (!is_next || arch_pte_flags(pte, level) != *flags) return false;
  }
  return bits_is_aligned(to->raw, arch_mmu_span(level + 1));
}

static status_t join(struct pagetable *t, vaddr_t address, unsigned level) REQUIRES(&t->lock) {
  if (level == 0 || level >= arch_mmu_levels() || !arch_mmu_has_leaf(level)) return ERR_UNSUPPORTED;
  arch_pte_t *slot = is_canonical(address) ? find_table(t, address, level) : nullptr;
  paddr_t to;
  uint32_t flags;
  if (!slot) return ERR_NOT_FOUND;
  const paddr_t frame = arch_pte_address(*slot, level);
  if (!leaves_fit(table_at(frame), level - 1, &to, &flags)) return ERR_NOT_FOUND;
  *(volatile arch_pte_t *)slot = arch_pte_leaf(to, flags, level);
  arch_tlb_flush_all(); /* Small translations that stay would outlive the next change of the large one. */
  arch_tlb_flush_others();
  t->tables -= bits_min(t->tables, 1);
  if (t->source.give)
    t->source.give(t->source.context, frame);
  else
    spare_push(t, frame);
  return OK;
}

status_t pagetable_join(struct pagetable *t, vaddr_t address, unsigned level) {
  platform_lock_acquire(&t->lock);
  const status_t s = join(t, address, level);
  platform_lock_release(&t->lock);
  return s;
}

/* --- look ------------------------------------------------------------------------------------------------------------ */

status_t pagetable_find(const struct pagetable *t, vaddr_t address, struct pagetable_leaf *out) {
  unsigned level;
  if (!is_canonical(address)) return ERR_RANGE;
  const arch_pte_t *slot = find_leaf(t, address, &level);
  if (!slot) return ERR_NOT_FOUND;
  *out = (struct pagetable_leaf){
      .start = vaddr(bits_align_down(address.raw, arch_mmu_span(level))),
      .size = arch_mmu_span(level),
      .to = arch_pte_address(*slot, level),
      .flags = arch_pte_flags(*slot, level),
  };
  return OK;
}

/* The walk's position: at each level from the top the table and the entry that comes next. */
struct walk {
  const arch_pte_t *table[ARCH_MMU_LEVELS_MAX];
  unsigned index[ARCH_MMU_LEVELS_MAX];
  unsigned level;
};

static vaddr_t walk_address(const struct walk *w) {
  const unsigned unused = 64 - arch_mmu_shift(arch_mmu_levels());
  uint64_t va = 0;
  for (unsigned l = w->level; l < arch_mmu_levels(); l++) va |= (uint64_t)w->index[l] << arch_mmu_shift(l);
  return vaddr((uint64_t)((int64_t)(va << unused) >> unused));
}

/* Moves to the next present entry at or behind the position, going up where a table ends; false when there is none. */
static bool walk_settle(struct walk *w, unsigned end_slot) {
  const unsigned top = arch_mmu_levels() - 1;
  for (;;) {
    const unsigned end = w->level == top ? end_slot : ARCH_MMU_ENTRIES;
    if (w->index[w->level] < end) {
      if (arch_pte_present(w->table[w->level][w->index[w->level]], w->level)) return true;
      w->index[w->level]++;
    } else {
      if (w->level == top) return false;
      w->level++;
      w->index[w->level]++;
    }
  }
}

void pagetable_visit(const struct pagetable *t, unsigned first_slot, unsigned end_slot,
                     bool (*leaf)(void *context, const struct pagetable_leaf *leaf), void *context) {
  struct walk w = {.level = arch_mmu_levels() - 1};
  w.table[w.level] = table_at(t->root);
  w.index[w.level] = first_slot;
  while (walk_settle(&w, end_slot)) {
    const arch_pte_t pte = w.table[w.level][w.index[w.level]];
    if (arch_pte_is_leaf(pte, w.level)) {
      const struct pagetable_leaf found = {walk_address(&w), arch_mmu_span(w.level), arch_pte_address(pte, w.level),
                                           arch_pte_flags(pte, w.level)};
      if (!leaf(context, &found)) return;
      w.index[w.level]++;
    } else {
      const paddr_t below = arch_pte_address(pte, w.level);
      w.level--;
      w.table[w.level] = table_at(below);
      w.index[w.level] = 0;
    }
  }
}

uint64_t pagetable_count_tables(const struct pagetable *t, unsigned first_slot, unsigned end_slot) {
  struct walk w = {.level = arch_mmu_levels() - 1};
  w.table[w.level] = table_at(t->root);
  w.index[w.level] = first_slot;
  uint64_t count = 0;
  while (walk_settle(&w, end_slot)) {
    const arch_pte_t pte = w.table[w.level][w.index[w.level]];
    if (arch_pte_is_leaf(pte, w.level)) {
      w.index[w.level]++;
      continue;
    }
    count++;
    const paddr_t below = arch_pte_address(pte, w.level);
    w.level--;
    w.table[w.level] = table_at(below);
    w.index[w.level] = 0;
  }
  return count;
}
