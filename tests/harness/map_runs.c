/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/map_runs.c — see map_runs.h.
 *
 * Everything is asked for until it is refused, and has to be as many as the oracle counts.  What was given is not written
 * down: the oracle knows which frames these must have been, and each of them is given back by its name.  A frame that was
 * handed out twice, or is not one of these, leaves one that cannot be given back.
 */
#include "map_runs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/check.h"
#include "mm/ledger.h"

#define BLOCK         UINT64_C(512)
#define GIG           (UINT64_C(512) * 512)
#define CHECKED_MAX   (UINT64_C(1) << 22) /* Frames that mm_check looks at. */
#define FRAMES_IN(by) (UINT64_C(by) >> 12)

struct judge {
  const struct hosted *h;
  struct pmm *p;
  struct map_free f;
  uint64_t most;
  struct map_runs out;
};

static const struct frame_limits anywhere = {0}, whole_block = {.align = BLOCK}, whole_gig = {.align = GIG};

[[gnu::format(printf, 2, 3)]] static bool wrong(struct judge *j, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (j->out.is_sound) vsnprintf(j->out.wrong, sizeof j->out.wrong, format, args);
  va_end(args);
  j->out.is_sound = false;
  return false;
}

static bool judge_sums(struct judge *j, const char *when, uint64_t free_frames) {
  struct mm_check_report report;
  struct ledger l;
  ledger_read(j->p, &l);
  if (!ledger_balances(&l))
    return wrong(j, "%s: the ledger has %llu of %llu", when, (unsigned long long)l.sum, (unsigned long long)l.total);
  if (l.frames[FRAME_OWNER_FREE] != free_frames)
    return wrong(j, "%s: %llu frames are free, not %llu", when, (unsigned long long)l.frames[FRAME_OWNER_FREE],
                 (unsigned long long)free_frames);
  return mm_check(j->p, CHECKED_MAX, &report) || wrong(j, "%s: %s", when, report.text);
}

static bool judge_statistics(struct judge *j) {
  struct pmm_stats s;
  pmm_stats_read(j->p, &s);
  const uint64_t longest = map_free_longest(&j->f, &anywhere);
  bool is_same = s.free_frames == j->f.frames && s.largest_free_run == longest && s.free_2m == j->out.blocks &&
                 s.free_1g == j->out.gigs;
  return is_same || wrong(j, "%llu frames, %llu in a row, 2 MiB %llu, 1 GiB %llu; the map has %llu, %llu, %llu, %llu",
                          (unsigned long long)s.free_frames, (unsigned long long)s.largest_free_run,
                          (unsigned long long)s.free_2m, (unsigned long long)s.free_1g, (unsigned long long)j->f.frames,
                          (unsigned long long)longest, (unsigned long long)j->out.blocks, (unsigned long long)j->out.gigs);
}

/* --- all at once ---------------------------------------------------------------------------------------------------- */

/* Asks for frames of one size until there are none; they have to be so many. */
static bool take_all(struct judge *j, uint64_t size, uint64_t due) {
  const struct frame_limits where = {.align = size};
  uint64_t n = 0;
  status_t s = OK;
  pfn_t at;
  while (s == OK && n <= due) {
    s = size == 1 ? pmm_alloc_frame(j->p, FRAME_OWNER_TEST, 0, &at)
                  : pmm_alloc_run(j->p, FRAME_OWNER_TEST, 0, size, &where, &at);
    n += s == OK;
  }
  j->out.refusals++;
  return (n == due && s == ERR_NO_MEMORY) ||
         wrong(j, "of pieces of %llu frames %llu were handed out, then %s, and there are %llu", (unsigned long long)size,
               (unsigned long long)n, status_name(s), (unsigned long long)due);
}

static bool give(struct judge *j, uint64_t first, uint64_t count) {
  const status_t s = pmm_free_run(j->p, FRAME_OWNER_TEST, pfn(first), count);
  return s == OK || wrong(j, "%llu frames at %#llx should have been handed out and cannot be given back: %s",
                          (unsigned long long)count, (unsigned long long)first, status_name(s));
}

/* Gives back what lies in [first, end), in pieces of one size, where all of it was handed out so. */
static bool give_pieces(struct judge *j, uint64_t first, uint64_t end, uint64_t size) {
  for (; first < end; first += size) {
    if (!give(j, first, size)) return false;
  }
  hosted_forget_records(j->h, first, end - first);
  return true;
}

/* A run: the part in whole pieces of sizes[0] as such, what is left on both sides in the next smaller ones. */
static bool give_run(struct judge *j, uint64_t first, uint64_t end, const uint64_t *sizes) {
  const uint64_t low = (first + *sizes - 1) / *sizes * *sizes, high = end / *sizes * *sizes;
  if (first == end) return true;
  if (low >= high) return give_run(j, first, end, sizes + 1);
  return give_pieces(j, low, high, *sizes) && (low == first || give_run(j, first, low, sizes + 1)) &&
         (high == end || give_run(j, high, end, sizes + 1));
}

static bool give_all(struct judge *j, const uint64_t *sizes) {
  for (size_t i = 0; i < j->f.count; i++) {
    if (!give_run(j, j->f.runs[i].first, j->f.runs[i].end, sizes)) return false;
  }
  return true;
}

/* Every frame at the same time: first all of 1 GiB, then of 2 MiB, then one by one. */
static bool judge_every_frame(struct judge *j) {
  static const uint64_t sizes[] = {GIG, BLOCK, 1};
  const uint64_t blocks = j->out.blocks - j->out.gigs * BLOCK;
  if (!take_all(j, GIG, j->out.gigs) || !take_all(j, BLOCK, blocks)) return false;
  if (!take_all(j, 1, j->f.frames - j->out.gigs * GIG - blocks * BLOCK)) return false;
  if (!judge_sums(j, "with every frame taken", 0) || !give_all(j, sizes)) return false;
  j->out.frames = j->f.frames;
  return judge_sums(j, "with every frame back", j->f.frames);
}

