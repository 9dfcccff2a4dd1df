/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/pmm_build.c — from a canonical map to an instance.
 *
 * All managed memory is born free (tier_init), then what boot has used is taken out of it with the same verbs as ever.  RAM
 * that is never handed out gets its owner's byte here and keeps it.  Cost: 40 bytes for each whole GiB of free memory, 4 for
 * each 2 MiB of what is left, and the bytes of what is not free.
 */
#include "base/bits.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/phys/engine/door.h"
#include "mm/phys/instance.h"

#define LINE UINT64_C(64)

static uint64_t region_first(const struct boot_region *r) { return r->start / FRAME_SIZE; }
static uint64_t region_last_end(const struct boot_region *r) { return r->end / FRAME_SIZE; }
static uint64_t region_frames(const struct boot_region *r) { return (r->end - r->start) / FRAME_SIZE; }
/* Slots of an instance: one a CPU, as far as entries can name them. */
static uint32_t slots_wanted(void) { return (uint32_t)bits_min(platform_slot_count(), SLOT_MAX); }

uint64_t pmm_metadata_size(const struct boot_region *regions, size_t count) {
  const struct engine *e = engine_chosen();
  if (e) return bits_align_up(sizeof(struct pmm), LINE) + e->size(regions, count);
  return bits_align_up(sizeof(struct pmm), LINE) + slots_wanted() * sizeof(struct slot) + tier_size(regions, count);
}

bool pmm_next_record_range(const struct boot_region *regions, size_t count, size_t *cursor, uint64_t *start, uint64_t *end) {
  size_t i = *cursor;
  while (i < count && !memmap_kind_is_ram(regions[i].kind)) i++;
  *cursor = i;
  if (i == count) return false;
  *start = region_first(&regions[i]);
  do *end = region_last_end(&regions[i++]);
  while (i < count && memmap_kind_is_ram(regions[i].kind) && region_first(&regions[i]) == *end);
  *cursor = i;
  return true;
}

/* The first region, by number, that ends above a frame; they are in order of address. */
static size_t region_above(const struct boot_region *regions, size_t count, uint64_t frame) {
  size_t low = 0;
  while (low < count) {
    const size_t middle = low + (count - low) / 2;
    if (region_last_end(&regions[middle]) <= frame)
      low = middle + 1;
    else
      count = middle;
  }
  return low;
}

/* Frames of [start, end) that lie in general memory. */
static uint64_t general_frames(const struct boot_region *regions, size_t count, uint64_t start, uint64_t end) {
  uint64_t frames = 0;
  for (size_t i = region_above(regions, count, start); i < count && region_first(&regions[i]) < end; i++) {
    if (!memmap_kind_is_general(regions[i].kind)) continue;
    uint64_t from = bits_max(region_first(&regions[i]), start), to = bits_min(region_last_end(&regions[i]), end);
    frames += from < to ? to - from : 0;
  }
  return frames;
}

/* Lies each taken range in general memory, and does none touch another? */
static status_t judge_taken(const struct boot_region *regions, size_t count, const struct pmm_taken *taken,
                            size_t taken_count) {
  for (size_t i = 0; i < taken_count; i++) {
    const struct pmm_taken *a = &taken[i];
    if (a->start >= a->end || !frame_owner_is_ours(a->owner)) return ERR_INVALID;
    if (general_frames(regions, count, a->start, a->end) != a->end - a->start) return ERR_OVERLAP;
    for (size_t j = 0; j < i; j++) {
      if (a->start < taken[j].end && taken[j].start < a->end) return ERR_OVERLAP;
    }
  }
  return OK;
}

/* Who has the frames of a kept region. */
static enum frame_owner owner_of_kind(uint32_t kind) {
  switch (kind) {
  case BOOT_MEMORY_HANDOFF:
    return FRAME_OWNER_HANDOFF;
  case BOOT_MEMORY_BOOT_STACK:
    return FRAME_OWNER_STACKS;
  case BOOT_MEMORY_PAGE_TABLES:
    return FRAME_OWNER_PAGE_TABLES;
  case BOOT_MEMORY_KERNEL:
    return FRAME_OWNER_KERNEL_IMAGE;
  case BOOT_MEMORY_TRAMPOLINE:
    return FRAME_OWNER_TRAMPOLINE;
  case BOOT_MEMORY_ACPI_RECLAIM:
  case BOOT_MEMORY_ACPI_NVS:
    return FRAME_OWNER_ACPI;
  case BOOT_MEMORY_UNACCEPTED:
    return FRAME_OWNER_UNACCEPTED;
  case BOOT_MEMORY_UNUSABLE:
    return FRAME_OWNER_BAD;
  case BOOT_MEMORY_RUNTIME_DATA:
  case BOOT_MEMORY_RUNTIME_CODE:
    return FRAME_OWNER_FIRMWARE;
  default:
    return FRAME_OWNER_LOW;
  }
}

