/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/pmm_bench.c — how fast the frame allocator is, as the kernel runs it: records, owners and checks in force.
 *
 * WHAT   One table.  Each figure is the median over rounds with its quartiles and its ratio to A (measure.h); a floor in the
 *        last column is what is asked for, in A.  Memory is never touched: the allocator knows frame numbers only, and its
 *        records lie in a sparse mapping, so that terabytes can be managed on a small host.
 * HOW    make bench            all rows
 *        make bench ROWS=churn those whose group's name contains the word; ROWS='churn tier' without the other engines
 *        CAIRN_ROUNDS=31       more rounds
 * CAVEATS  Hosted: no interrupts are masked here, and in the kernel they are while the lock is held.  Nanoseconds of two
 * runs cannot be compared on a shared machine, ratios can.  A row whose feature the allocator does not have is not here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "hosted.h"
#include "measure.h"
#include "mm/engine.h"
#include "mm/phys/engine/engine.h"
#include "mm/phys/instance.h"
#include "seed.h"
#include "slots.h"

#define PER_GIB   (GIB / FRAME_SIZE)
#define OWNER     FRAME_OWNER_KERNEL
#define SOME_SEED 20

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "pmm_bench: %s\n", what);
  exit(1);
}

/* Whose column is being measured; NULL: the tiers'. */
static const struct engine *engine;

/* --- a machine ------------------------------------------------------------------------------------------------------ */

/* RAM of so many GiB in one range, from 4 GiB on. */
struct machine {
  struct boot_region region;
  struct hosted h;
  uint64_t frames;
  uint64_t *list[MEASURE_THREADS]; /* Frames that a thread holds. */
  uint64_t per_thread;             /* Room in each list. */
};

static struct boot_region region_of(uint64_t gib) {
  return (struct boot_region){4 * GIB, (4 + gib) * GIB, BOOT_MEMORY_USABLE, 7, 8};
}

static struct machine *machine_create(uint64_t gib, uint64_t list_frames) {
  struct machine *m = calloc(1, sizeof *m);
  must(m != NULL, "no memory");
  m->region = region_of(gib);
  m->frames = gib * PER_GIB;
  m->h = hosted_create_with(engine, &m->region, 1, NULL, 0);
  must(m->h.status == OK, "no instance");
  m->per_thread = list_frames / MEASURE_THREADS;
  uint64_t *all = calloc(list_frames + 1, sizeof *all);
  must(all != NULL, "no memory");
  memset(all, 1, list_frames * sizeof *all); /* Touched before the clock runs. */
  for (unsigned i = 0; i < MEASURE_THREADS; i++) m->list[i] = all + i * m->per_thread;
  return m;
}

static void machine_destroy(struct machine *m) {
  if (!engine || m->frames <= 64 * PER_GIB)
    hosted_must_be_sound(&m->h, "after a row"); /* Engines are asked frame by frame. */
  hosted_destroy(&m->h);
  free(m->list[0]);
  free(m);
}

static inline uint64_t take(struct machine *m) {
  pfn_t f = {0};
  must(pmm_alloc_frame(m->h.pmm, OWNER, 0, &f) == OK, "a frame was refused");
  return f.raw;
}

static inline void give(struct machine *m, uint64_t frame) {
  must(pmm_free_frame(m->h.pmm, OWNER, pfn(frame)) == OK, "a frame was not taken back");
}

static uint64_t take_run(struct machine *m, uint64_t count, uint64_t align) {
  struct frame_limits where = {.align = align};
  pfn_t f = {0};
  must(pmm_alloc_run(m->h.pmm, OWNER, 0, count, &where, &f) == OK, "a run was refused");
  return f.raw;
}

static void give_run(struct machine *m, uint64_t first, uint64_t count) {
  must(pmm_free_run(m->h.pmm, OWNER, pfn(first), count) == OK, "a run was not taken back");
}

static void shuffle(struct dice *d, uint64_t *list, uint64_t n) {
  for (uint64_t i = n; i > 1; i--) {
    uint64_t j = dice_below(d, i), swap = list[i - 1];
    list[i - 1] = list[j];
    list[j] = swap;
  }
}

