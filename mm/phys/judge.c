/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/judge.c — may these frames take this step, and if not, which one may not and why?
 *
 * WHAT   Every request that names frames is judged whole before anything of it is done, so that a refused one has changed
 *        nothing.  A refusal is a bug of the caller or worse: it is logged with frame, state, owner and who asked.
 * HOW    What a frame is, is said by the coarsest that speaks: its block's entry where all frames of the block are free or
 *        were handed out as one, else its byte (frame.c has the table of steps).  A GiB whose 512 blocks were handed out as
 *        ones and alike is judged by one of them.  Frames that no region of RAM holds have no byte: ERR_RANGE.
 *        A byte, or an entry's, also says whether its frame, or block, was handed out in one piece with what lies below it
 *        (FRAME_TAIL).  Who frees or gives away may name a piece or a part of one, nothing that reaches into the next: its
 *        size is wrong.  Frames of boot are all tails; what contig makes is one when it is given to its owner.
 * LOCKING  the instance's, for judging; none for reporting, for nothing is logged while it is held.
 * WHY NOT  judge while committing, frame by frame: then half of a request is done when the other half is refused.
 */
#include "mm/phys/judge.h"

#include "base/bits.h"
#include "lib/memmap.h"

#define JUDGE_CALLER_MAX 72 /* A record of the log has 160. */

status_t judge_report(const struct judge_refusal *r) {
  if (r->status == OK || r->status == ERR_INVALID) return r->status;
  char caller[JUDGE_CALLER_MAX];
  platform_name_caller(caller, sizeof caller);
  bool has_claim = r->step == FRAME_STEP_FREE || r->step == FRAME_STEP_GIVE || r->step == FRAME_STEP_CONDEMN;
  platform_log("pmm", "refused to %s frame %#llx%s%s: it is %s, owner %s%s (%s)%s%s", frame_step_verb(r->step),
               (unsigned long long)r->frame, has_claim ? " for " : "", has_claim ? frame_owner_name(r->claimed) : "",
               frame_state_name(r->state), frame_owner_name(r->owner), r->status == ERR_OVERLAP ? ", handed out apart" : "",
               status_name(r->status), caller[0] != '\0' ? ", by " : "", caller);
  return r->status;
}

