/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/paging.c — the firmware's own page tables: takes the right to execute away; puts a fifth level on top.
 *
 * HOW      Large leaves on the way are split into 512 smaller ones with the same rights; then the wanted 4 KiB leaves get
 *          bit 63.  The firmware maps its tables read-only, so CR0.WP is off meanwhile.
 * SOURCE   SDM volume 3A: 4.5 (four-level paging), 4.6 (access rights).
 */
#include "loader/x86_64/jump.h"
#include "tests/firmware/shim.h"

#define PRESENT UINT64_C(1)
#define LARGE   (UINT64_C(1) << 7)
#define NX      (UINT64_C(1) << 63)
#define ADDRESS UINT64_C(0x000ffffffffff000)
#define PAT_4K  (UINT64_C(1) << 7)  /* Where the PAT bit stands in a 4 KiB leaf ... */
#define PAT_BIG (UINT64_C(1) << 12) /* ... and in larger ones. */
#define RIGHTS  UINT64_C(7)         /* Present, writable, user. */
#define PAT_MSR 0x277
#define CR0_WP  (UINT64_C(1) << 16)

static uint64_t *table_at(uint64_t entry) { return (uint64_t *)(uintptr_t)(entry & ADDRESS); }

/* Makes a table of 512 leaves out of one; `shift` is that of the new ones. */
static void split(uint64_t *entry, unsigned shift) {
  uint64_t *table = shim_pages(FRAME_SIZE);
  uint64_t step = UINT64_C(1) << shift;
  uint64_t base = *entry & ADDRESS & ~(512 * step - 1);
  uint64_t rights = *entry & ~ADDRESS;
  uint64_t pat = *entry & PAT_BIG;
  if (shift == 12) rights &= ~LARGE;
  if (pat) rights |= shift == 12 ? PAT_4K : PAT_BIG;
  for (unsigned i = 0; i < 512; i++) table[i] = (base + i * step) | rights;
  *entry = (uint64_t)(uintptr_t)table | (*entry & 0x7);
}

static void forbid_page(uint64_t address, uint64_t root, unsigned levels) {
  uint64_t *table = table_at(root);
  for (unsigned level = levels; level > 1; level--) {
    unsigned shift = 12 + 9 * (level - 1);
    uint64_t *entry = &table[address >> shift & 511];
    if (!(*entry & PRESENT)) return;
    if (*entry & LARGE) split(entry, shift - 9);
    table = table_at(*entry);
  }
  table[address >> 12 & 511] |= NX;
}

void paging_forbid_execution(uint64_t start, uint64_t size) {
  uint64_t cr0;
  uint64_t cr3;
  uint64_t cr4;
  __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
  __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
  __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
  __asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~CR0_WP) : "memory");
  for (uint64_t at = start & ~(FRAME_SIZE - 1); at < start + size; at += FRAME_SIZE) {
    forbid_page(at, cr3, cr4 & (1U << 12) ? 5 : 4);
  }
  __asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
  __asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
}

/* five.S */
void levels_five(void *page, void *top, struct jump_state *state);

static uint64_t read_pat(void) {
  uint32_t low;
  uint32_t high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(PAT_MSR));
  return (uint64_t)high << 32 | low;
}

void paging_add_level(void) {
  struct jump_state state = {0};
  uint64_t *root = shim_pages(FRAME_SIZE);
  uint64_t cr3;
  uint64_t cr4;
  uint64_t pat = read_pat();
  __asm__ volatile("mov %%cr3, %0" : "=r"(cr3));
  for (unsigned i = 0; i < 512; i++) root[i] = 0;
  root[0] = (cr3 & ADDRESS) | RIGHTS;
  state.root = (uint64_t)(uintptr_t)root;
  levels_five(shim_pages(FRAME_SIZE), shim_pages(FRAME_SIZE), &state);
  __asm__ volatile("wrmsr" : : "c"(PAT_MSR), "a"((uint32_t)pat), "d"((uint32_t)(pat >> 32)));
  __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
  print_line("cr4=0x%llx", (unsigned long long)cr4);
}
