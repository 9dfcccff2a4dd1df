/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compaction: as many whole groups as there can be, for as few moves as there can be.
 *
 * On small random machines the least number of moves is worked out by sorting all blocks.  Then the standard fragmentation
 * workload: 90 % of memory is filled with single frames, a random half of them freed.  And a kinder one, in which memory is
 * freed by owner, and the allocator is compared with a buddy system and a flat bitmap.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"
#include "mm/phys/engine/engine.h"
#include "movers.h"
#include "platform.h"
#include "slots.h"

#define MOVER FRAME_OWNER_USER
#define BLOCK UINT64_C(512)

/* --- the least number of moves ----------------------------------------------------------------------------------- */

static int compare_counts(const void *a, const void *b) {
  const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

struct least {
  uint64_t whole, possible, moves;
};

/* What can be made of one region's groups, and for how many moves: the cheapest groups, as many as free frames allow. */
static struct least least_of(const struct movers *m, const uint8_t *is_fixed, const struct boot_region *r, uint64_t group,
                             uint64_t wanted) {
  const uint64_t start = r->start / FRAME_SIZE, end = r->end / FRAME_SIZE;
  uint64_t *used = calloc((end - start) / group + 1, sizeof *used), n = 0, free_frames = 0;
  struct least least = {0};
  for (uint64_t f = start; f < end; f++) free_frames += !m->object_of[f] && !(is_fixed && is_fixed[f]);
  for (uint64_t g = bits_align_up(start, group); g + group <= end; g += group) {
    bool can_move = true;
    used[n] = 0;
    for (uint64_t f = g; f < g + group; f++) {
      used[n] += m->object_of[f] != 0;
      can_move &= !(is_fixed && is_fixed[f]);
    }
    least.whole += can_move && used[n] == 0;
    n += can_move;
  }
  qsort(used, n, sizeof *used, compare_counts);
  least.possible = bits_min(n, free_frames / group);
  for (uint64_t i = 0; i < bits_min(wanted, least.possible); i++) least.moves += used[i];
  free(used);
  return least;
}

/* --- small machines ---------------------------------------------------------------------------------------------- */

static void compaction_moves_the_least_there_is(void **state) {
  (void)state;
  const uint64_t seed = seed_of_run();
  uint64_t moves = 0, made = 0;
  for (uint64_t i = 0; i < 150; i++) {
    struct dice d = dice_of(seed + i);
    struct boot_region ram = hosted_plain_region(dice_between(&d, 600, 12 * BLOCK));
    const uint64_t start = ram.start / FRAME_SIZE, end = ram.end / FRAME_SIZE;
    struct hosted h = hosted_create(&ram, 1, NULL, 0);
    struct movers m;
    uint8_t *is_fixed = calloc(end, 1);
    movers_init(&m, &h, MOVER, end, true);
    uint64_t used = 0, fixed = dice_one_in(&d, 2) ? 0 : dice_below(&d, 4);
    for (uint64_t f = start; f < end; f++) {
      const struct frame_limits exactly = {.min = f, .max = f + 1};
      pfn_t got;
      if (f % 512 == 0 || f == start) used = dice_below(&d, 1001);
      if (dice_below(&d, 1000) < fixed) {
        assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 1, &exactly, &got), OK);
        is_fixed[f] = 1;
      } else if (dice_below(&d, 1000) < used) {
        assert_true(movers_take_at(&m, f));
      }
    }
    const uint64_t wanted = dice_one_in(&d, 2) ? UINT64_MAX : dice_below(&d, 12);
    const struct least least = least_of(&m, is_fixed, &ram, 512, wanted);
    struct contig_compaction c;
    assert_int_equal(contig_compact(&m.contig, 512, wanted, &c), OK);
    assert_int_equal(c.before, least.whole);
    assert_int_equal(c.possible, least.possible);
    assert_int_equal(c.before + c.made, bits_max(bits_min(wanted, least.possible), least.whole));
    assert_int_equal(c.moves, least.moves);
    assert_int_equal(m.moves, c.moves);
    assert_int_equal(c.refused, 0);
    assert_int_equal(least_of(&m, is_fixed, &ram, 512, 0).whole, c.before + c.made);
    movers_must_be_intact(&m);
    hosted_must_be_sound(&h, "after a compaction");
    moves += c.moves;
    made += c.made;
    movers_fini(&m);
    hosted_destroy(&h);
    free(is_fixed);
  }
  printf("# compactions: 150 machines, %llu blocks made, %llu moves, each time the least\n", (unsigned long long)made,
         (unsigned long long)moves);
}

