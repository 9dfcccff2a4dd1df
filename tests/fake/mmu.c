/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fake/mmu.c — the state of the second MMU, and a TLB that only counts. */
#include "arch/mmu.h"
#include "arch/tlb.h"

struct fake_mmu fake_mmu = {.has_top_leaves = true};

void arch_tlb_flush_page(vaddr_t address) {
  (void)address;
  fake_mmu.page_flushes++;
}
void arch_tlb_flush_all(void) { fake_mmu.full_flushes++; }
void arch_tlb_flush_others(void) { fake_mmu.other_flushes++; }
