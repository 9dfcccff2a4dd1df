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
  picture_map_begin(&m, 768, 1);
  assert_int_equal(m.slice, 1);
  picture_map_begin(&m, 769, 1);
  assert_int_equal(m.slice, 2);
  picture_map_begin(&m, 12288, 1);
  assert_int_equal(m.slice, 16);
  picture_map_begin(&m, 768, 32);
  assert_int_equal(m.slice, 32);
  picture_map_begin(&m, 12288, 1);
  picture_map_add(&m, 0, 32, FRAME_OWNER_LOW);
  picture_map_add(&m, 0x100000, 0x100000 + 40, FRAME_OWNER_FREE);
  picture_map_add(&m, 0x100000 + 40, 0x100000 + 41, FRAME_OWNER_PAGE_TABLES);
  picture_map_add(&m, 0x100000 + 41, 0x100000 + 80, FRAME_OWNER_FREE);
  assert_true(picture_map_end(&m));
  assert_int_equal(m.count, 7);
  const uint8_t owners[] = {FRAME_OWNER_LOW,         FRAME_OWNER_LOW,  FRAME_OWNER_FREE, FRAME_OWNER_FREE,
                            FRAME_OWNER_PAGE_TABLES, FRAME_OWNER_FREE, FRAME_OWNER_FREE};
  for (size_t i = 0; i < 7; i++) {
    assert_int_equal(m.cells[i].owner, owners[i]);
    assert_int_equal(m.cells[i].is_whole, i != 4);
  }
  assert_int_equal(m.total[FRAME_OWNER_FREE], 79);
}

/* What is aligned in memory is aligned in the picture, wherever holes begin and end. */
static void a_cell_is_an_aligned_slice_whatever_is_missing_of_it(void **context) {
  (void)context;
  picture_map_begin(&m, UINT64_C(768) * 256, 1);
  assert_int_equal(m.slice, 256);
  picture_map_add(&m, 0, 159, FRAME_OWNER_FREE); /* The hole below 1 MiB. */
  picture_map_add(&m, 256, 512, FRAME_OWNER_FREE);
  picture_map_add(&m, 512, 1024, FRAME_OWNER_USER);
  picture_map_add(&m, 1024, UINT64_C(256) * 65, FRAME_OWNER_FREE);
  assert_true(picture_map_end(&m));
  assert_int_equal(m.count, 65);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(m.cells[i].owner, i < 2 ? FRAME_OWNER_FREE : FRAME_OWNER_USER);
    assert_true(m.cells[i].is_whole);
  }
  assert_int_equal(m.row_start[1], 64 * 256);
  picture_map_begin(&m, UINT64_C(768) * 256, 1);
  picture_map_add(&m, 100, 300, FRAME_OWNER_USER); /* Of two slices: the rest of one, the beginning of the other. */
  picture_map_add(&m, 300, 512, FRAME_OWNER_FREE);
  assert_true(picture_map_end(&m));
  assert_int_equal(m.count, 2);
  assert_true(m.cells[0].owner == FRAME_OWNER_USER && m.cells[0].is_whole);
  assert_true(m.cells[1].owner == FRAME_OWNER_USER && !m.cells[1].is_whole);
}

static void rows_begin_where_their_first_slice_is(void **context) {
  (void)context;
  picture_map_begin(&m, 768, 1);
  picture_map_add(&m, 0, 100, FRAME_OWNER_FREE);
  picture_map_add(&m, 5000, 5100, FRAME_OWNER_FREE);
  assert_true(picture_map_end(&m));
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
    picture_map_begin(&m, frames, 1);
    picture_map_add(&m, 7, 7 + frames, FRAME_OWNER_FREE);
    assert_true(picture_map_end(&m));
    /* More than was announced: what does not fit is left out. */
    picture_map_begin(&m, frames, 1);
    for (uint64_t i = 0; i < 5; i++) picture_map_add(&m, 7 + frames * i, 7 + frames * (i + 1), FRAME_OWNER_USER);
    (void)picture_map_end(&m);
    assert_true(m.count <= PICTURE_MAP_CELLS);
    assert_true(picture_map_rows(&m) * PICTURE_MAP_COLUMNS <= PICTURE_MAP_CELLS);
  }
}

