/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of lib/format.c: a differential property test against the host's snprintf over generated directives, and the few
 * things in which we differ on purpose (%p, unknown directives, sizes for people).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/format.h"

#pragma clang diagnostic ignored "-Wformat"
#pragma clang diagnostic ignored "-Wformat-nonliteral"

static uint64_t state;
static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}
static uint64_t draw_below(uint64_t bound) { return draw() % bound; }

static void seed(void) {
  const char *given = getenv("CAIRN_SEED");
  state = given != NULL ? strtoull(given, NULL, 0) : 0x9e3779b97f4a7c15;
  if (state == 0) state = 1;
  print_message("CAIRN_SEED=%llu\n", (unsigned long long)state);
}

/* Numbers at the edges of every width, and anything. */
static uint64_t draw_number(void) {
  static const uint64_t edges[] = {0,     1,     9,         10,         127,        128,       255,        256,
                                   32767, 65535, INT32_MAX, 1ULL << 31, UINT32_MAX, INT64_MAX, 1ULL << 63, UINT64_MAX};
  return draw_below(2) == 0 ? edges[draw_below(sizeof(edges) / sizeof(edges[0]))] : draw() >> draw_below(64);
}

struct generated {
  char text[64];
  int width, precision;
  bool star_width, star_precision;
  bool is_string, is_wide;
};

static void append(struct generated *g, const char *s) {
  const size_t used = strlen(g->text);
  snprintf(g->text + used, sizeof(g->text) - used, "%s", s);
}

static void generate(struct generated *g) {
  static const char flags[][2] = {"-", "0", "+", " ", "#"};
  static const char *const narrow[] = {"", "h", "hh"}, *const wide[] = {"l", "ll", "j", "z", "t"};
  memset(g, 0, sizeof(*g));
  g->is_string = draw_below(6) == 0;
  append(g, "a%");
  for (unsigned i = 0; i < 5; i++)
    if (draw_below(3) == 0) append(g, flags[i]);
  g->star_width = draw_below(4) == 0;
  g->width = (int)draw_below(40) - (g->star_width ? 20 : 0);
  char number[16];
  snprintf(number, sizeof(number), "%d", g->width);
  if (g->star_width)
    append(g, "*");
  else if (g->width > 0)
    append(g, number);
  if (draw_below(2) == 0) {
    g->star_precision = draw_below(3) == 0;
    g->precision = (int)draw_below(30) - (g->star_precision ? 5 : 0);
    snprintf(number, sizeof(number), "%d", g->precision);
    append(g, ".");
    append(g, g->star_precision ? "*" : number);
  }
  g->is_wide = !g->is_string && draw_below(2) == 0;
  if (!g->is_string) append(g, g->is_wide ? wide[draw_below(5)] : narrow[draw_below(3)]);
  static const char *const conversions[] = {"d", "i", "u", "x", "X"};
  append(g, g->is_string ? "s" : conversions[draw_below(5)]);
  append(g, "%%z");
}

#define BOTH(...)                                                                                                           \
  do {                                                                                                                      \
    theirs_length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                                          \
    ours_length = format_string(ours, sizeof(ours), __VA_ARGS__);                                                           \
  } while (0)
#define WITH_STARS(value)                                                                                                   \
  do {                                                                                                                      \
    if (g.star_width && g.star_precision)                                                                                   \
      BOTH(g.text, g.width, g.precision, value);                                                                            \
    else if (g.star_width)                                                                                                  \
      BOTH(g.text, g.width, value);                                                                                         \
    else if (g.star_precision)                                                                                              \
      BOTH(g.text, g.precision, value);                                                                                     \
    else                                                                                                                    \
      BOTH(g.text, value);                                                                                                  \
  } while (0)

