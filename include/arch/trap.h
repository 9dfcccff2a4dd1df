/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/trap.h — what happened when the CPU stopped doing what it was told, without saying which CPU it is.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"

struct trap_frame; /* The registers as they were; known to the arch room alone. */

const char *arch_trap_name(const struct trap_frame *frame); /* "page fault". */
/** Whether a fault was caused by an access to memory, and to which address. */
bool arch_trap_fault_address(const struct trap_frame *frame, vaddr_t *address);
/** The error code in words: "write to a page that forbids it"; "" when there is nothing to say. */
void arch_trap_explain(const struct trap_frame *frame, char *to, size_t size);
/** Program counter, stack and frame pointer at the fault, and all registers by index until it returns false. */
vaddr_t arch_trap_pc(const struct trap_frame *frame);
vaddr_t arch_trap_sp(const struct trap_frame *frame);
vaddr_t arch_trap_fp(const struct trap_frame *frame);
bool arch_trap_register(const struct trap_frame *frame, size_t index, const char **name, uint64_t *value);

/* A fault that was caught by arch_trap_guarded. */
struct arch_trap_caught {
  unsigned vector;
  uint64_t error; /* As the CPU gave it. */
  vaddr_t address;
  bool was_write, was_execute, was_mapped; /* Of a page fault. */
};
/**
 * Calls fn(argument); when it faults, comes back instead of panicking.
 *   => for code whose faults leave nothing half-done: firmware calls, probes, tests.  Not for double faults and NMIs.
 * True when fn returned by itself; false, with *caught filled, when it faulted.
 */
bool arch_trap_guarded(void (*fn)(void *argument), void *argument, struct arch_trap_caught *caught);
/** A guarded call that is under way waits for no fault any more.  => a panic: what it does itself must not lead back there.
 */
void arch_trap_forget_guarded(void);

/* Faults that C cannot ask for. */
enum arch_trap_provoke {
  ARCH_TRAP_PROVOKE_NMI,     /* These two without a stack, so that only one of their own can tell it. */
  ARCH_TRAP_PROVOKE_MACHINE, /* A machine check. */
  ARCH_TRAP_PROVOKE_DIVIDE,
  ARCH_TRAP_PROVOKE_UNDEFINED,
  ARCH_TRAP_PROVOKE_PROTECTION,
  ARCH_TRAP_PROVOKE_DOUBLE_FAULT
};
/** Faults in that way, for tests. */
void arch_trap_provoke(enum arch_trap_provoke how);
