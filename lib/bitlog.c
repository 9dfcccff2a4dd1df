/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/bitlog.c — log2 by squaring.
 *
 * HOW    x = 2^k * m with 1 <= m < 2.  Squaring m doubles its logarithm, so the next binary digit of log2(m) is 1 exactly
 *        when m*m reaches 2; m is then halved.  m is kept as a fixed-point number with 63 bits after the point.
 * INVARIANTS  A squaring rounds down by less than 2^-63, which counts as 2^-i of that in the result of digit i, so all of
 *        them together stay below 2^-62; leaving out the digits after the 44th costs less than 2^-44.  The result can be
 *        one too small only where log2(x) lies within 2^-44 above a whole millibit; powers of two are exact.
 */
#include "lib/bitlog.h"

#include "base/bits.h"

#define BITLOG_DIGITS 44 /* 6 + 44 digits times 1000 stay below 2^60. */

uint32_t bitlog_millibits(uint64_t x) {
  if (x < 2) return 0;
  unsigned whole = bits_log2_floor(x);
  uint64_t m = x << (63 - whole);
  uint64_t fraction = 0; /* Of 2^BITLOG_DIGITS. */
  for (unsigned i = 0; i < BITLOG_DIGITS; i++) {
    unsigned __int128 square = (unsigned __int128)m * m; /* 126 bits after the point: in [1, 4). */
    bool carry = (square >> 127) != 0;
    m = (uint64_t)(square >> (carry ? 64 : 63));
    fraction = fraction << 1 | (carry ? 1 : 0);
  }
  return (uint32_t)(((uint64_t)whole << BITLOG_DIGITS | fraction) * 1000 >> BITLOG_DIGITS);
}
