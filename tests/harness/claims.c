/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/claims.c — see claims.h. */
#include "claims.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static struct {
  uint64_t first;
  _Atomic(uint32_t) *words;
} claims;

void claims_begin(uint64_t first, uint64_t frames) {
  claims.first = first;
  claims.words = calloc(frames, sizeof *claims.words);
  if (!claims.words) abort();
}

void claims_end(void) { free(claims.words); }

static _Atomic(uint32_t) *word_of(uint64_t frame) { return &claims.words[frame - claims.first]; }

void claims_take(uint64_t first, uint64_t count, uint32_t who) {
  for (uint64_t f = first; f < first + count; f++) {
    const uint32_t had = atomic_exchange_explicit(word_of(f), who, memory_order_relaxed);
    if (had == 0) continue;
    fprintf(stderr, "frame %#llx is %u's and was given to %u\n", (unsigned long long)f, had, who);
    abort();
  }
}

void claims_give(uint64_t first, uint64_t count) {
  for (uint64_t f = first; f < first + count; f++) atomic_store_explicit(word_of(f), 0, memory_order_relaxed);
}

uint32_t claims_of(uint64_t frame) { return atomic_load_explicit(word_of(frame), memory_order_relaxed); }
