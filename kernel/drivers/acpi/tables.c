/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/acpi/tables.c — reads the bytes of ACPI tables, trusting none of them.
 *
 * Pure: bytes in, facts out.  Every field is fetched by offset with a bounds check; a field beyond the table's length reads
 * as 0, which is what older revisions mean by leaving it out.
 */
#include "kernel/drivers/acpi/tables.h"

#include "lib/string.h"

bool acpi_checksum(const void *bytes, size_t n) {
  const uint8_t *b = bytes;
  uint8_t sum = 0;
  for (size_t i = 0; i < n; i++) sum = (uint8_t)(sum + b[i]);
  return sum == 0;
}

static uint64_t field(const void *table, size_t n, size_t offset, size_t size) {
  uint64_t value = 0;
  if (offset > n || size > n - offset) return 0;
  memcpy(&value, (const uint8_t *)table + offset, size);
  return value;
}

static struct acpi_address address_field(const void *table, size_t n, size_t offset) {
  if (offset + 12 > n) return (struct acpi_address){0};
  return (struct acpi_address){
      .space = (uint8_t)field(table, n, offset, 1),
      .bits = (uint8_t)field(table, n, offset + 1, 1),
      .offset = (uint8_t)field(table, n, offset + 2, 1),
      .width = (uint8_t)field(table, n, offset + 3, 1),
      .address = field(table, n, offset + 4, 8),
  };
}

/* The extended field if it is filled, else the old 32-bit port. */
static struct acpi_address port_field(const void *table, size_t n, size_t extended, size_t old, uint8_t bits) {
  struct acpi_address a = address_field(table, n, extended);
  if (a.address == 0) a = (struct acpi_address){ACPI_SPACE_IO, bits, 0, 0, field(table, n, old, 4)};
  return a;
}

status_t acpi_fadt_read(const void *table, size_t n, struct acpi_fadt *out) {
  if (n < 116) return ERR_TRUNCATED; /* Revision 1 ends there. */
  *out = (struct acpi_fadt){
      .dsdt = field(table, n, 140, 8),
      .flags = (uint32_t)field(table, n, 112, 4),
      .smi_command = (uint32_t)field(table, n, 48, 4),
      .acpi_enable = (uint8_t)field(table, n, 52, 1),
      .reset_value = (uint8_t)field(table, n, 128, 1),
      .reset = address_field(table, n, 116),
      .pm1a_control = port_field(table, n, 172, 64, 16),
      .pm1b_control = port_field(table, n, 184, 68, 16),
      .pm_timer = port_field(table, n, 208, 76, 32),
  };
  if (out->dsdt == 0) out->dsdt = field(table, n, 40, 4);
  return OK;
}

#define MADT_ENTRIES (ACPI_HEADER_SIZE + 8U)
#define MADT_APIC    0 /* 5.2.12.2: id at 3, flags at 4; id 255 is that of nobody. */
#define MADT_X2APIC  9 /* 5.2.12.12: id at 4, flags at 8. */
#define MADT_ENABLED 1U
#define MADT_CAPABLE 2U
#define MADT_LOOKED  (UINT32_C(16) * 1024) /* Bytes: 1,024 CPUs.  Each is compared with all before it. */

/* Moves *at to behind the next entry that names a CPU. */
static bool next_entry(const void *table, size_t n, size_t *at, struct acpi_cpu *out) {
  while (*at + 2 <= n) {
    const size_t e = *at;
    const uint64_t type = field(table, n, e, 1);
    const uint64_t length = field(table, n, e + 1, 1);
    if (length < 2 || length > n - e) return false;
    *at += length;
    const bool is_wide = type == MADT_X2APIC;
    if ((type != MADT_APIC && !is_wide) || length < (is_wide ? 16 : 8)) continue;
    const uint64_t id = is_wide ? field(table, n, e + 4, 4) : field(table, n, e + 3, 1);
    if (id == (is_wide ? UINT32_MAX : UINT8_MAX)) continue;
    const uint64_t flags = field(table, n, e + (is_wide ? 8 : 4), 4);
    *out = (struct acpi_cpu){(uint32_t)id, (flags & MADT_ENABLED) != 0, (flags & MADT_CAPABLE) != 0};
    return true;
  }
  return false;
}

/* Is the id in an entry before `end`?  A CPU that is listed in both forms counts as the first says. */
static bool was_listed(const void *table, size_t end, uint32_t id) {
  struct acpi_cpu cpu;
  for (size_t at = MADT_ENTRIES; next_entry(table, end, &at, &cpu);)
    if (cpu.apic == id) return true;
  return false;
}

