/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/jump.h — the loader's last instructions and what they find in memory.
 *
 * They run from one page that is mapped at its own physical address by the firmware's tables and by ours: the loader's own
 * text when the number of levels stays, a copy below 4 GiB when it changes (loader/x86_64/levels.h).
 */
#pragma once

#define JUMP_CODE_MAX 512 /* The code is aligned to this and not larger: it never crosses a page. */

/* struct jump_state, by offset. */
#define JUMP_ROOT      0
#define JUMP_STACK     8
#define JUMP_ENTRY     16
#define JUMP_HANDOFF   24
#define JUMP_LOW_ROOT  32
#define JUMP_TO_32     40
#define JUMP_TO_64     48
#define JUMP_GDT_LIMIT 62
#define JUMP_GDT_BASE  64
#define JUMP_GDT       72

#define JUMP_CODE_32 0x08
#define JUMP_CODE_64 0x10
#define JUMP_DATA    0x18

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

struct jump_far {
  uint32_t offset;
  uint16_t selector;
  uint16_t reserved;
};

struct jump_state {
  uint64_t root;     /* CR3 for the kernel. */
  uint64_t stack;    /* Virtual, top. */
  uint64_t entry;    /* Virtual. */
  uint64_t handoff;  /* Virtual. */
  uint64_t low_root; /* For a change of levels: a copy of the top table below 4 GiB. */
  struct jump_far to_32, to_64;
  uint8_t reserved[6];
  uint16_t gdt_limit;
  uint64_t gdt_base;
  uint64_t gdt[4];
};

static_assert(offsetof(struct jump_state, root) == JUMP_ROOT);
static_assert(offsetof(struct jump_state, stack) == JUMP_STACK);
static_assert(offsetof(struct jump_state, entry) == JUMP_ENTRY);
static_assert(offsetof(struct jump_state, handoff) == JUMP_HANDOFF);
static_assert(offsetof(struct jump_state, low_root) == JUMP_LOW_ROOT);
static_assert(offsetof(struct jump_state, to_32) == JUMP_TO_32);
static_assert(offsetof(struct jump_state, to_64) == JUMP_TO_64);
static_assert(offsetof(struct jump_state, gdt_limit) == JUMP_GDT_LIMIT);
static_assert(offsetof(struct jump_state, gdt_base) == JUMP_GDT_BASE);
static_assert(offsetof(struct jump_state, gdt) == JUMP_GDT);

/* The code: JUMP_CODE_MAX bytes. */
extern const uint8_t jump_code[];

/**
 * Takes the machine to its state at kernel entry (docs/boot-protocol.md) and jumps.  The number of levels stays as it is.
 *   => after ExitBootServices; state->root maps the page of jump_code at its own address, executable.
 */
[[noreturn]] void jump_to_kernel(const struct jump_state *state);

/* As above with a change of levels: code that works in a copy alone; loader/x86_64/levels.h calls it. */
[[noreturn]] void jump_with_switch(const struct jump_state *state);
extern const uint8_t jump_in_32[];
extern const uint8_t jump_in_64[];

#endif
