/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/memmap.c against an oracle that is slow and obvious: cut the addresses at every start and end there is, and ask all
 * descriptors about each piece.
 */
#include "lib/memmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "map_oracle.h"
#include "maps.h"

#define WB      UINT64_C(8)
#define RUNTIME (UINT64_C(1) << 63)
#define TOP     (UINT64_C(1) << 52)

static void print_map(const struct map *m) {
  for (size_t i = 0; i < m->count; i++) {
    struct memmap_descriptor d = map_get(m, i);
    fprintf(stderr, "%u 0x%llx %llu 0x%llx\n", d.type, (unsigned long long)d.physical_start, (unsigned long long)d.pages,
            (unsigned long long)d.attributes);
  }
}

static bool regions_are_equal(const struct canon *c, const struct boot_region *expected, size_t count) {
  return c->count == count && (count == 0 || memcmp(c->regions, expected, count * sizeof *expected) == 0);
}

/* The canonicaliser says what the oracle says, is canonical, and reports overlaps rightly. */
static void agree(const struct map *m, const struct memmap_claim *claims, size_t claim_count) {
  struct canon c = canon_of(m, claims, claim_count);
  struct boot_region *expected = calloc(2 * (m->count + claim_count) + 2, sizeof *expected);
  size_t count = map_oracle_regions(m, claims, claim_count, expected), bad;
  bool has_usable = false;
  for (size_t i = 0; i < count; i++) has_usable |= expected[i].kind == BOOT_MEMORY_USABLE;
  bool ok = regions_are_equal(&c, expected, count) && memmap_check(c.regions, c.count, &bad) == OK &&
            c.status == (has_usable ? OK : ERR_NOT_FOUND) && c.report.descriptors == m->count &&
            c.report.overlapping == map_oracle_overlapping(m);
  if (!ok) {
    fprintf(stderr, "%s: canonicaliser and oracle differ (%zu regions, %zu expected) on\n", m->name, c.count, count);
    print_map(m);
    fail();
  }
  free(expected);
  canon_free(&c);
}

/* --- maps ----------------------------------------------------------------------------------------------------------- */

static size_t agree_on_files(char **paths) {
  size_t n = 0;
  for (; paths && paths[n]; n++) {
    struct map m;
    assert_true(map_read(paths[n], &m));
    agree(&m, NULL, 0);
    map_free(&m);
  }
  map_paths_free(paths);
  return n;
}

static void maps_of_real_machines_agree_with_the_oracle(void **state) {
  (void)state;
  const size_t n = agree_on_files(map_paths_of_real_machines());
  printf("# %zu maps of real machines\n", n);
  if (n == 0) skip(); /* So that it is counted. */
}

static void maps_of_our_own_agree_with_the_oracle(void **state) {
  (void)state;
  size_t n = agree_on_files(map_paths_of_our_own());
  printf("# %zu maps of our own\n", n);
  assert_true(n >= 16);
}

static size_t generate_claims(struct dice *d, const struct map *m, struct memmap_claim claims[static 4]) {
  static const uint32_t kinds[] = {BOOT_MEMORY_HANDOFF, BOOT_MEMORY_BOOT_STACK, BOOT_MEMORY_PAGE_TABLES, BOOT_MEMORY_KERNEL,
                                   BOOT_MEMORY_TRAMPOLINE};
  size_t n = dice_one_in(d, 2) ? 0 : dice_below(d, 5);
  for (size_t i = 0; i < n; i++) {
    uint64_t near = m->count > 0 ? map_get(m, dice_below(d, m->count)).physical_start % TOP : MIB;
    uint64_t start = near / 4096 * 4096, end = start + 4096 * dice_between(d, 1, 64);
    claims[i] = (struct memmap_claim){
        .start = end > TOP ? 0 : start, .end = end > TOP ? 4096 : end, .kind = kinds[dice_below(d, 5)]};
  }
  return n;
}

static void hostile_maps_agree_with_the_oracle(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_MAPS");
  unsigned long maps = wanted ? strtoul(wanted, NULL, 0) : 100000;
  uint64_t seed = seed_of_run();
  for (unsigned long i = 0; i < maps; i++) {
    struct dice d = dice_of(seed + i);
    struct map m;
    struct memmap_claim claims[4];
    map_generate(&d, dice_one_in(&d, 4) ? 4096 : 0, &m);
    size_t claim_count = generate_claims(&d, &m, claims);
    agree(&m, claims, claim_count);
    map_free(&m);
  }
  printf("# %lu hostile maps done\n", maps);
}

/* --- one rule at a time --------------------------------------------------------------------------------------------- */

/* Canonicalises descriptors given as {type, start, pages, attributes}. */
#define CANON(...)                                                                                                          \
  canon_of_rows((const uint64_t[][4]){__VA_ARGS__}, sizeof((const uint64_t[][4]){__VA_ARGS__}) / sizeof(uint64_t[4]))
