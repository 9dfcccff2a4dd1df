/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/condemned.c — the list of broken frames that are still in use: see condemned.h.
 *
 * HOW    What is added swallows every range that it overlaps or touches.  What is taken out of the middle of a range leaves
 *        two.
 * LOCKING  the list's, held by the caller; single words are written so that condemned_mask may read them without it.
 */
#include "mm/phys/condemned.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "mm/phys/tier_place.h"

static void set(struct condemned *l, uint32_t i, uint64_t start, uint64_t end) {
  atomic_set(&l->ranges[i].start, start);
  atomic_set(&l->ranges[i].end, end);
}

static void drop(struct condemned *l, uint32_t i) {
  const struct bad_range *last = &l->ranges[l->count - 1];
  set(l, i, last->start, last->end);
  atomic_set(&l->count, l->count - 1);
}

static uint32_t find(const struct condemned *l, uint64_t frame) {
  uint32_t i = 0;
  while (i < l->count && (frame < l->ranges[i].start || frame >= l->ranges[i].end)) i++;
  return i;
}

static bool touches(const struct bad_range *r, uint64_t start, uint64_t end) { return r->start <= end && start <= r->end; }

status_t condemned_add(struct condemned *l, uint64_t start, uint64_t end) {
  const uint32_t at = find(l, start);
  bool is_joined = false;
  if (at < l->count && l->ranges[at].end >= end) return ERR_EXISTS;
  for (uint32_t i = 0; i < l->count;) {
    if (!touches(&l->ranges[i], start, end)) {
      i++;
      continue;
    }
    start = bits_min(start, l->ranges[i].start);
    end = bits_max(end, l->ranges[i].end);
    is_joined = true;
    drop(l, i);
    i = 0; /* It has grown, and may touch one that it did not. */
  }
  if (!is_joined && l->count == NODES_CONDEMNED_MAX) return ERR_FULL;
  set(l, l->count, start, end);
  atomic_set(&l->count, l->count + 1);
  return OK;
}

void condemned_remove(struct condemned *l, uint64_t frame) {
  const uint32_t i = find(l, frame);
  if (i == l->count) return;
  const struct bad_range r = l->ranges[i];
  if (r.end - r.start == 1) {
    drop(l, i);
  } else if (frame == r.start || frame == r.end - 1) {
    set(l, i, frame == r.start ? frame + 1 : r.start, frame == r.start ? r.end : frame);
  } else if (l->count < NODES_CONDEMNED_MAX) {
    set(l, i, r.start, frame);
    set(l, l->count, frame + 1, r.end);
    atomic_set(&l->count, l->count + 1);
  }
}

uint64_t condemned_next(const struct condemned *l, uint64_t start, uint64_t end) {
  uint64_t next = end;
  for (uint32_t i = 0; i < l->count; i++) {
    const uint64_t first = bits_max(l->ranges[i].start, start);
    if (first < l->ranges[i].end) next = bits_min(next, first);
  }
  return next;
}

uint64_t condemned_frames(const struct condemned *l) {
  uint64_t frames = 0;
  for (uint32_t i = 0; i < l->count; i++) frames += l->ranges[i].end - l->ranges[i].start;
  return frames;
}

uint64_t condemned_mask(const struct condemned *l, uint64_t base) {
  const uint32_t count = (uint32_t)bits_min(atomic_get(&l->count), NODES_CONDEMNED_MAX);
  uint64_t mask = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t start = bits_max(atomic_get(&l->ranges[i].start), base);
    const uint64_t end = bits_min(atomic_get(&l->ranges[i].end), base + 64);
    if (start < end) mask |= bits_mask((unsigned)(start - base), (unsigned)(end - start));
  }
  return mask;
}
