/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/contig_pool_instance.h — what a certified pool is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stdint.h>

#include "mm/contig_pool.h"
#include "mm/platform.h"

struct contig_pool {
  struct contig door;       /* Where its frames come from: allocators alone. */
  struct contig_pool *next; /* Under nodes.holders; NULL where door.nodes is. */
  enum frame_owner owner;
  struct contig_pool_promise promise;
  pfn_t self; /* Where this struct and its bitmaps are. */
  uint64_t self_frames;
  pfn_t first; /* Of the pool. */
  struct platform_lock lock;
  struct contig_pool_stats stats; /* Under the lock. */
  uint64_t *live, *starts;        /* Under the lock: one bit a frame; what lies behind the pool is live for ever. */
};
