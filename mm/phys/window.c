/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/window.c — what contig sees of an allocator: see window.h.
 *
 * WHAT   One allocator, or those of all nodes as if they were one.  Each frame is in the books of one of them, and each of
 *        them says of the others' frames that they are neither free nor anybody's; so what all of them say is put together.
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
#include "mm/phys/nodes_instance.h"
#include "mm/phys/tier_place.h"

/* --- whose books ------------------------------------------------------------------------------------------------- */

struct pmm *window_pmm(const struct contig *c, uint64_t frame) { return c->pmm ? c->pmm : nodes_pmm_of(c->nodes, frame); }

uint64_t window_pmm_end(const struct contig *c, uint64_t frame, uint64_t end) {
  return c->pmm ? end : bits_min(nodes_span_end_of(c->nodes, frame), end);
}

struct contig *window_part(struct contig *c, uint64_t frame) {
  return c->pmm ? c : &c->parts[nodes_node_of(c->nodes, frame)];
}

/* --- where our RAM is -------------------------------------------------------------------------------------------- */

struct regions {
  const struct boot_region *list;
  size_t count;
};

static struct regions regions_of(const struct pmm *p) { return (struct regions){p->regions, p->region_count}; }

static uint64_t first_of(const struct boot_region *r) { return r->start / FRAME_SIZE; }
static uint64_t end_of(const struct boot_region *r) { return r->end / FRAME_SIZE; }

