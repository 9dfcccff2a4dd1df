/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Priced contiguity on small machines, against an oracle that tries every window.
 *
 * Frames are free, movable, or in the way, at random and in every mixture; the machines' RAM lies across the borders of all
 * tiers.  What is quoted must be the least that any window costs; what is committed must move exactly that many frames, each
 * with its bytes, and whatever fails must have changed nothing at all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"
#include "mm/engine.h"
#include "movers.h"
#include "platform.h"
#include "slots.h"

#define CHUNKS_MAX 4
#define MOVER      FRAME_OWNER_USER
#define BLOCK      UINT64_C(512)

static struct {
  uint64_t quotes, existed, made, moves, no_memory, in_the_way, never;
} tally;

static struct {
  uint64_t requests, found, made;
} allocs;

/* --- machines ---------------------------------------------------------------------------------------------------- */

enum { FREE_FRAME, MOVABLE_FRAME, FIXED_FRAME };

struct chunk {
  uint64_t first, count;
};

struct machine {
  struct boot_region regions[CHUNKS_MAX];
  struct chunk chunks[CHUNKS_MAX];
  size_t chunk_count;
  struct hosted h;
  struct movers m;
  uint8_t *is_fixed; /* By frame number. */
  struct dice dice;
};

static void add_chunk(struct machine *m, uint64_t near, uint64_t frames_max) {
  static const unsigned borders[] = {6, 9, 9, 13, 18};
  struct dice *d = &m->dice;
  const uint64_t border = bits_align_up(near, UINT64_C(1) << borders[dice_below(d, 5)]);
  const uint64_t count = dice_one_in(d, 4) ? dice_between(d, 1, 100) : dice_between(d, 200, frames_max);
  const uint64_t first = border - dice_below(d, bits_min(count, border - near) + 1);
  m->regions[m->chunk_count] = (struct boot_region){
      .start = first * FRAME_SIZE, .end = (first + count) * FRAME_SIZE, .kind = BOOT_MEMORY_USABLE, .firmware_type = 7};
  m->chunks[m->chunk_count++] = (struct chunk){first, count};
}

static void take_fixed(struct machine *m, uint64_t frame) {
  const struct frame_limits exactly = {.min = frame, .max = frame + 1};
  pfn_t got;
  assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, 1, &exactly, &got), OK);
  m->is_fixed[frame] = 1;
}

static int state_of(const struct machine *m, uint64_t frame) {
  if (m->is_fixed[frame]) return FIXED_FRAME;
  return m->m.object_of[frame] ? MOVABLE_FRAME : FREE_FRAME;
}

/* Fills every chunk; in some the frames that are in the way come in clusters, as they do in life. */
static void fill(struct machine *m) {
  struct dice *d = &m->dice;
  for (size_t i = 0; i < m->chunk_count; i++) {
    const struct chunk *c = &m->chunks[i];
    const uint64_t used = dice_below(d, 101), fixed = dice_one_in(d, 3) ? 0 : dice_any_size(d, dice_one_in(d, 3) ? 10 : 6);
    for (uint64_t f = c->first; f < c->first + c->count; f++) {
      if (dice_below(d, 1000) < fixed)
        take_fixed(m, f);
      else if (dice_below(d, 100) < used)
        assert_true(movers_take_at(&m->m, f));
    }
  }
}

static void machine_begin(struct machine *m, uint64_t seed, uint64_t frames_max) {
  *m = (struct machine){.dice = dice_of(seed)};
  const size_t chunks = dice_between(&m->dice, 1, CHUNKS_MAX);
  uint64_t near = 256;
  for (size_t i = 0; i < chunks; i++) {
    add_chunk(m, near, frames_max);
    near = m->chunks[i].first + m->chunks[i].count + 1 + dice_any_size(&m->dice, 15);
  }
  m->h = hosted_create(m->regions, m->chunk_count, NULL, 0);
  assert_int_equal(m->h.status, OK);
  m->is_fixed = calloc(near, 1);
  movers_init(&m->m, &m->h, MOVER, near, true);
  fill(m);
}

static void machine_end(struct machine *m) {
  slots_play(0);
  movers_fini(&m->m);
  hosted_destroy(&m->h);
  free(m->is_fixed);
}

/* --- the oracle -------------------------------------------------------------------------------------------------- */

static bool start_fits(uint64_t start, uint64_t count, const struct frame_limits *w) {
  const uint64_t align = w->align ? w->align : 1, max = w->max ? w->max : UINT64_MAX;
  if (start % align != 0 || start < w->min || start + count > max) return false;
  return w->boundary == 0 || start / w->boundary == (start + count - 1) / w->boundary;
}