/* Takes everything that is left: in powers of two down to 2 MiB, then frame by frame. */
static void fill_up(struct machine *m) {
  pfn_t f;
  for (uint64_t count = PER_GIB; count >= FRAMES_PER_2M;) {
    struct frame_limits where = {.align = count};
    if (pmm_alloc_run(m->h.pmm, OWNER, 0, count, &where, &f) != OK) count /= 2;
  }
  while (pmm_alloc_frame(m->h.pmm, OWNER, 0, &f) == OK) {}
}

/* --- hot pairs ------------------------------------------------------------------------------------------------------ */

#define HOT_OPS 200000

static void round_hot_frame(struct worker *w) {
  struct machine *m = w->context;
  measure_begin(w);
  for (unsigned i = 0; i < HOT_OPS; i++) give(m, take(m));
  measure_end(w, 0, HOT_OPS);
}

static void round_hot_block(struct worker *w) {
  measure_begin(w);
  for (unsigned i = 0; i < HOT_OPS / 20; i++)
    give_run(w->context, take_run(w->context, FRAMES_PER_2M, FRAMES_PER_2M), FRAMES_PER_2M);
  measure_end(w, 0, HOT_OPS / 20);
}

static void round_hot_gig(struct worker *w) {
  measure_begin(w);
  for (unsigned i = 0; i < 20; i++) give_run(w->context, take_run(w->context, FRAMES_PER_1G, FRAMES_PER_1G), FRAMES_PER_1G);
  measure_end(w, 0, 20);
}

static void group_hot(void) {
  struct machine *m = machine_create(16, 0);
  struct measured out[MEASURE_FIGURES];
  for (unsigned threads = 1; threads <= 2; threads++) {
    measure_run(threads, round_hot_frame, m, out);
    measure_print_row("4 KiB frame, alloc + free, hot", threads, &out[0], 1.0);
  }
  for (unsigned threads = 1; threads <= 2; threads++) {
    measure_run(threads, round_hot_block, m, out);
    measure_print_row("2 MiB, alloc + free, hot", threads, &out[0], threads == 1 ? 1.5 : 0);
  }
  measure_run(1, round_hot_gig, m, out);
  measure_print_row("1 GiB, alloc + free (floor: 1 microsecond)", 1, &out[0], 1000 / measure_a());
  machine_destroy(m);
}

/* --- half of memory, frame by frame --------------------------------------------------------------------------------- */

static uint64_t *shuffled; /* A fixed random order of a thread's list, made once. */

static void make_order(uint64_t n) {
  struct dice d = dice_of(SOME_SEED);
  free(shuffled);
  shuffled = malloc(n * sizeof *shuffled);
  must(shuffled != NULL, "no memory");
  for (uint64_t i = 0; i < n; i++) shuffled[i] = i;
  shuffle(&d, shuffled, n);
}

static void fill_list(struct worker *w, unsigned figure, uint64_t n) {
  struct machine *m = w->context;
  uint64_t *mine = m->list[w->index];
  measure_begin(w);
  for (uint64_t i = 0; i < n; i++) mine[i] = take(m);
  measure_end(w, figure, n);
}

static void empty_list(struct worker *w, unsigned figure, uint64_t n, unsigned whose, bool is_random) {
  struct machine *m = w->context;
  const uint64_t *list = m->list[whose];
  uint64_t *order = NULL;
  if (is_random) { /* Before the clock runs: what is timed is the allocator, not a walk over a list. */
    order = malloc(n * sizeof *order);
    must(order != NULL, "no memory");
    measure_begin(w); /* The list is another thread's: it has to be complete. */
    for (uint64_t i = 0; i < n; i++) order[i] = list[shuffled[i]];
    list = order;
  }
  measure_begin(w);
  for (uint64_t i = 0; i < n; i++) give(m, list[i]);
  measure_end(w, figure, n);
  free(order);
}

