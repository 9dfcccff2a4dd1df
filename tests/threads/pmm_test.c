/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads at one allocator, under ThreadSanitizer: all sizes, frames freed by others than took them, calls home while
 * others allocate, and memory that is full again and again.
 *
 * Every frame has a word of the test's own: who gets a frame must find 0 there and writes its number, who gives it back
 * writes 0 before.  So a frame in two hands is seen at once, and at the end the ledger has to be what it was at the start.
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "claims.h"
#include "hosted.h"
#include "mm/phys/instance.h"

#define THREADS   8
#define FRAMES    (UINT64_C(96) * 512) /* 192 MiB: it is full again and again. */
#define FIRST     UINT64_C(256)        /* 1 MiB. */
#define HELD_MAX  4096
#define EXCHANGES 512

#define FRAMES_PER_GIB (UINT64_C(1) << 18)
#define LARGE_FIRST    (4 * FRAMES_PER_GIB)
#define LARGE_END      (16 * FRAMES_PER_GIB)

struct run {
  uint64_t first, count;
};

struct worker {
  pthread_t thread;
  unsigned number;
  struct dice dice;
  struct run held[HELD_MAX];
  size_t held_count;
  uint64_t frames, runs, blocks, freed, passed_on, refused, drains;
};

static struct hosted h;
static _Atomic(uint64_t) exchange[EXCHANGES];
static uint64_t ops_each;
static pthread_barrier_t gate;

static void give_back(struct worker *w, struct run r) {
  claims_give(r.first, r.count);
  status_t s = r.count == 1 ? pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(r.first))
                            : pmm_free_run(h.pmm, FRAME_OWNER_TEST, pfn(r.first), r.count);
  if (s != OK) {
    fprintf(stderr, "%llu frames at %#llx cannot be given back: %s\n", (unsigned long long)r.count,
            (unsigned long long)r.first, status_name(s));
    abort();
  }
  w->freed++;
}

static struct run take_from_hand(struct worker *w) {
  size_t i = dice_below(&w->dice, w->held_count);
  struct run r = w->held[i];
  w->held[i] = w->held[--w->held_count];
  return r;
}

/* One of ours for what somebody else has left in the same place, which is then freed by who has not taken it. */
static void pass_on(struct worker *w) {
  struct run r = take_from_hand(w);
  uint64_t mine = r.first << 20 | r.count;
  uint64_t other = atomic_exchange(&exchange[dice_below(&w->dice, EXCHANGES)], mine);
  if (other != 0) give_back(w, (struct run){other >> 20, other & 0xfffff});
  w->passed_on++;
}

static bool allocate(struct worker *w) {
  static const struct frame_limits block = {.align = 512};
  pfn_t first = pfn(0);
  uint64_t count = 1, kind = dice_below(&w->dice, 100);
  status_t s;
  if (kind < 85) {
    s = pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &first);
    w->frames++;
  } else if (kind < 92) {
    count = 512;
    s = pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, count, &block, &first);
    w->blocks++;
  } else {
    count = 2 + dice_any_size(&w->dice, 9);
    s = pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, count, NULL, &first);
    w->runs++;
  }
  if (s != OK) {
    w->refused++;
    return false;
  }
  claims_take(first.raw, count, w->number + 1);
  w->held[w->held_count++] = (struct run){first.raw, count};
  return true;
}

/* Towards much, then towards little, each thread in its own time; the hand that is full gives back a half. */
static void *work(void *argument) {
  struct worker *w = argument;
  unsigned share = 60;
  pthread_barrier_wait(&gate);
  for (uint64_t i = 0; i < ops_each; i++) {
    if (dice_one_in(&w->dice, 2000)) pmm_drain(h.pmm), w->drains++;
    if (i % 4096 == 0) share = (unsigned)dice_between(&w->dice, 30, 80);
    if (w->held_count == HELD_MAX) share = 30;
    bool is_alloc = w->held_count == 0 || (w->held_count < HELD_MAX && dice_below(&w->dice, 100) < share);
    if (!is_alloc && dice_one_in(&w->dice, 3))
      pass_on(w);
    else if (!is_alloc)
      give_back(w, take_from_hand(w));
    else if (!allocate(w))
      share = 30;
  }
  while (w->held_count > 0) give_back(w, take_from_hand(w));
  return NULL;
}

static void run_workers(struct worker *workers) {
  pthread_barrier_init(&gate, NULL, THREADS);
  for (unsigned i = 0; i < THREADS; i++) {
    memset(&workers[i], 0, sizeof workers[i]);
    workers[i].number = i;
    workers[i].dice = dice_of(seed_of_run() + i);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  for (unsigned i = 0; i < EXCHANGES; i++) {
    if (exchange[i] != 0) give_back(&workers[0], (struct run){exchange[i] >> 20, exchange[i] & 0xfffff});
    exchange[i] = 0;
  }
  pthread_barrier_destroy(&gate);
}

/* Everything that there is, frame by frame, by all threads at once: nobody may be refused while another slot has one. */
static void *take_all(void *argument) {
  struct worker *w = argument;
  pfn_t frame;
  pthread_barrier_wait(&gate);
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &frame) == OK) {
    claims_take(frame.raw, 1, w->number + 1);
    w->frames++;
  }
  return NULL;
}

