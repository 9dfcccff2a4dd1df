/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/play.h — for tests that build an allocator of a machine that is not there: so many CPUs, and this one is each of
 * them in turn (arch_slot_play in arch/percpu.h).
 */
#pragma once

#include <stdint.h>

/** Allocators that are created from now on have so many slots; 0: one for each CPU that there is, as ever.
 *   => CPU 0, while nobody else creates one. */
void platform_play_slots(uint32_t count);