/* A frame here and a frame there, in more places than there are cells: a larger slice holds them all. */
static void ram_in_too_many_places_takes_larger_slices(void **context) {
  (void)context;
  uint64_t least = 1;
  unsigned rounds = 0;
  do {
    picture_map_begin(&m, 5000, least);
    for (uint64_t i = 0; i < 5000; i++) picture_map_add(&m, i * 1000, i * 1000 + 1, FRAME_OWNER_FREE);
    least = m.slice * 2;
    rounds++;
  } while (!picture_map_end(&m));
  assert_in_range(rounds, 2, 12);
  assert_int_equal(m.total[FRAME_OWNER_FREE], 5000);
}

/* --- 2 MiB frames ------------------------------------------------------------------------------------------------- */

static struct picture_blocks blocks;

static void add_block(uint64_t number, uint64_t free, uint64_t movable) {
  picture_blocks_add(&blocks, number, &(struct picture_block){free, movable});
}

static const char *row_of_blocks(void) {
  static char text[2048];
  size_t n = 0;
  p.fill = 0;
  picture_blocks_row(&blocks, 0, &p);
  for (size_t i = 0; i < p.fill; i++) {
    if (p.text[i] == '\033')
      while (p.text[i] != 'm') i++;
    else
      text[n++] = p.text[i];
  }
  text[n] = '\0';
  return text;
}

static void a_block_is_whole_or_could_be_or_cannot(void **context) {
  (void)context;
  picture_blocks_begin(&blocks, 256, 1);
  assert_int_equal(blocks.per_cell, 1);
  add_block(0, 512, 0);
  add_block(1, 511, 1);
  add_block(2, 256, 256);
  add_block(3, 1, 511);
  add_block(4, 0, 512);
  add_block(5, 511, 0);
  add_block(6, 255, 256); /* One frame of it stays. */
  add_block(900, 512, 0); /* Behind a hole. */
  assert_true(picture_blocks_end(&blocks));
  assert_string_equal(row_of_blocks(), "░▒▓▓█■■░");
  assert_int_equal(blocks.whole, 2);
  assert_int_equal(blocks.movable, 4);
  assert_int_equal(blocks.fixed, 2);
}

static void a_group_shows_whole_blocks_before_all_else(void **context) {
  (void)context;
  picture_blocks_begin(&blocks, UINT64_C(768) * 4, 1);
  assert_int_equal(blocks.per_cell, 4);
  for (uint64_t i = 0; i < 4; i++) add_block(i, 512, 0);
  for (uint64_t i = 4; i < 8; i++) add_block(i, i < 6 ? 512 : 0, 0); /* Half. */
  for (uint64_t i = 8; i < 12; i++) add_block(i, i < 9 ? 512 : 0, 0);
  for (uint64_t i = 12; i < 16; i++) add_block(i, i < 13 ? 200 : 0, i < 13 ? 312 : 0); /* One of them could be. */
  add_block(18, 0, 0);
  assert_true(picture_blocks_end(&blocks));
  assert_string_equal(row_of_blocks(), "░▒▓▓■");
  assert_int_equal(blocks.row_start[0], 0);
}

static void blocks_in_too_many_places_take_larger_groups(void **context) {
  (void)context;
  uint64_t least = 1;
  unsigned rounds = 0;
  do {
    picture_blocks_begin(&blocks, 3000, least);
    for (uint64_t i = 0; i < 3000; i++) add_block(i * 5, 512, 0);
    least = blocks.per_cell * 2;
    rounds++;
    assert_true(blocks.count <= PICTURE_MAP_CELLS);
  } while (!picture_blocks_end(&blocks));
  assert_in_range(rounds, 2, 12);
  assert_int_equal(blocks.whole, 3000);
  assert_true(picture_blocks_rows(&blocks) * PICTURE_MAP_COLUMNS <= PICTURE_MAP_CELLS);
}

