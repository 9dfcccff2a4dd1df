/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/guard/check_holders.h — INV-23 and INV-24.  Private to mm/guard. */
#pragma once

#include "base/status.h"
#include "mm/guard/finding.h"
#include "mm/nodes.h"

/** Whether INV-23 holds.  => as mm_check; O(frames that devices hold), and the square of the runs of all of them. */
bool check_devices(const struct nodes *n, bool is_hurried, struct finding *out);
/** Whether INV-24 holds.  => as mm_check; O(frames of pools). */
bool check_pools(const struct nodes *n, bool is_hurried, struct finding *out);
/** Breaks INV-23, or INV-24 in a pool made for it.  ERR_NO_MEMORY: there is none to do it with. */
status_t check_devices_break(struct nodes *n);
status_t check_pools_break(struct nodes *n);
