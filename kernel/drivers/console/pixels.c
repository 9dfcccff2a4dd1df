/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/pixels.c — draws cells into a framebuffer.
 *
 * HOW      `shown` remembers what stands on the screen; an update compares it with the grid, row by row where rows are
 *          dirty, and draws the cells that differ.  A glyph's row is drawn two pixels at a time from a table of the four
 *          pairs that two colours can make, with 64-bit stores.
 * WHY NOT  a copy of the pixels in RAM: 33 MB at 4K; cells are 100 KiB and comparing them is faster than comparing pixels.
 * INVARIANTS  Video memory is never read.  No byte outside [memory, memory + fb.size) is written.
 */
#include "kernel/drivers/console/pixels.h"

#include "base/bits.h"
#include "lib/string.h"

typedef uint64_t pair_t __attribute__((may_alias, aligned(4)));
typedef uint32_t pixel_t __attribute__((may_alias, aligned(4)));

#define SIDE_MAX 16384 /* Pixels; UEFI firmware goes to 8K. */

/* Red, green, blue, 0 to 255: dark enough behind, bright enough to read. */
static const uint8_t colours[16][3] = {
    {16, 18, 22},    {205, 66, 60},   {80, 170, 90},   {200, 150, 50},  {70, 120, 210},  {165, 95, 190},
    {60, 165, 175},  {205, 208, 212}, {105, 112, 122}, {255, 105, 97},  {120, 215, 130}, {250, 205, 95},
    {110, 165, 255}, {215, 145, 240}, {100, 220, 230}, {255, 255, 255},
};
static const uint8_t panic_background[3] = {72, 10, 14};

static uint32_t channel(uint32_t mask, uint8_t value) {
  const unsigned width = bits_count(mask), shift = bits_lowest(mask);
  const uint32_t scaled = width >= 8 ? (uint32_t)value << (width - 8) : (uint32_t)value >> (8 - width);
  return (scaled << shift) & mask;
}

static uint32_t pixel_of(const struct boot_framebuffer *fb, const uint8_t rgb[static 3]) {
  return channel(fb->red_mask, rgb[0]) | channel(fb->green_mask, rgb[1]) | channel(fb->blue_mask, rgb[2]);
}

void pixels_set_palette(struct pixels *p, bool is_panic) {
  for (unsigned i = 0; i < 16; i++) p->palette[i] = pixel_of(&p->fb, colours[i]);
  if (is_panic) p->palette[0] = pixel_of(&p->fb, panic_background);
  p->must_draw_all = true;
}

static status_t check(const struct boot_framebuffer *fb) {
  if (fb->format == BOOT_PIXEL_NONE || fb->format > BOOT_PIXEL_BITMASK) return ERR_UNSUPPORTED;
  if (fb->width == 0 || fb->height == 0 || fb->width > SIDE_MAX || fb->height > SIDE_MAX) return ERR_CORRUPT;
  if (fb->stride < fb->width || fb->stride > 4 * SIDE_MAX) return ERR_CORRUPT;
  /* The last line may end with its last visible pixel. */
  const uint64_t needed = ((uint64_t)fb->stride * (fb->height - 1) + fb->width) * 4;
  if (fb->size < needed) return ERR_CORRUPT;
  return fb->red_mask != 0 && fb->green_mask != 0 && fb->blue_mask != 0 ? OK : ERR_CORRUPT;
}

/*
 * About 100 to 213 columns on every screen: 8x16 up to 1366 pixels a line (800x600: 100 x 37, 1280x800: 160 x 50), 12x24 up
 * to 2560, 16x32 above, and the largest font doubled as often as it takes to stay within 240 columns (8K).
 */
static void pick_font(struct pixels *p) {
  static const uint32_t widest[] = {1366, 2560};
  size_t size = 0;
  while (size < ARRAY_COUNT(widest) && size + 1 < font_size_count && p->fb.width > widest[size]) size++;
  p->font = &font_sizes[size];
  p->scale = 1;
  while (p->fb.width / (p->font->width * p->scale) > VT_COLUMNS_MAX ||
         p->fb.height / (p->font->height * p->scale) > VT_ROWS_MAX)
    p->scale++;
}

status_t pixels_init(struct pixels *p, const struct boot_framebuffer *fb, void *memory, vt_cell_t *shown) {
  const status_t status = memory == NULL ? ERR_UNSUPPORTED : check(fb);
  if (status != OK) return status;
  if (fb->width < font_sizes[0].width || fb->height < font_sizes[0].height) return ERR_UNSUPPORTED;
  p->fb = *fb;
  p->memory = memory;
  p->shown = shown;
  pick_font(p);
  const uint32_t cell_width = p->font->width * p->scale, cell_height = p->font->height * p->scale;
  p->columns = fb->width / cell_width;
  p->rows = fb->height / cell_height;
  p->left = (fb->width - p->columns * cell_width) / 2;
  p->upper = (fb->height - p->rows * cell_height) / 2;
  pixels_set_palette(p, false);
  return OK;
}

