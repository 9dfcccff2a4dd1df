/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier.c — tiered bitmaps: which frames are free, and where the free ones lie together.
 *
 * WHAT   One bit a frame, one word a block of 2 MiB, and above it groups of 32 MiB and 1 GiB that say what lies in them,
 *        so that every question is answered from a few words: a single frame, a 2 MiB block, a GiB, or any run of frames.
 * HOW
 *        1 GiB    gig      whole | has_whole | has_broken   32 bits each, one a section; ladders over all gigs on top
 *                  x 32
 *        32 MiB   section  whole | broken                   16 bits each, one a block
 *                  x 16
 *        2 MiB    entry    how much is taken, by whom       mm/phys/entry.h; the 16 of a section are one cache line
 *                  x 512
 *        4 KiB    bits     1 is free                        the 512 of a block are one cache line
 *
 *        A block is whole (every frame free), broken (some free), full, or in the hands of a slot, and then it looks full
 *        from here: what a slot has is the slot's alone (slot.c).  Above 2 MiB "broken" cannot tell whether there is a
 *        whole block below or only crumbs, and a search that trusts it must walk; so a gig asks the two questions
 *        themselves: has_whole, has_broken.  With them
 *          a frame   comes from the highest broken block, or breaks the block that tier_find_block names;
 *          2 MiB     comes from a section and a gig that are not whole, if there is one, else breaks the highest whole one;
 *          1 GiB     is the highest bit of a ladder;
 *        and "there is none" is the first thing each of them sees.
 *
 *        Nothing is written for memory that nobody has touched: an entry of zeros is a whole block whose bits and bytes are
 *        garbage.  They are written when the block is broken (tier_write_block), one line and eight; a block handed out as
 *        one never needs them, for its entry says whose all 512 frames are.  Nor are sections and entries written of a gig
 *        that is wholly ours: all such gigs share the words of one that is whole (`shared`), until something in theirs is
 *        to be written and place_touch gives them their own.  Who reads sees whole blocks in either.  So 4 TiB are ready
 *        when 160 KiB of gigs are.
 *
 *        Metadata follows RAM: only sections with managed memory have bits, and only GiB with such sections have a gig.
 *        Sections stand in one array in order of address; a gig knows where its own begin (`own`, and `first` when they are
 *        in use) and which of its 32 there are (`present`), so a section's place is a population count.  A hole of
 *        terabytes costs nothing.
 *
 *        Runs of frames and their limits are sought in tier_run.c, which learns (run_memo.c); here are the tiers themselves.
 * LOCKING  pmm.c holds the instance's lock for everything here.  Bits and entries are also changed without it, by slots in
 *        their own blocks and by frees in nobody's (slot.c), which lock the block's entry; then the words above are behind
 *        until tier_settle.  They never say more than there is: what is free without a slot stays so while the lock is held.
 *        A gig's `first` is read without it too (place_find): it changes once, when what it leads to then is written.
 * INVARIANTS
 *   INV-4  every tier word is what the tier below it says (tier_settle and the settle_ functions keep it); no shared word
 *          is ever written after tier_init.
 *   INV-5  free_2m and free_1g count what the tiers say.
 *   INV-11 an entry counts the bits of its line.
 * WHY NOT  a bit "partly used" alone: see above.  A tier of 64 KiB groups: the line of a block says at once what it said.
 * SOURCE the fan-outs lead from 4 KiB to both huge page sizes, 2 MiB and 1 GiB (SDM 3A 4.5); that a group needs more than
 *        one summary is what LLFree's child and tree entries show.
 */
#include "mm/phys/tier.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/phys/record.h"
#include "mm/phys/run_memo.h"
#include "mm/phys/slot.h"
#include "mm/phys/tier_place.h"
#include "mm/platform.h"

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

/* Sections from which on untouched gigs share some: of fewer hardly any would be without its own. */
#define SHARED_FROM (UINT64_C(2) * TIER_SECTIONS_PER_GIG)

