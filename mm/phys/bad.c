/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/bad.c — broken memory leaves service, whoever has it.
 *
 * WHAT   bad_report decides what can be done at once, and remembers the frames for which that is nothing: they are
 *        condemned.  nodes_free_run comes here while there are any, and retires those that are in what it frees.
 * HOW    A frame that is free is taken by pmm_mark_bad, out of a bitmap or a slot's block alike.  One in the stock of zeroed
 *        frames is free once the stocks are called in.  One that moves is the run of one frame that contig_commit delivers;
 *        where it goes is the machine's to find, for its node may be full while others are not.
 *        A condemned one stays its owner's: ledger and records do not change until that frees it, alone or in a run.  Then
 *        the run is judged as a whole, the pieces around the frame are freed, and the frame goes from ALLOCATED to BAD
 *        without being FREE for a moment.
 * LOCKING  the list has a lock of its own; nothing is called under it.
 * INVARIANTS
 *   INV-B1  while the list is not empty, front.only is NULL: every free comes by here.  With the list itself this is INV-22
 *        of mm/check.h (mm/guard/check_nodes.c).
 *   INV-B2  a frame in the list was ALLOCATED when it was condemned, and leaves the list when it is retired.
 *        A free that was already under way in the moment of condemnation may get through.  bad_report looks again behind its
 *        own entry; should it still miss it, the frame serves one more owner, and is retired when that one frees it.
 *   INV-B3  nobody plans to move a condemned frame (window.h): its place would be handed out again.  One that is condemned
 *        while it is held for a move goes the way of a free that was under way.
 * WHY NOT  a bit in the hot byte of the frame: every path that frees would have to know it, and the fastest compares that
 *        byte as a whole.  Broken frames that are in use are a handful in a machine's life.
 */
#include "base/atomic.h"
#include "base/bits.h"
#include "mm/phys/nodes_instance.h"
#include "mm/phys/window.h"

#define ATTEMPTS 4 /* Frames change hands while we look. */

/* --- the list ------------------------------------------------------------------------------------------------------- */

static status_t remember(struct nodes *n, uint64_t first, uint64_t count) {
  platform_lock_acquire(&n->condemned.lock);
  const status_t s = condemned_add(&n->condemned, first, first + count);
  if (s == OK) atomic_set(&n->front.only, NULL);
  platform_lock_release(&n->condemned.lock);
  return s;
}

static void forget(struct nodes *n, uint64_t frame) {
  platform_lock_acquire(&n->condemned.lock);
  condemned_remove(&n->condemned, frame);
  if (n->condemned.count == 0) atomic_set(&n->front.only, n->sole);
  platform_lock_release(&n->condemned.lock);
}

/* The lowest condemned frame of [first, end); `end` when there is none. */
static uint64_t next_condemned(struct nodes *n, uint64_t first, uint64_t end) {
  platform_lock_acquire(&n->condemned.lock);
  const uint64_t next = condemned_next(&n->condemned, first, end);
  platform_lock_release(&n->condemned.lock);
  return next;
}

uint64_t bad_condemned(struct nodes *n) {
  platform_lock_acquire(&n->condemned.lock);
  const uint64_t frames = condemned_frames(&n->condemned);
  platform_lock_release(&n->condemned.lock);
  return frames;
}

size_t bad_ranges(struct nodes *n, struct bad_range *ranges, size_t room) {
  platform_lock_acquire(&n->condemned.lock);
  const size_t count = n->condemned.count;
  for (size_t i = 0; i < bits_min(count, room); i++) ranges[i] = n->condemned.ranges[i];
  platform_lock_release(&n->condemned.lock);
  return count;
}

status_t bad_condemn(struct nodes *n, pfn_t first, uint64_t count) {
  const status_t s = remember(n, first.raw, count);
  return s == ERR_EXISTS ? OK : s;
}

/* --- freeing -------------------------------------------------------------------------------------------------------- */

