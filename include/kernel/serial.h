/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/serial.h — the first serial port (16550 at 0x3f8), 115200 8N1, polled. */
#pragma once

#include <stddef.h>

/**
 * Probes the port (scratch register, then loopback) and, when a UART answers, makes it a console: what the log holds
 * already is shown on it.  A second call does nothing.
 *   => boot; before or after the framebuffer, before traps exist.  Bounded: a missing port costs microseconds.
 * True when there is a UART.
 */
bool serial_init(void);

/**
 * Sends bytes, LF as CR LF.  A UART that stops taking bytes costs one bounded wait; until it takes some again they are lost.
 *   => the console's lock, or a panic.
 */
void serial_write(const char *bytes, size_t n);

/** Next received byte, or -1.  => any context; nothing when there is no UART. */
int serial_poll(void);
