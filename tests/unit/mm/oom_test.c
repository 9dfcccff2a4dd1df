/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whatever allocates in mm fails at each of its allocations once, and is as it was before: owners frame by frame, the
 * ledger, the bytes of all page tables.
 *
 * 64 MiB of RAM that is really there, in fragments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "kernel/cpu_area.h"
#include "machine.h"
#include "mm/contig_pool.h"
#include "mm/dma.h"
#include "mm/kspace.h"
#include "mm/pagetable.h"
#include "mm/physmap.h"
#include "mm/zero.h"
#include "movers.h"
#include "oom.h"
#include "platform.h"

#define FRAMES   UINT64_C(16384)
#define RAM_SIZE (MIB + FRAMES * FRAME_SIZE)
#define AREA     (64 * GIB)                   /* Where the tests map. */
#define OBJECTS  (16 * RAM_SIZE / FRAME_SIZE) /* Of the movers, ever. */

static struct {
  char *ram;
  struct boot_region region;
  struct machine machine;
  struct nodes *nodes;
  struct pmm *pmm;
  struct hosted as_hosted; /* For the movers. */
  struct movers movers;
  struct pagetable tables;
  pfn_t root;
  uint64_t mapped; /* Bytes of AREA that are used up. */

  struct dma_device *device;
  struct dma_segment segments[64];
  size_t segment_count;
  struct contig_pool *pool;
  struct zero_stock *stock;
  pfn_t first;
  uint64_t count;
} t;

/* --- the state -------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *data, size_t n) {
  const uint8_t *bytes = data;
  for (size_t i = 0; i < n; i++) hash = (hash ^ bytes[i]) * 0x100000001b3;
  return hash;
}

static bool digest_range(void *context, const struct pmm_range *r) {
  uint64_t *hash = context;
  const uint64_t said[] = {r->start, r->end, r->state, r->owner};
  *hash = mix(*hash, said, sizeof said);
  if (r->owner == FRAME_OWNER_PAGE_TABLES)
    *hash = mix(*hash, t.ram + r->start * FRAME_SIZE, (r->end - r->start) * FRAME_SIZE);
  return true;
}

static uint64_t digest(void *context) {
  (void)context;
  uint64_t hash = 0xcbf29ce484222325;
  struct ledger l;
  nodes_visit(t.nodes, NODES_ALL, digest_range, &hash);
  nodes_ledger_read(t.nodes, NODES_ALL, &l);
  assert_true(ledger_balances(&l));
  hash = mix(hash, l.frames, sizeof l.frames);
  return mix(hash, &t.tables.spare_count, sizeof t.tables.spare_count);
}

/* --- the machine ------------------------------------------------------------------------------------------------------ */

static status_t take_table(void *context, paddr_t *frame) {
  (void)context;
  pfn_t f;
  status_t s = nodes_alloc_frame(t.nodes, FRAME_OWNER_PAGE_TABLES, 0, &f);
  if (s == OK) *frame = paddr_of_pfn(f);
  return s;
}

static void give_table(void *context, paddr_t frame) {
  (void)context;
  assert_int_equal(nodes_free_frame(t.nodes, FRAME_OWNER_PAGE_TABLES, pfn(frame.raw / FRAME_SIZE)), OK);
}

static status_t take_stack(void *context, uint64_t frames, paddr_t *start) {
  (void)context;
  pfn_t f;
  status_t s = nodes_alloc_run(t.nodes, FRAME_OWNER_STACKS, 0, frames, NULL, &f);
  if (s == OK) *start = paddr_of_pfn(f);
  return s;
}

/* Every eighth frame of the lower half is somebody's, so that what is long has to be put together, or moved out of the way.
 */
static void fragment(void) {
  for (uint64_t f = 256; f < FRAMES / 2; f += 8) assert_true(movers_take_at(&t.movers, f));
}

