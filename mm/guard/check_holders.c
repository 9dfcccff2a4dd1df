/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_holders.c — the second opinion about those who hold frames and say which: devices and certified pools.
 *
 * HOW    INV-23: every frame of a run that a device has, live or in quarantine, is "DMA buffers" in the books of its node,
 * no two runs share one, and together they are as many as the ledger has for that owner.  So a buffer that was given back
 * and is still in the table is found, and one that is in no table any more.  A run that is being moved (a panic may come in
 * the middle) may be anywhere in between: then the sum is not asked for. INV-24: the frames of a pool are its owner's; its
 * counts are what its bits say; a stretch of live frames begins with the start of a block, no block is longer than was
 * promised, and what lies behind the pool is taken. LOCKING  as check.c: none, and nothing is written.
 */
#include "mm/guard/check_holders.h"

#include "base/bits.h"
#include "lib/memmap.h"
#include "mm/phys/contig_pool_instance.h"
#include "mm/phys/dma_instance.h"
#include "mm/phys/instance.h"
#include "mm/phys/nodes_instance.h"

/* The region of the map's RAM that holds a frame; NULL: none. */
static const struct boot_region *ram_of(const struct nodes *n, uint64_t frame) {
  for (size_t i = 0; i < n->region_count; i++) {
    const struct boot_region *r = &n->regions[i];
    if (frame >= r->start / FRAME_SIZE && frame < r->end / FRAME_SIZE) return memmap_kind_is_ram(r->kind) ? r : NULL;
  }
  return NULL;
}

static bool are_owned(const struct nodes *n, uint64_t first, uint64_t count, enum frame_owner owner, struct finding *out) {
  const struct boot_region *r = NULL;
  for (uint64_t f = first; f - first < count; f++) {
    if (!r || f >= r->end / FRAME_SIZE) r = ram_of(n, f);
    const enum frame_owner says = r ? pmm_frame_said(nodes_pmm_of(n, f), f).owner : FRAME_OWNER_NONE;
    if (says != owner) return found_at(out, f, owner, says);
  }
  return true;
}

/* --- devices -------------------------------------------------------------------------------------------------------- */

static bool is_held(const struct dma_run *r) { return r->state == RUN_LIVE || r->state == RUN_QUARANTINED; }

/* Has nobody behind run `i` of that device, in the order of the lists, a frame of it? */
static bool is_alone(const struct dma_device *d, size_t i, struct finding *out) {
  const struct dma_run *r = &d->runs[i];
  for (size_t k = i + 1; d; d = d->next, k = 0) {
    for (; k < DMA_RUNS_MAX; k++) {
      const struct dma_run *other = &d->runs[k];
      if (is_held(other) && r->first < other->first + other->frames && other->first < r->first + r->frames)
        return found_at(out, bits_max(r->first, other->first), 1, 2);
    }
  }
  return true;
}

static bool check_device(const struct nodes *n, const struct dma_device *d, uint64_t *held, bool *is_moving,
                         struct finding *out) {
  if (!are_owned(n, d->frame.raw, 1, FRAME_OWNER_KERNEL, out)) return false;
  for (size_t i = 0; i < DMA_RUNS_MAX; i++) {
    const struct dma_run *r = &d->runs[i];
    *is_moving |= r->state == RUN_MOVING;
    if (!is_held(r)) continue;
    if (r->frames == 0) return found_at(out, r->first, 1, 0);
    if (!are_owned(n, r->first, r->frames, FRAME_OWNER_DMA, out) || !is_alone(d, i, out)) return false;
    *held += r->frames;
  }
  return true;
}

bool check_devices(const struct nodes *n, struct finding *out) {
  uint64_t held = 0, owned = 0;
  bool is_moving = false;
  for (const struct dma_device *d = n->devices; d; d = d->next)
    if (!check_device(n, d, &held, &is_moving, out)) return false;
  for (uint32_t i = 0; i < n->count; i++) owned += n->node[i].pmm ? pmm_owned(n->node[i].pmm, FRAME_OWNER_DMA) : 0;
  return is_moving || held == owned ? true : found_at(out, NO_FRAME, held, owned);
}

/* A frame that is "DMA buffers" and in nobody's table. */
status_t check_devices_break(struct nodes *n) {
  pfn_t frame;
  return nodes_alloc_frame(n, FRAME_OWNER_DMA, 0, &frame);
}

/* --- pools ---------------------------------------------------------------------------------------------------------- */

static bool bit(const uint64_t *words, uint64_t at) { return words[at / 64] >> at % 64 & 1; }

static bool check_bits(const struct contig_pool *p, struct finding *out) {
  uint64_t live = 0, blocks = 0, length = 0;
  for (uint64_t i = 0; i < p->stats.reserved; i++) {
    const bool is_live = bit(p->live, i), is_start = bit(p->starts, i);
    if (is_start && !is_live) return found_at(out, p->first.raw + i, 0, 1);
    if (is_live && !is_start && length == 0) return found_at(out, p->first.raw + i, 1, 0);
    length = !is_live ? 0 : is_start ? 1 : length + 1;
    if (length > p->promise.max_block) return found_at(out, p->first.raw + i, p->promise.max_block, length);
    live += is_live;
    blocks += is_start;
  }
  for (uint64_t i = p->stats.reserved; i % 64 != 0; i++)
    if (!bit(p->live, i) || bit(p->starts, i)) return found_at(out, p->first.raw + i, 1, bit(p->live, i));
  if (live != p->stats.live) return found_at(out, NO_FRAME, live, p->stats.live);
  if (blocks != p->stats.blocks) return found_at(out, NO_FRAME, blocks, p->stats.blocks);
  return live <= p->promise.max_live ? true : found_at(out, NO_FRAME, p->promise.max_live, live);
}

bool check_pools(const struct nodes *n, struct finding *out) {
  for (const struct contig_pool *p = n->pools; p; p = p->next) {
    if (!are_owned(n, p->self.raw, p->self_frames, FRAME_OWNER_KERNEL, out)) return false;
    if (!are_owned(n, p->first.raw, p->stats.reserved, p->owner, out) || !check_bits(p, out)) return false;
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