static struct canon canon_of_rows(const uint64_t rows[][4], size_t count) {
  struct map m = {.stride = 48, .name = "rows"};
  for (size_t i = 0; i < count; i++) {
    map_add(&m,
            (struct memmap_descriptor){
                .type = (uint32_t)rows[i][0], .physical_start = rows[i][1], .pages = rows[i][2], .attributes = rows[i][3]});
  }
  struct canon c = canon_of(&m, NULL, 0);
  map_free(&m);
  return c;
}

static void expect_region(const struct canon *c, size_t i, uint64_t start, uint64_t end, uint32_t kind) {
  assert_true(i < c->count);
  assert_int_equal(c->regions[i].start, start);
  assert_int_equal(c->regions[i].end, end);
  assert_string_equal(memmap_kind_name(c->regions[i].kind), memmap_kind_name(kind));
}

static void a_reserved_range_inside_usable_memory_splits_it(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 256, WB}, {0, 0x140000, 1, WB});
  assert_int_equal(c.count, 3);
  expect_region(&c, 0, 0x100000, 0x140000, BOOT_MEMORY_USABLE);
  expect_region(&c, 1, 0x140000, 0x141000, BOOT_MEMORY_RESERVED);
  expect_region(&c, 2, 0x141000, 0x200000, BOOT_MEMORY_USABLE);
  assert_int_equal(c.report.overlapping, 2);
  canon_free(&c);
}

static void memory_below_1_mib_and_page_0_are_low(void **state) {
  (void)state;
  struct canon c = CANON({7, 0, 1, WB}, {4, 0x1000, 0x9f, WB}, {6, 0xa0000, 1, WB | RUNTIME}, {7, 0xf0000, 0x20, WB});
  expect_region(&c, 0, 0, 0x1000, BOOT_MEMORY_LOW);
  expect_region(&c, 1, 0x1000, 0xa0000, BOOT_MEMORY_LOW);
  expect_region(&c, 2, 0xa0000, 0xa1000, BOOT_MEMORY_RUNTIME_DATA);
  expect_region(&c, 3, 0xf0000, 0x100000, BOOT_MEMORY_LOW);
  expect_region(&c, 4, 0x100000, 0x110000, BOOT_MEMORY_USABLE);
  canon_free(&c);
}

static void unaligned_general_memory_shrinks_and_other_memory_grows(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x200800, 4, WB}, {11, 0x300800, 1, 0});
  expect_region(&c, 0, 0x201000, 0x204000, BOOT_MEMORY_USABLE);
  expect_region(&c, 1, 0x300000, 0x302000, BOOT_MEMORY_MMIO);
  assert_int_equal(c.report.unaligned, 2);
  canon_free(&c);
}

static void wrapping_descriptors_are_cut_or_dropped(void **state) {
  (void)state;
  struct canon c =
      CANON({7, 0x100000, 16, WB}, {0, TOP - 0x1000, UINT64_MAX, 0}, {7, UINT64_MAX - 0xfff, 2, WB}, {7, TOP, 1, WB});
  assert_int_equal(c.count, 2);
  expect_region(&c, 1, TOP - 0x1000, TOP, BOOT_MEMORY_RESERVED);
  assert_int_equal(c.report.wrapping, 3);
  canon_free(&c);
}

static void ram_that_wraps_is_no_ram(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 16, WB}, {7, 0x200000, UINT64_C(1) << 52, WB}, {4, 0x300000, UINT64_MAX, WB},
                         {10, 0x400000, UINT64_C(1) << 40, 0}, {7, 0x110000, 16, WB});
  assert_int_equal(c.count, 1);
  expect_region(&c, 0, 0x100000, 0x120000, BOOT_MEMORY_USABLE);
  assert_int_equal(c.report.wrapping, 3);
  canon_free(&c);
}

static void memory_that_cannot_be_cached_is_not_usable(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 16, WB}, {7, 0x200000, 16, 1});
  expect_region(&c, 1, 0x200000, 0x210000, BOOT_MEMORY_RESERVED);
  canon_free(&c);
}

static void a_map_without_any_attribute_is_believed(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 16, 0}, {4, 0x200000, 16, 0});
  expect_region(&c, 0, 0x100000, 0x110000, BOOT_MEMORY_USABLE);
  expect_region(&c, 1, 0x200000, 0x210000, BOOT_MEMORY_BOOT_SERVICES);
  canon_free(&c);
}

static void boot_services_memory_with_the_runtime_bit_is_kept(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 16, WB}, {4, 0x200000, 1, WB | RUNTIME});
  expect_region(&c, 1, 0x200000, 0x201000, BOOT_MEMORY_RUNTIME_DATA);
  canon_free(&c);
}

