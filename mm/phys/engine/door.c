/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/door.c — the allocator with an engine in the tiers' place.
 *
 * WHAT   What pmm.c promises about owners, bytes and counts is kept here too, with none of its art: decode (there), judge,
 *        find, commit, all under the instance's one lock and without slots.  Only the finding is asked of the engine.
 * LOCKING  p->lock, for the whole of an operation; a refusal is logged when it is free again.
 * INVARIANTS  those of pmm.c: a byte says FREE exactly when the engine says that the frame is free (INV-3), and owned[]
 *        counts the bytes (INV-6).
 * WHY NOT  branches in pmm.c: the tiers' way is lock-free where it matters, and would be read through somebody else's ifs.
 */
#include "mm/phys/engine/door.h"

#include "base/assert.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/engine.h"
#include "mm/phys/judge.h"
#include "mm/phys/trace_instance.h"

static const struct engine *chosen; /* Written at boot. */

const struct engine *engine_chosen(void) { return chosen; }

status_t engine_choose(const char *name, const struct boot_region *regions, size_t count) {
  const struct engine *e = engine_find(name, strlen(name));
  uint64_t frames;
  if (!e && strcmp(name, "tier") != 0) return ERR_NOT_FOUND;
  (void)engine_ground_size(regions, count, &frames);
  if (e && frames > e->frames_max) return ERR_RANGE;
  chosen = e;
  return OK;
}

const char *engine_name(const struct pmm *p) { return p->engine ? p->engine->name : "tier"; }
const char *engine_caveat(const struct pmm *p) { return p->engine ? p->engine->caveat : NULL; }

/* --- commits: nothing here can fail ----------------------------------------------------------------------------------- */

static void move_count(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t count) {
  p->owned[from] -= count;
  p->owned[to] += count;
}

/* What is handed out is one piece. */
static void commit_piece(struct pmm *p, uint64_t first, uint64_t count, enum frame_step step, uint8_t after) {
  frame_commit(p->records.hot, first, 1, step, after);
  if (count > 1) frame_commit(p->records.hot, first + 1, count - 1, step, frame_tail(after));
}

/* Free frames become somebody's.  That the bytes agree with the engine is asked once more (INV-3). */
static void commit_take(struct pmm *p, enum frame_step step, uint8_t after, uint64_t first, uint64_t count) {
  const enum frame_owner owner = (enum frame_owner)(after & FRAME_OWNER_MASK);
  uint64_t bad = first;
  if (frame_judge(p->records.hot, first, count, step, owner, &bad) != OK)
    platform_panic("INV-3: frame %#llx is free for the %s engine and its byte says %s", (unsigned long long)bad,
                   p->engine->name, frame_state_name(frame_said_by(p->records.hot[bad]).state));
  p->engine->take(p->engine_memory, first, count);
  commit_piece(p, first, count, step, after);
  move_count(p, FRAME_OWNER_FREE, owner, count);
}

/* --- the door --------------------------------------------------------------------------------------------------------- */

status_t engine_alloc(struct pmm *p, uint8_t after, uint64_t count, const struct frame_limits *within, uint64_t *first) {
  uint64_t start = 0;
  platform_lock_acquire(&p->lock);
  const bool found = p->engine->find(p->engine_memory, count, within, &start);
  if (found) commit_take(p, FRAME_STEP_ALLOC, after, start, count);
  p->allocations += found;
  p->failures += !found;
  platform_lock_release(&p->lock);
  if (!found) return ERR_NO_MEMORY;
  *first = start;
  return OK;
}