/* Offsets of the arrays in the tiers' memory; the widest come first after the bits, so that all are aligned. */
struct shape {
  uint64_t gigs, sections, shared;
  uint64_t at_gigs, at_ladders, at_memos, at_entries, at_sections, size;
};

static struct shape shape_of(const struct boot_region *regions, size_t count) {
  struct shape s = {.gigs = count_groups(regions, count, TIER_1G), .sections = count_groups(regions, count, TIER_32M)};
  s.shared = s.sections >= SHARED_FROM ? TIER_SECTIONS_PER_GIG : 0; /* They have no bits. */
  s.at_entries = s.sections * TIER_BLOCKS_PER_SECTION * TIER_WORDS_PER_BLOCK * sizeof(uint64_t);
  s.at_gigs = s.at_entries + (s.sections + s.shared) * TIER_BLOCKS_PER_SECTION * sizeof(uint32_t);
  s.at_ladders = s.at_gigs + s.gigs * sizeof(struct tier_gig);
  s.at_memos = s.at_ladders + 3 * ladder_words(s.gigs) * sizeof(uint64_t);
  s.at_sections = s.at_memos + run_memo_size(s.gigs);
  s.size = bits_align_up(s.at_sections + (s.sections + s.shared) * sizeof(struct tier_section), LINE);
  return s;
}

uint64_t tier_size(const struct boot_region *regions, size_t count) { return shape_of(regions, count).size; }

/* Gives sections [first, end) by number a place, and their gigs where they are the first in there; none is managed yet. */
static void add_sections(struct tier *t, uint64_t first, uint64_t end) {
  for (uint64_t stop; first < end; first = stop) {
    uint64_t number = first / TIER_SECTIONS_PER_GIG;
    stop = bits_min((number + 1) * TIER_SECTIONS_PER_GIG, end);
    if (t->gig_count == 0 || t->gigs[t->gig_count - 1].number != number) {
      const uint32_t own = (uint32_t)t->section_count;
      t->gigs[t->gig_count++] = (struct tier_gig){.number = number, .first = own, .own = own};
    }
    t->gigs[t->gig_count - 1].present |= (uint32_t)bits_mask(first % TIER_SECTIONS_PER_GIG, (unsigned)(stop - first));
    memset(&t->sections[t->section_count], 0, (stop - first) * sizeof *t->sections);
    t->section_count += stop - first;
  }
}

/* Makes `count` frames of a block free that is not wholly managed. */
static void enter_part(struct tier *t, uint64_t first, uint64_t count) {
  struct place p;
  CHECK(place_find(t, first, &p));
  unsigned at = (unsigned)(first % FRAMES_PER_2M);
  uint32_t *entry = &t->entries[p.block];
  if (entry_taken(*entry) == ENTRY_FRAMES) memset(place_line(t, p.block), 0, LINE);
  for (unsigned i = at; i < at + count; i++) place_line(t, p.block)[i / 64] |= UINT64_C(1) << i % 64;
  memset(&t->hot[first], FRAME_OWNER_FREE, count);
  *entry -= (uint32_t)count;
  t->sections[p.section].broken |= (uint16_t)(1U << p.in_section);
}

/* Enters whole blocks [first, end): entries of zeros, and all of it that is a section's in the section's word. */
static void enter_blocks(struct tier *t, uint64_t first, uint64_t end) {
  struct place p;
  CHECK(place_find(t, first, &p));
  memset(&t->entries[p.block], 0, (end - first) / FRAMES_PER_2M * sizeof *t->entries);
  t->free_2m += (end - first) / FRAMES_PER_2M;
  for (struct tier_section *s = &t->sections[p.section]; first < end; s++) {
    if (bits_is_aligned(first, group_frames(TIER_32M)) && end - first >= group_frames(TIER_32M)) {
      const uint64_t n = (end - first) >> TIER_32M;
      for (uint64_t i = 0; i < n; i++) s[i] = (struct tier_section){.whole = SECTION_ALL};
      s += n - 1;
      first += n << TIER_32M;
      continue;
    }
    uint64_t stop = bits_min(bits_align_down(first, group_frames(TIER_32M)) + group_frames(TIER_32M), end);
    unsigned from = (unsigned)(first >> TIER_2M) % TIER_BLOCKS_PER_SECTION, n = (unsigned)((stop - first) >> TIER_2M);
    s->whole |= (uint16_t)bits_mask(from, n);
    first = stop;
  }
}

