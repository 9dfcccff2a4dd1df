/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier_place.h — from a frame number to where its bit is, tier by tier.  Shared by tier.c and tier_run.c alone.
 */
#pragma once

#include "base/bits.h"
#include "mm/phys/tier.h"

#define GROUP_WORD  UINT64_C(0xffff) /* The bits of one group of 64 KiB. */
#define BLOCK_ALL   UINT32_C(0xffffffff)
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
  return g->first + bits_count(g->present & ((UINT32_C(1) << in_gig) - 1));
}

/* False when no bits are kept for that frame. */
static inline bool place_find(const struct tier *t, uint64_t frame, struct place *p) {
  p->gig = place_gigs_below(t, frame >> TIER_1G);
  if (p->gig == t->gig_count || t->gigs[p->gig].number != frame >> TIER_1G) return false;
  p->in_gig = (unsigned)(frame >> TIER_32M) % TIER_SECTIONS_PER_GIG;
  if (!(t->gigs[p->gig].present >> p->in_gig & 1)) return false;
  p->section = place_section(&t->gigs[p->gig], p->in_gig);
  p->in_section = (unsigned)(frame >> TIER_2M) % TIER_BLOCKS_PER_SECTION;
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
  return true;
}

/* The 64 bits around a frame; 0 where none are kept. */
static inline uint64_t place_word(const struct tier *t, uint64_t frame) {
  struct place p;
  return place_find(t, frame, &p) ? t->bits[p.block * TIER_WORDS_PER_BLOCK + frame / 64 % TIER_WORDS_PER_BLOCK] : 0;
}
