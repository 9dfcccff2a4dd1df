/* SPDX-License-Identifier: BSD-2-Clause */
/* words.h — what was typed, taken apart: words, numbers, what is asked of `alloc` and `quote`.  Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "kernel/debug/shell.h"

/**
 * Splits a line in place at blanks into at most `max` words.
 * Returns how many; max + 1 when there are more.
 */
size_t words_split(char *text, const char **words, size_t max);

/**
 * Reads "<count|size> [align=] [below=] [boundary=] [node=] [moves=]" from the second word on.
 * False, with one sentence in `why`, when something cannot be meant.
 */
bool words_read_request(size_t count, const char *const *words, struct shell_request *out, char *why, size_t size);

/** The command whose name a word can be taken for: the only one that begins as it does, be its letters small or large; NULL.
 */
const char *words_find_like(const char *word, const char *const *names, size_t count);

/** "s" behind a noun, or nothing: "1 frame", "0 frames", "2 frames". */
static inline const char *words_s(uint64_t count) { return count == 1 ? "" : "s"; }
