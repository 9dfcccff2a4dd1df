/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/jump.S — the last instructions of the loader.
 *
 * WHAT   From the firmware's world to the state of docs/boot-protocol.md.  Position-independent and at most JUMP_CODE_MAX
 *        bytes, aligned to that, so that it lies in one page wherever it is; in: RCX = struct jump_state.
 * ORDER  1  EFER.NXE before the first entry with bit 63 is used (it would be a reserved bit).
 *        2  CR4 without PGE, so that loading CR3 drops the firmware's global pages too; without PCIDE and CET.
 *        3  CR3, then RSP: from here on nothing of the firmware's is used, its stack may have been read-only all along.
 *        4  PAT, and CR3 once more: nothing was mapped through the changed entry before, nothing stale is left after.
 *        5  CR0 with WP, last of all (firmware exists whose stack page is read-only, on which an earlier WP is fatal).
 * SOURCE Intel SDM 3A: 2.5 (control registers), 4.10.4 (invalidation), 12.12.4 (programming the PAT).
 */
#include "loader/x86_64/jump.h"

#define EFER        0xc0000080
#define EFER_NXE    11
#define PAT         0x277
#define PAT_LOW     0x00070406
#define PAT_HIGH    0x00070106
#define CR0_PG      0x80000000
#define CR0_ENTRY   0x80010033 /* PG WP NE ET MP PE; caches on, alignment checks off. */
#define CR4_LA57    0x1000
#define CR4_KEPT    0x7648     /* SMXE VMXE LA57, OSXMMEXCPT OSFXSR, MCE, DE; of the rest only PAE is wanted. */
#define CR4_PAE     0x20

  .text
  .balign JUMP_CODE_MAX
  .globl jump_code, jump_to_kernel, jump_with_switch, jump_in_32, jump_in_64
jump_code:

  .code64
jump_to_kernel:
  cli
  cld
  movq %rcx, %rsi
  movl $EFER, %ecx
  rdmsr
  btsl $EFER_NXE, %eax
  jc 1f
  wrmsr
1:
  movq %cr4, %rax
  andl $CR4_KEPT, %eax
  orl $CR4_PAE, %eax
  movq %rax, %cr4
  movq JUMP_STACK(%rsi), %rbx
  movq JUMP_HANDOFF(%rsi), %rdi
  movq JUMP_ENTRY(%rsi), %rbp
  movq JUMP_ROOT(%rsi), %rsi /* The state may not be mapped any more from here on. */
  movq %rsi, %cr3
  movq %rbx, %rsp
  movl $PAT, %ecx
  movl $PAT_LOW, %eax
  movl $PAT_HIGH, %edx
  wrmsr
  movq %rsi, %cr3
  movl $CR0_ENTRY, %eax
  movq %rax, %cr0
  movq %rbp, %rax
  xorl %ebp, %ebp /* The end of every backtrace. */
  jmpq *%rax

  /* RCX = struct jump_state below 4 GiB; this code runs in the copy that lies before it. */
jump_with_switch:
  cli
  cld
  movq %cr4, %rax
  andl $CR4_KEPT, %eax
  orl $CR4_PAE, %eax
  movq %rax, %cr4 /* PCIDE must be off before paging is. */
  lgdt JUMP_GDT_LIMIT(%rcx)
  movl %ecx, %esi
  ljmpl *JUMP_TO_32(%rcx)

  .code32
jump_in_32:
  movl $JUMP_DATA, %eax
  movl %eax, %ds
  movl %eax, %es
  movl %eax, %ss
  movl %cr0, %eax
  andl $~CR0_PG, %eax
  movl %eax, %cr0 /* Leaves IA-32e mode; EFER.LME stays set. */
  movl %cr4, %eax
  xorl $CR4_LA57, %eax
  movl %eax, %cr4
  movl JUMP_LOW_ROOT(%esi), %eax
  movl %eax, %cr3
  movl %cr0, %eax
  orl $CR0_PG, %eax
  movl %eax, %cr0 /* Enters it again, with the other number of levels. */
  ljmpl *JUMP_TO_64(%esi)

  .code64
jump_in_64:
  movl %esi, %ecx
  jmp jump_to_kernel

  .org jump_code + JUMP_CODE_MAX /* Refused by the assembler when the code is longer. */
