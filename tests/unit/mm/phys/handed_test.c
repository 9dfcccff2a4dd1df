/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * handed_test.c — INV-14: a frame whose bit says free and whose byte says another thing ends the machine, on every way out,
 * before anybody has it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "hosted.h"
#include "mm/engine.h"
#include "mm/phys/instance.h"
#include "platform.h"

#define FRAMES (UINT64_C(16) * FRAMES_PER_2M)

static struct boot_region ram;

static struct hosted start(const struct engine *engine) {
  ram = hosted_plain_region(FRAMES);
  struct hosted h = hosted_create_with(engine, &ram, 1, NULL, 0);
  assert_int_equal(h.status, OK);
  return h;
}

/* Every byte that says free, from one frame to another, says now that it is somebody's. */
static void damage(const struct hosted *h, uint64_t first, uint64_t end) {
  uint64_t damaged = 0;
  for (uint64_t f = first; f < end; f++) {
    if (h->pmm->records.hot[f] != FRAME_OWNER_FREE) continue;
    h->pmm->records.hot[f] = FRAME_OWNER_USER;
    damaged++;
  }
  assert_int_not_equal(damaged, 0);
}

/* The request has to end with these words.  What it has locked stays so: the allocator is not asked again. */
static void must_end(struct hosted *h, uint64_t count, const struct frame_limits *where, const char *words) {
  jmp_buf back;
  pfn_t first = pfn(0);
  if (setjmp(back) == 0) {
    fake_platform_catch(&back);
    const status_t s = count == 1 && !where ? pmm_alloc_frame(h->pmm, FRAME_OWNER_TEST, 0, &first)
                                            : pmm_alloc_run(h->pmm, FRAME_OWNER_TEST, 0, count, where, &first);
    fake_platform_catch(NULL);
    fail_msg("frame %#llx was handed out: %s", (unsigned long long)first.raw, status_name(s));
  }
  if (!strstr(fake_platform_last_words(), words)) fail_msg("the words are: %s", fake_platform_last_words());
  hosted_destroy(h);
}

static void the_next_frame_of_a_slots_block(void **state) {
  (void)state;
  struct hosted h = start(NULL);
  pfn_t first;
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &first), OK);
  const uint64_t block = first.raw - first.raw % FRAMES_PER_2M;
  damage(&h, block, block + FRAMES_PER_2M);
  must_end(&h, 1, NULL, "INV-3: block");
}

static void a_run_in_a_broken_block(void **state) {
  (void)state;
  struct hosted h = start(NULL);
  pfn_t first;
  assert_int_equal(pmm_alloc_run(h.pmm, FRAME_OWNER_TEST, 0, 3, NULL, &first), OK);
  const uint64_t block = first.raw - first.raw % FRAMES_PER_2M;
  const struct frame_limits here = {.min = block, .max = block + FRAMES_PER_2M};
  damage(&h, block, block + FRAMES_PER_2M);
  must_end(&h, 5, &here, "is to be had and its byte says another thing");
}

/* Its line of bits is written in this moment; what its bytes say is asked all the same. */
static void a_run_in_a_block_that_was_whole(void **state) {
  (void)state;
  struct hosted h = start(NULL);
  const uint64_t block = ram.end / FRAME_SIZE - FRAMES_PER_2M;
  const struct frame_limits here = {.min = block, .max = block + FRAMES_PER_2M};
  damage(&h, block, block + FRAMES_PER_2M);
  must_end(&h, 5, &here, "is to be had and its byte says another thing");
}

static void a_frame_that_was_put_by(void **state) {
  (void)state;
  static pfn_t all[FRAMES];
  uint64_t n = 0;
  struct hosted h = start(NULL);
  while (n < FRAMES && pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &all[n]) == OK) n++;
  assert_int_equal(n, FRAMES);
  /* One in each block but the slot's own, which is the last. */
  for (uint64_t i = 7; i < n - FRAMES_PER_2M; i += 1000)
    assert_int_equal(pmm_free_frame(h.pmm, FRAME_OWNER_TEST, all[i]), OK);
  assert_int_equal(pmm_alloc_frame(h.pmm, FRAME_OWNER_TEST, 0, &all[0]), OK); /* And so the others are put by. */
  assert_int_not_equal(h.pmm->slots[0].crumb, h.pmm->slots[0].crumb_end);
  damage(&h, ram.start / FRAME_SIZE, ram.end / FRAME_SIZE);
  must_end(&h, 1, NULL, "is to be had and its byte says another thing");
}

static void what_another_engine_has_found(void **state) {
  (void)state;
  const struct engine *const engines[] = {&engine_buddy, &engine_flat};
  for (unsigned i = 0; i < 4; i++) {
    struct hosted h = start(engines[i / 2]);
    damage(&h, ram.start / FRAME_SIZE, ram.end / FRAME_SIZE);
    must_end(&h, i % 2 == 0 ? 1 : 3, NULL, i < 2 ? "is free for the buddy engine" : "is free for the flat engine");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_next_frame_of_a_slots_block), cmocka_unit_test(a_run_in_a_broken_block),
      cmocka_unit_test(a_run_in_a_block_that_was_whole), cmocka_unit_test(a_frame_that_was_put_by),
      cmocka_unit_test(what_another_engine_has_found),
  };
  return cmocka_run_group_tests_name("mm/phys/handed", tests, NULL, NULL);
}
