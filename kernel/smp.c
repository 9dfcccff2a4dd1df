/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/smp.c — brings the other CPUs up, and carries what one CPU asks of another.
 *
 * WHAT   Bring-up: every CPU that the MADT lists as enabled, one after the other through one door (arch/smp.h), all of them
 *        on the way at the same time once they are through it.  Then each lives in smp_live: it does the work that it is
 *        given, else what kernel/idle.c knows to do, else it sleeps.
 * HOW    What a CPU is asked for stands as bits in its word `pending`; an interrupt makes it look.
 *          BARRIER  to clear the bit is a locked operation, and that is a full barrier: nothing else has to be done
 *          FLUSH    all translations are forgotten
 *          CALL     a function is called; its mailbox belongs to whoever holds call_lock
 *          STOP     the end, but not in the middle of an operation of this CPU's slot, for whose end another may wait
 *        Barriers and flushes are also answered by who waits for a lock (smp_relax), because it waits with interrupts
 *        masked and may wait for the very CPU that asks.  A call is not: it may come where any lock is held.
 *        `served` is odd while a CPU answers.  Who has asked waits until its bit is gone, and then, when `served` is odd,
 *        until it changes: the answer that has taken the bit is finished then.
 * LOCKING  No lock but the mailboxes'; who needs several takes them in the order of the CPUs' numbers.  Whoever waits here
 *        answers meanwhile, so two CPUs that ask each other both get their answer.
 * STATES  of a CPU (struct smp_cpu.state).  What can go two ways from STARTING is settled by compare-and-swap: one side
 * wins. ABSENT   -> STARTING   CPU 0 has made its block and stacks [arch_smp_prepare] STARTING -> ONLINE     it has come
 * [smp_live] STARTING -> REFUSED    it has come, lacks something, and sleeps for ever [smp_refuse] STARTING -> GIVEN_UP CPU
 * 0 has waited for PATIENCE [give_up] GIVEN_UP -> LATE       it came after that, and sleeps for ever [arrive] ONLINE   ->
 * STOPPED    the end [stop_here] Until it has won, a CPU writes to its own block, stack and descriptors alone.  The
 * descriptors of one that was given up stay writable therefore: to load them is to write to them. INVARIANTS A CPU that was
 * counted is online or stopped; one that was not never will be. `stopper` is set once: one CPU ends the machine, every other
 * one stops. WHY NOT  one queue of messages: there are four questions, none of which has to be asked twice in a row.
 */
#include "kernel/smp.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/tlb.h"
#include "base/assert.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/clock.h"
#include "kernel/handoff.h"
#include "kernel/idle.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "lib/string.h"

#define ASK_BARRIER 1U
#define ASK_FLUSH   2U
#define ASK_CALL    4U
#define ASK_STOP    8U

enum { WORK_NONE, WORK_COMING, WORK_THERE };

#define RESET_US     10000    /* SDM 3A 8.4.4.1: INIT, then 10 ms. */
#define AGAIN_US     200      /* A second STARTUP, for CPUs that have missed the first. */
#define PATIENCE     2000000  /* Microseconds until a CPU is given up: a busy host may not run it for long. */
#define STOP_US      1000000  /* For all to stop, */
#define STOP_STEPS   50000000 /* or so many looks, when the clock stands, */
#define STOP_REMINDS 10000    /* asked again after so many. */

RO_AFTER_INIT static unsigned count = 1; /* CPUs that run. */
RO_AFTER_INIT static unsigned limit = 1; /* Numbers given. */
static uint32_t stopper;                 /* 1 + the number of the CPU that ends the machine; 0: nobody. */

unsigned smp_cpu_count(void) { return count; }
unsigned smp_cpu_room(void) { return acpi_cpu_count() < options->cpus ? acpi_cpu_count() : (unsigned)options->cpus; }
unsigned smp_cpu_limit(void) { return limit; }

static uint32_t state_of(const struct smp_cpu *c) { return __atomic_load_n(&c->state, __ATOMIC_ACQUIRE); }
bool smp_is_online(unsigned cpu) { return cpu < limit && state_of(arch_smp_cpu(cpu)) == SMP_ONLINE; }
uint32_t smp_cpu_node(unsigned cpu) { return cpu < limit ? arch_smp_cpu(cpu)->node : 0; }

/* --- answering -------------------------------------------------------------------------------------------------------- */

static void bump(uint32_t *own) { __atomic_store_n(own, *own + 1, __ATOMIC_SEQ_CST); }

