/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/zero.c: who asks for zeros sees no old byte; the stock is bounded, counted and given back; nothing is cleared
 * under a lock (the fake of arch/memory.h panics at that).
 *
 * 64 MiB of RAM that is really there and full of poison; what is freed is poisoned again by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "hosted.h"
#include "mm/zero.h"
#include "platform.h"

#define FRAMES   UINT64_C(16384)
#define RAM_SIZE (MIB + FRAMES * FRAME_SIZE)
#define POISON   0xa5

static char *ram;
static struct boot_region region;

static struct hosted start(void) {
  region = hosted_plain_region(FRAMES);
  struct hosted h = hosted_create(&region, 1, NULL, 0);
  assert_int_equal(h.status, OK);
  memset(ram, POISON, RAM_SIZE);
  return h;
}

static char *bytes_of(pfn_t f) { return ram + f.raw * FRAME_SIZE; }

static bool is_zero(pfn_t first, uint64_t count) {
  const char *bytes = bytes_of(first);
  return bytes[0] == 0 && memcmp(bytes, bytes + 1, count * FRAME_SIZE - 1) == 0;
}

static struct ledger ledger_of(const struct hosted *h) {
  struct ledger l;
  ledger_read(h->pmm, &l);
  assert_true(ledger_balances(&l));
  return l;
}

static struct zero_stats stats_of(struct zero_stock *z) {
  struct zero_stats s;
  zero_stats_read(z, &s);
  return s;
}

/* An empty one, of 256 frames and one of 2 MiB. */
static struct zero_stock *stock_of(const struct hosted *h) {
  struct zero_stock *z;
  assert_int_equal(zero_stock_create(h->pmm, 4 * MIB, &z), OK);
  return z;
}

/* Steps until there is nothing to do; the count. */
static uint64_t fill(struct zero_stock *z) {
  uint64_t steps = 0;
  while (zero_step(z)) steps++;
  return steps;
}

static void the_stock_fills_in_bounded_steps_and_to_its_bound(void **state) {
  (void)state;
  struct hosted h = start();
  struct zero_stock *z = stock_of(&h);
  fake_memory.longest = 0;
  const uint64_t steps = fill(z);
  const struct zero_stats s = stats_of(z);
  assert_int_equal(s.frames, 256);
  assert_int_equal(s.blocks, 1);
  assert_int_equal(s.frames, s.frames_max);
  assert_int_equal(s.blocks, s.blocks_max);
  assert_int_equal(steps, 256 + FRAME_2M_SIZE / ZERO_STEP_BYTES);
  assert_true(fake_memory.longest <= ZERO_STEP_BYTES);
  assert_int_equal(ledger_of(&h).frames[FRAME_OWNER_ZEROED], s.frames + s.blocks * FRAMES_PER_2M);
  hosted_must_be_sound(&h, "with a full stock");
  zero_stock_destroy(z);
  assert_int_equal(ledger_of(&h).frames[FRAME_OWNER_FREE], FRAMES);
  hosted_destroy(&h);
}

static void a_wish_is_cut_to_a_share_of_ram_and_to_what_the_lists_hold(void **state) {
  (void)state;
  struct hosted h = start();
  struct zero_stock *z;
  const uint64_t wishes[] = {0, FRAME_SIZE, MIB, 3 * MIB, GIB, UINT64_MAX};
  for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
    assert_int_equal(zero_stock_create(h.pmm, wishes[i], &z), OK);
    fill(z);
    const uint64_t held = ledger_of(&h).frames[FRAME_OWNER_ZEROED];
    assert_true(held <= FRAMES / 16);
    assert_true(held <= wishes[i] / FRAME_SIZE);
    if (wishes[i] >= MIB) assert_true(held > 0);
    zero_stock_destroy(z);
  }
  hosted_destroy(&h);
}

