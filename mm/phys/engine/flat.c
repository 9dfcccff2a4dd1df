/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/flat.c — one bitmap and a place where the last run taken ended.
 *
 * HOW    A set bit is a free frame.  A search begins at the place, goes on to the end and then from the start to where it
 *        had begun; words without a free frame are passed over whole.
 * LOCKING  none here: pmm.c holds the lock of the instance.
 * WHY NOT  summaries: without them this is what most small kernels have, and its cost when memory is nearly full, or when
 *        there is nothing to find, is what it is here to show.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/engine/engine.h"

#define LINE UINT64_C(64)

struct flat {
  struct engine_ground ground;
  uint64_t free_frames;
  uint64_t place;  /* A frame number. */
  uint64_t *words; /* By the engine's number; bits behind the last one stay 0. */
};

static uint64_t word_bytes(uint64_t frames) { return bits_align_up((frames + 63) / 64 * sizeof(uint64_t), LINE); }

static uint64_t flat_size(const struct boot_region *regions, size_t count) {
  uint64_t frames, ground = engine_ground_size(regions, count, &frames);
  return bits_align_up(sizeof(struct flat), LINE) + ground + word_bytes(frames);
}

static void flat_init(void *memory, const struct boot_region *regions, size_t count) {
  struct flat *f = memory;
  *f = (struct flat){0};
  f->words = engine_ground_init(&f->ground, (char *)memory + bits_align_up(sizeof *f, LINE), regions, count);
  memset(f->words, 0, word_bytes(f->ground.frames));
}

/* The first number in [at, end) whose bit is set, or is clear; `end` when there is none. */
static uint64_t next(const struct flat *f, uint64_t at, uint64_t end, bool is_set) {
  while (at < end) {
    const uint64_t word = is_set ? f->words[at / 64] : ~f->words[at / 64];
    const uint64_t rest = word >> at % 64;
    if (rest != 0) return bits_min(at + bits_lowest(rest), end);
    at = (at / 64 + 1) * 64;
  }
  return end;
}

/* Flips the bits of frames that are all free, or all not. */
static void flip(struct flat *f, uint64_t first, uint64_t count, bool are_free) {
  const struct engine_stretch *s = engine_ground_at(&f->ground, first);
  CHECK(s && count <= s->end - first);
  uint64_t at = s->base + first - s->start;
  for (uint64_t n; count > 0; at += n, count -= n) {
    n = bits_min(64 - at % 64, count);
    const uint64_t mask = (UINT64_MAX >> (64 - n)) << at % 64;
    CHECK((f->words[at / 64] & mask) == (are_free ? mask : 0));
    f->words[at / 64] ^= mask;
  }
}

static void flat_put(void *memory, uint64_t first, uint64_t count) {
  struct flat *f = memory;
  flip(f, first, count, false);
  f->free_frames += count;
}

static void flat_take(void *memory, uint64_t first, uint64_t count) {
  struct flat *f = memory;
  flip(f, first, count, true);
  f->free_frames -= count;
  f->place = first + count;
}

/* The lowest run of a stretch that starts in [from, to), which may go on behind `to` up to `end`. */
static bool find_in(const struct flat *f, const struct engine_stretch *s, uint64_t from, uint64_t to, uint64_t end,
                    uint64_t count, const struct frame_limits *where, uint64_t *first) {
  const uint64_t shift = s->start - s->base; /* From number to frame; may wrap, and wraps back. */
  for (uint64_t at = from; at < to;) {
    at = next(f, at - shift, to - shift, true) + shift;
    if (at == to) return false;
    const uint64_t start = engine_lowest_start(at, count, where);
    if (start >= to || end - start < count) return false;
    const uint64_t used = next(f, at - shift, start + count - shift, false) + shift;
    if (used == start + count) {
      *first = start;
      return true;
    }
    at = used;
  }
  return false;
}

/* The lowest run that starts in [from, to). */
static bool find_from(const struct flat *f, uint64_t from, uint64_t to, uint64_t count, const struct frame_limits *where,
                      uint64_t *first) {
  const struct engine_stretch *s = engine_ground_from(&f->ground, from), *last = f->ground.stretches + f->ground.count;
  for (; s && s < last && s->start < to; s++) {
    const uint64_t end = bits_min(s->end, where->max);
    if (find_in(f, s, bits_max(from, s->start), bits_min(to, end), end, count, where, first)) return true;
  }
  return false;
}

static bool flat_find(const void *memory, uint64_t count, const struct frame_limits *where, uint64_t *first) {
  const struct flat *f = memory;
  if (count > f->free_frames) return false;
  const uint64_t place = bits_min(bits_max(f->place, where->min), where->max);
  return find_from(f, place, where->max, count, where, first) || find_from(f, where->min, place, count, where, first);
}

static bool flat_look(const void *memory, uint64_t frame, uint64_t *start, uint64_t *end) {
  const struct flat *f = memory;
  const struct engine_stretch *s = engine_ground_at(&f->ground, frame);
  *start = frame;
  *end = frame + 1;
  if (!s) return false;
  const uint64_t shift = s->start - s->base, at = frame - shift, word = f->words[at / 64];
  const bool is_free = word >> at % 64 & 1;
  const uint64_t other = is_free ? ~word : word; /* Where it is not the same. */
  const uint64_t above = other >> at % 64, below = at % 64 == 0 ? 0 : other << (64 - at % 64);
  const uint64_t line = bits_align_down(at, 64);
  *end = bits_min((above ? at + bits_lowest(above) : line + 64) + shift, s->end);
  *start = bits_max((below ? at - (63 - bits_log2_floor(below)) : line) + shift, s->start);
  return is_free;
}

static uint64_t flat_free_frames(const void *memory) { return ((const struct flat *)memory)->free_frames; }

const struct engine engine_flat = {
    .name = "flat",
    .caveat = NULL,
    .finds_every_run = true,
    .frames_max = UINT64_MAX,
    .size = flat_size,
    .init = flat_init,
    .put = flat_put,
    .take = flat_take,
    .find = flat_find,
    .look = flat_look,
    .free_frames = flat_free_frames,
};
