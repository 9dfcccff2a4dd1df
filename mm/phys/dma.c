/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/dma.c — memory for devices.
 *
 * WHAT   A device writes to memory whenever it likes, at the addresses it can drive.  Both have to be believed of it and no
 *        more: it gets memory within its limits, and what it had is nobody else's before its driver says that it is done.
 * HOW    Each device has one frame: a head, and a table of its runs, 8 bytes each.
 *
 *             unused ──► moving ──► live ──free──► quarantined ──fence──► moving ──► unused
 *                    alloc                              │
 *                                                       └─ free again: ERR_STATE
 *
 *        A slot is there before a run is looked for, so that free and fence need nothing and cannot fail.  A scatter list
 *        takes the longest run that the limits allow, again and again; how long that is, bisection finds, because
 *        nodes_alloc_run finds a run if and only if one exists.
 *        Write-combining memory changes its type when the run has been cleared and is nobody's yet, and changes back when it
 *        is nobody's any more; the wall socket sees to it that there is no alias of another type in between.
 * LOCKING  d->lock guards the table and is held for a look at it, never for a search, clearing, flushing or a call of
 *        another room: what is `moving` belongs to the caller who moves it.  The list of devices has nodes.holders.
 * INVARIANTS
 *   INV-D1  every frame of a slot that is live or quarantined is ALLOCATED, the DMA owner's, and in no other slot; and no
 *           others are that owner's.  This is INV-23 of mm/check.h (mm/guard/check_holders.c).
 *   INV-D2  a run leaves the quarantine by dma_fence alone, and only by one that began when it was there already.
 *   INV-D3  a segment that was handed out lies within the limits of its device.
 * WHY NOT  a list through the freed frames: the device may still write there.  WHY NOT bounce buffers: a driver that needs
 *        one says so by allocating it.
 * SOURCE   limits as in PCI 3.0 3.2.2.3 (address lines), AHCI 1.3.1 4.2.3 and NVMe 2.0 4.1.1 (boundaries, list lengths).
 */
#include "mm/dma.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/dma_instance.h"
#include "mm/phys/nodes_instance.h"
#include "mm/phys/tier.h"
#include "mm/platform.h"

static bool mask_is_broken;
void dma_break_mask(void) { mask_is_broken = true; }

/* --- limits --------------------------------------------------------------------------------------------------------- */

static uint64_t frames_of(uint64_t size) { return size / FRAME_SIZE + (size % FRAME_SIZE != 0); }
static bool is_power_or_none(uint64_t x) { return x == 0 || bits_is_power_of_two(x); }

static bool limits_are_valid(const struct dma_limits *l) {
  const bool bits_are_good = l->address_bits == 0 || (l->address_bits >= FRAME_SHIFT && l->address_bits <= 64);
  return bits_are_good && is_power_or_none(l->align) && is_power_or_none(l->boundary);
}

/* The end of what the device can reach, in frames. */
static uint64_t reach(const struct dma_limits *l) {
  if (l->address_bits == 0 || l->address_bits == 64 || mask_is_broken) return UINT64_C(1) << (64 - FRAME_SHIFT);
  return UINT64_C(1) << (l->address_bits - FRAME_SHIFT);
}

/* Frames that may ever be handed out there, whoever has them now. */
static uint64_t frames_within_reach(const struct dma_device *d) {
  const struct nodes *n = d->nodes;
  uint64_t frames = 0;
  for (size_t i = 0; i < n->region_count; i++) {
    const uint64_t first = n->regions[i].start / FRAME_SIZE;
    const uint64_t end = bits_min(n->regions[i].end / FRAME_SIZE, reach(&d->limits));
    if (tier_manages(&n->regions[i]) && first < end) frames += end - first;
  }
  return frames;
}

/* The longest segment that the limits allow at all, in bytes; never 0. */
static uint64_t longest(const struct dma_limits *l) {
  uint64_t size = bits_min(DMA_SIZE_MAX / FRAME_SIZE, reach(l)) * FRAME_SIZE;
  if (l->segment_max != 0) size = bits_min(size, l->segment_max);
  if (l->boundary != 0) size = bits_min(size, l->boundary);
  return size;
}

