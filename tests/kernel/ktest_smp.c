/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_smp.c — the other CPUs: each with what is its own, all with the same protection, and all reachable.
 *
 * The tests run on CPU 0; what they hand to the others counts failures with KTEST_EXPECT, which any CPU may do.  Waiting for
 * another CPU for a word is bounded in looks, so that most of what can be broken fails and does not hang.
 */
#include "arch/boot.h"
#include "arch/trap.h"
#include "base/atomic.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/clock.h"
#include "kernel/handoff.h"
#include "kernel/image.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/smp.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/kspace.h"
#include "mm/physmap.h"
#include "mm/platform.h"

#define PATIENCE UINT32_C(200000000) /* Looks. */

static bool needs_others(void) {
  if (smp_cpu_count() > 1) return true;
  ktest_skip("one_cpu");
  return false;
}

static uint64_t address_of(const volatile void *p) { return (uint64_t)(uintptr_t)p; }

static bool becomes(const uint32_t *word, uint32_t value) {
  for (uint32_t i = 0; i < PATIENCE; i++) {
    if (__atomic_load_n(word, __ATOMIC_ACQUIRE) == value) return true;
    smp_relax();
  }
  return false;
}

/* --- what is its own -------------------------------------------------------------------------------------------------- */

struct seen {
  uint32_t cpu, visits;
  uint64_t block, stack;
};
static struct seen seen[8]; /* The first eight are looked at. */

static void look_around(void *unused) {
  (void)unused;
  const unsigned cpu = smp_this_cpu();
  if (cpu >= ARRAY_COUNT(seen)) return;
  struct seen *s = &seen[cpu];
  *s = (struct seen){cpu, s->visits + 1, address_of(arch_smp_this()), address_of(__builtin_frame_address(0))};
}

static void expect_stack_of(unsigned cpu, uint64_t at) {
  struct kspace_stack stack = {0};
  char name[32];
  struct pagetable_leaf leaf;
  format_string(name, sizeof name, "CPU %u's stack", cpu);
  const bool found = kspace_stack_find(vaddr(at), &stack);
  KTEST_EXPECT(found);
  if (!found) return;
  KTEST_EXPECT(strcmp(stack.name, cpu == 0 ? "boot stack" : name) == 0);
  KTEST_EXPECT(pagetable_find(memory_tables(), vaddr(stack.low.raw - 1), &leaf) == ERR_NOT_FOUND);
  KTEST_EXPECT(pagetable_find(memory_tables(), stack.high, &leaf) == ERR_NOT_FOUND);
}

/* Only with break=late-cpu, and then it is CPU 1. */
static bool is_given_up(unsigned cpu) { return cpu == 1 && strcmp(options->break_invariant, "late-cpu") == 0; }
static unsigned given_up(void) { return smp_cpu_limit() > 1 && is_given_up(1); }
/* Some CPU that runs besides this one. */
static unsigned another(void) { return is_given_up(1) ? 2 : 1; }

static void note_visit(void *word) { __atomic_fetch_add((uint32_t *)word, 1 + 1000 * smp_this_cpu(), __ATOMIC_RELAXED); }

static uint32_t visits_of_all(void) {
  uint32_t sum = 0;
  for (unsigned i = 0; i < smp_cpu_limit(); i++)
    if (!is_given_up(i)) sum += 1 + 1000 * i;
  return sum;
}

KTEST(K14, cpus_are_numbered_without_holes) {
  const unsigned wanted = smp_cpu_room();
  KTEST_EXPECT(wanted >= 1 && wanted <= options->cpus && wanted <= acpi_cpu_count());
  KTEST_EXPECT(smp_cpu_count() <= wanted); /* The firmware may list some that are not there. */
  KTEST_EXPECT(smp_cpu_limit() == smp_cpu_count() + given_up());
  KTEST_EXPECT(smp_this_cpu() == 0);
  for (unsigned i = 0; i < smp_cpu_limit(); i++) {
    KTEST_EXPECT(smp_is_online(i) || is_given_up(i));
    KTEST_EXPECT(smp_cpu_node(i) == numa_node_of_apic(acpi_numa(), arch_smp_cpu(i)->hardware));
    KTEST_EXPECT(nodes_home(memory_nodes(), i) == smp_cpu_node(i));
  }
  KTEST_EXPECT(smp_call(smp_cpu_limit(), look_around, nullptr) == ERR_NOT_FOUND);
  ktest_note("cpus=%u listed=%u", smp_cpu_count(), acpi_cpu_count());
}

