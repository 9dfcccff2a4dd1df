/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/console.h — what the loader says, and to whom.
 *
 *   details    to the serial port, when boot.cfg asks for them
 *   warnings   to the serial port, and kept for the kernel's log (the handoff's `warnings`); the boot goes on
 *   failures   to the screen and the serial port; then every page goes back and the firmware gets a status
 * A boot without trouble says nothing: one line through the firmware costs more instructions than all the rest.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/status.h"

#define CONSOLE_WARNINGS_MAX 4096 /* Bytes kept for the kernel. */
#define CONSOLE_LINE_MAX     512  /* Bytes of one message; longer ones are cut. */

/** From which level on the serial port gets to hear something: 0 (errors) .. 4 (verbose), as boot.cfg's `log`. */
void console_set_level(uint32_t level);

/** One line for the curious, to the serial port, from level 3 (info) on.  No addresses: those are secrets. */
void console_info(const char *format, ...) PRINTF_LIKE(1, 2);

/** One warning: a sentence without a line end.  Kept for the kernel in any case, on the serial port from level 1 on. */
void console_warn(const char *format, ...) PRINTF_LIKE(1, 2);

/** As console_warn, with the signature of config_warn_t. */
void console_take_warning(void *context, const char *text);

/** The warnings so far: lines, each with a line end; *size gets their bytes. */
const char *console_warnings(size_t *size);

/** Says something to the screen and the serial port; for debug=wait.  => before ExitBootServices. */
void console_say(const char *format, ...) PRINTF_LIKE(1, 2);

/** From the first ExitBootServices on the firmware's console may not be used any more; the serial port may. */
void console_leave_firmware(void);

/**
 * Gives up: says what failed (with the value) and what to try, returns all memory and leaves with a status.
 * `hint` is a sentence without a line end, `what` a format for another.
 */
[[noreturn]] void loader_fail(status_t status, const char *hint, const char *what, ...) PRINTF_LIKE(3, 4);
