/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier.c — tiered bitmaps: which frames are free, and where the free ones lie together.
 *
 * WHAT   One bit a frame, and above it groups of 64 KiB, 2 MiB, 32 MiB and 1 GiB that say what lies in them, so that every
 *        question is answered from a few words: a single frame, a 2 MiB block, a GiB, or any run of frames.
 * HOW
 *        1 GiB    gig      whole | has_whole | has_broken   32 bits each, one a section; ladders over all gigs on top
 *                  x 32
 *        32 MiB   section  whole | broken                   16 bits each, one a block
 *                  x 16
 *        2 MiB    block    whole | broken                   32 bits each, one a group of 64 KiB
 *                  x 32
 *        64 KiB   16 of the bits below
 *                  x 16
 *        4 KiB    bits     1 is free
 *
 *        A group is whole (every frame free), broken (some free) or full.  Two bits are enough up to 2 MiB.  Above it,
 *        "broken" cannot tell whether there is a whole block of 2 MiB below or only crumbs, and a search that trusts it
 *        must walk; so a gig asks the two questions themselves: has_whole, has_broken.  With them
 *          a frame   comes from the highest broken block, or breaks the block that tier_find_block names;
 *          2 MiB     comes from a section and a gig that are not whole, if there is one, else breaks the highest whole one;
 *          1 GiB     is the highest bit of a ladder;
 *        and "there is none" is the first thing each of them sees.
 *
 *        Metadata follows RAM: only sections with managed memory have bits, and only GiB with such sections have a gig.
 *        Sections stand in one array in order of address; a gig knows where its own begin (`first`) and which of its 32
 *        there are (`present`), so a section's place is a population count.  A hole of terabytes costs nothing.
 *
 *        Runs.  A run of n frames contains a whole aligned group of g frames if n >= 2 g - 1, and also if it is aligned to
 *        g and n >= g.  So a run is sought at the highest tier for which that holds: go down over its whole groups, let
 *        each grow in both directions as far as frames are free, and see whether a run that fits ends as high as possible
 *        in there.  Every free stretch long enough is met, exactly once, hence: found if and only if one exists.  Runs too
 *        short for that (below 31 frames) end in one word and begin in it or in its neighbour: all their starts in those
 *        128 bits are computed at once by folding.
 * LOCKING  none here: pmm.c holds the lock of the instance.
 * INVARIANTS
 *   INV-4  every tier word is what the tier below it says (change_block and the settle_ functions keep it).
 *   INV-5  free_frames, free_2m, free_1g count what the bits say.
 * WHY NOT  a buddy system: most large requests are not powers of two, and a run that crosses two buddies is invisible to it.
 *        A bit "partly used" alone: see above.  Counters of free frames a group: they answer "how many", not "where".
 * SOURCE the tiers are source note 0's (rows P2, P4); two summaries as LLFree's child and tree entries suggest.
 */
#include "mm/phys/tier.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"
#include "lib/string.h"

#define GROUP_WORD  UINT64_C(0xffff) /* The bits of one group of 64 KiB. */
#define BLOCK_ALL   UINT32_C(0xffffffff)
#define SECTION_ALL 0xffffU
#define GIG_ALL     UINT32_C(0xffffffff)
#define LINE        64 /* Bytes of a cache line. */
#define SMALL_RUN   31 /* Runs below it may hold no whole group of 64 KiB: 2 * 16 - 1. */

static uint64_t group_frames(unsigned tier) { return UINT64_C(1) << tier; }

/* --- shape ---------------------------------------------------------------------------------------------------------- */

bool tier_manages(const struct boot_region *r) {
  switch (r->kind) {
  case BOOT_MEMORY_USABLE:
  case BOOT_MEMORY_BOOT_SERVICES:
  case BOOT_MEMORY_LOADER:
  case BOOT_MEMORY_HANDOFF:
  case BOOT_MEMORY_BOOT_STACK:
  case BOOT_MEMORY_PAGE_TABLES:
  case BOOT_MEMORY_KERNEL:
    return r->start >= MIB;
  default:
    return false;
  }
}

