/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fake/cpu.c — a CPU whose clock moves by one at each look, so that what is stamped twice differs. */
#include "arch/cpu.h"

uint64_t arch_cpu_timestamp(void) {
  static uint64_t now;
  return __atomic_add_fetch(&now, 1, __ATOMIC_RELAXED);
}
