/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * trap_entry.S — 256 doors of 16 bytes each, one hall behind them.
 *
 * Every door leaves the same stack: vector and error code (0 where the CPU gives none) below what the CPU pushed, then the
 * registers of struct trap_frame.  There is no user mode yet, so GS is always the kernel's.  Below that the hall lays a frame
 * as a call would, so that a backtrace from in here goes on in what was interrupted.
 */
.text

.balign 16
.globl trap_doors
.type trap_doors, @function
trap_doors:
.set vector, 0
.rept 256
  .balign 16
  .if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
  .else
  pushq $0
  .endif
  pushq $vector
  jmp trap_hall
  .set vector, vector + 1
.endr
.size trap_doors, . - trap_doors

.type trap_hall, @function
trap_hall:
  pushq %rax
  pushq %rcx
  pushq %rdx
  pushq %rbx
  pushq %rbp
  pushq %rsi
  pushq %rdi
  pushq %r8
  pushq %r9
  pushq %r10
  pushq %r11
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  cld
  movq %rsp, %rdi                  /* 22 words on a stack that the CPU aligned to 16 bytes: aligned again. */
  movq 17*8(%rdi), %rax            /* RIP; a backtrace names the byte before a return address. */
  incq %rax
  pushq %rax
  pushq %rbp
  movq %rsp, %rbp
  call trap_dispatch
  addq $16, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %r11
  popq %r10
  popq %r9
  popq %r8
  popq %rdi
  popq %rsi
  popq %rbp
  popq %rbx
  popq %rdx
  popq %rcx
  popq %rax
  addq $16, %rsp
  iretq
.size trap_hall, . - trap_hall

/*
 * bool trap_guarded_call(void (*fn)(void *), void *argument, struct trap_recovery *r)
 * Notes in *r where to go on after a fault, and calls.  trap_dispatch comes back at 1: with RSP as noted.
 */
.globl trap_guarded_call
.type trap_guarded_call, @function
trap_guarded_call:
  pushq %rbp
  movq %rsp, %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  subq $8, %rsp
  movq %rsp, 0(%rdx)
  leaq 1f(%rip), %rax
  movq %rax, 8(%rdx)
  movq %rdi, %rax
  movq %rsi, %rdi
  call *%rax
  movl $1, %eax
  jmp 2f
1:
  cld
  xorl %eax, %eax
2:
  addq $8, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size trap_guarded_call, . - trap_guarded_call
