/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/pmm_plot.c — cost against size and against occupancy, as CSV for scripts/plot-cost.
 *
 * WHAT   Six questions of the tiers, of a buddy system and of a flat bitmap:
 *          pair    a 4 KiB frame, taken and given back over and over;
 *          block   the same with 2 MiB;
 *          frame   a 4 KiB frame, when the free ones are spread at random;
 *          none    2 MiB, when there is none: one frame of each block at least is in use;
 *        asked of memories of 1 GiB to 4 TiB that are 99.9 % full, and of one of 16 GiB that is 0 to 99.9 % full; and
 *          gig     1 GiB, taken and given back, when it is the only one that is whole;
 *          empty   a 4 KiB frame, when there is none;
 *        asked of memories of 2 GiB to 4 TiB.
 * HOW    All is taken in runs of 1 GiB.  Then single frames are given back, or blocks of 2 MiB where these are asked for,
 *        until as much is free as the question says.  Each figure is the median over rounds, with its ratio to A of the
 *        same round (measure.h).
 * CAVEATS  What was freed last is still in the cache, and a buddy system's lists hand it out first: at 99.9 % full that
 * makes it cheap here, and fragmented for ever in pmm_bench's churn.  A buddy system keeps 9 bytes a frame, so it is asked
 * up to 512 GiB only; the flat bitmap, which searches for what there is none of through all of it, up to 64 GiB for a whole
 * GiB and to 1 TiB for the rest, for patience's sake.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "hosted.h"
#include "measure.h"
#include "mm/phys/engine/engine.h"
#include "seed.h"

#define PER_GIB   (GIB / FRAME_SIZE)
#define OWNER     FRAME_OWNER_KERNEL
#define HOLES     UINT64_C(2048)
#define LIST      (8 * HOLES)
#define SOME_SEED 20
#define PAIRS     20000

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "pmm_plot: %s\n", what);
  exit(1);
}

struct memory {
  struct boot_region region;
  struct hosted h;
  uint64_t base, frames;
  uint64_t held[LIST]; /* Some of the frames in use. */
};

static void give(struct memory *m, uint64_t frame) {
  must(pmm_free_frame(m->h.pmm, OWNER, pfn(frame)) == OK, "a frame was not taken back");
}

static uint64_t take(struct memory *m) {
  pfn_t f = {0};
  must(pmm_alloc_frame(m->h.pmm, OWNER, 0, &f) == OK, "a frame was refused");
  return f.raw;
}

/* The i-th of `frames` in an order that visits each once and jumps about: an odd number times i, modulo a power of two. */
static uint64_t scattered(const struct memory *m, uint64_t i) {
  return m->base + (i * UINT64_C(0x9e3779b97f4a7c15) & (m->frames - 1));
}

/* All taken, then frames freed in that order; those that come last are held still. */
static struct memory *memory_create(const struct engine *e, uint64_t gib, double free_share) {
  struct memory *m = calloc(1, sizeof *m);
  must(m != NULL, "no memory");
  m->region = (struct boot_region){4096 * GIB, (4096 + gib) * GIB, BOOT_MEMORY_USABLE, 7, 8};
  m->base = m->region.start / FRAME_SIZE;
  m->frames = gib * PER_GIB;
  m->h = hosted_create_with(e, &m->region, 1, NULL, 0);
  must(m->h.status == OK, "no instance");
  struct frame_limits gigs = {.align = PER_GIB};
  pfn_t f;
  for (uint64_t i = 0; i < gib; i++) must(pmm_alloc_run(m->h.pmm, OWNER, 0, PER_GIB, &gigs, &f) == OK, "a GiB was refused");
  const uint64_t n = bits_min((uint64_t)(free_share * (double)m->frames), m->frames - LIST);
  for (uint64_t i = 0; i < n; i++) give(m, scattered(m, i));
  for (uint64_t i = 0; i < LIST; i++) m->held[i] = scattered(m, m->frames - LIST + i);
  return m;
}

static void memory_destroy(struct memory *m) {
  hosted_destroy(&m->h);
  free(m);
}

/* The same with blocks: at least four are free, and none but whole ones. */
static struct memory *memory_create_blocks(const struct engine *e, uint64_t gib, double free_share) {
  struct memory *m = memory_create(e, gib, 0);
  const uint64_t blocks = m->frames / FRAMES_PER_2M;
  const uint64_t n = bits_min(bits_max((uint64_t)(free_share * (double)blocks), 4), blocks);
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t block = i * UINT64_C(0x9e3779b97f4a7c15) & (blocks - 1);
    must(pmm_free_run(m->h.pmm, OWNER, pfn(m->base + block * FRAMES_PER_2M), FRAMES_PER_2M) == OK, "a block is ours");
  }
  return m;
}

/* Gives some frames back at random, and asks for as many. */
static void round_frame(struct worker *w) {
  struct memory *m = w->context;
  struct dice d = dice_of(SOME_SEED + measure_ticks());
  for (unsigned i = 0; i < HOLES; i++) {
    uint64_t j = i + dice_below(&d, LIST - i), swap = m->held[i];
    m->held[i] = m->held[j];
    m->held[j] = swap;
  }
  for (unsigned i = 0; i < HOLES; i++) give(m, m->held[i]);
  measure_begin(w);
  for (unsigned i = 0; i < HOLES; i++) m->held[i] = take(m);
  measure_end(w, 0, HOLES);
}

