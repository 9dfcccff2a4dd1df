/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_look.c — what a stretch of memory consists of, for pictures of it: words of the window, counted.
 */
#include "base/bits.h"
#include "mm/phys/tier_place.h"
#include "mm/phys/window.h"

status_t contig_look(const struct contig *c, pfn_t first, uint64_t count, struct contig_look *out) {
  uint64_t end;
  struct contig_look seen = {0};
  if (!bits_add(first.raw, count, &end)) return ERR_INVALID;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  for (uint64_t base = bits_align_down(first.raw, WINDOW_WORD); base < end; base += WINDOW_WORD) {
    const uint64_t from = bits_max(base, first.raw), to = bits_min(base + WINDOW_WORD, end);
    const uint64_t mask = bits_mask((unsigned)(from - base), (unsigned)(to - from));
    const struct window_word w = window_word_at(c, base);
    seen.free += bits_count(w.free & mask);
    seen.movable += bits_count(w.movable & mask);
    seen.fixed += bits_count(mask & ~w.free & ~w.movable);
  }
  *out = seen;
  return OK;
}
