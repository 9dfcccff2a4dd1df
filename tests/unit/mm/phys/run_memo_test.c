/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/run_memo.c: memory fills up with runs at a cost that does not grow with it, and what is learnt hides no run.
 *
 * Costs are counted, not timed: `looks` is the number of gigs and sections that searches have looked into.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/units.h"
#include "hosted.h"
#include "mm/phys/instance.h"
#include "mm/phys/run_memo.h"
#include "platform.h"
#include "seed.h"
#include "slots.h"

#define FRAMES_OF(bytes) ((bytes) / FRAME_SIZE)
#define OWNER            FRAME_OWNER_TEST
#define NOWHERE          UINT64_MAX

static uint64_t take_run(struct hosted *h, uint64_t count, const struct frame_limits *where) {
  pfn_t got = {0};
  const status_t status = pmm_alloc_run(h->pmm, OWNER, 0, count, where, &got);
  assert_true(status == OK || status == ERR_NO_MEMORY);
  return status == OK ? got.raw : NOWHERE;
}

static void give_run(struct hosted *h, uint64_t first, uint64_t count) {
  assert_int_equal(pmm_free_run(h->pmm, OWNER, pfn(first), count), OK);
}

static uint64_t looks(const struct hosted *h) { return h->pmm->tier.memos->looks; }

/* --- what it costs -------------------------------------------------------------------------------------------------- */