status_t engine_retire(struct pmm *p, enum frame_owner owner, uint64_t frame) {
  const bool is_free = owner == FRAME_OWNER_FREE;
  const enum frame_step step = is_free ? FRAME_STEP_RETIRE : FRAME_STEP_CONDEMN;
  platform_lock_acquire(&p->lock);
  const struct judge_refusal r = judge_frames(p, step, is_free ? FRAME_OWNER_BAD : owner, frame, 1);
  if (r.status == OK && is_free) {
    commit_take(p, step, FRAME_OWNER_BAD, frame, 1);
  } else if (r.status == OK) {
    frame_commit(p->records.hot, frame, 1, step, FRAME_OWNER_BAD);
    move_count(p, owner, FRAME_OWNER_BAD, 1);
  }
  platform_lock_release(&p->lock);
  if (pmm_is_traced(p)) trace_retire(p, owner, frame, r.status);
  return judge_report(&r);
}

status_t engine_free(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count) {
  platform_lock_acquire(&p->lock);
  const struct judge_refusal r = judge_frames(p, FRAME_STEP_FREE, owner, first, count);
  if (r.status == OK) {
    frame_commit(p->records.hot, first, count, FRAME_STEP_FREE, FRAME_OWNER_FREE);
    p->engine->put(p->engine_memory, first, count);
    move_count(p, owner, FRAME_OWNER_FREE, count);
    p->frees++;
  }
  platform_lock_release(&p->lock);
  return judge_report(&r);
}

status_t engine_give(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t first, uint64_t count) {
  platform_lock_acquire(&p->lock);
  const struct judge_refusal r = judge_frames(p, FRAME_STEP_GIVE, from, first, count);
  if (r.status == OK) {
    frame_commit(p->records.hot, first, count, FRAME_STEP_GIVE, (uint8_t)to);
    move_count(p, from, to, count);
  }
  platform_lock_release(&p->lock);
  if (pmm_is_traced(p)) trace_give(p, from, to, first, count, r.status);
  return judge_report(&r);
}

/* --- boot and views --------------------------------------------------------------------------------------------------- */

/* What the tiers know then: a GiB that no frame is in, so that whoever asks them for a place hears that there is none. */
static struct tier_gig nowhere = {.number = UINT64_MAX};

void engine_open(struct pmm *p, const struct engine *e, void *memory) {
  p->tier.gigs = &nowhere;
  p->tier.gig_count = 1;
  p->engine = e;
  p->engine_memory = memory;
  e->init(memory, p->regions, p->region_count);
}

/* Whose the frames of a region are is pmm.c's to say. */
void engine_enter(struct pmm *p, uint64_t first, uint64_t count, enum frame_owner owner) {
  if (owner == FRAME_OWNER_FREE) {
    frame_commit(p->records.hot, first, count, FRAME_STEP_FREE, FRAME_OWNER_FREE);
    p->engine->put(p->engine_memory, first, count);
  } else {
    commit_piece(p, first, count, FRAME_STEP_ALLOC, frame_tail(owner));
  }
  p->owned[owner] += count;
}

void engine_enter_taken(struct pmm *p, uint64_t first, uint64_t count, enum frame_owner owner) {
  commit_take(p, FRAME_STEP_ALLOC, frame_tail(owner), first, count);
}

static void add_run(void *context, uint64_t start, uint64_t end) {
  struct pmm_stats *s = context;
  const uint64_t blocks_end = end / FRAMES_PER_2M, gigs_end = end / FRAMES_PER_1G;
  const uint64_t blocks = (start + FRAMES_PER_2M - 1) / FRAMES_PER_2M, gigs = (start + FRAMES_PER_1G - 1) / FRAMES_PER_1G;
  s->free_frames += end - start;
  s->free_2m += blocks < blocks_end ? blocks_end - blocks : 0;
  s->free_1g += gigs < gigs_end ? gigs_end - gigs : 0;
}

void engine_each_free_run(const struct pmm *p, void (*visit)(void *context, uint64_t start, uint64_t end), void *context) {
  const struct engine_ground *g = p->engine_memory;
  for (uint64_t i = 0; i < g->count; i++)
    engine_each_run(p->engine, p->engine_memory, g->stretches[i].start, g->stretches[i].end, visit, context);
}

void engine_count_free(const struct pmm *p, struct pmm_stats *out) {
  out->free_frames = out->free_2m = out->free_1g = 0;
  engine_each_free_run(p, add_run, out);
}
