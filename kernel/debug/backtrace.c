/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/backtrace.c — who called whom, by frame pointers.
 *
 * A frame is two words: the caller's frame pointer and the return address.  The walk believes neither: a frame must lie
 * wholly in the mapped part of a known stack and above the last one, a return address in the text.  So it ends, and it
 * cannot fault, whatever has happened to the stack.
 */
#include "base/bits.h"
#include "kernel/image.h"
#include "kernel/symtab.h"
#include "mm/kspace.h"

#define DEPTH_MAX 2000 /* More than fit on any stack of ours. */

struct frame {
  uint64_t next;
  uint64_t return_address;
};

static bool is_frame(uint64_t fp) {
  struct kspace_stack stack;
  if (!bits_is_aligned(fp, 8) || !kspace_stack_find(vaddr(fp), &stack)) return false;
  return fp >= stack.low.raw && fp + sizeof(struct frame) <= stack.high.raw;
}

static bool is_text(uint64_t pc) {
  return pc > (uint64_t)(uintptr_t)image_text_start && pc <= (uint64_t)(uintptr_t)image_text_end;
}

void backtrace_walk(vaddr_t fp, bool (*visit)(void *context, unsigned depth, vaddr_t pc), void *context) {
  uint64_t at = fp.raw;
  for (unsigned depth = 0; depth < DEPTH_MAX && is_frame(at); depth++) {
    const struct frame *f = (const struct frame *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
    if (!is_text(f->return_address)) return;
    /* The call itself stands before the return address; a call that never returns may end its function. */
    if (!visit(context, depth, vaddr(f->return_address - 1))) return;
    if (f->next <= at) return;
    at = f->next;
  }
}
