/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check_break.c — damages one invariant, so that a test can see mm_check find exactly that one.
 *
 * A check that cannot fail is a defect.  Each breaker does the smallest damage that breaks its invariant and none with a
 * lower number; it writes into the instance behind the allocator's back.
 */
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/phys/engine/engine.h"
#include "mm/phys/instance.h"

/* Two regions that overlap: the map itself lies in read-only memory. */
static const struct boot_region crossed[] = {
    {.start = MIB, .end = 3 * MIB, .kind = BOOT_MEMORY_USABLE},
    {.start = 2 * MIB, .end = 4 * MIB, .kind = BOOT_MEMORY_RESERVED},
};

static status_t break_map(struct pmm *p) {
  p->regions = crossed;
  p->region_count = ARRAY_COUNT(crossed);
  return OK;
}

/* The first frame of RAM that is managed, or is not. */
static bool find_frame(const struct pmm *p, bool is_managed, uint64_t *frame) {
  for (size_t i = 0; i < p->region_count; i++) {
    const struct boot_region *r = &p->regions[i];
    if (!memmap_kind_is_ram(r->kind) || r->kind == BOOT_MEMORY_UNUSABLE || tier_manages(r) != is_managed) continue;
    *frame = r->start / FRAME_SIZE;
    return true;
  }
  return false;
}

static status_t break_record(struct pmm *p) {
  uint64_t frame;
  if (!find_frame(p, true, &frame)) return ERR_NOT_FOUND;
  p->records.hot[frame] = FRAME_OWNER_NONE;
  return OK;
}

/* The same with an engine in the tiers' place: it hands a frame out behind the door's back. */
static status_t break_engine(struct pmm *p) {
  static const struct frame_limits anywhere = {.max = UINT64_MAX};
  uint64_t frame;
  if (!p->engine->find(p->engine_memory, 1, &anywhere, &frame)) return ERR_NOT_FOUND;
  p->engine->take(p->engine_memory, frame, 1);
  return OK;
}

static status_t break_bitmap(struct pmm *p) {
  if (p->engine) return break_engine(p);
  struct place at;
  if (!tier_find_broken(&p->tier, &at)) return ERR_NOT_FOUND;
  uint64_t *word = place_line(&p->tier, at.block);
  while (*word == 0) word++;
  *word &= *word - 1;
  p->tier.entries[at.block]++; /* The entry follows; the byte is left behind. */
  return OK;
}

static status_t break_tier(struct pmm *p) {
  p->tier.sections[place_section(&p->tier.gigs[0], 0)].broken ^= 1;
  return OK;
}

static status_t break_counter(struct pmm *p) {
  p->tier.free_2m++;
  return OK;
}

static status_t break_owner(struct pmm *p) {
  p->owned[FRAME_OWNER_FREE]--;
  p->owned[FRAME_OWNER_TEST]++;
  return OK;
}

static status_t break_ledger(struct pmm *p) {
  p->total_frames++;
  return OK;
}

static status_t break_forbidden(struct pmm *p) {
  uint64_t frame;
  if (!find_frame(p, false, &frame)) return ERR_NOT_FOUND;
  p->records.hot[frame] = FRAME_OWNER_TEST;
  return OK;
}

/* Called in, and nobody will ever let go: its CPU takes the long way for ever. */
static status_t break_slot(struct pmm *p) {
  p->slots[p->slot_count - 1].called = 1;
  return OK;
}

static status_t break_mail(struct pmm *p) {
  pmm_drain(p); /* No slot has a block, so no mail can be right. */
  p->slots[p->slot_count - 1].mail[0] = 1;
  return OK;
}

static status_t break_entry(struct pmm *p) {
  struct place at;
  if (!tier_find_broken(&p->tier, &at)) return ERR_NOT_FOUND;
  p->tier.entries[at.block] ^= ENTRY_LOCK;
  return OK;
}

static status_t break_held(struct pmm *p) {
  p->held++;
  return OK;
}

static status_t break_bound(struct pmm *p) {
  p->tier.run_bound = 0;
  return OK;
}

/* Is there such a thing to be damaged?  Tiers and slots have none where an engine finds the frames. */
static bool is_there(const struct pmm *p, const char *name) {
  static const char *const of_the_tiers[] = {"tier", "counter", "slot", "mail", "entry", "held", "bound"};
  for (size_t i = 0; p->engine && i < ARRAY_COUNT(of_the_tiers); i++)
    if (strcmp(of_the_tiers[i], name) == 0) return false;
  return true;
}

status_t mm_check_break(struct pmm *p, const char *invariant_name) {
  static const struct {
    const char *name;
    status_t (*damage)(struct pmm *p);
  } breakers[] = {
#define BREAKER_ROW(number, name, text) {#name, break_##name},
      MM_INVARIANTS(BREAKER_ROW)
#undef BREAKER_ROW
  };
  for (size_t i = 0; i < ARRAY_COUNT(breakers); i++) {
    if (strcmp(invariant_name, breakers[i].name) == 0 && is_there(p, invariant_name)) return breakers[i].damage(p);
  }
  return ERR_NOT_FOUND;
}
