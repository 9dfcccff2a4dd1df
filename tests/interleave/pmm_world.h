/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/interleave/pmm_world.h — a small memory that is put back to its start before each order of steps, and judged after
 * it.
 */
#pragma once

#include "hosted.h"
#include "interleave.h"
#include "mm/contig.h"
#include "slots.h"

#define SETUP_SLOT 4U /* Of who prepares a state; no thread has it. */
#define OPS_MAX    3
#define KEPT_MAX   4

enum op_kind { OP_NONE, OP_ALLOC, OP_FREE, OP_DRAIN, OP_GIVE, OP_RETIRE, OP_COMMIT, OP_FREE_MOVABLE, OP_MISTAKE };

struct op {
  enum op_kind kind;
  uint64_t count; /* OP_ALLOC: 1; 4, 512 and 2^18 mean so many, aligned. */
  unsigned kept;  /* What was kept when the state was made: 0, 1, ..; OP_MISTAKE frees it for another owner. */
};

struct world;
struct scenario {
  const char *name;
  void (*begin)(struct world *w);
  struct op ops[INTERLEAVE_THREADS_MAX][OPS_MAX];
  unsigned met;        /* So many requests at least are met, in every order. */
  bool is_handshake;   /* All orders with two preemptions: with one, what a barrier is for cannot be seen. */
  uint64_t whole_left; /* Frames that must be had in one aligned piece afterwards; 0 for none. */
};

struct run {
  uint64_t first, count;
};

struct world {
  struct hosted h;
  struct boot_region region;
  uint64_t first, frames;
  const struct scenario *scenario;
  void *metadata, *records; /* As the scenario begins. */
  struct run kept[KEPT_MAX];
  unsigned kept_count;
  struct run last; /* That world_alloc has had. */
  uint64_t free_frames;

  /* What moves: one frame of another owner's. */
  struct contig contig, contig_fresh;
  struct contig_quote quote;
  uint64_t movable, movable_fresh; /* Where it is; 0 when it has been freed. */
  bool is_held;
  char *ram;

  struct {
    struct run taken[OPS_MAX];
    uint64_t freed;
    unsigned met;
  } did[INTERLEAVE_THREADS_MAX];
};

void world_begin(struct world *w, uint64_t frames);
void world_end(struct world *w);

/* For states. */
void world_take_all(struct world *w);
void world_alloc(struct world *w, uint32_t slot, uint64_t count);
void world_refuse(struct world *w, uint32_t slot, uint64_t count);
void world_free(struct world *w, uint64_t first, uint64_t count);
/** The one frame that moves; and the price of a window. */
void world_alloc_movable(struct world *w, uint64_t frame);
void world_quote(struct world *w, uint64_t first, uint64_t count);
/** Frames that are allocated, for OP_FREE and the like to name. */
void world_keep(struct world *w, uint64_t first, uint64_t count);
void world_keep_last(struct world *w);

/**
 * Runs a scenario in all orders (up to `all_max` of them); then with store buffers in all with one preemption, and in some
 * of those with more (CAIRN_SCHEDULES says how many).  The test fails when an order does.  Returns how many orders.
 */
uint64_t world_enumerate(struct world *w, const struct scenario *s, uint64_t all_max, uint32_t preemptions);
/** True when no order with store buffers and so many preemptions fails. */
bool world_is_sound(struct world *w, const struct scenario *s, uint64_t max, uint32_t preemptions);
