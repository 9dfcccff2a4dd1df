/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/utf.c — one character at a time, in and out of UTF-8 and UTF-16.
 *
 * HOW    The lead byte of UTF-8 says how many bytes follow; each has 6 bits.  Overlong forms are found by comparing the
 *        result with the smallest character that needs so many bytes.
 */
#include "lib/utf.h"

static bool is_surrogate(uint32_t c) { return c >= 0xd800 && c < 0xe000; }

uint32_t utf_read8(const char *text, size_t n, size_t *at) {
  static const uint32_t smallest[4] = {0, 0x80, 0x800, 0x10000};
  const size_t start = (*at)++;
  const uint8_t lead = (uint8_t)text[start];
  if (lead < 0x80) return lead;
  unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
  if (lead < 0xc2 || lead > 0xf4 || n - start <= more) return UTF_INVALID;
  uint32_t c = lead & (0x3fU >> more);
  for (unsigned i = 1; i <= more; i++) {
    const uint8_t byte = (uint8_t)text[start + i];
    if ((byte & 0xc0) != 0x80) return UTF_INVALID;
    c = c << 6 | (byte & 0x3f);
  }
  if (c < smallest[more] || c > 0x10ffff || is_surrogate(c)) return UTF_INVALID;
  *at = start + 1 + more;
  return c;
}

size_t utf_write8(uint32_t character, char to[static 4]) {
  const uint32_t c = character;
  size_t more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static const uint8_t lead[4] = {0, 0xc0, 0xe0, 0xf0};
  to[0] = (char)(lead[more] | (uint8_t)(c >> (6 * more)));
  for (size_t i = 1; i <= more; i++) to[i] = (char)(0x80 | ((c >> (6 * (more - i))) & 0x3f));
  return more + 1;
}

static uint32_t unit_at(const uint8_t *bytes, size_t at) { return (uint32_t)bytes[at] | (uint32_t)bytes[at + 1] << 8; }

uint32_t utf_read16(const uint8_t *bytes, size_t n, size_t *at) {
  const uint32_t high = unit_at(bytes, *at);
  *at += 2;
  if (!is_surrogate(high)) return high;
  if (high >= 0xdc00 || n - *at < 2) return UTF_INVALID;
  const uint32_t low = unit_at(bytes, *at);
  if (low < 0xdc00 || low >= 0xe000) return UTF_INVALID;
  *at += 2;
  return 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00));
}

size_t utf_write16(uint32_t character, uint16_t to[static 2]) {
  if (character < 0x10000) {
    to[0] = (uint16_t)character;
    return 1;
  }
  to[0] = (uint16_t)(0xd800 + ((character - 0x10000) >> 10));
  to[1] = (uint16_t)(0xdc00 + (character & 0x3ff));
  return 2;
}
