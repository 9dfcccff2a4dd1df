/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/machine.c — see machine.h. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "hosted.h"
#include "mm/phys/instance.h"

struct machine machine_create(const struct boot_region *regions, size_t count, const struct nodes_layout *layout,
                              const struct pmm_taken *taken, size_t taken_count) {
  const struct nodes_layout one = {.count = 1};
  struct machine m = {.status = ERR_NO_MEMORY};
  struct nodes *n;
  uint64_t start, end = 1;
  if (!layout) layout = &one;
  m.plan_size = nodes_plan_size(count, layout);
  m.plan = hosted_map(m.plan_size); /* Page by page: the sanitizer does not see its end, but mm_check does. */
  if (!m.plan) return m;
  m.status = nodes_plan(m.plan, regions, count, layout, &n);
  if (m.status != OK) return m;
  m.status = ERR_NO_MEMORY;
  for (size_t cursor = 0; pmm_next_record_range(regions, count, &cursor, &start, &end);) {}
  m.metadata_size = nodes_metadata_size(n);
  m.records_size = end * PMM_RECORD_SIZE;
  if (m.records_size > HOSTED_ADDRESS_SPACE) return m;
  m.metadata = hosted_map(m.metadata_size);
  m.records = hosted_map(m.records_size);
  if (!m.metadata || !m.records) return m;
  hosted_scribble(m.metadata, m.metadata_size);
  hosted_scribble(m.records, m.records_size / PMM_RECORD_SIZE);
  m.status = nodes_create(n, m.metadata, pmm_records_at(m.records, m.records_size / PMM_RECORD_SIZE), taken, taken_count);
  if (m.status == OK) m.nodes = n;
  return m;
}

void machine_destroy(struct machine *m) {
  if (m->plan) munmap(m->plan, m->plan_size);
  if (m->metadata) munmap(m->metadata, m->metadata_size);
  if (m->records) munmap(m->records, m->records_size);
  *m = (struct machine){0};
}

void machine_must_be_sound(const struct machine *m, const char *when) {
  struct mm_check_report report;
  struct ledger ledger;
  nodes_ledger_read(m->nodes, NODES_ALL, &ledger);
  if (mm_check_nodes(m->nodes, 0, &report) && ledger_balances(&ledger)) return;
  fprintf(stderr, "%s: %s; ledger %llu of %llu\n", when, report.text, (unsigned long long)ledger.sum,
          (unsigned long long)ledger.total);
  abort();
}

uint64_t machine_digest(const struct machine *m) {
  uint64_t hash = 0;
  for (uint32_t i = 0; i < nodes_count(m->nodes); i++) {
    struct pmm *p = nodes_pmm(m->nodes, i);
    if (!p) continue;
    const struct hosted h = {.pmm = p, .regions = p->regions, .region_count = p->region_count};
    hash = hash * 0x100000001b3 + hosted_digest(&h);
  }
  return hash;
}