/* => interrupts masked */
static void answer(struct smp_cpu *me, uint32_t kinds) {
  bump(&me->served);
  const uint32_t asked = __atomic_fetch_and(&me->pending, ~kinds, __ATOMIC_SEQ_CST) & kinds;
  if (asked & ASK_FLUSH) arch_tlb_flush_all();
  bump(&me->served);
  if (!(asked & ASK_CALL)) return;
  const uint32_t slot = arch_handler_begin(); /* Also where somebody who waits calls it. */
  me->call(me->call_argument);
  arch_handler_end(slot);
  __atomic_store_n(&me->call, NULL, __ATOMIC_RELEASE);
}

static void answer_if_asked(uint32_t kinds) {
  struct smp_cpu *me = arch_smp_this();
  if (!(__atomic_load_n(&me->pending, __ATOMIC_RELAXED) & kinds)) return;
  const bool were_on = arch_irq_save();
  answer(me, kinds);
  arch_irq_restore(were_on);
}

void smp_relax(void) {
  answer_if_asked(ASK_BARRIER | ASK_FLUSH);
  arch_cpu_relax();
}

/* The same for who holds no lock. */
static void relax_and_be_called(void) {
  answer_if_asked(ASK_BARRIER | ASK_FLUSH | ASK_CALL);
  arch_cpu_relax();
}

[[noreturn]] static void stop_here(void) {
  __atomic_store_n(&arch_smp_this()->state, SMP_STOPPED, __ATOMIC_SEQ_CST);
  arch_cpu_stop();
}

void smp_interrupt(void) {
  struct smp_cpu *me = arch_smp_this();
  me->interrupts++;
  const bool is_asked_to_stop = __atomic_load_n(&me->pending, __ATOMIC_SEQ_CST) & ASK_STOP;
  if (is_asked_to_stop && arch_preempt_count() == 0) stop_here(); /* Else somebody may wait for this one to go on. */
  answer(me, ASK_BARRIER | ASK_FLUSH | ASK_CALL);
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static void ask(struct smp_cpu *c, uint32_t kind) {
  __atomic_fetch_or(&c->pending, kind, __ATOMIC_SEQ_CST);
  arch_smp_interrupt(c->hardware);
}

static void wait_for_answer(struct smp_cpu *c, uint32_t kind) {
  while ((__atomic_load_n(&c->pending, __ATOMIC_SEQ_CST) & kind) && state_of(c) == SMP_ONLINE) smp_relax();
  const uint32_t served = __atomic_load_n(&c->served, __ATOMIC_SEQ_CST);
  while ((served & 1) && __atomic_load_n(&c->served, __ATOMIC_SEQ_CST) == served && state_of(c) == SMP_ONLINE) smp_relax();
}

static void ask_others(uint32_t kind) {
  const unsigned me = smp_this_cpu();
  for (unsigned i = 0; i < limit; i++)
    if (i != me && smp_is_online(i)) ask(arch_smp_cpu(i), kind);
  for (unsigned i = 0; i < limit; i++)
    if (i != me && smp_is_online(i)) wait_for_answer(arch_smp_cpu(i), kind);
}

void smp_barrier_all(void) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (count > 1) ask_others(ASK_BARRIER);
}

