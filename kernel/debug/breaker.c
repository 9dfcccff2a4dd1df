/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/breaker.c — a check that cannot fail is a defect; this is how each is made to fail.
 *
 * mm breaks its own invariants.  W^X needs help from here: pagetable_map refuses such a page, so a good one is mapped and
 * its entry overwritten by hand.
 */
#include "kernel/breaker.h"

#include "arch/boot.h"
#include "arch/mmu.h"
#include "arch/tlb.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/dma.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

static void overwrite_leaf(vaddr_t address, uint32_t flags) {
  arch_pte_t *table = physmap_at(arch_mmu_root());
  unsigned level = arch_mmu_levels() - 1;
  while (!arch_pte_is_leaf(table[arch_mmu_index(address, level)], level)) {
    table = physmap_at(arch_pte_address(table[arch_mmu_index(address, level)], level));
    level--;
  }
  arch_pte_t *slot = &table[arch_mmu_index(address, level)];
  *(volatile arch_pte_t *)slot = arch_pte_leaf(arch_pte_address(*slot, level), flags, level);
  arch_tlb_flush_page(address);
  arch_tlb_flush_others();
}

static status_t break_wxorx(void) {
  pfn_t frame;
  void *mapped;
  status_t s = nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &frame);
  if (s == OK) s = kspace_map(paddr_of_pfn(frame), FRAME_SIZE, PAGE_WRITE, &mapped);
  if (s == OK) overwrite_leaf(vaddr((uint64_t)(uintptr_t)mapped), PAGE_WRITE | PAGE_EXECUTE | PAGE_GLOBAL);
  return s;
}

static status_t break_dma_mask(void) {
  dma_break_mask();
  return OK;
}

/* 600 frames, with parts of large leaves at both ends, that nobody will make write-back again. */
static status_t break_combining(void) {
  const struct dma_limits limits = {0};
  struct dma_device *d;
  struct dma_segment s;
  const status_t made = dma_device_create(memory_nodes(), "breaker", &limits, &d);
  return made == OK ? dma_alloc(d, 600 * FRAME_SIZE, DMA_WRITE_COMBINING, &s) : made;
}

static status_t break_it(const char *name) {
  if (strcmp(name, "wxorx") == 0) return break_wxorx();
  if (strcmp(name, "dma-mask") == 0) return break_dma_mask();
  if (strcmp(name, "combining") == 0) return break_combining();
  return mm_check_nodes_break(memory_nodes(), name);
}

status_t breaker_run(const char *name) {
  if (strcmp(name, "late-cpu") == 0) return OK; /* kernel/smp.c has seen to it, and nothing must fail for it. */
  const status_t s = break_it(name);
  if (s == OK) {
    klog(KLOG_WARN, "breaker", "break=%s: done; its test must fail now", name);
  } else {
    klog(KLOG_ERROR, "breaker", "break=%s: %s", name, status_name(s));
  }
  return s;
}
