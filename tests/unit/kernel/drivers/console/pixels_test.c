/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of kernel/drivers/console/pixels.c into ordinary memory.
 *
 * That video memory is never read is shown by drawing one script into two buffers, one of them scrambled again and again
 * behind the drawer's back: what it draws must be the same in both, wherever it draws.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/drivers/console/pixels.h"

static struct vt v;
static struct pixels p;
static vt_cell_t grid[VT_COLUMNS_MAX * VT_ROWS_MAX], shown[VT_COLUMNS_MAX * VT_ROWS_MAX];

/* A framebuffer with a guard behind it that the sanitizer watches: exactly as many bytes as the last pixel needs. */
static struct boot_framebuffer frame(uint32_t width, uint32_t height, uint32_t stride) {
  return (struct boot_framebuffer){.size = ((uint64_t)stride * (height - 1) + width) * 4,
                                   .width = width,
                                   .height = height,
                                   .stride = stride,
                                   .format = BOOT_PIXEL_BGR,
                                   .red_mask = 0xff0000,
                                   .green_mask = 0xff00,
                                   .blue_mask = 0xff};
}

static uint32_t *start(const struct boot_framebuffer *fb) {
  uint32_t *memory = malloc(fb->size);
  assert_non_null(memory);
  memset(memory, 0xa5, fb->size);
  assert_int_equal(pixels_init(&p, fb, memory, shown), OK);
  vt_init(&v, p.columns, p.rows, grid);
  pixels_clear(&p);
  return memory;
}

static void type(const char *text) {
  vt_write(&v, text, strlen(text));
  pixels_update(&p, &v);
}

/* Whether a glyph's pixel is on, from the font itself. */
static bool glyph_pixel(const struct font *f, uint32_t glyph, uint32_t x, uint32_t y) {
  const uint32_t pitch = (f->width + 7) / 8;
  return (f->bits[((size_t)glyph * f->height + y) * pitch + x / 8] >> (7 - x % 8) & 1) != 0;
}

static void check_cell(const uint32_t *memory, uint32_t column, uint32_t line, char c, uint32_t on, uint32_t off) {
  for (uint32_t y = 0; y < p.font->height * p.scale; y++)
    for (uint32_t x = 0; x < p.font->width * p.scale; x++) {
      const uint32_t px = p.left + column * p.font->width * p.scale + x;
      const uint32_t py = p.upper + line * p.font->height * p.scale + y;
      const bool is_on = glyph_pixel(p.font, (uint32_t)c - 0x20, x / p.scale, y / p.scale);
      assert_int_equal(memory[(size_t)py * p.fb.stride + px], is_on ? on : off);
    }
}

static void glyphs_are_drawn_pixel_by_pixel_in_every_font(void **context) {
  (void)context;
  static const uint32_t modes[][3] = {{800, 600, 800},    {805, 603, 832},    {1280, 800, 1280},
                                      {1920, 1080, 1920}, {3840, 2160, 3840}, {7680, 4320, 7680}};
  static const uint32_t cells[][3] = {{100, 37, 8}, {100, 37, 8}, {160, 50, 8}, {160, 45, 12}, {240, 67, 16}, {240, 67, 32}};
  for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
    const struct boot_framebuffer fb = frame(modes[i][0], modes[i][1], modes[i][2]);
    uint32_t *memory = start(&fb);
    assert_int_equal(p.columns, cells[i][0]);
    assert_int_equal(p.rows, cells[i][1]);
    assert_int_equal(p.font->width * p.scale, cells[i][2]);
    type("A\033[31mg\033[0m#\n\033[97;44m@");
    check_cell(memory, 0, 0, 'A', p.palette[7], p.palette[0]);
    check_cell(memory, 1, 0, 'g', p.palette[1], p.palette[0]);
    check_cell(memory, 2, 0, '#', p.palette[7], p.palette[0]);
    check_cell(memory, 0, 1, '@', p.palette[15], p.palette[4]);
    check_cell(memory, p.columns - 1, p.rows - 1, ' ', p.palette[7], p.palette[0]);
    free(memory);
  }
}

static void only_visible_pixels_are_written(void **context) {
  (void)context;
  const struct boot_framebuffer fb = frame(803, 601, 900);
  uint32_t *memory = start(&fb);
  for (unsigned i = 0; i < 60; i++)
    type("\033[7mfull line \033[0m of text that is long enough to wrap around the end of it, "
         "wherever the end may be on this screen\n");
  for (uint32_t y = 0; y + 1 < fb.height; y++)
    for (uint32_t x = fb.width; x < fb.stride; x++) assert_int_equal(memory[(size_t)y * fb.stride + x], 0xa5a5a5a5);
  free(memory);
}

