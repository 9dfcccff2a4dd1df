/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/config.c — boot.cfg and the load options, whatever they hold, become a struct boot_config.
 *
 * HOW    bytes ──► reader (byte order mark, UTF-16 to UTF-8, line ends) ──► one line of at most CONFIG_LINE_MAX bytes
 *          ──► comments end here ──► is it text? ──► key, value
 *          ──► the key's setter, which changes everything or, when it says false, nothing.
 *        A setter's complaint, an unknown key, a second line for a key: one warning each with file and line.
 * LOAD OPTIONS
 *        Firmware passes UTF-16, 8-bit text (efibootmgr without -u), a whole EFI_LOAD_OPTION, or binary data meant for
 *        another loader.  A blob is recognised by its structure alone: known attribute bits, a terminated description,
 *        device path nodes that fill FilePathListLength exactly and end in an end node.  No text passes for that: the
 *        attributes' upper half would have to be 0, which in UTF-16 is an end of string.
 * INVARIANTS  Nothing here fails; every write is bounded by the struct's arrays; stack below 6 KiB.
 * SOURCE UEFI 2.10, 3.1.3 (EFI_LOAD_OPTION), 10.3.1 (device path nodes), 9.1 (LoadOptions).
 */
#include "loader/config.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lib/utf.h"

#define SOURCE_OPTIONS "load options"
#define SOURCE_WORDS   "command line"
#define QUOTED_MAX     48

/* Warnings of one source. */
struct reporter {
  config_warn_t warn;
  void *context;
  const char *source;
  unsigned line; /* 0 when the source has no lines. */
  unsigned count;
};

struct text {
  const char *at;
  size_t n;
};

PRINTF_LIKE(2, 3) static void report(struct reporter *r, const char *format, ...) {
  char sentence[256];
  va_list args;
  if (r->count++ >= CONFIG_WARNINGS_MAX) return;
  size_t n = format_string(sentence, sizeof(sentence), r->line == 0 ? "%s: " : "%s:%u: ", r->source, r->line);
  va_start(args, format);
  format_string_v(sentence + n, sizeof(sentence) - n, format, args);
  va_end(args);
  r->warn(r->context, sentence);
}

static void report_rest(struct reporter *r) {
  if (r->count <= CONFIG_WARNINGS_MAX) return;
  unsigned more = r->count - CONFIG_WARNINGS_MAX;
  r->count = 0;
  r->line = 0;
  report(r, "%u more warnings", more);
}

