/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads at DMA memory, under ThreadSanitizer: each has a device of its own and all have one together.
 *
 * What a thread has freed of its own device stays claimed until that thread's fence: whoever is given a frame of somebody's
 * quarantine, or an old byte, ends the program.  Of the common device each frees its own and all fence at any time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "claims.h"
#include "machine.h"
#include "mm/dma.h"
#include "platform.h"
#include "seed.h"

#define THREADS  4
#define FRAMES   (8 * MIB / FRAME_SIZE)
#define FIRST    (MIB / FRAME_SIZE)
#define LISTS    6  /* Of one thread, in use or in quarantine. */
#define SEGMENTS 40 /* Of one list. */

struct list {
  struct dma_segment segments[SEGMENTS];
  size_t count; /* 0: none. */
  bool is_common, is_freed;
};

struct worker {
  pthread_t thread;
  struct dma_device *own;
  struct dice dice;
  struct list lists[LISTS];
  uint64_t made, scattered, refused, fenced;
};

static struct machine m;
static char *ram;
static struct dma_device *common;
static struct worker workers[THREADS];
static uint64_t ops_each;

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "dma: %s\n", what);
  abort();
}

static uint64_t frames_of(const struct dma_segment *s) { return (s->size + FRAME_SIZE - 1) / FRAME_SIZE; }

static void claim(const struct list *l) {
  for (size_t i = 0; i < l->count; i++) {
    const struct dma_segment *s = &l->segments[i];
    const char *bytes = s->cpu;
    claims_take(s->device.raw / FRAME_SIZE, frames_of(s), 1);
    must(bytes[0] == 0 && memcmp(bytes, bytes + 1, s->size - 1) == 0, "an old byte");
    memset(s->cpu, 0x5a, s->size);
  }
}

static void unclaim(const struct list *l) {
  for (size_t i = 0; i < l->count; i++) claims_give(l->segments[i].device.raw / FRAME_SIZE, frames_of(&l->segments[i]));
}

static void make(struct worker *w, struct list *l) {
  struct dice *d = &w->dice;
  l->is_common = dice_one_in(d, 3);
  struct dma_device *device = l->is_common ? common : w->own;
  const uint64_t size = 1 + dice_any_size(d, 22);
  size_t count = 1;
  const status_t s = dice_one_in(d, 2) ? dma_alloc(device, size, DMA_COHERENT, l->segments)
                                       : dma_alloc_scatter(device, size, DMA_COHERENT, l->segments, SEGMENTS, &count);
  must(s == OK || s == ERR_NO_MEMORY || s == ERR_FULL, status_name(s));
  w->refused += s != OK;
  if (s != OK) return;
  l->count = count;
  w->made++;
  w->scattered += count > 1;
  claim(l);
}

static void let_go(struct worker *w, struct list *l) {
  if (l->is_common) unclaim(l); /* Any thread's fence may come. */
  must(dma_free_scatter(l->is_common ? common : w->own, l->segments, l->count) == OK, "a free is refused");
  l->is_freed = !l->is_common;
  if (l->is_common) l->count = 0;
}

static void fence(struct worker *w) {
  uint64_t due = 0;
  for (struct list *l = w->lists; l < w->lists + LISTS; l++) {
    if (!l->is_freed) continue;
    for (size_t i = 0; i < l->count; i++) due += frames_of(&l->segments[i]);
    unclaim(l);
    *l = (struct list){0};
  }
  must(dma_fence(w->own) == due, "a fence gave back what was not freed, or not all of it");
  w->fenced += due;
}

static void *work(void *argument) {
  struct worker *w = argument;
  for (uint64_t i = 0; i < ops_each; i++) {
    struct list *l = &w->lists[dice_below(&w->dice, LISTS)];
    if (l->count == 0)
      make(w, l);
    else if (!l->is_freed)
      let_go(w, l);
    if (dice_one_in(&w->dice, 4)) fence(w);
    if (dice_one_in(&w->dice, 4)) (void)dma_fence(common);
  }
  for (unsigned i = 0; i < LISTS; i++)
    if (w->lists[i].count != 0 && !w->lists[i].is_freed) let_go(w, &w->lists[i]);
  fence(w);
  return NULL;
}

/* Somebody's frame between all others: a list needs several segments, and some find no memory. */
static void fragment(void) {
  for (uint64_t f = FIRST; f < FIRST + FRAMES; f += 24) {
    const struct frame_limits exactly = {.min = f, .max = f + 1};
    pfn_t got;
    assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, 0, 1, &exactly, &got), OK);
  }
}

static void what_is_in_quarantine_is_nobodys_until_the_fence(void **state) {
  (void)state;
  const struct boot_region map[] = {{MIB, MIB + FRAMES * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8}};
  const struct dma_limits limits = {.address_bits = 25, .boundary = 4 * MIB};
  const uint64_t seed = seed_of_run();
  uint64_t made = 0, scattered = 0, refused = 0, fenced = 0;
  struct ledger l;
  m = machine_create(map, 1, NULL, NULL, 0);
  assert_int_equal(m.status, OK);
  fragment();
  assert_int_equal(dma_device_create(m.nodes, "common", &limits, &common), OK);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].dice = dice_of(seed + i);
    assert_int_equal(dma_device_create(m.nodes, "own", &limits, &workers[i].own), OK);
  }
  for (unsigned i = 0; i < THREADS; i++) must(pthread_create(&workers[i].thread, NULL, work, &workers[i]) == 0, "threads");
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    made += workers[i].made;
    scattered += workers[i].scattered;
    refused += workers[i].refused;
    fenced += workers[i].fenced;
    assert_int_equal(dma_device_destroy(workers[i].own), OK);
  }
  (void)dma_fence(common);
  assert_int_equal(dma_device_destroy(common), OK);
  machine_must_be_sound(&m, "after threads");
  nodes_ledger_read(m.nodes, NODES_ALL, &l);
  assert_int_equal(l.frames[FRAME_OWNER_DMA] + l.frames[FRAME_OWNER_KERNEL], 0);
  printf("%llu lists, %llu of several segments, %llu refused, %llu frames through quarantine\n", (unsigned long long)made,
         (unsigned long long)scattered, (unsigned long long)refused, (unsigned long long)fenced);
  assert_true(made > 100 && scattered > 10 && refused > 10 && fenced > 100);
  machine_destroy(&m);
}

int main(void) {
  const char *given = getenv("CAIRN_OPS");
  ops_each = given ? strtoull(given, NULL, 0) : 1500;
  const uint64_t size = MIB + FRAMES * FRAME_SIZE;
  ram = fake_platform_make_ram(size);
  claims_begin(FIRST, FRAMES);
  memset(ram, 0x5a, size);
  const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_in_quarantine_is_nobodys_until_the_fence)};
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  claims_end();
  return failed;
}
