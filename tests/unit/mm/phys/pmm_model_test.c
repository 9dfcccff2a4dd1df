/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator against a model: one byte of state and one of owner for each frame, and every answer found by looking at
 * all of them.
 *
 * A million operations on many small machines, whose RAM lies across the borders of all tiers.  Legal and illegal ones are
 * mixed; the model says beforehand which status must come back, and for a run which frame it must start at.  A failure
 * prints the seed; CAIRN_SEED replays it, CAIRN_OPS changes how many operations there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"
#include "platform.h"

#define CHUNKS_MAX 6

/* What the operations came to, for the line at the end. */
static struct {
  uint64_t frames, runs, no_run, freed, given;
} tally;

/* Consecutive frames of RAM, modelled. */
struct chunk {
  uint64_t first, count;
  enum frame_state *state;
  enum frame_owner *owner;
};

struct model {
  struct boot_region regions[2 * CHUNKS_MAX];
  size_t region_count;
  struct chunk chunks[CHUNKS_MAX];
  size_t chunk_count;
  struct hosted h;
  struct dice dice;
};

static enum frame_owner some_owner(struct dice *d) {
  static const enum frame_owner owners[] = {FRAME_OWNER_TEST, FRAME_OWNER_KERNEL, FRAME_OWNER_DMA};
  return owners[dice_below(d, 3)];
}

/* --- the machine ---------------------------------------------------------------------------------------------------- */

static void add_region(struct model *m, uint64_t first, uint64_t count, uint32_t kind) {
  if (count == 0) return;
  m->regions[m->region_count++] = (struct boot_region){
      .start = first * FRAME_SIZE, .end = (first + count) * FRAME_SIZE, .kind = kind, .firmware_type = 7, .attributes = 8};
}

/* A chunk around a border of some tier, a part of it the firmware's. */
static void add_chunk(struct model *m, uint64_t near) {
  static const unsigned borders[] = {4, 9, 13, 18};
  struct dice *d = &m->dice;
  uint64_t border = bits_align_up(near, UINT64_C(1) << borders[dice_below(d, 4)]);
  uint64_t count = dice_one_in(d, 3) ? dice_between(d, 1, 40) : dice_between(d, 200, 1600);
  uint64_t first = border - dice_below(d, bits_min(count, border - near) + 1);
  uint64_t usable = dice_one_in(d, 3) ? dice_below(d, count) : count;
  struct chunk *c = &m->chunks[m->chunk_count++];
  *c = (struct chunk){first, count, calloc(count, sizeof *c->state), calloc(count, sizeof *c->owner)};
  add_region(m, first, usable, BOOT_MEMORY_USABLE);
  add_region(m, first + usable, count - usable, BOOT_MEMORY_RUNTIME_DATA);
  for (uint64_t i = usable; i < count; i++) {
    c->state[i] = FRAME_FIRMWARE;
    c->owner[i] = FRAME_OWNER_FIRMWARE;
  }
}

static void model_begin(struct model *m, uint64_t seed) {
  *m = (struct model){.dice = dice_of(seed)};
  size_t chunks = dice_between(&m->dice, 1, CHUNKS_MAX);
  uint64_t near = 256;
  for (size_t i = 0; i < chunks; i++) {
    add_chunk(m, near);
    const struct chunk *c = &m->chunks[i];
    near = c->first + c->count + 1 + dice_any_size(&m->dice, 21);
  }
  m->h = hosted_create(m->regions, m->region_count, NULL, 0);
  if (m->h.status != OK) assert_int_equal(m->h.status, ERR_NOT_FOUND);
}

static void model_end(struct model *m) {
  for (size_t i = 0; i < m->chunk_count; i++) {
    free(m->chunks[i].state);
    free(m->chunks[i].owner);
  }
  hosted_destroy(&m->h);
}

/* --- what the model knows ------------------------------------------------------------------------------------------- */

