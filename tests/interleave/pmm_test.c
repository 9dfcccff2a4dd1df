/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two and three CPUs at one allocator, in every order of their atomic steps: refill, drain, mail, pockets, whole GiB.
 *
 * Each scenario is a state, an operation or two for each CPU, and how many of the requests have to be met: nobody is refused
 * what a slot holds.  After each order: no frame in two hands, none lost, the ledger exact, mm_check content, before and
 * after everything was called home.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "interleave.h"
#include "mm/phys/crumbs.h"
#include "mm/phys/instance.h"
#include "mm/phys/run_memo.h"
#include "pmm_world.h"

#define BLOCK UINT64_C(512)

/* --- states ----------------------------------------------------------------------------------------------------------- */

/* Everything is allocated, frame by frame; nobody holds anything. */
static void full(struct world *w) {
  slots_play(SETUP_SLOT);
  world_take_all(w);
  pmm_drain(w->h.pmm);
}

/* Frees so many frames of a block as CPU `slot`, from its end. */
static void free_some(struct world *w, uint32_t slot, uint64_t block, uint64_t from, uint64_t count) {
  slots_play(slot);
  for (uint64_t i = from; i < from + count; i++) world_free(w, w->first + block * BLOCK + BLOCK - 1 - i, 1);
}

/* More frames than are put by: who wants one has to own the block. */
#define MANY (CRUMBS_FEW + 1)

/* CPU `slot` owns a block in which so many frames are free; there is no other memory.  Returns the highest of them. */
static uint64_t owns(struct world *w, uint32_t slot, uint64_t block, uint64_t count) {
  const uint64_t taken = count < MANY ? MANY - count : 1;
  free_some(w, slot, block, 0, count + taken);
  for (uint64_t i = 0; i < taken; i++) world_alloc(w, slot, 1);
  return w->first + block * BLOCK + BLOCK - 1 - taken;
}

/* Frees every second one of the last frames of a block, as CPU `slot`: many, but no run.  Returns the lowest of them. */
static uint64_t free_many(struct world *w, uint32_t slot, uint64_t block) {
  slots_play(slot);
  for (uint64_t i = 0; i < MANY; i++) world_free(w, w->first + block * BLOCK + BLOCK - 1 - 2 * i, 1);
  return w->first + block * BLOCK + BLOCK - 1 - UINT64_C(2) * (MANY - 1);
}

static void begin_one_left_with_slot_0(struct world *w) {
  full(w);
  owns(w, 0, 2, 1);
  world_keep(w, w->first + 7, 1);
}

static void begin_two_left_with_slot_0(struct world *w) {
  full(w);
  owns(w, 0, 2, 2);
  world_keep(w, w->first + 2 * BLOCK + 3, 1);
  world_keep(w, w->first + 2 * BLOCK + 4, 1);
}

static void begin_one_left_with_each(struct world *w) {
  full(w);
  owns(w, 0, 2, 1);
  owns(w, 1, 5, 1);
}

/* Two blocks are broken and nobody's. */
static void begin_two_broken(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, 3);
  free_some(w, SETUP_SLOT, 6, 0, 2);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  world_keep(w, w->first + 6 * BLOCK + 9, 1);
}

/* One frame is free in the only broken block, which is nobody's; frames of the same block can be freed. */
static void begin_one_broken(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, 1);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  world_keep(w, w->first + 2 * BLOCK + 300, 1);
}

/* The same with many frames. */
static void begin_one_large(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, MANY);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  world_keep(w, w->first + 2 * BLOCK + 300, 1);
}

static void begin_two_large(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, MANY);
  free_some(w, SETUP_SLOT, 6, 0, MANY);
}

/* CPU 0 has put by so many frames of block 2; there is no other memory.  Frames of that block and of a full one can be
 * freed. */
static void put_by(struct world *w, uint64_t count) {
  full(w);
  free_some(w, SETUP_SLOT, 6, 0, 1);
  free_some(w, SETUP_SLOT, 2, 0, count);
  world_alloc(w, 0, 1);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  world_keep(w, w->first + 6 * BLOCK + 9, 1);
}
static void begin_one_put_by(struct world *w) { put_by(w, 1); }
static void begin_two_put_by(struct world *w) { put_by(w, 2); }

