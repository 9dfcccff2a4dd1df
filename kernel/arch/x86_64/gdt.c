/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/gdt.c — segments and the task state segment: what is left of them in 64-bit mode.
 *
 * Three descriptors: code, data, TSS (SDM 3A 3.4.5, 8.2.3).  The accessed bits are set in advance, so that the CPU never
 * writes to the table; the TSS holds nothing but the stacks of the interrupt stack table.  Each CPU has its own pair,
 * because the TSS is marked busy by the one that uses it; once loaded nothing writes to it any more, and it becomes
 * read-only.
 */
#include "arch_impl/trap.h"
#include "base/compiler.h"

#define GDT_CODE UINT64_C(0x00af9b000000ffff) /* Present, ring 0, execute/read, accessed, 64-bit. */
#define GDT_DATA UINT64_C(0x00cf93000000ffff) /* Present, ring 0, read/write, accessed. */

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS  0x18

struct [[gnu::packed]] tss {
  uint32_t reserved0;
  uint64_t rsp[3];
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3;
  uint16_t io_map; /* At or behind the limit: no map, so no port is open to ring 3. */
};
static_assert(sizeof(struct tss) == 104);

/* What LGDT and LTR of one CPU point at. */
struct tables {
  uint64_t gdt[5];
  struct tss tss;
};

RO_AFTER_INIT static struct tables boot_cpu;

void gdt_reload(uint64_t code, uint64_t data, uint64_t tss_selector); /* entry.S */

static void fill(struct tables *t) {
  const uint64_t base = (uint64_t)(uintptr_t)&t->tss;
  const uint64_t limit = sizeof t->tss - 1;
  t->tss.io_map = sizeof t->tss;
  t->gdt[1] = GDT_CODE;
  t->gdt[2] = GDT_DATA;
  t->gdt[3] = limit | (base & 0xffffff) << 16 | UINT64_C(0x89) << 40 | (base >> 24 & 0xff) << 56;
  t->gdt[4] = base >> 32;
}

void gdt_use(const void *page) {
  const struct tables *t = page;
  const struct table_register gdtr = {.limit = sizeof t->gdt - 1, .base = (uint64_t)(uintptr_t)t->gdt};
  __asm__ volatile("lgdt %0" : : "m"(gdtr.limit), "m"(gdtr));
  gdt_reload(SELECTOR_CODE, SELECTOR_DATA, SELECTOR_TSS);
}

void gdt_init(void) {
  fill(&boot_cpu);
  gdt_use(&boot_cpu);
}

void gdt_set_ist(unsigned index, uint64_t top) { boot_cpu.tss.ist[index - 1] = top; }

void gdt_make(void *page, const uint64_t tops[static 3]) {
  struct tables *t = page;
  *t = (struct tables){0};
  fill(t);
  for (unsigned i = 0; i < 3; i++) t->tss.ist[i] = tops[i];
}
