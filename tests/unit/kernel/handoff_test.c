/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handoff_test.c — one good block, and every way of making it bad that handoff_check names.
 */
#include "kernel/handoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"

#define AT UINT64_C(0xffffa00000000000)

/* The block: the struct, three texts and a map, as a loader lays them out. */
struct block {
  struct boot_handoff h;
  struct boot_region regions[6];
  uint8_t map[96];
  char text[16];
};

static struct block good(void) {
  struct block b;
  memset(&b, 0, sizeof b);
  b.h.magic = BOOT_HANDOFF_MAGIC;
  b.h.version = BOOT_HANDOFF_VERSION;
  b.h.size = sizeof b;
  b.h.regions = (struct boot_span){offsetof(struct block, regions), 6};
  b.h.firmware_map = (struct boot_span){offsetof(struct block, map), 96};
  b.h.firmware_descriptor_size = 48;
  b.h.command_line = (struct boot_span){offsetof(struct block, text), 16};
  const struct boot_region regions[] = {
      {0, MIB, BOOT_MEMORY_LOW, 7, 0},
      {MIB, 2 * MIB, BOOT_MEMORY_KERNEL, 2, 0},
      {2 * MIB, 3 * MIB, BOOT_MEMORY_PAGE_TABLES, 2, 0},
      {3 * MIB, 4 * MIB, BOOT_MEMORY_BOOT_STACK, 2, 0},
      {4 * MIB, 5 * MIB, BOOT_MEMORY_HANDOFF, 2, 0},
      {5 * MIB, 64 * MIB, BOOT_MEMORY_USABLE, 7, 0},
  };
  memcpy(b.regions, regions, sizeof regions);
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    b.h.windows[i] = (struct boot_window){.base = UINT64_C(0xffff900000000000) + 64 * GIB * i, .size = GIB, .slots = 1};
  }
  b.h.windows[BOOT_WINDOW_HANDOFF].base = AT;
  b.h.physical = 4 * MIB;
  b.h.kernel_physical = MIB;
  b.h.kernel_size = 64 * KIB;
  b.h.page_table_root = 2 * MIB;
  b.h.boot_stack = b.h.windows[BOOT_WINDOW_STACKS].base + FRAME_SIZE;
  b.h.boot_stack_size = 32 * KIB;
  b.h.boot_stack_physical = 3 * MIB;
  b.h.trampoline = 0x8000;
  b.h.framebuffer = (struct boot_framebuffer){.base = 0xc0000000,
                                              .size = UINT64_C(1024) * 768 * 4,
                                              .width = 1024,
                                              .height = 768,
                                              .stride = 1024,
                                              .format = BOOT_PIXEL_BGR};
  return b;
}

static void expect(const struct block *b, status_t status, const char *problem) {
  const char *said = "";
  assert_int_equal(handoff_check(&b->h, AT, &said), status);
  if (status != OK) assert_string_equal(said, problem);
}

static void a_good_block_is_accepted(void **state) {
  (void)state;
  struct block b = good();
  expect(&b, OK, "");
  b.h.version++; /* A later loader only appends. */
  expect(&b, OK, "");
  b.h.framebuffer = (struct boot_framebuffer){0};
  b.h.firmware_map.count = 0;
  b.h.trampoline = 0;
  expect(&b, OK, "");
}

#define BAD(status, problem, change)                                                                                        \
  do {                                                                                                                      \
    struct block b = good();                                                                                                \
    change;                                                                                                                 \
    expect(&b, status, problem);                                                                                            \
  } while (0)

static void a_foreign_block_is_refused(void **state) {
  (void)state;
  BAD(ERR_UNSUPPORTED, "magic number", b.h.magic++);
  BAD(ERR_UNSUPPORTED, "version", b.h.version = 0);
}