/* The same, and by now CPU 1 owns the block, with one frame in it. */
static void begin_put_by_of_an_owned_block(struct world *w) {
  put_by(w, 2);
  free_some(w, SETUP_SLOT, 2, 20, MANY);
  for (unsigned i = 0; i + 1 < MANY; i++) world_alloc(w, 1, 1);
}

/* All of block 2 is free, but for a frame that CPU 0 has put by and one that can be freed. */
static void begin_whole_but_for_one_put_by(struct world *w) {
  put_by(w, 1);
  free_some(w, SETUP_SLOT, 2, 1, BLOCK - 2);
  world_keep(w, w->first + 2 * BLOCK, 1);
}

/* A run of two was refused, which is remembered; then CPU 0 has put by the frame beside one that can be freed. */
static void begin_put_by_refused(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 6, 0, 1);
  free_some(w, SETUP_SLOT, 2, 0, 1);
  world_refuse(w, SETUP_SLOT, 2);
  world_alloc(w, 0, 1);
  world_keep(w, w->first + 2 * BLOCK + BLOCK - 2, 1);
  world_keep(w, w->first + 6 * BLOCK + 9, 1);
}

/* CPU 0 owns a block with one frame in it; two frames of a full one can be freed. */
static void begin_one_left_and_a_full_block(struct world *w) {
  full(w);
  owns(w, 0, 2, 1);
  world_keep(w, w->first + 6 * BLOCK + 9, 1);
  world_keep(w, w->first + 6 * BLOCK + 10, 1);
}

/* All but two frames of a block are free, and nobody's: the block becomes whole when they return. */
static void begin_nearly_whole(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, BLOCK - 2);
  world_keep(w, w->first + 2 * BLOCK, 1);
  world_keep(w, w->first + 2 * BLOCK + 1, 1);
}

/* The same, but CPU 0 owns it. */
static void begin_nearly_whole_with_slot_0(struct world *w) {
  full(w);
  owns(w, 0, 2, BLOCK - 3);
  world_keep_last(w);
  world_keep(w, w->first + 2 * BLOCK, 1);
  world_keep(w, w->first + 2 * BLOCK + 1, 1);
}

/* CPU 0 has the only whole block in its pocket. */
static void begin_pocket(struct world *w) {
  full(w);
  slots_play(0);
  world_free(w, w->first + 5 * BLOCK, BLOCK);
  pmm_drain(w->h.pmm);
  slots_play(0);
  world_alloc(w, 0, BLOCK);
  world_free(w, w->first + 5 * BLOCK, BLOCK);
}

/* CPU 0 has the only whole block in its pocket, and a frame in a block of its own. */
static void begin_pocket_and_frame(struct world *w) {
  begin_pocket(w);
  owns(w, 0, 2, 1);
}

/* CPU 0 has a block of 2 MiB that came from its pocket, which is empty and open; nothing else is free. */
static void begin_empty_pocket(struct world *w) {
  begin_pocket(w);
  world_alloc(w, 0, BLOCK);
  world_keep_last(w);
}

/* Two whole blocks in one section, nobody's, and one frame elsewhere. */
static void begin_two_whole(struct world *w) {
  full(w);
  slots_play(SETUP_SLOT);
  world_free(w, w->first + 5 * BLOCK, BLOCK);
  world_free(w, w->first + 6 * BLOCK, BLOCK);
  pmm_drain(w->h.pmm);
}

/* Two frames in a row are free in a block of CPU 0's, and in one that is nobody's; the third of each can be freed. */
static void begin_runs(struct world *w) {
  full(w);
  const uint64_t highest = owns(w, 0, 5, 2);
  free_some(w, SETUP_SLOT, 2, 0, 2);
  world_keep(w, highest - 2, 1);
  world_keep(w, w->first + 2 * BLOCK + BLOCK - 3, 1);
}

/* The same after a run of three was refused: that is remembered. */
static void begin_runs_refused(struct world *w) {
  begin_runs(w);
  world_refuse(w, SETUP_SLOT, 3);
  const uint64_t lowest = free_many(w, SETUP_SLOT, 6);
  for (unsigned i = 0; i + 1 < MANY; i++) world_alloc(w, 0, 1); /* Of block 6 now. */
  world_keep(w, lowest - 1, 1);
  world_keep(w, lowest - 2, 1);
}

