/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/model.h — a naive frame allocator that knows beforehand what the real one must answer.
 *
 * One byte a frame, and every answer found by looking at all of them.  A machine is made up from a seed, and so is every
 * operation; a list of operations that failed is shrunk.  Needs nothing of the host, so the same seed runs on the host and
 * in the kernel (option `model=`).
 */
#pragma once

#include "base/compiler.h"
#include "mm/pmm.h"
#include "tests/harness/seed.h"

#define MODEL_CHUNKS_MAX 6
#define MODEL_OPS_MAX    8000      /* Of one machine. */
#define MODEL_FRAME_END  (3 << 19) /* Frame numbers stay below: 6 GiB of them. */
#define MODEL_FRAMES_MAX (3 << 18) /* RAM of one machine. */
#define MODEL_SLOTS      3         /* Operations come from so many slots, if the host can play them. */
#define MODEL_NONE       UINT64_MAX
#define MODEL_ON_TRIAL   UINT32_C(0x80000000) /* In flags, while a list is shrunk. */

/* Columns: id, name in a printed list. */
#define MODEL_OPS(X)                                                                                                        \
  X(FRAME, "alloc")                                                                                                         \
  X(RUN, "alloc_run")                                                                                                       \
  X(FREE, "free")                                                                                                           \
  X(GIVE, "give")                                                                                                           \
  X(BAD, "mark_bad")                                                                                                        \
  X(INVALID, "invalid")

enum model_kind : uint8_t {
#define MODEL_KIND_ENUM(id, name) MODEL_##id,
  MODEL_OPS(MODEL_KIND_ENUM)
#undef MODEL_KIND_ENUM
      MODEL_KIND_COUNT
};

/* One operation.  What is given back is named by the operation that took it, so that a shrunk list still makes sense. */
struct model_op {
  enum model_kind kind;
  enum frame_owner owner, to;
  uint8_t slot;
  bool is_left_out; /* While a list is shrunk. */
  uint32_t flags;
  uint32_t origin;       /* Number of the operation whose frames are meant; UINT32_MAX: `first` is a frame number. */
  uint64_t first, count; /* Frames: behind the origin's first, or by number. */
  struct frame_limits where;
  uint64_t result; /* The first frame that it was given; MODEL_NONE for none. */
};

/* Consecutive frames of RAM. */
struct model_chunk {
  uint64_t first, count;
  uint8_t *owner; /* Of each frame: FREE, .. */
};

/* What came of a machine's operations. */
struct model_tally {
  uint64_t ops, frames, runs, no_run, no_frame, freed, given, refused, checks;
};

struct model {
  /* Who plays the machine around it; set by the caller, NULL where it cannot. */
  struct pmm *(*build)(void *context, const struct boot_region *regions, size_t count, status_t *status);
  void (*play_slot)(void *context, uint32_t slot);
  uint64_t (*digest)(void *context);                       /* A number that changes when the allocator's state does. */
  bool (*is_sound)(void *context, char *why, size_t size); /* mm_check and ledger. */
  void *context;
  uint8_t *memory;      /* MODEL_FRAMES_MAX bytes. */
  struct model_op *ops; /* MODEL_OPS_MAX. */

  struct boot_region regions[2 * MODEL_CHUNKS_MAX];
  size_t region_count;
  struct model_chunk chunks[MODEL_CHUNKS_MAX];
  size_t chunk_count;
  struct pmm *pmm;
  struct dice dice;
  uint64_t seed;
  uint32_t op_count;
  bool is_huge;       /* With whole GiB; looked at less often. */
  bool is_runs_only;  /* No single frames: then it is known which run must come. */
  bool is_checked;    /* After every step the summaries are worked out again. */
  uint64_t allocated; /* Live frames, by operations that took them. */
  struct model_tally tally;
  char wrong[200];
};

/** Makes up the machine of a seed and builds its allocator.  False when it has no memory to hand out, or with `wrong` set.
 */
bool model_begin(struct model *m, uint64_t seed);
/** Makes up and runs `count` more operations; false with `wrong` set when an answer or the state is not the model's. */
bool model_run(struct model *m, uint32_t count);
/** Builds the machine again and runs the operations that are not left out; false as model_run. */
bool model_replay(struct model *m);
/** Leaves out as many operations as it can with the rest still failing; returns how many are left. */
uint32_t model_shrink(struct model *m);
/** Compares every frame, the statistics and the sums. */
bool model_compare(struct model *m);
/** One operation in words. */
void model_op_text(const struct model *m, uint32_t number, char *to, size_t size);

/* Between model.c (what is true) and model_ops.c (what is done). */
struct model_chunk *model_chunk_of(struct model *m, uint64_t frame);
uint64_t model_free_frames(const struct model *m);
bool model_highest_run(struct model *m, uint64_t count, const struct frame_limits *w, uint64_t *start);
bool model_start_fits(uint64_t start, uint64_t count, const struct frame_limits *w);
status_t model_verdict(struct model *m, enum frame_owner owner, uint64_t first, uint64_t count);
void model_set(struct model *m, uint64_t first, uint64_t count, enum frame_owner owner);
bool model_wrong(struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);
/** Runs one operation against allocator and model. */
bool model_step(struct model *m, uint32_t number);
/** Makes up operation `number` from the dice and what is allocated. */
void model_make_up(struct model *m, uint32_t number);
