/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Runs are made while others take, write and free the very frames that have to move, under ThreadSanitizer.
 *
 * Owners have objects of one frame each, with bytes that say which object it is; each object has a lock, which a hold takes
 * and only move or release lets go of.  Makers ask for runs and for compactions, write to every frame they get, and give it
 * back. At the end every object has had its bytes whenever it was looked at, and the ledger is what it was.
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

#include "hosted.h"
#include "mm/contig.h"
#include "platform.h"

#define FRAMES  UINT64_C(8192) /* 32 MiB. */
#define FIRST   UINT64_C(256)
#define OBJECTS 10200
#define OWNERS  4
#define MAKERS  2
#define WORDS   (FRAME_SIZE / sizeof(uint64_t))

struct object {
  atomic_bool is_locked;
  uint64_t frame; /* Under the lock; 0: none. */
};

static struct hosted h;
static struct contig contig;
static struct object objects[OBJECTS];
static _Atomic(uint32_t) object_of[FIRST + FRAMES]; /* By frame: object + 1. */
static _Atomic(uint32_t) is_run[FIRST + FRAMES];    /* By frame: it is in some maker's hands. */
static char *ram;
static pthread_barrier_t gate;
static atomic_bool is_over;
static _Atomic(uint64_t) made, refused, refusals, looked;

/* --- objects ---------------------------------------------------------------------------------------------------------- */

static uint64_t *words_of(uint64_t frame) { return (uint64_t *)(ram + frame * FRAME_SIZE); }

static bool try_lock(struct object *o) { return !atomic_exchange_explicit(&o->is_locked, true, memory_order_acquire); }
static void unlock(struct object *o) { atomic_store_explicit(&o->is_locked, false, memory_order_release); }

static void write_object(uint64_t frame, uint64_t object) {
  for (uint64_t i = 0; i < WORDS; i += 64) words_of(frame)[i] = object << 16 | i;
}

static void must_be_object(uint64_t frame, uint64_t object) {
  for (uint64_t i = 0; i < WORDS; i += 64) {
    if (words_of(frame)[i] == (object << 16 | i)) continue;
    fprintf(stderr, "frame %#llx has lost the bytes of object %llu\n", (unsigned long long)frame,
            (unsigned long long)object);
    abort();
  }
}

static status_t hold(void *context, pfn_t frame) {
  (void)context;
  const uint32_t id = atomic_load(&object_of[frame.raw]);
  if (id == 0) return ERR_STATE;
  struct object *o = &objects[id - 1];
  if (!try_lock(o)) {
    atomic_fetch_add(&refusals, 1);
    return ERR_BUSY;
  }
  if (o->frame == frame.raw) return OK;
  unlock(o);
  return ERR_STATE;
}

static void move(void *context, pfn_t from, pfn_t to) {
  (void)context;
  const uint32_t id = atomic_exchange(&object_of[from.raw], 0);
  objects[id - 1].frame = to.raw;
  atomic_store(&object_of[to.raw], id);
  must_be_object(to.raw, id - 1);
  unlock(&objects[id - 1]);
}

static void release(void *context, pfn_t frame) {
  (void)context;
  unlock(&objects[atomic_load(&object_of[frame.raw]) - 1]);
}

static const struct frame_mover mover = {hold, move, release, NULL};

static void birth(struct object *o) {
  pfn_t frame;
  if (pmm_alloc_frame(h.pmm, FRAME_OWNER_USER, PMM_MOVABLE, &frame) != OK) return;
  write_object(frame.raw, (uint64_t)(o - objects));
  o->frame = frame.raw;
  atomic_store(&object_of[frame.raw], (uint32_t)(o - objects) + 1);
}

static void death(struct object *o) {
  must_be_object(o->frame, (uint64_t)(o - objects));
  atomic_store(&object_of[o->frame], 0);
  const status_t s = pmm_free_frame(h.pmm, FRAME_OWNER_USER, pfn(o->frame));
  if (s != OK) {
    fprintf(stderr, "frame %#llx cannot be freed: %s\n", (unsigned long long)o->frame, status_name(s));
    abort();
  }
  o->frame = 0;
}

/* --- threads ---------------------------------------------------------------------------------------------------------- */

static void *own(void *argument) {
  struct dice d = dice_of(seed_of_run() + (uintptr_t)argument);
  pthread_barrier_wait(&gate);
  while (!atomic_load(&is_over)) {
    struct object *o = &objects[dice_below(&d, OBJECTS)];
    if (!try_lock(o)) continue;
    if (o->frame == 0)
      birth(o);
    else if (dice_one_in(&d, 3))
      death(o);
    else
      must_be_object(o->frame, (uint64_t)(o - objects));
    unlock(o);
    atomic_fetch_add_explicit(&looked, 1, memory_order_relaxed);
    if (dice_one_in(&d, 64)) sched_yield();
  }
  return NULL;
}

