/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch_impl/mmu.h — page table entries of x86_64 (SDM 3A 4.5, tables 4-14 to 4-20).
 *
 * The PAT bit stands at bit 7 in a 4 KiB leaf and at bit 12 in larger ones, where bit 7 says "leaf".  Cache types are
 * indices into the PAT that loader and kernel share (boot/pat.h): 0 write-back, 3 uncached, 5 write-combining.
 * Accessed and dirty are set in advance, so that the CPU never has to write to a table; dirty only where writes are allowed,
 * because read-only and dirty means "shadow stack" to CPUs with CET.
 */
#pragma once

#include <stdint.h>

#include "arch/mmu.h"

#define ARCH_MMU_INDEX_BITS 9
#define ARCH_MMU_LEVELS_MAX 5

#define PTE_PRESENT   (UINT64_C(1) << 0)
#define PTE_WRITE     (UINT64_C(1) << 1)
#define PTE_PWT       (UINT64_C(1) << 3)
#define PTE_PCD       (UINT64_C(1) << 4)
#define PTE_ACCESSED  (UINT64_C(1) << 5)
#define PTE_DIRTY     (UINT64_C(1) << 6)
#define PTE_LARGE     (UINT64_C(1) << 7)
#define PTE_PAT_4K    (UINT64_C(1) << 7)
#define PTE_GLOBAL    (UINT64_C(1) << 8)
#define PTE_PAT_LARGE (UINT64_C(1) << 12)
#define PTE_NX        (UINT64_C(1) << 63)
#define PTE_ADDRESS   UINT64_C(0x000ffffffffff000)

/* What this CPU offers, decided once by cpu.c from the feature table. */
struct mmu_features {
  unsigned levels;
  bool gib_leaves;
  bool global;
  bool nx;
};
extern struct mmu_features mmu_features;

static inline unsigned arch_mmu_levels(void) { return mmu_features.levels; }
static inline bool arch_mmu_has_leaf(unsigned level) { return level <= 1 || (level == 2 && mmu_features.gib_leaves); }

static inline uint64_t mmu_cache_bits(uint32_t flags, uint64_t pat_bit) {
  if (flags & PAGE_UNCACHED) return PTE_PCD | PTE_PWT;
  if (flags & PAGE_WRITE_COMBINING) return pat_bit | PTE_PWT;
  return 0;
}

static inline arch_pte_t arch_pte_leaf(paddr_t to, uint32_t flags, unsigned level) {
  uint64_t pte = to.raw | PTE_PRESENT | PTE_ACCESSED;
  if (flags & PAGE_WRITE) pte |= PTE_WRITE | PTE_DIRTY;
  if (!(flags & PAGE_EXECUTE) && mmu_features.nx) pte |= PTE_NX;
  if ((flags & PAGE_GLOBAL) && mmu_features.global) pte |= PTE_GLOBAL;
  if (level > 0) pte |= PTE_LARGE;
  return pte | mmu_cache_bits(flags, level > 0 ? PTE_PAT_LARGE : PTE_PAT_4K);
}

/* Rights are the leaf's business: tables allow everything to the kernel and nothing to users. */
static inline arch_pte_t arch_pte_table(paddr_t table, unsigned level) {
  (void)level;
  return table.raw | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED;
}

static inline bool arch_pte_present(arch_pte_t pte, unsigned level) {
  (void)level;
  return (pte & PTE_PRESENT) != 0;
}

static inline bool arch_pte_is_leaf(arch_pte_t pte, unsigned level) {
  return level == 0 || (level <= 2 && (pte & PTE_LARGE) != 0);
}

static inline paddr_t arch_pte_address(arch_pte_t pte, unsigned level) {
  if (!arch_pte_is_leaf(pte, level)) return paddr(pte & PTE_ADDRESS);
  return paddr(pte & PTE_ADDRESS & ~((UINT64_C(1) << (FRAME_SHIFT + ARCH_MMU_INDEX_BITS * level)) - 1));
}

static inline uint32_t arch_pte_flags(arch_pte_t pte, unsigned level) {
  uint32_t flags = 0;
  const uint64_t pat_bit = level > 0 ? PTE_PAT_LARGE : PTE_PAT_4K;
  if (pte & PTE_WRITE) flags |= PAGE_WRITE;
  if (!(pte & PTE_NX)) flags |= PAGE_EXECUTE;
  if (pte & PTE_GLOBAL) flags |= PAGE_GLOBAL;
  if (pte & PTE_PCD) return flags | PAGE_UNCACHED;
  if ((pte & pat_bit) && (pte & PTE_PWT)) return flags | PAGE_WRITE_COMBINING;
  return flags;
}
