/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/acpi/acpi.c — finds the tables, keeps the facts, pulls the levers.
 *
 * WHAT   RSDP -> XSDT (or RSDT) -> FADT, MADT, MCFG, SRAT, SLIT, DSDT and SSDTs; facts are read once at boot, so that the
 *        levers (reset, power off) need no table when they are pulled, perhaps from a panic, and before the allocator is
 *        built: it is built over what SRAT and SLIT say, and over the memory in which some firmware leaves the tables.
 * HOW    A table is looked at through the direct map where that covers it, else through a mapping of its own; header first,
 *        then the length it claims, then its checksum.
 * WHY NOT an AML interpreter: \_S5 is a constant package on every machine known; what is missing falls through to the next
 *        way of ending (kernel/power.c).
 */
#include "kernel/acpi.h"

#include "arch/cpu.h"
#include "arch/port.h"
#include "base/compiler.h"
#include "kernel/drivers/acpi/tables.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "lib/string.h"
#include "mm/kspace.h"

#define PM1_SCI_ENABLE   1U
#define PM1_SLEEP_TYPE   10
#define PM1_SLEEP_ENABLE (1U << 13)
#define ENTRIES_MAX      256U
#define WAIT_STEPS       1000000U

RO_AFTER_INIT static struct {
  struct acpi_fadt fadt;
  bool has_fadt, has_s5;
  uint8_t s5_a, s5_b;
  unsigned cpus;
  const void *madt; /* A copy. */
  uint32_t madt_length;
  struct acpi_ecam ecams[ACPI_ECAMS_MAX];
  size_t ecam_count;
  volatile void *reset_memory; /* When the reset register is in memory. */
  bool numa_is_known;
  struct numa_map numa;
} facts = {.cpus = 1, .numa = {.node_count = 1, .distance = {{NUMA_DISTANCE_OWN}}}};

/* A whole table whose header, length and checksum are right, or NULL. */
static const void *open_table(uint64_t address, uint32_t *length) {
  const uint8_t *header = memory_look(address, ACPI_HEADER_SIZE);
  if (!header) return nullptr;
  memcpy(length, header + 4, 4);
  if (*length < ACPI_HEADER_SIZE || *length > ACPI_TABLE_MAX) return nullptr;
  const void *table = memory_look(address, *length);
  if (!table || !acpi_checksum(table, *length)) return nullptr;
  return table;
}

static void read_s5(const void *table, uint32_t length) {
  if (facts.has_s5 || length <= ACPI_HEADER_SIZE) return;
  const uint8_t *aml = (const uint8_t *)table + ACPI_HEADER_SIZE;
  facts.has_s5 = acpi_find_s5(aml, length - ACPI_HEADER_SIZE, &facts.s5_a, &facts.s5_b) == OK;
}

static void read_fadt(const void *table, uint32_t length) {
  if (acpi_fadt_read(table, length, &facts.fadt) != OK) return;
  facts.has_fadt = true;
  uint32_t dsdt_length;
  const void *dsdt = open_table(facts.fadt.dsdt, &dsdt_length);
  if (dsdt) {
    read_s5(dsdt, dsdt_length);
  } else {
    klog(KLOG_WARN, "acpi", "the DSDT is missing or broken");
  }
  const struct acpi_address *reset = &facts.fadt.reset;
  void *mapped;
  if (reset->space == ACPI_SPACE_MEMORY && reset->address != 0 && arch_cpu_can_address(reset->address, 1) &&
      kspace_map(paddr(reset->address), 1, PAGE_WRITE | PAGE_UNCACHED, &mapped) == OK) {
    facts.reset_memory = mapped;
  }
}

/* A table of the root table's list: its physical address. */
typedef void (*visit_t)(uint64_t address);

static void read_srat(const void *table, uint32_t length) {
  const char *problem;
  if (facts.numa_is_known) return; /* The first one counts: one table in the list would be all nodes twice. */
  facts.numa_is_known = true;
  if (acpi_srat_read(table, length, &facts.numa, &problem) != OK)
    klog(KLOG_WARN, "acpi", "SRAT not used, all memory is one node: %s", problem);
}

static void read_slit(const void *table, uint32_t length) {
  const char *problem;
  if (facts.numa.node_count > 1 && acpi_slit_read(table, length, &facts.numa, &problem) != OK)
    klog(KLOG_WARN, "acpi", "SLIT not used, all nodes are equally far: %s", problem);
}

