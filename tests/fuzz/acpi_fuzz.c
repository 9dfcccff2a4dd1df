/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fuzz/acpi_fuzz.c — any bytes as an FADT, a MADT and AML: no fault, and only answers that the machine may act on. */
#include <stdlib.h>
#include <string.h>

#include "kernel/drivers/acpi/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define EXPECT(e)                                                                                                           \
  do {                                                                                                                      \
    if (!(e)) abort();                                                                                                      \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  /* A copy of the exact size, so that the sanitizer sees one byte too far. */
  uint8_t *table = malloc(n == 0 ? 1 : n);
  struct acpi_fadt fadt;
  uint8_t a = 0;
  uint8_t b = 0;
  if (table == NULL) return 0;
  memcpy(table, data, n);
  EXPECT(acpi_fadt_read(table, n, &fadt) == (n >= 116 ? OK : ERR_TRUNCATED));
  EXPECT(acpi_madt_cpus(table, n) <= n / 2);
  if (acpi_find_s5(table, n, &a, &b) == OK) EXPECT(a <= 7 && b <= 7 && n >= 10);
  (void)acpi_checksum(table, n);
  free(table);
  return 0;
}
