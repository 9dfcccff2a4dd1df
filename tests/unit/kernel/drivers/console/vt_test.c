/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/drivers/console/vt.c: what stands on the grid after text and escape sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/drivers/console/font.h"
#include "kernel/drivers/console/vt.h"

static struct vt v;

static vt_cell_t cells[VT_COLUMNS_MAX * VT_ROWS_MAX];

static void start(uint32_t columns, uint32_t rows) { vt_init(&v, columns, rows, cells); }
static void type(const char *text) { vt_write(&v, text, strlen(text)); }

/* A row of the screen as text, blanks at the end cut; glyphs outside ASCII as '#'. */
static const char *row(uint32_t y) {
  static char text[VT_COLUMNS_MAX + 1];
  size_t end = 0;
  for (uint32_t x = 0; x < v.columns; x++) {
    const uint32_t glyph = vt_cell_glyph(vt_cell(&v, x, y));
    text[x] = '#';
    if (glyph < 0x5f) text[x] = (char)(glyph + 0x20);
    if (text[x] != ' ') end = x + 1;
  }
  text[end] = '\0';
  return text;
}

static uint32_t character_at(uint32_t x, uint32_t y) { return font_characters[vt_cell_glyph(vt_cell(&v, x, y))]; }

static void lines_feed_and_the_screen_scrolls(void **context) {
  (void)context;
  start(10, 3);
  type("one\ntwo\nthree\nfour");
  assert_string_equal(row(0), "two");
  assert_string_equal(row(1), "three");
  assert_string_equal(row(2), "four");
  for (unsigned i = 0; i < 1000; i++) type("\n");
  type("x");
  assert_string_equal(row(0), "");
  assert_string_equal(row(2), "x");
}

static void a_full_line_wraps_only_when_more_comes(void **context) {
  (void)context;
  start(4, 3);
  type("abcd");
  assert_int_equal(v.y, 0);
  type("\nef");
  assert_string_equal(row(0), "abcd");
  assert_string_equal(row(1), "ef");
  start(4, 3);
  type("abcde");
  assert_string_equal(row(1), "e");
}

static void controls_move_the_cursor(void **context) {
  (void)context;
  start(20, 2);
  type("abc\rX\bY\tz");
  assert_string_equal(row(0), "Ybc     z");
  type("\b\b\b\b\b\b\b\b\b\b\b\b\b\b\b\bQ\a");
  assert_string_equal(row(0), "Qbc     z");
  type("\t\t\t\t\t!");
  assert_string_equal(row(1), "!");
}

static void sequences_move_and_erase(void **context) {
  (void)context;
  start(10, 4);
  type("aaaa\nbbbb\ncccc\ndddd\033[2;3HX\033[K");
  assert_string_equal(row(1), "bbX");
  type("\033[HY\033[2CZ\033[3DQ");
  assert_string_equal(row(0), "YQaZ");
  type("\033[3;2H\033[J");
  assert_string_equal(row(2), "c");
  assert_string_equal(row(3), "");
  type("\033[2J\033[99;99H!");
  assert_string_equal(row(0), "");
  assert_string_equal(row(3), "         !");
  type("\033[1A\033[9D\033[1B*");
  assert_string_equal(row(3), "*        !");
}

static void colours_are_remembered_per_cell(void **context) {
  (void)context;
  start(10, 1);
  type("a\033[31mb\033[1mc\033[0;94;42md\033[7me\033[mf");
  const uint32_t foregrounds[] = {7, 1, 9, 12, 2, 7}, backgrounds[] = {0, 0, 0, 2, 12, 0};
  for (uint32_t x = 0; x < 6; x++) {
    assert_int_equal(vt_cell_foreground(vt_cell(&v, x, 0)), foregrounds[x]);
    assert_int_equal(vt_cell_background(vt_cell(&v, x, 0)), backgrounds[x]);
  }
}

static void utf8_becomes_glyphs_and_rubbish_becomes_question_marks(void **context) {
  (void)context;
  start(20, 1);
  type("é█─\xe2\x82");
  type("\xac|\xff\xc3(\x80)");
  assert_int_equal(character_at(0, 0), 0xe9);
  assert_int_equal(character_at(1, 0), 0x2588);
  assert_int_equal(character_at(2, 0), 0x2500);
  assert_int_equal(character_at(3, 0), '?'); /* The font has no euro sign. */
  assert_int_equal(character_at(4, 0), '|');
  for (unsigned i = 5; i < 7; i++) assert_int_equal(character_at(i, 0), '?');
  assert_int_equal(character_at(7, 0), '(');
  assert_int_equal(character_at(8, 0), '?');
  assert_int_equal(character_at(9, 0), ')');
}

