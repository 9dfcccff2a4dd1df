/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/ledger.h — every frame has an owner, and the owners add up to the RAM that the firmware reported. */
#pragma once

#include <stdint.h>

#include "base/status.h"
#include "mm/frame.h"
#include "mm/pmm.h"

struct ledger {
  uint64_t total;                     /* Frames of RAM by the firmware's map. */
  uint64_t frames[FRAME_OWNER_COUNT]; /* By owner; FREE is one of them. */
  uint64_t sum;                       /* Over all owners. */
  uint64_t reclaimed_boot_services;   /* Of the general memory: what boot services had. */
  uint64_t reclaimed_loader;          /* Of the general memory: what the loader had. */
};

/** Reads the counters, in constant time.  => any CPU. */
void ledger_read(const struct pmm *p, struct ledger *out);
/** True when the sum over the owners is the firmware's total. */
bool ledger_balances(const struct ledger *l);
