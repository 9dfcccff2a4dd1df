/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/movers.h — an owner of movable frames: it knows each of them by an object, and what bytes must be in it.
 *
 * The frames have real bytes behind them (fake_platform_make_ram), so that a move that copies wrongly is seen.
 */
#pragma once

#include "hosted.h"
#include "mm/contig.h"

/* One owner's frames.  Object i lies in frame_of[i]; 0 is no frame. */
struct movers {
  struct hosted *h;
  struct contig contig;
  enum frame_owner owner;
  struct frame_mover mover;
  uint64_t *frame_of, *object_of; /* By object; by frame number: object + 1. */
  uint64_t objects, frames_end;
  bool has_bytes; /* The frames' contents are written and looked at. */
  char *ram;

  uint64_t holds, moves, releases; /* Calls; holds that were not refused so. */
  uint64_t refuse_at;              /* From this hold on, counted from 0, they are refused; UINT64_MAX for none. */
  bool (*refuses)(struct movers *m, uint64_t frame); /* Says no to a hold of this frame; NULL: never. */
  /* Called in every hold, with the frame, before it answers. */
  void (*in_hold)(struct movers *m, uint64_t frame);
  uint64_t held; /* Now. */
};

void movers_init(struct movers *m, struct hosted *h, enum frame_owner owner, uint64_t frames_end, bool has_bytes);
void movers_fini(struct movers *m);
/** Takes one movable frame from anywhere, or exactly this one; false when there is none. */
bool movers_take(struct movers *m, uint64_t *frame);
bool movers_take_at(struct movers *m, uint64_t frame);
/** Takes 2 MiB as one, exactly there: 512 objects, which lie in it one behind the other. */
bool movers_take_block_at(struct movers *m, uint64_t first);
/** Gives a frame back. */
void movers_give(struct movers *m, uint64_t frame);
/** Ends the program unless every object lies where the allocator says that a movable frame of this owner is, bytes intact.
 */
void movers_must_be_intact(const struct movers *m);