/* Who has the frames of a region.  Where none is managed nothing is ever given back, so what the loader had there is LOW. */
static enum frame_owner owner_of_region(const struct boot_region *r) {
  enum frame_owner owner = owner_of_kind(r->kind);
  return owner >= FRAME_OWNER_FIRST_OURS && !tier_manages(r) ? FRAME_OWNER_LOW : owner;
}

/* Moves frames that the tiers have free to an owner. */
static void take_at_boot(struct pmm *p, uint64_t first, uint64_t frames, enum frame_owner owner) REQUIRES(p->lock) {
  if (p->engine) {
    engine_enter_taken(p, first, frames, owner);
    return;
  }
  tier_take(&p->tier, first, frames, frame_tail(owner));
  p->owned[FRAME_OWNER_FREE] -= frames;
  p->owned[owner] += frames;
}

/* Enters one region of RAM into bytes and counts; what is managed of it is free in the tiers already. */
static void enter_region(struct pmm *p, const struct boot_region *r) REQUIRES(p->lock) {
  uint64_t first = region_first(r), frames = region_frames(r);
  enum frame_owner owner = memmap_kind_is_general(r->kind) && tier_manages(r) ? FRAME_OWNER_FREE : owner_of_region(r);
  p->total_frames += frames;
  if (r->kind == BOOT_MEMORY_BOOT_SERVICES) p->reclaimed_boot_services += frames;
  if (r->kind == BOOT_MEMORY_LOADER) p->reclaimed_loader += frames;
  if (p->engine) {
    engine_enter(p, first, frames, owner);
    return;
  }
  if (!tier_manages(r)) {
    frame_fill(p->records.hot, first, frames, (uint8_t)owner);
    p->owned[owner] += frames;
    return;
  }
  p->owned[FRAME_OWNER_FREE] += frames;
  if (owner != FRAME_OWNER_FREE) take_at_boot(p, first, frames, owner);
}

/* Slots and tiers, with all that is managed free. */
static void open_tiers(struct pmm *p) REQUIRES(p->lock) {
  p->slots = (void *)((char *)p + bits_align_up(sizeof *p, LINE));
  p->slot_count = slots_wanted();
  for (uint32_t i = 0; i < p->slot_count; i++) slot_init(&p->slots[i]);
  tier_init(&p->tier, &p->slots[p->slot_count], p->records.hot, p->regions, p->region_count);
  p->tier.slots = p->slots;
}

status_t pmm_create(void *metadata, struct frame_records records, const struct boot_region *regions, size_t count,
                    const struct pmm_taken *taken, size_t taken_count, struct pmm **out) {
  size_t bad;
  if (memmap_check(regions, count, &bad) != OK) return ERR_CORRUPT;
  if (general_frames(regions, count, 0, UINT64_MAX) == 0) return ERR_NOT_FOUND;
  status_t status = judge_taken(regions, count, taken, taken_count);
  if (status != OK) return status;

  struct pmm *p = metadata;
  *p = (struct pmm){.regions = regions, .region_count = count, .records = records};
  p->metadata_bytes = pmm_metadata_size(regions, count);
  platform_lock_acquire(&p->lock);
  if (engine_chosen())
    engine_open(p, engine_chosen(), (char *)metadata + bits_align_up(sizeof *p, LINE));
  else
    open_tiers(p);
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(regions[i].kind)) enter_region(p, &regions[i]);
  }
  for (size_t i = 0; i < taken_count; i++) take_at_boot(p, taken[i].start, taken[i].end - taken[i].start, taken[i].owner);
  platform_lock_release(&p->lock);
  *out = p;
  return OK;
}
