/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * numa_test.c — SRATs and SLITs made byte by byte: good, old, contradictory, cut anywhere and made of anything; and the map
 * made of them against an oracle that asks every entry about every frame.
 */
#include "kernel/numa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "kernel/drivers/acpi/tables.h"
#include "seed.h"

#define ENABLED      1U
#define HOT_PLUG     2U
#define NON_VOLATILE 4U
#define TOP          (UINT64_C(1) << 52)

struct table {
  size_t n;
  uint8_t bytes[16384];
};

static void put(uint8_t *at, uint64_t value, size_t size) { memcpy(at, &value, size); }

static struct table srat(unsigned revision) {
  struct table t = {.n = 48};
  memcpy(t.bytes, "SRAT", 4);
  t.bytes[8] = (uint8_t)revision;
  t.bytes[36] = 1;
  return t;
}

static void add_memory(struct table *t, uint32_t domain, uint64_t start, uint64_t size, uint32_t flags) {
  uint8_t *e = t->bytes + t->n;
  e[0] = 1;
  e[1] = 40;
  put(e + 2, domain, 4);
  put(e + 8, start, 8);
  put(e + 16, size, 8);
  put(e + 28, flags, 4);
  t->n += 40;
}

static void add_apic(struct table *t, uint32_t domain, uint8_t apic, uint32_t flags) {
  uint8_t *e = t->bytes + t->n;
  e[1] = 16;
  e[2] = (uint8_t)domain;
  e[3] = apic;
  put(e + 4, flags, 4);
  put(e + 9, domain >> 8, 3);
  t->n += 16;
}

static void add_x2apic(struct table *t, uint32_t domain, uint32_t apic, uint32_t flags) {
  uint8_t *e = t->bytes + t->n;
  e[0] = 2;
  e[1] = 24;
  put(e + 4, domain, 4);
  put(e + 8, apic, 4);
  put(e + 12, flags, 4);
  t->n += 24;
}

static struct table slit(uint64_t side, const uint8_t *matrix) {
  struct table t = {.n = 44 + side * side};
  memcpy(t.bytes, "SLIT", 4);
  put(t.bytes + 36, side, 8);
  memcpy(t.bytes + 44, matrix, side * side);
  return t;
}

/* From memory of the exact size, so that the sanitizer sees one byte too far. */
static status_t read_srat(const struct table *t, struct numa_map *m, const char **problem) {
  uint8_t *exact = malloc(t->n + !t->n);
  assert_non_null(exact);
  memcpy(exact, t->bytes, t->n);
  *problem = "";
  const status_t s = acpi_srat_read(exact, t->n, m, problem);
  free(exact);
  return s;
}

static status_t read_slit(const struct table *t, struct numa_map *m, const char **problem) {
  uint8_t *exact = malloc(t->n + !t->n);
  assert_non_null(exact);
  memcpy(exact, t->bytes, t->n);
  *problem = "";
  const status_t s = acpi_slit_read(exact, t->n, m, problem);
  free(exact);
  return s;
}

static void assert_range(const struct numa_map *m, uint32_t i, uint64_t start, uint64_t end, uint32_t node, uint32_t flags) {
  assert_true(i < m->range_count);
  assert_int_equal(m->ranges[i].start, start);
  assert_int_equal(m->ranges[i].end, end);
  assert_int_equal(m->ranges[i].node, node);
  assert_int_equal(m->ranges[i].flags, flags);
}

static void assert_refused(const struct table *t, status_t want, const char *word) {
  static const struct numa_map nothing = {.node_count = 1, .distance = {{NUMA_DISTANCE_OWN}}};
  const char *problem;
  struct numa_map m;
  memset(&m, 0xa5, sizeof m);
  assert_int_equal(read_srat(t, &m, &problem), want);
  assert_non_null(strstr(problem, word));
  assert_memory_equal(&m, &nothing, sizeof m);
}

/* --- SRAT ------------------------------------------------------------------------------------------------------------- */

