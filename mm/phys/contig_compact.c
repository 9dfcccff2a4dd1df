/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_compact.c — as many whole groups as there can be, for as few moves as there can be.
 *
 * WHAT   To empty the cheapest group, then the cheapest that is left, and so on, moves some frames twice: the first moves
 *        may go where a later group is to be emptied.  So all groups to be emptied are chosen first.
 * HOW    F free frames make at most F / g groups of g, and a group with an unmovable frame none.  Of the k that are wanted
 *        the k with the fewest used frames are the cheapest choice, and always feasible: what they hold together,
 *        S = k g - (their free frames), fits into the free frames outside, F - (their free frames), as k g <= F.
 *
 *            used    0 ... level-1 | level        | level+1 ... g, or with an unmovable frame
 *                    all emptied   | some of them | filled, from the top of memory down
 *
 *        `level` is found by bisection over what the blocks say, so no list of groups is kept.  Of those with exactly
 *        `level` used frames the lowest are emptied; the highest are filled when nothing else is left.  Nothing moves twice,
 *        hence the moves are the least there are, as long as nobody else allocates.
 *
 *        What CPUs keep for themselves is brought home first: in it nothing can be filled, and somewhere the frames must go.
 *
 *        REFUSALS.  Whether a frame is pinned its owner alone knows.  If that came out while groups are emptied, others
 *        would have to be chosen that have been filled already.  So every owner is asked beforehand, hold and release, and a
 *        group with a frame that is refused is given up, as if that were unmovable; then the choice is made anew:
 *
 *            plan ──► ask ──► all agree ──► empty, one after the other ──► enough ──► done
 *             ▲        │                                 │
 *             └────────┴──── some group is given up ◄────┴── short: once more; those given up are asked a second time
 *
 *        All of it is bounded: ROUNDS of plan and ask, PASSES of the whole, GIVEN_UP_MAX groups that are remembered.
 * LOCKING  as contig.c; the choice is made without a lock, each group is gathered by itself.
 * WHY NOT  hold all groups before the first is emptied: then owners would wait for the copying of gigabytes.
 * SOURCE   one sweep with sources at one end and targets at the other: the two fingers of every compacting collector.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "mm/phys/gather.h"

#define GIVEN_UP_MAX 128U
#define ROUNDS       8U
#define PASSES       6U

/* --- groups ------------------------------------------------------------------------------------------------------ */

/* Groups of RAM, in order.  A group cut by the end of a range is none. */
struct groups {
  struct contig *c;
  uint64_t size;
  uint64_t given_up[GIVEN_UP_MAX]; /* First frames: an owner has refused. */
  uint32_t given_up_count;
};

static uint64_t used_in(const struct groups *gs, uint64_t first) {
  uint64_t used = 0;
  for (uint64_t b = first / WINDOW_BLOCK; b < (first + gs->size) / WINDOW_BLOCK; b++) used += window_used(gs->c, b);
  return used;
}

static bool is_given_up(const struct groups *gs, uint64_t first) {
  for (uint32_t i = 0; i < gs->given_up_count; i++)
    if (gs->given_up[i] == first) return true;
  return false;
}

static void give_up(struct groups *gs, uint64_t first) {
  if (gs->given_up_count < GIVEN_UP_MAX && !is_given_up(gs, first)) gs->given_up[gs->given_up_count++] = first;
}

