/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of lib/string.c.  Hosted builds leave our mem* and str* out, so the file is compiled here once more as the kernel
 * compiles it, under other names, and compared with the host's for every small size, alignment and overlap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/string.h"

#undef CAIRN_HOSTED
#define memcpy        ours_memcpy
#define memmove       ours_memmove
#define memset        ours_memset
#define memcmp        ours_memcmp
#define strlen        ours_strlen
#define strcmp        ours_strcmp
#define strncmp       ours_strncmp
#define string_wipe   ours_string_wipe
#define string_equals ours_string_equals
#define string_to_u64 ours_string_to_u64
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
void string_wipe(void *p, size_t n);
bool string_equals(const char *text, size_t n, const char *word);
status_t string_to_u64(const char *text, size_t n, bool allow_suffix, uint64_t *value);
#include "lib/string.c" /* NOLINT(bugprone-suspicious-include): the second compilation is the point. */
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef strlen
#undef strcmp
#undef strncmp
#undef string_wipe
#undef string_equals
#undef string_to_u64

#define SPAN 160

static void fill(uint8_t *p) {
  for (unsigned i = 0; i < SPAN; i++) p[i] = (uint8_t)(i * 7 + 13);
}

static void copies_are_the_hosts_for_every_size_alignment_and_overlap(void **context) {
  (void)context;
  uint8_t ours[SPAN], theirs[SPAN];
  for (size_t n = 0; n <= 72; n++)
    for (size_t to = 0; to < 80; to += n > 20 ? 3 : 1)
      for (size_t from = 0; from < 80; from += n > 20 ? 5 : 1) {
        fill(ours);
        fill(theirs);
        assert_ptr_equal(ours_memmove(ours + to, ours + from, n), ours + to);
        memmove(theirs + to, theirs + from, n);
        assert_memory_equal(ours, theirs, SPAN);
        if (to + n > from && from + n > to) continue;
        fill(ours);
        assert_ptr_equal(ours_memcpy(ours + to, ours + from, n), ours + to);
        assert_memory_equal(ours, theirs, SPAN);
      }
}

static void fills_touch_exactly_what_they_should(void **context) {
  (void)context;
  uint8_t ours[SPAN], theirs[SPAN];
  for (size_t n = 0; n <= 100; n++)
    for (size_t at = 0; at < 24; at++) {
      fill(ours);
      fill(theirs);
      assert_ptr_equal(ours_memset(ours + at, (int)(n + 0x1f0), n), ours + at);
      memset(theirs + at, (int)(n + 0x1f0), n);
      assert_memory_equal(ours, theirs, SPAN);
    }
}

static int sign(int x) { return (x > 0) - (x < 0); }

static void comparisons_have_the_hosts_sign_at_every_position(void **context) {
  (void)context;
  uint8_t a[64], b[64];
  for (size_t n = 0; n < 48; n++)
    for (size_t at = 0; at < 48; at++) {
      memset(a, 0x7f, sizeof(a));
      memset(b, 0x7f, sizeof(b));
      b[at] = at % 2 == 0 ? 0x80 : 0x01;
      assert_int_equal(sign(ours_memcmp(a, b, n)), sign(memcmp(a, b, n)));
      assert_int_equal(sign(ours_memcmp(b, a, n)), sign(memcmp(b, a, n)));
    }
}

static void c_strings_compare_and_measure_as_on_the_host(void **context) {
  (void)context;
  static const char *const words[] = {"", "a", "ab", "abc", "abd", "b", "\xff", "abcdefghijk", "abcdefghijl"};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    assert_int_equal(ours_strlen(words[i]), strlen(words[i]));
    for (size_t j = 0; j < sizeof(words) / sizeof(words[0]); j++) {
      assert_int_equal(sign(ours_strcmp(words[i], words[j])), sign(strcmp(words[i], words[j])));
      for (size_t n = 0; n < 13; n++)
        assert_int_equal(sign(ours_strncmp(words[i], words[j], n)), sign(strncmp(words[i], words[j], n)));
    }
  }
}

static void text_equals_a_word_only_as_a_whole(void **context) {
  (void)context;
  assert_true(string_equals("abc=1", 3, "abc"));
  assert_false(string_equals("abc=1", 2, "abc"));
  assert_false(string_equals("abc=1", 4, "abc"));
  assert_true(string_equals("", 0, ""));
  assert_false(string_equals("a\0b", 3, "a"));
}

static void wiping_leaves_only_zeros(void **context) {
  (void)context;
  uint8_t key[37];
  memset(key, 0xa5, sizeof(key));
  string_wipe(key, sizeof(key) - 1);
  for (size_t i = 0; i < sizeof(key) - 1; i++) assert_int_equal(key[i], 0);
  assert_int_equal(key[36], 0xa5);
}

static void numbers_are_read_whole_or_not_at_all(void **context) {
  (void)context;
  static const struct {
    const char *text;
    bool allow_suffix;
    status_t status;
    uint64_t value;
  } rows[] = {
      {"0", false, OK, 0},
      {"18446744073709551615", false, OK, UINT64_MAX},
      {"18446744073709551616", false, ERR_RANGE, 0},
      {"99999999999999999999999x", false, ERR_INVALID, 0},
      {"0xffffFFFFffffFFFF", false, OK, UINT64_MAX},
      {"0x10000000000000000", false, ERR_RANGE, 0},
      {"0x", false, ERR_INVALID, 0},
      {"", false, ERR_INVALID, 0},
      {"", true, ERR_INVALID, 0},
      {"K", true, ERR_INVALID, 0},
      {"4K", true, OK, 4096},
      {"4K", false, ERR_INVALID, 0},
      {"0x10m", true, OK, 16U << 20},
      {"16777215T", true, OK, 16777215ULL << 40},
      {"16777216T", true, ERR_RANGE, 0},
      {"-1", false, ERR_INVALID, 0},
      {"+1", false, ERR_INVALID, 0},
      {"1 ", false, ERR_INVALID, 0},
      {"12a", false, ERR_INVALID, 0},
      {"1KM", true, ERR_INVALID, 0},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    uint64_t value = 42;
    assert_int_equal(string_to_u64(rows[i].text, strlen(rows[i].text), rows[i].allow_suffix, &value), rows[i].status);
    assert_int_equal(value, rows[i].status == OK ? rows[i].value : 42);
  }
}

static void every_status_has_a_name_and_no_value_has_none(void **context) {
  (void)context;
  for (int i = 0; i < STATUS_COUNT; i++) assert_string_not_equal(status_name((status_t)-i), "ERR_?");
  assert_string_equal(status_name((status_t)-STATUS_COUNT), "ERR_?");
  assert_string_equal(status_name(ERR_NO_MEMORY), "ERR_NO_MEMORY");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(copies_are_the_hosts_for_every_size_alignment_and_overlap),
      cmocka_unit_test(fills_touch_exactly_what_they_should),
      cmocka_unit_test(comparisons_have_the_hosts_sign_at_every_position),
      cmocka_unit_test(c_strings_compare_and_measure_as_on_the_host),
      cmocka_unit_test(text_equals_a_word_only_as_a_whole),
      cmocka_unit_test(wiping_leaves_only_zeros),
      cmocka_unit_test(numbers_are_read_whole_or_not_at_all),
      cmocka_unit_test(every_status_has_a_name_and_no_value_has_none),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
