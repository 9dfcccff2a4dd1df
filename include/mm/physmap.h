/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/physmap.h — the direct map: RAM at a fixed distance from its physical address.
 *
 * Covers exactly the kinds of memmap_kind_in_direct_map(): no device memory, no holes, nothing of the firmware's runtime.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "boot/handoff.h"
#include "mm/pagetable.h"

/** Tells where the direct map lies and over which regions.  => boot, once; the list stays the caller's. */
void physmap_init(vaddr_t base, const struct boot_region *regions, size_t count);
/** Pointer to physical memory; ASSERTs nothing: the caller knows that it is RAM (see physmap_covers). */
void *physmap_at(paddr_t address);
/** True when [start, start + size) lies wholly in the direct map. */
bool physmap_covers(paddr_t start, uint64_t size);
/** The physical address behind a pointer into the direct map. */
paddr_t physmap_address_of(const void *pointer);

/**
 * Gives whole frames of the direct map another cache type: PAGE_WRITE_COMBINING, or 0 for write-back.  On the way they are
 * mapped nowhere, so that no CPU sees two types of one frame; what caches had of them is written back.
 *   => nobody else touches these frames or changes `t`.
 * Returns OK; ERR_RANGE (not all of it in the direct map, or no whole frames); ERR_INVALID (another flag); ERR_NO_MEMORY (a
 * large leaf has to be split and there is no table for it).  On failure nothing has changed.  What was changed as one range
 * is changed back without a table; large leaves are then made whole again where they can be.
 */
status_t physmap_set_cache(struct pagetable *t, paddr_t start, uint64_t size, uint32_t flags);
