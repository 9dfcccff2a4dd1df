/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/guard/check_zero.h — INV-21.  Private to mm/guard. */
#pragma once

#include "base/status.h"
#include "mm/guard/finding.h"
#include "mm/nodes.h"

/** Whether INV-21 holds.  => as mm_check; reads all that lies in the stocks, or in a hurry a word in 64 of it. */
bool check_zero_stocks(const struct nodes *n, bool is_hurried, struct finding *out);
/** Breaks it.  ERR_NOT_FOUND: there is no stock. */
status_t check_zero_break(struct nodes *n);
