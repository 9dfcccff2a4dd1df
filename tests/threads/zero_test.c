/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads at the stocks of zeroed frames and at broken memory, under ThreadSanitizer: some ask for zeros and dirty what they
 * get, some are idle and fill the stocks, one calls them in, one finds frames broken, free or used.
 *
 * All of it is real memory.  A frame in two hands, an old byte, or a broken frame that is handed out again ends the program.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "claims.h"
#include "machine.h"
#include "mm/bad.h"
#include "mm/zero.h"
#include "platform.h"
#include "seed.h"

#define USERS    3
#define FRAMES   (24 * MIB / FRAME_SIZE)
#define FIRST    (MIB / FRAME_SIZE)
#define HELD_MAX 32
#define TEST     FRAME_OWNER_TEST

enum { IN_USE = 1, OUT_OF_SERVICE }; /* Of claims. */

static struct machine m;
static char *ram;
static atomic_bool is_over;
static uint64_t ops_each, broken, seed;

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "zero: %s\n", what);
  abort();
}

static void take_zeros(struct dice *d, uint64_t *first, uint64_t *count) {
  pfn_t f;
  *count = dice_one_in(d, 12) ? FRAMES_PER_2M : dice_one_in(d, 4) ? 1 + dice_below(d, 8) : 1;
  const struct frame_limits aligned = {.align = *count == FRAMES_PER_2M ? *count : 1};
  const status_t s = nodes_alloc_run(m.nodes, TEST, NODE_ZEROED | NODE(dice_below(d, 2)), *count, &aligned, &f);
  if (s != OK) {
    must(s == ERR_NO_MEMORY, "an odd refusal");
    *count = 0;
    return;
  }
  *first = f.raw;
  claims_take(f.raw, *count, IN_USE);
  char *bytes = ram + f.raw * FRAME_SIZE;
  must(bytes[0] == 0 && memcmp(bytes, bytes + 1, *count * FRAME_SIZE - 1) == 0, "an old byte");
  memset(bytes, 0x5a, *count * FRAME_SIZE);
}

static void *use(void *argument) {
  struct dice d = dice_of(seed + *(const unsigned *)argument);
  struct {
    uint64_t first, count;
  } held[HELD_MAX] = {0};
  for (uint64_t i = 0; i < ops_each + HELD_MAX; i++) {
    const size_t at = i < ops_each ? dice_below(&d, HELD_MAX) : i - ops_each;
    if (held[at].count != 0) {
      claims_give(held[at].first, held[at].count);
      must(nodes_free_run(m.nodes, TEST, pfn(held[at].first), held[at].count) == OK, "a run was not taken back");
      held[at].count = 0;
    } else if (i < ops_each) {
      take_zeros(&d, &held[at].first, &held[at].count);
    }
  }
  return NULL;
}

static void *idle(void *argument) {
  struct dice d = dice_of(seed + 100 + *(const unsigned *)argument);
  while (!atomic_load(&is_over)) {
    if (!nodes_idle(m.nodes) || dice_one_in(&d, 400)) nodes_call_in(m.nodes);
  }
  return NULL;
}

static void *find_broken(void *argument) {
  static bool is_broken[FRAMES];
  struct dice d = dice_of(seed + 200);
  (void)argument;
  while (!atomic_load(&is_over)) {
    enum bad_outcome outcome;
    const uint64_t at = dice_below(&d, FRAMES);
    const status_t s = bad_report(m.nodes, NULL, pfn(FIRST + at), &outcome);
    if (s == OK && outcome == BAD_RETIRED) claims_take(FIRST + at, 1, OUT_OF_SERVICE); /* It was free: nobody's. */
    must(s == OK || s == ERR_EXISTS || s == ERR_FULL || s == ERR_STATE || s == ERR_BUSY,
         "an odd answer about a broken frame");
    broken += s == OK && !is_broken[at]; /* Condemned, freed before that was seen, and found again when it was free. */
    is_broken[at] |= s == OK;
    if (broken > 300) break;
    for (unsigned i = 0; i < 200 && !atomic_load(&is_over); i++) (void)bad_condemned(m.nodes);
  }
  return NULL;
}

static void zeros_stay_zeros_and_broken_frames_stay_away(void **state) {
  (void)state;
  static const struct boot_region map[] = {{MIB, MIB + 24 * MIB, BOOT_MEMORY_USABLE, 7, 8}};
  static const struct nodes_range ranges[] = {{0, FIRST + 3000, 0}, {FIRST + 3000, FIRST + FRAMES, 1}};
  static const struct nodes_layout two = {2, ranges, ARRAY_COUNT(ranges), NULL, 0};
  static const unsigned numbers[] = {0, 1, 2, 3};
  pthread_t users[USERS], others[3];
  struct ledger l;
  m = machine_create(map, ARRAY_COUNT(map), &two, NULL, 0);
  assert_int_equal(m.status, OK);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_ALLOC, 3 * MIB), OK);
  for (unsigned i = 0; i < USERS; i++) must(pthread_create(&users[i], NULL, use, (void *)&numbers[i]) == 0, "threads");
  for (unsigned i = 0; i < 2; i++) must(pthread_create(&others[i], NULL, idle, (void *)&numbers[i]) == 0, "threads");
  must(pthread_create(&others[2], NULL, find_broken, NULL) == 0, "threads");
  for (unsigned i = 0; i < USERS; i++) pthread_join(users[i], NULL);
  atomic_store(&is_over, true);
  for (unsigned i = 0; i < 3; i++) pthread_join(others[i], NULL);
  struct zero_stats s;
  nodes_zero_stats_read(m.nodes, &s);
  printf("%llu from a stock, %llu not, %llu called in, %llu frames broke\n", (unsigned long long)s.hits,
         (unsigned long long)s.misses, (unsigned long long)s.reclaimed, (unsigned long long)broken);
  nodes_call_in(m.nodes);
  machine_must_be_sound(&m, "after threads");
  nodes_ledger_read(m.nodes, NODES_ALL, &l);
  assert_int_equal(l.frames[FRAME_OWNER_ZEROED] + l.frames[TEST], 0);
  /* A free that passed its condemnation may have saved its frame for a next owner, who never came. */
  assert_int_equal(l.frames[FRAME_OWNER_BAD] + bad_condemned(m.nodes), broken);
  assert_true(s.hits > 0 && s.misses > 0 && s.reclaimed > 0 && broken > 20);
  machine_destroy(&m);
}

int main(void) {
  const char *given = getenv("CAIRN_OPS");
  seed = seed_of_run();
  ops_each = given ? strtoull(given, NULL, 0) : 8000;
  const uint64_t size = MIB + FRAMES * FRAME_SIZE;
  ram = fake_platform_make_ram(size);
  claims_begin(FIRST, FRAMES);
  memset(ram, 0x5a, size);
  const struct CMUnitTest tests[] = {cmocka_unit_test(zeros_stay_zeros_and_broken_frames_stay_away)};
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  claims_end();
  return failed;
}
