/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Traces begin and end, and their memory goes, while threads allocate and free, under ThreadSanitizer: when trace_stop has
 * returned, nobody writes a record any more.
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "mm/trace.h"

#define THREADS 4
#define TRACES  400
#define RECORDS 2000

static struct hosted h;
static atomic_bool is_over;
static atomic_ulong pairs;

static void *be_busy(void *argument) {
  (void)argument;
  while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
    pfn_t f;
    if (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) != OK) abort();
    if (pmm_free_frame(h.pmm, FRAME_OWNER_TEST, f) != OK) abort();
    atomic_fetch_add_explicit(&pairs, 1, memory_order_relaxed);
  }
  return NULL;
}

static void a_trace_that_was_stopped_may_go(void **state) {
  (void)state;
  const struct boot_region region = hosted_plain_region(UINT64_C(16) * 512);
  pthread_t threads[THREADS];
  uint64_t records = 0;
  h = hosted_create(&region, 1, NULL, 0);
  assert_int_equal(h.status, OK);
  for (unsigned i = 0; i < THREADS; i++) pthread_create(&threads[i], NULL, be_busy, NULL);
  for (unsigned i = 0; i < TRACES; i++) {
    struct trace_summary s;
    void *memory = aligned_alloc(64, trace_size(RECORDS));
    struct trace *t = trace_create(memory, RECORDS);
    assert_int_equal(trace_start(t, &h.pmm, 1), OK);
    for (const unsigned long seen = pairs; pairs < seen + 20;) sched_yield();
    trace_stop(t);
    trace_read_summary(t, &s);
    records += s.records + s.lost;
    memset(memory, 0xee, trace_size(RECORDS));
    free(memory);
  }
  atomic_store(&is_over, true);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  hosted_must_be_sound(&h, "after the threads");
  printf("# %u traces of %llu records, %lu pairs\n", TRACES, (unsigned long long)records, pairs);
  assert_true(records > TRACES);
  hosted_destroy(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_trace_that_was_stopped_may_go)};
  return cmocka_run_group_tests_name("threads/trace", tests, NULL, NULL);
}
