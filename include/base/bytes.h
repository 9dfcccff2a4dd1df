/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/bytes.h — numbers that lie anywhere in bytes from outside, in this machine's byte order.
 *
 * One instruction each: the builtin is known to the compiler, whereas a freestanding build makes a call of every memcpy.
 */
#pragma once

#include <stdint.h>

static inline uint64_t bytes_load_u64(const void *from) {
  uint64_t x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}

static inline void bytes_store_u64(void *to, uint64_t x) { __builtin_memcpy(to, &x, sizeof(x)); }