/* --- gigs that nobody has touched ----------------------------------------------------------------------------------- */

/* Makes the sections of a gig, and their entries, say that all is whole. */
static void write_whole(struct tier *t, uint64_t section) {
  memset(&t->entries[section * TIER_BLOCKS_PER_SECTION], 0, TIER_BLOCKS_PER_GIG * sizeof *t->entries);
  for (unsigned i = 0; i < TIER_SECTIONS_PER_GIG; i++)
    t->sections[section + i] = (struct tier_section){.whole = SECTION_ALL};
}

/* Enters whole gigs: the shared sections are theirs until somebody takes a part of one. */
static void enter_gigs(struct tier *t, uint64_t number, uint64_t end) {
  const uint64_t first = t->gig_count;
  for (; number < end; number++, t->section_count += TIER_SECTIONS_PER_GIG) {
    t->gigs[t->gig_count++] = (struct tier_gig){
        .number = number, .first = t->shared, .own = (uint32_t)t->section_count, .present = GIG_ALL, .whole = GIG_ALL};
  }
  t->free_1g += t->gig_count - first;
  t->free_2m += (t->gig_count - first) * TIER_BLOCKS_PER_GIG;
  ladder_set(&t->whole, first, t->gig_count);
}

/* Who sees the new number sees what it leads to; who sees the old one sees whole blocks, as they were. */
void tier_touch(struct tier *t, struct place *p) {
  struct tier_gig *g = &t->gigs[p->gig];
  write_whole(t, g->own);
  atomic_set_release(&g->first, g->own);
  p->section = place_section(g, p->in_gig);
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
}

/* --- the beginning ---------------------------------------------------------------------------------------------------- */

/* Enters a region: its sections, if they are new, and its frames, all free. */
static void enter_region(struct tier *t, uint64_t first, uint64_t end, uint64_t *next) {
  uint64_t section = bits_max(first >> TIER_32M, *next), section_end = ((end - 1) >> TIER_32M) + 1;
  uint64_t start = bits_align_up(first, FRAMES_PER_2M), stop = bits_align_down(end, FRAMES_PER_2M), old = t->section_count;
  add_sections(t, section, section_end);
  *next = bits_max(section_end, section);
  /* Of the new sections the first and the last may hold blocks without managed memory; the others are written below. */
  uint64_t edges[] = {old, t->section_count - 1};
  for (unsigned i = 0; i < 2 && t->section_count > old; i++) {
    uint32_t *entry = &t->entries[edges[i] * TIER_BLOCKS_PER_SECTION];
    for (unsigned b = 0; b < TIER_BLOCKS_PER_SECTION; b++) entry[b] = ENTRY_FULL | ENTRY_MIXED;
  }
  if (start >= stop) { /* No whole block in it. */
    for (uint64_t at = first; at < end; at = bits_min(bits_align_down(at, FRAMES_PER_2M) + FRAMES_PER_2M, end))
      enter_part(t, at, bits_min(bits_align_down(at, FRAMES_PER_2M) + FRAMES_PER_2M, end) - at);
    return;
  }
  if (first < start) enter_part(t, first, start - first);
  enter_blocks(t, start, stop);
  if (stop < end) enter_part(t, stop, end - stop);
}

