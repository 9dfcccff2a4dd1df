/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/guard/check.c: each invariant, broken on purpose, is the one that is named; a healthy instance passes at every size. */
#include "mm/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "mm/phys/instance.h"
#include "mm/phys/run_memo.h"

static const struct boot_region machine[] = {
    {0x1000, 0x9f000, BOOT_MEMORY_LOW, 7, 8},
    {0x100000, 0x8000000, BOOT_MEMORY_USABLE, 7, 8},
    {0x8000000, 0x8010000, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
    {0x8010000, 0x8020000, BOOT_MEMORY_UNUSABLE, 8, 8},
    {UINT64_C(0x100000000), UINT64_C(0x1c0000000), BOOT_MEMORY_USABLE, 7, 8},
};

/* An instance with something of everything: frames, runs, bad memory, holes. */
static struct hosted used_instance(void) {
  struct hosted h = hosted_create(machine, sizeof machine / sizeof *machine, NULL, 0);
  pfn_t frame;
  for (unsigned i = 0; i < 200; i++) assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_KERNEL, 0, &frame), OK);
  for (uint64_t i = 1; i < 40; i++) assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_DMA, 0, 37 * i, NULL, &frame), OK);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_DMA, frame, 500), OK);
  assert_int_equal(pmm_mark_bad(h.pmm, frame), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_KERNEL, 0, &frame), OK); /* The slot owns a block again. */
  return h;
}

static void each_breaker_is_found_as_what_it_breaks(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint32_t number;
  } invariants[] = {
#define INVARIANT(number, name, text) {#name, number},
      MM_INVARIANTS(INVARIANT)
#undef INVARIANT
  };
  for (size_t i = 0; i < sizeof invariants / sizeof *invariants; i++) {
    struct hosted h = used_instance();
    struct mm_check_report r;
    assert_true(mm_check(h.pmm, 0, &r));
    assert_int_equal(r.invariant, 0);
    assert_int_equal(mm_check_break(h.pmm, invariants[i].name), OK);
    assert_false(mm_check(h.pmm, 0, &r));
    assert_int_equal(r.invariant, invariants[i].number);
    assert_non_null(strstr(r.text, invariants[i].name));
    hosted_destroy(&h);
  }
}

static void an_unknown_breaker_is_not_found(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct mm_check_report r;
  assert_int_equal(mm_check_break(h.pmm, "nonsense"), ERR_NOT_FOUND);
  assert_true(mm_check(h.pmm, 0, &r));
  hosted_destroy(&h);
}

/* Where bytes that nobody has written come into view, they may say anything, and the lowest number found is named. */
#define ANY 0

/* Damages one thing, sees it named, repairs it and sees that all is well again. */
#define EXPECT_FOUND(h, damage, number, repair)                                                                             \
  do {                                                                                                                      \
    struct mm_check_report report_;                                                                                         \
    damage;                                                                                                                 \
    assert_false(mm_check((h).pmm, 0, &report_));                                                                           \
    if ((number) != ANY) assert_int_equal(report_.invariant, number);                                                       \
    repair;                                                                                                                 \
    assert_true(mm_check((h).pmm, 0, &report_));                                                                            \
  } while (0)

static void every_word_of_every_tier_is_looked_at(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct tier *t = &h.pmm->tier;
  EXPECT_FOUND(h, t->sections[1].whole ^= 1, 4, t->sections[1].whole ^= 1);
  EXPECT_FOUND(h, t->sections[1].broken ^= 1, 4, t->sections[1].broken ^= 1);
  EXPECT_FOUND(h, t->gigs[1].whole ^= 4, 4, t->gigs[1].whole ^= 4);
  EXPECT_FOUND(h, t->gigs[1].has_whole ^= 4, 4, t->gigs[1].has_whole ^= 4);
  EXPECT_FOUND(h, t->gigs[1].has_broken ^= 4, 4, t->gigs[1].has_broken ^= 4);
  EXPECT_FOUND(h, t->whole.rung[0][0] ^= 2, 4, t->whole.rung[0][0] ^= 2);
  EXPECT_FOUND(h, t->has_whole.rung[0][0] ^= 2, 4, t->has_whole.rung[0][0] ^= 2);
  EXPECT_FOUND(h, t->has_broken.rung[0][0] ^= 2, 4, t->has_broken.rung[0][0] ^= 2);
  EXPECT_FOUND(h, t->gigs[0].present ^= 32, ANY, t->gigs[0].present ^= 32);
  EXPECT_FOUND(h, t->gigs[1].first++, ANY, t->gigs[1].first--);
  EXPECT_FOUND(h, t->gigs[1].number = 0, ANY, t->gigs[1].number = 4);
  EXPECT_FOUND(h, t->gig_count++, ANY, t->gig_count--);
  EXPECT_FOUND(h, t->section_count--, ANY, t->section_count++);
  EXPECT_FOUND(h, t->free_2m--, 5, t->free_2m++);
  EXPECT_FOUND(h, t->free_1g++, 5, t->free_1g--);
  EXPECT_FOUND(h, h.pmm->tier.run_bound = 512, 13, h.pmm->tier.run_bound = UINT64_MAX);
  struct run_memo *m = run_memo_begin(t, 2, &(struct frame_limits){.align = 1});
  EXPECT_FOUND(h, m->may[0] = 0, 13, m->may[0] = UINT32_MAX);
  m->count = 700; /* Met at whole blocks of 64 KiB. */
  EXPECT_FOUND(h, m->may[0] = 0, 13, m->may[0] = UINT32_MAX);
  hosted_destroy(&h);
}

