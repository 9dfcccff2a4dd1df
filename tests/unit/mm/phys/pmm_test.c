/* SPDX-License-Identifier: BSD-2-Clause */
/* mm/phys/pmm.c and pmm_view.c: building an instance, and what it tells about addresses, ranges and itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/units.h"
#include "hosted.h"
#include "mm/phys/instance.h"
#include "platform.h"
#include "slots.h"

#define FRAMES_OF(bytes) ((bytes) / FRAME_SIZE)

/* A machine with one region of every kind that is RAM, and some that are not. */
static const struct boot_region machine[] = {
    {0, 0x1000, BOOT_MEMORY_LOW, 7, 8},
    {0x8000, 0x9000, BOOT_MEMORY_TRAMPOLINE, 7, 8},
    {0xa0000, 0x100000, BOOT_MEMORY_RESERVED, 0, 0},
    {0x100000, 0x4000000, BOOT_MEMORY_USABLE, 7, 8},
    {0x4000000, 0x4100000, BOOT_MEMORY_BOOT_SERVICES, 4, 8},
    {0x4100000, 0x4180000, BOOT_MEMORY_LOADER, 2, 8},
    {0x4180000, 0x4184000, BOOT_MEMORY_HANDOFF, 2, 8},
    {0x4184000, 0x418c000, BOOT_MEMORY_BOOT_STACK, 2, 8},
    {0x418c000, 0x419c000, BOOT_MEMORY_PAGE_TABLES, 2, 8},
    {0x419c000, 0x429c000, BOOT_MEMORY_KERNEL, 2, 8},
    {0x4300000, 0x4310000, BOOT_MEMORY_ACPI_RECLAIM, 9, 8},
    {0x4310000, 0x4320000, BOOT_MEMORY_ACPI_NVS, 10, 8},
    {0x4320000, 0x4330000, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
    {0x4330000, 0x4340000, BOOT_MEMORY_RUNTIME_CODE, 5, 8},
    {0x4340000, 0x4350000, BOOT_MEMORY_UNUSABLE, 8, 8},
    {0x4350000, 0x4400000, BOOT_MEMORY_UNACCEPTED, 15, 8},
    {0xfec00000, 0xfec01000, BOOT_MEMORY_MMIO, 11, 1},
};
#define MACHINE_REGIONS (sizeof machine / sizeof *machine)

static struct hosted start(const struct pmm_taken *taken, size_t count) {
  return hosted_create(machine, MACHINE_REGIONS, taken, count);
}

static void every_kind_of_ram_has_its_owner(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  assert_int_equal(h.status, OK);
  struct ledger l;
  ledger_read(h.pmm, &l);
  assert_true(ledger_balances(&l));
  assert_int_equal(l.frames[FRAME_OWNER_LOW], 1);
  assert_int_equal(l.frames[FRAME_OWNER_TRAMPOLINE], 1);
  assert_int_equal(l.frames[FRAME_OWNER_FREE], FRAMES_OF(0x4180000 - 0x100000));
  assert_int_equal(l.frames[FRAME_OWNER_HANDOFF], 4);
  assert_int_equal(l.frames[FRAME_OWNER_STACKS], 8);
  assert_int_equal(l.frames[FRAME_OWNER_PAGE_TABLES], 16);
  assert_int_equal(l.frames[FRAME_OWNER_KERNEL_IMAGE], 256);
  assert_int_equal(l.frames[FRAME_OWNER_ACPI], 32);
  assert_int_equal(l.frames[FRAME_OWNER_FIRMWARE], 32);
  assert_int_equal(l.frames[FRAME_OWNER_BAD], 16);
  assert_int_equal(l.frames[FRAME_OWNER_UNACCEPTED], 176);
  assert_int_equal(l.reclaimed_boot_services, 256);
  assert_int_equal(l.reclaimed_loader, 128);
  hosted_must_be_sound(&h, "at the start");
  hosted_destroy(&h);
}

static void what_the_loader_used_can_be_freed_by_its_owner(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_STACKS, pfn(0x4184), 8), OK);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_PAGE_TABLES, pfn(0x418c), 16), OK);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TRAMPOLINE, pfn(8), 1), ERR_RANGE);
  hosted_must_be_sound(&h, "after freeing what boot used");
  hosted_destroy(&h);
}

