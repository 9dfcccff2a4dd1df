/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/numa.h — which memory lies near which CPUs: the firmware's SRAT and SLIT, made plain.
 *
 * Nodes are numbered densely from 0, in the order of the firmware's proximity domains.  Ranges are sorted, disjoint, of
 * whole frames and maximal.  Memory that no range names belongs to node 0, so that every address has a node on every
 * machine.
 */
#pragma once

#include <stdint.h>

/* 8 sockets, each cut in 4; a node of a PC has two ranges at most, for memory has two holes: below 1 MiB and below 4 GiB. */
#define NUMA_NODES_MAX  32
#define NUMA_RANGES_MAX 64
#define NUMA_CPUS_MAX   512 /* Twice as many as the allocator has slots for; CPUs beyond are counted and have no place. */

/* Relative latencies (ACPI 6.5 5.2.17): 10 is a node's own memory; 20 is what is assumed of any other. */
#define NUMA_DISTANCE_OWN   10
#define NUMA_DISTANCE_OTHER 20

#define NUMA_RANGE_HOT_PLUG     (UINT32_C(1) << 1) /* Memory may come and go here: it need not be there now. */
#define NUMA_RANGE_NON_VOLATILE (UINT32_C(1) << 2)

struct numa_range {
  uint64_t start; /* Physical, bytes, multiple of 4 KiB. */
  uint64_t end;   /* Not included. */
  uint32_t node;
  uint32_t flags; /* NUMA_RANGE_*. */
};

/* Where a CPU is. */
struct numa_cpu {
  uint32_t apic; /* Local APIC id, x2APIC's width. */
  uint32_t node;
};

struct numa_map {
  uint32_t node_count; /* At least 1. */
  uint32_t range_count;
  uint32_t domain[NUMA_NODES_MAX]; /* The firmware's number of each node, ascending. */
  uint32_t cpus[NUMA_NODES_MAX];   /* Enabled ones. */
  uint32_t cpu_count;              /* Of those, the ones in `cpu`. */
  struct numa_range ranges[NUMA_RANGES_MAX];
  struct numa_cpu cpu[NUMA_CPUS_MAX];               /* Ascending. */
  uint8_t distance[NUMA_NODES_MAX][NUMA_NODES_MAX]; /* From the first to the second; need not be the same back. */
};

/** The map of a machine with one node, which has all memory.  => pure. */
void numa_clear(struct numa_map *m);
/** Node of a physical address; *end is where the stretch that this is true of ends, UINT64_MAX when it does not.  => pure.
 */
uint32_t numa_node_at(const struct numa_map *m, uint64_t address, uint64_t *end);
/** Node of a CPU by its local APIC id; 0 when the tables do not name it.  => pure. */
uint32_t numa_node_of_apic(const struct numa_map *m, uint32_t apic);
/** Adds to bytes[node] what each node has of [start, end).  => pure. */
void numa_share(const struct numa_map *m, uint64_t start, uint64_t end, uint64_t bytes[static NUMA_NODES_MAX]);
