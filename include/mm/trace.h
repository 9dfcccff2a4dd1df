/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/trace.h — what was asked of the frame allocators, in order, so that it can be asked again elsewhere.
 *
 * A trace begins with what every frame was at that moment and goes on with each operation and its answer.  As text (see
 * mm/phys/trace_text.c for the format) it leaves the machine; tests/tools/replay.c builds the same memory on the host and
 * asks the same questions of any engine.  With one CPU the tiers give the same answers there, frame for frame; with more the
 * operations of a slot are in order, and those of two slots nearly so.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "lib/format.h"
#include "mm/pmm.h"

/* Columns: id, letter in the text. */
#define TRACE_OPS(X)                                                                                                        \
  X(HAVE, 'h')     /* At the start: `count` frames from `frame` on are `owner`'s. */                                        \
  X(FRAME, 'a')    /* pmm_alloc_frame. */                                                                                   \
  X(RUN, 'r')      /* pmm_alloc_run. */                                                                                     \
  X(FREE, 'f')     /* pmm_free_frame, pmm_free_run. */                                                                      \
  X(GIVE, 'g')     /* pmm_give_run. */                                                                                      \
  X(RETIRE, 'b')   /* pmm_mark_bad (owner FREE), pmm_retire_frame. */                                                       \
  X(EXCHANGE, 'x') /* Frames `frame` and `count` change roles: what a mover has moved. */                                   \
  X(DRAIN, 'd')    /* pmm_drain, and whoever looks at all there is. */

enum trace_op : uint8_t {
#define TRACE_OP_ENUM(id, letter) TRACE_##id,
  TRACE_OPS(TRACE_OP_ENUM)
#undef TRACE_OP_ENUM
      TRACE_OP_COUNT
};

struct trace_record {
  enum trace_op op;
  enum frame_owner owner;
  enum frame_owner to; /* GIVE: whose they are then. */
  uint8_t node;
  uint16_t slot;
  int8_t status;
  uint8_t padding;
  uint32_t flags;
  uint32_t reserved;
  uint64_t count;
  uint64_t frame; /* The first one: given, or with status OK the answer. */
  struct frame_limits where;
};
static_assert(sizeof(struct trace_record) == 64);

struct trace;

#define TRACE_NODES_MAX 32

/** Bytes, 64-byte aligned, that a trace of so many records needs. */
uint64_t trace_size(uint64_t records);
/** Makes an empty one in that many bytes.  => the records are written when they come, and only then. */
struct trace *trace_create(void *memory, uint64_t records);

/**
 * Starts recording what is asked of some allocators (nodes 0 ..), none of them NULL: calls their slots in, notes what every
 * frame is, and goes on from there until the trace is full; what comes then is counted as lost.
 *   => the trace stays in use until trace_stop returns.
 *   => a moment at which nobody else allocates, else the start is blurred.
 * Returns OK; ERR_FULL (not even the start has room); ERR_INVALID (none, or too many); ERR_STATE (one is being traced).
 */
status_t trace_start(struct trace *t, struct pmm *const *nodes, uint32_t count);
/**
 * Ends it: when it returns, nobody writes into the trace any more, and what the memory is now is summed up.  A second call
 * does nothing.
 *   => interrupts on, not from an interrupt's handler: it waits for other CPUs' records.
 */
void trace_stop(struct trace *t);

struct trace_summary {
  uint64_t records, lost, capacity;
  bool is_running;
};
void trace_read_summary(const struct trace *t, struct trace_summary *out);

/** Adds a record; the allocators call this.  => any CPU. */
void trace_add(struct trace *t, const struct trace_record *r);

/** Writes a trace that was stopped as text, line by line. */
void trace_save(const struct trace *t, format_sink_t sink, void *context);

/* --- reading it again ------------------------------------------------------------------------------------------------- */

/* What a record's text leaves out because it was said before. */
struct trace_pen {
  uint8_t node;
  uint16_t slot;
};
#define TRACE_TEXT_MAX 128 /* Bytes of one record as text, with a NUL. */

/** One record as text without blanks; returns its length. */
size_t trace_format(struct trace_pen *pen, const struct trace_record *r, char to[static TRACE_TEXT_MAX]);
/** The other way round.  ERR_CORRUPT: this is no record. */
status_t trace_parse(struct trace_pen *pen, const char *text, size_t n, struct trace_record *out);

/** A number that changes when a frame's state or owner does, anywhere. */
uint64_t trace_digest(const struct pmm *p);
