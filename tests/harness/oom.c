/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/oom.c — see oom.h. */
#include "oom.h"

#include <stdio.h>
#include <stdlib.h>

#include "mm/pmm.h"

#define POINTS_MAX 100000

static uint64_t calls, fails_at; /* Counted from 1; 0: none fails. */
static bool is_once;             /* One fails, or all from there on. */

static bool is_failing(void) {
  calls++;
  return fails_at != 0 && (is_once ? calls == fails_at : calls >= fails_at);
}

/* The names are the linker's. */
status_t __real_pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out);
status_t __wrap_pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out);
status_t __real_pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                              const struct frame_limits *where, pfn_t *first);
status_t __wrap_pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                              const struct frame_limits *where, pfn_t *first);

status_t __wrap_pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out) {
  return is_failing() ? ERR_NO_MEMORY : __real_pmm_alloc_frame(p, owner, flags, out);
}

status_t __wrap_pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                              const struct frame_limits *where, pfn_t *first) {
  return is_failing() ? ERR_NO_MEMORY : __real_pmm_alloc_run(p, owner, flags, count, where, first);
}

/* What was wrong with the operation when its allocation *point failed; NULL when nothing ever was. */
static const char *try_all(const struct oom_attempt *a, struct oom_points *points, uint64_t *point) {
  for (*point = 1; *point < POINTS_MAX; ++*point) {
    uint64_t before = a->digest(a->context);
    calls = 0;
    fails_at = *point;
    status_t s = a->attempt(a->context);
    bool has_failed = calls >= *point;
    fails_at = 0;
    if (s == OK && a->undo) a->undo(a->context);
    if (!has_failed) return s == OK ? NULL : status_name(s);
    points->failed += s != OK;
    points->survived += s == OK;
    if (s == OK && !a->undo) return NULL; /* It has been done, and cannot be done again. */
    if (s == OK) continue;
    if (s != ERR_NO_MEMORY && s != a->refused) return status_name(s);
    if (a->digest(a->context) != before) return "it has changed something all the same";
  }
  return "it does not end";
}

/* First what can be undone, with one allocation failing; then with all that follow. */
static const char *try_both(const struct oom_attempt *a, struct oom_points *points, uint64_t *point) {
  const char *wrong = NULL;
  is_once = true;
  if (a->undo) wrong = try_all(a, points, point);
  is_once = false;
  return wrong ? wrong : try_all(a, points, point);
}

struct oom_points for_each_oom_point(const struct oom_attempt *a) {
  struct oom_points points = {0};
  uint64_t point;
  const char *wrong = try_both(a, &points, &point);
  if (!wrong) return points;
  fprintf(stderr, "%s, with its allocation %llu failing: %s\n", a->name, (unsigned long long)point, wrong);
  abort();
}

bool oom_is_clean(const struct oom_attempt *a) {
  struct oom_points points = {0};
  uint64_t point;
  return try_both(a, &points, &point) == NULL;
}
