/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/unit/loader/placement_test.c — is every base drawn uniformly over exactly the slots there are?
 *
 * HOW    An oracle counts in another way than placement.c: not the holes between the windows but, over the numbers of all
 *        slots, the intervals that each window placed before forbids, sorted and merged.  It gives the exact number of
 *        slots and the rank of a base among them.  The ranks of a million draws go into two histograms of 64 bins, by
 *        their highest and by their lowest bits; chi-square with 63 degrees of freedom exceeds 131.7 by chance once in a
 *        million (Wilson-Hilferty).  Equal bases among a million draws estimate the number of slots once more, from the
 *        outside: N draws of S slots have N (N - 1) / 2 S equal pairs.
 * The seed is printed; CAIRN_SEED=<number> replays it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/units.h"
#include "lib/bitlog.h"
#include "loader/placement.h"

#define DRAWS      1000000
#define BINS       64
#define CHI_SQUARE 131.7

/* The direct map first, then as in boot/layout.h; the steps, written down once more. */
static const unsigned draw_order[BOOT_WINDOW_COUNT] = {BOOT_WINDOW_DIRECT_MAP,  BOOT_WINDOW_IMAGE,  BOOT_WINDOW_FRAMES,
                                                       BOOT_WINDOW_KSPACE,      BOOT_WINDOW_STACKS, BOOT_WINDOW_PERCPU,
                                                       BOOT_WINDOW_FRAMEBUFFER, BOOT_WINDOW_HANDOFF};
static const uint64_t steps[BOOT_WINDOW_COUNT] = {4 * KIB, 1 * GIB, 2 * MIB, 2 * MIB, 4 * KIB, 4 * KIB, 2 * MIB, 4 * KIB};

static struct random source;

static int set_up(void **state) {
  const char *given = getenv("CAIRN_SEED");
  uint64_t seed = given != nullptr ? strtoull(given, nullptr, 0) : (uint64_t)time(nullptr);
  uint8_t key[32] = {0};
  (void)state;
  print_message("CAIRN_SEED=%llu\n", (unsigned long long)seed);
  memcpy(key, &seed, sizeof(seed));
  random_init(&source, key);
  return 0;
}

static struct placement_request a_pc(void) {
  return (struct placement_request){.mode = PLACEMENT_RANDOM,
                                    .levels = 4,
                                    .entropy_bits = 256,
                                    .image_size = 0x16000,
                                    .ram_end = 17 * GIB,
                                    .framebuffer_base = 0x70000000,
                                    .framebuffer_size = 8 * MIB,
                                    .handoff_size = 32 * KIB};
}

/* --- the oracle ---------------------------------------------------------------------------------------------------- */

struct interval {
  uint64_t first, end; /* Numbers of slots; half-open. */
};

static uint64_t space_start(uint32_t levels) { return levels == 5 ? LAYOUT_START_5 : LAYOUT_START_4; }
static uint64_t space_end(uint32_t levels) { return levels == 5 ? LAYOUT_END_5 : LAYOUT_END_4; }

/* Slots whose window would come closer than LAYOUT_GAP to w. */
static struct interval forbidden_by(const struct boot_window *w, uint64_t start, uint64_t size, uint64_t step,
                                    uint64_t total) {
  uint64_t low = w->base - start;             /* Lowest byte of w. */
  uint64_t reach = size + LAYOUT_GAP;         /* A base at low - reach is the last good one below... */
  uint64_t high = low + w->size + LAYOUT_GAP; /* ... and high the first good one above. */
  struct interval i = {low < reach ? 0 : (low - reach) / step + 1, (high + step - 1) / step};
  if (i.end > total) i.end = total;
  if (i.first > i.end) i.first = i.end;
  return i;
}