/* Enters what lies in one piece: what it has of whole gigs, and the rest. */
static void enter_stretch(struct tier *t, uint64_t first, uint64_t end, uint64_t *next) {
  const uint64_t start = bits_align_up(first, FRAMES_PER_1G), stop = bits_align_down(end, FRAMES_PER_1G);
  if (t->shared == 0 || start >= stop) {
    if (first < end) enter_region(t, first, end, next);
    return;
  }
  if (first < start) enter_region(t, first, start, next);
  enter_gigs(t, start >> TIER_1G, stop >> TIER_1G);
  *next = stop >> TIER_32M;
  if (stop < end) enter_region(t, stop, end, next);
}

/* Makes the words of a gig and its bits in the ladders from its sections. */
static void raise_gig(struct tier *t, uint64_t gig) {
  struct tier_gig *g = &t->gigs[gig];
  const struct tier_section *s = &t->sections[g->first];
  if (g->first != g->own) return; /* It is whole, and says so. */
  for (uint32_t left = g->present; left != 0; left &= left - 1, s++) {
    uint32_t bit = left & -left;
    if (s->whole == SECTION_ALL)
      g->whole |= bit;
    else if (s->whole != 0)
      g->has_whole |= bit;
    if (s->broken != 0) g->has_broken |= bit;
  }
  t->free_1g += gig_is_whole(g);
  if (gig_is_whole(g)) ladder_write(&t->whole, gig, true);
  if (!gig_is_whole(g) && (g->whole | g->has_whole) != 0) ladder_write(&t->has_whole, gig, true);
  if (g->has_broken != 0) ladder_write(&t->has_broken, gig, true);
}

void *tier_init(struct tier *t, void *memory, uint8_t *hot, const struct boot_region *regions, size_t count) {
  struct shape s = shape_of(regions, count);
  char *base = memory;
  uint64_t next = 0, first = 0, end = 0;
  *t = (struct tier){.bits = memory,
                     .entries = (void *)(base + s.at_entries),
                     .gigs = (void *)(base + s.at_gigs),
                     .sections = (void *)(base + s.at_sections),
                     .hot = hot};
  uint64_t *words = (void *)(base + s.at_ladders);
  memset(words, 0, s.at_memos - s.at_ladders);
  words = ladder_init(&t->whole, words, s.gigs);
  words = ladder_init(&t->has_whole, words, s.gigs);
  ladder_init(&t->has_broken, words, s.gigs);
  if (s.shared != 0) {
    t->shared = (uint32_t)s.sections;
    write_whole(t, t->shared);
  }
  for (size_t i = 0; i < count; i++) { /* Neighbours become one, for a block may lie in two regions and be wholly ours. */
    if (!tier_manages(&regions[i])) continue;
    if (regions[i].start / FRAME_SIZE != end) {
      enter_stretch(t, first, end, &next);
      first = regions[i].start / FRAME_SIZE;
    }
    end = regions[i].end / FRAME_SIZE;
  }
  enter_stretch(t, first, end, &next);
  CHECK(t->gig_count == s.gigs && t->section_count == s.sections);
  for (uint64_t i = 0; i < t->gig_count; i++) raise_gig(t, i);
  run_memo_init(t, base + s.at_memos);
  return base + s.size;
}

bool tier_is_free(const struct tier *t, uint64_t frame) { return place_word(t, frame) >> (frame % 64) & 1; }

/* --- words above the blocks ----------------------------------------------------------------------------------------- */

static void write_bit32(uint32_t *word, unsigned bit, bool value) {
  *word = (*word & ~(UINT32_C(1) << bit)) | (uint32_t)value << bit;
}