static void two_nodes_with_a_hole_below_1_mib(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_apic(&t, 0, 0, ENABLED);
  add_apic(&t, 0, 1, ENABLED);
  add_apic(&t, 1, 2, ENABLED);
  add_memory(&t, 0, 0, 640 * KIB, ENABLED);
  add_memory(&t, 0, MIB, 511 * MIB, ENABLED);
  add_memory(&t, 1, 512 * MIB, 512 * MIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.node_count, 2);
  assert_int_equal(m.range_count, 3);
  assert_range(&m, 0, 0, 640 * KIB, 0, 0);
  assert_range(&m, 1, MIB, 512 * MIB, 0, 0);
  assert_range(&m, 2, 512 * MIB, GIB, 1, 0);
  assert_int_equal(m.cpus[0], 2);
  assert_int_equal(m.cpus[1], 1);
  assert_int_equal(m.distance[0][0], 10);
  assert_int_equal(m.distance[0][1], 20);
  assert_int_equal(m.distance[1][0], 20);
}

static void what_is_not_enabled_says_nothing(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_memory(&t, 7, 0, TOP * 2, 0);
  add_apic(&t, 8, 0, 0);
  add_x2apic(&t, 9, 0, HOT_PLUG);
  add_memory(&t, 3, 0, GIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.node_count, 1);
  assert_int_equal(m.domain[0], 3);
  assert_int_equal(m.cpus[0], 0);
  assert_int_equal(m.range_count, 1);
}

static void domains_become_dense_nodes_in_their_order(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_memory(&t, 0xfffffffe, 3 * GIB, GIB, ENABLED);
  add_x2apic(&t, 0x12345, 0x1000, ENABLED);
  add_memory(&t, 0x102, GIB, GIB, ENABLED);
  add_apic(&t, 0x80102, 1, ENABLED);
  add_memory(&t, 2, 2 * GIB, GIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  const uint32_t domains[] = {2, 0x102, 0x12345, 0x80102, 0xfffffffe};
  assert_int_equal(m.node_count, 5);
  assert_memory_equal(m.domain, domains, sizeof domains);
  assert_range(&m, 0, GIB, 2 * GIB, 1, 0);
  assert_range(&m, 1, 2 * GIB, 3 * GIB, 0, 0);
  assert_range(&m, 2, 3 * GIB, 4 * GIB, 4, 0);
  assert_int_equal(m.cpus[2], 1);
  assert_int_equal(m.cpus[3], 1);
}

static void revision_1_has_domains_of_one_byte(void **state) {
  (void)state;
  struct table t = srat(1);
  struct numa_map m;
  const char *problem;
  add_apic(&t, 0xabcd01, 0, ENABLED);
  add_memory(&t, 0xabcd01, 0, GIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.node_count, 1);
  assert_int_equal(m.domain[0], 1);
}

static void neighbours_of_one_node_and_sort_are_joined(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_memory(&t, 0, 2 * GIB, GIB, ENABLED);
  add_memory(&t, 0, 0, 2 * GIB, ENABLED);
  add_memory(&t, 0, GIB, GIB, ENABLED); /* The same once more is no contradiction. */
  add_memory(&t, 0, 3 * GIB, GIB, ENABLED | HOT_PLUG);
  add_memory(&t, 0, 4 * GIB, GIB, ENABLED | NON_VOLATILE);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.range_count, 3);
  assert_range(&m, 0, 0, 3 * GIB, 0, 0);
  assert_range(&m, 1, 3 * GIB, 4 * GIB, 0, NUMA_RANGE_HOT_PLUG);
  assert_range(&m, 2, 4 * GIB, 5 * GIB, 0, NUMA_RANGE_NON_VOLATILE);
}

static void only_whole_frames_belong_to_a_range(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_memory(&t, 0, 1, GIB, ENABLED);
  add_memory(&t, 1, 2 * GIB + 100, 4000, ENABLED);
  add_memory(&t, 1, UINT64_MAX, 0, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.node_count, 2);
  assert_int_equal(m.range_count, 1);
  assert_range(&m, 0, 4 * KIB, GIB, 0, 0);
}

static void two_nodes_cannot_have_the_same_memory(void **state) {
  (void)state;
  const struct {
    uint64_t start, size;
    uint32_t domain, flags;
  } seconds[] = {
      {GIB, GIB, 1, ENABLED},         {2 * GIB - 4096, GIB, 1, ENABLED}, {0, GIB + 4096, 1, ENABLED},
      {0, 8 * GIB, 1, ENABLED},       {GIB + MIB, 4096, 1, ENABLED},     {GIB + MIB, 4096, 0, ENABLED | HOT_PLUG},
      {4 * GIB, 2 * GIB, 1, ENABLED},
  };
  for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
    for (unsigned swapped = 0; swapped < 2; swapped++) {
      struct table t = srat(3);
      if (swapped) add_memory(&t, seconds[i].domain, seconds[i].start, seconds[i].size, seconds[i].flags);
      add_memory(&t, 0, GIB, GIB, ENABLED);
      add_memory(&t, 2, 5 * GIB, GIB, ENABLED);
      if (!swapped) add_memory(&t, seconds[i].domain, seconds[i].start, seconds[i].size, seconds[i].flags);
      assert_refused(&t, ERR_OVERLAP, "disagree");
    }
  }
}