/* What kernel/debug draws with; a glyph that the packaged font lacks is made by scripts/gen-font. */
static void every_glyph_of_the_pictures_is_in_the_font(void **context) {
  (void)context;
  static const char glyphs[][4] = {"·", "─", "│", "└", "├", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█", "░", "▒", "▓", "■"};
  start(2, 1);
  for (size_t i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++) {
    type("\r");
    type(glyphs[i]);
    if (character_at(0, 0) == '?') fail_msg("%s is not in the font", glyphs[i]);
  }
}

static void the_font_is_sorted_and_begins_with_ascii(void **context) {
  (void)context;
  for (size_t i = 0; i + 1 < font_character_count; i++) assert_true(font_characters[i] < font_characters[i + 1]);
  for (uint32_t c = 0x20; c < 0x7f; c++) assert_int_equal(font_characters[c - 0x20], c);
}

static void the_cursor_is_part_of_exactly_one_cell(void **context) {
  (void)context;
  start(5, 2);
  type("abcde");
  unsigned cursors = 0;
  for (uint32_t y = 0; y < 2; y++)
    for (uint32_t x = 0; x < 5; x++) cursors += (vt_cell(&v, x, y) & VT_CURSOR) != 0;
  assert_int_equal(cursors, 1);
  assert_true((vt_cell(&v, 4, 0) & VT_CURSOR) != 0);
}

/* Scrolled, so that the ring of rows has come round; in the middle of a character, with colours set and a wrap pending. */
static void a_larger_grid_goes_on_where_a_smaller_one_was(void **context) {
  (void)context;
  static vt_cell_t larger[9 * 5];
  start(6, 3);
  type("one\ntwo\nthree\n\033[31mabcdef");
  const struct vt small = v;
  vt_init(&v, 9, 5, larger);
  vt_resume(&v, &small);
  assert_string_equal(row(0), "two");
  assert_string_equal(row(1), "three");
  assert_string_equal(row(2), "abcdef");
  assert_string_equal(row(3), "");
  assert_true(v.dirty_first == 0 && v.dirty_end == 5);
  type("g\nh\xc3");
  const struct vt half = v;
  assert_string_equal(row(2), "abcdefg");
  assert_int_equal(vt_cell_foreground(vt_cell(&v, 6, 2)), 1);
  start(20, 10);
  vt_resume(&v, &half);
  type("\xa9!");
  assert_int_equal(character_at(1, 3), 0xe9);
  assert_int_equal(character_at(2, 3), '!');
  assert_int_equal(vt_cell_background(vt_cell(&v, 19, 9)), 0);
  unsigned cursors = 0;
  for (uint32_t i = 0; i < 200; i++) cursors += (vt_cell(&v, i % 20, i / 20) & VT_CURSOR) != 0;
  assert_int_equal(cursors, 1);
}

/* Any bytes, on grids of any size, and state damaged as a panic may find it: the sanitizers watch. */
static void any_bytes_and_any_interruption_stay_on_the_grid(void **context) {
  (void)context;
  uint32_t state = 7;
  for (unsigned round = 0; round < 300; round++) {
    state = state * 1664525 + 1013904223;
    start(state >> 20 & 0x1ff, state >> 10 & 0x7f);
    assert_true(v.columns >= 1 && v.columns <= VT_COLUMNS_MAX && v.rows >= 1 && v.rows <= VT_ROWS_MAX);
    char bytes[512];
    for (size_t i = 0; i < sizeof(bytes); i++) {
      static const char likely[] = "\033[;0123456789mHJKABCD\n\r\b\t";
      state = state * 1664525 + 1013904223;
      bytes[i] = (char)(state >> 24);
      if ((state >> 8 & 3) != 0) bytes[i] = likely[(state >> 16) % (sizeof(likely) - 1)];
    }
    vt_write(&v, bytes, sizeof(bytes));
    v.x = state;
    v.y = state >> 3;
    v.argument_count = (uint8_t)state;
    v.state = 2;
    vt_write(&v, bytes, sizeof(bytes));
    vt_recover(&v);
    vt_write(&v, "ok", 2);
    assert_true(v.x <= v.columns && v.y < v.rows && v.dirty_end <= v.rows);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(lines_feed_and_the_screen_scrolls),
      cmocka_unit_test(a_full_line_wraps_only_when_more_comes),
      cmocka_unit_test(controls_move_the_cursor),
      cmocka_unit_test(sequences_move_and_erase),
      cmocka_unit_test(colours_are_remembered_per_cell),
      cmocka_unit_test(utf8_becomes_glyphs_and_rubbish_becomes_question_marks),
      cmocka_unit_test(every_glyph_of_the_pictures_is_in_the_font),
      cmocka_unit_test(the_font_is_sorted_and_begins_with_ascii),
      cmocka_unit_test(the_cursor_is_part_of_exactly_one_cell),
      cmocka_unit_test(a_larger_grid_goes_on_where_a_smaller_one_was),
      cmocka_unit_test(any_bytes_and_any_interruption_stay_on_the_grid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
