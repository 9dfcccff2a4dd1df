/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/pmm.c — hands out physical frames, takes them back.
 *
 * WHAT   The one door to RAM after boot.  Callers say how many frames, where they may lie and who pays; they never learn
 *        how frames are found.  Finding is tier.c's work and judging is frame.c's; this file keeps their promises together
 *        with the ledger's counts.
 * HOW    Every operation has three parts: it decodes its arguments, judges every frame it would touch, and only then
 *        commits: tiers, records and counts change together, under one lock, and nothing in there can fail.
 *
 *             caller ──► decode ──► judge (frame.c: records)  ──► commit ──► tiers   (tier.c)
 *                          │         │      or find (tier.c)                 records (frame.c)
 *                          ▼         ▼                                       counts  (read by ledger.c)
 *                     ERR_INVALID   ERR_RANGE, ERR_STATE, ERR_OWNER, ERR_NO_MEMORY: nothing has changed
 *
 *        A refused step is a bug of the caller or worse, so it is logged, once, with frame, state and owner.
 * LOCKING  p->lock guards tiers, records and counts, and is never held while something is logged or visited.
 * INVARIANTS
 *   INV-3   a frame's bit is set exactly when its record says FREE.
 *   INV-6   owned[o] is the number of frames whose owner is o; owned[FREE] are the free ones.
 *   INV-12  a frame handed out was FREE, in bit and record, and is ALLOCATED before the caller sees it.
 * WHY NOT  a lock for each tier or none at all: the next floor of this house is a cache for each CPU in front of the tiers.
 *        Until it stands, one lock is what can be read and believed.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/phys/instance.h"
#include "mm/phys/trace_instance.h"

#define LINE UINT64_C(64)

static uint64_t region_first(const struct boot_region *r) { return r->start / FRAME_SIZE; }
static uint64_t region_last_end(const struct boot_region *r) { return r->end / FRAME_SIZE; }
static uint64_t region_frames(const struct boot_region *r) { return (r->end - r->start) / FRAME_SIZE; }

/* --- refusals ------------------------------------------------------------------------------------------------------- */

/* A step that was refused, with what its frame was at that moment; logged when the lock is free again. */
struct refusal {
  status_t status;
  enum frame_step step;
  uint64_t frame;
  enum frame_state state;
  enum frame_owner owner;   /* Who has it. */
  enum frame_owner claimed; /* Who the caller says has it. */
};

static status_t report(const struct refusal *r) {
  if (r->status == OK || r->status == ERR_INVALID) return r->status;
  bool has_claim = r->step == FRAME_STEP_FREE || r->step == FRAME_STEP_GIVE || r->step == FRAME_STEP_CONDEMN;
  platform_log("pmm", "refused to %s frame %#llx%s%s: it is %s, owner %s (%s)", frame_step_verb(r->step),
               (unsigned long long)r->frame, has_claim ? " for " : "", has_claim ? frame_owner_name(r->claimed) : "",
               frame_state_name(r->state), frame_owner_name(r->owner), status_name(r->status));
  return r->status;
}

static bool owner_is_ours(enum frame_owner owner) { return owner >= FRAME_OWNER_FIRST_OURS && owner < FRAME_OWNER_COUNT; }

