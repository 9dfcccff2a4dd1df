/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/percpu.h — what GS points at: one block a CPU.  The guard's offset is fixed by the compiler's flags. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct trap_recovery;

struct percpu {
  struct percpu *self; /* gs:0, so that the block's address can be had with one load. */
  uint32_t index;
  uint32_t reserved;
  struct trap_recovery *recovery; /* Where a fault goes instead of to the panic; NULL as a rule. */
  uint64_t unused[2];
  uint64_t stack_guard; /* gs:40: what -mstack-protector-guard-offset=40 compares. */
};
static_assert(offsetof(struct percpu, stack_guard) == 40);

extern struct percpu percpu_boot;

static inline struct percpu *percpu_this(void) {
  struct percpu *p;
  __asm__("movq %%gs:0, %0" : "=r"(p));
  return p;
}