/* Possible slots for window draw_order[k] given the k before it; *rank becomes that of its base among them. */
static uint64_t oracle_slots(const struct boot_window *windows, uint32_t levels, size_t k, uint64_t *rank) {
  unsigned id = draw_order[k];
  uint64_t start = space_start(levels);
  uint64_t size = windows[id].size;
  uint64_t step = steps[id];
  uint64_t total = (space_end(levels) - start - size) / step + 1;
  uint64_t mine = (windows[id].base - start) / step;
  struct interval taken[BOOT_WINDOW_COUNT];
  for (size_t i = 0; i < k; i++) {
    struct interval next = forbidden_by(&windows[draw_order[i]], start, size, step, total);
    size_t at = i;
    for (; at > 0 && taken[at - 1].first > next.first; at--) taken[at] = taken[at - 1];
    taken[at] = next;
  }
  uint64_t forbidden = 0;
  uint64_t below = 0;
  uint64_t done = 0;
  for (size_t i = 0; i < k; i++) {
    uint64_t first = taken[i].first > done ? taken[i].first : done;
    if (taken[i].end <= first) continue;
    if (mine >= first && mine < taken[i].end) fail_msg("window %u lies on another one", id);
    forbidden += taken[i].end - first;
    if (mine >= taken[i].end) below += taken[i].end - first;
    done = taken[i].end;
  }
  *rank = mine - below;
  return total - forbidden;
}

static void assert_disjoint(const struct boot_window *windows, uint32_t levels) {
  const struct boot_window *sorted[BOOT_WINDOW_COUNT];
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    size_t at = i;
    for (; at > 0 && sorted[at - 1]->base > windows[i].base; at--) sorted[at] = sorted[at - 1];
    sorted[at] = &windows[i];
    if (windows[i].base % steps[i] != 0 || windows[i].size == 0) fail_msg("window %zu is unaligned or empty", i);
  }
  if (sorted[0]->base < space_start(levels)) fail_msg("a window begins below the start");
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    uint64_t end = sorted[i]->base + sorted[i]->size;
    uint64_t limit = i + 1 < BOOT_WINDOW_COUNT ? sorted[i + 1]->base - LAYOUT_GAP : space_end(levels);
    if (end <= sorted[i]->base || end > limit) fail_msg("two windows are closer than the gap, or one leaves the space");
  }
}

/* --- statistics ---------------------------------------------------------------------------------------------------- */

struct tally {
  uint32_t high[BINS]; /* By the place of the rank within the slots. */
  uint32_t low[BINS];  /* By its lowest six bits. */
  uint32_t count;
};

static void tally_add(struct tally *t, uint64_t rank, uint64_t slots) {
  t->high[(unsigned)((unsigned __int128)rank * BINS / slots)]++;
  t->low[rank % BINS]++;
  t->count++;
}

static double chi_square(const uint32_t *bins, uint32_t count) {
  double expected = (double)count / BINS;
  double sum = 0;
  for (size_t i = 0; i < BINS; i++) sum += (bins[i] - expected) * (bins[i] - expected) / expected;
  return sum;
}

static bool tally_is_uniform(const struct tally *t) {
  return chi_square(t->high, t->count) < CHI_SQUARE && chi_square(t->low, t->count) < CHI_SQUARE;
}

static int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a;
  uint64_t y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* Pairs of equal values. */
static uint64_t equal_pairs(uint64_t *values, size_t n) {
  uint64_t pairs = 0;
  qsort(values, n, sizeof(values[0]), compare_u64);
  for (size_t i = 1, run = 0; i < n; i++) {
    run = values[i] == values[i - 1] ? run + 1 : 0;
    pairs += run;
  }
  return pairs;
}

/* Pairs are Poisson with mean N (N - 1) / 2 S: five standard deviations, a false alarm in a million. */
static void assert_pairs_match(const char *name, uint64_t pairs, uint32_t count, double slots) {
  double mean = (double)count * (count - 1) / 2 / slots;
  double log_measured = pairs == 0 ? 99 : log2((double)count * (count - 1) / 2 / (double)pairs);
  print_message("  %-16s reported %.3f bits, measured %.3f from %llu equal pairs (%.0f expected)\n", name, log2(slots),
                log_measured, (unsigned long long)pairs, mean);
  assert_true(fabs((double)pairs - mean) < 5 * sqrt(mean) + 2);
}