static void memory_without_an_end_is_refused(void **state) {
  (void)state;
  struct table t = srat(3);
  add_memory(&t, 0, 0, TOP + 4096, ENABLED);
  assert_refused(&t, ERR_RANGE, "beyond");
  t = srat(3);
  add_memory(&t, 0, UINT64_MAX - 4095, 8192, ENABLED);
  assert_refused(&t, ERR_RANGE, "beyond");
  t = srat(3);
  add_memory(&t, 0, TOP - 4096, 4096, ENABLED);
  struct numa_map m;
  const char *problem;
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_range(&m, 0, TOP - 4096, TOP, 0, 0);
}

static void more_than_there_is_room_for_is_refused(void **state) {
  (void)state;
  struct table nodes = srat(3);
  struct table ranges = srat(3);
  struct numa_map m;
  const char *problem;
  for (uint32_t i = 0; i < NUMA_NODES_MAX; i++) add_apic(&nodes, i * 3, (uint8_t)i, ENABLED);
  assert_int_equal(read_srat(&nodes, &m, &problem), OK);
  assert_int_equal(m.node_count, NUMA_NODES_MAX);
  assert_int_equal(m.distance[NUMA_NODES_MAX - 1][NUMA_NODES_MAX - 1], 10);
  assert_int_equal(m.distance[NUMA_NODES_MAX - 1][0], 20);
  add_apic(&nodes, 1, 0, ENABLED);
  assert_refused(&nodes, ERR_FULL, "room");
  for (uint64_t i = NUMA_RANGES_MAX; i > 0; i--) add_memory(&ranges, 0, i * 2 * MIB, MIB, ENABLED);
  assert_int_equal(read_srat(&ranges, &m, &problem), OK);
  assert_int_equal(m.range_count, NUMA_RANGES_MAX);
  for (uint32_t i = 0; i < NUMA_RANGES_MAX; i++) {
    const uint64_t start = (i + UINT64_C(1)) * 2 * MIB;
    assert_range(&m, i, start, start + MIB, 0, 0);
  }
  add_memory(&ranges, 0, GIB, MIB, ENABLED);
  assert_refused(&ranges, ERR_FULL, "room");
}

static void a_table_that_names_no_node_is_refused(void **state) {
  (void)state;
  struct table t = srat(3);
  assert_refused(&t, ERR_NOT_FOUND, "no node");
  t.bytes[t.n] = 5; /* A generic initiator. */
  t.bytes[t.n + 1] = 32;
  t.n += 32;
  assert_refused(&t, ERR_NOT_FOUND, "no node");
  t.n = 47;
  assert_refused(&t, ERR_TRUNCATED, "cut off");
}

static void entries_of_other_types_are_passed_over(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  t.bytes[t.n] = 5;
  t.bytes[t.n + 1] = 32;
  t.n += 32;
  t.bytes[t.n] = 0xff;
  t.bytes[t.n + 1] = 2;
  t.n += 2;
  add_memory(&t, 4, 0, GIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.domain[0], 4);
}

static void entries_that_are_too_short_are_refused(void **state) {
  (void)state;
  const struct {
    uint8_t type, length;
  } bad[] = {{0, 0}, {0, 1}, {0, 15}, {1, 39}, {2, 23}, {9, 0}, {9, 1}, {1, 41}, {9, 255}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    struct table t = srat(3);
    add_memory(&t, 0, 0, GIB, ENABLED);
    t.bytes[t.n] = bad[i].type;
    t.bytes[t.n + 1] = bad[i].length;
    t.n += bad[i].type == 9 ? 200 : 40;
    if (bad[i].length > 1 && bad[i].length < 40) t.n = t.n - 40 + bad[i].length;
    assert_refused(&t, ERR_TRUNCATED, "cut off");
  }
}

