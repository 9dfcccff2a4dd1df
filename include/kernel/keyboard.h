/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/keyboard.h — a PS/2 keyboard behind an i8042, US layout, polled. */
#pragma once

/**
 * Looks for the controller and switches the keyboard on.  Bounded: a machine without one (ports read all ones, or never
 * ready) costs at most some milliseconds.   => boot.
 * True when there is a controller.
 */
bool keyboard_init(void);

/** Next key: a byte or an enum console_key, or CONSOLE_KEY_NONE at once.  => any context. */
int keyboard_poll(void);
