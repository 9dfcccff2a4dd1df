/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/string.c — bytes and C strings, freestanding.
 *
 * HOW      Copies and fills go 8 bytes at a time through a type that may alias anything and may lie anywhere: x86 and
 *          every later port of ours load unaligned words.  The first and the last word may overlap; that replaces the
 *          loop over the odd bytes.
 * WHY NOT  builtins: these functions are what the builtins call, so each is compiled with no_builtin, or a compiler that
 *          recognises the loop would make it call itself.
 * Hosted builds take the host's mem* and str* functions, which the sanitizers know.
 */
#define STRING_IMPLEMENTATION
#include "lib/string.h"

#ifndef CAIRN_HOSTED

#define NO_BUILTIN [[clang::no_builtin("memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen")]]

typedef uint64_t word_t __attribute__((may_alias, aligned(1)));
#define WORD sizeof(word_t)

static inline word_t load(const uint8_t *p) { return *(const word_t *)p; }
static inline void store(uint8_t *p, word_t w) { *(word_t *)p = w; }

/* At most 7 bytes: all are loaded before any is stored, so the ranges may overlap. */
static inline void move_few(uint8_t *to, const uint8_t *from, size_t n) {
  if (n >= 4) {
    typedef uint32_t half_t __attribute__((may_alias, aligned(1)));
    const half_t first = *(const half_t *)from;
    const half_t last = *(const half_t *)(from + n - 4);
    *(half_t *)to = first;
    *(half_t *)(to + n - 4) = last;
  } else if (n != 0) {
    const uint8_t first = from[0], middle = from[n / 2], last = from[n - 1];
    to[0] = first;
    to[n / 2] = middle;
    to[n - 1] = last;
  }
}

/* n >= 8.  Right for to <= from and for disjoint ranges: each word is read before anything writes on it. */
static inline void move_up(uint8_t *to, const uint8_t *from, size_t n) {
  uint8_t *const last_to = to + n - WORD;
  const word_t last = load(from + n - WORD);
  for (; n >= 4 * WORD; n -= 4 * WORD, to += 4 * WORD, from += 4 * WORD) {
    const word_t a = load(from), b = load(from + WORD), c = load(from + 2 * WORD), d = load(from + 3 * WORD);
    store(to, a);
    store(to + WORD, b);
    store(to + 2 * WORD, c);
    store(to + 3 * WORD, d);
  }
  for (; n > WORD; n -= WORD, to += WORD, from += WORD) store(to, load(from));
  store(last_to, last);
}

/* n >= 8.  The mirror of move_up, for to > from. */
static inline void move_down(uint8_t *to, const uint8_t *from, size_t n) {
  const word_t first = load(from);
  for (; n > WORD; n -= WORD) store(to + n - WORD, load(from + n - WORD));
  store(to, first);
}

/* A product whose CPU copies and fills with one instruction brings its own (CAIRN_OWN_COPY). */
#ifndef CAIRN_OWN_COPY
NO_BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t n) {
  if (n < WORD)
    move_few(to, from, n);
  else
    move_up(to, from, n);
  return to;
}

#endif

NO_BUILTIN void *memmove(void *to, const void *from, size_t n) {
  if (n < WORD)
    move_few(to, from, n);
  else if ((uintptr_t)to <= (uintptr_t)from)
    move_up(to, from, n);
  else
    move_down(to, from, n);
  return to;
}

#ifndef CAIRN_OWN_COPY
NO_BUILTIN void *memset(void *to, int byte, size_t n) {
  uint8_t *p = to;
  if (n < WORD) {
    for (; n != 0; n--) *p++ = (uint8_t)byte;
    return to;
  }
  const word_t w = (uint8_t)byte * UINT64_C(0x0101010101010101);
  store(p + n - WORD, w);
  for (; n >= 4 * WORD; n -= 4 * WORD, p += 4 * WORD) {
    store(p, w);
    store(p + WORD, w);
    store(p + 2 * WORD, w);
    store(p + 3 * WORD, w);
  }
  for (; n > WORD; n -= WORD, p += WORD) store(p, w);
  return to;
}
#endif

NO_BUILTIN int memcmp(const void *a, const void *b, size_t n) {
  const uint8_t *x = a, *y = b;
  for (; n >= WORD && load(x) == load(y); n -= WORD, x += WORD, y += WORD) {}
  for (; n != 0; n--, x++, y++)
    if (*x != *y) return *x < *y ? -1 : 1;
  return 0;
}

NO_BUILTIN size_t strlen(const char *s) {
  size_t n = 0;
  while (s[n] != '\0') n++;
  return n;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, SIZE_MAX); }

int strncmp(const char *a, const char *b, size_t n) {
  for (; n != 0; n--, a++, b++) {
    const uint8_t x = (uint8_t)*a, y = (uint8_t)*b;
    if (x != y) return x < y ? -1 : 1;
    if (x == 0) break;
  }
  return 0;
}

#endif /* CAIRN_HOSTED */

void string_wipe(void *p, size_t n) {
  typedef volatile uint64_t wiped_t __attribute__((may_alias, aligned(1)));
  volatile uint8_t *bytes = p;
  size_t i = 0;
  for (; i + sizeof(wiped_t) <= n; i += sizeof(wiped_t)) *(wiped_t *)(bytes + i) = 0;
  for (; i < n; i++) bytes[i] = 0;
}

bool string_equals(const char *text, size_t n, const char *word) {
  for (size_t i = 0; i < n; i++)
    if (word[i] == '\0' || text[i] != word[i]) return false;
  return word[n] == '\0';
}

/* Value of a digit in any base up to 16; 16 when it is none. */
static unsigned digit_of(char c) {
  if (c >= '0' && c <= '9') return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f') return (unsigned)(c - 'a') + 10;
  if (c >= 'A' && c <= 'F') return (unsigned)(c - 'A') + 10;
  return 16;
}

/* How far a suffix shifts; 0 when the letter is none. */
static unsigned suffix_shift(char c) {
  switch (c) {
  case 'K':
  case 'k':
    return 10;
  case 'M':
  case 'm':
    return 20;
  case 'G':
  case 'g':
    return 30;
  case 'T':
  case 't':
    return 40;
  default:
    return 0;
  }
}

status_t string_to_u64(const char *text, size_t n, bool allow_suffix, uint64_t *value) {
  unsigned base = 10, shift = 0;
  if (allow_suffix && n != 0) shift = suffix_shift(text[n - 1]);
  if (shift != 0) n--;
  if (n > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
    base = 16;
    text += 2;
    n -= 2;
  }
  if (n == 0) return ERR_INVALID;
  uint64_t sum = 0;
  bool fits = true;
  for (size_t i = 0; i < n; i++) {
    const unsigned digit = digit_of(text[i]);
    if (digit >= base) return ERR_INVALID;
    fits = fits && !__builtin_mul_overflow(sum, base, &sum) && !__builtin_add_overflow(sum, digit, &sum);
  }
  if (!fits || (shift != 0 && sum >> (64 - shift) != 0)) return ERR_RANGE;
  *value = sum << shift;
  return OK;
}
