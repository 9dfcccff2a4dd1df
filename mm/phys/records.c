/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/records.c — which pages of the record arrays need memory.
 *
 * HOW    RAM is a list of ranges; each needs a stretch of either array.  Stretches that share a page, or touch, grow
 *        together; what has grown is cut into large pages and the small ones around them.
 * SPARE  Where a large page would be needed in part it is taken whole, and a hole in one is filled, as long as all that is
 *        taken so stays within a 64th of the records: a machine of 64 GiB has some dozen leaves more than one of 512 MiB,
 *        not hundreds, and they stay in the TLB.
 * WHY NOT  clear them: what is free is said by the tiers, and what is written first is read first (tier.c).
 */
#include "mm/records.h"

#include "base/bits.h"
#include "lib/memmap.h"

#define SPARE_SHARE 64

struct growing {
  uint64_t start, end; /* Whole small pages; empty at first. */
  uint64_t spare;      /* Bytes that may still be taken and hold no record. */
  void (*visit)(void *context, const struct records_piece *piece);
  void *context;
};

static void emit(const struct growing *g, uint64_t start, uint64_t end, uint64_t page) {
  const struct records_piece piece = {start, end, page};
  if (start < end) g->visit(g->context, &piece);
}

/* May so many bytes be taken that hold no record? */
static bool spend(struct growing *g, uint64_t bytes) {
  if (bytes > g->spare) return false;
  g->spare -= bytes;
  return true;
}

static void finish(struct growing *g) {
  if (g->start == g->end) return;
  if (spend(g, g->start % FRAME_2M_SIZE)) g->start = bits_align_down(g->start, FRAME_2M_SIZE);
  if (spend(g, -g->end % FRAME_2M_SIZE)) g->end = bits_align_up(g->end, FRAME_2M_SIZE);
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

/* What is behind the last stretch in the same large page is cheaper to fill than either edge to round: so no edge meets the
 * other. */
static bool bridge(struct growing *g, uint64_t start) {
  return g->start < g->end && start < bits_align_up(g->end, FRAME_2M_SIZE) && spend(g, start - g->end);
}

static void grow(struct growing *g, uint64_t start, uint64_t end) {
  start = bits_align_down(start, FRAME_SIZE);
  if (start > g->end && !bridge(g, start)) {
    finish(g);
    g->start = start;
  }
  g->end = bits_align_up(end, FRAME_SIZE);
}

struct records_plan records_plan(void *base, const struct boot_region *regions, size_t count) {
  uint64_t end = 0, ram = 0;
  for (size_t i = 0; i < count; i++) {
    if (!memmap_kind_is_ram(regions[i].kind)) continue;
    end = regions[i].end; /* They are in order of address. */
    ram += regions[i].end - regions[i].start;
  }
  return (struct records_plan){.records = pmm_records_at(base, end / FRAME_SIZE),
                               .regions = regions,
                               .count = count,
                               .spare = ram / FRAME_SIZE * PMM_RECORD_SIZE / SPARE_SHARE};
}

void records_each_piece(const struct records_plan *plan, void (*visit)(void *context, const struct records_piece *piece),
                        void *context) {
  const uint64_t hot = (uint64_t)(uintptr_t)plan->records.hot;
  const uint64_t cold = (uint64_t)(uintptr_t)plan->records.cold;
  struct growing g = {.spare = plan->spare, .visit = visit, .context = context};
  for (unsigned is_cold = 0; is_cold <= 1; is_cold++) {
    const uint64_t base = is_cold ? cold : hot;
    const uint64_t size = is_cold ? sizeof *plan->records.cold : sizeof *plan->records.hot;
    for (size_t i = 0; i < plan->count; i++) {
      const struct boot_region *r = &plan->regions[i];
      if (!memmap_kind_is_ram(r->kind)) continue;
      grow(&g, base + r->start / FRAME_SIZE * size, base + r->end / FRAME_SIZE * size);
    }
  }
  finish(&g);
}
