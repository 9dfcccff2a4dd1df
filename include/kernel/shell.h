/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/shell.h — the prompt `cairn> `. */
#pragma once

/** Reads and runs commands for ever.  => thread context, interrupts on, after memory_init and the consoles. */
[[noreturn]] void shell_run(void);

/**
 * Starts a trace of the frame allocator when the option trace=frames[:<records>] asks for one.
 *   => boot, once the allocator is there; what boot has taken until then is part of the trace's start.
 */
void shell_trace_from_options(void);
