/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fuzz/pmm_fuzz.c — no stream of requests, legal or not, leaves the allocator in disorder.
 *
 * INPUT  Eight bytes an operation: what, slot and flags (1), count (2), where (3), alignment (1), owner and boundary (1).
 * CHECKS mm_check and the ledger after the stream; a refused request has left the number of free frames alone; what was
 *        handed out and is still held is given back at the end, and then everything is free again but bad frames.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hosted.h"
#include "slots.h"

#define REQUIRE(e)     ((e) ? (void)0 : fail_requirement(#e, __LINE__))
#define OPERATION_SIZE 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_requirement(const char *what, int line) {
  fprintf(stderr, "pmm_fuzz.c:%d: %s does not hold\n", line, what);
  abort();
}

/* RAM on both sides of the borders of all tiers, firmware memory in between. */
static const struct boot_region machine[] = {
    {0x100000, 0x2080000, BOOT_MEMORY_USABLE, 7, 8},          {0x2080000, 0x2090000, BOOT_MEMORY_RUNTIME_DATA, 6, 8},
    {0x2090000, 0x2400000, BOOT_MEMORY_BOOT_SERVICES, 4, 8},  {0x3fe00000, 0x40300000, BOOT_MEMORY_USABLE, 7, 8},
    {0x10000000000, 0x10000009000, BOOT_MEMORY_USABLE, 7, 8},
};

struct operation {
  unsigned what, slot;
  uint32_t flags;
  uint64_t count, frame;
  struct frame_limits limits;
  enum frame_owner owner, other;
};

static struct operation read_operation(const uint8_t *b) {
  static const uint64_t bases[] = {0x100, 0x2000, 0x40000, 0x10000000};
  struct operation o = {.what = b[0] % 8, .slot = b[0] >> 3 & 3, .count = b[1] | (uint64_t)(b[2] & 0x1f) << 8};
  if (b[0] & 0x20) o.flags = PMM_MOVABLE;
  if (b[0] & 0x40) o.flags |= PMM_BELOW(13 + b[2] / 4);
  o.frame = bases[b[3] % 4] + b[4] + ((uint64_t)(b[5] & 0x1f) << 8) - (b[5] >> 5);
  o.owner = b[7] & 1 ? FRAME_OWNER_TEST : FRAME_OWNER_KERNEL;
  o.other = b[7] & 2 ? FRAME_OWNER_DMA : FRAME_OWNER_TEST;
  o.limits.align = b[6] & 0x10 ? UINT64_C(1) << (b[6] % 16) : b[6] & 0x20 ? b[6] : 0;
  if (b[6] & 0x40) o.limits.min = o.frame;
  if (b[6] & 0x80) o.limits.max = o.frame;
  o.limits.boundary = b[7] & 0x80 ? UINT64_C(1) << (b[7] >> 2 & 0x1f) : 0;
  return o;
}

static uint64_t free_frames(const struct hosted *h) {
  struct ledger l;
  ledger_read(h->pmm, &l);
  REQUIRE(ledger_balances(&l));
  return l.frames[FRAME_OWNER_FREE];
}

static void run_operation(const struct hosted *h, const struct operation *o) {
  uint64_t before = free_frames(h), change = 0;
  status_t status = OK;
  pfn_t got = pfn(UINT64_MAX);
  slots_play(o->slot);
  switch (o->what) {
  case 0:
    status = pmm_alloc_frame(h->pmm, o->owner, o->flags, &got);
    change = UINT64_MAX;
    break;
  case 1:
    status = pmm_alloc_run(h->pmm, o->owner, o->flags, o->count, &o->limits, &got);
    change = -o->count;
    break;
  case 2:
    status = pmm_free_run(h->pmm, o->owner, pfn(o->frame), o->count);
    change = o->count;
    break;
  case 3:
    status = pmm_free_frame(h->pmm, o->owner, pfn(o->frame));
    change = 1;
    break;
  case 4:
    status = pmm_give_run(h->pmm, o->owner, o->other, pfn(o->frame), o->count);
    break;
  case 5:
    status = pmm_retire_frame(h->pmm, o->owner, pfn(o->frame));
    break;
  case 6:
    pmm_drain(h->pmm);
    break;
  default:
    status = pmm_mark_bad(h->pmm, pfn(o->frame));
    change = UINT64_MAX;
    break;
  }
  REQUIRE(free_frames(h) == before + (status == OK ? change : 0));
  if (o->what == 1 && status == OK) {
    uint64_t max = o->limits.max ? o->limits.max : UINT64_MAX;
    REQUIRE(got.raw >= o->limits.min && got.raw + o->count <= max);
  }
}

struct held {
  const struct hosted *h;
  uint64_t bad;
};

static bool give_back(void *context, const struct pmm_range *r) {
  struct held *held = context;
  held->bad += r->state == FRAME_BAD ? r->end - r->start : 0;
  if (r->state != FRAME_ALLOCATED || pmm_free_run(held->h->pmm, r->owner, pfn(r->start), r->end - r->start) == OK)
    return true;
  for (uint64_t f = r->start; f < r->end; f++) REQUIRE(pmm_free_frame(held->h->pmm, r->owner, pfn(f)) == OK); /* Pieces. */
  return true;
}

/* Built once and put back before each input: to build it costs more than to use it. */
static struct {
  struct hosted h;
  uint64_t all;
  uint8_t *metadata, *bytes; /* As they were. */
} fresh;

#define REGIONS (sizeof machine / sizeof *machine)

/* Copies the hot bytes of all frames there are, one way or the other. */
static void copy_bytes(bool is_back) {
  uint8_t *hot = pmm_records_at(fresh.h.records, fresh.h.records_size / PMM_RECORD_SIZE).hot, *at = fresh.bytes;
  for (size_t i = 0; i < REGIONS; i++) {
    uint64_t first = machine[i].start / FRAME_SIZE, n = machine[i].end / FRAME_SIZE - first;
    if (is_back)
      memcpy(hot + first, at, n);
    else
      memcpy(at, hot + first, n);
    at += n;
  }
}

static void begin(void) {
  if (fresh.h.pmm) {
    memcpy(fresh.h.metadata, fresh.metadata, fresh.h.metadata_size);
    copy_bytes(true);
    return;
  }
  uint64_t frames = 0;
  for (size_t i = 0; i < REGIONS; i++) frames += (machine[i].end - machine[i].start) / FRAME_SIZE;
  fresh.h = hosted_create(machine, REGIONS, NULL, 0);
  REQUIRE(fresh.h.pmm);
  fresh.all = free_frames(&fresh.h);
  fresh.metadata = malloc(fresh.h.metadata_size);
  fresh.bytes = malloc(frames);
  memcpy(fresh.metadata, fresh.h.metadata, fresh.h.metadata_size);
  copy_bytes(false);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  begin();
  const struct hosted *h = &fresh.h;
  for (; size >= OPERATION_SIZE; data += OPERATION_SIZE, size -= OPERATION_SIZE) {
    struct operation o = read_operation(data);
    run_operation(h, &o);
  }
  hosted_must_be_sound(h, "after the stream");
  struct held held = {.h = h};
  pmm_visit(h->pmm, give_back, &held);
  REQUIRE(free_frames(h) + held.bad == fresh.all);
  hosted_must_be_sound(h, "with everything given back");
  return 0;
}
