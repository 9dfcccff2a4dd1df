/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/kspace.h — the kernel's own windows: device registers, and stacks between guard pages.
 *
 * Both windows are handed out from low to high and never taken back: what boots maps stays.  Between any two mappings lies
 * at least one page of nothing.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "base/status.h"
#include "mm/pagetable.h"

/* A source of frames for stacks. */
struct kspace_source {
  status_t (*take_run)(void *context, uint64_t frames, paddr_t *start);
  void *context;
};

/** => boot, once.  The windows are those of boot/layout.h. */
void kspace_init(struct pagetable *table, vrange_t devices, vrange_t stacks, struct kspace_source source);

/** From now on stacks get their frames elsewhere. */
void kspace_set_source(struct kspace_source source);

/**
 * Maps device registers (or firmware memory outside the direct map) into the device window.
 *
 * `start` and `size` need no alignment; *out points at `start`.  flags: PAGE_WRITE, PAGE_UNCACHED, PAGE_WRITE_COMBINING.
 * Returns OK, ERR_INVALID (size 0, wrapping, PAGE_EXECUTE), ERR_NO_MEMORY (tables, or the window is used up).
 */
status_t kspace_map(paddr_t start, uint64_t size, uint32_t flags, void **out);

#define KSPACE_STACKS_MAX 32
/* A stack: [low, high) is mapped, the page below and the page above are not. */
struct kspace_stack {
  const char *name; /* "boot stack". */
  vaddr_t low, high;
};
/** Makes a stack of `size` bytes (whole pages).  ERR_NO_MEMORY, ERR_FULL (no room in the list), ERR_UNALIGNED. */
status_t kspace_stack_create(const char *name, uint64_t size, struct kspace_stack *out);
/** Leaves so many pages free before the next stack, so that where it lies is not known from the last one.  ERR_NO_MEMORY:
 * the window is not that large. */
status_t kspace_stack_gap(uint64_t pages);
/** Room for `count` stacks more than KSPACE_STACKS_MAX; the array is kspace's from now on.  => once. */
void kspace_stacks_room(struct kspace_stack *list, size_t count);
/** Enters a stack that exists already (the boot stack).  ERR_FULL. */
status_t kspace_stack_adopt(const char *name, vaddr_t low, uint64_t size);
/** The stack that an address or the guard page next to it belongs to; false when there is none.  => any context. */
bool kspace_stack_find(vaddr_t address, struct kspace_stack *out);
