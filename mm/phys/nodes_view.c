/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes_view.c — looks at the nodes: one address, all ranges, the statistics and the ledger, of one node or of all.
 *
 * LOCKING  as pmm_view.c: each node is true as one moment, all of them together are not.
 */
#include "base/bits.h"
#include "mm/phys/nodes_instance.h"

uint32_t nodes_count(const struct nodes *n) { return n->count; }
struct pmm *nodes_pmm(const struct nodes *n, uint32_t node) { return node < n->count ? n->node[node].pmm : NULL; }

bool nodes_fallback(const struct nodes *n, uint32_t from, uint32_t index, uint32_t *node) {
  if (from >= n->count || index >= n->served) return false;
  *node = n->node[from].order[index];
  return true;
}

static const struct boot_region *region_at(const struct nodes *n, uint64_t address) {
  for (size_t i = 0; i < n->region_count; i++) {
    if (address >= n->regions[i].start && address < n->regions[i].end) return &n->regions[i];
  }
  return NULL;
}

void nodes_describe(const struct nodes *n, paddr_t address, struct pmm_story *out) {
  const struct boot_region *r = region_at(n, address.raw);
  pmm_describe(n->node[nodes_node_of(n, pfn_of_paddr(address).raw)].pmm, address, out);
  if (!r) return;
  out->region = *r; /* As a whole, and where it is no RAM too. */
  out->has_region = true;
}

/* --- stretches across borders ----------------------------------------------------------------------------------------- */

static uint64_t free_run_at(const struct nodes *n, uint32_t span, uint64_t frame) {
  struct pmm_story story;
  pmm_describe(n->node[n->spans[span].node].pmm, paddr_of_pfn(pfn(frame)), &story);
  return story.free_run;
}

bool nodes_next_stretch(const struct nodes *n, uint32_t *span, uint64_t *start, uint64_t *end) {
  for (uint32_t i = *span; i < n->span_count; i++) {
    const uint64_t border = n->spans[i].start;
    const uint64_t below = free_run_at(n, i - 1, border - 1);
    const uint64_t above = below == 0 ? 0 : free_run_at(n, i, border);
    if (above == 0) continue;
    *start = border - below;
    *end = border + above;
    for (; i + 1 < n->span_count && *end == n->spans[i + 1].start; i++) *end += free_run_at(n, i + 1, *end);
    *span = i + 1;
    return true;
  }
  return false;
}

/* --- sums ------------------------------------------------------------------------------------------------------------- */

static void add_stats(struct pmm_stats *sum, const struct pmm_stats *s) {
  sum->total_frames += s->total_frames;
  sum->free_frames += s->free_frames;
  sum->free_2m += s->free_2m;
  sum->free_1g += s->free_1g;
  sum->largest_free_run = bits_max(sum->largest_free_run, s->largest_free_run);
  sum->allocations += s->allocations;
  sum->frees += s->frees;
  sum->failures += s->failures;
  sum->refusals += s->refusals;
  sum->refills += s->refills;
  sum->drains += s->drains;
  sum->called_in += s->called_in;
  sum->mails += s->mails;
  sum->held_frames += s->held_frames;
  sum->metadata_bytes += s->metadata_bytes;
  sum->record_bytes += s->record_bytes;
  for (size_t i = 0; i < sizeof sum->free_by_order / sizeof *sum->free_by_order; i++)
    sum->free_by_order[i] += s->free_by_order[i];
}

void nodes_stats_read(const struct nodes *n, uint32_t node, struct pmm_stats *out) {
  uint64_t start, end;
  *out = (struct pmm_stats){0};
  for (uint32_t i = 0; i < n->count; i++) {
    struct pmm_stats s;
    if ((node != NODES_ALL && node != i) || !n->node[i].pmm) continue;
    pmm_stats_read(n->node[i].pmm, &s);
    add_stats(out, &s);
  }
  if (node != NODES_ALL) return;
  out->failures = nodes_failure_count(n); /* A node that has none is no failure while another has. */
  out->metadata_bytes += n->plan_bytes;
  for (uint32_t span = 1; nodes_next_stretch(n, &span, &start, &end);)
    out->largest_free_run = bits_max(out->largest_free_run, end - start);
}

void nodes_ledger_read(const struct nodes *n, uint32_t node, struct ledger *out) {
  *out = (struct ledger){0};
  for (uint32_t i = 0; i < n->count; i++) {
    struct ledger l;
    if ((node != NODES_ALL && node != i) || !n->node[i].pmm) continue;
    ledger_read(n->node[i].pmm, &l);
    out->total += l.total;
    out->sum += l.sum;
    out->reclaimed_boot_services += l.reclaimed_boot_services;
    out->reclaimed_loader += l.reclaimed_loader;
    for (unsigned o = 0; o < FRAME_OWNER_COUNT; o++) out->frames[o] += l.frames[o];
  }
  if (node == NODES_ALL) out->total = n->ram_frames; /* The firmware's word, not the nodes'. */
}

/* --- ranges ----------------------------------------------------------------------------------------------------------- */

/* A visitor who sees one span of a node. */
struct window {
  uint64_t start, end;
  bool (*visit)(void *context, const struct pmm_range *range);
  void *context;
  bool is_over; /* The visitor has had enough. */
};

static bool visit_within(void *context, const struct pmm_range *range) {
  struct window *w = context;
  if (range->end <= w->start) return true;
  if (range->start >= w->end) return false;
  w->is_over = !w->visit(w->context, range);
  return !w->is_over;
}

void nodes_visit(const struct nodes *n, uint32_t node, bool (*visit)(void *context, const struct pmm_range *range),
                 void *context) {
  struct window w = {.visit = visit, .context = context};
  for (uint32_t i = 0; i < n->span_count && !w.is_over; i++) {
    if (node != NODES_ALL && node != n->spans[i].node) continue;
    w.start = n->spans[i].start;
    w.end = i + 1 < n->span_count ? n->spans[i + 1].start : UINT64_MAX;
    pmm_visit(n->node[n->spans[i].node].pmm, visit_within, &w);
  }
}