/* Regions that end at or below a frame: the place of the one that holds it, if any does. */
static size_t regions_below(const struct pmm *p, uint64_t frame) {
  size_t low = 0, high = p->region_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (p->regions[middle].end / FRAME_SIZE <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

uint64_t judge_ram_end(const struct pmm *p, uint64_t first, uint64_t end) {
  for (size_t i = regions_below(p, first); i < p->region_count && first < end; i++) {
    if (p->regions[i].start / FRAME_SIZE > first || !memmap_kind_is_ram(p->regions[i].kind)) break;
    first = p->regions[i].end / FRAME_SIZE;
  }
  return bits_min(first, end);
}

/* Judges frames of one section, or of none that is managed: block by block, which may speak for all its frames. */
static status_t judge_part(const struct pmm *p, enum frame_step step, enum frame_owner owner, uint64_t first, uint64_t end,
                           uint64_t *refused) {
  struct place at;
  status_t status = OK;
  if (!place_find(&p->tier, first, &at)) return frame_judge(p->records.hot, first, end - first, step, owner, refused);
  const uint32_t *entry = &p->tier.entries[at.block];
  uint32_t last = 0; /* Neighbours handed out together have the same entry: one of them is judged. */
  for (uint64_t stop; first < end && status == OK; first = stop, entry++) {
    uint32_t e = atomic_get_acquire(entry);
    stop = bits_min(bits_align_down(first, FRAMES_PER_2M) + FRAMES_PER_2M, end);
    if ((e & ENTRY_HUGE) && e == last) continue;
    if ((e & ENTRY_HUGE) || entry_taken(e) == 0) {
      last = e;
      *refused = first;
      status = frame_judge_byte(e & ENTRY_HUGE ? entry_byte(e) : FRAME_OWNER_FREE, step, owner);
    } else {
      status = frame_judge(p->records.hot, first, stop - first, step, owner, refused);
    }
  }
  return status;
}

/* Judges a GiB that was handed out in blocks with one byte; false when its parts have to be judged. */
static bool judge_gig(const struct pmm *p, enum frame_step step, enum frame_owner owner, uint64_t first, status_t *status) {
  struct place at;
  if (!place_find(&p->tier, first, &at) || !tier_gig_is_one(&p->tier, &at)) return false;
  *status = frame_judge_byte(entry_byte(atomic_get(&p->tier.entries[at.block])), step, owner);
  return true;
}

/* Was that frame handed out in one piece with the one below it? */
static bool is_tail(const struct pmm *p, uint64_t frame, const struct place *at) {
  const uint32_t e = at ? atomic_get_acquire(&p->tier.entries[at->block]) : 0;
  return ((e & ENTRY_HUGE ? entry_byte(e) : atomic_get(&p->records.hot[frame])) & FRAME_TAIL) != 0;
}

/* The first frame behind `first` with which something begins that was handed out apart; `end`: none. */
static uint64_t next_piece(const struct pmm *p, uint64_t first, uint64_t end) {
  for (uint64_t at = first, stop; at < end; at = stop) {
    struct place place;
    const bool has_place = place_find(&p->tier, at, &place);
    if (at != first && !is_tail(p, at, has_place ? &place : NULL)) return at;
    stop = at + FRAMES_PER_1G;
    if (bits_is_aligned(at, FRAMES_PER_1G) && stop <= end && has_place && tier_gig_is_one(&p->tier, &place)) continue;
    stop = bits_min(bits_align_down(at, FRAMES_PER_2M) + FRAMES_PER_2M, end);
    if (has_place && (atomic_get_acquire(&p->tier.entries[place.block]) & ENTRY_HUGE)) continue;
    const uint64_t piece = frame_first_unlike(p->records.hot, at + 1, stop, FRAME_TAIL, FRAME_TAIL);
    if (piece != stop) return piece;
  }
  return end;
}

/* Has somebody the size wrong?  What is being made of parts is of many pieces. */
static void judge_size(const struct pmm *p, uint64_t first, uint64_t end, struct judge_refusal *r) {
  if (r->claimed == FRAME_OWNER_GATHERED) return;
  if (r->step != FRAME_STEP_FREE && r->step != FRAME_STEP_GIVE) return;
  const uint64_t piece = next_piece(p, first, end);
  if (piece == end) return;
  r->status = ERR_OVERLAP;
  r->frame = piece;
}

struct judge_refusal judge_frames(struct pmm *p, enum frame_step step, enum frame_owner owner, uint64_t first,
                                  uint64_t count) {
  struct judge_refusal r = {.step = step, .claimed = owner};
  uint64_t end;
  if (count == 0 || !bits_add(first, count, &end)) {
    r.status = ERR_INVALID;
    return r;
  }
  uint64_t with_record = judge_ram_end(p, first, end), stop;
  bool is_one = count == 1;
  for (uint64_t at = first; at < with_record && r.status == OK; at = stop) {
    r.frame = at;
    stop = at + FRAMES_PER_1G;
    if (stop <= with_record && bits_is_aligned(at, FRAMES_PER_1G) && judge_gig(p, step, owner, at, &r.status)) {
      is_one = count == FRAMES_PER_1G;
      continue;
    }
    stop = bits_min(bits_align_down(at, group_frames(TIER_32M)) + group_frames(TIER_32M), with_record);
    r.status = judge_part(p, step, owner, at, stop, &r.frame);
  }
  if (r.status == OK && with_record == end && !is_one) judge_size(p, first, end, &r);
  if (r.status != OK) {
    struct frame_said said = pmm_frame_said(p, r.frame);
    r.state = said.state;
    r.owner = said.owner;
  } else if (with_record < end) {
    r = (struct judge_refusal){ERR_RANGE, step, with_record, FRAME_ABSENT, FRAME_OWNER_NONE, owner};
  }
  p->refusals += r.status != OK;
  return r;
}