static int begin(void **state) {
  (void)state;
  memset(&t, 0, sizeof t);
  t.ram = fake_platform_make_ram(RAM_SIZE);
  t.region = hosted_plain_region(FRAMES);
  t.machine = machine_create(&t.region, 1, NULL, NULL, 0);
  assert_int_equal(t.machine.status, OK);
  t.nodes = t.machine.nodes;
  t.pmm = nodes_pmm(t.nodes, 0);
  t.as_hosted = (struct hosted){.pmm = t.pmm, .regions = &t.region, .region_count = 1};
  movers_init(&t.movers, &t.as_hosted, FRAME_OWNER_USER, OBJECTS, true);
  physmap_init(vaddr((uint64_t)(uintptr_t)t.ram), &t.region, 1);
  assert_int_equal(nodes_alloc_frame(t.nodes, FRAME_OWNER_PAGE_TABLES, 0, &t.root), OK);
  memset(t.ram + t.root.raw * FRAME_SIZE, 0, FRAME_SIZE);
  pagetable_init(&t.tables, paddr_of_pfn(t.root), (struct pagetable_source){take_table, give_table, NULL});
  fragment();
  return 0;
}

static int end(void **state) {
  (void)state;
  machine_must_be_sound(&t.machine, "at the end");
  movers_must_be_intact(&t.movers);
  movers_fini(&t.movers);
  machine_destroy(&t.machine);
  fake_platform_free_ram(t.ram, RAM_SIZE);
  return 0;
}

static uint64_t points_of_this(const char *name, const struct oom_attempt *a) {
  const struct oom_points p = for_each_oom_point(a);
  machine_must_be_sound(&t.machine, name);
  printf("# oom: %s: %llu allocations failed, %llu survived\n", name, (unsigned long long)p.failed,
         (unsigned long long)p.survived);
  return p.failed + p.survived;
}

static uint64_t points_of(const char *name, status_t (*attempt)(void *), void (*undo)(void *), status_t refused) {
  const struct oom_attempt a = {.name = name, .attempt = attempt, .undo = undo, .digest = digest, .refused = refused};
  return points_of_this(name, &a);
}

/* --- page tables ------------------------------------------------------------------------------------------------------ */

/* 4 KiB pages across a border of GiB and 2 MiB: tables of every level, twice. */
static status_t map_across_borders(void *context) {
  (void)context;
  const uint64_t start = 4 * GIB - 4 * FRAME_SIZE;
  return pagetable_map(&t.tables, vrange(start, start + 8 * FRAME_SIZE), paddr(MIB), PAGE_WRITE);
}

static status_t map_large(void *context) {
  (void)context;
  return pagetable_map(&t.tables, vrange(AREA, AREA + 16 * MIB), paddr(0), PAGE_WRITE);
}

/* From the middle of one 2 MiB leaf into the middle of another: both are split. */
static status_t protect_parts(void *context) {
  (void)context;
  return pagetable_protect(&t.tables, vrange(AREA + MIB, AREA + 5 * MIB), 0);
}

static status_t unmap_part(void *context) {
  (void)context;
  return pagetable_unmap(&t.tables, vrange(AREA + 9 * MIB, AREA + 9 * MIB + FRAME_SIZE));
}

static status_t split_one(void *context) {
  (void)context;
  return pagetable_split(&t.tables, vaddr(AREA + 12 * MIB));
}

static status_t reserve(void *context) {
  (void)context;
  return pagetable_reserve(&t.tables, 20);
}

static void page_tables(void **state) {
  (void)state;
  assert_int_equal(points_of("pagetable_map", map_across_borders, NULL, OK), 4);
  assert_true(points_of("pagetable_map, large", map_large, NULL, OK) >= 1);
  assert_int_equal(points_of("pagetable_protect", protect_parts, NULL, OK), 2);
  assert_int_equal(points_of("pagetable_unmap", unmap_part, NULL, OK), 1);
  assert_int_equal(points_of("pagetable_split", split_one, NULL, OK), 1);
  assert_int_equal(points_of("pagetable_reserve", reserve, NULL, OK), 20);
}

static status_t map_device(void *context) {
  (void)context;
  void *out;
  return kspace_map(paddr(0xfee00000 + 0x123), 3 * MIB, PAGE_WRITE | PAGE_UNCACHED, &out);
}

static status_t make_stack(void *context) {
  (void)context;
  struct kspace_stack s;
  return kspace_stack_create("oom", 8 * FRAME_SIZE, &s);
}