static uint8_t *pixel_at(const struct pixels *p, uint32_t x, uint32_t y) {
  return p->memory + ((size_t)y * p->fb.stride + x) * 4;
}

void pixels_clear(struct pixels *p) {
  const uint64_t pair = p->palette[0] | (uint64_t)p->palette[0] << 32;
  for (uint32_t y = 0; y < p->fb.height; y++) {
    uint8_t *line = pixel_at(p, 0, y);
    for (uint32_t x = 0; x + 1 < p->fb.width; x += 2) *(pair_t *)(line + (size_t)x * 4) = pair;
    if (p->fb.width % 2 != 0) *(pixel_t *)pixel_at(p, p->fb.width - 1, y) = p->palette[0];
  }
  p->must_draw_all = true;
}

/* One line of a glyph, unscaled: `bits` has its leftmost pixel in bit 31. */
static inline void draw_line(uint8_t *to, uint32_t bits, uint32_t width, const uint64_t pairs[static 4]) {
  for (uint32_t x = 0; x < width; x += 2, bits <<= 2, to += 8) *(pair_t *)to = pairs[bits >> 30];
}

static void draw_line_scaled(const struct pixels *p, uint8_t *to, uint32_t bits, const uint32_t ink[static 2]) {
  for (uint32_t x = 0; x < p->font->width; x++, bits <<= 1)
    for (uint32_t i = 0; i < p->scale; i++, to += 4) *(pixel_t *)to = ink[bits >> 31];
}

static uint32_t glyph_bits(const uint8_t **row, uint32_t bytes) {
  uint32_t bits = 0;
  for (uint32_t i = 0; i < bytes; i++) bits |= (uint32_t)(*row)[i] << (24 - 8 * i);
  *row += bytes;
  return bits;
}

static void draw_cell(const struct pixels *p, uint32_t column, uint32_t line, vt_cell_t cell) {
  uint32_t ink[2] = {p->palette[vt_cell_background(cell)], p->palette[vt_cell_foreground(cell)]};
  if ((cell & VT_CURSOR) != 0) {
    const uint32_t swap = ink[0];
    ink[0] = ink[1];
    ink[1] = swap;
  }
  const uint32_t bytes = (p->font->width + 7) / 8;
  const uint8_t *row = p->font->bits + (size_t)vt_cell_glyph(cell) * bytes * p->font->height;
  const uint64_t low = ink[0], high = ink[1]; /* The left pixel of a pair lies at the lower address. */
  const uint64_t pairs[4] = {low | low << 32, low | high << 32, high | low << 32, high | high << 32};
  uint8_t *to = pixel_at(p, p->left + column * p->font->width * p->scale, p->upper + line * p->font->height * p->scale);
  const size_t step = (size_t)p->fb.stride * 4;
  for (uint32_t y = 0; y < p->font->height; y++) {
    const uint32_t bits = glyph_bits(&row, bytes);
    if (p->scale == 1) {
      draw_line(to, bits, p->font->width, pairs);
      to += step;
    } else {
      for (uint32_t i = 0; i < p->scale; i++, to += step) draw_line_scaled(p, to, bits, ink);
    }
  }
}

void pixels_resume(struct pixels *p, const struct vt *v, vt_cell_t *shown, const struct pixels *from, const struct vt *was) {
  *p = *from;
  p->shown = shown;
  for (uint32_t y = 0; y < v->rows; y++)
    for (uint32_t x = 0; x < v->columns; x++, shown++) {
      const bool is_drawn = y < was->rows && x < was->columns;
      *shown = is_drawn ? from->shown[(size_t)y * was->columns + x] : VT_BLANK;
    }
}

void pixels_update(struct pixels *p, struct vt *v) {
  const uint32_t first = p->must_draw_all ? 0 : v->dirty_first;
  const uint32_t rows = v->rows < p->rows ? v->rows : p->rows;
  const uint32_t columns = v->columns < p->columns ? v->columns : p->columns;
  const uint32_t end = p->must_draw_all || v->dirty_end > rows ? rows : v->dirty_end;
  for (uint32_t y = first; y < end; y++) {
    vt_cell_t *shown = &p->shown[(size_t)y * v->columns];
    for (uint32_t x = 0; x < columns; x++) {
      const vt_cell_t cell = vt_cell(v, x, y);
      if (cell == shown[x] && !p->must_draw_all) continue;
      shown[x] = cell;
      if (vt_cell_glyph(cell) < font_character_count) draw_cell(p, x, y, cell);
    }
  }
  p->must_draw_all = false;
  v->dirty_first = UINT32_MAX;
  v->dirty_end = 0;
}
