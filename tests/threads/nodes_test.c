/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Eight threads at a machine of three nodes, under ThreadSanitizer: at home and far away, runs across the borders of nodes
 * that several want at once, gifts and frees of such runs, and refusals that are noted while they are read.
 *
 * Every frame has a word of the test's own (claims.h): a frame in two hands is seen at once.
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

#include "base/compiler.h"
#include "base/units.h"
#include "claims.h"
#include "machine.h"
#include "mm/platform.h"
#include "platform.h"
#include "seed.h"

#define THREADS  8
#define FRAMES   (UINT64_C(96) * 512)
#define FIRST    UINT64_C(256) /* 1 MiB. */
#define HELD_MAX 24
#define TEST     FRAME_OWNER_TEST

/* Borders in the middle of blocks of 2 MiB. */
static const uint64_t borders[] = {FIRST + UINT64_C(32) * 512 + 100, FIRST + UINT64_C(64) * 512 + 255};

struct run {
  uint64_t first, count;
};

struct worker {
  pthread_t thread;
  unsigned number;
  struct dice dice;
  struct run held[HELD_MAX];
  size_t held_count;
  uint64_t near, far, across, refused, failures;
};

static struct machine m;
static uint64_t ops_each;
static pthread_barrier_t gate;

static void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "nodes: %s\n", what);
  abort();
}

static void give_back(struct worker *w) {
  const size_t i = dice_below(&w->dice, w->held_count);
  const struct run r = w->held[i];
  w->held[i] = w->held[--w->held_count];
  enum frame_owner owner = TEST;
  if (dice_one_in(&w->dice, 8)) {
    owner = FRAME_OWNER_USER;
    must(nodes_give_run(m.nodes, TEST, owner, pfn(r.first), r.count) == OK, "a gift was refused");
  }
  claims_give(r.first, r.count);
  must(nodes_free_run(m.nodes, owner, pfn(r.first), r.count) == OK, "a run was not taken back");
}

static void allocate(struct worker *w) {
  const uint32_t node = (uint32_t)dice_below(&w->dice, 3);
  const uint64_t kind = dice_below(&w->dice, 100);
  struct frame_limits around = {0};
  uint64_t count = 1;
  pfn_t first = pfn(0);
  status_t s;
  if (kind < 15) {
    s = nodes_alloc_frame(m.nodes, TEST, 0, &first);
    w->near += s == OK;
  } else if (kind < 30) {
    s = nodes_alloc_frame(m.nodes, TEST, NODE(node) | (kind < 22 ? NODE_EXACT : 0), &first);
    must(s != OK || kind >= 22 || nodes_node_of(m.nodes, first.raw) == node, "an exact node was not");
    w->far += s == OK;
  } else {
    const uint64_t border = borders[dice_below(&w->dice, ARRAY_COUNT(borders))];
    count = 2 + dice_any_size(&w->dice, 7);
    if (kind < 95) around = (struct frame_limits){.min = border - count + 1, .max = border + count - 1};
    s = nodes_alloc_run(m.nodes, TEST, 0, count, &around, &first);
    w->across += s == OK && first.raw < border && first.raw + count > border;
  }
  w->refused += s != OK;
  if (s != OK) return;
  claims_take(first.raw, count, w->number + 1);
  w->held[w->held_count++] = (struct run){first.raw, count};
}

static void read_failures(struct worker *w) {
  struct nodes_failure list[NODES_FAILURES_KEPT];
  const size_t n = nodes_failures(m.nodes, list, NODES_FAILURES_KEPT);
  for (size_t i = 0; i < n; i++) must(list[i].owner == TEST && list[i].status == ERR_NO_MEMORY, "a failure is torn");
  w->failures += n;
}

static void *work(void *argument) {
  struct worker *w = argument;
  unsigned share = 60;
  fake_platform_set_slot_hint(w->number);
  pthread_barrier_wait(&gate);
  for (uint64_t i = 0; i < ops_each; i++) {
    if (i % 1024 == 0) share = (unsigned)dice_between(&w->dice, 30, 80);
    if (i % 512 == 0) read_failures(w);
    if (i % 4096 == 0) must(nodes_set_home(m.nodes, w->number, (uint32_t)dice_below(&w->dice, 3)) == OK, "no home");
    const bool is_alloc = w->held_count == 0 || (w->held_count < HELD_MAX && dice_below(&w->dice, 100) < share);
    if (is_alloc)
      allocate(w);
    else
      give_back(w);
  }
  while (w->held_count > 0) give_back(w);
  return NULL;
}

