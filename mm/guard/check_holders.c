/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_holders.c — the second opinion about those who hold frames and say which: devices and certified pools.
 *
 * HOW    INV-23: every frame of a run that a device has, live or in quarantine, is "DMA buffers" in the books of its node,
 * no two runs share one, and together with those of pools they are as many as the ledger has for that owner.  So a buffer
 * that was given back and is still in the table is found, and one that is in no table any more.  While a run is being moved
 * (a panic may come in the middle) it may be anywhere in between: then the sum is not asked for.
 *
 *        INV-24: the frames of a pool are its owner's; its counts are what its bits say; a stretch of live frames begins
 *        with the start of a block, no block is longer than was promised, and what lies behind the pool is taken.  While
 *        somebody has the pool's lock its bits are not asked for.  Pools of an allocator that stands alone are in no list.
 *
 *        The lists lead through frames: each is followed for as many steps as there are frames, and what is met has to be
 *        where it says it is.  In a hurry one frame in 64 is looked at, and no bits.
 * LOCKING  as check.c: none, and nothing is written.
 */
#include "mm/guard/check_holders.h"

#include "base/atomic.h"
#include "base/bits.h"
#include "lib/memmap.h"
#include "mm/phys/contig_pool_instance.h"
#include "mm/phys/dma_instance.h"
#include "mm/phys/instance.h"
#include "mm/phys/nodes_instance.h"

#define SAMPLE 64 /* In a hurry. */

struct search {
  const struct nodes *n;
  bool is_hurried;
  struct finding *out;
};

/* The region of the map's RAM that holds a frame; NULL: none. */
static const struct boot_region *ram_of(const struct nodes *n, uint64_t frame) {
  for (size_t i = 0; i < n->region_count; i++) {
    const struct boot_region *r = &n->regions[i];
    if (frame >= r->start / FRAME_SIZE && frame < r->end / FRAME_SIZE) return memmap_kind_is_ram(r->kind) ? r : NULL;
  }
  return NULL;
}

static bool are_owned(const struct search *s, uint64_t first, uint64_t count, enum frame_owner owner) {
  const struct boot_region *r = NULL;
  for (uint64_t f = first; f - first < count; f += s->is_hurried ? SAMPLE : 1) {
    if (!r || f >= r->end / FRAME_SIZE) r = ram_of(s->n, f);
    const enum frame_owner says = r ? pmm_frame_said(nodes_pmm_of(s->n, f), f).owner : FRAME_OWNER_NONE;
    if (says != owner) return found_at(s->out, f, owner, says);
  }
  return true;
}

/* --- lists ---------------------------------------------------------------------------------------------------------- */

/* Is what a list leads to in a frame of its own, the one that it names? */
static bool is_at(const struct search *s, const void *p, uint64_t frame, uint64_t frames, uint64_t steps) {
  if (steps > s->n->ram_frames) return found_at(s->out, NO_FRAME, s->n->ram_frames, steps);
  return are_owned(s, frame, frames, FRAME_OWNER_KERNEL) &&
         (platform_direct(paddr_of_pfn(pfn(frame))) == p || found_at(s->out, frame, 1, 0));
}

/* A list as such, before anything follows it again and again. */
static bool check_list_of_devices(const struct search *s) {
  uint64_t steps = 0;
  for (const struct dma_device *d = atomic_get_acquire(&s->n->devices); d; d = d->next)
    if (!is_at(s, d, d->frame.raw, 1, ++steps)) return false;
  return true;
}

static bool check_list_of_pools(const struct search *s) {
  uint64_t steps = 0;
  for (const struct contig_pool *p = atomic_get_acquire(&s->n->pools); p; p = p->next)
    if (!is_at(s, p, p->self.raw, p->self_frames, ++steps)) return false;
  return true;
}

/* --- devices -------------------------------------------------------------------------------------------------------- */

static bool is_held(const struct dma_run *r) { return r->state == RUN_LIVE || r->state == RUN_QUARANTINED; }

/* Has nobody behind run `i` of that device, in the order of the lists, a frame of it? */
static bool is_alone(const struct search *s, const struct dma_device *d, size_t i) {
  const struct dma_run *r = &d->runs[i];
  for (size_t k = i + 1; d; d = d->next, k = 0) {
    for (; k < DMA_RUNS_MAX; k++) {
      const struct dma_run *other = &d->runs[k];
      if (is_held(other) && r->first < other->first + other->frames && other->first < r->first + r->frames)
        return found_at(s->out, bits_max(r->first, other->first), 1, 2);
    }
  }
  return true;
}

