/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/memory.h — the kernel's one allocator and the maps it was built from. */
#pragma once

#include <stddef.h>

#include "boot/handoff.h"
#include "mm/pmm.h"

struct pmm *memory_pmm(void); /* NULL before memory_init. */
const struct boot_region *memory_regions(size_t *count);
const struct boot_handoff *memory_handoff(void);