static struct frame_limits where(const struct dma_limits *l) {
  return (struct frame_limits){
      .max = reach(l),
      .align = l->align / FRAME_SIZE,
      .boundary = l->boundary < FRAME_SIZE ? 0 : l->boundary / FRAME_SIZE, /* A smaller one lies within one frame. */
  };
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

/* A slot of its own for the caller; NULL when all are in use. */
static struct dma_run *slot_take(struct dma_device *d) {
  struct dma_run *slot = NULL;
  platform_lock_acquire(&d->lock);
  for (size_t i = 0; i < DMA_RUNS_MAX && !slot; i++) {
    if (d->runs[i].state == RUN_UNUSED) slot = &d->runs[i];
  }
  if (slot) slot->state = RUN_MOVING;
  platform_lock_release(&d->lock);
  return slot;
}

/* What has been moved is from now on this. */
static void slot_set(struct dma_device *d, struct dma_run *slot, struct dma_run run) {
  platform_lock_acquire(&d->lock);
  *slot = run;
  platform_lock_release(&d->lock);
}

/* The run that is this segment; ERR_STATE when the segment waits in quarantine only. */
static status_t find_live(struct dma_device *d, const struct dma_segment *s, struct dma_run **out) REQUIRES(d->lock) {
  status_t status = ERR_OWNER;
  if (s->device.raw % FRAME_SIZE != 0 || s->size == 0 || s->size > DMA_SIZE_MAX) return status;
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    struct dma_run *r = &d->runs[i];
    if (r->state < RUN_LIVE || r->first != s->device.raw / FRAME_SIZE || r->frames != frames_of(s->size)) continue;
    if (r->state == RUN_LIVE) {
      *out = r;
      return OK;
    }
    status = ERR_STATE;
  }
  return status;
}

static void give_back(struct dma_device *d, const struct dma_run *r) {
  const status_t s = nodes_free_run(d->nodes, FRAME_OWNER_DMA, pfn(r->first), r->frames);
  if (s != OK) platform_panic("INV-D1: %s: frame %#llx: %s", d->name, (unsigned long long)r->first, status_name(s));
}

/* A run of exactly so many frames. */
static status_t find(struct dma_device *d, uint64_t frames, uint32_t flags, struct dma_run *out) {
  const struct frame_limits limits = where(&d->limits);
  pfn_t first;
  const status_t s = nodes_alloc_run(d->nodes, FRAME_OWNER_DMA, flags, frames, &limits, &first);
  if (s == OK) *out = (struct dma_run){.first = first.raw, .frames = frames, .state = RUN_LIVE};
  return s;
}

/* The longest run there is, up to `frames`.  Only that there is none at all is a failure; the rest are questions. */
static status_t find_longest(struct dma_device *d, uint64_t frames, struct dma_run *out) {
  status_t s = find(d, frames, NODE_PROBE, out);
  if (s != ERR_NO_MEMORY && s != ERR_RANGE) return s;
  struct dma_run best = {0}; /* A run this long exists and is held; one of `frames` does not. */
  while (frames - best.frames > 1) {
    struct dma_run longer;
    const uint64_t middle = best.frames + (frames - best.frames) / 2;
    if (best.frames != 0) give_back(d, &best);
    s = find(d, middle, NODE_PROBE, &longer);
    if (s != OK) frames = middle;
    if (s != OK && best.frames != 0) s = find(d, best.frames, NODE_PROBE, &longer);
    best = s == OK ? longer : (struct dma_run){0};
  }
  *out = best;
  return best.frames == 0 ? find(d, 1, 0, out) : OK;
}

static struct dma_segment segment(const struct dma_run *r, uint64_t size) {
  const paddr_t at = paddr_of_pfn(pfn(r->first));
  return (struct dma_segment){at, platform_direct(at), size};
}

