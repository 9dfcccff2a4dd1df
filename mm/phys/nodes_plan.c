/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes_plan.c — shares a machine's memory among its nodes and builds an allocator for each.
 *
 * HOW    The firmware's ranges become spans: a sorted list of borders, from each of which on all frames are one node's.
 *
 *            ranges      ╟─0─╢ ╟────0────╢       ╟──1──╢╟──0──╢
 *            spans       0──────────────────────►1─────►0───────►      a hole without RAM belongs to what is below it
 *            regions     each node: its spans ∩ the map's RAM, a list of its own that its pmm is built over
 *
 *        Where there is one node nothing is cut: its pmm is built over the map itself.
 * INVARIANTS  INV-20, checked by mm/guard/check_nodes.c: every frame of RAM is in the books of exactly one node, and that is
 *        the one that its span names.
 * WHY NOT  an allocator of no memory for a memory-less node: it would answer what the order of nodes knows already.
 */
#include "base/bits.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/phys/instance.h"
#include "mm/phys/nodes_instance.h"
#include "mm/phys/tier.h"

#define LINE         UINT64_C(64)
#define FRAME_OF(at) ((at) / FRAME_SIZE)

/* What stands where in the plan's memory. */
struct parts {
  uint64_t spans, regions, orders, scratch, end; /* Offsets. */
};

/* Ranges have two ends each, and a cut makes one region more. */
static size_t spans_max(const struct nodes_layout *l) { return l->range_count * 2 + 1; }

static struct parts parts_of(size_t region_count, const struct nodes_layout *l) {
  struct parts p = {.spans = bits_align_up(sizeof(struct nodes), LINE)};
  const bool is_shared = l->count > 1;
  p.regions = p.spans + spans_max(l) * sizeof(struct nodes_span);
  p.orders = p.regions + (is_shared ? (region_count + spans_max(l)) * sizeof(struct boot_region) : 0);
  p.scratch = bits_align_up(p.orders + (uint64_t)l->count * l->count, LINE);
  p.end = bits_align_up(p.scratch + (is_shared ? NODES_TAKEN_MAX * sizeof(struct pmm_taken) : 0), LINE);
  return p;
}

uint64_t nodes_plan_size(size_t region_count, const struct nodes_layout *layout) {
  return parts_of(region_count, layout).end;
}

static bool layout_is_valid(const struct nodes_layout *l) {
  if (l->count == 0 || l->count > NODES_MAX || (l->distance && l->distance_stride < l->count)) return false;
  for (size_t i = 0; i < l->range_count; i++) {
    const struct nodes_range *r = &l->ranges[i];
    if (r->start >= r->end || r->node >= l->count || (i > 0 && r->start < l->ranges[i - 1].end)) return false;
  }
  return true;
}

/* Is there RAM in [start, end)? */
static bool has_ram(const struct nodes *n, uint64_t start, uint64_t end) {
  for (size_t i = 0; i < n->region_count && FRAME_OF(n->regions[i].start) < end; i++) {
    if (memmap_kind_is_ram(n->regions[i].kind) && FRAME_OF(n->regions[i].end) > start) return true;
  }
  return false;
}

static void add_span(struct nodes *n, struct nodes_span *spans, uint64_t start, uint32_t node) {
  if (n->span_count > 0 && spans[n->span_count - 1].start == start) n->span_count--; /* It would be empty. */
  if (n->span_count > 0 && spans[n->span_count - 1].node == node) return;
  spans[n->span_count++] = (struct nodes_span){start, node};
}

/* keeper[i] is in whose books the memory of node i goes. */
static void make_spans(struct nodes *n, struct nodes_span *spans, const struct nodes_layout *l, const uint32_t *keeper) {
  uint64_t end = 0;
  n->span_count = 0;
  add_span(n, spans, 0, keeper[0]);
  for (size_t i = 0; i < l->range_count; i++) {
    const struct nodes_range *r = &l->ranges[i];
    if (r->start > end && has_ram(n, end, r->start)) add_span(n, spans, end, keeper[0]);
    add_span(n, spans, r->start, keeper[r->node]);
    end = r->end;
  }
  if (l->range_count > 0 && has_ram(n, end, UINT64_MAX)) add_span(n, spans, end, keeper[0]);
}

