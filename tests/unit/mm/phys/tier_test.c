/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier.c: which frame, block or run is chosen, over gigabytes.  That runs are found if and only if they exist is the
 * business of pmm_model_test.c.
 */
#define _GNU_SOURCE /* mmap: behind the C23 of the build, the host is a Linux. */
#include "mm/phys/tier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/units.h"
#include "mm/phys/run_memo.h"
#include "mm/phys/tier_place.h"
#include "seed.h"

#define FRAMES_OF(bytes) ((bytes) / FRAME_SIZE)

static struct boot_region usable(uint64_t start, uint64_t end) {
  return (struct boot_region){start, end, BOOT_MEMORY_USABLE, 7, 8};
}

/* Tiers over RAM with everything free; memory and bytes are garbage before. */
struct fixture {
  struct tier tier;
  void *memory;
  uint8_t *hot;
};

#define HOT_SIZE FRAMES_OF(16 * TIB)

static struct fixture all_free(const struct boot_region *regions, size_t count) {
  struct fixture f = {.memory = aligned_alloc(64, tier_size(regions, count))};
  memset(f.memory, 0xa5, tier_size(regions, count));
  f.hot = mmap(NULL, HOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_ptr_not_equal(f.hot, MAP_FAILED);
  tier_init(&f.tier, f.memory, f.hot, regions, count);
  return f;
}

static void end(struct fixture *f) {
  free(f->memory);
  munmap(f->hot, HOT_SIZE);
}

static uint64_t find_run(struct tier *t, uint64_t count, struct frame_limits where) {
  uint64_t first = UINT64_MAX;
  if (where.max == 0) where.max = UINT64_MAX;
  return tier_find_run(t, count, &where, &first) ? first : UINT64_MAX;
}

/* As pmm.c frees. */
static void put(struct tier *t, uint64_t first, uint64_t count) {
  tier_put(t, first, count);
  run_memo_freed(t, first, count);
}

static uint64_t take_frame(struct tier *t) {
  uint64_t frame = UINT64_MAX;
  assert_true(tier_find_frame(t, &frame));
  tier_take(t, frame, 1, FRAME_OWNER_TEST);
  return frame;
}

static void single_frames_break_one_block_and_use_it_up(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 8 * GIB);
  struct fixture f = all_free(&ram, 1);
  for (uint64_t i = 0; i < 512; i++) {
    assert_int_equal(take_frame(&f.tier), FRAMES_OF(8 * GIB) - 1 - i);
    assert_int_equal(f.tier.free_2m, 2047);
    assert_int_equal(f.tier.free_1g, 3);
  }
  take_frame(&f.tier);
  assert_int_equal(f.tier.free_2m, 2046);
  end(&f);
}

static void a_broken_block_far_below_is_used_before_a_whole_one_is_broken(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 8 * GIB);
  struct fixture f = all_free(&ram, 1);
  tier_take(&f.tier, FRAMES_OF(5 * GIB), 1, FRAME_OWNER_TEST);
  for (uint64_t i = 0; i < 511; i++) assert_int_equal(take_frame(&f.tier) / 512, FRAMES_OF(5 * GIB) / 512);
  assert_int_equal(take_frame(&f.tier), FRAMES_OF(5 * GIB + 32 * MIB) - 1); /* Now a block of the section that is broken. */
  end(&f);
}

static void blocks_come_from_a_broken_gib_and_spare_whole_ones(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 8 * GIB);
  struct fixture f = all_free(&ram, 1);
  uint64_t first;
  tier_take(&f.tier, FRAMES_OF(5 * GIB), 1, FRAME_OWNER_TEST);
  for (uint64_t i = 0; i < 511; i++) {
    assert_true(tier_find_block(&f.tier, &first));
    assert_int_equal(first / FRAMES_PER_1G, 5);
    tier_take(&f.tier, first, 512, FRAME_OWNER_TEST);
    assert_int_equal(f.tier.free_1g, 3);
  }
  assert_true(tier_find_block(&f.tier, &first));
  assert_int_equal(first, FRAMES_OF(8 * GIB) - 512);
  end(&f);
}

static void a_block_becomes_whole_with_its_last_frame(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 5 * GIB);
  struct fixture f = all_free(&ram, 1);
  uint64_t first, middle = FRAMES_OF(4 * GIB) + 12345;
  tier_take(&f.tier, middle, 1, FRAME_OWNER_TEST);
  assert_false(tier_find_gig(&f.tier, &first));
  assert_int_equal(f.tier.free_2m, 511);
  put(&f.tier, middle, 1);
  assert_true(tier_find_gig(&f.tier, &first));
  assert_int_equal(first, FRAMES_OF(4 * GIB));
  assert_int_equal(f.tier.free_2m, 512);
  end(&f);
}