/* Three frames of an aligned four are free in a block that is nobody's; the fourth can be freed, and one far from it. */
static void begin_aligned(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 0, 3);
  world_keep(w, w->first + 2 * BLOCK + BLOCK - 4, 1);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  pmm_drain(w->h.pmm);
  w->h.pmm->tier.memos->dear = 1; /* The first search in vain is learnt from. */
}

/* The same after four aligned ones were refused three times: it is known where there are none. */
static void begin_aligned_refused(struct world *w) {
  begin_aligned(w);
  for (unsigned i = 0; i < 3; i++) world_refuse(w, SETUP_SLOT, 4);
}

/* Two frames in a row are free and no three, which is known; the third can be freed, and one elsewhere, for which all that
   searches have learnt is looked at for the last time. */
static void begin_last_look(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 2, 30, 2);
  w->h.pmm->tier.memos->dear = 1;
  world_refuse(w, SETUP_SLOT, 3);
  w->h.pmm->tier.memos->credit = 1;
  world_keep(w, w->first + 2 * BLOCK + BLOCK - 30, 1);
  world_keep(w, w->first + 3 * BLOCK, 1);
}

/* Two frames in a row and many others are free in one block, and no three in a row, which is known; the third can be freed.
 */
static void begin_large_refused(struct world *w) {
  full(w);
  free_many(w, SETUP_SLOT, 2);
  free_some(w, SETUP_SLOT, 2, 100, 2);
  world_refuse(w, SETUP_SLOT, 3);
  world_keep(w, w->first + 2 * BLOCK + BLOCK - 103, 1);
}

/* Nothing is free; two frames of one block can be freed. */
static void begin_full_block(struct world *w) {
  full(w);
  world_keep(w, w->first + 2 * BLOCK + 9, 1);
  world_keep(w, w->first + 2 * BLOCK + 10, 1);
  world_keep(w, w->first + 2 * BLOCK + 11, 1);
}

static void begin_free(struct world *w) { (void)w; }

/* Two whole GiB that nobody has touched, a frame in the middle of the upper one, and one in its highest block. */
static void begin_untouched(struct world *w) {
  world_keep(w, w->first + (3 << 17) + 5, 1);
  world_keep(w, w->first + (2 << 18) - 7, 1);
}

/* Two whole GiB; a frame of the second one is out. */
static void begin_gig(struct world *w) {
  slots_play(0);
  world_alloc(w, 0, 1);
  world_keep_last(w);
  pmm_drain(w->h.pmm);
}

static void begin_gig_full(struct world *w) {
  slots_play(0);
  world_alloc(w, 0, 1 << 18);
  world_keep_last(w);
  world_alloc(w, 1, 1);
  world_keep_last(w);
  pmm_drain(w->h.pmm);
}

/* A window of four frames that can be made by one move; two frames elsewhere to move to; the quote is there. */
static void begin_window(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 6, 0, 2);
  free_some(w, SETUP_SLOT, 3, 0, 4);
  world_alloc_movable(w, w->first + 3 * BLOCK + BLOCK - 3);
  world_quote(w, w->first + 3 * BLOCK + BLOCK - 4, 4);
  world_keep(w, w->first + 3 * BLOCK + 9, 1);
}

/* The same, but CPU 1 has put by what is free of the window. */
static void begin_window_put_by(struct world *w) {
  begin_window(w);
  world_alloc(w, 1, 1); /* Of block 6, the highest. */
  world_alloc(w, 1, 1);
  world_free(w, w->last.first, 1);
}

/* A window as before, in the highest block, where many more are free, and which CPU 1 owns. */
static void begin_owned_window(struct world *w) {
  full(w);
  free_some(w, SETUP_SLOT, 3, 0, 2);
  free_some(w, SETUP_SLOT, 6, 0, 4);
  free_some(w, SETUP_SLOT, 6, 20, MANY);
  world_alloc_movable(w, w->first + 6 * BLOCK + BLOCK - 3);
  world_quote(w, w->first + 6 * BLOCK + BLOCK - 4, 4);
  world_keep(w, w->first + 6 * BLOCK + 9, 1);
  world_alloc(w, 1, 1);
  world_free(w, w->last.first, 1);
}

/* --- scenarios -------------------------------------------------------------------------------------------------------- */

