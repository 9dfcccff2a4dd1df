/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/vt.c — a small terminal: characters, colours, cursor movement.
 *
 * HOW      bytes ──► UTF-8 ──► character, control or escape sequence ──► cells.  Cells hold glyph indices of the font, found
 *          by binary search.  The cells are the caller's; a grid never changes its size, its contents may go on in a larger
 *          one.  The rows form a ring, so a line feed at the bottom clears one row and moves `top`.
 * BOUNDS   Every byte sequence is legal input.  The cursor is compared with the grid before each use, because a panic may
 *          come between any two statements and go on from there.
 * SOURCE   ECMA-48, the part named in include/kernel/console.h.
 */
#include "kernel/drivers/console/vt.h"

#include "kernel/drivers/console/font.h"
#include "lib/string.h"

enum { STATE_TEXT, STATE_ESCAPE, STATE_SEQUENCE };

#define FOREGROUND 7
#define BACKGROUND 0
#define TAB_WIDTH  8

/* Index of the character's glyph; that of '?' when the font has none. */
static uint32_t glyph_of(uint32_t character) {
  if (character >= 0x20 && character < 0x7f) return character - 0x20; /* gen-font puts ASCII first, without a hole. */
  size_t low = 0, high = font_character_count;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (font_characters[middle] == character) return (uint32_t)middle;
    if (font_characters[middle] < character)
      low = middle + 1;
    else
      high = middle;
  }
  return '?' - 0x20;
}

static void touch(struct vt *v, uint32_t row) {
  if (row < v->dirty_first) v->dirty_first = row;
  if (row >= v->dirty_end) v->dirty_end = row + 1;
}

static vt_cell_t *row_of(struct vt *v, uint32_t y) { return &v->cells[(size_t)((v->top + y) % v->rows) * v->columns]; }

static vt_cell_t make_cell(const struct vt *v, uint32_t glyph) {
  uint32_t foreground = v->foreground, background = v->background;
  if (v->is_bold && foreground < 8) foreground += 8;
  if (v->is_inverse) {
    const uint32_t swap = foreground;
    foreground = background;
    background = swap;
  }
  return glyph | foreground << 16 | background << 20;
}

/* Columns [from, to) of a row become blank in the current background. */
static void blank(struct vt *v, uint32_t y, uint32_t from, uint32_t to) {
  vt_cell_t *row = row_of(v, y);
  const vt_cell_t empty = (vt_cell_t)FOREGROUND << 16 | (vt_cell_t)v->background << 20;
  for (uint32_t x = from; x < to && x < v->columns; x++) row[x] = empty;
  touch(v, y);
}

static void clamp_cursor(struct vt *v) {
  if (v->x > v->columns) v->x = v->columns;
  if (v->y >= v->rows) v->y = v->rows - 1;
}

static void line_feed(struct vt *v) {
  v->x = 0;
  touch(v, v->y);
  if (v->y + 1 < v->rows) {
    v->y++;
    touch(v, v->y);
    return;
  }
  v->top = (v->top + 1) % v->rows;
  v->dirty_first = 0;
  v->dirty_end = v->rows;
  blank(v, v->rows - 1, 0, v->columns);
}

static void put_character(struct vt *v, uint32_t character) {
  if (v->x >= v->columns) line_feed(v);
  row_of(v, v->y)[v->x++] = make_cell(v, glyph_of(character));
  touch(v, v->y);
}

static void put_control(struct vt *v, uint8_t c) {
  touch(v, v->y);
  switch (c) {
  case '\n':
    line_feed(v);
    break;
  case '\r':
    v->x = 0;
    break;
  case '\b':
    v->x -= v->x != 0;
    break;
  case '\t':
    v->x = (v->x / TAB_WIDTH + 1) * TAB_WIDTH;
    break;
  case 0x1b:
    v->state = STATE_ESCAPE;
    v->argument_count = 0;
    break;
  default:
    break;
  }
  clamp_cursor(v);
}

static uint32_t argument(const struct vt *v, unsigned index, uint32_t fallback) {
  return index < v->argument_count && v->arguments[index] != 0 ? v->arguments[index] : fallback;
}

static void set_colour(struct vt *v, uint32_t code) {
  if (code == 0) {
    v->foreground = FOREGROUND;
    v->background = BACKGROUND;
    v->is_bold = v->is_inverse = false;
  } else if (code == 1)
    v->is_bold = true;
  else if (code == 22)
    v->is_bold = false;
  else if (code == 7)
    v->is_inverse = true;
  else if (code == 27)
    v->is_inverse = false;
  else if (code >= 30 && code <= 37)
    v->foreground = (uint8_t)(code - 30);
  else if (code == 39)
    v->foreground = FOREGROUND;
  else if (code >= 40 && code <= 47)
    v->background = (uint8_t)(code - 40);
  else if (code == 49)
    v->background = BACKGROUND;
  else if (code >= 90 && code <= 97)
    v->foreground = (uint8_t)(code - 90 + 8);
  else if (code >= 100 && code <= 107)
    v->background = (uint8_t)(code - 100 + 8);
}

static void set_colours(struct vt *v) {
  if (v->argument_count == 0) set_colour(v, 0);
  for (unsigned i = 0; i < v->argument_count; i++) set_colour(v, v->arguments[i]);
}

static void erase_line(struct vt *v) {
  const uint32_t mode = argument(v, 0, 0);
  blank(v, v->y, mode == 0 ? v->x : 0, mode == 1 ? v->x + 1 : v->columns);
}