static void memory_that_boot_took_belongs_to_who_took_it(void **state) {
  (void)state;
  const struct pmm_taken taken[] = {{0x3f00, 0x4010, FRAME_OWNER_FRAME_RECORDS}, {0x3e00, 0x3f00, FRAME_OWNER_BITMAPS}};
  struct hosted h = start(taken, 2);
  struct ledger l;
  assert_int_equal(h.status, OK);
  ledger_read(h.pmm, &l);
  assert_int_equal(l.frames[FRAME_OWNER_FRAME_RECORDS], 0x110);
  assert_int_equal(l.frames[FRAME_OWNER_BITMAPS], 0x100);
  assert_true(ledger_balances(&l));
  hosted_must_be_sound(&h, "with taken ranges");
  hosted_destroy(&h);
}

static void taken_ranges_that_cannot_be_are_refused(void **state) {
  (void)state;
  static const struct {
    struct pmm_taken taken[2];
    status_t status;
  } cases[] = {
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x10ff, 0x1200, FRAME_OWNER_KERNEL}}, ERR_OVERLAP},
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x4170, 0x4181, FRAME_OWNER_KERNEL}}, ERR_OVERLAP},
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x4320, 0x4321, FRAME_OWNER_KERNEL}}, ERR_OVERLAP},
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x1200, 0x1200, FRAME_OWNER_KERNEL}}, ERR_INVALID},
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x1200, 0x1300, FRAME_OWNER_FREE}}, ERR_INVALID},
      {{{0x1000, 0x1100, FRAME_OWNER_KERNEL}, {0x1200, 0x1300, FRAME_OWNER_COUNT}}, ERR_INVALID},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct hosted h = start(cases[i].taken, 2);
    assert_int_equal(h.status, cases[i].status);
    hosted_destroy(&h);
  }
}

static void maps_that_are_not_canonical_are_refused(void **state) {
  (void)state;
  struct boot_region bad[] = {machine[4], machine[3]};
  struct hosted h = hosted_create(bad, 2, NULL, 0);
  assert_int_equal(h.status, ERR_CORRUPT);
  hosted_destroy(&h);
  h = hosted_create(&machine[12], 3, NULL, 0);
  assert_int_equal(h.status, ERR_NOT_FOUND);
  hosted_destroy(&h);
}

static void an_address_tells_its_story(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  struct pmm_story s;
  pmm_describe(h.pmm, paddr(0x100123), &s);
  assert_true(s.has_region && s.has_record);
  assert_int_equal(s.state, FRAME_FREE);
  assert_int_equal(s.free_run, FRAMES_OF(0x4180000 - 0x100000));
  pmm_describe(h.pmm, paddr(0x4325000), &s);
  assert_int_equal(s.state, FRAME_FIRMWARE);
  assert_int_equal(s.owner, FRAME_OWNER_FIRMWARE);
  assert_int_equal(s.region.firmware_type, 6);
  pmm_describe(h.pmm, paddr(0xfec00000), &s);
  assert_true(s.has_region && !s.has_record);
  assert_int_equal(s.state, FRAME_ABSENT);
  pmm_describe(h.pmm, paddr(0x5000), &s);
  assert_true(!s.has_region && !s.has_record);
  pmm_describe(h.pmm, paddr(UINT64_MAX), &s);
  assert_true(!s.has_region && s.owner == FRAME_OWNER_NONE);
  hosted_destroy(&h);
}

