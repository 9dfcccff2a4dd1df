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
 *        Runs of frames and their limits are sought in tier_run.c; here are the tiers themselves.
 * LOCKING  none here: pmm.c holds the lock of the instance.
 * INVARIANTS
 *   INV-4  every tier word is what the tier below it says (change_block and the settle_ functions keep it).
 *   INV-5  free_frames, free_2m, free_1g count what the bits say.
 * WHY NOT  a bit "partly used" alone: see above.  Counters of free frames for each group: they answer "how many", and the
 *        question is always "where".
 * SOURCE the fan-outs 16 and 32 lead from 4 KiB to both huge page sizes, 2 MiB and 1 GiB (SDM 3A 4.5); that a group needs
 *        more than one summary is what LLFree's child and tree entries show.
 */
#include "mm/phys/tier.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/phys/tier_place.h"

#define LINE 64 /* Bytes of a cache line. */

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

bool tier_is_free(const struct tier *t, uint64_t frame) { return place_word(t, frame) >> (frame % 64) & 1; }

/* --- changing bits -------------------------------------------------------------------------------------------------- */

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
    CHECK(place_find(t, first, &p));
    unsigned at = (unsigned)(first % FRAMES_PER_2M), n = (unsigned)bits_min(FRAMES_PER_2M - at, count);
    change_block(t, &p, at, n, is_free);
    first += n;
    count -= n;
  }
}

void tier_put(struct tier *t, uint64_t first, uint64_t count) { change(t, first, count, true); }
void tier_take(struct tier *t, uint64_t first, uint64_t count) { change(t, first, count, false); }

/* --- one frame, one block, one GiB ---------------------------------------------------------------------------------- */

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
  unsigned in_section = highest(t->sections[place_section(g, in_gig)].whole);
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
  uint64_t section = place_section(g, in_gig);
  unsigned in_section = highest(t->sections[section].broken);
  uint64_t block = section * TIER_BLOCKS_PER_SECTION + in_section;
  const struct tier_block *b = &t->blocks[block];
  unsigned group = highest(b->broken ? b->broken : b->whole);
  uint64_t word = t->bits[block * TIER_WORDS_PER_BLOCK + group / 4] >> (group % 4 * 16) & GROUP_WORD;
  *frame = gig_start(g) + ((uint64_t)in_gig << TIER_32M) + ((uint64_t)in_section << TIER_2M) +
           ((uint64_t)group << TIER_64K) + highest(word);
  return true;
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
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++) grow_by_word(run, words[w], base + UINT64_C(64) * w);
  }
}

void tier_each_run(const struct tier *t, void (*visit)(void *context, uint64_t start, uint64_t end), void *context) {
  struct growing run = {.visit = visit, .context = context};
  for (uint64_t i = 0; i < t->gig_count; i++) {
    const struct tier_gig *g = &t->gigs[i];
    for (unsigned s = 0; s < TIER_SECTIONS_PER_GIG; s++) {
      if (!(g->present >> s & 1)) continue;
      grow_by_section(&run, t, place_section(g, s), gig_start(g) + ((uint64_t)s << TIER_32M));
    }
  }
  if (run.start != run.end) visit(context, run.start, run.end);
}
