/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/memory.h — the kernel's door to RAM and the maps it was built from. */
#pragma once

#include <stddef.h>

#include "boot/handoff.h"
#include "mm/nodes.h"
#include "mm/pagetable.h"

/**
 * Brings memory up: maps the frame records, builds the allocator, takes boot-services and loader memory back.
 *   => boot, once, after arch_cpu_init.  Panics when the machine has too little memory to go on.
 */
void memory_init(const struct boot_handoff *h);
/** Logs what RAM there is; panics when the ledger does not balance.  => boot, after memory_init. */
void memory_report(void);
/** Makes the kernel's boot-time data read-only: [image_seal_start, image_seal_end).  => the end of boot. */
void memory_seal(void);

/**
 * What the firmware left at a physical address, for reading: through the direct map, else through a mapping that stays.
 *   => boot.
 * NULL for address 0, nothing, and what this CPU cannot address.
 */
const void *memory_look(uint64_t at, uint64_t size);
/** Copies bytes to memory that stays.  => memory_init alone, before what the firmware left is taken.  NULL: no memory. */
const void *memory_keep(const void *bytes, uint64_t size);

struct nodes *memory_nodes(void); /* The door to RAM; NULL before memory_init. */
const struct boot_region *memory_regions(size_t *count);
const struct boot_handoff *memory_handoff(void);
/** The kernel's own tables. */
struct pagetable *memory_tables(void);
/** "EDK II" and the like, in ASCII; never NULL. */
const char *memory_firmware_vendor(void);
