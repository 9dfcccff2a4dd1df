/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/debug/words.c: whatever is typed is read as it was meant, or refused with a sentence about that word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "kernel/debug/words.h"
#include "mm/nodes.h"
#include "seed.h"

#define MAX 8

static char why[160];

/* Reads a whole line, its command too. */
static bool read_line(const char *line, struct shell_request *out) {
  static char text[256];
  const char *words[MAX];
  snprintf(text, sizeof text, "%s", line);
  memset(why, 0, sizeof why);
  const size_t count = words_split(text, words, MAX);
  assert_in_range(count, 1, MAX);
  return words_read_request(count, words, out, why, sizeof why);
}

static void a_line_is_split_at_blanks(void **state) {
  (void)state;
  static const struct {
    const char *line;
    size_t count;
    const char *last;
  } rows[] = {
      {"", 0, ""},        {"   ", 0, ""},      {"mem", 1, "mem"},      {"  mem  ", 1, "mem"}, {"a b c", 3, "c"},
      {"a    b", 2, "b"}, {"1 2 3 4", 4, "4"}, {"1 2 3 4   ", 4, "4"}, {"1 2 3 4 5", 5, "4"}, {"1 2 3 4 5 6", 5, "4"},
  };
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
    char text[32];
    const char *words[4];
    snprintf(text, sizeof text, "%s", rows[i].line);
    const size_t count = words_split(text, words, 4);
    assert_int_equal(count, rows[i].count);
    if (count > 0) assert_string_equal(words[count < 4 ? count - 1 : 3], rows[i].last);
  }
}

static void a_request_is_read_as_it_is_meant(void **state) {
  (void)state;
  static const struct {
    const char *line;
    struct shell_request want;
  } rows[] = {
      {"alloc 1", {.count = 1}},
      {"alloc 0x10", {.count = 16}},
      {"alloc 1K", {.count = 1}},
      {"alloc 2M", {.count = 512}},
      {"alloc 4097K", {.count = 1025}},
      {"alloc 18446744073709551615", {.count = UINT64_MAX}},
      {"alloc 16777215T", {.count = UINT64_C(16777215) << 28}},
      {"quote 4 align=64K", {.count = 4, .limits.align = 16}},
      {"quote 4 boundary=1M below=4G", {.count = 4, .limits = {.boundary = 256, .max = 1 << 20}}},
      {"alloc 4 moves=7 node=3", {.count = 4, .moves = 7, .node = 3, .flags = NODE(3) | NODE_EXACT}},
      {"alloc 4 node=0", {.count = 4, .flags = NODE(0) | NODE_EXACT}},
      {"alloc 4 node=4294967296", {.count = 4, .node = UINT64_C(1) << 32, .flags = NODE(254) | NODE_EXACT}},
  };
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
    struct shell_request r;
    assert_true(read_line(rows[i].line, &r));
    assert_memory_equal(&r, &rows[i].want, sizeof r);
  }
}

static void what_cannot_be_meant_is_refused_and_said(void **state) {
  (void)state;
  static const struct {
    const char *line, *says;
  } rows[] = {
      {"quote", "quote takes a count of frames or a size.  Try: quote 512"},
      {"alloc x", "x is no count of frames and no size.  Try: alloc 512"},
      {"alloc -1", "-1 is no count"},
      {"alloc +1", "+1 is no count"},
      {"alloc 1.5M", "1.5M is no count"},
      {"alloc 5m5", "5m5 is no count"},
      {"alloc K", "K is no count"},
      {"alloc 0x", "0x is no count"},
      {"alloc 0", "0 is no frame at all"},
      {"alloc 0K", "0K is no frame at all"},
      {"alloc 18446744073709551616", "18446744073709551616 is beyond 2^64"},
      {"alloc 16777216T", "16777216T is beyond 2^64"},
      {"alloc 4 align=", "align= is not whole frames"},
      {"alloc 4 align=0", "align=0 is not whole frames"},
      {"alloc 4 align=3K", "align=3K is not whole frames"},
      {"alloc 4 below=99999999999999999999", "below=99999999999999999999 is not whole frames"},
      {"alloc 4 boundary=-4K", "boundary=-4K is not whole frames"},
      {"alloc 4 node=", "node= is no number"},
      {"alloc 4 node=-1", "node=-1 is no number"},
      {"alloc 4 moves=1K", "moves=1K is no number"},
      {"alloc 4 5", "5 is no limit"},
      {"alloc 4 Align=4K", "Align=4K is no limit"},
      {"alloc 4 align=4K align=4K", "align=4K: that limit is there already"},
      {"alloc 4 node=0 align=4K node=1", "node=1: that limit is there already"},
  };
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
    struct shell_request r;
    assert_false(read_line(rows[i].line, &r));
    assert_memory_equal(why, rows[i].says, strlen(rows[i].says));
  }
}

/* Nothing that is typed reads or writes where it must not: the sanitizers watch. */
static void any_line_is_read_or_refused(void **state) {
  (void)state;
  static const char *const bits[] = {" ",  "alloc", "align=", "below=", "boundary=",  "node=", "moves=", "0",    "1",
                                     "0x", "K",     "T",      "-",      "9999999999", "=",     "\x7f",   "\xff", "ff"};
  struct dice d = dice_of(seed_of_run());
  unsigned good = 0;
  for (unsigned round = 0; round < 20000; round++) {
    char text[200] = "alloc ";
    const char *words[MAX];
    struct shell_request r;
    size_t fill = strlen(text);
    for (uint64_t n = dice_below(&d, 12); n > 0; n--)
      fill += (size_t)snprintf(text + fill, sizeof text - fill, "%s", bits[dice_below(&d, ARRAY_COUNT(bits))]);
    const size_t count = words_split(text, words, MAX);
    if (count > MAX) continue;
    memset(why, 0x55, sizeof why);
    const bool is_good = words_read_request(count, words, &r, why, sizeof why);
    good += is_good;
    if (is_good)
      assert_true(r.count > 0);
    else
      assert_non_null(memchr(why, '.', sizeof why));
  }
  assert_true(good > 100);
}

static void a_name_is_taken_for_the_only_one_that_begins_so(void **state) {
  (void)state;
  static const char *const names[] = {"help", "mem", "map", "why", "check", "cpu"};
  static const struct {
    const char *word, *like;
  } rows[] = {{"HELP", "help"}, {"he", "help"}, {"H", "help"}, {"m", NULL},    {"Ma", "map"},
              {"c", NULL},      {"C", NULL},    {"Cp", "cpu"}, {"whyx", NULL}, {"x", NULL}};
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
    const char *found = words_find_like(rows[i].word, names, ARRAY_COUNT(names));
    if (rows[i].like)
      assert_string_equal(found, rows[i].like);
    else
      assert_null(found);
  }
}

static void one_thing_has_no_s(void **state) {
  (void)state;
  assert_string_equal(words_s(0), "s");
  assert_string_equal(words_s(1), "");
  assert_string_equal(words_s(2), "s");
  assert_string_equal(words_s(UINT64_MAX), "s");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_is_split_at_blanks),
      cmocka_unit_test(a_request_is_read_as_it_is_meant),
      cmocka_unit_test(what_cannot_be_meant_is_refused_and_said),
      cmocka_unit_test(any_line_is_read_or_refused),
      cmocka_unit_test(a_name_is_taken_for_the_only_one_that_begins_so),
      cmocka_unit_test(one_thing_has_no_s),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
