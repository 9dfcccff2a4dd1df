/* SPDX-License-Identifier: BSD-2-Clause */
/* status_test.c — every status has a name of its own. */
#include "base/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A number that may be none of the enumeration's. */
static const char *name_of(int number) {
  status_t s;
  memcpy(&s, &number, sizeof s);
  return status_name(s);
}

static void every_status_has_a_name_of_its_own(void **state) {
  (void)state;
  assert_string_equal(status_name(OK), "OK");
  for (int a = 1; a < STATUS_COUNT; a++) {
    const char *name = name_of(-a);
    assert_int_equal(strncmp(name, "ERR_", 4), 0);
    for (int b = 0; b < a; b++) assert_string_not_equal(name, name_of(-b));
    assert_string_not_equal(name, "ERR_?");
  }
}

static void a_number_that_is_no_status_has_a_name_too(void **state) {
  (void)state;
  assert_string_equal(name_of(-STATUS_COUNT), "ERR_?");
  assert_string_equal(name_of(1), "ERR_?");
  assert_string_equal(name_of(INT32_MIN), "ERR_?");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_status_has_a_name_of_its_own),
      cmocka_unit_test(a_number_that_is_no_status_has_a_name_too),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
