/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of a trace: any of them, behind a right head and before a right sum, asked of the tiers and of both engines.
 *
 * What is no record is refused, what speaks of frames that the memory does not have is not played, and all else leaves
 * allocators that mm_check is content with (replay_run ends the program otherwise).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "replay.h"

#define ROOM 65536

static uint64_t sum_of(const char *text, size_t n) {
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < n; i++) sum = (sum ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct engine *const engines[] = {NULL, &engine_buddy, &engine_flat};
  static char ops[ROOM], text[2 * ROOM];
  size_t records = 0, n = 0;
  char problem[80];
  if (size > ROOM / 2) return 0;
  for (size_t i = 0; i < size; i++) { /* Words with one blank before each. */
    const bool is_blank = data[i] <= ' ' || data[i] >= 0x7f;
    if (is_blank) continue;
    if (i == 0 || data[i - 1] <= ' ' || data[i - 1] >= 0x7f) {
      ops[n++] = ' ';
      records++;
    }
    ops[n++] = (char)data[i];
  }
  size_t fill = (size_t)snprintf(text, sizeof text,
                                 "cairn-trace 1 engine=tier nodes=2 records=%zx lost=0\nregion 0 100 1000 .\n"
                                 "region 0 1000 1080 d\nregion 1 1080 2000 .\nops%.*s\ndigest 0 0\ndigest 1 0\n",
                                 records, (int)n, ops);
  fill += (size_t)snprintf(text + fill, sizeof text - fill, "end %llx\n", (unsigned long long)sum_of(text, fill));
  for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
    struct replay r;
    struct replay_result result;
    if (!replay_read(&r, text, fill, problem, sizeof problem)) return 0;
    (void)replay_run(&r, engines[i], &result);
    replay_free(&r);
  }
  return 0;
}