static void a_table_cut_anywhere_is_refused(void **state) {
  (void)state;
  struct table t = srat(3);
  add_apic(&t, 0, 0, ENABLED);
  add_memory(&t, 0, 0, GIB, ENABLED);
  add_x2apic(&t, 1, 1, ENABLED);
  const size_t full = t.n;
  struct numa_map m;
  const char *problem;
  for (size_t n = 0; n < full; n++) {
    t.n = n;
    if (n == 64 || n == 104) { /* Between two entries: a shorter table, but a whole one. */
      assert_int_equal(read_srat(&t, &m, &problem), OK);
    } else {
      assert_refused(&t, n == 48 ? ERR_NOT_FOUND : ERR_TRUNCATED, "");
    }
  }
}

static void a_cpu_is_found_by_its_apic_id(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_x2apic(&t, 1, 0x1000, ENABLED);
  add_apic(&t, 0, 7, ENABLED);
  add_apic(&t, 4, 255, ENABLED);
  add_x2apic(&t, 1, 6, ENABLED);
  add_x2apic(&t, 4, 255, ENABLED); /* The same CPU under its other name. */
  add_apic(&t, 4, 9, 0);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.cpu_count, 4);
  assert_int_equal(m.cpus[2], 1);
  assert_int_equal(numa_node_of_apic(&m, 7), 0);
  assert_int_equal(numa_node_of_apic(&m, 6), 1);
  assert_int_equal(numa_node_of_apic(&m, 0x1000), 1);
  assert_int_equal(numa_node_of_apic(&m, 255), 2);
  const uint32_t unknown[] = {0, 8, 9, 254, 256, 0xfff, 0x1001, UINT32_MAX};
  for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) assert_int_equal(numa_node_of_apic(&m, unknown[i]), 0);
  for (uint32_t i = 1; i < m.cpu_count; i++) assert_true(m.cpu[i - 1].apic < m.cpu[i].apic);
}

static void a_cpu_is_in_one_node(void **state) {
  (void)state;
  struct table t = srat(3);
  add_apic(&t, 0, 7, ENABLED);
  add_x2apic(&t, 1, 7, ENABLED);
  assert_refused(&t, ERR_STATE, "the same CPU");
}

