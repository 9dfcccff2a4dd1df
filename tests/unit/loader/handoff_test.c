/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/loader/handoff_test.c — what is laid out can be found again, in its place and unharmed, in exactly its size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "loader/handoff.h"

#define REGIONS 7

static struct handoff_parts parts_of(size_t map, size_t command, size_t config, size_t warnings) {
  static uint8_t bytes[4096];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7 + 3);
  return (struct handoff_parts){.firmware_map = {bytes, map},
                                .stride = 48,
                                .version = 1,
                                .command_line = {bytes + 1, command},
                                .config_text = {bytes + 2, config},
                                .warnings = {bytes + 3, warnings}};
}

/* A block of exactly the size that was asked for: the sanitizer guards its end. */
static struct boot_handoff *make(const struct handoff_parts *parts, size_t regions) {
  size_t size = handoff_size(parts, REGIONS);
  struct boot_handoff *h = calloc(1, size);
  assert_non_null(h);
  struct boot_region *r = handoff_lay_out(h, parts);
  for (size_t i = 0; i < regions; i++) r[i] = (struct boot_region){.start = i, .end = i + 1};
  handoff_seal(h, regions);
  assert_true(h->size <= size);
  return h;
}

static void assert_span(const struct boot_handoff *h, struct boot_span span, struct handoff_bytes part) {
  assert_int_equal(span.count, part.size);
  assert_true(span.offset >= sizeof *h && span.offset % 8 == 0 && span.offset + span.count <= h->size);
  assert_memory_equal((const uint8_t *)h + span.offset, part.bytes, part.size);
}

static void every_part_is_found_where_its_span_says(void **state) {
  (void)state;
  for (size_t i = 0; i < 200; i++) {
    struct handoff_parts p = parts_of(48 * (i % 9), i % 41, i % 23, (i * 3) % 77);
    struct boot_handoff *h = make(&p, REGIONS);
    assert_span(h, h->firmware_map, p.firmware_map);
    assert_span(h, h->command_line, p.command_line);
    assert_span(h, h->config_text, p.config_text);
    assert_span(h, h->warnings, p.warnings);
    assert_span(h, h->loader_name, (struct handoff_bytes){HANDOFF_LOADER_NAME, strlen(HANDOFF_LOADER_NAME)});
    assert_int_equal(h->regions.offset % 8, 0);
    const struct boot_region *r = (const void *)((const uint8_t *)h + h->regions.offset);
    for (size_t k = 0; k < REGIONS; k++) assert_int_equal(r[k].start, k);
    free(h);
  }
}

static void a_sealed_block_has_magic_version_and_its_size(void **state) {
  (void)state;
  struct handoff_parts p = parts_of(96, 5, 0, 0);
  struct boot_handoff *h = make(&p, 3);
  assert_true(h->magic == BOOT_HANDOFF_MAGIC);
  assert_int_equal(h->version, BOOT_HANDOFF_VERSION);
  assert_int_equal(h->regions.count, 3);
  assert_int_equal(h->size, h->regions.offset + 3 * sizeof(struct boot_region));
  assert_int_equal(h->firmware_descriptor_size, 48);
  free(h);
}

static void a_changed_map_is_noticed(void **state) {
  (void)state;
  struct handoff_parts p = parts_of(96, 5, 0, 0);
  struct boot_handoff *h = make(&p, 3);
  uint8_t other[96];
  assert_true(handoff_has_map(h, &p));
  memcpy(other, p.firmware_map.bytes, sizeof other);
  struct handoff_parts q = p;
  q.firmware_map.bytes = other;
  assert_true(handoff_has_map(h, &q));
  other[95] ^= 1;
  assert_false(handoff_has_map(h, &q));
  q = p;
  q.firmware_map.size = 48;
  assert_false(handoff_has_map(h, &q));
  q = p;
  q.stride = 96;
  assert_false(handoff_has_map(h, &q));
  h->magic = 0; /* Not sealed: nothing may be believed. */
  assert_false(handoff_has_map(h, &p));
  free(h);
}

static void a_block_that_moves_leaves_no_seed_behind(void **state) {
  (void)state;
  static const uint8_t nothing[sizeof((struct boot_handoff){0}.seed)];
  struct handoff_parts p = parts_of(96, 5, 0, 0);
  struct boot_handoff *from = make(&p, 3);
  struct boot_handoff to = {0};
  uint8_t seed[sizeof from->seed];
  memset(seed, 0x5a, sizeof seed);
  memcpy(from->seed, seed, sizeof seed);
  from->physical = 0x1000;
  from->entropy_bits = 256;
  handoff_move(&to, from, 0x7000);
  assert_memory_equal(to.seed, seed, sizeof seed);
  assert_memory_equal(from->seed, nothing, sizeof nothing);
  assert_int_equal(to.physical, 0x7000);
  assert_int_equal(to.entropy_bits, 256);
  assert_false(handoff_has_map(&to, &p)); /* What it names is not there yet. */
  free(from);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_part_is_found_where_its_span_says),
      cmocka_unit_test(a_sealed_block_has_magic_version_and_its_size),
      cmocka_unit_test(a_changed_map_is_noticed),
      cmocka_unit_test(a_block_that_moves_leaves_no_seed_behind),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