/* Brings the ladders up to date after a gig's words have changed. */
static void settle_gig(struct tier *t, uint64_t gig, const struct tier_gig *before) {
  const struct tier_gig *g = &t->gigs[gig];
  bool is_whole = gig_is_whole(g), was_whole = gig_is_whole(before);
  bool has_whole = !is_whole && (g->whole | g->has_whole) != 0,
       had_whole = !was_whole && (before->whole | before->has_whole) != 0;
  if (is_whole != was_whole) {
    t->free_1g += is_whole ? 1 : UINT64_MAX;
    ladder_write(&t->whole, gig, is_whole);
  }
  if (has_whole != had_whole) ladder_write(&t->has_whole, gig, has_whole);
  if ((g->has_broken != 0) != (before->has_broken != 0)) ladder_write(&t->has_broken, gig, g->has_broken != 0);
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
  settle_gig(t, p->gig, &before);
}

void tier_settle(struct tier *t, const struct place *p, unsigned n) {
  struct tier_section *s = &t->sections[p->section], before = *s;
  for (unsigned i = 0; i < n; i++) {
    uint32_t e = atomic_get(&t->entries[p->block + i]) & ~ENTRY_LOCK;
    uint16_t bit = (uint16_t)(1U << (p->in_section + i));
    s->whole = (uint16_t)(entry_is_whole(e) ? s->whole | bit : s->whole & ~bit);
    s->broken = (uint16_t)(entry_is_broken(e) ? s->broken | bit : s->broken & ~bit);
  }
  if (s->whole == before.whole && s->broken == before.broken) return;
  t->free_2m += bits_count(s->whole) - (uint64_t)bits_count(before.whole);
  settle_section(t, p);
  if (t->watch == UINT64_MAX) return;
  const uint64_t start = section_start(t, p);
  for (uint32_t seen = (s->whole | s->broken) & ~(uint32_t)(before.whole | before.broken); seen != 0; seen &= seen - 1) {
    const uint64_t first = start + bits_lowest(seen) * FRAMES_PER_2M; /* Come into view: who learns has not seen it. */
    run_memo_freed_in(t, first, first + FRAMES_PER_2M);
  }
}

void tier_settle_full(struct tier *t, const struct place *p, uint32_t blocks) {
  struct tier_section *s = &t->sections[p->section];
  s->broken = (uint16_t)(s->broken & ~blocks);
  if (s->broken == 0) settle_section(t, p);
}

/* --- blocks --------------------------------------------------------------------------------------------------------- */

void tier_write_block(struct tier *t, uint64_t block, uint64_t first, uint32_t entry) {
  if (entry & ENTRY_WRITTEN) return; /* What was whole once and is again has all bits set and all bytes 0. */
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) atomic_set(&place_line(t, block)[i], UINT64_MAX);
  frame_fill(t->hot, first, FRAMES_PER_2M, FRAME_OWNER_FREE);
}

/* A part of a HUGE block is wanted back: from now on its frames are single ones. */
static void split_block(struct tier *t, uint64_t block, uint64_t first, uint32_t entry) {
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) atomic_set(&place_line(t, block)[i], UINT64_C(0));
  frame_fill(t->hot, first, FRAMES_PER_2M, entry_byte(entry) | FRAME_TAIL);
  atomic_set(&t->hot[first], entry_byte(entry));
  atomic_set_release(&t->entries[block], ENTRY_FULL);
}

void tier_split(struct tier *t, uint64_t frame) {
  struct place p;
  CHECK(place_find(t, frame, &p));
  uint32_t e = atomic_get_acquire(&t->entries[p.block]);
  if (e & ENTRY_HUGE) split_block(t, p.block, place_first(t, &p), e);
}

/* Sets or clears `n` bits of a line, from bit `at` on; all of them were the other way. */
static void flip_bits(uint64_t *line, unsigned at, unsigned n, bool is_free) {
  while (n > 0) {
    unsigned part = (unsigned)bits_min(64 - at % 64, n);
    uint64_t mask = bits_mask(at % 64, part), word = atomic_get(&line[at / 64]);
    CHECK((word & mask) == (is_free ? 0 : mask));
    atomic_set(&line[at / 64], word ^ mask);
    at += part;
    n -= part;
  }
}