static void a_refusal_is_logged_once_with_frame_state_owner_and_caller(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  pfn_t frame;
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_DMA, 0, &frame), OK);
  uint64_t lines = fake_platform_log_count();
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_USER, frame), ERR_OWNER);
  assert_int_equal(fake_platform_log_count(), lines + 1);
  assert_non_null(strstr(fake_platform_last_line(), "allocated"));
  assert_non_null(strstr(fake_platform_last_line(), "DMA buffers"));
  assert_non_null(strstr(fake_platform_last_line(), "for user"));
  assert_non_null(strstr(fake_platform_last_line(), "by a host's test"));
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_DMA, frame), OK);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_DMA, frame), ERR_STATE);
  assert_non_null(strstr(fake_platform_last_line(), "it is free"));
  hosted_destroy(&h);
}

static void a_run_that_reaches_into_firmware_memory_is_not_freed_in_part(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  uint64_t before = hosted_digest(&h);
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_KERNEL_IMAGE, pfn(0x4290), 0x100), ERR_RANGE);
  assert_int_equal(hosted_digest(&h), before);
  hosted_destroy(&h);
}

static void two_mib_and_one_gib_come_in_one_piece_until_there_is_none(void **state) {
  (void)state;
  struct boot_region ram = {GIB, 5 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct frame_limits block = {.align = 512}, gig = {.align = FRAMES_PER_1G};
  pfn_t first;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 512, &block, &first), OK);
  assert_int_equal(first.raw % 512, 0);
  for (unsigned i = 0; i < 3; i++)
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_1G, &gig, &first), OK);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_1G, &gig, &first), ERR_NO_MEMORY);
  for (unsigned i = 0; i < 511; i++) assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 512, &block, &first), OK);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 512, &block, &first), ERR_NO_MEMORY);
  hosted_must_be_sound(&h, "after 1 GiB and 2 MiB frames");
  hosted_destroy(&h);
}

/* Takes one GiB, of two, and frees it; `between` is what happens to it before.  Both are whole again afterwards. */
static void with_a_gib(struct hosted *h, bool is_one_piece, void (*between)(struct hosted *h, uint64_t first)) {
  struct frame_limits gig = {.align = FRAMES_PER_1G};
  struct pmm_stats s;
  pfn_t got = {0};
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_1G, &gig, &got), OK);
  pmm_stats_read(h->pmm, &s);
  assert_int_equal(s.free_1g, 1);
  hosted_must_be_sound(h, "a GiB is handed out");
  between(h, got.raw);
  hosted_must_be_sound(h, "something happened to it");
  const status_t status = pmm_free_run(h->pmm, FRAME_OWNER_TEST, got, FRAMES_PER_1G);
  assert_int_equal(status, is_one_piece ? OK : ERR_OVERLAP);
  for (uint64_t i = 0; i < FRAMES_PER_1G && !is_one_piece; i++)
    assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_TEST, pfn(got.raw + i)), OK);
  pmm_drain(h->pmm);
  pmm_stats_read(h->pmm, &s);
  assert_int_equal(s.free_1g, 2);
  assert_int_equal(s.free_2m, 1024);
  hosted_must_be_sound(h, "it is back");
}

static void nobody_else_frees_it(struct hosted *h, uint64_t first) {
  uint64_t before = hosted_digest(h);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_DMA, pfn(first), FRAMES_PER_1G), ERR_OWNER);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(first - FRAMES_PER_1G), FRAMES_PER_1G), ERR_STATE);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(first), 2 * FRAMES_PER_1G), ERR_RANGE);
  assert_int_equal(hosted_digest(h), before);
}

