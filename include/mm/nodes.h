/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/nodes.h — the machine's door to RAM: one frame allocator (mm/pmm.h) a NUMA node, nearest first.
 *
 * On a machine with one node the door is a pointer to that node's allocator.  With more, a request goes to the node that the
 * caller names, else to the home of the calling slot, and from there by distance to whoever has what is asked for; frames
 * find the way back by their number.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "base/status.h"
#include "boot/handoff.h"
#include "mm/ledger.h"
#include "mm/pmm.h"

struct nodes;

#define NODES_MAX       32  /* Nodes of a machine. */
#define NODES_SLOTS_MAX 256 /* Slots that can have a home of their own. */
#define NODES_TAKEN_MAX 128 /* Ranges that boot has taken. */

/* The distance of a node to itself, and what is assumed of any other (ACPI 6.5 5.2.17). */
#define NODES_DISTANCE_OWN   10
#define NODES_DISTANCE_OTHER 20

/*
 * Flags of a request, beside those of mm/pmm.h.  Without any of these: the slot's home first, then the others by distance.
 * NODE(n): node n first, then the others by their distance from it.  NODE_EXACT: that node (or the home) or nothing.
 * NODE_ZEROED: all of it is zeros; cleared outside every lock, or in advance.
 * NODE_PROBE: a question; that it is not met is no failure, in no statistics and no list.
 */
#define NODE(n)     ((uint32_t)((n) < 254 ? (n) + 1 : 255) << 16) /* A number too large is refused as a wrong node. */
#define NODE_MASK   (UINT32_C(0xff) << 16)
#define NODE_EXACT  (UINT32_C(1) << 24)
#define NODE_ZEROED (UINT32_C(1) << 25)
#define NODE_PROBE  (UINT32_C(1) << 26)
#define NODE_FLAGS  (NODE_MASK | NODE_EXACT | NODE_ZEROED | NODE_PROBE)

/* In place of a node's number, where something is read: all of them. */
#define NODES_ALL UINT32_MAX

/* RAM of a node, in frame numbers. */
struct nodes_range {
  uint64_t start;
  uint64_t end; /* Not included. */
  uint32_t node;
};

/* What is known about the nodes: a plain table, for mm knows nothing of ACPI. */
struct nodes_layout {
  uint32_t count;                   /* 1 to NODES_MAX; without memory of their own some may be. */
  const struct nodes_range *ranges; /* Sorted, disjoint, none empty; what they leave out belongs to node 0. */
  size_t range_count;
  const uint8_t *distance; /* From i to j: distance[i * distance_stride + j]; NULL: 10 and 20. */
  size_t distance_stride;
};

/** Bytes, 64-byte aligned, that nodes_plan needs for a map of so many regions.  => pure. */
uint64_t nodes_plan_size(size_t region_count, const struct nodes_layout *layout);

/**
 * Shares the regions of a canonical map among the nodes, in nodes_plan_size zeroed bytes that stay in use, as do `regions`.
 *
 * A node without memory that can be handed out is memory-less: what little RAM it has otherwise is kept in the books of the
 * nearest node that is not.
 *   => boot, one CPU.   => the layout is not needed afterwards.
 * Returns OK; ERR_CORRUPT (the map is not canonical); ERR_INVALID (a layout that its contract rules out); ERR_NOT_FOUND (no
 * general memory).
 */
status_t nodes_plan(void *memory, const struct boot_region *regions, size_t region_count, const struct nodes_layout *layout,
                    struct nodes **out);

/** Bytes of bitmaps and tiers that all nodes' allocators need, 64-byte aligned.  => after nodes_plan. */
uint64_t nodes_metadata_size(const struct nodes *n);

/**
 * Builds the allocators.  `metadata` is nodes_metadata_size bytes; `records` and `taken` are those of pmm_create, for the
 * whole machine: one array for all nodes, by frame number; a taken range may lie in more than one node.
 *   => boot, one CPU; then the door is open.   => what `metadata` and `records` hold after a failure is undefined.
 * Returns as pmm_create; ERR_FULL (more than NODES_TAKEN_MAX ranges).
 */
status_t nodes_create(struct nodes *n, void *metadata, struct frame_records records, const struct pmm_taken *taken,
                      size_t taken_count);

