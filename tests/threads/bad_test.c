/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames break while seven threads take them and give them back, under ThreadSanitizer: wherever a frame is in that moment,
 * it leaves service once, and what is not broken comes back.
 *
 * A free that was under way when its frame was condemned may get through (INV-B2); then that frame is in the list and free,
 * until it is reported once more.
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "machine.h"
#include "mm/bad.h"
#include "platform.h"
#include "seed.h"
#include "slots.h"

#define WORKERS  7
#define FRAMES   (UINT64_C(64) * 512)
#define FIRST    UINT64_C(256) /* 1 MiB. */
#define BORDER   (FIRST + UINT64_C(32) * 512 + 100)
#define HELD_MAX 200
#define RANGES   32 /* A list that is full forgets where to split (condemned.h): nothing is reported beyond so many. */
#define TEST     FRAME_OWNER_TEST

struct run {
  uint64_t first, count;
};

struct worker {
  pthread_t thread;
  unsigned number;
  struct dice dice;
  struct run held[HELD_MAX];
  size_t held_count;
};

static struct machine m;
static uint64_t ops_each;
static pthread_barrier_t gate;
static bool is_over; /* Atomic. */
static bool is_reported[FIRST + FRAMES];
static bool is_retired[FIRST + FRAMES]; /* Atomic. */

static void must(bool ok, const char *what, uint64_t frame, status_t s) {
  if (ok) return;
  fprintf(stderr, "bad: frame %#llx: %s: %s\n", (unsigned long long)frame, what, status_name(s));
  abort();
}

static void give_back(struct worker *w) {
  const size_t i = dice_below(&w->dice, w->held_count);
  const struct run r = w->held[i];
  w->held[i] = w->held[--w->held_count];
  claims_give(r.first, r.count);
  const status_t s =
      r.count == 1 ? nodes_free_frame(m.nodes, TEST, pfn(r.first)) : nodes_free_run(m.nodes, TEST, pfn(r.first), r.count);
  must(s == OK, "not taken back", r.first, s);
}

static void take(struct worker *w) {
  const uint64_t count = dice_one_in(&w->dice, 40)  ? FRAMES_PER_2M
                         : dice_one_in(&w->dice, 4) ? 1 + dice_any_size(&w->dice, 6)
                                                    : 1;
  const struct frame_limits aligned = {.align = count == FRAMES_PER_2M ? count : 1};
  pfn_t first;
  const status_t s =
      count == 1 ? nodes_alloc_frame(m.nodes, TEST, 0, &first) : nodes_alloc_run(m.nodes, TEST, 0, count, &aligned, &first);
  if (s != OK) return;
  for (uint64_t f = first.raw; f < first.raw + count; f++)
    must(!__atomic_load_n(&is_retired[f], __ATOMIC_RELAXED), "out of service, and handed out", f, OK);
  claims_take(first.raw, count, w->number + 1);
  w->held[w->held_count++] = (struct run){first.raw, count};
}

static void *work(void *argument) {
  struct worker *w = argument;
  fake_platform_set_slot_hint(w->number);
  pthread_barrier_wait(&gate);
  for (uint64_t i = 0; i < ops_each; i++) {
    const bool is_alloc = w->held_count == 0 || (w->held_count < HELD_MAX && dice_below(&w->dice, 100) < 52);
    if (is_alloc)
      take(w);
    else
      give_back(w);
  }
  while (w->held_count > 0) give_back(w);
  return NULL;
}

static uint64_t outcomes[3];

static void *spoil(void *argument) {
  struct dice d = dice_of(seed_of_run() + 99);
  (void)argument;
  pthread_barrier_wait(&gate);
  while (!__atomic_load_n(&is_over, __ATOMIC_ACQUIRE)) {
    const uint64_t frame = FIRST + dice_below(&d, FRAMES);
    enum bad_outcome outcome;
    if (bad_ranges(m.nodes, NULL, 0) >= RANGES) {
      sched_yield();
      continue;
    }
    const status_t s = bad_report(m.nodes, NULL, pfn(frame), &outcome);
    must(s == OK || s == ERR_STATE || s == ERR_EXISTS, "reported", frame, s);
    if (s == OK) outcomes[outcome]++;
    if (s == OK) is_reported[frame] = true;
    if (s == OK && outcome == BAD_RETIRED) __atomic_store_n(&is_retired[frame], true, __ATOMIC_RELAXED);
  }
  return NULL;
}

