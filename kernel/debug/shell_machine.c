/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/debug/shell_machine.c — the processor, the address space, the options, the log, and the ways to end it. */
#include "arch/cpu.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/console.h"
#include "kernel/crash.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/panic.h"
#include "kernel/power.h"
#include "kernel/smp.h"
#include "lib/format.h"
#include "lib/string.h"

static const char *state_word(uint32_t state) {
  static const char *const words[] = {
      [SMP_ABSENT] = "absent",   [SMP_STARTING] = "lost on its way", [SMP_ONLINE] = "up",         [SMP_REFUSED] = "refused",
      [SMP_STOPPED] = "stopped", [SMP_GIVEN_UP] = "given up",        [SMP_LATE] = "came too late"};
  return state < ARRAY_COUNT(words) ? words[state] : "?";
}

static void show_cpu(unsigned number) {
  const struct smp_cpu *c = arch_smp_cpu(number);
  const uint32_t state = __atomic_load_n(&c->state, __ATOMIC_RELAXED);
  console_printf(" %s■" PICTURE_PLAIN " CPU %-3u %-15s " PICTURE_DIM "node" PICTURE_PLAIN " %-2u " PICTURE_DIM
                 "APIC id" PICTURE_PLAIN " %-4u " PICTURE_DIM "interrupts from others" PICTURE_PLAIN " %u\n",
                 state == SMP_ONLINE ? PICTURE_GOOD : PICTURE_WARN, number, state_word(state), c->node, c->hardware,
                 c->interrupts);
}

/* One of them, with what the list has no room for. */
static void show_one_cpu(const char *word) {
  uint64_t number;
  const status_t s = string_to_u64(word, strlen(word), false, &number);
  const unsigned limit = smp_cpu_limit();
  if (s == ERR_INVALID) {
    shell_complain("%s is no number of a CPU; `cpu` lists them.", word);
  } else if (s != OK || number >= limit) {
    shell_complain("There is no CPU %s: this machine runs %s%s%u.", word, limit == 1 ? "" : "0",
                   limit == 1   ? "CPU "
                   : limit == 2 ? " and "
                                : " to ",
                   limit - 1);
  } else {
    show_cpu((unsigned)number);
    console_printf(PICTURE_DIM "   steps of clearing memory while it was idle" PICTURE_PLAIN " %u\n",
                   arch_smp_cpu((unsigned)number)->idle_steps);
    if (arch_smp_cpu((unsigned)number)->missing) console_printf("   it lacks %s\n", arch_smp_cpu((unsigned)number)->missing);
  }
}

/* As the MADT lists them: those that are up, by number, then those that are not. */
static void show_cpus(void) {
  struct acpi_cpu cpu;
  unsigned others = 0;
  unsigned pluggable = 0;
  for (size_t at = 0; acpi_cpu(&at, &cpu);) {
    others += cpu.is_enabled;
    pluggable += !cpu.is_enabled && cpu.is_online_capable;
  }
  for (unsigned i = 0; i < smp_cpu_limit(); i++) show_cpu(i);
  if (others > smp_cpu_count())
    console_printf(PICTURE_DIM "   %u more are not started" PICTURE_PLAIN "\n", others - smp_cpu_count());
  if (pluggable > 0) console_printf(PICTURE_DIM "   %u more can be plugged in" PICTURE_PLAIN "\n", pluggable);
  console_printf("\n");
}

void shell_cpu(size_t count, const char *const *words) {
  char remark[64];
  if (count > 1) {
    show_one_cpu(words[1]);
    return;
  }
  format_string(remark, sizeof(remark), "%u physical bits, %u levels of tables", arch_cpu_physical_bits(),
                arch_cpu_paging_levels());
  shell_title("Processor", remark);
  console_printf(" %s\n\n", arch_cpu_name());
  show_cpus();
  for (size_t i = 0; i < arch_cpu_feature_count(); i++) {
    const struct cpu_feature f = arch_cpu_feature(i);
    const char *word = f.forced_off ? "forced off" : f.used ? "used" : f.present ? "not used" : "absent";
    const char *colour = f.forced_off ? PICTURE_WARN : f.used ? PICTURE_GOOD : PICTURE_DIM;
    console_printf(" %s■ %-10s" PICTURE_PLAIN " " PICTURE_NAME "%-10s" PICTURE_PLAIN " %s\n", colour, word, f.name, f.what);
  }
}

