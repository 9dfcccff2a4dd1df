/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/string.h — bytes and C strings, freestanding.
 *
 * The mem* functions are those of C, because the compiler calls them by these names.  Hosted builds take the host's.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);

/* Freestanding code may not assume that these names mean what they mean in C; said aloud, small copies become moves. */
#if !defined(CAIRN_HOSTED) && !defined(STRING_IMPLEMENTATION)
#define memcpy(to, from, n)  __builtin_memcpy(to, from, n)
#define memmove(to, from, n) __builtin_memmove(to, from, n)
#define memset(to, byte, n)  __builtin_memset(to, byte, n)
#define memcmp(a, b, n)      __builtin_memcmp(a, b, n)
#define strlen(s)            __builtin_strlen(s)
#endif

/** Overwrites n bytes so that no compiler can drop it (keys, seeds). */
void string_wipe(void *p, size_t n);

/** True when the n bytes at text are exactly the C string word. */
bool string_equals(const char *text, size_t n, const char *word);

/**
 * Reads an unsigned number: decimal, or hexadecimal after 0x; with suffixes K, M, G, T (1024 each step) when
 * allow_suffix.  The whole text must be the number.
 * Returns OK, ERR_INVALID (no number), ERR_RANGE (over 2^64 - 1); *value is written on OK alone.
 */
status_t string_to_u64(const char *text, size_t n, bool allow_suffix, uint64_t *value);