static void formats_put_the_channels_where_the_masks_say(void **context) {
  (void)context;
  static const uint32_t masks[][3] = {{0xff, 0xff00, 0xff0000},
                                      {0xff0000, 0xff00, 0xff},
                                      {0xf800, 0x7e0, 0x1f},
                                      {0x3ff00000, 0xffc00, 0x3ff},
                                      {0xff000000, 0xff0000, 0xff00}};
  for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
    struct boot_framebuffer fb = frame(160, 100, 160);
    fb.format = BOOT_PIXEL_BITMASK;
    fb.red_mask = masks[i][0];
    fb.green_mask = masks[i][1];
    fb.blue_mask = masks[i][2];
    uint32_t *memory = start(&fb);
    const uint32_t all = fb.red_mask | fb.green_mask | fb.blue_mask;
    assert_int_equal(p.palette[15] & ~all, 0);
    /* White is at least the upper 8 bits of each channel. */
    for (unsigned channel = 0; channel < 3; channel++) {
      const uint32_t mask = masks[i][channel];
      const uint32_t got = (p.palette[15] & mask) >> __builtin_ctz(mask), most = mask >> __builtin_ctz(mask);
      assert_true(got >= most - (most >> 8));
    }
    /* Red is red: 255, 105, 97. */
    const uint32_t red = (p.palette[9] & fb.red_mask) >> __builtin_ctz(fb.red_mask);
    const uint32_t blue = (p.palette[9] & fb.blue_mask) >> __builtin_ctz(fb.blue_mask);
    assert_true(red > blue * 2);
    free(memory);
  }
}

static void what_does_not_hold_together_is_refused(void **context) {
  (void)context;
  static uint32_t memory[64 * 64];
  struct boot_framebuffer fb = frame(64, 64, 64);
  assert_int_equal(pixels_init(&p, &fb, NULL, shown), ERR_UNSUPPORTED);
  fb.format = BOOT_PIXEL_NONE;
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_UNSUPPORTED);
  fb.format = 77;
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_UNSUPPORTED);
  fb = frame(64, 64, 64);
  fb.size--;
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_CORRUPT);
  fb = frame(64, 64, 64);
  fb.stride = 63;
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_CORRUPT);
  fb = frame(64, 64, 64);
  fb.green_mask = 0;
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_CORRUPT);
  fb = frame(0xffffffff, 2, 0xffffffff);
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_CORRUPT);
  fb = frame(7, 64, 64);
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_UNSUPPORTED);
  fb = frame(64, 15, 64);
  assert_int_equal(pixels_init(&p, &fb, memory, shown), ERR_UNSUPPORTED);
}

static void the_smallest_screen_has_one_cell(void **context) {
  (void)context;
  const struct boot_framebuffer fb = frame(8, 16, 8);
  uint32_t *memory = start(&fb);
  assert_int_equal(p.columns * p.rows, 1);
  type("many words\non many lines\033[5;5H\033[Jz");
  free(memory);
}

static uint64_t state = 1;
static uint32_t draw(void) {
  state = state * 6364136223846793005U + 1442695040888963407U;
  return (uint32_t)(state >> 33);
}

/* Fills a string with text, colours, movement and line feeds. */
static void compose(char *to, size_t n) {
  static const char *const pieces[] = {"word ", "\n",     "\033[31m", "\033[0m", "\033[3;4H", "\033[K",
                                       "█",     "\033[J", "\r",       "\033[7m", "x"};
  to[0] = '\0';
  for (size_t used = 0; used + 8 < n; used = strlen(to))
    snprintf(to + used, n - used, "%s", pieces[draw() % (sizeof(pieces) / sizeof(pieces[0]))]);
}

static void drawing_never_depends_on_what_is_in_video_memory(void **context) {
  (void)context;
  const struct boot_framebuffer fb = frame(200, 120, 208);
  uint32_t *memory = start(&fb), *before = malloc(fb.size), *clean = malloc(fb.size);
  if (before == NULL || clean == NULL) abort();
  memcpy(clean, memory, fb.size);
  for (unsigned round = 0; round < 300; round++) {
    char text[200];
    compose(text, sizeof(text));
    for (size_t i = 0; i < fb.size / 4; i++) memory[i] = before[i] = draw();
    type(text);
    for (size_t i = 0; i < fb.size / 4; i++)
      if (memory[i] != before[i]) clean[i] = memory[i];
  }
  /* What was drawn piece by piece over noise is what a full redraw draws; a pixel may have met its own value by chance. */
  p.must_draw_all = true;
  pixels_update(&p, &v);
  size_t different = 0;
  for (uint32_t y = p.upper; y < p.upper + p.rows * p.font->height; y++)
    for (uint32_t x = p.left; x < p.left + p.columns * p.font->width; x++)
      different += clean[(size_t)y * fb.stride + x] != memory[(size_t)y * fb.stride + x];
  assert_int_equal(different, 0);
  free(memory);
  free(before);
  free(clean);
}

