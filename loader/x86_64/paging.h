/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/paging.h — the first page tables of the kernel.
 *
 * What is mapped, and how (all of the upper half is global, nothing is both writable and executable):
 *   window IMAGE        the runs of the image plan, each with its own permission
 *   window DIRECT_MAP   RAM of the kinds of memmap_kind_in_direct_map, at base + physical address; writable, but read-only
 *                       where the image is not writable and where ACPI tables lie; never executable
 *   window STACKS       the boot stack, one page after the window's base: the pages before and after it stay unmapped
 *   window HANDOFF      the handoff block, read-only
 *   window FRAMEBUFFER  video memory, write-combining, at base + physical address % 2 MiB
 *   lower half          one page, identity-mapped, executable and not writable: the jump.  The kernel drops it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "boot/handoff.h"
#include "loader/image.h"

struct paging_request {
  uint32_t levels;                   /* 4 or 5. */
  bool has_gib_pages;                /* The CPU takes 1 GiB leaves. */
  const struct boot_region *regions; /* Canonical. */
  size_t region_count;
  const struct boot_window *windows; /* BOOT_WINDOW_COUNT of them. */
  const struct image_run *runs;      /* Of the image plan. */
  size_t run_count;
  uint64_t image_physical;
  uint64_t stack_physical;
  uint64_t stack_size;
  uint64_t handoff_physical;
  uint64_t handoff_size;
  uint64_t framebuffer;      /* Physical; any alignment. */
  uint64_t framebuffer_size; /* Bytes; 0 for none. */
  uint64_t jump_page;        /* Physical and, identity-mapped, virtual; in the lower half. */
};

/* Frames in a row that become page tables: `memory` is where this program sees the physical address `physical`. */
struct paging_pool {
  void *memory;
  uint64_t physical;
  uint64_t frames; /* There are. */
  uint64_t used;   /* Taken from the front. */
};

/**
 * Frames that paging_build will need at most.  The bound is loose only where two windows share a table.
 *   => pure; O(regions + tables), nothing is written.
 */
uint64_t paging_frames_max(const struct paging_request *request);

/**
 * Builds the tables in an unused pool (used 0), zeroing no more than the frames it takes.
 *   => pure.
 * Returns OK with *root, the physical address of the top table; ERR_INVALID (levels), ERR_UNALIGNED (a base or size that
 * must be in whole pages), ERR_RANGE (an address outside the half it belongs to), ERR_OVERLAP (two mappings share a page),
 * ERR_NO_MEMORY (the pool is too small); after a failure the pool counts as unused.
 */
status_t paging_build(const struct paging_request *request, struct paging_pool *pool, uint64_t *root);
