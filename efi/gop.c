/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/gop.c — graphics modes and EDID.
 *
 * The console's own protocol is often a splitter in front of the real displays: it has no EDID, and with two displays no
 * framebuffer.  So the display behind it is looked for: the one with the same framebuffer, else the first that has one.
 *
 * SOURCE UEFI 2.10: 12.9 (graphics output), 12.9.2.5 (EDID protocols); VESA E-EDID A2: 3.1 (header), 3.10.2 (detailed
 * timing).
 */
#include "efi/gop.h"

#include "efi/tables.h"

#define GOP_HANDLES_MAX 32 /* A machine with more displays gets the console's. */

#define EDID_SIZE   128
#define EDID_TIMING 54 /* First detailed timing descriptor: the preferred mode. */

static EFI_GRAPHICS_OUTPUT_PROTOCOL *gop_on(EFI_HANDLE handle) {
  static const EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
  EFI_GRAPHICS_OUTPUT_PROTOCOL *gop = handle ? efi_tables_protocol(handle, &guid) : NULL;
  return gop && gop->Mode ? gop : NULL;
}

static bool is_linear(const EFI_GRAPHICS_OUTPUT_PROTOCOL *gop) {
  return gop->Mode->Info && gop->Mode->Info->PixelFormat < PixelBltOnly && gop->Mode->FrameBufferBase != 0;
}

struct efi_gop efi_gop_find(void) {
  EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
  EFI_HANDLE handles[GOP_HANDLES_MAX];
  UINTN size = sizeof handles;
  struct efi_gop best = {0};
  EFI_HANDLE console = efi_tables_system()->ConsoleOutHandle;
  const EFI_GRAPHICS_OUTPUT_PROTOCOL *shown = gop_on(console);
  EFI_STATUS s = efi_tables_system()->BootServices->LocateHandle(ByProtocol, &guid, NULL, &size, handles);
  if (EFI_ERROR(s)) size = 0;
  for (UINTN i = 0; i < size / sizeof handles[0]; i++) {
    struct efi_gop d = {.gop = handles[i] == console ? NULL : gop_on(handles[i]), .handle = handles[i]};
    if (!d.gop) continue;
    if (!best.gop || (!is_linear(best.gop) && is_linear(d.gop))) best = d;
    if (shown && is_linear(shown) && is_linear(d.gop) && d.gop->Mode->FrameBufferBase == shown->Mode->FrameBufferBase)
      return d;
  }
  if (!best.gop) best = (struct efi_gop){.gop = gop_on(console), .handle = console};
  return best;
}

status_t efi_gop_query(const struct efi_gop *display, uint32_t mode, struct efi_gop_mode *description) {
  EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *info = NULL;
  UINTN size = 0;
  EFI_STATUS s = display->gop->QueryMode(display->gop, mode, &size, &info);
  if (EFI_ERROR(s)) return efi_tables_status(s);
  if (!info) return ERR_CORRUPT;
  *description = (struct efi_gop_mode){.width = info->HorizontalResolution,
                                       .height = info->VerticalResolution,
                                       .is_linear = info->PixelFormat < PixelBltOnly};
  (void)efi_tables_system()->BootServices->FreePool(info);
  return OK;
}

status_t efi_gop_set(const struct efi_gop *display, uint32_t mode) {
  return efi_tables_status(display->gop->SetMode(display->gop, mode));
}

static status_t read_edid(const UINT8 *edid, UINT32 size, uint32_t *width, uint32_t *height) {
  static const UINT8 header[8] = {0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0};
  UINT8 sum = 0;
  if (!edid || size < EDID_SIZE) return ERR_CORRUPT;
  for (unsigned i = 0; i < EDID_SIZE; i++) {
    if (i < sizeof header && edid[i] != header[i]) return ERR_CORRUPT;
    sum = (UINT8)(sum + edid[i]);
  }
  const UINT8 *timing = edid + EDID_TIMING;
  if (sum != 0 || (timing[0] == 0 && timing[1] == 0)) return ERR_CORRUPT;
  uint32_t w = timing[2] | (uint32_t)(timing[4] & 0xf0) << 4;
  uint32_t h = timing[5] | (uint32_t)(timing[7] & 0xf0) << 4;
  if (w == 0 || h == 0) return ERR_CORRUPT;
  *width = w;
  *height = h;
  return OK;
}

status_t efi_gop_panel(const struct efi_gop *display, uint32_t *width, uint32_t *height) {
  static const EFI_GUID guids[] = {EFI_EDID_ACTIVE_PROTOCOL_GUID, EFI_EDID_DISCOVERED_PROTOCOL_GUID};
  status_t answer = ERR_NOT_FOUND;
  if (!display->handle) return ERR_NOT_FOUND;
  for (unsigned i = 0; i < 2; i++) {
    const EFI_EDID_ACTIVE_PROTOCOL *edid = efi_tables_protocol(display->handle, &guids[i]);
    if (!edid || edid->SizeOfEdid == 0) continue;
    answer = read_edid(edid->Edid, edid->SizeOfEdid, width, height);
    if (answer == OK) break;
  }
  return answer;
}