#define ONE          {OP_ALLOC, 1, 0}
#define TWO_MIB      {OP_ALLOC, BLOCK, 0}
#define GIB_RUN      {OP_ALLOC, 1 << 18, 0}
#define RUN(n)       {OP_ALLOC, n, 0}
#define FREE(k)      {OP_FREE, 0, k}
#define DRAIN        {OP_DRAIN, 0, 0}
#define GIVE(k)      {OP_GIVE, 0, k}
#define COMMIT       {OP_COMMIT, 0, 0}
#define FREE_MOVABLE {OP_FREE_MOVABLE, 0, 0}
#define BAD(k)       {OP_RETIRE, 0, k}
#define MISTAKE(k)   {OP_MISTAKE, 0, k}

static const struct scenario scenarios[] = {
    {"two CPUs refill from two blocks", begin_two_broken, {{ONE}, {ONE}}, 2, false, 0},
    {"two CPUs want the only frame", begin_one_broken, {{ONE}, {ONE}}, 1, false, 0},
    {"two CPUs refill from two large blocks", begin_two_large, {{ONE}, {ONE}}, 2, false, 0},
    {"a refill, and a free into the block it takes", begin_one_large, {{ONE, ONE}, {FREE(0)}}, 2, false, 0},
    {"a refill, and two frees into the block it takes", begin_one_large, {{ONE}, {FREE(0), FREE(1)}}, 1, false, 0},
    {"frames are put by, and a free into their block", begin_one_broken, {{ONE, ONE}, {FREE(0)}}, 1, false, 0},
    {"frames are put by, and two frees into their block", begin_one_broken, {{ONE}, {FREE(0), FREE(1)}}, 1, false, 0},
    {"the last frame put by is called in while its CPU takes it", begin_one_put_by, {{ONE}, {ONE}}, 1, false, 0},
    {"what is put by is called in while its CPU takes a frame", begin_two_put_by, {{ONE}, {ONE}}, 2, false, 0},
    {"what is put by, and a free beside it", begin_two_put_by, {{ONE, ONE}, {FREE(0)}}, 2, false, 0},
    {"what is put by goes home, and a free beside it", begin_two_put_by, {{ONE}, {FREE(0)}, {DRAIN}}, 1, false, 0},
    {"what is put by of another CPU's block goes home",
     begin_put_by_of_an_owned_block,
     {{ONE}, {ONE}, {DRAIN}},
     2,
     false,
     0},
    {"what is put by of another CPU's block is wanted",
     begin_put_by_of_an_owned_block,
     {{ONE}, {ONE, ONE, ONE}},
     3,
     false,
     0},
    {"a block becomes whole but for a frame put by",
     begin_whole_but_for_one_put_by,
     {{ONE}, {FREE(2), TWO_MIB}},
     1,
     false,
     0},
    {"a block becomes whole but for a frame put by, and goes home",
     begin_whole_but_for_one_put_by,
     {{DRAIN}, {FREE(2), TWO_MIB}},
     1,
     false,
     0},
    {"a block is late, and a frame is wanted", begin_one_left_and_a_full_block, {{FREE(0), ONE}, {ONE}}, 2, false, 0},
    {"a block is late, and freed into by another",
     begin_one_left_and_a_full_block,
     {{FREE(0)}, {FREE(1), ONE, ONE}},
     2,
     false,
     0},
    {"a block is late, and everything goes home", begin_one_left_and_a_full_block, {{FREE(0)}, {DRAIN}}, 0, false, 0},
    {"a block is late, and a run is wanted", begin_one_left_and_a_full_block, {{FREE(0), FREE(1)}, {RUN(2)}}, 0, false, 0},
    {"a free by a CPU that has nothing, and a frame is wanted", begin_one_put_by, {{ONE}, {FREE(1), ONE}}, 2, false, 0},
    {"the last frame is called in while its CPU takes it", begin_one_left_with_slot_0, {{ONE}, {ONE}}, 1, true, 0},
    {"a frame is called in while its CPU takes another", begin_two_left_with_slot_0, {{ONE}, {ONE}}, 2, true, 0},
    {"a frame is called in while its CPU frees one", begin_one_left_with_slot_0, {{FREE(0)}, {ONE}}, 1, false, 0},
    {"a frame is freed into a block of the CPU that is called in",
     begin_two_left_with_slot_0,
     {{FREE(0)}, {ONE, ONE}},
     2,
     true,
     0},
    {"mail, and its receiver takes all", begin_two_left_with_slot_0, {{ONE, ONE, ONE}, {FREE(0)}}, 2, false, 0},
    {"two letters, and their receiver takes all",
     begin_two_left_with_slot_0,
     {{ONE, ONE, ONE}, {FREE(0), FREE(1)}},
     2,
     false,
     0},
    {"2 MiB out of another CPU's pocket", begin_pocket_and_frame, {{ONE}, {TWO_MIB}}, 2, false, 0},
    {"mail, and its receiver is told to go home", begin_two_left_with_slot_0, {{DRAIN}, {FREE(0)}}, 0, false, 0},
    {"mail, and the block is drained by another", begin_two_left_with_slot_0, {{ONE}, {FREE(0)}, {DRAIN}}, 1, false, 0},
    {"two CPUs call each other in", begin_one_left_with_each, {{ONE, ONE}, {ONE, ONE}}, 2, false, 0},
    {"three CPUs, two of them have a frame", begin_one_left_with_each, {{ONE}, {ONE}, {ONE}}, 2, false, 0},
    {"a drain while its CPU takes a frame", begin_two_left_with_slot_0, {{ONE}, {DRAIN}}, 1, false, 0},
    {"a block becomes whole by two frees", begin_nearly_whole, {{FREE(0)}, {FREE(1)}}, 0, false, BLOCK},
    {"a block becomes whole by two frees and is wanted", begin_nearly_whole, {{FREE(0)}, {FREE(1), TWO_MIB}}, 0, false, 0},
    {"a block becomes whole and a frame is wanted", begin_nearly_whole, {{FREE(0), FREE(1)}, {ONE}}, 1, false, 0},
    {"a block becomes whole and a run is wanted", begin_nearly_whole, {{FREE(0), FREE(1)}, {RUN(3)}}, 1, false, 0},
    {"an owned block becomes whole and is wanted",
     begin_nearly_whole_with_slot_0,
     {{FREE(0), FREE(1)}, {FREE(2), TWO_MIB}},
     0,
     false,
     0},
    {"2 MiB out of a pocket that is called in", begin_pocket, {{TWO_MIB}, {TWO_MIB}}, 1, false, 0},
    {"2 MiB out of a pocket and a frame", begin_pocket, {{TWO_MIB}, {ONE}}, 1, false, 0},
    {"2 MiB back into a pocket that is called in", begin_empty_pocket, {{FREE(0)}, {ONE}}, 0, false, 0},
    {"2 MiB back into a pocket, and a run is wanted", begin_empty_pocket, {{FREE(0)}, {RUN(100)}}, 0, false, 0},
    {"two CPUs fill their pockets", begin_two_whole, {{TWO_MIB}, {TWO_MIB}}, 2, false, 0},
    {"a pocket is filled, and a frame is wanted", begin_two_whole, {{TWO_MIB}, {ONE}}, 2, false, 0},
    {"a run over two whole blocks, and a frame", begin_two_whole, {{RUN(BLOCK + 1)}, {ONE}}, 1, false, 0},
    {"a run, and the free that makes it, in an owned block", begin_runs, {{FREE(0)}, {RUN(3)}}, 0, false, 0},
    {"a run, and the free that makes it, in nobody's block", begin_runs, {{FREE(1)}, {RUN(3)}}, 0, false, 0},
    {"the free that makes a run, after one that was refused", begin_runs, {{FREE(1)}, {RUN(3), RUN(3)}}, 0, false, 0},
    {"the free that makes a run, after one that was refused earlier",
     begin_runs_refused,
     {{FREE(1)}, {RUN(3)}},
     0,
     false,
     0},
    {"a free beside what is put by makes a run, after one that was refused earlier",
     begin_put_by_refused,
     {{FREE(1)}, {FREE(0), RUN(2)}},
     1,
     false,
     0},
    {"mail makes a run, after one that was refused earlier",
     begin_runs_refused,
     {{FREE(2), ONE}, {FREE(3), RUN(3)}},
     1,
     false,
     0},
    {"the free that makes an aligned run, while searches learn", begin_aligned, {{FREE(0)}, {RUN(4), RUN(4)}}, 0, true, 0},
    {"the free that makes an aligned run, after searches have learnt",
     begin_aligned_refused,
     {{FREE(0)}, {FREE(1), RUN(4)}},
     0,
     true,
     0},
    {"the free that makes a run, while what searches have learnt is forgotten",
     begin_last_look,
     {{FREE(0)}, {FREE(1)}},
     0,
     false,
     0},
    {"the free that makes a run, and its block gets an owner, after one that was refused earlier",
     begin_large_refused,
     {{ONE}, {FREE(0), RUN(3)}},
     2,
     false,
     0},
    {"two frees break a full block, and a frame is wanted", begin_full_block, {{FREE(0)}, {FREE(1), ONE}}, 1, false, 0},
    {"two frees break a full block, and a run is wanted",
     begin_full_block,
     {{FREE(0)}, {FREE(1), FREE(2), RUN(2)}},
     1,
     false,
     0},
    {"a frame is given away while its neighbour is taken", begin_two_left_with_slot_0, {{ONE}, {GIVE(0)}}, 1, false, 0},
    {"a frame goes bad while its neighbours are taken", begin_two_left_with_slot_0, {{ONE, ONE}, {BAD(0)}}, 2, false, 0},
    {"first requests of two CPUs", begin_free, {{ONE}, {ONE}}, 2, false, 0},
    {"a frame and 2 MiB of untouched memory", begin_free, {{ONE}, {TWO_MIB}}, 2, false, 0},
};

