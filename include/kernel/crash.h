/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/crash.h — faults on purpose, so that the traps can be seen to work (`crash=`, `panic <name>`). */
#pragma once

#include <stddef.h>

/** Does what `name` says: read write exec rodata text null stack guard twice tick doublefault divide ud gp.  Returns, false,
 * when there is no such crash or the machine has survived it. */
bool crash_run(const char *name);
/** Name and meaning of the index-th crash; false behind the last. */
bool crash_list(size_t index, const char **name, const char **what);
/** Called in each tick: where `tick` happens.  => interrupt context. */
void crash_on_tick(void);
