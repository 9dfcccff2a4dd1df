/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/cpu_area.h — the memory that a CPU needs for itself: pages at places that are known, and stacks.
 *
 * What has been made when memory runs out stays, and is found by the next call with the same arguments: nothing is taken
 * twice, and nothing that was taken is lost.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/nodes.h"
#include "mm/pagetable.h"

/** Maps a page of zeros there, unless one is.  OK; ERR_NO_MEMORY.  => boot, nobody else maps there. */
status_t cpu_area_page(struct nodes *n, struct pagetable *t, vaddr_t at);

struct cpu_area_stack {
  const char *name; /* Kept by pointer. */
  uint64_t size;    /* Bytes, whole pages. */
};
/**
 * Makes those of the stacks whose top is 0, behind a gap of so many pages that is left once, before the first.
 *   => boot; `tops` is all zeros before the first call.
 * OK; ERR_NO_MEMORY, or ERR_FULL (kspace_stack_create): the tops of those that are there have been written.
 */
status_t cpu_area_stacks(const struct cpu_area_stack *wanted, size_t count, uint64_t gap_pages, uint64_t *tops);
