/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/map_oracle.h — what there is to be had of a map, found out from its descriptors in the simplest way.
 *
 * Nothing of lib/memmap.c nor of mm is used: their contracts are written down anew.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "maps.h"
#include "mm/pmm.h"

/** The regions that lib/memmap.h promises, at most memmap_regions_max of them; returns how many. */
size_t map_oracle_regions(const struct map *m, const struct memmap_claim *claims, size_t claim_count,
                          struct boot_region *out);
/** Descriptors that share a frame with another, by looking at every pair. */
uint32_t map_oracle_overlapping(const struct map *m);

/* The runs of frames that may be handed out, as long as they reach, by address. */
struct map_free {
  struct map_free_run {
    uint64_t first, end; /* Frame numbers. */
  } *runs;
  size_t count;
  uint64_t frames; /* In all. */
};
struct map_free map_free_of(const struct map *m);
void map_free_end(struct map_free *f);
/** The highest place below `below` where so many frames fit; false when there is none.  => limits that make sense. */
bool map_free_highest(const struct map_free *f, uint64_t count, const struct frame_limits *w, uint64_t below,
                      uint64_t *first);
/** How many such runs there are side by side, packed from the top; no more than `most` are counted. */
uint64_t map_free_count(const struct map_free *f, uint64_t count, const struct frame_limits *w, uint64_t most);
/** The longest run that fits; 0 for none. */
uint64_t map_free_longest(const struct map_free *f, const struct frame_limits *w);
