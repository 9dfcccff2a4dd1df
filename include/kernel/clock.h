/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/clock.h — time since the kernel's first instruction. */
#pragma once

#include <stdint.h>

/** Microseconds; 0 before the time stamp counter's rate is known.  => any context. */
uint64_t clock_us(void);
