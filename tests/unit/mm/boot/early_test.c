/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/boot/early.c: a bump that never hands out a frame twice and retires into pmm_create without losing one. */
#include "mm/early.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"

#define USABLE(a, b) {.start = (a), .end = (b), .kind = BOOT_MEMORY_USABLE, .firmware_type = 7, .attributes = 8}

static void memory_comes_from_the_top_of_the_largest_region(void **state) {
  (void)state;
  struct boot_region regions[] = {USABLE(MIB, 8 * MIB), USABLE(16 * MIB, 64 * MIB), USABLE(80 * MIB, 96 * MIB)};
  struct early e;
  paddr_t at;
  early_init(&e, regions, 3);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 5000, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 64 * MIB - 8192);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 1, 2 * MIB, &at), OK);
  assert_int_equal(at.raw, 62 * MIB);
  /* Too large for what is left there: the next largest region serves from now on. */
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 60 * MIB, FRAME_SIZE, &at), ERR_NO_MEMORY);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 46 * MIB, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 16 * MIB);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 4096, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 96 * MIB - 4096);
}

static void only_usable_memory_serves(void **state) {
  (void)state;
  struct boot_region regions[] = {USABLE(MIB, 2 * MIB), USABLE(4 * MIB, 64 * MIB)};
  regions[1].kind = BOOT_MEMORY_BOOT_SERVICES;
  struct early e;
  paddr_t at = paddr(7);
  early_init(&e, regions, 2);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 2 * MIB, FRAME_SIZE, &at), ERR_NO_MEMORY);
  assert_int_equal(at.raw, 7);
  early_init(&e, &regions[1], 1);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 1, FRAME_SIZE, &at), ERR_NO_MEMORY);
}

static void senseless_requests_are_refused(void **state) {
  (void)state;
  struct boot_region region = USABLE(MIB, 8 * MIB);
  struct early e;
  paddr_t at;
  early_init(&e, &region, 1);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 0, FRAME_SIZE, &at), ERR_INVALID);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 1, 64, &at), ERR_INVALID);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 1, 3 * FRAME_SIZE, &at), ERR_INVALID);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, UINT64_MAX, FRAME_SIZE, &at), ERR_NO_MEMORY);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 1, UINT64_C(1) << 63, &at), ERR_NO_MEMORY);
  assert_int_equal(e.taken_count, 0);
}

static void neighbours_of_one_owner_are_one_entry(void **state) {
  (void)state;
  struct boot_region region = USABLE(MIB, 64 * MIB);
  struct early e;
  paddr_t at;
  early_init(&e, &region, 1);
  for (unsigned i = 0; i < 1000; i++) assert_int_equal(early_alloc(&e, FRAME_OWNER_PAGE_TABLES, 4096, 4096, &at), OK);
  assert_int_equal(e.taken_count, 1);
  assert_int_equal(e.taken[0].end - e.taken[0].start, 1000);
}

static void a_full_list_is_said_and_changes_nothing(void **state) {
  (void)state;
  struct boot_region region = USABLE(MIB, 64 * MIB);
  struct early e;
  paddr_t at;
  early_init(&e, &region, 1);
  for (unsigned i = 0; i < EARLY_TAKEN_MAX; i++) {
    assert_int_equal(early_alloc(&e, i % 2 ? FRAME_OWNER_STACKS : FRAME_OWNER_KERNEL, 4096, 4096, &at), OK);
  }
  struct early before = e;
  assert_int_equal(early_alloc(&e, FRAME_OWNER_KERNEL, 4096, 4096, &at), ERR_NO_MEMORY);
  assert_memory_equal(&e, &before, sizeof e);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_STACKS, 4096, 4096, &at), OK);
}

static void what_was_taken_becomes_the_allocators(void **state) {
  (void)state;
  uint64_t seed = seed_of_run();
  for (unsigned round = 0; round < 300; round++) {
    struct dice d = dice_of(seed + round);
    struct map m;
    map_generate(&d, 1 << 13, &m);
    struct canon c = canon_of(&m, NULL, 0);
    struct early e;
    paddr_t at;
    uint64_t taken = 0, size;
    prange_t broken[4];
    early_init(&e, c.regions, c.count);
    for (unsigned i = 0; i < 4; i++) {
      const uint64_t start = dice_any_size(&d, 26);
      broken[i] = prange(start, start + dice_any_size(&d, 25));
    }
    if (dice_one_in(&d, 2)) early_avoid(&e, broken, 4);
    for (unsigned i = 0; i < 40; i++) {
      enum frame_owner owner = dice_one_in(&d, 3) ? FRAME_OWNER_BITMAPS : FRAME_OWNER_PAGE_TABLES;
      uint64_t align = FRAME_SIZE << dice_below(&d, 4);
      size = 1 + dice_any_size(&d, 17);
      if (early_alloc(&e, owner, size, align, &at) != OK) continue;
      assert_true(bits_is_aligned(at.raw, align));
      taken += (size + 4095) / 4096;
    }
    struct hosted h = hosted_create(c.regions, c.count, e.taken, e.taken_count);
    if (h.pmm) {
      struct ledger l;
      ledger_read(h.pmm, &l);
      assert_int_equal(l.frames[FRAME_OWNER_BITMAPS] + l.frames[FRAME_OWNER_PAGE_TABLES], taken);
      hosted_must_be_sound(&h, "after early memory");
    } else {
      assert_int_equal(h.status, ERR_NOT_FOUND);
    }
    hosted_destroy(&h);
    canon_free(&c);
    map_free(&m);
  }
}