static struct chunk *chunk_of(struct model *m, uint64_t frame) {
  for (size_t i = 0; i < m->chunk_count; i++) {
    if (frame >= m->chunks[i].first && frame < m->chunks[i].first + m->chunks[i].count) return &m->chunks[i];
  }
  return NULL;
}

static enum frame_state state_of(struct model *m, uint64_t frame) {
  struct chunk *c = chunk_of(m, frame);
  return c ? c->state[frame - c->first] : FRAME_ABSENT;
}

static void set(struct model *m, uint64_t first, uint64_t count, enum frame_state state, enum frame_owner owner) {
  for (uint64_t f = first; f < first + count; f++) {
    struct chunk *c = chunk_of(m, f);
    c->state[f - c->first] = state;
    c->owner[f - c->first] = owner;
  }
}

/* What giving back (or away) these frames must answer. */
static status_t verdict_on_owned(struct model *m, enum frame_owner owner, uint64_t first, uint64_t count) {
  if (count == 0 || first + count < first) return ERR_INVALID;
  for (uint64_t f = first; f < first + count; f++) {
    struct chunk *c = chunk_of(m, f);
    if (!c || c->state[f - c->first] == FRAME_FIRMWARE) return ERR_RANGE;
    if (c->state[f - c->first] != FRAME_ALLOCATED) return ERR_STATE;
    if (c->owner[f - c->first] != owner) return ERR_OWNER;
  }
  return OK;
}

static bool start_fits(uint64_t start, uint64_t count, const struct frame_limits *w) {
  uint64_t align = w->align ? w->align : 1, max = w->max ? w->max : UINT64_MAX;
  if (start % align != 0 || start < w->min || start + count > max) return false;
  return w->boundary == 0 || start / w->boundary == (start + count - 1) / w->boundary;
}

/* The highest run that fits, by trying every start.  Chunks do not touch, so a run lies in one of them. */
static bool highest_run(struct model *m, uint64_t count, const struct frame_limits *w, uint64_t *start) {
  for (size_t i = m->chunk_count; i-- > 0;) {
    const struct chunk *c = &m->chunks[i];
    uint64_t free_above = 0; /* Free frames from here upwards. */
    for (uint64_t at = c->count; at-- > 0;) {
      free_above = c->state[at] == FRAME_FREE ? free_above + 1 : 0;
      if (free_above < count || !start_fits(c->first + at, count, w)) continue;
      *start = c->first + at;
      return true;
    }
  }
  return false;
}

/* 2 MiB blocks that are broken: some frames free, not all. */
static bool block_is_broken(struct model *m, uint64_t frame) {
  uint64_t block = frame / 512 * 512, free = 0;
  for (uint64_t f = block; f < block + 512; f++) free += state_of(m, f) == FRAME_FREE;
  return free > 0 && free < 512;
}

static bool any_block_is_broken(struct model *m) {
  for (size_t i = 0; i < m->chunk_count; i++) {
    const struct chunk *c = &m->chunks[i];
    for (uint64_t f = c->first / 512 * 512; f < c->first + c->count; f += 512) {
      if (block_is_broken(m, f)) return true;
    }
  }
  return false;
}

static uint64_t free_frames(const struct model *m) {
  uint64_t n = 0;
  for (size_t i = 0; i < m->chunk_count; i++) {
    for (uint64_t j = 0; j < m->chunks[i].count; j++) n += m->chunks[i].state[j] == FRAME_FREE;
  }
  return n;
}

/* --- operations ----------------------------------------------------------------------------------------------------- */

static void op_alloc_frame(struct model *m) {
  pfn_t got = pfn(UINT64_MAX);
  enum frame_owner owner = some_owner(&m->dice);
  bool is_any_broken = dice_one_in(&m->dice, 16) && any_block_is_broken(m);
  status_t status = pmm_alloc_frame(m->h.pmm, owner, 0, &got);
  if (status != OK) {
    assert_int_equal(status, ERR_NO_MEMORY);
    assert_int_equal(free_frames(m), 0);
    assert_int_equal(got.raw, UINT64_MAX);
    return;
  }
  assert_int_equal(state_of(m, got.raw), FRAME_FREE);
  if (is_any_broken) assert_true(block_is_broken(m, got.raw));
  set(m, got.raw, 1, FRAME_ALLOCATED, owner);
  tally.frames++;
}

