/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/loader/entropy_test.c — good sources are credited as promised, broken ones are found and recorded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/compiler.h"
#include "loader/entropy.h"

static struct random good;

static int set_up(void **state) {
  static const uint8_t seed[32] = "entropy test";
  (void)state;
  random_init(&good, seed);
  return 0;
}

static const uint32_t word_sources[] = {BOOT_ENTROPY_EFI_RNG, BOOT_ENTROPY_RDSEED, BOOT_ENTROPY_RDRAND};

/* TSC differences of a machine with some jitter: a large constant, and `bits` random low bits. */
static void jitter(uint64_t *to, size_t n, unsigned bits) {
  for (size_t i = 0; i < n; i++) to[i] = 40 + (random_u64(&good) >> (64 - bits));
}

static void assert_rejected(uint32_t source, const void *samples, size_t n) {
  struct entropy e;
  entropy_init(&e);
  assert_int_equal(entropy_add(&e, source, samples, n), ERR_CORRUPT);
  assert_int_equal(e.rejected, source);
  assert_int_equal(e.sources, 0);
  assert_int_equal(entropy_bits(&e), 0);
}

static uint32_t credit_of(uint32_t source, const void *samples, size_t n) {
  struct entropy e;
  entropy_init(&e);
  assert_int_equal(entropy_add(&e, source, samples, n), OK);
  assert_int_equal(e.sources, source);
  assert_int_equal(e.rejected, 0);
  return entropy_bits(&e);
}

static void good_sources_are_credited_as_promised(void **state) {
  (void)state;
  uint64_t words[64];
  random_bytes(&good, words, sizeof(words));
  assert_int_equal(credit_of(BOOT_ENTROPY_EFI_RNG, words, 32), 256);
  assert_int_equal(credit_of(BOOT_ENTROPY_EFI_RNG, words, 16), 128);
  assert_int_equal(credit_of(BOOT_ENTROPY_EFI_RNG, words, 27), 216);
  assert_int_equal(credit_of(BOOT_ENTROPY_EFI_RNG, words, 512), 256);
  assert_int_equal(credit_of(BOOT_ENTROPY_RDSEED, words, 8), 64);
  assert_int_equal(credit_of(BOOT_ENTROPY_RDSEED, words, 32), 256);
  assert_int_equal(credit_of(BOOT_ENTROPY_RDRAND, words, 32), 128);
  assert_int_equal(credit_of(BOOT_ENTROPY_RDRAND, words, 64), 256);
  assert_int_equal(credit_of(BOOT_ENTROPY_RDRAND, words, 512), 256);
}

static void good_sources_pass_a_hundred_thousand_times(void **state) {
  (void)state;
  for (int i = 0; i < 100000; i++) {
    uint64_t words[8];
    struct entropy e;
    random_bytes(&good, words, sizeof(words));
    entropy_init(&e);
    assert_int_equal(entropy_add(&e, word_sources[i % 3], words, sizeof(words)), OK);
  }
}

static void credit_adds_up_to_256_bits_at_most(void **state) {
  (void)state;
  struct entropy e;
  entropy_init(&e);
  for (uint32_t bits = 64; bits <= 320; bits += 64) {
    uint64_t word = random_u64(&good);
    assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDSEED, &word, 8), OK);
    assert_int_equal(entropy_bits(&e), bits < 256 ? bits : 256);
  }
  uint64_t words[4];
  random_bytes(&good, words, sizeof(words));
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_EFI_RNG, words, sizeof(words)), OK);
  assert_int_equal(entropy_bits(&e), 256);
  assert_int_equal(e.sources, BOOT_ENTROPY_RDSEED | BOOT_ENTROPY_EFI_RNG);
}

static void stuck_words_are_rejected(void **state) {
  (void)state;
  static const uint64_t values[] = {0, UINT64_MAX, 0x5555555555555555, 0x123456789abcdef0};
  for (size_t s = 0; s < ARRAY_COUNT(word_sources); s++) {
    for (size_t v = 0; v < ARRAY_COUNT(values); v++) {
      uint64_t words[4] = {values[v], values[v], values[v], values[v]};
      assert_rejected(word_sources[s], words, sizeof(words));
    }
  }
}