/* --- lines -------------------------------------------------------------------------------------------------------- */

static const char *wrapped(const char *text, unsigned column, unsigned indent, unsigned *end) {
  p.fill = 0;
  *end = picture_wrap(&p, text, column, indent);
  p.text[p.fill] = '\0';
  return p.text;
}

static void text_is_broken_at_blanks_and_no_line_is_too_long(void **context) {
  (void)context;
  unsigned end;
  assert_string_equal(wrapped("", 5, 5, &end), "");
  assert_int_equal(end, 5);
  assert_string_equal(wrapped("one two", 70, 3, &end), "one two");
  assert_int_equal(end, 77);
  assert_string_equal(wrapped("one two three", 70, 3, &end), "one two\n   three");
  assert_int_equal(end, 8);
  assert_string_equal(wrapped(" (behind)", 75, 3, &end), "\n   (behind)"); /* What goes on a line may begin the next one. */
  assert_string_equal(wrapped("Two.  Blanks", 0, 0, &end), "Two.  Blanks");
  assert_string_equal(wrapped("of 64.0 KiB", 72, 0, &end), "of\n64.0 KiB"); /* A number stays with its unit. */
  assert_string_equal(wrapped("run 0 B, but", 74, 0, &end), "run\n0 B, but");
  assert_string_equal(wrapped("run 0 Bytes", 74, 0, &end), "run 0\nBytes");
  for (unsigned indent = 0; indent < 40; indent++) {
    char text[400];
    unsigned column = indent;
    for (unsigned i = 0; i < sizeof(text) - 1; i++) text[i] = i % (3 + indent % 11) == 2 ? ' ' : 'x';
    text[sizeof(text) - 1] = '\0';
    wrapped(text, indent, indent, &end);
    for (size_t i = 0; i < p.fill; i++) {
      column = p.text[i] == '\n' ? 0 : column + 1;
      assert_true(column <= PICTURE_COLUMNS);
    }
    assert_int_equal(column, end);
  }
}

static void a_word_that_is_longer_than_a_line_stays_whole(void **context) {
  (void)context;
  char word[101];
  unsigned end;
  memset(word, 'w', 100);
  word[100] = '\0';
  assert_string_equal(wrapped(word, 4, 4, &end), word);
  assert_int_equal(end, 104);
}

static void shades_go_in_quarters(void **context) {
  (void)context;
  assert_string_equal(picture_shade(0, 512), "░");
  assert_string_equal(picture_shade(1, 512), "░");
  assert_string_equal(picture_shade(129, 512), "▒");
  assert_string_equal(picture_shade(257, 512), "▓");
  assert_string_equal(picture_shade(512, 512), "█");
  assert_string_equal(picture_shade(5, 0), "░");
}

static void the_most_colourful_row_fits_a_picture(void **context) {
  (void)context;
  picture_map_begin(&m, 64, 1);
  for (uint64_t i = 0; i < 64; i++)
    picture_map_add(&m, i, i + 1, i % 2 == 0 ? FRAME_OWNER_KERNEL_IMAGE : FRAME_OWNER_PAGE_TABLES);
  assert_true(picture_map_end(&m));
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
      cmocka_unit_test(a_cell_is_an_aligned_slice_whatever_is_missing_of_it),
      cmocka_unit_test(rows_begin_where_their_first_slice_is),
      cmocka_unit_test(any_amount_of_ram_fits_the_map),
      cmocka_unit_test(ram_in_too_many_places_takes_larger_slices),
      cmocka_unit_test(a_block_is_whole_or_could_be_or_cannot),
      cmocka_unit_test(a_group_shows_whole_blocks_before_all_else),
      cmocka_unit_test(blocks_in_too_many_places_take_larger_groups),
      cmocka_unit_test(text_is_broken_at_blanks_and_no_line_is_too_long),
      cmocka_unit_test(a_word_that_is_longer_than_a_line_stays_whole),
      cmocka_unit_test(shades_go_in_quarters),
      cmocka_unit_test(the_most_colourful_row_fits_a_picture),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
