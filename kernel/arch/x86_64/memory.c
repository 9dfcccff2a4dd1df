/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/memory.c — clears memory and drops it from the caches.
 *
 * HOW    Near: one string instruction; where the CPU says that its microcode fills well (ERMS) by bytes, else by words of
 *        eight.  Far: MOVNTI, eight of them a line, so that a line leaves its write-combining buffer whole and no cache is
 *        asked; the SFENCE behind them puts these weakly ordered stores before all later ones (SDM 1 11.6.13).
 *        Flush: CLFLUSHOPT, or CLFLUSH, line by line; both reach every cache of the coherence domain (SDM 2A CLFLUSH), so
 *        the other CPUs need not be asked.  WBINVD serves CPUs without either; none of those has more than one core.
 * WHY NOT  wider registers: the kernel has none of its own, and stores through the write-combining buffers move whole lines
 *        whatever the width of one.
 */
#include "arch/memory.h"

#include "arch_impl/cpu.h"

#define LINE UINT64_C(64)

void arch_memory_clear(void *at, uint64_t size) {
  if (cpu_fills_bytes()) {
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(0) : "memory");
    return;
  }
  uint64_t words = size / sizeof(uint64_t);
  __asm__ volatile("rep stosq" : "+D"(at), "+c"(words) : "a"(UINT64_C(0)) : "memory");
}

void arch_memory_clear_far(void *at, uint64_t size) {
  char *line = at;
  for (char *const end = line + size; line < end; line += LINE) {
    __asm__ volatile("movntiq %[zero], 0(%[line])\n\t"
                     "movntiq %[zero], 8(%[line])\n\t"
                     "movntiq %[zero], 16(%[line])\n\t"
                     "movntiq %[zero], 24(%[line])\n\t"
                     "movntiq %[zero], 32(%[line])\n\t"
                     "movntiq %[zero], 40(%[line])\n\t"
                     "movntiq %[zero], 48(%[line])\n\t"
                     "movntiq %[zero], 56(%[line])"
                     :
                     : [zero] "r"(UINT64_C(0)), [line] "r"(line)
                     : "memory");
  }
  __asm__ volatile("sfence" : : : "memory");
}

/* The fences: CLFLUSHOPT is ordered by nothing else, and CLFLUSH not against CLFLUSHOPT of others (SDM 2A). */
void arch_memory_flush(const void *at, uint64_t size) {
  const uint64_t step = cpu_cache_line();
  const char *line = (const char *)at - (uintptr_t)at % (step ? step : 1);
  const char *const end = (const char *)at + size;
  __asm__ volatile("mfence" : : : "memory");
  if (step == 0) {
    __asm__ volatile("wbinvd" : : : "memory");
  } else if (cpu_flushes_fast()) {
    for (; line < end; line += step) __asm__ volatile("clflushopt (%0)" : : "r"(line) : "memory");
  } else {
    for (; line < end; line += step) __asm__ volatile("clflush (%0)" : : "r"(line) : "memory");
  }
  __asm__ volatile("mfence" : : : "memory");
}