/* A frame, a block or a section of it is somebody else's for a while, who is not asked. */
static void parts_change_hands(struct hosted *h, uint64_t first) {
  static const uint64_t sizes[] = {1, FRAMES_PER_2M, 16 * FRAMES_PER_2M};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const pfn_t at = pfn(first + FRAMES_PER_1G - (i + 1) * 32 * FRAMES_PER_2M);
    assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_TEST, FRAME_OWNER_DMA, at, sizes[i]), OK);
    uint64_t before = hosted_digest(h);
    assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(first), FRAMES_PER_1G), ERR_OWNER);
    assert_int_equal(hosted_digest(h), before);
    assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_DMA, FRAME_OWNER_TEST, at, sizes[i]), OK);
  }
}

/* The highest of its blocks comes back with another byte: only what may be moved is different. */
static void a_part_may_be_moved(struct hosted *h, uint64_t first) {
  struct frame_limits there = {.min = first, .max = first + FRAMES_PER_1G};
  pfn_t got = {0};
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(first + FRAMES_PER_1G - FRAMES_PER_2M), FRAMES_PER_2M), OK);
  assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_TEST, pfn(first + 77)), OK);
  uint64_t before = hosted_digest(h);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(first), FRAMES_PER_1G), ERR_STATE);
  assert_int_equal(hosted_digest(h), before);
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, PMM_MOVABLE, FRAMES_PER_2M, &there, &got), OK);
  assert_int_equal(got.raw, first + FRAMES_PER_1G - FRAMES_PER_2M);
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, PMM_MOVABLE, 1, &there, &got), OK);
  assert_int_equal(got.raw, first + 77);
}

/* No block of it is one any more. */
static void all_of_it_is_in_pieces(struct hosted *h, uint64_t first) {
  for (uint64_t at = first + 5; at < first + FRAMES_PER_1G; at += FRAMES_PER_2M) {
    struct frame_limits there = {.min = at, .max = at + 1};
    pfn_t got;
    assert_int_equal(pmm_free_frame(h->pmm, FRAME_OWNER_TEST, pfn(at)), OK);
    assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, 1, &there, &got), OK);
  }
}

static void a_gib_comes_back_as_one_whatever_happened_to_its_parts(void **state) {
  (void)state;
  struct boot_region ram = {GIB, 3 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  with_a_gib(&h, true, nobody_else_frees_it);
  with_a_gib(&h, true, parts_change_hands);
  with_a_gib(&h, false, a_part_may_be_moved);
  with_a_gib(&h, false, all_of_it_is_in_pieces);
  with_a_gib(&h, true, nobody_else_frees_it);
  hosted_destroy(&h);
}

static void a_run_that_was_refused_is_found_once_there_is_one(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  pfn_t got = {0};
  uint64_t all = FRAMES_OF(0x4180000 - 0x100000);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, all, NULL, &got), OK);
  uint64_t first = got.raw;
  for (uint64_t i = 0; i < 64; i += 2) assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(first + i)), OK);
  for (uint64_t n = 2; n < 64; n++) {
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, n, NULL, &got), ERR_NO_MEMORY);
    hosted_must_be_sound(&h, "refused");
  }
  for (uint64_t i = 1; i < 64; i += 2) { /* Each one joins what is free below it with one frame above. */
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, i + 1, NULL, &got), ERR_NO_MEMORY);
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(first + i)), OK);
    hosted_must_be_sound(&h, "joined");
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, i + 1, NULL, &got), OK);
    assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, got, i + 1), OK);
  }
  hosted_destroy(&h);
}

