/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/idle.c — the stocks of zeroed frames are filled by whoever has nothing else to do.
 *
 * WHAT   CPU 0 takes a step between two looks at the keys, any other CPU before it goes to sleep and whenever it is woken.
 *        Each fills the stock of its own node; CPU 0 looks after nodes without CPUs too.  A step is at most 64 KiB, so work
 *        that comes in between waits no longer than that.
 * HOW    A CPU that sleeps does not notice that somebody has taken zeros out.  CPU 0's tick does: it looks at some CPUs in
 *        turn, and wakes the first whose node's stock wants something.  So an allocation never sends an interrupt, and a
 *        stock whose memory is scarce, which stops wanting, wakes nobody.
 *        Pausing is a handshake: a CPU says that it is at it and then looks whether all is paused; who pauses says so and
 *        then looks whether anybody is at it.
 * LOCKING  none of its own; a step takes the stock's lock, under which nothing is cleared.
 * WHY NOT  fill while a command of the prompt runs: what is counted there is to be exact, and a check that reads all of
 *        memory wants it to stand still.
 */
#include "kernel/idle.h"

#include "arch/smp.h"
#include "kernel/memory.h"
#include "kernel/smp.h"

#define LOOKS 16U /* CPUs a tick. */

static uint32_t is_paused = 1;

bool idle_step(void) {
  struct smp_cpu *me = arch_smp_this();
  __atomic_store_n(&me->is_idling, 1, __ATOMIC_SEQ_CST);
  bool has_more = false;
  if (!__atomic_load_n(&is_paused, __ATOMIC_SEQ_CST))
    has_more = smp_this_cpu() == 0 ? nodes_idle(memory_nodes()) : nodes_idle_near(memory_nodes());
  me->idle_steps += has_more;
  __atomic_store_n(&me->is_idling, 0, __ATOMIC_RELEASE);
  return has_more;
}

void idle_pause(void) {
  __atomic_store_n(&is_paused, 1, __ATOMIC_SEQ_CST);
  for (unsigned i = 1; i < smp_cpu_limit(); i++)
    while (__atomic_load_n(&arch_smp_cpu(i)->is_idling, __ATOMIC_SEQ_CST)) smp_relax();
}

void idle_resume(void) { __atomic_store_n(&is_paused, 0, __ATOMIC_SEQ_CST); }

void idle_tick(void) {
  static unsigned next;
  if (__atomic_load_n(&is_paused, __ATOMIC_RELAXED)) return;
  for (unsigned looks = 0; looks < LOOKS && looks + 1 < smp_cpu_limit(); looks++) {
    const unsigned cpu = 1 + next++ % (smp_cpu_limit() - 1);
    if (nodes_wants_idle(memory_nodes(), smp_cpu_node(cpu)) && smp_nudge(cpu)) return;
  }
}
