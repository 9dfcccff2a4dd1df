/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/drivers/pci/scan.h — what configuration space says, asked through an interface that a test can lie through. */
#pragma once

#include "kernel/pci.h"

/* Configuration space of one segment.  Offsets are multiples of 4; what is not there reads as all ones. */
struct pci_config {
  uint32_t (*read)(void *context, struct pci_address where, uint16_t offset);
  void (*write)(void *context, struct pci_address where, uint16_t offset, uint32_t value);
  void *context;
};

#define PCI_ID         0x00
#define PCI_COMMAND    0x04 /* Status in the upper half: writing zeros there changes nothing. */
#define PCI_CLASS      0x08
#define PCI_HEADER     0x0c
#define PCI_BAR0       0x10
#define PCI_BUSES      0x18 /* Of a bridge. */
#define PCI_CAPABILITY 0x34

#define PCI_COMMAND_IO     UINT32_C(1)
#define PCI_COMMAND_MEMORY UINT32_C(2)
#define PCI_COMMAND_MASTER UINT32_C(4)
#define PCI_COMMAND_ALL    UINT32_C(0xffff)
#define PCI_STATUS_CAPS    (UINT32_C(1) << 20)

#define PCI_CAP_MSI     0x05
#define PCI_CAP_EXPRESS 0x10
#define PCI_CAP_MSIX    0x11

/** Counts the functions of buses [first, last], at most `most`.  Reads only.  => pure. */
size_t pci_scan_count(const struct pci_config *c, uint16_t segment, uint8_t first, uint8_t last, size_t most);

/**
 * Fills the table with the functions of buses [first, last], at most `room`; returns how many.
 *
 * Sizes BARs, so that each function decodes nothing for a moment; every register is left as it was found.
 *   => pure; bounded whatever the registers say.
 */
size_t pci_scan_list(const struct pci_config *c, uint16_t segment, uint8_t first, uint8_t last, struct pci_function *table,
                     size_t room);
