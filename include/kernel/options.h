/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/options.h — every boot option, from the one table kernel/options.def.
 *
 * Parsed once from the handoff's command line, read-only afterwards.  Unknown options and bad values are warned about and
 * leave the default.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Values of the enumerated options; the names stand in options.def. */
enum option_panic { OPTION_PANIC_WAIT, OPTION_PANIC_REBOOT, OPTION_PANIC_EXIT };
enum option_log { OPTION_LOG_ERROR, OPTION_LOG_WARN, OPTION_LOG_NOTICE, OPTION_LOG_INFO, OPTION_LOG_VERBOSE };

#define OPTION_TEXT_MAX 128

struct options {
#define OPTION_BOOL(name, fallback, help)                 bool name;
#define OPTION_U64(name, lowest, highest, fallback, help) uint64_t name;
#define OPTION_ENUM(name, words, fallback, help)          uint32_t name;
#define OPTION_TEXT(name, fallback, help)                 char name[OPTION_TEXT_MAX];
#include "kernel/options.def"
#undef OPTION_BOOL
#undef OPTION_U64
#undef OPTION_ENUM
#undef OPTION_TEXT
};

/* Called for each thing that is wrong with the command line: the word, and what is wrong with it. */
typedef void (*options_warn_t)(void *context, const char *word, size_t n, const char *problem);

/** Fills every option with its default, then reads `line`.  Never fails.  => pure. */
void options_parse(struct options *o, const char *line, size_t n, options_warn_t warn, void *context);

/** The kernel's options. */
extern const struct options *const options;
