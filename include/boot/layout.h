/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/layout.h — the plan of the kernel's address space; its only home.
 *
 * The loader draws the windows below at random, the kernel lives in them, `layout` prints them, and docs/memory-layout.md
 * is generated from this table and compared in `make check`.  It stands in boot/ and not in kernel/ because both sides of
 * the handoff need it and the loader may not include the kernel's headers (docs/decisions/0002-layout-in-boot.md).
 *
 * All windows lie in the upper half between LAYOUT_START and LAYOUT_END.  The first and the last top-level slot (512 GiB
 * with four levels, 256 TiB with five) stay empty for ever: the first because it borders on the non-canonical hole, the
 * last so that small negative numbers taken for pointers fault.  No two windows share a page of 4 KiB, and between any two
 * there is at least LAYOUT_GAP of nothing.
 */
#pragma once

#include <stdint.h>

#include "base/units.h"

/* The user half ends, and the non-canonical hole begins, at 2^47 (four levels) or 2^56 (five). */
#define LAYOUT_START_4 UINT64_C(0xffff808000000000) /* Slot 257 of 512. */
#define LAYOUT_START_5 UINT64_C(0xff01000000000000) /* Slot 257 of 512. */
#define LAYOUT_END_4   UINT64_C(0xffffff8000000000) /* Slot 511 of 512, not included. */
#define LAYOUT_END_5   UINT64_C(0xffff000000000000) /* Slot 511 of 512, not included. */
#define LAYOUT_GAP     (UINT64_C(64) * KIB)

#define LAYOUT_KSPACE_SIZE     (UINT64_C(64) * GIB)
#define LAYOUT_STACKS_SIZE     (UINT64_C(16) * GIB)
#define LAYOUT_PERCPU_SIZE     (UINT64_C(1) * GIB)
#define LAYOUT_BOOT_STACK_SIZE (UINT64_C(32) * KIB)

/*
 * The windows.  The direct map is drawn first, because it is the largest by far, then the others in this order.
 *   id            BOOT_WINDOW_<id>
 *   name          as `layout` and the panic screen print it
 *   step          bases are multiples of it
 *   size          what decides how large it is (for the document; the loader computes the number)
 *   what          what lives there
 */
#define BOOT_WINDOWS(X)                                                                                                     \
  X(IMAGE, "image", 4 * KIB, "the kernel's segments", "kernel text, read-only data, data")                                  \
  X(DIRECT_MAP, "direct map", 1 * GIB, "highest RAM address, rounded up to 1 GiB",                                          \
    "all RAM at base + physical address; never executable")                                                                 \
  X(FRAMES, "frame records", 2 * MIB, "16 bytes for each frame below the highest RAM address, rounded up to 2 MiB",         \
    "one record a frame, mapped only where there is RAM")                                                                   \
  X(KSPACE, "kernel windows", 2 * MIB, "64 GiB", "device registers, large kernel buffers")                                  \
  X(STACKS, "stacks", 4 * KIB, "16 GiB",                                                                                    \
    "kernel stacks, each between two unmapped guard pages; the boot stack is the first")                                    \
  X(PERCPU, "per-CPU", 4 * KIB, "1 GiB", "one area a CPU")                                                                  \
  X(FRAMEBUFFER, "framebuffer", 2 * MIB, "the framebuffer, rounded up to 2 MiB (2 MiB where there is none)",                \
    "video memory, write-combining")                                                                                        \
  X(HANDOFF, "handoff", 4 * KIB, "struct boot_handoff and what it points to", "what the loader tells the kernel; read-only")

enum boot_window_id {
#define LAYOUT_ENUM(id, name, step, size, what) BOOT_WINDOW_##id,
  BOOT_WINDOWS(LAYOUT_ENUM)
#undef LAYOUT_ENUM
      BOOT_WINDOW_COUNT
};
