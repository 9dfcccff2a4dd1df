/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/klog.h — the log: a ring of records in memory, shown on the consoles as they come.
 *
 * No kernel address reaches a record: %p prints "(address)" unless the option log=addresses is given, and code that wants an
 * address in the log uses %p and nothing else.  Works from the kernel's first line, before any console exists, with a
 * ring that is small until there is memory: 64 records, later 320.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum klog_level { KLOG_ERROR, KLOG_WARN, KLOG_NOTICE, KLOG_INFO, KLOG_VERBOSE };

/** Adds one record (a line without its newline); room is the file's noun.  => any context, also interrupts and panic. */
void klog(enum klog_level level, const char *room, const char *format, ...) PRINTF_LIKE(3, 4);

struct klog_record {
  uint64_t sequence;
  uint64_t time_us; /* Since the kernel's first instruction. */
  enum klog_level level;
  char room[12];
  char text[160]; /* Cut with "..." when longer. */
};
/** Oldest record still held with a sequence of at least `from`; false when there is none. */
bool klog_read(uint64_t from, struct klog_record *out);
/** Bytes that klog_grow wants. */
size_t klog_grow_size(void);
/**
 * The ring becomes larger; what it holds stays, in order.  `memory` is klog_grow_size() bytes, aligned to 8, the log's for
 * ever.  A panic at any moment finds the small ring or the large one.
 *   => boot, one CPU, interrupts masked, not from within a record.
 */
void klog_grow(void *memory);
/** Records lost because a writer was interrupted in their slot. */
uint32_t klog_dropped(void);
/** Shows every record still held, at or below the level, on one output: it has just been added. */
void klog_replay(void (*write)(const char *bytes, size_t n));
/** Records at or below this level also go to the consoles at once. */
void klog_set_level(enum klog_level level);
/** log=addresses: from now on %p prints. */
void klog_allow_addresses(void);
bool klog_addresses_allowed(void);
const char *klog_level_name(enum klog_level level);