static struct frame_limits some_limits(struct model *m, uint64_t count) {
  struct dice *d = &m->dice;
  struct frame_limits w = {0};
  const struct chunk *a = &m->chunks[dice_below(d, m->chunk_count)], *b = &m->chunks[dice_below(d, m->chunk_count)];
  if (dice_one_in(d, 3)) w.min = a->first + dice_below(d, a->count);
  if (dice_one_in(d, 3)) w.max = b->first + 1 + dice_below(d, b->count + 8);
  if (dice_one_in(d, 2)) w.align = UINT64_C(1) << dice_below(d, dice_one_in(d, 8) ? 64 : 11);
  if (dice_one_in(d, 4))
    w.boundary = UINT64_C(1) << dice_between(d, bits_log2_floor(2 * count - 1), dice_one_in(d, 8) ? 63 : 12);
  return w;
}

static uint64_t some_count(struct dice *d) {
  if (dice_one_in(d, 50)) return 512;
  return 1 + (dice_one_in(d, 4) ? dice_any_size(d, 11) : dice_any_size(d, 6));
}

/* An unlimited 2 MiB block is chosen by another rule than "the highest". */
static bool is_block_request(uint64_t count, const struct frame_limits *w) {
  return count == 512 && w->align == 512 && w->min == 0 && w->max == 0 && (w->boundary == 0 || w->boundary >= 512);
}

static void op_alloc_run(struct model *m) {
  uint64_t count = some_count(&m->dice), expected = 0;
  struct frame_limits w = some_limits(m, count);
  enum frame_owner owner = some_owner(&m->dice);
  pfn_t got = pfn(UINT64_MAX);
  bool is_anywhere = w.min == 0 && w.max == 0 && w.align <= 1;
  if (w.max != 0 && w.min >= w.max) {
    assert_int_equal(pmm_alloc_run(m->h.pmm, owner, 0, count, &w, &got), ERR_INVALID);
    return;
  }
  bool is_there = highest_run(m, count, &w, &expected);
  status_t status = pmm_alloc_run(m->h.pmm, owner, 0, count, &w, &got);
  assert_int_equal(status, is_there ? OK : ERR_NO_MEMORY);
  tally.no_run += !is_there;
  tally.runs += is_there;
  if (status != OK) return;
  for (uint64_t f = got.raw; f < got.raw + count; f++) assert_int_equal(state_of(m, f), FRAME_FREE);
  assert_true(start_fits(got.raw, count, &w));
  if (!is_block_request(count, &w) && !(count == 1 && is_anywhere)) assert_int_equal(got.raw, expected);
  set(m, got.raw, count, FRAME_ALLOCATED, owner);
}

/* A frame somewhere, mostly of RAM; sometimes just beside it. */
static uint64_t some_frame(struct model *m) {
  const struct chunk *c = &m->chunks[dice_below(&m->dice, m->chunk_count)];
  if (dice_one_in(&m->dice, 60)) return dice_u64(&m->dice) >> dice_below(&m->dice, 64);
  return c->first + dice_below(&m->dice, c->count + 2) - dice_below(&m->dice, 2);
}

/* How far the frames from `first` on belong to the same owner. */
static uint64_t owned_run(struct model *m, uint64_t first) {
  struct chunk *c = chunk_of(m, first);
  uint64_t n = 0;
  if (!c) return 1;
  for (uint64_t i = first - c->first;
       i < c->count && c->state[i] == FRAME_ALLOCATED && c->owner[i] == c->owner[first - c->first]; i++)
    n++;
  return n;
}