/* All or nothing: who has not all of it is refused before the first piece is freed. */
status_t bad_free_run(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count) {
  uint64_t end;
  if (count == 0 || !bits_add(first.raw, count, &end)) return nodes_free_sound(n, owner, first, count);
  uint64_t at = first.raw, frame = next_condemned(n, at, end);
  if (frame == end) return nodes_free_sound(n, owner, first, count);
  status_t s = nodes_judge(n, at, end, owner);
  while (s == OK && at < end) {
    if (at < frame) s = nodes_free_sound(n, owner, pfn(at), frame - at);
    if (s == OK && frame < end) {
      s = pmm_retire_frame(nodes_pmm_of(n, frame), owner, pfn(frame));
      if (s == OK) forget(n, frame);
    }
    at = frame + 1;
    frame = at < end ? next_condemned(n, at, end) : end;
  }
  return s;
}

/* --- reporting -------------------------------------------------------------------------------------------------------- */

static struct frame_said said_of(const struct nodes *n, uint64_t frame) {
  struct pmm_story story;
  nodes_describe(n, paddr_of_pfn(pfn(frame)), &story);
  return (struct frame_said){story.state, story.owner, story.is_movable};
}

/* Its owner takes another frame for it, of another node when its own has none; what is left is ours alone. */
static status_t move_away(struct nodes *n, struct contig *part, uint64_t frame) {
  const struct frame_limits here = {.min = frame, .max = frame + 1};
  struct contig *contig = window_machine(part);
  struct contig_quote quote;
  pfn_t first;
  (void)nodes_call_in(n);            /* All that is free may lie in the stocks. */
  atomic_set(&contig->saved, frame); /* It may have been condemned before, when its owner held on to it. */
  status_t s = contig_quote(contig, 1, &here, &quote);
  if (s == OK) s = contig_commit(contig, &quote, FRAME_OWNER_KERNEL, &first);
  atomic_set(&contig->saved, UINT64_C(0));
  if (s == OK) s = pmm_retire_frame(nodes_pmm_of(n, frame), FRAME_OWNER_KERNEL, pfn(frame));
  if (s == OK) forget(n, frame);
  return s;
}

static status_t condemn(struct nodes *n, uint64_t frame, enum frame_owner owner) {
  const status_t s = remember(n, frame, 1);
  if (s != OK) return s;
  platform_log("bad", "frame %#llx is broken and in use: %s", (unsigned long long)frame, frame_owner_name(owner));
  if (n->listeners[owner].tell) n->listeners[owner].tell(n->listeners[owner].context, owner, pfn(frame));
  return OK;
}

static status_t look_and_act(struct nodes *n, struct contig *contig, uint64_t frame, enum bad_outcome *outcome) {
  const struct frame_said said = said_of(n, frame);
  if (said.state == FRAME_FREE) {
    const status_t s = nodes_mark_bad(n, pfn(frame));
    *outcome = BAD_RETIRED;
    if (s == OK) forget(n, frame); /* It may have been condemned, and freed past that. */
    return s;
  }
  if (said.state == FRAME_BAD) return ERR_EXISTS;
  if (said.state != FRAME_ALLOCATED) return ERR_RANGE;
  if (said.owner == FRAME_OWNER_ZEROED && nodes_call_in(n) > 0) return ERR_STATE; /* Look again: it is free now. */
  *outcome = BAD_MOVED;
  if (said.is_movable && contig && move_away(n, contig, frame) == OK) return OK;
  *outcome = BAD_CONDEMNED;
  return condemn(n, frame, said.owner);
}

status_t bad_report(struct nodes *n, struct contig *contig, pfn_t frame, enum bad_outcome *outcome) {
  status_t s = ERR_STATE;
  for (unsigned i = 0; s == ERR_STATE && i < ATTEMPTS; i++) s = look_and_act(n, contig, frame.raw, outcome);
  if (s == OK && *outcome == BAD_CONDEMNED && said_of(n, frame.raw).state == FRAME_FREE && nodes_mark_bad(n, frame) == OK) {
    forget(n, frame.raw); /* Freed while it was being condemned. */
    *outcome = BAD_RETIRED;
  }
  return s;
}

status_t bad_listen(struct nodes *n, enum frame_owner owner, void (*fn)(void *context, enum frame_owner owner, pfn_t frame),
                    void *context) {
  if (!frame_owner_is_ours(owner)) return ERR_INVALID;
  if (fn && n->listeners[owner].tell) return ERR_EXISTS;
  n->listeners[owner].context = context;
  atomic_set(&n->listeners[owner].tell, fn);
  return OK;
}