KTEST(K14, who_comes_too_late_is_not_there) {
  uint32_t word = 0;
  if (given_up() == 0) {
    ktest_skip("nobody_was_given_up");
    return;
  }
  KTEST_EXPECT(becomes(&arch_smp_cpu(1)->state, SMP_LATE));
  KTEST_EXPECT(!smp_is_online(1));
  KTEST_EXPECT(smp_run(1, look_around, nullptr) == ERR_NOT_FOUND);
  KTEST_EXPECT(smp_call(1, look_around, nullptr) == ERR_NOT_FOUND);
  smp_barrier_all();
  smp_flush_others();
  smp_call_all(note_visit, &word);
  KTEST_EXPECT(word == visits_of_all());
  KTEST_EXPECT(arch_smp_cpu(1)->interrupts == 0);
  ktest_note("given_up=%u", given_up());
}

KTEST(K2, each_cpu_has_its_own_block_and_guarded_stack) {
  if (!needs_others()) return;
  memset(seen, 0, sizeof seen);
  smp_run_all(look_around, nullptr);
  for (unsigned i = 0; i < smp_cpu_limit() && i < ARRAY_COUNT(seen); i++) {
    if (is_given_up(i)) continue;
    KTEST_EXPECT(seen[i].visits == 1 && seen[i].cpu == i);
    KTEST_EXPECT(layout_window_of(vaddr(seen[i].block)) == BOOT_WINDOW_PERCPU);
    expect_stack_of(i, seen[i].stack);
    for (unsigned j = 0; j < i; j++) {
      KTEST_EXPECT(seen[i].block / FRAME_SIZE != seen[j].block / FRAME_SIZE);
      KTEST_EXPECT(arch_smp_cpu(i)->hardware != arch_smp_cpu(j)->hardware);
    }
  }
  ktest_note("looked_at=%u", smp_cpu_limit() < ARRAY_COUNT(seen) ? smp_cpu_limit() : (unsigned)ARRAY_COUNT(seen));
}

/* Descriptors and TSS: one page a CPU but the first, close together in the upper half of the window. */
KTEST(K3, descriptors_of_other_cpus_are_read_only) {
  struct pagetable_leaf leaf = {0};
  if (!needs_others()) return;
  for (unsigned i = 1; i < smp_cpu_limit(); i++) {
    const uint64_t at = layout_window(BOOT_WINDOW_PERCPU).start.raw + LAYOUT_PERCPU_SIZE / 2 + i * FRAME_SIZE;
    KTEST_EXPECT(pagetable_find(memory_tables(), vaddr(at), &leaf) == OK);
    KTEST_EXPECT(!(leaf.flags & PAGE_WRITE) == !is_given_up(i)); /* Who comes late has to load them. */
  }
}

/* --- the same protection ---------------------------------------------------------------------------------------------- */

static void store(void *at) { *(volatile uint8_t *)at = 1; }
static void load(void *at) { (void)*(volatile uint8_t *)at; }
static void jump(void *at) { ((void (*)(void))at)(); }

