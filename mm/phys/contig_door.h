/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_door.h — how contig takes frames and gives them back, of one allocator or of several.
 */
#pragma once

#include "mm/phys/window.h"

/** Exactly these frames, for GATHERED; on failure none.  Statuses of pmm_alloc_run. */
status_t contig_door_take(struct contig *c, uint64_t first, uint64_t count);
/** One frame within limits, or one anywhere but best in the node of `near`, for GATHERED.  OK, ERR_NO_MEMORY. */
status_t contig_door_take_within(struct contig *c, const struct frame_limits *where, uint64_t *frame);
status_t contig_door_take_near(struct contig *c, uint64_t near, uint64_t *frame);
/** A run as it is, for an owner.  Statuses of pmm_alloc_run. */
status_t contig_door_find(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                          pfn_t *first);
/** All of them GATHERED, they become the owner's. */
void contig_door_deliver(struct contig *c, uint64_t first, uint64_t count, enum frame_owner owner);
/** Frees what is the owner's for certain; what is condemned goes out of service. */
void contig_door_free(struct contig *c, enum frame_owner owner, uint64_t first, uint64_t count);
/** zero_leave. */
void contig_door_leave(struct contig *c, uint64_t first, uint64_t count);
/** pmm_drain, and the stocks of zeros called in: what is as good as free is free then. */
void contig_door_drain(struct contig *c);
