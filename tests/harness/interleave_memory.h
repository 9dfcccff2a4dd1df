/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/interleave_memory.h — between the two halves of the enumerator: who is about to do what to which bytes. */
#pragma once

#include <stdint.h>

#include "interleave.h"

/* A thread and the buffer its stores leave through are two agents: t and INTERLEAVE_THREADS_MAX + t. */
#define AGENTS        (2 * INTERLEAVE_THREADS_MAX)
#define BUFFER_STORES 8

/* Columns: id, name in a printed schedule, does it read, does it write, does it wait for the thread's own buffer. */
#define STEP_KINDS(X)                                                                                                       \
  X(WAIT, "has waited for", 1, 0, 0)                                                                                        \
  X(LOAD, "loads", 1, 0, 0)                                                                                                 \
  X(STORE, "stores", 0, 1, 0)                                                                                               \
  X(BUFFER, "stores, not seen yet", 0, 0, 0)                                                                                \
  X(UPDATE, "updates", 1, 1, 1)                                                                                             \
  X(FENCE, "fences", 0, 0, 1)                                                                                               \
  X(READ, "reads", 1, 0, 0)                                                                                                 \
  X(WRITE, "writes", 0, 1, 0)                                                                                               \
  X(LOCK, "locks", 1, 1, 1)                                                                                                 \
  X(BARRIER, "makes pass a barrier", 0, 0, 1)                                                                               \
  X(FLUSH, "is seen storing", 0, 1, 0)

enum step_kind {
#define STEP_KIND_ENUM(id, name, reads, writes, fences) STEP_##id,
  STEP_KINDS(STEP_KIND_ENUM)
#undef STEP_KIND_ENUM
      STEP_KIND_COUNT
};

struct step {
  uint8_t kind, size;
  uint8_t target; /* Of a barrier: the other thread. */
  uint64_t address;
  uint64_t code; /* Where in the program. */
};

/** Forgets buffers and what the threads have read; => before each schedule. */
void memory_begin(bool has_store_buffers, bool has_plain_steps);
/** Can a thread take this step now, or must it wait for its buffer, a lock or another thread's write? */
bool memory_allows(unsigned thread, const struct step *s);
/** The next store that leaves a thread's buffer; false when it is empty. */
bool memory_next_flush(unsigned thread, struct step *out);
void memory_flush(unsigned thread);
/** The number of the step that is taken now, and of the one that put the thread's next store into its buffer. */
void memory_set_origin(int number);
int memory_flush_origin(unsigned thread);
/** Does it wait until the thread's own buffer is empty? */
bool memory_step_fences(const struct step *s);
/** Does the order of two steps of different agents matter? */
bool memory_steps_depend(unsigned a_agent, const struct step *a, unsigned b_agent, const struct step *b);
/** Is an agent's step what the other one, of another agent, has to wait for? */
bool memory_step_enables(unsigned agent, const struct step *s, const struct step *other);
/** One step in words. */
void memory_print_step(unsigned agent, const struct step *s);

/** The scheduler's half: the running thread is about to take a step; returns when it may. */
void interleave_yield(const struct step *s);
