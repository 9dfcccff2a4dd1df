/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/ktest_console.c — the command line as it was understood, the log, and the screen of this machine. */
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/fbconsole.h"
#include "kernel/handoff.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "lib/string.h"

struct found {
  unsigned problems;
  char first[24];
};

static void note_problem(void *context, const char *word, size_t n, const char *problem) {
  (void)problem;
  struct found *f = context;
  if (f->problems++ != 0) return;
  for (size_t i = 0; i < n && i < sizeof(f->first) - 1; i++) {
    f->first[i] = word[i];
    if (word[i] <= ' ' || word[i] == 0x7f) f->first[i] = '?';
  }
}

KTEST(K10, the_command_line_is_read_as_it_stands) {
  const struct boot_handoff *h = memory_handoff();
  static struct options again;
  struct found found = {};
  options_parse(&again, handoff_span(h, h->command_line), h->command_line.count, note_problem, &found);
  KTEST_EXPECT(again.log == options->log && again.panic == options->panic && again.fb == options->fb);
  KTEST_EXPECT(strcmp(again.test, options->test) == 0 && strcmp(again.nofeat, options->nofeat) == 0);
  ktest_note("bytes=%u unknown=%u first=%s", (unsigned)h->command_line.count, found.problems,
             found.problems == 0 ? "-" : found.first);
}

KTEST(K10, every_option_prints_its_value) {
  struct option_help help;
  char value[OPTION_TEXT_MAX];
  unsigned count = 0;
  for (; options_help(count, &help); count++) {
    KTEST_EXPECT(options_value(options, count, value, sizeof(value)));
    KTEST_EXPECT(help.help[0] != '\0');
  }
  ktest_note("options=%u", count);
}

KTEST(K2, the_log_tells_no_address) {
  struct klog_record r = {};
  uint64_t at = 0, last = 0, from = 0;
  while (klog_read(at, &r)) at = r.sequence + 1;
  from = at;
  klog(KLOG_VERBOSE, "ktest", "at %p", (const void *)&from);
  KTEST_EXPECT(klog_read(from, &r));
  last = r.sequence;
  KTEST_EXPECT(klog_addresses_allowed() || strcmp(r.text, "at (address)") == 0);
  ktest_note("records=%llu lost=%u", last + 1ULL, klog_dropped());
}

/* More records than the small ring has: the log has grown, and holds the newest of them in a row. */
KTEST(K2, the_log_has_grown_beyond_its_first_ring) {
  struct klog_record r = {};
  uint64_t first = 0;
  unsigned held = 0;
  while (klog_read(first, &r)) first = r.sequence + 1;
  for (unsigned i = 0; i < 80; i++) klog(KLOG_VERBOSE, "ktest", "record %u of many", i);
  for (uint64_t at = first; klog_read(at, &r); at = r.sequence + 1) held++;
  KTEST_EXPECT(held >= 80);
  ktest_note("held=%u", held);
}

KTEST(K4, the_screen_is_drawn_fast_enough_to_read) {
  unsigned columns, rows;
  fbconsole_size(&columns, &rows);
  if (columns == 0 || rows == 0) {
    ktest_skip("no framebuffer");
    return;
  }
  /* A whole screen of text and as many line feeds, on the framebuffer alone. */
  static const char line[] = "the quick brown fox jumps over the lazy dog\r\n";
  const uint64_t start = clock_us();
  for (unsigned i = 0; i < rows; i++) fbconsole_write(line, sizeof(line) - 1);
  const uint64_t us = clock_us() - start;
  fbconsole_write("\033[2J\033[H", 7);
  KTEST_EXPECT(us < 2000000);
  ktest_note("grid=%ux%u us_a_line=%llu", columns, rows, (unsigned long long)(us / rows));
}
