/* SPDX-License-Identifier: BSD-2-Clause */
/* check_holders_test.c — INV-23 and INV-24: tables of devices and bits of pools are damaged in each way, and it is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "machine.h"
#include "mm/check.h"
#include "mm/contig.h"
#include "mm/phys/contig_pool_instance.h"
#include "mm/phys/dma_instance.h"
#include "mm/phys/nodes_instance.h"
#include "platform.h"

#define RAM_SIZE (64 * MIB)
#define F(bytes) ((bytes) / FRAME_SIZE)
#define DMA      23
#define POOL     24

static const struct boot_region map[] = {{MIB, 40 * MIB, BOOT_MEMORY_USABLE, 7, 8},
                                         {48 * MIB, RAM_SIZE, BOOT_MEMORY_USABLE, 7, 8}};
static const struct nodes_range two[] = {{F(0), F(33 * MIB), 0}, {F(33 * MIB), F(RAM_SIZE), 1}};
static const struct nodes_layout two_nodes = {2, two, ARRAY_COUNT(two), NULL, 0};

static struct machine m;

static int begin(void **state) {
  (void)state;
  m = machine_create(map, ARRAY_COUNT(map), &two_nodes, NULL, 0);
  return m.status != OK;
}

static int end(void **state) {
  (void)state;
  machine_destroy(&m);
  return 0;
}

static void must_hold(void) { machine_must_be_sound(&m, "with all as it should be"); }

static struct mm_check_report must_break(uint32_t invariant) {
  struct mm_check_report r;
  assert_false(mm_check_nodes(m.nodes, 0, &r));
  assert_int_equal(r.invariant, invariant);
  assert_memory_equal(r.text, invariant == DMA ? "INV-23 dma broken" : "INV-24 pool broken", strlen("INV-23 dma broken"));
  return r;
}

static void must_break_at(uint32_t invariant, uint64_t frame) { assert_int_equal(must_break(invariant).frame, frame); }

/* 100 frames may live, in blocks of up to 20. */
static struct contig_pool *pool_of(enum frame_owner owner) {
  const struct contig_pool_promise promise = {100, 20, CONTIG_POOL_ANY};
  struct contig door = {.nodes = m.nodes};
  struct contig_pool *p;
  assert_int_equal(contig_pool_create(&door, owner, &promise, NULL, 0, &p), OK);
  return p;
}

static struct contig_pool *pool(void) { return pool_of(FRAME_OWNER_TEST); }

/* --- devices -------------------------------------------------------------------------------------------------------- */

static struct dma_device *device(const char *name) {
  const struct dma_limits none = {0};
  struct dma_device *d;
  assert_int_equal(dma_device_create(m.nodes, name, &none, &d), OK);
  return d;
}

/* The row of a new run. */
static struct dma_run *run(struct dma_device *d, uint64_t frames) {
  struct dma_segment s;
  assert_int_equal(dma_alloc(d, frames * FRAME_SIZE, DMA_COHERENT, &s), OK);
  for (size_t i = 0; i < DMA_RUNS_MAX; i++)
    if (d->runs[i].state == RUN_LIVE && d->runs[i].first == F(s.device.raw)) return &d->runs[i];
  fail();
  return NULL;
}

static void devices_that_come_and_go_are_sound(void **state) {
  (void)state;
  struct dma_device *d[3];
  struct dma_segment s;
  for (unsigned i = 0; i < 3; i++) d[i] = device("fake");
  for (unsigned i = 0; i < 3; i++) run(d[i], 700); /* Longer than a block. */
  assert_int_equal(dma_alloc(d[1], 5, DMA_COHERENT, &s), OK);
  must_hold();
  assert_int_equal(dma_free(d[1], &s), OK);
  must_hold(); /* In quarantine it is the device's. */
  assert_int_equal(dma_fence(d[1]), 1);
  must_hold();
  struct dma_device *idle = device("idle");
  assert_int_equal(dma_device_destroy(d[0]), ERR_BUSY);
  assert_int_equal(dma_device_destroy(idle), OK);
  must_hold();
  struct dma_device *first = device("first"), *last = device("last");
  assert_int_equal(dma_device_destroy(first), OK); /* In the middle of the list, then at its head. */
  assert_int_equal(dma_device_destroy(last), OK);
  must_hold();
}

