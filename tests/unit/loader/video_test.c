/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * video_test.c — which mode is picked, and what is believed about it, with a display that says what the test wants.
 *
 * The display has three modes, and two of impossible sizes that it can be made to name; setting one changes what it says
 * about itself, as firmware does.
 */
#include "loader/video.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "efi/gop.h"
#include "loader/console.h"

#define ADDRESS_END (UINT64_C(1) << 40)
#define FIRST_SIZE  (UINT64_C(704) * 480 * 4) /* Bytes of the first mode. */

static const struct {
  uint32_t width, height;
} modes[] = {{640, 480}, {1920, 1080}, {1024, 768}, {0, 0}, {70000, 70000}};

static EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
static EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
static EFI_GRAPHICS_OUTPUT_PROTOCOL gop = {.Mode = &mode};
static struct {
  unsigned sets, warnings;
  bool has_display, refuses, has_panel;
} display;

static void show(uint32_t number) {
  mode.Mode = number;
  mode.Info = &info;
  info.HorizontalResolution = modes[number].width;
  info.VerticalResolution = modes[number].height;
  info.PixelsPerScanLine = modes[number].width + 64;
  mode.FrameBufferSize = (uint64_t)info.PixelsPerScanLine * modes[number].height * 4;
}

static int setup(void **state) {
  (void)state;
  memset(&display, 0, sizeof display);
  memset(&info, 0, sizeof info);
  memset(&mode, 0, sizeof mode);
  display.has_display = true;
  info.PixelFormat = PixelBlueGreenRedReserved8BitPerColor;
  mode.MaxMode = 3;
  mode.FrameBufferBase = 0x80000000;
  show(0);
  return 0;
}

/* --- what the loader finds ------------------------------------------------------------------------------------------ */

struct efi_gop efi_gop_find(void) { return (struct efi_gop){.gop = display.has_display ? &gop : NULL}; }

status_t efi_gop_query(const struct efi_gop *d, uint32_t number, struct efi_gop_mode *out) {
  (void)d;
  if (number >= ARRAY_COUNT(modes)) return ERR_INVALID;
  *out = (struct efi_gop_mode){modes[number].width, modes[number].height, info.PixelFormat < PixelBltOnly};
  return OK;
}

status_t efi_gop_set(const struct efi_gop *d, uint32_t number) {
  (void)d;
  display.sets++;
  if (display.refuses) return ERR_IO;
  show(number);
  return OK;
}

status_t efi_gop_panel(const struct efi_gop *d, uint32_t *width, uint32_t *height) {
  (void)d;
  if (!display.has_panel) return ERR_NOT_FOUND;
  *width = 1024;
  *height = 768;
  return OK;
}

void console_warn(const char *format, ...) {
  (void)format;
  display.warnings++;
}

static struct boot_framebuffer pick(uint32_t video, uint32_t width, uint32_t height) {
  static struct boot_config config;
  struct boot_framebuffer fb;
  config.video = video;
  config.video_width = width;
  config.video_height = height;
  memset(&fb, 0xa5, sizeof fb);
  video_pick(&config, ADDRESS_END, &fb);
  return fb;
}

static struct boot_framebuffer keep(void) { return pick(CONFIG_VIDEO_KEEP, 0, 0); }

static void expect_none(void) {
  static const struct boot_framebuffer none = {.format = BOOT_PIXEL_NONE};
  struct boot_framebuffer fb = keep();
  assert_memory_equal(&fb, &none, sizeof fb);
  assert_true(display.warnings > 0);
}

/* --- which mode ----------------------------------------------------------------------------------------------------- */

static void the_configured_size_comes_first(void **state) {
  (void)state;
  struct boot_framebuffer fb = pick(CONFIG_VIDEO_SIZE, 1024, 768);
  assert_int_equal(fb.width, 1024);
  assert_int_equal(fb.height, 768);
  assert_int_equal(display.warnings, 0);
}

static void a_size_that_there_is_not_becomes_the_largest_with_a_warning(void **state) {
  (void)state;
  assert_int_equal(pick(CONFIG_VIDEO_SIZE, 1000, 1000).width, 1920);
  assert_int_equal(display.warnings, 1);
}

static void the_panel_says_its_size_and_without_one_the_largest_is_taken(void **state) {
  (void)state;
  assert_int_equal(pick(CONFIG_VIDEO_PANEL, 0, 0).width, 1920);
  display.has_panel = true;
  assert_int_equal(pick(CONFIG_VIDEO_PANEL, 0, 0).width, 1024);
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 1920);
}

static void a_mode_that_is_set_already_is_not_set_again(void **state) {
  (void)state;
  show(1);
  assert_int_equal(pick(CONFIG_VIDEO_SIZE, 1920, 1080).width, 1920);
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 1920);
  assert_int_equal(keep().width, 1920);
  assert_int_equal(display.sets, 0);
}

static void a_display_that_was_never_set_gets_its_own_mode(void **state) {
  (void)state;
  mode.Info = NULL;
  assert_int_equal(keep().width, 640);
  assert_int_equal(display.sets, 1);
}

static void a_refused_mode_leaves_the_firmware_s(void **state) {
  (void)state;
  display.refuses = true;
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 640);
  assert_int_equal(display.warnings, 1);
}

static void a_mode_of_an_impossible_size_is_nobody_s_choice(void **state) {
  (void)state;
  mode.MaxMode = 4;
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 1920);
  mode.MaxMode = 5;
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 1920);
}

static void any_number_of_modes_comes_to_an_end(void **state) {
  (void)state;
  mode.MaxMode = UINT32_MAX;
  assert_int_equal(pick(CONFIG_VIDEO_LARGEST, 0, 0).width, 1920);
}

/* --- what is believed ----------------------------------------------------------------------------------------------- */

