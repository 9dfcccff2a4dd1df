/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_nodes.c — the second opinion about the door: each node by mm_check, and that they share memory rightly.
 *
 * HOW    INV-20 is derived from the map: its RAM is walked border by border, and at each step exactly one node's list of
 *        regions has to hold the frame, as what the map says it is, and the span has to name that node.
 *        INV-21 is worked out in check_zero.c, INV-23 and INV-24 in check_holders.c.
 *        INV-22: each range of the list of condemned frames lies in managed memory, apart from the others, and the way past
 *        the list is closed exactly while there is one.  Whether such a frame is allocated is not asked: bad.c says why it
 *        may not be.
 * LOCKING  as check.c: none, and nothing is written.
 */
#include "base/bits.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/guard/check_holders.h"
#include "mm/guard/check_zero.h"
#include "mm/phys/instance.h"
#include "mm/phys/nodes_instance.h"

enum {
#define DOOR_ROW(number, name, text) INV_##name = (number),
  MM_DOOR_INVARIANTS(DOOR_ROW)
#undef DOOR_ROW
};

static bool report(struct mm_check_report *out, uint32_t invariant, const char *name, const struct finding *f) {
  out->invariant = invariant;
  out->frame = f->frame == NO_FRAME ? 0 : f->frame;
  out->expected = f->expected;
  out->found = f->found;
  if (f->frame == NO_FRAME) {
    format_string(out->text, sizeof out->text, "INV-%u %s broken: expected %llu, found %llu", invariant, name,
                  (unsigned long long)f->expected, (unsigned long long)f->found);
  } else {
    format_string(out->text, sizeof out->text, "INV-%u %s broken at frame %#llx: expected %llu, found %llu", invariant, name,
                  (unsigned long long)f->frame, (unsigned long long)f->expected, (unsigned long long)f->found);
  }
  return false;
}

static bool broken(struct mm_check_report *out, uint64_t frame, uint64_t expected, uint64_t found) {
  const struct finding f = {frame, expected, found};
  return report(out, INV_nodes, "nodes", &f);
}

static bool check_stocks(const struct nodes *n, bool is_hurried, struct mm_check_report *out) {
  struct finding f;
  return check_zero_stocks(n, is_hurried, &f) || report(out, INV_stock, "stock", &f);
}

static bool check_holders(const struct nodes *n, bool is_hurried, struct mm_check_report *out) {
  struct finding f;
  if (!check_devices(n, is_hurried, &f)) return report(out, INV_dma, "dma", &f);
  return check_pools(n, is_hurried, &f) || report(out, INV_pool, "pool", &f);
}

/* The region of a node's own list that holds a frame; the list that the allocator has, not the door's. */
static const struct boot_region *region_of(const struct nodes *n, uint32_t node, uint64_t frame) {
  const struct pmm *p = n->node[node].pmm;
  size_t low = 0;
  size_t high = p ? p->region_count : 0;
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    if (p->regions[middle].end / FRAME_SIZE <= frame) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return p && low < p->region_count && p->regions[low].start / FRAME_SIZE <= frame ? &p->regions[low] : NULL;
}

static bool spans_are_sound(const struct nodes *n, struct mm_check_report *out) {
  if (n->span_count == 0 || n->spans[0].start != 0) return broken(out, NO_FRAME, 0, n->span_count ? n->spans[0].start : 1);
  for (uint32_t i = 0; i < n->span_count; i++) {
    const struct nodes_span *s = &n->spans[i];
    if (s->node >= n->count || !n->node[s->node].pmm) return broken(out, s->start, n->count, s->node);
    if (i > 0 && s[-1].start >= s->start) return broken(out, s->start, s[-1].start, s->start);
  }
  return true;
}

static bool unlisted(struct mm_check_report *out, uint64_t frame, uint64_t expected, uint64_t found) {
  const struct finding f = {frame, expected, found};
  return report(out, INV_condemned, "condemned", &f);
}

/* Frames of a range that may ever be handed out. */
static uint64_t managed_frames(const struct nodes *n, const struct bad_range *r) {
  uint64_t frames = 0;
  for (size_t i = 0; i < n->region_count; i++) {
    const uint64_t start = bits_max(n->regions[i].start / FRAME_SIZE, r->start);
    const uint64_t end = bits_min(n->regions[i].end / FRAME_SIZE, r->end);
    if (start < end && tier_manages(&n->regions[i])) frames += end - start;
  }
  return frames;
}

static bool check_condemned(const struct nodes *n, struct mm_check_report *out) {
  const struct condemned *l = &n->condemned;
  const struct pmm *only = l->count == 0 ? n->sole : NULL;
  if (l->count > NODES_CONDEMNED_MAX) return unlisted(out, NO_FRAME, NODES_CONDEMNED_MAX, l->count);
  for (uint32_t i = 0; i < l->count; i++) {
    const struct bad_range *r = &l->ranges[i];
    const uint64_t managed = managed_frames(n, r);
    if (r->start >= r->end || managed != r->end - r->start) return unlisted(out, r->start, r->end - r->start, managed);
    for (uint32_t k = 0; k < i; k++) { /* One that touches would have grown. */
      const struct bad_range *other = &l->ranges[k];
      if (r->start <= other->end && other->start <= r->end) return unlisted(out, r->start, other->end, r->start);
    }
  }
  return n->front.only == only ? true : unlisted(out, NO_FRAME, only != NULL, n->front.only != NULL);
}