struct verdict {
  status_t status;
  uint64_t moves; /* Of the cheapest window. */
  uint64_t fewest_in_the_way;
};

/* Every window of every chunk. */
static struct verdict oracle(const struct machine *m, uint64_t count, const struct frame_limits *w) {
  struct verdict v = {ERR_RANGE, UINT64_MAX, UINT64_MAX};
  uint64_t free_frames = 0;
  for (size_t i = 0; i < m->chunk_count; i++) {
    const struct chunk *c = &m->chunks[i];
    uint64_t in_window[3] = {0};
    for (uint64_t f = c->first; f < c->first + c->count; f++) {
      free_frames += state_of(m, f) == FREE_FRAME;
      in_window[state_of(m, f)]++;
      if (f - c->first >= count) in_window[state_of(m, f - count)]--;
      if (f - c->first + 1 < count || !start_fits(f + 1 - count, count, w)) continue;
      v.fewest_in_the_way = bits_min(v.fewest_in_the_way, in_window[FIXED_FRAME]);
      if (in_window[FIXED_FRAME] == 0) v.moves = bits_min(v.moves, in_window[MOVABLE_FRAME]);
      if (v.status == ERR_RANGE) v.status = ERR_BUSY;
    }
  }
  if (v.status == ERR_BUSY && free_frames < count) v.status = ERR_NO_MEMORY;
  if (v.status == ERR_BUSY && v.moves != UINT64_MAX) v.status = OK;
  return v;
}

static struct frame_limits some_limits(struct machine *m, uint64_t count) {
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
  if (dice_one_in(d, 5)) return 512;
  if (dice_one_in(d, 5)) return dice_between(d, 500, 1100);
  return 1 + dice_any_size(d, dice_one_in(d, 3) ? 11 : 7);
}

/* CPUs have taken a frame and given it back: nothing is different, but they keep blocks, pockets, single frames. */
static void let_cpus_keep_some(struct machine *m) {
  struct dice *d = &m->dice;
  for (uint64_t n = dice_below(d, 4); n > 0; n--) {
    const uint64_t count = dice_one_in(d, 4) ? BLOCK : 1;
    const struct frame_limits aligned = {.align = count};
    pfn_t f;
    slots_play((uint32_t)dice_below(d, 18)); /* Two of them have no slot. */
    if (pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, count, &aligned, &f) != OK) continue;
    slots_play((uint32_t)dice_below(d, 18));
    assert_int_equal(pmm_free_run(m->h.pmm, FRAME_OWNER_TEST, f, count), OK);
  }
}

/* --- quotes ------------------------------------------------------------------------------------------------------ */

static void explanation_must_hold(struct machine *m, uint64_t count, const struct frame_limits *w, struct verdict v) {
  struct contig_obstacle o;
  const status_t s = contig_explain(&m->m.contig, count, w, &o);
  if (v.fewest_in_the_way == UINT64_MAX || v.fewest_in_the_way == 0) {
    assert_int_equal(s, v.fewest_in_the_way == 0 ? ERR_NOT_FOUND : ERR_RANGE);
    return;
  }
  assert_int_equal(s, OK);
  assert_int_equal(o.unmovable, v.fewest_in_the_way);
  assert_true(start_fits(o.first.raw, count, w));
  assert_true(o.frame.raw >= o.first.raw && o.frame.raw < o.first.raw + count);
  assert_int_equal(state_of(m, o.frame.raw), FIXED_FRAME);
  assert_true(o.owner == FRAME_OWNER_TEST || o.owner == FRAME_OWNER_KERNEL);
}

static void commit_must_move_exactly(struct machine *m, const struct contig_quote *q) {
  const uint64_t before = m->m.moves;
  pfn_t first = pfn(UINT64_MAX);
  struct pmm_story story;
  assert_int_equal(contig_commit(&m->m.contig, q, FRAME_OWNER_KERNEL, &first), OK);
  assert_int_equal(first.raw, q->first.raw);
  assert_int_equal(m->m.moves - before, q->moves);
  for (uint64_t f = first.raw; f < first.raw + q->count; f++) {
    pmm_describe(m->h.pmm, paddr_of_pfn(pfn(f)), &story);
    assert_int_equal(story.state, FRAME_ALLOCATED);
    assert_int_equal(story.owner, FRAME_OWNER_KERNEL);
    m->is_fixed[f] = 1;
  }
  movers_must_be_intact(&m->m);
  hosted_must_be_sound(&m->h, "after a commit");
  tally.made++;
  tally.moves += q->moves;
  if (dice_one_in(&m->dice, 3)) return;
  assert_int_equal(pmm_free_run(m->h.pmm, FRAME_OWNER_KERNEL, first, q->count), OK);
  memset(m->is_fixed + first.raw, 0, q->count);
}

