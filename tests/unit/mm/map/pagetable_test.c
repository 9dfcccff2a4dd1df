/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pagetable_test.c — the tables against a model that is an array: one entry a page, no levels.
 *
 * The MMU is the hostile one of tests/fake.  The model's window lies across a 1 GiB border, so that every operation can meet
 * leaves and tables of every level.  CAIRN_SEED replays a run.
 */
#include "mm/pagetable.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bits.h"
#include "mm/physmap.h"

#define FRAMES       2048
#define PAGES        4096 /* Of the model's window: 16 MiB. */
#define WINDOW_START (UINT64_C(5) * GIB - 8 * MIB)
#define STEPS        60000

/* Physical memory: frame i lies at arena + i * 4096; frame 0 is never used. */
static uint8_t *arena;
static struct {
  uint16_t free[FRAMES];
  unsigned free_count;
  unsigned allowed; /* How many takes may still succeed. */
} frames;

static status_t take(void *context, paddr_t *frame) {
  (void)context;
  if (frames.free_count == 0 || frames.allowed == 0) return ERR_NO_MEMORY;
  frames.allowed--;
  *frame = paddr((uint64_t)frames.free[--frames.free_count] << FRAME_SHIFT);
  memset(arena + frame->raw, 0xa5, FRAME_SIZE);
  return OK;
}

static void give(void *context, paddr_t frame) {
  (void)context;
  assert_true(frames.free_count < FRAMES);
  frames.free[frames.free_count++] = (uint16_t)(frame.raw >> FRAME_SHIFT);
}

static uint64_t seed_state;
static uint64_t draw(uint64_t bound) { /* splitmix64 */
  uint64_t z = (seed_state += UINT64_C(0x9e3779b97f4a7c15));
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return (z ^ (z >> 31)) % bound;
}

static struct pagetable make(void) {
  struct pagetable t;
  free(arena);
  arena = aligned_alloc(FRAME_SIZE, FRAMES * FRAME_SIZE);
  assert_non_null(arena);
  frames.free_count = 0;
  frames.allowed = UINT32_MAX;
  for (unsigned i = FRAMES - 1; i > 1; i--) frames.free[frames.free_count++] = (uint16_t)i;
  memset(arena + FRAME_SIZE, 0, FRAME_SIZE);
  physmap_init(vaddr((uint64_t)(uintptr_t)arena), NULL, 0);
  pagetable_init(&t, paddr(FRAME_SIZE), (struct pagetable_source){take, give, NULL});
  return t;
}

static int teardown(void **state) {
  (void)state;
  free(arena);
  arena = NULL;
  return 0;
}

static void large_leaves_are_used_where_everything_is_aligned(void **state) {
  (void)state;
  struct pagetable t = make();
  struct pagetable_leaf leaf;
  assert_int_equal(pagetable_map(&t, vrange(GIB - 4096, 2 * GIB + 2 * MIB + 4096), paddr(3 * GIB - 4096), PAGE_WRITE), OK);
  const struct {
    uint64_t at, size;
  } expected[] = {{GIB - 4096, 4096}, {GIB, GIB}, {2 * GIB - 1, GIB}, {2 * GIB, 2 * MIB}, {2 * GIB + 2 * MIB, 4096}};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    assert_int_equal(pagetable_find(&t, vaddr(expected[i].at), &leaf), OK);
    assert_int_equal(leaf.size, expected[i].size);
    assert_int_equal(leaf.to.raw, leaf.start.raw + 2 * GIB);
    assert_int_equal(leaf.flags, PAGE_WRITE);
  }
  assert_int_equal(pagetable_find(&t, vaddr(GIB - 4097), &leaf), ERR_NOT_FOUND);
  assert_int_equal(t.spare_count, 0);
}

static void a_machine_without_1_gib_leaves_gets_2_mib_leaves(void **state) {
  (void)state;
  struct pagetable t = make();
  struct pagetable_leaf leaf;
  fake_mmu.has_top_leaves = false;
  assert_int_equal(pagetable_map(&t, vrange(GIB, 2 * GIB), paddr(0), 0), OK);
  fake_mmu.has_top_leaves = true;
  assert_int_equal(pagetable_find(&t, vaddr(GIB), &leaf), OK);
  assert_int_equal(leaf.size, 2 * MIB);
}

