/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/window.c — what contig sees of an allocator: see window.h.
 *
 * HOW    Which frames are free the bits say, for a word of them at once; what the others are, their hot bytes, eight of them
 * at a time: a byte of zero is free, bit 7 says movable.  Where the map has no RAM of ours there is no byte to read, so the
 *        regions are asked first.
 * LOCKING  none.  Bits and bytes are read as they stand; the caller knows that they may change (contig.h).
 */
#include "mm/phys/window.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "mm/phys/condemned.h"
#include "mm/phys/instance.h"
#include "mm/phys/tier_place.h"

/* --- where our RAM is -------------------------------------------------------------------------------------------- */

static uint64_t first_of(const struct boot_region *r) { return r->start / FRAME_SIZE; }
static uint64_t end_of(const struct boot_region *r) { return r->end / FRAME_SIZE; }

/* Regions that end at or below a frame: the place of the one that holds it, if any does. */
static size_t regions_below(const struct pmm *p, uint64_t frame) {
  size_t low = 0, high = p->region_count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (end_of(&p->regions[middle]) <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool window_range_below(const struct contig *c, uint64_t limit, uint64_t *start, uint64_t *end) {
  const struct boot_region *regions = c->pmm->regions;
  size_t i = limit == 0 ? 0 : bits_min(regions_below(c->pmm, limit - 1) + 1, c->pmm->region_count);
  while (i > 0 && (first_of(&regions[i - 1]) >= limit || !tier_manages(&regions[i - 1]))) i--;
  if (i == 0) return false;
  *start = first_of(&regions[i - 1]);
  *end = bits_min(end_of(&regions[i - 1]), limit);
  for (i--; i > 0 && tier_manages(&regions[i - 1]) && end_of(&regions[i - 1]) == *start; i--) {
    *start = first_of(&regions[i - 1]);
  }
  return true;
}

/* Those of the 64 frames from `base` on that are RAM of ours. */
static uint64_t ours(const struct pmm *p, uint64_t base) {
  uint64_t mask = 0;
  for (size_t i = regions_below(p, base); i < p->region_count && first_of(&p->regions[i]) < base + WINDOW_WORD; i++) {
    const struct boot_region *r = &p->regions[i];
    const uint64_t from = bits_max(first_of(r), base), to = bits_min(end_of(r), base + WINDOW_WORD);
    if (tier_manages(r)) mask |= bits_mask((unsigned)(from - base), (unsigned)(to - from));
  }
  return mask;
}

/* --- what the frames are ----------------------------------------------------------------------------------------- */

#define LOW_BITS  UINT64_C(0x7f7f7f7f7f7f7f7f)
#define HIGH_BITS UINT64_C(0x8080808080808080)

typedef uint64_t eight_bytes __attribute__((may_alias));

/* Bit 7 of each byte, as eight bits in a row: each of them is carried to its place in the highest byte, and to no other's.
 */
static uint64_t high_bits(uint64_t bytes) { return ((bytes & HIGH_BITS) >> 7) * UINT64_C(0x0102040810204080) >> 56; }

static bool has_mover(const struct contig *c, uint8_t hot) {
  const struct frame_said said = frame_said_by(hot);
  return said.is_movable && said.state == FRAME_ALLOCATED && atomic_get(&c->movers[said.owner]) != NULL;
}

/* Of the frames in `mask`, those that can be moved; what has bit 7 is asked for its owner. */
static uint64_t movable_of(const struct contig *c, uint64_t base, uint64_t mask) {
  const uint8_t *hot = c->pmm->records.hot;
  uint64_t movable = 0;
  for (uint64_t left = mask; left != 0; left &= left - 1) {
    const unsigned at = bits_lowest(left);
    if (has_mover(c, atomic_get(&hot[base + at]))) movable |= UINT64_C(1) << at;
  }
  return movable;
}

bool window_can_see(const struct contig *c) { return c->pmm->engine == NULL; }

struct window_word window_word_now(const struct contig *c, uint64_t base) {
  const struct tier *t = &c->pmm->tier;
  struct window_word w = {0};
  struct place p;
  if (!place_find(t, base, &p)) return w;
  const uint32_t e = atomic_get_acquire(&t->entries[p.block]);
  if (e & ENTRY_HUGE) { /* The entry speaks for all frames. */
    w.movable = has_mover(c, entry_byte(e)) ? UINT64_MAX : 0;
    return w;
  }
  w.free = entry_taken(e) == 0 ? UINT64_MAX : place_word(t, base);
  const uint64_t rest = ~w.free & (w.free == UINT64_MAX ? 0 : ours(c->pmm, base));
  uint64_t marked = 0;
  if (rest == 0) return w;
  const eight_bytes *hot = (const eight_bytes *)&c->pmm->records.hot[base];
  for (unsigned i = 0; i < 8; i++) {
    if (!(rest >> (8 * i) & 0xff)) continue;
    const uint64_t bytes = atomic_get(&hot[i]);
    w.free |= (~high_bits(((bytes & LOW_BITS) + LOW_BITS) | bytes) & 0xff) << (8 * i) & rest;
    marked |= high_bits(bytes) << (8 * i);
  }
  w.movable = movable_of(c, base, marked & rest & ~w.free);
  return w;
}

/* Broken frames that wait for their owners, but for the one that is being saved. */
static uint64_t condemned_of(const struct contig *c, uint64_t base) {
  if (!c->pmm->condemned) return 0;
  const uint64_t mask = condemned_mask(c->pmm->condemned, base), saved = atomic_get(&c->saved) - base;
  return saved < WINDOW_WORD ? mask & ~(UINT64_C(1) << saved) : mask;
}

struct window_word window_word_at(const struct contig *c, uint64_t base) {
  struct window_word w = window_word_now(c, base);
  if (w.movable != 0) w.movable &= ~condemned_of(c, base);
  return w;
}

void window_free_of_block(const struct contig *c, uint64_t block, uint64_t free[static WINDOW_BLOCK / WINDOW_WORD]) {
  struct place p;
  const bool is_there = place_find(&c->pmm->tier, block * WINDOW_BLOCK, &p);
  for (unsigned i = 0; i < WINDOW_BLOCK / WINDOW_WORD; i++) {
    free[i] = is_there ? slot_free_word(&c->pmm->tier, p.block, i) : 0;
  }
}

/* What a block's entry says; of one that is not ours, that it is all taken. */
static uint32_t entry_of(const struct contig *c, uint64_t block) {
  struct place p;
  if (!place_find(&c->pmm->tier, block * WINDOW_BLOCK, &p)) return ENTRY_FRAMES;
  return atomic_get(&c->pmm->tier.entries[p.block]);
}

uint64_t window_spare(const struct contig *c, uint64_t block) {
  const uint32_t e = entry_of(c, block);
  return entry_slot(e) == 0 ? WINDOW_BLOCK - entry_taken(e) : 0;
}

uint64_t window_used(const struct contig *c, uint64_t block) {
  uint64_t free[WINDOW_BLOCK / WINDOW_WORD], used = WINDOW_BLOCK;
  const uint32_t e = entry_of(c, block);
  if (entry_slot(e) == 0 || entry_taken(e) == 0) return entry_taken(e);
  window_free_of_block(c, block, free); /* A slot's block: the entry says that there is nothing for others. */
  for (unsigned i = 0; i < WINDOW_BLOCK / WINDOW_WORD; i++) used -= bits_count(free[i]);
  return used;
}

uint64_t window_free_frames(const struct contig *c) { return pmm_owned(c->pmm, FRAME_OWNER_FREE); }

enum frame_owner window_owner(const struct contig *c, uint64_t frame, bool *is_movable) {
  const uint64_t base = bits_align_down(frame, WINDOW_WORD);
  *is_movable = false;
  if (!(ours(c->pmm, base) >> (frame - base) & 1)) return FRAME_OWNER_NONE;
  const struct frame_said said = pmm_frame_said(c->pmm, frame);
  *is_movable = said.is_movable && said.state == FRAME_ALLOCATED && atomic_get(&c->movers[said.owner]) != NULL;
  return said.owner;
}

void window_exchange(struct contig *c, uint64_t from, uint64_t to) { pmm_exchange(c->pmm, from, to); }
