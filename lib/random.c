/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/random.c — BLAKE2s to gather, ChaCha20 to spread, and a generator that forgets.
 *
 * WHAT   The loader mixes its sources with BLAKE2s and draws every base from the generator; the kernel goes on from a seed
 *        derived for it alone.
 * HOW    The generator keeps a key and 64 bytes of output.  A refill makes two blocks under the key: the first 32 bytes of
 *        block 0 replace the key, block 1 is the output.  Bytes handed out are wiped, so whoever reads the state later
 *        learns nothing about what was drawn ("fast key erasure").
 * WHY NOT  all rounds unrolled: a boot hashes a few hundred bytes, and the loader's file has to stay small.  One round is,
 *        because that halves the instructions.  Neither has tables indexed by secrets, so both run in constant time.
 * SOURCE RFC 7693 (BLAKE2s), RFC 8439 section 2.3 (ChaCha20).  Both are little-endian, as this machine is.
 */
#include "lib/random.h"

#include "base/assert.h"
#include "lib/string.h"

static inline uint32_t rotate_right(uint32_t x, unsigned n) { return (x >> n) | (x << (32 - n)); }
static inline uint32_t rotate_left(uint32_t x, unsigned n) { return (x << n) | (x >> (32 - n)); }

/* Square roots' fractions of the first eight primes, as in SHA-256 (RFC 7693, 2.6). */
static const uint32_t blake2s_iv[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

/* Order of the message words in each round (RFC 7693, 2.7). */
static const uint8_t blake2s_sigma[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

/* The mixing function G (RFC 7693, 3.1) on words a, b, c, d of v.  Inlined: indices are constants there. */
[[clang::always_inline]] static inline void blake2s_mix(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d,
                                                        uint32_t x, uint32_t y) {
  v[a] += v[b] + x;
  v[d] = rotate_right(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = rotate_right(v[b] ^ v[c], 12);
  v[a] += v[b] + y;
  v[d] = rotate_right(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = rotate_right(v[b] ^ v[c], 7);
}

static void blake2s_round(uint32_t v[static 16], const uint32_t m[static 16], const uint8_t s[static 16]) {
  blake2s_mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
  blake2s_mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
  blake2s_mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
  blake2s_mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
  blake2s_mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
  blake2s_mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
  blake2s_mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
  blake2s_mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
}

static void blake2s_compress(struct blake2s *b, bool is_last) {
  uint32_t m[16];
  uint32_t v[16];
  memcpy(m, b->buffer, sizeof(m));
  memcpy(v, b->h, sizeof(b->h));
  memcpy(v + 8, blake2s_iv, sizeof(blake2s_iv));
  v[12] ^= (uint32_t)b->counter;
  v[13] ^= (uint32_t)(b->counter >> 32);
  if (is_last) v[14] = ~v[14];
  for (unsigned round = 0; round < 10; round++) blake2s_round(v, m, blake2s_sigma[round]);
  for (unsigned i = 0; i < 8; i++) b->h[i] ^= v[i] ^ v[i + 8];
  string_wipe(m, sizeof(m));
  string_wipe(v, sizeof(v));
}

void blake2s_init(struct blake2s *b, size_t out_size, const void *key, size_t key_size) {
  ASSERT(out_size >= 1 && out_size <= 32 && key_size <= 32);
  memcpy(b->h, blake2s_iv, sizeof(b->h));
  b->h[0] ^= 0x01010000U ^ (uint32_t)(key_size << 8) ^ (uint32_t)out_size;
  b->counter = 0;
  b->fill = 0;
  b->out_size = out_size;
  memset(b->buffer, 0, sizeof(b->buffer));
  if (key_size == 0) return;
  memcpy(b->buffer, key, key_size); /* The key is a block of its own, padded with zeros. */
  b->fill = sizeof(b->buffer);
}

/* A full buffer is compressed only when more bytes come: the last block must be known as the last. */
void blake2s_update(struct blake2s *b, const void *data, size_t n) {
  const uint8_t *from = data;
  while (n > 0) {
    if (b->fill == sizeof(b->buffer)) {
      b->counter += sizeof(b->buffer);
      blake2s_compress(b, false);
      b->fill = 0;
    }
    size_t take = sizeof(b->buffer) - b->fill;
    if (take > n) take = n;
    memcpy(b->buffer + b->fill, from, take);
    b->fill += take;
    from += take;
    n -= take;
  }
}

void blake2s_final(struct blake2s *b, void *out) {
  b->counter += b->fill;
  memset(b->buffer + b->fill, 0, sizeof(b->buffer) - b->fill);
  blake2s_compress(b, true);
  memcpy(out, b->h, b->out_size);
  string_wipe(b, sizeof(*b));
}

[[clang::always_inline]] static inline void chacha20_quarter(uint32_t *v, unsigned a, unsigned b, unsigned c, unsigned d) {
  v[a] += v[b];
  v[d] = rotate_left(v[d] ^ v[a], 16);
  v[c] += v[d];
  v[b] = rotate_left(v[b] ^ v[c], 12);
  v[a] += v[b];
  v[d] = rotate_left(v[d] ^ v[a], 8);
  v[c] += v[d];
  v[b] = rotate_left(v[b] ^ v[c], 7);
}

static void chacha20_double_round(uint32_t v[static 16]) {
  chacha20_quarter(v, 0, 4, 8, 12);
  chacha20_quarter(v, 1, 5, 9, 13);
  chacha20_quarter(v, 2, 6, 10, 14);
  chacha20_quarter(v, 3, 7, 11, 15);
  chacha20_quarter(v, 0, 5, 10, 15);
  chacha20_quarter(v, 1, 6, 11, 12);
  chacha20_quarter(v, 2, 7, 8, 13);
  chacha20_quarter(v, 3, 4, 9, 14);
}

void chacha20_block(const uint8_t key[static 32], uint32_t counter, const uint8_t nonce[static 12], uint8_t out[static 64]) {
  uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}; /* "expand 32-byte k". */
  uint32_t v[16];
  memcpy(start + 4, key, 32);
  start[12] = counter;
  memcpy(start + 13, nonce, 12);
  memcpy(v, start, sizeof(v));
  for (unsigned round = 0; round < 20; round += 2) chacha20_double_round(v);
  for (unsigned i = 0; i < 16; i++) v[i] += start[i];
  memcpy(out, v, sizeof(v));
  string_wipe(start, sizeof(start));
  string_wipe(v, sizeof(v));
}

/* A key makes two blocks and is gone, so that the nonce never has to change. */
static const uint8_t random_nonce[12] = {0};

static void random_refill(struct random *r) {
  uint8_t block[64];
  chacha20_block(r->key, 0, random_nonce, block);
  chacha20_block(r->key, 1, random_nonce, r->buffer);
  memcpy(r->key, block, sizeof(r->key));
  string_wipe(block, sizeof(block));
  r->used = 0;
}

void random_init(struct random *r, const uint8_t seed[static 32]) {
  memcpy(r->key, seed, sizeof(r->key));
  random_refill(r);
}

void random_bytes(struct random *r, void *out, size_t n) {
  uint8_t *to = out;
  while (n > 0) {
    if (r->used == sizeof(r->buffer)) random_refill(r);
    size_t take = sizeof(r->buffer) - r->used;
    if (take > n) take = n;
    memcpy(to, r->buffer + r->used, take);
    string_wipe(r->buffer + r->used, take);
    r->used += (uint32_t)take;
    to += take;
    n -= take;
  }
}

uint64_t random_u64(struct random *r) {
  uint64_t x;
  random_bytes(r, &x, sizeof(x));
  return x;
}

/*
 * 2^64 is no multiple of most bounds; the first 2^64 % bound values would come once too often and are drawn again.
 * -bound % bound is 2^64 % bound in 64-bit arithmetic.  Less than half of all values are refused, whatever the bound.
 */
uint64_t random_below(struct random *r, uint64_t bound) {
  ASSERT(bound != 0);
  uint64_t refused = -bound % bound;
  uint64_t x;
  do {
    x = random_u64(r);
  } while (x < refused);
  return x % bound;
}

void random_derive(struct random *r, const char *label, uint8_t seed[static 32]) {
  uint8_t secret[32];
  struct blake2s b;
  random_bytes(r, secret, sizeof(secret));
  blake2s_init(&b, 32, secret, sizeof(secret));
  blake2s_update(&b, label, strlen(label));
  blake2s_final(&b, seed);
  string_wipe(secret, sizeof(secret));
}
