/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/drivers/pci/access.h — the two ways to configuration space: memory (ECAM) and a pair of ports. */
#pragma once

#include "kernel/acpi.h"
#include "kernel/drivers/pci/scan.h"

/* The buses [bus_first, bus_last] of one segment. */
struct pci_access {
  struct pci_config config;
  volatile uint32_t *memory; /* Of bus_first; NULL for the ports. */
  uint16_t segment;
  uint8_t bus_first, bus_last;
};

/**
 * Maps configuration space; `out` is what config.context points at, so it must stay.
 * Returns OK; ERR_DENIED (it would lie over RAM, or where the CPU has no addresses); ERR_NO_MEMORY.
 */
status_t pci_access_memory(const struct acpi_ecam *e, struct pci_access *out);
/** The ports: segment 0, the first 256 bytes of each function.  ERR_NOT_FOUND (nothing answers there). */
status_t pci_access_ports(struct pci_access *out);
/** True when device registers may lie there: the CPU has the addresses, and no RAM is among them. */
bool pci_access_allowed(uint64_t start, uint64_t size);
