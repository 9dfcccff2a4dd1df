/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/debug/lineedit.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/debug/lineedit.h"

static struct lineedit e;

static void fresh(void) { e = (struct lineedit){.keeps_history = true}; }

/* Types text; control characters are keys, and ~letter is a special key. */
static void type(const char *text) {
  for (; *text != '\0'; text++) {
    int key = (unsigned char)*text;
    if (key == '~') {
      switch (*++text) {
      case 'u':
        key = CONSOLE_KEY_UP;
        break;
      case 'd':
        key = CONSOLE_KEY_DOWN;
        break;
      case 'l':
        key = CONSOLE_KEY_LEFT;
        break;
      case 'r':
        key = CONSOLE_KEY_RIGHT;
        break;
      case 'h':
        key = CONSOLE_KEY_HOME;
        break;
      case 'e':
        key = CONSOLE_KEY_END;
        break;
      default:
        key = CONSOLE_KEY_DELETE;
        break;
      }
    }
    (void)lineedit_key(&e, key);
    assert_true(e.cursor <= e.length && e.length <= LINEEDIT_MAX && strlen(e.text) == e.length);
  }
}

static void expect(const char *text, size_t cursor) {
  assert_string_equal(e.text, text);
  assert_int_equal(e.cursor, cursor);
}

static void text_is_inserted_and_deleted_at_the_cursor(void **context) {
  (void)context;
  fresh();
  type("memry~l~lo");
  expect("memory", 4);
  type("~e!\b~h~x~x");
  expect("mory", 0);
  type("\b~l~rx~l~e~r~x");
  expect("mxory", 5);
}

static void control_keys_move_and_cut(void **context) {
  (void)context;
  fresh();
  type("why 0x1000 now\027");
  expect("why 0x1000 ", 11);
  type("\027");
  expect("why ", 4);
  type("abc\001x\005y");
  expect("xwhy abcy", 9);
  type("\001\006\006\013");
  expect("xw", 2);
  type("12\002\025");
  expect("2", 0);
  type("\004\004\025\013\027");
  expect("", 0);
}

static void history_goes_back_and_returns_to_the_unfinished_line(void **context) {
  (void)context;
  fresh();
  type("one");
  lineedit_next(&e);
  type("two");
  lineedit_next(&e);
  type("thr~u");
  expect("two", 3);
  type("~u");
  expect("one", 3);
  type("~u~u");
  expect("one", 3);
  type("~d~d");
  expect("thr", 3);
  type("~d");
  expect("thr", 3);
  type("~u!");
  lineedit_next(&e);
  type("~u");
  expect("two!", 4);
  type("~u");
  expect("two", 3);
}

static void repeats_empty_and_blank_led_lines_are_not_remembered(void **context) {
  (void)context;
  fresh();
  static const char *const lines[] = {"a", "a", "", " secret", "b"};
  for (size_t i = 0; i < 5; i++) {
    type(lines[i]);
    lineedit_next(&e);
  }
  type("~u~u~u~u");
  expect("a", 1);
  assert_int_equal(e.history_count, 2);
}

static void history_can_be_switched_off(void **context) {
  (void)context;
  fresh();
  e.keeps_history = false;
  type("a");
  lineedit_next(&e);
  type("~u");
  expect("", 0);
}

static void only_the_last_lines_are_held(void **context) {
  (void)context;
  fresh();
  for (unsigned i = 0; i < 100; i++) {
    char text[16];
    snprintf(text, sizeof(text), "line %u", i);
    type(text);
    lineedit_next(&e);
  }
  for (unsigned i = 0; i < 200; i++) type("~u");
  char oldest[16];
  snprintf(oldest, sizeof(oldest), "line %u", 100 - LINEEDIT_HISTORY);
  assert_string_equal(e.text, oldest);
}

static void a_full_line_takes_no_more(void **context) {
  (void)context;
  fresh();
  for (unsigned i = 0; i < LINEEDIT_MAX + 50; i++) type("x");
  assert_int_equal(e.length, LINEEDIT_MAX);
  lineedit_insert(&e, "abc", 3);
  assert_int_equal(e.length, LINEEDIT_MAX);
  type("\b\b");
  lineedit_insert(&e, "abc", 3);
  assert_string_equal(e.text + LINEEDIT_MAX - 3, "xab");
}

static void the_view_follows_the_cursor(void **context) {
  (void)context;
  fresh();
  for (unsigned i = 0; i < 100; i++) type("x");
  assert_int_equal(lineedit_view(&e, 72), 29);
  type("~h");
  assert_int_equal(lineedit_view(&e, 72), 0);
}

static void keys_that_end_a_line_are_told_apart(void **context) {
  (void)context;
  fresh();
  assert_int_equal(lineedit_key(&e, '\r'), LINEEDIT_DONE);
  assert_int_equal(lineedit_key(&e, 3), LINEEDIT_CANCEL);
  assert_int_equal(lineedit_key(&e, 12), LINEEDIT_CLEAR);
  assert_int_equal(lineedit_key(&e, '\t'), LINEEDIT_COMPLETE);
  assert_int_equal(lineedit_key(&e, 0xe9), LINEEDIT_SAME);
  assert_int_equal(lineedit_key(&e, CONSOLE_KEY_NONE), LINEEDIT_SAME);
}

static void any_keys_keep_the_line_whole(void **context) {
  (void)context;
  fresh();
  uint32_t state = 99;
  for (unsigned i = 0; i < 300000; i++) {
    state = state * 1664525 + 1013904223;
    const int key = (int)(state >> 16) % 0x10a;
    if (lineedit_key(&e, key) == LINEEDIT_DONE) lineedit_next(&e);
    assert_true(e.cursor <= e.length && e.length <= LINEEDIT_MAX && e.text[e.length] == '\0');
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(text_is_inserted_and_deleted_at_the_cursor),
      cmocka_unit_test(control_keys_move_and_cut),
      cmocka_unit_test(history_goes_back_and_returns_to_the_unfinished_line),
      cmocka_unit_test(repeats_empty_and_blank_led_lines_are_not_remembered),
      cmocka_unit_test(history_can_be_switched_off),
      cmocka_unit_test(only_the_last_lines_are_held),
      cmocka_unit_test(a_full_line_takes_no_more),
      cmocka_unit_test(the_view_follows_the_cursor),
      cmocka_unit_test(keys_that_end_a_line_are_told_apart),
      cmocka_unit_test(any_keys_keep_the_line_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