static void spans_that_leave_the_block_are_refused(void **state) {
  (void)state;
  BAD(ERR_TRUNCATED, "size of the block", b.h.size = sizeof(struct boot_handoff) - 1);
  BAD(ERR_TRUNCATED, "size of the block", b.h.size = UINT32_MAX);
  BAD(ERR_TRUNCATED, "region list outside the block", b.h.regions.count = UINT32_MAX);
  BAD(ERR_TRUNCATED, "region list outside the block", b.h.regions.offset += 4);
  BAD(ERR_TRUNCATED, "region list outside the block", b.h.regions.offset = 8);
  BAD(ERR_TRUNCATED, "firmware map outside the block", b.h.firmware_map.offset = UINT32_MAX);
  BAD(ERR_TRUNCATED, "command line outside the block", b.h.command_line.count++);
  BAD(ERR_TRUNCATED, "loader name outside the block", b.h.loader_name = ((struct boot_span){0, 1}));
  BAD(ERR_TRUNCATED, "configuration text outside the block", b.h.config_text = ((struct boot_span){0, 1}));
  BAD(ERR_TRUNCATED, "warnings outside the block", b.h.warnings = ((struct boot_span){0, 1}));
  BAD(ERR_TRUNCATED, "stride of the firmware map", b.h.firmware_descriptor_size = 39);
  BAD(ERR_TRUNCATED, "firmware map is not whole descriptors", b.h.firmware_map.count = 95);
}

static void regions_must_be_canonical(void **state) {
  (void)state;
  BAD(ERR_CORRUPT, "no memory regions", b.h.regions.count = 0);
  BAD(ERR_CORRUPT, "memory regions are not canonical", b.regions[2].end += FRAME_SIZE);
  BAD(ERR_CORRUPT, "memory regions are not canonical", b.regions[2].kind = BOOT_MEMORY_KIND_COUNT);
}

static void windows_must_lie_apart_in_the_upper_half(void **state) {
  (void)state;
  BAD(ERR_CORRUPT, "a window is not whole pages", b.h.windows[2].base++);
  BAD(ERR_CORRUPT, "a window is not whole pages", b.h.windows[2].size = 0);
  BAD(ERR_CORRUPT, "a window outside the layout", b.h.windows[2].base = UINT64_C(0x7f0000000000));
  BAD(ERR_CORRUPT, "a window outside the layout", b.h.windows[2].base = UINT64_C(0xffffff8000000000));
  BAD(ERR_CORRUPT, "a window outside the layout", b.h.windows[2].size = UINT64_MAX & ~UINT64_C(4095));
  BAD(ERR_CORRUPT, "windows overlap or stand too close", b.h.windows[2].base = b.h.windows[3].base + FRAME_SIZE);
  BAD(ERR_CORRUPT, "windows overlap or stand too close", b.h.windows[2].base = b.h.windows[3].base + GIB + 60 * KIB);
  BAD(ERR_CORRUPT, "windows overlap or stand too close", b.h.windows[2].base = b.h.windows[3].base - GIB - 60 * KIB);
  BAD(ERR_CORRUPT, "base of the direct map", b.h.windows[BOOT_WINDOW_DIRECT_MAP].base += 2 * MIB);
  struct block b = good();
  b.h.windows[2].base = b.h.windows[3].base + GIB + LAYOUT_GAP;
  expect(&b, OK, "");
}

static void windows_must_reach_as_far_as_memory(void **state) {
  (void)state;
  BAD(ERR_CORRUPT, "direct map", b.h.windows[BOOT_WINDOW_DIRECT_MAP].size = 64 * MIB - FRAME_SIZE);
  BAD(ERR_CORRUPT, "window of frame records", b.h.windows[BOOT_WINDOW_FRAMES].size = 63 * FRAME_SIZE);
  struct block b = good();
  b.h.windows[BOOT_WINDOW_DIRECT_MAP].size = 64 * MIB;
  b.h.windows[BOOT_WINDOW_FRAMES].size = 64 * FRAME_SIZE;
  expect(&b, OK, "");
  b.regions[5].end = 5 * TIB; /* Device memory may lie anywhere. */
  b.regions[5].kind = BOOT_MEMORY_MMIO;
  expect(&b, OK, "");
}