static void every_generated_directive_prints_what_the_host_prints(void **context) {
  (void)context;
  seed();
  static const char *const strings[] = {"", "x", "a longer text than most fields are wide", "tab\there"};
  for (unsigned round = 0; round < 200000; round++) {
    struct generated g;
    generate(&g);
    char theirs[256], ours[256];
    int theirs_length;
    size_t ours_length;
    const uint64_t number = draw_number();
    const char *string = strings[draw_below(4)];
    if (g.is_string)
      WITH_STARS(string);
    else if (g.is_wide)
      WITH_STARS(number);
    else
      WITH_STARS((unsigned)number);
    if (strcmp(ours, theirs) != 0) print_message("directive %s number %llu\n", g.text, (unsigned long long)number);
    assert_string_equal(ours, theirs);
    assert_int_equal(ours_length, theirs_length);
  }
}

static void a_small_buffer_gets_a_terminated_prefix_and_the_full_length(void **context) {
  (void)context;
  for (size_t size = 0; size < 16; size++) {
    char ours[16], theirs[16];
    memset(ours, '#', sizeof(ours));
    memset(theirs, '#', sizeof(theirs));
    const size_t n = format_string(ours, size, "%s-%d", "abcdef", 12345);
    assert_int_equal(n, snprintf(theirs, size, "%s-%d", "abcdef", 12345));
    assert_memory_equal(ours, theirs, sizeof(ours));
  }
}

static void an_address_is_hidden_unless_it_is_asked_for(void **context) {
  (void)context;
  char text[64];
  format_string(text, sizeof(text), "<%p>", (void *)0x1234);
  assert_string_equal(text, "<(address)>");
  format_string(text, sizeof(text), "<%12p>", (void *)0x1234);
  assert_string_equal(text, "<   (address)>");
}

struct collected {
  char text[128];
  size_t fill;
};
static void collect(void *context, const char *bytes, size_t n) {
  struct collected *c = context;
  memcpy(c->text + c->fill, bytes, n);
  c->fill += n;
}
static size_t shown(struct collected *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const size_t n = format_to_sink_with_addresses(collect, c, format, args);
  va_end(args);
  return n;
}

static void addresses_show_when_the_caller_allows_them(void **context) {
  (void)context;
  struct collected c = {};
  assert_int_equal(shown(&c, "%p %s", (void *)0xffff800012345678, "x"), 20);
  assert_memory_equal(c.text, "0xffff800012345678 x", 20);
}

static void unknown_directives_and_a_lonely_percent_are_printed_as_they_stand(void **context) {
  (void)context;
  char text[64];
  format_string(text, sizeof(text), "%y %-5k %d %", 7);
  assert_string_equal(text, "%y %-5k 7 %");
  format_string(text, sizeof(text), "%s", (const char *)NULL);
  assert_string_equal(text, "(null)");
}

static void sizes_have_three_digits_at_most_and_round_down(void **context) {
  (void)context;
  static const struct {
    uint64_t bytes;
    const char *text;
  } rows[] = {{0, "0 B"},
              {512, "512 B"},
              {999, "999 B"},
              {1000, "0.97 KiB"},
              {1023, "0.99 KiB"},
              {1024, "1.0 KiB"},
              {4096, "4.0 KiB"},
              {10240, "10.0 KiB"},
              {102399, "99.9 KiB"},
              {102400, "100 KiB"},
              {1022976, "999 KiB"},
              {1024000, "0.97 MiB"},
              {1536ULL << 20, "1.5 GiB"},
              {1ULL << 63, "8.0 EiB"},
              {UINT64_MAX, "15.9 EiB"}};
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[12];
    assert_string_equal(format_size(text, rows[i].bytes), rows[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_generated_directive_prints_what_the_host_prints),
      cmocka_unit_test(a_small_buffer_gets_a_terminated_prefix_and_the_full_length),
      cmocka_unit_test(an_address_is_hidden_unless_it_is_asked_for),
      cmocka_unit_test(addresses_show_when_the_caller_allows_them),
      cmocka_unit_test(unknown_directives_and_a_lonely_percent_are_printed_as_they_stand),
      cmocka_unit_test(sizes_have_three_digits_at_most_and_round_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
