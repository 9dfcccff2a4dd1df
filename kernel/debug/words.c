/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/words.c — what was typed, taken apart.
 *
 * Every word is read as a whole or refused, and the refusal says what is wrong with that word: a number that is too large
 * for 64 bits is another mistake than a word that is no number.
 */
#include "kernel/debug/words.h"

#include "base/compiler.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/nodes.h"

size_t words_split(char *text, const char **words, size_t max) {
  size_t count = 0;
  for (char *at = text; *at != '\0';) {
    while (*at == ' ') *at++ = '\0';
    if (*at == '\0') break;
    if (count == max) return max + 1;
    words[count++] = at;
    while (*at != '\0' && *at != ' ') at++;
  }
  return count;
}

/* --- requests --------------------------------------------------------------------------------------------------------- */

struct complaint {
  char *text;
  size_t size;
};

static bool refuse(const struct complaint *c, const char *format, ...) PRINTF_LIKE(2, 3);
static bool refuse(const struct complaint *c, const char *format, ...) {
  va_list args;
  va_start(args, format);
  format_string_v(c->text, c->size, format, args);
  va_end(args);
  return false;
}

/* The first word: "12" frames, "3M" bytes. */
static bool read_count(const struct complaint *c, const char *command, const char *text, uint64_t *count) {
  const size_t n = strlen(text);
  uint64_t number;
  const bool is_bare = string_to_u64(text, n, false, &number) == OK;
  const status_t s = is_bare ? OK : string_to_u64(text, n, true, &number);
  if (s == ERR_RANGE) return refuse(c, "%s is beyond 2^64: no memory is that large.", text);
  if (s != OK)
    return refuse(c, "%s is no count of frames and no size.  Try: %s 512, %s 2M align=2M below=4G", text, command, command);
  if (number == 0) return refuse(c, "%s is no frame at all.  Try: %s 512, %s 2M", text, command, command);
  *count = is_bare ? number : (number - 1) / FRAME_SIZE + 1;
  return true;
}

enum { LIMIT_ALIGN, LIMIT_BELOW, LIMIT_BOUNDARY, LIMIT_NODE, LIMIT_MOVES, LIMIT_COUNT };
static const char *const limits[LIMIT_COUNT] = {"align=", "below=", "boundary=", "node=", "moves="};

/* Which limit a word is, and where its value begins; LIMIT_COUNT for none. */
static unsigned limit_of(const char *word, const char **value) {
  unsigned i = 0;
  while (i < LIMIT_COUNT && strncmp(word, limits[i], strlen(limits[i])) != 0) i++;
  if (i < LIMIT_COUNT) *value = word + strlen(limits[i]);
  return i;
}

/* Bytes that are whole frames, as frames. */
static bool read_frames(const char *text, uint64_t *frames) {
  uint64_t bytes;
  if (string_to_u64(text, strlen(text), true, &bytes) != OK || bytes == 0 || bytes % FRAME_SIZE != 0) return false;
  *frames = bytes / FRAME_SIZE;
  return true;
}

static bool read_limit(const struct complaint *c, const char *word, unsigned *seen, uint64_t values[static LIMIT_COUNT]) {
  const char *value = NULL;
  const unsigned which = limit_of(word, &value);
  if (which == LIMIT_COUNT) return refuse(c, "%s is no limit; there are align=, below=, boundary=, node= and moves=.", word);
  if (*seen & 1U << which) return refuse(c, "%s: that limit is there already.", word);
  *seen |= 1U << which;
  if (which < LIMIT_NODE)
    return read_frames(value, &values[which]) || refuse(c, "%s is not whole frames, such as 64K or 4G.", word);
  return string_to_u64(value, strlen(value), false, &values[which]) == OK || refuse(c, "%s is no number.", word);
}

bool words_read_request(size_t count, const char *const *words, struct shell_request *out, char *why, size_t size) {
  const struct complaint c = {why, size};
  uint64_t values[LIMIT_COUNT] = {0};
  unsigned seen = 0;
  *out = (struct shell_request){};
  if (count < 2)
    return refuse(&c, "%s takes a count of frames or a size.  Try: %s 512, %s 2M align=2M below=4G", words[0], words[0],
                  words[0]);
  if (!read_count(&c, words[0], words[1], &out->count)) return false;
  for (size_t i = 2; i < count; i++)
    if (!read_limit(&c, words[i], &seen, values)) return false;
  out->limits =
      (struct frame_limits){.align = values[LIMIT_ALIGN], .max = values[LIMIT_BELOW], .boundary = values[LIMIT_BOUNDARY]};
  out->moves = values[LIMIT_MOVES];
  out->node = values[LIMIT_NODE];
  if (seen & 1U << LIMIT_NODE) out->flags = NODE(out->node) | NODE_EXACT;
  return true;
}

/* --- names ------------------------------------------------------------------------------------------------------------ */

static int small(char c) { return c >= 'A' && c <= 'Z' ? c | 0x20 : c; }

static bool begins_alike(const char *name, const char *word) {
  while (*word != '\0' && *name == small(*word)) {
    name++;
    word++;
  }
  return *word == '\0';
}

const char *words_find_like(const char *word, const char *const *names, size_t count) {
  const char *found = NULL;
  for (size_t i = 0; i < count; i++) {
    if (!begins_alike(names[i], word)) continue;
    if (found) return NULL;
    found = names[i];
  }
  return found;
}