/* Phases: fill; free in order; free at random, own frames; free at random, the other thread's. */
static void round_fill(struct worker *w) {
  struct machine *m = w->context;
  uint64_t n = m->frames / 2 / w->threads;
  fill_list(w, 0, n);
  empty_list(w, 1, n, w->index, false);
  fill_list(w, 0, n);
  empty_list(w, 2, n, w->index, true);
  if (w->threads == 1) return;
  fill_list(w, 0, n);
  empty_list(w, 3, n, 1 - w->index, true);
}

static void group_fill(void) {
  struct machine *m = machine_create(16, 16 * PER_GIB / 2);
  m->per_thread = m->frames / 4;
  struct measured out[MEASURE_FIGURES];
  for (unsigned threads = 1; threads <= 2; threads++) {
    make_order(m->frames / 2 / threads);
    measure_run(threads, round_fill, m, out);
    measure_print_row("4 KiB, fill half of memory, per frame", threads, &out[0], threads == 1 ? 1.2 : 1.6);
    measure_print_row("4 KiB, free in order", threads, &out[1], 0);
    measure_print_row("4 KiB, free in random order, own", threads, &out[2], threads == 1 ? 3 : 7);
    if (threads == 2) measure_print_row("4 KiB, free in random order, other thread's", 2, &out[3], 7.5);
  }
  machine_destroy(m);
}

static void round_fill_blocks(struct worker *w) {
  struct machine *m = w->context;
  uint64_t n = m->frames / 2 / FRAMES_PER_2M / w->threads, *mine = m->list[w->index];
  measure_begin(w);
  for (uint64_t i = 0; i < n; i++) mine[i] = take_run(m, FRAMES_PER_2M, FRAMES_PER_2M);
  measure_end(w, 0, n);
  measure_begin(w);
  for (uint64_t i = 0; i < n; i++) give_run(m, mine[i], FRAMES_PER_2M);
  measure_end(w, 1, n);
}

static void group_blocks(void) {
  struct machine *m = machine_create(16, 16 * PER_GIB / FRAMES_PER_2M);
  struct measured out[MEASURE_FIGURES];
  for (unsigned threads = 1; threads <= 2; threads++) {
    measure_run(threads, round_fill_blocks, m, out);
    measure_print_row("2 MiB, fill half of memory, per block", threads, &out[0], threads == 2 ? 8 : 0);
    measure_print_row("2 MiB, free in order", threads, &out[1], 0);
  }
  machine_destroy(m);
}

/* --- nearly full, and wholly ---------------------------------------------------------------------------------------- */

#define HOLES 2048

/* Frees some frames, takes as many: the holes are spread at random over all of memory. */
static void round_nearly_full(struct worker *w) {
  struct machine *m = w->context;
  struct dice d = dice_of(SOME_SEED + measure_ticks());
  uint64_t *held = m->list[0];
  for (unsigned i = 0; i < HOLES; i++) {
    uint64_t j = i + dice_below(&d, m->per_thread - i), swap = held[i];
    held[i] = held[j];
    held[j] = swap;
  }
  for (unsigned i = 0; i < HOLES; i++) give(m, held[i]);
  measure_begin(w);
  for (unsigned i = 0; i < HOLES; i++) held[i] = take(m);
  measure_end(w, 0, HOLES);
}

/* All taken, then one frame in a thousand freed; the list names as many of those that are still held. */
static struct machine *nearly_full(uint64_t gib) {
  struct machine *m = machine_create(gib, UINT64_C(4) * HOLES * MEASURE_THREADS);
  struct dice d = dice_of(SOME_SEED);
  fill_up(m);
  uint64_t base = m->region.start / FRAME_SIZE, stride = m->frames / m->per_thread;
  for (uint64_t i = 0; i < m->per_thread; i++) m->list[0][i] = base + i * stride + 2 * dice_below(&d, stride / 2);
  for (uint64_t i = 0; i < m->frames / 1000; i++) give(m, base + i * 1000 + 2 * dice_below(&d, 500) + 1);
  for (uint64_t i = 0; i < m->per_thread; i++) { /* Even ones only; all of them are held. */
    if (m->list[0][i] % 2 != 0) m->list[0][i]--;
  }
  return m;
}