static bool can_be_emptied(const struct groups *gs, uint64_t first) {
  if (is_given_up(gs, first)) return false;
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

static uint64_t group_of(const struct groups *gs, uint64_t block) { return bits_align_down(block * WINDOW_BLOCK, gs->size); }

static bool is_no_source(struct refuge *r, const struct gathering *g, uint64_t block) {
  const uint64_t first = group_of(r->groups, block);
  (void)g;
  if (r->asked != first || !r->has_asked) {
    r->has_asked = true;
    r->asked = first;
    r->answer = used_in(r->groups, first) > r->level || !can_be_emptied(r->groups, first);
  }
  return r->answer;
}

static bool is_spare_source(struct refuge *r, const struct gathering *g, uint64_t block) {
  const uint64_t first = group_of(r->groups, block);
  return first != g->first && used_in(r->groups, first) >= r->level;
}

/* --- the plan ---------------------------------------------------------------------------------------------------- */

struct sweep {
  struct groups groups;
  uint64_t level;    /* Groups with fewer used frames are emptied, */
  uint64_t at_level; /* and of those with exactly so many this number, the lowest ones. */
  uint64_t left;     /* Of them, while groups are walked over. */
  uint64_t asked_to; /* Groups with fewer used frames than that have been asked. */
  uint64_t overflow; /* Refusals in this pass that could not be remembered. */
  struct refuge refuge, last_refuge;
  struct contig_compaction *done;
};

/* How many groups can be wholly free, by what is free and by what cannot move. */
static uint64_t possible(const struct groups *gs) {
  return bits_min(window_free_frames(gs->c) / gs->size, count_groups(gs, gs->size));
}

/* Chooses; `wanted` are possible. */
static void plan(struct sweep *s, uint64_t wanted) {
  s->level = find_level(&s->groups, wanted);
  const uint64_t below = s->level == 0 ? 0 : count_groups(&s->groups, s->level - 1);
  s->at_level = wanted - bits_min(wanted, below); /* Others may have freed meanwhile. */
}

/* Is this group to be emptied?  => asked of each group once in a walk, in order. */
static bool is_planned(struct sweep *s, uint64_t first, uint64_t *used) {
  *used = used_in(&s->groups, first);
  if (*used > s->level || (*used == s->level && s->left == 0) || !can_be_emptied(&s->groups, first)) return false;
  s->left -= *used == s->level;
  return *used != 0;
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

static void walk(struct sweep *s, void (*visit)(struct sweep *s, uint64_t first, uint64_t used)) {
  uint64_t start, end = 0, used;
  s->left = s->at_level;
  while (range_from(s->groups.c, end, &start, &end)) {
    for (uint64_t at = bits_align_up(start, s->groups.size); at + s->groups.size <= end; at += s->groups.size) {
      if (is_planned(s, at, &used)) visit(s, at, used);
    }
  }
}

/* --- asking and emptying ----------------------------------------------------------------------------------------- */

static void ask_group(struct sweep *s, uint64_t first, uint64_t used) {
  uint64_t refused;
  if (used < s->asked_to || contig_gather_probe(s->groups.c, first, s->groups.size, &refused)) return;
  give_up(&s->groups, first);
}

static void empty_group(struct sweep *s, uint64_t first, uint64_t used) {
  struct gathering g = {.c = s->groups.c, .first = first, .count = s->groups.size, .moves_max = used};
  if (contig_gather(&g, &s->refuge) != OK) {
    if (g.is_refused) give_up(&s->groups, first);
    s->overflow += g.is_refused && !is_given_up(&s->groups, first);
    return;
  }
  contig_door_free(g.c, FRAME_OWNER_GATHERED, first, g.count);
  s->done->made++;
  s->done->moves += g.moved;
}

/* Plans until all owners agree, as far as can be remembered who does not. */
static void plan_and_ask(struct sweep *s, uint64_t wanted) {
  s->asked_to = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    const uint32_t given_up = s->groups.given_up_count;
    plan(s, bits_min(wanted, possible(&s->groups)));
    walk(s, ask_group);
    s->asked_to = s->level;
    if (s->groups.given_up_count == given_up) return;
  }
  plan(s, bits_min(wanted, possible(&s->groups)));
}

static void run_pass(struct sweep *s, uint64_t wanted) {
  s->overflow = 0;
  plan_and_ask(s, wanted);
  s->last_refuge = (struct refuge){
      .from = s->groups.c, .limit = UINT64_MAX, .may_fill = is_spare_source, .level = s->level, .groups = &s->groups};
  s->refuge = s->last_refuge;
  s->refuge.may_fill = is_no_source;
  s->refuge.next = &s->last_refuge;
  walk(s, empty_group);
}

/* Passes until there are as many as are wanted, or one has brought nothing; then those given up have a second chance. */
static void run(struct sweep *s, uint64_t wanted) {
  bool has_chance = true;
  uint64_t now = s->done->before;
  for (unsigned i = 0; i < PASSES && now < wanted; i++) {
    const uint64_t made = s->done->made;
    const uint32_t given_up = s->groups.given_up_count;
    run_pass(s, wanted);
    now = count_groups(&s->groups, 0);
    if (s->done->made != made || s->groups.given_up_count != given_up) continue;
    if (!has_chance || given_up == 0) break;
    has_chance = false;
    s->groups.given_up_count = 0;
  }
  s->done->refused = s->groups.given_up_count + s->overflow;
}

status_t contig_compact(struct contig *c, uint64_t group, uint64_t wanted, struct contig_compaction *out) {
  struct sweep s = {.groups = {.c = c, .size = group}, .done = out};
  if (group != FRAMES_PER_2M && group != FRAMES_PER_1G) return ERR_INVALID;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  if (!contig_gather_begin(window_machine(c))) return ERR_BUSY;
  contig_door_drain(c);
  *out = (struct contig_compaction){.before = count_groups(&s.groups, 0), .possible = possible(&s.groups)};
  run(&s, bits_min(wanted, out->possible));
  contig_gather_end(window_machine(c));
  return OK;
}