static void cpus_beyond_the_list_are_counted(void **state) {
  (void)state;
  static struct table t;
  struct numa_map m;
  const char *problem;
  t = srat(3);
  for (uint32_t i = 0; i < NUMA_CPUS_MAX + 4; i++) add_x2apic(&t, i % 2, NUMA_CPUS_MAX + 3 - i, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  assert_int_equal(m.cpu_count, NUMA_CPUS_MAX);
  assert_int_equal(m.cpus[0] + m.cpus[1], NUMA_CPUS_MAX + 4);
}

/* --- SLIT ------------------------------------------------------------------------------------------------------------- */

static struct numa_map three_nodes(void) {
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  add_apic(&t, 0, 0, ENABLED);
  add_apic(&t, 2, 1, ENABLED);
  add_apic(&t, 3, 2, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  return m;
}

/* Domain 1 is nobody's; its row and column may be anything. */
static const uint8_t good_matrix[16] = {10, 0, 21, 31, 7, 7, 7, 7, 22, 3, 10, 255, 11, 99, 40, 10};

static void distances_are_taken_by_domain_and_need_not_be_symmetric(void **state) {
  (void)state;
  struct numa_map m = three_nodes();
  const struct table t = slit(4, good_matrix);
  const uint8_t want[3][3] = {{10, 21, 31}, {22, 10, 255}, {11, 40, 10}};
  const char *problem;
  assert_int_equal(read_slit(&t, &m, &problem), OK);
  for (unsigned i = 0; i < 3; i++) {
    for (unsigned j = 0; j < 3; j++) assert_int_equal(m.distance[i][j], want[i][j]);
  }
}

static void assert_slit_refused(const struct table *t, status_t want, const char *word) {
  struct numa_map m = three_nodes();
  const struct numa_map before = m;
  const char *problem;
  assert_int_equal(read_slit(t, &m, &problem), want);
  assert_non_null(strstr(problem, word));
  assert_memory_equal(&m, &before, sizeof m);
}

static void one_bad_distance_spoils_all(void **state) {
  (void)state;
  const struct {
    uint8_t at, value;
  } bad[] = {{0, 11}, {0, 0}, {10, 255}, {15, 9}, {2, 10}, {3, 0}, {8, 9}, {14, 1}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint8_t matrix[16];
    memcpy(matrix, good_matrix, sizeof matrix);
    matrix[bad[i].at] = bad[i].value;
    const struct table t = slit(4, matrix);
    assert_slit_refused(&t, ERR_CORRUPT, "no sense");
  }
}

static void a_matrix_that_is_too_small_or_cut_is_refused(void **state) {
  (void)state;
  const uint8_t three[9] = {10, 20, 20, 20, 10, 20, 20, 20, 10};
  struct table t = slit(3, three);
  assert_slit_refused(&t, ERR_NOT_FOUND, "lacks");
  t = slit(4, good_matrix);
  const size_t full = t.n;
  for (t.n = 0; t.n < full; t.n++) assert_slit_refused(&t, ERR_TRUNCATED, "cut off");
  const uint64_t sides[] = {5, UINT64_MAX, UINT64_C(1) << 32, (UINT64_C(1) << 32) + 1};
  for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
    put(t.bytes + 36, sides[i], 8);
    assert_slit_refused(&t, ERR_TRUNCATED, "cut off");
  }
}

/* --- asking ----------------------------------------------------------------------------------------------------------- */

static void memory_that_nobody_names_is_node_0s(void **state) {
  (void)state;
  struct table t = srat(3);
  struct numa_map m;
  const char *problem;
  uint64_t end;
  numa_clear(&m);
  assert_int_equal(numa_node_at(&m, 5 * GIB, &end), 0);
  assert_int_equal(end, UINT64_MAX);
  add_memory(&t, 0, 8 * GIB, GIB, ENABLED);
  add_memory(&t, 1, GIB, GIB, ENABLED);
  assert_int_equal(read_srat(&t, &m, &problem), OK);
  const struct {
    uint64_t at, end;
    uint32_t node;
  } want[] = {{0, GIB, 0},           {GIB - 1, GIB, 0},     {GIB, 2 * GIB, 1},        {2 * GIB - 1, 2 * GIB, 1},
              {2 * GIB, 8 * GIB, 0}, {8 * GIB, 9 * GIB, 0}, {9 * GIB, UINT64_MAX, 0}, {UINT64_MAX, UINT64_MAX, 0}};
  for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
    assert_int_equal(numa_node_at(&m, want[i].at, &end), want[i].node);
    assert_int_equal(end, want[i].end);
  }
  uint64_t bytes[NUMA_NODES_MAX] = {5, 7};
  numa_share(&m, MIB, 10 * GIB, bytes);
  assert_int_equal(bytes[0], 9 * GIB - MIB + 5);
  assert_int_equal(bytes[1], GIB + 7);
  numa_share(&m, GIB, GIB, bytes);
  assert_int_equal(bytes[1], GIB + 7);
}

/* --- anything --------------------------------------------------------------------------------------------------------- */

#define SPACE UINT64_C(24) /* Frames that random ranges lie in. */

static struct dice dice;
static uint64_t draw(uint64_t below) { return dice_below(&dice, below); }

/* Who the frame belongs to by the entries alone: 0 nobody, -1 two of them disagree, else the domain and flags. */
struct claim {
  uint64_t start, size;
  uint32_t domain, flags;
};

static int64_t oracle_claim(const struct claim *claims, size_t count, uint64_t frame) {
  int64_t who = 0;
  for (size_t i = 0; i < count; i++) {
    const struct claim *c = &claims[i];
    if (!(c->flags & ENABLED) || frame * 4096 < c->start || (frame + 1) * 4096 > c->start + c->size) continue;
    const int64_t mine = (int64_t)c->domain * 8 + c->flags;
    if (who != 0 && who != mine) return -1;
    who = mine;
  }
  return who;
}

static void check_canonical(const struct numa_map *m) {
  assert_in_range(m->node_count, 1, NUMA_NODES_MAX);
  assert_in_range(m->range_count, 0, NUMA_RANGES_MAX);
  for (uint32_t i = 1; i < m->node_count; i++) assert_true(m->domain[i - 1] < m->domain[i]);
  for (uint32_t i = 0; i < m->range_count; i++) {
    const struct numa_range *r = &m->ranges[i];
    assert_true(r->start < r->end && r->start % 4096 == 0 && r->end % 4096 == 0 && r->node < m->node_count);
    if (i == 0) continue;
    const bool touches = r[-1].end == r->start;
    assert_true(r[-1].end < r->start || (touches && (r[-1].node != r->node || r[-1].flags != r->flags)));
  }
}

