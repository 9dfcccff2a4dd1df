/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/map/physmap.c — the direct map, built by the loader, as pointers.
 *
 * Written once at boot, read by everybody afterwards; no lock.  The cache type of single frames may change later:
 * WHY NOT  change it in place: a CPU that still has the old translation would reach the same memory by two types, of which
 *          the one that writes past the caches is not seen by the other.  So: unmap, flush translations, map anew, flush the
 *          caches, in this order (SDM 3A 12.12.4).
 */
#include "mm/physmap.h"

#include "arch/memory.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"

RO_AFTER_INIT static struct {
  uint64_t base;
  const struct boot_region *regions;
  size_t count;
} physmap;

void physmap_init(vaddr_t base, const struct boot_region *regions, size_t count) {
  physmap.base = base.raw;
  physmap.regions = regions;
  physmap.count = count;
}

/* The one place where a physical address becomes a pointer. */
void *physmap_at(paddr_t address) {
  return (void *)(uintptr_t)(physmap.base + address.raw); // NOLINT(performance-no-int-to-ptr)
}

bool physmap_covers(paddr_t start, uint64_t size) {
  uint64_t end;
  if (!bits_add(start.raw, size, &end)) return false;
  uint64_t at = start.raw;
  for (size_t i = 0; i < physmap.count && at < end; i++) {
    const struct boot_region *r = &physmap.regions[i];
    if (!memmap_kind_in_direct_map(r->kind) || r->end <= at) continue;
    if (r->start > at) return false;
    at = r->end;
  }
  return at >= end && size > 0;
}

paddr_t physmap_address_of(const void *pointer) { return paddr((uint64_t)(uintptr_t)pointer - physmap.base); }

#define CACHE_FLAGS (PAGE_WRITE_COMBINING | PAGE_UNCACHED)

/* The flags that all leaves of a range have, but for the cache type; ERR_RANGE when they differ or one is missing. */
static status_t common_flags(const struct pagetable *t, vrange_t where, uint32_t *flags) {
  struct pagetable_leaf leaf;
  bool is_first = true;
  for (uint64_t at = where.start.raw; at < where.end.raw; at = leaf.start.raw + leaf.size) {
    if (pagetable_find(t, vaddr(at), &leaf) != OK) return ERR_RANGE;
    if (!is_first && (leaf.flags & ~CACHE_FLAGS) != *flags) return ERR_RANGE;
    *flags = leaf.flags & ~CACHE_FLAGS;
    is_first = false;
  }
  return OK;
}

/* Tables that a change of type has split, made whole again: first those of 4 KiB leaves, then those of 2 MiB leaves. */
static void join(struct pagetable *t, vrange_t where) {
  for (unsigned level = 1; level <= 2; level++) {
    const uint64_t span = arch_mmu_span(level);
    for (uint64_t at = bits_align_down(where.start.raw, span); at < where.end.raw; at += span) {
      (void)pagetable_join(t, vaddr(at), level); /* What cannot be joined stays as it is. */
    }
  }
}

status_t physmap_set_cache(struct pagetable *t, paddr_t start, uint64_t size, uint32_t flags) {
  const uint64_t at = physmap.base + start.raw;
  uint32_t common = 0;
  if (flags != 0 && flags != PAGE_WRITE_COMBINING) return ERR_INVALID;
  if (!bits_is_aligned(start.raw | size, FRAME_SIZE) || !physmap_covers(start, size)) return ERR_RANGE;
  const vrange_t where = vrange(at, at + size);
  status_t s = common_flags(t, where, &common);
  if (s == OK) s = pagetable_unmap(t, where);
  if (s != OK) return s;
  s = pagetable_map(t, where, start, common | flags); /* Into the slots that have just become empty: no table is missing. */
  CHECK(s == OK);
  arch_memory_flush(physmap_at(start), size);
  if (flags == 0) join(t, where);
  return OK;
}