static void group_full(void) {
  static const uint64_t sizes[] = {8, 256};
  for (unsigned i = 0; i < 2; i++) {
    struct machine *m = nearly_full(sizes[i]);
    struct measured out[MEASURE_FIGURES];
    char what[64];
    measure_run(1, round_nearly_full, m, out);
    snprintf(what, sizeof what, "4 KiB at 99.9 %% full, alloc, %llu GiB", (unsigned long long)sizes[i]);
    measure_print_row(what, 1, &out[0], 8);
    machine_destroy(m);
  }
}

/* --- requests that cannot be met ------------------------------------------------------------------------------------ */

struct impossible {
  struct machine *m;
  uint64_t count, align;
};

static void round_impossible(struct worker *w) {
  struct impossible *r = w->context;
  struct frame_limits where = {.align = r->align};
  pfn_t f;
  uint64_t ops = 0, batch = 1;
  measure_begin(w);
  do { /* As often as 20 ms allow: an answer may take nanoseconds or milliseconds. */
    for (uint64_t i = 0; i < batch; i++)
      must(pmm_alloc_run(r->m->h.pmm, OWNER, 0, r->count, &where, &f) != OK, "there was one");
    ops += batch;
    batch *= 2; /* Between two looks at the clock. */
  } while (measure_now_ns() - w->began < 20000000);
  measure_end(w, 0, ops);
}

static void row_impossible(struct machine *m, const char *what, uint64_t gib, uint64_t count, uint64_t align) {
  struct impossible r = {m, count, align};
  struct measured out[MEASURE_FIGURES];
  char text[64];
  measure_run(1, round_impossible, &r, out);
  snprintf(text, sizeof text, "no %s, %llu GiB", what, (unsigned long long)gib);
  measure_print_row(text, 1, &out[0], 10);
}

/* One frame of every group is taken in one pass; none is left in the next. */
static void group_impossible(void) {
  static const uint64_t sizes[] = {1, 16, 256, 4096};
  for (unsigned i = 0; i < 4; i++) {
    struct machine *m = machine_create(sizes[i], 0);
    uint64_t base = m->region.start / FRAME_SIZE;
    struct frame_limits at = {0};
    pfn_t f;
    uint64_t step = sizes[i] > 256 ? FRAMES_PER_1G : FRAMES_PER_2M; /* Records cost memory of the host's once written. */
    for (uint64_t frame = base + 77; frame < base + m->frames; frame += step) {
      at.min = frame;
      at.max = frame + 1;
      must(pmm_alloc_run(m->h.pmm, OWNER, 0, 1, &at, &f) == OK, "a frame was refused");
    }
    row_impossible(m, "1 GiB", sizes[i], FRAMES_PER_1G, FRAMES_PER_1G);
    row_impossible(m, "run of one frame too many", sizes[i], step, 1);
    if (step == FRAMES_PER_2M) {
      row_impossible(m, "2 MiB", sizes[i], FRAMES_PER_2M, FRAMES_PER_2M);
      fill_up(m);
      row_impossible(m, "4 KiB", sizes[i], 1, 1);
    }
    machine_destroy(m);
  }
}

/* --- the only free block -------------------------------------------------------------------------------------------- */

static void group_only(void) {
  struct machine *m = machine_create(256, 0);
  struct dice d = dice_of(SOME_SEED);
  uint64_t base = m->region.start / FRAME_SIZE, found = 0, ns = 0;
  fill_up(m);
  for (unsigned i = 0; i < 1000; i++) {
    uint64_t block = base + dice_below(&d, m->frames / FRAMES_PER_2M) * FRAMES_PER_2M;
    for (uint64_t j = 0; j < FRAMES_PER_2M; j++) give(m, block + (j * 37 + i) % FRAMES_PER_2M);
    struct frame_limits where = {.align = FRAMES_PER_2M};
    pfn_t f = {0};
    uint64_t began = measure_ticks();
    found += pmm_alloc_run(m->h.pmm, OWNER, 0, FRAMES_PER_2M, &where, &f) == OK && f.raw == block;
    ns += measure_ticks() - began;
  }
  double mean = (double)ns * measure_tick_ns() / 1000 - measure_clock_cost_ns();
  measure_print_note("the only free 2 MiB block, freed frame by frame, 256 GiB",
                     "found %llu of 1000 times, %.0f ns (floor: all, 1000 ns)", (unsigned long long)found, mean);
  machine_destroy(m);
}

