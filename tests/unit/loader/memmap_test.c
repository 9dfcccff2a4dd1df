/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memmap_test.c — the way out of boot services, with a firmware that changes its mind.
 *
 * The firmware below gives a map with a key, changes both with every allocation and after every refusal, and lets go only
 * when it is shown the key of the map it gave last.  What the loader calls is what is linked here: memory services,
 * ExitBootServices, and the order to keep off the console.
 */
#include "loader/memmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "efi/runtime.h"
#include "loader/console.h"

#define STRIDE          48
#define DESCRIPTORS_MAX 3100

static struct {
  uint64_t key;           /* Of the map as it is now. */
  uint64_t shown;         /* Of the map that was given last. */
  unsigned refusals_left; /* Tries that the firmware refuses, whatever the key. */
  unsigned tries, stale_tries, maps, allocations;
  bool is_gone, console_is_left;
  size_t count;
  uint8_t bytes[DESCRIPTORS_MAX * STRIDE + EFI_MEMORY_MAP_SPARE];
} firmware;

static struct {
  unsigned calls;
  unsigned stale_first; /* So many calls find that they have to allocate. */
  status_t answer;
  uint64_t last_key;
  bool same_key_twice, console_was_left_late;
} preparing;

static void put(size_t i, uint32_t type, uint64_t start, uint64_t pages) {
  struct memmap_descriptor d = {.type = type, .physical_start = start, .pages = pages, .attributes = 0xf};
  memcpy(firmware.bytes + i * STRIDE, &d, sizeof d);
}

static int setup(void **state) {
  (void)state;
  memset(&firmware, 0, sizeof firmware);
  memset(&preparing, 0, sizeof preparing);
  firmware.key = 100;
  firmware.count = 2;
  put(0, 7, MIB, 256);
  put(1, 4, 2 * MIB, 256);
  return 0;
}

/* --- what the loader finds ------------------------------------------------------------------------------------------ */

status_t efi_memory_get_map(struct efi_memory_map *map) {
  assert_false(firmware.is_gone);
  firmware.maps++;
  firmware.shown = firmware.key;
  *map = (struct efi_memory_map){.descriptors = firmware.bytes,
                                 .capacity = sizeof firmware.bytes,
                                 .size = firmware.count * STRIDE,
                                 .stride = STRIDE,
                                 .key = firmware.key,
                                 .version = 1};
  return OK;
}

status_t efi_memory_alloc_pool(size_t size, void **memory) {
  assert_false(firmware.is_gone);
  firmware.allocations++;
  firmware.key++;
  *memory = malloc(size);
  return OK;
}

void efi_memory_free_pool(void *memory) {
  firmware.key++;
  free(memory);
}

status_t efi_runtime_exit_boot_services(uint64_t key) {
  firmware.tries++;
  firmware.stale_tries += key != firmware.shown || key != firmware.key;
  if (firmware.refusals_left > 0 || key != firmware.key) {
    firmware.refusals_left -= firmware.refusals_left > 0;
    firmware.key++;
    return ERR_INVALID;
  }
  firmware.is_gone = true;
  return OK;
}

void console_leave_firmware(void) { firmware.console_is_left = true; }

/* --- leaving -------------------------------------------------------------------------------------------------------- */

static status_t prepare(void *context, bool *is_stale) {
  const struct memmap *m = context;
  preparing.same_key_twice |= preparing.calls > 0 && m->raw.key == preparing.last_key;
  preparing.last_key = m->raw.key;
  preparing.console_was_left_late |= firmware.tries > 0 && !firmware.console_is_left;
  if (preparing.calls++ < preparing.stale_first) {
    firmware.key++; /* As an allocation does. */
    *is_stale = true;
  }
  return preparing.answer;
}

static status_t leave(uint32_t *tries) {
  static struct memmap m;
  memmap_init(&m);
  return memmap_leave(&m, prepare, &m, tries);
}