/* Clears it and makes it the kind of memory that was asked for. */
static status_t prepare(struct dma_device *d, struct dma_run *r, enum dma_memory memory) {
  nodes_clear(d->nodes, pfn(r->first), r->frames);
  if (memory == DMA_COHERENT) return OK;
  const status_t s = platform_set_cache(paddr_of_pfn(pfn(r->first)), r->frames * FRAME_SIZE, PLATFORM_WRITE_COMBINING);
  r->memory = s == OK;
  return s;
}

/* Makes it plain memory again and gives it back. */
static void let_go(struct dma_device *d, const struct dma_run *r) {
  if (r->memory == DMA_WRITE_COMBINING) {
    const status_t s = platform_set_cache(paddr_of_pfn(pfn(r->first)), r->frames * FRAME_SIZE, PLATFORM_WRITE_BACK);
    if (s != OK) platform_panic("%s: frame %#llx stays write-combining", d->name, (unsigned long long)r->first);
  }
  give_back(d, r);
}

/* A run into a slot: exactly so many frames, or as many of them as there are in one piece. */
static status_t take(struct dma_device *d, uint64_t frames, bool is_exact, enum dma_memory memory, struct dma_run *out) {
  struct dma_run run = {0};
  if (memory != DMA_COHERENT && memory != DMA_WRITE_COMBINING) return ERR_INVALID;
  struct dma_run *slot = slot_take(d);
  if (!slot) return ERR_FULL;
  status_t s = is_exact ? find(d, frames, 0, &run) : find_longest(d, frames, &run);
  if (s == OK) {
    s = prepare(d, &run, memory);
    if (s != OK) give_back(d, &run);
  }
  if (s != OK) run = (struct dma_run){0};
  slot_set(d, slot, run);
  *out = run;
  return s;
}

/* --- the door ------------------------------------------------------------------------------------------------------- */

status_t dma_device_create(struct nodes *n, const char *name, const struct dma_limits *limits, struct dma_device **out) {
  pfn_t frame;
  if (!limits_are_valid(limits)) return ERR_INVALID;
  const status_t s = nodes_alloc_frame(n, FRAME_OWNER_KERNEL, 0, &frame);
  if (s != OK) return s;
  struct dma_device *d = platform_direct(paddr_of_pfn(frame));
  memset(d, 0, FRAME_SIZE);
  d->name = name;
  d->nodes = n;
  d->frame = frame;
  d->limits = *limits;
  platform_lock_acquire(&n->holders);
  d->next = n->devices;
  atomic_set_release(&n->devices, d);
  platform_lock_release(&n->holders);
  *out = d;
  return OK;
}

static void take_off_list(struct dma_device *d) {
  struct nodes *n = d->nodes;
  platform_lock_acquire(&n->holders);
  struct dma_device **link = &n->devices;
  for (; *link != d; link = &(*link)->next) ASSERT(*link); /* Else it was ended before. */
  atomic_set(link, d->next);
  platform_lock_release(&n->holders);
}

status_t dma_device_destroy(struct dma_device *d) {
  bool is_in_use = false;
  platform_lock_acquire(&d->lock);
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) is_in_use |= d->runs[i].state != RUN_UNUSED;
  platform_lock_release(&d->lock);
  if (is_in_use) return ERR_BUSY;
  take_off_list(d);
  const status_t s = nodes_free_frame(d->nodes, FRAME_OWNER_KERNEL, d->frame);
  CHECK(s == OK);
  return OK;
}

status_t dma_alloc(struct dma_device *d, uint64_t size, enum dma_memory memory, struct dma_segment *out) {
  struct dma_run run;
  if (size == 0 || size > longest(&d->limits)) return ERR_INVALID;
  const status_t s = take(d, frames_of(size), true, memory, &run);
  if (s == OK) *out = segment(&run, size);
  return s;
}

/* Takes a run out of the table: it is the caller's, who lets it go. */
static bool withdraw(struct dma_device *d, const struct dma_segment *s, struct dma_run **slot) {
  platform_lock_acquire(&d->lock);
  const bool found = find_live(d, s, slot) == OK;
  if (found) (*slot)->state = RUN_MOVING;
  platform_lock_release(&d->lock);
  return found;
}