/* Any stretch, in RAM or out of it. */
static void a_look_must_see_what_is_there(struct machine *m) {
  struct dice *d = &m->dice;
  const struct chunk *c = &m->chunks[dice_below(d, m->chunk_count)];
  const uint64_t first = c->first - bits_min(c->first, dice_below(d, 200)) + dice_below(d, c->count),
                 end = first + some_count(d);
  struct contig_look look;
  uint64_t seen[3] = {0};
  for (uint64_t f = first; f < end; f++) {
    bool is_ram = false;
    for (size_t i = 0; i < m->chunk_count; i++)
      is_ram = is_ram || (f >= m->chunks[i].first && f < m->chunks[i].first + m->chunks[i].count);
    seen[is_ram ? state_of(m, f) : FIXED_FRAME]++;
  }
  assert_int_equal(contig_look(&m->m.contig, pfn(first), end - first, &look), OK);
  assert_int_equal(look.free, seen[FREE_FRAME]);
  assert_int_equal(look.movable, seen[MOVABLE_FRAME]);
  assert_int_equal(look.fixed, seen[FIXED_FRAME]);
}

static void one_quote(struct machine *m) {
  const uint64_t count = some_count(&m->dice);
  const struct frame_limits w = some_limits(m, count);
  struct contig_quote q = {.count = 77};
  pfn_t first;
  if (w.max != 0 && w.min >= w.max) {
    assert_int_equal(contig_quote(&m->m.contig, count, &w, &q), ERR_INVALID);
    return;
  }
  const struct verdict v = oracle(m, count, &w);
  let_cpus_keep_some(m);
  assert_int_equal(contig_quote(&m->m.contig, count, &w, &q), v.status);
  tally.quotes++;
  tally.no_memory += v.status == ERR_NO_MEMORY;
  tally.never += v.status == ERR_RANGE;
  tally.in_the_way += v.status == ERR_BUSY;
  if (v.status != OK) {
    assert_int_equal(q.count, 77);
    explanation_must_hold(m, count, &w, v);
    return;
  }
  assert_int_equal(q.moves, v.moves);
  assert_int_equal(q.count, count);
  assert_true(start_fits(q.first.raw, count, &w));
  if (q.moves == 0) {
    tally.existed++;
    assert_int_equal(pmm_alloc_run(m->h.pmm, FRAME_OWNER_TEST, 0, count, &w, &first), OK);
    assert_int_equal(pmm_free_run(m->h.pmm, FRAME_OWNER_TEST, first, count), OK);
  }
  let_cpus_keep_some(m); /* A quote is as true then. */
  if (dice_one_in(&m->dice, 2)) commit_must_move_exactly(m, &q);
}

static void a_quote_is_the_least_of_all_windows_and_the_commit_moves_exactly_that(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  const uint64_t machines = wanted ? strtoull(wanted, NULL, 0) : 400, seed = seed_of_run();
  for (uint64_t i = 0; i < machines; i++) {
    struct machine m;
    machine_begin(&m, seed + i, 2200);
    for (unsigned k = 0; k < 25; k++) {
      a_look_must_see_what_is_there(&m);
      one_quote(&m);
    }
    machine_end(&m);
  }
  printf("# quotes: %llu on %llu machines: %llu existed, %llu were made with %llu moves, %llu lacked memory, %llu had "
         "something "
         "in the way, %llu could never be\n",
         (unsigned long long)tally.quotes, (unsigned long long)machines, (unsigned long long)tally.existed,
         (unsigned long long)tally.made, (unsigned long long)tally.moves, (unsigned long long)tally.no_memory,
         (unsigned long long)tally.in_the_way, (unsigned long long)tally.never);
}

/* --- the one door: found, made, or refused for the right reason -------------------------------------------------- */

/* What contig_alloc must say, by the oracle: a run that costs nothing exists. */
static status_t verdict_on_alloc(const struct verdict *v, uint64_t moves_max) {
  if (v->moves == 0) return OK;
  if (moves_max == 0) return v->status == ERR_RANGE ? ERR_RANGE : ERR_NO_MEMORY;
  if (v->status != OK) return v->status;
  return v->moves <= moves_max ? OK : ERR_DENIED;
}

