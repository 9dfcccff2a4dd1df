/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_zero.c: a stock that is not what it says is found out, each way in which it can be wrong.
 *
 * Two nodes of 64 MiB that are really there, full of poison, each with a stock of 4 MiB; the damage is done behind the
 * stock's back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "machine.h"
#include "mm/guard/check_zero.h"
#include "mm/phys/nodes_instance.h"
#include "mm/phys/zero_instance.h"
#include "platform.h"

#define F(bytes) ((bytes) / FRAME_SIZE)
#define RAM_SIZE (129 * MIB)
#define POISON   0xa5
#define IN_HURRY 1000000

static char *ram;
/* The 2 MiB frame that is taken first lies across the border. */
static const struct boot_region map[] = {{MIB, 95 * MIB, BOOT_MEMORY_USABLE, 7, 8},
                                         {95 * MIB, RAM_SIZE, BOOT_MEMORY_BOOT_SERVICES, 7, 8}};
static const struct nodes_range two[] = {{F(0), F(65 * MIB), 0}, {F(65 * MIB), F(RAM_SIZE), 1}};
static const struct nodes_layout two_nodes = {2, two, ARRAY_COUNT(two), NULL, 0};

static struct machine start(uint64_t stock) {
  struct machine m = machine_create(map, ARRAY_COUNT(map), &two_nodes, NULL, 0);
  assert_int_equal(m.status, OK);
  memset(ram, POISON, RAM_SIZE);
  assert_int_equal(nodes_clear_init(m.nodes, NODES_CLEAR_ON_ALLOC, stock), OK);
  return m;
}

/* The stock of node 1, not filled, with `steps` done. */
static struct zero_stock *after_steps(const struct machine *m, unsigned steps) {
  struct zero_stock *z = m->nodes->node[1].stock;
  for (unsigned i = 0; i < steps; i++) assert_true(zero_step(z));
  machine_must_be_sound(m, "before the damage");
  return z;
}

static bool is_sound(const struct machine *m, uint64_t limit) {
  struct mm_check_report r;
  const bool sound = mm_check_nodes(m->nodes, limit, &r);
  assert_int_equal(r.invariant, sound ? 0 : 21);
  if (!sound) assert_memory_equal(r.text, "INV-21 stock broken", strlen("INV-21 stock broken"));
  return sound;
}

static void must_break_at(const struct machine *m, uint64_t frame) {
  struct mm_check_report r;
  assert_false(mm_check_nodes(m->nodes, 0, &r));
  assert_int_equal(r.invariant, 21);
  assert_int_equal(r.frame, frame);
}

static void an_old_byte_in_a_frame_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 10);
  for (unsigned i = 0; i < 10; i++) {
    char *byte = ram + z->frames[i] * FRAME_SIZE + UINT64_C(409) * i;
    *byte = 1;
    must_break_at(&m, z->frames[i]);
    *byte = 0;
  }
  assert_true(is_sound(&m, 0));
  ram[z->frames[3] * FRAME_SIZE] = 1; /* One word in 64 is looked at in a hurry: the first is. */
  assert_false(is_sound(&m, IN_HURRY));
  machine_destroy(&m);
}

static void an_old_byte_in_a_block_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 256 + 32);
  assert_int_equal(z->stats.blocks, 1);
  assert_int_equal(z->blocks[0], F(94 * MIB));
  char *byte = ram + (z->blocks[0] + 311) * FRAME_SIZE + 8;
  *byte = 1;
  must_break_at(&m, z->blocks[0] + 311);
  assert_true(is_sound(&m, IN_HURRY)); /* The second word is not. */
  machine_destroy(&m);
}

static void of_a_pending_block_the_cleared_part_is_zeros(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 256 + 5);
  assert_true(z->has_pending && z->pending_bytes == 5 * ZERO_STEP_BYTES);
  char *bytes = ram + z->pending * FRAME_SIZE;
  bytes[z->pending_bytes] = 1;
  assert_true(is_sound(&m, 0));
  bytes[z->pending_bytes - 1] = 1;
  must_break_at(&m, z->pending + z->pending_bytes / FRAME_SIZE - 1);
  machine_destroy(&m);
}

static void a_frame_of_another_owner_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 10);
  pfn_t other;
  assert_int_equal(pmm_give_run(z->pmm, FRAME_OWNER_ZEROED, FRAME_OWNER_TEST, pfn(z->frames[7]), 1), OK);
  assert_false(is_sound(&m, IN_HURRY)); /* In the sum. */
  assert_int_equal(pmm_alloc_frame(z->pmm, FRAME_OWNER_ZEROED, 0, &other), OK);
  must_break_at(&m, z->frames[7]);
  machine_destroy(&m);
}

static void a_frame_that_lies_there_twice_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 10);
  z->frames[z->stats.frames++] = z->frames[0];
  assert_false(is_sound(&m, 0));
  machine_destroy(&m);
}

static void a_frame_of_another_node_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 10), *of_node_0 = m.nodes->node[0].stock;
  assert_true(zero_step(of_node_0));
  const uint64_t mine = z->frames[0];
  z->frames[0] = of_node_0->frames[0];
  of_node_0->frames[0] = mine;
  assert_false(is_sound(&m, 0));
  machine_destroy(&m);
}

static void a_frame_that_lies_nowhere_is_found(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  after_steps(&m, 10);
  assert_int_equal(mm_check_nodes_break(m.nodes, "stock"), OK);
  nodes_call_in(m.nodes);
  assert_false(is_sound(&m, 0));
  machine_destroy(&m);
  m = start(0);
  pfn_t frame;
  assert_int_equal(mm_check_nodes_break(m.nodes, "stock"), ERR_NOT_FOUND);
  assert_int_equal(pmm_alloc_frame(nodes_pmm(m.nodes, 0), FRAME_OWNER_ZEROED, 0, &frame), OK);
  assert_false(is_sound(&m, IN_HURRY));
  machine_destroy(&m);
}

/* A panic may come in the middle of a step: what that holds is not a mistake, more than it can hold is. */
static void in_the_middle_of_a_step_the_sum_has_room(void **state) {
  (void)state;
  struct machine m = start(8 * MIB);
  struct zero_stock *z = after_steps(&m, 10);
  pfn_t frame;
  const struct frame_limits aligned = {.align = FRAMES_PER_2M};
  z->is_stepping = true;
  assert_true(is_sound(&m, 0));
  assert_int_equal(pmm_alloc_run(z->pmm, FRAME_OWNER_ZEROED, 0, FRAMES_PER_2M, &aligned, &frame), OK);
  assert_true(is_sound(&m, 0));
  assert_int_equal(pmm_alloc_frame(z->pmm, FRAME_OWNER_ZEROED, 0, &frame), OK);
  assert_false(is_sound(&m, 0));
  machine_destroy(&m);
}

static int set_up(void **state) {
  (void)state;
  ram = fake_platform_make_ram(RAM_SIZE);
  return 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_old_byte_in_a_frame_is_found),
      cmocka_unit_test(an_old_byte_in_a_block_is_found),
      cmocka_unit_test(of_a_pending_block_the_cleared_part_is_zeros),
      cmocka_unit_test(a_frame_of_another_owner_is_found),
      cmocka_unit_test(a_frame_that_lies_there_twice_is_found),
      cmocka_unit_test(a_frame_of_another_node_is_found),
      cmocka_unit_test(a_frame_that_lies_nowhere_is_found),
      cmocka_unit_test(in_the_middle_of_a_step_the_sum_has_room),
  };
  return cmocka_run_group_tests(tests, set_up, NULL);
}
