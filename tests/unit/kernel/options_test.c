/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/options.c over the real table, kernel/options.def. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/options.h"

struct warnings {
  unsigned count;
  char last[600]; /* "<word>: <problem>" */
};

static void note(void *context, const char *word, size_t n, const char *problem) {
  struct warnings *w = context;
  w->count++;
  snprintf(w->last, sizeof(w->last), "%.*s: %s", (int)n, word, problem);
}

static struct warnings parse(struct options *o, const char *line) {
  struct warnings w = {};
  options_parse(o, line, strlen(line), note, &w);
  return w;
}

static void an_empty_line_leaves_the_defaults(void **context) {
  (void)context;
  struct options o;
  memset(&o, 0xa5, sizeof(o));
  assert_int_equal(parse(&o, "  \t\n ").count, 0);
  assert_int_equal(o.log, OPTION_LOG_NOTICE);
  assert_false(o.log_addresses);
  assert_int_equal(o.panic, OPTION_PANIC_WAIT);
  assert_int_equal(o.serial, OPTION_SERIAL_AUTO);
  assert_true(o.fb);
  assert_false(o.test_exit);
  assert_string_equal(o.test, "");
  assert_int_equal(o.badmem.count, 0);
}

static void every_kind_takes_its_value(void **context) {
  (void)context;
  struct options o;
  const struct warnings w =
      parse(&o, "log=verbose,addresses panic=exit nofeat=smep,smap test=all test.exit fb=off badmem=0x1000 badmem=1M,8K "
                "break=ledger kaslr_seed=7 nokaslr history=no");
  assert_int_equal(w.count, 0);
  assert_int_equal(o.log, OPTION_LOG_VERBOSE);
  assert_true(o.log_addresses);
  assert_int_equal(o.panic, OPTION_PANIC_EXIT);
  assert_string_equal(o.nofeat, "smep,smap");
  assert_string_equal(o.test, "all");
  assert_true(o.test_exit);
  assert_false(o.fb);
  assert_false(o.history);
  assert_string_equal(o.break_invariant, "ledger");
  assert_int_equal(o.badmem.count, 2);
  assert_int_equal(o.badmem.range[0].start, 0x1000);
  assert_int_equal(o.badmem.range[0].size, 4096);
  assert_int_equal(o.badmem.range[1].start, 1 << 20);
  assert_int_equal(o.badmem.range[1].size, 8192);
}

static void a_mark_alone_keeps_the_level_and_the_order_does_not_matter(void **context) {
  (void)context;
  struct options o;
  assert_int_equal(parse(&o, "log=addresses").count, 0);
  assert_int_equal(o.log, OPTION_LOG_NOTICE);
  assert_true(o.log_addresses);
  assert_int_equal(parse(&o, "log=addresses,error").count, 0);
  assert_int_equal(o.log, OPTION_LOG_ERROR);
  assert_true(o.log_addresses);
}

static void quotes_hold_a_word_together(void **context) {
  (void)context;
  struct options o;
  assert_int_equal(parse(&o, "test=\"two words\" \"nofeat=a b\" crash=\"\"").count, 0);
  assert_string_equal(o.test, "two words");
  assert_string_equal(o.nofeat, "a b");
  assert_string_equal(o.crash, "");
  const struct warnings w = parse(&o, "fb=off test=\"never ends fb=on");
  assert_int_equal(w.count, 1);
  assert_non_null(strstr(w.last, "quote"));
  assert_false(o.fb);
}

static void the_last_of_two_wins(void **context) {
  (void)context;
  struct options o;
  assert_int_equal(parse(&o, "panic=exit panic=reboot test=a test=b").count, 0);
  assert_int_equal(o.panic, OPTION_PANIC_REBOOT);
  assert_string_equal(o.test, "b");
}

