/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/record.h — the hot bytes of frames and the only legal steps between their states.  Private to mm/phys and
 * mm/guard.
 *
 * No lock here: pmm.c holds the one of the instance.
 */
#pragma once

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
 * nobody's), with FRAME_MOVABLE or without; a step GIVE leaves that bit as it was.
 */
void frame_commit(uint8_t *hot, uint64_t first, uint64_t count, enum frame_step step, uint8_t after);

/** Writes the bytes of so many frames. */
static inline void frame_fill(uint8_t *hot, uint64_t first, uint64_t count, uint8_t byte) {
  for (uint64_t i = first; i < first + count; i++) atomic_set(&hot[i], byte);
}

const char *frame_step_verb(enum frame_step step);
