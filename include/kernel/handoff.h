/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/handoff.h — believes nothing that a loader says until it has been checked. */
#pragma once

#include <stddef.h>

#include "base/status.h"
#include "boot/handoff.h"

/**
 * Checks every field of the block that the kernel uses: sizes, spans, the region list, that the windows are aligned, in the
 * upper half, disjoint and as long as memory asks for, and that what the loader placed lies in regions of the right kind.
 *
 * `at` is the virtual address at which the kernel was given the block.  *problem gets one line for a human.
 *   => pure: reads the block and nothing else.
 * Returns OK, ERR_UNSUPPORTED (magic or version), ERR_TRUNCATED (a span leaves the block), ERR_CORRUPT (the rest).
 */
status_t handoff_check(const struct boot_handoff *h, uint64_t at, const char **problem);

/** The elements of a span, valid after handoff_check. */
static inline const void *handoff_span(const struct boot_handoff *h, struct boot_span span) {
  return (const char *)h + span.offset;
}
