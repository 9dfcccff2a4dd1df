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
  uint32_t scale;         /* Each pixel of the font is scale x scale pixels. */
  uint32_t left, upper;   /* Margin, pixels: the grid stands in the middle. */
  uint32_t columns, rows; /* Of the whole screen; a smaller grid is drawn into its upper left corner. */
  uint32_t palette[16];   /* In the framebuffer's format. */
  bool must_draw_all;     /* What stands in video memory is not what `shown` says. */
  vt_cell_t *shown;       /* What stands on the screen: the cells of the grid that is drawn, its owner's. */
};

/**
 * Checks the geometry and picks the font: the smallest with which the grid fits VT_COLUMNS_MAX x VT_ROWS_MAX and stays
 * readable, larger on larger screens.   OK, ERR_UNSUPPORTED (no linear framebuffer, or less than one cell), ERR_CORRUPT
 * (stride, size or masks that contradict each other).  `shown` has a cell for each of the
 * grid's.
 */
status_t pixels_init(struct pixels *p, const struct boot_framebuffer *fb, void *memory, vt_cell_t *shown);
/**
 * p goes on where `from` is, with v, the larger grid after `was`, and a cell in `shown` for each of v's.  Draws nothing:
 * outside `was` the screen is empty.
 */
void pixels_resume(struct pixels *p, const struct vt *v, vt_cell_t *shown, const struct pixels *from, const struct vt *was);
/** Everything in the background colour. */
void pixels_clear(struct pixels *p);
/** Draws the cells that have changed, of the one grid that p is for; resets the grid's dirty rows. */
void pixels_update(struct pixels *p, struct vt *v);
/** The sixteen colours; in a panic black becomes a dark red. */
void pixels_set_palette(struct pixels *p, bool is_panic);