static void who_asks_for_zeros_never_sees_an_old_byte(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  struct hosted h = start();
  struct zero_stock *z = stock_of(&h);
  static struct {
    pfn_t first;
    uint64_t count;
  } held[64];
  for (unsigned i = 0; i < 20000; i++) {
    const size_t at = dice_below(&d, 64);
    if (held[at].count != 0) {
      memset(bytes_of(held[at].first), POISON, held[at].count * FRAME_SIZE);
      const status_t s = dice_one_in(&d, 2) ? zero_free_run(h.pmm, FRAME_OWNER_TEST, held[at].first, held[at].count)
                                            : pmm_free_run(h.pmm, FRAME_OWNER_TEST, held[at].first, held[at].count);
      assert_int_equal(s, OK);
      held[at].count = 0;
    }
    const uint64_t count = dice_one_in(&d, 20) ? FRAMES_PER_2M : dice_one_in(&d, 3) ? 1 + dice_below(&d, 20) : 1;
    if (zero_alloc_run(z, FRAME_OWNER_TEST, count, NULL, &held[at].first) == OK) {
      assert_true(is_zero(held[at].first, count));
      held[at].count = count;
    }
    for (uint64_t steps = dice_below(&d, 4); steps > 0; steps--) zero_step(z);
    if (dice_one_in(&d, 500)) zero_reclaim(z);
  }
  const struct zero_stats s = stats_of(z);
  printf("%llu from the stock, %llu cleared on the spot, %llu called in\n", (unsigned long long)s.hits,
         (unsigned long long)s.misses, (unsigned long long)s.reclaimed);
  assert_true(s.hits > 500 && s.misses > 100 && s.reclaimed > 500);
  hosted_must_be_sound(&h, "after zeros");
  hosted_destroy(&h);
}

static void the_stock_serves_only_who_does_not_care_where(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f;
  struct zero_stock *z = stock_of(&h);
  fill(z);
  const struct frame_limits low = {.max = 1000}, high = {.min = 5}, aligned = {.align = 2}, near = {.boundary = 256},
                            any = {.align = FRAMES_PER_2M, .max = UINT64_MAX};
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, 1, &low, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, 1, &high, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, 1, &aligned, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, FRAMES_PER_2M, &near, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, 2, NULL, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, 0, NULL, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_LOW, 1, NULL, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_COUNT, 1, NULL, &f), ERR_NOT_FOUND);
  assert_int_equal(zero_take(z, FRAME_OWNER_TEST, FRAMES_PER_2M, &any, &f), OK);
  assert_int_equal(f.raw % FRAMES_PER_2M, 0);
  assert_true(is_zero(f, FRAMES_PER_2M));
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, f, FRAMES_PER_2M), OK);
  assert_int_equal(zero_alloc_run(z, FRAME_OWNER_TEST, 0, NULL, &f), ERR_INVALID);
  assert_int_equal(zero_alloc_run(z, FRAME_OWNER_TEST, 1, &low, &f), OK);
  assert_true(f.raw < 1000 && is_zero(f, 1));
  hosted_destroy(&h);
}

static void all_of_it_is_given_back_before_memory_is_exhausted(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f;
  struct zero_stock *z = stock_of(&h);
  zero_pause(z);
  zero_pause(z);
  assert_false(zero_step(z));
  zero_resume(z);
  assert_false(zero_step(z));
  zero_resume(z);
  assert_true(zero_step(z));
  fill(z);
  for (unsigned i = 0; i < 5; i++) zero_step(z);
  uint64_t got = 0;
  const uint64_t available = FRAMES - 1; /* The stock's own frame. */
  while (zero_alloc_run(z, FRAME_OWNER_TEST, 1, NULL, &f) == OK) got++;
  assert_int_equal(got, available);
  const struct ledger l = ledger_of(&h);
  assert_int_equal(l.frames[FRAME_OWNER_FREE] + l.frames[FRAME_OWNER_ZEROED], 0);
  assert_false(zero_step(z));
  assert_int_equal(zero_reclaim(z), 0);
  hosted_destroy(&h);
}

