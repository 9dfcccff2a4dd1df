/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/crumbs.h — single frames of blocks that have few: put by in a slot.  Private to mm/phys; theory in crumbs.c. */
#pragma once

#include "base/atomic.h"
#include "base/compiler.h"
#include "mm/phys/slot.h"

/* A broken block with more free frames than that is worth owning. */
#define CRUMBS_FEW 8U

/** Fetches lines and entries of so many broken blocks below `p`: the next that will be wanted. */
void crumbs_fetch_ahead(const struct tier *t, struct place p, unsigned blocks);
/** How many are put by. */
static inline uint32_t crumbs_left(const struct slot *s) { return atomic_get(&s->crumb_end) - atomic_get(&s->crumb); }
/** How many of one block are put by at most.  Peeks. */
uint32_t crumbs_of_one_block(const struct slot *s);
/** May a block that lacks at most so many frames be one of those that frames are put by of?  Peeks. */
bool crumbs_may_complete(const struct tier *t, const struct slot *s, uint32_t frames);

/* --- with the instance's lock, and for another slot than the caller's, called in ------------------------------------- */

/**
 * Puts by what the highest broken blocks have, as long as each of them has few; false when the highest has more, or there is
 * none.
 *   => the slot has no block and nothing put by.
 */
bool crumbs_gather(struct tier *t, struct slot *s);
/** Takes the next one out of what is put by, to be given back to its block; false when there is none left. */
bool crumbs_take_back(struct slot *s, uint64_t *frame);
/** Nothing is put by any more.  => nothing is. */
void crumbs_close(struct slot *s);
/** The tiers learn of the blocks that the slot's frees have broken. */
void crumbs_settle_late(struct tier *t, struct slot *s);

/* --- what the owner does, between slot_begin and slot_end ------------------------------------------------------------- */

/** Hands out the next one; false when there is none, or when its byte says that it is not free. */
static inline bool crumbs_take(struct slot *s, uint8_t *hot, uint8_t byte, uint64_t *frame) {
  const uint32_t i = atomic_get(&s->crumb);
  if (i == atomic_get(&s->crumb_end)) return false;
  *frame = s->crumb_base - s->crumbs[i];
  if (UNLIKELY(atomic_get(&hot[*frame]) != FRAME_OWNER_FREE)) return false;
  atomic_set(&s->crumb, i + 1);
  atomic_set(&hot[*frame], byte);
  slot_count_up(&s->delta[byte & FRAME_OWNER_MASK], 1);
  slot_count_up(&s->allocs, 1);
  return true;
}

/** Notes that a free has broken the full block of a frame; false when the caller has to say so itself, under the lock. */
static inline bool crumbs_note_late(struct slot *s, uint64_t frame) {
  const uint32_t n = s->late_count;
  if (n == SLOT_LATE || !slot_holds(s)) return false;
  s->late[n] = (uint32_t)(frame / FRAMES_PER_2M);
  atomic_set(&s->late_count, n + 1);
  return true;
}
