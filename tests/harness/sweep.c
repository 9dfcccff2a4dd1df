/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/sweep.c — see sweep.h.
 *
 * Singles first, as many as the plan allows, then runs of falling size until nothing is left in the window.  What came out
 * is sorted: it has to be disjoint, wholly inside general memory, and exactly as many frames as the map has there.
 */
#include "sweep.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"

const struct sweep_plan sweep_quick = {1 << 17, 1 << 24, 3, 1 << 24};
const struct sweep_plan sweep_complete = {1 << 20, 1 << 24, 8, 1 << 24};

struct run {
  uint64_t first, count;
};

struct sweep {
  const struct hosted *h;
  struct run *runs;
  size_t run_count, run_capacity;
  struct sweep_result result;
};

[[gnu::format(printf, 2, 3)]] static bool wrong(struct sweep *s, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (s->result.is_sound) vsnprintf(s->result.wrong, sizeof s->result.wrong, format, args);
  va_end(args);
  s->result.is_sound = false;
  return false;
}

static bool is_general(const struct boot_region *r) {
  return r->kind == BOOT_MEMORY_USABLE || r->kind == BOOT_MEMORY_BOOT_SERVICES || r->kind == BOOT_MEMORY_LOADER;
}

static uint64_t general_between(const struct hosted *h, uint64_t low, uint64_t high) {
  uint64_t frames = 0;
  for (size_t i = 0; i < h->region_count; i++) {
    uint64_t start = bits_max(h->regions[i].start >> 12, low), end = bits_min(h->regions[i].end >> 12, high);
    if (is_general(&h->regions[i]) && start < end) frames += end - start;
  }
  return frames;
}

/* The lowest frame of a window below `high` that holds at most `frames` general frames. */
static uint64_t window_low(const struct hosted *h, uint64_t high, uint64_t frames) {
  for (size_t i = h->region_count; i-- > 0;) {
    uint64_t start = h->regions[i].start >> 12, end = bits_min(h->regions[i].end >> 12, high);
    if (!is_general(&h->regions[i]) || start >= end) continue;
    if (end - start >= frames) return end - frames;
    frames -= end - start;
  }
  return 0;
}

static void note(struct sweep *s, uint64_t first, uint64_t count) {
  if (s->run_count == s->run_capacity) {
    s->run_capacity = s->run_capacity ? 2 * s->run_capacity : 1024;
    struct run *runs = realloc(s->runs, s->run_capacity * sizeof *s->runs);
    if (!runs) abort();
    s->runs = runs;
  }
  s->runs[s->run_count++] = (struct run){first, count};
}

static int by_first(const void *a, const void *b) {
  const struct run *x = a, *y = b;
  return (x->first > y->first) - (x->first < y->first);
}

/* Sorted, the runs have to be disjoint and to lie in general memory; walks runs and regions side by side. */
static bool judge_runs(struct sweep *s, uint64_t expected) {
  uint64_t last_end = 0, total = 0;
  size_t region = 0;
  if (s->run_count > 0) qsort(s->runs, s->run_count, sizeof *s->runs, by_first);
  for (size_t i = 0; i < s->run_count; i++) {
    const struct run *r = &s->runs[i];
    if (r->first < last_end) return wrong(s, "frame %#llx was handed out twice", (unsigned long long)r->first);
    last_end = r->first + r->count;
    total += r->count;
    for (uint64_t at = r->first; at < last_end; at = s->h->regions[region].end >> 12) {
      while (region < s->h->region_count && s->h->regions[region].end >> 12 <= at) region++;
      bool is_good =
          region < s->h->region_count && s->h->regions[region].start >> 12 <= at && is_general(&s->h->regions[region]);
      if (!is_good) return wrong(s, "frame %#llx was handed out and is not ours", (unsigned long long)at);
    }
    while (region > 0 && s->h->regions[region - 1].end >> 12 > last_end) region--;
  }
  if (total == expected) return true;
  return wrong(s, "%llu of %llu frames were handed out", (unsigned long long)total, (unsigned long long)expected);
}

