/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/pmm_view.c — looks at an instance: one address, all ranges, the statistics.
 *
 * LOCKING  each look takes the instance's lock, for that look alone: pmm_visit lets go of it while the visitor runs, so what
 *        is visited is true range by range, not as one moment.  Reading is no change, hence const; the lock is not part of
 *        that promise, and `unlocked` is where that is said.  Who asks the bits calls the slots in first; a visit asks the
 *        bytes and does not.
 */
#include "base/bits.h"
#include "lib/memmap.h"
#include "mm/phys/crumbs.h"
#include "mm/phys/engine/door.h"
#include "mm/phys/instance.h"

/* How far free memory reaches from a frame on, and back to a frame. */
static uint64_t free_end(const struct pmm *p, uint64_t frame, uint64_t limit) {
  if (p->engine) return engine_free_end(p->engine, p->engine_memory, frame, limit);
  return tier_free_end(&p->tier, frame, limit);
}
static uint64_t free_start(const struct pmm *p, uint64_t frame, uint64_t floor) {
  if (p->engine) return engine_free_start(p->engine, p->engine_memory, frame, floor);
  return tier_free_start(&p->tier, frame, floor);
}

static struct pmm *unlocked(const struct pmm *p) { return (struct pmm *)p; }

/* The region that holds a frame; NULL when none does. */
static const struct boot_region *region_at(const struct pmm *p, uint64_t frame) {
  for (size_t i = 0; i < p->region_count; i++) {
    if (frame >= p->regions[i].start / FRAME_SIZE && frame < p->regions[i].end / FRAME_SIZE) return &p->regions[i];
  }
  return NULL;
}

void pmm_describe(const struct pmm *p, paddr_t address, struct pmm_story *out) {
  uint64_t frame = pfn_of_paddr(address).raw;
  const struct boot_region *r = region_at(p, frame);
  *out = (struct pmm_story){.state = FRAME_ABSENT, .owner = FRAME_OWNER_NONE};
  if (!r) return;
  out->region = *r;
  out->has_region = true;
  out->has_record = memmap_kind_is_ram(r->kind);
  if (!out->has_record) return;
  struct pmm *u = unlocked(p);
  platform_lock_acquire(&u->lock);
  pmm_bring_home(u); /* The free run is asked of the bits. */
  struct frame_said said = pmm_frame_said(u, frame);
  out->state = said.state;
  out->owner = said.owner;
  out->is_movable = said.is_movable;
  if (out->state == FRAME_FREE) {
    out->free_run = free_end(u, frame, UINT64_MAX) - free_start(u, frame, 0);
  }
  platform_lock_release(&u->lock);
}

/* How far one look tells that frames are like this one: to the end of its block when the entry speaks for all of it. */
static uint64_t look_end(const struct pmm *p, uint64_t frame) {
  struct place at;
  if (!place_find(&p->tier, frame, &at)) return frame + 1;
  uint32_t e = atomic_get_acquire(&p->tier.entries[at.block]);
  bool is_one = (e & ENTRY_HUGE) || entry_taken(e) == 0;
  return is_one ? bits_align_down(frame, FRAMES_PER_2M) + FRAMES_PER_2M : frame + 1;
}

/*
 * How far the frame's state and owner reach; `end` is the end of its region.  At least one frame, also where bit and byte
 * disagree (INV-3): who looks at memory in that state must not hang for it.
 */
static uint64_t like_end(const struct pmm *p, uint64_t frame, uint64_t end) {
  enum frame_owner owner = pmm_frame_said(p, frame).owner;
  uint64_t at = frame;
  do {
    at = look_end(p, at);
    if (owner == FRAME_OWNER_FREE) at = free_end(p, at, end);
  } while (at < end && pmm_frame_said(p, at).owner == owner);
  return bits_min(at, end);
}

