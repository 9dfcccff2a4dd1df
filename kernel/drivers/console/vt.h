/* SPDX-License-Identifier: BSD-2-Clause */
/* vt.h — text with escape sequences onto a grid of cells.  Pure; knows no pixel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define VT_COLUMNS_MAX 240 /* 4K in 16x32. */
#define VT_ROWS_MAX    80  /* 1280x1280 in 8x16. */

/* A cell: glyph index in the low 16 bits, foreground in bits 16-19, background in bits 20-23, the cursor in bit 24. */
typedef uint32_t vt_cell_t;
#define VT_CURSOR UINT32_C(0x1000000)
#define VT_BLANK  (UINT32_C(7) << 16) /* Nothing, in the colours that a terminal begins with. */
static inline uint32_t vt_cell_glyph(vt_cell_t c) { return c & 0xffff; }
static inline uint32_t vt_cell_foreground(vt_cell_t c) { return (c >> 16) & 15; }
static inline uint32_t vt_cell_background(vt_cell_t c) { return (c >> 20) & 15; }

struct vt {
  uint32_t columns, rows;
  uint32_t x, y; /* Cursor; x == columns after the last column was written: the next character wraps. */
  uint32_t top;  /* Row of `cells` that is the first on the screen: scrolling moves this and copies nothing. */
  uint8_t foreground, background;
  bool is_bold, is_inverse;
  uint8_t state; /* Of the escape parser. */
  uint8_t argument_count;
  uint16_t arguments[8];
  uint32_t character; /* UTF-8: what has been read so far, and how many bytes are missing. */
  uint8_t missing;
  uint32_t dirty_first, dirty_end; /* Screen rows that may have changed since the caller reset them. */
  vt_cell_t *cells;                /* Its owner's: columns x rows of them. */
};

/** An empty screen in `cells`, columns x rows of them; both sizes at least 1, and cut to the maxima. */
void vt_init(struct vt *v, uint32_t columns, uint32_t rows, vt_cell_t *cells);
/** v, just initialised, goes on where `from`, which is not larger, is: cells, cursor, colours and parser; all rows are
 * dirty. */
void vt_resume(struct vt *v, const struct vt *from);
void vt_write(struct vt *v, const char *bytes, size_t n);
/** The parser, the cursor and the colours in a legal state, whatever was interrupted. */
void vt_recover(struct vt *v);
/** The cell on the screen at column x, row y, the cursor included. */
vt_cell_t vt_cell(const struct vt *v, uint32_t x, uint32_t y);
