/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/nodes_instance.h — what a struct nodes is made of.  Private to mm/phys and mm/guard. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mm/bad.h"
#include "mm/nodes.h"
#include "mm/phys/condemned.h"
#include "mm/platform.h"

/* Frames from `start` on to the next span are in one node's books. */
struct nodes_span {
  uint64_t start;
  uint32_t node;
};

/* One node.  Written by nodes_plan and nodes_create, never after. */
struct nodes_node {
  struct pmm *pmm;                   /* NULL: memory-less. */
  struct pmm *nearest;               /* The first of its order. */
  const struct boot_region *regions; /* Its part of the map: the map itself where there is one node, else a list of RAM. */
  size_t region_count;
  const uint8_t *order;     /* Nodes with memory, nearest first; itself first when it has some. */
  struct zero_stock *stock; /* NULL: none.  Written by nodes_clear_init, once. */
};

/* The words of a failure in the ring: written by whoever fails, read when somebody asks; `number` is 0 while written. */
enum { NODES_WORD_NUMBER, NODES_WORD_TIME, NODES_WORD_COUNT, NODES_WORD_WHERE, NODES_WORD_WHAT = 7, NODES_WORDS };

struct nodes {
  struct nodes_front front;
  const struct boot_region *regions; /* The whole map, borrowed. */
  size_t region_count;
  uint32_t count;                 /* Nodes. */
  uint32_t served;                /* Nodes with memory: the length of each order. */
  const struct nodes_span *spans; /* Ascending; the first starts at 0, neighbours differ. */
  uint32_t span_count;
  struct pmm_taken *scratch; /* Room for the taken ranges of one node; NULL where there is one node. */
  uint64_t plan_bytes;
  uint64_t ram_frames; /* RAM by the map. */
  uint64_t longest;    /* Frames of the longest stretch that may ever be handed out in one piece. */
  uint64_t failures;   /* Atomic. */
  struct pmm *sole;    /* What front.only is when nothing speaks against it. */
  /* Bad frames in use (mm/bad.h).  While there are any, front.only is NULL, so that the usual free need not ask. */
  struct condemned condemned;
  struct {
    void (*tell)(void *context, enum frame_owner owner, pfn_t frame);
    void *context;
  } listeners[FRAME_OWNER_COUNT];
  /* Who holds frames and can say which, for mm_check. */
  struct platform_lock holders;
  struct dma_device *devices; /* Under it, and so is each one's `next`. */
  struct contig_pool *pools;  /* Likewise. */
  bool clears_on_free;        /* Then front.only is NULL, so that the usual free need not ask. */
  struct nodes_node node[NODES_MAX];
  uint8_t home[NODES_SLOTS_MAX];                     /* Node of a slot; single bytes, read and written whole. */
  uint32_t given_back[NODES_SLOTS_MAX];              /* By the stocks, ever, as that CPU has seen it. */
  uint64_t failed[NODES_FAILURES_KEPT][NODES_WORDS]; /* Atomic words. */
};

/**
 * The next stretch of free frames that crosses a border of nodes, in order of address; *span is 1 at the start.  False when
 * there is no more.  True of the moment of asking, node by node.
 */
bool nodes_next_stretch(const struct nodes *n, uint32_t *span, uint64_t *start, uint64_t *end);

/** May all of [first, end) be freed by the owner?  OK, or the refusal, which has been logged.  (nodes.c) */
status_t nodes_judge(struct nodes *n, uint64_t first, uint64_t end, enum frame_owner owner);
/** nodes_free_run without a look at condemned frames.  (nodes.c) */
status_t nodes_free_sound(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count);
/** nodes_free_run when there are condemned frames somewhere.  (bad.c) */
status_t bad_free_run(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count);
/** The allocator in whose books a frame is.  (nodes.c) */
struct pmm *nodes_pmm_of(const struct nodes *n, uint64_t frame);
/** The end of the span of a frame: below it nodes_pmm_of says the same.  (nodes.c) */
uint64_t nodes_span_end_of(const struct nodes *n, uint64_t frame);
/** Where a request begins; false for a node that does not exist.  (nodes.c) */
bool nodes_begin_at(const struct nodes *n, uint32_t flags, uint32_t *node);
/** What a request's limits and flags come to, with a max that is never 0.  (nodes.c) */
struct frame_limits nodes_limits(uint32_t flags, const struct frame_limits *where);
/** The highest place in a free stretch for a run within valid limits whose max is not 0; false: none.  (nodes.c) */
bool nodes_place(uint64_t start, uint64_t end, uint64_t count, const struct frame_limits *w, uint64_t *first);
