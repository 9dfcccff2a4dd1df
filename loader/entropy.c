/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/entropy.c — mixes every source, checks each one's health, and says how many bits came together.
 *
 * WHAT   Firmware and CPUs with broken generators are in the field: RDRAND that returns all ones after a resume, RDSEED
 *        whose 32-bit form returns zeros, EFI_RNG that is never ready.  One source's fault must neither spoil the seed nor
 *        be reported as entropy.
 * HOW    All samples go into one BLAKE2s state, each with its source and length in front, so that no two inputs look the
 *        same.  Credit is counted beside it, and only for samples that pass:
 *          words   no half of a word all zeros or ones, or equal to the same half of its neighbour; no two words equal; no
 *                  three in arithmetic progression; ones and zeros balanced within 8 standard deviations.  A perfect
 *                  generator fails with a probability below 2^-26 for eight words.
 *          jitter  no value 21 times in a row (NIST SP 800-90B 4.4.1 for 1 bit a sample and 2^-20); no period up to 8 and no
 *                  constant slope in 7 of 8 samples; credit is the min-entropy of the commonest low byte of the differences
 *                  and of their differences (6.3.1 without the confidence term, capped at a bit a sample instead).
 * INVARIANTS  A source is never both healthy and rejected; a rejected one has no credit, whatever it gives later.
 * SOURCE NIST SP 800-90B; RFC 7693.
 */
#include "loader/entropy.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/bytes.h"
#include "lib/bitlog.h"
#include "lib/string.h"

#define JITTER_SAMPLES_MIN 32
#define JITTER_SAMPLES_MAX 255 /* More than these are mixed in but not looked at. */
#define JITTER_RUN_MAX     20
#define JITTER_PERIOD_MAX  8
#define JITTER_BITS_MAX    64
#define JITTER_PIECE       64 /* Samples hashed at a time. */
#define WORDS_LOOKED_AT    64

/* What a source may count for: bits of credit for each byte of samples; the jitter's is measured. */
static const uint8_t credit_per_byte[ENTROPY_SOURCES] = {8, 8, 4, 0, 0};

static uint64_t word_at(const void *samples, size_t index) {
  return bytes_load_u64((const uint8_t *)samples + index * sizeof(uint64_t));
}

static bool halves_are_sound(uint64_t w) {
  uint32_t low = (uint32_t)w;
  uint32_t high = (uint32_t)(w >> 32);
  return low != 0 && low != UINT32_MAX && high != 0 && high != UINT32_MAX;
}

static bool halves_differ(uint64_t a, uint64_t b) { return (uint32_t)(a ^ b) != 0 && (a ^ b) >> 32 != 0; }

/* The ones of n words have mean 32 n and variance 16 n. */
static bool ones_are_balanced(uint64_t ones, uint64_t n) {
  uint64_t off = ones > 32 * n ? ones - 32 * n : 32 * n - ones;
  return off * off <= UINT64_C(64) * 16 * n;
}

static bool words_are_healthy(const void *samples, size_t n, uint64_t last) {
  uint64_t ones = 0;
  if (n == 0) return false;
  if (n > WORDS_LOOKED_AT) n = WORDS_LOOKED_AT;
  for (size_t i = 0; i < n; i++) {
    uint64_t w = word_at(samples, i);
    uint64_t before = i == 0 ? last : word_at(samples, i - 1);
    if (!halves_are_sound(w) || !halves_differ(w, before)) return false;
    if (i >= 2 && w - before == before - word_at(samples, i - 2)) return false;
    for (size_t j = 0; j < i; j++) {
      if (word_at(samples, j) == w) return false;
    }
    ones += bits_count(w);
  }
  return ones_are_balanced(ones, n);
}

/* Differences that repeat with one of the short periods, or grow by the same amount each time. */
static bool jitter_has_a_pattern(const void *samples, size_t n) {
  size_t most = n - n / 8;
  size_t run = 1;
  size_t straight = 0;
  for (size_t i = 1; i < n; i++) {
    run = word_at(samples, i) == word_at(samples, i - 1) ? run + 1 : 1;
    if (run > JITTER_RUN_MAX) return true;
    if (i >= 2 && word_at(samples, i) - word_at(samples, i - 1) == word_at(samples, i - 1) - word_at(samples, i - 2)) {
      straight++;
    }
  }
  if (straight + 2 >= most) return true;
  for (size_t period = 2; period <= JITTER_PERIOD_MAX; period++) {
    size_t same = period;
    for (size_t i = period; i < n; i++) same += word_at(samples, i) == word_at(samples, i - period) ? 1 : 0;
    if (same >= most) return true;
  }
  return false;
}

/* How often the commonest low byte comes: of the samples (slope false) or of the steps between them. */
static unsigned commonest_byte(const void *samples, size_t n, bool is_slope) {
  uint8_t counts[256];
  unsigned most = 0;
  memset(counts, 0, sizeof(counts));
  for (size_t i = is_slope ? 1 : 0; i < n; i++) {
    uint64_t w = word_at(samples, i) - (is_slope ? word_at(samples, i - 1) : 0);
    unsigned count = ++counts[w & 0xff];
    if (count > most) most = count;
  }
  return most;
}

