/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/annotate.h — locks written into the types, checked by clang -Wthread-safety.
 *
 * Contracts on functions (REQUIRES, EXCLUDES on a parameter) are exact for the instance; GUARDED_BY on a field says only
 * "no such lock is held", and clang 19 takes it in C as GUARDED_BY(&lock) after the lock's own declaration.
 */
#pragma once

#if defined(__clang__) && __clang_major__ >= 19
#define ANNOTATE(x) __attribute__((x))
#else
#define ANNOTATE(x)
#endif

#define CAPABILITY(name)    ANNOTATE(capability(name))
#define GUARDED_BY(lock)    ANNOTATE(guarded_by(lock))
#define REQUIRES(...)       ANNOTATE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...)       ANNOTATE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...)        ANNOTATE(acquire_capability(__VA_ARGS__))
#define RELEASE(...)        ANNOTATE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...)    ANNOTATE(try_acquire_capability(__VA_ARGS__))
#define NO_ANALYSIS(reason) ANNOTATE(no_thread_safety_analysis)
