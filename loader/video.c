/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/video.c — picks a mode and distrusts what is said about it.
 *
 * HOW    The wanted size is the configured one, else the panel's (EDID), else the largest; `keep` wants none.  Setting a
 *        mode clears the screen (megabytes, millions of instructions), so the mode in use stays when it has that size
 *        already.  What counts afterwards is Mode->Info alone: QueryMode is known to name wrong pitches.
 * CHECKS The pitch is at least the width; the size is pitch times height, or less where the firmware says that less is
 *        there (then whole lines are given up: there are panels whose last lines have no memory behind them); masks are
 *        disjoint, each one is a row of bits, and a pixel has 32 of them; nothing lies at 0 or beyond the CPU's addresses.
 * What fails makes the framebuffer NONE. SOURCE UEFI 2.10: 12.9.
 */
#include "loader/video.h"

#include "base/bits.h"
#include "efi/gop.h"
#include "loader/console.h"

#define VIDEO_SIDE_MAX 32768U
#define NO_MODE        UINT32_MAX

struct wanted {
  uint32_t width, height; /* 0: the largest. */
};

/* Returns the mode of the wanted size, else the largest; NO_MODE when there is none with a framebuffer. */
static uint32_t find_mode(const struct efi_gop *display, struct wanted w, bool *is_exact) {
  uint32_t best = NO_MODE;
  uint64_t best_area = 0;
  *is_exact = false;
  for (uint32_t i = 0; i < display->gop->Mode->MaxMode && i < VIDEO_SIDE_MAX; i++) {
    struct efi_gop_mode m;
    if (efi_gop_query(display, i, &m) != OK || !m.is_linear) continue;
    if (m.width == 0 || m.height == 0 || m.width > VIDEO_SIDE_MAX || m.height > VIDEO_SIDE_MAX) continue;
    if (m.width == w.width && m.height == w.height) {
      *is_exact = true;
      return i;
    }
    uint64_t area = (uint64_t)m.width * m.height;
    if (area > best_area) {
      best_area = area;
      best = i;
    }
  }
  return best;
}

static struct wanted wanted_size(const struct boot_config *config, const struct efi_gop *display) {
  struct wanted w = {0};
  if (config->video == CONFIG_VIDEO_SIZE) w = (struct wanted){config->video_width, config->video_height};
  if (config->video == CONFIG_VIDEO_PANEL && efi_gop_panel(display, &w.width, &w.height) != OK) w = (struct wanted){0};
  return w;
}

static void choose_mode(const struct boot_config *config, const struct efi_gop *display) {
  const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode = display->gop->Mode;
  bool is_exact = false;
  /* A display that was never set has no description: setting its own mode makes one. */
  if (config->video == CONFIG_VIDEO_KEEP && mode->Info) return;
  struct wanted w = wanted_size(config, display);
  if (mode->Info && mode->Info->PixelFormat < PixelBltOnly && mode->Info->HorizontalResolution == w.width &&
      mode->Info->VerticalResolution == w.height)
    return;
  uint32_t found = config->video == CONFIG_VIDEO_KEEP ? mode->Mode : find_mode(display, w, &is_exact);
  if (config->video == CONFIG_VIDEO_SIZE && !is_exact) {
    console_warn("the display has no mode of %ux%u; taking the largest", w.width, w.height);
  }
  if (found == NO_MODE || (found == mode->Mode && mode->Info)) return;
  status_t s = efi_gop_set(display, found);
  if (s != OK) console_warn("the display refuses mode %u (%s); keeping the firmware's", found, status_name(s));
}

static bool is_one_row(uint32_t mask) {
  uint64_t filled = (uint64_t)mask | (mask - 1U);
  return mask != 0 && (filled & (filled + 1)) == 0;
}

