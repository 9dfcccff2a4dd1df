/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/guard/finding.h — where an invariant of the door broke, and how.  Private to mm/guard. */
#pragma once

#include <stdint.h>

#define NO_FRAME UINT64_MAX

struct finding {
  uint64_t frame; /* NO_FRAME: in a sum, or in a count. */
  uint64_t expected, found;
};

/* For checks that end with what they have found: always false. */
static inline bool found_at(struct finding *out, uint64_t frame, uint64_t expected, uint64_t found) {
  *out = (struct finding){frame, expected, found};
  return false;
}
