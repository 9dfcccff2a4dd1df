/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/record.h — the frame records and the only legal steps between their states.  Private to mm/phys and mm/guard.
 *
 * No lock here: pmm.c holds the one of the instance.
 */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "mm/frame.h"
#include "mm/pmm.h"

/* What is known about one frame.  All zeros is a free frame, so a map's worth of fresh records needs no initialisation. */
struct frame_record {
  enum frame_state state;
  enum frame_owner owner; /* Of a frame that is not free; FREE (0) otherwise. */
  uint16_t references;    /* Mappings and pins, once there is user memory; 0 until then. */
  uint32_t object;        /* Memory object it belongs to, so that its owner can be asked to move it; 0 for none. */
  uint32_t offset;        /* In frames, within that object. */
  uint32_t generation;    /* Of the TLB, when it was unmapped last. */
};
static_assert(sizeof(struct frame_record) == PMM_RECORD_SIZE);

/* What can happen to a frame.  Columns: id, state it leads to, verb for messages. */
#define FRAME_STEPS(X)                                                                                                      \
  X(ALLOC, ALLOCATED, "allocate")                                                                                           \
  X(FREE, FREE, "free")                                                                                                     \
  X(GIVE, ALLOCATED, "give away")                                                                                           \
  X(RETIRE, BAD, "mark bad")                                                                                                \
  X(KEEP, FIRMWARE, "leave to the firmware")

enum frame_step {
#define FRAME_STEP_ENUM(id, to, verb) FRAME_STEP_##id,
  FRAME_STEPS(FRAME_STEP_ENUM)
#undef FRAME_STEP_ENUM
      FRAME_STEP_COUNT
};

/**
 * May frames [first, first + count) take a step?  `owner` is whose they have to be now (looked at for FREE and GIVE).
 * Returns OK, or the status of the first frame that may not, with its number in *refused: ERR_STATE, ERR_OWNER, or
 * ERR_RANGE for a frame that is not ours.
 */
status_t frame_judge(const struct frame_record *records, uint64_t first, uint64_t count, enum frame_step step,
                     enum frame_owner owner, uint64_t *refused);

/** Takes the step that frame_judge has allowed; `owner` is whose they are afterwards (FREE when they are nobody's). */
void frame_commit(struct frame_record *records, uint64_t first, uint64_t count, enum frame_step step,
                  enum frame_owner owner);

const char *frame_step_verb(enum frame_step step);
