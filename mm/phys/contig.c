/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig.c — makes the run that was quoted, or leaves everything as it was.
 *
 * WHAT   contig_quote.c says which window is the cheapest; here its movable frames leave it.
 * HOW    While it works, all that a commit has taken is charged to one owner, "runs being made": free frames of the window
 *        and destinations outside of it.  So the ledger is whole at every step, and what must be undone can be seen.
 *
 *            gather   free frames of the window          FREE -> GATHERED     undone by: free
 *            provide  as many frames outside             FREE -> GATHERED     undone by: free
 *            hold     each movable frame                 its owner promises   undone by: release
 *            ------   from here on nothing can fail
 *            move     copy; exchange what is known of the two frames; tell the owner
 *            deliver  the window                         GATHERED -> owner
 *
 *        A move changes no count: the frame that was its owner's is GATHERED now and the other way round.  Nothing is kept
 *        in memory of our own: which frames of the window are ours the hot bytes say, and the destinations are a list
 *        through their own first words.
 *        Where a destination lies decides what the next run will cost.  So they are taken from the fullest 2 MiB blocks that
 *        have enough room together; contig_compact.c, which knows more, says itself which blocks may be filled.
 * LOCKING  none of ours is held for longer than one call into pmm.c.  One commit at a time (is_committing), for the owner of
 *        what is gathered would else be two.  Frames that others free into the window meanwhile are gathered as well, where
 *        they are met; should one be taken by somebody else first, the commit gives up.
 * INVARIANTS
 *   INV-G1  no frame is GATHERED unless a commit is under way.
 *   INV-G2  before `move`, what a commit has changed can be given back by pmm_free_run and release, which do not fail.
 * WHY NOT  marking free frames of the window "isolated" in place: then every allocation would have to know that state.
 */
#include "mm/contig.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/string.h"
#include "mm/phys/gather.h"
#include "mm/platform.h"
#include "mm/zero.h"

void contig_init(struct contig *c, struct pmm *p) { *c = (struct contig){.pmm = p}; }

status_t contig_mover_set(struct contig *c, enum frame_owner owner, const struct frame_mover *mover) {
  if (!frame_owner_is_ours(owner) || owner == FRAME_OWNER_GATHERED) return ERR_INVALID;
  const struct frame_mover *none = NULL;
  return atomic_cas(&window_machine(c)->movers[owner], &none, mover) ? OK : ERR_EXISTS;
}

static void give(struct contig *c, uint64_t first, uint64_t count) {
  contig_door_free(c, FRAME_OWNER_GATHERED, first, count);
}

/* --- destinations: a list through their first words -------------------------------------------------------------- */

#define END UINT64_MAX

static uint64_t *link_of(uint64_t frame) { return platform_direct(paddr_of_pfn(pfn(frame))); }

static void push(struct gathering *g, uint64_t frame) {
  *link_of(frame) = g->destinations;
  g->destinations = frame;
  g->destination_count++;
}

static uint64_t pop(struct gathering *g) {
  const uint64_t frame = g->destinations;
  CHECK(frame != END);
  g->destinations = *link_of(frame);
  *link_of(frame) = 0; /* Where what is free is zeros, it was. */
  g->destination_count--;
  return frame;
}

static bool is_in_window(const struct gathering *g, uint64_t frame) {
  return frame >= g->first && frame - g->first < g->count;
}

/* Takes what a block has to spare, as far as it is needed. */
static void provide_from_block(struct gathering *g, struct refuge *refuge, uint64_t block) {
  const struct frame_limits here = {.min = block * WINDOW_BLOCK, .max = (block + 1) * WINDOW_BLOCK};
  uint64_t frame;
  for (uint64_t n = window_spare(refuge->from, block); n > 0 && g->destination_count < g->movable; n--) {
    if (contig_door_take_within(refuge->from, &here, &frame) != OK) return;
    if (!is_in_window(g, frame)) push(g, frame);
  }
}

/* Goes on where the last gathering left off: what has been filled has nothing to spare. */
static void provide_from_blocks(struct gathering *g, struct refuge *refuge) {
  uint64_t start, end, limit = refuge->limit;
  while (g->destination_count < g->movable && window_range_below(refuge->from, limit, &start, &end)) {
    for (uint64_t b = (end - 1) / WINDOW_BLOCK;; b--) {
      refuge->limit = bits_min((b + 1) * WINDOW_BLOCK, end);
      if (window_spare(refuge->from, b) != 0 && refuge->may_fill(refuge, g, b)) provide_from_block(g, refuge, b);
      if (g->destination_count == g->movable) return;
      if (b * WINDOW_BLOCK <= start) break;
    }
    limit = refuge->limit = start;
  }
}

