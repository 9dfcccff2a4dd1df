/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier_run.c — finds runs of frames in the tiers.
 *
 * WHAT   Any count, from one frame to all of RAM, with lowest and highest address, alignment and a boundary not to be
 *        crossed: the highest run that fits is found if and only if there is one.
 * HOW    Every free stretch that can hold the run is met once, from the top, and in it the highest start that fits is
 *        tried.  The art is to meet only those.
 *
 *        Long runs.  n frames in a row contain a whole aligned group of g frames if n >= 2 g - 1, and also if they are
 *        aligned to g and n >= g.  So a run is sought at the highest tier for which that holds: go down over its whole
 *        groups and let each one grow in both directions as far as frames are free:
 *
 *              free_start                group              free_end
 *                  |....|.............|xxxxxxxxxxx|.......|....|           x the whole group that was found
 *                       ^ next limit: groups below                          . free frames around it
 *
 *        A stretch without such a group cannot hold the run and is never looked at: a search for 64 MiB reads sections, not
 *        frames.
 *
 *        Short runs, below 31 frames, may contain no whole group at all.  They end in some word that has a free frame and
 *        begin in the same word or in the one below it, so all starts in those 128 bits are computed at once: fold the ones
 *        onto themselves n times (in log n steps), and keep the starts that alignment and boundary allow.
 * LOCKING  pmm.c holds the lock of the instance.  Blocks that a slot has look full.  A frame that is freed meanwhile without
 *        the lock may be seen or not; one that is seen free stays so.
 * WHY NOT  a buddy system: most large requests are not powers of two, and a run across two buddies is invisible to it.
 */
#include "base/assert.h"
#include "base/compiler.h"
#include "base/units.h"
#include "mm/phys/tier.h"
#include "mm/phys/tier_place.h"

/* --- how far free memory reaches ------------------------------------------------------------------------------------ */

/* The highest tier at which the group around `frame` is whole; TIER_FRAME when not even its 2 MiB are. */
static unsigned whole_tier(const struct tier *t, const struct place *p) {
  const struct tier_gig *g = &t->gigs[p->gig];
  if (gig_is_whole(g)) return TIER_1G;
  if (g->whole >> p->in_gig & 1) return TIER_32M;
  return t->sections[p->section].whole >> p->in_section & 1 ? TIER_2M : TIER_FRAME;
}

uint64_t tier_free_end(const struct tier *t, uint64_t frame, uint64_t limit) {
  struct place p;
  while (frame < limit && place_find(t, frame, &p)) {
    unsigned tier = whole_tier(t, &p);
    if (tier != TIER_FRAME) {
      frame = bits_align_down(frame, group_frames(tier)) + group_frames(tier);
      continue;
    }
    do {
      uint64_t used = ~place_block_word(t, p.block, (unsigned)(frame / 64 % TIER_WORDS_PER_BLOCK)) >> (frame % 64);
      if (used != 0) return bits_min(frame + bits_lowest(used), limit);
      frame = bits_align_up(frame + 1, 64);
    } while (frame < limit && frame % FRAMES_PER_2M != 0);
  }
  return bits_min(frame, limit);
}

uint64_t tier_free_start(const struct tier *t, uint64_t frame, uint64_t floor) {
  struct place p;
  while (frame > floor && place_find(t, frame - 1, &p)) {
    unsigned tier = whole_tier(t, &p);
    if (tier != TIER_FRAME) {
      frame = bits_align_down(frame - 1, group_frames(tier));
      continue;
    }
    do {
      uint64_t last = frame - 1;
      uint64_t used = ~place_block_word(t, p.block, (unsigned)(last / 64 % TIER_WORDS_PER_BLOCK));
      used &= bits_mask(0, (unsigned)(last % 64 + 1));
      if (used != 0) return bits_max(bits_align_down(last, 64) + highest(used) + 1, floor);
      frame = bits_align_down(last, 64);
    } while (frame > floor && frame % FRAMES_PER_2M != 0);
  }
  return bits_max(frame, floor);
}

/* --- going down over what is free ----------------------------------------------------------------------------------- */

/*
 * The descent: below a limit, the highest group of `tier` that is whole.  Each step takes the children that can hold one,
 * from the highest that begins below the limit, and looks into them.  From 2 MiB upwards, and for single frames, only the
 * child that the limit cuts can disappoint.  At 64 KiB a broken block may hold crumbs alone: there the search costs a word a
 * block.
 */

/* Those of the children (2^shift frames each, from `start` on) that begin below the limit. */
static uint32_t children_below(uint32_t children, uint64_t start, unsigned shift, uint64_t limit) {
  if (limit <= start) return 0;
  uint64_t n = (limit - start + group_frames(shift) - 1) >> shift;
  return n >= 32 ? children : children & ((UINT32_C(1) << n) - 1);
}

