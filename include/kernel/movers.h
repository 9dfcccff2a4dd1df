/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/movers.h — priced contiguity (mm/contig_nodes.h) on this machine: one list of movers, and the cheapest window
 * wherever it is.
 */
#pragma once

#include "mm/contig_nodes.h"

/** => boot, after memory_init. */
void movers_init(void);
/** Registers an owner's mover.  Statuses of contig_mover_set; OK and nothing when boot had no memory for movers. */
status_t movers_set(enum frame_owner owner, const struct frame_mover *mover);
/** A node's; NULL where it has no memory, or there is no such node. */
struct contig *movers_contig(uint32_t node);

/* A quote and the contig that commits it. */
struct movers_quote {
  struct contig_quote quote;
  struct contig *contig;
};
/**
 * contig_nodes_quote.  The stocks of zeroed frames are called in first, for they would be in the way.  ERR_NO_MEMORY also
 * when boot had no memory for movers.
 */
status_t movers_quote(uint32_t flags, uint64_t count, const struct frame_limits *where, struct movers_quote *out);
/** contig_nodes_alloc, with the stocks called in before anything moves. */
status_t movers_alloc(enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where,
                      uint64_t moves_max, pfn_t *first);
/** contig_nodes_explain. */
status_t movers_explain(uint32_t flags, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out);
