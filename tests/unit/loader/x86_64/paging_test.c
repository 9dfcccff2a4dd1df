/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/unit/loader/x86_64/paging_test.c — walks the tables as a CPU does and compares with what was asked for.
 *
 * HOW      Two lists of extents are made: one by a walker that knows the format of entries and nothing of paging.c, one from
 *          the request by the rules of paging.h, page by page where pages matter.  Both are sorted and merged as far as they
 *          go; then they must be equal, which covers guards, holes, page 0, permissions and caching at once.
 * REPLAY   CAIRN_SEED=<seed printed> runs the same requests again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "base/units.h"
#include "lib/memmap.h"
#include "loader/placement.h"
#include "loader/x86_64/paging.h"

#define ROUNDS       400
#define EXTENTS_MAX  40000
#define REGIONS_MAX  2100
#define POOL_FRAMES  9000
#define POOL_AT      UINT64_C(0x7654321000)
#define STACK_SIZE   LAYOUT_BOOT_STACK_SIZE
#define WC_INDEX     5U
#define ADDRESS_BITS UINT64_C(0x000ffffffffff000)

static struct random rng;
static uint64_t below(uint64_t bound) { return random_below(&rng, bound); }

/* --- extents -------------------------------------------------------------------------------------------------------- */

struct extent {
  uint64_t va, pa, size;
  bool writable, executable, global;
  unsigned pat; /* Index into the page attribute table. */
};

struct extents {
  size_t count;
  struct extent e[EXTENTS_MAX];
};

static struct extents walked, expected;

/* Grows *last by *e where that is one mapping. */
static bool join(struct extent *last, const struct extent *e) {
  if (last->va + last->size != e->va || last->pa + last->size != e->pa || last->writable != e->writable ||
      last->executable != e->executable || last->global != e->global || last->pat != e->pat)
    return false;
  last->size += e->size;
  return true;
}

static void add(struct extents *x, struct extent e) {
  if (e.size == 0 || (x->count > 0 && join(&x->e[x->count - 1], &e))) return;
  assert_true(x->count < EXTENTS_MAX);
  x->e[x->count++] = e;
}

static int by_va(const void *a, const void *b) {
  uint64_t x = ((const struct extent *)a)->va;
  uint64_t y = ((const struct extent *)b)->va;
  return (x > y) - (x < y);
}

static void merge(struct extents *x) {
  size_t n = 0;
  qsort(x->e, x->count, sizeof x->e[0], by_va);
  for (size_t i = 0; i < x->count; i++) {
    struct extent *last = n ? &x->e[n - 1] : NULL;
    if (last) assert_true(last->va + last->size <= x->e[i].va);
    if (!last || !join(last, &x->e[i])) x->e[n++] = x->e[i];
  }
  x->count = n;
}

static void assert_same_extents(void) {
  merge(&walked);
  merge(&expected);
  for (size_t i = 0; i < walked.count && i < expected.count; i++) {
    const struct extent *w = &walked.e[i];
    const struct extent *e = &expected.e[i];
    if (memcmp(&w->va, &e->va, 3 * sizeof(uint64_t)) == 0 && w->writable == e->writable && w->executable == e->executable &&
        w->global == e->global && w->pat == e->pat)
      continue;
    fail_msg("extent %zu: walked %llx -> %llx + %llx w%d x%d g%d pat%u, expected %llx -> %llx + %llx w%d x%d g%d pat%u", i,
             (unsigned long long)w->va, (unsigned long long)w->pa, (unsigned long long)w->size, w->writable, w->executable,
             w->global, w->pat, (unsigned long long)e->va, (unsigned long long)e->pa, (unsigned long long)e->size,
             e->writable, e->executable, e->global, e->pat);
  }
  assert_int_equal(walked.count, expected.count);
}

/* --- the walker: SDM 3A, 4.5 ----------------------------------------------------------------------------------------- */