/* --- virtual ------------------------------------------------------------------------------------------------------- */

static const char *const names[BOOT_WINDOW_COUNT] = {
#define NAME(id, name, step, size, what) name,
    BOOT_WINDOWS(NAME)
#undef NAME
};

static void a_million_draws_are_disjoint_uniform_and_as_random_as_reported(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  static struct tally tallies[BOOT_WINDOW_COUNT];
  uint64_t *bases[BOOT_WINDOW_COUNT];
  struct boot_window w[BOOT_WINDOW_COUNT];
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) bases[i] = malloc(DRAWS * sizeof(uint64_t));
  memset(tallies, 0, sizeof(tallies));
  for (uint32_t n = 0; n < DRAWS; n++) {
    if (placement_choose(&q, &source, w) != OK) fail_msg("draw %u failed", n);
    assert_disjoint(w, q.levels);
    for (size_t k = 0; k < BOOT_WINDOW_COUNT; k++) {
      unsigned id = draw_order[k];
      uint64_t rank = 0;
      uint64_t slots = oracle_slots(w, q.levels, k, &rank);
      if (slots != w[id].slots) fail_msg("window %u: %llu slots", id, (unsigned long long)w[id].slots);
      tally_add(&tallies[id], rank, slots);
      bases[id][n] = w[id].base;
    }
  }
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    print_message("  %-16s chi-square %6.1f and %6.1f, limit %.1f\n", names[i], chi_square(tallies[i].high, DRAWS),
                  chi_square(tallies[i].low, DRAWS), CHI_SQUARE);
    assert_true(tally_is_uniform(&tallies[i]));
    assert_int_equal(w[i].entropy_millibits, bitlog_millibits(w[i].slots));
    assert_pairs_match(names[i], equal_pairs(bases[i], DRAWS), DRAWS, (double)w[i].slots);
    free(bases[i]);
  }
}

/* The same harness on draws that are wrong in the ways draws usually are. */
static void a_biased_draw_is_caught(void **state) {
  (void)state;
  static struct tally good, even, modulo, clamped, edge;
  const uint64_t slots = 130043; /* As many as the direct map has. */
  for (uint32_t n = 0; n < DRAWS; n++) {
    uint64_t rank = random_below(&source, slots);
    uint64_t other = random_below(&source, slots);
    tally_add(&good, rank, slots);
    tally_add(&even, rank & ~UINT64_C(1), slots);                              /* The lowest bit is lost. */
    tally_add(&modulo, (random_u64(&source) & 0x3ffff) % slots, slots);        /* 18 bits modulo the count. */
    tally_add(&clamped, rank >= slots - slots / 64 ? slots - 1 : rank, slots); /* The last ones fall on the very last. */
    tally_add(&edge, rank == 77 ? other / 2 : rank / 2 + other / 2, slots);    /* A sum of two draws. */
  }
  assert_true(tally_is_uniform(&good));
  assert_false(tally_is_uniform(&even));
  assert_false(tally_is_uniform(&modulo));
  assert_false(tally_is_uniform(&clamped));
  assert_false(tally_is_uniform(&edge));
}

