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

/** The records of a map, from the address `base` on.  => pure. */
struct frame_records records_at(void *base, const struct boot_region *regions, size_t count);

/* Whole pages that need memory: [start, end) by address, of 4 KiB or of 2 MiB each. */
struct records_piece {
  uint64_t start, end;
  uint64_t page; /* FRAME_SIZE or FRAME_2M_SIZE. */
};
/**
 * Visits the pieces in order of address; none touches another of the same page size.  Large pages where all of one is
 * needed (one holds the hot bytes of 8 GiB of RAM).
 *   => pure.
 */
void records_each_piece(const struct boot_region *regions, size_t count, struct frame_records records,
                        void (*visit)(void *context, const struct records_piece *piece), void *context);
