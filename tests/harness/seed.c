/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/seed.c — see seed.h; what needs nothing of the host stands in tests/kernel/dice.c. */
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
