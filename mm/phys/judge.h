/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/judge.h — may frames take a step?  Private to mm/phys. */
#pragma once

#include "mm/phys/instance.h"

/* A step that was refused, with what its frame was at that moment; reported when the lock is free again. */
struct judge_refusal {
  status_t status;
  enum frame_step step;
  uint64_t frame;
  enum frame_state state;
  enum frame_owner owner;   /* Who has it. */
  enum frame_owner claimed; /* Who the caller says has it. */
};

/**
 * May all these frames take the step?  OK, or the refusal of the first that may not, which is counted.
 *   => costs entries, and bytes only of blocks that are in pieces.
 * Statuses of frame_judge; ERR_INVALID: no frames, or they wrap; ERR_RANGE: no RAM of ours.
 */
struct judge_refusal judge_frames(struct pmm *p, enum frame_step step, enum frame_owner owner, uint64_t first,
                                  uint64_t count) REQUIRES(p->lock);

/** Logs a refusal, if it is one of a frame's; returns its status.  => the instance's lock is not held. */
status_t judge_report(const struct judge_refusal *r);

/** The first frame at or above `first` that is no RAM and has no byte, or `end` when that comes first.  => no lock. */
uint64_t judge_ram_end(const struct pmm *p, uint64_t first, uint64_t end);
