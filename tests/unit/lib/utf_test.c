/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/lib/utf_test.c — every character there and back, every invalid form refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "lib/utf.h"

static bool is_surrogate(uint32_t c) { return c >= 0xd800 && c < 0xe000; }

static void every_character_survives_utf_8(void **state) {
  (void)state;
  for (uint32_t c = 0; c < 0x110000; c++) {
    char text[4];
    size_t at = 0;
    if (is_surrogate(c)) continue;
    size_t n = utf_write8(c, text);
    assert_int_equal(utf_read8(text, n, &at), c);
    assert_int_equal(at, n);
    at = 0;
    if (n > 1) assert_int_equal(utf_read8(text, n - 1, &at), UTF_INVALID);
  }
}

static void every_character_survives_utf_16(void **state) {
  (void)state;
  for (uint32_t c = 0; c < 0x110000; c++) {
    uint16_t units[2];
    size_t at = 0;
    if (is_surrogate(c)) continue;
    size_t n = utf_write16(c, units);
    assert_int_equal(utf_read16((const uint8_t *)units, 2 * n, &at), c);
    assert_int_equal(at, 2 * n);
  }
}

/* All sequences of up to three bytes: what is read as a character must be written back as the same bytes. */
static void only_the_shortest_form_of_utf_8_is_a_character(void **state) {
  (void)state;
  uint32_t valid = 0;
  for (uint32_t bytes = 0; bytes < 0x1000000; bytes++) {
    const char text[3] = {(char)(bytes >> 16), (char)(bytes >> 8), (char)bytes};
    char back[4] = {0};
    size_t at = 0;
    uint32_t c = utf_read8(text, 3, &at);
    assert_true(at >= 1 && at <= 3);
    if (c == UTF_INVALID) {
      assert_int_equal(at, 1);
      continue;
    }
    assert_int_equal(utf_write8(c, back), at);
    for (size_t i = 0; i < 3 && i < at; i++) assert_int_equal(text[i], back[i]);
    if (at == 3) valid++;
  }
  assert_int_equal(valid, 0x10000 - 0x800 - 0x800); /* U+0800 to U+FFFF but the surrogates. */
}

static void forms_beyond_unicode_are_invalid(void **state) {
  (void)state;
  static const char *const texts[] = {
      "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xed\xa0\x80", "\xff", "\x80"};
  for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
    size_t at = 0;
    assert_int_equal(utf_read8(texts[i], 4, &at), UTF_INVALID);
    assert_int_equal(at, 1);
  }
}

static void lone_surrogates_are_invalid(void **state) {
  (void)state;
  static const uint8_t high_then_letter[] = {0x00, 0xd8, 0x41, 0x00};
  static const uint8_t low_first[] = {0x00, 0xdc, 0x41, 0x00};
  static const uint8_t high_at_end[] = {0x00, 0xd8, 0x00};
  size_t at = 0;
  assert_int_equal(utf_read16(high_then_letter, 4, &at), UTF_INVALID);
  assert_int_equal(at, 2);
  assert_int_equal(utf_read16(high_then_letter, 4, &at), 'A');
  at = 0;
  assert_int_equal(utf_read16(low_first, 4, &at), UTF_INVALID);
  at = 0;
  assert_int_equal(utf_read16(high_at_end, 3, &at), UTF_INVALID);
  assert_int_equal(at, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_character_survives_utf_8),
      cmocka_unit_test(every_character_survives_utf_16),
      cmocka_unit_test(only_the_shortest_form_of_utf_8_is_a_character),
      cmocka_unit_test(forms_beyond_unicode_are_invalid),
      cmocka_unit_test(lone_surrogates_are_invalid),
  };
  return cmocka_run_group_tests_name("lib/utf", tests, nullptr, nullptr);
}
