/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/frame.c — the state machine of a frame.
 *
 * WHAT   Each frame of RAM has a record of 16 bytes with its state and its owner.  A step is judged for all frames of a
 *        request first and committed only when every one of them may take it.
 * HOW
 *                  KEEP [pmm_create]
 *        FIRMWARE <------------------ FREE ------------------> BAD
 *                                     |  ^    RETIRE [pmm_mark_bad, pmm_create]
 *             ALLOC [pmm_alloc_frame, |  | FREE [pmm_free_frame, pmm_free_run]
 *                    pmm_alloc_run,   v  |
 *                    pmm_create]   ALLOCATED --+
 *                                     ^        | GIVE [pmm_give_run]
 *                                     +--------+
 *
 *        FREE      -> ALLOCATED  [ALLOC]
 *        FREE      -> BAD        [RETIRE]
 *        FREE      -> FIRMWARE   [KEEP]
 *        ALLOCATED -> FREE       [FREE]   its owner only
 *        ALLOCATED -> ALLOCATED  [GIVE]   its owner only
 *
 *        Everything else is refused; `verdicts` below is the whole truth, and tests/unit/mm/phys/frame_test.c walks it.
 *        FIRMWARE and BAD are final.  ABSENT is in no record: it is what pmm.c says about a frame that has none.
 * LOCKING  none here; the instance's lock (pmm.c).
 */
#include "base/assert.h"
#include "base/compiler.h"
#include "mm/phys/record.h"

static const char *const state_names[FRAME_STATE_COUNT] = {[FRAME_FREE] = "free",
                                                           [FRAME_ALLOCATED] = "allocated",
                                                           [FRAME_FIRMWARE] = "firmware",
                                                           [FRAME_BAD] = "bad",
                                                           [FRAME_ABSENT] = "absent"};

static const struct {
  const char *name;
  char mark;
} owners[FRAME_OWNER_COUNT] = {
#define OWNER_ROW(id, mark, name) [FRAME_OWNER_##id] = {name, mark},
    FRAME_OWNERS(OWNER_ROW)
#undef OWNER_ROW
};

static const struct {
  enum frame_state to;
  const char *verb;
} steps[FRAME_STEP_COUNT] = {
#define STEP_ROW(id, to, verb) [FRAME_STEP_##id] = {FRAME_##to, verb},
    FRAME_STEPS(STEP_ROW)
#undef STEP_ROW
};

/* May a frame in this state take this step? */
/* clang-format off */
static const status_t verdicts[FRAME_STEP_COUNT][FRAME_STATE_COUNT] = {
    /*                     FREE       ALLOCATED  FIRMWARE   BAD        ABSENT */
    [FRAME_STEP_ALLOC]  = {OK,        ERR_STATE, ERR_RANGE, ERR_STATE, ERR_RANGE},
    [FRAME_STEP_FREE]   = {ERR_STATE, OK,        ERR_RANGE, ERR_STATE, ERR_RANGE},
    [FRAME_STEP_GIVE]   = {ERR_STATE, OK,        ERR_RANGE, ERR_STATE, ERR_RANGE},
    [FRAME_STEP_RETIRE] = {OK,        ERR_STATE, ERR_RANGE, ERR_STATE, ERR_RANGE},
    [FRAME_STEP_KEEP]   = {OK,        ERR_STATE, ERR_RANGE, ERR_STATE, ERR_RANGE},
};
/* clang-format on */

const char *frame_state_name(enum frame_state s) { return s < FRAME_STATE_COUNT ? state_names[s] : "?"; }
const char *frame_owner_name(enum frame_owner o) { return o < FRAME_OWNER_COUNT ? owners[o].name : "?"; }
char frame_owner_mark(enum frame_owner o) {
  if (o >= FRAME_OWNER_COUNT) return '?';
  return owners[o].mark;
}
const char *frame_step_verb(enum frame_step step) { return steps[step].verb; }

/* The one state from which a step is legal. */
static enum frame_state state_before(enum frame_step step) {
  unsigned s = FRAME_FREE;
  while (verdicts[step][s] != OK) s++;
  return (enum frame_state)s;
}

/* Why a frame may not take a step. */
static status_t refusal_of(const struct frame_record *r, enum frame_step step) {
  if (r->state >= FRAME_STATE_COUNT) return ERR_STATE; /* A broken record; mm_check will say so. */
  status_t verdict = verdicts[step][r->state];
  return verdict == OK ? ERR_OWNER : verdict; /* The right state, hence the wrong owner. */
}

status_t frame_judge(const struct frame_record *records, uint64_t first, uint64_t count, enum frame_step step,
                     enum frame_owner owner, uint64_t *refused) {
  enum frame_state before = state_before(step);
  bool is_anybodys = step != FRAME_STEP_FREE && step != FRAME_STEP_GIVE;
  for (uint64_t i = first; i < first + count; i++) {
    const struct frame_record *r = &records[i];
    if (LIKELY(r->state == before && (is_anybodys || r->owner == owner))) continue;
    *refused = i;
    return refusal_of(r, step);
  }
  return OK;
}

void frame_commit(struct frame_record *records, uint64_t first, uint64_t count, enum frame_step step,
                  enum frame_owner owner) {
  struct frame_record after = {.state = steps[step].to, .owner = owner};
  CHECK((after.state == FRAME_FREE) == (owner == FRAME_OWNER_FREE));
  if (step == FRAME_STEP_GIVE) { /* The frames stay where they are: so does what is known of them. */
    for (uint64_t i = first; i < first + count; i++) records[i].owner = owner;
    return;
  }
  for (uint64_t i = first; i < first + count; i++) records[i] = after;
}