static void eight_threads_share_three_nodes(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  const struct boot_region region = {FIRST * FRAME_SIZE, (FIRST + FRAMES) * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  const struct nodes_range ranges[] = {{0, borders[0], 0}, {borders[0], borders[1], 1}, {borders[1], FIRST + FRAMES, 2}};
  const struct nodes_layout layout = {3, ranges, ARRAY_COUNT(ranges), NULL, 0};
  struct worker *workers = calloc(THREADS, sizeof *workers);
  struct worker sum = {0};
  struct ledger l;
  m = machine_create(&region, 1, &layout, NULL, 0);
  assert_int_equal(m.status, OK);
  const uint64_t digest = machine_digest(&m);
  assert_non_null(workers);
  claims_begin(FIRST, FRAMES);
  ops_each = (wanted ? strtoull(wanted, NULL, 0) : 400000) / THREADS;
  pthread_barrier_init(&gate, NULL, THREADS);
  for (unsigned i = 0; i < THREADS; i++) {
    workers[i].number = i;
    workers[i].dice = dice_of(seed_of_run() + i);
    assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  for (unsigned i = 0; i < THREADS; i++) {
    pthread_join(workers[i].thread, NULL);
    sum.near += workers[i].near, sum.far += workers[i].far, sum.across += workers[i].across;
    sum.refused += workers[i].refused, sum.failures += workers[i].failures;
  }
  nodes_ledger_read(m.nodes, NODES_ALL, &l);
  assert_true(ledger_balances(&l));
  assert_int_equal(l.frames[FRAME_OWNER_FREE], FRAMES);
  machine_must_be_sound(&m, "after the threads");
  assert_int_equal(machine_digest(&m), digest);
  printf(
      "# threads: %llu operations: %llu at home, %llu of a node, %llu across a border, %llu refused; %llu failures read\n",
      (unsigned long long)ops_each * THREADS, (unsigned long long)sum.near, (unsigned long long)sum.far,
      (unsigned long long)sum.across, (unsigned long long)sum.refused, (unsigned long long)sum.failures);
  assert_true(sum.across > 0);
  pthread_barrier_destroy(&gate);
  machine_destroy(&m);
  claims_end();
  free(workers);
}

/* --- all there is, beside a CPU with nothing to do ------------------------------------------------------------------- */

static atomic_bool is_over;

static void *fills_the_stock(void *nothing) {
  fake_platform_set_slot_hint(5);
  while (!atomic_load(&is_over)) nodes_idle(m.nodes);
  return nothing;
}

/*
 * What was called in for a request is there when the request is made again; the idle CPU would be faster, nearly always. But
 * a thread of the host that has a frame in its hands may be put aside for longer than any CPU is waited for.
 */
static void the_longest_run_is_met_beside_an_idle_cpu(void **state) {
  (void)state;
  static const struct boot_region ram = {1 * MIB, 65 * MIB, BOOT_MEMORY_USABLE, 7, 8};
  struct pmm_stats s;
  pthread_t idle;
  unsigned refused = 0;
  char *bytes = fake_platform_make_ram(ram.end);
  m = machine_create(&ram, 1, NULL, NULL, 0);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_ALLOC, 4 * MIB), OK);
  nodes_stats_read(m.nodes, NODES_ALL, &s);
  const uint64_t longest = s.largest_free_run;
  struct dice d = dice_of(seed_of_run());
  atomic_store(&is_over, false);
  assert_int_equal(pthread_create(&idle, NULL, fills_the_stock, NULL), 0);
  for (unsigned i = 0; i < 5000; i++) {
    pfn_t f;
    if (nodes_alloc_run(m.nodes, TEST, 0, longest, NULL, &f) == OK)
      assert_int_equal(nodes_free_run(m.nodes, TEST, f, longest), OK);
    else
      refused++;
    for (uint64_t wait = dice_below(&d, 5000); wait > 0; wait--) platform_relax();
  }
  atomic_store(&is_over, true);
  pthread_join(idle, NULL);
  printf("# threads: the longest run beside an idle CPU, 5000 times: %u refused\n", refused);
  assert_true(refused < 250);
  machine_must_be_sound(&m, "after the idle CPU");
  machine_destroy(&m);
  fake_platform_free_ram(bytes, ram.end);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(eight_threads_share_three_nodes),
                                     cmocka_unit_test(the_longest_run_is_met_beside_an_idle_cpu)};
  return cmocka_run_group_tests_name("threads/nodes", tests, NULL, NULL);
}
