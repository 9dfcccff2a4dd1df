/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/lib/bitlog_test.c — against the host's log2l. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "lib/bitlog.h"
#include "lib/random.h"

/* An x where log2 is within 1e-9 of a whole millibit may go either way in long double; others must agree exactly. */
static void check(uint64_t x) {
  long double exact = 1000.0L * log2l((long double)x);
  if (fabsl(exact - roundl(exact)) < 1e-9L && (x & (x - 1)) != 0) {
    assert_true(fabsl(exact - bitlog_millibits(x)) <= 1.0L);
    return;
  }
  if (bitlog_millibits(x) != (uint32_t)floorl(exact)) {
    fail_msg("x=%#lx gives %u, not %Lf", (unsigned long)x, bitlog_millibits(x), exact);
  }
}

static void nothing_and_one_have_no_bits(void **state) {
  (void)state;
  assert_int_equal(bitlog_millibits(0), 0);
  assert_int_equal(bitlog_millibits(1), 0);
}

static void powers_of_two_are_exact(void **state) {
  (void)state;
  for (unsigned k = 0; k < 64; k++) assert_int_equal(bitlog_millibits(UINT64_C(1) << k), 1000 * k);
}

static void neighbours_of_powers_of_two_round_down(void **state) {
  (void)state;
  for (unsigned k = 2; k < 50; k++) {
    check((UINT64_C(1) << k) - 1);
    check((UINT64_C(1) << k) + 1);
  }
  assert_int_equal(bitlog_millibits(UINT64_MAX), 63999);
}

static void small_and_random_numbers_agree_with_the_host(void **state) {
  (void)state;
  static const uint8_t seed[32] = "bitlog";
  struct random r;
  random_init(&r, seed);
  for (uint64_t x = 1; x < 100000; x++) check(x);
  for (int i = 0; i < 200000; i++) check((random_u64(&r) >> random_below(&r, 63)) | 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_and_one_have_no_bits),
      cmocka_unit_test(powers_of_two_are_exact),
      cmocka_unit_test(neighbours_of_powers_of_two_round_down),
      cmocka_unit_test(small_and_random_numbers_agree_with_the_host),
  };
  return cmocka_run_group_tests_name("lib/bitlog", tests, nullptr, nullptr);
}
