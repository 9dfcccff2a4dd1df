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

/** Waits until a key is pressed.  Returns OK, ERR_UNSUPPORTED (no keyboard), or what the firmware says. */
status_t efi_console_wait_key(void);
