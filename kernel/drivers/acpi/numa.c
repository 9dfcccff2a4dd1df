/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/acpi/numa.c — from the bytes of SRAT and SLIT to nodes, ranges and distances.
 *
 * HOW    The SRAT is walked twice: the first walk collects the proximity domains in ascending order, which numbers the
 *        nodes; the second collects CPUs and ranges.  The ranges, sorted as they come, are then joined or found to
 *        contradict each other in one sweep: behind what is settled nothing reaches further than its last range.
 * WHY NOT  believe the half of a table that makes sense: a wrong node costs speed for ever and shows nowhere, one node costs
 *        what the machine would cost without the table, and a warning says so.
 */
#include "base/addr.h"
#include "base/bits.h"
#include "base/units.h"
#include "kernel/drivers/acpi/tables.h"
#include "lib/memmap.h"
#include "lib/string.h"

#define SRAT_ENTRIES 48U /* Where the first entry lies, behind 12 reserved bytes. */
#define SRAT_ENABLED 1U
#define SLIT_MATRIX  44U
#define REVISION_AT  8U

enum { SRAT_APIC, SRAT_MEMORY, SRAT_X2APIC };

/* One enabled entry. */
struct affinity {
  uint32_t domain;
  bool is_memory;
  uint32_t apic;        /* Of a CPU. */
  uint64_t start, size; /* Of memory. */
  uint32_t flags;
};

static uint64_t number(const uint8_t *at, size_t size) {
  uint64_t value = 0;
  memcpy(&value, at, size);
  return value;
}

/* Revision 1 had domains of one byte and left the others undefined. */
static void decode(const uint8_t *e, unsigned revision, struct affinity *out) {
  *out = (struct affinity){0};
  uint32_t flags = 0;
  switch (e[0]) {
  case SRAT_APIC: /* 5.2.16.1: the domain's upper bytes stand apart. */
    out->domain = (uint32_t)(number(e + 9, 3) << 8 | e[2]);
    out->apic = e[3];
    flags = (uint32_t)number(e + 4, 4);
    break;
  case SRAT_MEMORY: /* 5.2.16.2 */
    out->domain = (uint32_t)number(e + 2, 4);
    out->is_memory = true;
    out->start = number(e + 8, 8);
    out->size = number(e + 16, 8);
    flags = (uint32_t)number(e + 28, 4);
    break;
  default: /* 5.2.16.3 */
    out->domain = (uint32_t)number(e + 4, 4);
    out->apic = (uint32_t)number(e + 8, 4);
    flags = (uint32_t)number(e + 12, 4);
  }
  if (revision < 2) out->domain &= 0xff;
  out->flags = flags;
}

/* Moves *at to behind the next entry that is enabled and of a type of ours; ERR_NOT_FOUND at the table's end. */
static status_t next_affinity(const uint8_t *table, size_t n, size_t *at, struct affinity *out) {
  static const uint8_t sizes[] = {[SRAT_APIC] = 16, [SRAT_MEMORY] = 40, [SRAT_X2APIC] = 24};
  while (*at < n) {
    const uint8_t *e = table + *at;
    if (n - *at < 2 || e[1] < 2 || e[1] > n - *at) return ERR_TRUNCATED;
    *at += e[1];
    if (e[0] > SRAT_X2APIC) continue;
    if (e[1] < sizes[e[0]]) return ERR_TRUNCATED;
    decode(e, table[REVISION_AT], out);
    if (out->flags & SRAT_ENABLED) return OK;
  }
  return ERR_NOT_FOUND;
}

/* Where the domain is, or has to be, among the nodes. */
static uint32_t place_of(const struct numa_map *m, uint32_t domain) {
  uint32_t i = 0;
  while (i < m->node_count && m->domain[i] < domain) i++;
  return i;
}

static status_t add_domain(struct numa_map *m, uint32_t domain) {
  const uint32_t at = place_of(m, domain);
  if (at < m->node_count && m->domain[at] == domain) return OK;
  if (m->node_count == NUMA_NODES_MAX) return ERR_FULL;
  for (uint32_t i = m->node_count++; i > at; i--) m->domain[i] = m->domain[i - 1];
  m->domain[at] = domain;
  return OK;
}

/* Frames that lie in the range only in part are left out. */
static status_t add_memory(struct numa_map *m, const struct affinity *a, uint32_t node) {
  uint64_t end;
  if (a->size == 0) return OK;
  if (!bits_add(a->start, a->size, &end) || end > MEMMAP_ADDRESS_END) return ERR_RANGE;
  const struct numa_range r = {bits_align_up(a->start, FRAME_SIZE), bits_align_down(end, FRAME_SIZE), node,
                               a->flags & (NUMA_RANGE_HOT_PLUG | NUMA_RANGE_NON_VOLATILE)};
  if (r.start >= r.end) return OK;
  if (m->range_count == NUMA_RANGES_MAX) return ERR_FULL;
  uint32_t at = m->range_count++;
  for (; at > 0 && m->ranges[at - 1].start > r.start; at--) m->ranges[at] = m->ranges[at - 1];
  m->ranges[at] = r;
  return OK;
}

