/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_nodes.c — flags of a request, and which contig sees what they allow.
 *
 * HOW    A quote over all nodes is the least there is, and says how low the price can be.  Which node has a window at that
 *        price is asked afterwards, nearest first: so near and cheap are not weighed against each other, cheap comes first.
 *        When none has, the window lies across a border.
 * LOCKING  none; see contig.c.
 */
#include "mm/contig_nodes.h"

#include "base/bits.h"
#include "mm/phys/gather.h"
#include "mm/phys/nodes_instance.h"

void contig_nodes_init(struct contig *whole, struct contig *parts, struct nodes *n) {
  *whole = (struct contig){.nodes = n, .parts = parts};
  for (uint32_t i = 0; i < nodes_count(n); i++)
    parts[i] = (struct contig){.pmm = nodes_pmm(n, i), .nodes = n, .machine = whole};
}

/* What the flags allow. */
struct reach {
  struct contig *contig;
  uint32_t node;
  struct frame_limits where;
};

static status_t reach_of(struct contig *whole, uint32_t flags, uint64_t count, const struct frame_limits *where,
                         struct reach *out) {
  *out = (struct reach){.contig = whole};
  if (!nodes_begin_at(whole->nodes, flags, &out->node)) return ERR_INVALID;
  if (!pmm_run_makes_sense(FRAME_OWNER_KERNEL, flags & ~NODE_FLAGS, count, where)) return ERR_INVALID;
  out->where = nodes_limits(flags, where);
  if (flags & NODE_EXACT) out->contig = &whole->parts[out->node];
  return flags & NODE_EXACT && !out->contig->pmm ? ERR_RANGE : OK;
}

struct contig *contig_nodes_for(struct contig *whole, uint32_t flags) {
  struct reach r;
  return reach_of(whole, flags, 1, NULL, &r) == OK ? r.contig : NULL;
}

status_t contig_nodes_quote(struct contig *whole, uint32_t flags, uint64_t count, const struct frame_limits *where,
                            struct contig_quote *out) {
  struct reach r;
  const status_t s = reach_of(whole, flags, count, where, &r);
  return s == OK ? contig_quote_avoiding(r.contig, r.node, count, &r.where, NULL, out) : s;
}

/* There is no such run: one is made. */
static status_t make(struct contig *whole, enum frame_owner owner, uint32_t flags, uint64_t count,
                     const struct frame_limits *where, uint64_t moves_max, pfn_t *first) {
  struct reach r;
  uint64_t moved;
  if (!window_can_see(whole)) return ERR_UNSUPPORTED;
  status_t s = reach_of(whole, flags, count, where, &r);
  if (s == OK) s = contig_make(r.contig, r.node, owner, count, &r.where, moves_max, &moved, first);
  if (s == OK && flags & NODE_ZEROED) nodes_clear(whole->nodes, *first, count);
  return s;
}

status_t contig_nodes_alloc(struct contig *whole, enum frame_owner owner, uint32_t flags, uint64_t count,
                            const struct frame_limits *where, uint64_t moves_max, pfn_t *first) {
  if (owner == FRAME_OWNER_GATHERED) return ERR_INVALID; /* Of a commit alone (INV-G1). */
  flags &= ~PMM_MOVABLE;                                 /* What is made does not move, so what is found does not either. */
  if (moves_max == 0) return nodes_alloc_run(whole->nodes, owner, flags, count, where, first);
  status_t s = nodes_alloc_run(whole->nodes, owner, flags | NODE_PROBE, count, where, first);
  if (s == ERR_NO_MEMORY) s = make(whole, owner, flags, count, where, moves_max, first);
  if (s == OK || s == ERR_INVALID) return s;
  /* Now it is a failure, and counted as one; unless somebody has given back enough meanwhile. */
  return nodes_alloc_run(whole->nodes, owner, flags, count, where, first) == OK ? OK : s;
}

status_t contig_nodes_explain(struct contig *whole, uint32_t flags, uint64_t count, const struct frame_limits *where,
                              struct contig_obstacle *out) {
  struct reach r;
  const status_t s = reach_of(whole, flags, count, where, &r);
  return s == OK ? contig_explain(r.contig, count, &r.where, out) : s;
}
