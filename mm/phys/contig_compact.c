/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_compact.c — as many whole groups as there can be, for as few moves as there can be.
 *
 * WHAT   To empty the cheapest group, then the cheapest that is left, and so on, moves some frames twice: the first moves
 * may go where a later group is to be emptied.  So all groups to be emptied are chosen first. HOW    F free frames make at
 * most F / g groups of g, and a group with an unmovable frame none.  Of the k that are wanted the k with the fewest used
 * frames are the cheapest choice, and always feasible: what they hold together, S = k g - (their free frames), fits into the
 * free frames outside, F - (their free frames), as k g <= F.
 *
 *            used    0 ... level-1 | level        | level+1 ... g, or with an unmovable frame
 *                    all emptied   | some of them | filled, from the top of memory down
 *
 *        `level` is found by bisection over what the blocks say, so no list of groups is kept.  Of those with exactly
 * `level` used frames the lowest are emptied; the highest are filled when nothing else is left.  Nothing moves twice, hence
 *        the moves are the least there are, as long as nobody else allocates.
 * LOCKING  as contig.c; the choice is made without a lock, each group is gathered by itself.
 * SOURCE   one sweep with sources at one end and targets at the other: the two fingers of every compacting collector.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "mm/phys/gather.h"

/* --- groups ------------------------------------------------------------------------------------------------------ */

/* Groups of RAM, in order.  A group cut by the end of a range is none. */
struct groups {
  const struct contig *c;
  uint64_t size;
};

static uint64_t used_in(const struct groups *gs, uint64_t first) {
  uint64_t used = 0;
  for (uint64_t b = first / WINDOW_BLOCK; b < (first + gs->size) / WINDOW_BLOCK; b++) used += window_used(gs->c, b);
  return used;
}

static bool can_be_emptied(const struct groups *gs, uint64_t first) {
  for (uint64_t at = first; at < first + gs->size; at += WINDOW_WORD) {
    const struct window_word w = window_word_at(gs->c, at);
    if ((w.free | w.movable) != UINT64_MAX) return false;
  }
  return true;
}

/* Groups with at most `level` used frames and no unmovable one. */
static uint64_t count_groups(const struct groups *gs, uint64_t level) {
  uint64_t n = 0, start, end;
  for (uint64_t limit = UINT64_MAX; window_range_below(gs->c, limit, &start, &end); limit = start) {
    for (uint64_t at = bits_align_up(start, gs->size); at + gs->size <= end; at += gs->size) {
      n += used_in(gs, at) <= level && can_be_emptied(gs, at);
    }
  }
  return n;
}

/* The fewest used frames for which there are `wanted` groups with no more. */
static uint64_t find_level(const struct groups *gs, uint64_t wanted) {
  uint64_t low = 0, high = gs->size;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (count_groups(gs, middle) >= wanted)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

/* --- where moved frames go --------------------------------------------------------------------------------------- */

static bool is_no_source(struct refuge *r, const struct gathering *g, uint64_t block) {
  const struct groups gs = {g->c, r->group};
  const uint64_t first = bits_align_down(block * WINDOW_BLOCK, r->group);
  if (r->asked != first || !r->has_asked) {
    r->has_asked = true;
    r->asked = first;
    r->answer = used_in(&gs, first) > r->level || !can_be_emptied(&gs, first);
  }
  return r->answer;
}

static bool is_spare_source(struct refuge *r, const struct gathering *g, uint64_t block) {
  const struct groups gs = {g->c, r->group};
  const uint64_t first = bits_align_down(block * WINDOW_BLOCK, r->group);
  return first != g->first && used_in(&gs, first) >= r->level;
}

/* --- the sweep --------------------------------------------------------------------------------------------------- */

struct sweep {
  struct groups groups;
  uint64_t level;
  uint64_t at_level; /* Groups with `level` used frames still to be emptied. */
  struct refuge refuge, last_refuge;
  struct contig_compaction *done;
};

/* Empties one group if that is planned. */
static void sweep_group(struct sweep *s, uint64_t first) {
  const uint64_t used = used_in(&s->groups, first);
  if (used == 0 || used > s->level || (used == s->level && s->at_level == 0) || !can_be_emptied(&s->groups, first)) return;
  struct gathering g = {.c = (struct contig *)s->groups.c, .first = first, .count = s->groups.size, .moves_max = used};
  s->at_level -= used == s->level;
  if (contig_gather(&g, &s->refuge) != OK) {
    s->done->refused++;
    return;
  }
  CHECK(pmm_free_run(g.c->pmm, FRAME_OWNER_GATHERED, pfn(first), g.count) == OK);
  s->done->made++;
  s->done->moves += g.moved;
}

/* The lowest range of RAM at or above a frame. */
static bool range_from(const struct contig *c, uint64_t from, uint64_t *start, uint64_t *end) {
  uint64_t s, e;
  bool is_found = false;
  for (uint64_t limit = UINT64_MAX; window_range_below(c, limit, &s, &e) && s >= from; limit = s) {
    *start = s;
    *end = e;
    is_found = true;
  }
  return is_found;
}

static void sweep(struct sweep *s) {
  uint64_t start, end = 0;
  while (range_from(s->groups.c, end, &start, &end)) {
    for (uint64_t at = bits_align_up(start, s->groups.size); at + s->groups.size <= end; at += s->groups.size) {
      sweep_group(s, at);
    }
  }
}

status_t contig_compact(struct contig *c, uint64_t group, uint64_t wanted, struct contig_compaction *out) {
  struct sweep s = {.groups = {c, group}, .done = out};
  if (group != FRAMES_PER_2M && group != FRAMES_PER_1G) return ERR_INVALID;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  if (!contig_gather_begin(c)) return ERR_BUSY;
  *out = (struct contig_compaction){.before = count_groups(&s.groups, 0)};
  out->possible = bits_min(window_free_frames(c) / group, count_groups(&s.groups, group));
  wanted = bits_min(wanted, out->possible);
  if (wanted > out->before) {
    s.level = find_level(&s.groups, wanted);
    s.at_level = wanted - (s.level == 0 ? 0 : count_groups(&s.groups, s.level - 1));
    s.last_refuge = (struct refuge){.limit = UINT64_MAX, .may_fill = is_spare_source, .level = s.level, .group = group};
    s.refuge = s.last_refuge;
    s.refuge.may_fill = is_no_source;
    s.refuge.next = &s.last_refuge;
    sweep(&s);
  }
  contig_gather_end(c);
  return OK;
}
