/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/options.c — from the command line to struct options.
 *
 * HOW      line ──► words (at blanks, outside quotes; quotes vanish) ──► name[=value] ──► row of options.def ──► decode
 *          by kind ──► store.  Each kind decodes its whole value before it stores anything, so a bad value leaves what
 *          was there.  Fallbacks are stored by the same functions, so the table cannot hold a default that its own option
 *          would refuse.
 * BOUNDS   The line comes from outside: any bytes, any length.  A word is at most WORD_MAX bytes; a longer one is refused.
 * INVARIANT  After options_parse every ENUM is a valid index, every U64 in its range, every TEXT terminated.
 */
#include "kernel/options.h"

#include "base/assert.h"
#include "base/units.h"
#include "lib/format.h"
#include "lib/string.h"

#define WORD_MAX 256

enum kind { KIND_BOOL, KIND_U64, KIND_ENUM, KIND_MARK, KIND_TEXT, KIND_RANGES, KIND_STEPS, KIND_LOADER };

struct row {
  enum kind kind;
  uint32_t offset;   /* Of the field in struct options. */
  const char *word;  /* On the command line. */
  const char *words; /* ENUM: "a|b"; MARK: the item. */
  const char *fallback;
  const char *help;
  uint64_t lowest, highest; /* U64. */
};

#define AT(field) offsetof(struct options, field)
static const struct row rows[] = {
#define OPTION_BOOL(field, word, fallback, help) {KIND_BOOL, AT(field), word, "on|off", fallback, help, 0, 0},
#define OPTION_U64(field, word, lowest, highest, fallback, help)                                                            \
  {KIND_U64, AT(field), word, "<number>", fallback, help, lowest, highest},
#define OPTION_ENUM(field, word, words, fallback, help) {KIND_ENUM, AT(field), word, words, fallback, help, 0, 0},
#define OPTION_MARK(field, word, item, help)            {KIND_MARK, AT(field), word, item, "", help, 0, 0},
#define OPTION_TEXT(field, word, fallback, help)        {KIND_TEXT, AT(field), word, "<text>", fallback, help, 0, 0},
#define OPTION_RANGES(field, word, help)                {KIND_RANGES, AT(field), word, "<address>[,<size>]", "", help, 0, 0},
#define OPTION_STEPS(field, word, help)                 {KIND_STEPS, AT(field), word, "<first>-<last>,..", "", help, 0, 0},
#define OPTION_LOADER(word, help)                       {KIND_LOADER, 0, word, "", "", help, 0, 0},
#include "kernel/options.def"
#undef OPTION_BOOL
#undef OPTION_U64
#undef OPTION_ENUM
#undef OPTION_MARK
#undef OPTION_TEXT
#undef OPTION_RANGES
#undef OPTION_STEPS
#undef OPTION_LOADER
};

bool options_next_item(const char **list, const char **item, size_t *n) {
  const char *start = *list;
  if (*start == '\0') return false;
  const char *end = start;
  while (*end != '\0' && *end != ',') end++;
  *item = start;
  *n = (size_t)(end - start);
  *list = *end == ',' ? end + 1 : end;
  return true;
}

/* Index of an item in "a|b|c", or -1. */
static int find_word(const char *words, const char *item, size_t n) {
  for (int index = 0;; index++) {
    size_t length = 0;
    while (words[length] != '\0' && words[length] != '|') length++;
    if (length == n && memcmp(words, item, n) == 0) return index;
    if (words[length] == '\0') return -1;
    words += length + 1;
  }
}

/* Each store_* returns NULL when the value was taken, else what is wrong with it. */

static const char *store_bool(bool *to, const char *value) {
  static const char yes[] = "on|yes|1", no[] = "off|no|0";
  const bool is_yes = value == NULL || find_word(yes, value, strlen(value)) >= 0;
  if (!is_yes && find_word(no, value, strlen(value)) < 0) return "takes on or off";
  *to = is_yes;
  return NULL;
}

static const char *store_u64(const struct row *row, uint64_t *to, const char *value) {
  if (value == NULL) return "needs a value";
  uint64_t number;
  const status_t status = string_to_u64(value, strlen(value), true, &number);
  if (status == ERR_INVALID) return "takes a number";
  if (status != OK || number < row->lowest || number > row->highest) return "is out of range";
  *to = number;
  return NULL;
}

/* The mark of an option's comma list, or NULL. */
static const struct row *find_mark(const char *word, const char *item, size_t n) {
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
    if (rows[i].kind == KIND_MARK && strcmp(rows[i].word, word) == 0 && string_equals(item, n, rows[i].words))
      return &rows[i];
  return NULL;
}