/* The block belongs to a slot: its frames go there by mail. */
static void mail_bits(struct slot *to, unsigned at, unsigned n) {
  while (n > 0) {
    unsigned part = (unsigned)bits_min(64 - at % 64, n);
    atomic_or(&to->mail[at / 64], bits_mask(at % 64, part));
    at += part;
    n -= part;
  }
}

/* Frees `n` frames of a block: bytes first, for who finds the bits may look at them. */
static void put_in_block(struct tier *t, uint64_t block, uint64_t first, unsigned n) {
  uint32_t *entry = &t->entries[block], e = atomic_get_acquire(entry);
  unsigned at = (unsigned)(first % FRAMES_PER_2M);
  if (e & ENTRY_HUGE) {
    if (n == FRAMES_PER_2M) {
      atomic_set_release(entry, e & ENTRY_WRITTEN);
      return;
    }
    split_block(t, block, first - at, e);
  }
  frame_fill(t->hot, first, n, FRAME_OWNER_FREE);
  CHECK(entry_lock(entry, &e));
  if (entry_slot(e) != 0) {
    mail_bits(&t->slots[entry_slot(e) - 1], at, n);
    entry_unlock(entry, e);
  } else {
    flip_bits(place_line(t, block), at, n, true);
    entry_unlock(entry, e - n);
  }
}

/*
 * Hands out `n` frames of a block.  That their bytes say "free" is asked once more: INV-14 is worth it.  The lock is asked
 * for first: a block seen broken may have become whole by the time it is there to be locked, never the other way round.
 */
static void take_in_block(struct tier *t, uint64_t block, uint64_t first, unsigned n, uint8_t byte) {
  uint32_t *entry = &t->entries[block], e;
  if (entry_lock(entry, &e)) {
    CHECK(entry_slot(e) == 0);
  } else {
    CHECK(entry_is_whole(e));
    if (n == FRAMES_PER_2M) {
      atomic_set_release(entry, entry_huge(e, byte));
      return;
    }
    tier_write_block(t, block, bits_align_down(first, FRAMES_PER_2M), e);
    atomic_set_release(entry, ENTRY_WRITTEN); /* Still nobody's but the holder of the lock's. */
    e = ENTRY_WRITTEN;
  }
  const uint64_t odd = frame_first_unlike(t->hot, first, first + n, FRAME_OWNER_FREE, UINT8_MAX);
  if (odd != first + n) {
    platform_panic("INV-3: frame %#llx is to be had and its byte says another thing", (unsigned long long)odd);
  }
  flip_bits(place_line(t, block), (unsigned)(first % FRAMES_PER_2M), n, false);
  frame_fill(t->hot, first, n, byte);
  entry_unlock(entry, e + n);
}

/* Entries are read and written two at a time. */
typedef uint64_t two_entries [[gnu::may_alias]];
#define BOTH(e) ((uint64_t)(e) << 32 | (e))

/* Were all `n` blocks, an even number, handed out as ones, with the same byte, and in one piece? */
static bool are_huge_alike(const uint32_t *entries, unsigned n) {
  const two_entries *e = (const void *)entries;
  const uint32_t first = (atomic_get(entries) & ~ENTRY_WRITTEN) | ENTRY_TAIL; /* It may begin the piece. */
  uint64_t other = ((atomic_get(&entries[1]) & ~ENTRY_WRITTEN)) ^ first;
  for (unsigned i = 1; i < n / 2; i++) other |= (atomic_get(&e[i]) & ~BOTH(ENTRY_WRITTEN)) ^ BOTH(first);
  return other == 0 && (first & ENTRY_HUGE) != 0;
}

/*
 * Makes `n` blocks and their sections say that they are handed out as ones, or are whole.  => they were whole, or were
 * handed out as ones, so that nobody else may write their entries (entry.h).
 */