bool acpi_madt_next(const void *table, size_t n, size_t *cursor, struct acpi_cpu *out) {
  size_t at = *cursor < MADT_ENTRIES ? MADT_ENTRIES : *cursor;
  if (n > MADT_LOOKED) n = MADT_LOOKED;
  for (size_t start = at; next_entry(table, n, &at, out); start = at) {
    if (was_listed(table, start, out->apic)) continue;
    *cursor = at;
    return true;
  }
  return false;
}

unsigned acpi_madt_cpus(const void *table, size_t n) {
  struct acpi_cpu cpu;
  unsigned count = 0;
  for (size_t at = 0; acpi_madt_next(table, n, &at, &cpu);) count += cpu.is_enabled;
  return count;
}

status_t acpi_mcfg_read(const void *table, size_t n, size_t index, struct acpi_ecam *out) {
  const size_t entry = 16;
  const size_t entries = n < ACPI_HEADER_SIZE + 8 ? 0 : (n - ACPI_HEADER_SIZE - 8) / entry;
  if (index >= entries) return ERR_NOT_FOUND;
  const size_t at = ACPI_HEADER_SIZE + 8 + index * entry;
  const struct acpi_ecam e = {
      .base = field(table, n, at, 8),
      .segment = (uint16_t)field(table, n, at + 8, 2),
      .bus_first = (uint8_t)field(table, n, at + 10, 1),
      .bus_last = (uint8_t)field(table, n, at + 11, 1),
  };
  uint64_t end;
  const bool wraps = __builtin_add_overflow(e.base, (uint64_t)(e.bus_last + 1) * ACPI_ECAM_BUS_SIZE, &end);
  if (e.bus_first > e.bus_last || e.base == 0 || e.base % ACPI_ECAM_BUS_SIZE != 0 || wraps) return ERR_CORRUPT;
  *out = e;
  return OK;
}

bool acpi_mcfg_clash(const struct acpi_ecam *a, const struct acpi_ecam *b) {
  const uint64_t a_first = a->base + a->bus_first * ACPI_ECAM_BUS_SIZE, a_last = a->base + a->bus_last * ACPI_ECAM_BUS_SIZE;
  const uint64_t b_first = b->base + b->bus_first * ACPI_ECAM_BUS_SIZE, b_last = b->base + b->bus_last * ACPI_ECAM_BUS_SIZE;
  const bool same_bus = a->segment == b->segment && a->bus_first <= b->bus_last && b->bus_first <= a->bus_last;
  return same_bus || (a_first <= b_last && b_first <= a_last);
}

/* One integer of a package (20.2.3); moves *at behind it. */
static bool aml_integer(const uint8_t *aml, size_t n, size_t *at, uint8_t *value) {
  if (*at >= n) return false;
  const uint8_t op = aml[*at];
  size_t size = 0;
  if (op == 0x00 || op == 0x01) {
    *value = op;
    *at += 1;
    return true;
  }
  if (op == 0x0a) size = 1;
  if (op == 0x0b) size = 2;
  if (op == 0x0c) size = 4;
  if (size == 0 || size > n - *at - 1) return false;
  *value = aml[*at + 1];
  *at += 1 + size;
  return true;
}

/* At `at`: PackageOp, PkgLength, NumElements, elements. */
static bool s5_package(const uint8_t *aml, size_t n, size_t at, uint8_t *type_a, uint8_t *type_b) {
  if (at + 3 > n || aml[at] != 0x12) return false;
  at += 2 + (aml[at + 1] >> 6); /* The length's top bits say how many bytes follow (20.2.4). */
  if (at >= n || aml[at] < 2) return false;
  at++;
  return aml_integer(aml, n, &at, type_a) && aml_integer(aml, n, &at, type_b) && *type_a <= 7 && *type_b <= 7;
}

status_t acpi_find_s5(const void *bytes, size_t n, uint8_t *type_a, uint8_t *type_b) {
  const uint8_t *aml = bytes;
  for (size_t i = 1; i + 5 <= n; i++) {
    if (memcmp(aml + i, "_S5_", 4) != 0) continue;
    const bool is_name = aml[i - 1] == 0x08 || (i > 1 && aml[i - 1] == '\\' && aml[i - 2] == 0x08);
    uint8_t a;
    uint8_t b;
    if (!is_name || !s5_package(aml, n, i + 4, &a, &b)) continue;
    *type_a = a;
    *type_b = b;
    return OK;
  }
  return ERR_NOT_FOUND;
}
