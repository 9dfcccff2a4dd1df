/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/entry.h — the 32 bits that say what a 2 MiB block is: who has it, how much of it is taken, who is changing it.
 *
 *   bits 0-9    frames that are not free, 0 to 512; 512 also while a slot owns the block, for nobody else may have any
 *        10-17  the slot that has the block, + 1; 0 for none
 *        18     HUGE: handed out as one; bits 20-27 are the hot byte of all its frames, line and bytes are not looked at
 *        19     WRITTEN: line of bits and bytes hold what they should; those of a HUGE or whole block may be garbage
 *        28     MIXED: not all of it is managed by this instance; bytes of the rest may be garbage, or another's
 *        31     LOCK of a block that is broken or full: of this word, of the line of bits while no slot owns it, and of
 *               the change of its owner
 *
 * All zeros is a whole block that nobody has touched.  The entries of a GiB that nobody has touched are those that all such
 * GiB share (tier.c): all zeros, and never written.
 *
 * WHO MAY CHANGE IT  a whole block (nothing taken) and a HUGE one: whoever holds the instance's lock, or, while they are in
 * a slot's pocket, that slot.  Any other: who has its LOCK, which everybody takes by compare-and-swap from a value that says
 * "broken or full": so that nobody can lock what is whole or HUGE.
 */
#pragma once

#include <stdint.h>

#include "base/atomic.h"

#define ENTRY_TAKEN      UINT32_C(0x3ff)
#define ENTRY_SLOT_SHIFT 10
#define ENTRY_SLOT       (UINT32_C(0xff) << ENTRY_SLOT_SHIFT)
#define ENTRY_HUGE       (UINT32_C(1) << 18)
#define ENTRY_WRITTEN    (UINT32_C(1) << 19)
#define ENTRY_BYTE_SHIFT 20
#define ENTRY_TAIL       ((uint32_t)FRAME_TAIL << ENTRY_BYTE_SHIFT) /* Of that byte: it goes on from the block below. */
#define ENTRY_MIXED      (UINT32_C(1) << 28)
#define ENTRY_LOCK       (UINT32_C(1) << 31)

#define ENTRY_FRAMES 512U
#define ENTRY_FULL   (ENTRY_WRITTEN | ENTRY_FRAMES)

static inline uint32_t entry_taken(uint32_t e) { return e & ENTRY_TAKEN; }
static inline bool entry_is_full(uint32_t e) { return (e & ENTRY_FRAMES) != 0; } /* No entry says more than 512. */
/* Number of the slot that has it + 1; 0 for none. */
static inline uint32_t entry_slot(uint32_t e) { return (e & ENTRY_SLOT) >> ENTRY_SLOT_SHIFT; }
static inline uint32_t entry_of_slot(uint32_t slot) { return (slot + 1) << ENTRY_SLOT_SHIFT; }
static inline uint8_t entry_byte(uint32_t e) { return (uint8_t)(e >> ENTRY_BYTE_SHIFT); }
static inline uint32_t entry_huge(uint32_t before, uint8_t byte) {
  return (before & ENTRY_WRITTEN) | ENTRY_HUGE | ENTRY_FRAMES | (uint32_t)byte << ENTRY_BYTE_SHIFT;
}
/* Every frame of it free and nobody's. */
static inline bool entry_is_whole(uint32_t e) { return (e & ~ENTRY_WRITTEN) == 0; }
/* Some frames of it free, and to be had by whoever comes. */
static inline bool entry_is_broken(uint32_t e) { return entry_slot(e) == 0 && entry_taken(e) - 1 < ENTRY_FRAMES - 1; }
/* May it be locked at all? */
static inline bool entry_has_lock(uint32_t e) { return entry_taken(e) != 0 && !(e & ENTRY_HUGE); }

/** Locks an entry that is broken or full; false when it is not, with *e what it was.  => interrupts masked. */
static inline bool entry_lock(uint32_t *entry, uint32_t *e) {
  *e = atomic_get_acquire(entry);
  for (;;) {
    if (!entry_has_lock(*e)) return false;
    if (*e & ENTRY_LOCK) {
      atomic_pause();
      *e = atomic_get_acquire(entry);
    } else if (atomic_cas(entry, e, *e | ENTRY_LOCK)) {
      return true;
    }
  }
}
/** Lets go of it; it says `e` from now on. */
static inline void entry_unlock(uint32_t *entry, uint32_t e) { atomic_set_release(entry, e); }
