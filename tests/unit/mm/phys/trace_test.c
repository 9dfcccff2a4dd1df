/* SPDX-License-Identifier: BSD-2-Clause */
/* trace_test.c — what was recorded can be written, read and asked again, with the same answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "mm/trace.h"
#include "replay.h"
#include "seed.h"

/* --- text ------------------------------------------------------------------------------------------------------------- */

/* Nobody is no owner of anything, and has a blank for a mark. */
static enum frame_owner any_owner(struct dice *d) {
  const enum frame_owner o = (enum frame_owner)dice_below(d, FRAME_OWNER_COUNT);
  return o == FRAME_OWNER_NONE ? FRAME_OWNER_TEST : o;
}

static struct trace_record any_record(struct dice *d) {
  struct trace_record r = {.op = (enum trace_op)dice_below(d, TRACE_OP_COUNT), .count = 1};
  r.owner = any_owner(d);
  r.node = (uint8_t)dice_below(d, dice_one_in(d, 2) ? 1 : TRACE_NODES_MAX);
  r.slot = (uint16_t)dice_any_size(d, 16);
  if (r.op == TRACE_FRAME || r.op == TRACE_RUN) r.flags = dice_one_in(d, 2) ? 0 : (uint32_t)dice_any_size(d, 32);
  if (dice_one_in(d, 3)) r.status = (int8_t)-dice_between(d, 1, STATUS_COUNT - 1);
  if (r.op == TRACE_GIVE) r.to = any_owner(d);
  if (r.op != TRACE_FRAME) r.count = dice_any_size(d, 64);
  if (r.op == TRACE_RUN)
    r.where = (struct frame_limits){dice_any_size(d, 64), dice_any_size(d, 64), dice_any_size(d, 64), dice_any_size(d, 64)};
  if (r.status == OK || (r.op != TRACE_FRAME && r.op != TRACE_RUN)) r.frame = dice_any_size(d, 64);
  return r;
}

static void a_record_is_the_same_after_text_and_back(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  struct trace_pen out = {0}, in = {0};
  for (unsigned i = 0; i < 100000; i++) {
    struct trace_record r = any_record(&d), back;
    char text[TRACE_TEXT_MAX];
    const size_t n = trace_format(&out, &r, text);
    assert_true(n < TRACE_TEXT_MAX && strlen(text) == n);
    assert_null(strchr(text, ' '));
    assert_int_equal(trace_parse(&in, text, n, &back), OK);
    assert_memory_equal(&r, &back, sizeof r);
  }
}

static void the_longest_record_fits(void **state) {
  (void)state;
  struct trace_pen pen = {0};
  char text[TRACE_TEXT_MAX];
  const struct trace_record r = {.op = TRACE_RUN,
                                 .owner = FRAME_OWNER_TEST,
                                 .node = 31,
                                 .slot = UINT16_MAX,
                                 .flags = UINT32_MAX,
                                 .count = UINT64_MAX,
                                 .frame = UINT64_MAX,
                                 .where = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
  assert_true(trace_format(&pen, &r, text) < TRACE_TEXT_MAX);
}

/* Nothing that comes out of a damaged log is believed, and nothing crashes. */
static void text_that_is_no_record_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"",
                                    "a",
                                    "aT",
                                    "aT:",
                                    "aT:x",
                                    "aT:1 ",
                                    "aT:1!",
                                    "aT:1!5",
                                    "aT!",
                                    "aT!0",
                                    "aT!99",
                                    "qT:1",
                                    "a?:1",
                                    "rT:1",
                                    "rT5:1",
                                    "rT*:1",
                                    "rT*5",
                                    "fT",
                                    "fT!8",
                                    "^",
                                    "^1",
                                    "^20^aT:1",
                                    "@1aT:1",
                                    "@10000@aT:1",
                                    "gT:1",
                                    "gTK",
                                    "aT:11111111111111111",
                                    "aT.:1",
                                    "aT.100000000:1",
                                    "rT*5/:1",
                                    "rT*5<1>1:1",
                                    "aT*5:1"};
  struct trace_pen pen = {0};
  struct trace_record r;
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(trace_parse(&pen, bad[i], strlen(bad[i]), &r), ERR_CORRUPT);
  struct dice d = dice_of(seed_of_run());
  for (unsigned i = 0; i < 100000; i++) {
    char text[24];
    const size_t n = dice_below(&d, sizeof text);
    for (size_t k = 0; k < n; k++) text[k] = "aTrfgbhK*:!^@/%<>.0123f"[dice_below(&d, 23)];
    (void)trace_parse(&pen, text, n, &r);
  }
}