static void windows(void **state) {
  (void)state;
  kspace_init(&t.tables, vrange(128 * GIB, 128 * GIB + 16 * MIB), vrange(192 * GIB, 192 * GIB + MIB),
              (struct kspace_source){take_stack, NULL});
  assert_true(points_of("kspace_map", map_device, NULL, OK) >= 2);
  assert_true(points_of("kspace_stack_create", make_stack, NULL, OK) >= 3);
}

/* --- devices ---------------------------------------------------------------------------------------------------------- */

static status_t create_device(void *context) {
  (void)context;
  const struct dma_limits limits = {.address_bits = 25, .segment_max = 2 * MIB, .segment_count_max = 64};
  return dma_device_create(t.nodes, "oom", &limits, &t.device);
}

static void destroy_device(void *context) {
  (void)context;
  assert_int_equal(dma_device_destroy(t.device), OK);
}

static status_t alloc_dma(void *context) {
  (void)context;
  t.segment_count = 1;
  return dma_alloc(t.device, 6 * FRAME_SIZE, DMA_COHERENT, &t.segments[0]);
}

static status_t alloc_combining(void *context) {
  (void)context;
  t.segment_count = 1;
  return dma_alloc(t.device, 6 * FRAME_SIZE, DMA_WRITE_COMBINING, &t.segments[0]);
}

/* Below 2^25 there are pieces of seven frames, so this takes many. */
static status_t alloc_scatter(void *context) {
  (void)context;
  return dma_alloc_scatter(t.device, 300 * FRAME_SIZE, DMA_COHERENT, t.segments, 64, &t.segment_count);
}

static void free_dma(void *context) {
  (void)context;
  assert_int_equal(dma_free_scatter(t.device, t.segments, t.segment_count), OK);
  assert_true(dma_fence(t.device) > 0);
}

static void devices(void **state) {
  (void)state;
  assert_true(points_of("dma_device_create", create_device, destroy_device, OK) >= 1);
  assert_int_equal(create_device(NULL), OK);
  assert_true(points_of("dma_alloc", alloc_dma, free_dma, OK) >= 1);
  assert_true(points_of("dma_alloc, write-combining", alloc_combining, free_dma, OK) >= 1);
  assert_true(points_of("dma_alloc_scatter", alloc_scatter, free_dma, OK) >= 40);
  destroy_device(NULL);
}

/* --- runs that are made, and pools ------------------------------------------------------------------------------------ */

static status_t make_run(void *context) {
  (void)context;
  const struct frame_limits low = {.min = 256, .max = FRAMES / 2};
  t.count = 64;
  return contig_alloc(&t.movers.contig, FRAME_OWNER_TEST, t.count, &low, 100, &t.first);
}

static void free_run(void *context) {
  (void)context;
  assert_int_equal(pmm_free_run(t.pmm, FRAME_OWNER_TEST, t.first, t.count), OK);
}

/* What has moved lies where it did again: else the run is there from the first success on, and nothing is left to fail. */
static void fragment_again(void) {
  for (uint64_t f = 0; f < RAM_SIZE / FRAME_SIZE; f++)
    if (t.movers.object_of[f] != 0 && (f < 256 || f >= FRAMES / 2 || f % 8 != 0)) movers_give(&t.movers, f);
  for (uint64_t f = 256; f < FRAMES / 2; f += 8)
    if (t.movers.object_of[f] == 0) assert_true(movers_take_at(&t.movers, f));
}

static void free_run_made(void *context) {
  free_run(context);
  movers_must_be_intact(&t.movers);
  fragment_again();
}

static status_t make_pool(void *context) {
  (void)context;
  const struct contig_pool_promise promise = {.max_live = 256, .max_block = 16, .sizes = CONTIG_POOL_POWERS};
  const struct frame_limits low = {.min = 256, .max = FRAMES / 2};
  return contig_pool_create(&t.movers.contig, FRAME_OWNER_DMA, &promise, &low, 1000, &t.pool);
}

static void drop_pool(void *context) {
  (void)context;
  assert_int_equal(contig_pool_destroy(t.pool), OK);
  fragment_again();
}

