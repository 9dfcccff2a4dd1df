/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/lib/random_test.c — the RFCs' test vectors, and the generator's promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "lib/random.h"

static void blake2s(void *out, size_t out_size, const void *key, size_t key_size, const void *in, size_t n) {
  struct blake2s b;
  blake2s_init(&b, out_size, key, key_size);
  blake2s_update(&b, in, n);
  blake2s_final(&b, out);
}

static void blake2s_of_abc_is_rfc_7693_appendix_b(void **state) {
  (void)state;
  static const uint8_t expected[32] = {0x50, 0x8c, 0x5e, 0x8c, 0x32, 0x7c, 0x14, 0xe2, 0xe1, 0xa7, 0x2b,
                                       0xa3, 0x4e, 0xeb, 0x45, 0x2f, 0x37, 0x45, 0x8b, 0x20, 0x9e, 0xd6,
                                       0x3a, 0x29, 0x4d, 0x99, 0x9b, 0x4c, 0x86, 0x67, 0x59, 0x82};
  uint8_t out[32];
  blake2s(out, 32, nullptr, 0, "abc", 3);
  assert_memory_equal(out, expected, 32);
}

/* The byte sequence of RFC 7693, appendix E. */
static void selftest_sequence(uint8_t *out, size_t n, uint32_t seed) {
  uint32_t a = 0xdead4badU * seed;
  uint32_t b = 1;
  for (size_t i = 0; i < n; i++) {
    uint32_t t = a + b;
    a = b;
    b = t;
    out[i] = (uint8_t)(t >> 24);
  }
}

/* Keyed and unkeyed hashes of many lengths, and a hash over all of them. */
static void blake2s_passes_the_self_test_of_rfc_7693_appendix_e(void **state) {
  (void)state;
  static const uint8_t expected[32] = {0x6a, 0x41, 0x1f, 0x08, 0xce, 0x25, 0xad, 0xcd, 0xfb, 0x02, 0xab,
                                       0xa6, 0x41, 0x45, 0x1c, 0xec, 0x53, 0xc5, 0x98, 0xb2, 0x4f, 0x4f,
                                       0xc7, 0x87, 0xfb, 0xdc, 0x88, 0x79, 0x7f, 0x4c, 0x1d, 0xfe};
  static const size_t out_sizes[] = {16, 20, 28, 32};
  static const size_t in_sizes[] = {0, 3, 64, 65, 255, 1024};
  uint8_t in[1024];
  uint8_t out[32];
  uint8_t key[32];
  struct blake2s all;
  blake2s_init(&all, 32, nullptr, 0);
  for (size_t i = 0; i < ARRAY_COUNT(out_sizes); i++) {
    for (size_t j = 0; j < ARRAY_COUNT(in_sizes); j++) {
      selftest_sequence(in, in_sizes[j], (uint32_t)in_sizes[j]);
      blake2s(out, out_sizes[i], nullptr, 0, in, in_sizes[j]);
      blake2s_update(&all, out, out_sizes[i]);
      selftest_sequence(key, out_sizes[i], (uint32_t)out_sizes[i]);
      blake2s(out, out_sizes[i], key, out_sizes[i], in, in_sizes[j]);
      blake2s_update(&all, out, out_sizes[i]);
    }
  }
  blake2s_final(&all, out);
  assert_memory_equal(out, expected, 32);
}

static void blake2s_in_pieces_is_blake2s_in_one(void **state) {
  (void)state;
  uint8_t in[300];
  selftest_sequence(in, sizeof(in), 7);
  for (size_t n = 0; n <= sizeof(in); n += 13) {
    for (size_t piece = 1; piece < 130; piece += 9) {
      uint8_t whole[32];
      uint8_t parts[32];
      struct blake2s b;
      blake2s(whole, 32, nullptr, 0, in, n);
      blake2s_init(&b, 32, nullptr, 0);
      for (size_t at = 0; at < n; at += piece) blake2s_update(&b, in + at, n - at < piece ? n - at : piece);
      blake2s_final(&b, parts);
      assert_memory_equal(whole, parts, 32);
    }
  }
}

