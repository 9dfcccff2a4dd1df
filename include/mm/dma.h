/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/dma.h — memory that a device may touch: within what the device can reach, and nobody else's until it is done.
 *
 * A struct dma_device stands for one device (or one function of it).  Everything it was ever given is known by it: a run is
 * live, then in quarantine, then gone.  Cost: one frame for each device, whatever it holds.  "DMA buffers" are had here or
 * in a pool of mm/contig_pool.h, and in no other way: mm_check holds the ledger against their tables.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/nodes.h"

/* What a device can do.  Bytes; zeros mean no limit.  Powers of two: align, boundary. */
struct dma_limits {
  uint64_t align;       /* A segment starts at a multiple of it; frames make it 4 KiB at least. */
  uint64_t boundary;    /* A segment does not cross a multiple of it. */
  uint64_t segment_max; /* A segment is no longer than this. */
  uint32_t segment_count_max;
  uint32_t address_bits; /* It drives this many address lines: all of a segment lies below 2^address_bits. */
};

/* How the CPU reaches it. */
enum dma_memory {
  DMA_COHERENT,       /* Write-back: caches hold it and the device snoops them. */
  DMA_WRITE_COMBINING /* Past the caches, in whole lines: to be written from front to back, and slow to read. */
};

/* Memory in one piece, as the device and as the CPU see it.  `size` may end within a frame; the rest of that is unused. */
struct dma_segment {
  paddr_t device;
  void *cpu; /* In the direct map. */
  uint64_t size;
};

#define DMA_RUNS_MAX 480                              /* Segments of one device, live and in quarantine together. */
#define DMA_SIZE_MAX (UINT64_C(2097151) * FRAME_SIZE) /* Of one segment. */

struct dma_device;

struct dma_stats {
  uint64_t live_frames, live_runs;
  uint64_t quarantined_frames, quarantined_runs;
};

/**
 * Makes the account of a device.  `name` is kept by pointer and shows in messages.
 *   => any CPU; never sleeps.
 * Returns OK; ERR_INVALID (limits that no memory can meet: address_bits over 64 or below 12, no powers of two);
 * ERR_NO_MEMORY.
 */
status_t dma_device_create(struct nodes *n, const char *name, const struct dma_limits *limits, struct dma_device **out);
/** ERR_BUSY while the device holds anything, live or in quarantine. */
status_t dma_device_destroy(struct dma_device *d);

/**
 * Allocates `size` bytes in one segment, zeroed, pinned, charged to "DMA buffers".
 *
 * Write-combining memory has no other mapping and no line in any cache, from here until dma_fence gives it back; the driver
 * orders its stores before it tells the device (a fence, or an uncached store to a register).
 *   => any CPU, no lock held; zeroing, searching and changing the type are done outside every lock.
 * Returns OK; ERR_INVALID (size 0, over segment_max, boundary, DMA_SIZE_MAX or what address_bits reach: no machine could; no
 * such kind of memory);
 * ERR_RANGE (never: this machine has no such memory); ERR_NO_MEMORY (not now; or no tables to split a large page of the
 * direct map); ERR_FULL (DMA_RUNS_MAX); ERR_UNSUPPORTED (no write-combining on this machine).  On failure nothing has
 * changed.
 */
status_t dma_alloc(struct dma_device *d, uint64_t size, enum dma_memory memory, struct dma_segment *out);

/**
 * Allocates `size` bytes in as few segments as memory has for it, at most `room`; each within the limits, all of them whole
 * frames but the last.  Zeroed.  *count says how many.
 *   => as dma_alloc; one search for each segment, and for one that cannot be had whole the logarithm of its length more.
 * Returns as dma_alloc, ERR_RANGE before anything is taken; ERR_INVALID also when size is over segment_max times the
 * segments allowed, or segments are shorter than a frame, so that none but the last could be whole; ERR_NO_MEMORY also when
 * memory is there, but in too many pieces. On failure all is given back and nothing has changed but what stands in `list`.
 */
status_t dma_alloc_scatter(struct dma_device *d, uint64_t size, enum dma_memory memory, struct dma_segment *list,
                           size_t room, size_t *count);

/**
 * Puts a segment into quarantine: it stays the device's, in the ledger too, until dma_fence.  What the CPU sees of it must
 * not be used any more.
 * Returns OK; ERR_STATE (it is in quarantine already: freed twice); ERR_OWNER (this device never had it, or not so long).
 */
status_t dma_free(struct dma_device *d, const struct dma_segment *s);
/** dma_free for a list, all or nothing. */
status_t dma_free_scatter(struct dma_device *d, const struct dma_segment *list, size_t count);

/**
 * The driver's word that the device has finished, or was stopped from, all work that it was given before this call: what is
 * in quarantine becomes write-back where it was not, and goes back to the allocator.  Returns the frames that did.
 *   => as dma_alloc.
 */
uint64_t dma_fence(struct dma_device *d);

void dma_stats_read(struct dma_device *d, struct dma_stats *out);

/** Tests only: from now on address_bits is ignored, so that the proof that it is kept can be seen to fail. */
void dma_break_mask(void);
