/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/drivers/console/input.c: what terminals and keyboards send for each key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/console.h"
#include "kernel/drivers/console/input.h"

/* The keys of a byte sequence, as "a<up>b". */
static const char *typed(const char *bytes, size_t n, bool is_keyboard) {
  static const char *const names[] = {"up", "down", "left", "right", "home", "end", "delete", "pageup", "pagedown"};
  static char text[256];
  struct input_terminal t = {};
  struct input_keyboard k = {};
  text[0] = '\0';
  for (size_t i = 0; i < n; i++) {
    const uint8_t byte = (uint8_t)bytes[i];
    const int key = is_keyboard ? input_keyboard_byte(&k, byte) : input_terminal_byte(&t, byte);
    const size_t used = strlen(text);
    if (key == CONSOLE_KEY_NONE) continue;
    if (key >= CONSOLE_KEY_UP)
      snprintf(text + used, sizeof(text) - used, "<%s>", names[key - CONSOLE_KEY_UP]);
    else if (key < ' ')
      snprintf(text + used, sizeof(text) - used, "^%c", key + '@');
    else
      snprintf(text + used, sizeof(text) - used, "%c", key);
  }
  return text;
}

#define TERMINAL(s) typed(s, sizeof(s) - 1, false)
#define KEYBOARD(s) typed(s, sizeof(s) - 1, true)

static void terminals_send_cursor_keys_in_both_spellings(void **context) {
  (void)context;
  assert_string_equal(TERMINAL("a\033[Ab\033OBc\033[C\033[D"), "a<up>b<down>c<right><left>");
  assert_string_equal(TERMINAL("\033[H\033[F\033[1~\033[4~\033[7~\033[8~"), "<home><end><home><end><home><end>");
  assert_string_equal(TERMINAL("\033[3~\033[5~\033[6~\033[1;5C"), "<delete><pageup><pagedown><right>");
}

static void enter_is_one_key_in_every_spelling(void **context) {
  (void)context;
  assert_string_equal(TERMINAL("a\rb\nc\r\nd\r\re\n\n"), "a^Mb^Mc^Md^M^Me^M^M");
}

static void unknown_and_broken_sequences_type_nothing(void **context) {
  (void)context;
  assert_string_equal(TERMINAL("\033[99~\033[2~\033[Z\033[123456789~x"), "x");
  assert_string_equal(TERMINAL("\033\033[A\033qy"), "<up>y");
}

static void a_keyboard_types_letters_with_shift_control_and_caps(void **context) {
  (void)context;
  assert_string_equal(KEYBOARD("\x1e\x9e\x2a\x1e\x9e\xaa\x1e\x1d\x1e\x9d"), "aAa^A");
  assert_string_equal(KEYBOARD("\x3a\xba\x1e\x02\x2a\x1e\xaa\x3a\xba\x1e"), "A1aa");
  assert_string_equal(KEYBOARD("\x36\x02\x0c\xb6\x0c\x1c\x0e\x0f\x39"), "!_-^M^H^I ");
}

static void a_keyboard_types_cursor_keys_and_ignores_made_up_shifts(void **context) {
  (void)context;
  assert_string_equal(KEYBOARD("\xe0\x2a\xe0\x48\xe0\xc8\xe0\xaa\x1e"), "<up>a");
  assert_string_equal(KEYBOARD("\xe0\x2a\x1e"), "a");
  assert_string_equal(KEYBOARD("\xe0\x50\xe0\x4b\xe0\x4d\xe0\x47\xe0\x4f\xe0\x53"),
                      "<down><left><right><home><end><delete>");
  assert_string_equal(KEYBOARD("\xe0\x35\xe0\x1c\x4a\x4e"), "/^M-+");
}

static void pause_and_acknowledgements_type_nothing(void **context) {
  (void)context;
  assert_string_equal(KEYBOARD("\xfa\xe1\x1d\x45\xe1\x9d\xc5\x1e\xfe\x3b\x58"), "a");
  assert_string_equal(KEYBOARD("\xe1\x1d\x45\x1e"), "a");
}

static void any_scancodes_give_a_key_or_none(void **context) {
  (void)context;
  struct input_keyboard k = {};
  struct input_terminal t = {};
  uint32_t state = 1;
  for (unsigned i = 0; i < 200000; i++) {
    state = state * 1664525 + 1013904223;
    const int key = input_keyboard_byte(&k, (uint8_t)(state >> 24));
    assert_true(key == CONSOLE_KEY_NONE || (key > 0 && key < 0x7f) ||
                (key >= CONSOLE_KEY_UP && key <= CONSOLE_KEY_PAGE_DOWN));
    const int byte = input_terminal_byte(&t, (uint8_t)(state >> 16));
    assert_true(byte >= CONSOLE_KEY_NONE && byte <= CONSOLE_KEY_PAGE_DOWN);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(terminals_send_cursor_keys_in_both_spellings),
      cmocka_unit_test(enter_is_one_key_in_every_spelling),
      cmocka_unit_test(unknown_and_broken_sequences_type_nothing),
      cmocka_unit_test(a_keyboard_types_letters_with_shift_control_and_caps),
      cmocka_unit_test(a_keyboard_types_cursor_keys_and_ignores_made_up_shifts),
      cmocka_unit_test(pause_and_acknowledgements_type_nothing),
      cmocka_unit_test(any_scancodes_give_a_key_or_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
