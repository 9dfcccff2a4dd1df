/* SPDX-License-Identifier: BSD-2-Clause */
/* base/bytes.h — numbers that may lie anywhere in bytes from outside, in this machine's byte order; one instruction each. */
#pragma once

#include <stdint.h>

static inline uint64_t bytes_load_u64(const void *from) {
  uint64_t x;
  __builtin_memcpy(&x, from, sizeof(x));
  return x;
}

static inline void bytes_store_u64(void *to, uint64_t x) { __builtin_memcpy(to, &x, sizeof(x)); }