/** Says which node a slot's CPU is in; until then it is node 0.  ERR_INVALID: no such slot or node.  => any CPU. */
status_t nodes_set_home(struct nodes *n, uint32_t slot, uint32_t node);

/* What the usual request reads of a door. */
struct nodes_front {
  struct pmm *only; /* The allocator of a machine with one node; NULL when there are more, or more has to be looked at. */
};

/** nodes_alloc_frame where there is more to it than the pointer; `asked`, if not NULL, has said that it has none. */
status_t nodes_alloc_frame_near(struct nodes *n, enum frame_owner owner, uint32_t flags, const struct pmm *asked,
                                pfn_t *out);

/**
 * Allocates one frame: of the nearest node that has one.
 *   => any CPU, interrupts may be off, never sleeps.   => one load and two comparisons more than pmm_alloc_frame where there
 *   is one node, three loads more with several.
 * Returns as pmm_alloc_frame; ERR_INVALID also for a node that does not exist; ERR_NO_MEMORY of NODE_EXACT says that this
 * node has none; ERR_RANGE: never, for no memory of the machine (of that node) is such.  On failure nothing has changed.
 */
static inline status_t nodes_alloc_frame(struct nodes *n, enum frame_owner owner, uint32_t flags, pfn_t *out) {
  struct pmm *only = atomic_get(&((const struct nodes_front *)n)->only);
  if (only && (flags & NODE_FLAGS) == 0) {
    const status_t s = pmm_alloc_frame(only, owner, flags, out);
    return LIKELY(s != ERR_NO_MEMORY) ? s : nodes_alloc_frame_near(n, owner, flags, only, out);
  }
  return nodes_alloc_frame_near(n, owner, flags, NULL, out);
}

/** Returns one frame to its node.  Statuses as pmm_free_frame. */
status_t nodes_free_frame(struct nodes *n, enum frame_owner owner, pfn_t frame);

/**
 * Allocates `count` contiguous frames, found if and only if such a run exists: in one node, the nearest that has one; when
 * none has and the flags do not say NODE_EXACT, across the borders of nodes, the highest that fits.
 *   => any CPU; never sleeps.   => across borders: a look at both sides of each border.
 * Returns as pmm_alloc_run; ERR_INVALID also for a node that does not exist; ERR_RANGE: never, for within these limits no
 * memory that may be handed out is that long.  On failure nothing has changed.
 */
status_t nodes_alloc_run(struct nodes *n, enum frame_owner owner, uint32_t flags, uint64_t count,
                         const struct frame_limits *where, pfn_t *first);
/** Returns a whole run or a part of one, across borders too; all or nothing.  Statuses as pmm_free_run. */
status_t nodes_free_run(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count);
/** Moves allocated frames to another owner, all or nothing.  Statuses as pmm_give_run. */
status_t nodes_give_run(struct nodes *n, enum frame_owner from, enum frame_owner to, pfn_t first, uint64_t count);
/** Takes a free frame out of service for ever.  Statuses as pmm_mark_bad. */
status_t nodes_mark_bad(struct nodes *n, pfn_t frame);

/* --- zeros (mm/zero.h) ------------------------------------------------------------------------------------------------ */

/* When old bytes go. */
enum nodes_clearing {
  NODES_CLEAR_ON_ALLOC, /* When somebody asks for zeros; some in advance. */
  NODES_CLEAR_ON_FREE   /* When memory is freed: what is free is zeros, all of it. */
};

/**
 * Decides when memory is cleared.  ON_ALLOC: each node gets its share of a stock of `stock_bytes` zeroed frames, which
 * counts as available: it is called in before a request is refused.  ON_FREE: what is free now is cleared, and whatever is
 * freed by way of this door from now on; there is no stock.
 *   => boot, once, one CPU, after nodes_create.   => ON_FREE costs a write to all of free memory.
 * Returns OK; ERR_NO_MEMORY (a node has no frame for its stock: it has none, everything works all the same).
 */
status_t nodes_clear_init(struct nodes *n, enum nodes_clearing when, uint64_t stock_bytes);
/** Clears frames that came without NODE_ZEROED, unless they are zeros already because all free memory is.
 *   => the caller has them to itself and has not written to them. */
