/* SPDX-License-Identifier: BSD-2-Clause */
/* random_test.c — the firmware's generator: late, silent, or not there at all. */
#include "efi/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "efi/tables.h"

static struct {
  unsigned calls, not_ready;
  bool is_there, is_silent;
  EFI_STATUS answer;
} firmware;

static EFI_STATUS EFIAPI get_rng(EFI_RNG_PROTOCOL *self, EFI_RNG_ALGORITHM *algorithm, UINTN n, UINT8 *out) {
  (void)self;
  assert_null(algorithm);
  if (firmware.calls++ < firmware.not_ready) return EFI_NOT_READY;
  if (!EFI_ERROR(firmware.answer) && !firmware.is_silent) memset(out, 0x5a, n);
  return firmware.answer;
}

static EFI_RNG_PROTOCOL rng = {.GetRNG = get_rng};

static EFI_STATUS EFIAPI locate_protocol(EFI_GUID *guid, VOID *registration, VOID **interface) {
  (void)guid;
  (void)registration;
  if (!firmware.is_there) return EFI_NOT_FOUND;
  *interface = &rng;
  return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES services;
static EFI_SYSTEM_TABLE system_table = {.BootServices = &services};

static int setup(void **state) {
  (void)state;
  memset(&firmware, 0, sizeof firmware);
  firmware.is_there = true;
  services.LocateProtocol = locate_protocol;
  efi_tables_init(NULL, &system_table);
  return 0;
}

static void a_generator_that_is_late_is_waited_for_but_not_for_ever(void **state) {
  (void)state;
  uint8_t bytes[32] = {0};
  firmware.not_ready = 9;
  assert_int_equal(efi_random_bytes(bytes, sizeof bytes), OK);
  assert_int_equal(bytes[31], 0x5a);
  firmware.calls = 0;
  firmware.not_ready = 1000000;
  assert_int_equal(efi_random_bytes(bytes, sizeof bytes), ERR_BUSY);
  assert_int_equal(firmware.calls, 10);
}

static void what_the_firmware_does_not_write_is_zero_and_not_what_lay_there(void **state) {
  (void)state;
  static const uint8_t zeros[32];
  uint8_t bytes[32];
  memset(bytes, 0x93, sizeof bytes);
  firmware.is_silent = true;
  assert_int_equal(efi_random_bytes(bytes, sizeof bytes), OK);
  assert_memory_equal(bytes, zeros, sizeof bytes);
}

static void a_failure_and_an_absence_are_told_apart(void **state) {
  (void)state;
  uint8_t bytes[32];
  firmware.answer = EFI_DEVICE_ERROR;
  assert_int_equal(efi_random_bytes(bytes, sizeof bytes), ERR_IO);
  firmware.is_there = false;
  assert_int_equal(efi_random_bytes(bytes, sizeof bytes), ERR_NOT_FOUND);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup(name, setup)
  const struct CMUnitTest tests[] = {
      TEST(a_generator_that_is_late_is_waited_for_but_not_for_ever),
      TEST(what_the_firmware_does_not_write_is_zero_and_not_what_lay_there),
      TEST(a_failure_and_an_absence_are_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
