/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/smp.c — wakes other CPUs: INIT, then STARTUP, into the trampoline.
 *
 * WHAT   CPU 0 offers one block at a time in the startup words (arch_impl/startup.h) and sends STARTUP; the CPU that is
 * meant takes the offer by one compare-and-swap, reads the words, says so, and goes on alone.  An offer that nobody takes is
 *        withdrawn by the same word, so that a CPU that wakes later finds nothing and sleeps: what was offered to it can be
 *        offered to the next.
 * HOW    A CPU cannot go from no paging to the kernel's tables: its next instruction would not be mapped, for the kernel's
 *        lower half is empty and stays so.  So there is a second root, below 4 GiB because CR3 has 32 bits where it is
 * loaded first.  Its upper half is the kernel's; in its lower half there are two pages, one to one: the trampoline, which
 *        can be executed and not written, and the startup words, which can be written and not executed.  The trampoline's
 *        place in the direct map is read-only as long as it can be executed.  The CPU leaves that root with the first
 *        instruction of the kernel's, and when all have come it is freed.
 * LOCKING  CPU 0 alone, during boot.
 * WHY NOT  a page mapped for a while in the kernel's own lower half: "empty" is simpler to keep than "empty but for now",
 * and the walk of the kernel's tables needs no exception. SOURCE SDM 3A 8.4.4 (INIT and STARTUP), 9.8.5 (to 64-bit
 * mode), 4.1.2.
 */
#include "arch/smp.h"

#include "arch/boot.h"
#include "arch/mmu.h"
#include "arch_impl/cpu.h"
#include "arch_impl/percpu.h"
#include "arch_impl/startup.h"
#include "arch_impl/trap.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/memory.h"
#include "lib/string.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

/* The root; below it, with five levels, one more; one; then for two pages far apart two, and two. */
#define POOL_WORDS  0
#define POOL_ROOT   1
#define POOL_TABLES 2
#define POOL_FRAMES (POOL_TABLES + 6)
#define REACH       (UINT64_C(4) * GIB)

struct startup {
  uint32_t hardware, state, cr0, cr3, cr4, efer;
  uint64_t stack, block, entry, root;
};
static_assert(offsetof(struct startup, hardware) == STARTUP_HARDWARE && offsetof(struct startup, state) == STARTUP_STATE);
static_assert(offsetof(struct startup, cr0) == STARTUP_CR0 && offsetof(struct startup, cr3) == STARTUP_CR3);
static_assert(offsetof(struct startup, cr4) == STARTUP_CR4 && offsetof(struct startup, efer) == STARTUP_EFER);
static_assert(offsetof(struct startup, stack) == STARTUP_STACK && offsetof(struct startup, block) == STARTUP_BLOCK);
static_assert(offsetof(struct startup, entry) == STARTUP_ENTRY && offsetof(struct startup, root) == STARTUP_ROOT);

extern const char trampoline_start[], trampoline_end[], trampoline_code32[], trampoline_code64[];
extern const char trampoline_gdtr[], trampoline_far32[], trampoline_far64[], trampoline_words[];
void entry_other(void); /* entry.S */

static struct {
  paddr_t trampoline;
  pfn_t pool;
  unsigned taken; /* Frames of the pool. */
  struct startup *words;
} now;

status_t arch_smp_self(uint32_t *hardware) {
  if (!apic_is_on()) return ERR_UNSUPPORTED;
  *hardware = apic_self();
  return OK;
}

static paddr_t pool_frame(unsigned index) { return paddr_of_pfn(pfn(now.pool.raw + index)); }

static status_t take_table(void *context, paddr_t *frame) {
  (void)context;
  if (now.taken == POOL_FRAMES) return ERR_NO_MEMORY;
  *frame = pool_frame(now.taken++);
  return OK;
}

static vrange_t one_to_one(paddr_t page) { return vrange(page.raw, page.raw + FRAME_SIZE); }

static status_t build_tables(void) {
  struct pagetable t;
  const uint64_t *kernel = physmap_at(arch_mmu_root());
  uint64_t *root = physmap_at(pool_frame(POOL_ROOT));
  unsigned first;
  unsigned end;
  arch_mmu_kernel_slots(&first, &end);
  for (unsigned i = first; i < end; i++) root[i] = kernel[i];
  now.taken = POOL_TABLES;
  pagetable_init(&t, pool_frame(POOL_ROOT), (struct pagetable_source){take_table, nullptr, nullptr});
  const paddr_t words = pool_frame(POOL_WORDS);
  const status_t s = pagetable_map(&t, one_to_one(now.trampoline), now.trampoline, PAGE_EXECUTE);
  return s == OK ? pagetable_map(&t, one_to_one(words), words, PAGE_WRITE) : s;
}

/* Adds the page's place to the 32-bit offset that stands at `where`. */
static void relocate(uint8_t *page, const char *where) {
  uint8_t *at = page + (where - trampoline_start);
  uint32_t value;
  memcpy(&value, at, sizeof value);
  value += (uint32_t)now.trampoline.raw;
  memcpy(at, &value, sizeof value);
}