/* A free that does not hold the lock has changed bit, byte and entry; the words above still say that the block is broken. */
static void a_gib_is_taken_whose_last_frame_has_only_just_come_back(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 5 * GIB);
  struct fixture f = all_free(&ram, 1);
  const uint64_t frame = FRAMES_OF(4 * GIB) + 12345;
  uint64_t first;
  tier_take(&f.tier, frame, 1, FRAME_OWNER_TEST);
  f.tier.bits[12345 / 64] |= UINT64_C(1) << 12345 % 64;
  f.hot[frame] = FRAME_OWNER_FREE;
  f.tier.entries[12345 / FRAMES_PER_2M]--;
  tier_take(&f.tier, FRAMES_OF(4 * GIB), FRAMES_PER_1G, FRAME_OWNER_TEST);
  assert_int_equal(f.tier.free_2m, 0);
  assert_false(tier_find_frame(&f.tier, &first));
  put(&f.tier, FRAMES_OF(4 * GIB), FRAMES_PER_1G);
  assert_int_equal(f.tier.free_2m, 512);
  assert_int_equal(f.tier.free_1g, 1);
  end(&f);
}

static void nothing_is_found_where_nothing_is(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 6 * GIB);
  struct fixture f = all_free(&ram, 1);
  uint64_t first;
  tier_take(&f.tier, FRAMES_OF(4 * GIB), FRAMES_OF(2 * GIB), FRAME_OWNER_TEST);
  assert_false(tier_find_frame(&f.tier, &first));
  assert_false(tier_find_block(&f.tier, &first));
  assert_false(tier_find_gig(&f.tier, &first));
  assert_int_equal(find_run(&f.tier, 1, (struct frame_limits){.align = 1}), UINT64_MAX);
  end(&f);
}

static void runs_cross_sections_blocks_and_gibs(void **state) {
  (void)state;
  struct boot_region ram = usable(MIB, 4 * GIB);
  struct fixture f = all_free(&ram, 1);
  uint64_t all = FRAMES_OF(4 * GIB - MIB);
  assert_int_equal(find_run(&f.tier, all, (struct frame_limits){.align = 1}), 256);
  assert_int_equal(find_run(&f.tier, all + 1, (struct frame_limits){.align = 1}), UINT64_MAX);
  /* The only free stretch lies across 3 GiB. */
  tier_take(&f.tier, 256, all, FRAME_OWNER_TEST);
  put(&f.tier, FRAMES_OF(3 * GIB) - 700, 1100);
  assert_int_equal(find_run(&f.tier, 1100, (struct frame_limits){.align = 1}), FRAMES_OF(3 * GIB) - 700);
  assert_int_equal(find_run(&f.tier, 400, (struct frame_limits){.align = 1, .boundary = FRAMES_PER_1G}), FRAMES_OF(3 * GIB));
  assert_int_equal(find_run(&f.tier, 401, (struct frame_limits){.align = 1, .boundary = FRAMES_PER_1G}),
                   FRAMES_OF(3 * GIB) - 401);
  end(&f);
}

static void two_ranges_that_touch_at_a_section_are_one_run(void **state) {
  (void)state;
  struct boot_region ram[] = {usable(MIB, 32 * MIB), usable(32 * MIB, 33 * MIB)};
  ram[1].attributes = 0xf; /* Two regions, one stretch of memory. */
  struct fixture f = all_free(ram, 2);
  assert_int_equal(find_run(&f.tier, FRAMES_OF(32 * MIB), (struct frame_limits){.align = 1}), 256);
  end(&f);
}

static void memory_a_hole_apart_is_never_one_run(void **state) {
  (void)state;
  /* Neighbours in the array of sections, not in address. */
  struct boot_region ram[] = {usable(32 * MIB, 64 * MIB), usable(12 * TIB, 12 * TIB + 32 * MIB),
                              usable(13 * TIB, 13 * TIB + 32 * MIB)};
  struct fixture f = all_free(ram, 3);
  assert_int_equal(f.tier.section_count, 3);
  assert_int_equal(find_run(&f.tier, 8192, (struct frame_limits){.align = 1}), FRAMES_OF(13 * TIB));
  assert_int_equal(find_run(&f.tier, 8193, (struct frame_limits){.align = 1}), UINT64_MAX);
  assert_int_equal(find_run(&f.tier, 2, (struct frame_limits){.align = 1, .max = FRAMES_OF(12 * TIB) + 1}),
                   FRAMES_OF(64 * MIB) - 2);
  end(&f);
}

