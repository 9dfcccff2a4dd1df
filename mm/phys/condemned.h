/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/condemned.h — which broken frames are still in use: a short list of ranges.  Private to mm/phys.
 *
 * Ranges do not overlap and do not touch, so that a broken kernel image is one of them; they are in no order.
 */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "mm/bad.h"
#include "mm/platform.h"

struct condemned {
  struct platform_lock lock;
  uint32_t count; /* Ranges; atomic to read, as are they: who does not hold the lock sees what may be a moment old. */
  struct bad_range ranges[NODES_CONDEMNED_MAX];
};

/** Adds frames.  OK; ERR_EXISTS (all of them are in the list); ERR_FULL (no room for one more range: nothing is added). */
status_t condemned_add(struct condemned *l, uint64_t start, uint64_t end) REQUIRES(l->lock);
/**
 * Takes one frame out.  One that is out of service already may stay when there is no room for what is left on both sides of
 * it: it is nobody's any more, and only counted.
 */
void condemned_remove(struct condemned *l, uint64_t frame) REQUIRES(l->lock);
/** The lowest frame of [start, end) that is in the list; `end` when none is. */
uint64_t condemned_next(const struct condemned *l, uint64_t start, uint64_t end) REQUIRES(l->lock);
/** Frames in the list. */
uint64_t condemned_frames(const struct condemned *l) REQUIRES(l->lock);
/** Those of the 64 frames from `base` on that are in the list, a bit each.  => without the lock. */
uint64_t condemned_mask(const struct condemned *l, uint64_t base);