/* Few slots: every single one must come, and equally often. */
static void an_address_space_with_few_slots_uses_every_one_of_them(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  static uint32_t counts[4096];
  struct boot_window w[BOOT_WINDOW_COUNT];
  const uint32_t draws = 200000;
  q.ram_end = 125 * TIB; /* 127 TiB are there. */
  memset(counts, 0, sizeof(counts));
  for (uint32_t n = 0; n < draws; n++) {
    assert_int_equal(placement_choose(&q, &source, w), OK);
    assert_disjoint(w, q.levels);
    counts[(w[BOOT_WINDOW_DIRECT_MAP].base - LAYOUT_START_4) / GIB]++;
  }
  uint64_t slots = w[BOOT_WINDOW_DIRECT_MAP].slots;
  double expected = (double)draws / (double)slots;
  double sum = 0;
  assert_int_equal(slots, 2049);
  for (size_t i = 0; i < slots; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  for (size_t i = slots; i < ARRAY_COUNT(counts); i++) assert_int_equal(counts[i], 0);
  assert_true(fabs(sum - 2048) < 5 * sqrt(2 * 2048.0));
}

static void draws_of_any_machine_agree_with_the_oracle(void **state) {
  (void)state;
  static const uint64_t rams[] = {1,       4 * KIB,  1 * MIB,  48 * MIB,  512 * MIB,        5 * GIB,  64 * GIB,
                                  1 * TIB, 12 * TIB, 64 * TIB, 100 * TIB, 120 * TIB - 4096, 125 * TIB};
  for (int n = 0; n < 20000; n++) {
    struct placement_request q = a_pc();
    struct boot_window w[BOOT_WINDOW_COUNT];
    q.ram_end = rams[random_below(&source, ARRAY_COUNT(rams))];
    q.levels = random_below(&source, 2) == 0 ? 4 : 5;
    if (q.levels == 5 && random_below(&source, 4) == 0) q.ram_end = UINT64_C(1) << 52;
    q.image_size = 4 * KIB * (1 + random_below(&source, 16384));
    q.framebuffer_base = random_u64(&source);
    q.framebuffer_size = random_below(&source, 3) == 0 ? 0 : random_below(&source, 256 * MIB);
    q.handoff_size = 4 * KIB * (1 + random_below(&source, 256));
    assert_int_equal(placement_choose(&q, &source, w), OK);
    assert_disjoint(w, q.levels);
    for (size_t k = 0; k < BOOT_WINDOW_COUNT; k++) {
      uint64_t rank = 0;
      assert_int_equal(oracle_slots(w, q.levels, k, &rank), w[draw_order[k]].slots);
    }
    assert_int_equal(w[BOOT_WINDOW_IMAGE].size, q.image_size);
    assert_true(w[BOOT_WINDOW_DIRECT_MAP].size >= q.ram_end && w[BOOT_WINDOW_DIRECT_MAP].size - q.ram_end < GIB);
    assert_true(w[BOOT_WINDOW_FRAMES].size >= (q.ram_end + 4095) / 4096 * 16);
    assert_true(w[BOOT_WINDOW_FRAMEBUFFER].size >= q.framebuffer_base % (2 * MIB) + q.framebuffer_size ||
                q.framebuffer_size == 0);
  }
}

static void image_has_34_bits_and_direct_map_16_on_every_sane_machine(void **state) {
  (void)state;
  for (uint64_t ram = 16 * MIB; ram <= 32 * TIB; ram *= 2) {
    struct placement_request q = a_pc();
    struct boot_window w[BOOT_WINDOW_COUNT];
    q.ram_end = ram;
    assert_int_equal(placement_choose(&q, &source, w), OK);
    assert_true(w[BOOT_WINDOW_IMAGE].entropy_millibits >= 34000);
    assert_true(w[BOOT_WINDOW_DIRECT_MAP].entropy_millibits >= 16000);
  }
}

/* The largest RAM that is accepted with four levels works whatever is drawn; one more step is refused before any draw. */
static void the_largest_ram_that_is_accepted_never_fails(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  struct boot_window w[BOOT_WINDOW_COUNT];
  uint64_t good = 1;
  uint64_t bad = 128 * KIB; /* In GiB: 128 TiB. */
  while (bad - good > 1) {
    q.ram_end = (good + bad) / 2 * GIB;
    if (placement_choose(&q, &source, w) == OK)
      good = q.ram_end / GIB;
    else
      bad = q.ram_end / GIB;
  }
  print_message("  four levels take up to %llu GiB\n", (unsigned long long)good);
  assert_true(good > 120 * KIB);
  q.ram_end = good * GIB;
  for (int n = 0; n < 50000; n++) {
    assert_int_equal(placement_choose(&q, &source, w), OK);
    assert_disjoint(w, 4);
  }
  q.ram_end = bad * GIB;
  struct random before = source;
  struct boot_window untouched[BOOT_WINDOW_COUNT];
  memcpy(untouched, w, sizeof(w));
  assert_int_equal(placement_choose(&q, &source, w), ERR_NO_MEMORY);
  assert_memory_equal(&before, &source, sizeof(source));
  assert_memory_equal(untouched, w, sizeof(w));
  q.levels = 5;
  assert_int_equal(placement_choose(&q, &source, w), OK);
}

static void requests_that_make_no_sense_are_refused(void **state) {
  (void)state;
  struct boot_window w[BOOT_WINDOW_COUNT];
  struct placement_request q = a_pc();
  q.levels = 3;
  assert_int_equal(placement_choose(&q, &source, w), ERR_INVALID);
  q = a_pc(), q.image_size = 0;
  assert_int_equal(placement_choose(&q, &source, w), ERR_INVALID);
  q = a_pc(), q.image_size = 4097;
  assert_int_equal(placement_choose(&q, &source, w), ERR_INVALID);
  q = a_pc(), q.handoff_size = 0;
  assert_int_equal(placement_choose(&q, &source, w), ERR_INVALID);
  q = a_pc(), q.ram_end = 0;
  assert_int_equal(placement_choose(&q, &source, w), ERR_INVALID);
  q = a_pc(), q.ram_end = (UINT64_C(1) << 52) + 1;
  assert_int_equal(placement_choose(&q, &source, w), ERR_RANGE);
  q = a_pc(), q.image_size = UINT64_C(1) << 53;
  assert_int_equal(placement_choose(&q, &source, w), ERR_RANGE);
  q = a_pc(), q.framebuffer_size = UINT64_MAX;
  assert_int_equal(placement_choose(&q, &source, w), ERR_RANGE);
  q = a_pc(), q.handoff_size = UINT64_C(1) << 53;
  assert_int_equal(placement_choose(&q, &source, w), ERR_RANGE);
  q = a_pc(), q.image_size = 64 * TIB, q.ram_end = 64 * TIB;
  assert_int_equal(placement_choose(&q, &source, w), ERR_NO_MEMORY);
}

static void a_seed_gives_the_same_layout_every_time(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  struct boot_window first[BOOT_WINDOW_COUNT];
  struct boot_window again[BOOT_WINDOW_COUNT];
  struct boot_window other[BOOT_WINDOW_COUNT];
  struct random r;
  q.mode = PLACEMENT_FIXED_SEED;
  placement_seed(42, &r);
  assert_int_equal(placement_choose(&q, &r, first), OK);
  placement_seed(42, &r);
  assert_int_equal(placement_choose(&q, &r, again), OK);
  placement_seed(43, &r);
  assert_int_equal(placement_choose(&q, &r, other), OK);
  assert_memory_equal(first, again, sizeof(first));
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    assert_int_not_equal(first[i].base, other[i].base);
    assert_int_equal(first[i].entropy_millibits, 0);
    assert_true(first[i].slots > 1);
  }
}

