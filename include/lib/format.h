/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/format.h — printf's directives without printf's surprises.
 *
 * Knows %d %i %u %x %X %c %s %p %% with flags - 0 + space #, width and precision (also *), and the lengths hh h l ll z j t.
 * Differential test against the host's snprintf: tests/unit/lib/format_test.c.  No floating point, no %n, no locale.
 * Prints no address by itself: the kernel's log decides what %p shows (kernel/klog.h).
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/** Takes n bytes of output; called in order, n may be 0. */
typedef void (*format_sink_t)(void *context, const char *bytes, size_t n);

/** Formats into a sink; returns how many bytes went there.  %p prints "(address)". */
size_t format_to_sink(format_sink_t sink, void *context, const char *format, va_list args) PRINTF_LIKE(3, 0);
/** The same, but %p prints the address: for the log when log=addresses is given, and for nothing else. */
size_t format_to_sink_with_addresses(format_sink_t sink, void *context, const char *format, va_list args) PRINTF_LIKE(3, 0);

/** snprintf: writes at most size bytes with a terminating NUL (none when size is 0); returns the length it would have had.
 */
size_t format_string(char *to, size_t size, const char *format, ...) PRINTF_LIKE(3, 4);
size_t format_string_v(char *to, size_t size, const char *format, va_list args) PRINTF_LIKE(3, 0);

/**
 * A size for people: "512 B", "4.0 KiB", "1.5 GiB", "0.97 GiB": three digits at most before the unit, rounded down.
 * Writes at most 12 bytes with the NUL; returns to.
 */
char *format_size(char to[static 12], uint64_t bytes);
