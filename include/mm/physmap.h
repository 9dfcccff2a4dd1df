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

/** Tells where the direct map lies and over which regions.  => boot, once; the list stays the caller's. */
void physmap_init(vaddr_t base, const struct boot_region *regions, size_t count);
/** Pointer to physical memory; ASSERTs nothing: the caller knows that it is RAM (see physmap_covers). */
void *physmap_at(paddr_t address);
/** True when [start, start + size) lies wholly in the direct map. */
bool physmap_covers(paddr_t start, uint64_t size);
/** The physical address behind a pointer into the direct map. */
paddr_t physmap_address_of(const void *pointer);