/* Who holds a frame of RAM, up to where all that is true; false when it is nobody or more than one. */
static bool holder_of(const struct nodes *n, const struct boot_region *r, uint64_t frame, uint64_t *end, uint32_t *node) {
  uint32_t holders = 0;
  *end = r->end / FRAME_SIZE;
  for (uint32_t i = 0; i < n->count; i++) {
    const struct boot_region *own = region_of(n, i, frame);
    if (!own || own->kind != r->kind) continue;
    holders++;
    *node = i;
    *end = bits_min(*end, own->end / FRAME_SIZE);
  }
  return holders == 1;
}

static bool check_sharing(const struct nodes *n, struct mm_check_report *out) {
  uint64_t ram = 0;
  uint64_t held = 0;
  if (!spans_are_sound(n, out)) return false;
  for (size_t i = 0; i < n->region_count; i++) {
    const struct boot_region *r = &n->regions[i];
    if (!memmap_kind_is_ram(r->kind)) continue;
    uint64_t end;
    uint32_t node = NODES_MAX;
    for (uint64_t frame = r->start / FRAME_SIZE; frame < r->end / FRAME_SIZE; frame = end) {
      if (!holder_of(n, r, frame, &end, &node)) return broken(out, frame, 1, node == NODES_MAX ? 0 : 2);
      if (nodes_node_of(n, frame) != node) return broken(out, frame, node, nodes_node_of(n, frame));
      if (nodes_node_of(n, end - 1) != node) return broken(out, end - 1, node, nodes_node_of(n, end - 1));
    }
    ram += (r->end - r->start) / FRAME_SIZE;
  }
  for (uint32_t i = 0; i < n->count; i++) held += n->node[i].pmm ? n->node[i].pmm->total_frames : 0;
  return held == ram && n->ram_frames == ram ? true : broken(out, NO_FRAME, ram, held == ram ? n->ram_frames : held);
}

bool mm_check_nodes(const struct nodes *n, uint64_t limit, struct mm_check_report *out) {
  struct mm_check_report all = {0};
  struct mm_check_report one;
  uint64_t left = limit;
  uint32_t checked = 0;
  for (uint32_t i = 0; i < n->count; i++) {
    if (!n->node[i].pmm || (limit != 0 && left == 0)) continue;
    const bool is_sound = mm_check(n->node[i].pmm, left, &one);
    all.frames_checked += one.frames_checked;
    checked++;
    left -= bits_min(left, one.frames_checked);
    if (!is_sound && (all.invariant == 0 || one.invariant < all.invariant)) {
      one.frames_checked = all.frames_checked;
      all = one;
    }
  }
  if (all.invariant == 0 && check_sharing(n, &all) && check_stocks(n, limit != 0, &all) && check_condemned(n, &all) &&
      check_holders(n, limit != 0, &all)) {
    all.invariant = 0;
    if (checked == 1) {
      memcpy(all.text, one.text, sizeof all.text);
    } else {
      format_string(all.text, sizeof all.text, "all invariants hold over %llu frames in %u nodes%s",
                    (unsigned long long)all.frames_checked, checked,
                    limit != 0 && left == 0 ? " (not all were looked at)" : "");
    }
  }
  *out = all;
  return all.invariant == 0;
}

/* The last border moves up by a frame: that frame's node no longer knows it. */
static status_t break_nodes(struct nodes *n) {
  struct nodes_span *last = (struct nodes_span *)&n->spans[n->span_count - 1];
  for (size_t i = 0; i < n->region_count && n->span_count > 1; i++) {
    const struct boot_region *r = &n->regions[i];
    if (!memmap_kind_is_ram(r->kind) || r->end / FRAME_SIZE <= last->start) continue;
    last->start = bits_max(last->start, r->start / FRAME_SIZE) + 1;
    return OK;
  }
  last->start++; /* One span: from now on frame 0 is in none. */
  return OK;
}

/* A frame that no machine has is listed. */
static status_t break_condemned(struct nodes *n) {
  struct condemned *l = &n->condemned;
  if (l->count == NODES_CONDEMNED_MAX) return ERR_FULL;
  l->ranges[l->count++] = (struct bad_range){NO_FRAME - 1, NO_FRAME};
  return OK;
}

status_t mm_check_nodes_break(struct nodes *n, const char *invariant_name) {
  if (strcmp(invariant_name, "nodes") == 0) return break_nodes(n);
  if (strcmp(invariant_name, "stock") == 0) return check_zero_break(n);
  if (strcmp(invariant_name, "condemned") == 0) return break_condemned(n);
  if (strcmp(invariant_name, "dma") == 0) return check_devices_break(n);
  if (strcmp(invariant_name, "pool") == 0) return check_pools_break(n);
  for (uint32_t i = 0; i < n->count; i++) {
    if (n->node[i].pmm) return mm_check_break(n->node[i].pmm, invariant_name);
  }
  return ERR_NOT_FOUND;
}