/* CPUs whose APIC id is below `apic`: the place of that one. */
static uint32_t place_of_apic(const struct numa_map *m, uint32_t apic) {
  uint32_t low = 0;
  uint32_t high = m->cpu_count;
  while (low < high) {
    const uint32_t middle = low + (high - low) / 2;
    if (m->cpu[middle].apic < apic) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/* A small APIC id may be named twice, as an APIC's and as an x2APIC's (5.2.16.3): that is one CPU. */
static status_t add_cpu(struct numa_map *m, uint32_t apic, uint32_t node) {
  const uint32_t at = place_of_apic(m, apic);
  if (at < m->cpu_count && m->cpu[at].apic == apic) return m->cpu[at].node == node ? OK : ERR_STATE;
  m->cpus[node]++;
  if (m->cpu_count == NUMA_CPUS_MAX) return OK;
  for (uint32_t i = m->cpu_count++; i > at; i--) m->cpu[i] = m->cpu[i - 1];
  m->cpu[at] = (struct numa_cpu){apic, node};
  return OK;
}

/* From sorted to canonical. */
static status_t settle(struct numa_map *m) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < m->range_count; i++) {
    const struct numa_range r = m->ranges[i];
    struct numa_range *last = count > 0 ? &m->ranges[count - 1] : nullptr;
    if (last && last->node == r.node && last->flags == r.flags && r.start <= last->end) {
      last->end = bits_max(last->end, r.end);
    } else if (last && r.start < last->end) {
      return ERR_OVERLAP;
    } else {
      m->ranges[count++] = r;
    }
  }
  m->range_count = count;
  return OK;
}

static status_t read_srat(const uint8_t *table, size_t n, struct numa_map *m) {
  struct affinity a;
  status_t s = OK;
  if (n < SRAT_ENTRIES) return ERR_TRUNCATED;
  m->node_count = 0;
  for (size_t at = SRAT_ENTRIES; s == OK && (s = next_affinity(table, n, &at, &a)) == OK;) s = add_domain(m, a.domain);
  if (s != ERR_NOT_FOUND || m->node_count == 0) return s;
  s = OK;
  for (size_t at = SRAT_ENTRIES; s == OK && (s = next_affinity(table, n, &at, &a)) == OK;) {
    const uint32_t node = place_of(m, a.domain);
    s = a.is_memory ? add_memory(m, &a, node) : add_cpu(m, a.apic, node);
  }
  return s == ERR_NOT_FOUND ? settle(m) : s;
}

static const char *srat_problem(status_t s) {
  switch (s) {
  case ERR_TRUNCATED:
    return "an entry is cut off";
  case ERR_OVERLAP:
    return "two entries disagree about the same memory";
  case ERR_STATE:
    return "two entries disagree about the same CPU";
  case ERR_RANGE:
    return "memory ends beyond every CPU's reach";
  case ERR_FULL:
    return "more nodes or ranges than there is room for";
  default:
    return "it names no node";
  }
}

status_t acpi_srat_read(const void *table, size_t n, struct numa_map *out, const char **problem) {
  numa_clear(out);
  const status_t s = read_srat(table, n, out);
  if (s != OK) {
    numa_clear(out);
    *problem = srat_problem(s);
    return s;
  }
  for (uint32_t i = 0; i < out->node_count; i++) {
    memset(out->distance[i], NUMA_DISTANCE_OTHER, out->node_count);
    out->distance[i][i] = NUMA_DISTANCE_OWN;
  }
  return OK;
}

status_t acpi_slit_read(const void *table, size_t n, struct numa_map *map, const char **problem) {
  const uint8_t *matrix = (const uint8_t *)table + SLIT_MATRIX;
  const uint64_t side = n < SLIT_MATRIX ? 0 : number(matrix - 8, 8);
  uint64_t size;
  *problem = "the matrix is cut off";
  if (n < SLIT_MATRIX || !bits_mul(side, side, &size) || size > n - SLIT_MATRIX) return ERR_TRUNCATED;
  *problem = "it lacks a node of the SRAT";
  if (map->domain[map->node_count - 1] >= side) return ERR_NOT_FOUND; /* The largest: they ascend. */
  *problem = "a distance makes no sense";
  for (uint32_t i = 0; i < map->node_count; i++) {
    for (uint32_t j = 0; j < map->node_count; j++) {
      const uint8_t d = matrix[map->domain[i] * side + map->domain[j]];
      if (i == j ? d != NUMA_DISTANCE_OWN : d <= NUMA_DISTANCE_OWN) return ERR_CORRUPT;
    }
  }
  for (uint32_t i = 0; i < map->node_count; i++) {
    for (uint32_t j = 0; j < map->node_count; j++) map->distance[i][j] = matrix[map->domain[i] * side + map->domain[j]];
  }
  return OK;
}

/* --- the map made of them --------------------------------------------------------------------------------------------- */

void numa_clear(struct numa_map *m) {
  memset(m, 0, sizeof *m);
  m->node_count = 1;
  m->distance[0][0] = NUMA_DISTANCE_OWN;
}

uint32_t numa_node_of_apic(const struct numa_map *m, uint32_t apic) {
  const uint32_t at = place_of_apic(m, apic);
  return at < m->cpu_count && m->cpu[at].apic == apic ? m->cpu[at].node : 0;
}

uint32_t numa_node_at(const struct numa_map *m, uint64_t address, uint64_t *end) {
  for (uint32_t i = 0; i < m->range_count; i++) {
    const struct numa_range *r = &m->ranges[i];
    if (address >= r->end) continue;
    *end = address < r->start ? r->start : r->end;
    return address < r->start ? 0 : r->node;
  }
  *end = UINT64_MAX;
  return 0;
}

void numa_share(const struct numa_map *m, uint64_t start, uint64_t end, uint64_t bytes[static NUMA_NODES_MAX]) {
  for (uint64_t next; start < end; start = next) {
    const uint32_t node = numa_node_at(m, start, &next);
    next = bits_min(next, end);
    bytes[node] += next - start;
  }
}
