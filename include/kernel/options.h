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

#include "base/compiler.h"

/* Values of the enumerated options; the names stand in options.def. */
enum option_panic { OPTION_PANIC_WAIT, OPTION_PANIC_REBOOT, OPTION_PANIC_EXIT };
enum option_reset { OPTION_RESET_FIRMWARE, OPTION_RESET_ACPI, OPTION_RESET_KEYBOARD, OPTION_RESET_CPU };
enum option_serial { OPTION_SERIAL_AUTO, OPTION_SERIAL_OFF };
enum option_zero { OPTION_ZERO_ALLOC, OPTION_ZERO_FREE };
enum option_pmm { OPTION_PMM_TIER, OPTION_PMM_BUDDY, OPTION_PMM_FLAT };
enum option_log { OPTION_LOG_ERROR, OPTION_LOG_WARN, OPTION_LOG_NOTICE, OPTION_LOG_INFO, OPTION_LOG_VERBOSE };

#define OPTION_TEXT_MAX 128

#define OPTION_RANGES_MAX 8

/* badmem=: physical ranges in bytes, as they were written. */
struct option_ranges {
  uint32_t count;
  struct {
    uint64_t start, size;
  } range[OPTION_RANGES_MAX];
};

#define OPTION_STEPS_MAX 128

/* model.keep=: numbers and ranges of them, as they were written. */
struct option_steps {
  uint32_t count;
  struct {
    uint32_t first, last;
  } range[OPTION_STEPS_MAX];
};

struct options {
#define OPTION_BOOL(field, word, fallback, help)                 bool field;
#define OPTION_U64(field, word, lowest, highest, fallback, help) uint64_t field;
#define OPTION_ENUM(field, word, words, fallback, help)          uint32_t field;
#define OPTION_MARK(field, word, item, help)                     bool field;
#define OPTION_TEXT(field, word, fallback, help)                 char field[OPTION_TEXT_MAX];
#define OPTION_RANGES(field, word, help)                         struct option_ranges field;
#define OPTION_STEPS(field, word, help)                          struct option_steps field;
#define OPTION_LOADER(word, help)
#include "kernel/options.def"
#undef OPTION_BOOL
#undef OPTION_U64
#undef OPTION_ENUM
#undef OPTION_MARK
#undef OPTION_TEXT
#undef OPTION_RANGES
#undef OPTION_STEPS
#undef OPTION_LOADER
};

/* Called for each thing that is wrong with the command line: the word, and what is wrong with it. */
typedef void (*options_warn_t)(void *context, const char *word, size_t n, const char *problem);

/** Fills every option with its default, then reads `line`.  Never fails.  => pure. */
void options_parse(struct options *o, const char *line, size_t n, options_warn_t warn, void *context);

/**
 * Parses the kernel's own copy and logs each warning; also sets the log's level and whether addresses show.
 *   => boot, once, before .ro_after_init is sealed; needs nothing but the log.
 */
void options_init(const char *line, size_t n);

/* One option as `help options` prints it. */
struct option_help {
  char form[64];        /* "panic=wait|reboot|exit". */
  const char *fallback; /* "wait"; "" when it is empty. */
  const char *help;     /* One line. */
};
/** The index-th row of the table; false behind the last one.  => pure. */
bool options_help(size_t index, struct option_help *out);

/** The value of the index-th row as it would be written, cut to size; false behind the last row.  => pure. */
bool options_value(const struct options *o, size_t index, char *to, size_t size);

/** The next item of a comma list such as nofeat=: true with [*item, *item + *n), and *list moved behind it. */
bool options_next_item(const char **list, const char **item, size_t *n);

/** The kernel's options.  Defaults before options_init. */
extern const struct options *const options;