/* --- a machine -------------------------------------------------------------------------------------------------------- */

#define FRAMES UINT64_C(40000)
#define HELD   400

struct text {
  char *bytes;
  size_t n, room;
};

static void keep_text(void *context, const char *bytes, size_t n) {
  struct text *t = context;
  if (t->n + n > t->room) {
    t->room = 2 * (t->n + n);
    char *more = realloc(t->bytes, t->room);
    assert_non_null(more);
    t->bytes = more;
  }
  memcpy(t->bytes + t->n, bytes, n);
  t->n += n;
}

struct run {
  uint64_t first, count;
  enum frame_owner owner;
};

struct busy {
  struct pmm *p;
  struct dice d;
  struct run held[HELD];
  size_t n;
};

static void ask(struct busy *b) {
  static const enum frame_owner owners[] = {FRAME_OWNER_TEST, FRAME_OWNER_KERNEL, FRAME_OWNER_USER};
  struct run r = {.count = 1, .owner = owners[dice_below(&b->d, 3)]};
  struct frame_limits where = {0};
  pfn_t first;
  status_t s;
  if (b->n == HELD) return;
  switch (dice_below(&b->d, 5)) {
  case 0:
    r.count = 1 + dice_any_size(&b->d, 12);
    if (dice_one_in(&b->d, 2)) where.align = UINT64_C(1) << dice_below(&b->d, 12);
    if (dice_one_in(&b->d, 3)) where.max = 256 + dice_below(&b->d, FRAMES);
    if (dice_one_in(&b->d, 3)) where.min = dice_below(&b->d, FRAMES / 2);
    if (dice_one_in(&b->d, 3)) where.boundary = UINT64_C(1) << dice_below(&b->d, 14);
    s = pmm_alloc_run(b->p, r.owner, 0, r.count, dice_one_in(&b->d, 8) ? NULL : &where, &first);
    break;
  case 1:
    r.count = where.align = FRAMES_PER_2M;
    s = pmm_alloc_run(b->p, r.owner, 0, r.count, &where, &first);
    break;
  default:
    s = pmm_alloc_frame(b->p, r.owner, dice_one_in(&b->d, 4) ? PMM_MOVABLE : 0, &first);
  }
  if (s != OK) return;
  r.first = first.raw;
  b->held[b->n++] = r;
}

static void give_back(struct busy *b) {
  if (b->n == 0) return;
  struct run *r = &b->held[dice_below(&b->d, b->n)];
  const uint64_t n = dice_one_in(&b->d, 3) ? 1 + dice_below(&b->d, r->count) : r->count;
  if (dice_one_in(&b->d, 8)) {
    const enum frame_owner to = r->owner == FRAME_OWNER_TEST ? FRAME_OWNER_USER : FRAME_OWNER_TEST;
    assert_int_equal(pmm_give_run(b->p, r->owner, to, pfn(r->first), r->count), OK);
    r->owner = to;
    return;
  }
  const status_t s = n == 1 ? pmm_free_frame(b->p, r->owner, pfn(r->first)) : pmm_free_run(b->p, r->owner, pfn(r->first), n);
  assert_int_equal(s, OK);
  r->first += n;
  r->count -= n;
  if (r->count == 0) *r = b->held[--b->n];
}

static void be_busy(struct busy *b, unsigned steps) {
  pfn_t f;
  for (unsigned i = 0; i < steps; i++) {
    if (dice_below(&b->d, 100) < 55) {
      ask(b);
    } else {
      give_back(b);
    }
    if (i % 97 == 96 && pmm_alloc_frame(b->p, FRAME_OWNER_TEST, 0, &f) == OK) {
      assert_int_equal(pmm_free_frame(b->p, FRAME_OWNER_TEST, f), OK);
      assert_int_equal(pmm_mark_bad(b->p, f), OK);
    }
  }
}