/* One destination for each movable frame: where the refuge wants it, else where there is one. */
static status_t provide(struct gathering *g, struct refuge *refuge) {
  uint64_t frame;
  for (; refuge; refuge = refuge->next) provide_from_blocks(g, refuge);
  while (g->destination_count < g->movable) {
    const status_t s = contig_door_take_near(g->c, g->first, &frame);
    if (s != OK) return s;
    if (!is_in_window(g, frame)) push(g, frame); /* In the window: freed meanwhile, and gathered now. */
  }
  return OK;
}

/* --- the window -------------------------------------------------------------------------------------------------- */

/* The part of a word that is in the window. */
struct stretch {
  uint64_t base, mask;
};

static struct stretch stretch_at(uint64_t frame, uint64_t end) {
  const uint64_t base = bits_align_down(frame, WINDOW_WORD), n = bits_min(base + WINDOW_WORD, end) - frame;
  return (struct stretch){base, UINT64_MAX >> (WINDOW_WORD - n) << (frame - base)};
}

/* Takes the free frames of a word, run by run. */
static bool take_free(struct gathering *g, uint64_t base, uint64_t free) {
  while (free != 0) {
    const unsigned at = bits_lowest(free);
    const uint64_t rest = ~(free >> at);
    const unsigned n = rest == 0 ? 64 : bits_lowest(rest);
    if (contig_door_take(g->c, base + at, n) != OK) return false;
    free &= ~(UINT64_MAX >> (64 - n) << at);
  }
  return true;
}

/* Frames of a word that are ours already. */
static uint64_t gathered_of(const struct gathering *g, uint64_t base, uint64_t mask) {
  uint64_t ours = 0;
  bool is_movable;
  for (uint64_t left = mask; left != 0; left &= left - 1) {
    const unsigned at = bits_lowest(left);
    if (window_owner(g->c, base + at, &is_movable) == FRAME_OWNER_GATHERED) ours |= UINT64_C(1) << at;
  }
  return ours;
}

/* Everything in a word becomes ours or is movable: then those are in *movable.  Frames come and go, so it looks twice. */
static bool settle_word(struct gathering *g, struct stretch s, uint64_t *movable) {
  for (unsigned attempt = 0; attempt < 4; attempt++) {
    const struct window_word w = window_word_at(g->c, s.base);
    const uint64_t rest = s.mask & ~(w.free | w.movable);
    if (gathered_of(g, s.base, rest) != rest) return false; /* Unmovable. */
    *movable = w.movable & s.mask;
    if ((w.free & s.mask) == 0) return true;
    if (take_free(g, s.base, w.free & s.mask)) return true;
  }
  return false;
}

/* Whole blocks go in one step; how far that leads. */
static uint64_t take_blocks(struct gathering *g, uint64_t at, uint64_t end) {
  while (at % WINDOW_BLOCK == 0 && end - at >= WINDOW_BLOCK && window_spare(g->c, at / WINDOW_BLOCK) == WINDOW_BLOCK) {
    if (contig_door_take(g->c, at, WINDOW_BLOCK) != OK) break;
    at += WINDOW_BLOCK;
  }
  return at;
}

static status_t gather(struct gathering *g) {
  const uint64_t end = g->first + g->count;
  for (uint64_t at = g->first; at < end; at = g->reached) {
    uint64_t movable;
    at = g->reached = take_blocks(g, at, end);
    if (at == end) break;
    g->reached = bits_min(bits_align_down(at, WINDOW_WORD) + WINDOW_WORD, end);
    if (!settle_word(g, stretch_at(at, end), &movable)) return ERR_BUSY;
    g->movable += bits_count(movable);
    if (g->movable > g->moves_max) return ERR_BUSY;
  }
  return OK;
}

/* Gives back what is gathered in the window, word by word and as far as it was looked at, and the destinations. */
static void ungather(struct gathering *g) {
  const uint64_t end = g->reached;
  for (uint64_t at = g->first; at < end; at = bits_align_down(at, WINDOW_WORD) + WINDOW_WORD) {
    const struct stretch s = stretch_at(at, end);
    const struct window_word w = window_word_at(g->c, s.base);
    uint64_t ours = gathered_of(g, s.base, s.mask & ~(w.free | w.movable));
    while (ours != 0) {
      const unsigned from = bits_lowest(ours);
      const uint64_t rest = ~(ours >> from);
      const unsigned n = rest == 0 ? 64 : bits_lowest(rest);
      give(g->c, s.base + from, n);
      ours &= ~(UINT64_MAX >> (64 - n) << from);
    }
  }
  while (g->destination_count > 0) give(g->c, pop(g), 1);
}

/* --- holding and moving ------------------------------------------------------------------------------------------ */

