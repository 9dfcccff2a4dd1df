/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * file_test.c — files through a firmware that is made up here: one volume, one file, and the faults of real drivers.
 *
 * The file's byte number n is n * 7 + n / 256, so that a piece that lands elsewhere is seen.
 */
#include "efi/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "efi/tables.h"

static struct {
  uint64_t size, position;
  uint64_t read_max;   /* Longer reads fail. */
  uint64_t given_most; /* A read gives this much at most. */
  uint64_t longest;    /* Read that was asked for. */
  unsigned reads, opened, closed;
  bool is_directory, is_missing, gives_more;
} firmware;

static uint8_t byte_of(uint64_t n) { return (uint8_t)(n * 7 + n / 256); }

static EFI_STATUS EFIAPI file_close(EFI_FILE_HANDLE self) {
  (void)self;
  firmware.closed++;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_set_position(EFI_FILE_HANDLE self, UINT64 position) {
  (void)self;
  if (firmware.is_directory && position != 0) return EFI_UNSUPPORTED;
  firmware.position = position == UINT64_MAX ? firmware.size : position;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_get_position(EFI_FILE_HANDLE self, UINT64 *position) {
  (void)self;
  *position = firmware.position;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI file_read(EFI_FILE_HANDLE self, UINTN *size, VOID *to) {
  (void)self;
  firmware.reads++;
  if (*size > firmware.longest) firmware.longest = *size;
  if (*size > firmware.read_max) {
    firmware.position += 13; /* Nobody says where a failed read leaves the file. */
    return EFI_DEVICE_ERROR;
  }
  uint64_t n = firmware.size - firmware.position;
  if (n > *size) n = *size;
  if (n > firmware.given_most) n = firmware.given_most;
  for (uint64_t i = 0; i < n; i++) ((uint8_t *)to)[i] = byte_of(firmware.position + i);
  firmware.position += n;
  *size = firmware.gives_more ? *size + 1 : n;
  return EFI_SUCCESS;
}

static EFI_FILE file = {
    .Close = file_close, .Read = file_read, .GetPosition = file_get_position, .SetPosition = file_set_position};

static EFI_STATUS EFIAPI root_open(EFI_FILE_HANDLE self, EFI_FILE_HANDLE *out, CHAR16 *name, UINT64 how, UINT64 attributes) {
  (void)self;
  (void)name;
  (void)attributes;
  assert_int_equal(how, EFI_FILE_MODE_READ);
  if (firmware.is_missing) return EFI_NOT_FOUND;
  firmware.opened++;
  *out = &file;
  return EFI_SUCCESS;
}

static EFI_FILE root = {.Open = root_open, .Close = file_close};

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *self, EFI_FILE_HANDLE *out) {
  (void)self;
  firmware.opened++;
  *out = &root;
  return EFI_SUCCESS;
}

static EFI_FILE_IO_INTERFACE volume = {.OpenVolume = open_volume};
static EFI_LOADED_IMAGE image = {.DeviceHandle = &image};

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **interface) {
  static const EFI_GUID loaded_image = LOADED_IMAGE_PROTOCOL;
  (void)handle;
  *interface = memcmp(guid, &loaded_image, sizeof *guid) == 0 ? (void *)&image : (void *)&volume;
  return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES services;
static EFI_SYSTEM_TABLE system_table = {.BootServices = &services};

static int setup(void **state) {
  (void)state;
  memset(&firmware, 0, sizeof firmware);
  firmware.size = 3 * MIB + 123;
  firmware.read_max = firmware.given_most = UINT64_MAX;
  services.HandleProtocol = handle_protocol;
  efi_tables_init(&image, &system_table);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  efi_file_close_all();
  return firmware.opened == firmware.closed ? 0 : -1;
}

static struct efi_file open_it(void) {
  static const uint16_t path[] = {'\\', 'x', 0};
  struct efi_file f = {0};
  assert_int_equal(efi_file_open(path, &f), OK);
  return f;
}

/* Reads [offset, offset + size) into a block of exactly that size. */
static status_t read_it(uint64_t offset, uint64_t size, uint64_t piece) {
  struct efi_file f = open_it();
  uint8_t *to = malloc(size + (size == 0));
  assert_non_null(to);
  status_t s = efi_file_read(&f, offset, to, size, piece);
  for (uint64_t i = 0; s == OK && i < size; i++) assert_int_equal(to[i], byte_of(offset + i));
  free(to);
  return s;
}

static void a_file_is_read_whole_in_pieces(void **state) {
  (void)state;
  assert_int_equal(open_it().size, firmware.size);
  assert_int_equal(read_it(0, firmware.size, MIB), OK);
  assert_int_equal(firmware.reads, 4);
  assert_int_equal(firmware.longest, MIB);
  assert_int_equal(read_it(77, 5000, 4 * KIB), OK);
  assert_int_equal(read_it(0, 0, MIB), OK);
}

static void a_driver_that_cannot_read_much_is_asked_for_less(void **state) {
  (void)state;
  firmware.read_max = 20 * KIB;
  assert_int_equal(read_it(0, firmware.size, MIB), OK);
  firmware.read_max = 4 * KIB;
  assert_int_equal(read_it(5, 64 * KIB, MIB), OK);
}

static void a_driver_that_cannot_read_at_all_is_given_up(void **state) {
  (void)state;
  firmware.read_max = 4 * KIB - 1;
  assert_int_equal(read_it(0, firmware.size, MIB), ERR_IO);
  assert_true(firmware.reads < 10);
}

static void short_reads_are_gone_on_with(void **state) {
  (void)state;
  firmware.given_most = 1000;
  assert_int_equal(read_it(0, 100000, MIB), OK);
  assert_int_equal(firmware.reads, 100);
}

static void a_file_that_ends_early_is_said_to_be_truncated(void **state) {
  (void)state;
  assert_int_equal(read_it(1, firmware.size, MIB), ERR_TRUNCATED);
  firmware.given_most = 0;
  assert_int_equal(read_it(0, 10, MIB), ERR_TRUNCATED);
}

static void a_driver_that_gives_more_than_was_asked_for_is_not_believed(void **state) {
  (void)state;
  firmware.gives_more = true;
  assert_int_equal(read_it(0, 10, MIB), ERR_TRUNCATED);
}

static void what_is_missing_or_a_directory_is_not_opened(void **state) {
  (void)state;
  static const uint16_t path[] = {'\\', 'x', 0};
  struct efi_file f = {.size = 99};
  firmware.is_directory = true;
  assert_int_equal(efi_file_open(path, &f), ERR_UNSUPPORTED);
  firmware.is_missing = true;
  assert_int_equal(efi_file_open(path, &f), ERR_NOT_FOUND);
  assert_int_equal(f.size, 99);
}

static void no_more_files_are_opened_than_can_be_closed(void **state) {
  (void)state;
  static const uint16_t path[] = {'\\', 'x', 0};
  struct efi_file f;
  for (unsigned i = 0; i < EFI_FILES_MAX; i++) (void)open_it();
  assert_int_equal(efi_file_open(path, &f), ERR_FULL);
  assert_int_equal(firmware.opened, EFI_FILES_MAX + 1); /* And the volume, once. */
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_file_is_read_whole_in_pieces),
      TEST(a_driver_that_cannot_read_much_is_asked_for_less),
      TEST(a_driver_that_cannot_read_at_all_is_given_up),
      TEST(short_reads_are_gone_on_with),
      TEST(a_file_that_ends_early_is_said_to_be_truncated),
      TEST(a_driver_that_gives_more_than_was_asked_for_is_not_believed),
      TEST(what_is_missing_or_a_directory_is_not_opened),
      TEST(no_more_files_are_opened_than_can_be_closed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
