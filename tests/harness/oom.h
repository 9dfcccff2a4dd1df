/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/oom.h — every allocation of an operation fails once.
 *
 * A program that uses this is linked with --wrap for the doors of mm/pmm.h (OOM_TESTS in the Makefile), so every request for
 * frames that any room makes passes here first.
 */
#pragma once

#include <stdint.h>

#include "base/status.h"

/* An operation, and how to see that it has changed nothing. */
struct oom_attempt {
  const char *name;
  status_t (*attempt)(void *context);
  void (*undo)(void *context);       /* After it has succeeded. */
  uint64_t (*digest)(void *context); /* Of everything that must be as before when it fails. */
  void *context;
  status_t refused; /* What it may answer besides ERR_NO_MEMORY; OK for nothing. */
};

struct oom_points {
  uint64_t failed;   /* Allocations that failed, and the operation with them, leaving no trace. */
  uint64_t survived; /* That failed, and the operation found another way. */
};

/**
 * Runs the operation with its first request for frames failing, then with its second, .. until none is left to fail.  Ends
 * the program with a message when a failure has changed something.
 */
struct oom_points for_each_oom_point(const struct oom_attempt *a);
/** The same, but false instead of the end: for operations that have to be caught. */
bool oom_is_clean(const struct oom_attempt *a);
