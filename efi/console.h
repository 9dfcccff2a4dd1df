/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/console.h — the firmware's text console. */
#pragma once

#include <stddef.h>

#include "base/status.h"

/**
 * Writes text; LF becomes CR LF, bytes outside printable ASCII become '?'.  Does nothing where there is no console.
 *   => before ExitBootServices; costs millions of instructions: for errors and questions only.
 */
void efi_console_write(const char *text, size_t n);

/** True when a key has been pressed since the last call; the key is taken. */
bool efi_console_poll_key(void);

/** Waits; the firmware's timer decides how exactly. */
void efi_console_pause(unsigned milliseconds);
