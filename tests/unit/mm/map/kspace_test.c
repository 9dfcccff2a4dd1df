/* SPDX-License-Identifier: BSD-2-Clause */
/* kspace_test.c — windows that only grow, with nothing between their tenants; and which RAM the direct map covers. */
#include "mm/kspace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/physmap.h"

#define FRAMES 256

static uint8_t *arena;
static unsigned next_frame;
static struct pagetable tables;

static status_t take(void *context, paddr_t *frame) {
  (void)context;
  if (next_frame == FRAMES) return ERR_NO_MEMORY;
  *frame = paddr((uint64_t)next_frame++ * FRAME_SIZE);
  return OK;
}

static status_t take_run(void *context, uint64_t frames, paddr_t *start) {
  (void)context;
  if (next_frame + frames > FRAMES) return ERR_NO_MEMORY;
  *start = paddr((uint64_t)next_frame * FRAME_SIZE);
  next_frame += (unsigned)frames;
  return OK;
}

static unsigned runs_taken;

/* Frames that nobody looks at, one page off every alignment. */
static status_t take_run_elsewhere(void *context, uint64_t frames, paddr_t *start) {
  (void)context;
  (void)frames;
  runs_taken++;
  *start = paddr(GIB + FRAME_SIZE);
  return OK;
}

static int setup_tables(void **state) {
  (void)state;
  arena = aligned_alloc(FRAME_SIZE, FRAMES * FRAME_SIZE);
  assert_non_null(arena);
  memset(arena, 0, FRAMES * FRAME_SIZE);
  next_frame = 2;
  physmap_init(vaddr((uint64_t)(uintptr_t)arena), NULL, 0);
  pagetable_init(&tables, paddr(FRAME_SIZE), (struct pagetable_source){take, NULL, NULL});
  return 0;
}

static int setup(void **state) {
  setup_tables(state);
  kspace_init(&tables, vrange(64 * GIB, 64 * GIB + 16 * MIB), vrange(128 * GIB, 128 * GIB + 256 * KIB),
              (struct kspace_source){take_run, NULL});
  return 0;
}

static int teardown(void **state) {
  (void)state;
  free(arena);
  return 0;
}

static uint64_t address(const void *p) { return (uint64_t)(uintptr_t)p; }

static void a_mapping_keeps_the_offset_in_its_page_and_a_gap_to_the_last(void **state) {
  (void)state;
  void *first;
  void *second;
  struct pagetable_leaf leaf;
  assert_int_equal(kspace_map(paddr(0xfee00030), 16, PAGE_WRITE | PAGE_UNCACHED, &first), OK);
  assert_int_equal(kspace_map(paddr(0xfed00ff0), 32, 0, &second), OK);
  assert_int_equal(address(first) % FRAME_SIZE, 0x30);
  assert_int_equal(address(second) % FRAME_SIZE, 0xff0);
  assert_true(address(second) - address(second) % FRAME_SIZE >= address(first) - 0x30 + 2 * FRAME_SIZE);
  assert_int_equal(pagetable_find(&tables, vaddr(address(first)), &leaf), OK);
  assert_int_equal(leaf.to.raw, 0xfee00000);
  assert_int_equal(leaf.flags, PAGE_WRITE | PAGE_UNCACHED | PAGE_GLOBAL);
  assert_int_equal(pagetable_find(&tables, vaddr(address(second) + 16), &leaf), OK); /* Its second page. */
  assert_int_equal(leaf.to.raw, 0xfed01000);
  assert_int_equal(pagetable_find(&tables, vaddr(leaf.start.raw + FRAME_SIZE), &leaf), ERR_NOT_FOUND);
}

static void bad_mappings_and_a_full_window_are_refused(void **state) {
  (void)state;
  void *out = NULL;
  assert_int_equal(kspace_map(paddr(0), 0, 0, &out), ERR_INVALID);
  assert_int_equal(kspace_map(paddr(0), 4096, PAGE_EXECUTE, &out), ERR_INVALID);
  assert_int_equal(kspace_map(paddr(UINT64_MAX - 10), 4096, 0, &out), ERR_INVALID);
  assert_int_equal(kspace_map(paddr(0), 17 * MIB, 0, &out), ERR_NO_MEMORY);
  assert_int_equal(kspace_map(paddr(0), UINT64_MAX - 8192, 0, &out), ERR_NO_MEMORY);
  assert_null(out);
  next_frame = FRAMES; /* No tables left. */
  assert_int_equal(kspace_map(paddr(0), 4096, 0, &out), ERR_NO_MEMORY);
  assert_null(out);
}

