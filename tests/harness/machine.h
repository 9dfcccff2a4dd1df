/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/machine.h — a struct nodes on the host, over any map and any layout of nodes, without the RAM.
 *
 * As hosted.h for one allocator: the record array is sparse.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "hosted.h"
#include "mm/check.h"
#include "mm/nodes.h"

struct machine {
  struct nodes *nodes;
  void *plan, *metadata, *records;
  uint64_t plan_size, metadata_size, records_size;
  status_t status; /* Of nodes_plan and nodes_create; nodes is NULL unless it is OK. */
};

/** Builds a machine; `layout` NULL is one node.  `regions` and the layout's tables stay the caller's. */
struct machine machine_create(const struct boot_region *regions, size_t count, const struct nodes_layout *layout,
                              const struct pmm_taken *taken, size_t taken_count);
void machine_destroy(struct machine *m);

/** Ends the program with a message unless mm_check_nodes is content and the ledger balances. */
void machine_must_be_sound(const struct machine *m, const char *when);
/** A number that changes when anything in the allocators of the nodes changes; calls counted apart. */
uint64_t machine_digest(const struct machine *m);
