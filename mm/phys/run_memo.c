/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/run_memo.c — where there are no runs: what searches have learnt, until frees make it untrue.
 *
 * WHAT   A search for a run reads broken blocks and finds most of them wanting; the next one would read them again, and
 *        memory that is filled up with runs would cost the square of its size.  So it is remembered, section by section, for
 *        each kind of request (count, alignment, boundary), and for runs of any kind by their length alone (run_bound).
 * HOW    A memo is a bit a section: may such a run be met there?  All bits are set when it begins, and
 *
 *             a search that has read a section in vain clears its bit, and looks at no section without one;
 *             a free that makes a run long enough sets the bits around it.
 *
 *        What "met" means is the search's (tier_run.c).  A short run is met where it ends: a section whose bit is clear
 *        holds the end of none.  A long one is met at the whole groups in it: a section whose bit is clear holds no whole
 *        group of one.  Taking frames makes neither untrue.  A run that a free makes lies around the frames that were freed,
 *        no further from them than it is long; all sections up to there have their bits set.
 *
 *        Frees that the tiers learn of late (crumbs.c) are told of when they do, and so is a block that a slot gives back:
 *        tier_settle does that for whatever comes into view.
 *
 *        What slots have is not seen by who measures a run.  run_bound holds for that too, as long as a slot has freed
 *        nothing since (slot_any_has_news): so it is forgotten when what is freed lies beside a free frame of a slot's
 *        block, or in a block that a slot has got before it could be looked at.
 *
 *        So every section that a search reads in vain was paid for by a free, but once: a fill costs what its runs cost,
 *        and a request that was refused is refused again from a word or two.
 *
 *        A memo begins when a search was dear.  There are eight; the one that was used least lately makes room.  When more
 *        frees have been looked at than all the learning was worth, everything is forgotten: who frees and never asks for a
 *        run pays nothing.
 * LOCKING  the instance's lock for everything but `watch`.  A free into nobody's block holds no lock: it sets its bit, then
 *        reads `watch`, and if its frame has made a run longer than that it comes here with the lock.  So who learns lowers
 *        `watch` first, makes all CPUs pass a barrier, and only then reads what it will learn from: a free that it has not
 *        seen comes after the barrier, sees `watch`, and waits for the lock.
 * INVARIANTS
 *   INV-13  no free run is longer than run_bound, and none that is of a memo's kind is met where its bit is clear.
 * WHY NOT  bits for powers of two instead of kinds: of a run of 3, or of one across two blocks, they say nothing exact.  A
 *        place from which each kind is sought: one free at the top, and all below it would be read again.
 */
#include "mm/phys/run_memo.h"

#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/slot.h"
#include "mm/phys/tier_place.h"
#include "mm/platform.h"

#define DEAR         2U  /* A section read in vain costs at most 128 words. */
#define CREDIT_LEARN 16U /* What reading a section is worth, in frees that take the lock. */
#define CREDIT_FIRST 64U

static uint64_t memo_words(uint64_t gigs) { return (gigs + 1) / 2 + ladder_words(gigs); }

uint64_t run_memo_size(uint64_t gigs) { return sizeof(struct run_memos) + RUN_MEMOS * memo_words(gigs) * sizeof(uint64_t); }

/* Tells lock-free frees which runs matter. */
static void set_watch(struct tier *t) { atomic_set(&t->watch, bits_min(t->run_bound, t->memos->shortest_but_one)); }

/* Of no kind anything is known any more.  `watch` is never higher meanwhile than run_bound, which stays. */
static void forget_kinds(struct tier *t) {
  struct run_memos *all = t->memos;
  for (unsigned i = 0; i < RUN_MEMOS; i++) all->kinds[i].count = all->kinds[i].used = 0;
  all->shortest_but_one = UINT64_MAX;
  all->longest = all->credit = 0;
  set_watch(t);
}

void run_memo_forget(struct tier *t) {
  t->run_bound = UINT64_MAX;
  forget_kinds(t);
}

void run_memo_init(struct tier *t, void *memory) {
  uint64_t *words = (void *)((char *)memory + sizeof *t->memos);
  t->memos = memory;
  *t->memos = (struct run_memos){.dear = DEAR};
  for (unsigned i = 0; i < RUN_MEMOS; i++) {
    struct run_memo *m = &t->memos->kinds[i];
    m->may = (void *)words;
    ladder_init(&m->gigs, words + (t->gig_count + 1) / 2, t->gig_count);
    words += memo_words(t->gig_count);
  }
  run_memo_forget(t);
}

struct run_memo *run_memo_of(const struct tier *t, uint64_t count, const struct frame_limits *where) {
  struct run_memos *all = t->memos;
  if (all->longest == 0) return NULL;
  for (unsigned i = 0; i < RUN_MEMOS; i++) {
    struct run_memo *m = &all->kinds[i];
    if (m->count != count || m->align != where->align || m->boundary != where->boundary) continue;
    m->used = ++all->clock;
    return m;
  }
  return NULL;
}