static void an_update_draws_only_cells_that_have_changed(void **context) {
  (void)context;
  const struct boot_framebuffer fb = frame(800, 600, 800);
  uint32_t *memory = start(&fb);
  type("hello");
  memset(memory, 0x11, fb.size);
  type("!");
  size_t touched = 0;
  for (size_t i = 0; i < fb.size / 4; i++) touched += memory[i] != 0x11111111;
  assert_int_equal(touched, 2 * 8 * 16); /* The character and the cursor behind it. */
  free(memory);
}

/* As the kernel begins: a small grid in the corner, then one of the whole screen; only what changes is drawn. */
static void a_small_grid_goes_on_in_one_of_the_whole_screen(void **context) {
  (void)context;
  static vt_cell_t few[10 * 3];
  static struct vt small;
  static struct pixels corner;
  const struct boot_framebuffer fb = frame(173, 121, 180);
  uint32_t *memory = calloc(1, fb.size);
  vt_cell_t *few_shown = malloc(sizeof(few));
  if (memory == NULL || few_shown == NULL) abort();
  assert_int_equal(pixels_init(&corner, &fb, memory, few_shown), OK);
  p = corner;
  vt_init(&small, 10, 3, few);
  pixels_clear(&corner);
  static const char text[] = "one\ntwo\n\033[32mthree\nfour567890"; /* The wrap is pending, the cursor on the last cell. */
  vt_write(&small, text, sizeof(text) - 1);
  pixels_update(&corner, &small);
  check_cell(memory, 0, 0, 't', p.palette[7], p.palette[0]);
  check_cell(memory, 3, 2, 'r', p.palette[2], p.palette[0]);
  check_cell(memory, 12, 2, ' ', p.palette[7], p.palette[0]);
  vt_init(&v, corner.columns, corner.rows, grid);
  vt_resume(&v, &small);
  pixels_resume(&p, &v, shown, &corner, &small);
  memset(memory, 0x11, fb.size);
  type("\rF");
  check_cell(memory, 0, 2, 'F', p.palette[2], p.palette[0]);
  check_cell(memory, 9, 2, '0', p.palette[2], p.palette[0]); /* Where the cursor was. */
  check_cell(memory, 1, 2, 'o', p.palette[0], p.palette[2]); /* Where it is. */
  size_t touched = 0;
  for (size_t i = 0; i < fb.size / 4; i++) touched += memory[i] != 0x11111111;
  assert_int_equal(touched, 3 * 8 * 16);
  type("\033[H\033[K"); /* "two", which the small grid has drawn. */
  for (uint32_t x = 1; x < 3; x++) check_cell(memory, x, 0, ' ', p.palette[7], p.palette[0]);
  free(memory);
  free(few_shown);
}

static void a_panic_changes_the_background_of_everything(void **context) {
  (void)context;
  const struct boot_framebuffer fb = frame(160, 64, 160);
  uint32_t *memory = start(&fb);
  type("text");
  const uint32_t calm = p.palette[0];
  pixels_set_palette(&p, true);
  type("");
  assert_true(p.palette[0] != calm);
  for (size_t i = 0; i < fb.size / 4; i++) assert_true(memory[i] != calm);
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(glyphs_are_drawn_pixel_by_pixel_in_every_font),
      cmocka_unit_test(only_visible_pixels_are_written),
      cmocka_unit_test(formats_put_the_channels_where_the_masks_say),
      cmocka_unit_test(what_does_not_hold_together_is_refused),
      cmocka_unit_test(the_smallest_screen_has_one_cell),
      cmocka_unit_test(drawing_never_depends_on_what_is_in_video_memory),
      cmocka_unit_test(an_update_draws_only_cells_that_have_changed),
      cmocka_unit_test(a_small_grid_goes_on_in_one_of_the_whole_screen),
      cmocka_unit_test(a_panic_changes_the_background_of_everything),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
