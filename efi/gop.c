/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/gop.c — graphics modes and EDID.
 *
 * SOURCE UEFI 2.10: 12.9 (graphics output), 12.9.2.5 (EDID protocols); VESA E-EDID A2: 3.1 (header), 3.10.2 (detailed
 * timing).
 */
#include "efi/gop.h"

#include "efi/tables.h"

#define EDID_SIZE   128
#define EDID_TIMING 54 /* First detailed timing descriptor: the preferred mode. */

struct efi_gop efi_gop_find(void) {
  static const EFI_GUID guid = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
  const EFI_BOOT_SERVICES *services = efi_tables_system()->BootServices;
  struct efi_gop display = {.handle = efi_tables_system()->ConsoleOutHandle};
  EFI_GUID copy = guid;
  EFI_HANDLE first = NULL;
  UINTN size = sizeof first;
  /* One handle is enough; a larger answer says EFI_BUFFER_TOO_SMALL and the protocol is located without its handle. */
  EFI_STATUS s = services->LocateHandle(ByProtocol, &copy, NULL, &size, &first);
  if (!EFI_ERROR(s) && first) {
    display.gop = efi_tables_protocol(first, &guid);
    display.handle = first;
    if (display.gop) return display;
  }
  if (s == EFI_NOT_FOUND) return (struct efi_gop){0};
  if (display.handle) display.gop = efi_tables_protocol(display.handle, &guid);
  if (!display.gop) display.gop = efi_tables_protocol(NULL, &guid);
  return display;
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
