/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/klog.c with a console and a clock of our own, interrupted at the worst moments. */
#define _XOPEN_SOURCE 700 // NOLINT(bugprone-reserved-identifier): barriers of threads
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/klog.h"

static char shown[1 << 20];
static size_t shown_fill;
static bool is_panicking;
static unsigned clock_interrupts;   /* How often a writer is interrupted by another record, */
static unsigned console_interrupts; /* and how often the showing is. */
static uint64_t now;

static bool count_only; /* Several threads: a line is counted by its number. */
static void count_line(const char *bytes, size_t n);

static void collect(const char *bytes, size_t n) {
  if (count_only) {
    count_line(bytes, n);
    return;
  }
  assert_true(shown_fill + n < sizeof(shown));
  memcpy(shown + shown_fill, bytes, n);
  shown_fill += n;
  shown[shown_fill] = '\0';
}

static void interrupt(unsigned *left) {
  if (*left == 0) return;
  --*left;
  klog(KLOG_WARN, "irq", "interrupt %u", *left);
}

void console_write(const char *bytes, size_t n) {
  collect(bytes, n);
  interrupt(&console_interrupts);
}
bool console_is_panicking(void) { return is_panicking; }
uint64_t clock_us(void) {
  interrupt(&clock_interrupts); /* In the middle of a writer: its slot is claimed and not yet published. */
  return __atomic_fetch_add(&now, 1, __ATOMIC_RELAXED);
}

static unsigned occurrences(const char *word) {
  unsigned n = 0;
  for (const char *at = shown; (at = strstr(at, word)) != NULL; at++) n++;
  return n;
}

static void forget(void) {
  shown_fill = 0;
  shown[0] = '\0';
}

/* The last record. */
static struct klog_record last(void) {
  struct klog_record r, found = {};
  for (uint64_t at = 0; klog_read(at, &r); at = r.sequence + 1) found = r;
  return found;
}

static void a_record_keeps_time_level_room_and_text(void **context) {
  (void)context;
  klog(KLOG_ERROR, "room", "%s %d", "text", 42);
  const struct klog_record r = last();
  assert_int_equal(r.level, KLOG_ERROR);
  assert_string_equal(r.room, "room");
  assert_string_equal(r.text, "text 42");
  assert_int_equal(occurrences("text 42"), 1);
}

static void long_text_is_cut_and_control_characters_are_defused(void **context) {
  (void)context;
  klog(KLOG_INFO, "a room with a long name", "%0200d", 7);
  assert_int_equal(strlen(last().text), sizeof(last().text) - 1);
  assert_string_equal(last().text + sizeof(last().text) - 4, "...");
  assert_string_equal(last().room, "a room with");
  klog(KLOG_INFO, "r", "a\033[2Jb\nc\x7f\xc3\xa9");
  assert_string_equal(last().text, "a?[2Jb c?\xc3\xa9");
  klog(KLOG_INFO, "r", "\xc2\x9b[\xc2\xa9\xe2\x96\x88"); /* U+009b is a CSI; U+00a9 and U+2588 are not. */
  assert_string_equal(last().text, "??[\xc2\xa9\xe2\x96\x88");
}

static void addresses_stay_hidden_until_they_are_allowed(void **context) {
  (void)context;
  klog(KLOG_INFO, "r", "at %p", (void *)0xffff900012345000);
  assert_string_equal(last().text, "at (address)");
  klog_allow_addresses();
  klog(KLOG_INFO, "r", "at %p", (void *)0xffff900012345000);
  assert_string_equal(last().text, "at 0xffff900012345000");
}

static void the_level_decides_what_is_shown_and_not_what_is_kept(void **context) {
  (void)context;
  forget();
  klog(KLOG_VERBOSE, "r", "whisper");
  assert_int_equal(occurrences("whisper"), 0);
  assert_string_equal(last().text, "whisper");
  klog_set_level(KLOG_VERBOSE);
  klog(KLOG_VERBOSE, "r", "murmur");
  assert_int_equal(occurrences("murmur"), 1);
  klog_set_level(KLOG_NOTICE);
}

static void a_new_console_is_shown_what_was_before(void **context) {
  (void)context;
  klog(KLOG_NOTICE, "r", "before the console");
  forget();
  klog_replay(collect);
  assert_int_equal(occurrences("before the console"), 1);
  assert_int_equal(occurrences("whisper"), 0);
}

static void interrupts_in_writer_and_console_lose_and_repeat_nothing(void **context) {
  (void)context;
  forget();
  clock_interrupts = 30;
  klog(KLOG_WARN, "r", "outer");
  console_interrupts = 20;
  klog(KLOG_WARN, "r", "after");
  assert_int_equal(clock_interrupts + console_interrupts, 0);
  assert_int_equal(occurrences("outer"), 1);
  assert_int_equal(occurrences("after"), 1);
  assert_int_equal(occurrences(": interrupt "), 50);
  assert_int_equal(klog_dropped(), 0);
}

static unsigned held(struct klog_record *into, unsigned most) {
  unsigned n = 0;
  for (uint64_t at = 0; n < most && klog_read(at, &into[n]); at = into[n++].sequence + 1) {}
  return n;
}

