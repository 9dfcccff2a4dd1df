/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/main.h — where the kernel proper begins. */
#pragma once

#include "boot/handoff.h"

/** Brings the kernel up, stage by stage, and ends at the prompt.  => from start.c: handoff checked, traps loaded. */
[[noreturn]] void kmain(const struct boot_handoff *h);
