/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/levels.c — makes the copy that jump.S switches levels in.
 *
 *   page:  0 .. 511 the code | 1024 .. struct jump_state with segment descriptors     top:  a copy of the top table
 *
 * The copy of the top table is in CR3 only while that takes 32 bits; the real one, anywhere, follows in 64-bit mode.
 * SOURCE Intel SDM 3A: 4.1.2 (mode switches), 10.8.5 (entering IA-32e mode), 3.4.5 (segment descriptors).
 */
#include "loader/x86_64/levels.h"

#include "base/units.h"
#include "lib/string.h"

#define STATE_AT 1024

/* Flat, present, accessed already: the page is read-only by the time they are loaded. */
#define DESCRIPTOR_CODE_32 UINT64_C(0x00cf9b000000ffff)
#define DESCRIPTOR_CODE_64 UINT64_C(0x00af9b000000ffff)
#define DESCRIPTOR_DATA    UINT64_C(0x00cf93000000ffff)

static struct jump_far far_to(const void *page, const uint8_t *code, uint16_t selector) {
  return (struct jump_far){.offset = (uint32_t)((uintptr_t)page + (uintptr_t)(code - jump_code)), .selector = selector};
}

void levels_prepare(void *page, void *top, const struct jump_state *state) {
  struct jump_state *s = (struct jump_state *)((uint8_t *)page + STATE_AT);
  memcpy(page, jump_code, JUMP_CODE_MAX);
  memcpy(top, (const void *)(uintptr_t)state->root, FRAME_SIZE);
  *s = *state;
  s->low_root = (uint64_t)(uintptr_t)top;
  s->to_32 = far_to(page, jump_in_32, JUMP_CODE_32);
  s->to_64 = far_to(page, jump_in_64, JUMP_CODE_64);
  s->gdt[0] = 0;
  s->gdt[JUMP_CODE_32 / 8] = DESCRIPTOR_CODE_32;
  s->gdt[JUMP_CODE_64 / 8] = DESCRIPTOR_CODE_64;
  s->gdt[JUMP_DATA / 8] = DESCRIPTOR_DATA;
  s->gdt_limit = sizeof s->gdt - 1;
  s->gdt_base = (uint64_t)(uintptr_t)s->gdt;
}

void levels_switch(const void *page) {
  uintptr_t code = (uintptr_t)page + ((uintptr_t)jump_with_switch - (uintptr_t)jump_code);
  void (*enter)(const struct jump_state *) = (void (*)(const struct jump_state *))code;
  enter((const struct jump_state *)((const uint8_t *)page + STATE_AT));
  __builtin_unreachable();
}
