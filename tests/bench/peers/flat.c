/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/peers/flat.c — one bitmap and a place where the last search ended.
 *
 * HOW    A set bit is a free frame.  A search begins at the place, runs to the end and then from the start to where it had
 *        begun; empty words are passed over whole.
 * WHY NOT summaries: without them this is what most small kernels have, and their cost when memory is nearly full, or when
 *        there is nothing to find, is what the bench is to show.
 */
#include <string.h>

#include "base/bits.h"
#include "tests/bench/peers/engine.h"

struct flat {
  uint64_t frames, free_frames;
  uint64_t place;
  uint64_t words[]; /* Bits behind the last frame stay 0. */
};

static uint64_t word_count(uint64_t frames) { return (frames + 63) / 64; }

static size_t flat_size(uint64_t frames) { return sizeof(struct flat) + word_count(frames) * sizeof(uint64_t); }

static status_t flat_create(void *memory, uint64_t frames) {
  struct flat *f = memory;
  if (frames == 0 || frames > ENGINE_FRAMES_MAX) return ERR_INVALID;
  memset(f, 0, flat_size(frames));
  f->frames = frames;
  return OK;
}

/* The first frame at or behind `at` whose bit is set, or is clear; f->frames when there is none: a bit behind the last frame
 * is clear, so none is found beyond. */
static uint64_t next(const struct flat *f, uint64_t at, bool is_set) {
  while (at < f->frames) {
    const uint64_t word = is_set ? f->words[at / 64] : ~f->words[at / 64];
    const uint64_t rest = word >> at % 64;
    if (rest != 0) return at + bits_lowest(rest);
    at = (at / 64 + 1) * 64;
  }
  return f->frames;
}

/* The bits of one word in [first, first + count), and how many they are. */
static uint64_t mask_at(uint64_t first, uint64_t count, uint64_t *n) {
  *n = bits_min(64 - first % 64, count);
  return (UINT64_MAX >> (64 - *n)) << first % 64;
}

static void set_all(struct flat *f, uint64_t first, uint64_t count) {
  f->free_frames += count;
  for (uint64_t n; count > 0; first += n, count -= n) f->words[first / 64] |= mask_at(first, count, &n);
}

static void clear_all(struct flat *f, uint64_t first, uint64_t count) {
  f->free_frames -= count;
  for (uint64_t n; count > 0; first += n, count -= n) f->words[first / 64] &= ~mask_at(first, count, &n);
}

/* The lowest run that starts in [from, to); false when there is none. */
static bool find(const struct flat *f, uint64_t from, uint64_t to, uint64_t count, uint64_t align, uint64_t *first) {
  uint64_t at = bits_align_up(next(f, from, true), align);
  while (at < to) {
    const uint64_t end = next(f, at, false);
    if (end - at >= count) {
      *first = at;
      return true;
    }
    at = bits_align_up(next(f, end, true), align);
  }
  return false;
}

static status_t flat_alloc_run(void *memory, uint64_t count, uint64_t align, uint64_t *first) {
  struct flat *f = memory;
  if (count == 0 || !bits_is_power_of_two(align)) return ERR_INVALID;
  if (count > f->free_frames || align > ENGINE_FRAMES_MAX) return ERR_NO_MEMORY;
  if (!find(f, f->place, f->frames, count, align, first) && !find(f, 0, f->place, count, align, first)) return ERR_NO_MEMORY;
  clear_all(f, *first, count);
  f->place = *first + count < f->frames ? *first + count : 0;
  return OK;
}

static status_t flat_free_run(void *memory, uint64_t first, uint64_t count) {
  struct flat *f = memory;
  if (count == 0) return ERR_INVALID;
  if (first >= f->frames || count > f->frames - first) return ERR_RANGE;
  if (next(f, first, true) < first + count) return ERR_STATE;
  set_all(f, first, count);
  return OK;
}

static status_t flat_add(void *memory, uint64_t first, uint64_t count) {
  struct flat *f = memory;
  if (first > f->frames || count > f->frames - first) return ERR_RANGE;
  set_all(f, first, count);
  return OK;
}

static status_t flat_alloc(void *memory, unsigned order, uint64_t *first) {
  if (order >= ENGINE_ORDERS) return ERR_INVALID;
  return flat_alloc_run(memory, UINT64_C(1) << order, UINT64_C(1) << order, first);
}

static status_t flat_free(void *memory, unsigned order, uint64_t first) {
  if (order >= ENGINE_ORDERS) return ERR_INVALID;
  return flat_free_run(memory, first, UINT64_C(1) << order);
}

static uint64_t flat_free_frames(const void *memory) { return ((const struct flat *)memory)->free_frames; }

const struct engine flat_engine = {
    .name = "flat",
    .size = flat_size,
    .create = flat_create,
    .add = flat_add,
    .alloc = flat_alloc,
    .free = flat_free,
    .alloc_run = flat_alloc_run,
    .free_run = flat_free_run,
    .free_frames = flat_free_frames,
};
