/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/slot.c — what a CPU has of its own, and how it is asked for it.
 *
 * WHAT   A slot owns one block of 2 MiB outright and has some whole blocks of one section in its pocket.  From the block it
 *        serves single frames, from the pocket 2 MiB ones, with plain loads and stores: nobody else touches a line of bits
 *        while a slot owns it, nor the entry of a whole block that is in a pocket.
 * HOW    The block is a line of 512 bits, used where it stands.  There is no list of frames in front of it: a freed frame
 *        goes to its own bit, wherever that is, so nothing is handed out scattered because it came back scattered, and
 *        blocks become whole.
 *
 *            alloc    highest free bit of the block
 *            free     of its block: the bit.  Of nobody's block: that block's entry is locked, bit and count follow.
 *                     Of another slot's block: with the entry locked, an atomic OR into that slot's mailbox, which its owner
 *                     empties by exchange when it runs out of bits.
 *            refill   under the instance's lock: the mail; else the block is given back and the highest broken one taken, or
 *                     one out of the pocket, which is filled with the whole blocks of one section, up to 16 at a time.
 *                     Where blocks have few free frames these are put by instead, one by one (crumbs.c).
 *
 *        The pocket is a section's because a section's sixteen entries are one cache line: two CPUs that fill memory beside
 *        each other do not share lines afterwards, when they free it.  It holds at most a sixty-fourth of what is whole.
 *
 *        ASKED, NOT LOCKED.  Who wants back what a slot has holds the instance's lock and does
 *
 *            caller-in                                  owner, in every operation
 *            called = 1                                 busy = 1
 *            every CPU passes a full barrier            called?  then busy = 0 and off to the instance's lock
 *            waits until busy == 0                      ..plain work..
 *            the slot is the caller's                   busy = 0 (release)
 *            called = 0 (release)
 *
 *        Without barriers an owner's `busy` may still be in its store buffer while it reads `called`.  The barrier is
 *        executed on the owner's CPU by somebody else's order: either it comes after the store, and then the caller-in
 *        sees `busy`; or before it, and then the owner's load comes after the barrier too, and sees `called`.  So
 *        Dekker's handshake costs the owner two plain stores and a load, and everything else is paid by the one who
 *        would else have failed. An owner never waits for the instance's lock while it is busy, so nobody waits for
 *        ever.
 *
 *        Operations run with interrupts on.  An interrupt's handler may not ask for frames: it would wait for the lock in
 *        the middle of an operation whose end the lock's holder, who calls this slot in, is waiting for.  The socket gives
 *        it no slot, and the lock refuses it (docs/locking.md, rule 3).  Interrupts are masked while an entry is locked, so
 *        that nobody waits for that longer than the few stores take.
 * LOCKING  a slot's own fields: see the letters in slot.h.  Order: busy, then an entry; or the instance's lock, then an
 *        entry.
 * INVARIANTS
 *   INV-9  a block or a pocket has exactly one slot that names it, and the slot's number stands in the entry.
 *   INV-10 mail lies only in the box of a slot that owns a block, for frames that are free and have no bit.
 * WHY NOT  a stack of frames for each CPU: under one-for-one churn it hands the same scattered frames out for ever, and no
 *        2 MiB block ever becomes whole (decision 0010).  Locked operations on shared bits, as LLFree: six of them a pair.
 */
#include "mm/phys/slot.h"

#include "base/assert.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/crumbs.h"
#include "mm/phys/tier_place.h"
#include "mm/platform.h"

/* The line of a slot without a block.  Never written: there is nothing to take and no frame that belongs there. */
static uint64_t no_line[TIER_WORDS_PER_BLOCK];

static void own_nothing(struct slot *s) {
  atomic_set(&s->block, SLOT_NONE);
  s->mine = SLOT_NONE;
  s->line = no_line;
  s->hot = NULL;
  s->word = 0;
}

void slot_init(struct slot *s) {
  memset(s, 0, sizeof *s);
  own_nothing(s);
  s->pocket = s->last_section = s->crumb_base = SLOT_NONE;
}

/* --- the block ------------------------------------------------------------------------------------------------------ */

bool slot_read_mail(struct slot *s) {
  bool any = false;
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) {
    if (atomic_get(&s->mail[i]) == 0) continue;
    uint64_t word = atomic_get(&s->line[i]), mail = atomic_swap(&s->mail[i], UINT64_C(0));
    if ((word & mail) != 0) { /* Two frees of one frame at the same moment, each of which saw it allocated. */
      const uint64_t frame = s->block * FRAMES_PER_2M + UINT64_C(64) * i + bits_lowest(word & mail);
      platform_panic("INV-10: frame %#llx was freed twice at once", (unsigned long long)frame);
    }
    atomic_set(&s->line[i], word | mail);
    any = true;
  }
  return any;
}

void slot_drop_block(struct tier *t, struct slot *s) {
  struct place p;
  uint32_t e, free = 0;
  CHECK(place_find(t, s->block * FRAMES_PER_2M, &p) && entry_lock(&t->entries[p.block], &e));
  slot_read_mail(s); /* The last: mail is sent with the entry locked. */
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) {
    uint64_t word = atomic_get(&s->line[i]);
    if (word != 0) free += bits_count(word); /* Mostly it is given back because nothing is left. */
  }
  own_nothing(s);
  entry_unlock(&t->entries[p.block], (e & ENTRY_MIXED) | ENTRY_WRITTEN | (ENTRY_FRAMES - free));
  tier_settle(t, &p, 1);
}

