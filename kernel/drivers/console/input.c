/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/input.c — what was typed: escape sequences of terminals and scancodes of keyboards as keys.
 *
 * Terminals send ESC [ A, ESC O A and ESC [ 3 ~ (ECMA-48, xterm); keyboards behind an i8042 send scancode set 1, a key's
 * release having bit 7 set and keys younger than the XT's a prefix 0xe0.
 */
#include "kernel/drivers/console/input.h"

#include "base/compiler.h"
#include "kernel/console.h"

enum { STATE_TEXT, STATE_ESCAPE, STATE_BRACKET, STATE_SKIP };

static int key_of_letter(uint8_t letter) {
  switch (letter) {
  case 'A':
    return CONSOLE_KEY_UP;
  case 'B':
    return CONSOLE_KEY_DOWN;
  case 'C':
    return CONSOLE_KEY_RIGHT;
  case 'D':
    return CONSOLE_KEY_LEFT;
  case 'H':
    return CONSOLE_KEY_HOME;
  case 'F':
    return CONSOLE_KEY_END;
  default:
    return CONSOLE_KEY_NONE;
  }
}

static int key_of_number(uint8_t number) {
  static const int keys[] = {
      [1] = CONSOLE_KEY_HOME,      [3] = CONSOLE_KEY_DELETE, [4] = CONSOLE_KEY_END, [5] = CONSOLE_KEY_PAGE_UP,
      [6] = CONSOLE_KEY_PAGE_DOWN, [7] = CONSOLE_KEY_HOME,   [8] = CONSOLE_KEY_END};
  return number < ARRAY_COUNT(keys) && keys[number] != 0 ? keys[number] : CONSOLE_KEY_NONE;
}

static int text_byte(struct input_terminal *t, uint8_t byte) {
  const bool is_second = byte == '\n' && t->after_cr;
  t->after_cr = byte == '\r';
  if (is_second) return CONSOLE_KEY_NONE;
  if (byte == 0x1b) {
    t->state = STATE_ESCAPE;
    return CONSOLE_KEY_NONE;
  }
  return byte == '\n' ? '\r' : byte;
}

static int bracket_byte(struct input_terminal *t, uint8_t byte) {
  if (byte >= '0' && byte <= '9') {
    t->number = (uint8_t)(t->number < 20 ? t->number * 10 + (byte - '0') : 255);
    return CONSOLE_KEY_NONE;
  }
  if (byte == ';') { /* A modifier follows, as in ESC [ 1 ; 5 C: the key counts, the modifier does not. */
    t->state = STATE_SKIP;
    return CONSOLE_KEY_NONE;
  }
  t->state = STATE_TEXT;
  return byte == '~' ? key_of_number(t->number) : key_of_letter(byte);
}

int input_terminal_byte(struct input_terminal *t, uint8_t byte) {
  switch (t->state) {
  case STATE_ESCAPE:
    t->number = 0;
    t->state = byte == '[' || byte == 'O' ? STATE_BRACKET : byte == 0x1b ? STATE_ESCAPE : STATE_TEXT;
    return CONSOLE_KEY_NONE;
  case STATE_BRACKET:
    return bracket_byte(t, byte);
  case STATE_SKIP:
    if (byte < '@') return CONSOLE_KEY_NONE;
    t->state = STATE_TEXT;
    return byte == '~' ? key_of_number(t->number) : key_of_letter(byte);
  default:
    return text_byte(t, byte);
  }
}

/* Scancodes 0x00 to 0x39, then the keypad from 0x47. */
static const char plain[] = "\0\0331234567890-=\b\tqwertyuiop[]\r\0asdfghjkl;'`\0\\zxcvbnm,./\0*\0 ";
static const char shifted[] = "\0\033!@#$%^&*()_+\b\tQWERTYUIOP{}\r\0ASDFGHJKL:\"~\0|ZXCVBNM<>?\0*\0 ";
static_assert(sizeof(plain) == 0x3b && sizeof(shifted) == 0x3b);

static int key_of_keypad(uint8_t code) {
  switch (code) {
  case 0x47:
    return CONSOLE_KEY_HOME;
  case 0x48:
    return CONSOLE_KEY_UP;
  case 0x49:
    return CONSOLE_KEY_PAGE_UP;
  case 0x4b:
    return CONSOLE_KEY_LEFT;
  case 0x4d:
    return CONSOLE_KEY_RIGHT;
  case 0x4f:
    return CONSOLE_KEY_END;
  case 0x50:
    return CONSOLE_KEY_DOWN;
  case 0x51:
    return CONSOLE_KEY_PAGE_DOWN;
  case 0x53:
    return CONSOLE_KEY_DELETE;
  default:
    return CONSOLE_KEY_NONE;
  }
}

static int key_of_extended(uint8_t code) {
  if (code == 0x1c) return '\r'; /* Enter and slash of the keypad. */
  if (code == 0x35) return '/';
  return key_of_keypad(code);
}

/* Shift and control, pressed or released; false when the key is another. */
static bool take_modifier(struct input_keyboard *k, uint8_t code, bool is_pressed, bool is_extended) {
  switch (code) {
  case 0x2a: /* With 0xe0 it is a shift that the keyboard makes up around arrow keys. */
    if (!is_extended) k->shift_left = is_pressed;
    return true;
  case 0x36:
    if (!is_extended) k->shift_right = is_pressed;
    return true;
  case 0x1d:
    k->control = is_pressed;
    return true;
  case 0x3a:
    k->caps ^= is_pressed;
    return true;
  default:
    return false;
  }
}

static int key_of_character(const struct input_keyboard *k, uint8_t code) {
  const bool is_shifted = k->shift_left || k->shift_right;
  const char letter = plain[code];
  const bool is_letter = letter >= 'a' && letter <= 'z';
  if (is_letter && k->control) return letter - 'a' + 1;
  const bool is_upper = is_shifted != (is_letter && k->caps);
  const char *table = is_upper ? shifted : plain;
  return table[code] == '\0' || table[code] == 0x1b ? CONSOLE_KEY_NONE : table[code];
}

int input_keyboard_byte(struct input_keyboard *k, uint8_t scancode) {
  if (k->skip != 0) {
    k->skip--;
    return CONSOLE_KEY_NONE;
  }
  if (scancode == 0xe1) k->skip = 2; /* Pause: e1 1d 45, then e1 9d c5. */
  const bool is_extended = k->is_extended;
  k->is_extended = scancode == 0xe0;
  if (scancode >= 0xe0) return CONSOLE_KEY_NONE; /* Prefixes, and the controller's acknowledgements. */
  const uint8_t code = scancode & 0x7f;
  const bool is_pressed = (scancode & 0x80) == 0;
  if (take_modifier(k, code, is_pressed, is_extended) || !is_pressed) return CONSOLE_KEY_NONE;
  if (is_extended) return key_of_extended(code);
  if (code < 0x3a) return key_of_character(k, code);
  if (code == 0x4a) return '-';
  if (code == 0x4e) return '+';
  return key_of_keypad(code);
}
