/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/frame.c — the state machine of a frame.
 *
 * WHAT   Each frame of RAM has a byte that says whose it is, and with that its state: nobody's is FREE, Cairn's rooms' is
 *        ALLOCATED, and so on (frame_state_of).  A step is judged for all frames of a request first and committed only
 *        when every one of them may take it.
 * HOW
 *                  KEEP [pmm_create]
 *        FIRMWARE <------------------ FREE ------------------> BAD
 *                                     |  ^    RETIRE [pmm_mark_bad, pmm_create]
 *             ALLOC [pmm_alloc_frame, |  | FREE [pmm_free_frame, pmm_free_run]      ^
 *                    pmm_alloc_run,   v  |             CONDEMN [pmm_retire_frame]   |
 *                    pmm_create]   ALLOCATED --+------------------------------------+
 *                                     ^        | GIVE [pmm_give_run]
 *                                     +--------+
 *
 *        FREE      -> ALLOCATED  [ALLOC]
 *        FREE      -> BAD        [RETIRE]
 *        FREE      -> FIRMWARE   [KEEP]
 *        ALLOCATED -> FREE       [FREE]   its owner only
 *        ALLOCATED -> ALLOCATED  [GIVE]   its owner only
 *        ALLOCATED -> BAD        [CONDEMN] its owner only, and never by way of FREE, where somebody else could take it
 *
 *        Everything else is refused; `verdicts` below is the whole truth, and tests/unit/mm/phys/frame_test.c walks it.
 *        FIRMWARE and BAD are final.  ABSENT is in no record: it is what pmm.c says about a frame that has none.
 * LOCKING  none here; the instance's lock (pmm.c).
 */
#include "base/assert.h"
#include "base/atomic.h"
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

static const char *const verbs[FRAME_STEP_COUNT] = {
#define STEP_ROW(id, to, verb) [FRAME_STEP_##id] = verb,
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
    [FRAME_STEP_CONDEMN] = {ERR_STATE, OK,       ERR_RANGE, ERR_STATE, ERR_RANGE},
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
const char *frame_step_verb(enum frame_step step) { return verbs[step]; }

/* Why a frame may not take a step. */
static status_t refusal_of(struct frame_said said, enum frame_step step) {
  if (said.state >= FRAME_STATE_COUNT) return ERR_STATE; /* A broken byte; mm_check will say so. */
  status_t verdict = verdicts[step][said.state];
  return verdict == OK ? ERR_OWNER : verdict; /* The right state, hence the wrong owner. */
}

/* Whose a frame has to be before a step: nobody's, unless the step is its owner's. */
static uint8_t owner_before(enum frame_step step, enum frame_owner owner) {
  bool is_owners = step == FRAME_STEP_FREE || step == FRAME_STEP_GIVE || step == FRAME_STEP_CONDEMN;
  return is_owners ? (uint8_t)owner : FRAME_OWNER_FREE;
}

status_t frame_judge_byte(uint8_t hot, enum frame_step step, enum frame_owner owner) {
  struct frame_said said = frame_said_by(hot);
  bool is_theirs = said.owner == owner_before(step, owner) && said.state < FRAME_STATE_COUNT;
  return is_theirs && verdicts[step][said.state] == OK ? OK : refusal_of(said, step);
}

status_t frame_judge(const uint8_t *hot, uint64_t first, uint64_t count, enum frame_step step, enum frame_owner owner,
                     uint64_t *refused) {
  uint8_t before = owner_before(step, owner);
  uint64_t end = first + count, at = first; /* Where even the right owner's frame may not take it, the first is refused. */
  if (LIKELY(frame_judge_byte(before, step, owner) == OK))
    at = frame_first_unlike(hot, first, end, before, FRAME_OWNER_MASK);
  if (at == end) return OK;
  *refused = at;
  return refusal_of(frame_said_by(atomic_get(&hot[at])), step);
}

void frame_commit(uint8_t *hot, uint64_t first, uint64_t count, enum frame_step step, uint8_t after) {
  CHECK((after == FRAME_OWNER_FREE) == (step == FRAME_STEP_FREE));
  if (step != FRAME_STEP_GIVE) {
    frame_fill(hot, first, count, after);
    return;
  }
  for (uint64_t i = first; i < first + count; i++)
    atomic_set(&hot[i], after | (atomic_get(&hot[i]) & (FRAME_MOVABLE | FRAME_TAIL)));
}