static void one_alloc(struct machine *m) {
  struct dice *d = &m->dice;
  const uint64_t count = some_count(d), moves_max = dice_one_in(d, 2) ? 0 : dice_any_size(d, 11);
  const struct frame_limits w = some_limits(m, count);
  const uint64_t moved = m->m.moves;
  pfn_t first = pfn(7);
  if (w.max != 0 && w.min >= w.max) {
    assert_int_equal(contig_alloc(&m->m.contig, FRAME_OWNER_KERNEL, count, &w, moves_max, &first), ERR_INVALID);
    return;
  }
  const struct verdict v = oracle(m, count, &w);
  let_cpus_keep_some(m);
  const status_t expected = verdict_on_alloc(&v, moves_max);
  assert_int_equal(contig_alloc(&m->m.contig, FRAME_OWNER_KERNEL, count, &w, moves_max, &first), expected);
  allocs.requests++;
  allocs.found += v.moves == 0;
  allocs.made += expected == OK && v.moves > 0;
  assert_int_equal(m->m.moves - moved, expected == OK ? v.moves : 0);
  if (expected != OK) {
    assert_int_equal(first.raw, 7);
    return;
  }
  assert_true(start_fits(first.raw, count, &w));
  for (uint64_t f = first.raw; f < first.raw + count; f++) assert_int_equal(state_of(m, f), FREE_FRAME);
  if (dice_one_in(d, 8))
    memset(m->is_fixed + first.raw, 1, count);
  else
    assert_int_equal(pmm_free_run(m->h.pmm, FRAME_OWNER_KERNEL, first, count), OK);
}

static void requests_succeed_if_and_only_if_a_run_exists_or_can_be_made(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  const uint64_t requests = wanted ? strtoull(wanted, NULL, 0) : 100000, seed = seed_of_run();
  uint64_t machines = 0;
  for (; allocs.requests < requests; machines++) {
    struct machine m;
    machine_begin(&m, seed + 1000000 + machines, 700);
    for (unsigned i = 0; i < 150; i++) one_alloc(&m);
    movers_must_be_intact(&m.m);
    hosted_must_be_sound(&m.h, "after requests");
    machine_end(&m);
  }
  printf(
      "# requests: %llu on %llu machines: %llu runs existed, %llu were made, the others were refused as the oracle said\n",
      (unsigned long long)allocs.requests, (unsigned long long)machines, (unsigned long long)allocs.found,
      (unsigned long long)allocs.made);
}

/* --- one machine by hand
 * --------------------------------------------------------------------------------------------------- 4 MiB of RAM from 2
 * MiB on: every third frame movable, the first 2 MiB the cheaper window after some were given back.
 */
#define FIRST 512
#define COUNT 1024