static void make_one(struct dice *d) {
  const uint64_t count = dice_one_in(d, 3) ? 512 : 1 + dice_any_size(d, 10);
  const struct frame_limits w = {.align = dice_one_in(d, 2) ? 512 : 1};
  struct contig_compaction c;
  pfn_t first;
  if (dice_one_in(d, 20)) {
    (void)!contig_compact(&contig, FRAMES_PER_2M, 2, &c);
    return;
  }
  if (contig_alloc(&contig, FRAME_OWNER_KERNEL, count, &w, 512, &first) != OK) {
    atomic_fetch_add(&refused, 1);
    return;
  }
  for (uint64_t f = first.raw; f < first.raw + count; f++) { /* Whoever thinks it is his will miss his bytes. */
    if (atomic_exchange_explicit(&is_run[f], 1, memory_order_relaxed) != 0) {
      fprintf(stderr, "frame %#llx is in two runs\n", (unsigned long long)f);
      abort();
    }
    for (uint64_t i = 0; i < WORDS; i += 64) words_of(f)[i] = UINT64_MAX;
  }
  for (uint64_t f = first.raw; f < first.raw + count; f++) atomic_store_explicit(&is_run[f], 0, memory_order_relaxed);
  if (pmm_free_run(h.pmm, FRAME_OWNER_KERNEL, first, count) != OK) abort();
  atomic_fetch_add(&made, 1);
}

static void *make_runs(void *argument) {
  struct dice d = dice_of(seed_of_run() + 1000 + (uintptr_t)argument);
  const char *wanted = getenv("CAIRN_OPS");
  const uint64_t n = (wanted ? strtoull(wanted, NULL, 0) : 800) / MAKERS;
  pthread_barrier_wait(&gate);
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t seen = atomic_load(&looked);
    make_one(&d);
    while (atomic_load(&looked) < seen + 60) sched_yield(); /* Until holes are where they were none. */
  }
  return NULL;
}

static void runs_are_made_while_everything_moves(void **state) {
  (void)state;
  pthread_t owners[OWNERS], makers[MAKERS];
  struct boot_region r = hosted_plain_region(FRAMES);
  struct ledger l;
  (void)seed_of_run();
  h = hosted_create(&r, 1, NULL, 0);
  ram = fake_platform_make_ram((FIRST + FRAMES) * FRAME_SIZE);
  contig_init(&contig, h.pmm);
  assert_int_equal(contig_mover_set(&contig, FRAME_OWNER_USER, &mover), OK);
  for (unsigned i = 0; i < OBJECTS; i++) birth(&objects[i]);
  for (unsigned i = 0; i < OBJECTS; i += 3)
    if (objects[i].frame != 0) death(&objects[i]); /* Holes: hardly a run but what is made. */
  pthread_barrier_init(&gate, NULL, OWNERS + MAKERS);
  for (uintptr_t i = 0; i < OWNERS; i++) pthread_create(&owners[i], NULL, own, (void *)i);
  for (uintptr_t i = 0; i < MAKERS; i++) pthread_create(&makers[i], NULL, make_runs, (void *)i);
  for (unsigned i = 0; i < MAKERS; i++) pthread_join(makers[i], NULL);
  atomic_store(&is_over, true);
  for (unsigned i = 0; i < OWNERS; i++) pthread_join(owners[i], NULL);
  for (unsigned i = 0; i < OBJECTS; i++) {
    assert_false(objects[i].is_locked);
    if (objects[i].frame != 0) death(&objects[i]);
  }
  ledger_read(h.pmm, &l);
  assert_int_equal(l.frames[FRAME_OWNER_FREE], FRAMES);
  hosted_must_be_sound(&h, "after the threads");
  printf("# %llu looks at objects; %llu runs made or found, %llu refused; %llu commits, %llu undone, %llu moves, %llu holds "
         "refused\n",
         (unsigned long long)looked, (unsigned long long)made, (unsigned long long)refused,
         (unsigned long long)contig.stats.commits, (unsigned long long)contig.stats.refused,
         (unsigned long long)contig.stats.moves, (unsigned long long)refusals);
  assert_true(contig.stats.moves > 0);
  pthread_barrier_destroy(&gate);
  hosted_destroy(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(runs_are_made_while_everything_moves)};
  return cmocka_run_group_tests_name("threads/contig", tests, NULL, NULL);
}