/* Regions that end at or below a frame: the place of the one that holds it, if any does. */
static size_t regions_below(const struct pmm *p, uint64_t frame) {
  size_t low = 0, high = p->region_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (region_last_end(&p->regions[middle]) <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* The first frame at or above `first` that is no RAM and has no record, or `end` when that comes first. */
static uint64_t ram_end(const struct pmm *p, uint64_t first, uint64_t end) {
  for (size_t i = regions_below(p, first); i < p->region_count && first < end; i++) {
    if (region_first(&p->regions[i]) > first || !memmap_kind_is_ram(p->regions[i].kind)) break;
    first = region_last_end(&p->regions[i]);
  }
  return bits_min(first, end);
}

/* May all these frames take the step?  OK, or the refusal of the first that may not. */
static struct refusal judge(const struct pmm *p, enum frame_step step, enum frame_owner owner, uint64_t first,
                            uint64_t count) REQUIRES(p->lock) {
  struct refusal r = {.step = step, .claimed = owner};
  uint64_t end;
  if (count == 0 || !bits_add(first, count, &end)) {
    r.status = ERR_INVALID;
    return r;
  }
  uint64_t with_record = ram_end(p, first, end);
  r.status = frame_judge(p->records.hot, first, with_record - first, step, owner, &r.frame);
  if (r.status != OK) {
    struct frame_said said = pmm_frame_said(p, r.frame);
    r.state = said.state;
    r.owner = said.owner;
  } else if (with_record < end) {
    r = (struct refusal){ERR_RANGE, step, with_record, FRAME_ABSENT, FRAME_OWNER_NONE, owner};
  }
  return r;
}

/* --- commits: nothing here can fail --------------------------------------------------------------------------------- */

static void move_count(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t count) REQUIRES(p->lock) {
  p->owned[from] -= count;
  p->owned[to] += count;
}

/* Free frames become somebody's.  That the records agree with the bits is asked once more: INV-12 is worth it. */
static void commit_take(struct pmm *p, enum frame_step step, uint8_t after, uint64_t first, uint64_t count)
    REQUIRES(p->lock) {
  enum frame_owner owner = (enum frame_owner)(after & FRAME_OWNER_MASK);
  uint64_t bad = first;
  if (frame_judge(p->records.hot, first, count, step, owner, &bad) != OK) {
    platform_panic("INV-3: frame %#llx has a free bit and a byte that says %s", (unsigned long long)bad,
                   frame_state_name(pmm_frame_said(p, bad).state));
  }
  tier_take(&p->tier, first, count);
  frame_commit(p->records.hot, first, count, step, after);
  move_count(p, FRAME_OWNER_FREE, owner, count);
}

static void commit_put(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count) REQUIRES(p->lock) {
  tier_put(&p->tier, first, count);
  frame_commit(p->records.hot, first, count, FRAME_STEP_FREE, FRAME_OWNER_FREE);
  move_count(p, owner, FRAME_OWNER_FREE, count);
}

/* Ends an allocation that has found its run, or has not. */
static status_t finish_alloc(struct pmm *p, bool found, uint8_t after, uint64_t first, uint64_t count) REQUIRES(p->lock) {
  if (!found) {
    p->failures++;
    return ERR_NO_MEMORY;
  }
  commit_take(p, FRAME_STEP_ALLOC, after, first, count);
  p->allocations++;
  return OK;
}

/* --- the door ------------------------------------------------------------------------------------------------------- */

/* The byte of frames of that owner; false when owner or flags make no sense. */
static bool byte_for(enum frame_owner owner, uint32_t flags, uint8_t *byte) {
  uint32_t bits = PMM_BELOW_BITS(flags);
  if (!owner_is_ours(owner) || (flags & ~(PMM_MOVABLE | PMM_BELOW(0xff))) != 0) return false;
  if (bits != 0 && (bits <= FRAME_SHIFT || bits > 64)) return false;
  *byte = (uint8_t)(owner | (flags & PMM_MOVABLE ? FRAME_MOVABLE : 0));
  return true;
}

status_t pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out) {
  uint8_t byte;
  if (PMM_BELOW_BITS(flags) != 0) return pmm_alloc_run(p, owner, flags, 1, NULL, out);
  if (!byte_for(owner, flags, &byte)) return ERR_INVALID;
  uint64_t frame = 0;
  platform_lock_acquire(&p->lock);
  bool found = tier_find_frame(&p->tier, &frame);
  status_t status = finish_alloc(p, found, byte, frame, 1);
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_frame(p, owner, flags, status, frame);
  if (status == OK) *out = pfn(frame);
  return status;
}

static bool limits_are_valid(uint64_t count, const struct frame_limits *w) {
  return count > 0 && w->min < w->max && (w->align == 0 || bits_is_power_of_two(w->align)) &&
         (w->boundary == 0 || (bits_is_power_of_two(w->boundary) && count <= w->boundary));
}

/* Frames, 2 MiB and 1 GiB that may lie anywhere have a way of their own: one step, and whole groups are spared. */
static bool find(const struct tier *t, uint64_t count, const struct frame_limits *w, uint64_t *first) {
  bool is_limited = w->min != 0 || w->max != UINT64_MAX; /* What is aligned to its own size crosses no boundary. */
  if (!is_limited && count == 1 && w->align <= 1) return tier_find_frame(t, first);
  if (!is_limited && count == FRAMES_PER_2M && w->align == count) return tier_find_block(t, first);
  if (!is_limited && count == FRAMES_PER_1G && w->align == count) return tier_find_gig(t, first);
  return tier_find_run(t, count, w, first);
}

status_t pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                       const struct frame_limits *where, pfn_t *first) {
  struct frame_limits within = where ? *where : (struct frame_limits){0};
  uint32_t bits = PMM_BELOW_BITS(flags);
  uint8_t byte;
  if (!byte_for(owner, flags, &byte)) return ERR_INVALID;
  if (within.max == 0) within.max = UINT64_MAX;
  if (bits != 0 && bits < 64) within.max = bits_min(within.max, UINT64_C(1) << (bits - FRAME_SHIFT));
  if (!limits_are_valid(count, &within)) return ERR_INVALID;
  uint64_t start = 0;
  platform_lock_acquire(&p->lock);
  bool found = find(&p->tier, count, &within, &start);
  status_t status = finish_alloc(p, found, byte, start, count);
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_run(p, owner, flags, count, where, status, start);
  if (status == OK) *first = pfn(start);
  return status;
}