static struct machine by_hand(void) {
  struct machine m = {.chunk_count = 1, .chunks = {{FIRST, COUNT}}};
  static struct boot_region ram = {FIRST * FRAME_SIZE, (FIRST + COUNT) * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  m.h = hosted_create(&ram, 1, NULL, 0);
  assert_int_equal(m.h.status, OK);
  m.is_fixed = calloc(FIRST + COUNT, 1);
  movers_init(&m.m, &m.h, MOVER, FIRST + COUNT, true);
  for (uint64_t f = FIRST; f < FIRST + COUNT; f += 3) assert_true(movers_take_at(&m.m, f));
  for (uint64_t f = FIRST; f < FIRST + 300; f += 3) movers_give(&m.m, f);
  return m;
}

static const struct frame_limits block = {.align = 512};

static struct contig_quote quote_block(struct machine *m) {
  struct contig_quote q;
  assert_int_equal(contig_quote(&m->m.contig, 512, &block, &q), OK);
  assert_int_equal(q.first.raw, FIRST);
  assert_int_equal(q.moves, 71);
  return q;
}

/* A commit that must fail so, and must have changed nothing. */
static void must_fail(struct machine *m, const struct contig_quote *q, status_t expected) {
  const uint64_t before = hosted_digest(&m->h), moves = m->m.moves;
  pfn_t first = pfn(7);
  assert_int_equal(contig_commit(&m->m.contig, q, FRAME_OWNER_KERNEL, &first), expected);
  assert_int_equal(hosted_digest(&m->h), before);
  assert_int_equal(first.raw, 7);
  assert_int_equal(m->m.moves, moves);
  assert_int_equal(m->m.held, 0);
  movers_must_be_intact(&m->m);
  hosted_must_be_sound(&m->h, "after a commit that failed");
}

static void a_hold_that_is_refused_undoes_all_the_others(void **state) {
  (void)state;
  struct machine m = by_hand();
  const struct contig_quote q = quote_block(&m);
  for (uint64_t i = 0; i < q.moves; i++) {
    m.m.holds = m.m.releases = 0;
    m.m.refuse_at = i;
    must_fail(&m, &q, ERR_DENIED);
    assert_int_equal(m.m.releases, i);
  }
  m.m.refuse_at = UINT64_MAX;
  commit_must_move_exactly(&m, &q);
  machine_end(&m);
}

static void without_destinations_nothing_moves(void **state) {
  (void)state;
  struct machine m = by_hand();
  const struct contig_quote q = quote_block(&m);
  uint64_t free_outside = 0, frame = FIRST + 512;
  for (uint64_t f = frame; f < FIRST + COUNT; f++) free_outside += state_of(&m, f) == FREE_FRAME;
  for (uint64_t left = free_outside; left > 0; frame++) { /* One destination less each time. */
    if (state_of(&m, frame) != FREE_FRAME) continue;
    take_fixed(&m, frame);
    if (--left < q.moves) must_fail(&m, &q, ERR_NO_MEMORY);
  }
  machine_end(&m);
}

static void what_is_freed_meanwhile_moves_no_more(void **state) {
  (void)state;
  struct machine m = by_hand();
  const struct contig_quote q = quote_block(&m);
  pfn_t first;
  for (uint64_t f = FIRST + 300; f < FIRST + 330; f += 3) movers_give(&m.m, f);
  assert_int_equal(contig_commit(&m.m.contig, &q, FRAME_OWNER_KERNEL, &first), OK);
  assert_int_equal(m.m.moves, q.moves - 10);
  movers_must_be_intact(&m.m);
  hosted_must_be_sound(&m.h, "after a cheaper commit");
  machine_end(&m);
}

static void what_has_become_dearer_or_impossible_is_refused(void **state) {
  (void)state;
  struct machine m = by_hand();
  const struct contig_quote q = quote_block(&m);
  assert_true(movers_take_at(&m.m, FIRST + 1));
  must_fail(&m, &q, ERR_BUSY); /* 72 would have to move. */
  movers_give(&m.m, FIRST + 303);
  take_fixed(&m, FIRST + 303);
  must_fail(&m, &q, ERR_BUSY); /* 71 again, but one frame cannot. */
  machine_end(&m);
}

/* The owner frees, in its hold, a frame of the window that was counted already. */
static void free_a_later_one(struct movers *m, uint64_t frame) {
  if (m->holds == 3) movers_give(m, frame + 30);
}
static void free_this_one(struct movers *m, uint64_t frame) {
  if (m->holds == 3) movers_give(m, frame);
}

static void an_owner_may_free_while_it_is_asked(void **state) {
  (void)state;
  void (*const ways[])(struct movers *, uint64_t) = {free_a_later_one, free_this_one};
  for (unsigned i = 0; i < 2; i++) {
    struct machine m = by_hand();
    const struct contig_quote q = quote_block(&m);
    pfn_t first;
    m.m.in_hold = ways[i];
    assert_int_equal(contig_commit(&m.m.contig, &q, FRAME_OWNER_KERNEL, &first), OK);
    assert_int_equal(m.m.moves, q.moves - 1);
    movers_must_be_intact(&m.m);
    hosted_must_be_sound(&m.h, "after a free in a hold");
    machine_end(&m);
  }
}

static struct contig_quote inner_quote;
static void commit_again(struct movers *m, uint64_t frame) {
  pfn_t first;
  (void)frame;
  assert_int_equal(contig_commit(&m->contig, &inner_quote, FRAME_OWNER_KERNEL, &first), ERR_BUSY);
}

static void one_commit_at_a_time(void **state) {
  (void)state;
  struct machine m = by_hand();
  inner_quote = quote_block(&m);
  m.m.in_hold = commit_again;
  commit_must_move_exactly(&m, &inner_quote);
  machine_end(&m);
}

static void bad_requests_are_told_apart(void **state) {
  (void)state;
  struct machine m = by_hand();
  struct contig *c = &m.m.contig;
  struct contig_quote q = quote_block(&m), bad = q;
  struct frame_limits odd = {.align = 3}, narrow = {.boundary = 4}, empty = {.min = 9, .max = 9}, low = {.max = 600};
  pfn_t first;
  assert_int_equal(contig_quote(c, 0, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_quote(c, 1, &odd, &q), ERR_INVALID);
  assert_int_equal(contig_quote(c, 5, &narrow, &q), ERR_INVALID);
  assert_int_equal(contig_quote(c, 1, &empty, &q), ERR_INVALID);
  assert_int_equal(contig_quote(c, COUNT + 1, NULL, &q), ERR_RANGE);
  assert_int_equal(contig_quote(c, UINT64_MAX, NULL, &q), ERR_RANGE);
  assert_int_equal(contig_quote(c, 512, &low, &q), ERR_RANGE);
  assert_int_equal(contig_quote(c, COUNT, NULL, &q), ERR_NO_MEMORY);
  for (uint64_t moves = 0; moves < 2;
       moves++) { /* What can never be is no lack of memory, whether frames may move or not. */
    assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, COUNT + 1, NULL, moves, &first), ERR_RANGE);
    assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, UINT64_MAX, NULL, moves, &first), ERR_RANGE);
    assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, 512, &low, moves, &first), ERR_RANGE);
    assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, COUNT, NULL, moves, &first), ERR_NO_MEMORY);
    assert_int_equal(contig_alloc(c, FRAME_OWNER_GATHERED, 1, NULL, moves, &first), ERR_INVALID);
  }
  struct contig_look look = {.free = 7};
  assert_int_equal(contig_look(c, pfn(UINT64_MAX - 70), 72, &look), ERR_INVALID);
  assert_int_equal(look.free, 7);
  bad.count = 0;
  assert_int_equal(contig_commit(c, &bad, FRAME_OWNER_KERNEL, &first), ERR_INVALID);
  bad.count = UINT64_MAX;
  assert_int_equal(contig_commit(c, &bad, FRAME_OWNER_KERNEL, &first), ERR_INVALID);
  assert_int_equal(contig_commit(c, &q, FRAME_OWNER_FREE, &first), ERR_INVALID);
  assert_int_equal(contig_commit(c, &q, FRAME_OWNER_GATHERED, &first), ERR_INVALID);
  bad = (struct contig_quote){pfn(FIRST + COUNT - 1), 2, 2}; /* A window that is not all RAM. */
  must_fail(&m, &bad, ERR_BUSY);
  bad = (struct contig_quote){pfn(UINT64_C(1) << 50), 2, 2};
  must_fail(&m, &bad, ERR_BUSY);
  bad = (struct contig_quote){pfn(FIRST), UINT64_C(1) << 50, UINT64_MAX}; /* Longer than RAM: refused, and at once. */
  must_fail(&m, &bad, ERR_BUSY);
  bad = (struct contig_quote){pfn(UINT64_MAX - 70), 70, UINT64_MAX};
  must_fail(&m, &bad, ERR_BUSY);
  assert_int_equal(contig_mover_set(c, FRAME_OWNER_FREE, &m.m.mover), ERR_INVALID);
  assert_int_equal(contig_mover_set(c, FRAME_OWNER_COUNT, &m.m.mover), ERR_INVALID);
  assert_int_equal(contig_mover_set(c, FRAME_OWNER_GATHERED, &m.m.mover), ERR_INVALID);
  assert_int_equal(contig_mover_set(c, MOVER, &m.m.mover), ERR_EXISTS);
  machine_end(&m);
}

