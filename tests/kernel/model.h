/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/model.h — a naive frame allocator that knows beforehand what the real one must answer.
 *
 * One byte a frame, and every answer found by looking at all of them.  A machine is made up from a seed: its memory, how
 * many slots it has, and every operation.  A list of operations that failed is shrunk.  Needs nothing of the host: the same
 * seed, or the same part of its operations, is the same step for step on the host (tests/tools/model.c) and in the kernel
 * (option `model=`), which a digest over every step and its result shows.
 *
 * What depends on the allocator's state may depend on the seed and a step's number, and on nothing else: not on how often
 * something ran before, nor on who plays the machine.
 */
#pragma once

#include "base/compiler.h"
#include "mm/pmm.h"
#include "tests/harness/seed.h"

#define MODEL_CHUNKS_MAX    6
#define MODEL_OPS_MAX       8000      /* Of one machine. */
#define MODEL_FRAME_END     (3 << 19) /* Frame numbers stay below: 6 GiB of them. */
#define MODEL_FRAMES_MAX    (3 << 18) /* RAM of one machine. */
#define MODEL_OPS_HUGE      1000      /* Of one with whole GiB, where each costs more. */
#define MODEL_SLOTS_MAX     16        /* Of one machine; operations may come from one CPU more, which has none. */
#define MODEL_BREAKS_AT     5         /* What is planted happens at so many gifts. */
#define MODEL_LINE_MAX      2048
#define MODEL_RANGES_MAX    128 /* Of operations that are kept, in one command line, and in one word of it. */
#define MODEL_RANGES_A_WORD 20
#define MODEL_NONE          UINT64_MAX
#define MODEL_TAIL          0x80
#define MODEL_ON_TRIAL      UINT32_C(0x80000000) /* In flags, while a list is shrunk. */

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
  uint8_t *owner; /* Of each frame: FREE, .., with MODEL_TAIL where a piece goes on. */
};

/* Numbers of operations, both ends included. */
struct model_range {
  uint32_t first, last;
};

/* What came of a machine's operations. */
struct model_tally {
  uint64_t ops, frames, runs, no_run, no_frame, freed, given, refused, checks;
};

struct model {
  /* Who plays the machine around it; set by the caller. */
  struct pmm *(*build)(void *context, const struct boot_region *regions, size_t count, uint32_t slots, status_t *status);
  void (*enter)(void *context, uint32_t slot); /* What follows comes from that slot's CPU, */
  void (*leave)(void *context);                /* and no longer. */
  /* Does a step, as model_step; NULL: nothing else is to be done there. */
  bool (*around)(void *context, struct model *m, uint32_t number);
  void (*plant)(void *context, struct pmm *p); /* A mistake, at the fifth gift; NULL for none. */
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
  uint32_t slots, players; /* CPUs that operations come from: some have no slot. */
  uint32_t op_count;
  uint32_t now;       /* The step that goes on or has failed; op_count: the look at the end. */
  uint32_t gifts;     /* Until something is planted. */
  uint64_t trail;     /* Digest of each step since the machine was built, and what came of it. */
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
/** Makes up and runs `count` operations and looks at the end; false with `wrong` set, at step `now`, when an answer or the
 * state is not the model's. */
bool model_run(struct model *m, uint32_t count);
/** Makes up so many, but does not run the last: a list that was shrunk ends with the operation that shows the mistake. */
bool model_prepare(struct model *m, uint32_t count);
/** Builds the machine again and runs the operations that are not left out; false as model_run. */
bool model_replay(struct model *m);
/** How many are not left out. */
uint32_t model_kept(const struct model *m);
/** Leaves out what none of these names. */
void model_keep(struct model *m, const struct model_range *kept, size_t count);
/** Leaves out as many operations as it can with the rest still failing; returns how many are left. */
uint32_t model_shrink(struct model *m);
/** Step `number`, with the looks that belong to it; false as model_run.  => for `around`. */
bool model_step(struct model *m, uint32_t number);

/* What is asked for in one line. */
struct model_wish {
  uint64_t seed;
  uint64_t machines; /* One seed after another. */
  const struct model_range *kept;
  size_t kept_count;   /* 0: all of them. */
  const char *planted; /* Its name; NULL or "" for nothing. */
};
/**
 * Runs machines and says a line about each, the same wherever it runs: what failed and at which step; then the shortest list
 * that fails, and how to run that in QEMU.  Returns how many failed; `line` is MODEL_LINE_MAX bytes.
 */
uint64_t model_tell(struct model *m, const struct model_wish *wish, char *line, void (*say)(const char *line));
/** One operation in words. */
void model_op_text(const struct model *m, uint32_t number, char *to, size_t size);

/* Between model.c (what is true), model_ops.c (what is done) and model_list.c (what is done again). */
bool model_build(struct model *m);
/** Compares every frame, the statistics and the sums. */
bool model_compare(struct model *m);
/** Adds to the trail. */
void model_note(struct model *m, uint64_t word);
struct model_chunk *model_chunk_of(struct model *m, uint64_t frame);
uint64_t model_free_frames(const struct model *m);
bool model_highest_run(struct model *m, uint64_t count, const struct frame_limits *w, uint64_t *start);
bool model_start_fits(uint64_t start, uint64_t count, const struct frame_limits *w);
status_t model_verdict(struct model *m, enum frame_owner owner, uint64_t first, uint64_t count);
enum frame_owner model_owner(const struct model_chunk *c, uint64_t frame);
/** Frames become somebody's; pieces stay pieces. */
void model_set(struct model *m, uint64_t first, uint64_t count, enum frame_owner owner);
/** Frames have been handed out in one piece. */
void model_set_piece(struct model *m, uint64_t first, uint64_t count, enum frame_owner owner);
bool model_wrong(struct model *m, const char *format, ...) PRINTF_LIKE(2, 3);
/** Runs one operation against allocator and model. */
bool model_do(struct model *m, uint32_t number);
/** Makes up operation `number` from the dice and what is allocated. */
void model_make_up(struct model *m, uint32_t number);
