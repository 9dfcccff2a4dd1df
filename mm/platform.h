/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/platform.h — the wall sockets: everything that mm asks of the kernel around it.
 *
 * The kernel plugs in with kernel/platform.c, hosted tests with tests/fake/platform.c.  Nothing else may be asked.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/annotate.h"
#include "base/compiler.h"
#include "base/lock.h"
#ifdef CAIRN_KERNEL
#include "arch/percpu.h"
#endif
#include "base/status.h"

/** => not from an interrupt's handler: the kernel panics at it (docs/locking.md, rule 3). */
void platform_lock_acquire(struct platform_lock *l) ACQUIRE(l);
void platform_lock_release(struct platform_lock *l) RELEASE(l);

/** Slot of the calling CPU, from 0: a hint, for the caller may be on another one by the time it is used.  => any context. */
uint32_t platform_slot_hint(void);
/*
 * Slots: what an allocator keeps for each CPU.  A number below platform_slot_count, the same for a CPU at all times; between
 * enter and leave the caller stays on that CPU (preemption off), and nobody else has it.  An interrupt's handler gets a
 * number that is no slot's, and thereby comes to platform_lock_acquire, which it may not.
 */
#ifdef CAIRN_KERNEL
static inline uint32_t platform_slot_enter(void) {
  arch_preempt_disable();
  return arch_cpu_slot();
}
static inline void platform_slot_leave(void) { arch_preempt_enable(); }
/* As the kernel's, with a word of the thread; without a count of preemption, which hosts lack. */
#elif defined(CAIRN_BENCH)
extern thread_local uint32_t platform_number_plus_1;
[[clang::preserve_most]] uint32_t platform_slot_take(void); /* So that those who call it once save no register for it. */
static inline uint32_t platform_slot_enter(void) {
  return LIKELY(platform_number_plus_1 != 0) ? platform_number_plus_1 - 1 : platform_slot_take();
}
static inline void platform_slot_leave(void) {}
#else
uint32_t platform_slot_enter(void);
void platform_slot_leave(void);
#endif
/** How many numbers there are.  => constant from boot on. */
uint32_t platform_slot_count(void);
/** Keeps interrupts of this CPU away; what it returns goes to platform_unmask.  On the host there are none. */
bool platform_mask(void);
void platform_unmask(bool were_on);
/**
 * Makes every other CPU pass a full memory barrier before it returns: what this CPU wrote before is seen by all loads that
 * they do from then on, and what they had stored before is seen here.  Costs microseconds (an interrupt to each CPU;
 * membarrier).
 *   => called with interrupts masked and a lock of this file held, so a CPU that spins for a lock must answer all the same.
 */
void platform_barrier_all(void);
/** One step of waiting for another CPU: answers what that one, or a third, may be waiting for meanwhile, then pauses.
 *   => as platform_barrier_all.   => every loop that waits for a word of another CPU under a lock. */
void platform_relax(void);

/** Where the CPU sees RAM that may be handed out: write-back, and coherent with devices.  => any context. */
void *platform_direct(paddr_t address);
/* How RAM is cached where platform_direct shows it. */
enum platform_cache { PLATFORM_WRITE_BACK, PLATFORM_WRITE_COMBINING };
/**
 * Changes that for whole frames that are the caller's alone; no alias of another kind is left, and no cache has a line of
 * them.
 *   => no lock held; costs flushing every line.
 * Returns OK; ERR_NO_MEMORY (no tables), ERR_UNSUPPORTED (this machine has no such kind): nothing has changed.  Back to
 * write-back, in the same pieces, it cannot fail.
 */
status_t platform_set_cache(paddr_t start, uint64_t size, enum platform_cache how);
/** One line to the log, at "warning" level; no kernel address in it. */
void platform_log(const char *room, const char *format, ...) PRINTF_LIKE(2, 3);
/** Writes the name of the function outside of mm that has called it, "boot_step+0x12"; "" where nobody can tell.
 *   => any context; at most `size` bytes with the NUL. */
void platform_name_caller(char *to, size_t size);
/** Broken state that cannot be carried on with: ends the kernel with a report. */
[[noreturn]] void platform_panic(const char *format, ...) PRINTF_LIKE(1, 2);