static void unknown_types_are_reserved(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x100000, 16, WB}, {0x80000000, 0x200000, 1, WB}, {16, 0x300000, 1, WB});
  expect_region(&c, 1, 0x200000, 0x201000, BOOT_MEMORY_RESERVED);
  expect_region(&c, 2, 0x300000, 0x301000, BOOT_MEMORY_RESERVED);
  assert_int_equal(c.report.unknown_type, 2);
  canon_free(&c);
}

static void neighbours_that_say_the_same_are_one_region(void **state) {
  (void)state;
  struct canon c = CANON({7, 0x110000, 16, WB}, {7, 0x100000, 16, WB}, {7, 0x120000, 1, WB | 1}, {3, 0x121000, 1, WB});
  assert_int_equal(c.count, 3);
  expect_region(&c, 0, 0x100000, 0x120000, BOOT_MEMORY_USABLE);
  assert_int_equal(c.report.unsorted, 1);
  canon_free(&c);
}

static void no_usable_memory_is_said_and_the_regions_are_there(void **state) {
  (void)state;
  struct canon c = CANON({11, 0xff000000, 4096, RUNTIME}, {0, 0, 0, 0});
  assert_int_equal(c.status, ERR_NOT_FOUND);
  assert_int_equal(c.count, 1);
  assert_int_equal(c.report.empty, 1);
  canon_free(&c);
}

static void claims_win_and_those_outside_loader_memory_are_counted(void **state) {
  (void)state;
  struct map m = {.stride = 48};
  map_add(&m, (struct memmap_descriptor){.type = 2, .physical_start = 0x200000, .pages = 256, .attributes = WB});
  map_add(&m, (struct memmap_descriptor){.type = 0, .physical_start = 0x300000, .pages = 256, .attributes = 0});
  map_add(&m, (struct memmap_descriptor){.type = 7, .physical_start = 0x8000, .pages = 1, .attributes = WB});
  const struct memmap_claim claims[] = {{0x280000, 0x2c0000, BOOT_MEMORY_KERNEL, 0},
                                        {0x2ff000, 0x301000, BOOT_MEMORY_PAGE_TABLES, 0},
                                        {0x8000, 0x9000, BOOT_MEMORY_TRAMPOLINE, 0}};
  struct canon c = canon_of(&m, claims, 3);
  expect_region(&c, 0, 0x8000, 0x9000, BOOT_MEMORY_TRAMPOLINE);
  expect_region(&c, 2, 0x280000, 0x2c0000, BOOT_MEMORY_KERNEL);
  expect_region(&c, 4, 0x2ff000, 0x300000, BOOT_MEMORY_PAGE_TABLES);
  expect_region(&c, 5, 0x300000, 0x301000, BOOT_MEMORY_PAGE_TABLES);
  expect_region(&c, 6, 0x301000, 0x400000, BOOT_MEMORY_RESERVED);
  assert_int_equal(c.report.claims_outside, 2);
  canon_free(&c);
  map_free(&m);
}

/* --- arguments and limits ------------------------------------------------------------------------------------------- */

static status_t canonicalise_raw(size_t bytes, size_t stride, const struct memmap_claim *claim, size_t capacity) {
  static const uint64_t descriptors[16] = {7, 0x100000, 0, 16, WB, 0, 0x200000, 0, 16, WB};
  struct boot_region regions[8];
  struct memmap_report report;
  uint64_t scratch[64];
  size_t count = 0;
  assert_true(memmap_scratch_size(3, 1) <= sizeof scratch);
  return memmap_canonicalise(descriptors, bytes, stride, claim, claim != NULL, regions, capacity, scratch, &count, &report);
}

static void senseless_arguments_are_refused(void **state) {
  (void)state;
  assert_int_equal(canonicalise_raw(80, 40, NULL, 8), OK);
  assert_int_equal(canonicalise_raw(80, 32, NULL, 8), ERR_INVALID);
  assert_int_equal(canonicalise_raw(84, 42, NULL, 8), ERR_INVALID);
  assert_int_equal(canonicalise_raw(79, 40, NULL, 8), ERR_INVALID);
  assert_int_equal(canonicalise_raw(80, 40, NULL, 1), ERR_FULL);
  const struct memmap_claim bad[] = {{0x1000, 0x1000, BOOT_MEMORY_KERNEL, 0},
                                     {0x1001, 0x2000, BOOT_MEMORY_KERNEL, 0},
                                     {0x1000, TOP + 0x1000, BOOT_MEMORY_KERNEL, 0},
                                     {0x1000, 0x2000, BOOT_MEMORY_USABLE, 0}};
  for (size_t i = 0; i < 4; i++) assert_int_equal(canonicalise_raw(80, 40, &bad[i], 8), ERR_INVALID);
}

