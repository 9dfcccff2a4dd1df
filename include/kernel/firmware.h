/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/firmware.h — calls into the firmware's runtime services, from an address space made for them.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"

enum firmware_reset { FIRMWARE_RESET_COLD = 0, FIRMWARE_RESET_WARM = 1, FIRMWARE_RESET_OFF = 2 };

/* A copy of one entry of EFI_MEMORY_ATTRIBUTES_TABLE (UEFI 2.10 4.6.4). */
struct firmware_region {
  uint64_t start, end; /* Physical. */
  uint64_t attributes; /* EFI_MEMORY_*. */
};

/**
 * Keeps what the services need: `regions` (for ever the caller's) and the system table's address.  An empty list means that
 * Cairn never calls the firmware.   => boot.
 */
void firmware_init(const struct boot_handoff *h, const struct firmware_region *regions, size_t count);
/** Builds the services' address space.  => boot, after memory_init. */
void firmware_prepare(void);
/** ResetSystem.  => any context: allocates nothing, takes no lock.   Returns only when the firmware could not be called, or
 * has come back or faulted. */
void firmware_reset(enum firmware_reset kind);
/** Whether calls are possible, in words: "ready", "no memory attributes table" ... */
const char *firmware_state(void);
