/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/quirks.c — which bugs to play, and the count of how often each one was.
 *
 * A quirk that was asked for and never played proves nothing, so it is said (`NOT-PLAYED`) and scripts/boots.py fails the
 * scenario.
 */
#include "lib/format.h"
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define TEXT_MAX 40

static struct {
  const char *name;
  uint64_t value;
  uint64_t played;
  bool is_on;
  char text[TEXT_MAX];
} quirks[QUIRK_COUNT] = {
#define QUIRK(id, quirk_name, quirk_value) [QUIRK_##id] = {.name = quirk_name, .value = quirk_value},
#include "tests/firmware/quirks.def"
#undef QUIRK
};

bool quirks_on(enum quirk q) { return quirks[q].is_on; }
uint64_t quirks_value(enum quirk q) { return quirks[q].value; }
const char *quirks_text(enum quirk q) { return quirks[q].text; }
void quirks_count(enum quirk q) { quirks[q].played++; }

bool quirks_play(enum quirk q) {
  if (quirks[q].is_on) quirks[q].played++;
  return quirks[q].is_on;
}

bool quirks_play_limited(enum quirk q) { return quirks[q].played < quirks[q].value && quirks_play(q); }

static int digit(char c, unsigned base) {
  if (c >= '0' && c <= '9') return c - '0';
  if (base == 16 && c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

/* A number with 0x, K or M, as far as it goes; 0 for a word. */
static uint64_t number(const char *text) {
  unsigned base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
  uint64_t value = 0;
  if (base == 16) text += 2;
  for (; digit(*text, base) >= 0; text++) value = value * base + (uint64_t)digit(*text, base);
  if (*text == 'K') value *= KIB;
  if (*text == 'M') value *= MIB;
  return value;
}

static void read_line(const char *line, size_t n) {
  size_t name_size = 0;
  while (name_size < n && line[name_size] != '=') name_size++;
  for (unsigned q = 0; q < QUIRK_COUNT; q++) {
    if (strlen(quirks[q].name) != name_size || memcmp(quirks[q].name, line, name_size) != 0) continue;
    quirks[q].is_on = true;
    if (name_size < n) {
      size_t size = n - name_size - 1;
      if (size > TEXT_MAX - 1) size = TEXT_MAX - 1;
      memcpy(quirks[q].text, line + name_size + 1, size);
      quirks[q].text[size] = '\0';
      quirks[q].value = number(quirks[q].text);
    }
    print_line("quirk=%s value=%llu %s", quirks[q].name, (unsigned long long)quirks[q].value, quirks[q].text);
    return;
  }
  print_line("UNKNOWN quirk=%.*s", (int)n, line);
}

void quirks_read(const char *text, size_t size) {
  for (size_t at = 0; at < size;) {
    size_t end = at;
    while (end < size && text[end] != '\n') end++;
    size_t n = end - at;
    while (n > 0 && (text[at + n - 1] == '\r' || text[at + n - 1] == ' ')) n--;
    if (n > 0 && text[at] != '#') read_line(text + at, n);
    at = end + 1;
  }
}

void quirks_say_played(void) {
  for (unsigned q = 0; q < QUIRK_COUNT; q++) {
    if (!quirks[q].is_on) continue;
    if (quirks[q].played > 0) {
      print_line("played %s=%llu", quirks[q].name, (unsigned long long)quirks[q].played);
    } else {
      print_line("NOT-PLAYED %s", quirks[q].name);
    }
  }
}