static void one_word_of_zeros_or_ones_is_enough_to_reject(void **state) {
  (void)state;
  static const uint64_t bad[] = {
      0, UINT64_MAX, 0x1234567800000000, 0x0000000012345678, 0xffffffff12345678, 0x12345678ffffffff};
  for (size_t b = 0; b < ARRAY_COUNT(bad); b++) {
    for (size_t at = 0; at < 4; at++) {
      uint64_t words[4];
      random_bytes(&good, words, sizeof(words));
      words[at] = bad[b];
      assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
    }
  }
  assert_rejected(BOOT_ENTROPY_RDSEED, &bad[0], 8);
}

static void repeats_are_rejected_at_any_distance(void **state) {
  (void)state;
  for (size_t i = 0; i < 8; i++) {
    for (size_t j = 0; j < i; j++) {
      uint64_t words[8];
      random_bytes(&good, words, sizeof(words));
      words[i] = words[j];
      assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
    }
  }
}

static void a_repeat_from_one_call_to_the_next_is_rejected(void **state) {
  (void)state;
  struct entropy e;
  uint64_t word = random_u64(&good);
  entropy_init(&e);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDSEED, &word, 8), OK);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDRAND, &word, 8), OK); /* Another source: no repeat. */
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDSEED, &word, 8), ERR_CORRUPT);
  assert_int_equal(e.rejected, BOOT_ENTROPY_RDSEED);
  assert_int_equal(e.sources, BOOT_ENTROPY_RDRAND);
  assert_int_equal(entropy_bits(&e), 32);
}

static void alternating_words_are_rejected(void **state) {
  (void)state;
  uint64_t words[4];
  random_bytes(&good, words, 16);
  memcpy(words + 2, words, 16);
  assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
}

static void counters_are_rejected(void **state) {
  (void)state;
  uint8_t bytes[32];
  uint64_t words[4];
  for (size_t i = 0; i < sizeof(bytes); i++) bytes[i] = (uint8_t)i;
  assert_rejected(BOOT_ENTROPY_EFI_RNG, bytes, sizeof(bytes));
  for (uint64_t i = 0; i < 4; i++) words[i] = 0x0123456789abcdef + i * 0x9e3779b97f4a7c15; /* A step that looks random. */
  assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
  for (uint64_t i = 0; i < 4; i++) words[i] = 0x0123456700000001 + i * i * 77; /* The upper half stands still. */
  assert_rejected(BOOT_ENTROPY_RDSEED, words, sizeof(words));
}

static void unbalanced_words_are_rejected(void **state) {
  (void)state;
  uint64_t words[8];
  uint64_t masks[16];
  random_bytes(&good, words, sizeof(words));
  random_bytes(&good, masks, sizeof(masks));
  for (size_t i = 0; i < 8; i++) words[i] &= masks[i] & masks[i + 8]; /* One bit in eight. */
  assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
  for (size_t i = 0; i < 8; i++) words[i] = ~words[i];
  assert_rejected(BOOT_ENTROPY_RDRAND, words, sizeof(words));
}

static void too_little_is_rejected(void **state) {
  (void)state;
  uint64_t words[ENTROPY_JITTER_BEST];
  random_bytes(&good, words, sizeof(words));
  assert_rejected(BOOT_ENTROPY_EFI_RNG, words, 7);
  assert_rejected(BOOT_ENTROPY_EFI_RNG, words, 0);
  assert_rejected(BOOT_ENTROPY_RDSEED, words, 0);
  assert_rejected(BOOT_ENTROPY_JITTER, words, (size_t)31 * 8);
}

static void a_source_that_never_delivers_is_recorded(void **state) {
  (void)state;
  struct entropy e;
  uint64_t words[4];
  random_bytes(&good, words, sizeof(words));
  entropy_init(&e);
  entropy_reject(&e, BOOT_ENTROPY_EFI_RNG);
  assert_int_equal(e.rejected, BOOT_ENTROPY_EFI_RNG);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_EFI_RNG, words, 32), ERR_CORRUPT); /* For good. */
  assert_int_equal(e.sources, 0);
  assert_int_equal(entropy_bits(&e), 0);
}

static void wrong_arguments_change_nothing(void **state) {
  (void)state;
  struct entropy e;
  struct entropy before;
  uint64_t words[4];
  random_bytes(&good, words, sizeof(words));
  entropy_init(&e);
  before = e;
  assert_int_equal(entropy_add(&e, 0, words, 32), ERR_INVALID);
  assert_int_equal(entropy_add(&e, 32, words, 32), ERR_INVALID);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_MEMORY_MAP, words, 32), ERR_INVALID);
  assert_int_equal(entropy_add(&e, 6, words, 32), ERR_INVALID);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDRAND, words, 31), ERR_INVALID);
  assert_memory_equal(&e, &before, sizeof(e));
}