static const char *store_enum(struct options *o, const struct row *row, const char *value) {
  if (value == NULL || *value == '\0') return "needs a value";
  const char *item;
  size_t n, words = 0;
  for (const char *list = value; options_next_item(&list, &item, &n);) {
    const bool is_word = find_word(row->words, item, n) >= 0;
    if (!is_word && find_mark(row->word, item, n) == NULL) return "does not take this value";
    words += is_word;
  }
  if (words > 1) return "takes one of these values, not several";
  for (const char *list = value; options_next_item(&list, &item, &n);) {
    const int index = find_word(row->words, item, n);
    if (index >= 0)
      *(uint32_t *)((char *)o + row->offset) = (uint32_t)index;
    else
      *(bool *)((char *)o + find_mark(row->word, item, n)->offset) = true;
  }
  return NULL;
}

static const char *store_text(char *to, const char *value) {
  if (value == NULL) return "needs a value";
  const size_t n = strlen(value);
  if (n >= OPTION_TEXT_MAX) return "is too long";
  memcpy(to, value, n + 1);
  return NULL;
}

static const char *store_range(struct option_ranges *to, const char *value) {
  if (value == NULL) return "needs a value";
  const char *item;
  size_t n;
  uint64_t start, size = FRAME_SIZE, end;
  if (!options_next_item(&value, &item, &n) || string_to_u64(item, n, true, &start) != OK) return "takes <address>[,<size>]";
  if (options_next_item(&value, &item, &n) && string_to_u64(item, n, true, &size) != OK) return "takes <address>[,<size>]";
  if (*value != '\0') return "takes <address>[,<size>]";
  if (size == 0 || __builtin_add_overflow(start, size - 1, &end)) return "is out of range";
  if (to->count == OPTION_RANGES_MAX) return "was given too often";
  to->range[to->count].start = start;
  to->range[to->count].size = size;
  to->count++;
  return NULL;
}

/* "5" or "5-9". */
static bool read_steps(const char *item, size_t n, uint64_t *first, uint64_t *last) {
  size_t dash = 0;
  while (dash < n && item[dash] != '-') dash++;
  if (string_to_u64(item, dash, true, first) != OK) return false;
  *last = *first;
  return dash == n || string_to_u64(item + dash + 1, n - dash - 1, true, last) == OK;
}

static const char *store_steps(struct option_steps *to, const char *value) {
  if (value == NULL || *value == '\0') return "needs a value";
  const char *item;
  size_t n;
  uint64_t first = 0, last = 0;
  uint32_t count = to->count;
  for (const char *list = value; options_next_item(&list, &item, &n); count++) {
    if (!read_steps(item, n, &first, &last) || last < first || last > UINT32_MAX) return "takes <first>-<last>,..";
    if (count == OPTION_STEPS_MAX) return "has too many steps";
  }
  for (const char *list = value; options_next_item(&list, &item, &n); to->count++) {
    (void)!read_steps(item, n, &first, &last);
    to->range[to->count].first = (uint32_t)first;
    to->range[to->count].last = (uint32_t)last;
  }
  return NULL;
}

static const char *store(struct options *o, const struct row *row, const char *value) {
  void *to = (char *)o + row->offset;
  switch (row->kind) {
  case KIND_BOOL:
    return store_bool(to, value);
  case KIND_U64:
    return store_u64(row, to, value);
  case KIND_ENUM:
    return store_enum(o, row, value);
  case KIND_TEXT:
    return store_text(to, value);
  case KIND_RANGES:
    return store_range(to, value);
  case KIND_STEPS:
    return store_steps(to, value);
  case KIND_MARK:
  case KIND_LOADER:
    return NULL;
  }
  return NULL;
}

static void store_fallbacks(struct options *o) {
  memset(o, 0, sizeof(*o));
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
    const bool has_none = rows[i].kind == KIND_RANGES || rows[i].kind == KIND_STEPS || rows[i].kind == KIND_LOADER;
    if (!has_none) CHECK(store(o, &rows[i], rows[i].fallback) == NULL);
  }
}

/* The row that a word names; marks stand behind their ENUM and are never found. */
static const struct row *find_row(const char *name, size_t n) {
  for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
    if (rows[i].kind != KIND_MARK && string_equals(name, n, rows[i].word)) return &rows[i];
  return NULL;
}