static const struct frame_mover *mover_of(const struct contig *c, uint64_t frame) {
  bool is_movable;
  const enum frame_owner owner = window_owner(c, frame, &is_movable);
  return is_movable ? atomic_get_acquire(&window_machine(c)->movers[owner]) : NULL;
}

/* The lowest movable frame of [frame, end), or end: what is not movable is gathered. */
static uint64_t next_movable(const struct contig *c, uint64_t frame, uint64_t end) {
  while (frame < end) {
    const struct stretch s = stretch_at(frame, end);
    const uint64_t movable = window_word_now(c, s.base).movable & s.mask;
    if (movable != 0) return s.base + bits_lowest(movable);
    frame = s.base + WINDOW_WORD;
  }
  return end;
}

static void release(struct gathering *g, uint64_t end) {
  for (uint64_t f = next_movable(g->c, g->first, end); f < end; f = next_movable(g->c, f + 1, end)) {
    const struct frame_mover *m = mover_of(g->c, f);
    m->release(m->context, pfn(f));
  }
}

bool contig_gather_probe(struct contig *c, uint64_t first, uint64_t count, uint64_t *refused) {
  const uint64_t end = first + count;
  for (uint64_t f = next_movable(c, first, end); f < end; f = next_movable(c, f + 1, end)) {
    const struct frame_mover *m = mover_of(c, f);
    if (!m) continue; /* Freed at this moment. */
    *refused = f;
    if (m->hold(m->context, pfn(f)) == OK)
      m->release(m->context, pfn(f));
    else if (mover_of(c, f) == m)
      return false;
  }
  return true;
}

/* Holds one frame, or takes it when its owner has let go of it since it was counted. */
static status_t hold_frame(struct gathering *g, uint64_t frame) {
  const struct stretch one = {bits_align_down(frame, WINDOW_WORD), UINT64_C(1) << frame % WINDOW_WORD};
  status_t s = OK;
  uint64_t movable;
  for (unsigned attempt = 0; attempt < 2; attempt++) { /* A refusal may mean that it is being freed at this moment. */
    if (!settle_word(g, one, &movable)) return ERR_BUSY;
    if (movable == 0) return OK;
    const struct frame_mover *m = mover_of(g->c, frame);
    s = m ? m->hold(m->context, pfn(frame)) : ERR_BUSY;
    g->held += s == OK;
    if (s == OK) return OK;
  }
  g->is_refused = true;
  g->refused = frame;
  return s;
}

static status_t hold(struct gathering *g) {
  const uint64_t end = g->first + g->count;
  for (uint64_t at = g->first; at < end; at++) {
    const status_t s = hold_frame(g, at);
    if (s == OK) continue;
    release(g, at);
    return s;
  }
  CHECK(g->held <= g->destination_count); /* No frame of ours becomes movable. */
  return OK;
}

/* Nothing here can fail. */
static void move(struct gathering *g) {
  const uint64_t end = g->first + g->count;
  for (uint64_t f = next_movable(g->c, g->first, end); f < end; f = next_movable(g->c, f + 1, end)) {
    const struct frame_mover *m = mover_of(g->c, f);
    const uint64_t to = pop(g);
    memcpy(link_of(to), link_of(f), FRAME_SIZE);
    window_exchange(g->c, f, to);
    m->move(m->context, pfn(f), pfn(to));
    contig_door_leave(g->c, f, 1);
    g->moved++;
  }
  while (g->destination_count > 0) give(g->c, pop(g), 1); /* For frames that their owners have freed. */
}

/* --- the door ---------------------------------------------------------------------------------------------------- */

bool contig_gather_begin(struct contig *c) { return atomic_swap(&c->is_committing, 1U) == 0; }
void contig_gather_end(struct contig *c) { atomic_set_release(&c->is_committing, 0U); }

status_t contig_gather(struct gathering *g, struct refuge *refuge) {
  g->destinations = END;
  g->reached = g->first;
  status_t s = gather(g);
  if (s == OK) s = provide(g, refuge);
  if (s == OK) s = hold(g);
  if (s != OK) {
    ungather(g);
    (void)atomic_add(&window_machine(g->c)->stats.refused, UINT64_C(1));
    return s;
  }
  move(g);
  (void)atomic_add(&window_machine(g->c)->stats.commits, UINT64_C(1));
  (void)atomic_add(&window_machine(g->c)->stats.moves, g->moved);
  return OK;
}

