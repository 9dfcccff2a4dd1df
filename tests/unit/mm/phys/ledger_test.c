/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/ledger.c: every operation moves counts between rows, and none loses any. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"

static uint64_t row(const struct hosted *h, enum frame_owner owner) {
  struct ledger l;
  ledger_read(h->pmm, &l);
  assert_true(ledger_balances(&l));
  return l.frames[owner];
}

static void frames_move_between_rows_and_the_sum_stays(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(5000);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  pfn_t run, frame;
  assert_int_equal(row(&h, FRAME_OWNER_FREE), 5000);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_DMA, 0, 700, NULL, &run), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_USER, 0, &frame), OK);
  assert_int_equal(row(&h, FRAME_OWNER_DMA), 700);
  assert_int_equal(row(&h, FRAME_OWNER_FREE), 4299);
  assert_int_equal(pmm_give_run(h.pmm, FRAME_OWNER_DMA, FRAME_OWNER_USER, pfn_add(run, 100), 50), OK);
  assert_int_equal(row(&h, FRAME_OWNER_USER), 51);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_DMA, run, 100), OK);
  assert_int_equal(row(&h, FRAME_OWNER_DMA), 550);
  assert_int_equal(pmm_mark_bad(h.pmm, run), OK);
  assert_int_equal(row(&h, FRAME_OWNER_BAD), 1);
  assert_int_equal(row(&h, FRAME_OWNER_FREE), 4398);
  hosted_must_be_sound(&h, "ledger");
  hosted_destroy(&h);
}

static void a_ledger_that_lost_a_frame_does_not_balance(void **state) {
  (void)state;
  struct ledger l = {.total = 10, .sum = 9};
  assert_false(ledger_balances(&l));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_move_between_rows_and_the_sum_stays),
      cmocka_unit_test(a_ledger_that_lost_a_frame_does_not_balance),
  };
  return cmocka_run_group_tests_name("mm/phys/ledger", tests, NULL, NULL);
}