/* --- jitter -------------------------------------------------------------------------------------------------------- */

static void jitter_is_credited_as_measured_and_never_above_64_bits(void **state) {
  (void)state;
  uint64_t deltas[255];
  for (int i = 0; i < 1000; i++) {
    jitter(deltas, ARRAY_COUNT(deltas), 6);
    uint32_t bits = credit_of(BOOT_ENTROPY_JITTER, deltas, sizeof(uint64_t) * ENTROPY_JITTER_BEST);
    assert_int_equal(bits, 64);
    assert_int_equal(credit_of(BOOT_ENTROPY_JITTER, deltas, sizeof(deltas)), 64);
    assert_int_equal(credit_of(BOOT_ENTROPY_JITTER, deltas, (size_t)32 * 8), 32);
    jitter(deltas, ENTROPY_JITTER_BEST, 1); /* At best one bit a sample. */
    bits = credit_of(BOOT_ENTROPY_JITTER, deltas, sizeof(uint64_t) * ENTROPY_JITTER_BEST);
    assert_in_range(bits, 20, 64);
  }
}

/* One sample in eight differs: 0.19 bits of min-entropy a sample, 12 of 64; a small sample may look better than it is. */
static void weak_jitter_is_credited_little(void **state) {
  uint32_t sum = 0;
  (void)state;
  for (int i = 0; i < 1000; i++) {
    uint64_t deltas[ENTROPY_JITTER_BEST];
    struct entropy e;
    for (size_t k = 0; k < ARRAY_COUNT(deltas); k++) deltas[k] = 40 + (random_below(&good, 8) == 0 ? 2 : 0);
    entropy_init(&e);
    (void)!entropy_add(&e, BOOT_ENTROPY_JITTER, deltas, sizeof(deltas));
    assert_true(entropy_bits(&e) < 45);
    sum += entropy_bits(&e);
  }
  assert_in_range(sum, 4000, 16000);
}

static void jitter_that_stands_still_is_rejected(void **state) {
  (void)state;
  uint64_t deltas[ENTROPY_JITTER_BEST];
  for (size_t i = 0; i < ARRAY_COUNT(deltas); i++) deltas[i] = 42;
  assert_rejected(BOOT_ENTROPY_JITTER, deltas, sizeof(deltas));
  jitter(deltas, ARRAY_COUNT(deltas), 8);
  for (size_t i = 10; i < 31; i++) deltas[i] = 42; /* A run of 21 in between. */
  assert_rejected(BOOT_ENTROPY_JITTER, deltas, sizeof(deltas));
}

static void jitter_with_a_short_period_is_rejected(void **state) {
  (void)state;
  for (size_t period = 2; period <= 8; period++) {
    uint64_t deltas[ENTROPY_JITTER_BEST];
    jitter(deltas, period, 8);
    for (size_t i = period; i < ARRAY_COUNT(deltas); i++) deltas[i] = deltas[i - period];
    deltas[40] += 3; /* A hiccup makes it no better. */
    assert_rejected(BOOT_ENTROPY_JITTER, deltas, sizeof(deltas));
  }
}

static void jitter_that_counts_is_rejected(void **state) {
  (void)state;
  uint64_t deltas[ENTROPY_JITTER_BEST];
  for (size_t i = 0; i < ARRAY_COUNT(deltas); i++) deltas[i] = 1000 + 17 * i;
  deltas[30] += 1;
  assert_rejected(BOOT_ENTROPY_JITTER, deltas, sizeof(deltas));
}

/* --- mixing -------------------------------------------------------------------------------------------------------- */

static uint64_t first_draw(struct entropy *e) {
  struct random r;
  entropy_finish(e, &r);
  return random_u64(&r);
}

static void every_source_and_every_bit_changes_the_result(void **state) {
  (void)state;
  uint64_t words[4];
  uint64_t draws[40];
  random_bytes(&good, words, sizeof(words));
  for (size_t i = 0; i < ARRAY_COUNT(draws); i++) {
    struct entropy e;
    uint64_t mine[4];
    entropy_init(&e);
    memcpy(mine, words, sizeof(mine));
    if (i >= 4) mine[i % 4] ^= UINT64_C(1) << i;
    (void)!entropy_add(&e, i < 3 ? word_sources[i] : BOOT_ENTROPY_EFI_RNG, mine, i == 3 ? 24 : 32);
    draws[i] = first_draw(&e);
    for (size_t j = 0; j < i; j++) assert_int_not_equal(draws[i], draws[j]);
  }
}

