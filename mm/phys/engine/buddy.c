/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/buddy.c — a binary buddy system, as plain as it can be.
 *
 * HOW    One list of free blocks an order; a block of order k starts at a multiple of 2^k.  A run is found in the first
 *        block of the smallest order that holds it; when it is taken, what is left of the block goes to the lists in
 *        pieces as large as they fit.  A free block joins its buddy (the number with bit k flipped) for as long as that is
 *        free and of the same order.  Each frame has a mark, which says what free block begins there, and two links.
 * LOCKING  none here: pmm.c holds the lock of the instance.
 * INVARIANTS  1 a free block's buddy is not a free block of the same order, below the largest order;
 *        2 so an aligned power of two that is free lies in one free block.
 * CAVEAT  a run of n frames is found where a free block of 2^k >= max(n, its alignment) frames holds it, within its limits:
 *        in two neighbouring blocks that are no buddies it is not, and nothing above 1 GiB is.  Limits walk the lists.
 * WHY    9 bytes a frame outside the frames: an engine touches no frame, so that it runs on the host as in the kernel.
 * SOURCE  D. Knuth, The Art of Computer Programming 1, 2.5.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/engine/engine.h"

#define LINE   UINT64_C(64)
#define ORDERS 19U /* 4 KiB .. 1 GiB. */
#define NOBODY 0U  /* Links are numbers + 1. */
#define MARK   0x40U

struct links {
  uint32_t next, before;
};

struct buddy {
  struct engine_ground ground;
  uint64_t free_frames;
  uint32_t heads[ORDERS];
  struct links *links; /* By the engine's number. */
  uint8_t *marks;      /* MARK | order where a free block begins, else 0. */
};

static uint64_t buddy_size(const struct boot_region *regions, size_t count) {
  uint64_t frames, ground = engine_ground_size(regions, count, &frames);
  return bits_align_up(sizeof(struct buddy), LINE) + ground + bits_align_up(frames * sizeof(struct links), LINE) +
         bits_align_up(frames, LINE);
}

static void buddy_init(void *memory, const struct boot_region *regions, size_t count) {
  struct buddy *b = memory;
  *b = (struct buddy){0};
  b->links = engine_ground_init(&b->ground, (char *)memory + bits_align_up(sizeof *b, LINE), regions, count);
  b->marks = (uint8_t *)b->links + bits_align_up(b->ground.frames * sizeof *b->links, LINE);
  CHECK(b->ground.frames <= engine_buddy.frames_max);
  memset(b->marks, 0, b->ground.frames);
}

/* --- lists ------------------------------------------------------------------------------------------------------------ */

static void push(struct buddy *b, uint64_t number, unsigned order) {
  const uint32_t link = (uint32_t)number + 1, head = b->heads[order];
  b->links[number] = (struct links){head, NOBODY};
  if (head != NOBODY) b->links[head - 1].before = link;
  b->heads[order] = link;
  b->marks[number] = (uint8_t)(MARK | order);
}

static void unlink_block(struct buddy *b, uint64_t number, unsigned order) {
  const struct links l = b->links[number];
  if (l.next != NOBODY) b->links[l.next - 1].before = l.before;
  if (l.before != NOBODY) {
    b->links[l.before - 1].next = l.next;
  } else {
    b->heads[order] = l.next;
  }
  b->marks[number] = 0;
}

/* The free block around a frame of a stretch; false when the frame is not free. */
static bool find_block(const struct buddy *b, const struct engine_stretch *s, uint64_t frame, uint64_t *block,
                       unsigned *order) {
  for (unsigned k = 0; k < ORDERS; k++) {
    *block = bits_align_down(frame, UINT64_C(1) << k);
    *order = k;
    if (*block < s->start) return false;
    if (b->marks[s->base + *block - s->start] == (MARK | k)) return true;
  }
  return false;
}

/* --- giving and taking ------------------------------------------------------------------------------------------------ */

/* The largest order that begins at a frame and fits. */
static unsigned piece_order(uint64_t first, uint64_t count) {
  const unsigned order = (unsigned)bits_min(bits_log2_floor(count), ORDERS - 1);
  return first == 0 ? order : (unsigned)bits_min(order, bits_lowest(first));
}