/* Nothing free but one stretch: it is found in its full length at every offset to every group, and in none more. */
static void a_lonely_stretch_is_found_wherever_it_begins(void **state) {
  (void)state;
  static const uint64_t groups[] = {1, 16, 64, 512, 8192};
  struct boot_region ram = usable(MIB, 2 * GIB);
  struct fixture f = all_free(&ram, 1);
  tier_take(&f.tier, 256, FRAMES_OF(2 * GIB - MIB), FRAME_OWNER_TEST);
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    for (uint64_t count = 2 * groups[g] > 3 ? 2 * groups[g] - 3 : 1; count <= 2 * groups[g] + 1; count++) {
      for (uint64_t offset = 0; offset < 3; offset++) {
        uint64_t start = FRAMES_OF(GIB) - groups[g] + offset;
        put(&f.tier, start, count);
        assert_int_equal(find_run(&f.tier, count, (struct frame_limits){.align = 1}), start);
        assert_int_equal(find_run(&f.tier, count, (struct frame_limits){.min = start, .max = start + count}), start);
        assert_int_equal(find_run(&f.tier, count, (struct frame_limits){.min = start + 1}), UINT64_MAX);
        assert_int_equal(find_run(&f.tier, count, (struct frame_limits){.max = start + count - 1}), UINT64_MAX);
        assert_int_equal(find_run(&f.tier, count + 1, (struct frame_limits){.align = 1}), UINT64_MAX);
        tier_take(&f.tier, start, count, FRAME_OWNER_TEST);
      }
    }
  }
  end(&f);
}

/* Has the gig with this number sections and entries of its own, and is nothing written where they will be else? */
static bool is_touched(const struct tier *t, uint64_t number) {
  uint64_t gig;
  assert_true(place_gig(t, number, &gig));
  const struct tier_gig *g = &t->gigs[gig];
  if (g->first == g->own) return true;
  assert_int_equal(g->first, t->shared);
  assert_int_equal(t->entries[(uint64_t)g->own * TIER_BLOCKS_PER_SECTION], 0xa5a5a5a5);
  assert_int_equal(t->sections[g->own].whole, 0xa5a5);
  return false;
}

static void a_gig_is_written_when_the_first_of_it_is_taken(void **state) {
  (void)state;
  struct boot_region ram[] = {usable(MIB, 3 * GIB), usable(4 * GIB, 8 * GIB + 5 * MIB)};
  struct fixture f = all_free(ram, 2);
  struct tier *t = &f.tier;
  const uint64_t last = FRAMES_OF(4 * GIB);
  assert_true(is_touched(t, 0) && is_touched(t, 8)); /* Not whole ones. */
  for (uint64_t number = 1; number < 8; number++)
    if (number != 3) assert_false(is_touched(t, number));
  assert_int_equal(t->free_1g, 6);
  assert_int_equal(t->free_2m, 511 + 6 * 512 + 2);

  tier_take(t, last, 1, FRAME_OWNER_TEST);
  assert_true(is_touched(t, 4) && !tier_is_free(t, last) && tier_is_free(t, last + 1));
  assert_false(is_touched(t, 2) || is_touched(t, 5));
  assert_int_equal(t->free_1g, 5);
  assert_int_equal(t->free_2m, 511 + 6 * 512 + 2 - 1);
  tier_put(t, last, 1);
  assert_int_equal(t->free_1g, 6);
  assert_int_equal(find_run(t, FRAMES_OF(4 * GIB + 5 * MIB), (struct frame_limits){.align = 1}), last);

  const uint64_t middle = FRAMES_OF(6 * GIB) - 700; /* In two of them at once. */
  assert_false(is_touched(t, 5) || is_touched(t, 6));
  tier_take(t, middle, 1400, FRAME_OWNER_TEST);
  assert_true(is_touched(t, 5) && is_touched(t, 6));
  assert_false(is_touched(t, 7));
  assert_int_equal(tier_free_end(t, last, UINT64_MAX), middle);
  assert_int_equal(tier_free_start(t, FRAMES_OF(8 * GIB), 0), middle + 1400);
  tier_take(t, FRAMES_OF(7 * GIB), FRAMES_PER_1G, FRAME_OWNER_TEST);
  assert_true(is_touched(t, 7) && !is_touched(t, 2));
  assert_int_equal(t->free_1g, 3);
  end(&f);
}

static void small_machines_have_nothing_to_share(void **state) {
  (void)state;
  struct boot_region ram = usable(4 * GIB, 6 * GIB - 32 * MIB);
  struct fixture f = all_free(&ram, 1);
  assert_int_equal(f.tier.shared, 0);
  assert_int_equal(f.tier.free_1g, 1);
  assert_true(is_touched(&f.tier, 4) && is_touched(&f.tier, 5));
  end(&f);
}