/* It has come round, and one record was dropped: a number without a record. */
static void a_ring_that_grows_keeps_its_records_in_order(void **context) {
  (void)context;
  static struct klog_record before[1000], after[1000];
  clock_interrupts = 70;
  klog(KLOG_VERBOSE, "r", "interrupted");
  assert_true(klog_dropped() > 0);
  clock_interrupts = 0;
  for (unsigned i = 0; i < 50; i++) klog(i % 2 ? KLOG_WARN : KLOG_VERBOSE, "r", "early %u.", i);
  const unsigned n = held(before, 1000);
  assert_true(n >= 50);
  forget();
  void *memory = malloc(klog_grow_size());
  assert_non_null(memory);
  memset(memory, 0xa5, klog_grow_size());
  klog_grow(memory);
  klog_grow(memory); /* Once is enough. */
  assert_int_equal(held(after, 1000), n);
  assert_memory_equal(before, after, n * sizeof(before[0]));
  klog(KLOG_WARN, "r", "grown");
  assert_int_equal(occurrences("\n"), 1); /* Nothing is shown a second time. */
  assert_int_equal(occurrences("grown"), 1);
  forget();
  klog_replay(collect);
  assert_int_equal(occurrences("early 0."), 0);
  for (unsigned i = 1; i < 50; i += 2) {
    char text[32];
    snprintf(text, sizeof text, "early %u.", i);
    assert_int_equal(occurrences(text), 1);
  }
  for (unsigned i = 0; i < 200; i++) klog(KLOG_VERBOSE, "r", "later %u", i);
  assert_int_equal(held(after, 1000), n + 201);
  assert_memory_equal(before, after, n * sizeof(before[0]));
  for (unsigned i = 0; i < 400; i++) klog(KLOG_VERBOSE, "r", "later %u", i);
  assert_int_equal(held(after, 1000), 320);
}

static void the_ring_keeps_the_newest_in_order(void **context) {
  (void)context;
  for (unsigned i = 0; i < 2000; i++) klog(KLOG_VERBOSE, "r", "record %u", i);
  struct klog_record r;
  uint64_t expected = 0, count = 0;
  for (uint64_t at = 0; klog_read(at, &r); at = r.sequence + 1, count++) {
    if (count != 0) assert_int_equal(r.sequence, expected);
    expected = r.sequence + 1;
  }
  assert_true(count >= 256);
  assert_string_equal(r.text, "record 1999");
}

/* A writer interrupted for so long that the ring has come round to its slot: the newcomer is dropped, nothing is torn. */
static void a_ring_that_comes_round_to_a_writer_drops_the_newcomer(void **context) {
  (void)context;
  const uint32_t before = klog_dropped();
  clock_interrupts = 1000;
  klog(KLOG_WARN, "r", "the interrupted one");
  assert_true(klog_dropped() > before);
  struct klog_record r;
  for (uint64_t at = 0; klog_read(at, &r); at = r.sequence + 1)
    assert_true(strncmp(r.text, "interrupt ", 10) == 0 || strcmp(r.text, "the interrupted one") == 0 ||
                strncmp(r.text, "record ", 7) == 0);
  clock_interrupts = 0;
  klog(KLOG_WARN, "r", "still alive");
  assert_string_equal(last().text, "still alive");
}

static void a_panic_shows_its_records_though_the_console_is_held(void **context) {
  (void)context;
  forget();
  is_panicking = true;
  klog(KLOG_ERROR, "panic", "the end");
  assert_int_equal(occurrences("the end"), 1);
  is_panicking = false;
}

/* Four threads, in rounds that fit into the ring: every record is shown, none twice. */
#define THREADS 4
#define ROUNDS  400
#define BURST   20

static pthread_barrier_t round_barrier;
static atomic_uint lines_shown[THREADS * ROUNDS * BURST];

static void count_line(const char *bytes, size_t n) {
  char line[512];
  assert_true(n < sizeof line);
  memcpy(line, bytes, n);
  line[n] = '\0';
  const char *at = strchr(line, '<');
  assert_non_null(at);
  lines_shown[strtoul(at + 1, NULL, 10)]++;
}

static void *write_rounds(void *argument) {
  const unsigned thread = (unsigned)(uintptr_t)argument;
  for (unsigned round = 0; round < ROUNDS; round++) {
    pthread_barrier_wait(&round_barrier);
    for (unsigned i = 0; i < BURST; i++) klog(KLOG_WARN, "r", "line <%u>", (thread * ROUNDS + round) * BURST + i);
  }
  return NULL;
}

static void records_of_many_cpus_are_shown_once_each(void **context) {
  (void)context;
  pthread_t threads[THREADS];
  const uint32_t dropped = klog_dropped();
  pthread_barrier_init(&round_barrier, NULL, THREADS);
  count_only = true;
  for (uintptr_t i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, write_rounds, (void *)i), 0);
  for (unsigned i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  count_only = false;
  for (unsigned i = 0; i < THREADS * ROUNDS * BURST; i++) assert_int_equal(lines_shown[i], 1);
  assert_int_equal(klog_dropped(), dropped);
  pthread_barrier_destroy(&round_barrier);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_record_keeps_time_level_room_and_text),
      cmocka_unit_test(long_text_is_cut_and_control_characters_are_defused),
      cmocka_unit_test(addresses_stay_hidden_until_they_are_allowed),
      cmocka_unit_test(the_level_decides_what_is_shown_and_not_what_is_kept),
      cmocka_unit_test(a_new_console_is_shown_what_was_before),
      cmocka_unit_test(interrupts_in_writer_and_console_lose_and_repeat_nothing),
      cmocka_unit_test(a_ring_that_grows_keeps_its_records_in_order),
      cmocka_unit_test(records_of_many_cpus_are_shown_once_each),
      cmocka_unit_test(the_ring_keeps_the_newest_in_order),
      cmocka_unit_test(a_ring_that_comes_round_to_a_writer_drops_the_newcomer),
      cmocka_unit_test(a_panic_shows_its_records_though_the_console_is_held),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
