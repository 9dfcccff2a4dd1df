/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/ktest.c — runs the tests of tests/kernel/ inside the booted kernel.
 *
 * Tests register themselves: KTEST puts an entry into the section `ktests`, kernel.ld marks its borders.  After each test
 * the whole memory is checked (mm_check) and the ledger must balance, so a test that damages memory fails itself and not the
 * next one.  The lines are for scripts and go to the consoles directly, whatever the log's level.
 */
#include "kernel/ktest.h"

#include <stdarg.h>
#include <stddef.h>

#include "kernel/console.h"
#include "kernel/memory.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/engine.h"
#include "mm/ledger.h"

#define FAILURES_SHOWN 5
/* After each test; a machine with more than 16 GiB is checked as a whole by the tests of row P10 alone. */
#define FRAMES_CHECKED UINT64_C(4194304)

extern const struct ktest __start_ktests[];
extern const struct ktest __stop_ktests[];

static struct {
  unsigned failures;
  const char *skipped;
  char notes[1000];
  size_t notes_used;
} now;

void ktest_fail(const char *expression, const char *file, int line) {
  if (__atomic_add_fetch(&now.failures, 1, __ATOMIC_RELAXED) > FAILURES_SHOWN) return; /* From any CPU. */
  console_printf("[T] # %s:%d: expected %s\n", file, line, expression);
}

void ktest_skip(const char *reason) { now.skipped = reason; }

void ktest_note(const char *format, ...) {
  va_list args;
  if (now.notes_used + 2 >= sizeof now.notes) return;
  now.notes[now.notes_used++] = ' ';
  va_start(args, format);
  const size_t room = sizeof now.notes - now.notes_used;
  const size_t length = format_string_v(now.notes + now.notes_used, room, format, args);
  va_end(args);
  now.notes_used += length < room ? length : room - 1;
}

static bool ledger_is_good(void) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  return ledger_balances(&l);
}

static void check_memory(void) {
  struct mm_check_report report;
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  if (l.frames[FRAME_OWNER_GATHERED] != 0) { /* INV-G1: nobody is making a run now. */
    now.failures++;
    console_printf("[T] # INV-G1: %llu frames\n", (unsigned long long)l.frames[FRAME_OWNER_GATHERED]);
  }
  if (!mm_check_nodes(memory_nodes(), FRAMES_CHECKED, &report)) {
    now.failures++;
    console_printf("[T] # mm_check: %s\n", report.text);
  }
}

/* Why a test cannot be asked for here: an engine of the laboratory finds the frames, and does not promise that. */
static const char *excuse(const struct ktest *t) {
  uint32_t node;
  if (!nodes_fallback(memory_nodes(), 0, 0, &node)) return nullptr;
  const struct pmm *p = nodes_pmm(memory_nodes(), node);
  if (strcmp(engine_name(p), "tier") == 0) return nullptr;
  for (const struct ktest_promise *promise = ktest_promises; promise->name; promise++)
    if (strcmp(promise->name, t->name) == 0) return promise->reason ? promise->reason : engine_caveat(p);
  return nullptr;
}

enum outcome { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_SKIP, OUTCOME_COUNT };

static enum outcome run_one(const struct ktest *t) {
  static const char *const words[OUTCOME_COUNT] = {"PASS", "FAIL", "SKIP"};
  now.failures = 0;
  now.skipped = nullptr;
  now.notes_used = 0;
  now.notes[0] = '\0';
  nodes_call_in(memory_nodes()); /* Tests count frames; nothing fills the stock while they run: all is paused. */
  now.skipped = excuse(t);
  if (!now.skipped) t->run();
  check_memory();
  enum outcome outcome = OUTCOME_PASS;
  if (now.skipped) outcome = OUTCOME_SKIP;
  if (now.failures) outcome = OUTCOME_FAIL;
  console_printf("[T] %s %s name=%s%s%s%s\n", t->row, words[outcome], t->name, now.notes, now.skipped ? " reason=" : "",
                 now.skipped ? now.skipped : "");
  return outcome;
}

static bool matches(const struct ktest *t, const char *filter) {
  const size_t n = strlen(filter);
  return strncmp(t->row, filter, n) == 0 || strncmp(t->name, filter, n) == 0;
}

unsigned ktest_run(const char *filter) {
  unsigned counts[OUTCOME_COUNT] = {0};
  for (const struct ktest *t = __start_ktests; t < __stop_ktests; t++) {
    if (!matches(t, filter)) continue;
    counts[run_one(t)]++;
    if (!console_interrupted()) continue;
    console_printf("[T] # stopped by Ctrl-C\n"); /* What was not run has not passed. */
    counts[OUTCOME_FAIL]++;
    break;
  }
  const unsigned run = counts[OUTCOME_PASS] + counts[OUTCOME_FAIL] + counts[OUTCOME_SKIP];
  if (run == 0) { /* A misspelt name must not look like success. */
    console_printf("[T] # no test begins with %s\n", filter);
    counts[OUTCOME_FAIL] = 1;
  }
  console_printf("[T] SUMMARY pass=%u fail=%u skip=%u ledger=%s\n", counts[OUTCOME_PASS], counts[OUTCOME_FAIL],
                 counts[OUTCOME_SKIP], ledger_is_good() ? "ok" : "broken");
  return counts[OUTCOME_FAIL] + (ledger_is_good() ? 0 : 1);
}
