/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/trap.h — the registers as trap_entry.S leaves them on the stack, and the tables the CPU reads. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define TRAP_DIVIDE       0
#define TRAP_NMI          2
#define TRAP_DOUBLE_FAULT 8
#define TRAP_PAGE_FAULT   14
#define TRAP_MACHINE      18
#define TRAP_EXCEPTIONS   32

/* Interrupts: the 8259s are masked and moved to 0x20..0x2f, the local APIC uses the vectors below. */
#define VECTOR_PIC        0x20
#define VECTOR_TIMER      0x40
#define VECTOR_APIC_ERROR 0x41
#define VECTOR_SPURIOUS   0xff

#define IST_DOUBLE_FAULT 1
#define IST_NMI          2
#define IST_MACHINE      3

struct trap_frame {
  uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  uint64_t vector, error;
  uint64_t rip, cs, rflags, rsp, ss;
};
static_assert(sizeof(struct trap_frame) == 22 * sizeof(uint64_t));

/* Where a guarded call goes on after a fault; the first two words are known to trap_entry.S. */
struct trap_recovery {
  uint64_t rsp, rip;
  struct arch_trap_caught *caught;
};

/* What LGDT and LIDT read, from `limit` on; the padding keeps `base` aligned, as the loader wants relocated words. */
struct table_register {
  uint16_t padding[3];
  uint16_t limit;
  uint64_t base;
};

void gdt_init(void);
/** Gives exception stacks to the TSS: index 1..7, the address of the stack's top. */
void gdt_set_ist(unsigned index, uint64_t top);
void trap_init(void);
/** From now on these exceptions run on their own stacks. */
void trap_use_ist(void);
void trap_dispatch(struct trap_frame *frame);

void cpu_early(void);
/* apic.c */
bool apic_init(void);
void apic_end_of_interrupt(void);
/* Counts down from the largest value, not raising interrupts. */
void apic_timer_count(void);
uint32_t apic_timer_left(void);
void apic_timer_start(uint32_t period);
/* timer.c */
void timer_interrupt(void);
