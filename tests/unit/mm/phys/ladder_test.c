/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/ladder.c: every length around the powers of 64, against a plain array. */
#include "mm/phys/ladder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "seed.h"

static bool plain_find_below(const bool *bits, uint64_t limit, uint64_t *bit) {
  while (limit-- > 0) {
    if (!bits[limit]) continue;
    *bit = limit;
    return true;
  }
  return false;
}

static void try_length(uint64_t length, struct dice *d) {
  bool *bits = calloc(length + 1, sizeof *bits);
  uint64_t words = ladder_words(length), *memory = calloc(words + 1, sizeof *memory);
  struct ladder l;
  assert_ptr_equal(ladder_init(&l, memory, length), memory + words);
  assert_true(l.rungs <= LADDER_RUNGS_MAX);
  for (unsigned i = 0; i < 300; i++) {
    uint64_t bit = dice_one_in(d, 4) ? length - 1 : dice_below(d, length), limit = dice_below(d, length + 1), a = 7, b = 7;
    bits[bit] = !dice_one_in(d, 3);
    ladder_write(&l, bit, bits[bit]);
    if (dice_one_in(d, 3)) limit = length;
    assert_int_equal(ladder_find_below(&l, limit, &a), plain_find_below(bits, limit, &b));
    assert_int_equal(a, b);
  }
  for (uint64_t i = 0; i < length; i++) ladder_write(&l, i, false);
  for (uint64_t i = 0; i <= words; i++) assert_int_equal(memory[i], 0);
  free(bits);
  free(memory);
}

static void the_highest_bit_below_a_limit_is_found_at_every_length(void **state) {
  (void)state;
  static const uint64_t lengths[] = {1, 2, 63, 64, 65, 127, 128, 129, 4095, 4096, 4097, 70000, 262143, 262144, 262145};
  struct dice d = dice_of(seed_of_run());
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) try_length(lengths[i], &d);
}

static void four_rungs_reach_over_52_bits_of_address(void **state) {
  (void)state;
  uint64_t gigs = UINT64_C(1) << 22, *memory = calloc(ladder_words(gigs), sizeof *memory), bit = 0;
  struct ladder l;
  ladder_init(&l, memory, gigs);
  assert_true(l.rungs <= LADDER_RUNGS_MAX);
  ladder_write(&l, 5, true);
  assert_true(ladder_find_below(&l, gigs, &bit));
  assert_int_equal(bit, 5);
  free(memory);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_highest_bit_below_a_limit_is_found_at_every_length),
      cmocka_unit_test(four_rungs_reach_over_52_bits_of_address),
  };
  return cmocka_run_group_tests_name("mm/phys/ladder", tests, NULL, NULL);
}
