/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/symtab.c — finds the function that an address lies in.
 *
 * The table is generated from the linked kernel (scripts/gen-symtab) and linked in again.  It holds offsets, never
 * addresses, so it needs no relocation, and it stands behind the text, so that adding it moves no function; the build
 * checks that.
 */
#include "kernel/symtab.h"

#include "kernel/image.h"
#include "lib/format.h"

/* From build/gen/symtab.gen.c; empty in the first pass. */
extern const struct symtab_entry symtab_entries[];
extern const uint32_t symtab_count;
extern const char symtab_names[];

const char *symtab_find(vaddr_t address, uint64_t *offset) {
  const uint64_t text_start = (uint64_t)(uintptr_t)image_text_start;
  const uint64_t text_end = (uint64_t)(uintptr_t)image_text_end;
  if (address.raw < text_start || address.raw >= text_end || symtab_count == 0) return nullptr;
  const uint64_t at = address.raw - (uint64_t)(uintptr_t)image_start;
  uint32_t low = 0;
  uint32_t high = symtab_count;
  while (high - low > 1) { /* The last entry that starts at or below `at`. */
    const uint32_t middle = low + (high - low) / 2;
    if (symtab_entries[middle].start <= at) {
      low = middle;
    } else {
      high = middle;
    }
  }
  if (symtab_entries[low].start > at) return nullptr;
  *offset = at - symtab_entries[low].start;
  return symtab_names + symtab_entries[low].name;
}

void symtab_describe(vaddr_t address, char *to, size_t size) {
  uint64_t offset;
  const char *name = symtab_find(address, &offset);
  const uint64_t start = (uint64_t)(uintptr_t)image_start;
  if (name) {
    format_string(to, size, "%s+0x%llx", name, (unsigned long long)offset);
  } else if (address.raw >= start && address.raw < (uint64_t)(uintptr_t)image_end) {
    format_string(to, size, "image+0x%llx", (unsigned long long)(address.raw - start));
  } else {
    format_string(to, size, "(address)");
  }
}