/* --- fragmentation -------------------------------------------------------------------------------------------------- */

#define CHURN_GIB 8
#define CHURNS    100

/* What a pair of LLFree's costs in that churn, in A: 269 and 489 ns where A is 5 ns (research, best build). */
#define LLFREE_BATCH_A       (269 / 5.0)
#define LLFREE_ONE_FOR_ONE_A (489 / 5.0)

/* All frames taken singly, a random part of them freed. */
static uint64_t churn_begin(struct machine *m, struct dice *d, unsigned free_percent) {
  uint64_t *live = m->list[0], n = m->frames * (100 - free_percent) / 100;
  for (uint64_t i = 0; i < m->frames; i++) live[i] = take(m);
  shuffle(d, live, m->frames);
  for (uint64_t i = n; i < m->frames; i++) give(m, live[i]);
  return n;
}

/* A fifth of what LLFree's pair costs: the median over the churns is judged, for a neighbour may be slow for seconds. */
static void row_churn(unsigned free_percent, bool is_batch, uint64_t possible, double floor) {
  static double pair_ns[CHURNS];
  struct machine *m = machine_create(CHURN_GIB, CHURN_GIB * PER_GIB);
  struct dice d = dice_of(SOME_SEED);
  uint64_t *live = m->list[0], n = churn_begin(m, &d, free_percent), part = n / 10;
  must(part > 0, "nobody to replace");
  for (unsigned c = 0; c < CHURNS; c++) {
    for (uint64_t i = 0; i < part; i++) { /* The victims of this churn go to the front of the list. */
      uint64_t j = i + dice_below(&d, n - i), swap = live[i];
      live[i] = live[j];
      live[j] = swap;
    }
    uint64_t began = measure_now_ns();
    for (uint64_t i = 0; i < part; i++) {
      give(m, live[i]);
      if (!is_batch) live[i] = take(m);
    }
    for (uint64_t i = 0; is_batch && i < part; i++) live[i] = take(m);
    pair_ns[c] = (double)(measure_now_ns() - began) / (double)part;
  }
  struct measured pair = measure_of(pair_ns, CHURNS);
  struct pmm_stats s;
  char what[64];
  pmm_stats_read(m->h.pmm, &s);
  snprintf(what, sizeof what, "2 MiB blocks after churn, %u %% free, %s", free_percent, is_batch ? "batch" : "one-for-one");
  measure_print_note(what, "%llu of %llu = %.1f %% (floor %.0f %%)", (unsigned long long)s.free_2m,
                     (unsigned long long)possible, 100.0 * (double)s.free_2m / (double)possible, floor);
  snprintf(what, sizeof what, "a pair of that churn, %u %% free, %s", free_percent, is_batch ? "batch" : "one-for-one");
  measure_print_row(what, 1, &pair, is_batch ? LLFREE_BATCH_A / 5 : LLFREE_ONE_FOR_ONE_A / 5);
  machine_destroy(m);
}

static void group_churn(void) {
  row_churn(50, true, 2048, 99);
  row_churn(50, false, 2048, 97);
  row_churn(10, true, 409, 90);
  row_churn(10, false, 409, 90);
}

/* --- runs with limits ----------------------------------------------------------------------------------------------- */

struct limited {
  struct machine *m;
  struct frame_limits where;
};

static void round_limited(struct worker *w) {
  struct limited *l = w->context;
  pfn_t f = {0};
  measure_begin(w);
  for (unsigned i = 0; i < 5000; i++) {
    must(pmm_alloc_run(l->m->h.pmm, OWNER, 0, 48, &l->where, &f) == OK, "a run was refused");
    give_run(l->m, f.raw, 48);
  }
  measure_end(w, 0, 5000);
}