/* 64 frames with eight movable ones in them: they can be had when eight other frames are free, and not before. */
static void a_run_is_made_with_as_many_free_frames_as_it_needs(void **state) {
  (void)state;
  const struct frame_limits window = {.min = 512, .max = 576};
  pfn_t *hoard = calloc(FRAMES, sizeof *hoard), frame;
  size_t hoarded = 0, refused = 0;
  for (struct frame_limits w = {.min = 576}; pmm_alloc_run(t.pmm, FRAME_OWNER_TEST, 0, 1, &w, &frame) == OK;)
    hoard[hoarded++] = frame;
  for (struct frame_limits w = {.max = 512}; pmm_alloc_run(t.pmm, FRAME_OWNER_TEST, 0, 1, &w, &frame) == OK;)
    hoard[hoarded++] = frame;
  while (true) {
    const uint64_t before = digest(NULL);
    const status_t s = contig_alloc(&t.movers.contig, FRAME_OWNER_TEST, 64, &window, 8, &t.first);
    if (s == OK) break;
    assert_int_equal(s, ERR_NO_MEMORY);
    assert_int_equal(digest(NULL), before);
    movers_must_be_intact(&t.movers);
    refused++;
    assert_true(hoarded > 0);
    assert_int_equal(pmm_free_frame(t.pmm, FRAME_OWNER_TEST, hoard[--hoarded]), OK);
  }
  assert_int_equal(refused, 8);
  t.count = 64;
  free_run(NULL);
  while (hoarded > 0) assert_int_equal(pmm_free_frame(t.pmm, FRAME_OWNER_TEST, hoard[--hoarded]), OK);
  printf("# oom: contig_alloc with 0 to 7 destinations: %zu failed\n", refused);
  free(hoard);
}

static struct contig_compaction compaction;
static uint64_t wanted; /* Groups to be whole: those of the upper half are. */

/* It answers OK with what it could do; failing, it must have left every frame where its owner knows it. */
static status_t compact(void *context) {
  (void)context;
  return contig_compact(&t.movers.contig, FRAMES_PER_2M, wanted, &compaction);
}

/* However many requests it was refused, all lies where its owner knows it. */
static void made_compact(void *context) {
  struct ledger l;
  (void)context;
  movers_must_be_intact(&t.movers);
  ledger_read(t.pmm, &l);
  assert_int_equal(l.frames[FRAME_OWNER_GATHERED], 0);
  assert_int_equal(compaction.before + 2, wanted);
  fragment_again();
}

/* A pool that fails may have moved frames (contig_pool.h): they are moved back, and then all is as before. */
static uint64_t digest_when_moved_back(void *context) {
  movers_must_be_intact(&t.movers);
  fragment_again();
  pmm_drain(t.pmm);
  return digest(context);
}

static void contiguity(void **state) {
  const struct oom_attempt pool = {.name = "contig_pool_create",
                                   .attempt = make_pool,
                                   .undo = drop_pool,
                                   .digest = digest_when_moved_back,
                                   .refused = ERR_BUSY};
  (void)state;
  assert_true(points_of("contig_alloc", make_run, free_run_made, ERR_BUSY) >= 20);
  movers_must_be_intact(&t.movers);
  assert_true(points_of_this(pool.name, &pool) >= 200);
  movers_must_be_intact(&t.movers);
  struct pmm_stats stats;
  pmm_stats_read(t.pmm, &stats);
  wanted = stats.free_2m + 2;
  assert_true(points_of("contig_compact", compact, made_compact, ERR_BUSY) >= 50);
  movers_must_be_intact(&t.movers);
}

/* --- zeros and the door ----------------------------------------------------------------------------------------------- */

static status_t make_stock(void *context) {
  (void)context;
  return zero_stock_create(t.pmm, 4 * MIB, &t.stock);
}

static void drop_stock(void *context) {
  (void)context;
  zero_stock_destroy(t.stock);
}

static status_t alloc_zeroed(void *context) {
  (void)context;
  t.count = 5;
  return zero_alloc_run(t.stock, FRAME_OWNER_TEST, t.count, NULL, &t.first);
}