static void change_entries(struct tier *t, uint64_t section, unsigned n, const uint8_t *byte) {
  two_entries *e = (void *)&t->entries[section * TIER_BLOCKS_PER_SECTION];
  const uint64_t set = byte ? BOTH(entry_huge(0, *byte)) : 0;
  const struct tier_section says = {.whole = byte ? 0 : SECTION_ALL};
  for (unsigned i = 0; i < n / 2; i++) e[i] = (e[i] & BOTH(ENTRY_WRITTEN)) | set;
  for (unsigned i = 0; i < n / TIER_BLOCKS_PER_SECTION; i++) t->sections[section + i] = says;
  t->free_2m += byte ? -(uint64_t)n : n;
}

/* A section all of whose blocks are handed out, or come back, as ones: one look at the words above, not sixteen. */
static bool change_section(struct tier *t, const struct place *p, const uint8_t *byte) {
  const struct tier_section *s = &t->sections[p->section];
  if (byte ? s->whole != SECTION_ALL : !are_huge_alike(&t->entries[p->block], TIER_BLOCKS_PER_SECTION)) return false;
  change_entries(t, p->section, TIER_BLOCKS_PER_SECTION, byte);
  settle_section(t, p);
  return true;
}

/* A GiB likewise: one look at its words, and 512 entries in a row. */
static bool change_gig(struct tier *t, const struct place *p, const uint8_t *byte) {
  struct tier_gig *g = &t->gigs[p->gig], before = *g;
  if (byte ? !gig_is_whole(g) : !tier_gig_is_one(t, p)) return false;
  change_entries(t, g->first, TIER_BLOCKS_PER_GIG, byte);
  g->whole = byte ? 0 : GIG_ALL;
  settle_gig(t, p->gig, &before);
  return true;
}

bool tier_gig_is_one(const struct tier *t, const struct place *p) {
  const struct tier_gig *g = &t->gigs[p->gig];
  return g->present == GIG_ALL && (g->whole | g->has_whole | g->has_broken) == 0 &&
         are_huge_alike(&t->entries[(uint64_t)g->first * TIER_BLOCKS_PER_SECTION], TIER_BLOCKS_PER_GIG);
}

/* How many frames of [first, first + count) begin with a whole group that changes as one; 0 when none does. */
static uint64_t change_group(struct tier *t, const struct place *p, uint64_t first, uint64_t count, const uint8_t *byte) {
  if (count < group_frames(TIER_32M) || !bits_is_aligned(first, group_frames(TIER_32M))) return 0;
  bool is_gig = count >= group_frames(TIER_1G) && bits_is_aligned(first, group_frames(TIER_1G));
  if (is_gig && change_gig(t, p, byte)) return group_frames(TIER_1G);
  return change_section(t, p, byte) ? group_frames(TIER_32M) : 0;
}

/* Changes frames by the GiB or section by section, so that the words above are looked at once for each. */
static void change(struct tier *t, uint64_t first, uint64_t count, const uint8_t *byte) {
  while (count > 0) {
    struct place p;
    CHECK(place_find(t, first, &p));
    if (byte) place_touch(t, &p); /* What is freed was taken before. */
    unsigned blocks = 0;
    const uint64_t group = change_group(t, &p, first, count, byte);
    if (group != 0) {
      first += group;
      count -= group;
      continue;
    }
    do {
      unsigned n = (unsigned)bits_min(FRAMES_PER_2M - first % FRAMES_PER_2M, count);
      if (byte)
        take_in_block(t, p.block + blocks, first, n, *byte);
      else
        put_in_block(t, p.block + blocks, first, n);
      first += n;
      count -= n;
      blocks++;
    } while (count > 0 && p.in_section + blocks < TIER_BLOCKS_PER_SECTION);
    tier_settle(t, &p, blocks);
  }
}

void tier_put(struct tier *t, uint64_t first, uint64_t count) { change(t, first, count, NULL); }

