/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/instance.h — what a struct pmm is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "mm/phys/record.h"
#include "mm/phys/slot.h"
#include "mm/phys/tier.h"
#include "mm/phys/tier_place.h"
#include "mm/platform.h"
#include "mm/pmm.h"
#include "mm/trace.h"

struct condemned;

/* Fields marked (L) change under `lock`; the others never change after pmm_create. */
struct pmm { // NOLINT(clang-analyzer-optin.performance.Padding): what all CPUs read stands apart from what changes
  /* What every operation reads. */
  struct slot *slots;
  uint32_t slot_count;
  struct tier tier;                  /* (L), and see tier.c. */
  struct frame_records records;      /* By frame number; there where the map has RAM. */
  const struct boot_region *regions; /* The canonical map, borrowed. */
  size_t region_count;
  uint64_t total_frames;            /* RAM by the map. */
  uint64_t reclaimed_boot_services; /* Frames that boot services had. */
  uint64_t reclaimed_loader;        /* Frames that the loader had. */
  uint64_t metadata_bytes;
  const struct engine *engine;       /* NULL, or who stands in the tiers' place: then there are no slots (engine/door.c). */
  void *engine_memory;               /* (L) */
  struct trace *trace;               /* NULL, or who is told of every operation; atomic. */
  uint32_t trace_writers;            /* Who may be writing a record at this moment; atomic (trace.c). */
  uint8_t trace_node;                /* As which node. */
  const struct condemned *condemned; /* The door's list of broken frames in use; NULL without a door. */
  bool clears_on_free;               /* What is free is zeros (mm/zero.h).  Written once, at boot. */

  alignas(64) struct platform_lock lock;
  uint64_t breaking;                     /* Frees that have broken a full block and come to the lock to say so; atomic. */
  uint64_t told;                         /* (L) Of these, those that have said so; read without it. */
  uint32_t held;                         /* (L) Slots that have a block or a pocket. */
  uint64_t owned[FRAME_OWNER_COUNT];     /* (L) Frames by owner, together with the slots' deltas: the ledger. */
  uint64_t allocations, frees, failures; /* (L) Calls, besides those that slots have counted. */
  uint64_t refusals;                     /* (L) Illegal steps. */
  uint64_t refills, drains, called_in;   /* (L) Blocks taken by slots, given back, and those given back because asked. */
};

/**
 * Brings home what all slots have, so that bits and tiers say everything; an operation of the calling CPU that an interrupt
 * came into keeps its slot's.
 *   => costs a barrier on all CPUs when any slot has something.
 */
void pmm_bring_home(struct pmm *p) REQUIRES(p->lock);

/* Is there a trace?  It may be over by the time it is told. */
static inline bool pmm_is_traced(const struct pmm *p) { return atomic_get(&p->trace) != NULL; }

/** Two allocated frames exchange all that is known of them.  => nobody else changes either. */
void pmm_exchange(struct pmm *p, uint64_t a, uint64_t b);
/** The same for a frame of one allocator and one of another: what the one is charged for the other is from now on. */
void pmm_exchange_across(struct pmm *of_a, uint64_t a, struct pmm *of_b, uint64_t b);

/* What a frame of the map's RAM is: said by its block's entry where that speaks for all its frames, else by its byte. */
static inline struct frame_said pmm_frame_said(const struct pmm *p, uint64_t frame) {
  struct place at;
  if (place_find(&p->tier, frame, &at)) {
    uint32_t e = atomic_get_acquire(&p->tier.entries[at.block]);
    if (e & ENTRY_HUGE) return frame_said_by(entry_byte(e));
    if (entry_taken(e) == 0) return frame_said_by(FRAME_OWNER_FREE);
  }
  return frame_said_by(atomic_get(&p->records.hot[frame]));
}

/* Frames with that owner; exact at a quiet moment. */
static inline uint64_t pmm_owned(const struct pmm *p, enum frame_owner owner) {
  uint64_t n = atomic_get(&p->owned[owner]);
  for (uint32_t i = 0; i < p->slot_count; i++) {
    const struct slot *s = &p->slots[i];
    n += owner == FRAME_OWNER_FREE ? slot_free_delta(s) : atomic_get(&s->delta[owner]);
  }
  return n;
}