/* How many bytes of a text to quote: not too many, and no character cut in two. */
static int quoted(struct text t) {
  size_t n = t.n;
  if (n <= QUOTED_MAX) return (int)n;
  for (n = QUOTED_MAX; n > 0 && ((uint8_t)t.at[n] & 0xc0) == 0x80; n--) {}
  return (int)n;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

static struct text trim(struct text t) {
  for (; t.n > 0 && is_blank(t.at[0]); t.n--) t.at++;
  while (t.n > 0 && is_blank(t.at[t.n - 1])) t.n--;
  return t;
}

static bool is_word(struct text t, const char *word) { return string_equals(t.at, t.n, word); }

/* --- setters: true when the value was good and has been taken ------------------------------------------------------ */

/* Index of a word in a list, or count. */
static uint32_t word_index(struct text value, const char *const *words, uint32_t count) {
  uint32_t i = 0;
  while (i < count && !is_word(value, words[i])) i++;
  return i;
}

/* One character of a path, with runs of separators made one; false when there is no room. */
static bool path_add(uint16_t *path, size_t *units, uint32_t c) {
  if (c == '/') c = '\\';
  if (c == '\\' && *units > 0 && path[*units - 1] == '\\') return true;
  if (*units + 2 >= CONFIG_PATH_MAX) return false;
  *units += utf_write16(c, path + *units);
  return true;
}

static bool set_kernel(struct boot_config *c, struct text value) {
  uint16_t path[CONFIG_PATH_MAX];
  size_t units = 0;
  bool fits = path_add(path, &units, '\\');
  for (size_t at = 0; fits && at < value.n;) fits = path_add(path, &units, utf_read8(value.at, value.n, &at));
  if (!fits || path[units - 1] == '\\') return false;
  path[units] = 0;
  memcpy(c->kernel, path, (units + 1) * sizeof(path[0]));
  size_t bytes = 0;
  for (size_t at = 0; at < 2 * units;) {
    char utf8[4];
    size_t n = utf_write8(utf_read16((const uint8_t *)path, 2 * units, &at), utf8);
    for (size_t i = 0; i < n; i++) c->kernel_name[bytes++] = utf8[i];
  }
  c->kernel_name[bytes] = '\0';
  return true;
}

static bool set_command_line(struct boot_config *c, struct text value) {
  static_assert(CONFIG_LINE_MAX <= CONFIG_COMMAND_LINE_MAX); /* So what stands in a line always fits. */
  memcpy(c->command_line, value.at, value.n);
  c->command_size = (uint32_t)value.n;
  return true;
}

static bool read_extent(struct text digits, uint32_t *extent) {
  uint64_t number = 0;
  if (string_to_u64(digits.at, digits.n, false, &number) != OK || number == 0 || number > UINT16_MAX) return false;
  *extent = (uint32_t)number;
  return true;
}

static bool set_video(struct boot_config *c, struct text value) {
  static const char *const words[] = {"panel", "largest", "keep"};
  uint32_t width = 0;
  uint32_t height = 0;
  uint32_t index = word_index(value, words, ARRAY_COUNT(words));
  if (index < ARRAY_COUNT(words)) {
    c->video = index;
    return true;
  }
  size_t x = 0;
  while (x < value.n && value.at[x] != 'x') x++;
  if (x == value.n || !read_extent((struct text){value.at, x}, &width)) return false;
  if (!read_extent((struct text){value.at + x + 1, value.n - x - 1}, &height)) return false;
  c->video = CONFIG_VIDEO_SIZE;
  c->video_width = width;
  c->video_height = height;
  return true;
}

static bool set_log(struct boot_config *c, struct text value) {
  static const char *const words[] = {"error", "warn", "notice", "info", "verbose"};
  uint32_t index = word_index(value, words, ARRAY_COUNT(words));
  if (index == ARRAY_COUNT(words)) return false;
  c->log_level = index;
  return true;
}

static bool set_seed(struct boot_config *c, struct text value) {
  uint64_t seed = 0;
  if (string_to_u64(value.at, value.n, false, &seed) != OK) return false;
  c->kaslr = CONFIG_KASLR_SEED;
  c->kaslr_seed = seed;
  return true;
}

static bool set_kaslr(struct boot_config *c, struct text value) {
  static const char *const words[] = {"on", "off"};
  uint32_t index = word_index(value, words, ARRAY_COUNT(words));
  if (index == ARRAY_COUNT(words)) return set_seed(c, value);
  c->kaslr = index;
  return true;
}

static bool set_paging(struct boot_config *c, struct text value) {
  static const char *const words[] = {"auto", "4", "5"};
  static const uint8_t levels[] = {4, 4, 5};
  uint32_t index = word_index(value, words, ARRAY_COUNT(words));
  if (index == ARRAY_COUNT(words)) return false;
  c->levels = levels[index];
  return true;
}

static bool set_read_chunk(struct boot_config *c, struct text value) {
  uint64_t bytes = 0;
  if (string_to_u64(value.at, value.n, true, &bytes) != OK) return false;
  if (bytes < CONFIG_READ_CHUNK_MIN || bytes > CONFIG_READ_CHUNK_MAX || !bits_is_aligned(bytes, 4 * KIB)) return false;
  c->read_chunk = (uint32_t)bytes;
  return true;
}

static const struct key {
  const char *name;
  bool (*set)(struct boot_config *c, struct text value);
  const char *expected;
} keys[] = {
    {"kernel", set_kernel, "the path of a file, at most 254 characters"},
    {"cmdline", set_command_line, "a text"},
    {"video", set_video, "panel, largest, keep or WIDTHxHEIGHT"},
    {"log", set_log, "error, warn, notice, info or verbose"},
    {"kaslr", set_kaslr, "on, off or a number"},
    {"paging", set_paging, "auto, 4 or 5"},
    {"read_chunk", set_read_chunk, "4K to 1M, a multiple of 4K"},
};
static_assert(ARRAY_COUNT(keys) == ARRAY_COUNT(((struct boot_config *)0)->line_of));

void config_init(struct boot_config *c) {
  static const char kernel[] = "\\cairn\\kernel.elf";
  memset(c, 0, offsetof(struct boot_config, command_line));
  (void)set_kernel(c, (struct text){kernel, sizeof(kernel) - 1});
  c->video = CONFIG_VIDEO_PANEL;
  c->log_level = 2;
  c->kaslr = CONFIG_KASLR_ON;
  c->levels = 4;
  c->read_chunk = CONFIG_READ_CHUNK_MAX;
}

/* --- boot.cfg ------------------------------------------------------------------------------------------------------ */

struct reader {
  const uint8_t *bytes;
  size_t n;
  size_t at;
  bool is_utf16;
};

struct line {
  const char *at; /* In the file itself, or in `decoded`. */
  size_t size;    /* Bytes the line has; of a decoded one only the first CONFIG_LINE_MAX are kept. */
  char decoded[CONFIG_LINE_MAX];
};

static struct reader reader_of(const void *bytes, size_t n) {
  struct reader r = {bytes, n, 0, false};
  if (n >= 3 && r.bytes[0] == 0xef && r.bytes[1] == 0xbb && r.bytes[2] == 0xbf) r.at = 3;
  if (n >= 2 && r.bytes[0] == 0xff && r.bytes[1] == 0xfe) r.at = 2, r.is_utf16 = true;
  return r;
}

static bool reader_has_more(const struct reader *r) { return r->n - r->at >= (r->is_utf16 ? 2U : 1U); }

/* A line end is LF, CR or both. */
static bool is_line_end(uint32_t c) { return c == '\n' || c == '\r'; }

/* Is one of the eight bytes c?  Only a zero byte borrows from its own top bit, and x has a zero byte where w has c. */
static bool has_byte(uint64_t w, uint8_t c) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t x = w ^ (ones * c);
  return ((x - ones) & ~x & (ones << 7)) != 0;
}