static bool check_device(const struct search *s, const struct dma_device *d, uint64_t *held, bool *is_moving) {
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    const struct dma_run *r = &d->runs[i];
    *is_moving |= r->state == RUN_MOVING;
    if (!is_held(r)) continue;
    if (r->frames == 0) return found_at(s->out, r->first, 1, 0);
    if (!are_owned(s, r->first, r->frames, FRAME_OWNER_DMA) || !is_alone(s, d, i)) return false;
    *held += r->frames;
  }
  return true;
}

bool check_devices(const struct nodes *n, bool is_hurried, struct finding *out) {
  const struct search s = {n, is_hurried, out};
  uint64_t held = 0, owned = 0;
  bool is_moving = false;
  if (!check_list_of_devices(&s)) return false;
  for (const struct dma_device *d = n->devices; d; d = d->next)
    if (!check_device(&s, d, &held, &is_moving)) return false;
  if (is_moving || !check_list_of_pools(&s)) return true; /* The latter is for check_pools to say. */
  for (const struct contig_pool *p = n->pools; p; p = p->next) held += p->owner == FRAME_OWNER_DMA ? p->stats.reserved : 0;
  for (uint32_t i = 0; i < n->count; i++) owned += n->node[i].pmm ? pmm_owned(n->node[i].pmm, FRAME_OWNER_DMA) : 0;
  return held == owned ? true : found_at(out, NO_FRAME, held, owned);
}

/* A frame that is "DMA buffers" and in nobody's table. */
status_t check_devices_break(struct nodes *n) {
  pfn_t frame;
  return nodes_alloc_frame(n, FRAME_OWNER_DMA, 0, &frame);
}

/* --- pools ---------------------------------------------------------------------------------------------------------- */

static bool bit(const uint64_t *words, uint64_t at) { return words[at / 64] >> at % 64 & 1; }

static bool check_bits(const struct search *s, const struct contig_pool *p) {
  uint64_t live = 0, blocks = 0, length = 0;
  for (uint64_t i = 0; i < p->stats.reserved; i++) {
    const bool is_live = bit(p->live, i), is_start = bit(p->starts, i);
    if (is_start && !is_live) return found_at(s->out, p->first.raw + i, 0, 1);
    if (is_live && !is_start && length == 0) return found_at(s->out, p->first.raw + i, 1, 0);
    length = !is_live ? 0 : is_start ? 1 : length + 1;
    if (length > p->promise.max_block) return found_at(s->out, p->first.raw + i, p->promise.max_block, length);
    live += is_live;
    blocks += is_start;
  }
  for (uint64_t i = p->stats.reserved; i % 64 != 0; i++)
    if (!bit(p->live, i) || bit(p->starts, i)) return found_at(s->out, p->first.raw + i, 1, bit(p->live, i));
  if (live != p->stats.live) return found_at(s->out, NO_FRAME, live, p->stats.live);
  if (blocks != p->stats.blocks) return found_at(s->out, NO_FRAME, blocks, p->stats.blocks);
  return live <= p->promise.max_live ? true : found_at(s->out, NO_FRAME, p->promise.max_live, live);
}

/* Its size is what its promise costs, and the bitmaps lie behind it, as far as they have to go. */
static bool check_shape(const struct search *s, const struct contig_pool *p) {
  const uint64_t cost = contig_pool_cost(&p->promise), words = (cost + 63) / 64;
  const uint64_t *end = (const uint64_t *)(p + 1) + 2 * words;
  if (p->stats.reserved != cost || cost == 0) return found_at(s->out, p->self.raw, cost, p->stats.reserved);
  const bool fits = (uint64_t)((const char *)end - (const char *)p) <= p->self_frames * FRAME_SIZE;
  const bool lies_there = p->live == (const uint64_t *)(p + 1) && p->starts == p->live + words;
  return fits && lies_there ? true : found_at(s->out, p->self.raw, 1, 0);
}

bool check_pools(const struct nodes *n, bool is_hurried, struct finding *out) {
  const struct search s = {n, is_hurried, out};
  if (!check_list_of_pools(&s)) return false;
  for (const struct contig_pool *p = n->pools; p; p = p->next) {
    if (!check_shape(&s, p)) return false;
    if (!are_owned(&s, p->first.raw, p->stats.reserved, p->owner)) return false;
    const bool is_quiet = !is_hurried && atomic_get(&p->lock.word) == 0;
    if (is_quiet && !check_bits(&s, p)) return false;
  }
  return true;
}

/* A block begins that nobody has asked for. */
status_t check_pools_break(struct nodes *n) {
  const struct contig_pool_promise promise = {1, 1, CONTIG_POOL_ANY};
  struct contig door = {.nodes = n};
  struct contig_pool *pool;
  const status_t s = contig_pool_create(&door, FRAME_OWNER_TEST, &promise, NULL, 0, &pool);
  if (s == OK) pool->starts[0] |= 1;
  return s;
}
