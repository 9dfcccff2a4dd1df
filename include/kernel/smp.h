/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/smp.h — the CPUs of this machine, and what one asks of another.
 *
 * Numbers are given from 0, the CPU that booted, without holes unless a CPU was lost half-way; smp_is_online tells.
 *
 *   call   in the other CPU's interrupt handler, at once, for a few microseconds: fn takes no lock and calls nobody
 *   run    in the other CPU's idle loop, with interrupts on, for as long as it takes
 */
#pragma once

#include <stdint.h>

#include "arch/percpu.h"
#include "arch/smp.h"
#include "base/status.h"

/** Starts the other CPUs, as many as cpus= allows; one that does not answer in time is reported and left out.
 *   => boot, on CPU 0, after clock_init; before memory_seal. */
void smp_init(void);

/** CPUs that run. */
unsigned smp_cpu_count(void);
/** How many may ever run: the firmware's list, and cpus=.  => from acpi_init on; constant. */
unsigned smp_cpu_room(void);
/** One more than the highest number ever given. */
unsigned smp_cpu_limit(void);
bool smp_is_online(unsigned cpu);
/** NUMA node of a CPU; 0 where there is none. */
uint32_t smp_cpu_node(unsigned cpu);
/** The CPU that runs this; it may be another one afterwards unless preemption is off. */
static inline unsigned smp_this_cpu(void) { return arch_cpu_number(); }

/**
 * Calls fn(argument) on a CPU, in its interrupt handler, and returns when that has returned.
 *   => any CPU, no lock held; not from a function that is called so itself.
 * Returns OK; ERR_NOT_FOUND (no such CPU runs, or it was stopped meanwhile).
 */
status_t smp_call(unsigned cpu, void (*fn)(void *), void *argument);
/** The same on every CPU that runs, this one included, all at the same time. */
void smp_call_all(void (*fn)(void *), void *argument);

/**
 * Hands fn to a CPU's idle loop and returns at once; smp_wait waits for its end.
 * Returns OK; ERR_BUSY (it has work already); ERR_NOT_FOUND (no such CPU; CPU 0 has no idle loop of that kind).
 */
status_t smp_run(unsigned cpu, void (*fn)(void *), void *argument);
/** Wakes a CPU that sleeps, without a reason that it would have to answer; false when it does not sleep, or has work.
 *   => any context. */
bool smp_nudge(unsigned cpu);
/** => no lock held, interrupts on. */
void smp_wait(unsigned cpu);
/** Runs fn on every CPU at the same time, this one included; a CPU that has other work is left out.
 *   => CPU 0, interrupts on, no lock held. */
void smp_run_all(void (*fn)(void *), void *argument);

/**
 * Returns when every other CPU has passed a full memory barrier after this was called, and so has this one.
 *   => any CPU, interrupts on or off, locks held or not: who waits for a lock answers meanwhile.
 */
void smp_barrier_all(void);
/** Makes every other CPU forget its translations before it returns.  => as smp_barrier_all. */
void smp_flush_others(void);
/** One step of waiting for another CPU: answers what cannot wait, then pauses.  => every loop that waits with interrupts
 * masked. */
void smp_relax(void);

enum smp_stop {
  SMP_STOP_SOON, /* Each one where it holds no lock. */
  SMP_STOP_NOW   /* Wherever it is. */
};
/**
 * Stops all other CPUs for ever, waiting a bounded time; returns how many did not stop.
 * The first CPU that asks goes on; any other that asks is stopped here.  => panic, power.
 */
unsigned smp_stop_others(enum smp_stop how);

/* For kernel/arch. */
/** What the interrupt of arch_smp_interrupt leads to.  => interrupts off. */
void smp_interrupt(void);
/** Whether a non-maskable interrupt means the end of this CPU; does not return if so. */
void smp_stop_if_asked(void);
/** The first step of a CPU other than 0. */
void smp_begin(void);
/** The end of one that lacks what CPU 0 uses. */
[[noreturn]] void smp_refuse(const char *missing);
/** The life of a CPU other than 0, from its last step of arch's; if it was given up meanwhile, that is its end. */
[[noreturn]] void smp_live(void);