static void rejected_samples_are_mixed_all_the_same(void **state) {
  (void)state;
  static const uint64_t zeros[4] = {0};
  struct entropy a;
  struct entropy b;
  entropy_init(&a);
  entropy_init(&b);
  (void)!entropy_add(&b, BOOT_ENTROPY_RDRAND, zeros, sizeof(zeros));
  assert_int_not_equal(first_draw(&a), first_draw(&b));
}

static void every_byte_of_the_memory_map_changes_the_result_and_credits_nothing(void **state) {
  (void)state;
  uint8_t map[131];
  uint64_t draws[132];
  random_bytes(&good, map, sizeof(map));
  for (size_t i = 0; i <= sizeof(map); i++) {
    struct entropy e;
    if (i < sizeof(map)) map[i] ^= 0x80;
    entropy_init(&e);
    entropy_add_memory_map(&e, map, sizeof(map));
    assert_int_equal(e.sources, BOOT_ENTROPY_MEMORY_MAP);
    assert_int_equal(entropy_bits(&e), 0);
    draws[i] = first_draw(&e);
    if (i < sizeof(map)) map[i] ^= 0x80;
    for (size_t j = 0; j < i; j++) assert_int_not_equal(draws[i], draws[j]);
  }
}

static void finishing_wipes_the_pool_and_keeps_the_account(void **state) {
  (void)state;
  static const uint8_t zeros[sizeof(struct blake2s)] = {0};
  struct entropy e;
  struct random r;
  uint64_t words[4];
  random_bytes(&good, words, sizeof(words));
  entropy_init(&e);
  assert_int_equal(entropy_add(&e, BOOT_ENTROPY_RDSEED, words, 16), OK);
  entropy_finish(&e, &r);
  assert_memory_equal(&e.pool, zeros, sizeof(e.pool));
  assert_memory_equal(e.last, zeros, sizeof(e.last));
  assert_int_equal(e.sources, BOOT_ENTROPY_RDSEED);
  assert_int_equal(entropy_bits(&e), 128);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(good_sources_are_credited_as_promised, set_up),
    cmocka_unit_test_setup(good_sources_pass_a_hundred_thousand_times, set_up),
    cmocka_unit_test_setup(credit_adds_up_to_256_bits_at_most, set_up),
    cmocka_unit_test_setup(stuck_words_are_rejected, set_up),
    cmocka_unit_test_setup(one_word_of_zeros_or_ones_is_enough_to_reject, set_up),
    cmocka_unit_test_setup(repeats_are_rejected_at_any_distance, set_up),
    cmocka_unit_test_setup(a_repeat_from_one_call_to_the_next_is_rejected, set_up),
    cmocka_unit_test_setup(alternating_words_are_rejected, set_up),
    cmocka_unit_test_setup(counters_are_rejected, set_up),
    cmocka_unit_test_setup(unbalanced_words_are_rejected, set_up),
    cmocka_unit_test_setup(too_little_is_rejected, set_up),
    cmocka_unit_test_setup(a_source_that_never_delivers_is_recorded, set_up),
    cmocka_unit_test_setup(wrong_arguments_change_nothing, set_up),
    cmocka_unit_test_setup(jitter_is_credited_as_measured_and_never_above_64_bits, set_up),
    cmocka_unit_test_setup(weak_jitter_is_credited_little, set_up),
    cmocka_unit_test_setup(jitter_that_stands_still_is_rejected, set_up),
    cmocka_unit_test_setup(jitter_with_a_short_period_is_rejected, set_up),
    cmocka_unit_test_setup(jitter_that_counts_is_rejected, set_up),
    cmocka_unit_test_setup(every_source_and_every_bit_changes_the_result, set_up),
    cmocka_unit_test_setup(rejected_samples_are_mixed_all_the_same, set_up),
    cmocka_unit_test_setup(every_byte_of_the_memory_map_changes_the_result_and_credits_nothing, set_up),
    cmocka_unit_test_setup(finishing_wipes_the_pool_and_keeps_the_account, set_up),
};

int main(void) { return cmocka_run_group_tests_name("loader/entropy", tests, nullptr, nullptr); }
