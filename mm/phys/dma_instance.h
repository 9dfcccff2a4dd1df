/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/dma_instance.h — what the account of a device is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stdint.h>

#include "mm/dma.h"
#include "mm/platform.h"

enum run_state : uint8_t { RUN_UNUSED = 0, RUN_MOVING, RUN_LIVE, RUN_QUARANTINED };

struct dma_run {
  uint64_t first : 40; /* Frame number. */
  uint64_t frames : 21;
  uint64_t memory : 1; /* enum dma_memory. */
  uint64_t state : 2;
};

struct dma_device {
  const char *name;
  struct nodes *nodes;
  struct dma_device *next; /* Under nodes.holders. */
  pfn_t frame;             /* Where this struct is. */
  struct dma_limits limits;
  struct platform_lock lock;
  struct dma_run runs[DMA_RUNS_MAX]; /* Under the lock. */
};
static_assert(sizeof(struct dma_run) == 8 && sizeof(struct dma_device) <= FRAME_SIZE);
static_assert(DMA_SIZE_MAX / FRAME_SIZE < UINT64_C(1) << 21);