/* What lengths matter, after the kinds have changed. */
static void measure_kinds(struct tier *t) {
  struct run_memos *all = t->memos;
  all->shortest_but_one = UINT64_MAX;
  all->longest = 0;
  for (unsigned i = 0; i < RUN_MEMOS; i++) {
    const uint64_t count = all->kinds[i].count;
    if (count == 0) continue;
    all->shortest_but_one = bits_min(all->shortest_but_one, count - 1);
    all->longest = bits_max(all->longest, count);
  }
  set_watch(t);
}

struct run_memo *run_memo_begin(struct tier *t, uint64_t count, const struct frame_limits *where) {
  struct run_memos *all = t->memos;
  struct run_memo *m = &all->kinds[0];
  const uint64_t before = t->watch;
  for (unsigned i = 1; i < RUN_MEMOS; i++)
    if (all->kinds[i].used < m->used) m = &all->kinds[i];
  m->count = count;
  m->align = where->align;
  m->boundary = where->boundary;
  m->used = ++all->clock;
  memset(m->may, 0xff, t->gig_count * sizeof *m->may);
  ladder_fill(&m->gigs, t->gig_count);
  measure_kinds(t);
  all->credit += CREDIT_FIRST;
  if (t->watch < before) platform_barrier_all();
  return m;
}

void run_memo_learn(struct tier *t, struct run_memo *m, const struct place *p) {
  m->may[p->gig] &= ~(UINT32_C(1) << p->in_gig);
  if (m->may[p->gig] == 0) ladder_write(&m->gigs, p->gig, false);
  t->memos->credit += CREDIT_LEARN;
}

void run_memo_learn_gig(struct run_memo *m, uint64_t gig) {
  m->may[gig] = 0;
  ladder_write(&m->gigs, gig, false);
}

void run_memo_bound(struct tier *t, uint64_t bound) {
  t->run_bound = bound;
  set_watch(t);
}

/* Such runs may be met from frame `first` to `end`. */
static void set_sections(const struct tier *t, struct run_memo *m, uint64_t first, uint64_t end) {
  for (uint64_t stop; first < end; first = stop) {
    uint64_t gig;
    stop = bits_min(bits_align_down(first, group_frames(TIER_1G)) + group_frames(TIER_1G), end);
    if (!place_gig(t, first >> TIER_1G, &gig)) continue;
    const unsigned from = (unsigned)(first >> TIER_32M) % TIER_SECTIONS_PER_GIG;
    const unsigned to = (unsigned)((stop - 1) >> TIER_32M) % TIER_SECTIONS_PER_GIG;
    if (m->may[gig] == 0) ladder_write(&m->gigs, gig, true);
    m->may[gig] |= (uint32_t)bits_mask(from, to - from + 1);
  }
}

/* Frames [first, end) have become free, and the run they are part of is [start, stop): what is met of that from now on? */
static void relearn(struct tier *t, uint64_t first, uint64_t end, uint64_t start, uint64_t stop) {
  struct run_memos *all = t->memos;
  for (unsigned i = 0; i < RUN_MEMOS; i++) {
    struct run_memo *m = &all->kinds[i];
    if (m->count == 0 || m->count > stop - start) continue;
    const uint64_t reach = m->count - 1;
    set_sections(t, m, bits_max(start, first - bits_min(first, reach)), bits_min(stop, end + reach));
  }
}

/* Does the run that ends, or begins, at the border of a block go on in what a slot has? */
static bool goes_on_in_a_slot(const struct tier *t, uint64_t frame) {
  const unsigned i = (unsigned)(frame / 64 % TIER_WORDS_PER_BLOCK);
  struct place p;
  if (!place_find(t, frame, &p)) return false;
  const uint32_t e = atomic_get_acquire(&t->entries[p.block]);
  return entry_slot(e) != 0 && slot_free_word(t, p.block, i) >> (frame % 64) & 1;
}

void run_memo_freed(struct tier *t, uint64_t first, uint64_t count) {
  const struct run_memos *all = t->memos;
  if (t->watch == UINT64_MAX) return;
  const uint64_t all_frames = (t->gigs[t->gig_count - 1].number + 1) << TIER_1G, end = first + count;
  const uint64_t longest = bits_max(t->run_bound == UINT64_MAX ? 0 : t->run_bound, all->longest);
  const uint64_t reach = bits_min(longest, all_frames); /* Wishes may be longer than memory. */
  const uint64_t start = tier_free_start(t, first, first - bits_min(first, reach));
  const uint64_t stop = tier_free_end(t, end, end + reach);
  const bool is_bound = t->run_bound != UINT64_MAX;
  if (is_bound && (stop - start > t->run_bound || goes_on_in_a_slot(t, stop) || goes_on_in_a_slot(t, start - 1)))
    run_memo_bound(t, UINT64_MAX);
  if (all->longest == 0) return;
  relearn(t, first, end, start, stop);
  if (--t->memos->credit == 0) forget_kinds(t);
}

void run_memo_freed_in(struct tier *t, uint64_t first, uint64_t end) {
  for (uint64_t stop; t->watch != UINT64_MAX && (first = tier_next_free(t, first, end)) != end;
       first = stop) { /* Run by run. */
    stop = tier_free_end(t, first, end);
    run_memo_freed(t, first, stop - first);
  }
}
