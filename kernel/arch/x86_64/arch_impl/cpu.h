/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/cpu.h — the instructions that have no C. */
#pragma once

#include <stdint.h>

#include "arch_impl/msr.h"

struct cpuid {
  uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid_read(uint32_t leaf, uint32_t subleaf) {
  struct cpuid r;
  __asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

static inline uint64_t msr_read(uint32_t msr) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (uint64_t)high << 32 | low;
}
static inline void msr_write(uint32_t msr, uint64_t value) {
  __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static inline uint64_t cr0_read(void) {
  uint64_t v;
  __asm__ volatile("movq %%cr0, %0" : "=r"(v));
  return v;
}
static inline void cr0_write(uint64_t v) { __asm__ volatile("movq %0, %%cr0" : : "r"(v) : "memory"); }
static inline uint64_t cr2_read(void) {
  uint64_t v;
  __asm__ volatile("movq %%cr2, %0" : "=r"(v));
  return v;
}
static inline uint64_t cr3_read(void) {
  uint64_t v;
  __asm__ volatile("movq %%cr3, %0" : "=r"(v));
  return v;
}
static inline void cr3_write(uint64_t v) { __asm__ volatile("movq %0, %%cr3" : : "r"(v) : "memory"); }
static inline uint64_t cr4_read(void) {
  uint64_t v;
  __asm__ volatile("movq %%cr4, %0" : "=r"(v));
  return v;
}
static inline void cr4_write(uint64_t v) { __asm__ volatile("movq %0, %%cr4" : : "r"(v) : "memory"); }

static inline uint64_t tsc_read(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
static inline void cpu_pause(void) { __asm__ volatile("pause"); }

static inline void tlb_invalidate(uint64_t address) { __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory"); }

bool cpu_has_apic(void);
/* Constant after arch_cpu_init. */
bool cpu_fills_bytes(void);    /* REP STOSB is the fast way. */
bool cpu_flushes_fast(void);   /* CLFLUSHOPT. */
uint64_t cpu_cache_line(void); /* Bytes that CLFLUSH flushes; 0 when there is no such instruction. */
