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
 *        Learning.  Above the tier of sections nothing is read twice for nothing: what is whole is what its words say. Below
 *        it a search goes section by section and may read 128 words of each in vain.  A second one in vain, and it learns:
 *        from then on searches of its kind pass by what was found wanting (run_memo.c).  Only what was seen without the
 *        limits' cut is learnt from: a stretch that `min` or `max` cuts may be longer than it looks.
 * LOCKING  pmm.c holds the lock of the instance.  Blocks that a slot has look full.  A frame that is freed meanwhile without
 *        the lock may be seen or not; one that is seen free stays so.
 * WHY NOT  a buddy system: most large requests are not powers of two, and a run across two buddies is invisible to it.
 */
#include "base/assert.h"
#include "base/compiler.h"
#include "base/units.h"
#include "mm/phys/run_memo.h"
#include "mm/phys/tier.h"
#include "mm/phys/tier_place.h"

/* One search. */
struct search {
  struct tier *t;
  struct run_memo *memo; /* What is known of this kind of request; NULL for nothing. */
  struct frame_limits where;
  uint64_t count;
  uint64_t top;   /* No frame is there or above. */
  uint64_t sound; /* Below here everything is seen as it is: not cut by the limits, and not before who frees was warned. */
  unsigned tier;  /* Of the groups that are looked for. */
  unsigned in_vain;
};

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

