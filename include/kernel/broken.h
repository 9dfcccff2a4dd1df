/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/broken.h — broken memory: what badmem= says at boot, and what can be done about a frame in use (mm/bad.h). */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "mm/frame.h"
#include "mm/nodes.h"

/** The ranges of badmem=, for early_avoid.  => after options_init; they stay. */
const prange_t *broken_ranges(size_t *count);
/**
 * Takes what badmem= says out of service; what is in use is condemned.  The log says what became of each range, whose the
 * frames are that are used, and what to do about it.
 *   => boot, once, as soon as there are nodes and before anything is cleared in advance.
 */
void broken_take_out(struct nodes *n);
/** From now on the log says what can be done about each frame that is condemned.  => boot, once, after broken_take_out. */
void broken_listen(struct nodes *n);
/** A sentence about a broken frame of this owner.  Never NULL. */
const char *broken_advice(enum frame_owner owner);
