/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes_reason.c — why a request is not met, in numbers that a person can act upon.
 *
 * HOW    One walk over the ranges of the nodes that may serve the request; free ranges that touch at a border of nodes are
 *        one run.  Nothing of this happens when a request fails, only when somebody asks.
 * LOCKING  as pmm_visit: true range by range, not as one moment.
 */
#include "base/bits.h"
#include "mm/phys/nodes_instance.h"

#define GROUP_64K UINT64_C(16)

struct walk {
  struct nodes_reason *out;
  uint64_t count;
  struct frame_limits where; /* max is never 0. */
  uint64_t start, end;       /* The free run that is growing. */
};

/* Aligned groups of so many frames in [start, end). */
static uint64_t groups(uint64_t start, uint64_t end, uint64_t frames) {
  start = bits_align_up(start, frames);
  end = bits_align_down(end, frames);
  return start < end ? (end - start) / frames : 0;
}

/* The run is over: what is it good for? */
static void finish(struct walk *w) {
  struct nodes_reason *r = w->out;
  const uint64_t start = bits_max(w->start, w->where.min), end = bits_min(w->end, w->where.max);
  uint64_t first;
  r->free_frames += w->end - w->start;
  r->largest_run = bits_max(r->largest_run, w->end - w->start);
  if (start >= end) return;
  r->free_within += end - start;
  r->largest_within = bits_max(r->largest_within, end - start);
  r->free_64k += groups(start, end, GROUP_64K);
  r->free_2m += groups(start, end, FRAMES_PER_2M);
  r->fits_now |= nodes_place(start, end, w->count, &w->where, &first);
}

static bool add_range(void *context, const struct pmm_range *range) {
  struct walk *w = context;
  if (range->state != FRAME_FREE) return true;
  if (range->start != w->end) {
    finish(w);
    w->start = range->start;
  }
  w->end = range->end;
  return true;
}

status_t nodes_explain(const struct nodes *n, uint32_t flags, uint64_t count, const struct frame_limits *where,
                       struct nodes_reason *out) {
  struct walk w = {.out = out, .count = count, .where = nodes_limits(flags, where)};
  uint32_t node;
  if (!nodes_begin_at(n, flags, &node)) return ERR_INVALID;
  if (!pmm_run_makes_sense(FRAME_OWNER_KERNEL, flags & ~NODE_FLAGS, count, where)) return ERR_INVALID;
  *out = (struct nodes_reason){0};
  nodes_visit(n, flags & NODE_EXACT ? node : NODES_ALL, add_range, &w);
  finish(&w);
  out->cause = out->fits_now                 ? NODES_FITS_NOW
               : out->free_frames < count    ? NODES_TOO_LITTLE_FREE
               : out->largest_run < count    ? NODES_NO_RUN
               : out->largest_within < count ? NODES_OUT_OF_REACH
                                             : NODES_NO_PLACE;
  return OK;
}