/* Takes the highest child out of the set; returns where it starts. */
static uint64_t pop_highest(uint32_t *children, uint64_t start, unsigned shift, unsigned *child) {
  *child = highest(*children);
  *children &= ~(UINT32_C(1) << *child);
  return start + ((uint64_t)*child << shift);
}

/* A bit at the first frame of each group of 64 KiB that is whole. */
static uint64_t whole_groups(uint64_t word) {
  for (unsigned shift = 1; shift < 16; shift *= 2) word &= word >> shift;
  return word & UINT64_C(0x0001000100010001);
}

static bool find_in_block(const struct tier *t, uint64_t block, uint64_t start, unsigned tier, uint64_t limit,
                          uint64_t *out) {
  for (unsigned i = TIER_WORDS_PER_BLOCK; i-- > 0;) {
    uint64_t base = start + UINT64_C(64) * i, word = place_block_word(t, block, i);
    if (word == 0 || base >= limit) continue;
    if (limit - base < 64) word &= bits_mask(0, (unsigned)(limit - base));
    if (tier == TIER_64K) word = whole_groups(word);
    if (word == 0) continue;
    *out = base + highest(word);
    return true;
  }
  return false;
}

static bool find_in_section(const struct tier *t, uint64_t section, uint64_t start, unsigned tier, uint64_t limit,
                            uint64_t *out) {
  const struct tier_section *s = &t->sections[section];
  uint32_t blocks = children_below(tier < TIER_2M ? s->whole | s->broken : s->whole, start, TIER_2M, limit);
  while (blocks != 0) {
    unsigned block;
    uint64_t at = pop_highest(&blocks, start, TIER_2M, &block);
    if (tier < TIER_2M) {
      if (find_in_block(t, section * TIER_BLOCKS_PER_SECTION + block, at, tier, limit, out)) return true;
      continue;
    }
    *out = at;
    if (at + group_frames(TIER_2M) <= limit) return true;
  }
  return false;
}

static bool find_in_gig(const struct tier *t, uint64_t gig, unsigned tier, uint64_t limit, uint64_t *out) {
  const struct tier_gig *g = &t->gigs[gig];
  uint64_t start = gig_start(g);
  uint32_t sections = g->whole | (tier < TIER_32M ? g->has_whole : 0) | (tier < TIER_2M ? g->has_broken : 0);
  sections = children_below(sections, start, TIER_32M, limit);
  while (sections != 0) {
    unsigned section;
    uint64_t at = pop_highest(&sections, start, TIER_32M, &section);
    if (tier < TIER_32M) {
      if (find_in_section(t, place_section(g, section), at, tier, limit, out)) return true;
      continue;
    }
    *out = at;
    if (at + group_frames(TIER_32M) <= limit) return true;
  }
  return false;
}

/* The highest gig below gig number `*gig` that can hold a whole group of the tier. */
static bool next_gig_below(const struct tier *t, unsigned tier, uint64_t *gig) {
  const struct ladder *const ladders[] = {&t->whole, &t->has_whole, &t->has_broken};
  unsigned n = tier == TIER_1G ? 1 : tier >= TIER_2M ? 2 : 3;
  uint64_t best = 0, found;
  bool any = false;
  for (unsigned i = 0; i < n; i++) {
    if (!ladder_find_below(ladders[i], *gig, &found)) continue;
    best = any ? bits_max(best, found) : found;
    any = true;
  }
  *gig = best;
  return any;
}