/* All of so many GiB taken, and in every 128 KiB a stretch freed that begins and ends anywhere. */
static struct hosted crumbs(struct boot_region *ram, uint64_t gib) {
  *ram = (struct boot_region){4 * GIB, (4 + gib) * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(ram, 1, NULL, 0);
  struct dice d = dice_of(1);
  const uint64_t base = FRAMES_OF(4 * GIB), end = base + FRAMES_OF(gib * GIB);
  assert_int_equal(take_run(&h, end - base, NULL), base);
  for (uint64_t at = base; at < end; at += 32) {
    const uint64_t first = dice_below(&d, 31), count = dice_between(&d, 1, 31 - first);
    give_run(&h, at + first, count);
  }
  return h;
}

/* Takes runs of `count` until there is none; returns how many there were. */
static uint64_t fill_with(struct hosted *h, uint64_t count, struct frame_limits where) {
  uint64_t runs = 0;
  while (take_run(h, count, &where) != NOWHERE) runs++;
  return runs;
}

enum fill { FILL_ALIGNED, FILL_ANYWHERE, FILL_BOUNDED, FILL_BELOW };

static uint64_t fill(struct hosted *h, enum fill how, const struct boot_region *ram) {
  uint64_t runs = 0;
  for (uint64_t count = how == FILL_ALIGNED ? 64 : 31; count > 1; count = how == FILL_ALIGNED ? count / 2 : count * 3 / 4) {
    struct frame_limits where = {.align = how == FILL_ALIGNED ? count : 0};
    if (how == FILL_BOUNDED) where.boundary = 64;
    if (how == FILL_BELOW) where.max = ram->end / FRAME_SIZE - 100;
    runs += fill_with(h, count, where);
  }
  return runs;
}

/* Gigs and sections that are looked into for each run, while so many GiB are filled with ever smaller ones. */
static double looks_per_run(uint64_t gib, enum fill how) {
  struct boot_region ram;
  struct hosted h = crumbs(&ram, gib);
  const uint64_t before = looks(&h), runs = fill(&h, how, &ram), n = looks(&h) - before;
  printf("# fill %d, %llu GiB: %llu runs, %llu looks\n", (int)how, (unsigned long long)gib, (unsigned long long)runs,
         (unsigned long long)n);
  assert_in_range(runs, gib * FRAMES_PER_1G / 32, UINT64_MAX);
  hosted_must_be_sound(&h, "filled");
  hosted_destroy(&h);
  return (double)n / (double)runs;
}

/* A search looks into one gig, and now and then into a section that it learns about; into one more that its limits cut. */
static void a_fill_with_ever_smaller_runs_costs_what_its_runs_cost(void **state) {
  (void)state;
  for (enum fill how = FILL_ALIGNED; how <= FILL_BELOW; how++) {
    const double most = how == FILL_BELOW ? 4 : 1.2;
    const double small = looks_per_run(1, how), large = looks_per_run(4, how);
    assert_true(small < most);
    assert_true(large < most);
  }
}

static void what_was_refused_is_refused_again_from_a_word_or_two(void **state) {
  (void)state;
  struct boot_region ram;
  struct hosted h = crumbs(&ram, 2);
  static const struct frame_limits limits[] = {{.align = 64},
                                               {.boundary = 64},
                                               {.min = 5 * FRAMES_PER_1G},
                                               {.max = 5 * FRAMES_PER_1G + 100},
                                               {.align = 32, .max = 1 << 20}};
  for (size_t i = 0; i < ARRAY_COUNT(limits); i++) {
    uint64_t before = 0;
    for (unsigned times = 0; times < 3; times++) {
      before = looks(&h);
      assert_int_equal(take_run(&h, 40, &limits[i]), NOWHERE);
    }
    assert_in_range(looks(&h) - before, 0, 4);
  }
  hosted_must_be_sound(&h, "refused");
  hosted_destroy(&h);
}

/* What has been learnt is forgotten when frees go on and nobody asks for runs: then they need not look at it any more. */
static void who_frees_and_asks_for_no_runs_is_left_alone(void **state) {
  (void)state;
  struct boot_region ram;
  struct hosted h = crumbs(&ram, 1);
  const struct tier *t = &h.pmm->tier;
  (void)fill_with(&h, 16, (struct frame_limits){.align = 16});
  assert_true(t->watch < UINT64_MAX);
  uint64_t frees = 0;
  for (uint64_t at = 4 * FRAMES_PER_1G + 31; t->watch < UINT64_MAX && at < 5 * FRAMES_PER_1G; at += 32, frees++) {
    assert_int_equal(pmm_free_frame(h.pmm, OWNER, pfn(at)), OK);
  }
  assert_true(t->watch == UINT64_MAX);
  assert_in_range(frees, 32, 32 * 16 + 1000); /* What 32 sections are worth. */
  hosted_must_be_sound(&h, "left alone");
  hosted_destroy(&h);
}

/* --- what it hides: nothing ----------------------------------------------------------------------------------------- */

#define CHUNKS   4
#define LIVE_MAX 4096
#define REQUESTS 100000

/* Memory around borders of sections and gigs, and what the test knows of it. */
struct world {
  struct hosted h;
  struct dice dice;
  struct boot_region regions[CHUNKS];
  uint8_t *is_free[CHUNKS];
  struct {
    uint64_t count;
    struct frame_limits where;
  } kinds[RUN_MEMOS + 3]; /* One more than are remembered, and what comes from slots and pockets. */
  struct {
    uint64_t first, count;
  } live[LIVE_MAX];
  size_t live_count;
  uint64_t met, refused;
};

static uint8_t *free_at(const struct world *w, uint64_t frame) {
  for (unsigned i = 0; i < CHUNKS; i++) {
    const struct boot_region *r = &w->regions[i];
    if (frame >= FRAMES_OF(r->start) && frame < FRAMES_OF(r->end)) return &w->is_free[i][frame - FRAMES_OF(r->start)];
  }
  return NULL;
}

static void mark(struct world *w, uint64_t first, uint64_t count, bool is_free) {
  for (uint64_t f = first; f < first + count; f++) {
    uint8_t *at = free_at(w, f);
    assert_non_null(at);
    assert_int_equal(*at, !is_free);
    *at = is_free;
  }
}

static void make_world(struct world *w, uint64_t seed) {
  static const uint64_t borders[CHUNKS] = {1 << 13, 3 << 13, 1 << 18, (1 << 18) + (2 << 13)};
  *w = (struct world){.dice = dice_of(seed)};
  struct dice *d = &w->dice;
  for (unsigned i = 0; i < CHUNKS; i++) {
    const uint64_t below = dice_below(d, 1400), above = dice_between(d, 1, 1400), n = below + above;
    w->regions[i] =
        (struct boot_region){(borders[i] - below) * FRAME_SIZE, (borders[i] + above) * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
    w->is_free[i] = malloc(n);
    memset(w->is_free[i], true, n);
  }
  w->kinds[RUN_MEMOS + 1].count = 1;
  w->kinds[RUN_MEMOS + 2].count = w->kinds[RUN_MEMOS + 2].where.align = FRAMES_PER_2M;
  for (size_t i = 0; i <= RUN_MEMOS; i++) {
    const uint64_t count = 2 + dice_any_size(d, i < 6 ? 6 : 11);
    w->kinds[i].count = count;
    if (dice_one_in(d, 2)) w->kinds[i].where.align = UINT64_C(1) << dice_below(d, 11);
    if (dice_one_in(d, 3)) w->kinds[i].where.boundary = UINT64_C(1) << dice_between(d, bits_log2_floor(2 * count - 1), 14);
  }
  w->h = hosted_create(w->regions, CHUNKS, NULL, 0);
  assert_int_equal(w->h.status, OK);
  w->h.pmm->tier.memos->dear = 1;
}

static void end_world(struct world *w) {
  hosted_destroy(&w->h);
  for (unsigned i = 0; i < CHUNKS; i++) free(w->is_free[i]);
}

static bool fits(uint64_t first, uint64_t count, const struct frame_limits *l) {
  return first >= l->min && (l->max == 0 || first + count <= l->max) && (l->align == 0 || first % l->align == 0) &&
         (l->boundary == 0 || first / l->boundary == (first + count - 1) / l->boundary);
}

/* Brute force: every frame of memory, and how many free ones end there. */
static bool is_there(const struct world *w, uint64_t count, const struct frame_limits *l) {
  for (unsigned i = 0; i < CHUNKS; i++) {
    const uint64_t base = FRAMES_OF(w->regions[i].start), n = FRAMES_OF(w->regions[i].end) - base;
    for (uint64_t at = 0, free = 0; at < n; at++) {
      free = w->is_free[i][at] ? free + 1 : 0;
      if (free >= count && fits(base + at + 1 - count, count, l)) return true;
    }
  }
  return false;
}

static void ask(struct world *w) {
  struct dice *d = &w->dice;
  const size_t k = dice_below(d, ARRAY_COUNT(w->kinds));
  const uint64_t count = w->kinds[k].count;
  struct frame_limits l = w->kinds[k].where;
  if (dice_one_in(d, 4)) l.min = FRAMES_OF(w->regions[dice_below(d, CHUNKS)].start) + dice_below(d, 2000);
  if (dice_one_in(d, 4)) l.max = l.min + count + dice_any_size(d, 19);
  const uint64_t first = w->live_count < LIVE_MAX ? take_run(&w->h, count, &l) : NOWHERE;
  if (first == NOWHERE) {
    w->refused++;
    if (w->live_count < LIVE_MAX) assert_false(is_there(w, count, &l));
    return;
  }
  w->met++;
  assert_true(fits(first, count, &l));
  mark(w, first, count, false);
  w->live[w->live_count].first = first;
  w->live[w->live_count++].count = count;
}

static uint64_t longest(const struct world *w) {
  uint64_t most = 0;
  for (unsigned i = 0; i < CHUNKS; i++) {
    const uint64_t n = FRAMES_OF(w->regions[i].end) - FRAMES_OF(w->regions[i].start);
    for (uint64_t at = 0, free = 0; at < n; at++) {
      free = w->is_free[i][at] ? free + 1 : 0;
      most = bits_max(most, free);
    }
  }
  return most;
}

/* One frame more than the longest run has, or all of it: run_bound is as tight as it can be. */
static void ask_for_the_longest(struct world *w) {
  const uint64_t count = longest(w);
  if (count < 2) return;
  if (dice_one_in(&w->dice, 2)) {
    assert_int_equal(take_run(&w->h, count + 1, NULL), NOWHERE);
    w->refused++;
    return;
  }
  const uint64_t first = take_run(&w->h, count, NULL);
  assert_int_not_equal(first, NOWHERE);
  w->met++;
  mark(w, first, count, false);
  if (w->live_count < LIVE_MAX && dice_one_in(&w->dice, 2)) {
    w->live[w->live_count].first = first;
    w->live[w->live_count++].count = count;
    return;
  }
  mark(w, first, count, true);
  give_run(&w->h, first, count);
}

/* A run comes back: whole, or in two parts, or frame by frame in some order. */
static void give_back(struct world *w) {
  struct dice *d = &w->dice;
  if (w->live_count == 0) return;
  const size_t i = dice_below(d, w->live_count);
  const uint64_t first = w->live[i].first, count = w->live[i].count;
  w->live[i] = w->live[--w->live_count];
  mark(w, first, count, true);
  if (count == 1 || dice_one_in(d, 2)) {
    give_run(&w->h, first, count);
  } else if (dice_one_in(d, 2)) {
    const uint64_t part = dice_between(d, 1, count - 1);
    give_run(&w->h, first + part, count - part);
    give_run(&w->h, first, part);
  } else {
    for (uint64_t f = 0; f < count; f += 2) assert_int_equal(pmm_free_frame(w->h.pmm, OWNER, pfn(first + f)), OK);
    for (uint64_t f = 1; f < count; f += 2) assert_int_equal(pmm_free_frame(w->h.pmm, OWNER, pfn(first + f)), OK);
  }
}

/* Nothing is free but 200 frames across the border of two sections, and requests for 190 whose limits cut them. */
static void nothing_is_learnt_from_what_limits_cut(void **state) {
  (void)state;
  const struct boot_region ram = {4 * GIB, 5 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  const uint64_t border = (1 << 20) + (5 << 13);
  const struct frame_limits cuts[] = {{.max = border + 50}, {.max = border},     {.max = border - 50},
                                      {.min = border - 50}, {.min = border},     {.min = border + 50},
                                      {.min = border - 70}, {.min = border - 95}};
  static const uint64_t counts[] = {190, 24}; /* The second one is there all the same, and short. */
  for (size_t i = 0; i < ARRAY_COUNT(cuts); i++) {
    struct hosted h = hosted_create(&ram, 1, NULL, 0);
    h.pmm->tier.memos->dear = 1;
    assert_int_equal(take_run(&h, FRAMES_PER_1G, NULL), 1 << 20);
    give_run(&h, border - 100, 200);
    for (unsigned times = 0; times < 3; times++) {
      for (size_t c = 0; c < ARRAY_COUNT(counts); c++) {
        const uint64_t got = take_run(&h, counts[c], &cuts[i]);
        hosted_must_be_sound(&h, "limits cut");
        if (got != NOWHERE) give_run(&h, got, counts[c]);
      }
    }
    assert_int_equal(take_run(&h, 190, NULL), border - 90);
    hosted_destroy(&h);
  }
}

/* A run of 100 was refused, which is remembered.  Then a slot takes the block in which the upper part of one is free, and
   the lower part comes back: to nobody's block, beside it. */
static void what_lies_beside_a_block_that_a_slot_has_is_part_of_a_run(void **state) {
  (void)state;
  const struct boot_region ram = {4 * GIB, 4 * GIB + 32 * MIB, BOOT_MEMORY_USABLE, 7, 8};
  const uint64_t base = FRAMES_OF(4 * GIB), border = base + FRAMES_PER_2M;
  for (unsigned is_single = 0; is_single < 2; is_single++) {
    struct hosted h = hosted_create(&ram, 1, NULL, 0);
    assert_int_equal(take_run(&h, 16 * FRAMES_PER_2M, NULL), base);
    give_run(&h, border, 64);
    assert_int_equal(take_run(&h, 100, NULL), NOWHERE);
    assert_int_equal(take_run(&h, 1, NULL), border + 63); /* The slot has the block now. */
    slots_play(1);
    for (uint64_t i = 1; is_single && i <= 64; i++) give_run(&h, border - i, 1);
    if (!is_single) give_run(&h, border - 64, 64);
    assert_int_equal(take_run(&h, 100, NULL), border + 63 - 100);
    slots_play(0);
    hosted_must_be_sound(&h, "beside a slot's block");
    hosted_destroy(&h);
  }
}

static void a_run_is_found_if_and_only_if_there_is_one_whatever_was_learnt(void **state) {
  (void)state;
  uint64_t seed = seed_of_run(), met = 0, refused = 0;
  for (uint64_t world = 0; met + refused < REQUESTS; world++) {
    struct world w;
    make_world(&w, seed + world);
    for (unsigned phase = 0; phase < 10; phase++) {
      const uint64_t frees_of_8 = dice_between(&w.dice, 1, 6);
      for (unsigned i = 0; i < 300; i++) {
        slots_play((uint32_t)dice_below(&w.dice, 3));
        if (dice_below(&w.dice, 8) < frees_of_8)
          give_back(&w);
        else if (dice_one_in(&w.dice, 8))
          ask_for_the_longest(&w);
        else
          ask(&w);
      }
      hosted_must_be_sound(&w.h, "a phase");
    }
    met += w.met;
    refused += w.refused;
    end_world(&w);
  }
  printf("# %llu runs found, %llu that did not exist\n", (unsigned long long)met, (unsigned long long)refused);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fill_with_ever_smaller_runs_costs_what_its_runs_cost),
      cmocka_unit_test(what_was_refused_is_refused_again_from_a_word_or_two),
      cmocka_unit_test(who_frees_and_asks_for_no_runs_is_left_alone),
      cmocka_unit_test(nothing_is_learnt_from_what_limits_cut),
      cmocka_unit_test(what_lies_beside_a_block_that_a_slot_has_is_part_of_a_run),
      cmocka_unit_test(a_run_is_found_if_and_only_if_there_is_one_whatever_was_learnt),
  };
  return cmocka_run_group_tests_name("mm/phys/run_memo", tests, NULL, NULL);
}