static void bad_arguments_are_refused_by_name(void **state) {
  (void)state;
  struct pagetable t = make();
  assert_int_equal(pagetable_map(&t, vrange(4096, 4096), paddr(0), 0), ERR_INVALID);
  assert_int_equal(pagetable_map(&t, vrange(4096, 8192), paddr(0), PAGE_WRITE | PAGE_EXECUTE), ERR_INVALID);
  assert_int_equal(pagetable_map(&t, vrange(4096, 8192), paddr(0), PAGE_UNCACHED | PAGE_WRITE_COMBINING), ERR_INVALID);
  assert_int_equal(pagetable_map(&t, vrange(4097, 8192), paddr(0), 0), ERR_UNALIGNED);
  assert_int_equal(pagetable_map(&t, vrange(4096, 8192), paddr(1), 0), ERR_UNALIGNED);
  assert_int_equal(pagetable_map(&t, vrange(UINT64_C(1) << 38, (UINT64_C(1) << 38) + 4096), paddr(0), 0), ERR_RANGE);
  assert_int_equal(pagetable_map(&t, vrange(4096, UINT64_MAX & ~UINT64_C(4095)), paddr(0), 0), ERR_RANGE);
  assert_int_equal(pagetable_unmap(&t, vrange(4096, 8192)), ERR_NOT_FOUND);
  assert_int_equal(pagetable_map(&t, vrange(4096, 8192), paddr(0), 0), OK);
  assert_int_equal(pagetable_map(&t, vrange(0, 12288), paddr(0), 0), ERR_EXISTS);
  assert_int_equal(pagetable_protect(&t, vrange(4096, 12288), 0), ERR_NOT_FOUND);
}

static void the_upper_half_can_be_mapped_and_visited(void **state) {
  (void)state;
  struct pagetable t = make();
  struct pagetable_leaf leaf;
  const uint64_t at = UINT64_C(0xffffffffffe00000);
  assert_int_equal(pagetable_map(&t, vrange(at, at + MIB), paddr(MIB), PAGE_EXECUTE), OK);
  assert_int_equal(pagetable_find(&t, vaddr(at + UINT64_C(5) * 4096), &leaf), OK);
  assert_int_equal(leaf.start.raw, at + UINT64_C(5) * 4096);
  assert_int_equal(pagetable_count_tables(&t, 0, ARCH_MMU_ENTRIES), 2);
}

static void splitting_keeps_every_translation(void **state) {
  (void)state;
  struct pagetable t = make();
  struct pagetable_leaf leaf;
  assert_int_equal(pagetable_map(&t, vrange(GIB, 2 * GIB), paddr(0), PAGE_WRITE), OK);
  assert_int_equal(pagetable_split(&t, vaddr(GIB + 5 * MIB)), OK);
  assert_int_equal(pagetable_find(&t, vaddr(GIB + 5 * MIB), &leaf), OK);
  assert_int_equal(leaf.size, 2 * MIB);
  assert_int_equal(leaf.to.raw, 4 * MIB);
  assert_int_equal(leaf.flags, PAGE_WRITE);
  assert_int_equal(pagetable_split(&t, vaddr(3 * GIB)), ERR_NOT_FOUND);
}

static void changing_from_the_middle_of_a_large_leaf_keeps_its_beginning(void **state) {
  (void)state;
  struct pagetable t = make();
  struct pagetable_leaf leaf;
  assert_int_equal(pagetable_map(&t, vrange(0, 8 * MIB), paddr(0), PAGE_WRITE), OK);
  assert_int_equal(pagetable_protect(&t, vrange(MIB, 7 * MIB), 0), OK);
  for (uint64_t at = 0; at < 8 * MIB; at += FRAME_SIZE) {
    assert_int_equal(pagetable_find(&t, vaddr(at), &leaf), OK);
    assert_int_equal(leaf.flags, at >= MIB && at < 7 * MIB ? 0 : PAGE_WRITE);
    assert_int_equal(leaf.to.raw, leaf.start.raw);
    assert_int_equal(leaf.size, at < 2 * MIB || at >= 6 * MIB ? FRAME_SIZE : 2 * MIB);
  }
}

/* --- the model ----------------------------------------------------------------------------------------------------------
 */

struct page {
  uint64_t to;
  uint32_t flags;
  bool mapped;
};
static struct page model[PAGES];

struct compare {
  uint64_t pages;
};

static bool compare_leaf(void *context, const struct pagetable_leaf *leaf) {
  struct compare *c = context;
  for (uint64_t done = 0; done < leaf->size; done += FRAME_SIZE) {
    const uint64_t i = (leaf->start.raw + done - WINDOW_START) / FRAME_SIZE;
    assert_true(i < PAGES);
    assert_true(model[i].mapped);
    assert_int_equal(model[i].to, leaf->to.raw + done);
    assert_int_equal(model[i].flags, leaf->flags);
    c->pages++;
  }
  return true;
}

