/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/early.h — memory before the allocator is: a bump over the map's usable regions that retires into pmm_create.
 *
 * Takes from the top of the largest usable region first and moves to the next largest when that is used up; what it has
 * handed out becomes the `taken` list of pmm_create, so nothing is lost between the two.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/pmm.h"

#define EARLY_TAKEN_MAX 64

struct early {
  const struct boot_region *regions;
  size_t region_count;
  uint64_t low, high;     /* Physical: what is left of the current region; both 0 when there is none. */
  size_t current;         /* Region that serves now. */
  bool has_boot_services; /* Boot services' memory serves too. */
  const prange_t *broken; /* Memory to be left alone. */
  size_t broken_count;
  bool has_strayed; /* It could not be, once: what was taken is no longer all above `high`. */
  struct pmm_taken taken[EARLY_TAKEN_MAX];
  size_t taken_count;
};

/** Begins with everything usable and nothing taken; `regions`, a canonical map, must stay. */
void early_init(struct early *e, const struct boot_region *regions, size_t region_count);
/**
 * Says which memory is broken: it serves only when nothing else would.  Ranges of bytes in any order, which may overlap, be
 * empty and lie anywhere; they must stay.
 *   => boot, one CPU, once, before anything is taken.
 */
void early_avoid(struct early *e, const prange_t *ranges, size_t count);
/**
 * From now on what boot services had serves too, after all usable memory: nothing in there is needed any more.
 *   => boot, one CPU.
 */
void early_add_boot_services(struct early *e);
/**
 * Takes `size` bytes (rounded up to frames), physically contiguous, aligned to `align` (a power of two, at least 4 KiB).
 * The memory is not zeroed.  Neighbouring takings of one owner become one entry of `taken`.
 *   => boot, one CPU.
 * Returns OK; ERR_NO_MEMORY (no region has room, or `taken` is full); ERR_INVALID (size 0, or such an alignment).
 */
status_t early_alloc(struct early *e, enum frame_owner owner, uint64_t size, uint64_t align, paddr_t *out);