/* Two pieces side by side, of one owner: who frees or gives away more than one of them has its size wrong. */
static void must_stay_apart(struct hosted *h, uint64_t count, uint64_t align) {
  const struct frame_limits where = {.align = align};
  pfn_t upper, lower;
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, count, &where, &upper), OK);
  const struct frame_limits beside = {.min = upper.raw - count, .max = upper.raw};
  assert_int_equal(pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, count, &beside, &lower), OK);
  const uint64_t before = hosted_digest(h);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, lower, count + 1), ERR_OVERLAP);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, lower, 2 * count), ERR_OVERLAP);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(upper.raw - 1), 2), ERR_OVERLAP);
  assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_TEST, FRAME_OWNER_DMA, lower, 2 * count), ERR_OVERLAP);
  assert_int_equal(hosted_digest(h), before);
  assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_TEST, FRAME_OWNER_DMA, lower, count), OK);
  assert_int_equal(pmm_give_run(h->pmm, FRAME_OWNER_DMA, FRAME_OWNER_TEST, lower, count), OK);
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, lower, count + 1), ERR_OVERLAP); /* Given, and still a piece. */
  if (count > 2) { /* In parts, in any order; what is left of the first does not reach into the second. */
    assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(lower.raw + 1), 1), OK);
    assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(lower.raw + 2), count - 1), ERR_OVERLAP);
    assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, pfn(lower.raw + 2), count - 2), OK);
    count = 1;
  }
  assert_int_equal(pmm_free_run(h->pmm, FRAME_OWNER_TEST, lower, count), OK);
}

static void a_free_of_the_wrong_size_is_refused(void **state) {
  (void)state;
  const struct boot_region ram = {GIB, 7 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  static const uint64_t sizes[] = {
      1, 2, 48, FRAMES_PER_2M, 3 * FRAMES_PER_2M, 16 * FRAMES_PER_2M, 40 * FRAMES_PER_2M + 7, FRAMES_PER_1G};
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    must_stay_apart(&h, sizes[i], sizes[i] >= FRAMES_PER_2M ? sizes[i] & -sizes[i] : 1);
  hosted_must_be_sound(&h, "after frees of the wrong size");
  hosted_destroy(&h);
}

static void flags_say_below_what_and_whether_it_may_move(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  pfn_t f = {0};
  struct pmm_story story;
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, PMM_MOVABLE, &f), OK);
  pmm_describe(h.pmm, paddr_of_pfn(f), &story);
  assert_true(story.is_movable);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, PMM_BELOW(24), &f), OK);
  assert_in_range(f.raw, 1, (1U << 12) - 1);
  pmm_describe(h.pmm, paddr_of_pfn(f), &story);
  assert_false(story.is_movable);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, PMM_BELOW(25), 5, NULL, &f), OK);
  assert_true(f.raw + 5 <= 1U << 13);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, PMM_BELOW(64), &f), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, PMM_BELOW(20), &f), ERR_NO_MEMORY); /* Nothing below 1 MiB. */
  const uint32_t wrong[] = {2,
                            0x10000,
                            0x80000000,
                            PMM_BELOW(12),
                            PMM_BELOW(1),
                            PMM_BELOW(65),
                            PMM_BELOW(255),
                            PMM_BELOW(256), /* Too large for its place; not "no limit", nor 30 bits, nor another flag. */
                            PMM_BELOW(256 + 30),
                            PMM_BELOW((UINT64_C(1) << 32) + 30)};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, wrong[i], &f), ERR_INVALID);
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, wrong[i], 3, NULL, &f), ERR_INVALID);
  }
  struct frame_limits above = {.min = 1U << 13};
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, PMM_BELOW(25), 1, &above, &f), ERR_INVALID);
  hosted_must_be_sound(&h, "flags");
  hosted_destroy(&h);
}

/* --- what CPUs keep ---------------------------------------------------------------------------------------------- */

static const struct frame_limits whole_block = {.align = FRAMES_PER_2M};

static void add_frames(void *context, uint64_t start, uint64_t end) { *(uint64_t *)context += end - start; }

/* Free frames that nobody finds who asks no slot. */
static uint64_t kept_by_slots(struct hosted *h) {
  struct ledger l;
  uint64_t found = 0;
  ledger_read(h->pmm, &l);
  tier_each_run(&h->pmm->tier, add_frames, &found);
  return l.frames[FRAME_OWNER_FREE] - found;
}