static void *hidden(uint64_t address) {
  void *p = (void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
  __asm__("" : "+r"(p));
  return p;
}

static void try_what_is_forbidden(void *unused) {
  static uint8_t code[] = {0xc3};
  struct arch_trap_caught caught = {0};
  struct kspace_stack stack;
  (void)unused;
  if (arch_mmu_keeps(ARCH_MMU_WRITE_PROTECT)) {
    KTEST_EXPECT(!arch_trap_guarded(store, hidden(address_of(image_text_start)), &caught));
    KTEST_EXPECT(!arch_trap_guarded(store, hidden(address_of(image_seal_start)), &caught));
    KTEST_EXPECT(caught.was_write && caught.was_mapped);
  }
  if (arch_mmu_keeps(ARCH_MMU_NO_EXECUTE)) {
    KTEST_EXPECT(!arch_trap_guarded(jump, hidden(address_of(code)), &caught));
    KTEST_EXPECT(caught.was_execute && caught.was_mapped);
  }
  KTEST_EXPECT(!arch_trap_guarded(load, hidden(0), &caught));
  KTEST_EXPECT(!arch_trap_guarded(load, hidden(memory_handoff()->trampoline), &caught));
  if (kspace_stack_find(vaddr(address_of(__builtin_frame_address(0))), &stack)) {
    KTEST_EXPECT(!arch_trap_guarded(load, hidden(stack.low.raw - 8), &caught));
    KTEST_EXPECT(caught.address.raw == stack.low.raw - 8 && !caught.was_mapped);
  }
}

KTEST(K3, every_cpu_catches_what_is_forbidden) {
  if (!needs_others()) return;
  smp_run_all(try_what_is_forbidden, nullptr);
}

/* --- reaching each other ---------------------------------------------------------------------------------------------- */

struct count {
  uint32_t arrived, sum;
};

/* Nobody leaves before all are there: they do run at the same time. */
static void count_together(void *context) {
  struct count *c = context;
  __atomic_fetch_add(&c->arrived, 1, __ATOMIC_SEQ_CST);
  KTEST_EXPECT(becomes(&c->arrived, smp_cpu_count()));
  for (unsigned i = 0; i < 1000; i++) __atomic_fetch_add(&c->sum, 1, __ATOMIC_RELAXED);
}

KTEST(P13, cpus_count_together) {
  struct count c = {0};
  if (!needs_others()) return;
  smp_run_all(count_together, &c);
  KTEST_EXPECT(c.sum == 1000 * smp_cpu_count());
  ktest_note("cpus=%u sum=%u", smp_cpu_count(), c.sum);
}

/* From where it runs to every CPU, itself included. */
static void call_everyone(void *word) {
  for (unsigned i = 0; i < smp_cpu_limit(); i++)
    if (smp_is_online(i)) KTEST_EXPECT(smp_call(i, note_visit, word) == OK);
}

KTEST(P13, calls_reach_every_cpu_from_every_cpu) {
  uint32_t word = 0;
  if (!needs_others()) return;
  call_everyone(&word);
  KTEST_EXPECT(word == visits_of_all());
  word = 0;
  smp_call_all(note_visit, &word);
  KTEST_EXPECT(word == visits_of_all());
  for (unsigned i = 1; i < smp_cpu_limit(); i++) { /* One after the other, and CPU 0 waits with interrupts on. */
    if (is_given_up(i)) continue;
    word = 0;
    KTEST_EXPECT(smp_run(i, call_everyone, &word) == OK);
    smp_wait(i);
    KTEST_EXPECT(word == visits_of_all());
  }
  word = 0;
  for (unsigned round = 0; round < 20; round++) smp_run_all(call_everyone, &word); /* All at once. */
  KTEST_EXPECT(word == 20 * smp_cpu_count() * visits_of_all());
  ktest_note("calls=%u", 20 * smp_cpu_count() * smp_cpu_count());
}

static void wait_for_word(void *word) { KTEST_EXPECT(becomes(word, 1)); }

KTEST(P13, a_cpu_that_works_takes_no_other_work) {
  uint32_t word = 0;
  if (!needs_others()) return;
  KTEST_EXPECT(smp_run(0, wait_for_word, &word) == ERR_NOT_FOUND);
  KTEST_EXPECT(smp_run(another(), wait_for_word, &word) == OK);
  KTEST_EXPECT(smp_run(another(), wait_for_word, &word) == ERR_BUSY);
  __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
  smp_wait(another());
  KTEST_EXPECT(smp_run(another(), wait_for_word, &word) == OK);
  smp_wait(another());
}

/* --- barriers --------------------------------------------------------------------------------------------------------- */

/*
 * Dekker with all of the cost on one side: the fast CPU stores and loads plainly, the slow one makes it pass a barrier
 * between its own store and load.  Never may both have missed the other's store.
 */
#define ROUNDS UINT32_C(4000)
static struct {
  alignas(64) uint32_t fast_store;
  alignas(64) uint32_t slow_store;
  alignas(64) uint32_t round, fast_ready, fast_saw;
} dekker;

static void fast_side(void *unused) {
  (void)unused;
  for (uint32_t i = 1; i <= ROUNDS; i++) {
    if (!becomes(&dekker.round, i)) return;
    __atomic_store_n(&dekker.fast_ready, i, __ATOMIC_RELAXED);
    __atomic_store_n(&dekker.fast_store, i, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    const uint32_t saw = __atomic_load_n(&dekker.slow_store, __ATOMIC_RELAXED);
    __atomic_store_n(&dekker.fast_saw, i << 1 | (saw == i), __ATOMIC_RELEASE);
  }
}

static bool both_missed(uint32_t i) {
  __atomic_store_n(&dekker.round, i, __ATOMIC_RELEASE);
  while (__atomic_load_n(&dekker.fast_ready, __ATOMIC_RELAXED) != i) atomic_pause();
  __atomic_store_n(&dekker.slow_store, i, __ATOMIC_RELAXED);
  smp_barrier_all();
  const bool slow_saw = __atomic_load_n(&dekker.fast_store, __ATOMIC_RELAXED) == i;
  uint32_t saw;
  do saw = __atomic_load_n(&dekker.fast_saw, __ATOMIC_ACQUIRE);
  while (saw >> 1 != i);
  return !slow_saw && !(saw & 1);
}

KTEST(P13, a_barrier_on_all_cpus_orders_plain_stores_and_loads) {
  uint32_t missed = 0;
  if (!needs_others()) return;
  memset(&dekker, 0, sizeof dekker);
  KTEST_EXPECT(smp_run(another(), fast_side, nullptr) == OK);
  for (uint32_t i = 1; i <= ROUNDS; i++) missed += both_missed(i);
  smp_wait(another());
  KTEST_EXPECT(missed == 0);
  ktest_note("rounds=%u missed=%u", ROUNDS, missed);
}

static struct platform_lock contended;
static uint32_t under_lock;

/* Who holds the lock asks the CPUs that spin for it. */
static void barrier_under_lock(void *unused) {
  (void)unused;
  for (unsigned i = 0; i < 100; i++) {
    platform_lock_acquire(&contended);
    under_lock++;
    if (i % 4 == 0) smp_barrier_all();
    if (i % 16 == 0) smp_flush_others();
    platform_lock_release(&contended);
  }
}

KTEST(P13, who_waits_for_a_lock_answers_its_holder) {
  if (!needs_others()) return;
  under_lock = 0;
  smp_run_all(barrier_under_lock, nullptr);
  KTEST_EXPECT(under_lock == 100 * smp_cpu_count());
  ktest_note("under_lock=%u", under_lock);
}

/*
 * CPU 1 is interrupted in the middle of an operation of its slot and stands still there.  CPU 2 calls its slot in, and waits
 * for the end of that operation with the instance's lock and interrupts masked.  CPU 3 asks everybody for a barrier: CPU 2
 * has to answer before CPU 1 may go on.
 */
static struct {
  uint32_t ends, is_standing, is_released, caught, stuck, waiting;
} still;

static bool stands_until_released(void) {
  for (const uint64_t start = clock_us(); clock_us() - start < 5000000; smp_relax())
    if (__atomic_load_n(&still.is_released, __ATOMIC_ACQUIRE)) return true;
  return false;
}

static void stand_still(void *unused) {
  (void)unused;
  if (arch_preempt_count() == 0) return; /* Between two operations. */
  still.caught++;
  __atomic_store_n(&still.is_standing, 1, __ATOMIC_SEQ_CST);
  if (!stands_until_released()) still.stuck++;
}

static void operate(void *unused) {
  pfn_t frame;
  (void)unused;
  while (!__atomic_load_n(&still.ends, __ATOMIC_ACQUIRE))
    if (nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &frame) == OK)
      KTEST_EXPECT(nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, frame) == OK);
}