static void reported_bits_never_exceed_what_the_sources_gave(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  struct boot_window w[BOOT_WINDOW_COUNT];
  q.entropy_bits = 20;
  assert_int_equal(placement_choose(&q, &source, w), OK);
  assert_int_equal(w[BOOT_WINDOW_IMAGE].entropy_millibits, 20000);
  assert_in_range(w[BOOT_WINDOW_DIRECT_MAP].entropy_millibits, 16900, 17000);
  q.entropy_bits = 0;
  assert_int_equal(placement_choose(&q, &source, w), OK);
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) assert_int_equal(w[i].entropy_millibits, 0);
}

static void nokaslr_puts_everything_where_the_documentation_says(void **state) {
  (void)state;
  struct placement_request q = a_pc();
  struct boot_window w[BOOT_WINDOW_COUNT];
  q.mode = PLACEMENT_DEFAULT;
  assert_int_equal(placement_choose(&q, nullptr, w), OK);
  assert_disjoint(w, 4);
  assert_int_equal(w[BOOT_WINDOW_IMAGE].base, LAYOUT_START_4);
  assert_int_equal(w[BOOT_WINDOW_DIRECT_MAP].base, LAYOUT_START_4 + GIB);
  assert_int_equal(w[BOOT_WINDOW_FRAMES].base, LAYOUT_START_4 + 18 * GIB + 2 * MIB);
  for (size_t i = 0; i < BOOT_WINDOW_COUNT; i++) {
    assert_int_equal(w[i].entropy_millibits, 0);
    assert_int_equal(w[i].slots, 1);
  }
  q.levels = 5;
  assert_int_equal(placement_choose(&q, nullptr, w), OK);
  assert_int_equal(w[BOOT_WINDOW_IMAGE].base, LAYOUT_START_5);
}