/* A block each, and of whole ones no more than 16 nor than a sixty-fourth of what there is; all of it counted. */
static void what_cpus_keep_is_bounded_and_counted(void **state) {
  (void)state;
  const uint64_t blocks[] = {32, 300, 2048};
  for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
    struct boot_region ram = {GIB, GIB + blocks[i] * 2 * MIB, BOOT_MEMORY_USABLE, 7, 8};
    struct hosted h = hosted_create(&ram, 1, NULL, 0);
    const uint64_t pocket = bits_min(bits_max(blocks[i] / 64, 1), 16);
    struct pmm_stats s;
    pfn_t f;
    for (uint32_t cpu = 0; cpu < 16; cpu++) {
      slots_play(cpu);
      assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
      assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &whole_block, &f), OK);
      assert_in_range(kept_by_slots(&h), FRAMES_PER_2M - 1, (cpu + 1) * (1 + pocket) * FRAMES_PER_2M);
    }
    const uint64_t kept = kept_by_slots(&h);
    pmm_stats_read(h.pmm, &s);
    assert_int_equal(s.held_frames, kept);
    assert_int_equal(kept_by_slots(&h), 0);
    pmm_stats_read(h.pmm, &s);
    assert_int_equal(s.held_frames, 0);
    assert_int_equal(s.called_in, 16);
    hosted_must_be_sound(&h, "after what was kept");
    hosted_destroy(&h);
  }
  slots_play(0);
}

/* The fake lock ends the program when a thread takes it twice. */
static void the_usual_ways_need_no_lock(void **state) {
  (void)state;
  struct boot_region ram = {GIB, 5 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  const struct frame_limits low = {.max = FRAMES_OF(2 * GIB)};
  pfn_t own, block, others, nobodys;
  slots_play(1);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &others), OK);
  slots_play(0);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &own), OK);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &whole_block, &block), OK);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 5, &low, &nobodys), OK);
  assert_int_not_equal(own.raw / FRAMES_PER_2M, others.raw / FRAMES_PER_2M);

  platform_lock_acquire(&h.pmm->lock);
  for (unsigned i = 0; i < 300; i++) {
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, own), OK);
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, PMM_MOVABLE, &own), OK);
    assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, block, FRAMES_PER_2M), OK);
    assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &whole_block, &block), OK);
  }
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, others), OK);
  for (uint64_t i = 0; i < 4; i++) assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn_add(nobodys, i)), OK);
  platform_lock_release(&h.pmm->lock);
  hosted_must_be_sound(&h, "after what needs no lock");
  hosted_destroy(&h);
}

static void frames_come_to_a_cpu_a_block_at_a_time(void **state) {
  (void)state;
  struct boot_region ram = {GIB, 2 * GIB, BOOT_MEMORY_USABLE, 7, 8};
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct pmm_stats s;
  pfn_t f;
  for (unsigned i = 0; i < 16 * FRAMES_PER_2M; i++) assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
  pmm_stats_read(h.pmm, &s);
  assert_int_equal(s.refills, 16);
  assert_true(s.drains <= 16);
  hosted_destroy(&h);
}

static bool stop_at_once(void *context, const struct pmm_range *range) {
  (void)range;
  ++*(unsigned *)context;
  return false;
}

static void blocks_with_hardly_a_free_frame_are_not_owned(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  pfn_t f;
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  const uint64_t freed[] = {FRAMES_PER_2M + 7, 2 * FRAMES_PER_2M + 9, 2 * FRAMES_PER_2M + 300};
  for (unsigned i = 0; i < 3; i++) assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(freed[i])), OK);
  struct pmm_stats before, after;
  pmm_stats_read(h.pmm, &before);
  for (unsigned i = 3; i-- > 0;) { /* The highest first. */
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_DMA, PMM_MOVABLE, &f), OK);
    assert_int_equal(f.raw, freed[i]);
  }
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), ERR_NO_MEMORY);
  pmm_stats_read(h.pmm, &after);
  assert_int_equal(after.refills, before.refills);
  assert_int_equal(after.allocations, before.allocations + 3);
  hosted_must_be_sound(&h, "after few");
  hosted_destroy(&h);
}