static void the_words_that_untouched_gigs_share_are_looked_at(void **state) {
  (void)state;
  static const struct boot_region large[] = {
      {.start = 4 * GIB, .end = 8 * GIB, .kind = BOOT_MEMORY_USABLE, .firmware_type = 7, .attributes = 0xf}};
  struct hosted h = hosted_create(large, 1, NULL, 0);
  struct tier *t = &h.pmm->tier;
  pfn_t frame;
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_KERNEL, 0, &frame), OK);
  assert_true(t->gigs[3].first == t->gigs[3].own && t->gigs[1].first == t->shared);
  uint32_t *entry = &t->entries[(uint64_t)t->shared * TIER_BLOCKS_PER_SECTION + 17], saved = t->gigs[1].own;
  EXPECT_FOUND(h, t->sections[t->shared].whole ^= 1, 4, t->sections[t->shared].whole ^= 1);
  EXPECT_FOUND(h, t->sections[t->shared].broken ^= 1, 4, t->sections[t->shared].broken ^= 1);
  EXPECT_FOUND(h, *entry = 1, ANY, *entry = 0);
  EXPECT_FOUND(h, t->gigs[1].own++, 4, t->gigs[1].own = saved);
  EXPECT_FOUND(h, t->gigs[1].first--, ANY, t->gigs[1].first++);
  EXPECT_FOUND(h, t->gigs[3].first = t->shared, ANY, t->gigs[3].first = t->gigs[3].own);
  EXPECT_FOUND(h, t->shared++, 4, t->shared--);
  hosted_destroy(&h);
}

static void records_that_do_not_fit_the_map_are_found(void **state) {
  (void)state;
  struct hosted h = used_instance();
  uint8_t *r = h.pmm->records.hot;
  uint8_t saved = r[0x8001];
  EXPECT_FOUND(h, r[0x8001] = FRAME_OWNER_FREE, 8, r[0x8001] = saved);
  EXPECT_FOUND(h, r[0x8001] = FRAME_OWNER_DMA, 8, r[0x8001] = saved);
  EXPECT_FOUND(h, r[0x8001] = FRAME_OWNER_BAD, 2, r[0x8001] = saved);
  EXPECT_FOUND(h, r[0x8001] = FRAME_OWNER_NONE, 2, r[0x8001] = saved);
  EXPECT_FOUND(h, r[0x8001] |= FRAME_MOVABLE, 2, r[0x8001] = saved);
  saved = r[0x8011];
  EXPECT_FOUND(h, r[0x8011] = FRAME_OWNER_FREE, 8, r[0x8011] = saved);
  EXPECT_FOUND(h, r[0x8011] = FRAME_OWNER_ACPI, 2, r[0x8011] = saved);
  saved = r[0x110];
  EXPECT_FOUND(h, r[0x110] = FRAME_MOVABLE, 2, r[0x110] = saved);
  EXPECT_FOUND(h, r[0x110] = FRAME_TAIL, 2, r[0x110] = saved);
  EXPECT_FOUND(h, r[0x110] = FRAME_OWNER_FIRMWARE, 2, r[0x110] = saved);
  EXPECT_FOUND(h, r[0x110] = 100, 2, r[0x110] = saved);
  EXPECT_FOUND(h, r[0x110] = FRAME_OWNER_DMA, 3, r[0x110] = saved);
  hosted_destroy(&h);
}