static void a_firmware_that_agrees_is_left_at_once(void **state) {
  (void)state;
  uint32_t tries = 9;
  assert_int_equal(leave(&tries), OK);
  assert_int_equal(tries, 1);
  assert_int_equal(preparing.calls, 1);
  assert_true(firmware.is_gone);
}

static void a_hundred_refusals_are_outlasted_each_with_a_fresh_map(void **state) {
  (void)state;
  uint32_t tries = 0;
  firmware.refusals_left = 100;
  assert_int_equal(leave(&tries), OK);
  assert_int_equal(tries, 101);
  assert_int_equal(firmware.maps, 101);
  assert_int_equal(firmware.stale_tries, 0);
  assert_int_equal(preparing.calls, 101);
  assert_false(preparing.same_key_twice);
  assert_true(firmware.is_gone);
}

static void a_firmware_that_never_agrees_ends_in_a_status(void **state) {
  (void)state;
  uint32_t tries = 0;
  firmware.refusals_left = UINT32_MAX;
  assert_int_equal(leave(&tries), ERR_TIMEOUT);
  assert_int_equal(tries, MEMMAP_EXIT_TRIES);
  assert_true(tries >= 100);
  assert_false(firmware.is_gone);
}

static void the_console_is_left_with_the_first_refusal_and_not_before(void **state) {
  (void)state;
  uint32_t tries = 0;
  preparing.answer = ERR_NO_MEMORY; /* There is still a screen to say that on. */
  assert_int_equal(leave(&tries), ERR_NO_MEMORY);
  assert_false(firmware.console_is_left);
  preparing.answer = OK;
  firmware.refusals_left = 3;
  assert_int_equal(leave(&tries), OK);
  assert_true(firmware.console_is_left);
  assert_false(preparing.console_was_left_late);
}

static void what_was_allocated_while_preparing_costs_a_map_and_no_try(void **state) {
  (void)state;
  uint32_t tries = 0;
  preparing.stale_first = 5;
  assert_int_equal(leave(&tries), OK);
  assert_int_equal(tries, 1);
  assert_int_equal(firmware.maps, 6);
  assert_int_equal(firmware.stale_tries, 0);
}

static void preparing_that_never_ends_is_given_up(void **state) {
  (void)state;
  uint32_t tries = 9;
  preparing.stale_first = UINT32_MAX;
  assert_int_equal(leave(&tries), ERR_TIMEOUT);
  assert_int_equal(tries, 0);
  assert_int_equal(firmware.tries, 0);
}

static void what_cannot_be_prepared_is_not_left(void **state) {
  (void)state;
  uint32_t tries = 9;
  preparing.answer = ERR_CORRUPT;
  assert_int_equal(leave(&tries), ERR_CORRUPT);
  assert_int_equal(tries, 0);
  assert_false(firmware.is_gone);
}

/* --- building ------------------------------------------------------------------------------------------------------- */

static struct boot_region *build(struct memmap *m, size_t *count) {
  bool has_allocated = false;
  assert_int_equal(memmap_capture(m), OK);
  assert_int_equal(memmap_reserve(m, 0, &has_allocated), OK);
  assert_int_equal(has_allocated, firmware.allocations > 0);
  size_t capacity = memmap_capacity(m, 0);
  struct boot_region *regions = calloc(capacity, sizeof *regions);
  assert_non_null(regions);
  assert_int_equal(memmap_build(m, NULL, 0, regions, capacity, count), OK);
  return regions;
}

static void a_framebuffer_inside_ram_is_no_ram(void **state) {
  (void)state;
  struct memmap m;
  size_t count = 0;
  memmap_init(&m);
  m.holes[MEMMAP_HOLE_FRAMEBUFFER] = (struct memmap_hole){MIB + 0x10800, MIB + 0x20800}; /* Neither end on a page. */
  struct boot_region *r = build(&m, &count);
  assert_int_equal(count, 4);
  assert_int_equal(r[1].kind, BOOT_MEMORY_MMIO);
  assert_int_equal(r[1].start, MIB + 0x10000);
  assert_int_equal(r[1].end, MIB + 0x21000);
  assert_int_equal(m.raw.size, 2 * STRIDE); /* What the kernel gets to see is the firmware's word. */
  free(r);
}

