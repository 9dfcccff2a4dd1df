/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/tools/memmap.c — what scripts/memmap runs: a map file through canonicaliser, allocator and ledger; one line a file.
 *
 * Exit status: 0 when all is well; 1 when the allocator did something wrong; 2 for a file that cannot be read; 3 when all is
 * well but for a file that is no map, or a map without usable memory.  Of maps above 512 GiB parts are swept, and the line
 * says so; with -q, above 192 GiB.
 */
#include <stdio.h>
#include <string.h>

#include "lib/format.h"
#include "sweep.h"

/* What one may want to know about a map that is odd but usable. */
static void print_oddities(const struct map *m, const struct memmap_report *r) {
  const struct {
    uint64_t count;
    const char *text;
  } oddities[] = {
      {r->unsorted, "unsorted"},
      {r->overlapping, "overlapping"},
      {r->empty, "empty"},
      {r->wrapping, "wrapping"},
      {r->unaligned, "unaligned"},
      {r->unknown_type, "of unknown type"},
      {m->bad_lines, "lines not understood"},
  };
  const char *separator = " (";
  for (size_t i = 0; i < sizeof oddities / sizeof *oddities; i++) {
    if (oddities[i].count == 0) continue;
    printf("%s%llu %s", separator, (unsigned long long)oddities[i].count, oddities[i].text);
    separator = ", ";
  }
  if (separator[0] == ',') putchar(')');
}

static void print_sweep(const struct hosted *h, const struct sweep_result *r) {
  struct pmm_stats stats;
  char ram[12], largest[12];
  pmm_stats_read(h->pmm, &stats);
  printf("%zu regions, %s RAM, largest free block %s, ", h->region_count, format_size(ram, stats.total_frames * FRAME_SIZE),
         format_size(largest, r->largest_free * FRAME_SIZE));
  if (r->swept < r->general) printf("%llu of ", (unsigned long long)r->swept);
  printf("%llu frames allocated and returned, %s", (unsigned long long)r->general, r->is_sound ? "balanced" : r->wrong);
}

/* What an answer means for the exit status; the gravest of all files counts. */
enum answer { ANSWER_GOOD, ANSWER_WRONG, ANSWER_UNREADABLE, ANSWER_NO_MEMORY };

/* Everything a frame can do, on the instance that a map makes. */
static enum answer answer_about_memory(const struct canon *c, const struct sweep_plan *plan) {
  struct hosted h = hosted_create(c->regions, c->count, NULL, 0);
  enum answer answer = ANSWER_NO_MEMORY;
  if (h.pmm) {
    struct sweep_result r = sweep_map(&h, plan);
    print_sweep(&h, &r);
    answer = r.is_sound ? ANSWER_GOOD : ANSWER_WRONG;
  } else if (h.status == ERR_NO_MEMORY) {
    printf("%zu regions, more RAM than this program can hold bitmaps for", c->count);
  } else {
    printf("%zu regions, no memory that could be handed out", c->count);
  }
  hosted_destroy(&h);
  return answer;
}

static enum answer answer_about_map(const struct map *m, const struct sweep_plan *plan) {
  if (m->count == 0) {
    printf("no memory map: not one descriptor in it");
    print_oddities(m, &(struct memmap_report){0});
    return ANSWER_NO_MEMORY;
  }
  struct canon c = canon_of(m, NULL, 0);
  size_t bad = 0;
  enum answer answer = ANSWER_WRONG;
  if (c.status != OK && c.status != ERR_NOT_FOUND) {
    printf("cannot be made canonical: %s", status_name(c.status));
  } else if (memmap_check(c.regions, c.count, &bad) != OK) {
    printf("region %zu is not canonical", bad);
  } else if (c.status == ERR_NOT_FOUND) {
    printf("%zu regions, no usable memory in %zu descriptors", c.count, m->count);
    answer = ANSWER_NO_MEMORY;
  } else {
    answer = answer_about_memory(&c, plan);
  }
  print_oddities(m, &c.report);
  canon_free(&c);
  return answer;
}

static enum answer answer_about_file(const char *path, const struct sweep_plan *plan) {
  struct map m;
  if (!map_read(path, &m)) return ANSWER_UNREADABLE;
  printf("%s: ", m.name);
  fflush(stdout);
  enum answer answer = answer_about_map(&m, plan);
  printf("\n");
  map_free(&m);
  return answer;
}

int main(int argc, char **argv) {
  const struct sweep_plan *plan = &sweep_complete;
  enum answer worst = ANSWER_GOOD;
  if (argc < 2) {
    fprintf(stderr, "usage: memmap [-q] FILE...\n");
    return ANSWER_UNREADABLE;
  }
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "-q") == 0) {
      plan = &sweep_quick;
      continue;
    }
    enum answer answer = answer_about_file(argv[i], plan);
    if (worst == ANSWER_GOOD || (answer != ANSWER_GOOD && answer < worst)) worst = answer;
  }
  return (int)worst;
}
