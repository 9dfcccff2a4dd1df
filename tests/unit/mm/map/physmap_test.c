/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * physmap_test.c — frames of the direct map change their cache type, exactly they, and back without a trace.
 *
 * Tables of the hostile MMU of tests/fake over 3 GiB that are only numbers, but for the first 8 MiB, where tables lie: these
 * are real, at an address that three levels reach.  The oracle is one byte a frame.
 */
#define _GNU_SOURCE
#include "mm/physmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"
#include "platform.h"

#define BASE     GIB /* A multiple of the largest leaf. */
#define RAM      (3 * GIB)
#define TABLES   (8 * MIB / FRAME_SIZE)
#define NORMAL   (PAGE_WRITE | PAGE_GLOBAL)
#define READONLY PAGE_GLOBAL

static const struct boot_region machine[] = {{0, RAM, BOOT_MEMORY_USABLE, 7, 8}};
static struct {
  uint64_t free[TABLES];
  unsigned count, allowed;
} frames;
static uint8_t combining[RAM / FRAME_SIZE];

static status_t take(void *context, paddr_t *frame) {
  (void)context;
  if (frames.count == 0 || frames.allowed == 0) return ERR_NO_MEMORY;
  frames.allowed--;
  *frame = paddr(frames.free[--frames.count] * FRAME_SIZE);
  memset(physmap_at(*frame), 0xa5, FRAME_SIZE);
  return OK;
}

static void give(void *context, paddr_t frame) {
  (void)context;
  assert_true(frames.count < TABLES);
  frames.free[frames.count++] = frame.raw / FRAME_SIZE;
}

static struct pagetable start(void) {
  struct pagetable t;
  physmap_init(vaddr(BASE), machine, 1);
  frames.count = 0;
  frames.allowed = UINT32_MAX;
  for (uint64_t i = 2; i < TABLES; i++) frames.free[frames.count++] = i;
  memset(physmap_at(paddr(FRAME_SIZE)), 0, FRAME_SIZE);
  memset(combining, 0, sizeof combining);
  pagetable_init(&t, paddr(FRAME_SIZE), (struct pagetable_source){take, give, NULL});
  assert_int_equal(pagetable_map(&t, vrange(BASE, BASE + RAM), paddr(0), NORMAL), OK);
  return t;
}

struct view {
  uint64_t next, leaves;
};

static bool look(void *context, const struct pagetable_leaf *leaf) {
  struct view *v = context;
  assert_int_equal(leaf->start.raw, v->next);
  assert_int_equal(leaf->to.raw, leaf->start.raw - BASE);
  for (uint64_t i = leaf->to.raw / FRAME_SIZE; i < (leaf->to.raw + leaf->size) / FRAME_SIZE; i++) {
    if (leaf->flags != (combining[i] ? NORMAL | PAGE_WRITE_COMBINING : NORMAL)) fail_msg("frame %#lx: %#x", i, leaf->flags);
  }
  v->next += leaf->size;
  v->leaves++;
  return true;
}

/* Every frame is mapped, once, as the oracle says. */
static uint64_t must_agree(const struct pagetable *t) {
  struct view v = {.next = BASE};
  pagetable_visit(t, 0, ARCH_MMU_ENTRIES, look, &v);
  assert_int_equal(v.next, BASE + RAM);
  return v.leaves;
}

static uint64_t tables_of(const struct pagetable *t) { return pagetable_count_tables(t, 0, ARCH_MMU_ENTRIES); }

static void frames_become_write_combining_and_go_back_without_a_trace(void **state) {
  (void)state;
  struct pagetable t = start();
  struct dice d = dice_of(seed_of_run());
  struct {
    uint64_t first, count;
  } held[40] = {0};
  const uint64_t leaves = must_agree(&t), tables = tables_of(&t), ours = t.tables;
  unsigned refused = 0, changed = 0;
  for (unsigned i = 0; i < 3000; i++) {
    const size_t at = dice_below(&d, 40);
    if (held[at].count != 0) {
      frames.allowed = 0; /* Going back needs nothing. */
      const uint64_t flushed = fake_memory.flushed;
      assert_int_equal(physmap_set_cache(&t, paddr(held[at].first * FRAME_SIZE), held[at].count * FRAME_SIZE, 0), OK);
      assert_int_equal(fake_memory.flushed, flushed + held[at].count * FRAME_SIZE);
      memset(combining + held[at].first, 0, held[at].count);
      held[at].count = 0;
    } else {
      uint64_t count = 1 + dice_any_size(&d, 18);
      uint64_t first = dice_below(&d, RAM / FRAME_SIZE);
      if (dice_one_in(&d, 3)) first = bits_align_down(first, FRAMES_PER_2M);
      count = bits_min(count, RAM / FRAME_SIZE - first);
      if (memchr(combining + first, 1, count)) continue;
      frames.allowed = dice_one_in(&d, 3) ? (unsigned)dice_below(&d, 4) : UINT32_MAX;
      const status_t s = physmap_set_cache(&t, paddr(first * FRAME_SIZE), count * FRAME_SIZE, PAGE_WRITE_COMBINING);
      assert_true(s == OK || (s == ERR_NO_MEMORY && frames.allowed != UINT32_MAX));
      refused += s != OK;
      changed += s == OK;
      if (s != OK) continue;
      memset(combining + first, 1, count);
      held[at].first = first;
      held[at].count = count;
    }
    if (i % 50 == 0) must_agree(&t);
  }
  for (size_t i = 0; i < 40; i++) {
    if (held[i].count == 0) continue;
    assert_int_equal(physmap_set_cache(&t, paddr(held[i].first * FRAME_SIZE), held[i].count * FRAME_SIZE, 0), OK);
    memset(combining + held[i].first, 0, held[i].count);
  }
  assert_int_equal(must_agree(&t), leaves);
  assert_int_equal(tables_of(&t), tables);
  assert_int_equal(t.tables, ours);
  assert_int_equal(frames.count + t.spare_count + 1 + tables, TABLES - 1);
  printf("%u changed, %u refused\n", changed, refused);
  assert_true(changed > 200 && refused > 20);
}

