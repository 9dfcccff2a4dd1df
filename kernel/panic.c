/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/panic.c — the end, explained.
 *
 * WHAT   One screen on every console: reason, where the fault was, registers, backtrace, the last log records, and what
 *        mm_check finds.  Then panic= decides: wait, reboot, or leave QEMU with a status.
 * HOW    From what cannot fail to what can: the reason first, mm_check late, since it walks memory that may be what is
 *        broken; the essence once more at the end, where a small screen shows it.  A fault while the screen is drawn is a
 *        second panic: it says so in one line and goes on to the end.  A third stops at once.
 *        The other CPUs are stopped first, wherever they are; a CPU that panics while another one tells its story stops
 *        without a word.
 * LOCKING  None is taken; the consoles ignore theirs after console_enter_panic().
 * WHY NOT  addresses: whoever sees the screen would learn where the kernel lies.  A register that points into the kernel
 *        prints as window and offset, unless log=addresses.
 */
#include "kernel/panic.h"

#include <stdarg.h>

#include "arch/cpu.h"
#include "arch/trap.h"
#include "base/assert.h"
#include "base/compiler.h"
#include "kernel/console.h"
#include "kernel/klog.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "kernel/symtab.h"
#include "lib/format.h"
#include "mm/check.h"
#include "mm/kspace.h"

#define RECORDS_SHOWN   32
#define MM_CHECK_FRAMES UINT64_C(16777216) /* 64 GiB: a few seconds at most. */

static unsigned panic_depth;

[[noreturn]] static void finish(void) {
  switch (options->panic) {
  case OPTION_PANIC_REBOOT:
    console_printf("panic=reboot: starting again\n");
    power_reboot();
  case OPTION_PANIC_EXIT:
    power_exit(1);
  default:
    console_printf("panic=wait: the machine stops here\n");
    arch_cpu_stop();
  }
}

/* A number that could be an address of the kernel: upper half, canonical, and not a small negative number. */
static bool may_be_address(uint64_t value) { return (value >> 56) == 0xff && value < UINT64_C(0xffffffff00000000); }

/* A register for people: numbers as they are, kernel addresses as places. */
static void describe_value(uint64_t value, char *to, size_t size) {
  const enum boot_window_id window = layout_window_of(vaddr(value));
  if (!klog_addresses_allowed() && window != BOOT_WINDOW_COUNT) {
    format_string(to, size, "%s+0x%llx", layout_window_name(window),
                  (unsigned long long)(value - layout_window(window).start.raw));
  } else if (!klog_addresses_allowed() && may_be_address(value)) {
    format_string(to, size, "(kernel address)");
  } else {
    format_string(to, size, "%016llx", (unsigned long long)value);
  }
}

static void show_registers(const struct trap_frame *frame) {
  const char *name;
  uint64_t value;
  char text[40];
  console_printf("registers\n");
  for (size_t i = 0; arch_trap_register(frame, i, &name, &value); i++) {
    describe_value(value, text, sizeof text);
    console_printf("  %-6s %-26s%s", name, text, i % 2 ? "\n" : "");
  }
}

static void show_fault(const struct trap_frame *frame) {
  char text[96];
  vaddr_t address;
  struct layout_place place;
  arch_trap_explain(frame, text, sizeof text);
  if (text[0]) console_printf("what      %s\n", text);
  if (arch_trap_fault_address(frame, &address)) {
    layout_describe(address, &place);
    console_printf("address   %s\n", place.text);
    if (klog_addresses_allowed()) console_printf("          0x%016llx\n", (unsigned long long)address.raw);
  }
  symtab_describe(arch_trap_pc(frame), text, sizeof text);
  console_printf("at        %s\n", text);
}

/* A function that calls itself is told once, with a count. */
struct callers {
  uint64_t last;
  unsigned repeats;
};

static void end_repeats(struct callers *c) {
  if (c->repeats > 0) console_printf("      ... and %u times more\n", c->repeats);
  c->repeats = 0;
}

static bool show_caller(void *context, unsigned depth, vaddr_t pc) {
  struct callers *c = context;
  char text[96];
  if (depth > 0 && pc.raw == c->last) {
    c->repeats++;
    return true;
  }
  end_repeats(c);
  c->last = pc.raw;
  symtab_describe(pc, text, sizeof text);
  console_printf("  #%-3u %s\n", depth, text);
  return true;
}

static void show_callers(vaddr_t fp) {
  struct callers c = {0};
  console_printf("called from\n");
  backtrace_walk(fp, show_caller, &c);
  end_repeats(&c);
}

