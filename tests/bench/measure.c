/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/bench/measure.c — see measure.h. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "measure.h"

#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define A_OPS     200000
#define A_SAMPLES 4096

static double a_samples[A_SAMPLES];
static size_t a_count;

/* --- clocks --------------------------------------------------------------------------------------------------------- */

uint64_t measure_now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

uint64_t measure_ticks(void) { return __builtin_readcyclecounter(); }

double measure_tick_ns(void) {
  static double tick;
  if (tick != 0) return tick;
  uint64_t ns = measure_now_ns(), ticks = measure_ticks();
  while (measure_now_ns() - ns < 20000000) {}
  tick = (double)(measure_now_ns() - ns) / (double)(measure_ticks() - ticks);
  return tick;
}

/* --- medians -------------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* The value that a share of the samples (in quarters) does not exceed; sorts them. */
static double quartile(double *samples, size_t n, size_t quarters) {
  if (n == 0) return 0;
  qsort(samples, n, sizeof *samples, by_size);
  return samples[(n - 1) * quarters / 4];
}

double measure_clock_cost_ns(void) {
  double samples[1001];
  for (size_t i = 0; i < 1001; i++) {
    uint64_t t = measure_ticks();
    samples[i] = (double)(measure_ticks() - t) * measure_tick_ns();
  }
  return quartile(samples, 1001, 2);
}

/* One round of A: each addition needs the one before, as an allocator's steps do. */
static double time_a(void) {
  static uint64_t line[8] __attribute__((aligned(64)));
  uint64_t sum = 0, began = measure_now_ns();
  for (unsigned i = 0; i < A_OPS; i++) sum += __atomic_fetch_add(&line[0], sum & 1, __ATOMIC_SEQ_CST);
  double ns = (double)(measure_now_ns() - began) / A_OPS;
  if (a_count < A_SAMPLES) a_samples[a_count++] = ns;
  return ns;
}

void measure_sample_a(void) {
  for (unsigned i = 0; i < 9; i++) (void)time_a();
}

double measure_a(void) { return quartile(a_samples, a_count, 2); }

struct measured measure_of(double *ns, size_t count) {
  measure_sample_a();
  return (struct measured){.ns = quartile(ns, count, 2),
                           .low = quartile(ns, count, 1),
                           .high = quartile(ns, count, 3),
                           .ratio = quartile(ns, count, 2) / measure_a()};
}

/* --- rounds --------------------------------------------------------------------------------------------------------- */

static pthread_barrier_t barrier;

struct start {
  struct worker worker;
  void (*round)(struct worker *w);
};

void measure_begin(struct worker *w) {
  if (w->threads > 1) pthread_barrier_wait(&barrier);
  w->began = measure_now_ns();
}

void measure_end(struct worker *w, unsigned figure, uint64_t ops) {
  w->ns[figure] = (double)(measure_now_ns() - w->began) / (double)ops;
}

static void pin(unsigned index) {
  cpu_set_t set;
  long cpus = sysconf(_SC_NPROCESSORS_ONLN);
  CPU_ZERO(&set);
  CPU_SET(index % (size_t)(cpus > 0 ? cpus : 1), &set);
  (void)sched_setaffinity(0, sizeof set, &set); /* Not every host lets us: then the figures are a little wider. */
}

static void *thread_main(void *argument) {
  struct start *s = argument;
  pin(s->worker.index);
  s->round(&s->worker);
  return NULL;
}

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "measure: %s\n", what);
  abort();
}

static void run_round(unsigned threads, void (*round)(struct worker *w), void *context, double ns[MEASURE_FIGURES]) {
  struct start starts[MEASURE_THREADS] = {0};
  pthread_t ids[MEASURE_THREADS];
  must(pthread_barrier_init(&barrier, NULL, threads) == 0, "no barrier");
  for (unsigned i = 0; i < threads; i++) {
    starts[i] = (struct start){{.index = i, .threads = threads, .context = context}, round};
    must(pthread_create(&ids[i], NULL, thread_main, &starts[i]) == 0, "no thread");
  }
  for (unsigned f = 0; f < MEASURE_FIGURES; f++) ns[f] = 0;
  for (unsigned i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    for (unsigned f = 0; f < MEASURE_FIGURES; f++) ns[f] += starts[i].worker.ns[f] / threads;
  }
  pthread_barrier_destroy(&barrier);
}

unsigned measure_rounds(void) {
  const char *wanted = getenv("CAIRN_ROUNDS");
  unsigned long n = wanted ? strtoul(wanted, NULL, 0) : 9;
  return n < 1 ? 1 : n > MEASURE_ROUNDS_MAX ? MEASURE_ROUNDS_MAX : (unsigned)n;
}