static status_t protect_alias(uint32_t flags) {
  const uint64_t at = (uint64_t)(uintptr_t)physmap_at(now.trampoline);
  return pagetable_protect(memory_tables(), vrange(at, at + FRAME_SIZE), flags | PAGE_GLOBAL);
}

static status_t write_code(void) {
  uint8_t *page = physmap_at(now.trampoline);
  const uint32_t words = (uint32_t)pool_frame(POOL_WORDS).raw;
  memcpy(page, trampoline_start, (size_t)(trampoline_end - trampoline_start));
  relocate(page, trampoline_gdtr + 2);
  relocate(page, trampoline_far32);
  relocate(page, trampoline_far64);
  memcpy(page + (trampoline_words - trampoline_start), &words, sizeof words);
  return protect_alias(0);
}

static void write_words(void) {
  now.words = physmap_at(pool_frame(POOL_WORDS));
  *now.words = (struct startup){
      .cr0 = (uint32_t)cr0_read(),
      .cr3 = (uint32_t)pool_frame(POOL_ROOT).raw,
      .cr4 = (uint32_t)(CR4_PAE | (cr4_read() & CR4_LA57)),
      .efer = EFER_LME | (mmu_features.nx ? EFER_NXE : 0),
      .entry = (uint64_t)(uintptr_t)entry_other,
      .root = arch_mmu_root().raw,
  };
}

static status_t free_pool(void) { return nodes_free_run(memory_nodes(), FRAME_OWNER_PAGE_TABLES, now.pool, POOL_FRAMES); }

/* The kernel's list of stacks has room for those of one CPU. */
static status_t make_room(unsigned cpus) {
  pfn_t list;
  const uint64_t size = (uint64_t)cpus * PERCPU_STACKS * sizeof(struct kspace_stack);
  const status_t s =
      nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, bits_align_up(size, FRAME_SIZE) / FRAME_SIZE, nullptr, &list);
  if (s == OK) kspace_stacks_room(physmap_at(paddr_of_pfn(list)), (size_t)cpus * PERCPU_STACKS);
  return s;
}

status_t arch_smp_begin(paddr_t trampoline, unsigned cpus) {
  const struct frame_limits below = {.max = REACH / FRAME_SIZE, .align = 1};
  if (trampoline.raw == 0) return ERR_NOT_FOUND;
  now.trampoline = trampoline;
  status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_PAGE_TABLES, 0, POOL_FRAMES, &below, &now.pool);
  if (s != OK) return s;
  memset(physmap_at(pool_frame(0)), 0, POOL_FRAMES * FRAME_SIZE);
  s = build_tables();
  if (s == OK) s = write_code();
  if (s == OK) s = make_room(cpus);
  if (s != OK) return free_pool() == OK ? s : ERR_CORRUPT;
  write_words();
  return OK;
}

void arch_smp_reset(uint32_t hardware) { apic_send(hardware, APIC_COMMAND_INIT); }
void arch_smp_wake(uint32_t hardware) {
  apic_send(hardware, APIC_COMMAND_STARTUP | (uint32_t)(now.trampoline.raw >> FRAME_SHIFT));
}

void arch_smp_offer(unsigned number) {
  const struct percpu *p = percpu_of(number);
  now.words->hardware = p->smp.hardware;
  now.words->stack = p->stack_top;
  now.words->block = (uint64_t)(uintptr_t)p;
  __atomic_store_n(&now.words->state, STARTUP_OFFERED, __ATOMIC_SEQ_CST);
}

bool arch_smp_is_taken(void) { return __atomic_load_n(&now.words->state, __ATOMIC_ACQUIRE) == STARTUP_READ; }

bool arch_smp_withdraw(void) {
  uint32_t offered = STARTUP_OFFERED;
  return __atomic_compare_exchange_n(&now.words->state, &offered, STARTUP_NOBODY, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

void arch_smp_seal(unsigned first, unsigned end) {
  const uint64_t at = (uint64_t)(uintptr_t)percpu_descriptors(first);
  (void)pagetable_protect(memory_tables(), vrange(at, at + (end - first) * FRAME_SIZE), PAGE_GLOBAL);
}

/* What is left below 1 MiB puts any CPU to sleep that comes there: cli, hlt, and back to hlt. */
void arch_smp_end(bool somebody_may_come) {
  static const uint8_t sleep[] = {0xfa, 0xf4, 0xeb, 0xfd};
  percpu_forget_seed();
  if (somebody_may_come || protect_alias(PAGE_WRITE) != OK) return;
  uint8_t *page = physmap_at(now.trampoline);
  memset(page, 0, FRAME_SIZE);
  memcpy(page, sleep, sizeof sleep);
  (void)free_pool();
}

void arch_smp_interrupt(uint32_t hardware) { apic_send(hardware, APIC_COMMAND_FIXED | VECTOR_SMP); }
void arch_smp_interrupt_hard(uint32_t hardware) { apic_send(hardware, APIC_COMMAND_NMI); }
void arch_smp_sleep(void) { __asm__ volatile("sti; hlt" : : : "memory"); }
