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
#define VECTOR_SMP        0x42 /* From another CPU. */
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
/** Fills the page of another CPU: descriptors, and a TSS with the tops of its stacks IST 1 to 3. */
void gdt_make(void *page, const uint64_t tops[static 3]);
/** This CPU uses what gdt_make has made. */
void gdt_use(const void *page);
void trap_init(void);
/** This CPU uses the interrupt table. */
void trap_load(void);
/** From now on these exceptions run on their own stacks. */
void trap_use_ist(void);
void trap_dispatch(struct trap_frame *frame);

void cpu_early(void);
/** Gives this CPU the control bits and cache types of CPU 0.  NULL, or the name of a feature in use that it lacks. */
const char *cpu_join(void);
/* apic.c */
bool apic_init(void);
/** The local APIC of a CPU other than 0, in the same mode and place; without a timer. */
void apic_join(void);
uint32_t apic_self(void);
/** Whether apic_init has found one. */
bool apic_is_on(void);
/** Whether a CPU with this id can be reached. */
bool apic_reaches(uint32_t id);
/** Sends an interrupt command.  => any context. */
void apic_send(uint32_t to, uint32_t command);
#define APIC_COMMAND_FIXED   0x4000U /* + vector */
#define APIC_COMMAND_NMI     0x4400U
#define APIC_COMMAND_INIT    0x4500U
#define APIC_COMMAND_STARTUP 0x4600U /* + frame number of the code */
void apic_end_of_interrupt(void);
/* Counts down from the largest value, not raising interrupts. */
void apic_timer_count(void);
uint32_t apic_timer_left(void);
void apic_timer_start(uint32_t period);
/* percpu.c */
/** Keeps what places and guards of other CPUs are drawn from.  => boot, once. */
void percpu_seed(const uint8_t seed[static 32]);
void percpu_forget_seed(void);
struct percpu *percpu_of(unsigned number);
/** Its descriptors and TSS, a page for each CPU but 0, one behind the other. */
void *percpu_descriptors(unsigned number);
/* timer.c */
void timer_interrupt(void);
