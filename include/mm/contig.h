/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/contig.h — contiguity has a price, not a chance: a run that does not exist is quoted, and then made.
 *
 * A struct contig stands in front of one struct pmm, or of those of all nodes (mm/contig_nodes.h).  Frames handed out as
 * PMM_MOVABLE whose owner has registered a mover may be asked to lie elsewhere, anywhere: limits that they were asked for
 * with are not kept, so who needs them pins the frame, or does not say PMM_MOVABLE.  Everything else stays where it is, and
 * so does what mm/bad.h has condemned.  Prices are worked out from the tiers: where an engine stands in their place
 * (mm/engine.h), quote, commit, explain and compact return ERR_UNSUPPORTED.  Pools that are certified never to fail are in
 * mm/contig_pool.h.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/frame.h"
#include "mm/pmm.h"

/*
 * How an owner lets go of the place of a frame, but not of the frame.
 *
 *   hold      Promise, until move or release, not to write the frame, free it, give it away or let anybody else do so.  Any
 *             status but OK refuses (pinned; or no longer this owner's): then nothing moves at all.
 *   move      From now on what you know as `from` is `to`: same bytes, same owner, same record.  It cannot be refused, and
 *             the hold is over.
 *   release   The hold is over and nothing has happened.
 *
 * Called one after the other with no lock of mm held; they may allocate and free other frames.
 */
struct frame_mover {
  status_t (*hold)(void *context, pfn_t frame);
  void (*move)(void *context, pfn_t from, pfn_t to);
  void (*release)(void *context, pfn_t frame);
  void *context;
};

struct contig_stats {
  uint64_t quotes, commits; /* That were given, that were delivered. */
  uint64_t refused;         /* Commits that were undone. */
  uint64_t moves;           /* Frames that have moved. */
};

struct nodes;

/* Its caller's memory; fields are private but for reading `stats`. */
struct contig {
  struct pmm *pmm;        /* NULL: those of all nodes. */
  struct nodes *nodes;    /* NULL: the allocator stands alone. */
  struct contig *machine; /* Of a part: whose movers, whose commit and whose counts are its own too; else NULL. */
  struct contig *parts;   /* Of the whole: by node; else NULL. */
  const struct frame_mover *movers[FRAME_OWNER_COUNT]; /* NULL: what that owner has does not move. */
  uint32_t is_committing;                              /* One commit at a time; the second is told ERR_BUSY. */
  uint64_t saved; /* A condemned frame that may leave its place all the same, for good (bad.c); 0: none.  Atomic. */
  struct contig_stats stats;
};

/* The price of a run: a plan, not a reservation. */
struct contig_quote {
  pfn_t first;    /* The window: [first, first + count). */
  uint64_t count; /* Frames. */
  uint64_t moves; /* Movable frames in it; 0 when the run exists as it is. */
};

/** Puts a contig in front of an allocator, with no mover. */
void contig_init(struct contig *c, struct pmm *p);
/**
 * Says how this owner's movable frames are moved; `mover` is kept by pointer.
 *   => before the owner's first movable frame.
 * Returns OK; ERR_INVALID (not one of our owners); ERR_EXISTS (it has a mover).
 */
status_t contig_mover_set(struct contig *c, enum frame_owner owner, const struct frame_mover *mover);

/**
 * Prices a run within `where` (NULL: anywhere): of all windows with no unmovable frame, the one with the fewest movable
 * ones.
 *
 * A quote is what memory said while it was looked at.  Nothing is reserved, and when frames come and go meanwhile, neither
 * the number nor that it is the least is more than a good guess; contig_commit looks again.  At a quiet moment it is exact.
 *   => any CPU; takes no lock.  => a word read for each 2 MiB block, frames only in windows that can still win; each frame
 *   at most a few times.
 * Returns OK; ERR_INVALID (as pmm_alloc_run); ERR_RANGE (within these limits no RAM of ours is that long: never);
 * ERR_NO_MEMORY (fewer frames are free than the run has, so what moves out has nowhere to go); ERR_BUSY (every window holds
 * an unmovable frame: contig_explain says which).
 */
status_t contig_quote(struct contig *c, uint64_t count, const struct frame_limits *where, struct contig_quote *out);

