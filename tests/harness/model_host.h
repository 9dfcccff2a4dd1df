/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/model_host.h — the host plays the machines of tests/kernel/model.h.
 *
 * A panic or a failed assertion is what is wrong with a step, as any other answer, and can be shrunk.
 */
#pragma once

#include "hosted.h"
#include "tests/kernel/model.h"

struct model_host {
  struct model m;
  struct hosted h;
  const char *planted;   /* The invariant that is broken on purpose (mm/check.h); NULL for none. */
  bool checks_each_step; /* mm_check after every step: in QEMU, which does not, what it finds is seen some steps later. */
  uint64_t checks;       /* So many. */
};

void model_host_init(struct model_host *host);
void model_host_fini(struct model_host *host);
