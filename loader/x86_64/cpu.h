/* SPDX-License-Identifier: BSD-2-Clause */
/* loader/x86_64/cpu.h — what the loader asks of the CPU before the kernel has it. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct cpu_features {
  bool has_nx;
  bool has_gib_pages;
  bool has_la57; /* Five levels of page tables are possible. */
  bool has_rdrand;
  bool has_rdseed;
  bool is_la57_on;        /* The firmware runs with five levels. */
  unsigned physical_bits; /* Of a physical address; a larger one in a page table is a fault. */
};

struct cpu_features cpu_features(void);

/** The time stamp counter, in order with the loads before it. */
uint64_t cpu_timestamp(void);

/* Take up to n random words, each tried 16 times; return how many there were. */
size_t cpu_rdrand(uint64_t *words, size_t n);
size_t cpu_rdseed(uint64_t *words, size_t n);
/** Takes n differences of the time stamp counter around work of uncertain length. */
void cpu_jitter(uint64_t *differences, size_t n);

/* The I/O port space. */
uint8_t cpu_port_read(uint16_t port);
void cpu_port_write(uint16_t port, uint8_t value);
