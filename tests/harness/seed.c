/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/seed.c — see seed.h.  SplitMix64: one addition and a mix, every seed a good one. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

uint64_t seed_of_run(void) {
  static uint64_t seed;
  static bool is_known;
  if (is_known) return seed;
  const char *text = getenv("CAIRN_SEED");
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  struct dice d = dice_of((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20 ^ (uint64_t)getpid() << 44);
  seed = text ? strtoull(text, NULL, 0) : dice_u64(&d) >> 16;
  is_known = true;
  printf("# seed CAIRN_SEED=%#llx\n", (unsigned long long)seed);
  return seed;
}

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
