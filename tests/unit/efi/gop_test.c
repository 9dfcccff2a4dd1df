/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gop_test.c — which display is the one behind the console, and what its panel says, by a firmware that is made up here.
 *
 * Handles are the addresses of the displays; handle 0 of the list stands for the console, a splitter without a framebuffer
 * unless a test gives it one.
 */
#include "efi/gop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "efi/tables.h"

#define DISPLAYS  4
#define EDID_SIZE 128

static struct display {
  EFI_EDID_ACTIVE_PROTOCOL active, discovered;
  EFI_GRAPHICS_OUTPUT_PROTOCOL gop;
  EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE mode;
  EFI_GRAPHICS_OUTPUT_MODE_INFORMATION info;
  bool has_gop, has_active, has_discovered;
} displays[DISPLAYS];

static struct {
  size_t handles; /* That LocateHandle names. */
  unsigned infos_out;
  EFI_STATUS query_answer;
  bool gives_no_info;
} firmware;

static UINT8 edid[EDID_SIZE];

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **interface) {
  static const EFI_GUID gop = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
  static const EFI_GUID active = EFI_EDID_ACTIVE_PROTOCOL_GUID;
  struct display *d = handle;
  bool is_gop = memcmp(guid, &gop, sizeof gop) == 0;
  bool is_active = memcmp(guid, &active, sizeof active) == 0;
  if (is_gop ? !d->has_gop : is_active ? !d->has_active : !d->has_discovered) return EFI_UNSUPPORTED;
  *interface = is_gop ? (void *)&d->gop : is_active ? (void *)&d->active : (void *)&d->discovered;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI locate_handle(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, VOID *key, UINTN *size, EFI_HANDLE *out) {
  (void)guid;
  (void)key;
  assert_int_equal(how, ByProtocol);
  if (firmware.handles * sizeof *out > *size) return EFI_BUFFER_TOO_SMALL;
  for (size_t i = 0; i < firmware.handles; i++) out[i] = &displays[i];
  *size = firmware.handles * sizeof *out;
  return firmware.handles > 0 ? EFI_SUCCESS : EFI_NOT_FOUND;
}

static EFI_STATUS EFIAPI query_mode(EFI_GRAPHICS_OUTPUT_PROTOCOL *self, UINT32 number, UINTN *size,
                                    EFI_GRAPHICS_OUTPUT_MODE_INFORMATION **info) {
  (void)number;
  *size = sizeof **info;
  if (EFI_ERROR(firmware.query_answer)) return firmware.query_answer;
  *info = NULL;
  if (firmware.gives_no_info) return EFI_SUCCESS;
  *info = malloc(sizeof **info);
  assert_non_null(*info);
  **info = *self->Mode->Info;
  firmware.infos_out++;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(VOID *at) {
  free(at);
  firmware.infos_out--;
  return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES services;
static EFI_SYSTEM_TABLE system_table = {.BootServices = &services, .ConsoleOutHandle = &displays[0]};

/* Gives a display a framebuffer; at 0 it has Blt alone. */
static void light(size_t i, uint64_t framebuffer) {
  struct display *d = &displays[i];
  d->has_gop = true;
  d->info.PixelFormat = framebuffer ? PixelBlueGreenRedReserved8BitPerColor : PixelBltOnly;
  d->info.HorizontalResolution = 800;
  d->info.VerticalResolution = 600;
  d->mode.FrameBufferBase = framebuffer;
  d->mode.Info = &d->info;
  d->gop.Mode = &d->mode;
  d->gop.QueryMode = query_mode;
}

/* A panel of 1920x1080. */
static void make_edid(void) {
  UINT8 sum = 0;
  memset(edid, 0, sizeof edid);
  memset(edid + 1, 0xff, 6);
  edid[54] = 1;
  edid[56] = 1920 & 0xff, edid[58] = (1920 >> 8) << 4;
  edid[59] = 1080 & 0xff, edid[61] = (1080 >> 8) << 4;
  for (unsigned i = 0; i < EDID_SIZE - 1; i++) sum = (UINT8)(sum + edid[i]);
  edid[EDID_SIZE - 1] = (UINT8)-sum;
}

static int setup(void **state) {
  (void)state;
  memset(displays, 0, sizeof displays);
  memset(&firmware, 0, sizeof firmware);
  firmware.handles = DISPLAYS;
  services.HandleProtocol = handle_protocol;
  services.LocateHandle = locate_handle;
  services.FreePool = free_pool;
  efi_tables_init(NULL, &system_table);
  make_edid();
  return 0;
}

/* --- which display -------------------------------------------------------------------------------------------------- */

static void the_display_behind_the_console_is_the_one_with_its_framebuffer(void **state) {
  (void)state;
  light(0, 0xc0000000);
  light(1, 0x80000000);
  light(2, 0xc0000000);
  struct efi_gop found = efi_gop_find();
  assert_ptr_equal(found.gop, &displays[2].gop);
  assert_ptr_equal(found.handle, &displays[2]);
}

static void without_it_the_first_with_a_framebuffer_is_taken(void **state) {
  (void)state;
  light(0, 0);
  light(1, 0);
  light(3, 0x80000000);
  assert_ptr_equal(efi_gop_find().gop, &displays[3].gop);
}

static void else_any_display_else_the_console_s_else_none(void **state) {
  (void)state;
  assert_null(efi_gop_find().gop);
  light(0, 0xc0000000);
  assert_ptr_equal(efi_gop_find().gop, &displays[0].gop);
  firmware.handles = 1000; /* More than there is room for. */
  assert_ptr_equal(efi_gop_find().gop, &displays[0].gop);
  firmware.handles = DISPLAYS;
  displays[0].gop.Mode = NULL;
  assert_null(efi_gop_find().gop);
  light(2, 0);
  assert_ptr_equal(efi_gop_find().gop, &displays[2].gop);
}

/* --- modes and panels ----------------------------------------------------------------------------------------------- */

static void a_description_is_given_back_to_the_firmware(void **state) {
  (void)state;
  light(1, 0x80000000);
  struct efi_gop d = efi_gop_find();
  struct efi_gop_mode m = {0};
  assert_int_equal(efi_gop_query(&d, 0, &m), OK);
  assert_int_equal(m.width, 800);
  assert_true(m.is_linear);
  assert_int_equal(firmware.infos_out, 0);
  firmware.gives_no_info = true;
  assert_int_equal(efi_gop_query(&d, 0, &m), ERR_CORRUPT);
  firmware.query_answer = EFI_DEVICE_ERROR;
  assert_int_equal(efi_gop_query(&d, 0, &m), ERR_IO);
}

static status_t panel(uint32_t *width, uint32_t *height) {
  struct efi_gop d = {.gop = &displays[1].gop, .handle = &displays[1]};
  return efi_gop_panel(&d, width, height);
}

static void the_panel_s_size_is_its_preferred_timing(void **state) {
  (void)state;
  uint32_t w = 0;
  uint32_t h = 0;
  assert_int_equal(panel(&w, &h), ERR_NOT_FOUND);
  displays[1].has_active = true;
  displays[1].active = (EFI_EDID_ACTIVE_PROTOCOL){.SizeOfEdid = 0};
  assert_int_equal(panel(&w, &h), ERR_NOT_FOUND);
  displays[1].has_discovered = true;
  displays[1].discovered = (EFI_EDID_ACTIVE_PROTOCOL){.SizeOfEdid = EDID_SIZE, .Edid = edid};
  assert_int_equal(panel(&w, &h), OK);
  assert_int_equal(w, 1920);
  assert_int_equal(h, 1080);
}

static void an_edid_with_a_fault_is_not_believed(void **state) {
  (void)state;
  uint32_t w = 7;
  uint32_t h = 7;
  displays[1].has_active = true;
  displays[1].active = (EFI_EDID_ACTIVE_PROTOCOL){.SizeOfEdid = EDID_SIZE, .Edid = edid};
  for (unsigned i = 0; i < EDID_SIZE; i++) { /* Header, timing, sum: one bit anywhere is enough. */
    edid[i] ^= 0x10;
    assert_int_equal(panel(&w, &h), ERR_CORRUPT);
    edid[i] ^= 0x10;
  }
  displays[1].active.SizeOfEdid = EDID_SIZE - 1;
  assert_int_equal(panel(&w, &h), ERR_CORRUPT);
  displays[1].active = (EFI_EDID_ACTIVE_PROTOCOL){.SizeOfEdid = EDID_SIZE, .Edid = NULL};
  assert_int_equal(panel(&w, &h), ERR_CORRUPT);
  displays[1].active.Edid = edid;
  edid[EDID_SIZE - 1]++; /* No timing, and a sum that is right. */
  edid[54] = 0;
  assert_int_equal(panel(&w, &h), ERR_CORRUPT);
  assert_int_equal(w + h, 14);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
  const struct CMUnitTest tests[] = {
      TEST(the_display_behind_the_console_is_the_one_with_its_framebuffer),
      TEST(without_it_the_first_with_a_framebuffer_is_taken),
      TEST(else_any_display_else_the_console_s_else_none),
      TEST(a_description_is_given_back_to_the_firmware),
      TEST(the_panel_s_size_is_its_preferred_timing),
      TEST(an_edid_with_a_fault_is_not_believed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