/* Gives back what was never shown to the device. */
static void abandon(struct dma_device *d, const struct dma_segment *list, size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct dma_run *slot;
    if (!withdraw(d, &list[i], &slot)) continue;
    let_go(d, slot);
    slot_set(d, slot, (struct dma_run){0});
  }
}

status_t dma_alloc_scatter(struct dma_device *d, uint64_t size, enum dma_memory memory, struct dma_segment *list,
                           size_t room, size_t *count) {
  const uint64_t step = bits_align_down(longest(&d->limits), FRAME_SIZE);
  uint64_t most;
  if (d->limits.segment_count_max != 0) room = bits_min(room, d->limits.segment_count_max);
  if (!bits_mul(step, room, &most)) most = UINT64_MAX;
  if (size == 0 || size > most) return ERR_INVALID;
  if (frames_of(size) > reach(&d->limits)) return ERR_INVALID;
  if (frames_of(size) > frames_within_reach(d)) return ERR_RANGE; /* Before all of it is taken. */
  size_t n = 0;
  for (uint64_t left = size; left > 0; n++) {
    struct dma_run run;
    const status_t s = n == room ? ERR_NO_MEMORY : take(d, frames_of(bits_min(left, step)), false, memory, &run);
    if (s != OK) {
      abandon(d, list, n);
      return s;
    }
    list[n] = segment(&run, bits_min(left, run.frames * FRAME_SIZE));
    left -= list[n].size;
  }
  *count = n;
  return OK;
}

/* Makes a quarantined segment live again. */
static void recall(struct dma_device *d, const struct dma_segment *s) REQUIRES(d->lock) {
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    struct dma_run *r = &d->runs[i];
    if (r->state == RUN_QUARANTINED && r->first == s->device.raw / FRAME_SIZE) r->state = RUN_LIVE;
  }
}

status_t dma_free_scatter(struct dma_device *d, const struct dma_segment *list, size_t count) {
  struct dma_run *run;
  status_t s = OK;
  size_t done = 0;
  platform_lock_acquire(&d->lock);
  for (; done < count && s == OK; done++) {
    s = find_live(d, &list[done], &run);
    if (s == OK) run->state = RUN_QUARANTINED;
  }
  /* A segment that is named twice is found out at the second time, when it is in quarantine: so the first is undone. */
  for (size_t i = 0; s != OK && i + 1 < done; i++) recall(d, &list[i]);
  platform_lock_release(&d->lock);
  if (s != OK) {
    platform_log("dma", "%s: refused to free %#llx: %s", d->name, (unsigned long long)list[done - 1].device.raw,
                 status_name(s));
  }
  return s;
}

status_t dma_free(struct dma_device *d, const struct dma_segment *s) { return dma_free_scatter(d, s, 1); }

uint64_t dma_fence(struct dma_device *d) {
  uint64_t frames = 0, due[(DMA_RUNS_MAX + 63) / 64] = {0};
  platform_lock_acquire(&d->lock); /* All at once: what is freed from here on the driver has not spoken of. */
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    if (d->runs[i].state != RUN_QUARANTINED) continue;
    d->runs[i].state = RUN_MOVING;
    due[i / 64] |= UINT64_C(1) << i % 64;
  }
  platform_lock_release(&d->lock);
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    struct dma_run *slot = &d->runs[i];
    if (!(due[i / 64] >> i % 64 & 1)) continue;
    frames += slot->frames;
    let_go(d, slot);
    slot_set(d, slot, (struct dma_run){0});
  }
  return frames;
}

void dma_stats_read(struct dma_device *d, struct dma_stats *out) {
  struct dma_stats s = {0};
  platform_lock_acquire(&d->lock);
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    const struct dma_run *r = &d->runs[i];
    if (r->state == RUN_LIVE) {
      s.live_runs++;
      s.live_frames += r->frames;
    }
    if (r->state == RUN_QUARANTINED) {
      s.quarantined_runs++;
      s.quarantined_frames += r->frames;
    }
  }
  platform_lock_release(&d->lock);
  *out = s;
}
