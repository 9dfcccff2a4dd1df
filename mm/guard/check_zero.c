/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_zero.c — the second opinion about the stocks of zeroed frames: INV-21.
 *
 * HOW    A frame of a list is "zeroed stock" in the books of the stock's own node, and zeros.  Duplicates show in the sum:
 * the frames that the ledger has for that owner are as many as lie in the lists, and what is being cleared.  While a step
 *        holds something (a panic may come in the middle of one) that is between nothing and 2 MiB.
 *        With zero=free there is no stock, and at a quiet moment nothing has that owner.
 * LOCKING  as check.c: none, and nothing is written.
 */
#include "mm/guard/check_zero.h"
#include "base/bits.h"
#include "mm/phys/instance.h"
#include "mm/phys/nodes_instance.h"
#include "mm/phys/zero_instance.h"

#define SAMPLE 64 /* In a hurry one word of so many. */

struct search {
  const struct pmm *pmm;
  bool is_hurried;
  struct finding *out;
};

static bool are_zeros(const struct search *s, uint64_t first, uint64_t bytes) {
  const uint64_t *words = platform_direct(paddr_of_pfn(pfn(first)));
  for (uint64_t i = 0; i < bytes / sizeof *words; i += s->is_hurried ? SAMPLE : 1)
    if (words[i] != 0) return found_at(s->out, first + i * sizeof *words / FRAME_SIZE, 0, words[i]);
  return true;
}

static bool are_owned(const struct search *s, uint64_t first, uint64_t count) {
  for (uint64_t f = first; f < first + count; f++) {
    const struct frame_said said = pmm_frame_said(s->pmm, f);
    if (said.owner != FRAME_OWNER_ZEROED) return found_at(s->out, f, FRAME_OWNER_ZEROED, said.owner);
  }
  return true;
}

static bool is_inside(const struct search *s, uint64_t frame) {
  for (size_t i = 0; i < s->pmm->region_count; i++) {
    const struct boot_region *r = &s->pmm->regions[i];
    if (frame >= r->start / FRAME_SIZE && frame < r->end / FRAME_SIZE) return true;
  }
  return found_at(s->out, frame, 1, 0);
}

static bool check_run(const struct search *s, uint64_t first, uint64_t count, uint64_t cleared) {
  return is_inside(s, first) && is_inside(s, first + count - 1) && are_owned(s, first, count) &&
         are_zeros(s, first, cleared);
}

static bool check_lists(const struct search *s, const struct zero_stock *z) {
  for (uint64_t i = 0; i < z->stats.frames; i++)
    if (!check_run(s, z->frames[i], 1, FRAME_SIZE)) return false;
  for (uint64_t i = 0; i < z->stats.blocks; i++)
    if (!check_run(s, z->blocks[i], FRAMES_PER_2M, FRAME_2M_SIZE)) return false;
  return !z->has_pending || z->is_stepping || check_run(s, z->pending, FRAMES_PER_2M, z->pending_bytes);
}

static bool check_stock(const struct search *s, const struct zero_stock *z) {
  const uint64_t owned = pmm_owned(s->pmm, FRAME_OWNER_ZEROED);
  if (!z) return owned == 0 ? true : found_at(s->out, NO_FRAME, 0, owned);
  if (z->stats.frames > ZERO_STOCK_FRAMES_MAX || z->stats.blocks > ZERO_STOCK_BLOCKS_MAX || z->pmm != s->pmm)
    return found_at(s->out, NO_FRAME, ZERO_STOCK_FRAMES_MAX, z->stats.frames);
  const uint64_t pending = z->has_pending && !z->is_stepping ? FRAMES_PER_2M : 0;
  const uint64_t least = z->stats.frames + z->stats.blocks * FRAMES_PER_2M + pending;
  const uint64_t most = z->is_stepping ? least + FRAMES_PER_2M : least;
  if (owned < least || owned > most) return found_at(s->out, NO_FRAME, least, owned);
  return check_lists(s, z);
}

bool check_zero_stocks(const struct nodes *n, bool is_hurried, struct finding *out) {
  for (uint32_t i = 0; i < n->count; i++) {
    const struct search s = {n->node[i].pmm, is_hurried, out};
    if (s.pmm && !check_stock(&s, n->node[i].stock)) return false;
  }
  return true;
}

/* A frame that is "zeroed stock" and in no list: it stays so when the stock is called in. */
status_t check_zero_break(struct nodes *n) {
  for (uint32_t i = 0; i < n->count; i++) {
    pfn_t frame;
    if (n->node[i].stock) return pmm_alloc_frame(n->node[i].pmm, FRAME_OWNER_ZEROED, 0, &frame);
  }
  return ERR_NOT_FOUND;
}
