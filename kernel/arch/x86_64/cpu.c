/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/cpu.c — what this CPU can do: one table, read once, obeyed everywhere.
 *
 * WHAT   Each row names a CPUID bit and, where there is one, the control bit that switches it on.  `cpu` prints the table,
 *        nofeat= takes rows away, and nothing else in the kernel asks CPUID for a feature.
 * HOW    arch_cpu_init reads all rows, then writes CR0, CR4, EFER and PAT once.  Taking a row away that the first page
 *        tables already use needs work of its own: `nx` (the bit is reserved without EFER.NXE, so every entry must lose it
 *        first) and `pdpe1gb` (large leaves are split by memory.c).
 * SOURCE SDM 2A CPUID; AMD APM 3 appendix E; SDM 3A 4.1.4, 11.12 (PAT).
 */
#include "arch/cpu.h"

#include "arch/boot.h"
#include "arch/mmu.h"
#include "arch/tlb.h"
#include "arch_impl/cpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "boot/pat.h"
#include "kernel/klog.h"
#include "kernel/options.h"
#include "kernel/smp.h"
#include "lib/string.h"
#include "mm/physmap.h"

#define PAT_AT_RESET UINT64_C(0x0007040600070406)

enum cpu_register { REG_EAX, REG_EBX, REG_ECX, REG_EDX };
enum cpu_feature_id {
#define FEATURE_ID(id, name, what, leaf, reg, bit) FEATURE_##id,
#include "arch_impl/features.def"
#undef FEATURE_ID
  FEATURE_COUNT
};

static const struct {
  const char *name, *what;
  uint32_t leaf;
  uint8_t reg, bit;
} table[FEATURE_COUNT] = {
#define FEATURE_ID(id, name, what, leaf, reg, bit) [FEATURE_##id] = {name, what, leaf, REG_##reg, bit},
#include "arch_impl/features.def"
#undef FEATURE_ID
};

RO_AFTER_INIT static bool present[FEATURE_COUNT];
RO_AFTER_INIT static bool forced_off[FEATURE_COUNT];
RO_AFTER_INIT static bool used[FEATURE_COUNT];
RO_AFTER_INIT static char name[49];
RO_AFTER_INIT static unsigned physical_bits;
RO_AFTER_INIT static uint64_t cr4_of_all; /* What each CPU has in CR4. */
RO_AFTER_INIT static uint64_t cache_line;
RO_AFTER_INIT struct mmu_features mmu_features;

static bool has(enum cpu_feature_id id) { return present[id] && !forced_off[id]; }

static bool leaf_exists(uint32_t leaf) {
  const uint32_t first = leaf & 0x80000000U;
  return cpuid_read(first, 0).eax >= leaf;
}

static bool read_bit(enum cpu_feature_id id) {
  if (!leaf_exists(table[id].leaf)) return false;
  const struct cpuid r = cpuid_read(table[id].leaf, 0);
  const uint32_t words[] = {r.eax, r.ebx, r.ecx, r.edx};
  return (words[table[id].reg] >> table[id].bit & 1) != 0;
}

static void read_name(void) {
  if (!leaf_exists(0x80000004U)) {
    memcpy(name, "unnamed x86_64 CPU", sizeof "unnamed x86_64 CPU");
    return;
  }
  for (uint32_t i = 0; i < 3; i++) {
    const struct cpuid r = cpuid_read(0x80000002U + i, 0);
    memcpy(name + (size_t)16 * i, &r, 16);
  }
  size_t blanks = 0; /* Intel pads the name on the left. */
  while (name[blanks] == ' ') blanks++;
  memmove(name, name + blanks, sizeof name - blanks);
}

void cpu_early(void) {
  for (unsigned i = 0; i < FEATURE_COUNT; i++) present[i] = read_bit((enum cpu_feature_id)i);
  read_name();
  physical_bits = leaf_exists(0x80000008U) ? cpuid_read(0x80000008U, 0).eax & 0xff : 36;
  mmu_features = (struct mmu_features){
      .levels = cr4_read() & CR4_LA57 ? 5 : 4,
      .gib_leaves = present[FEATURE_PDPE1GB],
      .global = present[FEATURE_PGE],
      .nx = (msr_read(MSR_EFER) & EFER_NXE) != 0,
  };
}

/* --- nofeat= ---------------------------------------------------------------------------------------------------------- */

static bool is_x2apic_on(void) {
  const uint64_t both = APIC_BASE_ENABLED | APIC_BASE_X2APIC;
  return present[FEATURE_X2APIC] && (msr_read(MSR_APIC_BASE) & both) == both;
}

