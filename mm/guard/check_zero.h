/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/guard/check_zero.h — INV-21.  Private to mm/guard. */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "mm/nodes.h"

#define CHECK_ZERO_NO_FRAME UINT64_MAX

/* Where it broke, and how: a word that is not zero, an owner that is another one, a count that is not the ledger's. */
struct check_zero_finding {
  uint64_t frame; /* CHECK_ZERO_NO_FRAME: in a sum. */
  uint64_t expected, found;
};

/** Whether INV-21 holds.  => as mm_check; reads all that lies in the stocks, or in a hurry a word in 64 of it. */
bool check_zero_stocks(const struct nodes *n, bool is_hurried, struct check_zero_finding *out);
/** Breaks it.  ERR_NOT_FOUND: there is no stock. */
status_t check_zero_break(struct nodes *n);