/* Kinds of every fate, a hole, and memory that boot has taken. */
static const struct boot_region map[] = {
    {0x0, 0xa0000, BOOT_MEMORY_LOW, 7, 15},
    {0x100000, 0x1000000, BOOT_MEMORY_USABLE, 7, 15},
    {0x1000000, 0x1200000, BOOT_MEMORY_KERNEL, 2, 15},
    {0x1200000, 0x1210000, BOOT_MEMORY_PAGE_TABLES, 2, 15},
    {0x1210000, 0x4000000, BOOT_MEMORY_BOOT_SERVICES, 4, 15},
    {0x4000000, 0x4100000, BOOT_MEMORY_RUNTIME_DATA, 6, 15},
    {0x8000000, 0xc000000, BOOT_MEMORY_USABLE, 7, 15},
    {0xc000000, 0xc010000, BOOT_MEMORY_UNUSABLE, 8, 15},
};
static const struct pmm_taken taken[] = {{0x2000, 0x2100, FRAME_OWNER_BITMAPS}, {0x9000, 0x9001, FRAME_OWNER_KERNEL}};

/* Records a machine that was busy before, and gave some of what it had been born with away. */
static struct text record(uint64_t seed, uint64_t records, unsigned steps) {
  struct hosted h = hosted_create(map, sizeof map / sizeof *map, taken, 2);
  struct text text = {0};
  struct trace_summary s;
  assert_int_equal(h.status, OK);
  struct busy *b = calloc(1, sizeof *b);
  b->p = h.pmm;
  b->d = dice_of(seed);
  be_busy(b, steps);
  assert_int_equal(pmm_free_run(b->p, FRAME_OWNER_PAGE_TABLES, pfn(0x1204), 3), OK);
  assert_int_equal(pmm_give_run(b->p, FRAME_OWNER_KERNEL_IMAGE, FRAME_OWNER_KERNEL, pfn(0x1010), 5), OK);
  void *memory = aligned_alloc(64, trace_size(records));
  struct trace *t = trace_create(memory, records);
  assert_int_equal(trace_start(t, &h.pmm, 1), OK);
  assert_int_equal(trace_start(t, &h.pmm, 1), ERR_STATE);
  be_busy(b, steps);
  trace_stop(t);
  be_busy(b, 50); /* Of which the trace knows nothing, but what the memory was is gone. */
  trace_read_summary(t, &s);
  assert_true(s.records > steps / 2 || s.lost > 0);
  trace_save(t, keep_text, &text);
  hosted_must_be_sound(&h, "after a trace");
  hosted_destroy(&h);
  free(memory);
  free(b);
  return text;
}

static void the_tiers_give_the_same_answers_again(void **state) {
  (void)state;
  const uint64_t seed = seed_of_run();
  for (unsigned i = 0; i < 4; i++) {
    struct text text = record(seed + i, 20000, 4000);
    struct replay r;
    struct replay_result result;
    char problem[80] = "";
    if (!replay_read(&r, text.bytes, text.n, problem, sizeof problem)) fail_msg("%s", problem);
    assert_true(replay_run(&r, NULL, &result));
    if (result.differing > 0) print_message("operation %llu differs\n", (unsigned long long)result.first_differing);
    assert_int_equal(result.differing, 0);
    assert_true(replay_is_exact(&r, &result));
    assert_true(result.refused_alone == 0 && result.met_alone == 0);
    r.nodes[0].digest++; /* And that is looked at. */
    assert_false(replay_is_exact(&r, &result));
    replay_free(&r);
    free(text.bytes);
  }
}

static void every_engine_can_be_asked(void **state) {
  (void)state;
  static const struct engine *const engines[] = {&engine_buddy, &engine_flat};
  struct text text = record(seed_of_run(), 20000, 4000);
  struct replay r;
  struct replay_result tier, result;
  char problem[80];
  assert_true(replay_read(&r, text.bytes, text.n, problem, sizeof problem));
  assert_true(replay_run(&r, NULL, &tier));
  for (size_t i = 0; i < 2; i++) {
    assert_true(replay_run(&r, engines[i], &result));
    assert_int_equal(result.operations, tier.operations);
    assert_true(result.differing > 0);
    if (result.refused_alone == 0 && result.met_alone == 0)
      assert_int_equal(result.stats.free_frames, tier.stats.free_frames);
  }
  replay_free(&r);
  free(text.bytes);
}

static void a_full_trace_counts_what_it_has_lost(void **state) {
  (void)state;
  struct text text = record(seed_of_run(), 1200, 4000);
  struct replay r;
  struct replay_result result;
  char problem[80];
  assert_true(replay_read(&r, text.bytes, text.n, problem, sizeof problem));
  assert_int_equal(r.record_count, 1200);
  assert_true(r.lost > 0);
  assert_true(replay_run(&r, NULL, &result));
  assert_int_equal(result.differing, 0); /* As far as it goes. */
  assert_false(replay_is_exact(&r, &result));
  replay_free(&r);
  free(text.bytes);
}