static void without_tables_nothing_changes_wherever_they_run_out(void **state) {
  (void)state;
  for (unsigned allowed = 0;; allowed++) {
    struct pagetable t = start();
    const uint64_t leaves = must_agree(&t);
    frames.allowed = allowed;
    const status_t s = physmap_set_cache(&t, paddr(GIB + 5 * FRAME_SIZE), GIB, PAGE_WRITE_COMBINING);
    if (s == OK) {
      assert_true(allowed >= 4); /* Both ends of the range lie in the middle of two 1 GiB leaves. */
      break;
    }
    assert_int_equal(s, ERR_NO_MEMORY);
    assert_int_equal(must_agree(&t), leaves);
  }
}

static void translations_are_flushed_before_the_new_ones_stand(void **state) {
  (void)state;
  struct pagetable t = start();
  const uint64_t pages = fake_mmu.page_flushes;
  assert_int_equal(physmap_set_cache(&t, paddr(GIB + 7 * FRAME_SIZE), 3 * FRAME_SIZE, PAGE_WRITE_COMBINING), OK);
  assert_int_equal(fake_mmu.page_flushes, pages + 3);
  const uint64_t all = fake_mmu.full_flushes;
  assert_int_equal(physmap_set_cache(&t, paddr(GIB + 600 * FRAME_SIZE), 33 * FRAME_SIZE, PAGE_WRITE_COMBINING), OK);
  assert_int_equal(fake_mmu.full_flushes, all + 1);
}

static void what_is_no_memory_of_one_kind_is_refused(void **state) {
  (void)state;
  struct pagetable t = start();
  assert_int_equal(pagetable_protect(&t, vrange(BASE + GIB, BASE + GIB + FRAME_SIZE), READONLY), OK);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB - FRAME_SIZE), 2 * FRAME_SIZE, PAGE_WRITE_COMBINING), ERR_RANGE);
  assert_int_equal(physmap_set_cache(&t, paddr(RAM - FRAME_SIZE), 2 * FRAME_SIZE, PAGE_WRITE_COMBINING), ERR_RANGE);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB + 1), FRAME_SIZE, PAGE_WRITE_COMBINING), ERR_RANGE);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB), 100, PAGE_WRITE_COMBINING), ERR_RANGE);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB), 0, PAGE_WRITE_COMBINING), ERR_RANGE);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB), FRAME_SIZE, PAGE_UNCACHED), ERR_INVALID);
  assert_int_equal(physmap_set_cache(&t, paddr(GIB), FRAME_SIZE, PAGE_EXECUTE), ERR_INVALID);
}

static void leaves_that_do_not_fit_are_not_joined(void **state) {
  (void)state;
  struct pagetable t = start();
  const vaddr_t at = vaddr(BASE + GIB);
  assert_int_equal(pagetable_join(&t, at, 1), ERR_NOT_FOUND); /* It is a larger leaf. */
  assert_int_equal(pagetable_join(&t, at, 2), ERR_NOT_FOUND); /* It is that leaf. */
  assert_int_equal(pagetable_join(&t, at, 0), ERR_UNSUPPORTED);
  assert_int_equal(pagetable_join(&t, at, 3), ERR_UNSUPPORTED);
  assert_int_equal(pagetable_split(&t, at), OK);
  assert_int_equal(pagetable_split(&t, at), OK);
  assert_int_equal(pagetable_protect(&t, vrange(at.raw + FRAME_SIZE, at.raw + 2 * FRAME_SIZE), READONLY), OK);
  assert_int_equal(pagetable_join(&t, at, 1), ERR_NOT_FOUND);
  assert_int_equal(pagetable_join(&t, at, 2), ERR_NOT_FOUND);
  assert_int_equal(pagetable_protect(&t, vrange(at.raw + FRAME_SIZE, at.raw + 2 * FRAME_SIZE), NORMAL), OK);
  assert_int_equal(pagetable_join(&t, at, 1), OK);
  assert_int_equal(pagetable_unmap(&t, vrange(at.raw + 4 * MIB, at.raw + 6 * MIB)), OK);
  assert_int_equal(pagetable_join(&t, at, 2), ERR_NOT_FOUND);
  assert_int_equal(pagetable_map(&t, vrange(at.raw + 4 * MIB, at.raw + 6 * MIB), paddr(GIB + 8 * MIB), NORMAL), OK);
  assert_int_equal(pagetable_join(&t, at, 2), ERR_NOT_FOUND); /* All there and alike, but not in one piece. */
}

int main(void) {
  void *at = mmap((void *)(uintptr_t)BASE, 8 * MIB, PROT_READ | PROT_WRITE, // NOLINT(performance-no-int-to-ptr)
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (at == MAP_FAILED) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_become_write_combining_and_go_back_without_a_trace),
      cmocka_unit_test(without_tables_nothing_changes_wherever_they_run_out),
      cmocka_unit_test(translations_are_flushed_before_the_new_ones_stand),
      cmocka_unit_test(what_is_no_memory_of_one_kind_is_refused),
      cmocka_unit_test(leaves_that_do_not_fit_are_not_joined),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