/* --- owners who refuse ------------------------------------------------------------------------------------------- */

static const uint8_t *pinned; /* By frame. */
static bool is_pinned(struct movers *m, uint64_t frame) {
  (void)m;
  return pinned[frame];
}

/* Pins some movable frames, a few in some of the blocks; returns the blocks. */
static uint64_t pin_some(struct movers *m, struct dice *d, uint8_t *pins, uint64_t start, uint64_t end) {
  uint64_t blocks = 0;
  for (uint64_t b = bits_align_up(start, BLOCK); b + BLOCK <= end; b += BLOCK) {
    if (!dice_one_in(d, 4)) continue;
    bool is_any = false;
    for (unsigned i = 0; i < 3; i++) {
      const uint64_t f = b + dice_below(d, BLOCK);
      pins[f] = m->object_of[f] != 0;
      is_any |= pins[f] != 0;
    }
    blocks += is_any;
  }
  return blocks;
}

/* Who refuses is asked before anything moves: the others are emptied instead, and for the least number of moves there is. */
static void pinned_blocks_are_replaced_for_the_least_number_of_moves(void **state) {
  (void)state;
  const uint64_t seed = seed_of_run() + 7000;
  uint64_t made = 0, moves = 0, refused = 0;
  for (uint64_t i = 0; i < 100; i++) {
    struct dice d = dice_of(seed + i);
    struct boot_region ram = hosted_plain_region(256 + dice_between(&d, 4, 24) * BLOCK);
    const uint64_t start = ram.start / FRAME_SIZE, end = ram.end / FRAME_SIZE;
    struct hosted h = hosted_create(&ram, 1, NULL, 0);
    struct movers m;
    uint8_t *pins = calloc(end, 1);
    movers_init(&m, &h, MOVER, end, true);
    for (uint64_t f = start, used = 0; f < end; f++) {
      if (f % BLOCK == 0 || f == start) used = dice_below(&d, 1001);
      if (dice_below(&d, 1000) < used) assert_true(movers_take_at(&m, f));
    }
    const uint64_t pinned_blocks = pin_some(&m, &d, pins, start, end);
    pinned = pins;
    m.refuses = is_pinned;
    const uint64_t wanted = dice_one_in(&d, 2) ? UINT64_MAX : dice_below(&d, 12);
    const struct least without = least_of(&m, NULL, &ram, BLOCK, wanted), least = least_of(&m, pins, &ram, BLOCK, wanted);
    struct contig_compaction c;
    assert_int_equal(contig_compact(&m.contig, BLOCK, wanted, &c), OK);
    assert_int_equal(c.possible, without.possible);
    assert_int_equal(c.before + c.made, bits_max(bits_min(wanted, least.possible), least.whole));
    assert_int_equal(c.moves, least.moves);
    assert_int_equal(m.moves, c.moves);
    assert_true(c.refused <= pinned_blocks);
    assert_int_equal(m.held, 0);
    movers_must_be_intact(&m);
    hosted_must_be_sound(&h, "after refusals");
    made += c.made;
    moves += c.moves;
    refused += c.refused;
    movers_fini(&m);
    hosted_destroy(&h);
    free(pins);
  }
  printf("# with pinned frames: 100 machines, %llu blocks made, %llu refused, %llu moves, each time the least\n",
         (unsigned long long)made, (unsigned long long)refused, (unsigned long long)moves);
  assert_true(made > 100 && refused > 20);
}

/* A frame is busy when it is asked for the first time, and never again. */
static uint8_t has_been_asked[9 * BLOCK];
static bool is_busy_once(struct movers *m, uint64_t frame) {
  (void)m;
  return frame % 64 == 0 && !has_been_asked[frame]++;
}

