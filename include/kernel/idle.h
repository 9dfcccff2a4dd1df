/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/idle.h — what CPUs do that have nothing to do: zeros for later. */
#pragma once

/**
 * One bounded step: on CPU 0 of any node's stock, on the others of their own node's.
 *   => interrupts on, no lock held.
 * True when it did something and there may be more; false also while all is paused.
 */
bool idle_step(void);

/**
 * From its return to idle_resume no CPU takes a step, so that who counts frames, or has them checked, is alone with memory.
 * From the start all is paused.
 *   => CPU 0, no lock held; not twice.   => waits for steps that are under way.
 */
void idle_pause(void);
void idle_resume(void);

/** Wakes some CPU that sleeps although there is something to do on it.  => the tick. */
void idle_tick(void);
