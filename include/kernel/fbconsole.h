/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/fbconsole.h — the framebuffer as a console: a grid of characters in a packaged bitmap font. */
#pragma once

#include <stddef.h>

#include "boot/handoff.h"

/**
 * Takes the framebuffer over, clears it, and shows what the log holds already.
 *
 * `mapped` is the virtual address of fb->base, at least fb->size bytes, writable (write-combining for speed; never read).
 * Needs no memory but its own static cells: a small grid in the upper left corner, until fbconsole_grow.  Format NONE,
 * impossible sizes and NULL leave the machine without it.
 *   => boot.
 * True when there is a picture.
 */
bool fbconsole_init(const struct boot_framebuffer *fb, void *mapped);

/** Bytes that a grid of the whole screen takes; 0 when there is no picture. */
size_t fbconsole_grow_size(void);
/**
 * The grid takes the whole screen from now on; what stands there stays.  `memory` is fbconsole_grow_size() bytes, aligned
 * to 8, the console's for ever.  A panic at any moment finds the small grid or the large one.
 *   => boot, one CPU, interrupts masked.
 */
void fbconsole_grow(void *memory);

/** Draws bytes of text.  => the console's lock, or a panic. */
void fbconsole_write(const char *bytes, size_t n);

/** A panic's colours from now on, and a parser in its first state, whatever was interrupted. */
void fbconsole_enter_panic(void);

/** Size of the grid in characters, as it is now; 0 and 0 when there is none. */
void fbconsole_size(unsigned *columns, unsigned *rows);
