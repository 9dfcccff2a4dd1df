/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/memmap.h — from a firmware memory map to regions that one can build on.
 *
 * The loader canonicalises the firmware's map for the handoff; scripts/memmap and the tests run the same code on the host.
 * It stands in lib/ because both sides of the handoff need it (docs/decisions/0001-memmap-in-lib.md).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "boot/handoff.h"

/* One EFI_MEMORY_DESCRIPTOR, version 1 (UEFI 2.10, 7.2.3); the firmware's stride may be larger. */
struct memmap_descriptor {
  uint32_t type;
  uint32_t padding;
  uint64_t physical_start;
  uint64_t virtual_start;
  uint64_t pages;
  uint64_t attributes;
};
static_assert(sizeof(struct memmap_descriptor) == 40);

/* A range of ours laid over the firmware's map: what the loader allocated and for what. */
struct memmap_claim {
  uint64_t start; /* Physical, multiple of 4 KiB. */
  uint64_t end;   /* Not included. */
  uint32_t kind;  /* enum boot_memory_kind: HANDOFF, BOOT_STACK, PAGE_TABLES, KERNEL, TRAMPOLINE. */
  uint32_t reserved;
};

/* What was wrong with the map; every count is a number of descriptors. */
struct memmap_report {
  uint32_t descriptors;
  uint32_t empty;          /* Zero pages: dropped. */
  uint32_t wrapping;       /* Runs past 2^52 or past 2^64: cut at 2^52; dropped when it starts there or would be RAM. */
  uint32_t unaligned;      /* Start not a multiple of 4 KiB: general kinds shrink inwards, others grow outwards. */
  uint32_t overlapping;    /* Shares a frame with another descriptor. */
  uint32_t unsorted;       /* Starts below its predecessor. */
  uint32_t unknown_type;   /* A type the specification does not name: treated as reserved. */
  uint32_t claims_outside; /* Claims that do not lie wholly in loader memory: kept, they win. */
};

/* Physical addresses end here on every x86_64 (SDM 3A 4.1.4: at most 52 bits). */
#define MEMMAP_ADDRESS_END (UINT64_C(1) << 52)

/** Upper bound for the regions that so many descriptors and claims can make. */
size_t memmap_regions_max(size_t descriptor_count, size_t claim_count);

/** Bytes of scratch memory, 8-byte aligned, that memmap_canonicalise needs. */
size_t memmap_scratch_size(size_t descriptor_count, size_t claim_count);

/**
 * Makes a sorted, disjoint, maximal list of regions out of any list of descriptors, in O(n log n).
 *
 * Where descriptors overlap, the most restrictive kind wins frame by frame (the largest enum boot_memory_kind; of one kind
 * the descriptor listed first).  Neighbours become one region when kind, firmware type and attributes are the same.
 * General memory (see memmap_kind_is_general) becomes
 *   - LOW below 1 MiB, page 0 with it: firmware writes there;
 *   - RUNTIME_DATA with EFI_MEMORY_RUNTIME in its attributes: the firmware says that it needs it after boot;
 *   - RESERVED without EFI_MEMORY_WB in its attributes, unless no descriptor of the map has that bit (maps of some virtual
 *     machines carry no attributes at all).  EFI_MEMORY_SP, _RO and _XP change nothing.
 * RAM that runs past 2^52 or 2^64 is no RAM: one such descriptor would make petabytes of it.  Other kinds are cut there.
 * Claims are laid over all that and win against every kind, for the loader has used the memory; where two claims overlap,
 * the larger kind wins.  A claimed region keeps type and attributes of the firmware's descriptor (EfiLoaderData and 0 where
 * there is none).
 *   => pure; allocates nothing; `regions` and `scratch` are the caller's, and their contents are lost on failure.
 * Returns OK; ERR_INVALID (stride below 40 or not a multiple of 8, bytes not a multiple of stride, a claim that is empty,
 * unaligned, above 2^52 or of another kind than those of struct memmap_claim); ERR_FULL (capacity too small; never with
 * memmap_regions_max); ERR_NOT_FOUND (no region of kind USABLE; regions, *region_count and *report are filled all the same).
 */
status_t memmap_canonicalise(const void *descriptors, size_t bytes, size_t stride, const struct memmap_claim *claims,
                             size_t claim_count, struct boot_region *regions, size_t capacity, void *scratch,
                             size_t *region_count, struct memmap_report *report);

/**
 * Checks that a list is canonical: sorted, disjoint, whole frames, known kinds, maximal, nothing general below 1 MiB.  The
 * kernel asks before it uses one.  Returns OK, or ERR_CORRUPT with *bad_index naming the first region that is wrong.
 */
status_t memmap_check(const struct boot_region *regions, size_t count, size_t *bad_index);

/** Kind a firmware type maps to before claims and the low-memory rule. */
enum boot_memory_kind memmap_kind_of_type(uint32_t firmware_type);
const char *memmap_kind_name(uint32_t kind); /* "usable"; "?" for an unknown one. */
char memmap_kind_mark(uint32_t kind);        /* '.'; '?' for an unknown one. */
bool memmap_kind_is_ram(uint32_t kind);      /* Counted by the ledger. */
bool memmap_kind_is_general(uint32_t kind);  /* The kernel may hand it out (USE or RECLAIM). */
bool memmap_kind_in_direct_map(
    uint32_t kind); /* Mapped by the direct map: RAM but for runtime, unaccepted and bad memory. */
const char *memmap_type_name(uint32_t firmware_type); /* "EfiConventionalMemory". */
