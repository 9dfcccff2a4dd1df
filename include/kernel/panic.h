/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/panic.h — the end, explained: reason, registers, backtrace, last records, and what mm_check finds. */
#pragma once

#include "base/compiler.h"

struct trap_frame; /* arch/trap.h */

/** Never returns: prints the panic screen on every console, then does what the option panic= says. */
[[noreturn]] void panic(const char *format, ...) PRINTF_LIKE(1, 2);
/** The same, with the registers at the fault and a backtrace from there. */
[[noreturn]] void panic_at(const struct trap_frame *frame, const char *format, ...) PRINTF_LIKE(2, 3);
