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

/* An owner whose frames are in that state; a number that is none for "absent". */
static uint8_t byte_in(enum frame_state state) {
  static const uint8_t bytes[] = {FRAME_OWNER_FREE, FRAME_OWNER_DMA, FRAME_OWNER_ACPI, FRAME_OWNER_BAD, FRAME_OWNER_NONE};
  assert_int_equal(frame_said_by(bytes[state]).state, state);
  return bytes[state];
}

static void every_step_from_every_state_is_judged_as_the_diagram_says(void **state) {
  (void)state;
  for (unsigned from = 0; from < FRAME_STATE_COUNT; from++) {
    for (unsigned step = 0; step < FRAME_STEP_COUNT; step++) {
      uint8_t r = byte_in((enum frame_state)from);
      uint64_t refused = 77;
      status_t want = expected((enum frame_state)from, (enum frame_step)step);
      assert_int_equal(frame_judge(&r, 0, 1, (enum frame_step)step, FRAME_OWNER_DMA, &refused), want);
      assert_int_equal(frame_judge_byte(r, (enum frame_step)step, FRAME_OWNER_DMA), want);
      assert_int_equal(refused, want == OK ? 77 : 0);
    }
  }
}

static void the_owner_says_the_state(void **state) {
  (void)state;
  for (unsigned o = 0; o < FRAME_OWNER_COUNT; o++) {
    enum frame_state want = o == FRAME_OWNER_FREE                  ? FRAME_FREE
                            : o == FRAME_OWNER_NONE                ? FRAME_ABSENT
                            : o == FRAME_OWNER_BAD                 ? FRAME_BAD
                            : o < (unsigned)FRAME_OWNER_FIRST_OURS ? FRAME_FIRMWARE
                                                                   : FRAME_ALLOCATED;
    assert_int_equal(frame_state_of((enum frame_owner)o), want);
  }
  assert_int_equal(frame_state_of(FRAME_OWNER_COUNT), FRAME_STATE_COUNT);
  assert_true(FRAME_OWNER_TRAMPOLINE < FRAME_OWNER_FIRST_OURS); /* Its frame lies below 1 MiB. */
}

static void only_the_owner_may_free_or_give_away(void **state) {
  (void)state;
  for (unsigned movable = 0; movable <= FRAME_MOVABLE; movable += FRAME_MOVABLE) {
    uint8_t r = (uint8_t)(FRAME_OWNER_DMA | movable);
    uint64_t refused;
    assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_FREE, FRAME_OWNER_DMA, &refused), OK);
    assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_FREE, FRAME_OWNER_USER, &refused), ERR_OWNER);
    assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_GIVE, FRAME_OWNER_USER, &refused), ERR_OWNER);
    assert_int_equal(frame_judge(&r, 0, 1, FRAME_STEP_CONDEMN, FRAME_OWNER_USER, &refused), ERR_OWNER);
  }
}

static void a_broken_byte_is_refused_everything(void **state) {
  (void)state;
  uint8_t r = 120;
  const enum frame_owner none =
      (enum frame_owner)120; // NOLINT(clang-analyzer-optin.core.EnumCastOutOfRange): that is the test
  uint64_t refused;
  for (unsigned step = 0; step < FRAME_STEP_COUNT; step++) {
    assert_int_equal(frame_judge(&r, 0, 1, (enum frame_step)step, FRAME_OWNER_DMA, &refused), ERR_STATE);
    assert_int_equal(frame_judge(&r, 0, 1, (enum frame_step)step, none, &refused), ERR_STATE);
  }
}

static void the_first_frame_that_may_not_is_named(void **state) {
  (void)state;
  uint8_t r[8] = {0};
  uint64_t refused = 0;
  frame_commit(r, 5, 1, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL);
  assert_int_equal(frame_judge(r, 2, 6, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL, &refused), ERR_STATE);
  assert_int_equal(refused, 5);
  assert_int_equal(frame_judge(r, 2, 3, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL, &refused), OK);
}

/* Whatever the run's ends, and whatever stands behind them: eight at a time is the same as one by one. */
static void runs_of_bytes_are_written_and_compared_to_the_byte(void **state) {
  enum { ROOM = 48 };
  _Alignas(8) uint8_t hot[ROOM];
  (void)state;
  for (uint64_t first = 0; first < 20; first++) {
    for (uint64_t end = first; end <= ROOM; end++) {
      memset(hot, FRAME_OWNER_DMA, sizeof hot);
      assert_int_equal(frame_first_unlike(hot, first, end, FRAME_OWNER_DMA, UINT8_MAX), end);
      memset(hot, FRAME_OWNER_USER, sizeof hot);
      frame_fill(hot, first, end - first, FRAME_OWNER_DMA | FRAME_MOVABLE);
      for (uint64_t i = 0; i < ROOM; i++)
        assert_int_equal(hot[i], i >= first && i < end ? FRAME_OWNER_DMA | FRAME_MOVABLE : FRAME_OWNER_USER);
      assert_int_equal(frame_first_unlike(hot, first, end, FRAME_OWNER_DMA, FRAME_OWNER_MASK), end);
      assert_int_equal(frame_first_unlike(hot, first, end, FRAME_OWNER_DMA, UINT8_MAX),
                       first); /* Or `end`: there are none. */
      for (uint64_t odd = first; odd < end; odd++) {
        hot[odd] = FRAME_OWNER_USER;
        assert_int_equal(frame_first_unlike(hot, first, end, FRAME_OWNER_DMA, FRAME_OWNER_MASK), odd);
        hot[odd] = FRAME_OWNER_DMA;
      }
    }
  }
}

static void movable_stays_movable_when_given_away_and_ends_when_freed(void **state) {
  (void)state;
  uint8_t r = 0;
  frame_commit(&r, 0, 1, FRAME_STEP_ALLOC, FRAME_OWNER_KERNEL | FRAME_MOVABLE);
  assert_true(frame_said_by(r).is_movable);
  assert_int_equal(frame_said_by(r).state, FRAME_ALLOCATED);
  frame_commit(&r, 0, 1, FRAME_STEP_GIVE, FRAME_OWNER_DMA);
  assert_true(frame_said_by(r).is_movable);
  assert_int_equal(frame_said_by(r).owner, FRAME_OWNER_DMA);
  frame_commit(&r, 0, 1, FRAME_STEP_FREE, FRAME_OWNER_FREE);
  assert_int_equal(r, 0);
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
      cmocka_unit_test(the_owner_says_the_state),
      cmocka_unit_test(only_the_owner_may_free_or_give_away),
      cmocka_unit_test(a_broken_byte_is_refused_everything),
      cmocka_unit_test(the_first_frame_that_may_not_is_named),
      cmocka_unit_test(runs_of_bytes_are_written_and_compared_to_the_byte),
      cmocka_unit_test(movable_stays_movable_when_given_away_and_ends_when_freed),
      cmocka_unit_test(every_state_and_owner_has_a_name_and_owners_a_mark_of_their_own),
  };
  return cmocka_run_group_tests_name("mm/phys/frame", tests, NULL, NULL);
}
