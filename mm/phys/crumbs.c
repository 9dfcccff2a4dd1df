/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/crumbs.c — memory that is nearly full, or has been used for long: every block has a frame or two.
 *
 * WHAT   Owning a block is for blocks with many free frames.  Where each has few, a slot would own one after the other, and
 *        every frame would cost two settlements and three lines that no cache has.  So the free frames of the highest broken
 *        blocks are put by in the slot, twelve at most, in one visit under the lock; and handed out one by one without it.
 * HOW    A visit goes down from the highest broken block: it locks the entry, takes all bits, and says "full".  The byte of
 *        each frame is fetched as soon as its number is known: it is first looked at when the frame is handed out, in the
 *        same order.  At the end, lines and entries of as many blocks further down are fetched for the next visit.  So
 *        hardly any line is waited for, however large memory is.
 *
 *        The highest block is never put by when it has many frames, for then it is owned; but one further down gives what
 *        there is still room for, so that the next visit pays.
 *
 *        A frame put by is free, by its byte and in the ledger; its bit is clear, as if it were taken.  It is the slot's,
 *        like a block it owns: called in before anything is refused, and given back to its bit then.
 *
 *        LATE.  The other half of it: a free into a full block makes it broken, which the tiers have to be told under the
 *        lock.  A slot that has something anyway, and so will be called in before anything is refused, notes the block
 *        instead.  Its next visit begins with those that lie above all that the tiers know of, which is what "the highest
 *        first" says too; when they are full again the tiers need not know.  Of the others they learn then.  A block that
 *        becomes whole is told of at once.
 * LOCKING  those of the slot: its owner in an operation, or who holds the instance's lock and has called it in.
 * INVARIANTS
 *   INV-9  a frame put by has no bit, no mail, and is put by once; a block that is late has a slot that holds something.
 * WHY NOT  a stack of frames that takes frees back: it hands the same scattered frames out for ever, and no block becomes
 *        whole (decision 0010).  Here nothing comes back: a free goes to its own bit, also beside a frame that is put by.
 */
#include "mm/phys/crumbs.h"

#include "base/assert.h"
#include "mm/phys/tier_place.h"

/* Goes on to the next broken block below; false when there is none. */
static bool next_broken(const struct tier *t, struct place *p) {
  uint32_t broken = t->sections[p->section].broken & ((1U << p->in_section) - 1);
  if (broken == 0) {
    uint32_t below = t->gigs[p->gig].has_broken & ((UINT32_C(1) << p->in_gig) - 1);
    if (below == 0) {
      if (!ladder_find_below(&t->has_broken, p->gig, &p->gig)) return false;
      below = t->gigs[p->gig].has_broken;
    }
    p->in_gig = highest(below);
    p->section = place_section(&t->gigs[p->gig], p->in_gig);
    broken = t->sections[p->section].broken;
  }
  p->in_section = highest(broken);
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
  return true;
}

void crumbs_fetch_ahead(const struct tier *t, struct place p, unsigned blocks) {
  for (uint64_t section = p.section; blocks > 0 && next_broken(t, &p); blocks--) {
    __builtin_prefetch(place_line(t, p.block), 1);
    if (p.section != section) __builtin_prefetch(&t->entries[p.section * TIER_BLOCKS_PER_SECTION], 1);
    section = p.section;
  }
}

/* Which words of a line are not 0: without a branch, for where the few bits are is anybody's guess. */
static unsigned words_with_bits(const uint64_t *line) {
  unsigned words = 0;
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) words |= (unsigned)(atomic_get(&line[i]) != 0) << i;
  return words;
}

/* Puts by the highest frames of a line, so many or all. */
static void gather_line(struct tier *t, struct slot *s, uint64_t *line, uint64_t first, uint32_t end) {
  uint32_t n = s->crumb_end;
  for (unsigned words = words_with_bits(line); words != 0 && n < end;) {
    const unsigned i = highest(words);
    uint64_t word = atomic_get(&line[i]);
    for (words &= ~(1U << i); word != 0 && n < end; n++) {
      const unsigned bit = highest(word);
      const uint64_t frame = first + UINT64_C(64) * i + bit;
      word &= ~(UINT64_C(1) << bit);
      __builtin_prefetch(&t->hot[frame], 1);
      atomic_set(&s->crumbs[n], (uint32_t)(s->crumb_base - frame));
    }
    atomic_set(&line[i], word);
  }
  CHECK(n == end);
  atomic_set(&s->crumb_end, end);
}

/* How much of a block is put by. */
enum gathered { GATHERED_NOTHING, GATHERED_PART, GATHERED_ALL };

