/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/movers.c — the machine's contigs: one over all nodes, and one a node behind it.
 */
#include "kernel/movers.h"

#include "base/bits.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "mm/physmap.h"

static struct contig *contigs; /* By node, then the whole, in memory of their own: most machines do not have NODES_MAX. */
static uint32_t contig_count;  /* Nodes. */

static struct contig *whole(void) { return &contigs[contig_count]; }

void movers_init(void) {
  const uint32_t count = nodes_count(memory_nodes());
  const uint64_t frames = bits_align_up((count + 1) * sizeof(struct contig), FRAME_SIZE) / FRAME_SIZE;
  pfn_t first;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, frames, NULL, &first);
  if (s != OK) {
    klog(KLOG_WARN, "movers", "nothing will be moved to make runs: %s", status_name(s));
    return;
  }
  contigs = physmap_at(paddr_of_pfn(first));
  contig_count = count;
  contig_nodes_init(whole(), contigs, memory_nodes());
}

struct contig *movers_contig(uint32_t node) { return node < contig_count && contigs[node].pmm ? &contigs[node] : NULL; }

status_t movers_set(enum frame_owner owner, const struct frame_mover *mover) {
  return contigs ? contig_mover_set(whole(), owner, mover) : OK;
}

status_t movers_quote(uint32_t flags, uint64_t count, const struct frame_limits *where, struct movers_quote *out) {
  struct contig_quote q;
  if (!contigs) return ERR_NO_MEMORY;
  (void)nodes_call_in(memory_nodes());
  const status_t s = contig_nodes_quote(whole(), flags, count, where, &q);
  if (s == OK) *out = (struct movers_quote){q, contig_nodes_for(whole(), flags)};
  return s;
}

status_t movers_alloc(enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where,
                      uint64_t moves_max, pfn_t *first) {
  if (!contigs) return nodes_alloc_run(memory_nodes(), owner, flags, count, where, first);
  return contig_nodes_alloc(whole(), owner, flags, count, where, moves_max, first);
}

status_t movers_explain(uint32_t flags, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out) {
  return contigs ? contig_nodes_explain(whole(), flags, count, where, out) : ERR_RANGE;
}