status_t pmm_free_run(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count) {
  platform_lock_acquire(&p->lock);
  struct refusal refusal = judge(p, FRAME_STEP_FREE, owner, first.raw, count);
  if (refusal.status == OK) {
    commit_put(p, owner, first.raw, count);
    p->frees++;
  }
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_free(p, owner, first.raw, count, refusal.status);
  return report(&refusal);
}

status_t pmm_free_frame(struct pmm *p, enum frame_owner owner, pfn_t frame) { return pmm_free_run(p, owner, frame, 1); }

status_t pmm_give_run(struct pmm *p, enum frame_owner from, enum frame_owner to, pfn_t first, uint64_t count) {
  if (!owner_is_ours(to)) return ERR_INVALID;
  platform_lock_acquire(&p->lock);
  struct refusal refusal = judge(p, FRAME_STEP_GIVE, from, first.raw, count);
  if (refusal.status == OK) {
    frame_commit(p->records.hot, first.raw, count, FRAME_STEP_GIVE, (uint8_t)to);
    move_count(p, from, to, count);
  }
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_give(p, from, to, first.raw, count, refusal.status);
  return report(&refusal);
}

status_t pmm_mark_bad(struct pmm *p, pfn_t frame) {
  platform_lock_acquire(&p->lock);
  struct refusal refusal = judge(p, FRAME_STEP_RETIRE, FRAME_OWNER_BAD, frame.raw, 1);
  if (refusal.status == OK) commit_take(p, FRAME_STEP_RETIRE, FRAME_OWNER_BAD, frame.raw, 1);
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_retire(p, frame.raw, refusal.status);
  return report(&refusal);
}

/* The trace knows it as what it amounts to, nobody being in between: freed, and marked bad. */
status_t pmm_retire_frame(struct pmm *p, enum frame_owner owner, pfn_t frame) {
  platform_lock_acquire(&p->lock);
  struct refusal refusal = judge(p, FRAME_STEP_CONDEMN, owner, frame.raw, 1);
  if (refusal.status == OK) {
    frame_commit(p->records.hot, frame.raw, 1, FRAME_STEP_CONDEMN, FRAME_OWNER_BAD);
    move_count(p, owner, FRAME_OWNER_BAD, 1);
  }
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_free(p, owner, frame.raw, 1, refusal.status);
  if (UNLIKELY(p->trace) && refusal.status == OK) trace_retire(p, frame.raw, OK);
  return report(&refusal);
}

/* --- building ------------------------------------------------------------------------------------------------------- */

uint64_t pmm_metadata_size(const struct boot_region *regions, size_t count) {
  return bits_align_up(sizeof(struct pmm), LINE) + tier_size(regions, count);
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

/* Frames of [start, end) that lie in general memory. */
static uint64_t general_frames(const struct boot_region *regions, size_t count, uint64_t start, uint64_t end) {
  uint64_t frames = 0;
  for (size_t i = 0; i < count; i++) {
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
    if (a->start >= a->end || !owner_is_ours(a->owner)) return ERR_INVALID;
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

/* Enters one region of RAM into tiers, records and counts. */
static void enter_region(struct pmm *p, const struct boot_region *r) REQUIRES(p->lock) {
  uint64_t first = region_first(r), frames = region_frames(r);
  p->total_frames += frames;
  if (r->kind == BOOT_MEMORY_BOOT_SERVICES) p->reclaimed_boot_services += frames;
  if (r->kind == BOOT_MEMORY_LOADER) p->reclaimed_loader += frames;
  p->owned[FRAME_OWNER_FREE] += frames;
  if (memmap_kind_is_general(r->kind)) {
    tier_put(&p->tier, first, frames);
    return;
  }
  enum frame_owner owner = owner_of_region(r);
  enum frame_step step = owner == FRAME_OWNER_BAD ? FRAME_STEP_RETIRE : tier_manages(r) ? FRAME_STEP_ALLOC : FRAME_STEP_KEEP;
  frame_commit(p->records.hot, first, frames, step, (uint8_t)owner);
  move_count(p, FRAME_OWNER_FREE, owner, frames);
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
  tier_init(&p->tier, (char *)metadata + bits_align_up(sizeof *p, LINE), regions, count);
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(regions[i].kind)) enter_region(p, &regions[i]);
  }
  for (size_t i = 0; i < taken_count; i++) {
    commit_take(p, FRAME_STEP_ALLOC, (uint8_t)taken[i].owner, taken[i].start, taken[i].end - taken[i].start);
  }
  platform_lock_release(&p->lock);
  *out = p;
  return OK;
}