/* Is some bus, or some memory, another entry's already? */
static bool clashes(const struct acpi_ecam *e) {
  for (size_t i = 0; i < facts.ecam_count; i++)
    if (acpi_mcfg_clash(&facts.ecams[i], e)) return true;
  return false;
}

static void read_mcfg(const void *table, uint32_t length) {
  struct acpi_ecam e;
  status_t s = OK;
  for (size_t i = 0; s != ERR_NOT_FOUND; i++) {
    s = acpi_mcfg_read(table, length, i, &e);
    if (s == ERR_NOT_FOUND) return;
    if (s == OK && facts.ecam_count == ACPI_ECAMS_MAX) {
      klog(KLOG_WARN, "acpi", "MCFG: entry %u and what follows is not used", (unsigned)i);
      return;
    }
    if (s != OK || clashes(&e))
      klog(KLOG_WARN, "acpi", "MCFG: entry %u makes no sense", (unsigned)i);
    else
      facts.ecams[facts.ecam_count++] = e;
  }
}

/* Opens the table only if it is one of those: whose checksum is wrong says nothing, and read_table complains. */
static const void *open_if(uint64_t address, const char *signature, uint32_t *length) {
  const void *header = memory_look(address, ACPI_HEADER_SIZE);
  return header && memcmp(header, signature, 4) == 0 ? open_table(address, length) : nullptr;
}

static void visit_srat(uint64_t address) {
  uint32_t length;
  const void *table = open_if(address, "SRAT", &length);
  if (table) read_srat(table, length);
}

static void visit_madt(uint64_t address) {
  uint32_t length;
  const void *table = open_if(address, "APIC", &length);
  const unsigned cpus = table ? acpi_madt_cpus(table, length) : 0;
  if (cpus == 0 || facts.madt) return;
  facts.madt = memory_keep(table, length);
  if (!facts.madt) return;
  facts.cpus = cpus;
  facts.madt_length = length;
}

static void visit_slit(uint64_t address) {
  uint32_t length;
  const void *table = open_if(address, "SLIT", &length);
  if (table) read_slit(table, length);
}

static void read_table(uint64_t address) {
  uint32_t length;
  const void *table = open_table(address, &length);
  if (!table) {
    klog(KLOG_WARN, "acpi", "a table at physical 0x%llx is broken: left alone", (unsigned long long)address);
    return;
  }
  if (memcmp(table, "FACP", 4) == 0) read_fadt(table, length);
  if (memcmp(table, "MCFG", 4) == 0) read_mcfg(table, length);
  if (memcmp(table, "SSDT", 4) == 0) read_s5(table, length);
}

/* RSDP (5.2.5.3): 20 bytes and a checksum in revision 0, 36 and a second checksum from revision 2 on. */
static status_t find_root(paddr_t rsdp, uint64_t *root, size_t *entry_size) {
  const uint8_t *r = memory_look(rsdp.raw, 36);
  if (!r || memcmp(r, "RSD PTR ", 8) != 0) return ERR_NOT_FOUND;
  if (!acpi_checksum(r, 20)) return ERR_CORRUPT;
  uint64_t xsdt = 0;
  uint32_t rsdt;
  memcpy(&rsdt, r + 16, 4);
  if (r[15] >= 2 && acpi_checksum(r, 36)) memcpy(&xsdt, r + 24, 8);
  *root = xsdt ? xsdt : rsdt;
  *entry_size = xsdt ? 8 : 4;
  return OK;
}

/* Visits each table that the root table lists; *count says how many that are. */
static status_t each_table(paddr_t rsdp, visit_t visit, uint32_t *count) {
  uint64_t root;
  size_t entry_size;
  uint32_t length;
  const status_t s = find_root(rsdp, &root, &entry_size);
  if (s != OK) return s;
  const uint8_t *table = open_table(root, &length);
  if (!table) return ERR_CORRUPT;
  *count = (length - ACPI_HEADER_SIZE) / (uint32_t)entry_size;
  for (uint32_t i = 0; i < *count && i < ENTRIES_MAX; i++) {
    uint64_t address = 0;
    memcpy(&address, table + ACPI_HEADER_SIZE + i * entry_size, entry_size);
    visit(address);
  }
  return OK;
}

