/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/tools/model.c — what `make model` runs: machines of the allocator's model test, told as the booted kernel tells
 * them.
 *
 *   model SEED [-n MACHINES] [-k STEPS] [-b INVARIANT]
 *
 * STEPS are those that are kept, as a failing run prints them: 5,9-12.  Exit status: 0; 1 when a machine has failed; 2 for
 * words that make no sense.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "mm/check.h"
#include "model_host.h"

static void say(const char *line) { printf("%s\n", line); }

static bool read_number(const char *text, const char *ends, uint64_t *out, const char **end) {
  char *stop;
  errno = 0;
  *out = strtoull(text, &stop, 0);
  *end = stop;
  return stop != text && errno == 0 && (*stop == '\0' || strchr(ends, *stop) != NULL);
}

/* "5,9-12". */
static bool read_steps(const char *text, struct model_range *to, size_t *count) {
  uint64_t first, last;
  for (*count = 0; *text != '\0' && *count < MODEL_RANGES_MAX; ++*count) {
    if (!read_number(text, "-,", &first, &text)) return false;
    last = first;
    if (*text == '-' && !read_number(text + 1, ",", &last, &text)) return false;
    if (last < first || last >= MODEL_OPS_MAX) return false;
    to[*count] = (struct model_range){(uint32_t)first, (uint32_t)last};
    text += *text == ',';
  }
  return *count > 0 && *text == '\0';
}

static bool read_words(int count, char **words, struct model_wish *wish, struct model_range *kept) {
  const char *end;
  if (count % 2 != 0 || !read_number(words[1], "", &wish->seed, &end)) return false;
  for (int i = 2; i + 1 < count; i += 2) {
    if (strcmp(words[i], "-b") == 0) {
      wish->planted = words[i + 1];
    } else if (strcmp(words[i], "-n") == 0) {
      if (!read_number(words[i + 1], "", &wish->machines, &end)) return false;
    } else if (strcmp(words[i], "-k") != 0 || !read_steps(words[i + 1], kept, &wish->kept_count)) {
      return false;
    }
  }
  return true;
}

static bool is_invariant(const char *word) {
#define NAME(number, name, text) #name,
  static const char *const names[] = {MM_INVARIANTS(NAME)};
#undef NAME
  size_t i = 0;
  while (i < ARRAY_COUNT(names) && strcmp(names[i], word) != 0) i++;
  return i < ARRAY_COUNT(names);
}

int main(int argc, char **argv) {
  static struct model_host host;
  static char line[MODEL_LINE_MAX];
  static struct model_range kept[MODEL_RANGES_MAX];
  struct model_wish wish = {.machines = 1, .kept = kept};
  if (argc < 2 || !read_words(argc, argv, &wish, kept)) {
    fprintf(stderr, "usage: model SEED [-n MACHINES] [-k STEPS] [-b INVARIANT]\n");
    return 2;
  }
  if (wish.planted && !is_invariant(wish.planted)) {
    fprintf(stderr, "model: there is no invariant %s\n", wish.planted);
    return 2;
  }
  model_host_init(&host);
  host.planted = wish.planted;
  uint64_t failed = model_tell(&host.m, &wish, line, say);
  model_host_fini(&host);
  return failed == 0 ? 0 : 1;
}
