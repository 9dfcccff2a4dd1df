/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/access.c — reads and writes configuration space.
 *
 * WHAT   ECAM: each function has 4 KiB of memory at base + bus << 20 | device << 15 | function << 12 (PCIe 5.0 7.2.2).
 *        Ports: the address goes to one, the data through the other (PCI 3.0 3.2.2.3.2).
 * HOW    Firmware names the memory, so it is checked against the memory map first: sizing a BAR writes, and must not write
 *        to RAM.  Accesses are of 32 bits, which every device understands.
 * LOCKING  `pair` makes the two port accesses one; taken with nothing else, nothing is called under it.
 */
#include "kernel/drivers/pci/access.h"

#include "arch/cpu.h"
#include "arch/port.h"
#include "kernel/memory.h"
#include "lib/memmap.h"
#include "mm/kspace.h"
#include "mm/platform.h"

#define PORT_ADDRESS   0xcf8
#define PORT_DATA      0xcfc
#define PORT_ENABLE    UINT32_C(0x80000000)
#define FUNCTION_BYTES 4096U
#define PORTS_REACH    256U

static struct platform_lock pair;

static volatile uint32_t *slot(const struct pci_access *a, struct pci_address w, uint16_t offset) {
  if (w.bus < a->bus_first || w.bus > a->bus_last || offset >= FUNCTION_BYTES) return NULL;
  const uint32_t at = (uint32_t)(w.bus - a->bus_first) << 20 | (uint32_t)(w.device & 31) << 15 |
                      (uint32_t)(w.function & 7) << 12 | (offset & ~3U);
  return &a->memory[at / sizeof(uint32_t)];
}

static uint32_t memory_read(void *context, struct pci_address w, uint16_t offset) {
  const volatile uint32_t *at = slot(context, w, offset);
  return at ? *at : UINT32_MAX;
}

static void memory_write(void *context, struct pci_address w, uint16_t offset, uint32_t value) {
  volatile uint32_t *at = slot(context, w, offset);
  if (at) *at = value;
}

static uint32_t port_address(struct pci_address w, uint16_t offset) {
  return PORT_ENABLE | (uint32_t)w.bus << 16 | (uint32_t)(w.device & 31) << 11 | (uint32_t)(w.function & 7) << 8 |
         (offset & 0xfcU);
}

static uint32_t ports_read(void *context, struct pci_address w, uint16_t offset) {
  (void)context;
  if (offset >= PORTS_REACH) return UINT32_MAX;
  platform_lock_acquire(&pair);
  arch_port_write32(PORT_ADDRESS, port_address(w, offset));
  const uint32_t value = arch_port_read32(PORT_DATA);
  platform_lock_release(&pair);
  return value;
}

static void ports_write(void *context, struct pci_address w, uint16_t offset, uint32_t value) {
  (void)context;
  if (offset >= PORTS_REACH) return;
  platform_lock_acquire(&pair);
  arch_port_write32(PORT_ADDRESS, port_address(w, offset));
  arch_port_write32(PORT_DATA, value);
  platform_lock_release(&pair);
}

bool pci_access_allowed(uint64_t start, uint64_t size) {
  size_t count;
  const struct boot_region *r = memory_regions(&count);
  if (size == 0 || !arch_cpu_can_address(start, size)) return false;
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(r[i].kind) && r[i].start < start + size && start < r[i].end) return false;
  }
  return true;
}

status_t pci_access_memory(const struct acpi_ecam *e, struct pci_access *out) {
  const uint64_t start = e->base + e->bus_first * ACPI_ECAM_BUS_SIZE;
  const uint64_t size = (uint64_t)(e->bus_last - e->bus_first + 1) * ACPI_ECAM_BUS_SIZE;
  void *mapped;
  if (!pci_access_allowed(start, size)) return ERR_DENIED;
  const status_t s = kspace_map(paddr(start), size, PAGE_WRITE | PAGE_UNCACHED, &mapped);
  if (s != OK) return s;
  *out = (struct pci_access){{memory_read, memory_write, out}, mapped, e->segment, e->bus_first, e->bus_last};
  return OK;
}

status_t pci_access_ports(struct pci_access *out) {
  platform_lock_acquire(&pair);
  arch_port_write32(PORT_ADDRESS, PORT_ENABLE);
  const bool answers = arch_port_read32(PORT_ADDRESS) == PORT_ENABLE;
  platform_lock_release(&pair);
  if (!answers) return ERR_NOT_FOUND;
  *out = (struct pci_access){.config = {ports_read, ports_write, out}, .bus_last = UINT8_MAX};
  return OK;
}
