/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/records.c, and what all bookkeeping of a machine costs: hot bytes, records, bitmaps, tiers, the door in front of
 * them, and the page tables behind it all.  Holes and far-away devices cost nothing.
 */
#include "mm/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"
#include "machine.h"
#include "maps.h"
#include "mm/pagetable.h"
#include "mm/physmap.h"
#include "slots.h"

#define TABLES_MAX 256
#define WINDOW     (UINT64_C(3) << 30) /* Where the arrays lie; any multiple of 2 MiB. */

static char *arena; /* Of tables; frame 0 is the root. */
static uint64_t tables_used;

static status_t take(void *context, paddr_t *frame) {
  (void)context;
  if (tables_used == TABLES_MAX) return ERR_NO_MEMORY;
  *frame = paddr(tables_used++ * FRAME_SIZE);
  return OK;
}

struct cost {
  struct pagetable tables;
  uint64_t pages; /* Bytes. */
  uint64_t small_pages;
  uint64_t last_end;
  uint64_t next; /* Where the memory behind it lies: anywhere. */
  const struct boot_region *regions;
  size_t count;
  struct frame_records records;
};

static void map_piece(void *context, const struct records_piece *p) {
  struct cost *c = context;
  assert_true(p->start < p->end && p->start >= c->last_end);
  assert_true(p->start % p->page == 0 && p->end % p->page == 0);
  c->last_end = p->end;
  c->pages += p->end - p->start;
  if (p->page == FRAME_SIZE) c->small_pages += (p->end - p->start) / FRAME_SIZE;
  c->next = bits_align_up(c->next, p->page);
  assert_int_equal(pagetable_map(&c->tables, vrange(p->start, p->end), paddr(c->next), PAGE_WRITE), OK);
  c->next += p->end - p->start;
}

/* Maps everything, in tables of the test's. */
static void map_all(struct cost *c, const struct boot_region *regions, size_t count) {
  arena = aligned_alloc(FRAME_SIZE, TABLES_MAX * FRAME_SIZE);
  assert_non_null(arena);
  memset(arena, 0, TABLES_MAX * FRAME_SIZE);
  tables_used = 1;
  physmap_init(vaddr((uint64_t)(uintptr_t)arena), NULL, 0);
  *c = (struct cost){.regions = regions, .count = count};
  const struct records_plan plan =
      records_plan((void *)(uintptr_t)WINDOW, regions, count); // NOLINT(performance-no-int-to-ptr)
  c->records = plan.records;
  pagetable_init(&c->tables, paddr(0), (struct pagetable_source){take, NULL, NULL});
  records_each_piece(&plan, map_piece, c);
}

static bool is_mapped(const struct cost *c, uint64_t at) {
  struct pagetable_leaf leaf;
  return pagetable_find(&c->tables, vaddr(at), &leaf) == OK;
}

/* --- what has to be there --------------------------------------------------------------------------------------------- */

static void assert_mapped(const struct cost *c, uint64_t first, uint64_t end) {
  const uint64_t hot = (uint64_t)(uintptr_t)c->records.hot, cold = (uint64_t)(uintptr_t)c->records.cold;
  const uint64_t step = 1 + (end - first) / 1000; /* Enough of them, the ends always. */
  for (uint64_t f = first; f < end; f = f + step < end || f == end - 1 ? f + step : end - 1) {
    assert_true(is_mapped(c, hot + f));
    assert_true(is_mapped(c, cold + f * 15) && is_mapped(c, cold + f * 15 + 14));
  }
}

static void every_frame_of_ram_has_its_records(void **state) {
  (void)state;
  char **paths = map_paths_of_our_own();
  size_t maps = 0;
  for (size_t i = 0; paths && paths[i]; i++) {
    struct map m;
    struct cost cost;
    if (!map_read(paths[i], &m)) continue;
    struct canon canon = canon_of(&m, NULL, 0);
    uint64_t start, end, last = 0;
    for (size_t at = 0; canon.status == OK && pmm_next_record_range(canon.regions, canon.count, &at, &start, &end);)
      last = end;
    if (canon.status == OK && last * PMM_RECORD_SIZE < 500 * GIB) { /* As far as three levels of tables reach. */
      map_all(&cost, canon.regions, canon.count);
      for (size_t at = 0; pmm_next_record_range(canon.regions, canon.count, &at, &start, &end);)
        assert_mapped(&cost, start, end);
      free(arena);
      maps++;
    }
    canon_free(&canon);
    map_free(&m);
  }
  map_paths_free(paths);
  print_message("%zu maps\n", maps);
  assert_true(maps > 10);
}