/* log2(n / most) in millibits, at most 1000: the min-entropy of a sample. */
static uint32_t millibits_of(unsigned most, size_t n) {
  uint32_t bits = bitlog_millibits(n) - bitlog_millibits(most);
  return bits > 1000 ? 1000 : bits;
}

static bool jitter_is_healthy(const void *samples, size_t n, uint32_t *credit) {
  if (n < JITTER_SAMPLES_MIN) return false;
  if (n > JITTER_SAMPLES_MAX) n = JITTER_SAMPLES_MAX;
  if (jitter_has_a_pattern(samples, n)) return false;
  uint32_t values = millibits_of(commonest_byte(samples, n, false), n);
  uint32_t slopes = millibits_of(commonest_byte(samples, n, true), n - 1);
  *credit = (uint32_t)(n * (values < slopes ? values : slopes) / 1000);
  return *credit != 0;
}

static void mix(struct entropy *e, uint32_t source, const void *samples, size_t n) {
  uint64_t head[2] = {source, n};
  blake2s_update(&e->pool, head, sizeof(head));
  blake2s_update(&e->pool, samples, n);
}

/* Of a difference only the low 16 bits ever vary: hashing the other 48 would be most of the work of a boot's hashing. */
static void mix_jitter(struct entropy *e, const void *samples, size_t n) {
  uint16_t low[JITTER_PIECE];
  for (size_t at = 0; at < n; at += JITTER_PIECE) {
    size_t count = bits_min(n - at, JITTER_PIECE);
    for (size_t i = 0; i < count; i++) low[i] = (uint16_t)word_at(samples, at + i);
    mix(e, BOOT_ENTROPY_JITTER, low, count * sizeof(low[0]));
  }
  string_wipe(low, sizeof(low));
}

void entropy_init(struct entropy *e) {
  static const char label[] = "cairn: entropy of a boot";
  memset(e, 0, sizeof(*e));
  blake2s_init(&e->pool, 32, nullptr, 0);
  blake2s_update(&e->pool, label, sizeof(label));
}

void entropy_reject(struct entropy *e, uint32_t source) {
  ASSERT(bits_is_power_of_two(source) && bits_lowest(source) < ENTROPY_SOURCES);
  e->rejected |= source;
  e->sources &= ~source;
  e->bits[bits_lowest(source)] = 0;
}

status_t entropy_add(struct entropy *e, uint32_t source, const void *samples, size_t n) {
  const uint32_t known = BOOT_ENTROPY_EFI_RNG | BOOT_ENTROPY_RDSEED | BOOT_ENTROPY_RDRAND | BOOT_ENTROPY_JITTER;
  if (!bits_is_power_of_two(source) || (source & known) == 0) return ERR_INVALID;
  if (source != BOOT_ENTROPY_EFI_RNG && n % sizeof(uint64_t) != 0) return ERR_INVALID;
  unsigned index = bits_lowest(source);
  size_t words = n / sizeof(uint64_t);
  bool is_jitter = source == BOOT_ENTROPY_JITTER;
  uint32_t credit = (uint32_t)bits_min(n, ENTROPY_BITS_MAX) * credit_per_byte[index];
  bool is_healthy =
      is_jitter ? jitter_is_healthy(samples, words, &credit) : words_are_healthy(samples, words, e->last[index]);
  if (is_jitter) mix_jitter(e, samples, words);
  if (!is_jitter) mix(e, source, samples, n);
  if (words != 0) e->last[index] = word_at(samples, words - 1);
  if (!is_healthy) entropy_reject(e, source);
  if ((e->rejected & source) != 0) return ERR_CORRUPT;
  e->sources |= source;
  e->bits[index] = (uint32_t)bits_min(e->bits[index] + credit, is_jitter ? JITTER_BITS_MAX : ENTROPY_BITS_MAX);
  return OK;
}

/*
 * The digest need not be hard to forge, only differ where the maps differ: rotating, adding a word in and multiplying by an
 * odd number is one-to-one for each word, and costs five instructions for eight bytes.
 */
void entropy_add_memory_map(struct entropy *e, const void *map, size_t n) {
  const uint64_t odd = UINT64_C(0x9e3779b97f4a7c15); /* 2^64 over the golden ratio. */
  const size_t words = n / sizeof(uint64_t);
  uint64_t digest[2] = {n, 0};
  uint64_t h = n;
  for (size_t i = 0; i < words; i++) h = (bits_rotl(h, 29) ^ word_at(map, i)) * odd;
  digest[0] = h;
  if (n % sizeof(uint64_t) != 0) {
    memcpy(&digest[1], (const uint8_t *)map + words * sizeof(uint64_t), n % sizeof(uint64_t));
  }
  mix(e, BOOT_ENTROPY_MEMORY_MAP, digest, sizeof(digest));
  e->sources |= BOOT_ENTROPY_MEMORY_MAP;
}

uint32_t entropy_bits(const struct entropy *e) {
  uint64_t sum = 0;
  for (size_t i = 0; i < ENTROPY_SOURCES; i++) sum += e->bits[i];
  return (uint32_t)bits_min(sum, ENTROPY_BITS_MAX);
}

void entropy_finish(struct entropy *e, struct random *r) {
  uint8_t seed[32];
  blake2s_final(&e->pool, seed);
  random_init(r, seed);
  string_wipe(seed, sizeof(seed));
  string_wipe(e->last, sizeof(e->last));
}