/* The fullest blocks that have room for all: those with more than `above` used frames, and some of those with as many. */
static uint64_t fullest_with_room(struct contig *c, const struct gathering *g, uint64_t wanted) {
  uint32_t room[WINDOW_BLOCK] = {0}; /* Free frames in blocks by their used ones; as many as count. */
  uint64_t start, end, above = WINDOW_BLOCK;
  for (uint64_t limit = UINT64_MAX; window_range_below(c, limit, &start, &end); limit = start) {
    for (uint64_t b = start / WINDOW_BLOCK; b * WINDOW_BLOCK < end; b++) {
      const uint64_t spare = window_spare(c, b);
      const bool overlaps = b * WINDOW_BLOCK < g->first + g->count && g->first < (b + 1) * WINDOW_BLOCK;
      uint32_t *r = &room[WINDOW_BLOCK - bits_max(spare, 1)];
      if (!overlaps) *r = (uint32_t)bits_min(*r + spare, UINT32_MAX);
    }
  }
  for (uint64_t sum = 0; above > 0 && sum < bits_min(wanted, UINT32_MAX);) sum += room[--above];
  return above;
}

static bool is_full_enough(struct refuge *r, const struct gathering *g, uint64_t block) {
  (void)g;
  return WINDOW_BLOCK - window_spare(r->from, block) >= r->level;
}

/* Destinations lie in the node of the window's first frame, as far as that has some. */
static status_t commit(struct gathering *g, uint64_t moves, enum frame_owner owner) {
  struct refuge refuge = {.from = window_part(g->c, g->first), .limit = UINT64_MAX, .may_fill = is_full_enough};
  refuge.level = fullest_with_room(refuge.from, g, moves);
  const status_t s = contig_gather(g, &refuge);
  if (s == OK) contig_door_deliver(g->c, g->first, g->count, owner);
  return s;
}

static status_t commit_noting(struct contig *c, const struct contig_quote *quote, enum frame_owner owner,
                              struct gathering *g) {
  uint64_t end;
  *g = (struct gathering){.c = c, .first = quote->first.raw, .count = quote->count, .moves_max = quote->moves};
  const bool is_ours = frame_owner_is_ours(owner) && owner != FRAME_OWNER_GATHERED;
  if (!is_ours || quote->count == 0 || !bits_add(g->first, g->count, &end)) return ERR_INVALID;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  if (!contig_gather_begin(window_machine(c))) return ERR_BUSY;
  const status_t s = commit(g, quote->moves, owner);
  contig_gather_end(window_machine(c));
  return s;
}

status_t contig_commit(struct contig *c, const struct contig_quote *quote, enum frame_owner owner, pfn_t *first) {
  struct gathering g;
  const status_t s = commit_noting(c, quote, owner, &g);
  if (s == OK) *first = quote->first;
  return s;
}

#define ATTEMPTS 4 /* Of quote and commit, while others change memory in between. */

/* Refusals are learnt and the window is sought anew: AVOID_MAX of them, and ATTEMPTS of everything else, end it. */
status_t contig_make(struct contig *c, uint32_t near, enum frame_owner owner, uint64_t count,
                     const struct frame_limits *where, uint64_t moves_max, uint64_t *moved, pfn_t *first) {
  struct avoid avoid = {.count = 0};
  status_t s = ERR_BUSY, refusal = OK;
  for (unsigned i = 0; (s == ERR_NO_MEMORY || s == ERR_BUSY) && i < ATTEMPTS;) {
    struct contig_quote q;
    struct gathering g;
    s = contig_quote_avoiding(c, near, count, where, &avoid, &q);
    if (s == ERR_BUSY && refusal != OK) return refusal;
    if (s != OK) return s == ERR_UNSUPPORTED ? ERR_NO_MEMORY : s;
    if (q.moves > moves_max) return ERR_DENIED;
    s = commit_noting(c, &q, owner, &g);
    if (s == OK) {
      *moved = g.moved;
      *first = q.first;
    } else if (g.is_refused && avoid.count < AVOID_MAX) {
      avoid.frames[avoid.count++] = g.refused;
      refusal = s;
      s = ERR_BUSY;
    } else {
      i++;
    }
  }
  return s;
}

status_t contig_find_or_make(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                             uint64_t moves_max, uint64_t *moved, pfn_t *first) {
  *moved = 0;
  if (owner == FRAME_OWNER_GATHERED) return ERR_INVALID; /* Of a commit alone (INV-G1). */
  const status_t s = contig_door_find(c, owner, count, where, first);
  if (s != ERR_NO_MEMORY) return s;
  if (!contig_is_possible(c, count, where)) return ERR_RANGE; /* One allocator alone does not say so. */
  if (moves_max == 0) return s;
  return contig_make(c, NEAR_NOBODY, owner, count, where, moves_max, moved, first);
}

status_t contig_alloc(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                      uint64_t moves_max, pfn_t *first) {
  uint64_t moved;
  return contig_find_or_make(c, owner, count, where, moves_max, &moved, first);
}
