/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fuzz/memmap_fuzz.c — no memory map makes lib/memmap.c misbehave, and what it makes is what the map says.
 *
 * INPUT  One byte for the stride, one for the number of claims, claims of four bytes, then the firmware's bytes as they are.
 * CHECKS The buffers have exactly the sizes asked for, so the sanitizer sees the first byte too far.  The list is canonical;
 *        every descriptor's first and last frame lies in a region at least as restrictive as the descriptor; every region
 *        begins and ends where something begins or ends.  Small maps go on through the allocator, to the last frame.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sweep.h"

#define REQUIRE(e)     ((e) ? (void)0 : fail_requirement(#e, __LINE__))
#define SWEPT_FRAMES   512
#define SWEPT_METADATA (16 * KIB)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_requirement(const char *what, int line) {
  fprintf(stderr, "memmap_fuzz.c:%d: %s does not hold\n", line, what);
  abort();
}

static const struct boot_region *region_at(const struct canon *c, uint64_t address) {
  for (size_t i = 0; i < c->count; i++) {
    if (c->regions[i].start <= address && address < c->regions[i].end) return &c->regions[i];
  }
  return NULL;
}

static void check_descriptor(const struct canon *c, const struct memmap_descriptor *d, bool has_claims) {
  bool is_whole = d->physical_start % FRAME_SIZE == 0 && d->pages > 0 && d->physical_start < MEMMAP_ADDRESS_END &&
                  d->pages <= (MEMMAP_ADDRESS_END - d->physical_start) / FRAME_SIZE;
  if (!is_whole) return;
  const struct boot_region *first = region_at(c, d->physical_start);
  const struct boot_region *last = region_at(c, d->physical_start + (d->pages - 1) * FRAME_SIZE);
  REQUIRE(first && last);
  if (has_claims) return;
  REQUIRE(first->kind >= (uint32_t)memmap_kind_of_type(d->type));
  REQUIRE(last->kind >= (uint32_t)memmap_kind_of_type(d->type));
}

static void check_memory(const struct canon *c) {
  uint64_t general = 0;
  for (size_t i = 0; i < c->count; i++) {
    if (memmap_kind_is_ram(c->regions[i].kind)) general += (c->regions[i].end - c->regions[i].start) / FRAME_SIZE;
  }
  if (general > SWEPT_FRAMES || pmm_metadata_size(c->regions, c->count) > SWEPT_METADATA) return;
  struct hosted h = hosted_create(c->regions, c->count, NULL, 0);
  if (h.pmm) {
    struct sweep_result r = sweep_map(&h, &sweep_quick);
    if (!r.is_sound) fprintf(stderr, "%s\n", r.wrong);
    REQUIRE(r.is_sound && r.swept == r.general);
  }
  hosted_destroy(&h);
}

static size_t read_claims(const uint8_t **data, size_t *size, size_t wanted, struct memmap_claim *claims) {
  size_t n = 0;
  for (; n < wanted && *size >= 4; n++, *data += 4, *size -= 4) {
    const uint8_t *b = *data;
    uint64_t start = ((uint64_t)b[0] << 16) + ((uint64_t)b[1] << 12);
    claims[n] = (struct memmap_claim){start, start + FRAME_SIZE * b[2], BOOT_MEMORY_HANDOFF + b[3] % 8U, 0};
  }
  return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  struct map m = {.stride = 40 + 8 * (data[0] % 4U), .name = "fuzz"};
  struct memmap_claim claims[4];
  size_t wanted = data[1] % 8U > 4 ? data[1] % 8U - 4 : 0, bad;
  data += 2;
  size -= 2;
  size_t claim_count = read_claims(&data, &size, wanted, claims);
  m.count = size / m.stride;
  m.size = m.count * m.stride;
  m.bytes = malloc(m.size + 1);
  memcpy(m.bytes, data, m.size);
  struct canon c = canon_of(&m, claims, claim_count);
  if (c.status == OK || c.status == ERR_NOT_FOUND) {
    REQUIRE(memmap_check(c.regions, c.count, &bad) == OK);
    REQUIRE(c.report.descriptors == m.count && c.report.overlapping <= m.count);
    for (size_t i = 0; i < m.count; i++) {
      struct memmap_descriptor d = map_get(&m, i);
      check_descriptor(&c, &d, claim_count > 0);
    }
    check_memory(&c);
  } else {
    REQUIRE(c.status == ERR_INVALID && claim_count > 0);
  }
  canon_free(&c);
  map_free(&m);
  return 0;
}