/* The highest whole group of a tier that ends at or below the limit. */
static bool find_whole_below(const struct tier *t, unsigned tier, uint64_t limit, uint64_t *out) {
  uint64_t gig = place_gigs_below(t, (limit + group_frames(TIER_1G) - 1) >> TIER_1G);
  while (next_gig_below(t, tier, &gig)) {
    if (tier < TIER_1G) {
      if (find_in_gig(t, gig, tier, limit, out)) return true;
      continue;
    }
    *out = gig_start(&t->gigs[gig]);
    if (*out + group_frames(TIER_1G) <= limit) return true;
  }
  return false;
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

/* The highest start of a run that ends at or below `end`, by alignment and boundary alone; false when there is none. */
static bool highest_start(uint64_t count, const struct frame_limits *where, uint64_t end, uint64_t *first) {
  if (end < count) return false;
  uint64_t start = bits_align_down(end - count, where->align);
  if (where->boundary != 0 && (start ^ (start + count - 1)) >= where->boundary) {
    /* It crosses a boundary: end there.  No second crossing, for count <= boundary. */
    uint64_t line = bits_align_down(start + count - 1, where->boundary);
    if (line < count) return false;
    start = bits_align_down(line - count, where->align);
  }
  *first = start;
  return true;
}

/* Runs that surely contain a whole group of `tier`. */
static bool find_long_run(const struct tier *t, unsigned tier, uint64_t count, const struct frame_limits *where,
                          uint64_t *first) {
  uint64_t limit = where->max, group, start;
  while (find_whole_below(t, tier, limit, &group) && group >= where->min) {
    uint64_t end = tier_free_end(t, group, where->max);
    if (!highest_start(count, where, end, &start) || start < where->min) return false;
    limit = tier_free_start(t, group, where->min);
    if (limit <= start) {
      *first = start;
      return true;
    }
  }
  return false;
}

/* 2^0 + 2^n + 2^2n + ..: a bit at every multiple of n, a power of two below 64. */
static uint64_t every(uint64_t n) { return UINT64_MAX / ((UINT64_C(1) << n) - 1); }

/* A bit at every start in the word of frame `base` that alignment and boundary allow a short run. */
static uint64_t allowed_starts(uint64_t count, const struct frame_limits *where, uint64_t base) {
  uint64_t allowed = where->align < 64 ? every(where->align) : bits_is_aligned(base, where->align);
  uint64_t period = bits_min(where->boundary, 64);
  if (period == 0 || !bits_is_aligned(base + 64, where->boundary)) return allowed; /* No boundary at or in this word. */
  uint64_t inside = bits_mask(0, (unsigned)(period - count + 1)); /* Starts in one period whose run ends in it too. */
  return allowed & (period < 64 ? inside * every(period) : inside);
}

/* Clears the bits outside [min, max). */
static uint64_t clip_word(uint64_t word, uint64_t base, const struct frame_limits *where) {
  if (base + 64 <= where->min || base >= where->max) return 0;
  if (where->min > base) word &= UINT64_MAX << (where->min - base);
  if (where->max - base < 64) word &= bits_mask(0, (unsigned)(where->max - base));
  return word;
}

/* Keeps the bits at which `count` set ones begin: ones shrink from above, doubling the step while it fits. */
static unsigned __int128 fold(unsigned __int128 ones, uint64_t count) {
  for (uint64_t have = 1; have < count;) {
    uint64_t step = bits_min(have, count - have);
    ones &= ones >> step;
    have += step;
  }
  return ones;
}

/* The highest short run that ends in the word `high`, of frame `base`, and begins there or in `low`, the word below. */
static bool find_in_words(uint64_t count, const struct frame_limits *where, uint64_t low, uint64_t high, uint64_t base,
                          uint64_t *first) {
  unsigned __int128 ones = (unsigned __int128)clip_word(high, base, where) << 64 | clip_word(low, base - 64, where);
  unsigned __int128 starts = fold(ones, count);
  if (starts == 0) return false;
  starts &= (unsigned __int128)allowed_starts(count, where, base) << 64 | allowed_starts(count, where, base - 64);
  if (starts == 0) return false;
  uint64_t upper = (uint64_t)(starts >> 64);
  *first = upper != 0 ? base + highest(upper) : base - 64 + highest((uint64_t)starts);
  return true;
}

/* Runs shorter than 31 frames, block by block and in each word by word.  No managed frame lies in the first word of all, for
   it is below 1 MiB, so there always is a word below. */
static bool find_short_run(const struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  uint64_t limit = where->max, frame;
  while (find_whole_below(t, TIER_FRAME, limit, &frame) && frame >= where->min) {
    struct place p;
    CHECK(place_find(t, frame, &p));
    uint64_t block = bits_align_down(frame, FRAMES_PER_2M);
    for (uint64_t i = (frame - block) / 64 + 1; i-- > 0;) {
      uint64_t high = place_block_word(t, p.block, (unsigned)i);
      if (high == 0) continue;
      uint64_t low = i > 0 ? place_block_word(t, p.block, (unsigned)i - 1) : place_word(t, block - 1);
      if (find_in_words(count, where, low, high, block + 64 * i, first)) return true;
    }
    limit = block;
  }
  return false;
}

bool tier_find_run(const struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  static const unsigned tiers[] = {TIER_1G, TIER_32M, TIER_2M, TIER_64K};
  if (t->gig_count == 0) return false;
  struct frame_limits within = *where;
  within.max = bits_min(where->max, (t->gigs[t->gig_count - 1].number + 1) << TIER_1G);
  if (within.align == 0) within.align = 1;
  for (unsigned i = 0; i < ARRAY_COUNT(tiers); i++) {
    uint64_t size = group_frames(tiers[i]);
    bool holds_group = count >= 2 * size - 1 || (count >= size && within.align >= size);
    if (holds_group) return find_long_run(t, tiers[i], count, &within, first);
  }
  return find_short_run(t, count, &within, first);
}
