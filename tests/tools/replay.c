/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/tools/replay.c — asks the questions of a trace (scripts/trace) again: of the tiers, a buddy system, a flat bitmap.
 *
 *   replay FILE         one line an engine: operations, what was refused, what is free in 2 MiB blocks, cost against the
 * tiers replay -x FILE      of the tiers alone, and every answer has to be that of the trace; so has the memory at the end
 *
 * Exit status: 0; 1 when -x finds a difference; 2 for a file that is no trace.  For costs it has to be built as the bench
 * is.
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "replay.h"

/* The bytes of a file, for as long as the program runs; NULL when it cannot be read. */
static const char *map_file(const char *path, size_t *n) {
  struct stat about;
  const int f = open(path, O_RDONLY | O_CLOEXEC);
  if (f < 0 || fstat(f, &about) != 0 || about.st_size <= 0) return NULL;
  *n = (size_t)about.st_size;
  const char *text = mmap(NULL, *n, PROT_READ, MAP_PRIVATE, f, 0);
  close(f);
  return text == MAP_FAILED ? NULL : text;
}

/* Of the free memory, how much could be 2 MiB; in tenths of a percent. */
static double whole_share(const struct pmm_stats *s) {
  const uint64_t whole = s->free_2m * FRAMES_PER_2M;
  return s->free_frames == 0 ? 0 : 100.0 * (double)whole / (double)s->free_frames;
}

static double cost(const struct replay_result *r) { return r->operations ? (double)r->ns / (double)r->operations : 0; }

/* A few times, for the least disturbed one; all else is the same each time. */
static bool run(const struct replay *r, const struct engine *e, struct replay_result *out) {
  struct replay_result again;
  if (!replay_run(r, e, out)) return false;
  for (unsigned i = 0; i < 4; i++) {
    if (!replay_run(r, e, &again)) return false;
    if (again.ns < out->ns) out->ns = again.ns;
  }
  return true;
}

static int compare(const struct replay *r) {
  static const struct engine *const engines[] = {NULL, &engine_buddy, &engine_flat};
  struct replay_result tier = {0}, result;
  printf("%zu records of %u node%s, recorded with %s, %llu lost\n", r->record_count, r->node_count,
         r->node_count == 1 ? "" : "s", r->engine, (unsigned long long)r->lost);
  printf("%-6s %10s %9s %9s %11s %10s %12s %7s\n", "", "operations", "refused", "of these", "free 2 MiB", "of what",
         "ns each", "x tier");
  printf("%-6s %10s %9s %9s %11s %10s %12s %7s\n", "", "", "", "alone", "blocks", "is free", "at best", "");
  for (size_t i = 0; i < sizeof engines / sizeof *engines; i++) {
    if (!run(r, engines[i], &result)) {
      fprintf(stderr, "replay: this memory cannot be built here\n");
      return 2;
    }
    if (i == 0) tier = result;
    printf("%-6s %10llu %9llu %9llu %11llu %8.1f %% %12.1f %7.2f\n", engines[i] ? engines[i]->name : "tier",
           (unsigned long long)result.operations, (unsigned long long)result.refused,
           (unsigned long long)result.refused_alone, (unsigned long long)result.stats.free_2m, whole_share(&result.stats),
           cost(&result), cost(&result) / cost(&tier));
  }
  return 0;
}

static int demand(const struct replay *r) {
  struct replay_result result;
  if (!replay_run(r, NULL, &result)) {
    fprintf(stderr, "replay: this memory cannot be built here\n");
    return 2;
  }
  const bool is_exact = replay_is_exact(r, &result);
  printf("replay %s: %llu operations, %llu differ, digest %016llx, recorded %016llx, %llu lost\n",
         is_exact ? "exact" : "differs", (unsigned long long)result.operations, (unsigned long long)result.differing,
         (unsigned long long)result.digest[0], (unsigned long long)r->nodes[0].digest, (unsigned long long)r->lost);
  if (result.differing > 0) printf("the first is record %llu\n", (unsigned long long)result.first_differing);
  return is_exact ? 0 : 1;
}

int main(int argc, char **argv) {
  const bool is_demand = argc == 3 && strcmp(argv[1], "-x") == 0;
  struct replay r;
  char problem[80];
  size_t n = 0;
  if (argc != 2 && !is_demand) {
    fprintf(stderr, "usage: replay [-x] FILE\n");
    return 2;
  }
  const char *text = map_file(argv[argc - 1], &n);
  if (!text || !replay_read(&r, text, n, problem, sizeof problem)) {
    fprintf(stderr, "replay: %s: %s\n", argv[argc - 1], text ? problem : "cannot be read");
    return 2;
  }
  const int status = is_demand ? demand(&r) : compare(&r);
  replay_free(&r);
  return status;
}
