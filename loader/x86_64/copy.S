/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/copy.S — memcpy and memset with the CPU's string instructions, 8 bytes at a time.
 *
 * One instruction of the loader's budget moves 8 bytes, and a real CPU moves whole lines behind it.  The calling convention
 * is the firmware's: RCX, RDX, R8 in, RDI and RSI preserved.
 */
  .text
  .globl memcpy, memset
memcpy:
  movq %rdi, %r9
  movq %rsi, %r10
  movq %rcx, %rax
  movq %rcx, %rdi
  movq %rdx, %rsi
  movq %r8, %rcx
  shrq $3, %rcx
  rep movsq
  movl %r8d, %ecx
  andl $7, %ecx
  rep movsb
  movq %r9, %rdi
  movq %r10, %rsi
  retq

memset:
  movq %rdi, %r9
  movq %rcx, %r10
  movq %rcx, %rdi
  movzbl %dl, %eax
  movabsq $0x0101010101010101, %rdx
  imulq %rdx, %rax
  movq %r8, %rcx
  shrq $3, %rcx
  rep stosq
  movl %r8d, %ecx
  andl $7, %ecx
  rep stosb
  movq %r9, %rdi
  movq %r10, %rax
  retq