/* The first line end, or `end`; most of a file is comments, so eight bytes are looked at together. */
static const uint8_t *find_line_end(const uint8_t *at, const uint8_t *end) {
  while (end - at >= 8) {
    uint64_t w = bytes_load_u64(at);
    if (has_byte(w, '\n') || has_byte(w, '\r')) break;
    at += 8;
  }
  while (at < end && !is_line_end(*at)) at++;
  return at;
}

/* UTF-8 is used where it stands; text_problem finds what is none. */
static void reader_line8(struct reader *r, struct line *line) {
  const uint8_t *at = r->bytes + r->at;
  const uint8_t *end = r->bytes + r->n;
  line->at = (const char *)at;
  at = find_line_end(at, end);
  line->size = (size_t)(at - (const uint8_t *)line->at);
  if (end - at >= 2 && at[0] == '\r' && at[1] == '\n') at++;
  if (at < end) at++;
  r->at = (size_t)(at - r->bytes);
}

/* A lone surrogate becomes 0xff, which is no UTF-8. */
static void reader_line16(struct reader *r, struct line *line) {
  line->at = line->decoded;
  line->size = 0;
  while (reader_has_more(r)) {
    char utf8[4] = {(char)0xff};
    size_t n = 1;
    uint32_t c = utf_read16(r->bytes, r->n, &r->at);
    if (is_line_end(c)) {
      size_t next = r->at;
      if (c == '\r' && reader_has_more(r) && utf_read16(r->bytes, r->n, &next) == '\n') r->at = next;
      return;
    }
    if (c != UTF_INVALID) n = utf_write8(c, utf8);
    for (size_t i = 0; i < n; i++, line->size++) {
      if (line->size < CONFIG_LINE_MAX) line->decoded[line->size] = utf8[i];
    }
  }
}