void shell_layout(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  const struct boot_handoff *h = memory_handoff();
  char size[12];
  const bool is_fixed = (h->flags & (BOOT_FLAG_NOKASLR | BOOT_FLAG_FIXED_SEED)) != 0;
  shell_title("Address space", is_fixed ? "fixed places: no secret" : "every window drawn on its own");
  picture_add(&shell_out, PICTURE_DIM " %-16s %-18s %10s %8s" PICTURE_PLAIN "\n", "window", "base", "size", "bits");
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    const struct boot_window *w = &h->windows[i];
    char base[24];
    if (klog_addresses_allowed())
      format_string(base, sizeof(base), "%016llx", (unsigned long long)w->base);
    else
      format_string(base, sizeof(base), "(address)");
    picture_add(&shell_out, " %-16s " PICTURE_NAME "%-18s" PICTURE_PLAIN " %10s %6u.%u  ",
                layout_window_name((enum boot_window_id)i), base, format_size(size, w->size), w->entropy_millibits / 1000,
                w->entropy_millibits / 100 % 10);
    picture_add(&shell_out, "\033[95m");
    picture_bar(&shell_out, w->entropy_millibits, 40000, 20);
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
  console_printf(" %-46s %6u.%u\n", "the image's physical place", h->physical_millibits / 1000,
                 h->physical_millibits / 100 % 10);
  console_printf(PICTURE_DIM " entropy: %u bits credited to all sources together%s" PICTURE_PLAIN "\n", h->entropy_bits,
                 klog_addresses_allowed() ? "" : "; log=addresses: the bases");
}

void shell_options(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  struct option_help help;
  char value[OPTION_TEXT_MAX];
  shell_title("Options", "as they are now; help options explains them");
  for (size_t i = 0; options_help(i, &help) && options_value(options, i, value, sizeof(value)); i++)
    console_printf(" " PICTURE_NAME "%-34s" PICTURE_PLAIN " %s\n", help.form, value[0] == '\0' ? "-" : value);
}

#define HELP_COLUMN 26

/* The help stands in a column of its own, below the name when that is too long. */
void shell_options_help(void) {
  struct option_help help;
  shell_title("Boot options", "in boot.cfg: cmdline = ...");
  for (size_t i = 0; options_help(i, &help); i++) {
    const size_t name = strlen(help.form) + 1;
    picture_add(&shell_out, " " PICTURE_NAME "%s" PICTURE_PLAIN, help.form);
    if (name >= HELP_COLUMN) picture_add(&shell_out, "\n");
    picture_repeat(&shell_out, " ", name < HELP_COLUMN ? HELP_COLUMN - name : HELP_COLUMN);
    const unsigned column = picture_wrap(&shell_out, help.help, HELP_COLUMN, HELP_COLUMN);
    if (help.fallback[0] != '\0') {
      char fallback[48];
      format_string(fallback, sizeof(fallback), " (%s)", help.fallback);
      picture_add(&shell_out, PICTURE_DIM);
      picture_wrap(&shell_out, fallback, column, HELP_COLUMN);
    }
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
}

static bool find_level(const char *name, enum klog_level *level) {
  for (unsigned i = KLOG_ERROR; i <= KLOG_VERBOSE; i++) {
    if (strcmp(klog_level_name((enum klog_level)i), name) != 0) continue;
    *level = (enum klog_level)i;
    return true;
  }
  return false;
}

void shell_log(size_t count, const char *const *words) {
  enum klog_level level = KLOG_INFO;
  struct klog_record r;
  unsigned hidden = 0;
  if (count > 1 && !find_level(words[1], &level)) {
    shell_complain("%s is no level: error, warn, notice, info or verbose.", words[1]);
    return;
  }
  for (uint64_t at = 0; klog_read(at, &r); at = r.sequence + 1) {
    hidden += r.level > level;
    if (r.level > level) continue;
    console_printf(PICTURE_DIM "[%4u.%06u] " PICTURE_PLAIN "%-7s " PICTURE_NAME "%s" PICTURE_PLAIN ": %s\n",
                   (unsigned)(r.time_us / 1000000), (unsigned)(r.time_us % 1000000), klog_level_name(r.level), r.room,
                   r.text);
  }
  if (hidden != 0) console_printf(PICTURE_DIM " %u more above this level: log verbose" PICTURE_PLAIN "\n", hidden);
  if (klog_dropped() != 0)
    console_printf(PICTURE_WARN " lost: %u record%s" PICTURE_PLAIN "\n", klog_dropped(), words_s(klog_dropped()));
}

void shell_test(size_t count, const char *const *words) {
  const char *filter = count > 1 && strcmp(words[1], "all") != 0 ? words[1] : "";
  const unsigned failed = ktest_run(filter);
  if (failed != 0) shell_complain("%u failed", failed);
}

bool shell_crash_list(size_t index, const char **name, const char **what) { return crash_list(index, name, what); }

static bool is_crash(const char *word) {
  const char *name, *what;
  for (size_t i = 0; crash_list(i, &name, &what); i++)
    if (strcmp(name, word) == 0) return true;
  return false;
}

void shell_panic(size_t count, const char *const *words) {
  if (count < 2) panic("asked for at the prompt");
  if (!is_crash(words[1]))
    shell_complain("There is no crash %s; `help panic` lists them.", words[1]);
  else if (!crash_run(words[1]))
    shell_complain("%s did no harm on this machine.", words[1]);
}

void shell_reboot(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  power_reboot();
}

void shell_poweroff(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  power_off();
}
