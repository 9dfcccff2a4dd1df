/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * engine_test.c — the buddy and flat engines against a model that is an array of bytes: what is slower has to be right
 * before it is worth being faster than.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "mm/phys/engine/engine.h"
#include "seed.h"

static const struct engine *const engines[] = {&engine_buddy, &engine_flat};
#define EACH_ENGINE(e)                                                                                                      \
  for (size_t i_##e = 0; i_##e < sizeof engines / sizeof *engines; i_##e++)                                                 \
    for (const struct engine *e = engines[i_##e]; e; e = NULL)

static const struct frame_limits anywhere = {.max = UINT64_MAX};

static void *make(const struct engine *e, const struct boot_region *regions, size_t count) {
  const size_t size = e->size(regions, count);
  assert_true(size % 64 == 0);
  void *memory = aligned_alloc(64, size);
  assert_non_null(memory);
  memset(memory, 0xa5, size);
  e->init(memory, regions, count);
  assert_int_equal(e->free_frames(memory), 0);
  return memory;
}

static struct boot_region region(uint64_t start, uint64_t end) {
  return (struct boot_region){start * FRAME_SIZE, end * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 15};
}

/* --- whole again ------------------------------------------------------------------------------------------------------ */

/* Aligned blocks of each order that can be had, the largest first; everything is given back. */
static void count_blocks(const struct engine *e, void *m, uint64_t counts[19]) {
  const uint64_t before = e->free_frames(m);
  uint64_t *held[19];
  for (unsigned order = 19; order-- > 0;) {
    struct frame_limits where = anywhere;
    where.align = UINT64_C(1) << order;
    counts[order] = 0;
    held[order] = calloc((e->free_frames(m) >> order) + 1, sizeof *held[order]);
    assert_non_null(held[order]);
    for (uint64_t at; e->find(m, where.align, &where, &at); held[order][counts[order]++] = at) e->take(m, at, where.align);
  }
  assert_int_equal(e->free_frames(m), 0);
  for (unsigned order = 0; order < 19; order++) {
    for (uint64_t i = 0; i < counts[order]; i++) e->put(m, held[order][i], UINT64_C(1) << order);
    free(held[order]);
  }
  assert_int_equal(e->free_frames(m), before);
}

static void every_order_is_found_and_memory_becomes_whole_again(void **state) {
  (void)state;
  const uint64_t start = (UINT64_C(1) << 18) - 77, frames = (UINT64_C(3) << 18) + 12345;
  struct boot_region r = region(start, start + frames);
  struct dice dice = dice_of(seed_of_run());
  EACH_ENGINE(e) {
    void *m = make(e, &r, 1);
    uint64_t before[19], after[19], held[20000][2];
    size_t n = 0;
    e->put(m, start, frames);
    count_blocks(e, m, before);
    assert_int_equal(before[18], 3);
    for (; n < sizeof held / sizeof *held; n++) { /* Some of any size, until there is no room. */
      struct frame_limits where = anywhere;
      where.align = held[n][1] = UINT64_C(1) << (n < 17 ? n : dice_below(&dice, 9));
      if (!e->find(m, held[n][1], &where, &held[n][0])) break;
      assert_true(bits_is_aligned(held[n][0], held[n][1]));
      e->take(m, held[n][0], held[n][1]);
    }
    while (n > 0) {
      const size_t i = dice_below(&dice, n--);
      e->put(m, held[i][0], held[i][1]);
      held[i][0] = held[n][0];
      held[i][1] = held[n][1];
    }
    assert_int_equal(e->free_frames(m), frames);
    count_blocks(e, m, after);
    assert_memory_equal(before, after, sizeof before);
    free(m);
  }
}

/* --- the model -------------------------------------------------------------------------------------------------------- */

#define BASE   UINT64_C(1000)
#define FRAMES UINT64_C(1200)
#define HELD   200

struct model {
  const struct engine *engine;
  void *memory;
  uint8_t is_free[FRAMES]; /* Of frame BASE + i. */
  uint64_t free_frames;
  struct {
    uint64_t first, count;
  } held[HELD];
  size_t held_count;
};

static bool is_free(const struct model *m, uint64_t frame) {
  return frame >= BASE && frame < BASE + FRAMES && m->is_free[frame - BASE];
}

static bool all_are(const struct model *m, uint64_t first, uint64_t count, bool value) {
  for (uint64_t f = first; f < first + count; f++)
    if (is_free(m, f) != value) return false;
  return true;
}

static bool fits(const struct frame_limits *w, uint64_t first, uint64_t count) {
  if (first < w->min || first + count > w->max || !bits_is_aligned(first, w->align ? w->align : 1)) return false;
  return w->boundary == 0 || first / w->boundary == (first + count - 1) / w->boundary;
}

/* Is there a run; with `order` 0 or more, one inside an aligned free block of at least so many frames? */
static bool exists(const struct model *m, uint64_t count, const struct frame_limits *w, int order) {
  for (uint64_t first = BASE; first + count <= BASE + FRAMES; first++) {
    if (!fits(w, first, count) || !all_are(m, first, count, true)) continue;
    if (order < 0) return true;
    for (int k = order; k < 12; k++) {
      const uint64_t block = bits_align_down(first, UINT64_C(1) << k), size = UINT64_C(1) << k;
      if (first + count <= block + size && all_are(m, block, size, true)) return true;
    }
  }
  return false;
}

static int order_of(uint64_t n) { return (int)bits_log2_floor(n) + !bits_is_power_of_two(n); }

static struct frame_limits any_limits(struct dice *d, uint64_t count) {
  struct frame_limits w = {.max = UINT64_MAX};
  if (dice_one_in(d, 2)) w.align = UINT64_C(1) << dice_below(d, 8);
  if (dice_one_in(d, 3)) w.min = BASE + dice_below(d, FRAMES);
  if (dice_one_in(d, 3)) w.max = dice_one_in(d, 2) ? BASE + dice_below(d, FRAMES) : w.min + count;
  if (dice_one_in(d, 3)) w.boundary = UINT64_C(1) << (unsigned)(order_of(count) + (int)dice_below(d, 4));
  if (w.max <= w.min) w.max = w.min + count;
  return w;
}

static void step_take(struct model *m, struct dice *d) {
  if (m->held_count == HELD) return;
  const uint64_t count = 1 + dice_any_size(d, 9);
  const struct frame_limits w = any_limits(d, count);
  uint64_t first = 0;
  const bool found = m->engine->find(m->memory, count, &w, &first);
  const bool is_one_place = w.max - w.min == count;
  const int order = m->engine->finds_every_run ? -1 : order_of(is_one_place ? count : bits_max(count, w.align));
  assert_int_equal(found, exists(m, count, &w, order));
  if (!found) return;
  assert_true(fits(&w, first, count) && all_are(m, first, count, true));
  m->engine->take(m->memory, first, count);
  memset(m->is_free + (first - BASE), 0, count);
  m->free_frames -= count;
  m->held[m->held_count].first = first;
  m->held[m->held_count++].count = count;
}

/* A whole run, or a part of it that begins or ends as it did. */
static void step_put(struct model *m, struct dice *d) {
  if (m->held_count == 0) return;
  const size_t i = dice_below(d, m->held_count);
  const uint64_t held = m->held[i].count, n = 1 + dice_below(d, held);
  const uint64_t first = m->held[i].first + (dice_one_in(d, 2) ? held - n : 0);
  m->engine->put(m->memory, first, n);
  memset(m->is_free + (first - BASE), 1, n);
  m->free_frames += n;
  m->held[i].first += first == m->held[i].first ? n : 0;
  m->held[i].count -= n;
  if (m->held[i].count == 0) m->held[i] = m->held[--m->held_count];
}

struct seen {
  const struct model *m;
  uint64_t at, frames;
};

static void see_run(void *context, uint64_t start, uint64_t end) {
  struct seen *s = context;
  assert_true(start >= s->at && start < end);
  assert_true(all_are(s->m, start, end - start, true) && !is_free(s->m, end));
  assert_true(s->frames == 0 || start > s->at); /* Maximal. */
  s->at = end;
  s->frames += end - start;
}

static void look_around(const struct model *m, struct dice *d) {
  const uint64_t at = BASE - 5 + dice_below(d, FRAMES + 10);
  uint64_t start, end;
  assert_int_equal(m->engine->look(m->memory, at, &start, &end), is_free(m, at));
  assert_true(start <= at && at < end && all_are(m, start, end - start, is_free(m, at)));
  struct seen s = {.m = m};
  engine_each_run(m->engine, m->memory, 0, BASE + FRAMES + 100, see_run, &s);
  assert_int_equal(s.frames, m->free_frames);
  end = engine_free_end(m->engine, m->memory, at, BASE + FRAMES - 3);
  start = engine_free_start(m->engine, m->memory, at, BASE + 3);
  assert_true(end >= at || end == BASE + FRAMES - 3);
  assert_true(start <= at || start == BASE + 3);
  if (start < at) assert_true(all_are(m, start, at - start, true) && (start == BASE + 3 || !is_free(m, start - 1)));
  if (end > at) assert_true(all_are(m, at, end - at, true) && (end == BASE + FRAMES - 3 || !is_free(m, end)));
}

static void a_run_is_found_if_and_only_if_it_is_promised(void **state) {
  (void)state;
  struct dice dice = dice_of(seed_of_run());
  EACH_ENGINE(e) {
    for (unsigned run = 0; run < 12; run++) {
      const uint64_t hole = BASE + 100 + dice_below(&dice, 900);
      const struct boot_region map[] = {region(BASE, hole), region(hole + 7, BASE + FRAMES)};
      struct model m = {.engine = e, .memory = make(e, map, 2), .free_frames = FRAMES - 7};
      e->put(m.memory, BASE, hole - BASE);
      e->put(m.memory, hole + 7, BASE + FRAMES - hole - 7);
      memset(m.is_free, 1, FRAMES);
      memset(m.is_free + (hole - BASE), 0, 7);
      for (unsigned i = 0; i < 1500; i++) {
        if (dice_one_in(&dice, 2)) {
          step_take(&m, &dice);
        } else {
          step_put(&m, &dice);
        }
        assert_int_equal(e->free_frames(m.memory), m.free_frames);
        if (i % 64 == 0) look_around(&m, &dice);
      }
      while (m.held_count > 0) step_put(&m, &dice);
      assert_int_equal(e->free_frames(m.memory), FRAMES - 7);
      free(m.memory);
    }
  }
}

/* --- the ground ------------------------------------------------------------------------------------------------------- */

/* Three stretches, the last two of them 12 TiB up; the middle one is two regions that touch. */
static void no_run_crosses_a_hole_and_holes_cost_nothing(void **state) {
  (void)state;
  const uint64_t high = UINT64_C(3) << 30;
  const struct boot_region map[] = {region(256, 1024), region(high, high + 512), region(high + 512, high + 1024),
                                    region(high + 4096, high + 5000)};
  EACH_ENGINE(e) {
    void *m = make(e, map, 4);
    uint64_t first;
    assert_true(e->size(map, 4) < 65536);
    e->put(m, 256, 768);
    e->put(m, high, 1024);
    e->put(m, high + 4096, 904);
    assert_false(e->find(m, 1025, &anywhere, &first));
    assert_true(e->find(m, 1024, &anywhere, &first));
    assert_int_equal(first, high);
    e->take(m, high, 1024);
    assert_int_equal(e->find(m, 769, &anywhere, &first), e->finds_every_run);
    const struct frame_limits low = {.min = 300, .max = 1024, .align = 256, .boundary = 256};
    assert_true(e->find(m, 256, &low, &first));
    assert_int_equal(first % 256, 0);
    assert_true(first >= 512 && first <= 768);
    free(m);
  }
}

static void a_flat_search_goes_on_where_the_last_run_ended(void **state) {
  (void)state;
  const struct boot_region map[] = {region(1000, 1100), region(2000, 2100)};
  void *m = make(&engine_flat, map, 2);
  uint64_t at;
  engine_flat.put(m, 1000, 100);
  engine_flat.put(m, 2000, 100);
  assert_true(engine_flat.find(m, 1, &anywhere, &at));
  engine_flat.take(m, at, 1);
  engine_flat.put(m, at, 1);
  assert_int_equal(at, 1000);
  assert_true(engine_flat.find(m, 1, &anywhere, &at));
  assert_int_equal(at, 1001);
  engine_flat.take(m, 2050, 1);
  assert_true(engine_flat.find(m, 50, &anywhere, &at));
  assert_int_equal(at, 1000); /* 49 are left up there: round again. */
  assert_true(engine_flat.find(m, 49, &anywhere, &at));
  assert_int_equal(at, 2051);
  free(m);
}

static void an_engine_is_found_by_its_name(void **state) {
  (void)state;
  assert_ptr_equal(engine_find("buddy", 5), &engine_buddy);
  assert_ptr_equal(engine_find("flat", 4), &engine_flat);
  assert_null(engine_find("tier", 4));
  assert_null(engine_find("fla", 3));
  assert_null(engine_find("flats", 5));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_order_is_found_and_memory_becomes_whole_again),
      cmocka_unit_test(a_run_is_found_if_and_only_if_it_is_promised),
      cmocka_unit_test(no_run_crosses_a_hole_and_holes_cost_nothing),
      cmocka_unit_test(a_flat_search_goes_on_where_the_last_run_ended),
      cmocka_unit_test(an_engine_is_found_by_its_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