static void call_slots_in(void *unused) {
  (void)unused;
  __atomic_store_n(&still.waiting, 1, __ATOMIC_SEQ_CST);
  pmm_drain(nodes_pmm(memory_nodes(), nodes_home(memory_nodes(), 1)));
}

/* On CPU 3. */
static void ask_who_waits(void *unused) {
  (void)unused;
  while (!__atomic_load_n(&still.is_standing, __ATOMIC_ACQUIRE)) {
    if (__atomic_load_n(&still.ends, __ATOMIC_ACQUIRE)) return;
    smp_relax();
  }
  KTEST_EXPECT(smp_run(2, call_slots_in, nullptr) == OK);
  (void)becomes(&still.waiting, 1);
  for (const uint64_t start = clock_us(); clock_us() - start < 5000;) smp_relax(); /* Until it has the lock. */
  smp_barrier_all();
  __atomic_store_n(&still.is_released, 1, __ATOMIC_SEQ_CST);
}

/* One time that CPU 1 was caught at it; most calls come at such a moment. */
static void catch_once(void) {
  still.is_standing = still.is_released = still.waiting = 0;
  KTEST_EXPECT(smp_run(1, operate, nullptr) == OK);
  KTEST_EXPECT(smp_run(3, ask_who_waits, nullptr) == OK);
  for (unsigned i = 0; i < 1000 && !still.is_standing; i++) KTEST_EXPECT(smp_call(1, stand_still, nullptr) == OK);
  __atomic_store_n(&still.ends, 1, __ATOMIC_RELEASE);
  for (unsigned cpu = 1; cpu <= 3; cpu++) smp_wait(cpu);
  still.ends = 0;
}

