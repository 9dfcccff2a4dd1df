/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/instance.h — what a struct pmm is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "mm/phys/record.h"
#include "mm/phys/tier.h"
#include "mm/platform.h"
#include "mm/pmm.h"
#include "mm/trace.h"

/* Fields marked (L) change under `lock`; the others never change after pmm_create. */
struct pmm {
  struct platform_lock lock;
  const struct boot_region *regions; /* The canonical map, borrowed. */
  size_t region_count;
  struct frame_records records;      /* By frame number; there where the map has RAM. */
  struct tier tier;                  /* (L) */
  uint64_t owned[FRAME_OWNER_COUNT]; /* (L) Frames by owner: the ledger. */
  uint64_t total_frames;             /* RAM by the map. */
  uint64_t reclaimed_boot_services;  /* Frames that boot services had. */
  uint64_t reclaimed_loader;         /* Frames that the loader had. */
  bool clears_on_free;               /* What is free is zeros (mm/zero.h).  Written once, at boot. */
  uint64_t metadata_bytes;
  uint64_t allocations, frees, failures; /* (L) Calls. */
  struct trace *trace;                   /* NULL, or who is told of every operation; atomic. */
  uint8_t trace_node;                    /* As which node. */
};

/* What a frame of the map's RAM is. */
static inline struct frame_said pmm_frame_said(const struct pmm *p, uint64_t frame) {
  return frame_said_by(atomic_get(&p->records.hot[frame]));
}