static void who_refuses_once_is_asked_again(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(256 + 8 * BLOCK);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_compaction c;
  memset(has_been_asked, 0, sizeof has_been_asked);
  movers_init(&m, &h, MOVER, ram.end / FRAME_SIZE, true);
  for (uint64_t f = 512; f < 9 * BLOCK; f += 8) assert_true(movers_take_at(&m, f));
  m.refuses = is_busy_once;
  assert_int_equal(contig_compact(&m.contig, 512, UINT64_MAX, &c), OK);
  assert_int_equal(c.possible, 7);
  assert_true(c.made < 7); /* Each block has eight such frames: in one run it is not asked as often as that. */
  assert_int_equal(c.made + c.refused, 8);
  for (unsigned i = 0; i < 8 && c.before + c.made < 7; i++) assert_int_equal(contig_compact(&m.contig, 512, 7, &c), OK);
  assert_int_equal(c.before + c.made, 7);
  movers_must_be_intact(&m);
  hosted_must_be_sound(&h, "after refusals that did not last");
  assert_int_equal(contig_compact(&m.contig, 1024, 4, &c), ERR_INVALID);
  movers_fini(&m);
  hosted_destroy(&h);
}

/* A single frame that is busy when it is looked at first; its block is needed. */
static bool is_busy_at_first(struct movers *m, uint64_t frame) {
  (void)m;
  return frame == 2 * BLOCK + 8 && !has_been_asked[frame]++;
}

static void a_moments_refusal_loses_no_block(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(256 + 8 * BLOCK);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_compaction c;
  memset(has_been_asked, 0, sizeof has_been_asked);
  movers_init(&m, &h, MOVER, ram.end / FRAME_SIZE, true);
  for (uint64_t f = BLOCK; f < 9 * BLOCK; f++) { /* Four blocks that can be emptied, and four that take it all in. */
    const struct frame_limits exactly = {.min = f, .max = f + 1};
    pfn_t got;
    if (f < 5 * BLOCK && f % 4 == 0) assert_true(movers_take_at(&m, f));
    if (f >= 5 * BLOCK && f % 4 != 0) assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 1, &exactly, &got), OK);
  }
  m.refuses = is_busy_at_first;
  assert_int_equal(contig_compact(&m.contig, 512, UINT64_MAX, &c), OK);
  assert_int_equal(c.possible, 4);
  assert_int_equal(c.made, 4);
  assert_int_equal(c.refused, 0);
  movers_must_be_intact(&m);
  movers_fini(&m);
  hosted_destroy(&h);
}

/*
 * Another CPU is idle and keeps a block with many free frames for itself.  They are needed: there are just as many free
 * frames as the blocks that are possible have.
 */
static void what_an_idle_cpu_keeps_is_filled_too(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(256 + 6 * BLOCK);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_compaction c;
  uint64_t frame, n = 0;
  movers_init(&m, &h, MOVER, ram.end / FRAME_SIZE, true);
  while (movers_take(&m, &frame)) continue;
  for (uint64_t f = 256; f < 512; f++) assert_true(m.object_of[f] != 0); /* The piece below the first block stays full. */
  for (uint64_t b = 1; b < 7; b++) {
    const uint64_t spare = b == 6 ? 112 : b == 5 ? 400 : 256;
    for (uint64_t f = b * BLOCK; f < b * BLOCK + spare; f++, n++) movers_give(&m, f);
  }
  assert_int_equal(n % BLOCK, 0);
  pmm_drain(h.pmm);
  slots_play(1);
  assert_true(movers_take(&m, &frame)); /* The highest broken block is that CPU's now. */
  movers_give(&m, frame);
  slots_play(0);
  const struct least least = least_of(&m, NULL, &ram, BLOCK, UINT64_MAX);
  assert_int_equal(contig_compact(&m.contig, BLOCK, UINT64_MAX, &c), OK);
  assert_int_equal(c.possible, n / BLOCK);
  assert_int_equal(c.before + c.made, c.possible);
  assert_int_equal(c.moves, least.moves);
  assert_int_equal(least_of(&m, NULL, &ram, BLOCK, 0).whole, c.possible);
  movers_must_be_intact(&m);
  hosted_must_be_sound(&h, "after what an idle CPU had");
  movers_fini(&m);
  hosted_destroy(&h);
}