/* Regions that end at or below a frame: the place of the one that holds it, if any does. */
static size_t regions_below(struct regions r, uint64_t frame) {
  size_t low = 0, high = r.count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (end_of(&r.list[middle]) <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool window_range_below(const struct contig *c, uint64_t limit, uint64_t *start, uint64_t *end) {
  const struct regions r = c->pmm ? regions_of(c->pmm) : (struct regions){c->nodes->regions, c->nodes->region_count};
  size_t i = limit == 0 ? 0 : bits_min(regions_below(r, limit - 1) + 1, r.count);
  while (i > 0 && (first_of(&r.list[i - 1]) >= limit || !tier_manages(&r.list[i - 1]))) i--;
  if (i == 0) return false;
  *start = first_of(&r.list[i - 1]);
  *end = bits_min(end_of(&r.list[i - 1]), limit);
  for (i--; i > 0 && tier_manages(&r.list[i - 1]) && end_of(&r.list[i - 1]) == *start; i--) {
    *start = first_of(&r.list[i - 1]);
  }
  return true;
}

/* Those of the 64 frames from `base` on that are RAM of ours. */
static uint64_t ours(const struct pmm *p, uint64_t base) {
  uint64_t mask = 0;
  for (size_t i = regions_below(regions_of(p), base); i < p->region_count; i++) {
    const struct boot_region *r = &p->regions[i];
    if (first_of(r) >= base + WINDOW_WORD) break;
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
  return said.is_movable && said.state == FRAME_ALLOCATED && atomic_get(&window_machine(c)->movers[said.owner]) != NULL;
}

/* Of the frames in `mask`, those that can be moved; what has bit 7 is asked for its owner. */
static uint64_t movable_of(const struct contig *c, const uint8_t *hot, uint64_t base, uint64_t mask) {
  uint64_t movable = 0;
  for (uint64_t left = mask; left != 0; left &= left - 1) {
    const unsigned at = bits_lowest(left);
    if (has_mover(c, atomic_get(&hot[base + at]))) movable |= UINT64_C(1) << at;
  }
  return movable;
}

bool window_can_see(const struct contig *c) {
  if (c->pmm) return c->pmm->engine == NULL;
  for (uint32_t i = 0; i < nodes_count(c->nodes); i++) {
    const struct pmm *p = nodes_pmm(c->nodes, i);
    if (p && p->engine) return false;
  }
  return true;
}

/* What one allocator says of a word; of frames that are not its own it says nothing. */
static struct window_word word_of(const struct contig *c, const struct pmm *pmm, uint64_t base) {
  const struct tier *t = &pmm->tier;
  struct window_word w = {0};
  struct place p;
  if (!place_find(t, base, &p)) return w;
  const uint32_t e = atomic_get_acquire(&t->entries[p.block]);
  if (e & ENTRY_HUGE) { /* The entry speaks for all frames. */
    w.movable = has_mover(c, entry_byte(e)) ? UINT64_MAX : 0;
    return w;
  }
  w.free = entry_taken(e) == 0 ? UINT64_MAX : place_word(t, base);
  const uint64_t rest = ~w.free & (w.free == UINT64_MAX ? 0 : ours(pmm, base));
  uint64_t marked = 0;
  if (rest == 0) return w;
  const eight_bytes *hot = (const eight_bytes *)&pmm->records.hot[base];
  for (unsigned i = 0; i < 8; i++) {
    if (!(rest >> (8 * i) & 0xff)) continue;
    const uint64_t bytes = atomic_get(&hot[i]);
    w.free |= (~high_bits(((bytes & LOW_BITS) + LOW_BITS) | bytes) & 0xff) << (8 * i) & rest;
    marked |= high_bits(bytes) << (8 * i);
  }
  w.movable = movable_of(c, pmm->records.hot, base, marked & rest & ~w.free);
  return w;
}

struct window_word window_word_now(const struct contig *c, uint64_t base) {
  struct window_word w = {0};
  for (uint64_t at = base, end = base + WINDOW_WORD; at < end; at = window_pmm_end(c, at, end)) {
    const struct window_word one = word_of(c, window_pmm(c, at), base);
    w.free |= one.free;
    w.movable |= one.movable;
  }
  return w;
}

/* Broken frames that wait for their owners, but for the one that is being saved. */
static uint64_t condemned_of(const struct contig *c, uint64_t base) {
  const struct condemned *list = window_pmm(c, base)->condemned; /* The same for all nodes. */
  if (!list) return 0;
  const uint64_t mask = condemned_mask(list, base), saved = atomic_get(&c->saved) - base;
  return saved < WINDOW_WORD ? mask & ~(UINT64_C(1) << saved) : mask;
}

struct window_word window_word_at(const struct contig *c, uint64_t base) {
  struct window_word w = window_word_now(c, base);
  if (w.movable != 0) w.movable &= ~condemned_of(c, base);
  return w;
}

/* The allocators in whose books frames of a block are, each of them once; *at is the block's first frame at the start. */
static const struct pmm *next_of_block(const struct contig *c, uint64_t block, uint64_t *at) {
  const uint64_t first = block * WINDOW_BLOCK, end = first + WINDOW_BLOCK;
  while (*at < end) {
    const struct pmm *p = window_pmm(c, *at);
    bool is_new = true;
    for (uint64_t before = first; before < *at && is_new; before = window_pmm_end(c, before, end))
      is_new = window_pmm(c, before) != p;
    *at = window_pmm_end(c, *at, end);
    if (is_new) return p;
  }
  return NULL;
}

void window_free_of_block(const struct contig *c, uint64_t block, uint64_t free[static WINDOW_BLOCK / WINDOW_WORD]) {
  const struct pmm *pmm;
  for (unsigned i = 0; i < WINDOW_BLOCK / WINDOW_WORD; i++) free[i] = 0;
  for (uint64_t at = block * WINDOW_BLOCK; (pmm = next_of_block(c, block, &at)) != NULL;) {
    struct place p;
    if (!place_find(&pmm->tier, block * WINDOW_BLOCK, &p)) continue;
    for (unsigned i = 0; i < WINDOW_BLOCK / WINDOW_WORD; i++) free[i] |= slot_free_word(&pmm->tier, p.block, i);
  }
}

/* What an allocator's entry of a block says; of one that is not its own, that it is all taken. */
static uint32_t entry_of(const struct pmm *pmm, uint64_t block) {
  struct place p;
  if (!place_find(&pmm->tier, block * WINDOW_BLOCK, &p)) return ENTRY_FRAMES;
  return atomic_get(&pmm->tier.entries[p.block]);
}

uint64_t window_spare(const struct contig *c, uint64_t block) {
  const struct pmm *pmm;
  uint64_t spare = 0;
  for (uint64_t at = block * WINDOW_BLOCK; (pmm = next_of_block(c, block, &at)) != NULL;) {
    const uint32_t e = entry_of(pmm, block);
    if (entry_slot(e) == 0) spare += WINDOW_BLOCK - entry_taken(e);
  }
  return spare;
}

uint64_t window_used(const struct contig *c, uint64_t block) {
  const struct pmm *pmm;
  uint64_t free[WINDOW_BLOCK / WINDOW_WORD], used = WINDOW_BLOCK;
  bool is_slots = false; /* Of a slot's block the entry says that there is nothing for others. */
  for (uint64_t at = block * WINDOW_BLOCK; (pmm = next_of_block(c, block, &at)) != NULL;) {
    const uint32_t e = entry_of(pmm, block);
    is_slots |= entry_slot(e) != 0 && entry_taken(e) != 0;
    used -= WINDOW_BLOCK - entry_taken(e);
  }
  if (!is_slots) return used;
  window_free_of_block(c, block, free);
  used = WINDOW_BLOCK;
  for (unsigned i = 0; i < WINDOW_BLOCK / WINDOW_WORD; i++) used -= bits_count(free[i]);
  return used;
}

uint64_t window_free_frames(const struct contig *c) {
  uint64_t free = 0;
  if (c->pmm) return pmm_owned(c->pmm, FRAME_OWNER_FREE);
  for (uint32_t i = 0; i < nodes_count(c->nodes); i++) {
    const struct pmm *p = nodes_pmm(c->nodes, i);
    if (p) free += pmm_owned(p, FRAME_OWNER_FREE);
  }
  return free;
}

enum frame_owner window_owner(const struct contig *c, uint64_t frame, bool *is_movable) {
  const uint64_t base = bits_align_down(frame, WINDOW_WORD);
  const struct pmm *p = window_pmm(c, frame);
  *is_movable = false;
  if (!(ours(p, base) >> (frame - base) & 1)) return FRAME_OWNER_NONE;
  const struct frame_said said = pmm_frame_said(p, frame);
  *is_movable =
      said.is_movable && said.state == FRAME_ALLOCATED && atomic_get(&window_machine(c)->movers[said.owner]) != NULL;
  return said.owner;
}

void window_exchange(struct contig *c, uint64_t from, uint64_t to) {
  struct pmm *of_from = window_pmm(c, from), *of_to = window_pmm(c, to);
  if (of_from == of_to)
    pmm_exchange(of_from, from, to);
  else
    pmm_exchange_across(of_from, from, of_to, to);
}