static void a_buffer_that_is_no_longer_the_devices_is_found(void **state) {
  (void)state;
  struct dma_run *r = run(device("fake"), 20);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_DMA, FRAME_OWNER_TEST, pfn(r->first), 20), OK);
  must_break_at(DMA, r->first);
  r->state = RUN_QUARANTINED;
  must_break_at(DMA, r->first);
}

static void the_last_frame_of_a_buffer_is_looked_at(void **state) {
  (void)state;
  struct dma_run *r = run(device("fake"), 20);
  r->frames = 21;
  must_break_at(DMA, r->first + 20);
  r->frames = 19;
  must_break(DMA); /* In the sum. */
  r->frames = 0;
  must_break_at(DMA, r->first);
}

static void a_buffer_in_no_memory_is_found(void **state) {
  (void)state;
  struct dma_run *r = run(device("fake"), 1);
  r->first = F(44 * MIB); /* Between the regions. */
  must_break_at(DMA, F(44 * MIB));
  r->first = F(RAM_SIZE);
  must_break_at(DMA, F(RAM_SIZE));
}

/* Of the same device, and of another one; and the ledger says as many as there are rows. */
static void a_frame_that_two_have_is_found(void **state) {
  (void)state;
  struct dma_device *d = device("one"), *e = device("other");
  struct dma_run *a = run(d, 10), *b = run(d, 10), *c = run(e, 10);
  const struct dma_run b_was = *b;
  b->first = a->first;
  must_break_at(DMA, a->first);
  *b = b_was;
  must_hold();
  c->first = a->first;
  must_break_at(DMA, a->first);
}

/* RAM of two nodes and of two regions, the hole between them in none; and all of it is looked at. */
static void a_buffer_across_a_border_of_nodes_is_whole(void **state) {
  (void)state;
  const struct frame_limits aside = {.min = F(2 * MIB), .max = F(33 * MIB)};
  pfn_t rest;
  assert_int_equal(nodes_alloc_run(m.nodes, FRAME_OWNER_TEST, 0, F(31 * MIB), &aside, &rest), OK);
  struct dma_device *d = device("fake"); /* Its own frame lies at the edge, so that the run has room. */
  assert_int_equal(nodes_free_run(m.nodes, FRAME_OWNER_TEST, rest, F(31 * MIB)), OK);
  struct dma_run *r = run(d, F(36 * MIB));
  assert_true(r->first < F(33 * MIB) && r->first + r->frames > F(33 * MIB));
  must_hold();
  const pfn_t beyond = pfn(r->first + r->frames - 1);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_DMA, FRAME_OWNER_TEST, beyond, 1), OK);
  must_break_at(DMA, beyond.raw);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_TEST, FRAME_OWNER_DMA, beyond, 1), OK);
  must_hold();
  struct dma_run *high = run(d, F(6 * MIB)); /* Above the hole, where there is room. */
  const uint64_t first = high->first;
  assert_true(first >= F(48 * MIB));
  high->first = F(40 * MIB) - 10;
  high->frames += 10;
  must_break(DMA);
  high->first = first - 10;
  must_break(DMA);
}

/* In a hurry one frame in 64 is looked at: the first is. */
static void in_a_hurry_the_first_frame_is_looked_at(void **state) {
  (void)state;
  struct mm_check_report report;
  struct dma_run *r = run(device("fake"), 40);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_DMA, FRAME_OWNER_TEST, pfn(r->first), 1), OK);
  assert_false(mm_check_nodes(m.nodes, 1000000, &report));
  assert_true(report.invariant == DMA && report.frame == r->first);
}

static void a_list_that_leads_astray_ends(void **state) {
  (void)state;
  struct dma_device *d = device("first");
  struct contig_pool *p;
  d->next = d;
  must_break(DMA);
  d->next = NULL;
  d->frame = pfn(d->frame.raw + 1);
  must_break(DMA);
  d->frame = pfn(d->frame.raw - 1);
  must_hold();
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_KERNEL, FRAME_OWNER_TEST, d->frame, 1), OK);
  must_break_at(DMA, d->frame.raw);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_TEST, FRAME_OWNER_KERNEL, d->frame, 1), OK);
  p = pool();
  p->next = p;
  must_break(POOL); /* And not by INV-23, which counts what pools have. */
  p->next = NULL;
  must_hold();
}