/* What cannot be done without any more, and why; NULL for the rest. */
static const char *keeps_feature(enum cpu_feature_id id) {
  if (id == FEATURE_LA57) return "comes too late here: paging=4 tells the loader";
  if (id == FEATURE_TSC) return "is not possible: the clock stands on it";
  if (id == FEATURE_X2APIC && is_x2apic_on()) return "is not possible: the firmware has left it on";
  return NULL;
}

static void drop(const char *word, size_t n) {
  for (unsigned i = 0; i < FEATURE_COUNT; i++) {
    if (!string_equals(word, n, table[i].name)) continue;
    const char *why = keeps_feature((enum cpu_feature_id)i);
    if (why) klog(KLOG_WARN, "cpu", "nofeat=%s %s", table[i].name, why);
    forced_off[i] = why == NULL;
    return;
  }
  klog(KLOG_WARN, "cpu", "nofeat=%.*s: no such feature", (int)n, word);
}

static void drop_all(const char *list) {
  const char *word;
  size_t n;
  while (options_next_item(&list, &word, &n)) drop(word, n);
}

/* Clears the no-execute bit in every entry of the kernel's half, table by table, before the CPU stops knowing it. */
static void clear_nx(paddr_t table_address, unsigned level, unsigned first) {
  uint64_t *entry = physmap_at(table_address);
  for (unsigned i = first; i < ARCH_MMU_ENTRIES; i++) {
    if (!arch_pte_present(entry[i], level)) continue;
    entry[i] &= ~PTE_NX;
    if (!arch_pte_is_leaf(entry[i], level)) clear_nx(arch_pte_address(entry[i], level), level - 1, 0);
  }
}

/* --- switching on ----------------------------------------------------------------------------------------------------- */

static void set_nx(void) {
  if (!has(FEATURE_NX) && mmu_features.nx) {
    clear_nx(arch_mmu_root(), mmu_features.levels - 1, 256);
    msr_write(MSR_EFER, msr_read(MSR_EFER) & ~(uint64_t)EFER_NXE);
    mmu_features.nx = false;
    arch_tlb_flush_all();
  }
  used[FEATURE_NX] = mmu_features.nx;
}

static void set_cr0(void) {
  uint64_t cr0 = (cr0_read() | CR0_WP | CR0_MP) & ~CR0_EM;
  if (forced_off[FEATURE_WP]) cr0 &= ~CR0_WP;
  cr0_write(cr0);
  used[FEATURE_WP] = !forced_off[FEATURE_WP];
}

static void set_cr4(void) {
  static const struct {
    enum cpu_feature_id id;
    uint64_t bit;
  } bits[] = {
      {FEATURE_PGE, CR4_PGE},   {FEATURE_SMEP, CR4_SMEP}, {FEATURE_SMAP, CR4_SMAP},
      {FEATURE_UMIP, CR4_UMIP}, {FEATURE_MCE, CR4_MCE},
  };
  /* SSE stays on for the firmware's code, which may use it; the kernel itself is compiled without.  Where the firmware has
   * left virtualisation on (VMXON, SENTER), taking its bit away is a fault (SDM 3C 24.8): the loader keeps it too. */
  uint64_t cr4 = cr4_read() & (CR4_LA57 | CR4_VMXE | CR4_SMXE);
  cr4 |= CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
  for (size_t i = 0; i < ARRAY_COUNT(bits); i++) {
    used[bits[i].id] = has(bits[i].id);
    if (used[bits[i].id]) cr4 |= bits[i].bit;
  }
  cr4_write(cr4);
  cr4_of_all = cr4 & ~(CR4_VMXE | CR4_SMXE);
  mmu_features.global = used[FEATURE_PGE];
}

/* The cache must not hold lines of two types (SDM 3A 11.12.4): flush around the change; the loader set the same value. */
static void load_pat(void) {
  if (!present[FEATURE_PAT]) return;
  const uint64_t want = has(FEATURE_PAT) ? BOOT_PAT_VALUE : PAT_AT_RESET;
  if (msr_read(MSR_PAT) == want) return;
  __asm__ volatile("wbinvd" : : : "memory");
  msr_write(MSR_PAT, want);
  __asm__ volatile("wbinvd" : : : "memory");
  arch_tlb_flush_all();
}

/* CPUID 1, EBX bits 8 to 15: eights of bytes. */
static void set_cache_line(void) {
  used[FEATURE_CLFLUSH] = has(FEATURE_CLFLUSH);
  used[FEATURE_CLFLUSHOPT] = has(FEATURE_CLFLUSHOPT) && used[FEATURE_CLFLUSH];
  if (used[FEATURE_CLFLUSH]) cache_line = (uint64_t)(cpuid_read(1, 0).ebx >> 8 & 0xff) * 8;
}

