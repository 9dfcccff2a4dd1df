/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/records.h — where the frames' records lie, and which pages that takes.
 *
 * Two arrays by frame number (mm/frame.h), one behind the other, as long as the highest frame of RAM asks for; memory is
 * behind them only where the map has RAM, so that holes cost nothing.  It need not be cleared: nobody reads what he has not
 * written, so that starting a machine costs as much as is not free in it, however much RAM there is.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"
#include "mm/pmm.h"

/* Where the records of a map are, and how much may be spent on having them in large pages. */
struct records_plan {
  struct frame_records records;
  const struct boot_region *regions; /* The map, borrowed. */
  size_t count;
  uint64_t spare; /* Bytes of pages that may hold no record: a 64th of what the records take. */
};
/** The records of a map, from the address `base` on, a multiple of 2 MiB.  => pure. */
struct records_plan records_plan(void *base, const struct boot_region *regions, size_t count);

/* Whole pages that need memory: [start, end) by address, of 4 KiB or of 2 MiB each. */
struct records_piece {
  uint64_t start, end;
  uint64_t page; /* FRAME_SIZE or FRAME_2M_SIZE. */
};
/**
 * Visits the pieces in order of address; none touches another of the same page size.  Large pages where all of one is
 * needed (one holds the hot bytes of 8 GiB of RAM), or nearly all: as far as the plan's `spare` lasts.
 *   => pure.
 */
void records_each_piece(const struct records_plan *plan, void (*visit)(void *context, const struct records_piece *piece),
                        void *context);
