/* SPDX-License-Identifier: BSD-2-Clause */
/* door_test.c — with an engine in the tiers' place everything is judged, counted and checked as ever. */
#include "mm/phys/engine/door.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "hosted.h"
#include "mm/engine.h"
#include "mm/phys/instance.h"
#include "platform.h"
#include "seed.h"

static const struct engine *const engines[] = {&engine_buddy, &engine_flat};
#define EACH_ENGINE(e)                                                                                                      \
  for (size_t i_##e = 0; i_##e < sizeof engines / sizeof *engines; i_##e++)                                                 \
    for (const struct engine *e = engines[i_##e]; e; e = NULL)

static const struct boot_region map[] = {
    {0x1000, 0x9f000, BOOT_MEMORY_LOW, 7, 8},
    {0x100000, 0x8000000, BOOT_MEMORY_USABLE, 7, 8},
    {0x8000000, 0x8010000, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
    {0x8010000, 0x8020000, BOOT_MEMORY_UNUSABLE, 8, 8},
    {0x8020000, 0x8030000, BOOT_MEMORY_KERNEL, 2, 8},
    {UINT64_C(0x100000000), UINT64_C(0x1c0000000), BOOT_MEMORY_USABLE, 7, 8},
};
static const struct pmm_taken taken[] = {{0x100, 0x180, FRAME_OWNER_BITMAPS}};

static struct hosted make(const struct engine *e) {
  struct hosted h = hosted_create_with(e, map, sizeof map / sizeof *map, taken, 1);
  assert_int_equal(h.status, OK);
  assert_string_equal(engine_name(h.pmm), e->name);
  hosted_must_be_sound(&h, "at the start");
  return h;
}

static void an_engine_is_chosen_by_name_and_for_new_allocators_alone(void **state) {
  (void)state;
  struct hosted tiers = hosted_create(map, sizeof map / sizeof *map, NULL, 0);
  assert_int_equal(engine_choose("best", NULL, 0), ERR_NOT_FOUND);
  assert_int_equal(engine_choose("flat", map, sizeof map / sizeof *map), OK);
  assert_string_equal(engine_name(tiers.pmm), "tier");
  assert_null(engine_caveat(tiers.pmm));
  assert_int_equal(engine_choose("tier", NULL, 0), OK);
  struct hosted again = hosted_create(map, sizeof map / sizeof *map, NULL, 0);
  assert_string_equal(engine_name(again.pmm), "tier");
  hosted_destroy(&again);
  hosted_destroy(&tiers);
}

static void an_engine_that_cannot_number_all_frames_is_refused(void **state) {
  (void)state;
  struct boot_region large = {1 * TIB, 17 * TIB - FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  assert_int_equal(engine_choose("buddy", &large, 1), ERR_RANGE); /* Links of 32 bits, and 0 is nobody. */
  assert_int_equal(engine_choose("flat", &large, 1), OK);
  assert_int_equal(engine_choose("buddy", &large, 1), ERR_RANGE);
  assert_string_equal(engine_chosen()->name, "flat"); /* Nothing has changed. */
  large.end -= FRAME_SIZE;
  assert_int_equal(engine_choose("buddy", &large, 1), OK);
  assert_int_equal(engine_choose("tier", &large, 1), OK);
}

/* Asks for what nobody may have; returns what the instance has counted. */
static uint64_t refuse_all(struct hosted *h) {
  struct pmm_stats s;
  pfn_t f, run;
  assert_int_equal(pmm_alloc_frame(h->pmm, FRAME_OWNER_KERNEL, PMM_MOVABLE, &f), OK);
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_DMA, 0, 700, NULL, &run), OK);
  const uint64_t before = trace_digest(h->pmm), logged = fake_platform_log_count();
  assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_DMA, f), ERR_OWNER);
  assert_true(pmm_free_run(h->pmm, FRAME_OWNER_DMA, run, 701) != OK); /* What lies behind it is free, or another's. */
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_DMA, run, 0), ERR_INVALID);
  assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_KERNEL, pfn(0x8000)), ERR_RANGE);  /* The firmware's. */
  assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_KERNEL, pfn(0x10000)), ERR_RANGE); /* No RAM. */
  assert_true(pmm_free_run(h->pmm, FRAME_OWNER_BITMAPS, pfn(0x100), 0x81) != OK);
  assert_int_equal(pmm_mark_bad(h->pmm, f), ERR_STATE);
  assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_DMA, FRAME_OWNER_USER, f, 1), ERR_OWNER);
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_DMA, 0, 0, NULL, &run), ERR_INVALID);
  assert_true(pmm_alloc_run(h->pmm, FRAME_OWNER_DMA, 0, UINT64_C(1) << 40, NULL, &run) == ERR_NO_MEMORY);
  assert_int_equal(fake_platform_log_count(), logged + 7);
  assert_int_equal(pmm_retire_frame(h->pmm, FRAME_OWNER_DMA, f), ERR_OWNER);
  assert_non_null(strstr(fake_platform_last_line(), "for DMA buffers: it is allocated, owner kernel data"));
  assert_int_equal(trace_digest(h->pmm), before);
  hosted_must_be_sound(h, "after refusals");
  pmm_stats_read(h->pmm, &s);
  return s.refusals;
}

