/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/cpu.h — what this CPU can do, from one table, and the few things every kernel asks of a CPU.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* One row of the feature table as `cpu` prints it. */
struct cpu_feature {
  const char *name; /* "smep": the word that nofeat= takes. */
  const char *what; /* One line. */
  bool present;     /* The CPU has it. */
  bool forced_off;  /* nofeat= took it away. */
  bool used;        /* Cairn has switched it on or relies on it. */
};
size_t arch_cpu_feature_count(void);
struct cpu_feature arch_cpu_feature(size_t index);
/** "GenuineIntel Skylake ..." as the CPU says; never NULL. */
const char *arch_cpu_name(void);
unsigned arch_cpu_physical_bits(void);
/** True when physical memory could be there; to map another address is a fault at the first touch. */
static inline bool arch_cpu_can_address(uint64_t start, uint64_t size) {
  const uint64_t end = UINT64_C(1) << arch_cpu_physical_bits();
  return size <= end && start <= end - size;
}
unsigned arch_cpu_paging_levels(void);

/** Sleeps until the next interrupt.  => interrupts on. */
void arch_cpu_idle(void);
[[noreturn]] void arch_cpu_stop(void); /* Interrupts off, for ever. */
void arch_cpu_relax(void);             /* In a loop that waits for somebody else. */
void arch_cpu_reset(void);             /* The CPU's own way to reset the machine; returns where it has none. */
uint64_t arch_cpu_timestamp(void);     /* Time stamp counter, ticks. */

bool arch_irq_save(void); /* Masks interrupts; returns whether they were on. */
void arch_irq_restore(bool were_on);
