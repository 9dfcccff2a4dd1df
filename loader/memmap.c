/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/memmap.c — the firmware's map and the way out of boot services.
 *
 * HOW    take the map -> make everything from it (regions, page tables, handoff) -> ExitBootServices with its key
 *            ^------------------------- the key is stale: again -----------------------'
 *        Everything is made before the call and from exactly the map that the call confirms, so nothing is left to do,
 *        or to fail, once the firmware is gone; until the first call even "not enough memory" can still be said on the
 *        screen.
 * WHY NOT  make it afterwards: there is no memory to be had then, and nobody to tell.
 * SOURCE UEFI 2.10: 7.4.6 (ExitBootServices), 7.2.3 (GetMemoryMap).
 */
#include "loader/memmap.h"

#include "base/units.h"
#include "efi/runtime.h"
#include "lib/string.h"
#include "loader/console.h"

#define MEMMAP_ROUNDS      (2 * MEMMAP_EXIT_TRIES) /* Each round either calls ExitBootServices or has allocated something. */
#define MEMMAP_SLACK       64                      /* Descriptors. */
#define DESCRIPTOR_TYPE_IO 11                      /* EfiMemoryMappedIO. */

/* Most machines have 60 to 200 descriptors; one with more gets buffers from the pool. */
#define OWN_DESCRIPTORS    300
#define OWN_STRIDE         48 /* Of a descriptor in the map. */
#define OWN_SCRATCH_STRIDE 48 /* Of a descriptor in the canonicaliser; memmap_reserve knows whether it is enough. */

static uint64_t own_map[(OWN_DESCRIPTORS * OWN_STRIDE + EFI_MEMORY_MAP_SPARE) / sizeof(uint64_t)];
static uint64_t own_scratch[OWN_SCRATCH_STRIDE / sizeof(uint64_t) * OWN_DESCRIPTORS];

void memmap_init(struct memmap *m) {
  *m = (struct memmap){.raw = {.descriptors = own_map, .capacity = sizeof own_map},
                       .scratch = own_scratch,
                       .scratch_size = sizeof own_scratch};
}

status_t memmap_capture(struct memmap *m) { return efi_memory_get_map(&m->raw); }

static size_t descriptor_count(const struct memmap *m) { return m->raw.size / m->raw.stride + MEMMAP_HOLE_COUNT; }

size_t memmap_capacity(const struct memmap *m, size_t claim_count) {
  return memmap_regions_max(descriptor_count(m), claim_count);
}

status_t memmap_reserve(struct memmap *m, size_t claim_count, bool *has_allocated) {
  void *larger = NULL;
  if (memmap_scratch_size(descriptor_count(m), claim_count) <= m->scratch_size) return OK;
  size_t size = memmap_scratch_size(descriptor_count(m) + MEMMAP_SLACK, claim_count);
  status_t s = efi_memory_alloc_pool(size, &larger);
  if (s != OK) return s;
  if (m->scratch_is_from_pool) efi_memory_free_pool(m->scratch);
  m->scratch_is_from_pool = true;
  m->scratch = larger;
  m->scratch_size = size;
  *has_allocated = true;
  return OK;
}

/* Appends a hole, in the spare room that efi_memory_get_map keeps; returns the bytes of the map with it. */
static size_t append_hole(struct memmap *m, size_t size, struct memmap_hole h) {
  struct memmap_descriptor hole = {
      .type = DESCRIPTOR_TYPE_IO,
      .physical_start = h.start & ~(FRAME_SIZE - 1),
      .pages = (h.end - (h.start & ~(FRAME_SIZE - 1)) + FRAME_SIZE - 1) / FRAME_SIZE,
  };
  memcpy((uint8_t *)m->raw.descriptors + size, &hole, sizeof hole);
  return size + m->raw.stride;
}

/* Which holes, one bit each, share a byte with some descriptor of a RAM kind that the kernel may use. */
static uint32_t holes_in_ram(const struct memmap *m) {
  uint32_t found = 0;
  for (size_t at = 0; at < m->raw.size; at += m->raw.stride) {
    const struct memmap_descriptor *d = (const void *)((const uint8_t *)m->raw.descriptors + at);
    uint64_t start = d->physical_start;
    uint32_t shared = 0;
    if (start >= MEMMAP_ADDRESS_END || d->pages == 0) continue;
    if (d->pages > (MEMMAP_ADDRESS_END - start) / FRAME_SIZE) continue; /* Wraps: it will be dropped. */
    for (unsigned i = 0; i < MEMMAP_HOLE_COUNT; i++) {
      if (start < m->holes[i].end && start + d->pages * FRAME_SIZE > m->holes[i].start) shared |= 1U << i;
    }
    if (shared != 0 && memmap_kind_in_direct_map((uint32_t)memmap_kind_of_type(d->type))) found |= shared;
  }
  return found;
}

status_t memmap_build(struct memmap *m, const struct memmap_claim *claims, size_t claim_count, struct boot_region *regions,
                      size_t capacity, size_t *region_count) {
  size_t size = m->raw.size;
  uint32_t holes = holes_in_ram(m);
  for (unsigned i = 0; i < MEMMAP_HOLE_COUNT; i++) {
    struct memmap_hole h = m->holes[i];
    if (h.start < h.end && (holes >> i & 1) != 0) size = append_hole(m, size, h);
  }
  return memmap_canonicalise(m->raw.descriptors, size, m->raw.stride, claims, claim_count, regions, capacity, m->scratch,
                             region_count, &m->report);
}

status_t memmap_leave(struct memmap *m, memmap_prepare_t prepare, void *context, uint32_t *tries) {
  *tries = 0;
  for (unsigned round = 0; round < MEMMAP_ROUNDS && *tries < MEMMAP_EXIT_TRIES; round++) {
    bool is_stale = false;
    status_t s = memmap_capture(m);
    if (s == OK) s = prepare(context, &is_stale);
    if (s != OK) return s;
    if (is_stale) continue;
    ++*tries;
    if (efi_runtime_exit_boot_services(m->raw.key) == OK) return OK;
    console_leave_firmware();
  }
  return ERR_TIMEOUT;
}