static void every_illegal_step_is_refused_counted_and_changes_nothing(void **state) {
  (void)state;
  struct hosted tiers = hosted_create(map, sizeof map / sizeof *map, taken, 1);
  const uint64_t counted = refuse_all(&tiers);
  assert_true(counted >= 8);
  hosted_destroy(&tiers);
  EACH_ENGINE(e) {
    struct hosted h = make(e);
    assert_int_equal(refuse_all(&h), counted);
    hosted_destroy(&h);
  }
}

static void what_is_given_retired_and_returned_in_parts_adds_up(void **state) {
  (void)state;
  EACH_ENGINE(e) {
    struct hosted h = make(e);
    struct pmm_story story;
    struct ledger l;
    pfn_t f, run;
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &(struct frame_limits){.align = 512}, &run),
                     OK);
    assert_int_equal(run.raw % 512, 0);
    assert_int_equal(pmm_give_run(h.pmm, FRAME_OWNER_TEST, FRAME_OWNER_USER, run, 100), OK);
    assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, pfn(run.raw + 100), 412), OK);
    assert_int_equal(pmm_retire_frame(h.pmm, FRAME_OWNER_USER, run), OK);
    assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_USER, pfn(run.raw + 1), 99), OK);
    assert_int_equal(pmm_mark_bad(h.pmm, pfn(run.raw + 1)), OK);
    pmm_describe(h.pmm, paddr_of_pfn(pfn(run.raw + 2)), &story);
    assert_int_equal(story.state, FRAME_FREE);
    assert_true(story.free_run >= 510);
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_KERNEL, PMM_BELOW(32), &f), OK);
    assert_true(f.raw < 1 << 20);
    ledger_read(h.pmm, &l);
    assert_int_equal(l.frames[FRAME_OWNER_BAD], 16 + 2);
    assert_int_equal(l.frames[FRAME_OWNER_KERNEL], 1);
    assert_int_equal(l.frames[FRAME_OWNER_KERNEL_IMAGE], 16);
    hosted_must_be_sound(&h, "at the end");
    hosted_destroy(&h);
  }
}

/* Every frame, once; then all of it again. */
static void all_memory_is_handed_out_once_and_becomes_whole_again(void **state) {
  (void)state;
  EACH_ENGINE(e) {
    struct hosted h = make(e);
    struct pmm_stats before, empty, after;
    uint64_t n = 0;
    pfn_t f;
    pmm_stats_read(h.pmm, &before);
    uint64_t *held = calloc(before.free_frames, sizeof *held);
    assert_non_null(held);
    while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) held[n++] = f.raw;
    assert_int_equal(n, before.free_frames);
    pmm_stats_read(h.pmm, &empty);
    assert_true(empty.free_frames == 0 && empty.free_2m == 0 && empty.largest_free_run == 0 && empty.failures == 1);
    hosted_must_be_sound(&h, "full");
    struct dice d = dice_of(seed_of_run());
    while (n > 0) {
      const uint64_t i = dice_below(&d, n--);
      assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(held[i])), OK);
      held[i] = held[n];
    }
    pmm_stats_read(h.pmm, &after);
    assert_int_equal(after.free_frames, before.free_frames);
    assert_int_equal(after.free_2m, before.free_2m);
    assert_int_equal(after.free_1g, before.free_1g);
    assert_int_equal(after.largest_free_run, before.largest_free_run);
    hosted_must_be_sound(&h, "empty");
    free(held);
    hosted_destroy(&h);
  }
}

static void each_breaker_that_there_is_is_found(void **state) {
  (void)state;
  static const char *const names[] = {"map", "record", "bitmap", "owner", "ledger", "forbidden"};
  static const uint32_t numbers[] = {1, 2, 3, 6, 7, 8};
  EACH_ENGINE(e) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
      struct hosted h = make(e);
      struct mm_check_report r;
      assert_int_equal(mm_check_break(h.pmm, names[i]), OK);
      assert_false(mm_check(h.pmm, 0, &r));
      assert_int_equal(r.invariant, numbers[i]);
      assert_int_equal(mm_check_break(h.pmm, "slot"), ERR_NOT_FOUND);
      hosted_destroy(&h);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_engine_that_cannot_number_all_frames_is_refused),
      cmocka_unit_test(an_engine_is_chosen_by_name_and_for_new_allocators_alone),
      cmocka_unit_test(every_illegal_step_is_refused_counted_and_changes_nothing),
      cmocka_unit_test(what_is_given_retired_and_returned_in_parts_adds_up),
      cmocka_unit_test(all_memory_is_handed_out_once_and_becomes_whole_again),
      cmocka_unit_test(each_breaker_that_there_is_is_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
