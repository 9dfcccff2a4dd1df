/* SPDX-License-Identifier: BSD-2-Clause */
/* input.h — bytes of a terminal, and scancodes of a keyboard, to keys.  Pure; see include/kernel/console.h for the keys. */
#pragma once

#include <stdint.h>

/* A terminal's bytes: state between two of them.  Zeroed is ready. */
struct input_terminal {
  uint8_t state;
  uint8_t number; /* ESC [ <number> ~ */
  bool after_cr;  /* The LF of a CR LF is no second Enter. */
};
/** The key that this byte completes, or CONSOLE_KEY_NONE. */
int input_terminal_byte(struct input_terminal *t, uint8_t byte);

/* A PC keyboard in scancode set 1, US layout.  Zeroed is ready. */
struct input_keyboard {
  bool shift_left, shift_right, control, caps;
  bool is_extended; /* After 0xe0. */
  uint8_t skip;     /* Bytes of the Pause key's 0xe1 sequence still to come. */
};
int input_keyboard_byte(struct input_keyboard *k, uint8_t scancode);
