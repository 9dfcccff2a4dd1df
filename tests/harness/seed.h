/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/seed.h — random numbers that can be had again.
 *
 * A test takes its seed from here; the seed is printed, and CAIRN_SEED=<number> in the environment replays it.
 */
#pragma once

#include <stdint.h>

struct dice {
  uint64_t state;
};

/** The seed of this run: CAIRN_SEED or one that differs from run to run; prints it once. */
uint64_t seed_of_run(void);
struct dice dice_of(uint64_t seed);
uint64_t dice_u64(struct dice *d);
/** Uniform enough for tests, in [0, bound); bound is not 0. */
uint64_t dice_below(struct dice *d, uint64_t bound);
/** In [low, high]. */
uint64_t dice_between(struct dice *d, uint64_t low, uint64_t high);
/** True once in n. */
bool dice_one_in(struct dice *d, uint64_t n);
/** A number whose size is uniform: small ones as likely as large ones; below 2^bits. */
uint64_t dice_any_size(struct dice *d, unsigned bits);