/* Three blocks with 200, 200 and 100 frames: one of the first two has to take in the other, and the third. */
static void what_is_to_be_emptied_is_never_filled(void **state) {
  (void)state;
  static struct boot_region ram = {BLOCK * FRAME_SIZE, 4 * BLOCK * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  const uint64_t used[] = {0, 200, 200, 100};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_compaction c;
  movers_init(&m, &h, MOVER, 4 * BLOCK, true);
  for (uint64_t b = 1; b < 4; b++)
    for (uint64_t f = b * BLOCK; f < b * BLOCK + used[b]; f++) assert_true(movers_take_at(&m, f));
  assert_int_equal(contig_compact(&m.contig, 512, UINT64_MAX, &c), OK);
  assert_int_equal(c.possible, 2);
  assert_int_equal(c.made, 2);
  assert_int_equal(c.moves, 300);
  movers_must_be_intact(&m);
  movers_fini(&m);
  hosted_destroy(&h);
}

/* --- the standard workload --------------------------------------------------------------------------------------- */

/* 90 % filled with single movable frames, a random half of them freed. */
static void fragment(struct movers *m, const struct boot_region *ram, uint64_t seed) {
  const uint64_t frames = (ram->end - ram->start) / FRAME_SIZE, taken = frames / 10 * 9;
  struct dice d = dice_of(seed);
  uint64_t *list = calloc(taken, sizeof *list);
  for (uint64_t i = 0; i < taken; i++) assert_true(movers_take(m, &list[i]));
  for (uint64_t i = 0; i < taken / 2; i++) {
    const uint64_t j = i + dice_below(&d, taken - i), t = list[i];
    list[i] = list[j];
    list[j] = t;
    movers_give(m, list[i]);
  }
  free(list);
}

/* How many groups the allocator finds, one after the other. */
static uint64_t found(struct pmm *p, uint64_t group) {
  const struct frame_limits aligned = {.align = group};
  uint64_t first[2048], n = 0;
  pfn_t got;
  while (n < 2048 && pmm_alloc_run(p, FRAME_OWNER_TEST, 0, group, &aligned, &got) == OK) first[n++] = got.raw;
  for (uint64_t i = 0; i < n; i++) assert_int_equal(pmm_free_run(p, FRAME_OWNER_TEST, pfn(first[i]), group), OK);
  return n;
}

/* Unmovable frames, in clusters in some of the groups; whose they are is taken from the free ones. */
static uint8_t *plant_pockets(struct hosted *h, struct movers *m, const struct boot_region *ram, uint64_t group, uint64_t n,
                              uint64_t seed) {
  const uint64_t start = ram->start / FRAME_SIZE, end = ram->end / FRAME_SIZE;
  struct dice d = dice_of(seed + 99);
  uint8_t *is_fixed = calloc(end, 1);
  for (uint64_t i = 0; i < n; i++) {
    const uint64_t base = bits_align_up(start, group) + dice_below(&d, (end - start) / group - 1) * group;
    const uint64_t first = base + dice_below(&d, group - 64);
    for (uint64_t f = first; f < first + 64; f++) {
      const struct frame_limits exactly = {.min = f, .max = f + 1};
      pfn_t got;
      if (m->object_of[f] != 0) continue;
      if (pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, 1, &exactly, &got) == OK) is_fixed[f] = 1;
    }
  }
  return is_fixed;
}

static void standard_workload(uint64_t frames, uint64_t group, bool has_bytes, uint64_t pockets) {
  struct boot_region ram = hosted_plain_region(frames);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_compaction c;
  const uint64_t seed = seed_of_run();
  movers_init(&m, &h, MOVER, ram.end / FRAME_SIZE, has_bytes);
  fragment(&m, &ram, seed);
  uint8_t *is_fixed = plant_pockets(&h, &m, &ram, group, pockets, seed);
  const struct least least = least_of(&m, is_fixed, &ram, group, UINT64_MAX);
  const uint64_t ram_mib = frames / 256, group_mib = group / 256;
  assert_int_equal(found(h.pmm, group), least.whole);
  assert_int_equal(contig_compact(&m.contig, group, UINT64_MAX, &c), OK);
  const uint64_t whole = c.before + c.made;
  printf("# %llu MiB, groups of %llu MiB, %llu unmovable pockets: %llu of %llu possible without moving, %llu with %llu "
         "moves; least %llu\n",
         (unsigned long long)ram_mib, (unsigned long long)group_mib, (unsigned long long)pockets,
         (unsigned long long)least.whole, (unsigned long long)least.possible, (unsigned long long)whole,
         (unsigned long long)c.moves, (unsigned long long)least.moves);
  assert_int_equal(whole, least.possible);
  assert_int_equal(found(h.pmm, group), least.possible);
  assert_true(c.moves <= least.moves + least.moves / 10);
  movers_must_be_intact(&m);
  hosted_must_be_sound(&h, "after the standard workload");
  movers_fini(&m);
  hosted_destroy(&h);
  free(is_fixed);
}