/* The range of equal frames from `from` on, in region *index or a later one; false when there is no more RAM. */
static bool next_range(const struct pmm *p, size_t *index, uint64_t from, struct pmm_range *range) {
  range->start = range->end = UINT64_MAX;
  for (; *index < p->region_count; (*index)++) {
    const struct boot_region *r = &p->regions[*index];
    uint64_t end = r->end / FRAME_SIZE, at = bits_max(r->start / FRAME_SIZE, from);
    if (!memmap_kind_is_ram(r->kind) || at >= end) continue;
    bool is_first = range->start == UINT64_MAX;
    struct frame_said said = pmm_frame_said(p, at);
    if (is_first) *range = (struct pmm_range){at, at, said.state, said.owner};
    if (at != range->end || said.owner != range->owner) return true;
    range->end = like_end(p, at, end);
    if (range->end < end) return true;
  }
  return range->start != UINT64_MAX;
}

void pmm_visit(const struct pmm *p, bool (*visit)(void *context, const struct pmm_range *range), void *context) {
  struct pmm *u = unlocked(p);
  struct pmm_range range = {0};
  size_t index = 0;
  for (bool more = true; more;) {
    platform_lock_acquire(&u->lock);
    more = next_range(u, &index, range.end, &range);
    platform_lock_release(&u->lock);
    if (more) more = visit(context, &range);
  }
}

/* Free frames among what a slot has, which others find only when it is called in.  Peeks. */
static uint64_t held_frames(const struct slot *s) {
  uint64_t frames = crumbs_left(s);
  for (uint32_t left = atomic_get(&s->in_pocket); left != 0; left &= left - 1) frames += FRAMES_PER_2M;
  if (atomic_get(&s->block) == SLOT_NONE) return frames;
  for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK; w++)
    for (uint64_t left = atomic_get(&s->line[w]) | atomic_get(&s->mail[w]); left != 0; left &= left - 1) frames++;
  return frames;
}

#define ORDERS (sizeof((struct pmm_stats){0}.free_by_order) / sizeof(uint64_t))

/* Cuts a free run into aligned powers of two, as large as they fit. */
static void add_run(void *context, uint64_t start, uint64_t end) {
  struct pmm_stats *s = context;
  s->largest_free_run = bits_max(s->largest_free_run, end - start);
  while (start < end) {
    unsigned order = bits_log2_floor(end - start);
    if (start != 0) order = (unsigned)bits_min(order, bits_lowest(start));
    order = (unsigned)bits_min(order, ORDERS - 1);
    s->free_by_order[order]++;
    start += UINT64_C(1) << order;
  }
}

void pmm_stats_read(const struct pmm *p, struct pmm_stats *out) {
  struct pmm *u = unlocked(p);
  platform_lock_acquire(&u->lock);
  *out = (struct pmm_stats){.total_frames = u->total_frames,
                            .free_frames = pmm_owned(u, FRAME_OWNER_FREE),
                            .allocations = u->allocations,
                            .frees = u->frees,
                            .failures = u->failures,
                            .refusals = u->refusals,
                            .refills = u->refills,
                            .drains = u->drains,
                            .called_in = u->called_in,
                            .metadata_bytes = u->metadata_bytes,
                            .record_bytes = u->total_frames * PMM_RECORD_SIZE};
  for (uint32_t i = 0; i < u->slot_count; i++) {
    const struct slot *s = &u->slots[i];
    out->allocations += atomic_get(&s->allocs) + atomic_get(&s->huge_allocs);
    out->frees += atomic_get(&s->frees) + atomic_get(&s->huge_frees);
    out->mails += atomic_get(&s->mails);
    out->held_frames += held_frames(s);
  }
  pmm_bring_home(u); /* Blocks and runs are asked of the bits. */
  out->free_2m = u->tier.free_2m;
  out->free_1g = u->tier.free_1g;
  if (u->engine) {
    engine_count_free(u, out);
    engine_each_free_run(u, add_run, out);
  } else {
    tier_each_run(&u->tier, add_run, out);
  }
  platform_lock_release(&u->lock);
}