static void a_pool_may_have_dma_buffers(void **state) {
  (void)state;
  run(device("fake"), 10);
  struct contig_pool *p = pool_of(FRAME_OWNER_DMA);
  pool();
  must_hold();
  assert_int_equal(contig_pool_destroy(p), OK);
  must_hold();
}

static void a_frame_that_nobody_has_is_found(void **state) {
  (void)state;
  run(device("fake"), 10);
  must_hold();
  assert_int_equal(mm_check_nodes_break(m.nodes, "dma"), OK);
  const struct mm_check_report r = must_break(DMA);
  assert_int_equal(r.expected, 10);
  assert_int_equal(r.found, 11);
}

/* A panic may come while one is being looked for, or given back: what that may hold is not a mistake. */
static void in_the_middle_of_a_call_the_sum_is_not_asked_for(void **state) {
  (void)state;
  struct dma_device *d = device("fake");
  struct dma_run *r = run(d, 10), *being_taken = &d->runs[7];
  r->state = RUN_MOVING;
  must_hold();
  r->state = RUN_LIVE;
  being_taken->state = RUN_MOVING;
  must_hold();
  assert_int_equal(mm_check_nodes_break(m.nodes, "dma"), OK);
  must_hold();
  being_taken->state = RUN_UNUSED;
  must_break(DMA);
}

/* --- pools ---------------------------------------------------------------------------------------------------------- */

static pfn_t block(struct contig_pool *p, uint64_t count) {
  pfn_t first;
  assert_int_equal(contig_pool_alloc(p, count, &first), OK);
  return first;
}

static void pools_that_come_and_go_are_sound(void **state) {
  (void)state;
  struct contig_pool *p[3];
  for (unsigned i = 0; i < 3; i++) p[i] = pool();
  for (unsigned i = 0; i < 3; i++) block(p[i], 17);
  const pfn_t last = block(p[1], 20);
  block(p[1], 20);
  must_hold();
  assert_int_equal(contig_pool_free(p[1], last, 20), OK);
  must_hold();
  struct contig_pool *one = pool(), *two_later = pool();
  assert_int_equal(contig_pool_destroy(p[0]), ERR_BUSY);
  assert_int_equal(contig_pool_destroy(one), OK);
  assert_int_equal(contig_pool_destroy(two_later), OK);
  must_hold();
}

static void a_frame_of_a_pool_that_has_another_owner_is_found(void **state) {
  (void)state;
  struct contig_pool *p = pool();
  const pfn_t last = pfn_add(p->first, p->stats.reserved - 1);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_TEST, FRAME_OWNER_USER, last, 1), OK);
  must_break_at(POOL, last.raw);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_USER, FRAME_OWNER_TEST, last, 1), OK);
  pool(); /* It is the second of the list now. */
  must_hold();
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_TEST, FRAME_OWNER_USER, last, 1), OK);
  must_break_at(POOL, last.raw);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_USER, FRAME_OWNER_TEST, last, 1), OK);
  assert_int_equal(nodes_give_run(m.nodes, FRAME_OWNER_KERNEL, FRAME_OWNER_USER, p->self, 1), OK);
  must_break_at(POOL, p->self.raw);
}

static void a_pool_of_another_shape_is_found(void **state) {
  (void)state;
  struct contig_pool *p = pool();
  must_hold();
  p->stats.reserved--;
  must_break_at(POOL, p->self.raw);
  p->stats.reserved++;
  p->live++;
  must_break_at(POOL, p->self.raw);
  p->live--;
  p->starts--;
  must_break_at(POOL, p->self.raw);
  p->starts++;
  p->self_frames = 0;
  must_break_at(POOL, p->self.raw);
  p->self_frames = 1;
  must_hold();
}

/* A panic may come while a block is being taken; in a hurry there is no time for bits. */
static void in_the_middle_of_a_call_bits_are_not_asked_for(void **state) {
  (void)state;
  struct mm_check_report report;
  struct contig_pool *p = pool();
  p->live[0] |= 1;
  must_break(POOL);
  assert_true(mm_check_nodes(m.nodes, 1000000, &report));
  platform_lock_acquire(&p->lock);
  must_hold();
  platform_lock_release(&p->lock);
  must_break(POOL);
}

