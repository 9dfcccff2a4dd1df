/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_progress.c — how far a long command is, and Ctrl-C for it.
 *
 * One line, drawn anew a few times a second once a command has taken longer than a person waits without wondering, and wiped
 * when it ends.  A command that is quick shows nothing.
 */
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"

#define PATIENCE_US UINT64_C(700000)
#define EVERY_US    UINT64_C(250000)

static struct {
  uint64_t next_us;
  bool is_shown, is_interrupted;
} now;

void shell_progress_begin(void) {
  now.next_us = clock_us() + PATIENCE_US;
  now.is_shown = now.is_interrupted = false;
}

static void show(const char *what, uint64_t done, uint64_t total) {
  char count[28], percent[8];
  if (total == 0)
    console_printf("\r\033[K" PICTURE_DIM " %s: %s frames; Ctrl-C stops" PICTURE_PLAIN, what, picture_count(count, done));
  else
    console_printf("\r\033[K" PICTURE_DIM " %s: %s%%; Ctrl-C stops" PICTURE_PLAIN, what,
                   picture_percent(percent, done, total));
  now.is_shown = true;
}

bool shell_progress(const char *what, uint64_t done, uint64_t total) {
  now.is_interrupted = now.is_interrupted || console_interrupted();
  const uint64_t us = clock_us();
  if (!now.is_interrupted && us >= now.next_us) {
    show(what, done, total);
    now.next_us = us + EVERY_US;
  }
  return !now.is_interrupted;
}

bool shell_progress_end(void) {
  if (now.is_shown) console_printf("\r\033[K");
  now.is_shown = false;
  if (now.is_interrupted) shell_complain("Stopped by Ctrl-C.");
  return !now.is_interrupted;
}
