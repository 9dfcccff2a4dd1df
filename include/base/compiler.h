/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/compiler.h — the few words we add to C23.
 *
 * Only what the language cannot say itself; attributes that C23 has ([[nodiscard]], [[noreturn]], [[maybe_unused]]) are
 * used as they are.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ARRAY_COUNT(a)                  (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))

#define LIKELY(x)   __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* The compiler checks a printf-like call; our formatter (lib/format.h) follows C's rules for the directives it knows. */
#define PRINTF_LIKE(format_index, first_arg) __attribute__((format(printf, format_index, first_arg)))

/* Placed in .ro_after_init: written during boot only, read-only once kernel/main.c has sealed it. */
#define RO_AFTER_INIT [[gnu::section(".ro_after_init")]]