struct reader {
  const char *at, *end;
  char word[WORD_MAX + 1];
  size_t length;        /* Of the word. */
  bool is_cut, is_open; /* Longer than WORD_MAX; a quote is missing. */
};

/* Blanks are everything up to the space, NUL included: nothing unprintable below it can be part of a word. */
static bool is_blank(char c) { return (unsigned char)c <= ' '; }

static bool next_word(struct reader *r) {
  while (r->at != r->end && is_blank(*r->at)) r->at++;
  if (r->at == r->end) return false;
  r->length = 0;
  r->is_cut = r->is_open = false;
  for (; r->at != r->end && (r->is_open || !is_blank(*r->at)); r->at++) {
    if (*r->at == '\0') continue; /* Inside quotes: dropped, so that a word is a C string. */
    if (*r->at == '"')
      r->is_open = !r->is_open;
    else if (r->length < WORD_MAX)
      r->word[r->length++] = *r->at;
    else
      r->is_cut = true;
  }
  r->word[r->length] = '\0';
  return true;
}

/* Stores one word; NULL or what is wrong with it. */
static const char *take_word(struct options *o, struct reader *r) {
  if (r->is_open) return "has a quote without its end";
  if (r->is_cut) return "is too long";
  size_t n = 0;
  while (r->word[n] != '\0' && r->word[n] != '=') n++;
  const struct row *row = find_row(r->word, n);
  if (row == NULL) return "is no option of Cairn (see `help options`)";
  return store(o, row, r->word[n] == '=' ? r->word + n + 1 : NULL);
}

void options_parse(struct options *o, const char *line, size_t n, options_warn_t warn, void *context) {
  store_fallbacks(o);
  struct reader r = {.at = line, .end = line + n};
  while (next_word(&r)) {
    const char *problem = take_word(o, &r);
    if (problem != NULL && warn != NULL) warn(context, r.word, r.length, problem);
  }
}

bool options_help(size_t index, struct option_help *out) {
  if (index >= ARRAY_COUNT(rows)) return false;
  const struct row *row = &rows[index];
  const char *join = row->kind == KIND_MARK ? "=...," : row->words[0] == '\0' ? "" : "=";
  /* A flag that is off is switched on by its bare word. */
  const bool is_bare = row->kind == KIND_BOOL && strcmp(row->fallback, "off") == 0;
  format_string(out->form, sizeof(out->form), "%s%s%s", row->word, is_bare ? "" : join, is_bare ? "" : row->words);
  out->fallback = row->fallback;
  out->help = row->help;
  return true;
}

static void show_ranges(const struct option_ranges *ranges, char *to, size_t size) {
  size_t fill = 0;
  to[0] = '\0';
  for (uint32_t i = 0; i < ranges->count && fill < size; i++)
    fill += format_string(to + fill, size - fill, "%s0x%llx,0x%llx", i == 0 ? "" : " ",
                          (unsigned long long)ranges->range[i].start, (unsigned long long)ranges->range[i].size);
}

static void show_steps(const struct option_steps *steps, char *to, size_t size) {
  size_t fill = 0;
  to[0] = '\0';
  for (uint32_t i = 0; i < steps->count && fill < size; i++)
    fill += format_string(to + fill, size - fill, "%s%u-%u", i == 0 ? "" : ",", steps->range[i].first, steps->range[i].last);
}

static void show_word(const char *words, uint32_t index, char *to, size_t size) {
  for (; index != 0 && *words != '\0'; words++) index -= *words == '|';
  size_t length = 0;
  while (words[length] != '\0' && words[length] != '|') length++;
  format_string(to, size, "%.*s", (int)length, words);
}

bool options_value(const struct options *o, size_t index, char *to, size_t size) {
  if (index >= ARRAY_COUNT(rows)) return false;
  const struct row *row = &rows[index];
  const void *from = (const char *)o + row->offset;
  switch (row->kind) {
  case KIND_BOOL:
  case KIND_MARK:
    format_string(to, size, "%s", *(const bool *)from ? "on" : "off");
    break;
  case KIND_U64:
    format_string(to, size, "%llu", *(const unsigned long long *)from);
    break;
  case KIND_ENUM:
    show_word(row->words, *(const uint32_t *)from, to, size);
    break;
  case KIND_TEXT:
    format_string(to, size, "%s", (const char *)from);
    break;
  case KIND_RANGES:
    show_ranges(from, to, size);
    break;
  case KIND_STEPS:
    show_steps(from, to, size);
    break;
  case KIND_LOADER:
    format_string(to, size, "(the loader's)");
    break;
  }
  return true;
}