static void blake2s_leaves_no_state_behind(void **state) {
  (void)state;
  static const struct blake2s wiped = {0};
  struct blake2s b;
  uint8_t out[32];
  blake2s_init(&b, 32, "secret", 6);
  blake2s_final(&b, out);
  assert_memory_equal(b.h, wiped.h, sizeof(b.h));
  assert_memory_equal(b.buffer, wiped.buffer, sizeof(b.buffer));
}

static void chacha20_block_is_rfc_8439_section_2_3_2(void **state) {
  (void)state;
  static const uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
  static const uint8_t expected[64] = {0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
                                       0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
                                       0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
                                       0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
                                       0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e};
  uint8_t key[32];
  uint8_t out[64];
  for (size_t i = 0; i < sizeof(key); i++) key[i] = (uint8_t)i;
  chacha20_block(key, 1, nonce, out);
  assert_memory_equal(out, expected, 64);
}

/* Vectors 1, 2 and 5 of RFC 8439, appendix A.1. */
static void chacha20_blocks_are_rfc_8439_appendix_a_1(void **state) {
  (void)state;
  static const uint8_t key[32] = {0};
  static const uint8_t nonce[12] = {0};
  static const uint8_t nonce_2[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
  static const uint8_t first[64] = {0x76, 0xb8, 0xe0, 0xad, 0xa0, 0xf1, 0x3d, 0x90, 0x40, 0x5d, 0x6a, 0xe5, 0x53,
                                    0x86, 0xbd, 0x28, 0xbd, 0xd2, 0x19, 0xb8, 0xa0, 0x8d, 0xed, 0x1a, 0xa8, 0x36,
                                    0xef, 0xcc, 0x8b, 0x77, 0x0d, 0xc7, 0xda, 0x41, 0x59, 0x7c, 0x51, 0x57, 0x48,
                                    0x8d, 0x77, 0x24, 0xe0, 0x3f, 0xb8, 0xd8, 0x4a, 0x37, 0x6a, 0x43, 0xb8, 0xf4,
                                    0x15, 0x18, 0xa1, 0x1c, 0xc3, 0x87, 0xb6, 0x69, 0xb2, 0xee, 0x65, 0x86};
  static const uint8_t second[64] = {0x9f, 0x07, 0xe7, 0xbe, 0x55, 0x51, 0x38, 0x7a, 0x98, 0xba, 0x97, 0x7c, 0x73,
                                     0x2d, 0x08, 0x0d, 0xcb, 0x0f, 0x29, 0xa0, 0x48, 0xe3, 0x65, 0x69, 0x12, 0xc6,
                                     0x53, 0x3e, 0x32, 0xee, 0x7a, 0xed, 0x29, 0xb7, 0x21, 0x76, 0x9c, 0xe6, 0x4e,
                                     0x43, 0xd5, 0x71, 0x33, 0xb0, 0x74, 0xd8, 0x39, 0xd5, 0x31, 0xed, 0x1f, 0x28,
                                     0x51, 0x0a, 0xfb, 0x45, 0xac, 0xe1, 0x0a, 0x1f, 0x4b, 0x79, 0x4d, 0x6f};
  static const uint8_t fifth[16] = {0xc2, 0xc6, 0x4d, 0x37, 0x8c, 0xd5, 0x36, 0x37,
                                    0x4a, 0xe2, 0x04, 0xb9, 0xef, 0x93, 0x3f, 0xcd};
  uint8_t out[64];
  chacha20_block(key, 0, nonce, out);
  assert_memory_equal(out, first, 64);
  chacha20_block(key, 1, nonce, out);
  assert_memory_equal(out, second, 64);
  chacha20_block(key, 0, nonce_2, out);
  assert_memory_equal(out, fifth, sizeof(fifth));
}

/* The construction, spelled out: block 0's first half is the next key, block 1 the output. */
static void generator_gives_block_one_and_then_changes_its_key(void **state) {
  (void)state;
  static const uint8_t seed[32] = "a seed of thirty-two bytes .....";
  static const uint8_t nonce[12] = {0};
  uint8_t expected[128];
  uint8_t next[64];
  uint8_t got[128];
  struct random r;
  chacha20_block(seed, 1, nonce, expected);
  chacha20_block(seed, 0, nonce, next);
  chacha20_block(next, 1, nonce, expected + 64);
  random_init(&r, seed);
  for (size_t at = 0; at < sizeof(got);) {
    size_t piece = at % 11 + 1;
    if (piece > sizeof(got) - at) piece = sizeof(got) - at;
    random_bytes(&r, got + at, piece);
    at += piece;
  }
  assert_memory_equal(got, expected, sizeof(got));
}

static void generator_keeps_nothing_that_it_has_handed_out(void **state) {
  (void)state;
  static const uint8_t seed[32] = "another one";
  static const uint8_t zeros[64] = {0};
  uint8_t out[64];
  struct random r;
  random_init(&r, seed);
  random_bytes(&r, out, 40);
  assert_memory_equal(r.buffer, zeros, 40);
  assert_memory_not_equal(r.key, seed, 32);
  random_bytes(&r, out, 24);
  assert_memory_equal(r.buffer, zeros, 64);
}

static void numbers_below_a_bound_are_below_and_all_of_them_come(void **state) {
  (void)state;
  static const uint8_t seed[32] = "below";
  struct random r;
  random_init(&r, seed);
  for (uint64_t bound = 1; bound < 40; bound++) {
    uint64_t seen = 0;
    for (int i = 0; i < 2000; i++) {
      uint64_t x = random_below(&r, bound);
      assert_true(x < bound);
      seen |= UINT64_C(1) << x;
    }
    assert_int_equal(seen, (UINT64_C(1) << bound) - 1);
  }
}

/*
 * With a bound of 3/4 of 2^64 plain x % bound gives the lowest third twice as often as the others.  Chi-square of three
 * equal bins, 2 degrees of freedom: 27.6 is passed by chance once in a million.
 */
static double chi_square_of_thirds(bool is_biased) {
  static const uint8_t seed[32] = "thirds";
  const uint64_t bound = UINT64_C(3) << 62;
  const int draws = 30000;
  uint64_t bins[3] = {0};
  struct random r;
  random_init(&r, seed);
  for (int i = 0; i < draws; i++) {
    uint64_t x = is_biased ? random_u64(&r) % bound : random_below(&r, bound);
    bins[x >> 62]++;
  }
  double sum = 0;
  for (int i = 0; i < 3; i++) sum += pow((double)bins[i] - draws / 3.0, 2) / (draws / 3.0);
  return sum;
}

static void numbers_below_a_huge_bound_have_no_modulo_bias(void **state) {
  (void)state;
  assert_true(chi_square_of_thirds(false) < 27.6);
}

static void modulo_bias_would_be_seen(void **state) {
  (void)state;
  assert_true(chi_square_of_thirds(true) > 27.6);
}

static void derived_seeds_differ_by_label_and_by_turn(void **state) {
  (void)state;
  static const uint8_t seed[32] = "parent";
  struct random a;
  struct random b;
  uint8_t one[32];
  uint8_t two[32];
  random_init(&a, seed);
  random_init(&b, seed);
  random_derive(&a, "kernel", one);
  random_derive(&b, "kernel", two);
  assert_memory_equal(one, two, 32);
  random_derive(&a, "kernel", two);
  assert_memory_not_equal(one, two, 32);
  random_derive(&b, "loader", one);
  assert_memory_not_equal(one, two, 32);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blake2s_of_abc_is_rfc_7693_appendix_b),
      cmocka_unit_test(blake2s_passes_the_self_test_of_rfc_7693_appendix_e),
      cmocka_unit_test(blake2s_in_pieces_is_blake2s_in_one),
      cmocka_unit_test(blake2s_leaves_no_state_behind),
      cmocka_unit_test(chacha20_block_is_rfc_8439_section_2_3_2),
      cmocka_unit_test(chacha20_blocks_are_rfc_8439_appendix_a_1),
      cmocka_unit_test(generator_gives_block_one_and_then_changes_its_key),
      cmocka_unit_test(generator_keeps_nothing_that_it_has_handed_out),
      cmocka_unit_test(numbers_below_a_bound_are_below_and_all_of_them_come),
      cmocka_unit_test(numbers_below_a_huge_bound_have_no_modulo_bias),
      cmocka_unit_test(modulo_bias_would_be_seen),
      cmocka_unit_test(derived_seeds_differ_by_label_and_by_turn),
  };
  return cmocka_run_group_tests_name("lib/random", tests, nullptr, nullptr);
}