/* Calls for every run of groups of a tier that hold managed memory, each group once; sums them up. */
static uint64_t count_groups(const struct boot_region *regions, size_t count, unsigned tier) {
  uint64_t groups = 0, next = 0;
  for (size_t i = 0; i < count; i++) {
    if (!tier_manages(&regions[i])) continue;
    uint64_t first = regions[i].start >> (FRAME_SHIFT + tier), last = (regions[i].end - 1) >> (FRAME_SHIFT + tier);
    if (first < next) first = next;
    groups += last + 1 - first;
    next = last + 1;
  }
  return groups;
}

/* Offsets of the arrays in the tiers' memory; the widest come first after the bits, so that all are aligned. */
struct shape {
  uint64_t gigs, sections;
  uint64_t at_gigs, at_ladders, at_blocks, at_sections, size;
};

static struct shape shape_of(const struct boot_region *regions, size_t count) {
  struct shape s = {.gigs = count_groups(regions, count, TIER_1G), .sections = count_groups(regions, count, TIER_32M)};
  uint64_t blocks = s.sections * TIER_BLOCKS_PER_SECTION;
  s.at_blocks = blocks * TIER_WORDS_PER_BLOCK * sizeof(uint64_t);
  s.at_gigs = s.at_blocks + blocks * sizeof(struct tier_block);
  s.at_ladders = s.at_gigs + s.gigs * sizeof(struct tier_gig);
  s.at_sections = s.at_ladders + 3 * ladder_words(s.gigs) * sizeof(uint64_t);
  s.size = bits_align_up(s.at_sections + s.sections * sizeof(struct tier_section), LINE);
  return s;
}

uint64_t tier_size(const struct boot_region *regions, size_t count) { return shape_of(regions, count).size; }

/* Gives the section with this number a place, and its gig too when it is the first in there. */
static void add_section(struct tier *t, uint64_t section_number) {
  uint64_t number = section_number / TIER_SECTIONS_PER_GIG;
  if (t->gig_count == 0 || t->gigs[t->gig_count - 1].number != number) {
    t->gigs[t->gig_count++] = (struct tier_gig){.number = number, .first = (uint32_t)t->section_count};
  }
  t->gigs[t->gig_count - 1].present |= UINT32_C(1) << (section_number % TIER_SECTIONS_PER_GIG);
  t->section_count++;
}

void *tier_init(struct tier *t, void *memory, const struct boot_region *regions, size_t count) {
  struct shape s = shape_of(regions, count);
  char *base = memory;
  memset(memory, 0, s.size);
  *t = (struct tier){.bits = memory,
                     .blocks = (void *)(base + s.at_blocks),
                     .gigs = (void *)(base + s.at_gigs),
                     .sections = (void *)(base + s.at_sections)};
  uint64_t *words = (void *)(base + s.at_ladders);
  words = ladder_init(&t->whole, words, s.gigs);
  words = ladder_init(&t->has_whole, words, s.gigs);
  ladder_init(&t->has_broken, words, s.gigs);
  uint64_t next = 0;
  for (size_t i = 0; i < count; i++) {
    if (!tier_manages(&regions[i])) continue;
    uint64_t first = regions[i].start >> (FRAME_SHIFT + TIER_32M), last = (regions[i].end - 1) >> (FRAME_SHIFT + TIER_32M);
    for (next = bits_max(first, next); next <= last; next++) add_section(t, next);
  }
  CHECK(t->gig_count == s.gigs && t->section_count == s.sections);
  return base + s.size;
}

/* --- finding one's place -------------------------------------------------------------------------------------------- */