static const struct scenario gigs[] = {
    {"1 GiB, and a frame of it", begin_free, {{GIB_RUN}, {ONE}}, 2, false, 0},
    {"1 GiB, and 2 MiB", begin_free, {{GIB_RUN}, {TWO_MIB}}, 2, false, 0},
    {"1 GiB, and the frame that makes it whole", begin_gig, {{GIB_RUN, GIB_RUN}, {FREE(0)}}, 1, false, 0},
    {"1 GiB comes back, and a frame", begin_gig_full, {{FREE(0)}, {FREE(1)}}, 0, false, 0},
    {"1 GiB comes back, and a frame is wanted", begin_gig_full, {{FREE(0)}, {ONE}}, 1, false, 0},
};

/* What is asked of a GiB without the lock while it gets words of its own. */
static const struct scenario untouched[] = {
    {"2 MiB, and a free frame of the same GiB is freed", begin_untouched, {{TWO_MIB}, {MISTAKE(0)}}, 1, false, 0},
    {"2 MiB, and a free frame of the same block is freed", begin_untouched, {{TWO_MIB}, {MISTAKE(1)}}, 1, false, 0},
    {"two CPUs touch a GiB", begin_untouched, {{TWO_MIB}, {RUN(2 * BLOCK)}}, 2, false, 0},
};

