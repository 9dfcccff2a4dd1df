/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/bad.h — RAM that turns out to be broken while the machine runs leaves service, whoever has it.
 *
 *     free, or in the stock of zeroed frames ──► out of service at once
 *     used, movable, and its owner lets go   ──► its bytes move, then it is out of service
 *     used otherwise                         ──► condemned: its owner is told, and when that gives it back it is BAD, not
 * FREE
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/contig.h"
#include "mm/frame.h"

struct nodes;

#define NODES_CONDEMNED_MAX 64 /* At one time. */

enum bad_outcome {
  BAD_RETIRED,  /* It was free: out of service. */
  BAD_MOVED,    /* Its owner has another frame now, with the same bytes: out of service. */
  BAD_CONDEMNED /* In use: out of service when it is freed. */
};

/**
 * Reports a frame as broken.  `contig` is where the owners' movers are registered, of the frame's node; NULL: nothing moves.
 *   => any CPU, no lock held.
 * Returns OK with *outcome; ERR_RANGE (no frame of ours: not RAM, or kept for the firmware); ERR_EXISTS (it is out of
 * service, or condemned, already); ERR_FULL (NODES_CONDEMNED_MAX frames are condemned).
 */
status_t bad_report(struct nodes *n, struct contig *contig, pfn_t frame, enum bad_outcome *outcome);

/**
 * Who is told when a frame of this owner is condemned: fn(context, owner, frame), with no lock held.  NULL takes it back.
 *   => boot, or the owner's beginning.  Returns OK; ERR_INVALID (not one of our owners); ERR_EXISTS (somebody is told
 * already).
 */
status_t bad_listen(struct nodes *n, enum frame_owner owner, void (*fn)(void *context, enum frame_owner owner, pfn_t frame),
                    void *context);

/** Condemned frames that are still in use: copies at most `room`, returns how many there are. */
size_t bad_condemned(struct nodes *n, uint64_t *frames, size_t room);
