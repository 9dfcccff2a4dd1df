/* SPDX-License-Identifier: BSD-2-Clause */
/* base/bits.h — arithmetic on powers of two and checked sums.  Alignments are powers of two; the callers ASSERT it. */
#pragma once

#include <stdint.h>

static inline bool bits_is_power_of_two(uint64_t x) { return x != 0 && (x & (x - 1)) == 0; }
static inline uint64_t bits_align_down(uint64_t x, uint64_t align) { return x & ~(align - 1); }
/** Rounds up; the caller knows that x + align - 1 does not wrap (see bits_align_up_checked). */
static inline uint64_t bits_align_up(uint64_t x, uint64_t align) { return (x + align - 1) & ~(align - 1); }
static inline bool bits_is_aligned(uint64_t x, uint64_t align) { return (x & (align - 1)) == 0; }
static inline uint64_t bits_min(uint64_t a, uint64_t b) { return a < b ? a : b; }
static inline uint64_t bits_max(uint64_t a, uint64_t b) { return a > b ? a : b; }

/** *sum = a + b; false, and *sum untouched, when that wraps. */
[[nodiscard]] static inline bool bits_add(uint64_t a, uint64_t b, uint64_t *sum) {
  uint64_t r;
  if (__builtin_add_overflow(a, b, &r)) return false;
  *sum = r;
  return true;
}

/** *product = a * b; false, and *product untouched, when that wraps. */
[[nodiscard]] static inline bool bits_mul(uint64_t a, uint64_t b, uint64_t *product) {
  uint64_t r;
  if (__builtin_mul_overflow(a, b, &r)) return false;
  *product = r;
  return true;
}

/** Rounds up to a multiple of align; false, and *out untouched, when that wraps. */
[[nodiscard]] static inline bool bits_align_up_checked(uint64_t x, uint64_t align, uint64_t *out) {
  uint64_t r;
  if (__builtin_add_overflow(x, align - 1, &r)) return false;
  *out = r & ~(align - 1);
  return true;
}

/** Index of the highest set bit; x must not be 0. */
static inline unsigned bits_log2_floor(uint64_t x) { return 63U - (unsigned)__builtin_clzll(x); }
/** Index of the lowest set bit; x must not be 0. */
static inline unsigned bits_lowest(uint64_t x) { return (unsigned)__builtin_ctzll(x); }
static inline unsigned bits_count(uint64_t x) { return (unsigned)__builtin_popcountll(x); }
static inline uint64_t bits_rotl(uint64_t x, unsigned n) { return (x << (n & 63)) | (x >> ((64 - n) & 63)); }
