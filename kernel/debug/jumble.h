/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * jumble.h — movable memory with known contents and holes in it, for the prompt and the tests to be tidied up.
 *
 * It belongs to the owner "tests".  One at a time, used by one CPU.
 */
#pragma once

#include "base/status.h"
#include "mm/frame.h"

struct jumble_state {
  uint64_t frames;    /* Held. */
  uint64_t intact;    /* Of those, the ones with every word as it was written. */
  uint64_t low, high; /* Frame numbers: the first and the one behind the last. */
  uint64_t moves;     /* Since it was made. */
};

/**
 * Who is asked, all along, whether what takes long shall go on; NULL: nobody.  `total` is 0 where it is not known.  While it
 * says no, moves are refused as well.
 */
typedef bool (*jumble_watcher)(const char *what, uint64_t done, uint64_t total);
void jumble_watch(jumble_watcher may_go_on);

/**
 * Takes `frames` movable frames and gives a random half of them back.  ERR_EXISTS, ERR_NO_MEMORY, ERR_INVALID; ERR_DENIED
 * (the watcher said no; all has been given back).
 */
status_t jumble_make(uint64_t frames, uint64_t seed);
/** Even when no frame of it is left. */
bool jumble_is_there(void);
/** Gives everything back; false when the watcher stopped it: the rest is still a jumble. */
bool jumble_clear(void);
/** Reads all of it; false when the watcher stopped it: what is said is of a part. */
bool jumble_look(struct jumble_state *out);
/** From now on frames at or above this one are pinned: their move is refused.  UINT64_MAX: none is. */
void jumble_pin(uint64_t from);