static void compare_all(const struct pagetable *t) {
  struct compare c = {0};
  uint64_t mapped = 0;
  pagetable_visit(t, 0, ARCH_MMU_ENTRIES, compare_leaf, &c);
  for (unsigned i = 0; i < PAGES; i++) mapped += model[i].mapped;
  assert_int_equal(c.pages, mapped);
  assert_int_equal(t->tables, pagetable_count_tables(t, 0, ARCH_MMU_ENTRIES));
  assert_int_equal(t->tables + t->spare_count + frames.free_count, FRAMES - 2);
}

static unsigned mapped_in(unsigned first, unsigned count) {
  unsigned n = 0;
  for (unsigned i = first; i < first + count; i++) n += model[i].mapped;
  return n;
}

/* Random ranges are seldom mapped throughout: cut at the first hole, so that the change has something to do. */
static void fit_to_mapped(unsigned first, unsigned *count) {
  unsigned n = 0;
  while (n < *count && model[first + n].mapped) n++;
  if (n > 0) *count = n;
}

static void one_step(struct pagetable *t) {
  static const unsigned sizes[] = {1, 2, 7, 64, 512, 1024};
  unsigned count = sizes[draw(6)];
  unsigned first = (unsigned)draw(PAGES);
  if (draw(2)) first &= ~511U; /* Often whole large leaves. */
  if (first + count > PAGES) count = PAGES - first;
  const unsigned choice = (unsigned)draw(8); /* 0 and 7 unmap, 1-3 map, 4-6 protect. */
  if (choice >= 4) fit_to_mapped(first, &count);
  const vrange_t where = vrange(WINDOW_START + first * FRAME_SIZE, WINDOW_START + (first + count) * FRAME_SIZE);
  const uint64_t to = draw(2) ? where.start.raw : (draw(1 << 20) << FRAME_SHIFT);
  const uint32_t flags = (uint32_t[]){0, PAGE_WRITE, PAGE_EXECUTE | PAGE_GLOBAL, PAGE_WRITE | PAGE_UNCACHED}[draw(4)];
  frames.allowed = draw(3) ? UINT32_MAX : (unsigned)draw(3); /* Every third step may run out of tables. */
  const bool poor = frames.allowed != UINT32_MAX;
  const unsigned before = mapped_in(first, count);
  switch (choice) {
  case 1:
  case 2:
  case 3: {
    const status_t s = pagetable_map(t, where, paddr(to), flags);
    if (before) assert_int_equal(s, ERR_EXISTS);
    if (!before) assert_true(s == OK || (poor && s == ERR_NO_MEMORY));
    for (unsigned i = 0; s == OK && i < count; i++) model[first + i] = (struct page){to + i * FRAME_SIZE, flags, true};
    break;
  }
  case 4:
  case 5:
  case 6: {
    const status_t s = pagetable_protect(t, where, flags);
    if (before < count) assert_int_equal(s, ERR_NOT_FOUND);
    if (before == count) assert_true(s == OK || (poor && s == ERR_NO_MEMORY));
    for (unsigned i = 0; s == OK && i < count; i++) model[first + i].flags = flags;
    break;
  }
  default: {
    const status_t s = pagetable_unmap(t, where);
    if (before < count) assert_int_equal(s, ERR_NOT_FOUND);
    if (before == count) assert_true(s == OK || (poor && s == ERR_NO_MEMORY));
    for (unsigned i = 0; s == OK && i < count; i++) model[first + i].mapped = false;
    break;
  }
  }
}

static void tables_agree_with_an_array_under_random_operations(void **state) {
  (void)state;
  const char *given = getenv("CAIRN_SEED");
  seed_state = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
  printf("CAIRN_SEED=%llu\n", (unsigned long long)seed_state);
  struct pagetable t = make();
  memset(model, 0, sizeof model);
  for (unsigned i = 0; i < STEPS; i++) {
    one_step(&t);
    if (i % 64 == 0) compare_all(&t);
  }
  compare_all(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_teardown(large_leaves_are_used_where_everything_is_aligned, teardown),
      cmocka_unit_test_teardown(a_machine_without_1_gib_leaves_gets_2_mib_leaves, teardown),
      cmocka_unit_test_teardown(bad_arguments_are_refused_by_name, teardown),
      cmocka_unit_test_teardown(the_upper_half_can_be_mapped_and_visited, teardown),
      cmocka_unit_test_teardown(changing_from_the_middle_of_a_large_leaf_keeps_its_beginning, teardown),
      cmocka_unit_test_teardown(splitting_keeps_every_translation, teardown),
      cmocka_unit_test_teardown(tables_agree_with_an_array_under_random_operations, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