static void what_is_wrong_is_warned_about_with_its_word_and_changes_nothing(void **context) {
  (void)context;
  static const struct {
    const char *line, *warning;
  } cases[] = {
      {"quiet", "quiet: is no option"},
      {"Panic=exit", "Panic=exit: is no option"},
      {"=", "=: is no option"},
      {"\"\"", ": is no option"},
      {"panic", "panic: needs a value"},
      {"panic=", "panic=: needs a value"},
      {"panic=explode", "panic=explode: does not take"},
      {"panic=addresses", "panic=addresses: does not take"},
      {"log=info,loud", "log=info,loud: does not take"},
      {"log=info,warn", "log=info,warn: takes one of these values, not several"},
      {"pmm=buddy,flat", "pmm=buddy,flat: takes one of these values, not several"},
      {"log=addresses,,info", "log=addresses,,info: does not take"},
      {"fb=maybe", "fb=maybe: takes on or off"},
      {"fb=", "fb=: takes on or off"},
      {"test", "test: needs a value"},
      {"model.keep=", "model.keep=: needs a value"},
      {"model.keep=1,9-5", "model.keep=1,9-5: takes <first>-<last>"},
      {"model.keep=1-", "model.keep=1-: takes <first>-<last>"},
      {"model.keep=3,-4", "model.keep=3,-4: takes <first>-<last>"},
      {"model.keep=0x100000000", "model.keep=0x100000000: takes <first>-<last>"},
      {"badmem", "badmem: needs a value"},
      {"badmem=", "badmem=: takes <address>"},
      {"badmem=x", "badmem=x: takes <address>"},
      {"badmem=1,2,3", "badmem=1,2,3: takes <address>"},
      {"badmem=1,0", "badmem=1,0: is out of range"},
      {"badmem=0xffffffffffffffff,2", "badmem=0xffffffffffffffff,2: is out of range"},
  };
  struct options defaults;
  parse(&defaults, "");
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct options o;
    const struct warnings w = parse(&o, cases[i].line);
    assert_int_equal(w.count, 1);
    if (strncmp(w.last, cases[i].warning, strlen(cases[i].warning)) != 0) print_message("got: %s\n", w.last);
    assert_memory_equal(w.last, cases[i].warning, strlen(cases[i].warning));
    assert_memory_equal(&o, &defaults, sizeof(o));
  }
}

static void long_words_are_refused_and_what_follows_still_counts(void **context) {
  (void)context;
  static char line[12000];
  snprintf(line, sizeof(line), "kaslr=%09995d fb=off", 0);
  struct options o;
  struct warnings w = parse(&o, line);
  assert_int_equal(w.count, 1);
  assert_non_null(strstr(w.last, "is too long"));
  assert_string_equal(o.test, "");
  assert_false(o.fb);
  for (size_t n = 120; n < 140; n++) {
    snprintf(line, sizeof(line), "test=%0*d", (int)n, 0);
    w = parse(&o, line);
    assert_int_equal(w.count, n < OPTION_TEXT_MAX ? 0 : 1);
    assert_int_equal(strlen(o.test), n < OPTION_TEXT_MAX ? n : 0);
  }
}

static void a_range_too_many_is_refused(void **context) {
  (void)context;
  struct options o;
  const struct warnings w = parse(&o, "badmem=1 badmem=2 badmem=3 badmem=4 badmem=5 badmem=6 badmem=7 badmem=8 badmem=9");
  assert_int_equal(w.count, 1);
  assert_string_equal(w.last, "badmem=9: was given too often");
  assert_int_equal(o.badmem.count, OPTION_RANGES_MAX);
}

static void steps_are_numbers_and_ranges_and_may_go_on_in_another_word(void **context) {
  (void)context;
  struct options o;
  assert_int_equal(parse(&o, "model.keep=5,9-12 model.keep=0x20").count, 0);
  assert_int_equal(o.model_keep.count, 3);
  assert_int_equal(o.model_keep.range[0].first, 5);
  assert_int_equal(o.model_keep.range[0].last, 5);
  assert_int_equal(o.model_keep.range[1].first, 9);
  assert_int_equal(o.model_keep.range[1].last, 12);
  assert_int_equal(o.model_keep.range[2].last, 32);
  char line[OPTION_STEPS_MAX * 16] = "";
  for (size_t i = 0; i <= OPTION_STEPS_MAX; i++) snprintf(line + strlen(line), 16, "model.keep=%zu ", i);
  const struct warnings w = parse(&o, line);
  assert_int_equal(w.count, 1);
  assert_string_equal(w.last, "model.keep=128: has too many steps");
  assert_int_equal(o.model_keep.count, OPTION_STEPS_MAX);
}

