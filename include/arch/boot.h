/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/boot.h — the stages of boot that belong to the CPU, in the order in which kmain calls them. */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"

/* How the firmware's functions want to be called. */
#define ARCH_FIRMWARE_CALL __attribute__((ms_abi))

/** Reads the CPU's features, drops those named in `nofeat` (a comma list) and switches the others on. */
void arch_cpu_init(const char *nofeat);
/** Gives double fault, NMI and machine check a guarded stack each.  => after kspace_init.  Statuses of kspace_stack_create.
 */
status_t arch_trap_stacks_init(void);
/** Moves this CPU's block, with its stack guard, into the window PERCPU.  => after memory_init. */
status_t arch_percpu_init(void);
/** Masks the old interrupt controllers, finds the rate of the time stamp counter and starts a tick of about 1 kHz.
 * `pm_timer` is the port of the ACPI timer, 0 when there is none.  ERR_UNSUPPORTED: no timer; the idle loop polls. */
status_t arch_timer_init(uint16_t pm_timer);
/** Ticks a second of the time stamp counter, 0 when unknown, and how that was found ("CPUID 15h"). */
uint64_t arch_timestamp_rate(const char **source);
/** The counter at the kernel's first instructions. */
uint64_t arch_timestamp_at_entry(void);
void arch_irq_enable(void);
/** The root of the tables in use. */
paddr_t arch_mmu_root(void);
/** Top-level slots of the kernel's half: [first, end). */
void arch_mmu_kernel_slots(unsigned *first, unsigned *end);
/* What a page's flags may not mean on this machine: the CPU lacks it, or nofeat= took it away. */
enum arch_mmu_promise {
  ARCH_MMU_NO_EXECUTE,
  ARCH_MMU_WRITE_COMBINING,
  ARCH_MMU_WRITE_PROTECT, /* Read-only binds the kernel. */
  ARCH_MMU_GLOBAL
};
bool arch_mmu_keeps(enum arch_mmu_promise promise);
/** Changes to another root of tables whose upper half is the kernel's. */
void arch_mmu_use_root(paddr_t root);
