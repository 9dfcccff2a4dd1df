/* SPDX-License-Identifier: BSD-2-Clause */
/* lib/bitlog.h — logarithms without floating point. */
#pragma once

#include <stdint.h>

/** floor(1000 * log2(x)), exact to 1; 0 for x of 0 or 1. */
uint32_t bitlog_millibits(uint64_t x);
