/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/record.h — the hot bytes of frames and the only legal steps between their states.  Private to mm/phys and
 * mm/guard.
 *
 * No lock here: pmm.c holds the one of the instance.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/status.h"
#include "mm/frame.h"
#include "mm/pmm.h"

/* What can happen to a frame.  Columns: id, state it leads to, verb for messages. */
#define FRAME_STEPS(X)                                                                                                      \
  X(ALLOC, ALLOCATED, "allocate")                                                                                           \
  X(FREE, FREE, "free")                                                                                                     \
  X(GIVE, ALLOCATED, "give away")                                                                                           \
  X(CONDEMN, BAD, "take out of service")                                                                                    \
  X(RETIRE, BAD, "mark bad")                                                                                                \
  X(KEEP, FIRMWARE, "leave to the firmware")

enum frame_step {
#define FRAME_STEP_ENUM(id, to, verb) FRAME_STEP_##id,
  FRAME_STEPS(FRAME_STEP_ENUM)
#undef FRAME_STEP_ENUM
      FRAME_STEP_COUNT
};

/**
 * May frames [first, first + count) take a step?  `owner` is whose they have to be now (looked at for FREE, GIVE and
 * CONDEMN). Returns OK, or the status of the first frame that may not, with its number in *refused: ERR_STATE, ERR_OWNER, or
 * ERR_RANGE for a frame that is not ours.
 */
status_t frame_judge(const uint8_t *hot, uint64_t first, uint64_t count, enum frame_step step, enum frame_owner owner,
                     uint64_t *refused);
/** The same for one frame whose hot byte is known. */
status_t frame_judge_byte(uint8_t hot, enum frame_step step, enum frame_owner owner);

/**
 * Takes the step that frame_judge has allowed.  `after` is the byte that they have then: the owner (FREE when they are
 * nobody's), with FRAME_MOVABLE and FRAME_TAIL or without; a step GIVE leaves these bits as they were.
 */
void frame_commit(uint8_t *hot, uint64_t first, uint64_t count, enum frame_step step, uint8_t after);

/* Hot bytes are looked at and written eight at a time where all eight are the caller's. */
#define FRAME_WORD_BYTES 8U
typedef uint64_t __attribute__((may_alias)) frame_word; /* In the bytes' order, which nothing here asks for. */
static inline uint64_t frame_word_of(uint8_t byte) { return byte * UINT64_C(0x0101010101010101); }

/** Writes the bytes of so many frames. */
static inline void frame_fill(uint8_t *hot, uint64_t first, uint64_t count, uint8_t byte) {
  uint8_t *at = &hot[first], *end = at + count;
  for (; at < end && (uintptr_t)at % FRAME_WORD_BYTES != 0; at++) atomic_set(at, byte);
  for (; (size_t)(end - at) >= FRAME_WORD_BYTES; at += FRAME_WORD_BYTES) atomic_set((frame_word *)at, frame_word_of(byte));
  for (; at < end; at++) atomic_set(at, byte);
}

/** What the byte says of a frame that goes on from the one below; of what nobody may free there are no pieces. */
static inline uint8_t frame_tail(uint8_t byte) {
  return frame_owner_is_ours((enum frame_owner)(byte & FRAME_OWNER_MASK)) ? byte | FRAME_TAIL : byte;
}

/** The first frame in [first, end) whose byte has not `wanted` in the bits of `mask`; `end` when all have. */
static inline uint64_t frame_first_unlike(const uint8_t *hot, uint64_t first, uint64_t end, uint8_t wanted, uint8_t mask) {
  const uint64_t words = frame_word_of(wanted), masks = frame_word_of(mask);
  uint64_t at = first;
  for (; at < end && (uintptr_t)&hot[at] % FRAME_WORD_BYTES != 0; at++)
    if ((atomic_get(&hot[at]) & mask) != wanted) return at;
  while (end - at >= FRAME_WORD_BYTES && (atomic_get((const frame_word *)&hot[at]) & masks) == words) at += FRAME_WORD_BYTES;
  while (at < end && (atomic_get(&hot[at]) & mask) == wanted) at++;
  return at;
}

const char *frame_step_verb(enum frame_step step);
