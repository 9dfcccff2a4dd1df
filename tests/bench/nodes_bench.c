/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/nodes_bench.c — what the door in front of the nodes' allocators adds to a hot pair (measure.h explains).
 *
 * The first row is the allocator alone; the others do the same by way of mm/nodes.h, on 16 GiB in one node and in four.  The
 * difference is the price of nodes.  `make bench-nodes`; CAIRN_ROUNDS=31 for more rounds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "machine.h"
#include "measure.h"

#define OWNER   FRAME_OWNER_KERNEL
#define HOT_OPS 200000

static void must(bool ok) {
  if (ok) return;
  fprintf(stderr, "nodes_bench: something was refused\n");
  exit(1);
}

static void round_alone(struct worker *w) {
  struct pmm *p = nodes_pmm(((struct machine *)w->context)->nodes, 0);
  pfn_t f;
  measure_begin(w);
  for (unsigned i = 0; i < HOT_OPS; i++) must(pmm_alloc_frame(p, OWNER, 0, &f) == OK && pmm_free_frame(p, OWNER, f) == OK);
  measure_end(w, 0, HOT_OPS);
}

static void round_door(struct worker *w) {
  struct nodes *n = ((struct machine *)w->context)->nodes;
  pfn_t f;
  measure_begin(w);
  for (unsigned i = 0; i < HOT_OPS; i++)
    must(nodes_alloc_frame(n, OWNER, 0, &f) == OK && nodes_free_frame(n, OWNER, f) == OK);
  measure_end(w, 0, HOT_OPS);
}

static void round_exact(struct worker *w) {
  struct nodes *n = ((struct machine *)w->context)->nodes;
  pfn_t f;
  measure_begin(w);
  for (unsigned i = 0; i < HOT_OPS; i++)
    must(nodes_alloc_frame(n, OWNER, NODE(2) | NODE_EXACT, &f) == OK && nodes_free_frame(n, OWNER, f) == OK);
  measure_end(w, 0, HOT_OPS);
}

static void row(struct machine *m, const char *what, void (*round)(struct worker *w)) {
  struct measured out[MEASURE_FIGURES];
  for (unsigned threads = 1; threads <= MEASURE_THREADS; threads++) {
    measure_run(threads, round, m, out);
    measure_print_row(what, threads, &out[0], threads == 1 ? 1.0 : 0);
  }
}

int main(void) {
  static const struct boot_region map[] = {{4 * GIB, 20 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  static const struct nodes_range ranges[] = {{4 * GIB / FRAME_SIZE, 8 * GIB / FRAME_SIZE, 0},
                                              {8 * GIB / FRAME_SIZE, 12 * GIB / FRAME_SIZE, 1},
                                              {12 * GIB / FRAME_SIZE, 16 * GIB / FRAME_SIZE, 2},
                                              {16 * GIB / FRAME_SIZE, 20 * GIB / FRAME_SIZE, 3}};
  const struct nodes_layout four = {4, ranges, ARRAY_COUNT(ranges), NULL, 0};
  struct machine one_node = machine_create(map, 1, NULL, NULL, 0);
  struct machine four_nodes = machine_create(map, 1, &four, NULL, 0);
  must(one_node.status == OK && four_nodes.status == OK);
  measure_print_heading("4 KiB frame, alloc + free, hot, 16 GiB");
  row(&one_node, "the allocator alone", round_alone);
  row(&one_node, "one node", round_door);
  row(&four_nodes, "four nodes, at home", round_door);
  row(&four_nodes, "four nodes, one of them exactly", round_exact);
  machine_must_be_sound(&one_node, "after all rows");
  machine_must_be_sound(&four_nodes, "after all rows");
  machine_destroy(&one_node);
  machine_destroy(&four_nodes);
  return 0;
}
