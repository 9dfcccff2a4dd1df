/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/window.h — what contig sees of an allocator: which frames are free, which may move, 64 or 512 at a time.
 *
 * Nothing here takes a lock, so what is said of frames that others use may be a moment old.
 */
#pragma once

#include <stdint.h>

#include "mm/contig.h"

/** Where movers, the one commit and the counts are: the contig itself, or that of the machine whose part it is. */
static inline struct contig *window_machine(const struct contig *c) { return c->machine ? c->machine : (struct contig *)c; }
/** The allocator in whose books a frame is. */
struct pmm *window_pmm(const struct contig *c, uint64_t frame);
/** As far as [frame, end) is in the books of one allocator. */
uint64_t window_pmm_end(const struct contig *c, uint64_t frame, uint64_t end);
/** The contig that sees the node of this frame and no other. */
struct contig *window_part(struct contig *c, uint64_t frame);

#define WINDOW_WORD  UINT64_C(64)
#define WINDOW_BLOCK FRAMES_PER_2M

/* 64 frames from a multiple of 64 on; bit i for frame i.  Neither free nor movable: in the way, or no RAM at all. */
struct window_word {
  uint64_t free;
  uint64_t movable; /* And its owner has a mover. */
};
/** What to plan with.  A condemned frame (mm/bad.h) stays where it is: moved away, it would be handed out again. */
struct window_word window_word_at(const struct contig *c, uint64_t frame);
/** The same with condemned frames, as movable as they were when they were held. */
struct window_word window_word_now(const struct contig *c, uint64_t frame);

/** False where an engine (mm/engine.h) stands in the tiers' place: nothing below can be asked then. */
bool window_can_see(const struct contig *c);
/** Which frames of a 2 MiB block are free, a bit each: all that window_word_at says of it, for less. */
void window_free_of_block(const struct contig *c, uint64_t block, uint64_t free[static WINDOW_BLOCK / WINDOW_WORD]);
/** Frames of the 2 MiB block of this number that are not free: at most as many as window_word_at counts. */
uint64_t window_used(const struct contig *c, uint64_t block);
/** Free frames of the block that are to be had without asking another CPU for them. */
uint64_t window_spare(const struct contig *c, uint64_t block);
/** Frames free in the whole instance. */
uint64_t window_free_frames(const struct contig *c);
/** The highest range of frames below `limit` that may hold ours, in whole blocks; nothing is ours between two of them. */
bool window_range_below(const struct contig *c, uint64_t limit, uint64_t *start, uint64_t *end);
/** Who a frame is charged to, and may it be moved?  FRAME_OWNER_NONE where there is no RAM of ours. */
enum frame_owner window_owner(const struct contig *c, uint64_t frame, bool *is_movable);
/** Two allocated frames exchange what is known of them: `to` becomes what `from` was and the other way round.
 *   => nobody else changes either: `from` is held by its owner, `to` is the caller's. */
void window_exchange(struct contig *c, uint64_t from, uint64_t to);