static void boot_services_memory_serves_once_it_is_given_and_after_all_usable(void **state) {
  (void)state;
  static const struct boot_region regions[] = {
      {0x100000, 0x102000, BOOT_MEMORY_USABLE, 7, 8},
      {0x102000, 0x200000, BOOT_MEMORY_BOOT_SERVICES, 4, 8},
  };
  struct early e;
  paddr_t at;
  early_init(&e, regions, 2);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_KERNEL, 0x3000, FRAME_SIZE, &at), ERR_NO_MEMORY);
  early_add_boot_services(&e);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_KERNEL, 0x1000, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 0x101000);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_KERNEL, 0x3000, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 0x1fd000);
}

/* A page of it, of ours or not, may begin and end anywhere. */
static void broken_memory_is_passed_over(void **state) {
  (void)state;
  struct boot_region regions[] = {USABLE(MIB, 8 * MIB), USABLE(16 * MIB, 64 * MIB)};
  const prange_t broken[] = {prange(64 * MIB - 4097, 64 * MIB - 4096), prange(16 * MIB + 1, 32 * MIB + 5),
                             prange(60 * MIB, 61 * MIB), prange(60 * MIB + 5, 62 * MIB), prange(0, 0)};
  struct early e;
  paddr_t at;
  early_init(&e, regions, 2);
  early_avoid(&e, broken, 5);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 4096, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 64 * MIB - 4096);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 4096, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 64 * MIB - 3 * FRAME_SIZE); /* The byte is in the frame before it. */
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 2 * MIB, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 58 * MIB);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 26 * MIB - 8192, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 32 * MIB + 8192);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 4096, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 32 * MIB + 4096);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, 4096, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 8 * MIB - 4096); /* And not below 32 MiB. */
}

/* Better a machine that starts than one that does not: then the log says what is used all the same. */
static void broken_memory_serves_when_there_is_no_other(void **state) {
  (void)state;
  struct boot_region regions[] = {USABLE(MIB, 2 * MIB), USABLE(16 * MIB, 32 * MIB)};
  const prange_t broken[] = {prange(4 * MIB, UINT64_MAX)};
  struct early e;
  paddr_t at;
  early_init(&e, regions, 2);
  early_avoid(&e, broken, 1);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_BITMAPS, MIB / 2, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 3 * MIB / 2);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_STACKS, 2 * MIB, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 30 * MIB);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_KERNEL, MIB / 2, FRAME_SIZE, &at), OK); /* What is sound is not forgotten. */
  assert_int_equal(at.raw, MIB);
  assert_int_equal(early_alloc(&e, FRAME_OWNER_STACKS, MIB, FRAME_SIZE, &at), OK);
  assert_int_equal(at.raw, 29 * MIB);
  struct early before = e;
  assert_int_equal(early_alloc(&e, FRAME_OWNER_STACKS, 14 * MIB, FRAME_SIZE, &at), ERR_NO_MEMORY);
  assert_memory_equal(&e, &before, sizeof e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(boot_services_memory_serves_once_it_is_given_and_after_all_usable),
      cmocka_unit_test(memory_comes_from_the_top_of_the_largest_region),
      cmocka_unit_test(only_usable_memory_serves),
      cmocka_unit_test(senseless_requests_are_refused),
      cmocka_unit_test(neighbours_of_one_owner_are_one_entry),
      cmocka_unit_test(a_full_list_is_said_and_changes_nothing),
      cmocka_unit_test(what_was_taken_becomes_the_allocators),
      cmocka_unit_test(broken_memory_is_passed_over),
      cmocka_unit_test(broken_memory_serves_when_there_is_no_other),
  };
  return cmocka_run_group_tests_name("mm/boot/early", tests, NULL, NULL);
}