/* Mostly a legal request: the owner that is there, and frames that are all its own. */
static void some_owned(struct model *m, enum frame_owner *owner, uint64_t *first, uint64_t *count) {
  struct dice *d = &m->dice;
  *first = some_frame(m);
  for (unsigned i = 0; i < 8 && state_of(m, *first) != FRAME_ALLOCATED; i++) *first = some_frame(m);
  struct chunk *c = chunk_of(m, *first);
  *owner = c && !dice_one_in(d, 20) ? c->owner[*first - c->first] : some_owner(d);
  uint64_t run = owned_run(m, *first);
  *count = dice_one_in(d, 3) ? 1 : dice_between(d, 1, bits_max(run, 1));
  if (dice_one_in(d, 20)) *count = dice_any_size(d, dice_one_in(d, 4) ? 64 : 8);
}

static void op_free(struct model *m) {
  enum frame_owner owner;
  uint64_t first, count;
  some_owned(m, &owner, &first, &count);
  status_t expected = verdict_on_owned(m, owner, first, count);
  uint64_t lines = fake_platform_log_count();
  status_t status =
      count == 1 ? pmm_free_frame(m->h.pmm, owner, pfn(first)) : pmm_free_run(m->h.pmm, owner, pfn(first), count);
  assert_int_equal(status, expected);
  assert_int_equal(fake_platform_log_count() - lines, expected != OK && expected != ERR_INVALID);
  if (status != OK) return;
  set(m, first, count, FRAME_FREE, FRAME_OWNER_FREE);
  tally.freed++;
}

static void op_give(struct model *m) {
  enum frame_owner owner, to = some_owner(&m->dice);
  uint64_t first, count;
  some_owned(m, &owner, &first, &count);
  status_t expected = verdict_on_owned(m, owner, first, count);
  assert_int_equal(pmm_give_run(m->h.pmm, owner, to, pfn(first), count), expected);
  if (expected != OK) return;
  set(m, first, count, FRAME_ALLOCATED, to);
  tally.given++;
}

static void op_mark_bad(struct model *m) {
  uint64_t frame = some_frame(m);
  enum frame_state state = state_of(m, frame);
  status_t expected = state == FRAME_FREE ? OK : state == FRAME_ABSENT || state == FRAME_FIRMWARE ? ERR_RANGE : ERR_STATE;
  assert_int_equal(pmm_mark_bad(m->h.pmm, pfn(frame)), expected);
  if (expected == OK) set(m, frame, 1, FRAME_BAD, FRAME_OWNER_BAD);
}

static void op_invalid(struct model *m) {
  pfn_t got = pfn(7);
  struct frame_limits odd_align = {.align = 3}, odd_boundary = {.boundary = 6}, narrow = {.boundary = 4},
                      empty = {.min = 9, .max = 9};
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 0, NULL, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 1, &odd_align, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 1, &odd_boundary, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 5, &narrow, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 1, &empty, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_FREE, 0, 1, NULL, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_frame(m->h.pmm, FRAME_OWNER_FIRMWARE, 0, &got), ERR_INVALID);
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, UINT64_MAX, NULL, &got), ERR_NO_MEMORY);
  assert_int_equal(got.raw, 7);
}

static void some_op(struct model *m, unsigned alloc_share) {
  struct dice *d = &m->dice;
  if (dice_one_in(d, 400))
    op_mark_bad(m);
  else if (dice_one_in(d, 400))
    op_invalid(m);
  else if (dice_one_in(d, 20))
    op_give(m);
  else if (dice_below(d, 100) >= alloc_share)
    op_free(m);
  else if (dice_one_in(d, 3))
    op_alloc_frame(m);
  else
    op_alloc_run(m);
}

/* --- the whole compared --------------------------------------------------------------------------------------------- */

struct seen {
  struct model *m;
  uint64_t frames, last_end;
};