static void group_runs(void) {
  struct machine *m = machine_create(16, 0);
  struct dice d = dice_of(SOME_SEED);
  uint64_t base = m->region.start / FRAME_SIZE;
  fill_up(m);
  for (uint64_t f = base; f < base + m->frames; f += 64) {
    if (dice_one_in(&d, 2)) give_run(m, f, 64);
  }
  struct limited any = {m, {0}}, low = {m, {base, base + m->frames / 2, 16, 256}};
  struct measured without[MEASURE_FIGURES], with[MEASURE_FIGURES];
  measure_run(1, round_limited, &any, without);
  measure_run(1, round_limited, &low, with);
  measure_print_row("run of 48 frames, alloc + free", 1, &without[0], 0);
  measure_print_row("the same with limits, alignment, boundary (2 times that)", 1, &with[0], 2 * without[0].ratio);
  machine_destroy(m);
}

/* All of memory taken, and in every 128 KiB a stretch freed that begins and ends anywhere. */
static void make_crumbs(struct machine *m) {
  struct dice d = dice_of(SOME_SEED);
  const uint64_t base = m->region.start / FRAME_SIZE;
  fill_up(m);
  for (uint64_t at = base; at < base + m->frames; at += 32) {
    const uint64_t first = dice_below(&d, 31), count = dice_between(&d, 1, 31 - first);
    give_run(m, at + first, count);
  }
}

/* Fills what is left with aligned runs of 256 KiB, then 128, .., until nothing is left; nanoseconds a run. */
static void row_ever_smaller(uint64_t gib) {
  struct machine *m = machine_create(gib, 0);
  uint64_t runs = 0;
  pfn_t f;
  char what[64];
  make_crumbs(m);
  const uint64_t began = measure_now_ns();
  for (uint64_t count = 64; count > 0; count /= 2) {
    struct frame_limits where = {.align = count};
    while (pmm_alloc_run(m->h.pmm, OWNER, 0, count, &where, &f) == OK) runs++;
  }
  const double ns = (double)(measure_now_ns() - began) / (double)runs;
  snprintf(what, sizeof what, "ever smaller aligned runs until %llu GiB are full", (unsigned long long)gib);
  measure_print_note(what, "%.0f ns a run = %.1f A", ns, ns / measure_a());
  machine_destroy(m);
}

static void group_smaller(void) {
  row_ever_smaller(1);
  row_ever_smaller(4);
  if (!engine) row_ever_smaller(64);
}

/* --- tails ---------------------------------------------------------------------------------------------------------- */

