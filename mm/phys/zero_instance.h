/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/zero_instance.h — what a stock of zeroed frames is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stdint.h>

#include "mm/platform.h"
#include "mm/zero.h"

struct zero_stock {
  struct pmm *pmm;
  pfn_t frame; /* Where this struct is. */
  uint64_t frames_max, blocks_max;
  uint64_t floor; /* With less free memory than this the stock is not filled. */
  struct platform_lock lock;
  uint32_t holds;  /* Anything at all; written under the lock, read by who has no memory and is in a hurry. */
  uint32_t wants;  /* Something may have to be done; written under the lock, read by who looks for work. */
  uint32_t pauses; /* So many have called it in and ask again; atomic. */
  /* All below under the lock. */
  bool is_stepping; /* Some CPU clears; what it clears is in no list. */
  bool is_recalled; /* That CPU gives back what it holds. */
  bool has_pending;
  uint32_t patience;
  uint64_t pending, pending_bytes; /* A 2 MiB frame of which so much is cleared. */
  struct zero_stats stats;
  uint64_t frames[ZERO_STOCK_FRAMES_MAX];
  uint64_t blocks[ZERO_STOCK_BLOCKS_MAX];
};
static_assert(sizeof(struct zero_stock) <= FRAME_SIZE);
