/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/percpu.h — which CPU this is, and whether it may be left.
 *
 * Supplied by arch_impl/percpu.h as static inline functions:
 *   unsigned arch_cpu_number(void)        0 for the CPU that booted, then 1, 2 ... without reading memory of other CPUs
 *   uint32_t arch_cpu_slot(void)          the same number, but ARCH_NO_SLOT in an interrupt's handler
 *   uint32_t arch_handler_begin(void)     from here on it is a handler; what it returns goes to
 *   void arch_handler_end(uint32_t)       the end of that
 *   void arch_preempt_disable(void)       one more reason to stay on this CPU
 *   void arch_preempt_enable(void)        one less
 *   unsigned arch_preempt_count(void)     how many there are
 *   void arch_slot_play(uint32_t)         for tests: arch_cpu_slot is this; until it is its own again interrupts are masked
 * The count is the CPU's own and needs no atomic operation: interrupts leave it as they found it.
 */
#pragma once

#include <stdint.h>

#include "arch_impl/percpu.h"