static void a_framebuffer_outside_ram_adds_nothing(void **state) {
  (void)state;
  struct memmap m;
  size_t count = 0;
  firmware.count = 4;
  put(2, 11, 16 * MIB, 256);                /* Device memory; the framebuffer lies in it. */
  put(3, 7, 8 * MIB, UINT64_MAX / MIB * 4); /* RAM without an end, which is none. */
  memmap_init(&m);
  m.holes[MEMMAP_HOLE_FRAMEBUFFER] = (struct memmap_hole){16 * MIB, 16 * MIB + 0x10000};
  m.holes[MEMMAP_HOLE_BEYOND] = (struct memmap_hole){UINT64_C(1) << 40, MEMMAP_ADDRESS_END};
  struct boot_region *r = build(&m, &count);
  assert_int_equal(count, 3);
  assert_int_equal(r[2].start, 16 * MIB);
  assert_int_equal(r[2].end, 17 * MIB);
  free(r);
}

static void ram_that_the_cpu_cannot_address_is_no_ram(void **state) {
  (void)state;
  struct memmap m;
  size_t count = 0;
  put(1, 7, (UINT64_C(1) << 40) - MIB, 512); /* One MiB on either side. */
  memmap_init(&m);
  m.holes[MEMMAP_HOLE_FRAMEBUFFER] = (struct memmap_hole){MIB, MIB + FRAME_SIZE};
  m.holes[MEMMAP_HOLE_BEYOND] = (struct memmap_hole){UINT64_C(1) << 40, MEMMAP_ADDRESS_END};
  struct boot_region *r = build(&m, &count);
  assert_int_equal(count, 4);
  assert_int_equal(r[0].kind, BOOT_MEMORY_MMIO);
  assert_int_equal(r[2].end, UINT64_C(1) << 40);
  assert_int_equal(r[3].kind, BOOT_MEMORY_MMIO);
  assert_int_equal(r[3].end, MEMMAP_ADDRESS_END);
  free(r);
}

static void three_thousand_descriptors_get_the_room_they_need(void **state) {
  (void)state;
  struct memmap m;
  size_t count = 0;
  firmware.count = 3000;
  for (size_t i = 0; i < firmware.count; i++) put(i, i % 2 == 0 ? 7 : 0, MIB + i * FRAME_SIZE, 1);
  memmap_init(&m);
  struct boot_region *r = build(&m, &count);
  assert_int_equal(count, 3000);
  assert_int_equal(firmware.allocations, 1);
  bool has_allocated = false;
  assert_int_equal(memmap_reserve(&m, 5, &has_allocated), OK); /* Some more fit already. */
  assert_false(has_allocated);
  efi_memory_free_pool(m.scratch);
  free(r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(a_firmware_that_agrees_is_left_at_once, setup),
      cmocka_unit_test_setup(a_hundred_refusals_are_outlasted_each_with_a_fresh_map, setup),
      cmocka_unit_test_setup(a_firmware_that_never_agrees_ends_in_a_status, setup),
      cmocka_unit_test_setup(the_console_is_left_with_the_first_refusal_and_not_before, setup),
      cmocka_unit_test_setup(what_was_allocated_while_preparing_costs_a_map_and_no_try, setup),
      cmocka_unit_test_setup(preparing_that_never_ends_is_given_up, setup),
      cmocka_unit_test_setup(what_cannot_be_prepared_is_not_left, setup),
      cmocka_unit_test_setup(a_framebuffer_inside_ram_is_no_ram, setup),
      cmocka_unit_test_setup(a_framebuffer_outside_ram_adds_nothing, setup),
      cmocka_unit_test_setup(ram_that_the_cpu_cannot_address_is_no_ram, setup),
      cmocka_unit_test_setup(three_thousand_descriptors_get_the_room_they_need, setup),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