static status_t alloc_zeroed_at_the_door(void *context) {
  (void)context;
  t.count = 1;
  return nodes_alloc_frame(t.nodes, FRAME_OWNER_TEST, NODE_ZEROED, &t.first);
}

static status_t alloc_run_at_the_door(void *context) {
  (void)context;
  t.count = 7;
  return nodes_alloc_run(t.nodes, FRAME_OWNER_TEST, 0, t.count, NULL, &t.first);
}

static void zeros_and_the_door(void **state) {
  (void)state;
  assert_true(points_of("zero_stock_create", make_stock, drop_stock, OK) >= 1);
  assert_int_equal(make_stock(NULL), OK);
  while (zero_step(t.stock)) continue;
  assert_true(points_of("zero_alloc_run", alloc_zeroed, free_run, OK) >= 1);
  drop_stock(NULL);
  assert_int_equal(nodes_clear_init(t.nodes, NODES_CLEAR_ON_ALLOC, 2 * MIB), OK);
  (void)points_of("nodes_alloc_frame, zeroed", alloc_zeroed_at_the_door, free_run, OK);
  assert_true(points_of("nodes_alloc_run", alloc_run_at_the_door, free_run, OK) >= 1);
}

/* --- nodes ------------------------------------------------------------------------------------------------------------ */

/* More than any node has. */
static status_t alloc_across_nodes(void *context) {
  (void)context;
  t.count = 10000;
  return nodes_alloc_run(t.nodes, FRAME_OWNER_TEST, PMM_MOVABLE, t.count, NULL, &t.first);
}

static void free_across_nodes(void *context) {
  (void)context;
  assert_int_equal(nodes_free_run(t.nodes, FRAME_OWNER_TEST, t.first, t.count), OK);
}