static int by_number(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static void print_tail(const char *what, uint64_t *ticks, uint64_t n) {
  double tick = measure_tick_ns(), cost = measure_clock_cost_ns();
  qsort(ticks, n, sizeof *ticks, by_number);
  uint64_t at50 = ticks[n / 2], at99 = ticks[n / 100 * 99], at999 = ticks[n / 1000 * 999];
  double p999 = (double)at999 * tick - cost;
  measure_print_note(what, "p50 %.0f  p99 %.0f  p99.9 %.0f ns = %.0f A (floor 60 A)", (double)at50 * tick - cost,
                     (double)at99 * tick - cost, p999, p999 / measure_a());
}

static void group_tail(void) {
  struct machine *m = machine_create(8, 8 * PER_GIB);
  uint64_t n = m->frames / 2, *list = m->list[0], *ticks = calloc(n, sizeof *ticks);
  must(ticks != NULL, "no memory");
  struct dice d = dice_of(SOME_SEED);
  for (unsigned pass = 0; pass < 2; pass++) { /* The first one touches the records' pages. */
    for (uint64_t i = 0; i < n; i++) {
      uint64_t began = measure_ticks();
      list[i] = take(m);
      ticks[i] = measure_ticks() - began;
    }
    if (pass == 1) print_tail("4 KiB, fill, single operations", ticks, n);
    shuffle(&d, list, n);
    for (uint64_t i = 0; i < n; i++) {
      uint64_t began = measure_ticks();
      give(m, list[i]);
      ticks[i] = measure_ticks() - began;
    }
    if (pass == 1) print_tail("4 KiB, free in random order, single operations", ticks, n);
  }
  free(ticks);
  machine_destroy(m);
}

/* --- start and metadata --------------------------------------------------------------------------------------------- */

static void round_start(struct worker *w) {
  struct machine *m = w->context;
  struct pmm *p;
  measure_begin(w);
  must(pmm_create(m->h.metadata, pmm_records_at(m->h.records, m->h.records_size / PMM_RECORD_SIZE), &m->region, 1, NULL, 0,
                  &p) == OK,
       "no instance");
  measure_end(w, 0, 1);
}

static void choose(const struct engine *e) { must(engine_choose(e ? e->name : "tier", NULL, 0) == OK, "no such engine"); }

static void group_start(void) {
  static const struct {
    uint64_t gib;
    double ms; /* Floor; 0 for none. */
  } sizes[] = {{1, 0}, {16, 0}, {64, 0}, {1024, 1}, {4096, 2.7}};
  struct measured out[MEASURE_FIGURES];
  const unsigned cpus = (unsigned)bits_min((uint64_t)sysconf(_SC_NPROCESSORS_ONLN), SLOT_MAX);
  slots_play_count(cpus); /* As the kernel, which has a slot for each CPU that there is. */
  for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const unsigned long long gib = sizes[i].gib;
    char what[64];
    if (engine == &engine_buddy && gib > 1024) continue; /* 36 GiB of it. */
    struct machine *m = machine_create(gib, 0);
    choose(engine);
    measure_run(1, round_start, m, out);
    choose(NULL);
    snprintf(what, sizeof what, sizes[i].ms != 0 ? "start of %llu GiB (floor: %.1f ms)" : "start of %llu GiB", gib,
             sizes[i].ms);
    measure_print_row(what, 1, &out[0], sizes[i].ms * 1e6 / measure_a());
    snprintf(what, sizeof what, "bitmaps and tiers, bytes a GiB, of %llu GiB", gib);
    measure_print_note(what, gib < 16 ? "%llu with %u CPUs" : "%llu with %u CPUs (floor 35328)",
                       (unsigned long long)(m->h.metadata_size / gib), cpus);
    machine_destroy(m);
  }
  slots_play_count(0);
}

int main(int argc, char **argv) {
  static const struct {
    const char *name, *heading;
    void (*run)(void);
  } groups[] = {
      {"hot", "hot pairs, 16 GiB", group_hot},
      {"fill", "single frames, 16 GiB", group_fill},
      {"blocks", "2 MiB blocks, 16 GiB", group_blocks},
      {"full", "nearly full", group_full},
      {"impossible", "requests that cannot be met", group_impossible},
      {"only", "the only one left", group_only},
      {"churn", "fragmentation, 8 GiB, all frames single, 10 % of the live ones replaced 100 times", group_churn},
      {"runs", "runs, 16 GiB, every second 256 KiB taken at random", group_runs},
      {"smaller", "aligned runs of 256 KiB, then 128, .. until nothing is left", group_smaller},
      {"tail", "tails, 8 GiB", group_tail},
      {"start", "start and metadata", group_start},
  };
  static const char *const columns[] = {"tier", "buddy", "flat"};
  static const struct engine *const engines[] = {NULL, &engine_buddy, &engine_flat};
  const unsigned column_count = argc > 2 && strcmp(argv[2], "tier") == 0 ? 1 : 3;
  measure_sample_a();
  printf("rounds: %u; under \"x\" how many times as much it costs with another engine in the tiers' place\n",
         measure_rounds());
  for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
    if (argc > 1 && !strstr(groups[i].name, argv[1])) continue;
    measure_table_begin(groups[i].heading, columns, column_count);
    for (unsigned c = 0; c < column_count; c++) {
      engine = engines[c];
      measure_table_column(c);
      groups[i].run();
    }
    measure_table_end();
  }
  free(shuffled);
  printf("\nA = %.2f ns: an uncontended lock xadd on a hot line, median over all rounds\n", measure_a());
  return 0;
}