/* What is left of a block: pieces whose buddies are no free blocks of their size. */
static void push_pieces(struct buddy *b, const struct engine_stretch *s, uint64_t first, uint64_t count) {
  for (uint64_t size; count > 0; first += size, count -= size) {
    const unsigned order = piece_order(first, count);
    size = UINT64_C(1) << order;
    push(b, s->base + first - s->start, order);
  }
}

/* A block becomes free, together with every buddy that is. */
static void release(struct buddy *b, const struct engine_stretch *s, uint64_t block, unsigned order) {
  for (; order + 1 < ORDERS; order++) {
    const uint64_t other = block ^ UINT64_C(1) << order;
    if (other < s->start || other >= s->end || b->marks[s->base + other - s->start] != (MARK | order)) break;
    unlink_block(b, s->base + other - s->start, order);
    block = bits_min(block, other);
  }
  push(b, s->base + block - s->start, order);
}

static void buddy_put(void *memory, uint64_t first, uint64_t count) {
  struct buddy *b = memory;
  const struct engine_stretch *s = engine_ground_at(&b->ground, first);
  CHECK(s && count <= s->end - first);
  b->free_frames += count;
  for (uint64_t size; count > 0; first += size, count -= size) {
    const unsigned order = piece_order(first, count);
    size = UINT64_C(1) << order;
    release(b, s, first, order);
  }
}

static void buddy_take(void *memory, uint64_t first, uint64_t count) {
  struct buddy *b = memory;
  const struct engine_stretch *s = engine_ground_at(&b->ground, first);
  CHECK(s && count <= s->end - first);
  b->free_frames -= count;
  while (count > 0) {
    uint64_t block;
    unsigned order;
    CHECK(find_block(b, s, first, &block, &order));
    const uint64_t end = block + (UINT64_C(1) << order), n = bits_min(count, end - first);
    unlink_block(b, s->base + block - s->start, order);
    push_pieces(b, s, block, first - block);
    push_pieces(b, s, first + n, end - first - n);
    first += n;
    count -= n;
  }
}

/* --- finding ---------------------------------------------------------------------------------------------------------- */

/* Does a block hold the run, within its limits? */
static bool holds(uint64_t block, uint64_t size, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  const uint64_t end = bits_min(block + size, where->max);
  const uint64_t start = engine_lowest_start(bits_max(block, where->min), count, where);
  if (start >= end || end - start < count) return false;
  *first = start;
  return true;
}

/* The run that lies there and nowhere else: no list is walked for it. */
static bool find_there(const struct buddy *b, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  const struct engine_stretch *s = engine_ground_at(&b->ground, where->min);
  uint64_t block;
  unsigned order;
  return s && find_block(b, s, where->min, &block, &order) && holds(block, UINT64_C(1) << order, count, where, first);
}

static bool buddy_find(const void *memory, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  const struct buddy *b = memory;
  if (where->max - where->min == count) return find_there(b, count, where, first);
  const uint64_t most = bits_max(count, where->align);
  if (most > UINT64_C(1) << (ORDERS - 1)) return false; /* No block is so large. */
  for (unsigned k = bits_log2_floor(most) + !bits_is_power_of_two(most); k < ORDERS; k++) {
    for (uint32_t link = b->heads[k]; link != NOBODY; link = b->links[link - 1].next) {
      const struct engine_stretch *s = engine_ground_of(&b->ground, link - 1);
      if (holds(s->start + (link - 1) - s->base, UINT64_C(1) << k, count, where, first)) return true;
    }
  }
  return false;
}

static bool buddy_look(const void *memory, uint64_t frame, uint64_t *start, uint64_t *end) {
  const struct buddy *b = memory;
  const struct engine_stretch *s = engine_ground_at(&b->ground, frame);
  uint64_t block;
  unsigned order;
  *start = frame;
  *end = frame + 1;
  if (!s || !find_block(b, s, frame, &block, &order)) return false;
  *start = block;
  *end = block + (UINT64_C(1) << order);
  return true;
}

static uint64_t buddy_free_frames(const void *memory) { return ((const struct buddy *)memory)->free_frames; }

const struct engine engine_buddy = {
    .name = "buddy",
    .caveat = "a run is found inside one free block alone, none above 1 GiB, and it keeps 9 bytes a frame",
    .finds_every_run = false,
    .frames_max = UINT32_MAX - 1,
    .size = buddy_size,
    .init = buddy_init,
    .put = buddy_put,
    .take = buddy_take,
    .find = buddy_find,
    .look = buddy_look,
    .free_frames = buddy_free_frames,
};
