/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/cpu_area.c — the memory that a CPU needs for itself, step by step.
 *
 * WHY NOT  give everything back when a step fails: stacks lie one behind the other in a window that only grows.  Each step
 *        leaves nothing half done, and the next call goes on behind the last one that succeeded.
 */
#include "kernel/cpu_area.h"

#include "base/assert.h"
#include "mm/kspace.h"

status_t cpu_area_page(struct nodes *n, struct pagetable *t, vaddr_t at) {
  struct pagetable_leaf leaf;
  pfn_t frame;
  if (pagetable_find(t, at, &leaf) == OK) return OK;
  status_t s = nodes_alloc_frame(n, FRAME_OWNER_KERNEL, NODE_ZEROED, &frame);
  if (s != OK) return s;
  s = pagetable_map(t, vrange(at.raw, at.raw + FRAME_SIZE), paddr_of_pfn(frame), PAGE_WRITE | PAGE_GLOBAL);
  if (s == OK) return OK;
  const status_t back = nodes_free_frame(n, FRAME_OWNER_KERNEL, frame);
  CHECK(back == OK);
  return s;
}

status_t cpu_area_stacks(const struct cpu_area_stack *wanted, size_t count, uint64_t gap_pages, uint64_t *tops) {
  status_t s = OK;
  for (size_t i = 0; s == OK && i < count; i++) {
    struct kspace_stack stack;
    if (tops[i] != 0) continue;
    if (i == 0) s = kspace_stack_gap(gap_pages);
    if (s == OK) s = kspace_stack_create(wanted[i].name, wanted[i].size, &stack);
    if (s == OK) tops[i] = stack.high.raw;
  }
  return s;
}