static bool compare_range(void *context, const struct pmm_range *r) {
  struct seen *s = context;
  assert_true(r->start >= s->last_end && r->start < r->end);
  s->last_end = r->end;
  s->frames += r->end - r->start;
  for (uint64_t f = r->start; f < r->end; f++) {
    struct chunk *c = chunk_of(s->m, f);
    assert_non_null(c);
    assert_int_equal(c->state[f - c->first], r->state);
    assert_int_equal(c->owner[f - c->first], r->owner);
  }
  return true;
}

static void compare_stats(struct model *m) {
  uint64_t largest = 0, blocks = 0, sum = 0;
  for (size_t i = 0; i < m->chunk_count; i++) {
    const struct chunk *c = &m->chunks[i];
    uint64_t run = 0, aligned = 0;
    for (uint64_t j = 0; j < c->count; j++) {
      bool is_free = c->state[j] == FRAME_FREE;
      run = is_free ? run + 1 : 0;
      aligned = !is_free ? 0 : (c->first + j) % 512 == 0 ? 1 : aligned > 0 ? aligned + 1 : 0;
      blocks += aligned == 512;
      largest = bits_max(largest, run);
    }
  }
  struct pmm_stats s;
  pmm_stats_read(m->h.pmm, &s);
  assert_int_equal(s.free_frames, free_frames(m));
  assert_int_equal(s.largest_free_run, largest);
  assert_int_equal(s.free_2m, blocks);
  for (unsigned i = 0; i < 19; i++) sum += s.free_by_order[i] << i;
  assert_int_equal(sum, s.free_frames);
}

static void compare(struct model *m) {
  struct seen seen = {.m = m};
  uint64_t frames = 0;
  for (size_t i = 0; i < m->chunk_count; i++) frames += m->chunks[i].count;
  pmm_visit(m->h.pmm, compare_range, &seen);
  assert_int_equal(seen.frames, frames);
  compare_stats(m);
  hosted_must_be_sound(&m->h, "model");
}

/* A request that fails has changed nothing at all. */
static void fail_and_compare(struct model *m) {
  pfn_t got;
  uint64_t before = hosted_digest(&m->h), frame = some_frame(m);
  status_t status = pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 4000, NULL, &got);
  assert_int_equal(status, ERR_NO_MEMORY);
  if (verdict_on_owned(m, FRAME_OWNER_USER, frame, 3) != OK) (void)!pmm_free_run(m->h.pmm, FRAME_OWNER_USER, pfn(frame), 3);
  if (verdict_on_owned(m, FRAME_OWNER_TEST, frame, 9) != OK) {
    (void)!pmm_give_run(m->h.pmm, FRAME_OWNER_TEST, FRAME_OWNER_USER, pfn(frame), 9);
  }
  assert_int_equal(hosted_digest(&m->h), before);
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  uint64_t ops = wanted ? strtoull(wanted, NULL, 0) : 1000000, done = 0, machines = 0, seed = seed_of_run();
  for (; done < ops; machines++) {
    struct model m;
    model_begin(&m, seed + machines);
    for (unsigned i = 0; m.h.pmm && i < 10000; i++, done++) {
      unsigned phase = i / 700 % 4;
      some_op(&m, phase == 0 ? 80 : phase == 1 ? 50 : phase == 2 ? 60 : 25);
      if (i % 2500 == 0) compare(&m);
      if (i % 1000 == 0) fail_and_compare(&m);
    }
    if (m.h.pmm) compare(&m);
    model_end(&m);
  }
  printf(
      "# operations: %llu on %llu machines: %llu frames, %llu runs, %llu runs that did not exist, %llu freed, %llu given, "
      "%llu refusals\n",
      (unsigned long long)done, (unsigned long long)machines, (unsigned long long)tally.frames,
      (unsigned long long)tally.runs, (unsigned long long)tally.no_run, (unsigned long long)tally.freed,
      (unsigned long long)tally.given, (unsigned long long)fake_platform_log_count());
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(random_operations_agree_with_the_model)};
  return cmocka_run_group_tests_name("mm/phys/pmm_model", tests, NULL, NULL);
}