/* All 2 MiB frames, those too that a 1 GiB frame would have. */
static bool judge_blocks(struct judge *j) {
  if (!take_all(j, BLOCK, j->out.blocks)) return false;
  for (size_t i = 0; i < j->f.count; i++) {
    const uint64_t low = (j->f.runs[i].first + BLOCK - 1) / BLOCK * BLOCK, high = j->f.runs[i].end / BLOCK * BLOCK;
    if (low < high && !give_pieces(j, low, high, BLOCK)) return false;
  }
  return judge_sums(j, "with every 2 MiB frame back", j->f.frames);
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

static const struct frame_limits limits[] = {
    {0},
    {.max = FRAMES_IN(1) << 32},
    {.max = UINT64_C(1) << 20},                                            /* Below 4 GiB, */
    {.max = UINT64_C(1) << 12},                                            /* below 16 MiB, */
    {.min = UINT64_C(1) << 20},                                            /* above 4 GiB. */
    {.align = 16},                                                         /* 64 KiB, */
    {.align = BLOCK},                                                      /* 2 MiB, */
    {.align = GIG},                                                        /* 1 GiB. */
    {.boundary = 16},                                                      /* 64 KiB, */
    {.boundary = UINT64_C(1) << 12},                                       /* 16 MiB, */
    {.boundary = UINT64_C(1) << 20},                                       /* 4 GiB. */
    {.max = UINT64_C(1) << 20, .align = 4, .boundary = UINT64_C(1) << 14}, /* All of it. */
    {.min = UINT64_C(1) << 12, .max = UINT64_C(1) << 22, .align = 64, .boundary = GIG},
};
static const uint64_t counts[] = {2, 3, 17, 100, BLOCK - 1, BLOCK, BLOCK + 1, 8192 + 1, GIG, GIG + 1};

static bool alloc(struct judge *j, uint64_t count, const struct frame_limits *w, status_t due, uint64_t place) {
  pfn_t at = pfn(UINT64_MAX);
  const status_t s = pmm_alloc_run(j->p, FRAME_OWNER_TEST, 0, count, w, &at);
  j->out.runs += due == OK;
  j->out.refusals += due != OK;
  if (s == due && (s != OK || at.raw == place)) return true;
  return wrong(j, "a run of %llu (min %#llx, max %#llx, align %llu, boundary %llu): %s at %#llx instead of %s at %#llx",
               (unsigned long long)count, (unsigned long long)w->min, (unsigned long long)w->max,
               (unsigned long long)w->align, (unsigned long long)w->boundary, status_name(s), (unsigned long long)at.raw,
               status_name(due), (unsigned long long)place);
}

/* The longest run there is, and none that is longer. */
static bool judge_longest(struct judge *j, const struct frame_limits *w) {
  const uint64_t longest = map_free_longest(&j->f, w);
  uint64_t at;
  pmm_drain(j->p); /* Runs come from the top, of what no slot keeps: blocks that were given back may be kept. */
  if (longest > 0) {
    if (!map_free_highest(&j->f, longest, w, UINT64_MAX, &at)) return wrong(j, "the oracle contradicts itself");
    if (!alloc(j, longest, w, OK, at) || !give(j, at, longest)) return false;
    hosted_forget_records(j->h, at, longest);
  }
  return longest == w->boundary || alloc(j, longest + 1, w, ERR_NO_MEMORY, 0);
}

/* Whole blocks and gigs are taken where it is cheapest, not from the top. */
static bool is_from_the_top(uint64_t count, const struct frame_limits *w) {
  return !((count == BLOCK || count == GIG) && w->align == count && w->min == 0 && w->max == 0);
}

/* All runs of a sort, each at the highest place there is below those before it; back in the same order. */
static bool judge_sort(struct judge *j, uint64_t count, const struct frame_limits *w) {
  uint64_t below = UINT64_MAX, n = 0, at;
  if (!is_from_the_top(count, w) || (w->boundary != 0 && count > w->boundary)) return true;
  pmm_drain(j->p);
  for (; n < j->most && map_free_highest(&j->f, count, w, below, &at); n++, below = at) {
    if (!alloc(j, count, w, OK, at)) return false;
  }
  if (n < j->most && !alloc(j, count, w, ERR_NO_MEMORY, 0)) return false;
  for (below = UINT64_MAX; n > 0 && map_free_highest(&j->f, count, w, below, &below); n--) {
    if (!give(j, below, count)) return false;
    hosted_forget_records(j->h, below, count);
  }
  return true;
}

static bool judge_runs(struct judge *j) {
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    if (!judge_longest(j, &limits[i])) return false;
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
      if (!judge_sort(j, counts[k], &limits[i])) return false;
    }
  }
  return judge_sums(j, "after all runs", j->f.frames);
}

struct map_runs map_runs_judge(const struct hosted *h, const struct map *m, uint64_t most) {
  struct judge j = {.h = h, .p = h->pmm, .f = map_free_of(m), .most = most, .out = {.is_sound = true}};
  j.out.gigs = map_free_count(&j.f, GIG, &whole_gig, UINT64_MAX);
  j.out.blocks = map_free_count(&j.f, BLOCK, &whole_block, UINT64_MAX);
  (void)(judge_sums(&j, "at the start", j.f.frames) && judge_statistics(&j) && judge_every_frame(&j) && judge_blocks(&j) &&
         judge_runs(&j) && judge_statistics(&j));
  map_free_end(&j.f);
  return j.out;
}
