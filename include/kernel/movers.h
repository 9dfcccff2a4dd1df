/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/movers.h — priced contiguity (mm/contig.h) over all nodes: one list of movers, and the cheapest window wherever it
 * is.
 *
 * A window lies in one node, and what moves out of it stays in that node.
 */
#pragma once

#include "mm/contig.h"
#include "mm/nodes.h"

/** => boot, after memory_init. */
void movers_init(void);
/** contig_mover_set on every node. */
status_t movers_set(enum frame_owner owner, const struct frame_mover *mover);
/** A node's; NULL where it has no memory, or there is no such node. */
struct contig *movers_contig(uint32_t node);

/* A quote and the node that it is of. */
struct movers_quote {
  struct contig_quote quote;
  struct contig *contig;
};
/**
 * contig_quote of one node, or with NODES_ALL of all: the cheapest.  The stocks of zeroed frames are called in first, for
 * they would be in the way.  When no node can, the status of the one that is nearest to it: ERR_BUSY before ERR_NO_MEMORY
 * before ERR_RANGE, which is also what a node without memory says.
 */
status_t movers_quote(uint32_t node, uint64_t count, const struct frame_limits *where, struct movers_quote *out);
/**
 * Finds a run as nodes_alloc_run, with its flags, or makes one on `node` (NODES_ALL: anywhere) for at most `moves_max`
 * moves.  Statuses of nodes_alloc_run and contig_alloc; ERR_UNSUPPORTED: there is none, and none can be made (mm/engine.h).
 */
status_t movers_alloc(uint32_t node, enum frame_owner owner, uint32_t flags, uint64_t count,
                      const struct frame_limits *where, uint64_t moves_max, pfn_t *first);
/** contig_explain of one node or of all: the window with the fewest unmovable frames. */
status_t movers_explain(uint32_t node, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out);