static unsigned distance(const struct nodes_layout *l, uint32_t from, uint32_t to) {
  if (from == to) return 0; /* Itself first, whatever a table says. */
  return l->distance ? l->distance[from * l->distance_stride + to] : NODES_DISTANCE_OTHER;
}

/* Which nodes have memory that can be handed out? */
static uint32_t find_served(const struct nodes *n, const struct nodes_layout *l, bool *is_served) {
  uint32_t count = 0;
  memset(is_served, 0, NODES_MAX * sizeof *is_served);
  for (size_t i = 0; i < n->region_count; i++) {
    const struct boot_region *r = &n->regions[i];
    if (!memmap_kind_is_general(r->kind)) continue;
    for (uint32_t s = 0; s < n->span_count; s++) {
      const uint64_t end = s + 1 < n->span_count ? n->spans[s + 1].start : UINT64_MAX;
      if (FRAME_OF(r->start) < end && n->spans[s].start < FRAME_OF(r->end)) is_served[n->spans[s].node] = true;
    }
  }
  for (uint32_t i = 0; i < l->count; i++) count += is_served[i];
  return count;
}

/* Nodes with memory by their distance from one, those equally far by number. */
static void sort_order(const struct nodes *n, const struct nodes_layout *l, const bool *is_served, uint32_t from,
                       uint8_t *order) {
  uint32_t count = 0;
  for (uint32_t to = 0; to < n->count; to++) {
    if (!is_served[to]) continue;
    uint32_t at = count++;
    for (; at > 0 && distance(l, from, order[at - 1]) > distance(l, from, to); at--) order[at] = order[at - 1];
    order[at] = (uint8_t)to;
  }
}

/* The first region that ends above a frame. */
static size_t region_above(const struct nodes *n, uint64_t frame) {
  size_t low = 0;
  size_t high = n->region_count;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (FRAME_OF(n->regions[middle].end) <= frame) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* Adds the RAM between two frames to a node's list; returns how many regions that made. */
static size_t cut_regions(const struct nodes *n, uint64_t start, uint64_t end, struct boot_region *out) {
  size_t count = 0;
  for (size_t i = region_above(n, start); i < n->region_count && FRAME_OF(n->regions[i].start) < end; i++) {
    struct boot_region r = n->regions[i];
    if (!memmap_kind_is_ram(r.kind)) continue;
    r.start = bits_max(r.start, start * FRAME_SIZE);
    if (FRAME_OF(r.end) > end) r.end = end * FRAME_SIZE;
    out[count++] = r;
  }
  return count;
}

static void share_regions(struct nodes *n, struct boot_region *out) {
  for (uint32_t node = 0; node < n->count; node++) {
    struct nodes_node *to = &n->node[node];
    to->regions = out;
    for (uint32_t s = 0; s < n->span_count; s++) {
      const uint64_t end = s + 1 < n->span_count ? n->spans[s + 1].start : UINT64_MAX;
      if (n->spans[s].node == node) to->region_count += cut_regions(n, n->spans[s].start, end, out + to->region_count);
    }
    out += to->region_count;
  }
}

static uint64_t ram_of(const struct boot_region *regions, size_t count) {
  uint64_t frames = 0;
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(regions[i].kind)) frames += FRAME_OF(regions[i].end - regions[i].start);
  }
  return frames;
}

/* Neighbours are one piece, whatever boot did with them. */
static uint64_t longest_of(const struct boot_region *regions, size_t count) {
  uint64_t longest = 0, start = 0, end = 0;
  for (size_t i = 0; i < count; i++) {
    if (!tier_manages(&regions[i])) continue;
    if (regions[i].start != end) start = regions[i].start;
    end = regions[i].end;
    longest = bits_max(longest, FRAME_OF(end - start));
  }
  return longest;
}

static void share(struct nodes *n, char *memory, const struct parts *p, const struct nodes_layout *l) {
  struct nodes_span *spans = (struct nodes_span *)(memory + p->spans);
  uint8_t *orders = (uint8_t *)memory + p->orders;
  uint32_t keeper[NODES_MAX];
  bool is_served[NODES_MAX];
  for (uint32_t i = 0; i < l->count; i++) keeper[i] = i;
  n->spans = spans;
  make_spans(n, spans, l, keeper);
  n->served = find_served(n, l, is_served);
  for (uint32_t i = 0; i < l->count; i++, orders += l->count) {
    n->node[i].order = orders;
    sort_order(n, l, is_served, i, orders);
    if (n->served > 0) keeper[i] = n->node[i].order[0]; /* Itself, when it has memory. */
  }
  make_spans(n, spans, l, keeper);
  if (n->count > 1) {
    share_regions(n, (struct boot_region *)(memory + p->regions));
    n->scratch = (struct pmm_taken *)(memory + p->scratch);
  } else {
    n->node[0].regions = n->regions;
    n->node[0].region_count = n->region_count;
  }
}

