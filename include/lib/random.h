/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/random.h — a hash to mix with and a generator to draw from.
 *
 * BLAKE2s (RFC 7693) gathers entropy into 256 bits; ChaCha20 (RFC 8439) spreads them.  Test vectors of both RFCs stand in
 * tests/unit/lib/random_test.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct blake2s {
  uint32_t h[8];
  uint64_t counter;
  size_t fill;
  size_t out_size;
  uint8_t buffer[64];
};

/** out_size 1..32; key may be NULL when key_size is 0, key_size at most 32. */
void blake2s_init(struct blake2s *b, size_t out_size, const void *key, size_t key_size);
void blake2s_update(struct blake2s *b, const void *data, size_t n);
/** Writes out_size bytes and wipes the state. */
void blake2s_final(struct blake2s *b, void *out);

/** One block of ChaCha20: 64 bytes from a key, a 32-bit counter and a 96-bit nonce. */
void chacha20_block(const uint8_t key[static 32], uint32_t counter, const uint8_t nonce[static 12], uint8_t out[static 64]);

/* A generator with key erasure: after each refill the key is replaced by fresh output, so an old state tells nothing. */
struct random {
  uint8_t key[32];
  uint8_t buffer[64];
  uint32_t used;
};

void random_init(struct random *r, const uint8_t seed[static 32]);
void random_bytes(struct random *r, void *out, size_t n);
uint64_t random_u64(struct random *r);
/** Uniform in [0, bound), without modulo bias; bound must not be 0. */
uint64_t random_below(struct random *r, uint64_t bound);
/** A child seed that tells nothing about the parent or other children; label separates the uses. */
void random_derive(struct random *r, const char *label, uint8_t seed[static 32]);