void arch_cpu_init(const char *nofeat) {
  drop_all(nofeat);
  set_nx();
  set_cr0();
  set_cr4();
  load_pat();
  used[FEATURE_PAT] = has(FEATURE_PAT);
  mmu_features.gib_leaves = has(FEATURE_PDPE1GB);
  used[FEATURE_PDPE1GB] = mmu_features.gib_leaves;
  used[FEATURE_LA57] = mmu_features.levels == 5;
  used[FEATURE_TSC] = has(FEATURE_TSC);
  used[FEATURE_APIC] = has(FEATURE_APIC);
  used[FEATURE_ERMS] = has(FEATURE_ERMS);
  set_cache_line();
  used[FEATURE_X2APIC] = has(FEATURE_APIC) && is_x2apic_on();
  used[FEATURE_TSC_INVARIANT] = has(FEATURE_TSC_INVARIANT);
}

/* CR0 and EFER are as the trampoline has set them: as CPU 0's. */
const char *cpu_join(void) {
  for (unsigned i = 0; i < FEATURE_COUNT; i++) {
    if (used[i] && !read_bit((enum cpu_feature_id)i)) return table[i].name;
  }
  cr4_write(cr4_of_all);
  load_pat();
  arch_tlb_flush_all();
  return NULL;
}

bool cpu_has_apic(void) { return has(FEATURE_APIC); }
bool cpu_fills_bytes(void) { return used[FEATURE_ERMS]; }
bool cpu_flushes_fast(void) { return used[FEATURE_CLFLUSHOPT]; }
uint64_t cpu_cache_line(void) { return cache_line; }

/* --- asking ----------------------------------------------------------------------------------------------------------- */

size_t arch_cpu_feature_count(void) { return FEATURE_COUNT; }
struct cpu_feature arch_cpu_feature(size_t i) {
  return (struct cpu_feature){table[i].name, table[i].what, present[i], forced_off[i], used[i]};
}
const char *arch_cpu_name(void) { return name; }
unsigned arch_cpu_physical_bits(void) { return physical_bits; }
unsigned arch_cpu_paging_levels(void) { return mmu_features.levels; }
uint64_t arch_cpu_timestamp(void) { return tsc_read(); }

paddr_t arch_mmu_root(void) { return paddr(cr3_read() & PTE_ADDRESS); }
void arch_mmu_use_root(paddr_t root) { cr3_write(root.raw); }
void arch_mmu_kernel_slots(unsigned *first, unsigned *end) {
  *first = 256;
  *end = 512;
}
bool arch_mmu_keeps(enum arch_mmu_promise promise) {
  static const enum cpu_feature_id needs[] = {
      [ARCH_MMU_NO_EXECUTE] = FEATURE_NX,
      [ARCH_MMU_WRITE_COMBINING] = FEATURE_PAT,
      [ARCH_MMU_WRITE_PROTECT] = FEATURE_WP,
      [ARCH_MMU_GLOBAL] = FEATURE_PGE,
  };
  return used[needs[promise]];
}

bool arch_irq_save(void) {
  uint64_t flags;
  __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags) : : "memory");
  return (flags & RFLAGS_IF) != 0;
}
void arch_irq_restore(bool were_on) {
  if (were_on) arch_irq_enable();
}
void arch_irq_enable(void) { __asm__ volatile("sti" : : : "memory"); }

/* What the last lines of the screen wait for in a write-combining buffer goes out first. */
[[noreturn]] void arch_cpu_stop(void) {
  __asm__ volatile("mfence" : : : "memory");
  for (;;) __asm__ volatile("cli; hlt");
}

void arch_cpu_relax(void) { cpu_pause(); }

/* A fault without an interrupt table is a shutdown, which PC boards turn into a reset (SDM 3A 6.15, double fault). */
void arch_cpu_reset(void) {
  const struct {
    uint64_t words[2];
  } nothing = {0};
  __asm__ volatile("cli; lidt %0; int3" : : "m"(nothing));
}

/* --- translations ----------------------------------------------------------------------------------------------------- */

void arch_tlb_flush_others(void) { smp_flush_others(); }
void arch_tlb_flush_page(vaddr_t address) { tlb_invalidate(address.raw); }
void arch_tlb_flush_all(void) {
  const uint64_t cr4 = cr4_read();
  if (cr4 & CR4_PGE) { /* A write that changes PGE drops global entries too (SDM 3A 4.10.4.1). */
    cr4_write(cr4 & ~CR4_PGE);
    cr4_write(cr4);
  } else {
    cr3_write(cr3_read());
  }
}
