/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/shell.h — the prompt `cairn> `. */
#pragma once

/** Reads and runs commands for ever.  => thread context, interrupts on, after memory_init and the consoles. */
[[noreturn]] void shell_run(void);