/* Nested like onions, starts falling: everything overlaps everything, and the sort meets its worst order. */
static void twenty_thousand_nested_descriptors_take_no_time(void **state) {
  (void)state;
  struct map m = {.stride = 40};
  for (uint64_t i = 0; i < 20000; i++) {
    uint64_t depth = 20000 - i;
    map_add(&m, (struct memmap_descriptor){
                    .type = (uint32_t)(i % 16), .physical_start = GIB - depth * 4096, .pages = depth * 2, .attributes = WB});
  }
  struct canon c = canon_of(&m, NULL, 0);
  size_t bad;
  assert_int_equal(memmap_check(c.regions, c.count, &bad), OK);
  assert_int_equal(c.report.overlapping, 20000);
  canon_free(&c);
  map_free(&m);
}

static void memmap_check_names_the_first_bad_region(void **state) {
  (void)state;
  const struct boot_region good = {0x100000, 0x200000, BOOT_MEMORY_USABLE, 7, WB};
  const struct boot_region bad[] = {
      {0x200000, 0x200000, BOOT_MEMORY_USABLE, 7, WB},       {0x200800, 0x201000, BOOT_MEMORY_USABLE, 7, WB},
      {0x200000, 0x300000, BOOT_MEMORY_USABLE, 7, WB},       {0x1ff000, 0x300000, BOOT_MEMORY_LOADER, 2, WB},
      {0x200000, 0x300000, BOOT_MEMORY_KIND_COUNT, 7, WB},   {0x200000, TOP + 0x1000, BOOT_MEMORY_MMIO, 11, 0},
      {0x300000, 0x200000, BOOT_MEMORY_BOOT_SERVICES, 4, WB}};
  size_t at = 77;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const struct boot_region list[] = {good, bad[i]};
    assert_int_equal(memmap_check(list, 2, &at), ERR_CORRUPT);
    assert_int_equal(at, 1);
  }
  const struct boot_region low = {0x1000, 0x2000, BOOT_MEMORY_USABLE, 7, WB};
  assert_int_equal(memmap_check(&low, 1, &at), ERR_CORRUPT);
  assert_int_equal(memmap_check(&good, 1, &at), OK);
  assert_int_equal(memmap_check(NULL, 0, &at), OK);
}

static void every_kind_has_a_name_and_a_mark_of_its_own(void **state) {
  (void)state;
  for (uint32_t a = 0; a < BOOT_MEMORY_KIND_COUNT; a++) {
    assert_string_not_equal(memmap_kind_name(a), "?");
    for (uint32_t b = 0; b < a; b++) assert_int_not_equal(memmap_kind_mark(a), memmap_kind_mark(b));
    if (memmap_kind_is_general(a)) assert_true(memmap_kind_in_direct_map(a));
    if (memmap_kind_in_direct_map(a)) assert_true(memmap_kind_is_ram(a));
  }
  assert_string_equal(memmap_kind_name(BOOT_MEMORY_KIND_COUNT), "?");
  assert_int_equal(memmap_kind_mark(UINT32_MAX), '?');
  assert_string_equal(memmap_type_name(7), "EfiConventionalMemory");
  assert_string_equal(memmap_type_name(16), "unknown type");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_reserved_range_inside_usable_memory_splits_it),
      cmocka_unit_test(memory_below_1_mib_and_page_0_are_low),
      cmocka_unit_test(unaligned_general_memory_shrinks_and_other_memory_grows),
      cmocka_unit_test(wrapping_descriptors_are_cut_or_dropped),
      cmocka_unit_test(ram_that_wraps_is_no_ram),
      cmocka_unit_test(memory_that_cannot_be_cached_is_not_usable),
      cmocka_unit_test(a_map_without_any_attribute_is_believed),
      cmocka_unit_test(boot_services_memory_with_the_runtime_bit_is_kept),
      cmocka_unit_test(unknown_types_are_reserved),
      cmocka_unit_test(neighbours_that_say_the_same_are_one_region),
      cmocka_unit_test(no_usable_memory_is_said_and_the_regions_are_there),
      cmocka_unit_test(claims_win_and_those_outside_loader_memory_are_counted),
      cmocka_unit_test(senseless_arguments_are_refused),
      cmocka_unit_test(twenty_thousand_nested_descriptors_take_no_time),
      cmocka_unit_test(memmap_check_names_the_first_bad_region),
      cmocka_unit_test(every_kind_has_a_name_and_a_mark_of_its_own),
      cmocka_unit_test(maps_of_real_machines_agree_with_the_oracle),
      cmocka_unit_test(maps_of_our_own_agree_with_the_oracle),
      cmocka_unit_test(hostile_maps_agree_with_the_oracle),
  };
  return cmocka_run_group_tests_name("lib/memmap", tests, NULL, NULL);
}