/* With this frame begins what was handed out in one piece. */
static void begin_piece(struct tier *t, uint64_t first) {
  struct place p;
  CHECK(place_find(t, first, &p));
  uint32_t *entry = &t->entries[p.block], e = atomic_get_acquire(entry);
  if (e & ENTRY_HUGE)
    atomic_set_release(entry, e & ~ENTRY_TAIL);
  else
    atomic_set(&t->hot[first], (uint8_t)(atomic_get(&t->hot[first]) & ~FRAME_TAIL));
}

void tier_take(struct tier *t, uint64_t first, uint64_t count, uint8_t byte) {
  const bool is_one = count == 1 || (count == FRAMES_PER_2M && bits_is_aligned(first, FRAMES_PER_2M));
  const uint8_t tail = is_one ? byte : frame_tail(byte);
  change(t, first, count, &tail);
  if (tail != byte) begin_piece(t, first);
}

void tier_give(struct tier *t, uint64_t first, uint64_t count, enum frame_owner to) {
  for (uint64_t end = first + count, stop; first < end; first = stop) {
    struct place p;
    stop = bits_min(bits_align_down(first, FRAMES_PER_2M) + FRAMES_PER_2M, end);
    CHECK(place_find(t, first, &p));
    uint32_t *entry = &t->entries[p.block], e = atomic_get_acquire(entry);
    if (e & ENTRY_HUGE) {
      if (stop - first == FRAMES_PER_2M) {
        atomic_set_release(entry, entry_huge(e, (uint8_t)(to | (entry_byte(e) & (FRAME_MOVABLE | FRAME_TAIL)))));
        continue;
      }
      split_block(t, p.block, place_first(t, &p), e);
    }
    frame_commit(t->hot, first, stop - first, to == FRAME_OWNER_BAD ? FRAME_STEP_CONDEMN : FRAME_STEP_GIVE, (uint8_t)to);
  }
}

void tier_join(struct tier *t, uint64_t first, uint64_t count) {
  for (uint64_t at = first, stop; at < first + count; at = stop) {
    struct place p;
    stop = bits_min(bits_align_down(at, FRAMES_PER_2M) + FRAMES_PER_2M, first + count);
    CHECK(place_find(t, at, &p));
    uint32_t *entry = &t->entries[p.block], e = atomic_get_acquire(entry);
    if (e & ENTRY_HUGE)
      atomic_set_release(entry, e | ENTRY_TAIL);
    else
      for (uint64_t i = at; i < stop; i++) atomic_set(&t->hot[i], atomic_get(&t->hot[i]) | FRAME_TAIL);
  }
  begin_piece(t, first);
}

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

bool tier_find_broken(const struct tier *t, struct place *p) {
  if (!ladder_find_below(&t->has_broken, t->gig_count, &p->gig)) return false;
  const struct tier_gig *g = &t->gigs[p->gig];
  p->in_gig = highest(g->has_broken);
  p->section = place_section(g, p->in_gig);
  p->in_section = highest(t->sections[p->section].broken);
  p->block = p->section * TIER_BLOCKS_PER_SECTION + p->in_section;
  return true;
}

bool tier_find_frame(const struct tier *t, uint64_t *frame) {
  struct place p;
  if (!tier_find_broken(t, &p)) {
    if (!tier_find_block(t, frame)) return false;
    *frame += FRAMES_PER_2M - 1;
    return true;
  }
  unsigned i = TIER_WORDS_PER_BLOCK - 1;
  while (i > 0 && place_block_word(t, p.block, i) == 0) i--;
  const uint64_t word = place_block_word(t, p.block, i);
  CHECK(word != 0);
  *frame = place_first(t, &p) + UINT64_C(64) * i + highest(word);
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
    if (s->whole >> i & 1) {
      grow(run, base, base + FRAMES_PER_2M);
      continue;
    }
    if (!(s->broken >> i & 1)) continue;
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++)
      grow_by_word(run, place_block_word(t, section * TIER_BLOCKS_PER_SECTION + i, w), base + UINT64_C(64) * w);
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