static uint64_t pool_memory[POOL_FRAMES][512];
static bool table_seen[POOL_FRAMES];
static struct paging_pool pool;
static bool gib_allowed;

static void walk_leaf(uint64_t entry, uint64_t va, unsigned level) {
  uint64_t size = FRAME_SIZE << 9 * (level - 1);
  unsigned pat_bit = (unsigned)(entry >> (level == 1 ? 7 : 12)) & 1;
  uint64_t pa = entry & ADDRESS_BITS & ~(level == 1 ? 0 : UINT64_C(0x1000));
  assert_true(level < 3 || (level == 3 && gib_allowed));
  assert_true((pa & (size - 1)) == 0);
  assert_true(entry & 0x20);                            /* Accessed: the CPU never has to write to the tables, */
  assert_int_equal((entry >> 6) & 1, (entry >> 1) & 1); /* and dirty exactly where it could be written. */
  assert_false(entry & 4);
  add(&walked, (struct extent){.va = va,
                               .pa = pa,
                               .size = size,
                               .writable = (entry & 2) != 0,
                               .executable = entry >> 63 == 0,
                               .global = (entry & 0x100) != 0,
                               .pat = pat_bit << 2 | ((unsigned)(entry >> 3) & 3)});
}

static void walk(uint64_t table, uint64_t va, unsigned level, unsigned levels) {
  uint64_t number = (table - pool.physical) / FRAME_SIZE;
  assert_true(table >= pool.physical && number < pool.used);
  assert_false(table_seen[number]); /* Every table hangs in one place. */
  table_seen[number] = true;
  for (uint64_t i = 0; i < 512; i++) {
    uint64_t entry = pool_memory[number][i];
    uint64_t at = va + (i << (12 + 9 * (level - 1)));
    if (level == levels && i >= 256) at |= level == 4 ? UINT64_C(0xffff) << 48 : UINT64_C(0xfe) << 56;
    if (!(entry & 1)) {
      assert_int_equal(entry, 0);
    } else if (level == 1 || (entry & 0x80)) {
      walk_leaf(entry, at, level);
    } else {
      assert_true((entry & 2) && !(entry & 4) && entry >> 52 == 0);
      walk(entry & ADDRESS_BITS, at, level - 1, levels);
    }
  }
}

static void walk_all(uint64_t root, unsigned levels) {
  walked.count = 0;
  memset(table_seen, 0, sizeof table_seen);
  walk(root, 0, levels, levels);
  for (uint64_t i = 0; i < pool.used; i++) assert_true(table_seen[i]);
}

/* --- what is expected: paging.h ------------------------------------------------------------------------------------- */

static bool image_is_read_only_at(const struct paging_request *q, uint64_t pa) {
  for (size_t i = 0; i < q->run_count; i++) {
    uint64_t start = q->image_physical + q->runs[i].offset;
    if (pa >= start && pa < start + q->runs[i].size) return !(q->runs[i].permissions & IMAGE_WRITE);
  }
  return false;
}

static void expect_region(const struct paging_request *q, const struct boot_region *r) {
  uint64_t base = q->windows[BOOT_WINDOW_DIRECT_MAP].base;
  bool acpi = r->kind == BOOT_MEMORY_ACPI_RECLAIM || r->kind == BOOT_MEMORY_ACPI_NVS;
  if (r->kind != BOOT_MEMORY_KERNEL) {
    add(&expected, (struct extent){
                       .va = base + r->start, .pa = r->start, .size = r->end - r->start, .writable = !acpi, .global = true});
    return;
  }
  for (uint64_t pa = r->start; pa < r->end; pa += FRAME_SIZE) {
    add(&expected,
        (struct extent){
            .va = base + pa, .pa = pa, .size = FRAME_SIZE, .writable = !image_is_read_only_at(q, pa), .global = true});
  }
}

