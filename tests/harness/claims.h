/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/claims.h — who has which frame, in words of the test's own: a frame in two hands ends the program.
 *
 * One set of frames at a time.  The words are relaxed, so that they order nothing between the threads that are looked at.
 */
#pragma once

#include <stdint.h>

/** For frames [first, first + frames), none of them anybody's. */
void claims_begin(uint64_t first, uint64_t frames);
void claims_end(void);
/** They are `who`'s now, a number that is not 0; nobody may have any of them. */
void claims_take(uint64_t first, uint64_t count, uint32_t who);
/** They are nobody's now. */
void claims_give(uint64_t first, uint64_t count);
/** Whose a frame is; 0: nobody's. */
uint32_t claims_of(uint64_t frame);
