/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/debug/picture.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/debug/picture.h"

static struct picture p;
static struct picture_map m;

/* Columns that a picture takes on a terminal: characters, without escape sequences. */
static unsigned columns_of(const struct picture *picture) {
  unsigned n = 0;
  for (size_t i = 0; i < picture->fill; i++) {
    if (picture->text[i] == '\033') {
      while (picture->text[i] != 'm') i++;
      continue;
    }
    n += ((uint8_t)picture->text[i] & 0xc0) != 0x80;
  }
  return n;
}

static void a_bar_has_exactly_its_width_and_shows_anything_above_zero(void **context) {
  (void)context;
  for (unsigned width = 1; width < 80; width += 13)
    for (uint64_t value = 0; value <= 1000; value += 7) {
      p.fill = 0;
      picture_bar(&p, value, 1000, width);
      assert_int_equal(columns_of(&p), width);
      assert_int_equal(p.fill != width, value != 0);
    }
  p.fill = 0;
  picture_bar(&p, UINT64_C(1) << 40, 3, 10);
  assert_int_equal(columns_of(&p), 10);
  p.fill = 0;
  picture_bar(&p, 5, 0, 10);
  assert_int_equal(columns_of(&p), 10);
}

static void columns_are_divided_without_losing_any(void **context) {
  (void)context;
  uint32_t state = 3;
  for (unsigned round = 0; round < 20000; round++) {
    uint64_t values[5], total = 0;
    unsigned columns[5], sum = 0;
    for (unsigned i = 0; i < 5; i++) {
      state = state * 1664525 + 1013904223;
      values[i] = (state >> 8) >> (state % 24);
      if (state >> 30 == 0) values[i] = 0;
      total += values[i];
    }
    picture_divide(values, 5, 78, columns);
    for (unsigned i = 0; i < 5; i++) {
      sum += columns[i];
      if (total != 0) assert_true(columns[i] <= 78 && (values[i] == 0) == (columns[i] == 0));
    }
    assert_int_equal(sum, 78);
  }
}

static void numbers_are_written_for_people(void **context) {
  (void)context;
  char text[28];
  assert_string_equal(picture_count(text, 0), "0");
  assert_string_equal(picture_count(text, 999), "999");
  assert_string_equal(picture_count(text, 131072), "131,072");
  assert_string_equal(picture_count(text, UINT64_MAX), "18,446,744,073,709,551,615");
  assert_string_equal(picture_percent(text, 0, 5), "0.0");
  assert_string_equal(picture_percent(text, 1, 100000), "<0.1");
  assert_string_equal(picture_percent(text, 999999, 1000000), "99.9");
  assert_string_equal(picture_percent(text, 7, 7), "100.0");
  assert_string_equal(picture_percent(text, 7, 0), "0.0");
  assert_string_equal(picture_short_count(text, 9999), "9999");
  assert_string_equal(picture_short_count(text, 10000), "10k");
  assert_string_equal(picture_short_count(text, 999999), "999k");
  assert_string_equal(picture_short_count(text, 12345678), "12M");
  assert_string_equal(picture_short_count(text, UINT64_MAX), "18E");
}

static void a_full_picture_takes_nothing_more(void **context) {
  (void)context;
  p.fill = 0;
  for (unsigned i = 0; i < 1000; i++) picture_add(&p, "%s", "0123456789");
  assert_int_equal(p.fill, sizeof(p.text));
  picture_repeat(&p, "█", 100);
  assert_int_equal(p.fill, sizeof(p.text));
}

static void the_map_counts_ram_alone_and_leaves_holes_out(void **context) {
  (void)context;
  picture_map_begin(&m, 768);
  assert_int_equal(m.slice, 1);
  picture_map_begin(&m, 769);
  assert_int_equal(m.slice, 2);
  picture_map_begin(&m, 12288);
  assert_int_equal(m.slice, 16);
  picture_map_add(&m, 0, 32, FRAME_OWNER_LOW);
  picture_map_add(&m, 0x100000, 0x100000 + 40, FRAME_OWNER_FREE);
  picture_map_add(&m, 0x100000 + 40, 0x100000 + 41, FRAME_OWNER_PAGE_TABLES);
  picture_map_add(&m, 0x100000 + 41, 0x100000 + 80, FRAME_OWNER_FREE);
  picture_map_end(&m);
  assert_int_equal(m.count, 7);
  const uint8_t owners[] = {FRAME_OWNER_LOW,         FRAME_OWNER_LOW,  FRAME_OWNER_FREE, FRAME_OWNER_FREE,
                            FRAME_OWNER_PAGE_TABLES, FRAME_OWNER_FREE, FRAME_OWNER_FREE};
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(m.cells[i].owner, owners[i]);
    assert_int_equal(m.cells[i].is_whole, i != 4);
  }
  assert_int_equal(m.total[FRAME_OWNER_FREE], 79);
}

static void rows_begin_where_their_first_frame_is(void **context) {
  (void)context;
  picture_map_begin(&m, 768);
  picture_map_add(&m, 0, 100, FRAME_OWNER_FREE);
  picture_map_add(&m, 5000, 5100, FRAME_OWNER_FREE);
  picture_map_end(&m);
  assert_int_equal(picture_map_rows(&m), 4);
  assert_int_equal(m.row_start[0], 0);
  assert_int_equal(m.row_start[1], 64);
  assert_int_equal(m.row_start[2], 5028);
  for (size_t row = 0; row < 4; row++) {
    p.fill = 0;
    picture_map_row(&m, row, &p);
    assert_int_equal(columns_of(&p), row < 3 ? 64 : 8);
  }
}

static void any_amount_of_ram_fits_the_map(void **context) {
  (void)context;
  for (uint64_t frames = 1; frames < UINT64_C(1) << 40; frames = frames * 3 + 1) {
    picture_map_begin(&m, frames);
    picture_map_add(&m, 7, 7 + frames / 2, FRAME_OWNER_FREE);
    /* More than was announced: what does not fit is left out. */
    for (uint64_t i = 0; i < 5; i++) picture_map_add(&m, 7 + frames * i, 7 + frames * (i + 1), FRAME_OWNER_USER);
    picture_map_end(&m);
    assert_true(m.count <= PICTURE_MAP_CELLS);
    assert_true(picture_map_rows(&m) * PICTURE_MAP_COLUMNS <= PICTURE_MAP_CELLS);
  }
}

static void the_most_colourful_row_fits_a_picture(void **context) {
  (void)context;
  picture_map_begin(&m, 64);
  for (uint64_t i = 0; i < 64; i++)
    picture_map_add(&m, i, i + 1, i % 2 == 0 ? FRAME_OWNER_KERNEL_IMAGE : FRAME_OWNER_PAGE_TABLES);
  p.fill = 0;
  picture_map_row(&m, 0, &p);
  assert_true(p.fill < sizeof(p.text) - 32);
  assert_int_equal(columns_of(&p), 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_bar_has_exactly_its_width_and_shows_anything_above_zero),
      cmocka_unit_test(columns_are_divided_without_losing_any),
      cmocka_unit_test(numbers_are_written_for_people),
      cmocka_unit_test(a_full_picture_takes_nothing_more),
      cmocka_unit_test(the_map_counts_ram_alone_and_leaves_holes_out),
      cmocka_unit_test(rows_begin_where_their_first_frame_is),
      cmocka_unit_test(any_amount_of_ram_fits_the_map),
      cmocka_unit_test(the_most_colourful_row_fits_a_picture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
