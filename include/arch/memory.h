/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/memory.h — what a CPU does with a stretch of memory better than a loop in C: clear it, and drop it from the caches.
 *
 * The tests' second architecture counts these calls and refuses to clear while a lock is held.
 */
#pragma once

#include <stdint.h>

/** Clears memory that is read next.  `at` is aligned to 8 bytes, `size` a multiple of 64.  => any context. */
void arch_memory_clear(void *at, uint64_t size);
/** Clears memory that nobody reads soon, past the caches.  Alignment: 64 bytes, both.  => any context. */
void arch_memory_clear_far(void *at, uint64_t size);
/**
 * Writes back and forgets what any CPU's cache has of [at, at + size), which must be mapped.
 *   => any context; complete, on all CPUs, when it returns.
 */
void arch_memory_flush(const void *at, uint64_t size);