static void expect_all(const struct paging_request *q) {
  const struct boot_window *w = q->windows;
  expected.count = 0;
  for (size_t i = 0; i < q->region_count; i++) {
    if (memmap_kind_in_direct_map(q->regions[i].kind)) expect_region(q, &q->regions[i]);
  }
  for (size_t i = 0; i < q->run_count; i++) {
    const struct image_run *r = &q->runs[i];
    add(&expected, (struct extent){.va = w[BOOT_WINDOW_IMAGE].base + r->offset,
                                   .pa = q->image_physical + r->offset,
                                   .size = r->size,
                                   .writable = (r->permissions & IMAGE_WRITE) != 0,
                                   .executable = (r->permissions & IMAGE_EXECUTE) != 0,
                                   .global = true});
  }
  add(&expected, (struct extent){.va = w[BOOT_WINDOW_STACKS].base + FRAME_SIZE,
                                 .pa = q->stack_physical,
                                 .size = q->stack_size,
                                 .writable = true,
                                 .global = true});
  add(&expected, (struct extent){
                     .va = w[BOOT_WINDOW_HANDOFF].base, .pa = q->handoff_physical, .size = q->handoff_size, .global = true});
  if (q->framebuffer_size > 0) {
    uint64_t start = q->framebuffer / FRAME_SIZE * FRAME_SIZE;
    uint64_t end = (q->framebuffer + q->framebuffer_size + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE;
    add(&expected, (struct extent){.va = w[BOOT_WINDOW_FRAMEBUFFER].base + start % FRAME_2M_SIZE,
                                   .pa = start,
                                   .size = end - start,
                                   .writable = true,
                                   .global = true,
                                   .pat = WC_INDEX});
  }
  add(&expected, (struct extent){.va = q->jump_page, .pa = q->jump_page, .size = FRAME_SIZE, .executable = true});
}

/* --- random machines ------------------------------------------------------------------------------------------------ */

struct machine {
  struct paging_request q;
  struct boot_window windows[BOOT_WINDOW_COUNT];
  struct boot_region regions[REGIONS_MAX];
  struct image_run runs[4];
};
static struct machine machine;

static uint64_t random_length(void) {
  switch (below(4)) {
  case 0:
    return FRAME_SIZE * (1 + below(4));
  case 1:
    return FRAME_SIZE * (1 + below(2000));
  case 2:
    return FRAME_2M_SIZE * (1 + below(700));
  default:
    return FRAME_1G_SIZE * (1 + below(5)) + FRAME_SIZE * below(2);
  }
}

static uint64_t align_sometimes(uint64_t at) {
  static const uint64_t steps[] = {FRAME_SIZE, FRAME_SIZE, FRAME_2M_SIZE, FRAME_1G_SIZE};
  return bits_align_up(at, steps[below(ARRAY_COUNT(steps))]);
}

static void push_region(uint64_t *at, uint64_t size, uint32_t kind) {
  machine.regions[machine.q.region_count++] = (struct boot_region){.start = *at, .end = *at + size, .kind = kind};
  *at += size;
}

static void make_regions(size_t count) {
  uint64_t at = below(2) * FRAME_SIZE;
  for (size_t i = 0; i < count; i++) {
    if (below(3) == 0) at = align_sometimes(at + FRAME_SIZE * below(1000));
    push_region(&at, random_length(), (uint32_t)below(BOOT_MEMORY_KIND_COUNT));
  }
  machine.q.image_physical = at;
  push_region(&at, FRAME_SIZE * 40, BOOT_MEMORY_KERNEL);
  machine.q.stack_physical = at;
  push_region(&at, STACK_SIZE, BOOT_MEMORY_BOOT_STACK);
  machine.q.handoff_physical = at;
  machine.q.handoff_size = FRAME_SIZE * (1 + below(20));
  push_region(&at, machine.q.handoff_size, BOOT_MEMORY_HANDOFF);
  push_region(&at, random_length(), BOOT_MEMORY_USABLE);
}

static void make_runs(void) {
  static const uint32_t permissions[] = {IMAGE_READ, IMAGE_READ | IMAGE_EXECUTE, IMAGE_READ | IMAGE_WRITE};
  uint64_t offset = 0;
  machine.q.run_count = 1 + below(ARRAY_COUNT(machine.runs));
  for (size_t i = 0; i < machine.q.run_count; i++) {
    uint64_t size = FRAME_SIZE * (1 + below(9));
    machine.runs[i] = (struct image_run){.offset = offset, .size = size, .permissions = permissions[below(3)]};
    offset += size + FRAME_SIZE * below(2);
  }
}

static void make_machine(size_t region_count, uint32_t levels, bool has_gib_pages) {
  struct machine *m = &machine;
  m->q = (struct paging_request){.levels = levels,
                                 .has_gib_pages = has_gib_pages,
                                 .regions = m->regions,
                                 .windows = m->windows,
                                 .runs = m->runs,
                                 .stack_size = STACK_SIZE,
                                 .jump_page = FRAME_SIZE * (1 + below(UINT64_C(1) << 30))};
  make_regions(region_count);
  make_runs();
  if (below(4) != 0) {
    m->q.framebuffer = (UINT64_C(1) << 38) +
                       below(UINT64_C(1) << 40) / (below(2) ? 1 : FRAME_2M_SIZE) * FRAME_2M_SIZE % (UINT64_C(1) << 44);
    m->q.framebuffer_size = 1 + below(40 * MIB);
  }
  struct placement_request p = {.mode = PLACEMENT_RANDOM,
                                .levels = levels,
                                .entropy_bits = 256,
                                .image_size = 40 * FRAME_SIZE,
                                .ram_end = m->regions[m->q.region_count - 1].end,
                                .framebuffer_base = m->q.framebuffer,
                                .framebuffer_size = m->q.framebuffer_size,
                                .handoff_size = m->q.handoff_size};
  assert_int_equal(placement_choose(&p, &rng, m->windows), OK);
}

static void fresh_pool(uint64_t frames) {
  pool = (struct paging_pool){.memory = pool_memory, .physical = POOL_AT, .frames = frames};
}

static uint64_t build(uint64_t frames) {
  uint64_t root = 0;
  fresh_pool(frames);
  assert_int_equal(paging_build(&machine.q, &pool, &root), OK);
  return root;
}

/* --- tests ---------------------------------------------------------------------------------------------------------- */

static void every_mapping_is_the_one_asked_for(void **state) {
  (void)state;
  for (unsigned i = 0; i < ROUNDS; i++) {
    gib_allowed = below(2) == 0;
    make_machine(below(40), below(2) ? 4 : 5, gib_allowed);
    uint64_t bound = paging_frames_max(&machine.q);
    assert_true(bound < POOL_FRAMES);
    memset(pool_memory, 0xa5, sizeof pool_memory[0] * bound); /* Nothing may rely on zeros. */
    uint64_t root = build(bound);
    walk_all(root, machine.q.levels);
    expect_all(&machine.q);
    assert_same_extents();
  }
}

static void no_leaf_is_writable_and_executable_and_page_0_is_not_mapped(void **state) {
  (void)state;
  for (unsigned i = 0; i < ROUNDS; i++) {
    gib_allowed = true;
    make_machine(below(20), below(2) ? 4 : 5, true);
    walk_all(build(POOL_FRAMES), machine.q.levels);
    for (size_t k = 0; k < walked.count; k++) {
      assert_false(walked.e[k].writable && walked.e[k].executable);
      assert_true(walked.e[k].va >= FRAME_SIZE);
    }
  }
}

static void no_writable_page_anywhere_shows_a_frame_of_code_or_constants(void **state) {
  (void)state;
  for (unsigned i = 0; i < ROUNDS; i++) {
    gib_allowed = true;
    make_machine(below(10), 4, true);
    walk_all(build(POOL_FRAMES), 4);
    for (size_t r = 0; r < machine.q.run_count; r++) {
      uint64_t start = machine.q.image_physical + machine.runs[r].offset;
      uint64_t end = start + machine.runs[r].size;
      for (size_t k = 0; k < walked.count && !(machine.runs[r].permissions & IMAGE_WRITE); k++) {
        const struct extent *e = &walked.e[k];
        assert_false(e->writable && e->pa < end && e->pa + e->size > start);
      }
    }
  }
}

static void the_count_is_never_too_small_and_close(void **state) {
  (void)state;
  uint64_t loose = 0;
  for (unsigned i = 0; i < ROUNDS; i++) {
    make_machine(below(60), below(2) ? 4 : 5, below(2) == 0);
    uint64_t bound = paging_frames_max(&machine.q);
    (void)build(bound);
    assert_true(pool.used <= bound);
    loose = bits_max(loose, bound - pool.used);
  }
  assert_true(loose <= 8); /* At most one table a level and window is counted twice. */
}

static void a_pool_that_is_too_small_is_said_to_be_and_stays_unused(void **state) {
  (void)state;
  uint64_t root = 7;
  make_machine(12, 4, false);
  (void)build(POOL_FRAMES);
  uint64_t needed = pool.used;
  for (uint64_t frames = 0; frames < needed; frames++) {
    fresh_pool(frames);
    assert_int_equal(paging_build(&machine.q, &pool, &root), ERR_NO_MEMORY);
    assert_int_equal(pool.used, 0);
    assert_int_equal(root, 7);
  }
  fresh_pool(needed);
  assert_int_equal(paging_build(&machine.q, &pool, &root), OK);
}

static void two_mappings_of_one_page_are_refused(void **state) {
  (void)state;
  uint64_t root = 0;
  make_machine(5, 4, true);
  machine.windows[BOOT_WINDOW_HANDOFF].base = machine.windows[BOOT_WINDOW_IMAGE].base;
  fresh_pool(POOL_FRAMES);
  assert_int_equal(paging_build(&machine.q, &pool, &root), ERR_OVERLAP);
  /* Also where a table is in the way of a large leaf, */
  make_machine(5, 4, true);
  machine.regions[0] = (struct boot_region){.start = 0, .end = 4 * FRAME_1G_SIZE, .kind = BOOT_MEMORY_USABLE};
  machine.q.region_count = 1;
  machine.windows[BOOT_WINDOW_DIRECT_MAP].size = 4 * FRAME_1G_SIZE;
  machine.windows[BOOT_WINDOW_HANDOFF].base = machine.windows[BOOT_WINDOW_DIRECT_MAP].base + FRAME_SIZE;
  fresh_pool(POOL_FRAMES);
  assert_int_equal(paging_build(&machine.q, &pool, &root), ERR_OVERLAP);
  /* and a large leaf in the way of a table. */
  make_machine(5, 4, true);
  machine.regions[0] =
      (struct boot_region){.start = FRAME_2M_SIZE, .end = FRAME_2M_SIZE + FRAME_SIZE, .kind = BOOT_MEMORY_USABLE};
  machine.q.region_count = 1;
  machine.q.framebuffer = 8 * FRAME_1G_SIZE;
  machine.q.framebuffer_size = FRAME_2M_SIZE;
  machine.windows[BOOT_WINDOW_FRAMEBUFFER] =
      (struct boot_window){.base = machine.windows[BOOT_WINDOW_DIRECT_MAP].base + FRAME_2M_SIZE, .size = FRAME_2M_SIZE};
  fresh_pool(POOL_FRAMES);
  assert_int_equal(paging_build(&machine.q, &pool, &root), ERR_OVERLAP);
}

static void refuse(status_t expected_status) {
  uint64_t root = 0;
  fresh_pool(POOL_FRAMES);
  assert_int_equal(paging_build(&machine.q, &pool, &root), expected_status);
  assert_int_equal(pool.used, 0);
  make_machine(5, 4, true);
}

static void what_makes_no_sense_is_refused(void **state) {
  (void)state;
  make_machine(5, 4, true);
  machine.q.levels = 3;
  refuse(ERR_INVALID);
  machine.q.stack_physical += 8;
  refuse(ERR_UNALIGNED);
  machine.windows[BOOT_WINDOW_DIRECT_MAP].base += FRAME_2M_SIZE;
  refuse(ERR_UNALIGNED);
  machine.runs[0].size += 1;
  refuse(ERR_UNALIGNED);
  machine.windows[BOOT_WINDOW_STACKS].base = 4 * FRAME_1G_SIZE; /* The lower half. */
  refuse(ERR_RANGE);
  machine.windows[BOOT_WINDOW_PERCPU].size = UINT64_MAX;
  refuse(ERR_RANGE);
  machine.q.handoff_size = machine.windows[BOOT_WINDOW_HANDOFF].size + FRAME_SIZE;
  refuse(ERR_RANGE);
  machine.windows[BOOT_WINDOW_DIRECT_MAP].size -= FRAME_1G_SIZE; /* RAM would run out of its window. */
  refuse(ERR_RANGE);
  machine.q.framebuffer = UINT64_C(1) << 52;
  machine.q.framebuffer_size = 4096;
  refuse(ERR_RANGE);
  machine.q.jump_page = 0;
  refuse(ERR_RANGE);
}

static void sixteen_tebibytes_take_few_tables(void **state) {
  (void)state;
  make_machine(0, 4, true);
  machine.regions[0] = (struct boot_region){.start = FRAME_1G_SIZE * 16, .end = 16 * TIB, .kind = BOOT_MEMORY_USABLE};
  machine.regions[1] = (struct boot_region){.start = 56 * TIB, .end = 57 * TIB, .kind = BOOT_MEMORY_MMIO};
  machine.q.region_count = 2;
  struct placement_request p = {.mode = PLACEMENT_RANDOM,
                                .levels = 4,
                                .image_size = 40 * FRAME_SIZE,
                                .ram_end = 16 * TIB,
                                .handoff_size = machine.q.handoff_size,
                                .framebuffer_base = machine.q.framebuffer,
                                .framebuffer_size = machine.q.framebuffer_size};
  assert_int_equal(placement_choose(&p, &rng, machine.windows), OK);
  assert_true(paging_frames_max(&machine.q) < 33 + 40);
}

static void two_thousand_regions_are_mapped_right(void **state) {
  (void)state;
  gib_allowed = true;
  make_machine(2000, 5, true);
  uint64_t bound = paging_frames_max(&machine.q);
  assert_true(bound <= POOL_FRAMES);
  walk_all(build(bound), 5);
  expect_all(&machine.q);
  assert_same_extents();
}

static int seed_rng(void **state) {
  (void)state;
  const char *given = getenv("CAIRN_SEED");
  uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
  print_message("CAIRN_SEED=%llu\n", (unsigned long long)seed);
  placement_seed(seed, &rng);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_mapping_is_the_one_asked_for),
      cmocka_unit_test(no_leaf_is_writable_and_executable_and_page_0_is_not_mapped),
      cmocka_unit_test(no_writable_page_anywhere_shows_a_frame_of_code_or_constants),
      cmocka_unit_test(the_count_is_never_too_small_and_close),
      cmocka_unit_test(a_pool_that_is_too_small_is_said_to_be_and_stays_unused),
      cmocka_unit_test(two_mappings_of_one_page_are_refused),
      cmocka_unit_test(what_makes_no_sense_is_refused),
      cmocka_unit_test(sixteen_tebibytes_take_few_tables),
      cmocka_unit_test(two_thousand_regions_are_mapped_right),
  };
  return cmocka_run_group_tests(tests, seed_rng, NULL);
}
