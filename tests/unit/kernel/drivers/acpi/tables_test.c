/* SPDX-License-Identifier: BSD-2-Clause */
/* tables_test.c — bytes of ACPI tables, good, old, short and made of anything. */
#include "kernel/drivers/acpi/tables.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void put(uint8_t *table, size_t at, uint64_t value, size_t size) { memcpy(table + at, &value, size); }

static void a_checksum_is_right_when_the_sum_is_zero(void **state) {
  (void)state;
  const uint8_t good[] = {1, 2, 253};
  const uint8_t bad[] = {1, 2, 254};
  assert_true(acpi_checksum(good, sizeof good));
  assert_false(acpi_checksum(bad, sizeof bad));
}

static void a_full_fadt_prefers_its_extended_fields(void **state) {
  (void)state;
  uint8_t t[244] = {0};
  struct acpi_fadt f;
  put(t, 40, 0x1000, 4);
  put(t, 140, UINT64_C(0x123456789000), 8);
  put(t, 64, 0x604, 4);
  put(t, 76, 0x608, 4);
  put(t, 112, ACPI_FADT_RESET_SUPPORTED, 4);
  put(t, 116, ACPI_SPACE_IO, 1);
  put(t, 120, 0xcf9, 8);
  put(t, 128, 6, 1);
  put(t, 208, ACPI_SPACE_IO, 1);
  put(t, 212, 0xb008, 8);
  assert_int_equal(acpi_fadt_read(t, sizeof t, &f), OK);
  assert_int_equal(f.dsdt, UINT64_C(0x123456789000));
  assert_int_equal(f.pm1a_control.address, 0x604);
  assert_int_equal(f.pm1a_control.space, ACPI_SPACE_IO);
  assert_int_equal(f.pm1b_control.address, 0);
  assert_int_equal(f.pm_timer.address, 0xb008);
  assert_int_equal(f.reset.address, 0xcf9);
  assert_int_equal(f.reset_value, 6);
}

static void an_old_fadt_has_no_reset_register(void **state) {
  (void)state;
  uint8_t t[116] = {0};
  struct acpi_fadt f;
  put(t, 40, 0x1000, 4);
  put(t, 76, 0x608, 4);
  assert_int_equal(acpi_fadt_read(t, sizeof t, &f), OK);
  assert_int_equal(f.dsdt, 0x1000);
  assert_int_equal(f.pm_timer.address, 0x608);
  assert_int_equal(f.reset.address, 0);
  assert_int_equal(acpi_fadt_read(t, sizeof t - 1, &f), ERR_TRUNCATED);
}

static void only_enabled_cpus_count(void **state) {
  (void)state;
  uint8_t t[44 + 8 + 8 + 16 + 12] = {0};
  put(t, 44, 0x0800, 2); /* Local APIC 0, enabled. */
  put(t, 48, 1, 4);
  put(t, 52, 0x01000800, 4); /* Local APIC 1, disabled. */
  put(t, 60, 0x1009, 2);     /* x2APIC 2, enabled. */
  put(t, 64, 2, 4);
  put(t, 68, 1, 4);
  put(t, 76, 0x0c01, 2); /* I/O APIC. */
  assert_int_equal(acpi_madt_cpus(t, sizeof t), 2);
  put(t, 52, 0x0000, 2); /* An entry of length 0 ends the walk. */
  assert_int_equal(acpi_madt_cpus(t, sizeof t), 1);
}

struct madt {
  size_t n;
  uint8_t bytes[4096];
};

static void add_cpu(struct madt *m, bool is_wide, uint32_t id, uint32_t flags) {
  uint8_t *e = m->bytes + m->n;
  e[0] = is_wide ? 9 : 0;
  e[1] = is_wide ? 16 : 8;
  put(e, is_wide ? 4 : 3, id, is_wide ? 4 : 1);
  put(e, is_wide ? 8 : 4, flags, 4);
  m->n += e[1];
}

