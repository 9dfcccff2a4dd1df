/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/trace_instance.h — what a struct trace is made of.  Private to mm/phys. */
#pragma once

#include "mm/trace.h"

struct trace {
  uint64_t next; /* Records begun, lost ones too; atomic. */
  uint64_t capacity;
  struct trace_record *records;
  uint32_t node_count;
  bool is_running;
  struct pmm *nodes[TRACE_NODES_MAX];
  uint64_t digest[TRACE_NODES_MAX]; /* Of each node when the trace was stopped. */
};

/*
 * What pmm.c calls behind an operation when p->trace is set (it may be gone by then).  Requests that made no sense are not
 * told of: they change nothing anywhere.
 */
void trace_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, status_t status, uint64_t frame);
void trace_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where,
               status_t status, uint64_t first);
void trace_free(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count, status_t status);
void trace_give(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t first, uint64_t count, status_t status);
void trace_retire(struct pmm *p, enum frame_owner owner, uint64_t frame, status_t status);
void trace_exchange(struct pmm *p, uint64_t a, uint64_t b);
/* Before the slots are called in by somebody who only looks; p->lock is held. */
void trace_drain(struct pmm *p);
