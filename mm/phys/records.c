/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/records.c — which pages of the record arrays need memory.
 *
 * HOW    RAM is a list of ranges; each needs a stretch of either array.  Stretches that share a page, or touch, grow
 *        together; what has grown is cut into large pages and the small ones around them.
 * WHY NOT  clear them: what is free is said by the tiers, and what is written first is read first (tier.c).
 */
#include "mm/records.h"

#include "base/bits.h"
#include "lib/memmap.h"

struct growing {
  uint64_t start, end; /* Whole small pages; empty at first. */
  void (*visit)(void *context, const struct records_piece *piece);
  void *context;
};

static void emit(const struct growing *g, uint64_t start, uint64_t end, uint64_t page) {
  const struct records_piece piece = {start, end, page};
  if (start < end) g->visit(g->context, &piece);
}

static void finish(struct growing *g) {
  const uint64_t large_start = bits_align_up(g->start, FRAME_2M_SIZE);
  const uint64_t large_end = bits_align_down(g->end, FRAME_2M_SIZE);
  if (large_start >= large_end) {
    emit(g, g->start, g->end, FRAME_SIZE);
  } else {
    emit(g, g->start, large_start, FRAME_SIZE);
    emit(g, large_start, large_end, FRAME_2M_SIZE);
    emit(g, large_end, g->end, FRAME_SIZE);
  }
  g->start = g->end;
}

static void grow(struct growing *g, uint64_t start, uint64_t end) {
  start = bits_align_down(start, FRAME_SIZE);
  if (start > g->end) {
    finish(g);
    g->start = start;
  }
  g->end = bits_align_up(end, FRAME_SIZE);
}

struct frame_records records_at(void *base, const struct boot_region *regions, size_t count) {
  uint64_t frames = 0;
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(regions[i].kind)) frames = regions[i].end / FRAME_SIZE; /* They are in order of address. */
  }
  return pmm_records_at(base, frames);
}

void records_each_piece(const struct boot_region *regions, size_t count, struct frame_records records,
                        void (*visit)(void *context, const struct records_piece *piece), void *context) {
  const uint64_t hot = (uint64_t)(uintptr_t)records.hot;
  const uint64_t cold = (uint64_t)(uintptr_t)records.cold;
  struct growing g = {.visit = visit, .context = context};
  for (unsigned is_cold = 0; is_cold <= 1; is_cold++) {
    const uint64_t base = is_cold ? cold : hot;
    const uint64_t size = is_cold ? sizeof *records.cold : sizeof *records.hot;
    for (size_t i = 0; i < count; i++) {
      if (!memmap_kind_is_ram(regions[i].kind)) continue;
      grow(&g, base + regions[i].start / FRAME_SIZE * size, base + regions[i].end / FRAME_SIZE * size);
    }
  }
  finish(&g);
}
