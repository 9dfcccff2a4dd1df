/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fuzz/acpi_fuzz.c — any bytes as FADT, MADT, MCFG, SRAT, SLIT and AML: no fault, and only answers that the machine
 * may act on. */
#include <stdlib.h>
#include <string.h>

#include "kernel/drivers/acpi/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define EXPECT(e)                                                                                                           \
  do {                                                                                                                      \
    if (!(e)) abort();                                                                                                      \
  } while (0)

static void expect_canonical(const struct numa_map *m) {
  EXPECT(m->node_count >= 1 && m->node_count <= NUMA_NODES_MAX && m->range_count <= NUMA_RANGES_MAX);
  for (uint32_t i = 0; i < m->range_count; i++) {
    EXPECT(m->ranges[i].start < m->ranges[i].end && m->ranges[i].node < m->node_count);
    EXPECT(i == 0 || m->ranges[i - 1].end <= m->ranges[i].start);
  }
  EXPECT(m->cpu_count <= NUMA_CPUS_MAX);
  for (uint32_t i = 0; i < m->cpu_count; i++) {
    EXPECT(i == 0 || m->cpu[i - 1].apic < m->cpu[i].apic);
    EXPECT(m->cpu[i].node < m->node_count && numa_node_of_apic(m, m->cpu[i].apic) == m->cpu[i].node);
  }
  for (uint32_t i = 0; i < m->node_count; i++) {
    EXPECT(i == 0 || m->domain[i - 1] < m->domain[i]);
    for (uint32_t j = 0; j < m->node_count; j++) EXPECT((m->distance[i][j] == NUMA_DISTANCE_OWN) == (i == j));
  }
}

/* The same bytes as both tables: what an SLIT needs stands where an SRAT has its first entry's middle. */
static void read_nodes(const uint8_t *table, size_t n) {
  struct numa_map m;
  const char *problem = NULL;
  uint64_t end;
  const status_t s = acpi_srat_read(table, n, &m, &problem);
  EXPECT((s == OK) == (problem == NULL));
  EXPECT(s == OK || m.node_count == 1);
  expect_canonical(&m);
  (void)acpi_slit_read(table, n, &m, &problem);
  expect_canonical(&m);
  for (uint64_t at = 0; at != UINT64_MAX; at = end) EXPECT(numa_node_at(&m, at, &end) < m.node_count && end > at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  /* A copy of the exact size, so that the sanitizer sees one byte too far. */
  uint8_t *table = malloc(n == 0 ? 1 : n);
  struct acpi_fadt fadt;
  uint8_t a = 0;
  uint8_t b = 0;
  if (table == NULL) return 0;
  memcpy(table, data, n);
  EXPECT(acpi_fadt_read(table, n, &fadt) == (n >= 116 ? OK : ERR_TRUNCATED));
  EXPECT(acpi_madt_cpus(table, n) <= n / 8);
  struct acpi_cpu cpu;
  size_t found = 0;
  for (size_t at = 0; acpi_madt_next(table, n, &at, &cpu); found++) EXPECT(at <= n && cpu.apic != UINT32_MAX);
  EXPECT(found <= n / 8);
  if (acpi_find_s5(table, n, &a, &b) == OK) EXPECT(a <= 7 && b <= 7 && n >= 10);
  read_nodes(table, n);
  struct acpi_ecam ecam;
  status_t status = OK;
  for (size_t i = 0; status != ERR_NOT_FOUND; i++) {
    EXPECT(i <= n / 16);
    status = acpi_mcfg_read(table, n, i, &ecam);
    if (status == OK) EXPECT(ecam.base != 0 && ecam.bus_first <= ecam.bus_last);
  }
  (void)acpi_checksum(table, n);
  free(table);
  return 0;
}
