/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/map_runs.h — of a map's memory, exactly those 2 MiB frames, 1 GiB frames and runs are handed out that there
 * are (map_oracle.h).
 */
#pragma once

#include "hosted.h"
#include "map_oracle.h"

struct map_runs {
  bool is_sound; /* Else `wrong` says what was not. */
  char wrong[200];
  uint64_t frames;         /* Handed out at the same time, in pieces of 1 GiB, 2 MiB and 4 KiB: all of them. */
  uint64_t gigs, blocks;   /* 1 GiB frames; 2 MiB frames when nothing else is taken. */
  uint64_t runs, refusals; /* Runs that were to be found at their place, and those that are not there. */
};

/** Of each sort of run at most `most` are taken.  => h is fresh, over that map. */
struct map_runs map_runs_judge(const struct hosted *h, const struct map *m, uint64_t most);