static bool is_plain(char c) { return c >= ' ' && c <= '~'; }

/* What makes a line no text, or NULL. */
static const char *text_problem(struct text t) {
  for (size_t at = 0; at < t.n;) {
    if (is_plain(t.at[at])) {
      at++;
      continue;
    }
    uint32_t c = utf_read8(t.at, t.n, &at);
    if (c == 0) return "a NUL byte";
    if (c == UTF_INVALID) return "bytes that are no UTF-8";
    if ((c < ' ' && c != '\t') || c == 0x7f) return "a control character";
  }
  return nullptr;
}

/* Up to the first `#` that follows a blank. */
static struct text without_comment(struct text t) {
  for (size_t i = 0; i < t.n; i++) {
    if (t.at[i] == '#' && i > 0 && is_blank(t.at[i - 1])) t.n = i;
  }
  return t;
}

static void set_key(struct boot_config *c, struct reporter *r, struct text key, struct text value) {
  size_t i = 0;
  while (i < ARRAY_COUNT(keys) && !is_word(key, keys[i].name)) i++;
  if (i == ARRAY_COUNT(keys)) {
    report(r, "unknown key '%.*s'", quoted(key), key.at);
    return;
  }
  bool may_be_empty = keys[i].set == set_command_line;
  if ((value.n == 0 && !may_be_empty) || !keys[i].set(c, value)) {
    report(r, "bad value '%.*s' for '%s'; expected %s", quoted(value), value.at, keys[i].name, keys[i].expected);
    return;
  }
  if (c->line_of[i] != 0) report(r, "'%s' was set in line %u already; this line counts", keys[i].name, c->line_of[i]);
  c->line_of[i] = r->line;
}

static void read_line(struct boot_config *c, struct reporter *r, const struct line *line) {
  if (line->size > CONFIG_LINE_MAX) {
    report(r, "a line of %zu bytes is longer than %d; ignored", line->size, CONFIG_LINE_MAX);
    return;
  }
  struct text t = trim((struct text){line->at, line->size});
  if (t.n == 0 || t.at[0] == '#') return;
  const char *problem = text_problem(t);
  if (problem != nullptr) {
    report(r, "the line has %s; ignored", problem);
    return;
  }
  t = trim(without_comment(t));
  size_t equals = 0;
  while (equals < t.n && t.at[equals] != '=') equals++;
  if (equals == t.n) {
    report(r, "no '=' in '%.*s'; ignored", quoted(t), t.at);
    return;
  }
  struct text key = trim((struct text){t.at, equals});
  struct text value = trim((struct text){t.at + equals + 1, t.n - equals - 1});
  if (key.n == 0) {
    report(r, "no key before '='; ignored");
    return;
  }
  set_key(c, r, key, value);
}

void config_read_file(struct boot_config *c, const void *bytes, size_t n, config_warn_t warn, void *context) {
  struct reporter r = {.warn = warn, .context = context, .source = CONFIG_FILE_NAME};
  if (n > CONFIG_FILE_MAX) report(&r, "the file is larger than %d KiB; the rest is ignored", (int)(CONFIG_FILE_MAX / KIB));
  struct reader reader = reader_of(bytes, bits_min(n, CONFIG_FILE_MAX));
  struct line line;
  while (reader_has_more(&reader)) {
    r.line++;
    if (reader.is_utf16) reader_line16(&reader, &line);
    if (!reader.is_utf16) reader_line8(&reader, &line);
    read_line(c, &r, &line);
  }
  report_rest(&r);
}

/* --- load options -------------------------------------------------------------------------------------------------- */

struct bytes {
  const uint8_t *at;
  size_t n;
};

static uint32_t u16_at(struct bytes b, size_t at) { return (uint32_t)b.at[at] | (uint32_t)b.at[at + 1] << 8; }

