/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/gather.h — empties one window: the part of a commit that contig.c and contig_compact.c have in common.
 */
#pragma once

#include "mm/phys/contig_door.h"

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
  bool is_refused; /* An owner did not let go of a frame: this one. */
  uint64_t refused;
};

/* Frames that no window may hold, because their owners refused: they count as unmovable. */
#define AVOID_MAX 32U
struct avoid {
  uint64_t frames[AVOID_MAX];
  uint32_t count;
};

#define NEAR_NOBODY UINT32_MAX

/** contig_quote without these frames; of the windows of one price one in a node as near as can be to `near`, if any. */
status_t contig_quote_avoiding(struct contig *c, uint32_t near, uint64_t count, const struct frame_limits *where,
                               const struct avoid *avoid, struct contig_quote *out);
/** Does any window of a request that makes sense lie within our RAM?  Whoever has it. */
bool contig_is_possible(const struct contig *c, uint64_t count, const struct frame_limits *where);
/** Quotes and commits until a run is made or there is no hope; *moved says how many frames have moved.  (contig.c) */
status_t contig_make(struct contig *c, uint32_t near, enum frame_owner owner, uint64_t count,
                     const struct frame_limits *where, uint64_t moves_max, uint64_t *moved, pfn_t *first);
/** contig_alloc that says how many frames have moved. */
status_t contig_find_or_make(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                             uint64_t moves_max, uint64_t *moved, pfn_t *first);

struct groups;

/* Where moved frames go: the blocks are asked from the highest to the lowest, once for as long as the refuge lives. */
struct refuge {
  struct contig *from; /* Whose frames they become. */
  uint64_t limit;      /* Blocks below this frame have not been asked; UINT64_MAX at first. */
  bool (*may_fill)(struct refuge *r, const struct gathering *g, uint64_t block);
  struct refuge *next; /* When this one is full; or NULL. */
  uint64_t level;      /* For may_fill, as is what follows. */
  const struct groups *groups;
  uint64_t asked;
  bool has_asked, answer;
};

/** Everything below happens between begin (false: another is under way) and end. */
bool contig_gather_begin(struct contig *c);
void contig_gather_end(struct contig *c);
/** Asks the owners of all movable frames of a window whether they would let go now; false, with the frame, when one would
 * not. */
bool contig_gather_probe(struct contig *c, uint64_t first, uint64_t count, uint64_t *refused);
/** Empties the window: on OK every frame of it is GATHERED; else everything is as it was.  Statuses of contig_commit. */
status_t contig_gather(struct gathering *g, struct refuge *refuge);
