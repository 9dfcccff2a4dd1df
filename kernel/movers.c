/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/movers.c — the nodes' contigs, asked one after the other.
 */
#include "kernel/movers.h"

#include "base/bits.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "mm/physmap.h"

static struct contig *contigs; /* One a node, in memory of its own: most machines have one node and not NODES_MAX. */
static uint32_t contig_count;

void movers_init(void) {
  const uint32_t count = nodes_count(memory_nodes());
  const uint64_t frames = bits_align_up(count * sizeof(struct contig), FRAME_SIZE) / FRAME_SIZE;
  pfn_t first;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, frames, NULL, &first);
  if (s != OK) {
    klog(KLOG_WARN, "movers", "nothing will be moved to make runs: %s", status_name(s));
    return;
  }
  contigs = physmap_at(paddr_of_pfn(first));
  contig_count = count;
  for (uint32_t i = 0; i < contig_count; i++) contig_init(&contigs[i], nodes_pmm(memory_nodes(), i));
}

struct contig *movers_contig(uint32_t node) { return node < contig_count && contigs[node].pmm ? &contigs[node] : NULL; }

status_t movers_set(enum frame_owner owner, const struct frame_mover *mover) {
  for (uint32_t i = 0; i < contig_count; i++) {
    const status_t s = contig_mover_set(&contigs[i], owner, mover);
    if (s != OK) return s; /* The same on all of them, so on the first. */
  }
  return OK;
}

/* Which of two refusals says more: that something is in the way, that nothing is free, that there is no such place. */
static status_t nearer(status_t a, status_t b) {
  static const status_t order[] = {ERR_BUSY, ERR_NO_MEMORY, ERR_RANGE};
  for (size_t i = 0; i < sizeof order / sizeof *order; i++)
    if (a == order[i] || b == order[i]) return order[i];
  return a;
}

/* The contig of the i-th node, when that is one of those asked for. */
static struct contig *asked(uint32_t node, uint32_t i) { return node == NODES_ALL || node == i ? movers_contig(i) : NULL; }

status_t movers_quote(uint32_t node, uint64_t count, const struct frame_limits *where, struct movers_quote *out) {
  struct contig_quote q;
  status_t best = contig_count > 0 ? ERR_RANGE : ERR_NO_MEMORY;
  (void)nodes_call_in(memory_nodes());
  for (uint32_t i = 0; i < contig_count; i++) {
    struct contig *c = asked(node, i);
    if (!c) continue;
    const status_t s = contig_quote(c, count, where, &q);
    if (s == ERR_INVALID || s == ERR_UNSUPPORTED) return s;
    if (s == OK && (best != OK || q.moves < out->quote.moves)) *out = (struct movers_quote){q, c};
    best = s == OK || best == OK ? OK : nearer(s, best);
  }
  return best;
}

#define ATTEMPTS 4 /* While others change memory between quote and commit. */

status_t movers_alloc(uint32_t node, enum frame_owner owner, uint32_t flags, uint64_t count,
                      const struct frame_limits *where, uint64_t moves_max, pfn_t *first) {
  struct movers_quote q;
  status_t s = nodes_alloc_run(memory_nodes(), owner, flags, count, where, first);
  for (unsigned i = 0; (s == ERR_NO_MEMORY || s == ERR_BUSY) && moves_max > 0 && i < ATTEMPTS; i++) {
    s = movers_quote(node, count, where, &q);
    if (s != OK) return s;
    if (q.quote.moves > moves_max) return ERR_DENIED;
    s = contig_commit(q.contig, &q.quote, owner, first);
  }
  return s;
}

status_t movers_explain(uint32_t node, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out) {
  struct contig_obstacle o;
  status_t best = ERR_RANGE;
  for (uint32_t i = 0; i < contig_count; i++) {
    struct contig *c = asked(node, i);
    if (!c) continue;
    const status_t s = contig_explain(c, count, where, &o);
    if (s == ERR_INVALID || s == ERR_UNSUPPORTED || s == ERR_NOT_FOUND) return s;
    if (s == OK && (best != OK || o.unmovable < out->unmovable)) *out = o;
    if (s == OK) best = OK;
  }
  return best;
}