static void stacks_lie_between_guard_pages_that_know_their_name(void **state) {
  (void)state;
  struct kspace_stack a;
  struct kspace_stack b;
  struct kspace_stack found;
  struct pagetable_leaf leaf;
  assert_int_equal(kspace_stack_create("a", 8192, &a), OK);
  assert_int_equal(kspace_stack_create("b", 4096, &b), OK);
  assert_int_equal(a.high.raw - a.low.raw, 8192);
  assert_int_equal(pagetable_find(&tables, a.low, &leaf), OK);
  assert_int_equal(pagetable_find(&tables, vaddr(a.low.raw - 1), &leaf), ERR_NOT_FOUND);
  assert_int_equal(pagetable_find(&tables, a.high, &leaf), ERR_NOT_FOUND);
  assert_true(kspace_stack_find(vaddr(a.low.raw - 1), &found));
  assert_string_equal(found.name, "a");
  assert_true(kspace_stack_find(a.high, &found));
  assert_string_equal(found.name, "a");
  assert_true(kspace_stack_find(vaddr(b.low.raw - 1), &found)); /* The two guards between them are two pages. */
  assert_string_equal(found.name, "b");
  assert_false(kspace_stack_find(vaddr(b.high.raw + 4096), &found));
  assert_int_equal(kspace_stack_create("c", 100, &a), ERR_UNALIGNED);
  assert_int_equal(kspace_stack_create("c", 0, &a), ERR_UNALIGNED);
  const unsigned before = next_frame;
  assert_int_equal(kspace_stack_create("c", 256 * KIB, &a), ERR_NO_MEMORY); /* The window, not the frames. */
  assert_int_equal(next_frame, before);
  while (kspace_stack_adopt("d", vaddr(GIB), 4096) == OK) continue;
  assert_int_equal(kspace_stack_create("e", 4096, &a), ERR_FULL);
  assert_int_equal(kspace_stack_adopt("e", vaddr(GIB), 4096), ERR_FULL);
  static struct kspace_stack more[2];
  kspace_stacks_room(more, 2);
  assert_int_equal(kspace_stack_gap(UINT64_C(1) << 40), ERR_NO_MEMORY);
  assert_int_equal(kspace_stack_gap(3), OK);
  assert_int_equal(kspace_stack_create("e", 4096, &a), OK);
  assert_int_equal(a.low.raw, b.high.raw + 5 * FRAME_SIZE);
  assert_true(kspace_stack_find(vaddr(a.high.raw + 8), &found));
  assert_string_equal(found.name, "e");
  assert_int_equal(kspace_stack_adopt("f", vaddr(GIB), 4096), OK);
  assert_int_equal(kspace_stack_create("g", 4096, &a), ERR_FULL);
}

/* A stack of 2 MiB lies where a large leaf would fit, if only its frames were aligned too; they are not. */
static void a_stack_without_tables_takes_no_frames(void **state) {
  (void)state;
  struct kspace_stack a;
  const uint64_t window = 100 * GIB + 4 * MIB - 5 * FRAME_SIZE; /* Two stacks, two guards before each. */
  kspace_init(&tables, vrange(64 * GIB, 64 * GIB + 16 * MIB), vrange(window, window + 8 * MIB),
              (struct kspace_source){take_run_elsewhere, NULL});
  assert_int_equal(kspace_stack_create("a", 4096, &a), OK); /* The upper tables are there now. */
  runs_taken = 0;
  next_frame = FRAMES;
  assert_int_equal(kspace_stack_create("b", FRAME_2M_SIZE, &a), ERR_NO_MEMORY);
  assert_int_equal(runs_taken, 0);
}

static void the_direct_map_covers_ram_without_holes(void **state) {
  (void)state;
  const struct boot_region r[] = {
      {0, MIB, BOOT_MEMORY_LOW, 7, 0},
      {MIB, 2 * MIB, BOOT_MEMORY_USABLE, 7, 0},
      {2 * MIB, 3 * MIB, BOOT_MEMORY_RUNTIME_DATA, 6, 0},
      {3 * MIB, 4 * MIB, BOOT_MEMORY_ACPI_RECLAIM, 9, 0},
      {8 * MIB, 9 * MIB, BOOT_MEMORY_USABLE, 7, 0},
  };
  physmap_init(vaddr(UINT64_C(0xffff900000000000)), r, 5);
  assert_true(physmap_covers(paddr(0), 2 * MIB));
  assert_true(physmap_covers(paddr(MIB - 1), 2));
  assert_false(physmap_covers(paddr(MIB), MIB + 1));
  assert_true(physmap_covers(paddr(3 * MIB), MIB));
  assert_false(physmap_covers(paddr(4 * MIB - 1), 2));
  assert_false(physmap_covers(paddr(8 * MIB - 1), 2));
  assert_false(physmap_covers(paddr(9 * MIB), 1));
  assert_false(physmap_covers(paddr(MIB), 0));
  assert_false(physmap_covers(paddr(UINT64_MAX), 2));
  assert_int_equal(physmap_address_of(physmap_at(paddr(0x1234))).raw, 0x1234);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      /* The first, for the window only grows and this one lies lowest. */
      cmocka_unit_test_setup_teardown(a_stack_without_tables_takes_no_frames, setup_tables, teardown),
      cmocka_unit_test_setup_teardown(a_mapping_keeps_the_offset_in_its_page_and_a_gap_to_the_last, setup, teardown),
      cmocka_unit_test_setup_teardown(bad_mappings_and_a_full_window_are_refused, setup, teardown),
      cmocka_unit_test_setup_teardown(stacks_lie_between_guard_pages_that_know_their_name, setup, teardown),
      cmocka_unit_test(the_direct_map_covers_ram_without_holes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