static void nokaslr_never_overlaps_whatever_the_sizes(void **state) {
  (void)state;
  for (int n = 0; n < 20000; n++) {
    struct placement_request q = a_pc();
    struct boot_window w[BOOT_WINDOW_COUNT];
    q.mode = PLACEMENT_DEFAULT;
    q.levels = random_below(&source, 2) == 0 ? 4 : 5;
    q.ram_end = 1 + (random_u64(&source) >> (18 + random_below(&source, 40)));
    q.image_size = 4 * KIB * (1 + random_below(&source, UINT64_C(1) << random_below(&source, 30)));
    q.framebuffer_base = random_u64(&source);
    q.framebuffer_size = random_below(&source, 1 * GIB);
    assert_int_equal(placement_choose(&q, nullptr, w), OK);
    assert_disjoint(w, q.levels);
  }
}

/* --- physical ------------------------------------------------------------------------------------------------------ */

#define SMALL_FRAMES 4096 /* 16 MiB: small enough to try every address. */

struct small_machine {
  struct boot_region regions[12];
  size_t region_count;
  prange_t avoid[6];
  size_t avoid_count;
};

static struct small_machine random_machine(void) {
  struct small_machine m = {0};
  uint64_t at = 0;
  while (m.region_count < ARRAY_COUNT(m.regions)) {
    uint64_t start = at + random_below(&source, 200) * FRAME_SIZE;
    uint64_t end = start + (1 + random_below(&source, 600)) * FRAME_SIZE;
    if (end > SMALL_FRAMES * FRAME_SIZE) break;
    uint32_t kind = random_below(&source, 4) == 0 ? BOOT_MEMORY_BOOT_SERVICES : BOOT_MEMORY_USABLE;
    m.regions[m.region_count++] = (struct boot_region){.start = start, .end = end, .kind = kind};
    at = end;
  }
  m.avoid_count = random_below(&source, ARRAY_COUNT(m.avoid) + 1);
  for (size_t i = 0; i < m.avoid_count; i++) {
    uint64_t start = random_below(&source, SMALL_FRAMES * FRAME_SIZE);
    m.avoid[i] = prange(start, start + random_below(&source, 100 * FRAME_SIZE)); /* Unaligned, empty, overlapping. */
  }
  return m;
}

static bool overlaps(uint64_t start, uint64_t end, uint64_t other_start, uint64_t other_end) {
  return start < other_end && other_start < end;
}

/* Asks of one address what placement.c computes for all of them. */
static bool is_possible(const struct small_machine *m, const struct placement_physical_request *q, uint64_t base) {
  uint64_t end = base + q->size;
  bool is_inside = false;
  if (base % q->align != 0 || base < 1 * MIB || end > q->limit) return false;
  for (size_t i = 0; i < m->region_count; i++) {
    const struct boot_region *r = &m->regions[i];
    if (r->kind == BOOT_MEMORY_USABLE && base >= r->start && end <= r->end) is_inside = true;
  }
  for (size_t i = 0; i < m->avoid_count; i++) {
    const prange_t *a = &m->avoid[i];
    if (a->start.raw < a->end.raw && overlaps(base, end, a->start.raw, a->end.raw)) return false;
  }
  return is_inside;
}