/* A flat bitmap finds frames as well, but nobody can say what a run would cost. */
static void without_tiers_there_is_no_price(void **state) {
  (void)state;
  assert_int_equal(engine_choose("flat", NULL, 0), OK);
  struct machine m = by_hand();
  struct contig *c = &m.m.contig;
  const struct contig_quote made_up = {pfn(FIRST), 512, 512};
  struct contig_quote q;
  struct contig_obstacle o;
  struct contig_compaction done;
  pfn_t first;
  assert_int_equal(contig_quote(c, 512, &block, &q), ERR_UNSUPPORTED);
  assert_int_equal(contig_explain(c, 512, &block, &o), ERR_UNSUPPORTED);
  assert_int_equal(contig_commit(c, &made_up, FRAME_OWNER_KERNEL, &first), ERR_UNSUPPORTED);
  assert_int_equal(contig_compact(c, 512, 1, &done), ERR_UNSUPPORTED);
  assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, 512, &block, 512, &first), ERR_NO_MEMORY);
  assert_int_equal(contig_alloc(c, FRAME_OWNER_KERNEL, 300, NULL, 512, &first), OK);
  machine_end(&m);
  assert_int_equal(engine_choose("tier", NULL, 0), OK);
}

static void one_door_finds_makes_or_says_the_price_is_too_high(void **state) {
  (void)state;
  struct machine m = by_hand();
  pfn_t first;
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 300, NULL, 0, &first), OK);
  assert_int_equal(m.m.moves, 0);
  assert_int_equal(pmm_free_run(m.h.pmm, FRAME_OWNER_KERNEL, first, 300), OK);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 0, &first), ERR_NO_MEMORY);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 70, &first), ERR_DENIED);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 71, &first), OK);
  assert_int_equal(m.m.moves, 71);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 512, &first), ERR_NO_MEMORY);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 0, &block, 512, &first), ERR_INVALID);
  movers_must_be_intact(&m.m);
  machine_end(&m);
}

