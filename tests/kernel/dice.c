/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/dice.c — see tests/harness/seed.h.  SplitMix64: one addition and a mix, every seed a good one. */
#include "tests/harness/seed.h"

struct dice dice_of(uint64_t seed) { return (struct dice){seed}; }

uint64_t dice_u64(struct dice *d) {
  uint64_t z = (d->state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t dice_below(struct dice *d, uint64_t bound) { return dice_u64(d) % bound; }
uint64_t dice_between(struct dice *d, uint64_t low, uint64_t high) { return low + dice_below(d, high - low + 1); }
bool dice_one_in(struct dice *d, uint64_t n) { return dice_below(d, n) == 0; }

uint64_t dice_any_size(struct dice *d, unsigned bits) {
  unsigned used = (unsigned)dice_below(d, bits + 1);
  return used == 0 ? 0 : dice_u64(d) >> (64 - used);
}
