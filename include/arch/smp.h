/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/smp.h — how other CPUs are started, nudged and stopped; what is to be said between them is kernel/smp.c's business.
 *
 * CPUs are numbered from 0, the one that booted; each has a block of its own, which holds a struct smp_cpu.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"

#define SMP_CPUS_MAX 255U

enum smp_state {
  SMP_ABSENT,
  SMP_STARTING, /* It may be on its way. */
  SMP_ONLINE,
  SMP_REFUSED, /* It came, lacks what CPU 0 uses, and sleeps for ever. */
  SMP_STOPPED,
  SMP_GIVEN_UP, /* By CPU 0, which has waited long enough. */
  SMP_LATE      /* It came all the same, and sleeps for ever. */
};

/* What CPUs tell each other.  Letters: (o) its own CPU writes, (a) anybody, by atomic operations, (c) who holds call_lock.
 */
struct smp_cpu {
  uint32_t state;       /* enum smp_state; who may change it stands in kernel/smp.c. */
  uint32_t pending;     /* (a) What it is asked for: bits that kernel/smp.c knows. */
  uint32_t served;      /* (o) Odd while it answers. */
  uint32_t call_lock;   /* (a) 1: somebody uses the three below. */
  void (*call)(void *); /* (c) NULL when it has been done. */
  void *call_argument;  /* (c) */
  uint32_t work_state;  /* (a) Work for its idle loop: none, being handed over, there. */
  uint32_t hardware;    /* The number by which the interrupt controller knows it. */
  void (*work)(void *); /* Belongs to who changed work_state from none; then to the CPU. */
  void *work_argument;
  uint32_t node;       /* NUMA node. */
  uint32_t interrupts; /* (o) Taken from other CPUs. */
  uint64_t arrived;    /* (o) Its time stamp counter when it came. */
  const char *missing; /* (o) What it lacks, when it was refused. */
  uint32_t held_back;  /* break=late-cpu: it does not come before this is 0. */
  uint32_t is_idling;  /* (o) It takes a step of kernel/idle.c, or is about to. */
  uint32_t idle_steps; /* (o) Steps that did something. */
};

/** The record of a CPU that has one: number < smp_cpu_limit(). */
struct smp_cpu *arch_smp_cpu(unsigned number);
struct smp_cpu *arch_smp_this(void);

/** The number by which the interrupt controller knows this CPU.  ERR_UNSUPPORTED: there is none, so no other can start. */
status_t arch_smp_self(uint32_t *hardware);
/**
 * Makes the frame at `trampoline`, below 1 MiB, into the code in which CPUs wake, and the tables that they need;
 * at most so many CPUs will be prepared.
 *   => boot, after arch_timer_init.
 * Returns OK, ERR_NOT_FOUND (no such frame), ERR_NO_MEMORY.
 */
status_t arch_smp_begin(paddr_t trampoline, unsigned cpus);
/** Makes block and stacks for a CPU; if they are there already they serve again.  OK, ERR_NO_MEMORY. */
status_t arch_smp_prepare(unsigned number, uint32_t hardware);
/** Puts a CPU into the state from which it can be woken, 10 ms later. */
void arch_smp_reset(uint32_t hardware);
/** Offers its block to a prepared CPU. */
void arch_smp_offer(unsigned number);
/** Wakes a CPU that was reset; the second time does nothing to one that has woken. */
void arch_smp_wake(uint32_t hardware);
/** Whether the CPU has taken what was offered. */
bool arch_smp_is_taken(void);
/** Takes the offer back; false when the CPU has taken it in this very moment. */
bool arch_smp_withdraw(void);
/** Makes what the CPUs from `first` to before `end` never write again, now that they have arrived, read-only. */
void arch_smp_seal(unsigned first, unsigned end);
/** Frames of a CPU's own: block, descriptors, stacks. */
unsigned arch_smp_frames(void);
/** Forgets the tables of arch_smp_begin; with `somebody_may_come` they stay, so that who is late meets no other's memory. */
void arch_smp_end(bool somebody_may_come);

/** Interrupts a CPU: it calls smp_interrupt.  => any context. */
void arch_smp_interrupt(uint32_t hardware);
/** The same with an interrupt that cannot be masked.  => a panic. */
void arch_smp_interrupt_hard(uint32_t hardware);
/** Switches interrupts on and sleeps until the next, without a gap between the two.  => interrupts off. */
void arch_smp_sleep(void);
