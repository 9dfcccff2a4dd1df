/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/bad.h — RAM that turns out to be broken while the machine runs leaves service, whoever has it.
 *
 *     free, or in the stock of zeroed frames ──► out of service at once
 *     used, movable, and its owner lets go   ──► its bytes move, then it is out of service
 *     used otherwise                         ──► condemned: its owner is told, and when that gives it back it is BAD and
 *                                                was not FREE for a moment
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/contig.h"
#include "mm/frame.h"

struct nodes;

#define NODES_CONDEMNED_MAX 64 /* Ranges at one time. */

/* Frames that follow each other. */
struct bad_range {
  uint64_t start, end; /* Frame numbers. */
};

enum bad_outcome {
  BAD_RETIRED,  /* It was free: out of service. */
  BAD_MOVED,    /* Its owner has another frame now, with the same bytes: out of service. */
  BAD_CONDEMNED /* In use: out of service when it is freed. */
};

/**
 * Reports a frame as broken.  `contig` is where the owners' movers are registered, of all nodes or of any (what the frame's
 * node has no room for goes to another all the same); NULL: nothing moves.
 *   => any CPU, no lock held.
 * Returns OK with *outcome; ERR_RANGE (no frame of ours: not RAM, or kept for the firmware); ERR_EXISTS (it is out of
 * service, or condemned, already); ERR_FULL (NODES_CONDEMNED_MAX ranges of frames are condemned).
 */
status_t bad_report(struct nodes *n, struct contig *contig, pfn_t frame, enum bad_outcome *outcome);

/**
 * Who is told when a frame of this owner is condemned: fn(context, owner, frame), with no lock held.  NULL takes it back.
 *   => boot, or the owner's beginning.  Returns OK; ERR_INVALID (not one of our owners); ERR_EXISTS (somebody is told
 * already).
 */
status_t bad_listen(struct nodes *n, enum frame_owner owner, void (*fn)(void *context, enum frame_owner owner, pfn_t frame),
                    void *context);

/**
 * Condemns frames that are in use, without a word to anybody: for boot, which says it itself and better.
 *   => boot; the frames are allocated.   Returns OK, also for those that were condemned already; ERR_FULL: none of them is.
 */
status_t bad_condemn(struct nodes *n, pfn_t first, uint64_t count);

/** How many condemned frames are still in use. */
uint64_t bad_condemned(struct nodes *n);
/** Where they are, in no order: copies at most `room` ranges, returns how many there are. */
size_t bad_ranges(struct nodes *n, struct bad_range *ranges, size_t room);
