/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/ladder.h — a long row of bits in which the highest set one below a limit is found in a few steps.
 *
 * Rung 0 is the row itself; a bit of rung k + 1 says that the word of 64 bits below it on rung k is not zero.  Four rungs
 * span 2^24 bits: one for each GiB that 52 bits of address can reach.
 */
#pragma once

#include <stdint.h>

#define LADDER_RUNGS_MAX 4

struct ladder {
  uint64_t *rung[LADDER_RUNGS_MAX];
  uint32_t rungs;
};

/** Words of 64 bits that a ladder over so many bits takes. */
uint64_t ladder_words(uint64_t bits);
/** No bit is set.  => one word: the highest rung is less than one. */
static inline bool ladder_is_empty(const struct ladder *l) { return l->rung[l->rungs - 1][0] == 0; }
/** Builds an empty ladder in ladder_words(bits) zeroed words; returns the word behind them. */
uint64_t *ladder_init(struct ladder *l, uint64_t *words, uint64_t bits);
/** Sets or clears one bit and what the rungs above say about it. */
void ladder_write(struct ladder *l, uint64_t bit, bool value);
/** Sets the bits [first, end), which are none or clear, and what the rungs above say about them. */
void ladder_set(struct ladder *l, uint64_t first, uint64_t end);
/** Finds the highest set bit below `limit` (at most the number of bits); false when there is none. */
bool ladder_find_below(const struct ladder *l, uint64_t limit, uint64_t *bit);
/** Sets all bits, of which there are so many, whatever the words said before. */
void ladder_fill(struct ladder *l, uint64_t bits);