static void show_records(void) {
  struct klog_record record;
  uint64_t next = 0;
  console_printf("last records\n");
  while (klog_read(next, &record)) next = record.sequence + 1;
  uint64_t from = next > RECORDS_SHOWN ? next - RECORDS_SHOWN : 0;
  for (unsigned i = 0; i < RECORDS_SHOWN && klog_read(from, &record); i++, from = record.sequence + 1) {
    console_printf("  %4llu.%06llu %-9s %s\n", (unsigned long long)(record.time_us / 1000000),
                   (unsigned long long)(record.time_us % 1000000), record.room, record.text);
  }
}

static void show_memory(void) {
  struct mm_check_report report;
  if (!memory_nodes()) {
    console_printf("mm_check  memory is not up yet\n");
  } else if (mm_check_nodes(memory_nodes(), MM_CHECK_FRAMES, &report)) {
    console_printf("mm_check  all invariants hold, %llu frames checked\n", (unsigned long long)report.frames_checked);
  } else {
    console_printf("mm_check  %s\n", report.text);
  }
}

/* When the fault hit a guard page, that is the reason; the exception is only how it was noticed. */
static bool stack_overflow(const struct trap_frame *frame, struct layout_place *place) {
  vaddr_t address;
  if (!frame || !arch_trap_fault_address(frame, &address)) return false;
  layout_describe(address, place);
  struct kspace_stack stack;
  return place->window == BOOT_WINDOW_STACKS && kspace_stack_find(address, &stack) &&
         (address.raw < stack.low.raw || address.raw >= stack.high.raw);
}

/* Static: a panic may have a small stack, and there is one panic only. */
static char reason[200];

static void make_reason(const struct trap_frame *frame, const char *format, va_list args) {
  struct layout_place place;
  size_t n = 0;
  console_printf("\n*** PANIC ***\n"); /* Before the reason is put together: that may be what fails. */
  if (stack_overflow(frame, &place)) n = format_string(reason, sizeof reason, "stack overflow: %s: ", place.text);
  if (n < sizeof reason) format_string_v(reason + n, sizeof reason - n, format, args);
}

/* What one would tell on the phone.  Shown first, because it must not be lost to a fault further down, and once more at the
 * end, because a screen of forty lines has scrolled by then. */
static void show_essence(const struct trap_frame *frame, vaddr_t fp) {
  console_printf("*** PANIC: %s ***\n", reason);
  if (frame) show_fault(frame);
  show_callers(fp);
}

static void show_cpus(unsigned running) {
  if (smp_cpu_count() == 1) return;
  console_printf("cpu       %u of %u; ", smp_this_cpu(), smp_cpu_count());
  if (running == 0) {
    console_printf("the others are stopped\n");
  } else {
    console_printf("%u of the others did not stop\n", running);
  }
}

[[noreturn]] static void die(const struct trap_frame *frame, vaddr_t fp, const char *format, va_list args) {
  (void)arch_irq_save();
  const unsigned running = smp_stop_others(SMP_STOP_NOW);
  arch_trap_forget_guarded();
  const unsigned depth = __atomic_add_fetch(&panic_depth, 1, __ATOMIC_SEQ_CST);
  if (depth > 2) arch_cpu_stop();
  console_enter_panic();
  if (depth == 2) {
    char where[64] = "";
    if (frame) symtab_describe(arch_trap_pc(frame), where, sizeof where);
    console_printf("\n*** second panic while the first was told: ");
    console_vprintf(format, args);
    console_printf("%s%s ***\n", frame ? " at " : "", where);
    finish();
  }
  make_reason(frame, format, args);
  show_essence(frame, fp);
  show_cpus(running);
  show_records();
  if (frame) show_registers(frame);
  show_memory();
  console_printf("in short\n");
  show_essence(frame, fp);
  finish();
}

void panic(const char *format, ...) {
  va_list args;
  va_start(args, format);
  die(nullptr, vaddr((uint64_t)(uintptr_t)__builtin_frame_address(0)), format, args);
}

void panic_at(const struct trap_frame *frame, const char *format, ...) {
  va_list args;
  va_start(args, format);
  die(frame, arch_trap_fp(frame), format, args);
}

void assert_fail(const char *kind, const char *expression, const char *file, int line) {
  panic("%s(%s) at %s:%d", kind, expression, file, line);
}

/* Called by the compiler's code when a function's guard has changed. */
[[noreturn, gnu::used]] void __stack_chk_fail(void);
[[noreturn, gnu::used]] void __stack_chk_fail(void) { panic("stack guard overwritten: a buffer on the stack was overrun"); }
