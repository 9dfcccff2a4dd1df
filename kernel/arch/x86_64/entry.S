/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * entry.S — the kernel's first instructions.
 *
 * On entry (end of include/boot/handoff.h): RDI = virtual address of struct boot_handoff, RSP = top of the boot stack,
 * interrupts off.  Everything compiled from C checks its stack guard at gs:40, so GS must point at a block of ours before
 * the first C function runs; the guard's value comes later, from the handoff's seed (start.c).
 */
#include "arch_impl/msr.h"

.section .text.entry, "ax", @progbits
.globl entry
.type entry, @function
entry:
  pushq $2                         /* Flags as the ABI wants them: no interrupts, upwards, and AC clear for SMAP. */
  popfq
  leaq percpu_boot(%rip), %rax     /* The boot CPU's block: wrmsr takes it in EDX:EAX. */
  movq %rax, %rdx
  shrq $32, %rdx
  movl $MSR_GS_BASE, %ecx
  wrmsr
  xorl %ebp, %ebp                  /* A frame pointer of 0 and a return address of 0 end every backtrace here. */
  pushq $0
  pushq $0
  call start
  ud2
.size entry, . - entry

/*
 * Another CPU's first instruction of the kernel's, on the trampoline's tables, which have the kernel's half too: RDI = its
 * block, RSI = the kernel's own tables, RSP = top of its stack, which those tables alone are sure to map.
 */
.globl entry_other
.type entry_other, @function
entry_other:
  movq %rsi, %cr3
  pushq $2
  popfq
  movq %rdi, %rax
  movq %rdi, %rdx
  shrq $32, %rdx
  movl $MSR_GS_BASE, %ecx
  wrmsr
  xorl %ebp, %ebp
  pushq $0
  pushq $0
  call start_other
  ud2
.size entry_other, . - entry_other

/* void gdt_reload(uint64_t code, uint64_t data, uint64_t tss): loads the segment registers from a GDT just loaded. */
.text
.globl gdt_reload
.type gdt_reload, @function
gdt_reload:
  popq %rax
  pushq %rdi                       /* A far return is the only way to load CS in 64-bit mode. */
  pushq %rax
  movl %esi, %ds
  movl %esi, %es
  movl %esi, %ss
  xorl %eax, %eax
  movl %eax, %fs                   /* Loading GS would clear its base; FS is not used. */
  ltr %dx
  lretq
.size gdt_reload, . - gdt_reload