/* Gigs whose number is below `number`: the place of that gig, if there is one. */
static uint64_t gigs_below(const struct tier *t, uint64_t number) {
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

static uint64_t section_place(const struct tier_gig *g, unsigned in_gig) {
  return g->first + bits_count(g->present & ((UINT32_C(1) << in_gig) - 1));
}

/* False when no bits are kept for that frame. */
static bool locate(const struct tier *t, uint64_t frame, struct place *p) {
  p->gig = gigs_below(t, frame >> TIER_1G);
  if (p->gig == t->gig_count || t->gigs[p->gig].number != frame >> TIER_1G) return false;
  p->in_gig = (unsigned)(frame >> TIER_32M) % TIER_SECTIONS_PER_GIG;
  if (!(t->gigs[p->gig].present >> p->in_gig & 1)) return false;
  p->section = section_place(&t->gigs[p->gig], p->in_gig);
  p->in_section = (unsigned)(frame >> TIER_2M) % TIER_BLOCKS_PER_SECTION;
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
  return true;
}

/* The 64 bits around a frame; 0 where none are kept. */
static uint64_t word_at(const struct tier *t, uint64_t frame) {
  struct place p;
  return locate(t, frame, &p) ? t->bits[p.block * TIER_WORDS_PER_BLOCK + frame / 64 % TIER_WORDS_PER_BLOCK] : 0;
}

bool tier_is_free(const struct tier *t, uint64_t frame) { return word_at(t, frame) >> (frame % 64) & 1; }

/* --- changing bits -------------------------------------------------------------------------------------------------- */

static bool gig_is_whole(const struct tier_gig *g) { return g->whole == GIG_ALL; }

/* Brings the ladders up to date after a gig's words have changed. */
static void settle_gig(struct tier *t, uint64_t gig, bool was_whole) {
  const struct tier_gig *g = &t->gigs[gig];
  bool is_whole = gig_is_whole(g);
  if (is_whole != was_whole) t->free_1g += is_whole ? 1 : UINT64_MAX;
  ladder_write(&t->whole, gig, is_whole);
  ladder_write(&t->has_whole, gig, !is_whole && (g->whole | g->has_whole) != 0);
  ladder_write(&t->has_broken, gig, g->has_broken != 0);
}

static void write_bit32(uint32_t *word, unsigned bit, bool value) {
  *word = (*word & ~(UINT32_C(1) << bit)) | (uint32_t)value << bit;
}

/* Brings a gig up to date after a section's words have changed. */
static void settle_section(struct tier *t, const struct place *p) {
  const struct tier_section *s = &t->sections[p->section];
  struct tier_gig *g = &t->gigs[p->gig];
  struct tier_gig before = *g;
  bool is_whole = s->whole == SECTION_ALL;
  write_bit32(&g->whole, p->in_gig, is_whole);
  write_bit32(&g->has_whole, p->in_gig, !is_whole && s->whole != 0);
  write_bit32(&g->has_broken, p->in_gig, s->broken != 0);
  if (g->whole == before.whole && g->has_whole == before.has_whole && g->has_broken == before.has_broken) return;
  settle_gig(t, p->gig, gig_is_whole(&before));
}

/* Brings a section up to date after a block's words have changed. */
static void settle_block(struct tier *t, const struct place *p) {
  const struct tier_block *b = &t->blocks[p->block];
  struct tier_section *s = &t->sections[p->section];
  uint16_t bit = (uint16_t)(1U << p->in_section);
  bool is_whole = b->whole == BLOCK_ALL, was_whole = (s->whole & bit) != 0;
  bool is_broken = !is_whole && (b->whole | b->broken) != 0, was_broken = (s->broken & bit) != 0;
  if (is_whole == was_whole && is_broken == was_broken) return;
  if (is_whole != was_whole) t->free_2m += is_whole ? 1 : UINT64_MAX;
  s->whole = (uint16_t)(is_whole ? s->whole | bit : s->whole & ~bit);
  s->broken = (uint16_t)(is_broken ? s->broken | bit : s->broken & ~bit);
  settle_section(t, p);
}

/* Brings the four groups of 64 KiB of a word up to date. */
static void settle_word(struct tier_block *b, unsigned word_in_block, uint64_t word) {
  for (unsigned i = 0; i < 4; i++, word >>= 16) {
    unsigned group = word_in_block * 4 + i;
    write_bit32(&b->whole, group, (word & GROUP_WORD) == GROUP_WORD);
    write_bit32(&b->broken, group, (word & GROUP_WORD) != 0 && (word & GROUP_WORD) != GROUP_WORD);
  }
}

/* n set bits from bit `first` on; first + n <= 64 and n > 0. */
static uint64_t bits_mask(unsigned first, unsigned n) { return (UINT64_MAX >> (64 - n)) << first; }

/* Frees or takes `count` frames of one block, from frame `at` of it on. */
static void change_block(struct tier *t, const struct place *p, unsigned at, unsigned count, bool is_free) {
  uint64_t *words = &t->bits[p->block * TIER_WORDS_PER_BLOCK];
  while (count > 0) {
    unsigned n = (unsigned)bits_min(64 - at % 64, count);
    uint64_t *word = &words[at / 64], mask = bits_mask(at % 64, n);
    CHECK((*word & mask) == (is_free ? 0 : mask));
    *word ^= mask;
    settle_word(&t->blocks[p->block], at / 64, *word);
    at += n;
    count -= n;
  }
  settle_block(t, p);
}

static void change(struct tier *t, uint64_t first, uint64_t count, bool is_free) {
  t->free_frames += is_free ? count : -count;
  while (count > 0) {
    struct place p;
    CHECK(locate(t, first, &p));
    unsigned at = (unsigned)(first % FRAMES_PER_2M), n = (unsigned)bits_min(FRAMES_PER_2M - at, count);
    change_block(t, &p, at, n, is_free);
    first += n;
    count -= n;
  }
}

void tier_put(struct tier *t, uint64_t first, uint64_t count) { change(t, first, count, true); }
void tier_take(struct tier *t, uint64_t first, uint64_t count) { change(t, first, count, false); }

/* --- one frame, one block, one GiB ---------------------------------------------------------------------------------- */

static unsigned highest(uint64_t mask) { return bits_log2_floor(mask); }

static uint64_t gig_start(const struct tier_gig *g) { return g->number << TIER_1G; }

bool tier_find_gig(const struct tier *t, uint64_t *first) {
  uint64_t gig;
  if (!ladder_find_below(&t->whole, t->gig_count, &gig)) return false;
  *first = gig_start(&t->gigs[gig]);
  return true;
}

bool tier_find_block(const struct tier *t, uint64_t *first) {
  uint64_t gig;
  if (!ladder_find_below(&t->has_whole, t->gig_count, &gig) && !ladder_find_below(&t->whole, t->gig_count, &gig))
    return false;
  const struct tier_gig *g = &t->gigs[gig];
  unsigned in_gig = highest(g->has_whole ? g->has_whole : g->whole);
  unsigned in_section = highest(t->sections[section_place(g, in_gig)].whole);
  *first = gig_start(g) + ((uint64_t)in_gig << TIER_32M) + ((uint64_t)in_section << TIER_2M);
  return true;
}

bool tier_find_frame(const struct tier *t, uint64_t *frame) {
  uint64_t gig;
  if (!ladder_find_below(&t->has_broken, t->gig_count, &gig)) {
    if (!tier_find_block(t, frame)) return false;
    *frame += FRAMES_PER_2M - 1;
    return true;
  }
  const struct tier_gig *g = &t->gigs[gig];
  unsigned in_gig = highest(g->has_broken);
  uint64_t section = section_place(g, in_gig);
  unsigned in_section = highest(t->sections[section].broken);
  uint64_t block = section * TIER_BLOCKS_PER_SECTION + in_section;
  const struct tier_block *b = &t->blocks[block];
  unsigned group = highest(b->broken ? b->broken : b->whole);
  uint64_t word = t->bits[block * TIER_WORDS_PER_BLOCK + group / 4] >> (group % 4 * 16) & GROUP_WORD;
  *frame = gig_start(g) + ((uint64_t)in_gig << TIER_32M) + ((uint64_t)in_section << TIER_2M) +
           ((uint64_t)group << TIER_64K) + highest(word);
  return true;
}

/* --- how far free memory reaches ------------------------------------------------------------------------------------ */

/* The highest tier at which the group around `frame` is whole; TIER_FRAME when not even its 64 KiB are. */
static unsigned whole_tier(const struct tier *t, const struct place *p, uint64_t frame) {
  const struct tier_gig *g = &t->gigs[p->gig];
  if (gig_is_whole(g)) return TIER_1G;
  if (g->whole >> p->in_gig & 1) return TIER_32M;
  if (t->sections[p->section].whole >> p->in_section & 1) return TIER_2M;
  return t->blocks[p->block].whole >> (frame >> TIER_64K) % 32 & 1 ? TIER_64K : TIER_FRAME;
}

uint64_t tier_free_end(const struct tier *t, uint64_t frame, uint64_t limit) {
  struct place p;
  while (frame < limit && locate(t, frame, &p)) {
    unsigned tier = whole_tier(t, &p, frame);
    if (tier != TIER_FRAME) {
      frame = bits_align_down(frame, group_frames(tier)) + group_frames(tier);
      continue;
    }
    uint64_t used = ~t->bits[p.block * TIER_WORDS_PER_BLOCK + frame / 64 % TIER_WORDS_PER_BLOCK] >> (frame % 64);
    if (used & (GROUP_WORD >> frame % 16)) return bits_min(frame + bits_lowest(used), limit);
    frame = bits_align_up(frame + 1, group_frames(TIER_64K));
  }
  return bits_min(frame, limit);
}

uint64_t tier_free_start(const struct tier *t, uint64_t frame, uint64_t floor) {
  struct place p;
  while (frame > floor && locate(t, frame - 1, &p)) {
    uint64_t last = frame - 1;
    unsigned tier = whole_tier(t, &p, last);
    if (tier != TIER_FRAME) {
      frame = bits_align_down(last, group_frames(tier));
      continue;
    }
    uint64_t used = ~t->bits[p.block * TIER_WORDS_PER_BLOCK + last / 64 % TIER_WORDS_PER_BLOCK] >> (last / 16 % 4 * 16);
    used &= bits_mask(0, (unsigned)(last % 16 + 1));
    if (used != 0) return bits_max(bits_align_down(last, 16) + highest(used) + 1, floor);
    frame = bits_align_down(last, group_frames(TIER_64K));
  }
  return bits_max(frame, floor);
}

/* --- going down over what is free ----------------------------------------------------------------------------------- */

/*
 * The descent: below a limit, the highest group of `tier` that is whole, tier after tier.  Each step takes the children that
 * can hold one, from the highest that begins below the limit.  Only the one that the limit cuts can disappoint, so at
 * each tier two children are looked into at most.
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

static bool find_in_block(const struct tier *t, uint64_t block, uint64_t start, unsigned tier, uint64_t limit,
                          uint64_t *out) {
  const struct tier_block *b = &t->blocks[block];
  uint32_t groups = children_below(tier == TIER_FRAME ? b->whole | b->broken : b->whole, start, TIER_64K, limit);
  while (groups != 0) {
    unsigned group;
    uint64_t at = pop_highest(&groups, start, TIER_64K, &group);
    if (tier == TIER_64K) {
      *out = at;
      if (at + group_frames(TIER_64K) <= limit) return true;
      continue;
    }
    uint64_t word = t->bits[block * TIER_WORDS_PER_BLOCK + group / 4] >> (group % 4 * 16) & GROUP_WORD;
    if (limit - at < 16) word &= bits_mask(0, (unsigned)(limit - at));
    if (word == 0) continue;
    *out = at + highest(word);
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
      if (find_in_section(t, section_place(g, section), at, tier, limit, out)) return true;
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
  uint64_t gig = gigs_below(t, (limit + group_frames(TIER_1G) - 1) >> TIER_1G);
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

/* Runs shorter than 31 frames: each ends in some word with a free frame in it, and begins there or one word below. */
static bool find_short_run(const struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  uint64_t limit = where->max, frame;
  while (find_whole_below(t, TIER_FRAME, limit, &frame) && frame >= where->min) {
    uint64_t base = bits_align_down(frame, 64), below = base - (base > 0 ? 64 : 0);
    unsigned __int128 ones = clip_word(word_at(t, base), base, where);
    ones = base == below ? ones : ones << 64 | clip_word(word_at(t, below), below, where);
    unsigned __int128 starts = fold(ones, count);
    if (base != below)
      starts &= (unsigned __int128)allowed_starts(count, where, base) << 64 | allowed_starts(count, where, below);
    else
      starts &= allowed_starts(count, where, base);
    if (starts != 0) {
      uint64_t high = (uint64_t)(starts >> 64);
      *first = below + (high ? 64 + highest(high) : highest((uint64_t)starts));
      return true;
    }
    limit = base;
  }
  return false;
}

bool tier_find_run(const struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  static const unsigned tiers[] = {TIER_1G, TIER_32M, TIER_2M, TIER_64K};
  if (t->gig_count == 0 || count > t->free_frames) return false;
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

/* --- every run ------------------------------------------------------------------------------------------------------ */

/* The run that is growing. */
struct growing {
  uint64_t start, end;
  void (*visit)(void *context, uint64_t start, uint64_t end);
  void *context;
};

static void grow(struct growing *run, uint64_t start, uint64_t end) {
  if (start == run->end) {
    run->end = end;
    return;
  }
  if (run->start != run->end) run->visit(run->context, run->start, run->end);
  run->start = start;
  run->end = end;
}

static void grow_by_word(struct growing *run, uint64_t word, uint64_t base) {
  while (word != 0) {
    unsigned from = bits_lowest(word);
    uint64_t used = ~(word >> from);
    unsigned n = used != 0 ? bits_lowest(used) : 64;
    grow(run, base + from, base + from + n);
    word &= ~bits_mask(from, n);
  }
}

static void grow_by_section(struct growing *run, const struct tier *t, uint64_t section, uint64_t base) {
  const struct tier_section *s = &t->sections[section];
  for (unsigned i = 0; i < TIER_BLOCKS_PER_SECTION; i++, base += FRAMES_PER_2M) {
    const uint64_t *words = &t->bits[(section * TIER_BLOCKS_PER_SECTION + i) * TIER_WORDS_PER_BLOCK];
    if (s->whole >> i & 1) {
      grow(run, base, base + FRAMES_PER_2M);
      continue;
    }
    if (!(s->broken >> i & 1)) continue;
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++) grow_by_word(run, words[w], base + 64 * w);
  }
}

void tier_each_run(const struct tier *t, void (*visit)(void *context, uint64_t start, uint64_t end), void *context) {
  struct growing run = {.visit = visit, .context = context};
  for (uint64_t i = 0; i < t->gig_count; i++) {
    const struct tier_gig *g = &t->gigs[i];
    for (unsigned s = 0; s < TIER_SECTIONS_PER_GIG; s++) {
      if (!(g->present >> s & 1)) continue;
      grow_by_section(&run, t, section_place(g, s), gig_start(g) + ((uint64_t)s << TIER_32M));
    }
  }
  if (run.start != run.end) visit(context, run.start, run.end);
}
