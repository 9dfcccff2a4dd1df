/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/names.c — class codes in words.
 *
 * The most exact name that the table has: of class, subclass and interface, else of class and subclass, else of the class.
 * SOURCE  PCI Code and ID Assignment 1.15, chapter 1.
 */
#include "base/compiler.h"
#include "kernel/pci.h"

#define ANY 0xff

struct name {
  uint8_t base, sub, interface;
  const char *words;
};

/* Exact ones first. */
static const struct name names[] = {
    {0x01, 0x06, 0x01, "AHCI controller"},
    {0x01, 0x08, 0x02, "NVMe controller"},
    {0x0c, 0x03, 0x00, "UHCI USB controller"},
    {0x0c, 0x03, 0x10, "OHCI USB controller"},
    {0x0c, 0x03, 0x20, "EHCI USB controller"},
    {0x0c, 0x03, 0x30, "xHCI USB controller"},
    {0x0c, 0x03, 0x40, "USB4 controller"},
    {0x01, 0x00, ANY, "SCSI controller"},
    {0x01, 0x01, ANY, "IDE controller"},
    {0x01, 0x04, ANY, "RAID controller"},
    {0x01, 0x06, ANY, "SATA controller"},
    {0x01, 0x07, ANY, "SAS controller"},
    {0x01, 0x08, ANY, "flash storage"},
    {0x02, 0x00, ANY, "Ethernet controller"},
    {0x03, 0x00, ANY, "VGA display"},
    {0x03, 0x02, ANY, "3D controller"},
    {0x04, 0x03, ANY, "HD audio"},
    {0x06, 0x00, ANY, "host bridge"},
    {0x06, 0x01, ANY, "ISA bridge"},
    {0x06, 0x04, ANY, "PCI bridge"},
    {0x06, 0x07, ANY, "CardBus bridge"},
    {0x07, 0x00, ANY, "serial port"},
    {0x08, 0x05, ANY, "SD card controller"},
    {0x08, 0x06, ANY, "IOMMU"},
    {0x0c, 0x03, ANY, "USB controller"},
    {0x0c, 0x05, ANY, "SMBus controller"},
    {0x00, ANY, ANY, "device without class"},
    {0x01, ANY, ANY, "storage controller"},
    {0x02, ANY, ANY, "network controller"},
    {0x03, ANY, ANY, "display controller"},
    {0x04, ANY, ANY, "multimedia device"},
    {0x05, ANY, ANY, "memory controller"},
    {0x06, ANY, ANY, "bridge"},
    {0x07, ANY, ANY, "communication device"},
    {0x08, ANY, ANY, "system device"},
    {0x09, ANY, ANY, "input device"},
    {0x0a, ANY, ANY, "docking station"},
    {0x0b, ANY, ANY, "processor"},
    {0x0c, ANY, ANY, "serial bus controller"},
    {0x0d, ANY, ANY, "wireless controller"},
    {0x0e, ANY, ANY, "intelligent controller"},
    {0x0f, ANY, ANY, "satellite controller"},
    {0x10, ANY, ANY, "encryption controller"},
    {0x11, ANY, ANY, "signal processor"},
    {0x12, ANY, ANY, "accelerator"},
};

const char *pci_class_name(uint32_t class_code) {
  for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
    const struct name *n = &names[i];
    if (n->base != class_code >> 16) continue;
    if (n->sub != ANY && n->sub != (class_code >> 8 & 0xff)) continue;
    if (n->interface == ANY || n->interface == (class_code & 0xff)) return n->words;
  }
  return "unknown device";
}
