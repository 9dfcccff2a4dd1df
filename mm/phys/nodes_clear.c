/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes_clear.c — when old bytes go, for the whole machine: a stock of zeroed frames a node, or clearing on free.
 *
 * LOCKING  none here: what is read is written once, at boot; each stock has its own lock.
 */
#include "mm/phys/nodes_instance.h"
#include "mm/platform.h"
#include "mm/zero.h"

static uint64_t clear_all(struct nodes *n) {
  uint64_t frames = 0;
  for (uint32_t i = 0; i < n->count; i++) {
    if (n->node[i].pmm) frames += zero_clear_all_free(n->node[i].pmm);
  }
  return frames;
}

status_t nodes_clear_init(struct nodes *n, enum nodes_clearing when, uint64_t stock_bytes) {
  status_t status = OK;
  if (when == NODES_CLEAR_ON_FREE) {
    clear_all(n);
    n->clears_on_free = true;
    n->front.only = n->sole = NULL;
    return OK;
  }
  for (uint32_t i = 0; i < n->count && stock_bytes > 0; i++) {
    if (!n->node[i].pmm) continue;
    const status_t s = zero_stock_create(n->node[i].pmm, stock_bytes / n->served, &n->node[i].stock);
    if (s != OK) status = s;
  }
  return status;
}

void nodes_clear(const struct nodes *n, pfn_t first, uint64_t count) {
  if (!n->clears_on_free) zero_clear(first, count);
}

bool nodes_idle(struct nodes *n) {
  const uint8_t *order = n->node[nodes_home(n, platform_slot_hint())].order;
  for (uint32_t i = 0; i < n->served; i++) {
    struct zero_stock *stock = n->node[order[i]].stock;
    if (stock && zero_step(stock)) return true;
  }
  return false;
}

bool nodes_idle_near(struct nodes *n) {
  struct zero_stock *stock = n->node[nodes_home(n, platform_slot_hint())].stock;
  return stock && zero_wants(stock) && zero_step(stock);
}

bool nodes_wants_idle(const struct nodes *n, uint32_t node) {
  return node < n->count && n->node[node].stock && zero_wants(n->node[node].stock);
}

uint64_t nodes_call_in(struct nodes *n) {
  uint64_t frames = 0;
  for (uint32_t i = 0; i < n->count; i++) {
    if (n->node[i].stock) frames += zero_reclaim(n->node[i].stock);
  }
  return frames;
}

void nodes_zero_stats_read(const struct nodes *n, struct zero_stats *out) {
  *out = (struct zero_stats){0};
  for (uint32_t i = 0; i < n->count; i++) {
    struct zero_stats s;
    if (!n->node[i].stock) continue;
    zero_stats_read(n->node[i].stock, &s);
    out->frames += s.frames;
    out->blocks += s.blocks;
    out->frames_max += s.frames_max;
    out->blocks_max += s.blocks_max;
    out->hits += s.hits;
    out->misses += s.misses;
    out->filled += s.filled;
    out->reclaimed += s.reclaimed;
  }
}