/* Full memory, but for the last frame of block 2 (in `*frame`), which the slot has put by. */
static struct hosted with_one_put_by(pfn_t *frame) {
  struct hosted h = start(NULL, 0);
  pfn_t f;
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  *frame = pfn(3 * FRAMES_PER_2M - 1);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, *frame), OK);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(4 * FRAMES_PER_2M)), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
  assert_int_equal(f.raw, 4 * FRAMES_PER_2M);
  struct ledger l;
  ledger_read(h.pmm, &l);
  assert_int_equal(l.frames[FRAME_OWNER_FREE], 1);
  return h;
}

static void a_frame_that_is_put_by_is_free_and_found_whoever_wants_it(void **state) {
  (void)state;
  pfn_t frame, f;
  struct hosted h = with_one_put_by(&frame);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, frame), ERR_STATE);
  const struct frame_limits exactly = {.min = frame.raw, .max = frame.raw + 1};
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 1, &exactly, &f), OK);
  assert_int_equal(f.raw, frame.raw);
  hosted_must_be_sound(&h, "after a frame was called in");
  hosted_destroy(&h);

  h = with_one_put_by(&frame); /* A run over it, one that is longer than a run that was refused. */
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 2, NULL, &f), ERR_NO_MEMORY);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(4 * FRAMES_PER_2M)), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK); /* Put by again. */
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(frame.raw - 1)), OK);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 2, NULL, &f), OK);
  assert_int_equal(f.raw, frame.raw - 1);
  hosted_destroy(&h);

  h = with_one_put_by(&frame); /* The block that lacks nothing else. */
  for (uint64_t i = 1; i < FRAMES_PER_2M; i++)
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(frame.raw - i)), OK);
  const struct frame_limits block = {.align = FRAMES_PER_2M};
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &block, &f), OK);
  assert_int_equal(f.raw, frame.raw + 1 - FRAMES_PER_2M);
  hosted_must_be_sound(&h, "after a block was called in");
  hosted_destroy(&h);

  h = with_one_put_by(&frame);
  assert_int_equal(pmm_mark_bad(h.pmm, frame), OK);
  hosted_must_be_sound(&h, "after a frame put by went bad");
  hosted_destroy(&h);
}

/* 64 CPUs have more frames put by than a block has: but of each block one, so no block is whole but for them. */
static void many_cpus_with_frames_put_by_are_not_called_in_for_a_block(void **state) {
  (void)state;
  const struct frame_limits aligned = {.align = FRAMES_PER_2M};
  const uint32_t cpus = 64;
  slots_play_count(cpus);
  const struct boot_region ram = hosted_plain_region(FRAMES_OF(2 * GIB));
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  pfn_t f;
  slots_play(0);
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  for (uint64_t block = 1; block < 1000; block++)
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(block * FRAMES_PER_2M)), OK);
  for (uint32_t cpu = 0; cpu < cpus; cpu++) {
    slots_play(cpu);
    assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
  }
  assert_int_equal(h.pmm->held, cpus);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &aligned, &f), ERR_NO_MEMORY);
  assert_int_equal(h.pmm->held, cpus); /* A look at the statistics would call them in. */
  hosted_must_be_sound(&h, "with frames put by everywhere");
  hosted_destroy(&h);
  slots_play_count(0);
  slots_play(0);
}