static void bits_that_do_not_agree_are_found(void **state) {
  (void)state;
  struct contig_pool *p = pool();
  const pfn_t first = block(p, 10);
  const uint64_t at = first.raw - p->first.raw, bit = UINT64_C(1) << at % 64;
  uint64_t *live = &p->live[at / 64], *starts = &p->starts[at / 64];
  assert_true(at % 64 < 40);
  must_hold();
  *live ^= bit; /* A start of what does not live. */
  must_break_at(POOL, first.raw);
  *live ^= bit;
  *starts ^= bit; /* What lives has no start. */
  must_break_at(POOL, first.raw);
  *starts ^= bit | bit << 5; /* One block became two: in the count. */
  assert_int_equal(must_break(POOL).expected, 2);
  *starts ^= bit << 5;
  *live ^= bit << 9; /* Its last frame is not live any more: in the sum. */
  assert_int_equal(must_break(POOL).expected, 9);
  *live ^= bit << 9;
  must_hold();
  const uint64_t was = *live;
  *live |= ((UINT64_C(1) << 21) - 1) << at % 64; /* 21 frames of it. */
  must_break_at(POOL, first.raw + 20);
  *live = was;
  must_hold();
}

static void counts_and_the_end_of_a_pool_are_looked_at(void **state) {
  (void)state;
  struct contig_pool *p = pool();
  for (unsigned i = 0; i < 5; i++) block(p, 20);
  must_hold();
  p->stats.live++;
  must_break(POOL);
  p->stats.live--;
  p->stats.blocks++;
  must_break(POOL);
  p->stats.blocks--;
  const uint64_t reserved = p->stats.reserved, behind = UINT64_C(1) << reserved % 64;
  assert_true(reserved % 64 != 0);
  p->live[reserved / 64] ^= behind; /* As if the pool went on there. */
  must_break_at(POOL, p->first.raw + reserved);
  p->live[reserved / 64] ^= behind;
  p->starts[reserved / 64] ^= behind;
  must_break_at(POOL, p->first.raw + reserved);
  p->starts[reserved / 64] ^= behind;
  must_hold();
  for (uint64_t at = 0; at < reserved; at++) { /* One more than was promised. */
    if (p->live[at / 64] >> at % 64 & 1) continue;
    p->live[at / 64] |= UINT64_C(1) << at % 64;
    p->starts[at / 64] |= UINT64_C(1) << at % 64;
    break;
  }
  p->stats.live++;
  p->stats.blocks++;
  const struct mm_check_report r = must_break(POOL);
  assert_true(r.expected == 100 && r.found == 101);
}

static void a_pool_is_broken_where_there_was_none(void **state) {
  (void)state;
  must_hold();
  assert_int_equal(mm_check_nodes_break(m.nodes, "pool"), OK);
  must_break(POOL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void) {
  (void)fake_platform_make_ram(RAM_SIZE);
  const struct CMUnitTest tests[] = {
      TEST(devices_that_come_and_go_are_sound),
      TEST(a_buffer_that_is_no_longer_the_devices_is_found),
      TEST(the_last_frame_of_a_buffer_is_looked_at),
      TEST(a_buffer_in_no_memory_is_found),
      TEST(a_frame_that_two_have_is_found),
      TEST(a_buffer_across_a_border_of_nodes_is_whole),
      TEST(in_a_hurry_the_first_frame_is_looked_at),
      TEST(a_list_that_leads_astray_ends),
      TEST(a_pool_may_have_dma_buffers),
      TEST(a_frame_that_nobody_has_is_found),
      TEST(in_the_middle_of_a_call_the_sum_is_not_asked_for),
      TEST(pools_that_come_and_go_are_sound),
      TEST(a_frame_of_a_pool_that_has_another_owner_is_found),
      TEST(a_pool_of_another_shape_is_found),
      TEST(in_the_middle_of_a_call_bits_are_not_asked_for),
      TEST(bits_that_do_not_agree_are_found),
      TEST(counts_and_the_end_of_a_pool_are_looked_at),
      TEST(a_pool_is_broken_where_there_was_none),
  };
  return cmocka_run_group_tests_name("mm/guard/check_holders", tests, NULL, NULL);
}
