/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/entropy.h — collects unpredictable bytes, trusts none of the sources alone, and says how much came together.
 *
 * The caller takes the samples (instructions in loader/x86_64, EFI_RNG in efi/) and adds them here.  Everything is mixed
 * with BLAKE2s; only what passes its health check is credited.
 *   source       samples                                         credit
 *   EFI_RNG      bytes, best 32                                  8 bits a byte, at most 256
 *   RDSEED       64-bit words, best 4                            64 bits a word, at most 256
 *   RDRAND       64-bit words, best 8                            32 bits a word, at most 256
 *   JITTER       64-bit TSC differences, best 64, at least 32    as measured, at most 1 bit each and 64 together
 *   MEMORY_MAP   the firmware's map                              none: it differs between machines, not between boots
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "boot/handoff.h"
#include "lib/random.h"

#define ENTROPY_SOURCES      5
#define ENTROPY_BITS_MAX     256
#define ENTROPY_EFI_RNG_BEST 32 /* Bytes. */
#define ENTROPY_RDSEED_BEST  4  /* Words. */
#define ENTROPY_RDRAND_BEST  8
#define ENTROPY_JITTER_BEST  64

struct entropy {
  struct blake2s pool;
  uint32_t sources;  /* BOOT_ENTROPY_*: mixed in and healthy. */
  uint32_t rejected; /* BOOT_ENTROPY_*: present but unhealthy; a source is never in both. */
  uint32_t bits[ENTROPY_SOURCES];
  uint32_t reserved;
  uint64_t last[ENTROPY_SOURCES]; /* Last word each source gave. */
};

void entropy_init(struct entropy *e);

/**
 * Adds samples of one source (one bit of BOOT_ENTROPY_*, not MEMORY_MAP).  Word sources take whole 64-bit words.  May be
 * called several times for a source, but the checks see more in one large call.  Unhealthy samples are mixed in too (that
 * does no harm) but take away all credit of their source, for good.
 * Returns OK, ERR_CORRUPT (unhealthy: too few, all zeros or ones, repeats, a counter, biased), ERR_INVALID (no such source,
 * n not a multiple of 8 for a word source; nothing has changed).
 */
status_t entropy_add(struct entropy *e, uint32_t source, const void *samples, size_t n);

/** Records that a source is there but did not deliver: NOT_READY for too long, RDRAND's carry flag never set. */
void entropy_reject(struct entropy *e, uint32_t source);

/** Mixes in the firmware's memory map (a fast 64-bit digest of it, 1 to 2 instructions a byte); credits nothing. */
void entropy_add_memory_map(struct entropy *e, const void *map, size_t n);

/** Bits credited so far, all sources together, at most ENTROPY_BITS_MAX. */
uint32_t entropy_bits(const struct entropy *e);

/**
 * Makes the generator everything is drawn from, and wipes the pool.  sources, rejected and entropy_bits() stay readable.
 * Draw the kernel's own seed from it with random_derive(r, "kernel", ...), and string_wipe the generator before the jump.
 */
void entropy_finish(struct entropy *e, struct random *r);
