/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/movers.c — see movers.h. */
#include "movers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "mm/phys/instance.h"
#include "mm/phys/window.h"
#include "platform.h"

#define WORDS (FRAME_SIZE / sizeof(uint64_t))

static uint64_t *words_of(const struct movers *m, uint64_t frame) { return (uint64_t *)(m->ram + frame * FRAME_SIZE); }

static void write_bytes(const struct movers *m, uint64_t frame, uint64_t object) {
  uint64_t *w = words_of(m, frame);
  for (uint64_t i = 0; i < WORDS; i += 73) w[i] = object * 0x9e3779b97f4a7c15 + i;
  w[WORDS - 1] = ~object;
}

static bool bytes_are(const struct movers *m, uint64_t frame, uint64_t object) {
  const uint64_t *w = words_of(m, frame);
  for (uint64_t i = 0; i < WORDS - 1; i += 73)
    if (w[i] != object * 0x9e3779b97f4a7c15 + i) return false;
  return w[WORDS - 1] == ~object;
}

/* --- the mover --------------------------------------------------------------------------------------------------- */

static status_t hold(void *context, pfn_t frame) {
  struct movers *m = context;
  if (m->in_hold) m->in_hold(m, frame.raw);
  if (m->refuse_at != UINT64_MAX && m->holds >= m->refuse_at) return ERR_DENIED;
  if (m->refuses && m->refuses(m, frame.raw)) return ERR_DENIED;
  m->holds++;
  if (m->object_of[frame.raw] == 0) return ERR_STATE; /* It is not ours any more. */
  m->held++;
  return OK;
}

static void move(void *context, pfn_t from, pfn_t to) {
  struct movers *m = context;
  CHECK(m->held > 0 && m->object_of[from.raw] != 0 && m->object_of[to.raw] == 0);
  const uint64_t object = m->object_of[from.raw] - 1;
  m->object_of[to.raw] = object + 1;
  m->object_of[from.raw] = 0;
  m->frame_of[object] = to.raw;
  m->moves++;
  m->held--;
}

static void release(void *context, pfn_t frame) {
  struct movers *m = context;
  CHECK(m->held > 0 && m->object_of[frame.raw] != 0);
  m->releases++;
  m->held--;
}

void movers_init(struct movers *m, struct hosted *h, enum frame_owner owner, uint64_t frames_end, bool has_bytes) {
  *m = (struct movers){.h = h, .owner = owner, .frames_end = frames_end, .has_bytes = has_bytes, .refuse_at = UINT64_MAX};
  m->mover = (struct frame_mover){hold, move, release, m};
  m->frame_of = calloc(frames_end, sizeof *m->frame_of);
  m->object_of = calloc(frames_end, sizeof *m->object_of);
  CHECK(m->frame_of && m->object_of);
  m->ram = fake_platform_make_ram(frames_end * FRAME_SIZE);
  contig_init(&m->contig, h->pmm);
  CHECK(contig_mover_set(&m->contig, owner, &m->mover) == OK);
}

void movers_fini(struct movers *m) {
  fake_platform_free_ram(m->ram, m->frames_end * FRAME_SIZE);
  free(m->frame_of);
  free(m->object_of);
}

/* --- frames ------------------------------------------------------------------------------------------------------ */

static struct frame_cold *cold_of(const struct movers *m, uint64_t frame) { return &m->h->pmm->records.cold[frame]; }

static void adopt(struct movers *m, uint64_t frame) {
  *cold_of(m, frame) = (struct frame_cold){.object = (uint32_t)m->objects, .offset = (uint32_t)frame, .payer = 7};
  m->frame_of[m->objects] = frame;
  m->object_of[frame] = ++m->objects;
  if (m->has_bytes) write_bytes(m, frame, m->objects - 1);
}

bool movers_take(struct movers *m, uint64_t *frame) {
  pfn_t got;
  if (m->objects == m->frames_end || pmm_alloc_frame(m->h->pmm, m->owner, PMM_MOVABLE, &got) != OK) return false;
  adopt(m, got.raw);
  *frame = got.raw;
  return true;
}

bool movers_take_at(struct movers *m, uint64_t frame) {
  const struct frame_limits exactly = {.min = frame, .max = frame + 1};
  pfn_t got;
  if (m->objects == m->frames_end) return false;
  if (pmm_alloc_run(m->h->pmm, m->owner, PMM_MOVABLE, 1, &exactly, &got) != OK) return false;
  adopt(m, got.raw);
  return true;
}

bool movers_take_block_at(struct movers *m, uint64_t first) {
  const struct frame_limits exactly = {.min = first, .max = first + FRAMES_PER_2M, .align = FRAMES_PER_2M};
  pfn_t got;
  if (m->objects + FRAMES_PER_2M > m->frames_end) return false;
  if (pmm_alloc_run(m->h->pmm, m->owner, PMM_MOVABLE, FRAMES_PER_2M, &exactly, &got) != OK) return false;
  for (uint64_t i = 0; i < FRAMES_PER_2M; i++) adopt(m, first + i);
  return true;
}

void movers_give(struct movers *m, uint64_t frame) {
  const uint64_t object = m->object_of[frame];
  CHECK(object != 0);
  m->frame_of[object - 1] = 0;
  m->object_of[frame] = 0;
  CHECK(pmm_free_frame(m->h->pmm, m->owner, pfn(frame)) == OK);
}

void movers_must_be_intact(const struct movers *m) {
  bool is_good = m->held == 0, is_movable;
  for (uint64_t i = 0; i < m->objects && is_good; i++) {
    const uint64_t f = m->frame_of[i];
    if (f == 0) continue;
    is_good = window_owner(&m->contig, f, &is_movable) == m->owner && is_movable && m->object_of[f] == i + 1;
    if (is_good) is_good = cold_of(m, f)->object == i && cold_of(m, f)->payer == 7;
    if (is_good && m->has_bytes) is_good = bytes_are(m, f, i);
    if (!is_good) fprintf(stderr, "object %llu is not in frame %#llx\n", (unsigned long long)i, (unsigned long long)f);
  }
  if (!is_good) abort();
}