/* A run across everything: only there when the stock lets go, also of the 2 MiB frame that is half cleared. */
static void a_frame_that_is_half_cleared_is_given_back_too(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f, own;
  struct zero_stock *z = stock_of(&h);
  while (stats_of(z).frames < stats_of(z).frames_max) assert_true(zero_step(z));
  for (unsigned i = 0; i < 7; i++) assert_true(zero_step(z));
  assert_int_equal(stats_of(z).blocks, 0);
  assert_int_equal(ledger_of(&h).frames[FRAME_OWNER_ZEROED], 256 + FRAMES_PER_2M);
  uint64_t largest = 0;
  struct pmm_stats s;
  pmm_stats_read(h.pmm, &s);
  largest = s.largest_free_run;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES - 512, NULL, &own), ERR_NO_MEMORY);
  assert_int_equal(zero_alloc_run(z, FRAME_OWNER_TEST, FRAMES - 512, NULL, &f), OK);
  assert_true(largest < FRAMES - 512);
  assert_true(is_zero(f, FRAMES - 512));
  hosted_destroy(&h);
}

static void scarce_memory_is_left_alone(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f;
  struct zero_stock *z = stock_of(&h);
  while (ledger_of(&h).frames[FRAME_OWNER_FREE] >= 1500) {
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
  }
  assert_false(zero_step(z));
  assert_int_equal(ledger_of(&h).frames[FRAME_OWNER_ZEROED], 0);
  hosted_destroy(&h);
}

static void a_refused_free_clears_nothing(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 4, NULL, &f), OK);
  const uint64_t before = hosted_digest(&h);
  assert_int_equal(zero_free_run(h.pmm, FRAME_OWNER_USER, f, 4), ERR_OWNER);
  assert_int_equal(zero_free_run(h.pmm, FRAME_OWNER_TEST, f, 5), f.raw + 4 < 256 + FRAMES ? ERR_STATE : ERR_RANGE);
  assert_int_equal(zero_free_run(h.pmm, FRAME_OWNER_TEST, f, 0), ERR_INVALID);
  assert_int_equal(hosted_digest(&h), before);
  for (size_t i = 0; i < 4 * FRAME_SIZE; i++) assert_int_equal((unsigned char)bytes_of(f)[i], POISON);
  assert_int_equal(zero_free_run(h.pmm, FRAME_OWNER_TEST, f, 4), OK);
  assert_true(is_zero(f, 4));
  assert_int_equal(zero_free_run(h.pmm, FRAME_OWNER_TEST, f, 4), ERR_STATE);
  hosted_destroy(&h);
}

static void what_is_free_at_boot_is_cleared_and_nothing_else(void **state) {
  (void)state;
  struct hosted h = start();
  pfn_t f;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 1000, NULL, &f), OK);
  assert_int_equal(zero_clear_all_free(h.pmm), FRAMES - 1000);
  assert_int_equal((unsigned char)bytes_of(f)[0], POISON);
  assert_int_equal((unsigned char)bytes_of(f)[1000 * FRAME_SIZE - 1], POISON);
  assert_int_equal((unsigned char)ram[MIB - 1], POISON);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, f, 1000), OK);
  assert_int_equal(zero_clear_all_free(h.pmm), FRAMES);
  assert_true(is_zero(pfn(256), FRAMES));
  hosted_destroy(&h);
}

static void without_a_frame_there_is_no_stock(void **state) {
  (void)state;
  struct hosted h = start();
  struct zero_stock *z = NULL;
  pfn_t f;
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  assert_int_equal(zero_stock_create(h.pmm, MIB, &z), ERR_NO_MEMORY);
  assert_null(z);
  hosted_destroy(&h);
}

int main(void) {
  ram = fake_platform_make_ram(RAM_SIZE);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_stock_fills_in_bounded_steps_and_to_its_bound),
      cmocka_unit_test(a_wish_is_cut_to_a_share_of_ram_and_to_what_the_lists_hold),
      cmocka_unit_test(who_asks_for_zeros_never_sees_an_old_byte),
      cmocka_unit_test(the_stock_serves_only_who_does_not_care_where),
      cmocka_unit_test(all_of_it_is_given_back_before_memory_is_exhausted),
      cmocka_unit_test(a_frame_that_is_half_cleared_is_given_back_too),
      cmocka_unit_test(scarce_memory_is_left_alone),
      cmocka_unit_test(a_refused_free_clears_nothing),
      cmocka_unit_test(what_is_free_at_boot_is_cleared_and_nothing_else),
      cmocka_unit_test(without_a_frame_there_is_no_stock),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