static struct placement_physical_request request_for(const struct small_machine *m) {
  return (struct placement_physical_request){.regions = m->regions,
                                             .region_count = m->region_count,
                                             .avoid = m->avoid,
                                             .avoid_count = m->avoid_count,
                                             .size = (1 + random_below(&source, 30)) * FRAME_SIZE,
                                             .align = FRAME_SIZE << random_below(&source, 4),
                                             .limit = random_below(&source, 3) == 0 ? 8 * MIB : UINT64_MAX,
                                             .mode = PLACEMENT_RANDOM,
                                             .entropy_bits = 256};
}

static void physical_slots_are_exactly_the_possible_addresses(void **state) {
  (void)state;
  int refused = 0;
  for (int n = 0; n < 2000; n++) {
    struct small_machine m = random_machine();
    struct placement_physical_request q = request_for(&m);
    if (n == 0) q.size = (SMALL_FRAMES + 1) * FRAME_SIZE; /* One that fits nowhere, whatever the seed. */
    struct placement_physical p = {0};
    uint64_t possible = 0;
    uint64_t lowest = 0;
    for (uint64_t base = 0; base < SMALL_FRAMES * FRAME_SIZE; base += FRAME_SIZE) {
      if (!is_possible(&m, &q, base)) continue;
      if (possible++ == 0) lowest = base;
    }
    status_t s = placement_physical_choose(&q, &source, &p);
    assert_int_equal(s, possible == 0 ? ERR_NO_MEMORY : OK);
    refused += possible == 0 ? 1 : 0;
    if (possible == 0) continue;
    assert_int_equal(p.slots, possible);
    assert_int_equal(p.millibits, bitlog_millibits(possible));
    assert_true(is_possible(&m, &q, p.base));
    q.low = true;
    assert_int_equal(placement_physical_choose(&q, nullptr, &p), OK);
    assert_int_equal(p.base, lowest);
    assert_int_equal(p.slots, 1);
    assert_int_equal(p.millibits, 0);
    q.low = false;
    q.mode = PLACEMENT_DEFAULT;
    assert_int_equal(placement_physical_choose(&q, nullptr, &p), OK);
    assert_int_equal(p.base, lowest);
  }
  assert_in_range(refused, 1, 1000);
}

static void physical_draws_are_uniform_over_all_holes(void **state) {
  (void)state;
  static uint32_t rank_of[SMALL_FRAMES];
  struct small_machine m;
  struct placement_physical_request q;
  static struct tally t;
  uint32_t slots;
  do { /* A machine with enough slots for 64 bins. */
    m = random_machine();
    q = request_for(&m);
    q.align = FRAME_SIZE;
    slots = 0;
    for (uint32_t f = 0; f < SMALL_FRAMES; f++) {
      rank_of[f] = slots;
      if (is_possible(&m, &q, f * FRAME_SIZE)) slots++;
    }
  } while (slots < 64 * 12 || m.avoid_count < 2);
  uint32_t *counts = calloc(slots, sizeof(counts[0]));
  const uint32_t draws = 200000;
  memset(&t, 0, sizeof(t));
  for (uint32_t n = 0; n < draws; n++) {
    struct placement_physical p;
    assert_int_equal(placement_physical_choose(&q, &source, &p), OK);
    assert_int_equal(p.slots, slots);
    counts[rank_of[p.base / FRAME_SIZE]]++;
  }
  double expected = (double)draws / slots;
  double sum = 0;
  for (uint32_t i = 0; i < slots; i++) sum += (counts[i] - expected) * (counts[i] - expected) / expected;
  print_message("  %u slots, chi-square %.1f\n", slots, sum);
  assert_true(fabs(sum - (slots - 1)) < 5.5 * sqrt(2.0 * slots));
  free(counts);
}