void nodes_clear(const struct nodes *n, pfn_t first, uint64_t count);
/** Something useful to do for an idle CPU: a bounded step of filling the stock of its node, or else of another.  False when
 * there is nothing to do.   => interrupts on, no lock held. */
bool nodes_idle(struct nodes *n);
/** The same for the stock of its own node alone, and only when that has said that it wants something.  => as nodes_idle. */
bool nodes_idle_near(struct nodes *n);
/** Whether nodes_idle_near may find something to do on a CPU of that node.  => any context, an interrupt's handler too. */
bool nodes_wants_idle(const struct nodes *n, uint32_t node);
/** Gives the stocks back; frames that became free.  => any CPU. */
uint64_t nodes_call_in(struct nodes *n);
struct zero_stats;
/** The sum over the stocks. */
void nodes_zero_stats_read(const struct nodes *n, struct zero_stats *out);

/* --- looking ---------------------------------------------------------------------------------------------------------- */

uint32_t nodes_count(const struct nodes *n);
/** Allocator of a node; NULL where it has no memory, or there is no such node. */
struct pmm *nodes_pmm(const struct nodes *n, uint32_t node);
/** In whose books a frame is; the answer for a frame that is not RAM means nothing. */
uint32_t nodes_node_of(const struct nodes *n, uint64_t frame);
/** The index-th node, nearest first, that serves those who are in `from`; false behind the last. */
bool nodes_fallback(const struct nodes *n, uint32_t from, uint32_t index, uint32_t *node);
/** Node of a slot, as nodes_set_home said. */
uint32_t nodes_home(const struct nodes *n, uint32_t slot);

/** pmm_describe for any address of the machine; free_run is that of its node. */
void nodes_describe(const struct nodes *n, paddr_t address, struct pmm_story *out);
/** The counts of one node (all zeros for a memory-less one) or of NODES_ALL, where runs may cross borders of nodes. */
void nodes_stats_read(const struct nodes *n, uint32_t node, struct pmm_stats *out);
/** The ledger of one node, or of NODES_ALL. */
void nodes_ledger_read(const struct nodes *n, uint32_t node, struct ledger *out);
/** Calls visit for each range of frames of one node or NODES_ALL, in order of address, until it returns false. */
void nodes_visit(const struct nodes *n, uint32_t node, bool (*visit)(void *context, const struct pmm_range *range),
                 void *context);

/* --- refusals --------------------------------------------------------------------------------------------------------- */

#define NODES_FAILURES_KEPT 16

/* A request that was not met. */
struct nodes_failure {
  uint64_t number; /* Counted from 1. */
  uint64_t time;   /* Time stamp counter. */
  uint64_t count;  /* Frames asked for. */
  struct frame_limits where;
  uint32_t flags;
  enum frame_owner owner;
  status_t status;
};
/** Copies the last failures, the latest first, at most `room`; returns how many.  => any CPU. */
size_t nodes_failures(const struct nodes *n, struct nodes_failure *list, size_t room);
/* Why it would not be met now, the first that applies. */
enum nodes_cause {
  NODES_FITS_NOW,        /* It would: memory has changed since. */
  NODES_TOO_LITTLE_FREE, /* Fewer frames are free than were asked for. */
  NODES_NO_RUN,          /* Enough are, but nowhere so many together. */
  NODES_OUT_OF_REACH,    /* There are so many together, but not between min and max. */
  NODES_NO_PLACE         /* There too, but not at that alignment, or across a boundary. */
};
struct nodes_reason {
  enum nodes_cause cause;
  uint64_t free_frames, largest_run;    /* In the nodes that may serve it. */
  uint64_t free_within, largest_within; /* The same between its min and max. */
  uint64_t free_64k, free_2m;           /* Aligned blocks wholly free between its min and max. */
  bool fits_now;
};
/**
 * Says why a request would be met, or would not, as memory is now.  ERR_INVALID: no such node, or a request that makes no
 * sense (pmm_alloc_run).
 *   => any CPU; for people: every range of memory is looked at.
 */
status_t nodes_explain(const struct nodes *n, uint32_t flags, uint64_t count, const struct frame_limits *where,
                       struct nodes_reason *out);
/** Requests that were not met since the door was opened. */
uint64_t nodes_failure_count(const struct nodes *n);
