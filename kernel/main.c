/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/main.c — the kernel's life in one list.
 *
 * Each stage needs those above it.  What came before is in kernel/arch/x86_64/start.c; docs/tours/life-of-a-boot.md walks
 * through all of it.
 */
#include "kernel/main.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "base/bits.h"
#include "kernel/acpi.h"
#include "kernel/breaker.h"
#include "kernel/clock.h"
#include "kernel/crash.h"
#include "kernel/fbconsole.h"
#include "kernel/firmware.h"
#include "kernel/handoff.h"
#include "kernel/keyboard.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "kernel/pci.h"
#include "kernel/power.h"
#include "kernel/serial.h"
#include "kernel/shell.h"
#include "kernel/smp.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/physmap.h"

static void log_loader(const struct boot_handoff *h) {
  const char *name = handoff_span(h, h->loader_name);
  klog(KLOG_NOTICE, "cairn", "Cairn, started by %.*s on %s", (int)h->loader_name.count, name, arch_cpu_name());
}

/* Each line of the loader's warnings becomes a record of ours. */
static void log_warnings(const struct boot_handoff *h) {
  const char *text = handoff_span(h, h->warnings);
  for (uint32_t at = 0; at < h->warnings.count;) {
    uint32_t n = 0;
    while (at + n < h->warnings.count && text[at + n] != '\n') n++;
    if (n > 0) klog(KLOG_WARN, "loader", "%.*s", (int)n, text + at);
    at += n + 1;
  }
}

static void log_layout(const struct boot_handoff *h) {
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    const struct boot_window *w = &h->windows[i];
    klog(KLOG_INFO, "layout", "%-14s %p, %u.%03u bits", layout_window_name((enum boot_window_id)i),
         (void *)(uintptr_t)w->base, // NOLINT(performance-no-int-to-ptr)
         w->entropy_millibits / 1000, w->entropy_millibits % 1000);
  }
}

/* Before memory, so that a machine with too little of it can say so: the loader has mapped the framebuffer. */
static void init_consoles(const struct boot_handoff *h) {
  if (options->serial == OPTION_SERIAL_AUTO) serial_init();
  if (options->fb) fbconsole_init(&h->framebuffer, layout_framebuffer(&h->framebuffer));
}

/* What the first lines had is static and small; NULL when there is no memory to be had, and then it stays so. */
static void *take_pages(size_t size, const char *what) {
  pfn_t first;
  if (size == 0) return NULL;
  const uint64_t frames = bits_align_up(size, FRAME_SIZE) / FRAME_SIZE;
  const status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, frames, NULL, &first);
  if (s == OK) return physmap_at(paddr_of_pfn(first));
  klog(KLOG_WARN, "memory", "%s stays small: no %llu frames in a row (%s)", what, (unsigned long long)frames,
       status_name(s));
  return NULL;
}

static void grow_buffers(void) {
  void *records = take_pages(klog_grow_size(), "the log");
  if (records) klog_grow(records);
  void *cells = take_pages(fbconsole_grow_size(), "the picture's grid");
  if (cells) fbconsole_grow(cells);
}

static void init_pci(void) {
  const status_t s = pci_init();
  if (s != OK) klog(KLOG_WARN, "pci", "no devices: %s", status_name(s));
}

static void init_cpu_memory(void) {
  status_t s = arch_trap_stacks_init();
  if (s == OK) s = arch_percpu_init();
  if (s != OK) panic("stacks for exceptions, per-CPU area: %s", status_name(s));
}

/* break=, test= and crash= make a boot into a test. */
static void run_requests(void) {
  if (options->break_invariant[0]) (void)breaker_run(options->break_invariant);
  if (options->test[0]) {
    const char *filter = strcmp(options->test, "all") == 0 ? "" : options->test;
    const unsigned failed = ktest_run(filter);
    if (options->test_exit) power_exit(failed ? 1 : 0);
  }
  if (options->crash[0] && !crash_run(options->crash)) {
    klog(KLOG_ERROR, "crash", "crash=%s: no such crash, or it did no harm", options->crash);
  }
}

void kmain(const struct boot_handoff *h) {
  options_init(handoff_span(h, h->command_line), h->command_line.count);
  init_consoles(h);
  arch_cpu_init(options->nofeat);
  log_loader(h);
  log_warnings(h);
  log_layout(h);
  memory_init(h);
  grow_buffers();
  memory_report();
  movers_init();
  shell_trace_from_options();
  init_cpu_memory();
  firmware_prepare();
  keyboard_init();
  (void)clock_init(acpi_pm_timer());
  init_pci();
  smp_init();
  memory_seal();
  arch_irq_enable();
  run_requests();
  shell_run();
}
