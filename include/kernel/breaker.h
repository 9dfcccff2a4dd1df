/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/breaker.h — damages one promise on purpose, so that the test of that promise can be seen to fail (`break=`). */
#pragma once

#include "base/status.h"

/**
 * `name` is one of MM_INVARIANTS (mm/check.h) or "wxorx": a page of the device window becomes writable and executable; or
 * "dma-mask": devices get memory that they cannot reach; or "combining": RAM stays write-combining.
 *   => after memory_seal; the machine is only good for tests afterwards.
 * Returns OK, ERR_NOT_FOUND (no such promise), or what kept it from being broken.
 */
status_t breaker_run(const char *name);
