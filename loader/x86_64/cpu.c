/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/cpu.c — CPUID, random instructions, the time stamp counter and I/O ports.
 *
 * RDRAND and RDSEED are used in their 64-bit forms alone (the short RDSEED of some CPUs returns zeros with success), and the
 * carry flag is believed only as far as "there is a word": whether the words are random is loader/entropy.c's question.
 * SOURCE Intel SDM 1: 7.3.17 (random numbers), 2A: CPUID; AMD APM 3: CPUID 8000_0001h.
 */
#include "loader/x86_64/cpu.h"

#define CPUID_1_ECX_RDRAND (1U << 30)
#define CPUID_7_EBX_RDSEED (1U << 18)
#define CPUID_7_ECX_LA57   (1U << 16)
#define CPUID_EXT_EDX_NX   (1U << 20)
#define CPUID_EXT_EDX_1G   (1U << 26)
#define CPUID_EXT          0x80000000U
#define CR4_LA57           (UINT64_C(1) << 12)
#define RANDOM_TRIES       16
#define JITTER_ROUNDS      16 /* Dependent multiplications and stores a sample: enough to meet caches, refresh, turbo. */

struct leaf {
  uint32_t a, b, c, d;
};

static struct leaf cpuid(uint32_t function) {
  struct leaf l;
  __asm__ volatile("cpuid" : "=a"(l.a), "=b"(l.b), "=c"(l.c), "=d"(l.d) : "a"(function), "c"(0));
  return l;
}

struct cpu_features cpu_features(void) {
  struct cpu_features f = {0};
  uint64_t cr4 = 0;
  struct leaf basic = cpuid(0);
  uint32_t last = cpuid(CPUID_EXT).a;
  f.has_rdrand = (cpuid(1).c & CPUID_1_ECX_RDRAND) != 0;
  if (basic.a >= 7) {
    struct leaf extended = cpuid(7);
    f.has_rdseed = (extended.b & CPUID_7_EBX_RDSEED) != 0;
    f.has_la57 = (extended.c & CPUID_7_ECX_LA57) != 0;
  }
  f.physical_bits = last >= CPUID_EXT + 8 ? cpuid(CPUID_EXT + 8).a & 0xff : 36;
  if (last > CPUID_EXT) {
    struct leaf amd = cpuid(CPUID_EXT + 1);
    f.has_nx = (amd.d & CPUID_EXT_EDX_NX) != 0;
    f.has_gib_pages = (amd.d & CPUID_EXT_EDX_1G) != 0;
  }
  __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
  f.is_la57_on = (cr4 & CR4_LA57) != 0;
  return f;
}

uint64_t cpu_timestamp(void) {
  uint32_t low = 0;
  uint32_t high = 0;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
  return (uint64_t)high << 32 | low;
}

static bool rdrand(uint64_t *word) {
  bool ok = false;
  __asm__ volatile("rdrand %0" : "=r"(*word), "=@ccc"(ok));
  return ok;
}

static bool rdseed(uint64_t *word) {
  bool ok = false;
  __asm__ volatile("rdseed %0" : "=r"(*word), "=@ccc"(ok));
  return ok;
}

static size_t take(bool (*instruction)(uint64_t *), uint64_t *words, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    for (unsigned tries = 0; tries < RANDOM_TRIES; tries++) {
      if (!instruction(&words[count])) continue;
      count++;
      break;
    }
  }
  return count;
}

size_t cpu_rdrand(uint64_t *words, size_t n) { return take(rdrand, words, n); }
size_t cpu_rdseed(uint64_t *words, size_t n) { return take(rdseed, words, n); }

void cpu_jitter(uint64_t *differences, size_t n) {
  volatile uint64_t work[8] = {1};
  uint64_t last = cpu_timestamp();
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < JITTER_ROUNDS; k++) {
      work[k % 8] = work[(k + last) % 8] * UINT64_C(6364136223846793005) + last;
    }
    uint64_t now = cpu_timestamp();
    differences[i] = now - last;
    last = now;
  }
}

uint8_t cpu_port_read(uint16_t port) {
  uint8_t value = 0;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

void cpu_port_write(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
