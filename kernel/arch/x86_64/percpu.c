/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/percpu.c — the CPU's block moves from the image to its own window.
 *
 * The image's block serves until there is memory.  Then a page in the window PERCPU, whose base tells nothing about the
 * image's, takes its place; one unmapped page lies before it.
 */
#include "arch_impl/percpu.h"
#include "arch/boot.h"
#include "arch_impl/cpu.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "lib/string.h"

static_assert(sizeof(struct percpu) <= FRAME_SIZE);

/* Without a guard of its own: the guard moves under its feet, though with the same value. */
[[clang::no_stack_protector]] static void move_to(struct percpu *to) {
  *to = *percpu_this();
  to->self = to;
  msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)to);
  string_wipe(&percpu_boot, sizeof percpu_boot);
}

status_t arch_percpu_init(void) {
  pfn_t frame;
  const uint64_t at = layout_window(BOOT_WINDOW_PERCPU).start.raw + FRAME_SIZE;
  status_t s = nodes_alloc_frame(memory_nodes(), FRAME_OWNER_KERNEL, 0, &frame);
  if (s != OK) return s;
  const paddr_t memory = paddr_of_pfn(frame);
  s = pagetable_map(memory_tables(), vrange(at, at + FRAME_SIZE), memory, PAGE_WRITE | PAGE_GLOBAL);
  if (s != OK) return nodes_free_frame(memory_nodes(), FRAME_OWNER_KERNEL, frame) == OK ? s : ERR_CORRUPT;
  struct percpu *block = (struct percpu *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
  memset(block, 0, FRAME_SIZE);
  move_to(block);
  return OK;
}
