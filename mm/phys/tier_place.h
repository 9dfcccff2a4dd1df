/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier_place.h — from a frame number to where its bit is, tier by tier.  Private to mm/phys and mm/guard.
 */
#pragma once

#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "mm/phys/entry.h"
#include "mm/phys/tier.h"

#define GROUP_WORD  UINT64_C(0xffff) /* The bits of one group of 64 KiB. */
#define SECTION_ALL 0xffffU
#define GIG_ALL     UINT32_C(0xffffffff)

static inline uint64_t group_frames(unsigned tier) { return UINT64_C(1) << tier; }
static inline unsigned highest(uint64_t mask) { return bits_log2_floor(mask); }
static inline uint64_t gig_start(const struct tier_gig *g) { return g->number << TIER_1G; }
static inline bool gig_is_whole(const struct tier_gig *g) { return g->whole == GIG_ALL; }

/* n set bits from bit `first` on; first + n <= 64 and n > 0. */
static inline uint64_t bits_mask(unsigned first, unsigned n) { return (UINT64_MAX >> (64 - n)) << first; }

/* Gigs whose number is below `number`: the place of that gig, if there is one. */
static inline uint64_t place_gigs_below(const struct tier *t, uint64_t number) {
  uint64_t low = 0, high = t->gig_count;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (t->gigs[middle].number < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Where a frame's bit is, tier by tier. */
struct place {
  uint64_t gig;        /* Number in gigs. */
  unsigned in_gig;     /* Its section, 0..31. */
  uint64_t section;    /* Number in sections. */
  unsigned in_section; /* Its block, 0..15. */
  uint64_t block;      /* Number in blocks. */
};

static inline uint64_t place_section(const struct tier_gig *g, unsigned in_gig) {
  if (LIKELY(g->present == GIG_ALL)) return atomic_get_acquire(&g->first) + in_gig;
  return atomic_get_acquire(&g->first) + bits_count(g->present & ((UINT32_C(1) << in_gig) - 1));
}

/* The gig with this number.  Most RAM of most machines is one range that ends with the last gig: that is tried first. */
static inline bool place_gig(const struct tier *t, uint64_t number, uint64_t *gig) {
  uint64_t back = t->gigs[t->gig_count - 1].number - number;
  *gig = t->gig_count - 1 - back;
  if (LIKELY(back < t->gig_count && t->gigs[*gig].number == number)) return true;
  *gig = place_gigs_below(t, number);
  return *gig < t->gig_count && t->gigs[*gig].number == number;
}

/* False when no bits are kept for that frame. */
static inline bool place_find(const struct tier *t, uint64_t frame, struct place *p) {
  if (!place_gig(t, frame >> TIER_1G, &p->gig)) return false;
  p->in_gig = (unsigned)(frame >> TIER_32M) % TIER_SECTIONS_PER_GIG;
  if (!(t->gigs[p->gig].present >> p->in_gig & 1)) return false;
  p->section = place_section(&t->gigs[p->gig], p->in_gig);
  p->in_section = (unsigned)(frame >> TIER_2M) % TIER_BLOCKS_PER_SECTION;
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
  return true;
}

/* For who is about to write what is above a whole block, or its entry: untouched gigs have neither of their own. */
static inline void place_touch(struct tier *t, struct place *p) {
  const struct tier_gig *g = &t->gigs[p->gig];
  if (UNLIKELY(g->first != g->own)) tier_touch(t, p);
}

/* First frame of the section at a place. */
static inline uint64_t section_start(const struct tier *t, const struct place *p) {
  return gig_start(&t->gigs[p->gig]) + ((uint64_t)p->in_gig << TIER_32M);
}

/* First frame of the block at a place. */
static inline uint64_t place_first(const struct tier *t, const struct place *p) {
  return section_start(t, p) + ((uint64_t)p->in_section << TIER_2M);
}

static inline uint64_t *place_line(const struct tier *t, uint64_t block) { return &t->bits[block * TIER_WORDS_PER_BLOCK]; }

/* Word `i` of a block, as far as its frames are to be had: of one that a slot owns, none. */
static inline uint64_t place_block_word(const struct tier *t, uint64_t block, unsigned i) {
  uint32_t e = atomic_get_acquire(&t->entries[block]) & ~ENTRY_LOCK;
  if (entry_is_whole(e)) return UINT64_MAX;
  return entry_is_broken(e) ? atomic_get(&place_line(t, block)[i]) : 0;
}

/* The 64 bits around a frame; 0 where none are kept. */
static inline uint64_t place_word(const struct tier *t, uint64_t frame) {
  struct place p;
  return place_find(t, frame, &p) ? place_block_word(t, p.block, (unsigned)(frame / 64 % TIER_WORDS_PER_BLOCK)) : 0;
}
