/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/condemned.c: against a set of frames, one bit each. */
#include "mm/phys/condemned.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seed.h"

#define FRAMES 512

static struct condemned list;
static bool is_in[FRAMES + 1];

static uint64_t count_in(void) {
  uint64_t n = 0;
  for (unsigned i = 0; i < FRAMES; i++) n += is_in[i];
  return n;
}

static unsigned runs_in(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < FRAMES; i++) n += is_in[i] && !is_in[i + 1];
  return n;
}

static void must_be_the_set(void) NO_ANALYSIS("one thread") {
  assert_int_equal(list.count, runs_in()); /* None touch, none overlap. */
  assert_int_equal(condemned_frames(&list), count_in());
  for (unsigned base = 0; base < FRAMES; base += 64) {
    uint64_t mask = 0;
    for (unsigned i = 0; i < 64; i++) mask |= (uint64_t)is_in[base + i] << i;
    assert_int_equal(condemned_mask(&list, base), mask);
  }
}

static void it_says_what_a_set_of_bits_says(void **state) NO_ANALYSIS("one thread") {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  unsigned full = 0, stuck = 0;
  for (unsigned i = 0; i < 200000; i++) {
    const uint64_t start = dice_below(&d, FRAMES),
                   end = start + 1 + dice_below(&d, dice_one_in(&d, 50) ? FRAMES - start : 2);
    if (i % 8192 < 4096 ? dice_below(&d, 3) > 0 : dice_below(&d, 3) == 0) { /* It fills, and empties. */
      bool is_new = false, is_beside = start > 0 && is_in[start - 1];
      const uint64_t stop = end < FRAMES ? end : FRAMES;
      for (uint64_t f = start; f <= stop; f++) is_beside |= is_in[f];
      for (uint64_t f = start; f < stop; f++) is_new |= !is_in[f];
      const bool has_room = is_beside || list.count < NODES_CONDEMNED_MAX;
      assert_int_equal(condemned_add(&list, start, stop), !is_new ? ERR_EXISTS : has_room ? OK : ERR_FULL);
      full += is_new && !has_room;
      for (uint64_t f = start; f < stop && has_room; f++) is_in[f] = true;
    } else {
      const bool is_inside = is_in[start] && start > 0 && is_in[start - 1] && is_in[start + 1];
      const bool stays = is_inside && list.count == NODES_CONDEMNED_MAX;
      condemned_remove(&list, start);
      is_in[start] &= stays;
      stuck += stays;
    }
    uint64_t next = start;
    while (next < end && next < FRAMES && !is_in[next]) next++;
    assert_int_equal(condemned_next(&list, start, end), next < FRAMES ? next : end);
    if (i % 16 == 0) must_be_the_set();
  }
  printf("# full %u times, %u frames stayed\n", full, stuck);
  assert_true(full > 100 && stuck > 10);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(it_says_what_a_set_of_bits_says)};
  return cmocka_run_group_tests_name("mm/phys/condemned", tests, NULL, NULL);
}
