/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fuzz/options_fuzz.c — any bytes as a command line: no fault, and the promise at the top of kernel/options.c. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void count_warning(void *context, const char *word, size_t n, const char *problem) {
  if (strlen(word) > n || problem[0] == '\0') abort();
  ++*(unsigned *)context;
}

#define EXPECT(e)                                                                                                           \
  do {                                                                                                                      \
    if (!(e)) abort();                                                                                                      \
  } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  /* A copy of the exact size, so that the sanitizer sees one byte too far. */
  char *line = malloc(n == 0 ? 1 : n);
  if (line == NULL) return 0;
  memcpy(line, data, n);
  struct options o;
  unsigned warnings = 0;
  options_parse(&o, line, n, count_warning, &warnings);
  free(line);
  EXPECT(warnings <= n);
  EXPECT(o.log <= OPTION_LOG_VERBOSE && o.panic <= OPTION_PANIC_EXIT && o.serial <= OPTION_SERIAL_OFF);
  EXPECT(o.badmem.count <= OPTION_RANGES_MAX && o.model_keep.count <= OPTION_STEPS_MAX);
  EXPECT(memchr(o.test, 0, sizeof(o.test)) != NULL && memchr(o.nofeat, 0, sizeof(o.nofeat)) != NULL);
  EXPECT(memchr(o.crash, 0, sizeof(o.crash)) != NULL && memchr(o.nofeat, 0, sizeof(o.nofeat)) != NULL);
  return 0;
}
