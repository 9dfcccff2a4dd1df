/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/contig_pool.h — pools whose allocations cannot fail while their client keeps its promise.
 *
 * The promise is how many frames are live at most, and how long the longest block is.  From it follows, by a theorem, how
 * many frames must be set aside so that no order of allocations and frees can ever fragment them too much.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/contig.h"

enum contig_pool_sizes {
  CONTIG_POOL_POWERS, /* Blocks are powers of two frames long: about half as dear. */
  CONTIG_POOL_ANY,    /* Of any length. */
};

/* Frames. */
struct contig_pool_promise {
  uint64_t max_live;  /* Sum of all blocks live at the same time. */
  uint64_t max_block; /* Length of one. */
  enum contig_pool_sizes sizes;
};

#define CONTIG_POOL_LIVE_MAX (UINT64_C(1) << 34) /* 64 TiB. */

struct contig_pool;

/**
 * Frames that a pool reserves for a promise: what Robson's bound asks for; 0 for a promise that makes no sense (0, max_block
 * over max_live, max_block no power of two where sizes are, over CONTIG_POOL_LIVE_MAX).
 *   => pure.
 */
uint64_t contig_pool_cost(const struct contig_pool_promise *promise);

/**
 * Sets a pool aside, all of it charged to `owner`; blocks of 2^k frames and less lie at multiples of 2^k.
 *
 * `where` limits where it lies (NULL: anywhere), `moves_max` what may be moved in all to make room for it, as in
 * contig_alloc.  On failure all frames are whose they were, though some may have moved.
 * Returns OK; ERR_INVALID (the promise makes no sense, or as contig_alloc); other statuses of contig_alloc: the promise
 * cannot be backed now.
 */
status_t contig_pool_create(struct contig *c, enum frame_owner owner, const struct contig_pool_promise *promise,
                            const struct frame_limits *where, uint64_t moves_max, struct contig_pool **out);
/** Gives everything back; frames that mm/bad.h has condemned leave service then, and not before: to lend one less would
 * break the promise, so until then a client may be given one.  ERR_BUSY while a block is live. */
status_t contig_pool_destroy(struct contig_pool *pool);

/**
 * A block of `count` frames.
 *   => any CPU; never sleeps.   => a word for each 64 frames of the pool.
 * Returns OK; ERR_DENIED (admission: the client would break its promise); ERR_INVALID (count 0, or no power of two where
 * sizes are).  Nothing else: there is no ERR_NO_MEMORY.
 */
status_t contig_pool_alloc(struct contig_pool *pool, uint64_t count, pfn_t *first);
/** Gives a block back, whole.  ERR_RANGE (not of this pool), ERR_STATE (no block begins there), ERR_INVALID (not as long).
 */
status_t contig_pool_free(struct contig_pool *pool, pfn_t first, uint64_t count);

struct contig_pool_stats {
  uint64_t reserved;     /* Frames set aside. */
  uint64_t live, blocks; /* Now. */
  uint64_t highest;      /* The end of the highest block that ever was, from the pool's start: at most `reserved`. */
  uint64_t denied;       /* Requests that would have broken the promise. */
};
void contig_pool_stats_read(struct contig_pool *pool, struct contig_pool_stats *out);