static const struct scenario windows[] = {
    {"a window is made, and a frame is wanted", begin_window, {{COMMIT}, {ONE}}, 1, false, 0},
    {"a window is made, and all that is left is wanted", begin_window, {{COMMIT}, {ONE, ONE, ONE}}, 1, false, 0},
    {"a window is made, and its movable frame is freed", begin_window, {{COMMIT}, {FREE_MOVABLE}}, 0, false, 0},
    {"a window is made, and a frame beside it is freed", begin_window, {{COMMIT}, {FREE(0)}}, 0, false, 0},
    {"a window is made twice", begin_window, {{COMMIT}, {COMMIT}}, 1, false, 0},
    {"a window is made while everything is called home", begin_owned_window, {{COMMIT}, {DRAIN}}, 0, false, 0},
    {"a window is made beside a CPU that is served", begin_owned_window, {{COMMIT}, {ONE}}, 1, false, 0},
    {"a window is made of what is put by, and a frame is wanted", begin_window_put_by, {{COMMIT}, {ONE}}, 1, false, 0},
};

static uint64_t total;
static unsigned wanted_run;
#define NO_SUCH_SCENARIO 99 /* Exit status, for scripts/mutants. */

/* CAIRN_SCENARIO names the only one that is run. */
static bool is_wanted(const char *name) {
  const char *only = getenv("CAIRN_SCENARIO");
  if (only && strcmp(only, name) == 0) wanted_run++;
  return !only || strcmp(only, name) == 0;
}