/* Two CPUs and full memory, but for block 2, which the second has: its pocket is open, and empty. */
static struct hosted with_an_empty_pocket(pfn_t *block) {
  const struct frame_limits aligned = {.align = FRAMES_PER_2M};
  struct hosted h = start(NULL, 0);
  pfn_t f;
  slots_play(0);
  while (pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f) == OK) {}
  assert_int_equal(pmm_free_run(h.pmm, FRAME_OWNER_TEST, pfn(2 * FRAMES_PER_2M), FRAMES_PER_2M), ERR_OVERLAP);
  for (uint64_t i = 0; i < FRAMES_PER_2M; i++)
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(2 * FRAMES_PER_2M + i)), OK);
  slots_play(1);
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &aligned, block), OK);
  return h;
}

static void what_a_pocket_has_kept_from_the_tiers_they_learn_when_it_is_closed(void **state) {
  (void)state;
  const struct frame_limits aligned = {.align = FRAMES_PER_2M};
  pfn_t f;
  struct hosted h = with_an_empty_pocket(&f);
  assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, pfn(20 * FRAMES_PER_2M)), OK); /* Late, and elsewhere. */
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, FRAMES_PER_2M, &aligned, &f), ERR_NO_MEMORY);
  hosted_must_be_sound(&h, "after a pocket was closed");
  slots_play(0);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &f), OK);
  assert_int_equal(f.raw, 20 * FRAMES_PER_2M);
  hosted_destroy(&h);
}

static void a_visitor_may_stop(void **state) {
  (void)state;
  struct hosted h = start(NULL, 0);
  unsigned calls = 0;
  pmm_visit(h.pmm, stop_at_once, &calls);
  assert_int_equal(calls, 1);
  hosted_destroy(&h);
}

static void records_are_wanted_for_ram_and_nothing_else(void **state) {
  (void)state;
  size_t cursor = 0;
  uint64_t start_frame, end, n = 0, frames = 0;
  while (pmm_next_record_range(machine, MACHINE_REGIONS, &cursor, &start_frame, &end)) {
    frames += end - start_frame;
    n++;
  }
  assert_int_equal(n, 4);
  assert_int_equal(frames, 2 + FRAMES_OF(0x429c000 - 0x100000) + FRAMES_OF(0x100000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_of_ram_has_its_owner),
      cmocka_unit_test(what_the_loader_used_can_be_freed_by_its_owner),
      cmocka_unit_test(memory_that_boot_took_belongs_to_who_took_it),
      cmocka_unit_test(taken_ranges_that_cannot_be_are_refused),
      cmocka_unit_test(maps_that_are_not_canonical_are_refused),
      cmocka_unit_test(an_address_tells_its_story),
      cmocka_unit_test(a_refusal_is_logged_once_with_frame_state_owner_and_caller),
      cmocka_unit_test(a_run_that_reaches_into_firmware_memory_is_not_freed_in_part),
      cmocka_unit_test(two_mib_and_one_gib_come_in_one_piece_until_there_is_none),
      cmocka_unit_test(a_gib_comes_back_as_one_whatever_happened_to_its_parts),
      cmocka_unit_test(a_run_that_was_refused_is_found_once_there_is_one),
      cmocka_unit_test(a_free_of_the_wrong_size_is_refused),
      cmocka_unit_test(flags_say_below_what_and_whether_it_may_move),
      cmocka_unit_test(blocks_with_hardly_a_free_frame_are_not_owned),
      cmocka_unit_test(a_frame_that_is_put_by_is_free_and_found_whoever_wants_it),
      cmocka_unit_test(many_cpus_with_frames_put_by_are_not_called_in_for_a_block),
      cmocka_unit_test(what_a_pocket_has_kept_from_the_tiers_they_learn_when_it_is_closed),
      cmocka_unit_test(what_cpus_keep_is_bounded_and_counted),
      cmocka_unit_test(the_usual_ways_need_no_lock),
      cmocka_unit_test(frames_come_to_a_cpu_a_block_at_a_time),
      cmocka_unit_test(a_visitor_may_stop),
      cmocka_unit_test(records_are_wanted_for_ram_and_nothing_else),
  };
  return cmocka_run_group_tests_name("mm/phys/pmm", tests, NULL, NULL);
}
