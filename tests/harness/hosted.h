/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/hosted.h — a struct pmm on the host, over any map, without the RAM.
 *
 * The record array is a sparse mapping from frame 0 to the highest frame of RAM: only records that are written cost memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "maps.h"
#include "mm/check.h"
#include "mm/ledger.h"
#include "mm/phys/engine/engine.h"
#include "mm/pmm.h"

#define HOSTED_ADDRESS_SPACE (UINT64_C(1) << 45) /* What a host program can map without running out of addresses. */

/** Memory that costs nothing before it is touched; NULL when there is none.  munmap gives it back. */
void *hosted_map(uint64_t size);
/**
 * Fills memory with garbage, as much of it as a test can afford; a bench leaves it alone.  Nobody clears memory for an
 * allocator: what it has not written it must not read.
 */
void hosted_scribble(void *memory, uint64_t size);

struct hosted {
  struct pmm *pmm;
  const struct boot_region *regions; /* Borrowed. */
  size_t region_count;
  void *metadata, *records;
  uint64_t metadata_size, records_size;
  bool is_mapped;  /* The metadata too is a sparse mapping. */
  status_t status; /* Of pmm_create; pmm is NULL unless it is OK. */
};

/** Builds an instance; ERR_NO_MEMORY in status when the map would need more than 1 GiB of metadata. */
struct hosted hosted_create(const struct boot_region *regions, size_t count, const struct pmm_taken *taken,
                            size_t taken_count);
/** The same with an engine in the place of the tiers; NULL: the tiers. */
struct hosted hosted_create_with(const struct engine *engine, const struct boot_region *regions, size_t count,
                                 const struct pmm_taken *taken, size_t taken_count);
void hosted_destroy(struct hosted *h);

/** Ends the program with a message unless mm_check is content and the ledger balances. */
void hosted_must_be_sound(const struct hosted *h, const char *when);
/** A number that changes when anything in bitmaps, tiers or counts of an instance changes; calls counted apart. */
uint64_t hosted_digest(const struct hosted *h);
/** Gives the memory of records back to the host, for a stretch of frames that are all free. */
void hosted_forget_records(const struct hosted *h, uint64_t first, uint64_t count);

/* A simple map: RAM of so many frames from 1 MiB on. */
struct boot_region hosted_plain_region(uint64_t frames);