/* --- owners who do not let go ------------------------------------------------------------------------------------ */

static uint64_t pinned_from, pinned_end;
static bool is_pinned(struct movers *m, uint64_t frame) {
  (void)m;
  return frame >= pinned_from && frame < pinned_end;
}

/* The cheapest window holds a pinned frame: the other one is made, and no frame moves for nothing. */
static void a_pinned_frame_costs_its_window_and_no_other(void **state) {
  (void)state;
  struct machine m = by_hand();
  const struct contig_quote cheapest = quote_block(&m);
  pfn_t first;
  uint64_t in_second = 0;
  for (uint64_t f = FIRST + 512; f < FIRST + COUNT; f++) in_second += state_of(&m, f) == MOVABLE_FRAME;
  assert_true(in_second > cheapest.moves);
  m.m.refuses = is_pinned;
  pinned_from = FIRST + 510;
  pinned_end = pinned_from + 1;
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, cheapest.moves, &first), ERR_DENIED);
  assert_int_equal(m.m.moves, 0);
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 512, &first), OK);
  assert_int_equal(first.raw, FIRST + 512);
  assert_int_equal(m.m.moves, in_second);
  movers_must_be_intact(&m.m);
  hosted_must_be_sound(&m.h, "after a window without the pinned frame");
  machine_end(&m);
}

/* All is pinned: it ends, with what the owner said, and as it was. */
static void where_everything_is_pinned_the_owners_answer_is_told(void **state) {
  (void)state;
  struct machine m = by_hand();
  const uint64_t before = hosted_digest(&m.h);
  pfn_t first = pfn(7);
  m.m.refuses = is_pinned;
  pinned_from = 0;
  pinned_end = UINT64_MAX;
  assert_int_equal(contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 512, &block, 512, &first), ERR_DENIED);
  assert_int_equal(
      contig_alloc(&m.m.contig, FRAME_OWNER_KERNEL, 300, &(struct frame_limits){.min = FIRST + 400}, 512, &first),
      ERR_DENIED);
  assert_true(m.m.holds < 10000);
  assert_int_equal(first.raw, 7);
  assert_int_equal(m.m.moves, 0);
  assert_int_equal(hosted_digest(&m.h), before);
  machine_end(&m);
}

/* --- frames handed out as one ------------------------------------------------------------------------------------ */

/* A machine of so many whole 2 MiB blocks, from the second on. */
static struct hosted with_blocks(uint64_t blocks) {
  static struct boot_region ram;
  ram = (struct boot_region){BLOCK * FRAME_SIZE, (1 + blocks) * BLOCK * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  return hosted_create(&ram, 1, NULL, 0);
}

/* A 2 MiB frame that may be moved is priced as its 512 frames, and moves as them: wholly, or as far as the window needs it.
 */
static void a_movable_2_mib_frame_moves_in_single_frames(void **state) {
  (void)state;
  const uint64_t counts[] = {BLOCK + 100, 2 * BLOCK, 3 * BLOCK}, moves[] = {100, BLOCK, BLOCK};
  for (unsigned i = 0; i < 3; i++) {
    struct movers m;
    struct contig_quote q;
    pfn_t first;
    struct hosted h = with_blocks(7);
    movers_init(&m, &h, MOVER, 8 * BLOCK, true);
    for (uint64_t b = 2; b < 8; b += 2) assert_true(movers_take_block_at(&m, b * BLOCK));
    assert_int_equal(contig_quote(&m.contig, counts[i], NULL, &q), OK);
    assert_int_equal(q.moves, moves[i]);
    assert_int_equal(contig_commit(&m.contig, &q, FRAME_OWNER_KERNEL, &first), OK);
    assert_int_equal(m.moves, moves[i]);
    movers_must_be_intact(&m);
    hosted_must_be_sound(&h, "after 2 MiB moved");
    assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_KERNEL, first, counts[i]), OK);
    hosted_must_be_sound(&h, "after it was given back");
    movers_fini(&m);
    hosted_destroy(&h);
  }
}