static void eight_threads_leave_the_ledger_exact(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  struct worker *workers = calloc(THREADS, sizeof *workers);
  struct boot_region r = hosted_plain_region(FRAMES);
  struct worker sum = {0};
  h = hosted_create(&r, 1, NULL, 0);
  claims_begin(FIRST, FRAMES);
  ops_each = (wanted ? strtoull(wanted, NULL, 0) : 1000000) / THREADS;
  run_workers(workers);
  for (unsigned i = 0; i < THREADS; i++) {
    sum.frames += workers[i].frames, sum.runs += workers[i].runs, sum.blocks += workers[i].blocks;
    sum.freed += workers[i].freed, sum.passed_on += workers[i].passed_on, sum.refused += workers[i].refused;
    sum.drains += workers[i].drains;
  }
  struct ledger l;
  ledger_read(h.pmm, &l);
  assert_true(ledger_balances(&l));
  assert_int_equal(l.frames[FRAME_OWNER_FREE], FRAMES);
  hosted_must_be_sound(&h, "after the threads");
  printf("# threads: %llu operations: %llu frames, %llu runs, %llu blocks, %llu refused, %llu freed, %llu by way of others, "
         "%llu drains\n",
         (unsigned long long)ops_each * THREADS, (unsigned long long)sum.frames, (unsigned long long)sum.runs,
         (unsigned long long)sum.blocks, (unsigned long long)sum.refused, (unsigned long long)sum.freed,
         (unsigned long long)sum.passed_on, (unsigned long long)sum.drains);
  hosted_destroy(&h);
  claims_end();
  free(workers);
}

static void eight_threads_get_every_frame_there_is(void **state) {
  (void)state;
  struct worker *workers = calloc(THREADS, sizeof *workers);
  struct boot_region r = hosted_plain_region(FRAMES);
  uint64_t taken = 0;
  h = hosted_create(&r, 1, NULL, 0);
  claims_begin(FIRST, FRAMES);
  pthread_barrier_init(&gate, NULL, THREADS);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].number = i;
    assert_int_equal(pthread_create(&workers[i].thread, NULL, take_all, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) pthread_join(workers[i].thread, NULL);
  for (unsigned i = 0; i < THREADS; i++) taken += workers[i].frames;
  assert_int_equal(taken, FRAMES);
  for (uint64_t f = FIRST; f < FIRST + FRAMES; f++) assert_int_not_equal(claims_of(f), 0);
  for (uint64_t f = FIRST; f < FIRST + FRAMES; f++) assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(f)), OK);
  hosted_must_be_sound(&h, "after all was taken");
  pthread_barrier_destroy(&gate);
  hosted_destroy(&h);
  claims_end();
  free(workers);
}

/* Asks without the lock what frames are, all over the memory. */
static void *look(void *argument) {
  struct worker *w = argument;
  pthread_barrier_wait(&gate);
  for (unsigned i = 0; i < 100000; i++) {
    const struct frame_said said = pmm_frame_said(h.pmm, dice_between(&w->dice, LARGE_FIRST, LARGE_END - 1));
    w->frames += said.state == FRAME_FREE || said.owner == FRAME_OWNER_TEST;
  }
  return NULL;
}

/* Takes 2 MiB of each GiB, so that it gets words of its own while others read the shared ones. */
static void *touch(void *argument) {
  struct worker *w = argument;
  pthread_barrier_wait(&gate);
  for (uint64_t at = LARGE_FIRST; at < LARGE_END; at += FRAMES_PER_GIB, w->blocks++) {
    const struct frame_limits within = {.min = at, .max = at + FRAMES_PER_GIB, .align = 512};
    pfn_t first;
    if (pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 512, &within, &first) != OK) break;
    sched_yield();
  }
  return NULL;
}

static void gigs_are_touched_while_others_look(void **state) {
  (void)state;
  static const struct boot_region large = {LARGE_FIRST * FRAME_SIZE, LARGE_END * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 0xf};
  static struct worker workers[3];
  void *(*const verbs[])(void *) = {look, touch, look};
  h = hosted_create(&large, 1, NULL, 0);
  assert_int_equal(h.status, OK);
  pthread_barrier_init(&gate, NULL, 3);
  for (unsigned i = 0; i < 3; i++) {
    workers[i].dice = dice_of(seed_of_run() + i);
    pthread_create(&workers[i].thread, NULL, verbs[i], &workers[i]);
  }
  for (unsigned i = 0; i < 3; i++) pthread_join(workers[i].thread, NULL);
  assert_int_equal(workers[0].frames + workers[2].frames, 200000);
  assert_int_equal(workers[1].blocks, (LARGE_END - LARGE_FIRST) / FRAMES_PER_GIB);
  hosted_must_be_sound(&h, "after the gigs were touched");
  pthread_barrier_destroy(&gate);
  hosted_destroy(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(eight_threads_get_every_frame_there_is),
      cmocka_unit_test(eight_threads_leave_the_ledger_exact),
      cmocka_unit_test(gigs_are_touched_while_others_look),
  };
  return cmocka_run_group_tests_name("threads/pmm", tests, NULL, NULL);
}