void smp_flush_others(void) {
  if (count > 1) ask_others(ASK_FLUSH);
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static void call_begin(struct smp_cpu *c, void (*fn)(void *), void *argument) {
  while (__atomic_exchange_n(&c->call_lock, 1, __ATOMIC_ACQUIRE) != 0) relax_and_be_called();
  c->call_argument = argument;
  __atomic_store_n(&c->call, fn, __ATOMIC_RELEASE);
  ask(c, ASK_CALL);
}

static status_t call_end(struct smp_cpu *c) {
  while (__atomic_load_n(&c->call, __ATOMIC_ACQUIRE) && state_of(c) == SMP_ONLINE) relax_and_be_called();
  const bool is_done = !__atomic_load_n(&c->call, __ATOMIC_ACQUIRE);
  __atomic_store_n(&c->call_lock, 0, __ATOMIC_RELEASE);
  return is_done ? OK : ERR_NOT_FOUND;
}

static void call_here(void (*fn)(void *), void *argument) {
  const bool were_on = arch_irq_save();
  fn(argument);
  arch_irq_restore(were_on);
}

status_t smp_call(unsigned cpu, void (*fn)(void *), void *argument) {
  if (!smp_is_online(cpu)) return ERR_NOT_FOUND;
  if (cpu == smp_this_cpu()) {
    call_here(fn, argument);
    return OK;
  }
  call_begin(arch_smp_cpu(cpu), fn, argument);
  return call_end(arch_smp_cpu(cpu));
}

void smp_call_all(void (*fn)(void *), void *argument) {
  const unsigned me = smp_this_cpu();
  for (unsigned i = 0; i < limit; i++)
    if (i != me && smp_is_online(i)) call_begin(arch_smp_cpu(i), fn, argument);
  call_here(fn, argument);
  for (unsigned i = 0; i < limit; i++)
    if (i != me && smp_is_online(i)) (void)call_end(arch_smp_cpu(i));
}

/* --- work ------------------------------------------------------------------------------------------------------------- */

status_t smp_run(unsigned cpu, void (*fn)(void *), void *argument) {
  if (cpu == 0 || !smp_is_online(cpu)) return ERR_NOT_FOUND;
  struct smp_cpu *c = arch_smp_cpu(cpu);
  uint32_t none = WORK_NONE;
  if (!__atomic_compare_exchange_n(&c->work_state, &none, WORK_COMING, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
    return ERR_BUSY;
  c->work = fn;
  c->work_argument = argument;
  __atomic_store_n(&c->work_state, WORK_THERE, __ATOMIC_SEQ_CST);
  arch_smp_interrupt(c->hardware);
  return OK;
}

bool smp_nudge(unsigned cpu) {
  if (cpu >= limit) return false;
  const struct smp_cpu *c = arch_smp_cpu(cpu);
  if (state_of(c) != SMP_ONLINE || __atomic_load_n(&c->is_idling, __ATOMIC_RELAXED)) return false;
  if (__atomic_load_n(&c->work_state, __ATOMIC_RELAXED) != WORK_NONE) return false;
  arch_smp_interrupt(c->hardware);
  return true;
}

void smp_wait(unsigned cpu) {
  if (cpu >= limit) return;
  const struct smp_cpu *c = arch_smp_cpu(cpu);
  while (__atomic_load_n(&c->work_state, __ATOMIC_ACQUIRE) != WORK_NONE && state_of(c) == SMP_ONLINE) relax_and_be_called();
}

void smp_run_all(void (*fn)(void *), void *argument) {
  for (unsigned i = 1; i < limit; i++) (void)smp_run(i, fn, argument);
  fn(argument);
  for (unsigned i = 1; i < limit; i++) smp_wait(i);
}

void smp_begin(void) {
  while (__atomic_load_n(&arch_smp_this()->held_back, __ATOMIC_ACQUIRE)) arch_cpu_relax();
}

static bool has_work(const struct smp_cpu *c) { return __atomic_load_n(&c->work_state, __ATOMIC_ACQUIRE) == WORK_THERE; }

/* Says what became of this CPU, if anybody still waits for it. */
static void arrive(uint32_t as) {
  struct smp_cpu *me = arch_smp_this();
  uint32_t state = SMP_STARTING;
  if (__atomic_compare_exchange_n(&me->state, &state, as, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return;
  __atomic_store_n(&me->state, SMP_LATE, __ATOMIC_RELEASE);
  arch_cpu_stop();
}

void smp_refuse(const char *missing) {
  arch_smp_this()->missing = missing;
  arrive(SMP_REFUSED);
  arch_cpu_stop();
}

void smp_live(void) {
  struct smp_cpu *me = arch_smp_this();
  arrive(SMP_ONLINE);
  arch_irq_enable();
  for (;;) {
    if (has_work(me)) {
      me->work(me->work_argument);
      ASSERT(arch_preempt_count() == 0); /* What entered a slot has left it. */
      __atomic_store_n(&me->work_state, WORK_NONE, __ATOMIC_RELEASE);
    } else if (!idle_step()) {
      (void)arch_irq_save();
      if (has_work(me))
        arch_irq_enable();
      else
        arch_smp_sleep();
    }
  }
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

void smp_stop_if_asked(void) {
  const uint32_t who = __atomic_load_n(&stopper, __ATOMIC_SEQ_CST);
  if (who != 0 && who != smp_this_cpu() + 1) stop_here();
}

static unsigned running_others(void) {
  unsigned n = 0;
  for (unsigned i = 0; i < limit; i++) n += i != smp_this_cpu() && smp_is_online(i);
  return n;
}

static void ask_to_stop(enum smp_stop how) {
  for (unsigned i = 0; i < limit; i++) {
    struct smp_cpu *c = arch_smp_cpu(i);
    if (i == smp_this_cpu() || !smp_is_online(i)) continue;
    if (how == SMP_STOP_NOW) {
      arch_smp_interrupt_hard(c->hardware);
    } else {
      ask(c, ASK_STOP);
    }
  }
}

/* Who is asked in the middle of an operation of its slot goes on with that, and is asked again. */
unsigned smp_stop_others(enum smp_stop how) {
  const uint32_t me = smp_this_cpu() + 1;
  uint32_t nobody = 0;
  if (!__atomic_compare_exchange_n(&stopper, &nobody, me, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) && nobody != me)
    stop_here();
  if (running_others() == 0) return 0;
  ask_to_stop(how);
  const uint64_t start = clock_us();
  for (unsigned i = 0; i < STOP_STEPS && clock_us() - start < STOP_US && running_others() > 0; i++) {
    if (how == SMP_STOP_SOON && i % STOP_REMINDS == STOP_REMINDS - 1) ask_to_stop(how);
    smp_relax();
  }
  return running_others();
}

/* --- bring-up --------------------------------------------------------------------------------------------------------- */

static void pass_us(uint64_t us) {
  for (const uint64_t start = clock_us(); clock_us() - start < us;) arch_cpu_relax();
}

static bool comes_within(uint64_t us, bool (*has_come)(void)) {
  const uint64_t start = clock_us();
  while (!has_come() && clock_us() - start < us) arch_cpu_relax();
  return has_come();
}

/* The CPU takes block `number`: OK; ERR_TIMEOUT: it has not, and will not; ERR_STATE: it has, and stands still. */
static status_t wake(unsigned number, uint32_t hardware) {
  arch_smp_offer(number);
  arch_smp_wake(hardware);
  if (comes_within(AGAIN_US, arch_smp_is_taken)) return OK;
  arch_smp_wake(hardware);
  if (comes_within(PATIENCE, arch_smp_is_taken)) return OK;
  if (!arch_smp_withdraw()) return comes_within(PATIENCE, arch_smp_is_taken) ? OK : ERR_STATE;
  arch_smp_reset(hardware);
  return ERR_TIMEOUT;
}

/* What bring-up comes to; ends when a CPU stands between taking and reading, for nobody else can pass there. */
struct tally {
  uint32_t self;
  unsigned wanted; /* CPUs besides this one. */
  bool may_come;   /* Somebody may still be on the way. */
  uint64_t start_us;
};

/* The next CPU to start: enabled, not this one, and no more than wanted. */
static bool next_cpu(const struct tally *t, size_t *cursor, unsigned *taken, struct acpi_cpu *out) {
  while (*taken < t->wanted && acpi_cpu(cursor, out)) {
    if (!out->is_enabled || out->apic == t->self) continue;
    ++*taken;
    return true;
  }
  return false;
}

static void reset_all(const struct tally *t) {
  struct acpi_cpu cpu;
  unsigned taken = 0;
  for (size_t at = 0; next_cpu(t, &at, &taken, &cpu);) arch_smp_reset(cpu.apic);
  pass_us(RESET_US);
}

/* Whose memory is nearest; the allocator's slot of a CPU is its number. */
static void set_home(unsigned number, uint32_t hardware) {
  const uint32_t node = numa_node_of_apic(acpi_numa(), hardware);
  arch_smp_cpu(number)->node = node;
  if (nodes_set_home(memory_nodes(), number, node) != OK)
    klog(KLOG_WARN, "smp", "CPU %u is in node %u, which the allocator does not know", number, node);
}

/* break=late-cpu: CPU 1 comes when everybody has stopped waiting for it. */
static bool is_one_late(void) { return strcmp(options->break_invariant, "late-cpu") == 0; }

static void let_the_late_come(void) {
  if (limit < 2 || !is_one_late()) return;
  __atomic_store_n(&arch_smp_cpu(1)->held_back, 0, __ATOMIC_RELEASE);
  for (const uint64_t start = clock_us(); state_of(arch_smp_cpu(1)) == SMP_GIVEN_UP && clock_us() - start < PATIENCE;)
    arch_cpu_relax();
}

static void wake_all(struct tally *t) {
  struct acpi_cpu cpu;
  unsigned taken = 0;
  for (size_t at = 0; next_cpu(t, &at, &taken, &cpu);) {
    status_t s = arch_smp_prepare(limit, cpu.apic);
    if (s == ERR_UNSUPPORTED) {
      klog(KLOG_WARN, "smp", "the CPU with APIC id %u cannot be reached: the firmware has left x2APIC mode off", cpu.apic);
      continue;
    }
    if (s != OK) {
      klog(KLOG_WARN, "smp", "no memory for another CPU (%s): it is left out, and those behind it", status_name(s));
      return;
    }
    set_home(limit, cpu.apic);
    arch_smp_cpu(limit)->held_back = limit == 1 && is_one_late();
    s = wake(limit, cpu.apic);
    if (s == ERR_TIMEOUT) {
      klog(KLOG_WARN, "smp", "the CPU with APIC id %u does not answer: it is left out", cpu.apic);
      continue;
    }
    limit++;
    if (s == OK) continue;
    t->may_come = true;
    klog(KLOG_WARN, "smp", "the CPU with APIC id %u stands still on its way: those behind it are left out", cpu.apic);
    return;
  }
}

/* Its counter at arrival has to lie between ours before and after, or times in the log would jump. */
static void judge_counter(unsigned number, uint64_t before) {
  const uint64_t arrived = arch_smp_cpu(number)->arrived;
  if (arrived < before || arrived > arch_cpu_timestamp())
    klog(KLOG_WARN, "smp", "the time stamp counter of CPU %u does not agree with that of CPU 0", number);
}

static bool is_on_its_way(unsigned number) { return state_of(arch_smp_cpu(number)) == SMP_STARTING; }

/* Returns what the CPU is from now on: it may have come in this very moment. */
static uint32_t give_up(struct smp_cpu *c) {
  uint32_t state = SMP_STARTING;
  __atomic_compare_exchange_n(&c->state, &state, SMP_GIVEN_UP, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return state_of(c);
}

static void wait_for_all(struct tally *t, uint64_t before) {
  for (unsigned i = 1; i < limit; i++) {
    struct smp_cpu *c = arch_smp_cpu(i);
    const uint64_t start = clock_us();
    while (is_on_its_way(i) && clock_us() - start < PATIENCE) arch_cpu_relax();
    switch (give_up(c)) {
    case SMP_ONLINE:
      count++;
      judge_counter(i, before);
      break;
    case SMP_REFUSED:
      klog(KLOG_WARN, "smp", "CPU %u lacks %s, which CPU 0 uses: it is left out", i, c->missing);
      break;
    default:
      t->may_come = true;
      klog(KLOG_WARN, "smp", "CPU %u (APIC id %u) has begun and does not come: it is given up, its %u frames stay its own",
           i, c->hardware, arch_smp_frames());
    }
  }
}

/* What those that have come never write again, neighbours in one go. */
static void seal_those_that_came(void) {
  for (unsigned first = 1, end; first < limit; first = end + 1) {
    for (end = first; end < limit && state_of(arch_smp_cpu(end)) != SMP_GIVEN_UP;) end++;
    if (end > first) arch_smp_seal(first, end);
  }
}

static void start_others(struct tally *t) {
  const uint64_t before = arch_cpu_timestamp();
  reset_all(t);
  wake_all(t);
  wait_for_all(t, before);
  seal_those_that_came();
  arch_smp_end(t->may_come);
  let_the_late_come();
}

void smp_init(void) {
  struct tally t = {.start_us = clock_us()};
  const char *source;
  if (arch_smp_self(&t.self) != OK || arch_timestamp_rate(&source) == 0) {
    klog(acpi_cpu_count() > 1 ? KLOG_WARN : KLOG_INFO, "smp", "one CPU runs: no local APIC or no clock to start others by");
    return;
  }
  arch_smp_cpu(0)->hardware = t.self;
  set_home(0, t.self);
  const unsigned listed = acpi_cpu_count();
  t.wanted = smp_cpu_room() - 1;
  if (t.wanted > 0) {
    const status_t s = arch_smp_begin(paddr(memory_handoff()->trampoline), t.wanted);
    if (s == OK) {
      start_others(&t);
    } else {
      klog(KLOG_WARN, "smp", "one CPU runs: no place to start others in (%s)", status_name(s));
    }
  }
  klog(listed > 1 ? KLOG_NOTICE : KLOG_INFO, "smp", "%u of %u CPUs up in %llu us", count, listed,
       (unsigned long long)(clock_us() - t.start_us));
}