static void all_possible_2_mib_blocks_are_made(void **state) {
  (void)state;
  standard_workload(256 * BLOCK, 512, true, 0);
  standard_workload(256 * BLOCK, 512, true, 70);
  standard_workload(256 * BLOCK, 512, true, 400);
}

static void all_possible_gibs_are_made(void **state) {
  (void)state;
  standard_workload(3 * FRAMES_PER_1G + 1000, FRAMES_PER_1G, false, 0);
  standard_workload(6 * FRAMES_PER_1G + 1000, FRAMES_PER_1G, false, 3);
}

/* One run after the other by quote and commit, without the plan for all: still no more than a tenth too many. */
static void quotes_one_by_one_come_close(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(256 + 64 * BLOCK);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  const struct frame_limits block = {.align = 512};
  pfn_t first;
  uint64_t made = 0;
  movers_init(&m, &h, MOVER, ram.end / FRAME_SIZE, true);
  fragment(&m, &ram, seed_of_run());
  const struct least least = least_of(&m, NULL, &ram, 512, UINT64_MAX);
  while (contig_alloc(&m.contig, FRAME_OWNER_TEST, 512, &block, 512, &first) == OK) made++;
  printf("# quotes one by one: %llu of %llu blocks, %llu moves; least %llu\n", (unsigned long long)made,
         (unsigned long long)least.possible, (unsigned long long)m.moves, (unsigned long long)least.moves);
  assert_int_equal(made, least.possible);
  assert_true(m.moves <= least.moves + least.moves / 10);
  movers_must_be_intact(&m);
  movers_fini(&m);
  hosted_destroy(&h);
}

/* --- the kinder workload: memory is freed by owner --------------------------------------------------------------- */

#define KIND_FRAMES  UINT64_C(65536) /* 256 MiB. */
#define KIND_OWNERS  96
#define KIND_REPLACE 300
#define KIND_BURST   64 /* Frames that an owner takes at most while the others wait. */

/* An allocator of single frames, whichever. */
struct taker {
  struct pmm *pmm;
  const struct engine *engine;
  void *memory;
};

static uint64_t take_one(const struct taker *t) {
  const struct frame_limits anywhere = {.max = UINT64_MAX, .align = 1};
  uint64_t frame;
  pfn_t got;
  if (t->pmm) {
    assert_int_equal(pmm_alloc_frame(t->pmm, MOVER, PMM_MOVABLE, &got), OK);
    return got.raw;
  }
  assert_true(t->engine->find(t->memory, 1, &anywhere, &frame));
  t->engine->take(t->memory, frame, 1);
  return frame;
}

static void give_one(const struct taker *t, uint64_t frame) {
  if (t->pmm)
    assert_int_equal(pmm_free_frame(t->pmm, MOVER, pfn(frame)), OK);
  else
    t->engine->put(t->memory, frame, 1);
}

struct kin {
  uint64_t *frames, count;
};

/* An owner's life: it takes its frames a few at a time, while others do the same. */
static void grow(const struct taker *t, struct kin *k, uint64_t n, uint8_t *is_used) {
  for (; n > 0; n--) {
    const uint64_t f = take_one(t);
    assert_false(is_used[f]);
    is_used[f] = 1;
    k->frames[k->count++] = f;
  }
}

static void perish(const struct taker *t, struct kin *k, uint8_t *is_used) {
  for (uint64_t i = 0; i < k->count; i++) {
    give_one(t, k->frames[i]);
    is_used[k->frames[i]] = 0;
  }
  k->count = 0;
}

static void grow_to(const struct taker *t, struct kin *kin, const uint64_t *goals, struct dice *d, uint8_t *is_used) {
  for (bool is_done = false; !is_done;) {
    is_done = true;
    for (unsigned i = 0; i < KIND_OWNERS; i++) {
      if (kin[i].count >= goals[i]) continue;
      grow(t, &kin[i], bits_min(1 + dice_below(d, KIND_BURST), goals[i] - kin[i].count), is_used);
      is_done = false;
    }
  }
}

