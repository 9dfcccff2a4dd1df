/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/acpi.h — the few facts that a kernel without an AML interpreter takes from ACPI's static tables.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "kernel/numa.h"

/* Configuration space of the PCI buses [bus_first, bus_last] of a segment, as memory: bus b lies at base + b * 1 MiB. */
struct acpi_ecam {
  uint64_t base; /* Of bus 0, even when that is not one of them. */
  uint16_t segment;
  uint8_t bus_first, bus_last;
};
#define ACPI_ECAM_BUS_SIZE (UINT64_C(1) << 20)
#define ACPI_ECAMS_MAX     8

/**
 * Finds the tables from the RSDP's physical address (0: there are none) and reads SRAT, SLIT, MADT, FADT, MCFG and \_S5: all
 * that is said below is right from here on, and no table is looked at again, for some firmware leaves them in memory of its
 * boot services.
 *   => memory_init, before the allocator.  Nothing in the tables is believed before its checksum and bounds are right.
 * Returns OK, ERR_NOT_FOUND (no RSDP, or no root table), ERR_CORRUPT (what is there does not hold together).
 */
status_t acpi_init(paddr_t rsdp);
/** I/O port of the ACPI timer, 0 when there is none. */
uint16_t acpi_pm_timer(void);
/** CPUs that the MADT lists as enabled; 1 when there is no MADT. */
unsigned acpi_cpu_count(void);
struct acpi_cpu {
  uint32_t apic;          /* Local APIC id. */
  bool is_enabled;        /* It may be started now. */
  bool is_online_capable; /* Not there yet: it may be plugged in. */
};
/** The next CPU of the MADT behind *cursor, 0 for the first; no id comes twice.  False behind the last. */
bool acpi_cpu(size_t *cursor, struct acpi_cpu *out);
/** Nodes, their CPUs, memory and distances; one node with everything when the tables say nothing that can be believed. */
const struct numa_map *acpi_numa(void);
/** The index-th entry of the MCFG that makes sense; false behind the last of ACPI_ECAMS_MAX. */
bool acpi_ecam(size_t index, struct acpi_ecam *out);
/** Writes the FADT's reset register.  Returns only when that is absent or has not worked. */
void acpi_reset(void);
/** Enters S5 through PM1.  Returns only when that is not described or has not worked. */
void acpi_power_off(void);
