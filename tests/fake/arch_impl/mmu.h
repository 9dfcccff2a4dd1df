/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fake/arch_impl/mmu.h — a second MMU, hostile on purpose: three levels, and an entry that differs at each of them.
 *
 * Bits 0-2 hold level + 1 (0: not present), bit 3 says "leaf", the frame number begins at bit 4 + level, and the flags stand
 * at the top in an order that turns with the level.  An entry read at the wrong level is caught by an assertion.
 */
#pragma once

#include <stdint.h>

#include "arch/mmu.h"
#include "base/assert.h"

#define ARCH_MMU_INDEX_BITS 9
#define ARCH_MMU_LEVELS_MAX 3

/* What tests may change. */
struct fake_mmu {
  bool has_top_leaves; /* 1 GiB leaves. */
  uint64_t page_flushes, full_flushes, other_flushes;
};
extern struct fake_mmu fake_mmu;

static inline unsigned arch_mmu_levels(void) { return 3; }
static inline bool arch_mmu_has_leaf(unsigned level) { return level < 2 || fake_mmu.has_top_leaves; }

static inline uint64_t fake_turn(uint32_t flags, unsigned level) { /* Five bits, rotated by the level. */
  return ((uint64_t)flags << level | (uint64_t)flags >> (5 - level)) & 31;
}
static inline uint32_t fake_turn_back(uint64_t bits, unsigned level) {
  return (uint32_t)((bits >> level | bits << (5 - level)) & 31);
}

static inline bool arch_pte_present(arch_pte_t pte, unsigned level) {
  ASSERT(pte == 0 || (pte & 7) == level + 1);
  return pte != 0;
}
static inline bool arch_pte_is_leaf(arch_pte_t pte, unsigned level) {
  ASSERT((pte & 7) == level + 1);
  return (pte & 8) != 0;
}
static inline arch_pte_t arch_pte_leaf(paddr_t to, uint32_t flags, unsigned level) {
  ASSERT((to.raw & ((UINT64_C(1) << (FRAME_SHIFT + 9 * level)) - 1)) == 0);
  return fake_turn(flags, level) << 59 | (to.raw >> FRAME_SHIFT) << (4 + level) | 8 | (level + 1);
}
static inline arch_pte_t arch_pte_table(paddr_t table, unsigned level) {
  ASSERT(level > 0);
  return (table.raw >> FRAME_SHIFT) << (4 + level) | (level + 1);
}
static inline paddr_t arch_pte_address(arch_pte_t pte, unsigned level) {
  return paddr((pte << 5 >> 5 >> (4 + level)) << FRAME_SHIFT);
}
static inline uint32_t arch_pte_flags(arch_pte_t pte, unsigned level) { return fake_turn_back(pte >> 59, level); }
