/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/percpu.h — what GS points at: one block a CPU.  The guard's offset is fixed by the compiler's flags. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/smp.h"

struct trap_recovery;

#define ARCH_NO_SLOT UINT32_MAX

#define PERCPU_STACKS 4 /* Of a CPU that is started: its own, then IST 1 to 3. */

struct percpu {
  struct percpu *self;            /* gs:0, so that the block's address can be had with one load. */
  uint32_t number;                /* gs:8 */
  uint32_t preempt;               /* gs:12: reasons to stay on this CPU. */
  struct trap_recovery *recovery; /* Where a fault goes instead of to the panic; NULL as a rule. */
  uint32_t slot;                  /* gs:24: the number, or a test's wish; ARCH_NO_SLOT in an interrupt's handler. */
  uint32_t unused[3];
  uint64_t stack_guard; /* gs:40: what -mstack-protector-guard-offset=40 compares. */
  struct smp_cpu smp;
  uint64_t stack_tops[PERCPU_STACKS];  /* Of a CPU that is started; 0 while it has none. */
  uint64_t stack_top;                  /* The first of them; 0 for CPU 0, whose stack the loader made. */
  char stack_names[PERCPU_STACKS][28]; /* "CPU 3's NMI stack". */
};
static_assert(offsetof(struct percpu, number) == 8);
static_assert(offsetof(struct percpu, preempt) == 12);
static_assert(offsetof(struct percpu, slot) == 24);
static_assert(offsetof(struct percpu, stack_guard) == 40);

extern struct percpu percpu_boot;

static inline struct percpu *percpu_this(void) {
  struct percpu *p;
  __asm__("movq %%gs:0, %0" : "=r"(p));
  return p;
}

static inline unsigned arch_cpu_number(void) {
  uint32_t n;
  __asm__ volatile("movl %%gs:8, %0" : "=r"(n));
  return n;
}
static inline uint32_t arch_cpu_slot(void) {
  uint32_t n;
  __asm__ volatile("movl %%gs:24, %0" : "=r"(n));
  return n;
}
static inline uint32_t arch_handler_begin(void) {
  const uint32_t before = arch_cpu_slot();
  __asm__ volatile("movl %0, %%gs:24" : : "i"(ARCH_NO_SLOT) : "memory");
  return before;
}
static inline void arch_handler_end(uint32_t before) { __asm__ volatile("movl %0, %%gs:24" : : "r"(before) : "memory"); }
static inline void arch_slot_play(uint32_t slot) { __asm__ volatile("movl %0, %%gs:24" : : "r"(slot) : "memory"); }
static inline void arch_preempt_disable(void) { __asm__ volatile("incl %%gs:12" : : : "memory", "cc"); }
static inline void arch_preempt_enable(void) { __asm__ volatile("decl %%gs:12" : : : "memory", "cc"); }
static inline unsigned arch_preempt_count(void) {
  uint32_t n;
  __asm__ volatile("movl %%gs:12, %0" : "=r"(n));
  return n;
}
