/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/contig_nodes.h — priced contiguity (mm/contig.h) for a machine with nodes: the cheapest window wherever it is.
 *
 * One contig is in front of all nodes: its windows may lie across their borders, and its quotes are the least of all.  Each
 * node has one of its own too, which sees nothing else.  All of them have the same movers and one commit at a time.
 */
#pragma once

#include <stdint.h>

#include "mm/contig.h"
#include "mm/nodes.h"

/**
 * Puts `whole` in front of all nodes, and parts[i] in front of node i (unusable when that has no memory), for i below
 * nodes_count.  Movers are registered with `whole`.   => all of it stays where it is.
 */
void contig_nodes_init(struct contig *whole, struct contig *parts, struct nodes *n);
/** The contig that a request with these flags is met by: a part with NODE_EXACT, else the whole; NULL: the node has none. */
struct contig *contig_nodes_for(struct contig *whole, uint32_t flags);

/**
 * contig_quote within what the flags allow (NODE, NODE_EXACT, PMM_BELOW; the others say nothing about a place).  Of all
 * windows at the lowest price one in the node that NODE names, else in the caller's home, else in the nearest.
 * Statuses of contig_quote; ERR_INVALID also for a node that does not exist, ERR_RANGE for one without memory.
 */
status_t contig_nodes_quote(struct contig *whole, uint32_t flags, uint64_t count, const struct frame_limits *where,
                            struct contig_quote *out);
/**
 * nodes_alloc_run, or a run that is made for at most `moves_max` moves where the flags allow it; not movable.  What moves
 * stays in its node as far as that has room, with NODE_EXACT always.
 * Statuses of nodes_alloc_run and contig_alloc; ERR_UNSUPPORTED: there is none, and none can be made (mm/engine.h).
 */
status_t contig_nodes_alloc(struct contig *whole, enum frame_owner owner, uint32_t flags, uint64_t count,
                            const struct frame_limits *where, uint64_t moves_max, pfn_t *first);
/** contig_explain within what the flags allow.  Statuses also as contig_nodes_quote. */
status_t contig_nodes_explain(struct contig *whole, uint32_t flags, uint64_t count, const struct frame_limits *where,
                              struct contig_obstacle *out);