static void a_free_bit_where_there_is_no_ram_is_found(void **state) {
  (void)state;
  struct hosted h = used_instance();
  uint64_t *low = &h.pmm->tier.bits[1]; /* Frames 64..127: low memory, in a section that has bits. */
  EXPECT_FOUND(h, *low |= 1, 8, *low = 0);
  *low = 1;
  h.pmm->tier.entries[0]--;
  slot_count_up(&h.pmm->owned[FRAME_OWNER_FREE], 1);
  slot_count_up(&h.pmm->owned[FRAME_OWNER_TEST], UINT64_MAX);
  struct mm_check_report r;
  assert_false(mm_check(h.pmm, 0, &r));
  assert_int_equal(r.invariant, 8);
  assert_int_equal(r.frame, 64);
  hosted_destroy(&h);
}

/* The slot of this thread, which used_instance has made own a block. */
static struct slot *slot_of(struct hosted *h) {
  struct slot *s = &h->pmm->slots[platform_slot_enter()];
  platform_slot_leave();
  assert_int_not_equal(s->block, SLOT_NONE);
  return s;
}

static void what_a_slot_says_is_held_against_entries_and_bits(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct slot *s = slot_of(&h), *other = s == h.pmm->slots ? s + 1 : s - 1;
  struct place at = {0};
  assert_true(place_find(&h.pmm->tier, s->block * FRAMES_PER_2M, &at));
  uint32_t *entry = &h.pmm->tier.entries[at.block], saved = *entry;
  EXPECT_FOUND(h, *entry += 1U << ENTRY_SLOT_SHIFT, 9, *entry = saved);
  EXPECT_FOUND(h, *entry = saved & ~ENTRY_SLOT, 4, *entry = saved);
  EXPECT_FOUND(h, *entry = saved - 1, 11, *entry = saved);
  EXPECT_FOUND(h, *entry = saved | ENTRY_LOCK, 11, *entry = saved);
  EXPECT_FOUND(h, s->called = 1, 9, s->called = 0);
  EXPECT_FOUND(h, other->mail[3] = 1, 10, other->mail[3] = 0);
  unsigned w = 0;
  while (s->line[w] == 0) w++;
  EXPECT_FOUND(h, s->mail[w] = s->line[w], 10, s->mail[w] = 0);
  uint64_t word = s->line[w];
  EXPECT_FOUND(h, s->line[w] = 0, 3, s->line[w] = word);
  EXPECT_FOUND(h, s->mail[w] = ~word, 3, s->mail[w] = 0);
  s->mail[w] = s->line[w]; /* A frame may be free in bit or in mail: that is the same to everybody. */
  s->line[w] = 0;
  struct mm_check_report r;
  assert_true(mm_check(h.pmm, 0, &r));
  s->line[w] = word;
  s->mail[w] = 0;
  EXPECT_FOUND(h, slot_count_up(&s->delta[FRAME_OWNER_KERNEL], 1), 6,
               slot_count_up(&s->delta[FRAME_OWNER_KERNEL], UINT64_MAX));
  EXPECT_FOUND(h, s->frees++, 6, s->frees--);
  EXPECT_FOUND(h, h.pmm->held--, 12, h.pmm->held++);
  hosted_destroy(&h);
}

static void what_a_pocket_says_is_held_against_entries(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct slot *s = slot_of(&h);
  struct place at = {0};
  pfn_t block;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_DMA, 0, 512, &(struct frame_limits){.align = 512}, &block), OK);
  assert_int_not_equal(s->in_pocket | 1, 1); /* It has more of that section. */
  uint32_t pocket = s->in_pocket;
  EXPECT_FOUND(h, s->in_pocket = 0, 9, s->in_pocket = pocket);
  EXPECT_FOUND(h, s->in_pocket = 0xffff, 9, s->in_pocket = pocket);
  EXPECT_FOUND(h, s->pocket--, 9, s->pocket++);
  assert_true(place_find(&h.pmm->tier, block.raw, &at));
  uint32_t *entry = &h.pmm->tier.entries[at.block], saved = *entry;
  EXPECT_FOUND(h, *entry ^= UINT32_C(127) << ENTRY_BYTE_SHIFT, 2, *entry = saved);
  EXPECT_FOUND(h, *entry = saved - 1, 11, *entry = saved);
  EXPECT_FOUND(h, *entry = 0, 4, *entry = saved);
  hosted_destroy(&h);
}