static void round_none(struct worker *w) {
  struct memory *m = w->context;
  struct frame_limits block = {.align = FRAMES_PER_2M};
  pfn_t f;
  uint64_t ops = 0, batch = 1;
  measure_begin(w);
  do { /* As often as 2 ms allow: an answer may take nanoseconds or milliseconds. */
    for (uint64_t i = 0; i < batch; i++)
      must(pmm_alloc_run(m->h.pmm, OWNER, 0, FRAMES_PER_2M, &block, &f) != OK, "there was one");
    ops += batch;
    batch *= 2;
  } while (measure_now_ns() - w->began < 2000000);
  measure_end(w, 0, ops);
}

static void round_pair(struct worker *w) {
  struct memory *m = w->context;
  measure_begin(w);
  for (unsigned i = 0; i < PAIRS; i++) give(m, take(m));
  measure_end(w, 0, PAIRS);
}

/* A run as long as it is aligned. */
static void take_and_give(struct memory *m, uint64_t count) {
  const struct frame_limits where = {.align = count};
  pfn_t f = {0};
  must(pmm_alloc_run(m->h.pmm, OWNER, 0, count, &where, &f) == OK, "a run was refused");
  must(pmm_free_run(m->h.pmm, OWNER, f, count) == OK, "a run was not taken back");
}

static void round_block(struct worker *w) {
  measure_begin(w);
  for (unsigned i = 0; i < PAIRS / 4; i++) take_and_give(w->context, FRAMES_PER_2M);
  measure_end(w, 0, PAIRS / 4);
}

static void round_gig(struct worker *w) {
  measure_begin(w);
  for (unsigned i = 0; i < 100; i++) take_and_give(w->context, PER_GIB);
  measure_end(w, 0, 100);
}

static void round_empty(struct worker *w) {
  struct memory *m = w->context;
  uint64_t ops = 0, batch = 1;
  pfn_t f;
  measure_begin(w);
  do {
    for (uint64_t i = 0; i < batch; i++) must(pmm_alloc_frame(m->h.pmm, OWNER, 0, &f) != OK, "there was one");
    ops += batch;
    batch *= 2;
  } while (measure_now_ns() - w->began < 2000000);
  measure_end(w, 0, ops);
}

static void print_point(const struct engine *e, const char *what, const char *against, uint64_t gib, double free_share,
                        const struct measured *m) {
  printf("%s,%s,%s,%llu,%.4f,%.2f,%.2f\n", e ? e->name : "tier", what, against, (unsigned long long)gib, 100 * free_share,
         m->ns, m->ratio);
  fflush(stdout);
}

/* Full but for what is asked for; `none` needs a frame of each block in use, so there at most 511 of 512 are free. */
static void point(const struct engine *e, const char *against, uint64_t gib, double free_share, bool asks_none) {
  struct measured out[MEASURE_FIGURES];
  struct memory *m = memory_create(e, gib, free_share);
  measure_run(1, round_frame, m, out);
  print_point(e, "frame", against, gib, free_share, &out[0]);
  memory_destroy(m);
  if (!asks_none) return;
  m = memory_create(e, gib, free_share);
  for (uint64_t block = m->base; block < m->base + m->frames; block += FRAMES_PER_2M) {
    struct frame_limits at = {.min = block + 77, .max = block + 78};
    pfn_t f;
    (void)(pmm_alloc_run(m->h.pmm, OWNER, 0, 1, &at, &f) == OK); /* Or it is in use anyhow. */
  }
  measure_run(1, round_none, m, out);
  print_point(e, "none", against, gib, free_share, &out[0]);
  memory_destroy(m);
}

/* What is asked for lies there. */
static void point_hot(const struct engine *e, const char *against, uint64_t gib, double free_share) {
  struct measured out[MEASURE_FIGURES];
  struct memory *m = memory_create_blocks(e, gib, free_share);
  measure_run(1, round_pair, m, out);
  print_point(e, "pair", against, gib, free_share, &out[0]);
  measure_run(1, round_block, m, out);
  print_point(e, "block", against, gib, free_share, &out[0]);
  memory_destroy(m);
}

/* All or nothing: one GiB in the middle, or not a frame. */
static void point_whole(const struct engine *e, uint64_t gib, bool asks_gig) {
  struct measured out[MEASURE_FIGURES];
  struct memory *m = memory_create(e, gib, 0);
  measure_run(1, round_empty, m, out);
  print_point(e, "empty", "size", gib, 0, &out[0]);
  must(pmm_free_run(m->h.pmm, OWNER, pfn(m->base + gib / 2 * PER_GIB), PER_GIB) == OK, "a GiB is ours");
  if (asks_gig) measure_run(1, round_gig, m, out);
  if (asks_gig) print_point(e, "gig", "size", gib, 0, &out[0]);
  memory_destroy(m);
}

int main(int argc, char **argv) {
  static const struct {
    const struct engine *engine;
    uint64_t gib_max, none_gib_max, gig_gib_max;
  } all[] = {{NULL, 4096, 4096, 4096}, {&engine_buddy, 512, 512, 512}, {&engine_flat, 4096, 1024, 64}};
  static const double shares[] = {1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001};
  measure_sample_a();
  printf("engine,what,against,gib,free_percent,ns,a\n");
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    const struct engine *e = all[i].engine;
    if (argc > 1 && strcmp(argv[1], e ? e->name : "tier") != 0) continue;
    for (uint64_t gib = 1; gib <= all[i].gib_max; gib *= 2) point(e, "size", gib, 0.001, gib <= all[i].none_gib_max);
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) point(e, "free", 16, shares[k], true);
    for (uint64_t gib = 1; gib <= all[i].none_gib_max; gib *= 2) point_hot(e, "size", gib, 0.001);
    for (size_t k = 0; k < sizeof shares / sizeof *shares; k++) point_hot(e, "free", 16, shares[k]);
    for (uint64_t gib = 2; gib <= all[i].none_gib_max; gib *= 2) point_whole(e, gib, gib <= all[i].gig_gib_max);
  }
  return 0;
}