KTEST(P13, who_waits_for_an_operation_answers_others) {
  if (smp_cpu_count() < 4 || given_up() > 0) {
    ktest_skip("fewer_than_four_cpus");
    return;
  }
  memset(&still, 0, sizeof still);
  for (unsigned i = 0; i < 5 && still.stuck == 0; i++) catch_once();
  KTEST_EXPECT(still.caught > 0);
  KTEST_EXPECT(still.stuck == 0);
  ktest_note("caught=%u stuck=%u", still.caught, still.stuck);
}

static void look_at_slot(void *number) {
  *(uint32_t *)number = platform_slot_enter();
  platform_slot_leave();
}

KTEST(P13, an_interrupts_handler_has_no_slot) {
  uint32_t number = 0;
  if (!needs_others()) return;
  KTEST_EXPECT(smp_call(another(), look_at_slot, &number) == OK);
  KTEST_EXPECT(number == UINT32_MAX);
  KTEST_EXPECT(smp_run(another(), look_at_slot, &number) == OK);
  smp_wait(another());
  KTEST_EXPECT(number == another());
}

/* --- translations ----------------------------------------------------------------------------------------------------- */

struct page {
  void *at;
  uint32_t wrote, refused;
};

static void use_page(void *context) {
  struct page *p = context;
  struct arch_trap_caught caught;
  __atomic_fetch_add(arch_trap_guarded(store, p->at, &caught) ? &p->wrote : &p->refused, 1, __ATOMIC_RELAXED);
}

KTEST(V22, no_cpu_writes_through_a_translation_that_is_gone) {
  struct page p = {0};
  pfn_t frame;
  if (!needs_others()) return;
  if (!arch_mmu_keeps(ARCH_MMU_WRITE_PROTECT)) {
    ktest_skip("wp_is_off");
    return;
  }
  KTEST_EXPECT(nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &frame) == OK);
  KTEST_EXPECT(kspace_map(paddr_of_pfn(frame), FRAME_SIZE, PAGE_WRITE, &p.at) == OK);
  const vrange_t page = vrange(address_of(p.at), address_of(p.at) + FRAME_SIZE);
  for (unsigned round = 1; round <= 20; round++) {
    smp_run_all(use_page, &p);
    KTEST_EXPECT(p.wrote == round * smp_cpu_count() && p.refused == (round - 1) * smp_cpu_count());
    KTEST_EXPECT(pagetable_protect(memory_tables(), page, PAGE_GLOBAL) == OK);
    smp_run_all(use_page, &p);
    KTEST_EXPECT(p.wrote == round * smp_cpu_count() && p.refused == round * smp_cpu_count());
    KTEST_EXPECT(pagetable_protect(memory_tables(), page, PAGE_GLOBAL | PAGE_WRITE) == OK);
  }
  KTEST_EXPECT(pagetable_unmap(memory_tables(), page) == OK);
  smp_run_all(use_page, &p);
  KTEST_EXPECT(p.wrote == 20 * smp_cpu_count() && p.refused == 21 * smp_cpu_count());
  KTEST_EXPECT(nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, frame) == OK);
  ktest_note("wrote=%u refused=%u", p.wrote, p.refused);
}

/* --- the log ---------------------------------------------------------------------------------------------------------- */

#define LINES 12 /* Of each CPU; the ring holds those of 26. */

static void log_lines(void *first) {
  for (unsigned i = 0; i < LINES; i++)
    klog(KLOG_VERBOSE, "ktest", "run %u cpu %u line %u.", *(uint32_t *)first, smp_this_cpu(), i);
}

static bool is_line_of_run(const char *text, uint32_t run) {
  char expected[64];
  for (unsigned cpu = 0; cpu < smp_cpu_limit(); cpu++) {
    for (unsigned i = 0; i < LINES; i++) {
      format_string(expected, sizeof expected, "run %u cpu %u line %u.", run, cpu, i);
      if (strcmp(text, expected) == 0) return true;
    }
  }
  return false;
}

KTEST(P13, records_of_several_cpus_are_whole_and_none_is_lost) {
  static uint32_t run;
  struct klog_record r;
  uint32_t whole = 0;
  const uint32_t dropped = klog_dropped();
  if (!needs_others()) return;
  if (smp_cpu_count() > 26) {
    ktest_skip("the_ring_is_too_small");
    return;
  }
  run++;
  smp_run_all(log_lines, &run);
  for (uint64_t at = 0; klog_read(at, &r); at = r.sequence + 1)
    if (strcmp(r.room, "ktest") == 0) whole += is_line_of_run(r.text, run);
  KTEST_EXPECT(whole == LINES * smp_cpu_count());
  KTEST_EXPECT(klog_dropped() == dropped);
  ktest_note("records=%u", whole);
}