/* A run in three nodes is taken in three pieces: those before the one that is refused go back. */
static void runs_across_nodes(void **state) {
  (void)state;
  const struct nodes_range ranges[] = {{0, 256 + 4100, 0}, {256 + 4100, 256 + 9000, 1}, {256 + 9000, 256 + 13000, 2}};
  const struct nodes_layout layout = {3, ranges, ARRAY_COUNT(ranges), NULL, 0};
  const struct boot_region region = {MIB, MIB + 13000 * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  struct nodes *own = t.nodes;
  struct machine m = machine_create(&region, 1, &layout, NULL, 0);
  assert_int_equal(m.status, OK);
  t.nodes = m.nodes;
  const struct oom_attempt a = {
      .name = "a run across nodes", .attempt = alloc_across_nodes, .undo = free_across_nodes, .digest = digest};
  const struct oom_points p = for_each_oom_point(&a);
  machine_must_be_sound(&m, a.name);
  assert_int_equal(alloc_across_nodes(NULL), OK);
  assert_true(t.first.raw < ranges[0].end && t.first.raw + t.count > ranges[2].start);
  free_across_nodes(NULL);
  printf("# oom: %s: %llu allocations failed, %llu survived\n", a.name, (unsigned long long)p.failed,
         (unsigned long long)p.survived);
  assert_true(p.failed >= 2);
  t.nodes = own;
  machine_destroy(&m);
}

/* --- what a CPU needs for itself -------------------------------------------------------------------------------------- */

#define CPUS_MAX 64
static const struct cpu_area_stack cpu_stacks[] = {
    {"stack", 8 * FRAME_SIZE}, {"first", 2 * FRAME_SIZE}, {"second", 2 * FRAME_SIZE}};
static struct {
  uint64_t tops[ARRAY_COUNT(cpu_stacks)];
} cpus[CPUS_MAX];
static unsigned cpu_count;

static vaddr_t cpu_page(uint64_t cpu, uint64_t page) { return vaddr(AREA + 2 * page * GIB + cpu * 2 * FRAME_SIZE); }

static status_t prepare(unsigned cpu) {
  status_t s = cpu_area_page(t.nodes, &t.tables, cpu_page(cpu, 0));
  if (s == OK) s = cpu_area_page(t.nodes, &t.tables, cpu_page(cpu, 1));
  return s == OK ? cpu_area_stacks(cpu_stacks, ARRAY_COUNT(cpu_stacks), 3, cpus[cpu].tops) : s;
}

static status_t prepare_next(void *context) {
  (void)context;
  assert_true(cpu_count < CPUS_MAX);
  return prepare(cpu_count++);
}

/* Frames that were taken for CPUs and that no CPU has: which is what must not change, for what was made stays made. */
static uint64_t lost(void *context) {
  (void)context;
  struct ledger l;
  struct pagetable_leaf leaf;
  nodes_ledger_read(t.nodes, NODES_ALL, &l);
  assert_true(ledger_balances(&l));
  uint64_t pages = 0, stacks = 0;
  for (unsigned i = 0; i < cpu_count; i++) {
    for (unsigned k = 0; k < 2; k++) pages += pagetable_find(&t.tables, cpu_page(i, k), &leaf) == OK;
    for (size_t k = 0; k < ARRAY_COUNT(cpu_stacks); k++) stacks += cpus[i].tops[k] ? cpu_stacks[k].size / FRAME_SIZE : 0;
  }
  return l.frames[FRAME_OWNER_KERNEL] - pages + ((l.frames[FRAME_OWNER_STACKS] - stacks) << 20) +
         (t.tables.spare_count << 40);
}

static void cpu_areas(void **state) {
  (void)state;
  static struct kspace_stack room[CPUS_MAX * ARRAY_COUNT(cpu_stacks)];
  kspace_init(&t.tables, vrange(128 * GIB, 128 * GIB + 16 * MIB), vrange(192 * GIB, 192 * GIB + 64 * MIB),
              (struct kspace_source){take_stack, NULL});
  kspace_stacks_room(room, ARRAY_COUNT(room));
  const uint64_t before = lost(NULL);
  const struct oom_attempt a = {.name = "a CPU's area", .attempt = prepare_next, .digest = lost};
  const struct oom_points p = for_each_oom_point(&a);
  assert_true(p.failed >= 2 + ARRAY_COUNT(cpu_stacks));
  for (unsigned i = 0; i < cpu_count; i++) { /* Each goes on where it stopped. */
    struct ledger l;
    assert_int_equal(prepare(i), OK);
    assert_int_equal(prepare(i), OK);
    nodes_ledger_read(t.nodes, NODES_ALL, &l);
    for (size_t k = 0; k < ARRAY_COUNT(cpu_stacks); k++) assert_true(cpus[i].tops[k] != 0);
  }
  assert_int_equal(lost(NULL), before);
  printf("# oom: a CPU's area: %llu allocations failed, %u areas\n", (unsigned long long)p.failed, cpu_count);
}

/* --- the harness itself ----------------------------------------------------------------------------------------------- */

/* Takes two frames and forgets the first when there is no second. */
static status_t forget_one(void *context) {
  (void)context;
  pfn_t a, b;
  status_t s = pmm_alloc_frame(t.pmm, FRAME_OWNER_TEST, 0, &a);
  if (s == OK) s = pmm_alloc_frame(t.pmm, FRAME_OWNER_TEST, 0, &b);
  return s;
}

static void a_frame_that_is_forgotten_is_noticed(void **state) {
  (void)state;
  const struct oom_attempt a = {.name = "forgets", .attempt = forget_one, .digest = digest};
  assert_false(oom_is_clean(&a));
  const struct oom_attempt good = {.name = "run", .attempt = alloc_run_at_the_door, .undo = free_run, .digest = digest};
  assert_true(oom_is_clean(&good));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_frame_that_is_forgotten_is_noticed, begin, end),
      cmocka_unit_test_setup_teardown(page_tables, begin, end),
      cmocka_unit_test_setup_teardown(windows, begin, end),
      cmocka_unit_test_setup_teardown(devices, begin, end),
      cmocka_unit_test_setup_teardown(contiguity, begin, end),
      cmocka_unit_test_setup_teardown(a_run_is_made_with_as_many_free_frames_as_it_needs, begin, end),
      cmocka_unit_test_setup_teardown(zeros_and_the_door, begin, end),
      cmocka_unit_test_setup_teardown(runs_across_nodes, begin, end),
      cmocka_unit_test_setup_teardown(cpu_areas, begin, end),
  };
  return cmocka_run_group_tests_name("mm/oom", tests, NULL, NULL);
}
