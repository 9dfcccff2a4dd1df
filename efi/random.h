/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/random.h — the firmware's random number generator. */
#pragma once

#include <stddef.h>

#include "base/status.h"

/**
 * Asks EFI_RNG_PROTOCOL for n bytes with its default algorithm; a generator that is not ready is asked again, 10 times.
 * Returns OK, ERR_NOT_FOUND (no such protocol), ERR_BUSY (never ready), or what the firmware says.  The caller checks the
 * health of what it got; bytes that the firmware says it has written and has not are 0.
 */
status_t efi_random_bytes(void *out, size_t n);
