/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every map there is, through canonicaliser, allocator and ledger: all frames are handed out, none of them lies where it
 * must not, all come back, and mm_check is content at every stage.  As many 2 MiB frames, 1 GiB frames and runs are had, at
 * the places, as an oracle finds in the map's own list of pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "map_runs.h"
#include "sweep.h"

#define RUNS_REAL    UINT64_C(200) /* Of each sort, on a map that somebody has had or made; */
#define RUNS_HOSTILE UINT64_C(8)   /* on one of thousands. */

static bool has_memory_to_hand_out(const struct canon *c) {
  for (size_t i = 0; i < c->count; i++) {
    uint32_t kind = c->regions[i].kind;
    if (kind == BOOT_MEMORY_USABLE || kind == BOOT_MEMORY_BOOT_SERVICES || kind == BOOT_MEMORY_LOADER) return true;
  }
  return false;
}

/* What all maps together came to. */
static struct map_runs sum;

static void judge_runs(const struct hosted *h, const struct map *m, uint64_t most) {
  struct map_runs r = map_runs_judge(h, m, most);
  if (!r.is_sound) fail_msg("%s: %s", m->name, r.wrong);
  sum.frames += r.frames;
  sum.gigs += r.gigs;
  sum.blocks += r.blocks;
  sum.runs += r.runs;
  sum.refusals += r.refusals;
}

static void print_sum(const char *of_what, size_t maps) {
  printf("# of %zu maps %s every frame at once: %llu; 1 GiB frames %llu, 2 MiB frames %llu, runs %llu, refused %llu\n", maps,
         of_what, (unsigned long long)sum.frames, (unsigned long long)sum.gigs, (unsigned long long)sum.blocks,
         (unsigned long long)sum.runs, (unsigned long long)sum.refusals);
  sum = (struct map_runs){0};
}

/* Every frame, and at most so many runs of each sort; 0 for no runs.  False for a map without memory to hand out, or with
 * more than a host program can keep records of. */
static bool sweep_one(const struct map *m, uint64_t runs) {
  struct canon c = canon_of(m, NULL, 0);
  struct hosted h = hosted_create(c.regions, c.count, NULL, 0);
  if (!h.pmm) {
    assert_int_equal(h.status, has_memory_to_hand_out(&c) ? ERR_NO_MEMORY : ERR_NOT_FOUND);
    hosted_destroy(&h);
    canon_free(&c);
    return false;
  }
  struct sweep_result r = sweep_map(&h, &sweep_quick);
  if (!r.is_sound) fail_msg("%s: %s", m->name, r.wrong);
  if (runs > 0) judge_runs(&h, m, runs);
  assert_true(r.swept == r.general || r.general > sweep_quick.at_once_max * sweep_quick.windows_max);
  hosted_destroy(&h);
  canon_free(&c);
  return true;
}

/* *swept of them had memory to hand out. */
static size_t sweep_files(char **paths, size_t *swept) {
  size_t n = 0;
  *swept = 0;
  for (; paths && paths[n]; n++) {
    struct map m;
    assert_true(map_read(paths[n], &m));
    *swept += sweep_one(&m, RUNS_REAL);
    map_free(&m);
  }
  map_paths_free(paths);
  return n;
}

static void every_frame_of_real_machines_is_handed_out_and_comes_back(void **state) {
  (void)state;
  size_t swept, n = sweep_files(map_paths_of_real_machines(), &swept);
  if (n == 0) skip(); /* So that it is counted. */
  printf("# %zu maps of real machines, %zu of them with memory to hand out\n", n, swept);
  print_sum("of real machines", swept);
  assert_true(swept >= n / 2);
}

static void every_frame_of_our_own_maps_is_handed_out_and_comes_back(void **state) {
  (void)state;
  size_t swept, n = sweep_files(map_paths_of_our_own(), &swept);
  printf("# %zu maps of our own\n", n);
  print_sum("of our own", swept);
  assert_true(n >= 16 && swept >= 16);
}

static void every_frame_of_hostile_maps_is_handed_out_and_comes_back(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_MAPS");
  unsigned long maps = wanted ? strtoul(wanted, NULL, 0) : 100000, swept = 0;
  uint64_t seed = seed_of_run();
  for (unsigned long i = 0; i < maps; i++) {
    struct dice d = dice_of(seed + i);
    struct map m;
    map_generate(&d, dice_one_in(&d, 10) ? 1 << 16 : 1 << 12, &m);
    swept += sweep_one(&m, i % 16 == 0 ? RUNS_HOSTILE : 0);
    map_free(&m);
  }
  printf("# %lu hostile maps done, %lu of them with memory to hand out\n", maps, swept);
  print_sum("that are hostile", swept / 16);
  assert_true(swept >= maps / 2);
}

/* Row P9: what memory costs follows RAM, not the highest address. */
static void metadata_follows_ram_and_not_the_highest_address(void **state) {
  (void)state;
  struct boot_region half_gib = {MIB, 512 * MIB, BOOT_MEMORY_USABLE, 7, 8};
  struct boot_region with_mmio[] = {half_gib, {56 * TIB, 57 * TIB, BOOT_MEMORY_MMIO, 11, 0}};
  struct boot_region far[] = {half_gib, {12 * TIB, 12 * TIB + 64 * GIB, BOOT_MEMORY_USABLE, 7, 8}};
  uint64_t alone = pmm_metadata_size(&half_gib, 1), gib_64 = pmm_metadata_size(&far[1], 1);
  assert_int_equal(alone, pmm_metadata_size(with_mmio, 2));
  assert_true(pmm_metadata_size(far, 2) < alone + gib_64);
  assert_true(gib_64 < 64 * GIB / 100000 * 4); /* 0.004 %. */
  printf("# metadata: %llu bytes for 512 MiB, %llu for 64 GiB\n", (unsigned long long)alone, (unsigned long long)gib_64);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(metadata_follows_ram_and_not_the_highest_address),
      cmocka_unit_test(every_frame_of_our_own_maps_is_handed_out_and_comes_back),
      cmocka_unit_test(every_frame_of_real_machines_is_handed_out_and_comes_back),
      cmocka_unit_test(every_frame_of_hostile_maps_is_handed_out_and_comes_back),
  };
  return cmocka_run_group_tests_name("mm/maps", tests, NULL, NULL);
}
