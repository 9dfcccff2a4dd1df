/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/display.c — a display that lies about itself.
 *
 * HOW      The loader sees a copy of the graphics protocol, of its mode and of the mode's description; the copies are made
 *          anew after each SetMode, and the quirks are written into them.  EDID is made up whole, for a panel of any size.
 * SOURCE   UEFI 2.10: 12.9 (graphics output, EDID protocols); VESA E-EDID A2: 3.1, 3.10.2.
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define EDID_SIZE   128
#define EDID_TIMING 54

static struct {
  EFI_GRAPHICS_OUTPUT_PROTOCOL face, *real;
  EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
  EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
  bool was_set;
  UINT8 edid[EDID_SIZE];
  EFI_EDID_ACTIVE_PROTOCOL edid_face;
} display;

static void spoil_format(EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info) {
  bool is_bgr = info->PixelFormat == PixelBlueGreenRedReserved8BitPerColor;
  if (quirks_play(QUIRK_GOP_BLT_ONLY)) info->PixelFormat = PixelBltOnly;
  if (quirks_play(QUIRK_GOP_BITMASK)) {
    info->PixelFormat = PixelBitMask;
    info->PixelInformation = (EFI_PIXEL_BITMASK){.RedMask = is_bgr ? 0xff0000 : 0xff,
                                                 .GreenMask = 0xff00,
                                                 .BlueMask = is_bgr ? 0xff : 0xff0000,
                                                 .ReservedMask = 0xff000000};
  }
  if (quirks_play(QUIRK_GOP_BAD_MASK)) {
    info->PixelFormat = PixelBitMask;
    info->PixelInformation = (EFI_PIXEL_BITMASK){.RedMask = 0xf0f0, .GreenMask = 0xff00, .BlueMask = 0};
  }
}

/* Copies what the firmware says, and lies. */
static void refresh(void) {
  display.mode = *display.real->Mode;
  display.face.Mode = &display.mode;
  if (display.mode.Info) display.info = *display.mode.Info;
  display.mode.Info = &display.info;
  spoil_format(&display.info);
  if (display.info.PixelFormat == PixelBltOnly) display.mode.FrameBufferBase = display.mode.FrameBufferSize = 0;
  if (quirks_play(QUIRK_GOP_PITCH)) display.info.PixelsPerScanLine = (UINT32)quirks_value(QUIRK_GOP_PITCH);
  if (quirks_play(QUIRK_GOP_SIZE)) display.mode.FrameBufferSize = quirks_value(QUIRK_GOP_SIZE);
  if (quirks_play(QUIRK_GOP_BASE)) display.mode.FrameBufferBase = quirks_value(QUIRK_GOP_BASE);
  if (quirks_play(QUIRK_GOP_MODES)) display.mode.MaxMode = (UINT32)quirks_value(QUIRK_GOP_MODES);
  if (!display.was_set && quirks_play(QUIRK_GOP_NO_INFO)) display.mode.Info = NULL;
  if (quirks_play(QUIRK_GOP_NO_MODE)) display.face.Mode = NULL;
}

static EFI_STATUS EFIAPI query_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *self, UINT32 number, UINTN *size,
                                    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION **info) {
  (void)self;
  if (shim_is_strict) shim_violation("QueryMode");
  if (quirks_play(QUIRK_GOP_QUERY_FAILS)) return EFI_DEVICE_ERROR;
  EFI_STATUS s = display.real->QueryMode(display.real, number, size, info);
  if (EFI_ERROR(s)) return s;
  spoil_format(*info);
  if (quirks_play(QUIRK_GOP_QUERY_PITCH)) (*info)->PixelsPerScanLine = (UINT32)quirks_value(QUIRK_GOP_QUERY_PITCH);
  return s;
}

static EFI_STATUS EFIAPI set_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *self, UINT32 number) {
  (void)self;
  if (shim_is_strict) shim_violation("SetMode");
  if (quirks_play(QUIRK_GOP_SET_FAILS)) return EFI_DEVICE_ERROR;
  EFI_STATUS s = display.real->SetMode(display.real, number);
  display.was_set = true;
  refresh();
  return s;
}

static EFI_STATUS EFIAPI blt(EFI_GRAPHICS_OUTPUT_PROTOCOL *self, EFI_GRAPHICS_OUTPUT_BLT_PIXEL *buffer,
                             EFI_GRAPHICS_OUTPUT_BLT_OPERATION operation, UINTN from_x, UINTN from_y, UINTN to_x, UINTN to_y,
                             UINTN width, UINTN height, UINTN delta) {
  (void)self;
  if (shim_is_strict) shim_violation("Blt");
  return display.real->Blt(display.real, buffer, operation, from_x, from_y, to_x, to_y, width, height, delta);
}

void *display_wrap(void *gop) {
  if (display.real == gop) return &display.face;
  display.real = gop;
  display.face = (EFI_GRAPHICS_OUTPUT_PROTOCOL){.QueryMode = query_mode, .SetMode = set_mode, .Blt = blt};
  refresh();
  return &display.face;
}

/* --- EDID ----------------------------------------------------------------------------------------------------------- */

static void make_edid(unsigned width, unsigned height) {
  UINT8 *timing = display.edid + EDID_TIMING;
  UINT8 sum = 0;
  memset(display.edid, 0, EDID_SIZE);
  memset(display.edid + 1, 0xff, 6);
  timing[0] = 1; /* A pixel clock: this is a timing. */
  timing[2] = (UINT8)width;
  timing[4] = (UINT8)(width >> 8 << 4);
  timing[5] = (UINT8)height;
  timing[7] = (UINT8)(height >> 8 << 4);
  for (unsigned i = 0; i < EDID_SIZE - 1; i++) sum = (UINT8)(sum + display.edid[i]);
  display.edid[EDID_SIZE - 1] = (UINT8)(0U - sum);
  if (quirks_play(QUIRK_EDID_BAD)) display.edid[EDID_SIZE - 1] ^= 0x40;
}

void *display_edid(void) {
  unsigned height = 0;
  if (!quirks_play(QUIRK_EDID)) return NULL;
  const char *p = quirks_text(QUIRK_EDID); /* WIDTHxHEIGHT; the value stops at the x. */
  while (*p && *p != 'x') p++;
  while (*p == 'x' || (*p >= '0' && *p <= '9')) {
    if (*p != 'x') height = height * 10 + (unsigned)(*p - '0');
    p++;
  }
  make_edid((unsigned)quirks_value(QUIRK_EDID), height);
  display.edid_face = (EFI_EDID_ACTIVE_PROTOCOL){.SizeOfEdid = EDID_SIZE, .Edid = display.edid};
  return &display.edid_face;
}
