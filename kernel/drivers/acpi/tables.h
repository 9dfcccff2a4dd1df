/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/drivers/acpi/tables.h — layouts of the static tables (ACPI 6.5 5.2) and the pure code that reads them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "kernel/acpi.h"
#include "kernel/numa.h"

#define ACPI_HEADER_SIZE 36U
#define ACPI_TABLE_MAX   (UINT32_C(8) * 1024 * 1024)

/* Generic address structure (5.2.3.2). */
struct acpi_address {
  uint8_t space; /* ACPI_SPACE_*. */
  uint8_t bits;
  uint8_t offset;
  uint8_t width; /* 1 byte, 2 words, 3 dwords, 4 qwords; 0 unknown. */
  uint64_t address;
};
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1
#define ACPI_SPACE_PCI    2

/* What Cairn takes from the FADT (5.2.9). */
struct acpi_fadt {
  uint64_t dsdt;
  uint32_t flags;
  uint32_t smi_command;
  uint8_t acpi_enable;
  uint8_t reset_value;
  struct acpi_address reset;
  struct acpi_address pm1a_control, pm1b_control; /* Address 0: absent. */
  struct acpi_address pm_timer;
};
#define ACPI_FADT_RESET_SUPPORTED  (UINT32_C(1) << 10)
#define ACPI_FADT_HARDWARE_REDUCED (UINT32_C(1) << 20)

/** True when the bytes add up to 0 modulo 256.  => pure. */
bool acpi_checksum(const void *bytes, size_t n);
/** Reads an FADT of `n` bytes; fields that an old revision lacks are 0.  ERR_TRUNCATED when it is too short.  => pure. */
status_t acpi_fadt_read(const void *table, size_t n, struct acpi_fadt *out);
/**
 * The next CPU of a MADT (5.2.12) behind *cursor, which is 0 at first: local APICs and local x2APICs, each id once, ids that
 * mean "all" or "none" never.  False behind the last, and behind the first 16 KiB.  => pure.
 */
bool acpi_madt_next(const void *table, size_t n, size_t *cursor, struct acpi_cpu *out);
/** Counts its enabled CPUs.  => pure. */
unsigned acpi_madt_cpus(const void *table, size_t n);
/**
 * Reads the index-th entry of an MCFG (PCI Firmware 3.3 4.1.2): where the configuration space of some buses lies in memory.
 * ERR_NOT_FOUND (behind the last whole entry), ERR_CORRUPT (buses backwards; base 0, unaligned or wrapping).  => pure.
 */
status_t acpi_mcfg_read(const void *table, size_t n, size_t index, struct acpi_ecam *out);
/** Do two entries claim the same bus, or the same memory?  Then each function would be there twice.  => pure. */
bool acpi_mcfg_clash(const struct acpi_ecam *a, const struct acpi_ecam *b);
/**
 * Looks for Name(_S5_, Package{a, b, ...}) in AML by its bytes (20.2.5): no interpreter, so packages built by code are not
 * seen.  ERR_NOT_FOUND.  => pure.
 */
status_t acpi_find_s5(const void *aml, size_t n, uint8_t *type_a, uint8_t *type_b);

/**
 * Reads nodes, CPUs and ranges of memory from an SRAT (5.2.16); entries that are not enabled say nothing.
 *
 * A table that contradicts itself is not believed in parts: on failure *out is what numa_clear makes of it, and *problem
 * says what is wrong.  Distances are the defaults until acpi_slit_read.
 *   => pure; the caller has verified the checksum.
 * Returns OK; ERR_TRUNCATED (an entry runs past the end, or is shorter than its type); ERR_OVERLAP (two nodes claim the same
 * memory, or one node as two sorts); ERR_STATE (or the same CPU); ERR_RANGE (memory beyond 2^52); ERR_FULL (more than
 * NUMA_NODES_MAX or NUMA_RANGES_MAX); ERR_NOT_FOUND (it names no node).
 */
status_t acpi_srat_read(const void *table, size_t n, struct numa_map *out, const char **problem);
/**
 * Takes the distances between the nodes of *map from an SLIT (5.2.17): 10 from each node to itself, 11 to 255 (unreachable)
 * to others, not necessarily the same both ways.  All or nothing.
 *   => pure; the caller has verified the checksum.
 * Returns OK; ERR_TRUNCATED (the matrix is larger than the table); ERR_NOT_FOUND (it lacks a node); ERR_CORRUPT (a distance
 * that cannot be).
 */
status_t acpi_slit_read(const void *table, size_t n, struct numa_map *map, const char **problem);
