/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/measure.h — timing on the host that can be believed: ratios to an atomic addition in the same round.
 *
 * A row is measured in rounds.  Each round first times A, one uncontended `lock xadd` on a hot line, and then the row
 * itself, so that a neighbour who slows the machine down slows both.  What is printed is the median over the rounds, the
 * quartiles as its spread, and the median of the rounds' ratios.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

#define MEASURE_ROUNDS_MAX 31
#define MEASURE_FIGURES    4 /* One round may time several phases: fill, then free. */
#define MEASURE_THREADS    2

/* One thread of one round. */
struct worker {
  unsigned index, threads;
  void *context;              /* The row's. */
  double ns[MEASURE_FIGURES]; /* Of one operation, by phase; 0 when the phase was not run. */
  uint64_t began;
};

/* What a row's rounds came to. */
struct measured {
  double ns, low, high; /* Median and quartiles. */
  double ratio;         /* Median of ns / A, each of its own round. */
};

/** Rounds of every row: CAIRN_ROUNDS, or 9. */
unsigned measure_rounds(void);
/** Waits for the other threads of the round, then starts the clock. */
void measure_begin(struct worker *w);
/** Stops the clock: `ops` operations of phase `figure` took that long. */
void measure_end(struct worker *w, unsigned figure, uint64_t ops);

/**
 * Runs the rounds: `round` on so many threads at once, each pinned to a CPU of its own as far as there are any.
 * out[i] is the figure of phase i, the mean over the threads.
 */
void measure_run(unsigned threads, void (*round)(struct worker *w), void *context, struct measured out[MEASURE_FIGURES]);

/** What so many samples, in ns, come to; they are sorted.  The ratio is that of their median to measure_a(). */
struct measured measure_of(double *ns, size_t count);

/** Times A a few times more, for figures that are not taken in rounds. */
void measure_sample_a(void);
/** The median of A over all rounds so far, in ns. */
double measure_a(void);

/** Ticks of the finest clock, and what one of them and the reading of the clock take, in ns. */
uint64_t measure_ticks(void);
double measure_tick_ns(void);
double measure_clock_cost_ns(void);
/** Nanoseconds of a clock that only goes forward. */
uint64_t measure_now_ns(void);

/*
 * The table.  A floor of 0 is none.
 *
 * A table that was begun keeps its rows until its end: they are taken once for each column, the first column being the one
 * that the table is about; of the others it shows how many times as much they cost, and what their notes say.
 */
void measure_print_heading(const char *text);
void measure_table_begin(const char *heading, const char *const *columns, unsigned count);
void measure_table_column(unsigned index);
void measure_table_end(void);
void measure_print_row(const char *what, unsigned threads, const struct measured *m, double floor);
void measure_print_note(const char *what, const char *format, ...) PRINTF_LIKE(2, 3);
