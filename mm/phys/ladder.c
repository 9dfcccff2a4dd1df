/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/ladder.c — a row of bits with a summary row above it, and one above that.
 *
 * WHAT   Answers "which is the highest one set below here, if any" for a row as long as the machine has GiB, in at most two
 *        word reads a rung.  tier.c keeps three: see there.
 * HOW    rung 1            1 0 .. 0 1         a set bit: the word below holds something
 *        rung 0   [64 bits] [64 bits] ..      the row
 *        A search climbs until a word has a set bit below the limit, then goes down by highest set bits.  The top rung has
 *        fewer than 64 bits, so that a limit of "all of them" cuts its word and not the end of it.
 * LOCKING  none; the owner's lock.
 */
#include "mm/phys/ladder.h"

#include "base/bits.h"

static uint64_t words_for(uint64_t bits) { return (bits + 63) / 64; }

uint64_t ladder_words(uint64_t bits) {
  uint64_t words = 0, above = bits;
  do {
    bits = above;
    above = words_for(bits);
    words += above;
  } while (bits >= 64);
  return words;
}

uint64_t *ladder_init(struct ladder *l, uint64_t *words, uint64_t bits) {
  uint64_t above = bits;
  *l = (struct ladder){0};
  do {
    bits = above;
    above = words_for(bits);
    l->rung[l->rungs++] = words;
    words += above;
  } while (bits >= 64);
  return words;
}

void ladder_write(struct ladder *l, uint64_t bit, bool value) {
  for (uint32_t r = 0; r < l->rungs; r++, bit /= 64) {
    uint64_t *word = &l->rung[r][bit / 64], mask = UINT64_C(1) << (bit % 64);
    bool was_empty = *word == 0;
    *word = value ? *word | mask : *word & ~mask;
    if (value ? !was_empty : *word != 0) return; /* The rung above says the right thing already. */
  }
}

void ladder_set(struct ladder *l, uint64_t first, uint64_t end) {
  for (uint32_t r = 0; r < l->rungs && first < end; r++, first /= 64, end = (end + 63) / 64) {
    for (uint64_t at = first, stop; at < end; at = stop) {
      stop = bits_min(at / 64 * 64 + 64, end);
      l->rung[r][at / 64] |= UINT64_MAX >> (64 - (stop - at)) << (at % 64);
    }
  }
}

bool ladder_find_below(const struct ladder *l, uint64_t limit, uint64_t *bit) {
  for (uint32_t r = 0; r < l->rungs; r++, limit /= 64) {
    if (limit % 64 == 0) continue; /* Whole words only: the next rung knows about them. */
    uint64_t word = l->rung[r][limit / 64] & ((UINT64_C(1) << (limit % 64)) - 1);
    if (word == 0) continue;
    uint64_t at = limit / 64 * 64 + bits_log2_floor(word);
    while (r-- > 0) at = at * 64 + bits_log2_floor(l->rung[r][at]);
    *bit = at;
    return true;
  }
  return false;
}

void ladder_fill(struct ladder *l, uint64_t bits) {
  for (uint32_t r = 0; r < l->rungs; r++, bits = words_for(bits)) {
    for (uint64_t i = 0; i < bits / 64; i++) l->rung[r][i] = UINT64_MAX;
    if (bits % 64 != 0) l->rung[r][bits / 64] = (UINT64_C(1) << (bits % 64)) - 1;
  }
}
