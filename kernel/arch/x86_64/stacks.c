/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/stacks.c — stacks for the exceptions that cannot trust the one they interrupt.
 *
 * Double fault (the stack itself may be gone), NMI and machine check (they come between any two instructions) get one each,
 * guarded like every stack, in the window STACKS.
 */
#include "arch/boot.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "base/units.h"
#include "mm/kspace.h"

/* The panic screen runs on them: its deepest path (mm_check, formatting) needs less than half of this. */
#define EXCEPTION_STACK_SIZE (16 * KIB)

status_t arch_trap_stacks_init(void) {
  static const struct {
    const char *name;
    unsigned index;
  } stacks[] = {
      {"double fault stack", IST_DOUBLE_FAULT},
      {"NMI stack", IST_NMI},
      {"machine check stack", IST_MACHINE},
  };
  for (size_t i = 0; i < ARRAY_COUNT(stacks); i++) {
    struct kspace_stack stack;
    const status_t s = kspace_stack_create(stacks[i].name, EXCEPTION_STACK_SIZE, &stack);
    if (s != OK) return s;
    gdt_set_ist(stacks[i].index, stack.high.raw);
  }
  trap_use_ist();
  return OK;
}
