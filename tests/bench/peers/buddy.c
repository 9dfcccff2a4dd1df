/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/peers/buddy.c — a binary buddy system, as plain as it can be.
 *
 * HOW    One list of free blocks an order; a block of order k starts at a multiple of 2^k.  Allocation takes the first block
 *        of the smallest order that has one and halves it down, the upper halves going to their lists; a free block
 *        joins its buddy (the number with bit k flipped) for as long as that is free and of the same order.
 *        Each frame has a mark, which says what begins there, and two links for the lists.
 * INVARIANTS  1 a free block's buddy is not a free block of the same order, below the largest order;
 *        2 so an aligned power of two that is free lies in one free block, and a request fails only when there is none.
 * WHY    9 bytes a frame outside the frames: a bench must not touch the memory that it pretends to manage.
 * SOURCE D. Knuth, The Art of Computer Programming 1, 2.5.
 */
#include <string.h>

#include "base/bits.h"
#include "tests/bench/peers/engine.h"

#define NOBODY UINT32_MAX

/* What begins at a frame: nothing, or a block of an order. */
#define MARK_NOTHING 0U
#define MARK_FREE    0x40U
#define MARK_TAKEN   0x80U

struct links {
  uint32_t next, before;
};

struct buddy {
  uint64_t frames, free_frames;
  uint32_t heads[ENGINE_ORDERS];
  struct links *links;
  uint8_t *marks;
};

static size_t buddy_size(uint64_t frames) { return sizeof(struct buddy) + frames * (sizeof(struct links) + 1); }

static status_t buddy_create(void *memory, uint64_t frames) {
  struct buddy *b = memory;
  if (frames == 0 || frames > ENGINE_FRAMES_MAX) return ERR_INVALID;
  *b = (struct buddy){.frames = frames, .links = (struct links *)(b + 1)};
  b->marks = (uint8_t *)(b->links + frames);
  memset(b->marks, MARK_NOTHING, frames);
  for (unsigned k = 0; k < ENGINE_ORDERS; k++) b->heads[k] = NOBODY;
  return OK;
}

static void push(struct buddy *b, uint32_t block, unsigned order) {
  b->links[block] = (struct links){b->heads[order], NOBODY};
  if (b->heads[order] != NOBODY) b->links[b->heads[order]].before = block;
  b->heads[order] = block;
  b->marks[block] = (uint8_t)(MARK_FREE | order);
}

static void unlink_block(struct buddy *b, uint32_t block, unsigned order) {
  const struct links l = b->links[block];
  if (l.next != NOBODY) b->links[l.next].before = l.before;
  if (l.before != NOBODY) {
    b->links[l.before].next = l.next;
  } else {
    b->heads[order] = l.next;
  }
  b->marks[block] = MARK_NOTHING;
}

/* A block that is taken becomes free, together with every buddy that is. */
static void release(struct buddy *b, uint32_t block, unsigned order) {
  b->free_frames += UINT64_C(1) << order;
  b->marks[block] = MARK_NOTHING;
  for (; order + 1 < ENGINE_ORDERS; order++) {
    const uint32_t other = block ^ UINT32_C(1) << order;
    if (other >= b->frames || b->marks[other] != (MARK_FREE | order)) break;
    unlink_block(b, other, order);
    block &= ~(UINT32_C(1) << order);
  }
  push(b, block, order);
}

static status_t buddy_alloc(void *memory, unsigned order, uint64_t *first) {
  struct buddy *b = memory;
  if (order >= ENGINE_ORDERS) return ERR_INVALID;
  unsigned k = order;
  while (k < ENGINE_ORDERS && b->heads[k] == NOBODY) k++;
  if (k == ENGINE_ORDERS) return ERR_NO_MEMORY;
  const uint32_t block = b->heads[k];
  unlink_block(b, block, k);
  while (k > order) {
    k--;
    push(b, block + (UINT32_C(1) << k), k);
  }
  b->marks[block] = (uint8_t)(MARK_TAKEN | order);
  b->free_frames -= UINT64_C(1) << order;
  *first = block;
  return OK;
}

static status_t buddy_free(void *memory, unsigned order, uint64_t first) {
  struct buddy *b = memory;
  if (order >= ENGINE_ORDERS) return ERR_INVALID;
  if (first >= b->frames) return ERR_RANGE;
  if (b->marks[first] != (MARK_TAKEN | order)) return ERR_STATE;
  release(b, (uint32_t)first, order);
  return OK;
}

/* A run is held as blocks, each as large as its place and what is left of the run allow: this is the first one's order. */
static unsigned piece_order(uint64_t first, uint64_t count) {
  unsigned order = bits_log2_floor(count);
  if (first != 0 && bits_lowest(first) < order) order = bits_lowest(first);
  return order < ENGINE_ORDERS ? order : ENGINE_ORDERS - 1;
}

static void mark_pieces(struct buddy *b, uint64_t first, uint64_t count) {
  while (count > 0) {
    const unsigned order = piece_order(first, count);
    b->marks[first] = (uint8_t)(MARK_TAKEN | order);
    first += UINT64_C(1) << order;
    count -= UINT64_C(1) << order;
  }
}

static void release_pieces(struct buddy *b, uint64_t first, uint64_t count) {
  while (count > 0) {
    const unsigned order = piece_order(first, count);
    release(b, (uint32_t)first, order);
    first += UINT64_C(1) << order;
    count -= UINT64_C(1) << order;
  }
}

static status_t buddy_add(void *memory, uint64_t first, uint64_t count) {
  struct buddy *b = memory;
  if (first > b->frames || count > b->frames - first) return ERR_RANGE;
  release_pieces(b, first, count);
  return OK;
}

/* A block that is large enough; its tail goes back at once. */
static status_t buddy_alloc_run(void *memory, uint64_t count, uint64_t align, uint64_t *first) {
  struct buddy *b = memory;
  if (count == 0 || !bits_is_power_of_two(align)) return ERR_INVALID;
  const uint64_t most = bits_max(count, align);
  if (most > UINT64_C(1) << (ENGINE_ORDERS - 1)) return ERR_NO_MEMORY; /* No block is so large. */
  const unsigned order = bits_log2_floor(most) + !bits_is_power_of_two(most);
  const status_t s = buddy_alloc(b, order, first);
  if (s != OK) return s;
  mark_pieces(b, *first, count);
  release_pieces(b, *first + count, (UINT64_C(1) << order) - count);
  return OK;
}

static status_t buddy_free_run(void *memory, uint64_t first, uint64_t count) {
  struct buddy *b = memory;
  if (count == 0) return ERR_INVALID;
  if (first >= b->frames || count > b->frames - first) return ERR_RANGE;
  for (uint64_t at = first, left = count; left > 0;) {
    const unsigned order = piece_order(at, left);
    if (b->marks[at] != (MARK_TAKEN | order)) return ERR_STATE;
    at += UINT64_C(1) << order;
    left -= UINT64_C(1) << order;
  }
  release_pieces(b, first, count);
  return OK;
}

static uint64_t buddy_free_frames(const void *memory) { return ((const struct buddy *)memory)->free_frames; }

const struct engine buddy_engine = {
    .name = "buddy",
    .size = buddy_size,
    .create = buddy_create,
    .add = buddy_add,
    .alloc = buddy_alloc,
    .free = buddy_free,
    .alloc_run = buddy_alloc_run,
    .free_run = buddy_free_run,
    .free_frames = buddy_free_frames,
};
