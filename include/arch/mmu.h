/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/mmu.h — how an entry of a page table is written and read; the only thing mm/map knows about the MMU.
 *
 * A table is one frame of ARCH_MMU_ENTRIES entries of 64 bits.  Level 0 maps 4 KiB, each level above it ARCH_MMU_ENTRIES
 * times as much.  Tests have a second MMU behind the same names (tests/fake/arch_impl/mmu.h) whose bits lie elsewhere and
 * differ at each level.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"

/* What a mapping allows.  Reading is always allowed. */
#define PAGE_WRITE   UINT32_C(1)
#define PAGE_EXECUTE UINT32_C(2)
#define PAGE_GLOBAL  UINT32_C(4) /* Stays in the TLB over a change of address space. */
/* How memory behind it is cached; none of these: write-back. */
#define PAGE_WRITE_COMBINING UINT32_C(8)
#define PAGE_UNCACHED        UINT32_C(16)

typedef uint64_t arch_pte_t;

/*
 * Supplied by arch_impl/mmu.h as static inline functions:
 *   ARCH_MMU_INDEX_BITS, ARCH_MMU_LEVELS_MAX
 *   unsigned arch_mmu_levels(void)                      levels in use on this machine
 *   bool arch_mmu_has_leaf(unsigned level)              a leaf may stand at this level on this machine
 *   arch_pte_t arch_pte_leaf(paddr_t, uint32_t flags, unsigned level)   linear in the address: the next leaf's is as far on
 *   arch_pte_t arch_pte_table(paddr_t, unsigned level)  entry at `level` that points to a table of the level below
 *   bool arch_pte_present(arch_pte_t, unsigned level)
 *   bool arch_pte_is_leaf(arch_pte_t, unsigned level)   of a present entry
 *   paddr_t arch_pte_address(arch_pte_t, unsigned level)
 *   uint32_t arch_pte_flags(arch_pte_t, unsigned level) PAGE_* of a present entry
 */
#include "arch_impl/mmu.h"

#define ARCH_MMU_ENTRIES (1U << ARCH_MMU_INDEX_BITS)

static inline unsigned arch_mmu_shift(unsigned level) { return FRAME_SHIFT + ARCH_MMU_INDEX_BITS * level; }
static inline uint64_t arch_mmu_span(unsigned level) { return UINT64_C(1) << arch_mmu_shift(level); }
static inline unsigned arch_mmu_index(vaddr_t a, unsigned level) {
  return (unsigned)(a.raw >> arch_mmu_shift(level)) & (ARCH_MMU_ENTRIES - 1);
}
