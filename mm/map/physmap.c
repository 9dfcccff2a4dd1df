/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/map/physmap.c — the direct map, built by the loader, as pointers.
 *
 * Written once at boot, read by everybody afterwards; no lock.
 */
#include "mm/physmap.h"

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
