/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/options_init.c — the kernel's own options.
 *
 * Apart from options.c because that is pure and this writes the log.  Warnings quote the word with everything that is not
 * printable ASCII replaced: the command line may hold any bytes.
 */
#include "kernel/klog.h"
#include "kernel/options.h"
#include "lib/string.h"

RO_AFTER_INIT static struct options kernel_options = {.log = OPTION_LOG_NOTICE, .fb = true, .history = true};
const struct options *const options = &kernel_options;

static void warn(void *context, const char *word, size_t n, const char *problem) {
  (void)context;
  char quoted[48];
  const size_t shown = n < sizeof(quoted) - 1 ? n : sizeof(quoted) - 1;
  for (size_t i = 0; i < shown; i++) {
    quoted[i] = word[i];
    if (word[i] < ' ' || word[i] == 0x7f) quoted[i] = '?'; /* A char is signed: bytes from 0x80 on are below. */
  }
  quoted[shown] = '\0';
  klog(KLOG_WARN, "options", "\"%s\"%s %s", quoted, shown < n ? "..." : "", problem);
}

void options_init(const char *line, size_t n) {
  /* The level first: a line may ask for silence or for addresses, and its own warnings follow it. */
  options_parse(&kernel_options, line, n, NULL, NULL);
  klog_set_level((enum klog_level)kernel_options.log);
  if (kernel_options.log_addresses) klog_allow_addresses();
  options_parse(&kernel_options, line, n, warn, NULL);
}