static void the_pitch_and_the_size_are_those_after_setting_the_mode(void **state) {
  (void)state;
  struct boot_framebuffer fb = pick(CONFIG_VIDEO_LARGEST, 0, 0);
  assert_int_equal(fb.stride, 1984);
  assert_int_equal(fb.size, UINT64_C(1984) * 1080 * 4);
  assert_int_equal(fb.base, 0x80000000);
}

static void the_two_usual_formats_have_their_masks(void **state) {
  (void)state;
  struct boot_framebuffer fb = keep();
  assert_int_equal(fb.format, BOOT_PIXEL_BGR);
  assert_int_equal(fb.red_mask, 0xff0000);
  assert_int_equal(fb.blue_mask, 0xff);
  info.PixelFormat = PixelRedGreenBlueReserved8BitPerColor;
  fb = keep();
  assert_int_equal(fb.format, BOOT_PIXEL_RGB);
  assert_int_equal(fb.red_mask, 0xff);
  assert_int_equal(fb.green_mask, 0xff00);
}

static void use_masks(uint32_t red, uint32_t green, uint32_t blue, uint32_t reserved) {
  info.PixelFormat = PixelBitMask;
  info.PixelInformation = (EFI_PIXEL_BITMASK){red, green, blue, reserved};
}

static void masks_are_taken_when_they_can_be(void **state) {
  (void)state;
  use_masks(0x3ff00000, 0xffc00, 0x3ff, 0xc0000000);
  struct boot_framebuffer fb = keep();
  assert_int_equal(fb.format, BOOT_PIXEL_BITMASK);
  assert_int_equal(fb.red_mask, 0x3ff00000);
  use_masks(0xff0000, 0xff00, 0xff, 0); /* Room for 32 bits: the reserved byte was forgotten. */
  assert_int_equal(keep().format, BOOT_PIXEL_BITMASK);
  use_masks(0xf0f0, 0xff00, 0, 0xff000000);
  expect_none();
  use_masks(0xff0000, 0xffff00, 0xff, 0xff000000); /* Overlap. */
  expect_none();
  use_masks(0x5000000, 0xff00, 0xff, 0); /* A hole. */
  expect_none();
}

static void pixels_of_16_and_24_bits_are_no_framebuffer(void **state) {
  (void)state;
  use_masks(0xf800, 0x7e0, 0x1f, 0);
  expect_none();
  mode.FrameBufferSize /= 2;
  expect_none();
  use_masks(0xff0000, 0xff00, 0xff, 0);
  mode.FrameBufferSize = (uint64_t)info.PixelsPerScanLine * info.VerticalResolution * 3;
  expect_none();
}

static void a_display_without_framebuffer_still_boots(void **state) {
  (void)state;
  info.PixelFormat = PixelBltOnly;
  expect_none();
  info.PixelFormat = PixelFormatMax;
  expect_none();
  mode.Info = NULL;
  display.refuses = true;
  expect_none();
  display.has_display = false;
  expect_none();
}

static void a_framebuffer_is_never_larger_than_the_firmware_says(void **state) {
  (void)state;
  mode.FrameBufferSize -= 1;
  struct boot_framebuffer fb = keep();
  assert_int_equal(fb.height, 479);
  assert_int_equal(fb.size, UINT64_C(704) * 4 * 479);
  assert_int_equal(display.warnings, 1);
  mode.FrameBufferSize = FIRST_SIZE / 480 - 1;
  expect_none();
  mode.FrameBufferSize = 0; /* Not said at all. */
  assert_int_equal(keep().height, 480);
}

static void a_pitch_below_the_width_is_the_width(void **state) {
  (void)state;
  info.PixelsPerScanLine = 0;
  assert_int_equal(keep().stride, 640);
  assert_int_equal(display.warnings, 1);
}

static void sizes_and_addresses_that_cannot_be_are_no_framebuffer(void **state) {
  (void)state;
  static const uint64_t bases[] = {0, ADDRESS_END, UINT64_MAX - 4096, ADDRESS_END - FIRST_SIZE + 1};
  for (unsigned i = 0; i < 4; i++) {
    mode.FrameBufferBase = bases[i];
    expect_none();
  }
  mode.FrameBufferBase = ADDRESS_END - FIRST_SIZE; /* Above 4 GiB, and the last there can be. */
  assert_int_equal(keep().base, ADDRESS_END - FIRST_SIZE);
  info.PixelsPerScanLine = UINT32_MAX;
  expect_none();
  info.PixelsPerScanLine = 704;
  info.VerticalResolution = 0;
  expect_none();
  info.VerticalResolution = UINT32_MAX;
  expect_none();
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
  const struct CMUnitTest tests[] = {
      TEST(the_configured_size_comes_first),
      TEST(a_size_that_there_is_not_becomes_the_largest_with_a_warning),
      TEST(the_panel_says_its_size_and_without_one_the_largest_is_taken),
      TEST(a_mode_that_is_set_already_is_not_set_again),
      TEST(a_display_that_was_never_set_gets_its_own_mode),
      TEST(a_refused_mode_leaves_the_firmware_s),
      TEST(a_mode_of_an_impossible_size_is_nobody_s_choice),
      TEST(any_number_of_modes_comes_to_an_end),
      TEST(the_pitch_and_the_size_are_those_after_setting_the_mode),
      TEST(the_two_usual_formats_have_their_masks),
      TEST(masks_are_taken_when_they_can_be),
      TEST(pixels_of_16_and_24_bits_are_no_framebuffer),
      TEST(a_display_without_framebuffer_still_boots),
      TEST(a_framebuffer_is_never_larger_than_the_firmware_says),
      TEST(a_pitch_below_the_width_is_the_width),
      TEST(sizes_and_addresses_that_cannot_be_are_no_framebuffer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