static void limits_far_below_the_top_are_kept(void **state) {
  (void)state;
  struct boot_region ram[] = {usable(MIB, 3 * GIB), usable(4 * GIB, 64 * GIB)};
  struct fixture f = all_free(ram, 2);
  struct frame_limits dma = {.align = 16, .max = FRAMES_OF(256 * MIB)};
  assert_int_equal(find_run(&f.tier, 256, dma), FRAMES_OF(256 * MIB) - 256);
  struct frame_limits isa = {.align = 1, .max = FRAMES_OF(16 * MIB), .boundary = 16};
  assert_int_equal(find_run(&f.tier, 16, isa), FRAMES_OF(16 * MIB) - 16);
  assert_int_equal(find_run(&f.tier, 1, (struct frame_limits){.align = 1, .max = 257}), 256);
  assert_int_equal(find_run(&f.tier, 1, (struct frame_limits){.align = 1, .max = 256}), UINT64_MAX);
  assert_int_equal(find_run(&f.tier, 1, (struct frame_limits){.align = UINT64_C(1) << 63}), UINT64_MAX);
  end(&f);
}

struct walk {
  uint64_t frames, runs, last_end;
};
static void count_run(void *context, uint64_t start, uint64_t end) {
  struct walk *w = context;
  assert_true(start < end && (w->runs == 0 || start > w->last_end));
  w->last_end = end;
  w->frames += end - start;
  w->runs++;
}

static void every_run_is_visited_once_and_whole(void **state) {
  (void)state;
  struct boot_region ram[] = {usable(MIB, 3 * GIB), usable(4 * GIB, 5 * GIB)};
  struct fixture f = all_free(ram, 2);
  struct walk w = {0};
  tier_each_run(&f.tier, count_run, &w);
  assert_int_equal(w.runs, 2);
  for (uint64_t at = 300; at < FRAMES_OF(3 * GIB); at += 4097) tier_take(&f.tier, at, 1, FRAME_OWNER_TEST);
  w = (struct walk){0};
  tier_each_run(&f.tier, count_run, &w);
  assert_int_equal(w.frames, FRAMES_OF(4 * GIB - MIB) - (FRAMES_OF(3 * GIB) - 300 + 4096) / 4097);
  assert_int_equal(w.runs, 2 + (FRAMES_OF(3 * GIB) - 300 + 4096) / 4097);
  end(&f);
}

/* Free ends and starts against a look at every bit. */
static void reaches_agree_with_the_bits(void **state) {
  (void)state;
  struct boot_region ram[] = {usable(30 * MIB, 70 * MIB), usable(GIB - 3 * MIB, GIB + 3 * MIB)};
  struct fixture f = all_free(ram, 2);
  struct dice d = dice_of(seed_of_run());
  for (unsigned i = 0; i < 60; i++) {
    uint64_t at = (ram[i % 2].start >> 12) + dice_below(&d, (ram[i % 2].end - ram[i % 2].start) >> 12);
    if (tier_is_free(&f.tier, at)) tier_take(&f.tier, at, 1, FRAME_OWNER_TEST);
  }
  for (unsigned i = 0; i < 4000; i++) {
    uint64_t at = (ram[i % 2].start >> 12) + dice_below(&d, (ram[i % 2].end - ram[i % 2].start) >> 12);
    uint64_t limit = at + dice_below(&d, 3000), floor = at - dice_below(&d, 3000);
    uint64_t end = at, start = at, next = at;
    while (end < limit && tier_is_free(&f.tier, end)) end++;
    while (start > floor && tier_is_free(&f.tier, start - 1)) start--;
    while (next < limit && !tier_is_free(&f.tier, next)) next++;
    assert_int_equal(tier_free_end(&f.tier, at, limit), end);
    assert_int_equal(tier_free_start(&f.tier, at, floor), start);
    assert_int_equal(tier_next_free(&f.tier, at, limit), next);
  }
  end(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(single_frames_break_one_block_and_use_it_up),
      cmocka_unit_test(a_broken_block_far_below_is_used_before_a_whole_one_is_broken),
      cmocka_unit_test(blocks_come_from_a_broken_gib_and_spare_whole_ones),
      cmocka_unit_test(a_block_becomes_whole_with_its_last_frame),
      cmocka_unit_test(a_gib_is_taken_whose_last_frame_has_only_just_come_back),
      cmocka_unit_test(nothing_is_found_where_nothing_is),
      cmocka_unit_test(runs_cross_sections_blocks_and_gibs),
      cmocka_unit_test(two_ranges_that_touch_at_a_section_are_one_run),
      cmocka_unit_test(memory_a_hole_apart_is_never_one_run),
      cmocka_unit_test(a_lonely_stretch_is_found_wherever_it_begins),
      cmocka_unit_test(a_gig_is_written_when_the_first_of_it_is_taken),
      cmocka_unit_test(small_machines_have_nothing_to_share),
      cmocka_unit_test(limits_far_below_the_top_are_kept),
      cmocka_unit_test(every_run_is_visited_once_and_whole),
      cmocka_unit_test(reaches_agree_with_the_bits),
  };
  return cmocka_run_group_tests_name("mm/phys/tier", tests, NULL, NULL);
}