static bool count_bad(void *context, const struct pmm_range *r) {
  uint64_t *wrong = context;
  for (uint64_t f = r->start; f < r->end; f++) *wrong += r->state != (is_reported[f] ? FRAME_BAD : FRAME_FREE);
  return true;
}

static void frames_break_under_everybodys_hands(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  const struct boot_region region = {FIRST * FRAME_SIZE, (FIRST + FRAMES) * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  const struct nodes_range ranges[] = {{0, BORDER, 0}, {BORDER, FIRST + FRAMES, 1}};
  const struct nodes_layout layouts[] = {{1, NULL, 0, NULL, 0}, {2, ranges, 2, NULL, 0}};
  for (unsigned l = 0; l < 2; l++) {
    struct worker *workers = calloc(WORKERS, sizeof *workers);
    pthread_t spoiler;
    uint64_t wrong = 0, again = 0;
    struct ledger ledger;
    m = machine_create(&region, 1, &layouts[l], NULL, 0);
    assert_int_equal(m.status, OK);
    claims_begin(FIRST, FRAMES);
    memset(is_reported, 0, sizeof is_reported);
    memset(is_retired, 0, sizeof is_retired);
    memset(outcomes, 0, sizeof outcomes);
    __atomic_store_n(&is_over, false, __ATOMIC_RELEASE);
    ops_each = (wanted ? strtoull(wanted, NULL, 0) : 210000) / WORKERS;
    pthread_barrier_init(&gate, NULL, WORKERS + 1);
    for (unsigned i = 0; i < WORKERS; i++) {
      workers[i].number = i;
      workers[i].dice = dice_of(seed_of_run() + i);
      assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    assert_int_equal(pthread_create(&spoiler, NULL, spoil, NULL), 0);
    for (unsigned i = 0; i < WORKERS; i++) pthread_join(workers[i].thread, NULL);
    __atomic_store_n(&is_over, true, __ATOMIC_RELEASE);
    pthread_join(spoiler, NULL);
    machine_must_be_sound(&m, "after the threads");
    for (uint64_t f = FIRST; f < FIRST + FRAMES; f++) {
      enum bad_outcome outcome;
      if (is_reported[f]) again += bad_report(m.nodes, NULL, pfn(f), &outcome) == OK;
    }
    nodes_visit(m.nodes, NODES_ALL, count_bad, &wrong);
    nodes_ledger_read(m.nodes, NODES_ALL, &ledger);
    printf("# threads: %u node(s): %llu retired, %llu condemned, %llu frees that had got through\n", l + 1,
           (unsigned long long)outcomes[BAD_RETIRED], (unsigned long long)outcomes[BAD_CONDEMNED],
           (unsigned long long)again);
    assert_int_equal(wrong, 0);
    assert_true(outcomes[BAD_RETIRED] > 10 && outcomes[BAD_CONDEMNED] > 10);
    assert_true(again * 10 < outcomes[BAD_CONDEMNED]); /* Once in a while, for the moment's sake. */
    assert_int_equal(bad_condemned(m.nodes), 0);
    assert_int_equal(ledger.frames[FRAME_OWNER_FREE] + ledger.frames[FRAME_OWNER_BAD], FRAMES);
    machine_must_be_sound(&m, "at the end");
    pthread_barrier_destroy(&gate);
    machine_destroy(&m);
    claims_end();
    free(workers);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(frames_break_under_everybodys_hands)};
  return cmocka_run_group_tests_name("threads/bad", tests, NULL, NULL);
}