/* Puts by what a broken block has, if there is room for it; of one that has many, only to fill up. */
static enum gathered gather_block(struct tier *t, struct slot *s, uint64_t block, uint64_t first, bool fills_up) {
  uint32_t *entry = &t->entries[block], e = atomic_get(entry);
  const uint32_t room = SLOT_CRUMBS - s->crumb_end, most = fills_up || room < CRUMBS_FEW ? room : CRUMBS_FEW;
  if (s->crumb_base - first > UINT32_MAX || room == 0) return GATHERED_NOTHING;
  if (!fills_up && ENTRY_FRAMES - entry_taken(e) > most) return GATHERED_NOTHING;
  if (!entry_lock(entry, &e)) return GATHERED_NOTHING; /* Its last frame has just come back. */
  const uint32_t free = ENTRY_FRAMES - entry_taken(e), taken = free <= most ? free : fills_up ? most : 0;
  if (free != 0 && taken != 0) gather_line(t, s, place_line(t, block), first, s->crumb_end + taken);
  entry_unlock(entry, e + taken);
  return taken == 0 ? GATHERED_NOTHING : taken == free ? GATHERED_ALL : GATHERED_PART;
}

/* Visits the broken blocks of a section, from the one at `p` down; false when the visit is over. */
static bool gather_section(struct tier *t, struct slot *s, struct place *p, unsigned *visited) {
  const uint64_t first = place_first(t, p) - ((uint64_t)p->in_section << TIER_2M), block = p->block - p->in_section;
  uint32_t gone = 0, left = t->sections[p->section].broken;
  for (; left != 0; left &= ~(1U << p->in_section)) {
    p->in_section = highest(left);
    p->block = block + p->in_section;
    if (gather_block(t, s, p->block, first + ((uint64_t)p->in_section << TIER_2M), s->crumb_end != 0) != GATHERED_ALL) break;
    gone |= 1U << p->in_section;
    (*visited)++;
  }
  if (gone != 0) tier_settle_full(t, p, gone);
  return left == 0 && s->crumb_end < SLOT_CRUMBS;
}

/* The late blocks that are above all that the tiers know of are visited as they are; of the others the tiers learn. */
static void gather_late(struct tier *t, struct slot *s, uint64_t above) {
  for (uint32_t i = 0; i < s->late_count; i++) {
    const uint64_t first = s->late[i] * FRAMES_PER_2M;
    struct place p;
    CHECK(place_find(t, first, &p));
    const bool is_known = t->sections[p.section].broken >> p.in_section & 1;
    if (first > above && !is_known && gather_block(t, s, p.block, first, false) == GATHERED_ALL) continue;
    tier_settle(t, &p, 1);
  }
  atomic_set(&s->late_count, 0U);
}

/* The last frame of the highest block that may be visited. */
static uint64_t highest_frame(const struct slot *s, uint64_t known) {
  for (uint32_t i = 0; i < s->late_count; i++) {
    if (s->late[i] * FRAMES_PER_2M > known) known = s->late[i] * FRAMES_PER_2M;
  }
  return known + FRAMES_PER_2M - 1;
}

bool crumbs_gather(struct tier *t, struct slot *s) {
  struct place p;
  unsigned visited = 0;
  const uint64_t known = tier_find_broken(t, &p) ? place_first(t, &p) : 0;
  s->crumb = 0;
  atomic_set(&s->crumb_end, 0U);
  atomic_set(&s->crumb_base, highest_frame(s, known));
  gather_late(t, s, known);
  while (s->crumb_end < SLOT_CRUMBS && tier_find_broken(t, &p) && gather_section(t, s, &p, &visited)) continue;
  if (visited > 0) crumbs_fetch_ahead(t, p, visited);
  if (s->crumb_end == 0) crumbs_close(s);
  return s->crumb_end != 0;
}

bool crumbs_take_back(struct slot *s, uint64_t *frame) {
  if (crumbs_left(s) == 0) return false;
  *frame = s->crumb_base - s->crumbs[s->crumb];
  atomic_set(&s->crumb, s->crumb + 1);
  return true;
}

uint32_t crumbs_of_one_block(const struct slot *s) {
  const uint64_t base = atomic_get(&s->crumb_base), end = atomic_get(&s->crumb_end);
  uint64_t last = SLOT_NONE;
  uint32_t most = 0, n = 0;
  for (uint64_t i = atomic_get(&s->crumb); base != SLOT_NONE && i < end; i++) { /* Those of a block lie side by side. */
    const uint64_t block = (base - atomic_get(&s->crumbs[i])) / FRAMES_PER_2M;
    n = block == last ? n + 1 : 1;
    last = block;
    if (n > most) most = n;
  }
  return most;
}

bool crumbs_may_complete(const struct tier *t, const struct slot *s, uint32_t frames) {
  struct place p;
  const uint64_t base = atomic_get(&s->crumb_base);
  for (uint32_t i = atomic_get(&s->crumb); base != SLOT_NONE && i < atomic_get(&s->crumb_end); i++) {
    if (place_find(t, base - atomic_get(&s->crumbs[i]), &p) && entry_taken(atomic_get(&t->entries[p.block])) <= frames)
      return true;
  }
  return false;
}

void crumbs_close(struct slot *s) {
  s->crumb = 0;
  atomic_set(&s->crumb_end, 0U);
  atomic_set(&s->crumb_base, SLOT_NONE);
}

void crumbs_settle_late(struct tier *t, struct slot *s) {
  struct place p;
  for (uint32_t i = 0; i < s->late_count; i++) {
    CHECK(place_find(t, s->late[i] * FRAMES_PER_2M, &p));
    tier_settle(t, &p, 1);
  }
  atomic_set(&s->late_count, 0U);
}