static void a_cpu_is_listed_once_however_often_the_madt_names_it(void **state) {
  (void)state;
  static struct madt m = {.n = 44};
  struct acpi_cpu cpu;
  size_t at = 0;
  add_cpu(&m, false, 4, 1);
  add_cpu(&m, false, 255, 1); /* Nobody. */
  add_cpu(&m, true, UINT32_MAX, 1);
  add_cpu(&m, true, 4, 0); /* Again: the first entry counts. */
  add_cpu(&m, true, 0x1234, 1);
  add_cpu(&m, false, 7, 2); /* May be plugged in. */
  assert_true(acpi_madt_next(m.bytes, m.n, &at, &cpu));
  assert_true(cpu.apic == 4 && cpu.is_enabled && !cpu.is_online_capable);
  assert_true(acpi_madt_next(m.bytes, m.n, &at, &cpu));
  assert_true(cpu.apic == 0x1234 && cpu.is_enabled);
  assert_true(acpi_madt_next(m.bytes, m.n, &at, &cpu));
  assert_true(cpu.apic == 7 && !cpu.is_enabled && cpu.is_online_capable);
  assert_false(acpi_madt_next(m.bytes, m.n, &at, &cpu));
  assert_int_equal(acpi_madt_cpus(m.bytes, m.n), 2);
  at = 0;
  assert_false(acpi_madt_next(m.bytes, 44 + 7, &at, &cpu)); /* Cut off. */
}

/* A table as long as a table may be costs no more than one of a thousand CPUs. */
static void a_madt_without_end_is_read_in_part(void **state) {
  (void)state;
  const size_t n = ACPI_TABLE_MAX;
  uint8_t *t = calloc(n, 1);
  assert_non_null(t);
  for (size_t at = 44; at + 8 <= n; at += 8) put(t, at, 0x0800 | (at / 8 % 255) << 24 | UINT64_C(1) << 32, 8);
  assert_int_equal(acpi_madt_cpus(t, n), 255);
  free(t);
}

static void s5_is_found_in_every_spelling(void **state) {
  (void)state;
  const struct {
    uint8_t aml[20];
    uint8_t n, a, b;
  } cases[] = {
      {{0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00}, 12, 0, 0},
      {{0x08, '\\', '_', 'S', '5', '_', 0x12, 0x08, 0x04, 0x0a, 0x05, 0x01, 0x00, 0x00}, 14, 5, 1},
      {{0x99, 0x08, '_', 'S', '5', '_', 0x12, 0x47, 0x00, 0x02, 0x0b, 0x07, 0x00, 0x0c, 0x02, 0, 0, 0}, 18, 7, 2},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    uint8_t a = 99;
    uint8_t b = 99;
    assert_int_equal(acpi_find_s5(cases[i].aml, cases[i].n, &a, &b), OK);
    assert_int_equal(a, cases[i].a);
    assert_int_equal(b, cases[i].b);
    /* Cut anywhere it must end, not be found half. */
    for (size_t n = 0; n < 9; n++) assert_int_equal(acpi_find_s5(cases[i].aml, n, &a, &b), ERR_NOT_FOUND);
  }
}

static void what_only_looks_like_s5_is_not_taken(void **state) {
  (void)state;
  uint8_t a = 99;
  uint8_t b = 99;
  const uint8_t method[] = {0x14, 0x0a, '_', 'S', '5', '_', 0x00, 0xa4, 0x00, 0x00, 0x00};
  const uint8_t s4[] = {0x08, '_', 'S', '4', '_', 0x12, 0x06, 0x04, 0x00, 0x00, 0x00, 0x00};
  assert_int_equal(acpi_find_s5(s4, sizeof s4, &a, &b), ERR_NOT_FOUND);
  const uint8_t type_too_large[] = {0x08, '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x0a, 0x08, 0x00};
  const uint8_t one_element[] = {0x08, '_', 'S', '5', '_', 0x12, 0x03, 0x01, 0x00, 0x00};
  assert_int_equal(acpi_find_s5(method, sizeof method, &a, &b), ERR_NOT_FOUND);
  assert_int_equal(acpi_find_s5(type_too_large, sizeof type_too_large, &a, &b), ERR_NOT_FOUND);
  assert_int_equal(acpi_find_s5(one_element, sizeof one_element, &a, &b), ERR_NOT_FOUND);
  assert_int_equal(a, 99);
}

static void an_mcfg_names_memory_for_buses(void **state) {
  (void)state;
  uint8_t t[44 + 5 * 16 + 15] = {0}; /* The last entry is cut short. */
  struct acpi_ecam e = {.base = 7};
  put(t, 44, 0xe0000000, 8);
  put(t, 55, 0xff, 1);
  put(t, 60, UINT64_C(0x4000000000), 8);
  put(t, 68, 3, 2);
  put(t, 70, 0x10, 1);
  put(t, 71, 0x1f, 1);
  put(t, 76, 0xe0000000, 8); /* Buses backwards. */
  put(t, 86, 2, 1);
  put(t, 87, 1, 1);
  put(t, 92, 0xe0001000, 8);            /* Unaligned. */
  put(t, 108, UINT64_MAX - 0xfffff, 8); /* Wrapping. */
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 2, &e), ERR_CORRUPT);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 3, &e), ERR_CORRUPT);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 4, &e), ERR_CORRUPT);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 5, &e), ERR_NOT_FOUND);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, SIZE_MAX, &e), ERR_NOT_FOUND);
  assert_int_equal(acpi_mcfg_read(t, 44 + 15, 0, &e), ERR_NOT_FOUND);
  assert_int_equal(acpi_mcfg_read(t, 3, 0, &e), ERR_NOT_FOUND);
  assert_int_equal(e.base, 7);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 0, &e), OK);
  assert_true(e.base == 0xe0000000 && e.segment == 0 && e.bus_first == 0 && e.bus_last == 0xff);
  assert_int_equal(acpi_mcfg_read(t, sizeof t, 1, &e), OK);
  assert_true(e.base == UINT64_C(0x4000000000) && e.segment == 3 && e.bus_first == 0x10 && e.bus_last == 0x1f);
}