static void a_trace_without_room_for_the_start_is_refused(void **state) {
  (void)state;
  struct hosted h = hosted_create(map, sizeof map / sizeof *map, taken, 2);
  struct trace *t = aligned_alloc(64, trace_size(2));
  assert_int_equal(trace_start(trace_create(t, 2), &h.pmm, 1), ERR_FULL);
  assert_int_equal(trace_start(t, &h.pmm, 0), ERR_INVALID);
  trace_stop(t);
  hosted_destroy(&h);
  free(t);
}

/* One byte anywhere. */
static void a_damaged_trace_is_noticed(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  struct text text = record(7, 2000, 300);
  struct replay r;
  char problem[80];
  for (unsigned i = 0; i < 300; i++) {
    const size_t at = dice_below(&d, text.n - 1); /* The last line's end may go. */
    const char was = text.bytes[at];
    text.bytes[at] = (char)(was ^ (char)(1 << dice_below(&d, 7)));
    assert_false(replay_read(&r, text.bytes, text.n, problem, sizeof problem));
    text.bytes[at] = was;
    assert_false(replay_read(&r, text.bytes, at, problem, sizeof problem));
  }
  assert_true(replay_read(&r, text.bytes, text.n, problem, sizeof problem));
  replay_free(&r);
  free(text.bytes);
}

/* --- what a person might have written --------------------------------------------------------------------------------- */

/* A trace of one node of so many frames from 1 MiB on, with such records, whole and with the right sum. */
static bool read_ops(const char *ops, unsigned records, struct replay *r) {
  char text[512], problem[80];
  uint64_t sum = UINT64_C(0xcbf29ce484222325);
  int n = snprintf(text, sizeof text,
                   "cairn-trace 1 engine=tier nodes=1 records=%x lost=0\nregion 0 100 8000 .\nops %s\ndigest 0 0\n", records,
                   ops);
  for (int i = 0; i < n; i++) sum = (sum ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  n += snprintf(text + n, sizeof text - (size_t)n, "end %llx\n", (unsigned long long)sum);
  return replay_read(r, text, (size_t)n, problem, sizeof problem);
}

static void frames_that_change_roles_may_lie_anywhere(void **state) {
  (void)state;
  struct replay r;
  struct replay_result result;
  assert_true(read_ops("hT:7000 hU:7ffe x.7ffe:7000 fT:7000 fU:7ffe", 5, &r));
  assert_true(replay_run(&r, NULL, &result));
  assert_int_equal(result.operations, 3);
  assert_int_equal(result.differing, 2); /* The owners are not who they were. */
  replay_free(&r);
}

/* Its sum is right and its records are records; but no memory is like that. */
static void a_trace_of_what_cannot_be_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"hT10:ffffff!1",  "hT:8000",     "hT7fff:7fff", "hT2:ffffffffffffffff",
                                    "fT:8000",        "fT0:8001",    "gTU:9000",    "b.:8000",
                                    "b.0:8000",       "x.8000:7000", "x.7000:8000", "x.0:8000",
                                    "x.7000:fffffff", "aT:8000",     "rT*2:7fff",   "rT*ffffffffffffffff:7fff",
                                    "hT1:50",         "hT:7000!3",   "d.:0!5",      "x.7000:7001!5"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct replay r;
    struct replay_result result;
    if (!read_ops(bad[i], 1, &r)) continue;
    if (replay_run(&r, NULL, &result)) fail_msg("%s was played", bad[i]);
    replay_free(&r);
  }
  struct replay r;
  struct replay_result result;
  assert_true(read_ops("hT:7000 x.7000:7001 x.50:7000 b.:7ffe b.:7ffe bT:50", 6, &r)); /* What it speaks of is nobody's. */
  assert_true(replay_run(&r, NULL, &result));
  assert_int_equal(result.differing, 4);
  replay_free(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_is_the_same_after_text_and_back),
      cmocka_unit_test(the_longest_record_fits),
      cmocka_unit_test(text_that_is_no_record_is_refused),
      cmocka_unit_test(the_tiers_give_the_same_answers_again),
      cmocka_unit_test(every_engine_can_be_asked),
      cmocka_unit_test(a_full_trace_counts_what_it_has_lost),
      cmocka_unit_test(a_trace_without_room_for_the_start_is_refused),
      cmocka_unit_test(a_damaged_trace_is_noticed),
      cmocka_unit_test(frames_that_change_roles_may_lie_anywhere),
      cmocka_unit_test(a_trace_of_what_cannot_be_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
