/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/check.h — re-derives every bitmap, counter and record from first principles and names what does not agree.
 *
 * Runs from the prompt, after every test and in the panic path; takes no lock there and changes nothing.
 */
#pragma once

#include <stdint.h>

#include "mm/nodes.h"
#include "mm/pmm.h"

/* The invariants, INV-xx in comments and messages.  Each has a breaker: break=<id> damages exactly that. */
#define MM_INVARIANTS(X)                                                                                                    \
  X(1, map, "the region list is sorted, disjoint and maximal")                                                              \
  X(2, record, "the owner of each frame of RAM is one that it may have where it lies")                                      \
  X(3, bitmap, "a frame's bit is set exactly when its state is free")                                                       \
  X(4, tier, "each tier word is what the tier below it says")                                                               \
  X(5, counter, "the counts of whole blocks and GiB are what the tiers say")                                                \
  X(6, owner, "each owner's count is the number of its frames")                                                             \
  X(7, ledger, "the owners add up to the RAM that the firmware reported")                                                   \
  X(8, forbidden, "no frame of firmware, low or absent memory is free or allocated")                                        \
  X(9, slot, "a block or frame that a slot has is named by that slot alone, and the other way round")                       \
  X(10, mail, "mail lies only with the slot that owns the block, for free frames that have no bit")                         \
  X(11, entry, "a block's entry counts its bits, and nobody has left it locked")                                            \
  X(12, held, "held is the number of slots that have something")                                                            \
  X(13, bound, "no free run is where searches have learnt that there is none")

/* Of the door in front of the nodes' allocators. */
#define MM_DOOR_INVARIANTS(X)                                                                                               \
  X(20, nodes, "every frame of RAM is in exactly one node's books, and its number says in which")                           \
  X(21, stock, "what lies in a stock of zeros is its owner's and is zeros, and all that the ledger says lies there")        \
  X(22, condemned, "broken frames in use are ours, listed once, and every free looks at the list")                          \
  X(23, dma, "what devices hold is theirs, each frame once, and all that the ledger says is theirs")                        \
  X(24, pool, "a certified pool's frames are its owner's, and its bits say what lives there")

struct mm_check_report {
  uint32_t invariant; /* First one broken; 0 when all hold. */
  uint64_t frame;     /* Where it broke, when it has a place. */
  uint64_t expected, found;
  uint64_t frames_checked;
  char text[120]; /* One line for a human. */
};

/**
 * Checks everything; true when all invariants hold.  `limit` bounds the frames looked at in a hurry (0: all), and then of
 * zeros one word in 64 is looked at.
 *   => any CPU; the caller makes sure nothing changes meanwhile.  => O(frames).
 */
bool mm_check(const struct pmm *p, uint64_t limit, struct mm_check_report *out);

/** mm_check of each node, and of the door.  `limit` is for all of them together.  => as mm_check. */
bool mm_check_nodes(const struct nodes *n, uint64_t limit, struct mm_check_report *out);

/**
 * Damages one invariant on purpose, for the test that must turn red.  ERR_NOT_FOUND for an unknown name.
 *   => tests only; after it the instance is only good for mm_check.
 */
status_t mm_check_break(struct pmm *p, const char *invariant_name);
/** The same for a door: one of its own invariants, or one of its first allocator's. */
status_t mm_check_nodes_break(struct nodes *n, const char *invariant_name);
