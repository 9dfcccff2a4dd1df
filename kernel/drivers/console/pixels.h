/* SPDX-License-Identifier: BSD-2-Clause */
/* pixels.h — a grid of cells as pixels.  Pure: the host's tests draw into ordinary memory. */
#pragma once

#include "base/status.h"
#include "boot/handoff.h"
#include "kernel/drivers/console/font.h"
#include "kernel/drivers/console/vt.h"

struct pixels {
  struct boot_framebuffer fb;
  uint8_t *memory; /* Written, never read: reads of video memory cost a microsecond each. */
  const struct font *font;
  uint32_t scale;       /* Each pixel of the font is scale x scale pixels. */
  uint32_t left, upper; /* Margin, pixels: the grid stands in the middle. */
  uint32_t columns, rows;
  uint32_t palette[16]; /* In the framebuffer's format. */
  bool must_draw_all;   /* What stands in video memory is not what `shown` says. */
  vt_cell_t shown[VT_COLUMNS_MAX * VT_ROWS_MAX];
};

/**
 * Checks the geometry and picks the font: the smallest with which the grid fits VT_COLUMNS_MAX x VT_ROWS_MAX and stays
 * readable, larger on larger screens.   OK, ERR_UNSUPPORTED (no linear framebuffer, or less than one cell), ERR_CORRUPT
 * (stride, size or masks that contradict each other).
 */
status_t pixels_init(struct pixels *p, const struct boot_framebuffer *fb, void *memory);
/** Everything in the background colour. */
void pixels_clear(struct pixels *p);
/** Draws the cells that have changed; resets the grid's dirty rows. */
void pixels_update(struct pixels *p, struct vt *v);
/** The sixteen colours; in a panic black becomes a dark red. */
void pixels_set_palette(struct pixels *p, bool is_panic);