static void physical_draws_of_a_large_machine_stay_in_ram(void **state) {
  (void)state;
  static const struct boot_region regions[] = {
      {.start = 0, .end = 0xa0000, .kind = BOOT_MEMORY_LOW},
      {.start = 0x100000, .end = 0x7f000000, .kind = BOOT_MEMORY_USABLE},
      {.start = 0x7f000000, .end = 0x80000000, .kind = BOOT_MEMORY_ACPI_NVS},
      {.start = 0x100000000, .end = 0xc0000000000, .kind = BOOT_MEMORY_USABLE},
  };
  struct placement_physical_request q = {.regions = regions,
                                         .region_count = ARRAY_COUNT(regions),
                                         .size = 0x16000,
                                         .align = FRAME_SIZE,
                                         .limit = UINT64_MAX,
                                         .mode = PLACEMENT_RANDOM,
                                         .entropy_bits = 256};
  struct placement_physical p;
  uint64_t expected = 0x7ef00 - 0x16 + 1 + 0xbff00000 - 0x16 + 1;
  for (int n = 0; n < 100000; n++) {
    assert_int_equal(placement_physical_choose(&q, &source, &p), OK);
    assert_int_equal(p.slots, expected);
    assert_true((p.base >= 0x100000 && p.base + q.size <= 0x7f000000) ||
                (p.base >= 0x100000000 && p.base + q.size <= 0xc0000000000));
  }
  q.limit = 0x100000000;
  q.mode = PLACEMENT_FIXED_SEED;
  assert_int_equal(placement_physical_choose(&q, &source, &p), OK);
  assert_int_equal(p.slots, 0x7ef00 - 0x16 + 1);
  assert_int_equal(p.millibits, 0);
}

static void physical_requests_that_make_no_sense_are_refused(void **state) {
  (void)state;
  static const struct boot_region region = {.start = 0, .end = UINT64_MAX, .kind = BOOT_MEMORY_USABLE};
  static const prange_t avoid[PLACEMENT_AVOID_MAX + 1];
  const struct placement_physical_request good = {
      .regions = &region, .region_count = 1, .size = FRAME_SIZE, .align = FRAME_SIZE, .limit = UINT64_MAX};
  struct placement_physical_request q = good;
  struct placement_physical p;
  assert_int_equal(placement_physical_choose(&q, &source, &p), OK);
  q.size = 0;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_INVALID);
  q.size = 100;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_INVALID);
  q = good, q.align = 3 * FRAME_SIZE;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_INVALID);
  q = good, q.align = 2048;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_INVALID);
  q = good, q.avoid = avoid, q.avoid_count = ARRAY_COUNT(avoid);
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_INVALID);
  q = good, q.size = UINT64_MAX - FRAME_SIZE + 1;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_NO_MEMORY);
  q = good, q.region_count = 0;
  assert_int_equal(placement_physical_choose(&q, &source, &p), ERR_NO_MEMORY);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_million_draws_are_disjoint_uniform_and_as_random_as_reported),
    cmocka_unit_test(a_biased_draw_is_caught),
    cmocka_unit_test(an_address_space_with_few_slots_uses_every_one_of_them),
    cmocka_unit_test(draws_of_any_machine_agree_with_the_oracle),
    cmocka_unit_test(image_has_34_bits_and_direct_map_16_on_every_sane_machine),
    cmocka_unit_test(the_largest_ram_that_is_accepted_never_fails),
    cmocka_unit_test(requests_that_make_no_sense_are_refused),
    cmocka_unit_test(a_seed_gives_the_same_layout_every_time),
    cmocka_unit_test(reported_bits_never_exceed_what_the_sources_gave),
    cmocka_unit_test(nokaslr_puts_everything_where_the_documentation_says),
    cmocka_unit_test(nokaslr_never_overlaps_whatever_the_sizes),
    cmocka_unit_test(physical_slots_are_exactly_the_possible_addresses),
    cmocka_unit_test(physical_draws_are_uniform_over_all_holes),
    cmocka_unit_test(physical_draws_of_a_large_machine_stay_in_ram),
    cmocka_unit_test(physical_requests_that_make_no_sense_are_refused),
};

int main(void) { return cmocka_run_group_tests_name("loader/placement", tests, set_up, nullptr); }
