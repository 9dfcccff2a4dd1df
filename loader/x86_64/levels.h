/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/x86_64/levels.h — from four levels of page tables to five, or back.
 *
 * CR4.LA57 can be changed with paging off alone, and paging off means 32-bit mode: the code has to lie below 4 GiB at an
 * address that is the same with and without paging, and CR3 takes 32 bits there.  Two frames are needed for that.
 */
#pragma once

#include "loader/x86_64/jump.h"

/**
 * Fills the two frames; to be called again when the tables have been built again.
 *   => page: EfiLoaderCode, below 4 GiB, identity-mapped, also by state->root (executable); top: below 4 GiB.
 */
void levels_prepare(void *page, void *top, const struct jump_state *state);

/** Switches and enters the kernel.  => after ExitBootServices; page is prepared. */
[[noreturn]] void levels_switch(const void *page);
