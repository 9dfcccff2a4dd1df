/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/platform.c — what mm may ask of the kernel (mm/platform.h).
 *
 * A lock is held with interrupts masked, so that a holder cannot be interrupted by somebody who wants the same lock.  Who
 * waits does it with interrupts as they were, and answers what other CPUs cannot wait for: the holder may be the one that
 * asks (kernel/smp.c).  No ticket: a waiter whose turn it is may be a virtual CPU that does not run, and all behind it would
 * stand.
 */
#include "mm/platform.h"

#include <stdarg.h>
#include <stdatomic.h>

#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/percpu.h"
#include "base/compiler.h"
#include "kernel/image.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/play.h"
#include "kernel/smp.h"
#include "kernel/symtab.h"
#include "lib/format.h"
#include "mm/physmap.h"

#define LINE_MAX 160

/* The holder may be waiting for the end of what the handler has interrupted: neither would ever go on. */
static void refuse_handlers(void) {
  if (UNLIKELY(arch_cpu_slot() == ARCH_NO_SLOT)) panic("an interrupt's handler asks for a lock, or for memory");
}

void platform_lock_acquire(struct platform_lock *l) NO_ANALYSIS("this is the lock itself") {
  refuse_handlers();
  bool were_on = arch_irq_save();
  while (__atomic_exchange_n(&l->word, 1, __ATOMIC_ACQUIRE) != 0) {
    arch_irq_restore(were_on);
    while (__atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0) smp_relax();
    were_on = arch_irq_save();
  }
  l->saved = were_on;
}

void platform_lock_release(struct platform_lock *l) NO_ANALYSIS("this is the lock itself") {
  const bool were_on = l->saved != 0;
  __atomic_store_n(&l->word, 0, __ATOMIC_RELEASE);
  arch_irq_restore(were_on);
}

uint32_t platform_slot_hint(void) { return arch_cpu_number(); }

static uint32_t slots_played; /* 0: none. */
void platform_play_slots(uint32_t count) { slots_played = count; }
uint32_t platform_slot_count(void) { return slots_played != 0 ? slots_played : smp_cpu_room(); }

void platform_barrier_all(void) { smp_barrier_all(); }
void platform_relax(void) { smp_relax(); }
bool platform_mask(void) { return arch_irq_save(); }
void platform_unmask(bool were_on) { arch_irq_restore(were_on); }

void *platform_direct(paddr_t address) { return physmap_at(address); }

/* One at a time, for it goes in steps, between which the tables are nobody's; interrupts stay on, for flushing megabytes
 * takes its time. */
status_t platform_set_cache(paddr_t start, uint64_t size, enum platform_cache how) {
  static atomic_flag busy = ATOMIC_FLAG_INIT;
  if (how == PLATFORM_WRITE_COMBINING && !arch_mmu_keeps(ARCH_MMU_WRITE_COMBINING)) return ERR_UNSUPPORTED;
  while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) smp_relax();
  const uint32_t flags = how == PLATFORM_WRITE_COMBINING ? PAGE_WRITE_COMBINING : 0;
  const status_t s = physmap_set_cache(memory_tables(), start, size, flags);
  atomic_flag_clear_explicit(&busy, memory_order_release);
  return s;
}

void platform_log(const char *room, const char *format, ...) {
  char line[LINE_MAX];
  va_list args;
  va_start(args, format);
  format_string_v(line, sizeof line, format, args);
  va_end(args);
  klog(KLOG_WARN, room, "%s", line);
}

/* The first return address that is not mm's own. */
static bool skip_mm(void *context, unsigned depth, vaddr_t pc) {
  vaddr_t *caller = context;
  (void)depth;
  *caller = pc;
  return pc.raw >= (uint64_t)(uintptr_t)image_mm_start && pc.raw < (uint64_t)(uintptr_t)image_mm_end;
}

void platform_name_caller(char *to, size_t size) {
  vaddr_t caller = {0};
  to[0] = '\0';
  backtrace_walk(vaddr((uint64_t)(uintptr_t)__builtin_frame_address(0)), skip_mm, &caller);
  if (caller.raw != 0) symtab_describe(caller, to, size);
}

void platform_panic(const char *format, ...) {
  char line[LINE_MAX];
  va_list args;
  va_start(args, format);
  format_string_v(line, sizeof line, format, args);
  va_end(args);
  panic("%s", line);
}
