/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/console.h — what people read and type: every console that this machine has, as one.
 *
 * There is no console_init: serial_init, fbconsole_init and keyboard_init (kernel/serial.h ...) may be called in any order;
 * until then output is dropped (the log keeps its own).
 * Output goes to the serial port (when probing found one) and to the framebuffer (when there is one); input comes from the
 * serial port and the PS/2 keyboard.  Text is UTF-8 of which only ASCII is assured to have a glyph, with the escape
 * sequences ESC [ ... m (colours 30-37, 90-97, 0, 1, 7), ESC [ K, ESC [ J, ESC [ H, ESC [ n D/C, CR, LF, BS, TAB.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/** => any context; a panic may interrupt it at any point and print all the same. */
void console_write(const char *bytes, size_t n);
/** Writes to the console of one name alone (struct console_output), where there is one. */
void console_write_to(const char *name, const char *bytes, size_t n);
bool console_has(const char *name);
void console_printf(const char *format, ...) PRINTF_LIKE(1, 2);
void console_vprintf(const char *format, va_list args) PRINTF_LIKE(1, 0);

/* Keys that are no characters. */
enum console_key {
  CONSOLE_KEY_NONE = -1,
  CONSOLE_KEY_UP = 0x100,
  CONSOLE_KEY_DOWN,
  CONSOLE_KEY_LEFT,
  CONSOLE_KEY_RIGHT,
  CONSOLE_KEY_HOME,
  CONSOLE_KEY_END,
  CONSOLE_KEY_DELETE,
  CONSOLE_KEY_PAGE_UP,
  CONSOLE_KEY_PAGE_DOWN
};

/** Next key typed on any console: a byte (CR for Enter, 0x7f or BS for backspace), a console_key, or NONE at once. */
int console_poll_key(void);
/**
 * Has Ctrl-C been typed?  If so it is taken, with every key before it.  What takes long asks now and then.
 *   => thread context of the CPU that has the prompt.
 */
bool console_interrupted(void);
/** Waits for a key with the CPU asleep between ticks.  => thread context, interrupts on. */
int console_read_key(void);

/** Takes what the devices have received into a small ring.  => the timer's interrupt, about 1000 times a second. */
void console_tick(void);

/* A console: serial_init and fbconsole_init add theirs. */
struct console_output {
  const char *name;
  void (*write)(const char *bytes, size_t n); /* Called with the console's lock, or from a panic. */
};
/**
 * Adds an output (at most 4; more are ignored) and shows the log's records so far on it.  `o` must live for ever.
 *   => boot, one CPU.
 */
void console_add(const struct console_output *o);

/** From now on output ignores locks and colours itself as a panic's; irreversible. */
void console_enter_panic(void);
bool console_is_panicking(void);