static void random_ranges_are_what_every_entry_says_of_every_frame(void **state) {
  (void)state;
  dice = dice_of(seed_of_run());
  unsigned accepted = 0;
  for (unsigned run = 0; run < 20000; run++) {
    struct table t = srat(3);
    struct claim claims[6];
    const size_t count = 1 + draw(6);
    for (size_t i = 0; i < count; i++) {
      claims[i] = (struct claim){draw(SPACE * 4) * 1024, draw(40) * 1024, (uint32_t)draw(3), draw(8) ? ENABLED : 0};
      if (draw(8) == 0) claims[i].flags |= HOT_PLUG;
      add_memory(&t, claims[i].domain, claims[i].start, claims[i].size, claims[i].flags);
    }
    bool agrees = true;
    for (uint64_t f = 0; f < 2 * SPACE; f++) agrees = agrees && oracle_claim(claims, count, f) >= 0;
    struct numa_map m;
    const char *problem;
    const status_t s = read_srat(&t, &m, &problem);
    assert_true(s == OK || s == ERR_OVERLAP || s == ERR_NOT_FOUND);
    if (s != ERR_NOT_FOUND) assert_int_equal(s == OK, agrees);
    if (s != OK) continue;
    accepted++;
    check_canonical(&m);
    for (uint64_t f = 0; f < 2 * SPACE; f++) {
      const int64_t who = oracle_claim(claims, count, f);
      uint64_t end;
      const uint32_t node = numa_node_at(&m, f * 4096, &end);
      assert_true(who == 0 ? node == 0 : m.domain[node] == (uint64_t)who / 8);
    }
  }
  assert_true(accepted > 2000);
}

static void random_bytes_are_survived(void **state) {
  (void)state;
  dice = dice_of(seed_of_run());
  for (unsigned i = 0; i < 100000; i++) {
    struct table t = srat((unsigned)draw(4));
    struct numa_map m;
    const char *problem;
    if (i % 2) add_memory(&t, (uint32_t)draw(3), draw(8) * GIB, draw(3) * GIB, ENABLED);
    const size_t more = draw(200);
    for (size_t k = 0; k < more; k++) t.bytes[t.n + k] = (uint8_t)(draw(3) ? draw(4) * 8 : draw(256));
    t.n += more;
    if (read_srat(&t, &m, &problem) != OK) assert_int_equal(m.node_count, 1);
    check_canonical(&m);
    put(t.bytes + 36, draw(20), 8);
    if (read_slit(&t, &m, &problem) == OK) {
      for (uint32_t n = 0; n < m.node_count; n++) assert_int_equal(m.distance[n][n], 10);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(two_nodes_with_a_hole_below_1_mib),
      cmocka_unit_test(what_is_not_enabled_says_nothing),
      cmocka_unit_test(domains_become_dense_nodes_in_their_order),
      cmocka_unit_test(revision_1_has_domains_of_one_byte),
      cmocka_unit_test(neighbours_of_one_node_and_sort_are_joined),
      cmocka_unit_test(only_whole_frames_belong_to_a_range),
      cmocka_unit_test(two_nodes_cannot_have_the_same_memory),
      cmocka_unit_test(memory_without_an_end_is_refused),
      cmocka_unit_test(more_than_there_is_room_for_is_refused),
      cmocka_unit_test(a_table_that_names_no_node_is_refused),
      cmocka_unit_test(entries_of_other_types_are_passed_over),
      cmocka_unit_test(entries_that_are_too_short_are_refused),
      cmocka_unit_test(a_table_cut_anywhere_is_refused),
      cmocka_unit_test(a_cpu_is_found_by_its_apic_id),
      cmocka_unit_test(a_cpu_is_in_one_node),
      cmocka_unit_test(cpus_beyond_the_list_are_counted),
      cmocka_unit_test(distances_are_taken_by_domain_and_need_not_be_symmetric),
      cmocka_unit_test(one_bad_distance_spoils_all),
      cmocka_unit_test(a_matrix_that_is_too_small_or_cut_is_refused),
      cmocka_unit_test(memory_that_nobody_names_is_node_0s),
      cmocka_unit_test(random_ranges_are_what_every_entry_says_of_every_frame),
      cmocka_unit_test(random_bytes_are_survived),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