/* The masks over a pixel; false when they cannot be. */
static bool read_format(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info, struct boot_framebuffer *fb) {
  const EFI_PIXEL_BITMASK *p = &info->PixelInformation;
  switch (info->PixelFormat) {
  case PixelRedGreenBlueReserved8BitPerColor:
    fb->format = BOOT_PIXEL_RGB;
    fb->red_mask = 0xff, fb->green_mask = 0xff00, fb->blue_mask = 0xff0000;
    return true;
  case PixelBlueGreenRedReserved8BitPerColor:
    fb->format = BOOT_PIXEL_BGR;
    fb->red_mask = 0xff0000, fb->green_mask = 0xff00, fb->blue_mask = 0xff;
    return true;
  case PixelBitMask:
    fb->format = BOOT_PIXEL_BITMASK;
    fb->red_mask = p->RedMask, fb->green_mask = p->GreenMask, fb->blue_mask = p->BlueMask;
    return is_one_row(p->RedMask) && is_one_row(p->GreenMask) && is_one_row(p->BlueMask) &&
           (p->RedMask & p->GreenMask) == 0 && ((p->RedMask | p->GreenMask) & p->BlueMask) == 0;
  default:
    return false;
  }
}

/* A pixel ends with the highest bit of its masks.  Masks of 24 bits are believed to have been given without their reserved
 * byte when the framebuffer is as large as that takes. */
static bool has_32_bits(const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info, bool has_room) {
  const EFI_PIXEL_BITMASK *p = &info->PixelInformation;
  const uint32_t all = p->RedMask | p->GreenMask | p->BlueMask | p->ReservedMask;
  return info->PixelFormat != PixelBitMask || all >> 24 != 0 || (all >> 16 != 0 && has_room);
}

/* Returns NULL and a filled framebuffer, or what is wrong. */
static const char *describe(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode, uint64_t address_end,
                            struct boot_framebuffer *fb) {
  const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = mode->Info;
  if (!info) return "the display does not describe its mode";
  if (info->PixelFormat == PixelBltOnly) return "the display has no linear framebuffer (Blt only)";
  if (!read_format(info, fb)) return "the display's pixels are laid out in no way that could be";
  fb->width = info->HorizontalResolution;
  fb->height = info->VerticalResolution;
  fb->stride = info->PixelsPerScanLine;
  if (fb->width == 0 || fb->height == 0 || fb->width > VIDEO_SIDE_MAX || fb->height > VIDEO_SIDE_MAX ||
      fb->stride > VIDEO_SIDE_MAX)
    return "the display's size cannot be";
  if (fb->stride < fb->width) {
    console_warn("the display names a pitch of %u for %u pixels; taking the width", fb->stride, fb->width);
    fb->stride = fb->width;
  }
  uint64_t line = (uint64_t)fb->stride * 4;
  const bool has_room = mode->FrameBufferSize == 0 || mode->FrameBufferSize >= line * fb->height;
  if (!has_32_bits(info, has_room)) return "the display's pixels have fewer than 32 bits";
  if (!has_room) {
    console_warn("the framebuffer of %llu bytes is too small for %u lines; using fewer",
                 (unsigned long long)mode->FrameBufferSize, fb->height);
    fb->height = (uint32_t)(mode->FrameBufferSize / line);
  }
  fb->base = mode->FrameBufferBase;
  fb->size = line * fb->height;
  if (fb->height == 0 || fb->base == 0 || fb->base >= address_end || fb->size > address_end - fb->base)
    return "the framebuffer lies where nothing can lie";
  return NULL;
}

void video_pick(const struct boot_config *config, uint64_t address_end, struct boot_framebuffer *fb) {
  struct efi_gop display = efi_gop_find();
  const char *wrong = "the firmware offers no graphics";
  *fb = (struct boot_framebuffer){.format = BOOT_PIXEL_NONE};
  if (display.gop) {
    choose_mode(config, &display);
    wrong = describe(display.gop->Mode, address_end, fb);
  }
  if (!wrong) return;
  *fb = (struct boot_framebuffer){.format = BOOT_PIXEL_NONE};
  console_warn("%s; booting without a screen", wrong);
}