static void every_row_has_help_and_forms_look_like_the_command_line(void **context) {
  (void)context;
  struct option_help h;
  size_t n = 0;
  bool saw_panic = false, saw_mark = false, saw_dot = false, saw_flag = false;
  for (; options_help(n, &h); n++) {
    assert_true(strlen(h.help) > 10 && strlen(h.help) < 62);
    saw_panic |= strcmp(h.form, "panic=wait|reboot|exit") == 0 && strcmp(h.fallback, "wait") == 0;
    saw_mark |= strcmp(h.form, "log=...,addresses") == 0;
    saw_dot |= strcmp(h.form, "test.exit") == 0;
    saw_flag |= strcmp(h.form, "fb=on|off") == 0;
  }
  assert_true(n > 10 && saw_panic && saw_mark && saw_dot && saw_flag);
}

static void values_print_as_they_would_be_written(void **context) {
  (void)context;
  struct options o;
  parse(&o, "log=warn,addresses panic=reboot badmem=0x1000,4K badmem=1M fb=off test=ledger");
  static const char *const forms[] = {"log=error|warn|notice|info|verbose",
                                      "log=...,addresses",
                                      "panic=wait|reboot|exit",
                                      "badmem=<address>[,<size>]",
                                      "fb=on|off",
                                      "test=<text>",
                                      "kaslr",
                                      "crash=<text>"};
  static const char *const values[] = {"warn", "on",     "reboot",         "0x1000,0x1000 0x100000,0x1000",
                                       "off",  "ledger", "(the loader's)", ""};
  struct option_help h;
  char value[OPTION_TEXT_MAX];
  size_t found = 0;
  for (size_t i = 0; options_help(i, &h); i++) {
    assert_true(options_value(&o, i, value, sizeof(value)));
    for (size_t k = 0; k < sizeof(forms) / sizeof(forms[0]); k++) {
      if (strcmp(h.form, forms[k]) != 0) continue;
      assert_string_equal(value, values[k]);
      found++;
    }
    assert_true(options_value(&o, i, value, 3)); /* Cut, never beyond. */
  }
  assert_int_equal(found, sizeof(forms) / sizeof(forms[0]));
  assert_false(options_value(&o, 1000, value, sizeof(value)));
}

static void a_comma_list_is_walked_item_by_item(void **context) {
  (void)context;
  const char *list = "a,bc,,d,", *item;
  size_t n;
  char seen[32] = "";
  while (options_next_item(&list, &item, &n)) {
    const size_t used = strlen(seen);
    snprintf(seen + used, sizeof(seen) - used, "[%.*s]", (int)n, item);
  }
  assert_string_equal(seen, "[a][bc][][d]");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_empty_line_leaves_the_defaults),
      cmocka_unit_test(every_kind_takes_its_value),
      cmocka_unit_test(a_mark_alone_keeps_the_level_and_the_order_does_not_matter),
      cmocka_unit_test(quotes_hold_a_word_together),
      cmocka_unit_test(the_last_of_two_wins),
      cmocka_unit_test(what_is_wrong_is_warned_about_with_its_word_and_changes_nothing),
      cmocka_unit_test(long_words_are_refused_and_what_follows_still_counts),
      cmocka_unit_test(a_range_too_many_is_refused),
      cmocka_unit_test(steps_are_numbers_and_ranges_and_may_go_on_in_another_word),
      cmocka_unit_test(every_row_has_help_and_forms_look_like_the_command_line),
      cmocka_unit_test(values_print_as_they_would_be_written),
      cmocka_unit_test(a_comma_list_is_walked_item_by_item),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
