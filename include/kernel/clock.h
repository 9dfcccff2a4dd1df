/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/clock.h — time since the kernel's first instruction. */
#pragma once

#include <stdint.h>

#include "base/status.h"

/** Microseconds; 0 before the time stamp counter's rate is known.  => any context. */
uint64_t clock_us(void);
/** The same for a moment at which the time stamp counter was read. */
uint64_t clock_us_of(uint64_t timestamp);
/** Finds the counter's rate and starts the tick; see arch_timer_init.  => boot, after kspace_init and acpi_init. */
status_t clock_init(uint16_t pm_timer);
