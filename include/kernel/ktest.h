/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/ktest.h — tests that run in the booted kernel (`test` at the prompt, `test=` as an option).
 *
 *   KTEST(P10, ledger_balances_after_boot) { ...; KTEST_EXPECT(x == y); ktest_note("total=%llu", total); }
 *
 * Each prints one line: `[T] <row> PASS|FAIL|SKIP name=<name> k=v ...`, and the run ends with
 * `[T] SUMMARY pass=.. fail=.. skip=.. ledger=ok|broken`.
 */
#pragma once

#include "base/compiler.h"

struct ktest {
  const char *row; /* Row of rows.md it proves. */
  const char *name;
  void (*run)(void);
};

/* `row` may carry two rows with an underscore: P10_K1. */
#define KTEST(row_id, test_name)                                                                                            \
  static void ktest_##test_name(void);                                                                                      \
  [[gnu::used, gnu::section("ktests")]] static const struct ktest ktest_entry_##test_name = {#row_id, #test_name,           \
                                                                                             ktest_##test_name};            \
  static void ktest_##test_name(void)

/** Records a failure with file and line and goes on; the test's line becomes FAIL.  => any CPU. */
#define KTEST_EXPECT(e) ((e) ? (void)0 : ktest_fail(#e, __FILE_NAME__, __LINE__))
void ktest_fail(const char *expression, const char *file, int line);
/** Turns the line into SKIP with a reason: this machine cannot show it. */
void ktest_skip(const char *reason);
/** Adds k=v pairs to the line.  => CPU 0. */
void ktest_note(const char *format, ...) PRINTF_LIKE(1, 2);

/*
 * Tests that are about promises of the tiers (mm/engine.h), up to a name that is NULL.  With another engine they are
 * skipped: for the reason given here, else for what the engine says that it does not promise.
 */
struct ktest_promise {
  const char *name;
  const char *reason;
};
extern const struct ktest_promise ktest_promises[];

/** Runs the tests whose row or name begins with `filter` (all when empty); returns how many failed.  None at all is a
 * failure. */
unsigned ktest_run(const char *filter);
