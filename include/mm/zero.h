/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/zero.h — no old byte is ever seen by a new owner: memory is cleared outside every lock, and some of it in advance.
 *
 * A struct zero_stock stands beside a struct pmm and holds frames that are zeros already, charged to "zeroed stock".  Those
 * frames are available: whoever is about to report that memory is exhausted calls zero_reclaim first and looks again.
 *
 *     wants zeros:   zero_take ──► OK: done, nothing to clear
 *                       └──► ERR_NOT_FOUND: pmm_alloc_*, then zero_clear
 *     exhausted:     zero_reclaim ──► frames: look again;  0: report it
 *     is idle:       zero_step until it says that there is nothing to do
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/pmm.h"

#define ZERO_STOCK_FRAMES_MAX 384
#define ZERO_STOCK_BLOCKS_MAX 64 /* Of 2 MiB. */
#define ZERO_STEP_BYTES       UINT64_C(65536)

struct zero_stock;

/**
 * Makes an empty stock that will hold up to `bytes` (cut to what the two limits above allow; a quarter of it is single
 * frames, the rest 2 MiB frames) and never more than a sixteenth of RAM.  Costs one frame.
 *   => any CPU; never sleeps.   Returns OK, ERR_NO_MEMORY.
 */
status_t zero_stock_create(struct pmm *p, uint64_t bytes, struct zero_stock **out);
/** Gives everything back, the stock too.  => nobody else uses it any more. */
void zero_stock_destroy(struct zero_stock *z);

/**
 * Takes a frame (count 1), or a 2 MiB frame (count 512, alignment 512), that is zeros; `where` NULL or without any limit
 * that could be missed.
 *   => any CPU; never sleeps; constant time; clears nothing.
 * Returns OK: it is the owner's, as if pmm_alloc_run had given it; ERR_NOT_FOUND: the stock cannot serve this.
 */
status_t zero_take(struct zero_stock *z, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                   pfn_t *first);

/** Clears frames, outside every lock.  => the caller has them to itself. */
void zero_clear(pfn_t first, uint64_t count);

/** zero_take, or pmm_alloc_run and zero_clear, with the stock called in before ERR_NO_MEMORY.  Statuses of pmm_alloc_run. */
status_t zero_alloc_run(struct zero_stock *z, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                        pfn_t *first);

/**
 * Frees a run after it was cleared (zero=free): from judging to freeing it is "zeroed stock", so a refused free has cleared
 * nothing, and nobody gets it half-cleared.
 *   => any CPU; never sleeps; costs clearing.   Statuses of pmm_free_run.
 */
status_t zero_free_run(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count);

/**
 * One step of filling the stock: takes and clears at most ZERO_STEP_BYTES.  Stays away from memory that is getting scarce.
 *   => an idle CPU, interrupts on.
 * True when it did something and there may be more; false when the stock is full, memory is scarce, or another CPU is at it.
 */
bool zero_step(struct zero_stock *z);
/** Whether a step may find something to do; a word that is looked at without a lock, so it may be old by a moment.
 *   => any context, an interrupt's handler too. */
bool zero_wants(const struct zero_stock *z);

/** No step begins from zero_pause on until zero_resume, for as many as have paused it: who called the stock in asks again
 * before an idle CPU takes the same frames once more.  => any CPU. */
void zero_pause(struct zero_stock *z);
void zero_resume(struct zero_stock *z);

/** Gives the whole stock back to the allocator.  => any CPU; never sleeps.  Returns the frames that became free. */
uint64_t zero_reclaim(struct zero_stock *z);
/** All the frames that it has given back; no fewer than when zero_reclaim has found nothing.  => any context. */
uint64_t zero_reclaimed_ever(const struct zero_stock *z);

/** From now on what is free is zeros (zero=free): clears all memory that is free.  => boot, one CPU, nothing allocates.
 * Returns the frames. */
uint64_t zero_clear_all_free(struct pmm *p);
/** What is free being zeros, clears frames before they are freed past zero_free_run, or change hands.  => they are the
 * caller's. */
void zero_leave(const struct pmm *p, pfn_t first, uint64_t count);

struct zero_stats {
  uint64_t frames, blocks;         /* In stock: 4 KiB, 2 MiB. */
  uint64_t frames_max, blocks_max; /* When it is full. */
  uint64_t hits, misses;           /* zero_take: served, not served. */
  uint64_t filled, reclaimed;      /* Frames of 4 KiB that ever came in, and that were called in. */
};
void zero_stats_read(struct zero_stock *z, struct zero_stats *out);
