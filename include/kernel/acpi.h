/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/acpi.h — the few facts that a kernel without an AML interpreter takes from ACPI's static tables.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "kernel/numa.h"

/**
 * Finds the tables from the RSDP's physical address (0: there are none) and reads FADT, MADT, SRAT, SLIT and \_S5.
 *   => boot, after kspace_init.  Nothing in the tables is believed before its checksum and bounds are right.
 * Returns OK, ERR_NOT_FOUND (no RSDP, or no root table), ERR_CORRUPT (what is there does not hold together).
 */
status_t acpi_init(paddr_t rsdp);
/** I/O port of the ACPI timer, 0 when there is none. */
uint16_t acpi_pm_timer(void);
/** CPUs that the MADT lists as enabled; 1 when there is no MADT. */
unsigned acpi_cpu_count(void);
/** Nodes, their memory and their distances; one node with everything when the tables say nothing that can be believed. */
const struct numa_map *acpi_numa(void);
/** Writes the FADT's reset register.  Returns only when that is absent or has not worked. */
void acpi_reset(void);
/** Enters S5 through PM1.  Returns only when that is not described or has not worked. */
void acpi_power_off(void);