/* Frees the lowest frames of three blocks of full memory, and takes one again: the slot has put by two. */
static struct slot *put_by_two(struct hosted *h) {
  struct slot *s = &h->pmm->slots[platform_slot_enter()];
  platform_slot_leave();
  pfn_t f;
  while (pmm_alloc_frame(h->pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  for (uint64_t block = 2; block < 5; block++)
    assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_TEST, pfn(block * FRAMES_PER_2M)), OK);
  assert_int_equal(pmm_alloc_frame(h->pmm, FRAME_OWNER_TEST, 0, &f), OK);
  assert_int_equal(f.raw, 4 * FRAMES_PER_2M);
  assert_int_equal(s->crumb_end - s->crumb, 2);
  return s;
}

static void what_a_slot_has_put_by_is_held_against_bits_and_bytes(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct slot *s = put_by_two(&h), *other = s == h.pmm->slots ? s + 1 : s - 1;
  struct mm_check_report r;
  assert_true(mm_check(h.pmm, 0, &r));
  EXPECT_FOUND(h, s->crumb_end--, 3, s->crumb_end++);
  EXPECT_FOUND(h, s->crumb--, 3, s->crumb++);
  EXPECT_FOUND(h, s->crumb_base--, 3, s->crumb_base++);
  EXPECT_FOUND(h, other->crumb_end = SLOT_CRUMBS + 1, 9, other->crumb_end = 0);
  EXPECT_FOUND(h, s->late_count = SLOT_LATE + 1, 9, s->late_count = 0);
  EXPECT_FOUND(h, other->late_count = 1, 12, other->late_count = 0);
  other->crumbs[0] = s->crumbs[s->crumb];
  EXPECT_FOUND(h, (other->crumb_base = s->crumb_base, other->crumb_end = 1, h.pmm->held++), 9,
               (other->crumb_base = SLOT_NONE, other->crumb_end = 0, h.pmm->held--));
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(4 * FRAMES_PER_2M + 1)), OK);
  assert_int_equal(s->late_count, 1); /* The tiers need not know of that block. */
  assert_true(mm_check(h.pmm, 0, &r));
  EXPECT_FOUND(h, s->late_count = 0, 4, s->late_count = 1);
  hosted_destroy(&h);
}

static void a_hurried_check_looks_at_as_many_frames_as_allowed(void **state) {
  (void)state;
  struct hosted h = used_instance();
  struct mm_check_report r;
  assert_true(mm_check(h.pmm, 1000, &r));
  assert_int_equal(r.frames_checked, 1000);
  assert_non_null(strstr(r.text, "not all"));
  assert_int_equal(mm_check_break(h.pmm, "ledger"), OK);
  assert_false(mm_check(h.pmm, 1000, &r));
  assert_int_equal(r.invariant, 7);
  hosted_destroy(&h);
}

/* Visitor: each range must be longer than nothing, or the visit would never end. */
static bool sees_progress(void *context, const struct pmm_range *range) {
  bool *is_moving = context;
  *is_moving = range->start < range->end;
  return *is_moving;
}

static void memory_whose_bits_and_records_disagree_can_be_looked_at(void **state) {
  (void)state;
  static const char *const names[] = {"bitmap", "tier", "record", "counter", "owner", "slot", "mail"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    struct hosted h = used_instance();
    bool is_moving = false;
    assert_int_equal(mm_check_break(h.pmm, names[i]), OK);
    pmm_visit(h.pmm, sees_progress, &is_moving);
    assert_true(is_moving);
    hosted_destroy(&h);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(each_breaker_is_found_as_what_it_breaks),
      cmocka_unit_test(an_unknown_breaker_is_not_found),
      cmocka_unit_test(every_word_of_every_tier_is_looked_at),
      cmocka_unit_test(the_words_that_untouched_gigs_share_are_looked_at),
      cmocka_unit_test(records_that_do_not_fit_the_map_are_found),
      cmocka_unit_test(a_free_bit_where_there_is_no_ram_is_found),
      cmocka_unit_test(what_a_slot_says_is_held_against_entries_and_bits),
      cmocka_unit_test(what_a_pocket_says_is_held_against_entries),
      cmocka_unit_test(what_a_slot_has_put_by_is_held_against_bits_and_bytes),
      cmocka_unit_test(a_hurried_check_looks_at_as_many_frames_as_allowed),
      cmocka_unit_test(memory_whose_bits_and_records_disagree_can_be_looked_at),
  };
  return cmocka_run_group_tests_name("mm/guard/check", tests, NULL, NULL);
}
