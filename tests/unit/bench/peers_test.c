/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * peers_test.c — the bench's buddy and flat engines against a model that is an array of bytes: what is slow has to be right
 * before it is worth being faster than.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "seed.h"
#include "tests/bench/peers/engine.h"

static const struct engine *const engines[] = {&buddy_engine, &flat_engine};
#define EACH_ENGINE(e)                                                                                                      \
  for (size_t i_##e = 0; i_##e < sizeof engines / sizeof *engines; i_##e++)                                                 \
    for (const struct engine *e = engines[i_##e]; e; e = NULL)

/* In memory filled with rubbish. */
static void *make(const struct engine *e, uint64_t frames) {
  const size_t size = e->size(frames);
  void *memory = malloc(size);
  assert_non_null(memory);
  memset(memory, 0xa5, size);
  assert_int_equal(e->create(memory, frames), OK);
  assert_int_equal(e->free_frames(memory), 0);
  return memory;
}

/* Blocks of each order that can be had, the largest first; everything is given back. */
static void count_blocks(const struct engine *e, void *m, uint64_t counts[ENGINE_ORDERS]) {
  const uint64_t before = e->free_frames(m);
  uint64_t *held[ENGINE_ORDERS];
  for (unsigned order = ENGINE_ORDERS; order-- > 0;) {
    counts[order] = 0;
    held[order] = calloc((e->free_frames(m) >> order) + 1, sizeof *held[order]);
    assert_non_null(held[order]);
    while (e->alloc(m, order, &held[order][counts[order]]) == OK) counts[order]++;
  }
  assert_int_equal(e->free_frames(m), 0);
  for (unsigned order = 0; order < ENGINE_ORDERS; order++) {
    for (uint64_t i = 0; i < counts[order]; i++) assert_int_equal(e->free(m, order, held[order][i]), OK);
    free(held[order]);
  }
  assert_int_equal(e->free_frames(m), before);
}

static void every_order_is_handed_out_and_memory_becomes_whole_again(void **state) {
  (void)state;
  const uint64_t frames = (UINT64_C(3) << 18) + 12345;
  struct dice dice = dice_of(seed_of_run());
  EACH_ENGINE(e) {
    void *m = make(e, frames);
    assert_int_equal(e->add(m, 0, frames), OK);
    uint64_t before[ENGINE_ORDERS];
    uint64_t after[ENGINE_ORDERS];
    count_blocks(e, m, before);
    assert_int_equal(before[18], 3);
    struct {
      uint64_t first;
      unsigned order;
    } held[20000];
    size_t n = 0;
    for (unsigned order = 0; order < ENGINE_ORDERS;
         order++, n++) { /* Each once; all of them are one frame less than 2 GiB. */
      held[n].order = order;
      assert_int_equal(e->alloc(m, order, &held[n].first), OK);
      assert_true(bits_is_aligned(held[n].first, UINT64_C(1) << order));
    }
    for (; n < sizeof held / sizeof *held; n++) { /* Then some of any size, until there is no room. */
      held[n].order = (unsigned)dice_below(&dice, 9);
      if (e->alloc(m, held[n].order, &held[n].first) != OK) break;
    }
    while (n > 0) {
      const size_t i = dice_below(&dice, n);
      assert_int_equal(e->free(m, held[i].order, held[i].first), OK);
      held[i] = held[--n];
    }
    assert_int_equal(e->free_frames(m), frames);
    count_blocks(e, m, after);
    assert_memory_equal(before, after, sizeof before);
    free(m);
  }
}

/* --- the model -------------------------------------------------------------------------------------------------------- */

#define FRAMES UINT64_C(1200)
#define HELD   200

struct run {
  uint64_t first, count;
  int order; /* -1: allocated as a run. */
};

struct model {
  const struct engine *engine;
  void *memory;
  uint8_t is_free[FRAMES];
  uint64_t free_frames;
  struct run held[HELD];
  size_t held_count;
};

static bool is_all(const struct model *m, uint64_t first, uint64_t count, uint8_t value) {
  for (uint64_t f = first; f < first + count; f++) {
    if (f >= FRAMES || m->is_free[f] != value) return false;
  }
  return true;
}

static bool exists(const struct model *m, uint64_t count, uint64_t align) {
  for (uint64_t first = 0; first + count <= FRAMES; first += align) {
    if (is_all(m, first, count, 1)) return true;
  }
  return false;
}

/* A buddy system finds a run only inside an aligned power of two. */
static bool must_succeed(const struct model *m, uint64_t count, uint64_t align) {
  if (m->engine == &flat_engine) return exists(m, count, align);
  uint64_t whole = 1;
  while (whole < count || whole < align) whole *= 2;
  return exists(m, whole, whole);
}

static void take(struct model *m, struct run r, uint64_t align) {
  assert_true(bits_is_aligned(r.first, align));
  assert_true(is_all(m, r.first, r.count, 1));
  memset(m->is_free + r.first, 0, r.count);
  m->free_frames -= r.count;
  m->held[m->held_count++] = r;
}

static void step_alloc(struct model *m, struct dice *dice) {
  struct run r = {.order = -1};
  uint64_t align = UINT64_C(1) << dice_below(dice, 6);
  status_t s;
  if (m->held_count == HELD) return;
  if (dice_one_in(dice, 2)) {
    r.order = (int)dice_below(dice, 9);
    r.count = align = UINT64_C(1) << r.order;
    s = m->engine->alloc(m->memory, (unsigned)r.order, &r.first);
  } else {
    r.count = 1 + dice_any_size(dice, 9);
    s = m->engine->alloc_run(m->memory, r.count, align, &r.first);
  }
  assert_int_equal(s, must_succeed(m, r.count, align) ? OK : ERR_NO_MEMORY);
  if (s == OK) take(m, r, align);
}

static void step_free(struct model *m, struct dice *dice) {
  if (m->held_count == 0) return;
  const size_t i = dice_below(dice, m->held_count);
  const struct run r = m->held[i];
  const struct engine *e = m->engine;
  m->held[i] = m->held[--m->held_count];
  assert_int_equal(r.order < 0 ? e->free_run(m->memory, r.first, r.count) : e->free(m->memory, (unsigned)r.order, r.first),
                   OK);
  memset(m->is_free + r.first, 1, r.count);
  m->free_frames += r.count;
  /* Once more is once too often. */
  assert_int_equal(e->free_run(m->memory, r.first, r.count), ERR_STATE);
}

static void random_requests_are_met_if_and_only_if_they_can_be(void **state) {
  (void)state;
  struct dice dice = dice_of(seed_of_run());
  EACH_ENGINE(e) {
    for (unsigned run = 0; run < 20; run++) {
      struct model m = {.engine = e, .memory = make(e, FRAMES)};
      /* Two ranges with a hole. */
      const uint64_t hole = 100 + dice_below(&dice, 900);
      assert_int_equal(e->add(m.memory, 0, hole), OK);
      assert_int_equal(e->add(m.memory, hole + 7, FRAMES - hole - 7), OK);
      memset(m.is_free, 1, FRAMES);
      memset(m.is_free + hole, 0, 7);
      m.free_frames = FRAMES - 7;
      for (unsigned i = 0; i < 3000; i++) {
        if (dice_one_in(&dice, 2)) {
          step_alloc(&m, &dice);
        } else {
          step_free(&m, &dice);
        }
        assert_int_equal(e->free_frames(m.memory), m.free_frames);
      }
      while (m.held_count > 0) step_free(&m, &dice);
      assert_int_equal(e->free_frames(m.memory), FRAMES - 7);
      free(m.memory);
    }
  }
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  EACH_ENGINE(e) {
    uint64_t first = 77;
    uint64_t block;
    void *m = make(e, 1000);
    assert_int_equal(e->create(m, 0), ERR_INVALID);
    assert_int_equal(e->create(m, ENGINE_FRAMES_MAX + 1), ERR_INVALID);
    assert_int_equal(e->add(m, 0, 1001), ERR_RANGE);
    assert_int_equal(e->add(m, 1, UINT64_MAX), ERR_RANGE);
    assert_int_equal(e->alloc(m, 0, &first), ERR_NO_MEMORY);
    assert_int_equal(e->add(m, 0, 1000), OK);
    assert_int_equal(e->alloc(m, ENGINE_ORDERS, &first), ERR_INVALID);
    assert_int_equal(e->alloc(m, 10, &first), ERR_NO_MEMORY);
    assert_int_equal(e->alloc_run(m, 0, 1, &first), ERR_INVALID);
    assert_int_equal(e->alloc_run(m, 1, 0, &first), ERR_INVALID);
    assert_int_equal(e->alloc_run(m, 1, 3, &first), ERR_INVALID);
    assert_int_equal(e->alloc_run(m, UINT64_MAX, 1, &first), ERR_NO_MEMORY);
    assert_int_equal(e->alloc_run(m, 1, UINT64_C(1) << 63, &first), ERR_NO_MEMORY);
    assert_int_equal(first, 77);
    assert_int_equal(e->alloc(m, 9, &block), OK);
    assert_int_equal(e->free(m, ENGINE_ORDERS, block), ERR_INVALID);
    assert_int_equal(e->free(m, 0, 1000), ERR_RANGE);
    assert_int_equal(e->free(m, 0, UINT64_MAX), ERR_RANGE);
    assert_int_equal(e->free_run(m, 999, 2), ERR_RANGE);
    assert_int_equal(e->free_run(m, 1, UINT64_MAX), ERR_RANGE);
    assert_int_equal(e->free_run(m, block, 0), ERR_INVALID);
    assert_int_equal(e->free_run(m, block, 513), ERR_STATE);
    assert_int_equal(e->free_frames(m), 488);
    assert_int_equal(e->free(m, 9, block), OK);
    assert_int_equal(e->free(m, 9, block), ERR_STATE);
    assert_int_equal(e->free_frames(m), 1000);
    free(m);
  }
}

static void a_buddy_knows_the_size_of_what_it_gave(void **state) {
  (void)state;
  uint64_t block;
  void *m = make(&buddy_engine, 64);
  assert_int_equal(buddy_engine.add(m, 0, 64), OK);
  assert_int_equal(buddy_engine.alloc(m, 2, &block), OK);
  assert_int_equal(buddy_engine.free(m, 1, block), ERR_STATE);
  assert_int_equal(buddy_engine.free(m, 0, block + 1), ERR_STATE);
  assert_int_equal(buddy_engine.free(m, 2, block), OK);
  free(m);
}

static void a_flat_search_goes_on_where_the_last_one_ended(void **state) {
  (void)state;
  uint64_t a;
  uint64_t b;
  void *m = make(&flat_engine, 200);
  assert_int_equal(flat_engine.add(m, 0, 200), OK);
  assert_int_equal(flat_engine.alloc(m, 0, &a), OK);
  assert_int_equal(flat_engine.free(m, 0, a), OK);
  assert_int_equal(flat_engine.alloc(m, 0, &b), OK);
  assert_int_equal(b, a + 1);
  assert_int_equal(flat_engine.alloc_run(m, 150, 1, &b), OK); /* From there on. */
  assert_int_equal(flat_engine.alloc_run(m, 49, 1, &b), ERR_NO_MEMORY);
  assert_int_equal(flat_engine.alloc_run(m, 48, 1, &b), OK);
  assert_int_equal(flat_engine.alloc(m, 0, &b), OK); /* And round again. */
  assert_int_equal(b, 0);
  free(m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_order_is_handed_out_and_memory_becomes_whole_again),
      cmocka_unit_test(random_requests_are_met_if_and_only_if_they_can_be),
      cmocka_unit_test(what_makes_no_sense_is_refused),
      cmocka_unit_test(a_buddy_knows_the_size_of_what_it_gave),
      cmocka_unit_test(a_flat_search_goes_on_where_the_last_one_ended),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
