/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memory_test.c — the firmware's memory services, by a firmware that is made up here and watched.
 *
 * It hands out real memory of the host, counts what is out, and gives a map of as many descriptors as the test wants; each
 * allocation may add some, as on real machines.
 */
#include "efi/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "efi/tables.h"

static struct {
  size_t descriptors, stride, grows_by;
  size_t pages_out, pool_out, pages_freed;
  bool has_no_memory, is_silent_about_stride, lies_about_size;
  EFI_STATUS map_answer;
  unsigned map_calls, free_pool_calls;
} firmware;

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages, EFI_PHYSICAL_ADDRESS *at) {
  (void)how;
  assert_true(type == EfiLoaderData || type == EfiLoaderCode);
  if (firmware.has_no_memory) return EFI_OUT_OF_RESOURCES;
  void *memory = aligned_alloc(FRAME_SIZE, pages * FRAME_SIZE);
  assert_non_null(memory);
  firmware.pages_out += pages;
  firmware.descriptors += firmware.grows_by;
  *at = (uint64_t)(uintptr_t)memory;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS at, UINTN pages) {
  free((void *)(uintptr_t)at); // NOLINT(performance-no-int-to-ptr)
  firmware.pages_out -= pages;
  firmware.pages_freed += pages;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI allocate_pool(EFI_MEMORY_TYPE type, UINTN size, VOID **at) {
  assert_int_equal(type, EfiLoaderData);
  if (firmware.has_no_memory) return EFI_OUT_OF_RESOURCES;
  *at = malloc(size); /* Not zeroed, and the sanitizer guards its end. */
  assert_non_null(*at);
  firmware.pool_out++;
  firmware.descriptors += firmware.grows_by;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI free_pool(VOID *at) {
  free(at);
  firmware.pool_out--;
  firmware.free_pool_calls++;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI get_memory_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *map, UINTN *key, UINTN *stride,
                                        UINT32 *version) {
  UINTN room = *size;
  firmware.map_calls++;
  if (EFI_ERROR(firmware.map_answer)) return firmware.map_answer;
  *size = firmware.descriptors * firmware.stride;
  if (*size > room && firmware.is_silent_about_stride) return EFI_BUFFER_TOO_SMALL;
  *stride = firmware.stride;
  if (*size > room && !firmware.lies_about_size) return EFI_BUFFER_TOO_SMALL;
  *version = 1;
  *key = firmware.map_calls;
  if (*size <= room) memset(map, 0x5a, *size);
  return EFI_SUCCESS;
}

static EFI_BOOT_SERVICES services;
static EFI_SYSTEM_TABLE system_table = {.BootServices = &services};

static int setup(void **state) {
  (void)state;
  memset(&firmware, 0, sizeof firmware);
  firmware.descriptors = 100;
  firmware.stride = 48;
  services.AllocatePages = allocate_pages;
  services.FreePages = free_pages;
  services.AllocatePool = allocate_pool;
  services.FreePool = free_pool;
  services.GetMemoryMap = get_memory_map;
  efi_tables_init(NULL, &system_table);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  efi_memory_free_all();
  return firmware.pages_out == 0 && firmware.pool_out == 0 ? 0 : -1;
}

/* --- the map -------------------------------------------------------------------------------------------------------- */

static void a_map_that_fits_costs_no_allocation(void **state) {
  (void)state;
  static uint64_t own[(100 * 48 + EFI_MEMORY_MAP_SPARE) / 8];
  struct efi_memory_map map = {.descriptors = own, .capacity = sizeof own};
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_int_equal(map.size, 4800);
  assert_int_equal(map.stride, 48);
  assert_int_equal(map.key, 1);
  assert_int_equal(firmware.pool_out, 0);
  assert_ptr_equal(map.descriptors, own);
}

static void a_buffer_without_room_to_append_is_too_small(void **state) {
  (void)state;
  static uint64_t own[(100 * 48 + EFI_MEMORY_MAP_SPARE - 8) / 8];
  struct efi_memory_map map = {.descriptors = own, .capacity = sizeof own};
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_true(map.is_from_pool);
  assert_true(map.capacity - map.size >= EFI_MEMORY_MAP_SPARE);
}

static void a_map_of_three_thousand_gets_a_larger_buffer_with_room_to_append(void **state) {
  (void)state;
  static uint64_t own[512];
  struct efi_memory_map map = {.descriptors = own, .capacity = sizeof own};
  firmware.descriptors = 3000;
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_int_equal(map.size, 3000 * 48);
  assert_true(map.is_from_pool);
  memset((uint8_t *)map.descriptors + map.size, 1, EFI_MEMORY_MAP_SPARE); /* Within the buffer, or the sanitizer says so. */
  firmware.descriptors = 5000;
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_int_equal(map.size, 5000 * 48);
  assert_int_equal(firmware.pool_out, 1); /* The smaller one went back. */
}

static void a_map_that_grows_while_its_buffer_does_is_caught_up_with(void **state) {
  (void)state;
  struct efi_memory_map map = {0};
  firmware.grows_by = 70; /* More than the buffer's slack, at first. */
  assert_int_equal(efi_memory_get_map(&map), ERR_TIMEOUT);
  assert_int_equal(firmware.pool_out, 1);
  firmware.grows_by = 60;
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_int_equal(map.size, firmware.descriptors * 48);
}

static void a_stride_that_is_said_only_with_the_map_is_good_enough(void **state) {
  (void)state;
  struct efi_memory_map map = {0};
  firmware.is_silent_about_stride = true;
  assert_int_equal(efi_memory_get_map(&map), OK);
  assert_int_equal(map.stride, 48);
}

static void strides_that_cannot_be_are_refused(void **state) {
  (void)state;
  static const size_t strides[] = {0, 8, 32, 41, 44, EFI_MEMORY_MAP_SPARE / 2 + 8, EFI_MEMORY_MAP_SPARE, SIZE_MAX / 128};
  static uint64_t own[100 * 512 / 8 + EFI_MEMORY_MAP_SPARE];
  for (size_t i = 0; i < sizeof strides / sizeof *strides; i++) {
    struct efi_memory_map map = {.descriptors = own, .capacity = sizeof own};
    firmware.stride = strides[i];
    assert_int_equal(efi_memory_get_map(&map), ERR_CORRUPT);
  }
}

static void more_bytes_than_the_buffer_has_are_not_believed(void **state) {
  (void)state;
  static uint64_t own[512];
  struct efi_memory_map map = {.descriptors = own, .capacity = sizeof own};
  firmware.lies_about_size = true;
  assert_int_equal(efi_memory_get_map(&map), ERR_CORRUPT);
  firmware.lies_about_size = false;
  firmware.descriptors = 2 * GIB / 48;
  assert_int_equal(efi_memory_get_map(&map), ERR_CORRUPT);
}

static void what_the_firmware_says_is_handed_on(void **state) {
  (void)state;
  struct efi_memory_map map = {0};
  firmware.map_answer = EFI_DEVICE_ERROR;
  assert_int_equal(efi_memory_get_map(&map), ERR_IO);
  firmware.map_answer = EFI_SUCCESS;
  firmware.has_no_memory = true;
  assert_int_equal(efi_memory_get_map(&map), ERR_NO_MEMORY);
  assert_null(map.descriptors);
}

/* --- allocations ---------------------------------------------------------------------------------------------------- */

static void a_loader_that_gives_up_returns_every_page(void **state) {
  (void)state;
  uint64_t a = 0;
  uint64_t b = 0;
  void *pool = NULL;
  assert_int_equal(efi_memory_alloc(EFI_MEMORY_FOR_DATA, 3, &a), OK);
  assert_int_equal(efi_memory_alloc_below(EFI_MEMORY_FOR_CODE, 1, 4 * GIB - 1, &b), OK);
  assert_int_equal(efi_memory_alloc_pool(100, &pool), OK);
  efi_memory_free(a);
  efi_memory_free(a);          /* It is not ours any more. */
  efi_memory_free(b + 0x1000); /* Nor was that ever. */
  efi_memory_free_pool(NULL);
  assert_int_equal(firmware.pages_freed, 3);
  efi_memory_free_all();
  efi_memory_free_all();
  assert_int_equal(firmware.pages_freed, 4);
  assert_int_equal(firmware.pages_out, 0);
  assert_int_equal(firmware.pool_out, 0);
}

static void a_refused_allocation_changes_nothing(void **state) {
  (void)state;
  uint64_t at = 0x1234;
  void *pool = &at;
  firmware.has_no_memory = true;
  assert_int_equal(efi_memory_alloc(EFI_MEMORY_FOR_DATA, 1, &at), ERR_NO_MEMORY);
  assert_int_equal(efi_memory_alloc_below(EFI_MEMORY_FOR_DATA, 1, 0xfffff, &at), ERR_NO_MEMORY);
  assert_int_equal(efi_memory_alloc_at(MIB, 1), ERR_NO_MEMORY);
  assert_int_equal(efi_memory_alloc_pool(8, &pool), ERR_NO_MEMORY);
  assert_int_equal(at, 0x1234);
  assert_ptr_equal(pool, &at);
}

static void what_cannot_be_remembered_is_not_taken(void **state) {
  (void)state;
  uint64_t at = 0;
  void *pool = NULL;
  for (unsigned i = 0; i < EFI_MEMORY_ALLOCATIONS_MAX; i++) {
    assert_int_equal(efi_memory_alloc(EFI_MEMORY_FOR_DATA, 1, &at), OK);
  }
  assert_int_equal(efi_memory_alloc(EFI_MEMORY_FOR_DATA, 1, &at), ERR_FULL);
  assert_int_equal(efi_memory_alloc_pool(8, &pool), ERR_FULL);
  assert_int_equal(firmware.pages_out, EFI_MEMORY_ALLOCATIONS_MAX);
  assert_int_equal(firmware.pool_out, 0);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(a_map_that_fits_costs_no_allocation),
      TEST(a_buffer_without_room_to_append_is_too_small),
      TEST(a_map_of_three_thousand_gets_a_larger_buffer_with_room_to_append),
      TEST(a_map_that_grows_while_its_buffer_does_is_caught_up_with),
      TEST(a_stride_that_is_said_only_with_the_map_is_good_enough),
      TEST(strides_that_cannot_be_are_refused),
      TEST(more_bytes_than_the_buffer_has_are_not_believed),
      TEST(what_the_firmware_says_is_handed_on),
      TEST(a_loader_that_gives_up_returns_every_page),
      TEST(a_refused_allocation_changes_nothing),
      TEST(what_cannot_be_remembered_is_not_taken),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