static void erase_screen(struct vt *v) {
  if (argument(v, 0, 0) == 2) {
    for (uint32_t y = 0; y < v->rows; y++) blank(v, y, 0, v->columns);
    return;
  }
  blank(v, v->y, v->x, v->columns);
  for (uint32_t y = v->y + 1; y < v->rows; y++) blank(v, y, 0, v->columns);
}

static void move_cursor(struct vt *v, uint8_t letter) {
  const uint32_t n = argument(v, 0, 1);
  touch(v, v->y);
  switch (letter) {
  case 'A':
    v->y -= n < v->y ? n : v->y;
    break;
  case 'B':
    v->y += n;
    break;
  case 'C':
    v->x = v->x + n < v->columns ? v->x + n : v->columns - 1;
    break;
  case 'D':
    v->x -= n < v->x ? n : v->x;
    break;
  default:
    v->y = n - 1;
    v->x = argument(v, 1, 1) - 1;
    break;
  }
  clamp_cursor(v);
  if (v->x == v->columns) v->x = v->columns - 1;
  touch(v, v->y);
}

static void end_sequence(struct vt *v, uint8_t letter) {
  v->state = STATE_TEXT;
  switch (letter) {
  case 'm':
    set_colours(v);
    break;
  case 'K':
    erase_line(v);
    break;
  case 'J':
    erase_screen(v);
    break;
  case 'H':
  case 'f':
  case 'A':
  case 'B':
  case 'C':
  case 'D':
    move_cursor(v, letter);
    break;
  default:
    break;
  }
}

static void put_sequence(struct vt *v, uint8_t c) {
  if (v->argument_count > 8) v->argument_count = 8;
  if (c >= '0' && c <= '9') {
    if (v->argument_count == 0) v->arguments[v->argument_count++] = 0;
    uint16_t *last = &v->arguments[v->argument_count - 1];
    *last = (uint16_t)(*last < 1000 ? *last * 10 + (c - '0') : 9999);
  } else if (c == ';') {
    if (v->argument_count == 0) v->arguments[v->argument_count++] = 0;
    if (v->argument_count < 8) v->arguments[v->argument_count++] = 0;
  } else if (c >= '@' && c <= '~') {
    end_sequence(v, c);
  } else if (c < ' ') {
    v->state = STATE_TEXT;
  }
}

/* One byte of text; an invalid sequence shows as one '?' and the byte that broke it is read anew. */
static void put_text(struct vt *v, uint8_t c) {
  if (v->missing != 0) {
    if ((c & 0xc0) == 0x80) {
      v->character = v->character << 6 | (c & 0x3f);
      if (--v->missing == 0) put_character(v, v->character);
      return;
    }
    v->missing = 0;
    put_character(v, '?');
  }
  if (c >= 0xc2 && c < 0xf5) {
    v->missing = c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
    v->character = c & (0x3fU >> v->missing);
  } else if (c < ' ' || c == 0x7f) {
    put_control(v, c);
  } else {
    put_character(v, c < 0x80 ? c : '?');
  }
}

void vt_write(struct vt *v, const char *bytes, size_t n) {
  clamp_cursor(v);
  for (size_t i = 0; i < n; i++) {
    const uint8_t c = (uint8_t)bytes[i];
    if (v->state == STATE_SEQUENCE)
      put_sequence(v, c);
    else if (v->state == STATE_ESCAPE)
      v->state = c == '[' ? STATE_SEQUENCE : STATE_TEXT;
    else
      put_text(v, c);
  }
  touch(v, v->y);
}

void vt_recover(struct vt *v) {
  v->state = STATE_TEXT;
  v->missing = 0;
  set_colour(v, 0);
  clamp_cursor(v);
  v->dirty_first = 0;
  v->dirty_end = v->rows;
}

vt_cell_t vt_cell(const struct vt *v, uint32_t x, uint32_t y) {
  const vt_cell_t cell = v->cells[(size_t)((v->top + y) % v->rows) * v->columns + x];
  const uint32_t cursor_x = v->x < v->columns ? v->x : v->columns - 1;
  return x == cursor_x && y == v->y ? cell | VT_CURSOR : cell;
}

static uint32_t side(uint32_t wanted, uint32_t most) { return wanted == 0 ? 1 : wanted < most ? wanted : most; }

void vt_init(struct vt *v, uint32_t columns, uint32_t rows, vt_cell_t *cells) {
  memset(v, 0, sizeof(*v));
  v->columns = side(columns, VT_COLUMNS_MAX);
  v->rows = side(rows, VT_ROWS_MAX);
  v->cells = cells;
  vt_recover(v);
  for (uint32_t y = 0; y < v->rows; y++) blank(v, y, 0, v->columns);
}

void vt_resume(struct vt *v, const struct vt *from) {
  const struct vt empty = *v;
  *v = *from;
  v->columns = empty.columns;
  v->rows = empty.rows;
  v->cells = empty.cells;
  v->top = 0;
  v->dirty_first = 0;
  v->dirty_end = v->rows;
  for (uint32_t y = 0; y < from->rows && y < v->rows; y++)
    for (uint32_t x = 0; x < from->columns && x < v->columns; x++)
      v->cells[(size_t)y * v->columns + x] = vt_cell(from, x, y) & ~VT_CURSOR;
  clamp_cursor(v);
}
