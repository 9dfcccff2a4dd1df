/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/pat.h — the page attribute table that loader and kernel of the x86_64 port both program.
 *
 * Entries 0 to 3 are those of the reset state, so that every mapping of the firmware keeps its meaning; entry 5 is
 * write-combining, for the framebuffer.  An entry is chosen in a leaf by PAT (4), cache disable (2) and write-through (1).
 * SOURCE Intel SDM 3A, 12.12 (page attribute table).
 */
#pragma once

#include <stdint.h>

/*                                         7: UC  6: UC-  5: WC  4: WB  3: UC  2: UC-  1: WT  0: WB */
#define BOOT_PAT_VALUE UINT64_C(0x0007010600070406)
#define BOOT_PAT_WC    5U