static void run_all(const struct scenario *list, size_t count, uint64_t frames, uint64_t all_max, uint32_t preemptions) {
  struct world w;
  world_begin(&w, frames);
  for (size_t i = 0; i < count; i++)
    if (is_wanted(list[i].name)) total += world_enumerate(&w, &list[i], all_max, preemptions);
  world_end(&w);
}

static void blocks_slots_and_mail(void **state) {
  (void)state;
  run_all(scenarios, sizeof scenarios / sizeof *scenarios, 8 * BLOCK, 20000, 2);
}

static void whole_gigs(void **state) {
  (void)state;
  run_all(gigs, sizeof gigs / sizeof *gigs, 2 << 18, 100, 1);
}

static void untouched_gigs(void **state) {
  (void)state;
  run_all(untouched, sizeof untouched / sizeof *untouched, 2 << 18, 2000, 1);
}

static void windows_are_made(void **state) {
  (void)state;
  run_all(windows, sizeof windows / sizeof *windows, 8 * BLOCK, 4000, 2);
}

/*
 * In one order, and no other is needed: a run is refused, which is remembered; then frames come back by mail, to a CPU that
 * owns their block and reads it.  They are a run, and have to be found.
 */
static void mail_that_was_read_is_found_as_a_run(void **state) {
  (void)state;
  struct world w;
  world_begin(&w, 8 * BLOCK);
  full(&w);
  free_many(&w, SETUP_SLOT, 5);
  world_refuse(&w, SETUP_SLOT, 3);
  for (unsigned i = 0; i < MANY; i++) world_alloc(&w, 0, 1); /* CPU 0 owns block 5 now, with nothing free in it. */
  free_some(&w, SETUP_SLOT, 5, 100, MANY);
  world_alloc(&w, 0, 1); /* It has read them, and taken one. */
  world_alloc(&w, SETUP_SLOT, 3);
  world_end(&w);
}

/* The same, with the barrier left out on which the handshake rests: two of them must fail. */
static void without_its_barrier_the_handshake_is_wrong(void **state) {
  (void)state;
  struct world w;
  unsigned wrong = 0;
  world_begin(&w, 8 * BLOCK);
  slots_leave_out_barriers(true);
  for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios && wrong < 2; i++)
    wrong += !world_is_sound(&w, &scenarios[i], 20000, 2);
  slots_leave_out_barriers(false);
  assert_true(wrong >= 2);
  world_end(&w);
}

/*
 * The barrier before anything is learnt: a free whose bit no search has seen must have seen that searches learn.  Two stores
 * have to wait in a buffer for that to go wrong, so it is sought with three preemptions, and without the barrier it is
 * found.
 */
static void without_its_barrier_a_search_learns_what_is_not_so(void **state) {
  (void)state;
  static const struct scenario s = {
      "a search learns while a frame is freed", begin_aligned, {{FREE(0)}, {RUN(4), RUN(4)}}, 0, true, 0};
  struct world w;
  world_begin(&w, 8 * BLOCK);
  slots_leave_out_barriers(true);
  const bool is_sound = world_is_sound(&w, &s, 200000, 3);
  slots_leave_out_barriers(false);
  assert_false(is_sound);
  world_end(&w);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(mail_that_was_read_is_found_as_a_run),
      cmocka_unit_test(blocks_slots_and_mail),
      cmocka_unit_test(whole_gigs),
      cmocka_unit_test(untouched_gigs),
      cmocka_unit_test(windows_are_made),
      cmocka_unit_test(without_its_barrier_the_handshake_is_wrong),
      cmocka_unit_test(without_its_barrier_a_search_learns_what_is_not_so),
  };
  const struct CMUnitTest scenarios_alone[] = {
      cmocka_unit_test(blocks_slots_and_mail),
      cmocka_unit_test(whole_gigs),
      cmocka_unit_test(untouched_gigs),
      cmocka_unit_test(windows_are_made),
  };
  if (getenv("CAIRN_SCENARIO")) {
    int failed = cmocka_run_group_tests_name("interleave/pmm", scenarios_alone, NULL, NULL);
    return wanted_run == 0 ? NO_SUCH_SCENARIO : failed;
  }
  int failed = cmocka_run_group_tests_name("interleave/pmm", tests, NULL, NULL);
  printf("# interleavings: %llu of the allocator in all\n", (unsigned long long)total);
  return failed;
}
