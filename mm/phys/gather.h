/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/gather.h — empties one window: the part of a commit that contig.c and contig_compact.c have in common.
 */
#pragma once

#include "mm/phys/window.h"

/* One window that is being emptied. */
struct gathering {
  struct contig *c;
  uint64_t first, count;
  uint64_t reached;      /* Behind this frame the window has not been looked at: it may be longer than there is RAM. */
  uint64_t moves_max;    /* More movable frames than that: ERR_BUSY. */
  uint64_t movable;      /* Frames to move when it was looked at. */
  uint64_t destinations; /* The first of a list through the frames. */
  uint64_t destination_count;
  uint64_t held, moved;
};

/* Where moved frames go: the blocks are asked from the highest to the lowest, once for as long as the refuge lives. */
struct refuge {
  uint64_t limit; /* Blocks below this frame have not been asked; UINT64_MAX at first. */
  bool (*may_fill)(struct refuge *r, const struct gathering *g, uint64_t block);
  struct refuge *next;   /* When this one is full; or NULL. */
  uint64_t level, group; /* For may_fill, as is what follows. */
  uint64_t asked;
  bool has_asked, answer;
};

/** Everything below happens between begin (false: another is under way) and end. */
bool contig_gather_begin(struct contig *c);
void contig_gather_end(struct contig *c);
/** Empties the window: on OK every frame of it is GATHERED; else everything is as it was.  Statuses of contig_commit. */
status_t contig_gather(struct gathering *g, struct refuge *refuge);
