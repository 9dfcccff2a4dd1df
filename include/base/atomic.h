/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/atomic.h — words that several CPUs read and write without a lock around them.
 *
 * Every access to such a word is one of these, plain ones of a single writer included (`atomic_get` and `atomic_set` cost
 * what a load and a store cost).  So a reader sees at once which words are shared, ThreadSanitizer knows it, and so does the
 * enumerator of interleavings: it stands in for ThreadSanitizer's runtime, and each of these is a step where others may go
 * on.
 *
 * Orders: get and set are relaxed, _acquire and _release say so, everything that reads and writes in one step is both.
 */
#pragma once

#include <stdint.h>

#define atomic_get(p)            __atomic_load_n(p, __ATOMIC_RELAXED)
#define atomic_get_acquire(p)    __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define atomic_set(p, v)         __atomic_store_n(p, v, __ATOMIC_RELAXED)
#define atomic_set_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
/* The value before. */
#define atomic_swap(p, v) __atomic_exchange_n(p, v, __ATOMIC_ACQ_REL)
#define atomic_add(p, v)  __atomic_fetch_add(p, v, __ATOMIC_ACQ_REL)
#define atomic_or(p, v)   __atomic_fetch_or(p, v, __ATOMIC_ACQ_REL)
#define atomic_and(p, v)  __atomic_fetch_and(p, v, __ATOMIC_ACQ_REL)
/* True when *p was *expected and is v now; else *expected is what it was. */
#define atomic_cas(p, expected, v) __atomic_compare_exchange_n(p, expected, v, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
/* What stands before it in the program is done before what stands behind it, as far as the compiler is concerned. */
#define atomic_fence_compiler() __atomic_signal_fence(__ATOMIC_SEQ_CST)
/* Once in every round of a loop that waits for somebody else. */
#if defined(CAIRN_INTERLEAVE)
void interleave_pause(void);
#define atomic_pause() interleave_pause()
#elif __has_builtin(__builtin_ia32_pause)
#define atomic_pause() __builtin_ia32_pause()
#else
#define atomic_pause() ((void)0)
#endif
