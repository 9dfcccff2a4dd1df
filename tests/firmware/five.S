/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/five.S — firmware that runs with five levels of page tables.
 *
 * levels_five(RCX = page, RDX = top, R8 = struct jump_state) changes levels with the loader's own code, which believes that it
 * enters a kernel: it comes out at `back`, on the stack it was called on, with another GDT, which is put right again.
 */
#include "loader/x86_64/jump.h"

  .text
  .globl levels_five
levels_five:
  pushq %rbx
  pushq %rbp
  pushq %rsi
  pushq %rdi
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  pushfq
  cli
  subq $32, %rsp
  sgdt 16(%rsp)
  movl %cs, %eax
  movl %eax, (%rsp)
  movl %ss, %eax
  movl %eax, 4(%rsp)
  movq %rsp, JUMP_STACK(%r8)
  leaq back(%rip), %rax
  movq %rax, JUMP_ENTRY(%r8)
  movq %rcx, %rbx
  andq $-16, %rsp
  subq $32, %rsp /* The callee's, in this ABI. */
  callq levels_prepare
  movq %rbx, %rcx
  callq levels_switch
back:
  lgdt 16(%rsp)
  movl (%rsp), %eax
  movl 4(%rsp), %edx
  pushq %rax
  leaq 1f(%rip), %rax
  pushq %rax
  lretq
1:
  movl %edx, %ds
  movl %edx, %es
  movl %edx, %fs
  movl %edx, %gs
  movl %edx, %ss
  addq $32, %rsp
  popfq
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rdi
  popq %rsi
  popq %rbp
  popq %rbx
  retq
