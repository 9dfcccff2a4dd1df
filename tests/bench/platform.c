/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/platform.c — mm's wall sockets for timing: the kernel's spin lock without the masking of interrupts, which a
 * host program cannot do.
 */
#include "mm/platform.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/cpu.h"
#include "arch/memory.h"
#include "base/assert.h"

void assert_fail(const char *kind, const char *expression, const char *file, int line) {
  fprintf(stderr, "%s(%s) failed at %s:%d\n", kind, expression, file, line);
  abort();
}

void platform_lock_acquire(struct platform_lock *l) NO_ANALYSIS("implements the lock") {
  while (__atomic_exchange_n(&l->word, 1U, __ATOMIC_ACQUIRE) != 0) {
    while (__atomic_load_n(&l->word, __ATOMIC_RELAXED) != 0) __builtin_ia32_pause();
  }
}

void platform_lock_release(struct platform_lock *l) NO_ANALYSIS("implements the lock") {
  __atomic_store_n(&l->word, 0U, __ATOMIC_RELEASE);
}

/* Which node is asked first is not what is timed. */
uint32_t platform_slot_hint(void) { return 0; }
uint64_t arch_cpu_timestamp(void) { return __builtin_ia32_rdtsc(); }

void arch_memory_clear(void *at, uint64_t size) { memset(at, 0, size); }
void arch_memory_clear_far(void *at, uint64_t size) { memset(at, 0, size); }
void arch_memory_flush(const void *at, uint64_t size) {
  (void)at;
  (void)size;
}

status_t platform_set_cache(paddr_t start, uint64_t size, enum platform_cache how) {
  platform_panic("%llu bytes at %#llx get cache type %u", (unsigned long long)size, (unsigned long long)start.raw, how);
}

/* There is no RAM behind the frame numbers of a bench. */
void *platform_direct(paddr_t address) {
  platform_panic("physical address %#llx is touched", (unsigned long long)address.raw);
}

/* Nobody reads it. */
void platform_name_caller(char *to, size_t size) {
  if (size > 0) to[0] = '\0';
}

/* A refusal is a bug of the bench. */
void platform_log(const char *room, const char *format, ...) {
  va_list args;
  va_start(args, format);
  fprintf(stderr, "%s: ", room);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}

void platform_panic(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("panic: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  abort();
}