static uint64_t whole_blocks(const uint8_t *is_used) {
  uint64_t whole = 0;
  for (uint64_t b = 512; b + 512 <= KIND_FRAMES + 256; b += 512) whole += memchr(is_used + b, 1, 512) == NULL;
  return whole;
}

struct kind_result {
  uint64_t possible, when_half_had_left, after_life_went_on;
};

/* Owners fill 90 % of memory, half of them leave for good, and of the others each is replaced by a new one now and then. */
static struct kind_result kind_life(const struct taker *t, uint64_t seed) {
  struct dice d = dice_of(seed);
  struct kin kin[KIND_OWNERS];
  struct kind_result r = {0};
  uint64_t goals[KIND_OWNERS], used = 0;
  uint8_t *is_used = calloc(KIND_FRAMES + 256, 1);
  for (unsigned i = 0; i < KIND_OWNERS; i++) {
    kin[i] = (struct kin){calloc(KIND_FRAMES, sizeof(uint64_t)), 0};
    goals[i] = KIND_FRAMES * 9 / 10 / KIND_OWNERS;
  }
  grow_to(t, kin, goals, &d, is_used);
  for (unsigned i = 0; i < KIND_OWNERS; i += 2) {
    perish(t, &kin[i], is_used);
    goals[i] = 0;
  }
  r.when_half_had_left = whole_blocks(is_used);
  for (unsigned i = 0; i < KIND_REPLACE; i++) {
    perish(t, &kin[1 + 2 * dice_below(&d, KIND_OWNERS / 2)], is_used);
    grow_to(t, kin, goals, &d, is_used);
  }
  r.after_life_went_on = whole_blocks(is_used);
  for (uint64_t f = 256; f < KIND_FRAMES + 256; f++) used += is_used[f];
  r.possible = (KIND_FRAMES - used) / 512;
  for (unsigned i = 0; i < KIND_OWNERS; i++) free(kin[i].frames);
  free(is_used);
  return r;
}

static void memory_freed_by_owner_becomes_whole_again(void **state) {
  (void)state;
  struct boot_region ram = hosted_plain_region(KIND_FRAMES);
  const struct engine *const engines[] = {&engine_buddy, &engine_flat};
  const uint64_t seed = seed_of_run();
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  const struct kind_result tier = kind_life(&(struct taker){.pmm = h.pmm}, seed);
  printf("# freed by owner, of %llu possible 2 MiB blocks, at once and later: tier %llu, %llu",
         (unsigned long long)tier.possible, (unsigned long long)tier.when_half_had_left,
         (unsigned long long)tier.after_life_went_on);
  for (unsigned i = 0; i < 2; i++) {
    struct taker t = {.engine = engines[i]};
    const uint64_t size = t.engine->size(&ram, 1);
    t.memory = aligned_alloc(64, size);
    memset(t.memory, 0, size);
    t.engine->init(t.memory, &ram, 1);
    t.engine->put(t.memory, ram.start / FRAME_SIZE, KIND_FRAMES);
    const struct kind_result r = kind_life(&t, seed);
    printf("; %s %llu, %llu", t.engine->name, (unsigned long long)r.when_half_had_left,
           (unsigned long long)r.after_life_went_on);
    assert_true(tier.after_life_went_on > r.after_life_went_on);
    free(t.memory);
  }
  printf("\n");
  hosted_destroy(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(compaction_moves_the_least_there_is),
      cmocka_unit_test(what_is_to_be_emptied_is_never_filled),
      cmocka_unit_test(pinned_blocks_are_replaced_for_the_least_number_of_moves),
      cmocka_unit_test(who_refuses_once_is_asked_again),
      cmocka_unit_test(a_moments_refusal_loses_no_block),
      cmocka_unit_test(what_an_idle_cpu_keeps_is_filled_too),
      cmocka_unit_test(all_possible_2_mib_blocks_are_made),
      cmocka_unit_test(all_possible_gibs_are_made),
      cmocka_unit_test(quotes_one_by_one_come_close),
      cmocka_unit_test(memory_freed_by_owner_becomes_whole_again),
  };
  return cmocka_run_group_tests_name("mm/phys/contig_compact", tests, NULL, NULL);
}