/* Device path nodes that fill b exactly, an end-of-path node (7f ff 04 00) last. */
static bool is_device_path_list(struct bytes b) {
  bool is_end = false;
  while (b.n >= 4) {
    size_t size = u16_at(b, 2);
    if (size < 4 || size > b.n) return false;
    is_end = b.at[0] == 0x7f && b.at[1] == 0xff && size == 4;
    b.at += size;
    b.n -= size;
  }
  return b.n == 0 && is_end;
}

/* Is this a whole EFI_LOAD_OPTION?  *optional is its OptionalData then. */
static bool unpack_load_option(struct bytes b, struct bytes *optional) {
  const uint32_t known = 0x1f0b; /* ACTIVE, FORCE_RECONNECT, HIDDEN, CATEGORY. */
  if (b.n < 6 || u16_at(b, 2) != 0 || (u16_at(b, 0) & ~known) != 0) return false;
  size_t list_size = u16_at(b, 4);
  size_t at = 6;
  while (b.n - at >= 2 && u16_at(b, at) != 0) at += 2;
  if (b.n - at < 2) return false;
  at += 2;
  if (list_size > b.n - at || !is_device_path_list((struct bytes){b.at + at, list_size})) return false;
  *optional = (struct bytes){b.at + at + list_size, b.n - at - list_size};
  return true;
}

/* Room to see that there is more than fits. */
#define OPTIONS_MAX (CONFIG_COMMAND_LINE_MAX + 4)

/* Tools that read options from a file pass its line ends too: they and tabs count as blanks. */
static bool is_control(uint32_t c) { return c == 0x7f || (c < ' ' && c != '\t' && c != '\n' && c != '\r'); }
static char one_blank(char c) {
  if (c == '\t' || c == '\n' || c == '\r') return ' ';
  return c;
}

/* 8-bit text: in UTF-16 the second byte of the first word would be 0. */
static bool read_ascii(struct bytes b, struct text *out, char to[static OPTIONS_MAX]) {
  size_t n = 0;
  if (b.n >= 2 && b.at[1] == 0) return false;
  for (; n < b.n && b.at[n] != 0; n++) {
    if (is_control(b.at[n]) || b.at[n] >= 0x80) return false;
    if (n < OPTIONS_MAX) to[n] = one_blank((char)b.at[n]);
  }
  *out = (struct text){to, bits_min(n, OPTIONS_MAX)};
  return true;
}

/*
 * UTF-16 up to a NUL or the end.  Any 16-bit number but a surrogate is some character, so binary data is told apart by the
 * fact that half of a command line at least is ASCII.
 */
static bool read_utf16(struct bytes b, struct text *out, char to[static OPTIONS_MAX]) {
  size_t n = 0;
  size_t characters = 0;
  size_t ascii = 0;
  for (size_t at = 0; b.n - at >= 2;) {
    char utf8[4];
    uint32_t c = utf_read16(b.at, b.n, &at);
    if (c == 0) break;
    if (c == UTF_INVALID || is_control(c)) return false;
    size_t size = utf_write8(c, utf8);
    characters++;
    ascii += size == 1 ? 1 : 0;
    if (n + size > OPTIONS_MAX) continue;
    for (size_t i = 0; i < size; i++) to[n++] = one_blank(utf8[i]);
  }
  *out = (struct text){to, n};
  return 2 * ascii >= characters;
}

/* The first word and what follows it; a word may be quoted, as the shell does with paths that have blanks. */
static struct text first_word(struct text t, struct text *rest) {
  char end = t.n > 0 && t.at[0] == '"' ? '"' : ' ';
  size_t n = end == '"' ? 1 : 0;
  while (n < t.n && (end == '"' ? t.at[n] != '"' : !is_blank(t.at[n]))) n++;
  struct text word = end == '"' ? (struct text){t.at + 1, n - 1} : (struct text){t.at, n};
  if (end == '"' && n < t.n) n++;
  *rest = trim((struct text){t.at + n, t.n - n});
  return word;
}

static bool ends_in_efi(struct text word) {
  static const char efi[] = ".efi";
  if (word.n < 4) return false;
  for (size_t i = 0; i < 4; i++) {
    char c = word.at[word.n - 4 + i];
    if (c >= 'A' && c <= 'Z') c = (char)(c | 0x20);
    if (c != efi[i]) return false;
  }
  return true;
}

