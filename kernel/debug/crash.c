/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/crash.c — every fault the kernel promises to catch, one function each.
 *
 * The accesses are volatile and their addresses hidden from the compiler, which would otherwise see undefined behaviour and
 * leave them out.
 */
#include "kernel/crash.h"

#include "arch/cpu.h"
#include "arch/trap.h"
#include "base/compiler.h"
#include "kernel/clock.h"
#include "kernel/image.h"
#include "kernel/klog.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "lib/string.h"
#include "mm/platform.h"

static volatile uint64_t sink;

/* An address that the compiler knows nothing about. */
static void *hide(uint64_t address) {
  void *p = (void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
  __asm__("" : "+r"(p));
  return p;
}

static void touch(uint64_t address) { sink = *(volatile uint64_t *)hide(address); }
static void write_to(uint64_t address) { *(volatile uint64_t *)hide(address) = 0; }
static void run_at(uint64_t address) { ((void (*)(void))hide(address))(); }

/* The last page of the device window: nothing is ever mapped so high. */
static uint64_t wild(void) { return layout_window(BOOT_WINDOW_KSPACE).end.raw - FRAME_SIZE; }

static void crash_read(void) { touch(wild()); }
static void crash_write(void) { write_to(wild()); }
static void crash_exec(void) { run_at((uint64_t)(uintptr_t)&sink); }
static void crash_rodata(void) { write_to((uint64_t)(uintptr_t)image_rodata_start); }
static void crash_text(void) { write_to((uint64_t)(uintptr_t)image_text_start); }
static void crash_null(void) { touch(8); }

/* Deeper and deeper; the volatile array keeps the compiler from making a loop of it. */
[[gnu::noinline]] static uint64_t sink_down(uint64_t depth) {
  volatile uint64_t room[32] = {depth};
  return (sink == UINT64_MAX ? 0 : sink_down(depth + 1)) + room[0];
}
static void crash_stack(void) { sink = sink_down(1); }

/* Writes behind its own buffer, as a wrong length would; the compiler must not see how long it is. */
[[gnu::noinline]] static void overrun(volatile size_t n) {
  char room[16];
  for (size_t i = 0; i < n; i++) ((volatile char *)room)[i] = 'x';
}
static void crash_guard(void) { overrun(64); }

/* The reason itself cannot be read: a fault while the first panic is told. */
static void crash_twice(void) { panic("a reason that is not there: %s", (const char *)hide(wild())); }

/* Inside a call whose faults are waited for: the panic must not end there. */
static void panic_under_guard(void *argument) {
  (void)argument;
  crash_twice();
}
static void crash_guarded(void) {
  struct arch_trap_caught caught;
  (void)arch_trap_guarded(panic_under_guard, nullptr, &caught);
}

/* In the next tick, which interrupts this loop. */
static volatile bool is_tick_awaited;
static void crash_tick(void) {
  is_tick_awaited = true;
  for (;;) arch_cpu_relax();
}
/* The same, and the handler asks for memory. */
static volatile bool is_tick_greedy;
static void crash_handler(void) {
  is_tick_greedy = true;
  for (;;) arch_cpu_relax();
}
void crash_on_tick(void) {
  pfn_t frame;
  if (is_tick_awaited) panic("crash=tick");
  if (is_tick_greedy) (void)!nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &frame);
}

static void crash_divide(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_DIVIDE); }
static void crash_ud(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_UNDEFINED); }
static void crash_gp(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_PROTECTION); }
static void crash_nmi(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_NMI); }
static void crash_machine(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_MACHINE); }
static void crash_doublefault(void) { arch_trap_provoke(ARCH_TRAP_PROVOKE_DOUBLE_FAULT); }

static void crash_there(void *unused) {
  (void)unused;
  crash_read();
}
static void crash_other(void) {
  if (smp_run(1, crash_there, nullptr) == OK) smp_wait(1);
}

/* Has its slot for a while, as in the middle of an operation for which somebody else may wait. */
static uint32_t slot_is_taken;
static void stay_in_slot(void *unused) {
  (void)unused;
  (void)platform_slot_enter();
  __atomic_store_n(&slot_is_taken, 1, __ATOMIC_RELEASE);
  for (const uint64_t start = clock_us(); clock_us() - start < 20000;) arch_cpu_relax();
  klog(KLOG_NOTICE, "crash", "CPU %u leaves its slot", smp_this_cpu());
  platform_slot_leave();
  for (;;) arch_cpu_relax();
}
static void crash_slot(void) {
  if (smp_run(1, stay_in_slot, nullptr) != OK) return;
  while (!__atomic_load_n(&slot_is_taken, __ATOMIC_ACQUIRE)) smp_relax();
  power_off();
}

static const struct {
  const char *name, *what;
  void (*run)(void);
} crashes[] = {
    {"read", "reads an address that is not mapped", crash_read},
    {"write", "writes to an address that is not mapped", crash_write},
    {"exec", "jumps into data", crash_exec},
    {"rodata", "writes to the kernel's constants", crash_rodata},
    {"text", "writes to the kernel's code", crash_text},
    {"null", "follows a null pointer", crash_null},
    {"stack", "calls itself until the stack ends", crash_stack},
    {"guard", "overruns a buffer on the stack", crash_guard},
    {"twice", "panics, and faults while telling why", crash_twice},
    {"guarded", "the same inside a call whose faults are caught", crash_guarded},
    {"tick", "panics in the timer's interrupt", crash_tick},
    {"handler", "asks for memory in the timer's interrupt", crash_handler},
    {"slot", "switches off while CPU 1 is in the middle of an operation", crash_slot},
    {"doublefault", "faults with a stack that is not there", crash_doublefault},
    {"nmi", "a non-maskable interrupt with a stack that is not there", crash_nmi},
    {"machine", "a machine check with a stack that is not there", crash_machine},
    {"other", "reads an address that is not mapped, on CPU 1", crash_other},
    {"divide", "divides by zero", crash_divide},
    {"ud", "executes what is no instruction", crash_ud},
    {"gp", "follows an address that is not canonical", crash_gp},
};

bool crash_run(const char *name) {
  for (size_t i = 0; i < ARRAY_COUNT(crashes); i++) {
    if (strcmp(crashes[i].name, name) == 0) crashes[i].run();
  }
  return false;
}

bool crash_list(size_t index, const char **name, const char **what) {
  if (index >= ARRAY_COUNT(crashes)) return false;
  *name = crashes[index].name;
  *what = crashes[index].what;
  return true;
}