void measure_run(unsigned threads, void (*round)(struct worker *w), void *context, struct measured out[MEASURE_FIGURES]) {
  double ns[MEASURE_FIGURES][MEASURE_ROUNDS_MAX], ratios[MEASURE_FIGURES][MEASURE_ROUNDS_MAX];
  unsigned rounds = measure_rounds();
  must(threads <= MEASURE_THREADS, "too many threads");
  for (unsigned r = 0; r < rounds; r++) {
    double figures[MEASURE_FIGURES], a = time_a();
    run_round(threads, round, context, figures);
    for (unsigned f = 0; f < MEASURE_FIGURES; f++) {
      ns[f][r] = figures[f];
      ratios[f][r] = figures[f] / a;
    }
  }
  for (unsigned f = 0; f < MEASURE_FIGURES; f++) {
    out[f] = (struct measured){.ns = quartile(ns[f], rounds, 2),
                               .low = quartile(ns[f], rounds, 1),
                               .high = quartile(ns[f], rounds, 3),
                               .ratio = quartile(ratios[f], rounds, 2)};
  }
}

/* --- the table ------------------------------------------------------------------------------------------------------ */

#define COLUMNS_MAX 3
#define ROWS_MAX    64
#define TEXT_MAX    120

struct row {
  char what[64];
  unsigned threads;
  bool is_note;
  struct {
    bool is_there;
    struct measured m;
    double floor;
    char note[TEXT_MAX];
  } column[COLUMNS_MAX];
};

static struct {
  const char *heading;
  const char *const *columns;
  unsigned column_count, column, row_count;
  struct row rows[ROWS_MAX];
} table;

void measure_print_heading(const char *text) {
  printf("\n%-58s %2s %10s %19s %9s %7s\n", text, "T", "ns", "quartiles", "x A", "floor");
}

void measure_table_begin(const char *heading, const char *const *columns, unsigned count) {
  must(count <= COLUMNS_MAX, "too many columns");
  table.heading = heading;
  table.columns = columns;
  table.column_count = count;
  table.column = table.row_count = 0;
}

void measure_table_column(unsigned index) { table.column = index; }

/* The row of that name, which each column takes for itself. */
static struct row *row_of(const char *what, unsigned threads, bool is_note) {
  for (unsigned i = 0; i < table.row_count; i++) {
    struct row *r = &table.rows[i];
    if (strcmp(r->what, what) == 0 && r->threads == threads && r->is_note == is_note) return r;
  }
  must(table.row_count < ROWS_MAX, "too many rows");
  struct row *r = &table.rows[table.row_count++];
  *r = (struct row){.threads = threads, .is_note = is_note};
  snprintf(r->what, sizeof r->what, "%s", what);
  return r;
}

static void print_figures(const char *what, unsigned threads, const struct measured *m, double floor) {
  char floor_text[16] = "", spread[40];
  if (floor != 0) snprintf(floor_text, sizeof floor_text, "%.1f", floor);
  snprintf(spread, sizeof spread, "%.1f .. %.1f", m->low, m->high);
  printf("%-58s %2u %10.1f %19s %9.1f %7s %-7s", what, threads, m->ns, spread, m->ratio, floor_text,
         floor == 0          ? ""
         : m->ratio <= floor ? "met"
                             : "not met");
}

static void print_row(const struct row *r) {
  print_figures(r->what, r->threads, &r->column[0].m, r->column[0].floor);
  for (unsigned c = 1; c < table.column_count; c++) {
    if (r->column[c].is_there && r->column[0].m.ratio > 0) {
      printf(" %11.2f", r->column[c].m.ratio / r->column[0].m.ratio);
    } else {
      printf(" %11s", "-");
    }
  }
  putchar('\n');
}

static void print_note(const struct row *r) {
  printf("%-58s %s\n", r->what, r->column[0].note);
  for (unsigned c = 1; c < table.column_count; c++)
    if (r->column[c].is_there) printf("%55s:   %s\n", table.columns[c], r->column[c].note);
}

void measure_table_end(void) {
  printf("\n%-58s %2s %10s %19s %9s %7s %-7s", table.heading, "T", "ns", "quartiles", "x A", "floor", "");
  for (unsigned c = 1; c < table.column_count; c++) printf("    %s, x", table.columns[c]);
  putchar('\n');
  for (unsigned i = 0; i < table.row_count; i++) {
    if (table.rows[i].is_note) {
      print_note(&table.rows[i]);
    } else {
      print_row(&table.rows[i]);
    }
  }
  table.column_count = 0;
  fflush(stdout);
}

void measure_print_row(const char *what, unsigned threads, const struct measured *m, double floor) {
  if (table.column_count > 0) {
    struct row *r = row_of(what, threads, false);
    r->column[table.column].is_there = true;
    r->column[table.column].m = *m;
    r->column[table.column].floor = floor;
    return;
  }
  print_figures(what, threads, m, floor);
  putchar('\n');
  fflush(stdout);
}

void measure_print_note(const char *what, const char *format, ...) {
  char text[TEXT_MAX];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (table.column_count > 0) {
    struct row *r = row_of(what, 0, true);
    r->column[table.column].is_there = true;
    snprintf(r->column[table.column].note, TEXT_MAX, "%s", text);
    return;
  }
  printf("%-58s %s\n", what, text);
  fflush(stdout);
}