/* The owner does not let go of the last frame: the block is one still, or as good as one. */
static void a_2_mib_frame_that_is_not_let_go_is_whole_afterwards(void **state) {
  (void)state;
  struct movers m;
  struct contig_quote q;
  struct hosted h = with_blocks(3);
  movers_init(&m, &h, MOVER, 4 * BLOCK, true);
  assert_true(movers_take_block_at(&m, 2 * BLOCK));
  assert_int_equal(contig_quote(&m.contig, 2 * BLOCK, NULL, &q), OK);
  const uint64_t before = hosted_digest(&h);
  m.refuse_at = BLOCK - 1;
  assert_int_equal(contig_commit(&m.contig, &q, FRAME_OWNER_KERNEL, &(pfn_t){0}), ERR_DENIED);
  assert_int_equal(m.releases, BLOCK - 1);
  assert_int_equal(hosted_digest(&h), before);
  movers_must_be_intact(&m);
  assert_int_equal(pmm_free_run(h.pmm, MOVER, pfn(2 * BLOCK), BLOCK), OK);
  hosted_must_be_sound(&h, "after it was freed as one");
  movers_fini(&m);
  hosted_destroy(&h);
}

/* Asked for the first frame of it, the owner frees all of it. */
static void free_the_block(struct movers *m, uint64_t frame) {
  m->in_hold = NULL;
  for (uint64_t f = frame; f < frame + BLOCK; f++) {
    m->frame_of[m->object_of[f] - 1] = 0;
    m->object_of[f] = 0;
  }
  assert_int_equal(pmm_free_run(m->h->pmm, MOVER, pfn(frame), BLOCK), OK);
}

static void a_2_mib_frame_that_is_freed_meanwhile_is_taken(void **state) {
  (void)state;
  struct movers m;
  struct contig_quote q;
  pfn_t first;
  struct hosted h = with_blocks(3);
  movers_init(&m, &h, MOVER, 4 * BLOCK, true);
  assert_true(movers_take_block_at(&m, 2 * BLOCK));
  assert_int_equal(contig_quote(&m.contig, 2 * BLOCK, NULL, &q), OK);
  m.in_hold = free_the_block;
  assert_int_equal(contig_commit(&m.contig, &q, FRAME_OWNER_KERNEL, &first), OK);
  assert_int_equal(m.moves, 0);
  movers_must_be_intact(&m);
  hosted_must_be_sound(&h, "after a block was freed in a hold");
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_KERNEL, first, 2 * BLOCK), OK);
  hosted_must_be_sound(&h, "after all was free");
  movers_fini(&m);
  hosted_destroy(&h);
}

static void destinations_lie_in_the_fullest_blocks(void **state) {
  (void)state;
  static struct boot_region ram = {BLOCK * FRAME_SIZE, 7 * BLOCK * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  movers_init(&m, &h, MOVER, 7 * BLOCK, true);
  const uint64_t used[] = {0, 300, 100, 480, 20, 450, 200}; /* By block; 0 is no RAM. */
  for (uint64_t b = 1; b < 7; b++)
    for (uint64_t f = b * BLOCK; f < b * BLOCK + used[b]; f++) assert_true(movers_take_at(&m, f));
  pfn_t first;
  assert_int_equal(contig_alloc(&m.contig, FRAME_OWNER_KERNEL, 512, &block, 512, &first), OK);
  assert_int_equal(first.raw, 4 * BLOCK); /* 20 frames: they all fit into block 3. */
  uint64_t in_3 = 0;
  for (uint64_t f = 3 * BLOCK; f < 4 * BLOCK; f++) in_3 += m.object_of[f] != 0;
  assert_int_equal(in_3, 500);
  movers_fini(&m);
  hosted_destroy(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_hold_that_is_refused_undoes_all_the_others),
      cmocka_unit_test(without_destinations_nothing_moves),
      cmocka_unit_test(what_is_freed_meanwhile_moves_no_more),
      cmocka_unit_test(what_has_become_dearer_or_impossible_is_refused),
      cmocka_unit_test(an_owner_may_free_while_it_is_asked),
      cmocka_unit_test(one_commit_at_a_time),
      cmocka_unit_test(bad_requests_are_told_apart),
      cmocka_unit_test(without_tiers_there_is_no_price),
      cmocka_unit_test(one_door_finds_makes_or_says_the_price_is_too_high),
      cmocka_unit_test(a_pinned_frame_costs_its_window_and_no_other),
      cmocka_unit_test(where_everything_is_pinned_the_owners_answer_is_told),
      cmocka_unit_test(a_movable_2_mib_frame_moves_in_single_frames),
      cmocka_unit_test(a_2_mib_frame_that_is_not_let_go_is_whole_afterwards),
      cmocka_unit_test(a_2_mib_frame_that_is_freed_meanwhile_is_taken),
      cmocka_unit_test(destinations_lie_in_the_fullest_blocks),
      cmocka_unit_test(requests_succeed_if_and_only_if_a_run_exists_or_can_be_made),
      cmocka_unit_test(a_quote_is_the_least_of_all_windows_and_the_commit_moves_exactly_that),
  };
  return cmocka_run_group_tests_name("mm/phys/contig", tests, NULL, NULL);
}