/* The entry says `e` and is the caller's alone, or locked by it. */
static void own(struct tier *t, struct slot *s, uint32_t number, const struct place *p, uint32_t e) {
  uint64_t first = place_first(t, p);
  s->line = place_line(t, p->block);
  s->hot = &t->hot[first];
  s->word = TIER_WORDS_PER_BLOCK - 1;
  atomic_set(&s->block, first / FRAMES_PER_2M);
  s->mine = e & ENTRY_MIXED ? SLOT_NONE : s->block;
  entry_unlock(&t->entries[p->block], (e & ENTRY_MIXED) | ENTRY_FULL | entry_of_slot(number));
}

void slot_take_block(struct tier *t, struct slot *s, uint32_t number, const struct place *p) {
  uint32_t e;
  if (entry_lock(&t->entries[p->block], &e))
    CHECK(entry_slot(e) == 0);
  else
    CHECK(entry_is_whole(e)); /* Its last frame has just come back. */
  own(t, s, number, p, e);
  tier_settle(t, p, 1);
  crumbs_fetch_ahead(t, *p, 2);
}

/* --- the pocket ----------------------------------------------------------------------------------------------------- */

/* The place of the pocket's block `i`. */
static struct place place_in_pocket(const struct tier *t, const struct slot *s, unsigned i) {
  struct place p;
  CHECK(place_find(t, (s->pocket << TIER_32M) + i * FRAMES_PER_2M, &p));
  return p;
}

void slot_take_from_pocket(struct tier *t, struct slot *s, uint32_t number) {
  unsigned i = highest(s->in_pocket);
  struct place p = place_in_pocket(t, s, i);
  CHECK((s->entries[i] & ~ENTRY_WRITTEN) == entry_of_slot(number));
  atomic_set(&s->in_pocket, s->in_pocket & ~(1U << i));
  tier_write_block(t, p.block, place_first(t, &p), s->entries[i]);
  own(t, s, number, &p, 0);
}

void slot_drop_pocket(struct tier *t, struct slot *s) {
  struct place p = place_in_pocket(t, s, 0);
  for (uint32_t left = s->in_pocket; left != 0; left &= left - 1) {
    uint32_t *entry = &s->entries[bits_lowest(left)];
    atomic_set_release(entry, atomic_get(entry) & ENTRY_WRITTEN);
  }
  atomic_set(&s->in_pocket, 0U);
  atomic_set(&s->pocket, SLOT_NONE);
  tier_settle(t, &p, TIER_BLOCKS_PER_SECTION);
}

void slot_open_pocket(struct tier *t, struct slot *s, uint64_t section) {
  atomic_set(&s->pocket, section);
  struct place p = place_in_pocket(t, s, 0);
  s->entries = &t->entries[p.block];
}

bool slot_fill_pocket(struct tier *t, struct slot *s, uint32_t number, uint32_t most) {
  uint64_t first;
  if (!tier_find_block(t, &first)) return false;
  struct place p;
  CHECK(place_find(t, first, &p));
  place_touch(t, &p);
  slot_open_pocket(t, s, first >> TIER_32M);
  p = place_in_pocket(t, s, 0);
  uint32_t there = t->sections[p.section].whole, taken = 0;
  for (; there != 0 && most > 0; most--) {
    unsigned i = highest(there);
    there &= ~(1U << i);
    taken |= 1U << i;
    atomic_set_release(&s->entries[i], (atomic_get_acquire(&s->entries[i]) & ENTRY_WRITTEN) | entry_of_slot(number));
  }
  atomic_set(&s->in_pocket, taken);
  tier_settle(t, &p, TIER_BLOCKS_PER_SECTION);
  return true;
}

bool slot_any_has_block(const struct tier *t, uint32_t count) {
  uint32_t put_by = 0; /* Of one block, at most. */
  for (uint32_t i = 0; i < count; i++) put_by += crumbs_of_one_block(&t->slots[i]);
  for (uint32_t i = 0; i < count; i++) {
    const struct slot *s = &t->slots[i];
    uint32_t free = put_by;
    if (atomic_get(&s->in_pocket) != 0 || crumbs_may_complete(t, s, put_by)) return true;
    if (atomic_get(&s->block) == SLOT_NONE) continue;
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++)
      free += bits_count(atomic_get(&s->line[w]) | atomic_get(&s->mail[w]));
    if (free >= FRAMES_PER_2M) return true;
  }
  return false;
}

bool slot_any_has_news(const struct tier *t, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const struct slot *s = &t->slots[i];
    uint64_t mail = 0;
    if (!slot_holds(s)) continue;
    if (crumbs_left(s) != 0) return true; /* Others may have freed what lies beside them. */
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++) mail |= atomic_get(&s->mail[w]);
    if (mail != 0 || atomic_get(&s->frees) + atomic_get(&s->huge_frees) != s->frees_seen) return true;
  }
  return false;
}
