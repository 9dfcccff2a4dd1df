/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/symtab.h — names for code addresses; and backtraces made of them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* One function, as scripts/gen-symtab writes it; sorted by start. */
struct symtab_entry {
  uint32_t start; /* Offset from image_start. */
  uint32_t name;  /* Offset into the names. */
};

/** The function that holds an address: its name and the distance from its start.  NULL when it is not in the text. */
const char *symtab_find(vaddr_t address, uint64_t *offset);
/** Writes "kmain+0x12", or "image+0x1234" when no symbol is known, or "(address)"; at most `size` bytes with the NUL. */
void symtab_describe(vaddr_t address, char *to, size_t size);

/**
 * Walks frame pointers from `fp` and calls visit for each return address, `depth` from 0, until it returns false.
 *
 * Every step is checked: the frame lies in a mapped stack, above the last one, and the return address in the text.
 *   => any context, also on a broken stack.
 */
void backtrace_walk(vaddr_t fp, bool (*visit)(void *context, unsigned depth, vaddr_t pc), void *context);