uint64_t tier_next_free(const struct tier *t, uint64_t frame, uint64_t limit) {
  struct place p;
  while (frame < limit) {
    const bool is_there = place_find(t, frame, &p);
    if (is_there && whole_tier(t, &p) != TIER_FRAME) return frame;
    do {
      const uint64_t word = is_there ? place_block_word(t, p.block, (unsigned)(frame / 64 % TIER_WORDS_PER_BLOCK)) : 0;
      const uint64_t free = word >> (frame % 64);
      if (free != 0) return bits_min(frame + bits_lowest(free), limit);
      frame = bits_align_up(frame + 1, 64);
    } while (frame < limit && frame % FRAMES_PER_2M != 0);
  }
  return limit;
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

/* Sections of a gig that can hold a whole group of the tier. */
static uint32_t sections_with(const struct tier_gig *g, unsigned tier) {
  return g->whole | (tier < TIER_32M ? g->has_whole : 0) | (tier < TIER_2M ? g->has_broken : 0);
}

/* The highest section that ends at or below the limit and is whole. */
static bool find_in_gig(const struct tier *t, uint64_t gig, uint64_t limit, uint64_t *out) {
  const struct tier_gig *g = &t->gigs[gig];
  uint64_t start = gig_start(g);
  uint32_t sections = children_below(g->whole, start, TIER_32M, limit);
  while (sections != 0) {
    unsigned section;
    *out = pop_highest(&sections, start, TIER_32M, &section);
    if (*out + group_frames(TIER_32M) <= limit) return true;
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

/* The highest whole section, or gig, that ends at or below the limit. */
static bool find_whole_below(const struct tier *t, unsigned tier, uint64_t limit, uint64_t *out) {
  uint64_t gig = place_gigs_below(t, (limit + group_frames(TIER_1G) - 1) >> TIER_1G);
  while (next_gig_below(t, tier, &gig)) {
    if (tier < TIER_1G) {
      if (find_in_gig(t, gig, limit, out)) return true;
      continue;
    }
    *out = gig_start(&t->gigs[gig]);
    if (*out + group_frames(TIER_1G) <= limit) return true;
  }
  return false;
}

/* The highest section that begins below the limit and may have what is sought. */
static bool next_section(struct search *s, uint64_t limit, struct place *p) {
  const struct tier *t = s->t;
  uint64_t gig = place_gigs_below(t, (limit + group_frames(TIER_1G) - 1) >> TIER_1G);
  while (s->memo ? ladder_find_below(&s->memo->gigs, gig, &gig) : next_gig_below(t, s->tier, &gig)) {
    const struct tier_gig *g = &t->gigs[gig];
    uint32_t sections = sections_with(g, s->tier) & (s->memo ? s->memo->may[gig] : GIG_ALL);
    bool is_empty = sections == 0;
    t->memos->looks++;
    sections = children_below(sections, gig_start(g), TIER_32M, limit);
    if (sections != 0) {
      p->gig = gig;
      p->in_gig = highest(sections);
      p->section = place_section(g, p->in_gig);
      return true;
    }
    if (s->memo && is_empty) run_memo_learn_gig(s->memo, gig);
  }
  return false;
}

/* A section has been looked through, from its top down to `from`, which is its start or lower, and nothing was found. */
static void found_wanting(struct search *s, const struct place *p, uint64_t start, uint64_t from) {
  s->t->memos->looks++;
  if (s->memo && start + group_frames(TIER_32M) <= s->sound && (start >= s->where.min + 64 || s->where.min == 0)) {
    run_memo_learn(s->t, s->memo, p);
  } else if (!s->memo && ++s->in_vain >= s->t->memos->dear) {
    s->memo = run_memo_begin(s->t, s->count, &s->where);
    s->sound = bits_min(s->sound, from);
  }
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

bool tier_run_highest_start(uint64_t count, const struct frame_limits *where, uint64_t end, uint64_t *first) {
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

/* Tries the stretch around a whole group; false when the run is not in it, and then *limit is where it begins. */
static bool try_stretch(struct search *s, uint64_t group, uint64_t *limit, uint64_t *first) {
  const struct frame_limits *where = &s->where;
  uint64_t end = tier_free_end(s->t, group, where->max);
  if (!tier_run_highest_start(s->count, where, end, first) || *first < where->min) {
    *limit = s->sound = 0; /* Nor in any below; and nothing is learnt from that: there may be one that begins below min. */
    return false;
  }
  *limit = tier_free_start(s->t, group, where->min);
  if (end == where->max && end < s->top) s->sound = bits_min(s->sound, *limit); /* A cut at `min` is no matter: see above. */
  return *limit <= *first;
}

/* Runs that surely contain a whole group of 32 MiB or 1 GiB. */
static bool find_huge_run(struct search *s, uint64_t *first) {
  uint64_t limit = s->where.max, group;
  while (find_whole_below(s->t, s->tier, limit, &group) && group >= s->where.min) {
    if (try_stretch(s, group, &limit, first)) return true;
  }
  return false;
}

/* Runs that surely contain a whole group of 64 KiB or 2 MiB. */
static bool find_long_run(struct search *s, uint64_t *first) {
  uint64_t limit = s->where.max, group;
  struct place p;
  while (limit > s->where.min && next_section(s, limit, &p)) {
    const uint64_t start = section_start(s->t, &p);
    while (limit > start && find_in_section(s->t, p.section, start, s->tier, limit, &group)) {
      if (group < s->where.min) return false;
      if (try_stretch(s, group, &limit, first)) return true;
    }
    limit = bits_min(limit, start);
    found_wanting(s, &p, start, limit);
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

/* The highest short run that ends in a block, below the limit. */
static bool find_short_in_block(const struct search *s, uint64_t number, uint64_t block, uint64_t limit, uint64_t *first) {
  const struct tier *t = s->t;
  for (uint64_t i = bits_min((limit - block + 63) / 64, TIER_WORDS_PER_BLOCK); i-- > 0;) {
    uint64_t high = place_block_word(t, number, (unsigned)i);
    if (high == 0) continue;
    uint64_t low = i > 0 ? place_block_word(t, number, (unsigned)i - 1) : place_word(t, block - 1);
    if (find_in_words(s->count, &s->where, low, high, block + 64 * i, first)) return true;
  }
  return false;
}

/* Runs shorter than 31 frames, block by block and in each word by word.  No managed frame lies in the first word of all, for
   it is below 1 MiB, so there always is a word below. */
static bool find_short_run(struct search *s, uint64_t *first) {
  uint64_t limit = s->where.max;
  struct place p;
  while (limit > s->where.min && next_section(s, limit, &p)) {
    const uint64_t start = section_start(s->t, &p);
    const struct tier_section *section = &s->t->sections[p.section];
    uint32_t blocks = children_below(section->whole | section->broken, start, TIER_2M, limit);
    while (blocks != 0) {
      unsigned block;
      const uint64_t at = pop_highest(&blocks, start, TIER_2M, &block);
      if (at + FRAMES_PER_2M <= s->where.min) return false;
      if (find_short_in_block(s, p.section * TIER_BLOCKS_PER_SECTION + block, at, limit, first)) return true;
    }
    limit = start;
    found_wanting(s, &p, start, limit);
  }
  return false;
}

unsigned tier_run_groups(uint64_t count, uint64_t align) {
  static const unsigned tiers[] = {TIER_1G, TIER_32M, TIER_2M, TIER_64K};
  for (unsigned i = 0; i < ARRAY_COUNT(tiers); i++) {
    uint64_t size = group_frames(tiers[i]);
    if (count >= 2 * size - 1 || (count >= size && align >= size)) return tiers[i];
  }
  return TIER_FRAME;
}

bool tier_find_run(struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  struct search s = {.t = t, .where = *where, .count = count};
  if (t->gig_count == 0) return false;
  s.top = (t->gigs[t->gig_count - 1].number + 1) << TIER_1G;
  s.where.max = s.sound = bits_min(where->max, s.top);
  if (s.where.align == 0) s.where.align = 1;
  s.tier = tier_run_groups(count, s.where.align);
  if (s.tier >= TIER_32M) return find_huge_run(&s, first);
  s.memo = run_memo_of(t, count, &s.where);
  return s.tier == TIER_FRAME ? find_short_run(&s, first) : find_long_run(&s, first);
}
