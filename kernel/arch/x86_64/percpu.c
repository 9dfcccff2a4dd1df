/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/percpu.c — the block behind GS of each CPU, and all that a CPU needs besides.
 *
 * WHAT   The image's block serves CPU 0 until there is memory.  Then a page in the window PERCPU, whose base tells nothing
 *        about the image's, takes its place.  Other CPUs get, before they are started, a block, a page with descriptors and
 *        TSS, a stack, and one for each of double fault, NMI and machine check.
 * HOW    In the lower half of the window, at page 1 + 2n: the block of CPU n, an unmapped page on either side.  In the upper
 *        half, at page n: the descriptors of CPU n, close together, so that one change makes them all read-only.
 *        Before the stacks of each CPU lies a gap of its own, drawn like its stack guard.
 * WHY NOT  give back what was made when making more fails: it waits here for the next try (cpu_area.c).  Memory is asked for
 *        only when there is plenty.
 */
#include "arch_impl/percpu.h"

#include "arch/boot.h"
#include "arch_impl/cpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "kernel/cpu_area.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "lib/format.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/ledger.h"

#define STACK_SIZE           LAYOUT_BOOT_STACK_SIZE
#define EXCEPTION_STACK_SIZE (16 * KIB)   /* As those of CPU 0 (stacks.c). */
#define GAP_PAGES            8192         /* 255 gaps of 32 MiB are half of the window. */
#define FRAMES_OF_CPU        UINT64_C(64) /* What one takes at most, tables included, and as much again. */

static_assert(sizeof(struct percpu) <= FRAME_SIZE);
static_assert(SMP_CPUS_MAX * UINT64_C(2) * FRAME_SIZE < LAYOUT_PERCPU_SIZE / 2);

RO_AFTER_INIT static struct random source;

void percpu_seed(const uint8_t seed[static 32]) { random_init(&source, seed); }
void percpu_forget_seed(void) { string_wipe(&source, sizeof source); }

static uint64_t block_at(unsigned number) {
  return layout_window(BOOT_WINDOW_PERCPU).start.raw + (1 + UINT64_C(2) * number) * FRAME_SIZE;
}
static uint64_t descriptors_at(unsigned number) {
  return layout_window(BOOT_WINDOW_PERCPU).start.raw + LAYOUT_PERCPU_SIZE / 2 + number * FRAME_SIZE;
}

struct percpu *percpu_of(unsigned number) {
  return (struct percpu *)(uintptr_t)block_at(number); // NOLINT(performance-no-int-to-ptr)
}
void *percpu_descriptors(unsigned number) {
  return (void *)(uintptr_t)descriptors_at(number); // NOLINT(performance-no-int-to-ptr)
}

struct smp_cpu *arch_smp_cpu(unsigned number) { return &percpu_of(number)->smp; }
struct smp_cpu *arch_smp_this(void) { return &percpu_this()->smp; }

static status_t map_page(uint64_t at) { return cpu_area_page(memory_nodes(), memory_tables(), vaddr(at)); }

/* Without a guard of its own: the guard moves under its feet, though with the same value. */
[[clang::no_stack_protector]] static void move_to(struct percpu *to) {
  *to = *percpu_this();
  to->self = to;
  to->smp.state = SMP_ONLINE;
  msr_write(MSR_GS_BASE, (uint64_t)(uintptr_t)to);
  string_wipe(&percpu_boot, sizeof percpu_boot);
}

status_t arch_percpu_init(void) {
  const status_t s = map_page(block_at(0));
  if (s == OK) move_to(percpu_of(0));
  return s;
}

/* --- other CPUs ------------------------------------------------------------------------------------------------------- */

static bool is_mapped(uint64_t at) {
  struct pagetable_leaf leaf;
  return pagetable_find(memory_tables(), vaddr(at), &leaf) == OK;
}

static status_t make_stacks(struct percpu *p) {
  static const char *const kinds[PERCPU_STACKS] = {"stack", "double fault stack", "NMI stack", "machine check stack"};
  struct cpu_area_stack wanted[PERCPU_STACKS];
  for (unsigned i = 0; i < PERCPU_STACKS; i++) {
    format_string(p->stack_names[i], sizeof p->stack_names[i], "CPU %u's %s", p->number, kinds[i]);
    wanted[i] = (struct cpu_area_stack){p->stack_names[i], i == 0 ? STACK_SIZE : EXCEPTION_STACK_SIZE};
  }
  const status_t s = cpu_area_stacks(wanted, PERCPU_STACKS, random_below(&source, GAP_PAGES), p->stack_tops);
  if (s != OK) return s;
  gdt_make(percpu_descriptors(p->number), p->stack_tops + 1);
  p->stack_top = p->stack_tops[0];
  return OK;
}

unsigned arch_smp_frames(void) {
  return (unsigned)(2 + (STACK_SIZE + (PERCPU_STACKS - 1) * EXCEPTION_STACK_SIZE) / FRAME_SIZE);
}

static bool is_plenty(void) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  return l.frames[FRAME_OWNER_FREE] >= 2 * FRAMES_OF_CPU;
}

status_t arch_smp_prepare(unsigned number, uint32_t hardware) {
  struct percpu *p = percpu_of(number);
  if (number >= SMP_CPUS_MAX) return ERR_RANGE;
  if (!apic_reaches(hardware)) return ERR_UNSUPPORTED;
  if (!is_mapped(block_at(number)) && !is_plenty()) return ERR_NO_MEMORY;
  status_t s = map_page(block_at(number));
  if (s == OK) s = map_page(descriptors_at(number));
  if (s != OK) return s;
  p->self = p;
  p->number = p->slot = number;
  p->stack_guard = random_u64(&source) & ~UINT64_C(0xff);
  p->smp = (struct smp_cpu){.state = SMP_STARTING, .hardware = hardware};
  return p->stack_top == 0 ? make_stacks(p) : OK;
}
