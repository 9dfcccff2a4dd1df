/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/pci.c — the table of functions, and the verbs by which a driver takes one.
 *
 * WHAT   Segments from ACPI's MCFG, or the old ports; all functions in one table that is made once at boot, in frames of its
 *        own, as long as there are functions.
 * HOW    A first pass counts, a second one fills.  A driver finds a row, claims it, and may then switch on what it needs:
 *        bus mastering is never switched on for a function that nobody has.
 * LOCKING  The table is written at boot.  Claims and the command register belong to whoever brings drivers up: one CPU.
 * WHY NOT  switch off the bus mastering that firmware left on: firmware that plays a keyboard from a USB controller, in
 *        system management mode, needs it.  `pci` shows who may touch memory.
 */
#include "kernel/pci.h"

#include "kernel/acpi.h"
#include "kernel/drivers/pci/access.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

#define FUNCTIONS_MAX 4096U
#define ENABLE_ALL    (PCI_ENABLE_IO | PCI_ENABLE_MEMORY | PCI_ENABLE_MASTER)

static_assert(PCI_ENABLE_IO == PCI_COMMAND_IO && PCI_ENABLE_MEMORY == PCI_COMMAND_MEMORY &&
              PCI_ENABLE_MASTER == PCI_COMMAND_MASTER);

static struct {
  struct pci_access segments[ACPI_ECAMS_MAX];
  size_t segment_count;
  struct pci_function *table;
  size_t count;
} pci;

static void find_segments(void) {
  struct acpi_ecam e;
  for (size_t i = 0; acpi_ecam(i, &e); i++) {
    const status_t s = pci_access_memory(&e, &pci.segments[pci.segment_count]);
    if (s == OK) {
      pci.segment_count++;
    } else {
      klog(KLOG_WARN, "pci", "segment %u: its configuration space at physical 0x%llx is not used: %s", (unsigned)e.segment,
           (unsigned long long)e.base, status_name(s));
    }
  }
  if (pci.segment_count == 0 && pci_access_ports(&pci.segments[0]) == OK) pci.segment_count = 1;
}

static size_t count_all(void) {
  size_t n = 0;
  for (size_t i = 0; i < pci.segment_count; i++) {
    const struct pci_access *a = &pci.segments[i];
    n += pci_scan_count(&a->config, a->segment, a->bus_first, a->bus_last, FUNCTIONS_MAX - n);
  }
  return n;
}

status_t pci_init(void) {
  pfn_t frame;
  find_segments();
  const size_t room = count_all();
  if (room == 0) return ERR_NOT_FOUND;
  const uint64_t frames = (room * sizeof *pci.table + FRAME_SIZE - 1) / FRAME_SIZE;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, frames, NULL, &frame);
  if (s != OK) return s;
  pci.table = physmap_at(paddr_of_pfn(frame));
  for (size_t i = 0; i < pci.segment_count; i++) {
    const struct pci_access *a = &pci.segments[i];
    pci.count += pci_scan_list(&a->config, a->segment, a->bus_first, a->bus_last, &pci.table[pci.count], room - pci.count);
  }
  klog(KLOG_INFO, "pci", "%u functions, through %s", (unsigned)pci.count, pci_has_ecam() ? "memory (ECAM)" : "ports");
  return OK;
}

bool pci_has_ecam(void) { return pci.segment_count > 0 && pci.segments[0].memory != NULL; }

const struct pci_function *pci_get(size_t index) { return index < pci.count ? &pci.table[index] : NULL; }

const struct pci_function *pci_find(uint16_t vendor, uint16_t device, size_t from) {
  for (size_t i = from; i < pci.count; i++) {
    if (pci.table[i].vendor == vendor && pci.table[i].device == device) return &pci.table[i];
  }
  return NULL;
}

/* --- what a driver does ------------------------------------------------------------------------------------------------ */

static struct pci_function *row_of(const struct pci_function *f) { return &pci.table[f - pci.table]; }

static const struct pci_config *config_of(const struct pci_function *f) {
  size_t i = 0;
  for (; i + 1 < pci.segment_count; i++) {
    const struct pci_access *a = &pci.segments[i];
    if (a->segment == f->where.segment && f->where.bus >= a->bus_first && f->where.bus <= a->bus_last) break;
  }
  return &pci.segments[i].config;
}

static status_t command(const struct pci_function *f, uint32_t on, uint32_t off) {
  const struct pci_config *c = config_of(f);
  if ((on | off) & ~ENABLE_ALL) return ERR_INVALID;
  if (f->driver == NULL) return ERR_STATE;
  const uint32_t old = c->read(c->context, f->where, PCI_COMMAND) & PCI_COMMAND_ALL;
  const uint32_t value = (old | on) & ~off;
  c->write(c->context, f->where, PCI_COMMAND, value);
  /* The answer says that the write has arrived, and comes behind all that the function has written to memory before: who has
     switched mastering off may free what it wrote to (PCIe 5.0 2.4.1, 7.2.2). */
  (void)c->read(c->context, f->where, PCI_COMMAND);
  row_of(f)->is_master = (value & PCI_COMMAND_MASTER) != 0;
  return OK;
}

status_t pci_claim(const struct pci_function *f, const char *driver) {
  if (f->driver != NULL) return ERR_BUSY;
  row_of(f)->driver = driver;
  return OK;
}

status_t pci_release(const struct pci_function *f) {
  const status_t s = command(f, 0, PCI_ENABLE_MASTER);
  if (s == OK) row_of(f)->driver = NULL;
  return s;
}

status_t pci_enable(const struct pci_function *f, uint32_t what) { return command(f, what, 0); }
status_t pci_disable(const struct pci_function *f, uint32_t what) { return command(f, 0, what); }

status_t pci_map_bar(const struct pci_function *f, unsigned bar, void **out) {
  if (bar >= PCI_BARS || f->bars[bar].kind != PCI_BAR_MEMORY) return ERR_INVALID;
  const struct pci_bar *b = &f->bars[bar];
  if (f->driver == NULL) return ERR_STATE;
  if (b->start == 0) return ERR_NOT_FOUND;
  if (!pci_access_allowed(b->start, b->size)) return ERR_DENIED;
  return kspace_map(paddr(b->start), b->size, PAGE_WRITE | PAGE_UNCACHED, out);
}