/* Whole words only: half an option would be another option. */
static void append(struct boot_config *c, struct reporter *r, struct text t) {
  size_t at = c->command_size;
  size_t room = CONFIG_COMMAND_LINE_MAX - at;
  if (t.n == 0) return;
  if (at != 0 && room != 0) c->command_line[at++] = ' ', room--;
  size_t n = t.n;
  if (n > room) {
    for (n = room; n > 0 && !is_blank(t.at[n]); n--) {}
    report(r, "the command line is longer than %d bytes; its end is left out", CONFIG_COMMAND_LINE_MAX);
  }
  if (n == 0) return;
  memcpy(c->command_line + at, t.at, n);
  c->command_size = (uint32_t)(at + n);
}

static void append_options(struct boot_config *c, struct reporter *r, struct bytes b) {
  char buffer[OPTIONS_MAX];
  struct text t;
  struct bytes inner;
  if (unpack_load_option(b, &inner)) b = inner;
  if (b.n == 0) return;
  if (!read_ascii(b, &t, buffer) && !read_utf16(b, &t, buffer)) {
    report(r, "%zu bytes are no text (they begin with 0x%02x 0x%02x); ignored", b.n, b.at[0], b.at[b.n > 1]);
    return;
  }
  struct text rest;
  t = trim(t);
  struct text word = first_word(t, &rest);
  append(c, r, ends_in_efi(word) ? rest : t);
}

static bool set_debug(struct boot_config *c, struct text value) {
  (void)c; /* main.c looks for the word. */
  return is_word(value, "wait");
}

/* The words that the loader itself obeys; the kernel sees them too, and complains of all others. */
static const struct {
  const char *name, *bare; /* What it means without a value; NULL: it needs one. */
  bool (*set)(struct boot_config *c, struct text value);
  const char *expected;
} loader_words[] = {
    {"kaslr", "on", set_kaslr, "on, off or a number"},
    {"kaslr_seed", nullptr, set_seed, "a number"},
    {"paging", nullptr, set_paging, "auto, 4 or 5"},
    {"debug", nullptr, set_debug, "wait"},
};

static void obey_word(struct boot_config *c, struct reporter *r, struct text word) {
  struct text name = word, value = {};
  for (name.n = 0; name.n < word.n && word.at[name.n] != '=';) name.n++;
  if (name.n < word.n) value = (struct text){word.at + name.n + 1, word.n - name.n - 1};
  if (is_word(word, "nokaslr")) c->kaslr = CONFIG_KASLR_OFF;
  for (size_t i = 0; i < ARRAY_COUNT(loader_words); i++) {
    if (!is_word(name, loader_words[i].name)) continue;
    const char *bare = loader_words[i].bare;
    if (name.n == word.n && bare) value = (struct text){bare, strlen(bare)};
    if (loader_words[i].set(c, value)) continue;
    report(r, "bad value in '%.*s'; expected %s", quoted(word), word.at, loader_words[i].expected);
  }
}

static void obey_words(struct boot_config *c, struct reporter *r) {
  struct text rest = {c->command_line, c->command_size};
  rest = trim(rest);
  while (rest.n > 0) {
    struct text word = rest;
    for (word.n = 0; word.n < rest.n && !is_blank(rest.at[word.n]);) word.n++;
    rest = trim((struct text){rest.at + word.n, rest.n - word.n});
    obey_word(c, r, word);
  }
}

void config_finish(struct boot_config *c, const void *bytes, size_t n, config_warn_t warn, void *context) {
  struct reporter options = {.warn = warn, .context = context, .source = SOURCE_OPTIONS};
  struct reporter words = {.warn = warn, .context = context, .source = SOURCE_WORDS};
  if (bytes != nullptr && n != 0) append_options(c, &options, (struct bytes){bytes, bits_min(n, CONFIG_FILE_MAX)});
  obey_words(c, &words);
  report_rest(&words);
}