static void what_the_loader_placed_must_lie_in_its_regions(void **state) {
  (void)state;
  BAD(ERR_CORRUPT, "handoff window", b.h.windows[BOOT_WINDOW_HANDOFF].base += GIB);
  BAD(ERR_CORRUPT, "handoff is not in a handoff region", b.h.physical = MIB);
  BAD(ERR_CORRUPT, "what the loader placed is not in whole pages", b.h.kernel_physical += 8);
  BAD(ERR_CORRUPT, "what the loader placed is not in whole pages", b.h.boot_stack_physical += 8);
  BAD(ERR_CORRUPT, "size of the kernel image", b.h.kernel_size = 0);
  BAD(ERR_CORRUPT, "size of the kernel image", b.h.kernel_size = 2 * GIB);
  BAD(ERR_CORRUPT, "kernel is not in its region", b.h.kernel_size = 2 * MIB);
  BAD(ERR_CORRUPT, "root table is not in a page table region", b.h.page_table_root = 6 * MIB);
  BAD(ERR_CORRUPT, "size of the boot stack", b.h.boot_stack_size = FRAME_SIZE);
  BAD(ERR_CORRUPT, "boot stack outside its window", b.h.boot_stack -= 2 * FRAME_SIZE);
  BAD(ERR_CORRUPT, "boot stack not in its region", b.h.boot_stack_physical = 0);
  BAD(ERR_CORRUPT, "trampoline above 1 MiB", b.h.trampoline = MIB);
}

static void the_framebuffer_must_fit_its_mode(void **state) {
  (void)state;
  BAD(ERR_CORRUPT, "pixel format", b.h.framebuffer.format = 9);
  BAD(ERR_CORRUPT, "video mode", b.h.framebuffer.width = 0);
  BAD(ERR_CORRUPT, "video mode", b.h.framebuffer.height = UINT32_MAX);
  BAD(ERR_CORRUPT, "framebuffer stride", b.h.framebuffer.stride = 1023);
  BAD(ERR_CORRUPT, "framebuffer smaller than its mode", b.h.framebuffer.size--);
  BAD(ERR_CORRUPT, "framebuffer address", b.h.framebuffer.base = UINT64_MAX - 4096);
  BAD(ERR_CORRUPT, "framebuffer larger than its window", b.h.framebuffer.size = 2 * GIB);
  BAD(ERR_CORRUPT, "framebuffer larger than its window", b.h.windows[BOOT_WINDOW_FRAMEBUFFER].size = 3 * MIB;
      b.h.framebuffer.base += 4096);
}

/* Any word of the block may be anything: the check must end, and read nothing outside (the sanitizer watches). */
static void no_damage_makes_the_check_run_away(void **state) {
  (void)state;
  static const uint64_t values[] = {0, 1, UINT32_MAX, UINT64_MAX, UINT64_C(0x8000000080000000), 4096};
  for (size_t at = 8; at + 8 <= sizeof(struct block); at += 4) {
    for (size_t i = 0; i < ARRAY_COUNT(values); i++) {
      struct block *b = malloc(sizeof *b); /* On the heap, so that a read beyond its end is seen. */
      const char *said = NULL;
      assert_non_null(b);
      *b = good();
      memcpy((char *)b + at, &values[i], 8);
      if (b->h.size > sizeof *b) b->h.size = sizeof *b; /* The size itself is the loader's word. */
      const status_t s = handoff_check(&b->h, AT, &said);
      assert_true(s == OK || said != NULL);
      free(b);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_good_block_is_accepted),
      cmocka_unit_test(a_foreign_block_is_refused),
      cmocka_unit_test(spans_that_leave_the_block_are_refused),
      cmocka_unit_test(regions_must_be_canonical),
      cmocka_unit_test(windows_must_lie_apart_in_the_upper_half),
      cmocka_unit_test(windows_must_reach_as_far_as_memory),
      cmocka_unit_test(what_the_loader_placed_must_lie_in_its_regions),
      cmocka_unit_test(the_framebuffer_must_fit_its_mode),
      cmocka_unit_test(no_damage_makes_the_check_run_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
