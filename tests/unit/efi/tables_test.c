/* SPDX-License-Identifier: BSD-2-Clause */
/* tables_test.c — what hangs off the system table, in any order and number; status codes there and back. */
#include "efi/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ACPI_1     {0xeb9d2d30, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define ACPI_2     {0x8868e871, 0xe4f1, 0x11d3, {0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81}}
#define SMBIOS_2   {0xeb9d2d31, 0x2d88, 0x11d3, {0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d}}
#define SMBIOS_3   {0xf2fd1544, 0x9794, 0x4a2c, {0x99, 0x2e, 0xe5, 0xbb, 0xcf, 0x20, 0xe3, 0x94}}
#define ATTRIBUTES {0xdcfa911d, 0x26eb, 0x469f, {0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20}}

static EFI_SYSTEM_TABLE system_table;

static struct efi_tables find(const EFI_CONFIGURATION_TABLE *list, size_t count) {
  EFI_CONFIGURATION_TABLE *exact = malloc(count * sizeof *list + 1); /* The sanitizer guards its end. */
  if (count > 0) memcpy(exact, list, count * sizeof *list);
  system_table.ConfigurationTable = exact;
  system_table.NumberOfTableEntries = count;
  efi_tables_init(NULL, &system_table);
  struct efi_tables found = efi_tables_find();
  free(exact);
  return found;
}

static void the_newer_table_wins_in_either_order(void **state) {
  (void)state;
  EFI_CONFIGURATION_TABLE list[] = {{ACPI_1, (void *)0x1001},
                                    {SMBIOS_3, (void *)0x1004},
                                    {ATTRIBUTES, (void *)0x1005},
                                    {ACPI_2, (void *)0x1002},
                                    {SMBIOS_2, (void *)0x1003}};
  for (unsigned i = 0; i < 5; i++) {
    struct efi_tables t = find(list, 5);
    assert_int_equal(t.rsdp, 0x1002);
    assert_int_equal(t.smbios, 0x1004);
    assert_int_equal(t.memory_attributes, 0x1005);
    EFI_CONFIGURATION_TABLE first = list[0];
    memmove(list, list + 1, 4 * sizeof *list);
    list[4] = first;
  }
}

static void the_older_tables_serve_where_there_are_no_newer(void **state) {
  (void)state;
  const EFI_CONFIGURATION_TABLE list[] = {{ACPI_1, (void *)0x1001}, {SMBIOS_2, (void *)0x1003}};
  struct efi_tables t = find(list, 2);
  assert_int_equal(t.rsdp, 0x1001);
  assert_int_equal(t.smbios, 0x1003);
  assert_int_equal(t.memory_attributes, 0);
}

static void a_firmware_without_tables_has_none(void **state) {
  (void)state;
  struct efi_tables t = find(NULL, 0);
  assert_int_equal(t.rsdp | t.smbios | t.memory_attributes, 0);
  system_table.ConfigurationTable = NULL;
  system_table.NumberOfTableEntries = 12;
  t = efi_tables_find();
  assert_int_equal(t.rsdp | t.smbios | t.memory_attributes, 0);
}

static void a_count_of_billions_is_not_believed(void **state) {
  (void)state;
  EFI_CONFIGURATION_TABLE *list = calloc(1024, sizeof *list);
  assert_non_null(list);
  list[3] = (EFI_CONFIGURATION_TABLE){ACPI_2, (void *)0x1002};
  system_table.ConfigurationTable = list;
  system_table.NumberOfTableEntries = SIZE_MAX;
  efi_tables_init(NULL, &system_table);
  assert_int_equal(efi_tables_find().rsdp, 0x1002);
  free(list);
}

static void a_failure_never_becomes_a_success(void **state) {
  (void)state;
  assert_int_equal(efi_tables_firmware_status(OK), EFI_SUCCESS);
  for (int i = 1; i < STATUS_COUNT; i++) assert_true(EFI_ERROR(efi_tables_firmware_status((status_t)-i)));
  assert_int_equal(efi_tables_status(EFI_SUCCESS), OK);
  assert_int_equal(efi_tables_status(EFI_WARN_DELETE_FAILURE), OK);
  for (EFI_STATUS code = 1; code < 64; code++) assert_true(efi_tables_status(EFIERR(code)) != OK);
  assert_int_equal(efi_tables_status(EFIERR(0x1234)), ERR_IO);
}

static void the_usual_codes_come_back_as_they_went(void **state) {
  (void)state;
  static const EFI_STATUS codes[] = {EFI_NOT_FOUND,        EFI_OUT_OF_RESOURCES, EFI_INVALID_PARAMETER, EFI_UNSUPPORTED,
                                     EFI_BUFFER_TOO_SMALL, EFI_DEVICE_ERROR,     EFI_VOLUME_CORRUPTED,  EFI_TIMEOUT,
                                     EFI_NOT_READY,        EFI_ACCESS_DENIED};
  for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
    assert_true(efi_tables_firmware_status(efi_tables_status(codes[i])) == codes[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_newer_table_wins_in_either_order),
      cmocka_unit_test(the_older_tables_serve_where_there_are_no_newer),
      cmocka_unit_test(a_firmware_without_tables_has_none),
      cmocka_unit_test(a_count_of_billions_is_not_believed),
      cmocka_unit_test(a_failure_never_becomes_a_success),
      cmocka_unit_test(the_usual_codes_come_back_as_they_went),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
