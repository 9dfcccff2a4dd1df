/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/assert.c — a failed ASSERT, DASSERT or CHECK ends a hosted test.  Weak: a test may bring its own. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

[[gnu::weak]] void assert_fail(const char *kind, const char *expression, const char *file, int line) {
  (void)fprintf(stderr, "%s:%d: %s(%s) failed\n", file, line, kind, expression);
  abort();
}
