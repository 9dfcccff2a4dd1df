/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trampoline.S — where another CPU wakes: from real mode to the kernel's first instruction for it.
 *
 * Copied into the frame below 1 MiB that the loader has kept, and run there at physical addresses; smp.c fills in the words
 * at the end.  The code is never written to while it is executable, and reads nothing but itself and the startup words
 * (arch_impl/startup.h).  No stack: there is none before the kernel's.
 *
 * A CPU that is not meant, or comes after its offer was withdrawn, sleeps for ever and has touched nothing.
 * The far pointers and the accessed bits of the descriptors are set in advance.  SDM 3A 8.4.4, 9.8.5.
 */
#include "arch_impl/msr.h"
#include "arch_impl/startup.h"

.section .rodata.trampoline, "a", @progbits
.balign 16
.globl trampoline_start
trampoline_start:
.code16
  cli
  cld
  xorl %esi, %esi
  movw %cs, %si
  movw %si, %ds
  shll $4, %esi                    /* ESI: where this page lies. */
  lgdtl (trampoline_gdtr - trampoline_start)
  movl %cr0, %eax
  orl $1, %eax
  movl %eax, %cr0
  ljmpl *(trampoline_far32 - trampoline_start)

.code32
.globl trampoline_code32
trampoline_code32:
  movw $0x10, %ax
  movw %ax, %ds
  movw %ax, %es
  movw %ax, %ss
  xorl %eax, %eax
  movw %ax, %fs
  movw %ax, %gs
  movl (trampoline_words - trampoline_start)(%esi), %edi

  movl $MSR_APIC_BASE, %ecx        /* Who am I?  As the APIC has it, for that is how CPU 0 has called. */
  rdmsr
  testl $0x400, %eax
  jnz 1f
  andl $0xfffff000, %eax
  movl 0x20(%eax), %eax
  shrl $24, %eax
  jmp 2f
1:
  movl $(MSR_X2APIC + 2), %ecx
  rdmsr
2:
  cmpl %eax, STARTUP_HARDWARE(%edi)
  jne 9f
  movl $STARTUP_OFFERED, %eax
  movl $STARTUP_TAKEN, %ecx
  lock cmpxchgl %ecx, STARTUP_STATE(%edi)
  jne 9f

  movl STARTUP_CR4(%edi), %eax
  movl %eax, %cr4
  movl STARTUP_CR3(%edi), %eax
  movl %eax, %cr3
  movl $MSR_EFER, %ecx
  movl STARTUP_EFER(%edi), %eax
  xorl %edx, %edx
  wrmsr
  movl STARTUP_CR0(%edi), %eax
  movl %eax, %cr0
  ljmpl *(trampoline_far64 - trampoline_start)(%esi)
9:
  cli
  hlt
  jmp 9b

.code64
.globl trampoline_code64
trampoline_code64:
  movl %edi, %ebx                  /* The upper half is not defined after the change of mode (SDM 1 3.4.1.1). */
  movq STARTUP_STACK(%rbx), %rsp
  movq STARTUP_BLOCK(%rbx), %rdi
  movq STARTUP_ROOT(%rbx), %rsi
  movq STARTUP_ENTRY(%rbx), %rax
  movl $STARTUP_READ, STARTUP_STATE(%rbx)
  jmp *%rax

.balign 8
trampoline_gdt:
  .quad 0
  .quad 0x00cf9b000000ffff         /* 0x08: code, 32 bits, flat. */
  .quad 0x00cf93000000ffff         /* 0x10: data, flat. */
  .quad 0x00af9b000000ffff         /* 0x18: code, 64 bits. */
.globl trampoline_gdtr
trampoline_gdtr:
  .word . - trampoline_gdt - 1
  .long trampoline_gdt - trampoline_start
.globl trampoline_far32
trampoline_far32:
  .long trampoline_code32 - trampoline_start
  .word 0x08
.globl trampoline_far64
trampoline_far64:
  .long trampoline_code64 - trampoline_start
  .word 0x18
.globl trampoline_words
trampoline_words:
  .long 0                          /* Physical address of the startup words. */
.globl trampoline_end
trampoline_end:
