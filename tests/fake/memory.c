/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fake/memory.c — arch/memory.h on the host: counts, and clears with no lock held only. */
#include "arch/memory.h"

#include <string.h>

#include "mm/platform.h"
#include "platform.h"

struct fake_memory fake_memory;

static void clear(void *at, uint64_t size) {
  if (fake_platform_locks_held() != 0) platform_panic("%llu bytes are cleared with a lock held", (unsigned long long)size);
  uint64_t longest = __atomic_load_n(&fake_memory.longest, __ATOMIC_RELAXED);
  while (size > longest &&
         !__atomic_compare_exchange_n(&fake_memory.longest, &longest, size, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {}
  memset(at, 0, size);
}

void arch_memory_clear(void *at, uint64_t size) {
  __atomic_fetch_add(&fake_memory.cleared, size, __ATOMIC_RELAXED);
  clear(at, size);
}
void arch_memory_clear_far(void *at, uint64_t size) {
  __atomic_fetch_add(&fake_memory.cleared_far, size, __ATOMIC_RELAXED);
  clear(at, size);
}
void arch_memory_flush(const void *at, uint64_t size) {
  (void)at;
  __atomic_fetch_add(&fake_memory.flushed, size, __ATOMIC_RELAXED);
}