/* Gives back what was taken, the second half before the first so that neighbours do not always meet in order. */
static bool give_back(struct sweep *s, uint64_t *returned) {
  size_t half = s->run_count / 2;
  for (size_t i = 0; i < s->run_count; i++) {
    const struct run *r = &s->runs[i < s->run_count - half ? half + i : i - (s->run_count - half)];
    if (pmm_free_run(s->h->pmm, FRAME_OWNER_TEST, pfn(r->first), r->count) != OK) {
      return wrong(s, "frame %#llx could not be given back", (unsigned long long)r->first);
    }
    *returned += r->count;
    hosted_forget_records(s->h, r->first, r->count);
  }
  s->run_count = 0;
  return true;
}

static bool judge_rest(struct sweep *s, const struct sweep_plan *plan, const char *when) {
  struct mm_check_report report;
  struct ledger ledger;
  ledger_read(s->h->pmm, &ledger);
  if (!ledger_balances(&ledger))
    return wrong(s, "%s: the ledger has %llu frames of %llu", when, (unsigned long long)ledger.sum,
                 (unsigned long long)ledger.total);
  return mm_check(s->h->pmm, plan->checked_max, &report) || wrong(s, "%s: %s", when, report.text);
}

static bool sweep_singles(struct sweep *s, const struct sweep_plan *plan) {
  pfn_t frame;
  uint64_t wanted = bits_min(plan->singles_max, s->result.general);
  while (s->run_count < wanted && pmm_alloc_frame(s->h->pmm, FRAME_OWNER_TEST, 0, &frame) == OK) note(s, frame.raw, 1);
  return judge_runs(s, wanted) && judge_rest(s, plan, "after single frames") && give_back(s, &s->result.singles);
}

static bool sweep_window(struct sweep *s, const struct sweep_plan *plan, uint64_t low, uint64_t high) {
  static const uint64_t counts[] = {1 << 18, 8192 + 1, 512, 17, 3, 1};
  struct frame_limits where = {.min = low, .max = high};
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    pfn_t first;
    while (pmm_alloc_run(s->h->pmm, FRAME_OWNER_TEST, 0, counts[i], &where, &first) == OK) note(s, first.raw, counts[i]);
  }
  return judge_runs(s, general_between(s->h, low, high)) && judge_rest(s, plan, "after runs") &&
         give_back(s, &s->result.swept);
}

/* From the top, window by window; when there are more than the plan allows, as many of them as it does, evenly spread. */
static bool sweep_windows(struct sweep *s, const struct sweep_plan *plan) {
  uint64_t windows = (s->result.general + plan->at_once_max - 1) / plan->at_once_max, high = UINT64_MAX;
  uint64_t wanted = bits_min(windows, plan->windows_max);
  for (uint64_t i = 0; i < windows; i++) {
    uint64_t low = window_low(s->h, high, plan->at_once_max);
    bool is_wanted = i * wanted / windows != (i + 1) * wanted / windows;
    if (is_wanted && !sweep_window(s, plan, low, high)) return false;
    high = low;
  }
  return true;
}

struct sweep_result sweep_map(const struct hosted *h, const struct sweep_plan *plan) {
  struct sweep s = {.h = h, .result = {.is_sound = true}};
  struct pmm_stats stats;
  pmm_stats_read(h->pmm, &stats);
  s.result.general = general_between(h, 0, UINT64_MAX);
  s.result.largest_free = stats.largest_free_run;
  bool ok = stats.free_frames == s.result.general ||
            wrong(&s, "%llu frames are free at the start, not %llu", (unsigned long long)stats.free_frames,
                  (unsigned long long)s.result.general);
  ok = ok && judge_rest(&s, plan, "at the start") && sweep_singles(&s, plan);
  ok = ok && sweep_windows(&s, plan);
  pmm_stats_read(h->pmm, &stats);
  if (ok && stats.free_frames != s.result.general) wrong(&s, "not every frame came back");
  if (ok) judge_rest(&s, plan, "at the end");
  free(s.runs);
  return s.result;
}
