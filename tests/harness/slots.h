/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/slots.h — threads play CPUs; see slots.c. */
#pragma once

#include <stdint.h>

/** From now on this thread plays that CPU, whoever else does; for tests with one thread. */
void slots_play(uint32_t number);
/** Allocators that are created from now on have so many slots; 0: as many as threads can have, as ever. */
void slots_play_count(uint32_t count);
/** For breakers: platform_barrier_all does nothing. */
void slots_leave_out_barriers(bool are_left_out);
