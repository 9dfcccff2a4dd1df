/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/pci.h — the devices of the PCI buses, as drivers find and take them.
 *
 * A driver finds a function, claims it, maps its registers and switches on what it needs.  Bus mastering, the right to touch
 * memory, is switched on by pci_enable alone and for a claimed function alone.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct pci_address {
  uint16_t segment;
  uint8_t bus, device, function;
};

enum pci_bar_kind : uint8_t { PCI_BAR_NONE = 0, PCI_BAR_IO, PCI_BAR_MEMORY };

/* A range that the function decodes.  The upper half of a 64-bit one is a slot of kind NONE. */
struct pci_bar {
  uint64_t start; /* 0: the firmware has given it no address. */
  uint64_t size;  /* A power of two. */
  enum pci_bar_kind kind;
  bool is_64bit, is_prefetchable;
};
#define PCI_BARS 6

struct pci_function {
  struct pci_address where;
  uint16_t vendor, device;
  uint32_t class_code; /* Class << 16 | subclass << 8 | programming interface. */
  uint8_t revision;
  uint8_t header;              /* 0 device, 1 bridge, 2 CardBus bridge; others are listed and left alone. */
  uint8_t bus_first, bus_last; /* Of a bridge: the buses behind it, as the firmware numbered them. */
  uint8_t msi, msix, express;  /* Where these capabilities lie in configuration space; 0: it has none. */
  bool is_master;              /* It may touch memory: as the firmware left it, then as pci_enable made it. */
  struct pci_bar bars[PCI_BARS];
  const char *driver; /* Who claimed it; NULL for nobody. */
};

/**
 * Lists all functions of all segments; logs how many.
 *   => boot, once, after acpi_init.  Without ACPI's MCFG through the old ports, bus 0 to 255 of segment 0.
 * Returns OK; ERR_NOT_FOUND (no bus, or nothing on it); ERR_NO_MEMORY.
 */
status_t pci_init(void);
/** The index-th function in order of address; NULL behind the last. */
const struct pci_function *pci_get(size_t index);
/** The first function of this kind at or behind `from`; NULL when there is none. */
const struct pci_function *pci_find(uint16_t vendor, uint16_t device, size_t from);
/** True when configuration space is memory (ECAM), false for the ports. */
bool pci_has_ecam(void);

/** A driver takes a function.  `driver` is kept by pointer.  ERR_BUSY (it is somebody's). */
status_t pci_claim(const struct pci_function *f, const char *driver);
/** The driver lets go: bus mastering goes off.  ERR_STATE (nobody has it). */
status_t pci_release(const struct pci_function *f);

#define PCI_ENABLE_IO     1U
#define PCI_ENABLE_MEMORY 2U
#define PCI_ENABLE_MASTER 4U
/** Switches on decoding and bus mastering.  ERR_STATE (not claimed), ERR_INVALID (other bits). */
status_t pci_enable(const struct pci_function *f, uint32_t what);
/** Switches them off again.  Statuses as pci_enable. */
status_t pci_disable(const struct pci_function *f, uint32_t what);

/**
 * Maps a memory BAR, uncached.
 * Returns OK; ERR_INVALID (no such BAR, or not of memory); ERR_STATE (not claimed); ERR_NOT_FOUND (it has no address);
 * ERR_DENIED (it lies over RAM, or where the CPU has no addresses); ERR_NO_MEMORY.
 */
status_t pci_map_bar(const struct pci_function *f, unsigned bar, void **out);

/** "network controller"; never NULL.  => pure. */
const char *pci_class_name(uint32_t class_code);
