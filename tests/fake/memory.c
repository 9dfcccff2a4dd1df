/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fake/memory.c — arch/memory.h on the host: counts, and clears with no lock held only. */
#include "arch/memory.h"

#include <string.h>

#include "mm/platform.h"
#include "platform.h"

struct fake_memory fake_memory;

static void clear(void *at, uint64_t size) {
  if (fake_platform_locks_held() != 0) platform_panic("%llu bytes are cleared with a lock held", (unsigned long long)size);
  if (size > fake_memory.longest) fake_memory.longest = size;
  memset(at, 0, size);
}

void arch_memory_clear(void *at, uint64_t size) {
  fake_memory.cleared += size;
  clear(at, size);
}
void arch_memory_clear_far(void *at, uint64_t size) {
  fake_memory.cleared_far += size;
  clear(at, size);
}
void arch_memory_flush(const void *at, uint64_t size) {
  (void)at;
  fake_memory.flushed += size;
}
