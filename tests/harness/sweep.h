/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/sweep.h — allocates every frame of a map, looks where each one lies, and gives every one back.
 */
#pragma once

#include "hosted.h"

/* How much work may be spent on one map. */
struct sweep_plan {
  uint64_t singles_max; /* Frames allocated one by one first. */
  uint64_t at_once_max; /* Frames allocated at the same time at most: a larger map is swept in windows, from the top. */
  uint64_t windows_max; /* Windows swept, spread over the map; the others are left out. */
  uint64_t checked_max; /* Frames that mm_check looks at. */
};
extern const struct sweep_plan sweep_quick;    /* For tests under sanitizers: every frame up to 192 GiB. */
extern const struct sweep_plan sweep_complete; /* For people with a map: every frame up to 512 GiB. */

struct sweep_result {
  bool is_sound; /* Everything was as it must be; else `wrong` says what was not. */
  char wrong[160];
  uint64_t general;      /* Frames that may be handed out. */
  uint64_t singles;      /* Frames that were allocated and returned one by one. */
  uint64_t swept;        /* Frames that were allocated and returned in runs. */
  uint64_t largest_free; /* Frames, before the first allocation. */
};

/** => h is fresh, or at least everything that was allocated has been returned. */
struct sweep_result sweep_map(const struct hosted *h, const struct sweep_plan *plan);
