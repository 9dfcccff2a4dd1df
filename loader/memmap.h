/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/memmap.h — the firmware's map, taken as often as it takes to leave.
 *
 * The canonicaliser itself is lib/memmap.h; here are its working memory and ExitBootServices.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "boot/handoff.h"
#include "efi/memory.h"
#include "lib/memmap.h"

#define MEMMAP_EXIT_TRIES 128 /* Of ExitBootServices.  Firmware is known that needs several; one try in two is a myth. */

/* Ranges that are no RAM whatever the map says; empty for none. */
enum { MEMMAP_HOLE_FRAMEBUFFER, MEMMAP_HOLE_BEYOND, MEMMAP_HOLE_COUNT };

struct memmap {
  struct efi_memory_map raw; /* As taken last. */
  struct memmap_hole {
    uint64_t start, end;
  } holes[MEMMAP_HOLE_COUNT];
  void *scratch; /* Of the canonicaliser. */
  size_t scratch_size;
  bool scratch_is_from_pool;
  struct memmap_report report;
};

/** Begins with buffers of our own, which are large enough for most machines: an allocation costs 10,000 instructions. */
void memmap_init(struct memmap *m);

/** Takes the map.  Returns OK or what efi_memory_get_map says. */
status_t memmap_capture(struct memmap *m);

/** Upper bound for the regions that the map as it is now and so many claims make. */
size_t memmap_capacity(const struct memmap *m, size_t claim_count);

/**
 * Canonicalises the map taken last.  Needs scratch memory from memmap_reserve.
 * Returns what memmap_canonicalise says.
 */
status_t memmap_build(struct memmap *m, const struct memmap_claim *claims, size_t claim_count, struct boot_region *regions,
                      size_t capacity, size_t *region_count);

/**
 * Makes sure that there is scratch memory for the map taken last and some more descriptors; *has_allocated says that it took
 * a memory service to do so, which makes the map's key stale.  Returns OK or ERR_NO_MEMORY.
 */
status_t memmap_reserve(struct memmap *m, size_t claim_count, bool *has_allocated);

/**
 * Called with each map before the firmware is left: everything that depends on the map is made here.  *is_stale true means
 * that memory services were used, so that the map must be taken again.  A failure ends the attempt to leave.
 */
typedef status_t (*memmap_prepare_t)(void *context, bool *is_stale);

/**
 * Leaves boot services: map, prepare, ExitBootServices, and again while the firmware says that the map has changed.
 * *tries counts the calls of ExitBootServices.  From the first failed one on only memory services are used.
 * Returns OK (the machine is ours), ERR_TIMEOUT (the firmware refused MEMMAP_EXIT_TRIES times), or what prepare said.
 */
status_t memmap_leave(struct memmap *m, memmap_prepare_t prepare, void *context, uint32_t *tries);