static void holes_have_none(void **state) {
  (void)state;
  const struct boot_region regions[] = {{MIB, GIB, BOOT_MEMORY_USABLE, 7, 8},
                                        {2 * GIB, 3 * GIB, BOOT_MEMORY_MMIO, 11, 1},
                                        {TIB, TIB + GIB, BOOT_MEMORY_USABLE, 7, 8}};
  struct cost c;
  map_all(&c, regions, ARRAY_COUNT(regions));
  const uint64_t cold = (uint64_t)(uintptr_t)c.records.cold, frames = 2 * GIB / FRAME_SIZE - 256;
  assert_true(is_mapped(&c, WINDOW) && is_mapped(&c, cold + 15 * (GIB / FRAME_SIZE) - 1));
  assert_false(is_mapped(&c, WINDOW + 5 * GIB / 2 / FRAME_SIZE));
  assert_false(is_mapped(&c, cold + 15 * (5 * GIB / 2 / FRAME_SIZE)));
  assert_true(c.pages >= 16 * frames && c.pages <= 16 * frames + 16 * frames / 64 + 6 * FRAME_SIZE);
  free(arena);
}

/* A PC with a hole below 4 GiB: its edges and the hole lie in the middle of large pages. */
static void a_large_machine_takes_large_pages(void **state) {
  (void)state;
  const struct boot_region regions[] = {{0x1000, 0xa0000, BOOT_MEMORY_LOW, 7, 8},
                                        {MIB, 2 * GIB, BOOT_MEMORY_USABLE, 7, 8},
                                        {4 * GIB, 66 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  struct cost c;
  map_all(&c, regions, ARRAY_COUNT(regions));
  const uint64_t needed = 64 * GIB / FRAME_SIZE * PMM_RECORD_SIZE;
  print_message("%llu small pages, %llu bytes more than needed\n", (unsigned long long)c.small_pages,
                (unsigned long long)(c.pages - needed));
  assert_int_equal(c.small_pages, 0);
  assert_true(c.pages <= needed + needed / 64);
  free(arena);
}

/* --- what it costs ---------------------------------------------------------------------------------------------------- */

static double percent(uint64_t bytes, uint64_t of) { return (double)bytes * 100 / (double)of; }

/* With a slot for each CPU, as the kernel. */
static void measure(const char *name, const struct boot_region *regions, size_t count, unsigned cpus) {
  struct cost c;
  slots_play_count(cpus);
  struct machine m = machine_create(regions, count, NULL, NULL, 0);
  struct pmm_stats s;
  assert_int_equal(m.status, OK);
  nodes_stats_read(m.nodes, NODES_ALL, &s);
  map_all(&c, regions, count);
  const uint64_t ram = s.total_frames * FRAME_SIZE, tables = (tables_used - 1) * FRAME_SIZE;
  const uint64_t all = c.pages + tables + m.metadata_size + m.plan_size;
  print_message("%s, %u CPUs: RAM %llu KiB; records %llu, their tables %llu, bitmaps and tiers %llu (%.5f %%, %llu a GiB), "
                "door %llu bytes: %.4f %% in all\n",
                name, cpus, (unsigned long long)(ram / KIB), (unsigned long long)c.pages, (unsigned long long)tables,
                (unsigned long long)m.metadata_size, percent(m.metadata_size, ram),
                (unsigned long long)(m.metadata_size * (GIB / KIB) / (ram / KIB)), (unsigned long long)m.plan_size,
                percent(all, ram));
  assert_true(percent(all, ram) <= 0.45);
  assert_true(percent(m.metadata_size, ram) <= 0.004);
  assert_int_equal(s.metadata_bytes, m.metadata_size + m.plan_size);
  free(arena);
  machine_destroy(&m);
  slots_play_count(0);
}

static void metadata_follows_ram(void **state) {
  (void)state;
  const struct boot_region small[] = {{0x1000, 0xa0000, BOOT_MEMORY_LOW, 7, 8},
                                      {MIB, 512 * MIB, BOOT_MEMORY_USABLE, 7, 8},
                                      {0xe0000000, 0xf0000000, BOOT_MEMORY_MMIO, 11, 1},
                                      {56 * TIB, 56 * TIB + 64 * GIB, BOOT_MEMORY_MMIO, 11, 1}};
  const struct boot_region far[] = {{0x1000, 0xa0000, BOOT_MEMORY_LOW, 7, 8},
                                    {MIB, 2 * GIB, BOOT_MEMORY_USABLE, 7, 8},
                                    {12 * TIB, 12 * TIB + 8 * GIB, BOOT_MEMORY_USABLE, 7, 8},
                                    {12 * TIB + 134 * GIB, 12 * TIB + 142 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  const struct boot_region plain[] = {{0x1000, 0xa0000, BOOT_MEMORY_LOW, 7, 8},
                                      {MIB, 3 * GIB, BOOT_MEMORY_USABLE, 7, 8},
                                      {4 * GIB, 17 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  measure("512 MiB and MMIO at 56 TiB", small, ARRAY_COUNT(small), 4);
  measure("2 GiB, 8 at 12 TiB, a hole of 126 GiB, 8 more", far, ARRAY_COUNT(far), 64);
  measure("16 GiB", plain, ARRAY_COUNT(plain), 64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_frame_of_ram_has_its_records),
      cmocka_unit_test(holes_have_none),
      cmocka_unit_test(a_large_machine_takes_large_pages),
      cmocka_unit_test(metadata_follows_ram),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