/**
 * Makes the run of a quote and hands it to `owner`, not movable; give it back with pmm_free_run.  Its bytes are
 * what they were, as those of pmm_alloc_run.
 *
 * Two phases.  First the window's free frames are taken out of circulation, a destination outside the window is taken for
 * each movable frame, in the fullest 2 MiB blocks there are, and every movable frame is held.  Only when all that is done
 * the bytes are copied and the owners told.  Frames that were freed meanwhile are taken as well: never more than
 * quote->moves frames move, and at a quiet moment exactly that many.
 *   => any CPU; no lock is held across the whole.  => the window's words, and for each move the copy of a frame.
 * Returns OK; ERR_BUSY (a frame of the window has become unmovable, or more of them have to move than was quoted: quote
 * again; or another commit is under way); ERR_NO_MEMORY (no destinations any more); ERR_INVALID (no such quote, not one of
 * our owners); or what a mover's hold said.  On failure everything is as it was.
 */
status_t contig_commit(struct contig *c, const struct contig_quote *quote, enum frame_owner owner, pfn_t *first);

/**
 * Finds a run, or makes one with at most `moves_max` moves.  The one door for who needs a run and may pay for it.
 *
 * A frame that its owner does not let go costs one try: the next window is the cheapest without it, and so on for a few
 * dozen frames.
 * Statuses of pmm_alloc_run, contig_quote and contig_commit (what the last hold said when no window is left without such a
 * frame); ERR_DENIED (it would take more than moves_max).  What can never be is ERR_RANGE also when nothing may move.
 */
status_t contig_alloc(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                      uint64_t moves_max, pfn_t *first);

/* What a stretch of memory consists of. */
struct contig_look {
  uint64_t free;
  uint64_t movable; /* In use, and its owner can move it. */
  uint64_t fixed;   /* Everything else: in the way of a run, or no RAM of ours. */
};
/**
 * Counts what the frames [first, first + count) are.  Returns OK; ERR_INVALID (their numbers wrap); ERR_UNSUPPORTED (an
 * engine stands in the tiers' place).
 *   => any CPU; takes no lock: what others change meanwhile may be a moment old.   => a word read for each 64 frames.
 */
status_t contig_look(const struct contig *c, pfn_t first, uint64_t count, struct contig_look *out);

/* What stands in the way of a run that cannot even be made. */
struct contig_obstacle {
  pfn_t first;        /* The window with the fewest unmovable frames. */
  uint64_t unmovable; /* In it. */
  uint64_t movable;   /* In it. */
  pfn_t frame;        /* One of the unmovable ones, and whose it is. */
  enum frame_owner owner;
};
/**
 * Explains an ERR_BUSY of contig_quote.  Returns OK; ERR_INVALID, ERR_RANGE as contig_quote; ERR_NOT_FOUND (there is a
 * window without unmovable frames).
 *   => every frame within the limits is looked at: for people.
 */
status_t contig_explain(struct contig *c, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out);

/* What a compaction has come to. */
struct contig_compaction {
  uint64_t possible; /* Aligned groups that could be wholly free if no owner refused: bounded by what is free and by
                        unmovable frames. */
  uint64_t before;   /* That were. */
  uint64_t made;     /* That have become so. */
  uint64_t moves;    /* Frames that moved for it: the least there is, while nobody else allocates. */
  uint64_t refused;  /* Groups that were given up in the end because an owner refused. */
};
/**
 * Makes aligned groups of `group` frames (FRAMES_PER_2M or FRAMES_PER_1G) wholly free, until `wanted` of them are or no more
 * can be.  The emptiest ones are emptied, into frames outside of those that will be emptied too: nothing moves twice.
 *
 * Each owner is asked for each frame, hold and release, before anything moves; a group of which a frame is refused is
 * replaced by the next emptiest.  When that is not enough, those that were refused are asked once more.
 *   => any CPU; long; no lock is held across the whole.
 * Returns OK, also when fewer were possible; ERR_INVALID (no such group); ERR_BUSY (a commit is under way).
 */
status_t contig_compact(struct contig *c, uint64_t group, uint64_t wanted, struct contig_compaction *out);