/* Several walks: an SLIT may come before the SRAT, whose nodes it is about. */
status_t acpi_init(paddr_t rsdp) {
  uint32_t count;
  const status_t s = each_table(rsdp, visit_srat, &count);
  if (s != OK) return s;
  (void)each_table(rsdp, visit_slit, &count);
  (void)each_table(rsdp, visit_madt, &count);
  (void)each_table(rsdp, read_table, &count);
  klog(KLOG_INFO, "acpi", "%u tables, CPUs: %u, nodes: %u, timer port 0x%x, S5 %s", (unsigned)count, facts.cpus,
       facts.numa.node_count, (unsigned)acpi_pm_timer(), facts.has_s5 ? "known" : "not found");
  return OK;
}

static bool is_port(const struct acpi_address *a) {
  return a->space == ACPI_SPACE_IO && a->address > 0 && a->address <= UINT16_MAX;
}

uint16_t acpi_pm_timer(void) {
  const struct acpi_address *a = &facts.fadt.pm_timer;
  return facts.has_fadt && is_port(a) ? (uint16_t)a->address : 0;
}

unsigned acpi_cpu_count(void) { return facts.cpus; }
bool acpi_cpu(size_t *cursor, struct acpi_cpu *out) {
  return facts.madt && acpi_madt_next(facts.madt, facts.madt_length, cursor, out);
}

const struct numa_map *acpi_numa(void) { return &facts.numa; }

bool acpi_ecam(size_t index, struct acpi_ecam *out) {
  if (index >= facts.ecam_count) return false;
  *out = facts.ecams[index];
  return true;
}

/* Bus 0, address = device << 32 | function << 16 | offset (5.2.3.2), through the old configuration ports. */
static void write_pci(uint64_t address, uint8_t value) {
  const uint32_t where = UINT32_C(0x80000000) | (uint32_t)(address >> 32 & 0x1f) << 11 | (uint32_t)(address >> 16 & 7) << 8 |
                         (uint32_t)(address & 0xfc);
  arch_port_write32(0xcf8, where);
  arch_port_write8((uint16_t)(0xcfc + (address & 3)), value);
}

static void wait_a_while(void) {
  for (unsigned i = 0; i < WAIT_STEPS; i++) arch_cpu_relax();
}

void acpi_reset(void) {
  const struct acpi_fadt *f = &facts.fadt;
  if (!facts.has_fadt || !(f->flags & ACPI_FADT_RESET_SUPPORTED) || f->reset.address == 0) return;
  switch (f->reset.space) {
  case ACPI_SPACE_IO:
    if (is_port(&f->reset)) arch_port_write8((uint16_t)f->reset.address, f->reset_value);
    break;
  case ACPI_SPACE_MEMORY:
    if (facts.reset_memory) *(volatile uint8_t *)facts.reset_memory = f->reset_value;
    break;
  case ACPI_SPACE_PCI:
    write_pci(f->reset.address, f->reset_value);
    break;
  default:
    return;
  }
  wait_a_while();
}

/* A PC whose firmware still owns the events hands them over first (4.8.3.2.1). */
static void enable_acpi(uint16_t control) {
  const struct acpi_fadt *f = &facts.fadt;
  if ((arch_port_read16(control) & PM1_SCI_ENABLE) || f->acpi_enable == 0) return;
  if (f->smi_command == 0 || f->smi_command > UINT16_MAX) return;
  arch_port_write8((uint16_t)f->smi_command, f->acpi_enable);
  for (unsigned i = 0; i < WAIT_STEPS && !(arch_port_read16(control) & PM1_SCI_ENABLE); i++) arch_cpu_relax();
}

static void sleep(const struct acpi_address *control, uint8_t type) {
  if (!is_port(control)) return;
  const uint16_t port = (uint16_t)control->address;
  const uint16_t keep = arch_port_read16(port) & 0x03ff;
  arch_port_write16(port, (uint16_t)(keep | (uint16_t)(type << PM1_SLEEP_TYPE) | PM1_SLEEP_ENABLE));
}

void acpi_power_off(void) {
  const struct acpi_fadt *f = &facts.fadt;
  if (!facts.has_fadt || !facts.has_s5 || (f->flags & ACPI_FADT_HARDWARE_REDUCED)) return;
  if (!is_port(&f->pm1a_control)) return;
  enable_acpi((uint16_t)f->pm1a_control.address);
  sleep(&f->pm1a_control, facts.s5_a);
  sleep(&f->pm1b_control, facts.s5_b);
  wait_a_while();
}
