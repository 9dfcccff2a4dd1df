/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/frame.c: the whole matrix of states and steps, written down a second time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/phys/record.h"

/* Which steps are legal; everything else has to be refused. */
static status_t expected(enum frame_state from, enum frame_step step) {
  if (from == FRAME_FIRMWARE || from == FRAME_ABSENT) return ERR_RANGE;
  bool wants_free = step == FRAME_STEP_ALLOC || step == FRAME_STEP_RETIRE || step == FRAME_STEP_KEEP;
  if (wants_free) return from == FRAME_FREE ? OK : ERR_STATE;
  return from == FRAME_ALLOCATED ? OK : ERR_STATE;
}

static void every_step_from_every_state_is_judged_as_the_diagram_says(void **state) {
  (void)state;
  for (unsigned from = 0; from < FRAME_STATE_COUNT; from++) {
    for (unsigned step = 0; step < FRAME_STEP_COUNT; step++) {
      struct frame_record r = {.state = (enum frame_state)from, .owner = FRAME_OWNER_DMA};
      uint64_t refused = 77;
      status_t want = expected((enum frame_state)from, (enum frame_step)step);
      assert_int_equal(frame_judge(&r, 0, 1, (enum frame_step)step, FRAME_OWNER_DMA, &refused), want);
      assert_int_equal(refused, want == OK ? 77 : 0);
    }
  }
}

static void only_the_owner_may_free_or_give_away(void **state) {
  (void)state;
  struct frame_record r = {.state = FRAME_ALLOCATED, .owner = FRAME_OWNER_DMA};
  uint64_t refused;
  assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_FREE, FRAME_OWNER_USER, &refused), ERR_OWNER);
  assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_GIVE, FRAME_OWNER_USER, &refused), ERR_OWNER);
}

static void a_broken_record_is_refused_everything(void **state) {
  (void)state;
  struct frame_record r;
  memset(&r, 200, sizeof r);
  uint64_t refused;
  for (unsigned step = 0; step < FRAME_STEP_COUNT; step++) {
    assert_int_equal(frame_judge(&r, 0, 1, (enum frame_step)step, FRAME_OWNER_DMA, &refused), ERR_STATE);
  }
}

static void the_first_frame_that_may_not_is_named(void **state) {
  (void)state;
  struct frame_record r[8] = {0};
  uint64_t refused = 0;
  frame_commit(r, 5, 1, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL);
  assert_int_equal(frame_judge(r, 2, 6, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL, &refused), ERR_STATE);
  assert_int_equal(refused, 5);
  assert_int_equal(frame_judge(r, 2, 3, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL, &refused), OK);
}

static void a_frame_that_comes_back_is_a_record_of_zeros_again(void **state) {
  (void)state;
  static const struct frame_record fresh;
  struct frame_record r = fresh;
  frame_commit(&r, 0, 1, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL);
  assert_int_equal(r.state, FRAME_ALLOCATED);
  r.object = 9;
  frame_commit(&r, 0, 1, FRAME_STEP_GIVE, FRAME_OWNER_DMA);
  assert_int_equal(r.owner, FRAME_OWNER_DMA);
  assert_int_equal(r.object, 9);
  frame_commit(&r, 0, 1, FRAME_STEP_FREE, FRAME_OWNER_FREE);
  assert_memory_equal(&r, &fresh, sizeof r);
}

static void every_state_and_owner_has_a_name_and_owners_a_mark_of_their_own(void **state) {
  (void)state;
  for (unsigned i = 0; i < FRAME_STATE_COUNT; i++) assert_string_not_equal(frame_state_name((enum frame_state)i), "?");
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    assert_string_not_equal(frame_owner_name((enum frame_owner)i), "?");
    for (unsigned j = 0; j < i; j++)
      assert_int_not_equal(frame_owner_mark((enum frame_owner)i), frame_owner_mark((enum frame_owner)j));
  }
  assert_string_equal(frame_state_name(FRAME_STATE_COUNT), "?");
  assert_string_equal(frame_owner_name((enum frame_owner)99), "?");
  assert_int_equal(frame_owner_mark(FRAME_OWNER_COUNT), '?');
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_step_from_every_state_is_judged_as_the_diagram_says),
      cmocka_unit_test(only_the_owner_may_free_or_give_away),
      cmocka_unit_test(a_broken_record_is_refused_everything),
      cmocka_unit_test(the_first_frame_that_may_not_is_named),
      cmocka_unit_test(a_frame_that_comes_back_is_a_record_of_zeros_again),
      cmocka_unit_test(every_state_and_owner_has_a_name_and_owners_a_mark_of_their_own),
  };
  return cmocka_run_group_tests_name("mm/phys/frame", tests, NULL, NULL);
}