status_t nodes_plan(void *memory, const struct boot_region *regions, size_t region_count, const struct nodes_layout *layout,
                    struct nodes **out) {
  size_t bad;
  if (memmap_check(regions, region_count, &bad) != OK) return ERR_CORRUPT;
  if (!layout_is_valid(layout)) return ERR_INVALID;
  const struct parts parts = parts_of(region_count, layout);
  struct nodes *n = memory;
  n->regions = regions;
  n->region_count = region_count;
  n->count = layout->count;
  n->plan_bytes = parts.end;
  n->ram_frames = ram_of(regions, region_count);
  n->longest = longest_of(regions, region_count);
  share(n, memory, &parts, layout);
  if (n->served == 0) return ERR_NOT_FOUND;
  *out = n;
  return OK;
}

/* --- the allocators --------------------------------------------------------------------------------------------------- */

static bool has_memory(const struct nodes *n, uint32_t node) { return n->node[node].order[0] == node; }

static uint64_t metadata_of(const struct nodes_node *node) {
  return bits_align_up(pmm_metadata_size(node->regions, node->region_count), LINE);
}

uint64_t nodes_metadata_size(const struct nodes *n) {
  uint64_t size = 0;
  for (uint32_t i = 0; i < n->count; i++) size += has_memory(n, i) ? metadata_of(&n->node[i]) : 0;
  return size;
}

/* What of the taken ranges is in a node's books; ERR_FULL when there are too many. */
static status_t cut_taken(const struct nodes *n, uint32_t node, const struct pmm_taken *taken, size_t taken_count,
                          size_t *count) {
  *count = 0;
  for (uint32_t s = 0; s < n->span_count; s++) {
    const uint64_t end = s + 1 < n->span_count ? n->spans[s + 1].start : UINT64_MAX;
    if (n->spans[s].node != node) continue;
    for (size_t i = 0; i < taken_count; i++) {
      struct pmm_taken t = taken[i];
      t.start = bits_max(t.start, n->spans[s].start);
      t.end = bits_min(t.end, end);
      if (t.start >= t.end) continue;
      if (*count == NODES_TAKEN_MAX) return ERR_FULL;
      n->scratch[(*count)++] = t;
    }
  }
  return OK;
}

static status_t create_shared(struct nodes *n, char *metadata, struct frame_records records, const struct pmm_taken *taken,
                              size_t taken_count) {
  for (uint32_t i = 0; i < n->count; i++) {
    struct nodes_node *node = &n->node[i];
    size_t count;
    if (!has_memory(n, i)) continue;
    status_t s = cut_taken(n, i, taken, taken_count, &count);
    if (s == OK) s = pmm_create(metadata, records, node->regions, node->region_count, n->scratch, count, &node->pmm);
    if (s != OK) return s;
    metadata += metadata_of(node);
  }
  for (uint32_t i = 0; i < n->count; i++) {
    n->node[i].nearest = n->node[n->node[i].order[0]].pmm;
    if (n->node[i].pmm) n->node[i].pmm->condemned = &n->condemned;
  }
  return OK;
}

status_t nodes_create(struct nodes *n, void *metadata, struct frame_records records, const struct pmm_taken *taken,
                      size_t taken_count) {
  if (n->count > 1) {
    for (size_t i = 0; i < taken_count; i++) { /* What is empty would be lost in the cutting. */
      if (taken[i].start >= taken[i].end) return ERR_INVALID;
    }
    return create_shared(n, metadata, records, taken, taken_count);
  }
  struct nodes_node *node = &n->node[0];
  const status_t s = pmm_create(metadata, records, node->regions, node->region_count, taken, taken_count, &node->pmm);
  if (s != OK) return s;
  n->front.only = n->sole = node->nearest = node->pmm;
  node->pmm->condemned = &n->condemned;
  return OK;
}