static void two_entries_for_one_bus_or_one_memory_clash(void **state) {
  (void)state;
  const struct acpi_ecam low = {0x80000000, 0, 0, 127}, high = {0x80000000, 0, 128, 255};
  const struct acpi_ecam again = {0xc0000000, 0, 127, 200}, other = {0xc0000000, 1, 0, 255};
  const struct acpi_ecam alias = {0x80000000, 2, 0, 0}, shifted = {0x7ff00000, 3, 1, 1}, below = {0x7ff00000, 3, 0, 0};
  assert_false(acpi_mcfg_clash(&low, &high)); /* One segment in two pieces. */
  assert_true(acpi_mcfg_clash(&low, &again) && acpi_mcfg_clash(&again, &low) && acpi_mcfg_clash(&again, &high));
  assert_false(acpi_mcfg_clash(&low, &other));
  assert_true(acpi_mcfg_clash(&low, &alias) && acpi_mcfg_clash(&alias, &low));
  assert_true(acpi_mcfg_clash(&low, &shifted));
  assert_false(acpi_mcfg_clash(&low, &below));
  assert_true(acpi_mcfg_clash(&low, &low));
}

static void random_bytes_are_survived(void **state) {
  (void)state;
  const char *given = getenv("CAIRN_SEED");
  const unsigned seed = given ? (unsigned)strtoul(given, NULL, 0) : (unsigned)time(NULL);
  printf("CAIRN_SEED=%u\n", seed);
  uint64_t x = seed;
  for (unsigned i = 0; i < 100000; i++) {
    const size_t n = i % 300;
    uint8_t *t = malloc(n + 1);
    assert_non_null(t);
    for (size_t k = 0; k < n; k++) {
      x = x * UINT64_C(6364136223846793005) + 1442695040888963407U;
      t[k] = x >> 60 ? (uint8_t)(x >> 33) : (uint8_t)"\x08_S5_\x12\x06\x02"[(x >> 33) % 8];
    }
    struct acpi_fadt f;
    uint8_t a;
    uint8_t b;
    if (acpi_fadt_read(t, n, &f) == OK) assert_true(n >= 116);
    (void)acpi_madt_cpus(t, n);
    struct acpi_ecam e;
    if (acpi_mcfg_read(t, n, i % 16, &e) == OK) assert_true(e.base != 0 && e.bus_first <= e.bus_last && n >= 60);
    if (acpi_find_s5(t, n, &a, &b) == OK) assert_true(a <= 7 && b <= 7);
    free(t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_checksum_is_right_when_the_sum_is_zero),
      cmocka_unit_test(a_full_fadt_prefers_its_extended_fields),
      cmocka_unit_test(an_old_fadt_has_no_reset_register),
      cmocka_unit_test(only_enabled_cpus_count),
      cmocka_unit_test(a_cpu_is_listed_once_however_often_the_madt_names_it),
      cmocka_unit_test(a_madt_without_end_is_read_in_part),
      cmocka_unit_test(s5_is_found_in_every_spelling),
      cmocka_unit_test(what_only_looks_like_s5_is_not_taken),
      cmocka_unit_test(an_mcfg_names_memory_for_buses),
      cmocka_unit_test(two_entries_for_one_bus_or_one_memory_clash),
      cmocka_unit_test(random_bytes_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
