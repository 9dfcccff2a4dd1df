/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/digest.c — see digest.h. */
#include "tests/kernel/digest.h"

#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/instance.h"

static uint64_t add_word(uint64_t hash, uint64_t word) {
  hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

uint64_t digest_add(uint64_t hash, const void *data, size_t n) {
  const uint8_t *bytes = data;
  for (; n >= sizeof(uint64_t); bytes += sizeof(uint64_t), n -= sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    hash = add_word(hash, word);
  }
  for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/* Whether it has sections of its own yet is no difference either. */
static uint64_t add_gig(uint64_t hash, const struct tier *t, const struct tier_gig *g) {
  const uint64_t words[] = {g->number, g->present, g->whole, g->has_whole, g->has_broken};
  hash = digest_add(hash, words, sizeof words);
  return digest_add(hash, &t->sections[place_section(g, 0)], bits_count(g->present) * sizeof *t->sections);
}

/* What slots have is brought home first: where it waits is no difference. */
uint64_t digest_of_pmm(struct pmm *p) {
  const struct tier *t = &p->tier;
  uint64_t hash = DIGEST_START, start, end;
  pmm_drain(p);
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) hash = add_word(hash, pmm_owned(p, (enum frame_owner)i));
  for (uint64_t i = 0; i < t->gig_count; i++) hash = add_gig(hash, t, &t->gigs[i]);
  hash = add_word(add_word(hash, t->free_2m), t->free_1g);
  for (size_t cursor = 0; pmm_next_record_range(p->regions, p->region_count, &cursor, &start, &end);) {
    for (uint64_t f = start; f < end; f++) {
      const struct frame_said said = pmm_frame_said(p, f);
      hash = add_word(hash, (uint64_t)said.owner | (uint64_t)said.is_movable << 8 | (uint64_t)tier_is_free(t, f) << 9);
    }
  }
  return hash;
}
