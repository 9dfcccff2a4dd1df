/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/replay.h — asks the questions of a trace (mm/trace.h) again, of a frame allocator on the host.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"
#include "mm/phys/engine/engine.h"
#include "mm/trace.h"

/* A trace that has been read. */
struct replay {
  struct {
    struct boot_region *regions;
    size_t count;
    uint64_t digest;
  } nodes[TRACE_NODES_MAX];
  uint32_t node_count;
  struct trace_record *records;
  size_t record_count;
  uint64_t lost;
  char engine[8]; /* What it was recorded with. */
};

/** Reads a trace; false with a sentence about what is wrong with it. */
bool replay_read(struct replay *r, const char *text, size_t n, char *problem, size_t size);
void replay_free(struct replay *r);

struct replay_result {
  uint64_t operations, allocations; /* Asked. */
  uint64_t refused;                 /* Requests for frames that were not met. */
  uint64_t refused_alone;           /* Of those, met in the trace. */
  uint64_t met_alone;               /* Met, refused in the trace; given back at once. */
  uint64_t differing;               /* Operations with another frame or status than in the trace. */
  uint64_t first_differing;         /* The first of these, by its number in the trace. */
  uint64_t frames_at_most;          /* Frames in use by the trace's requests. */
  uint64_t ns;                      /* In the allocator, without what the clock takes. */
  struct pmm_stats stats;           /* Of all nodes at the end. */
  uint64_t digest[TRACE_NODES_MAX];
};

/**
 * Builds the memory of the trace with an engine (NULL: tier) and runs it.
 *
 * Where an engine has answered with other frames than the trace, they stand for the trace's from there on, so that whatever
 * is given back is what the engine has handed out.  False when the memory cannot be built.
 */
bool replay_run(const struct replay *r, const struct engine *engine, struct replay_result *out);
/** Was every answer that of the trace, and is the memory the same at the end? */
bool replay_is_exact(const struct replay *r, const struct replay_result *result);
