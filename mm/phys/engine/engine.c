/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/engine.c — what every engine stands on: the numbering of frames, and questions answered by looking.
 *
 * The stretches are the maximal ranges of managed memory, whatever their regions were called.  They are few (a PC has ten),
 * so a binary search finds one; an engine that asks for every frame is slower for it, which is one of the things to see.
 */
#include "mm/phys/engine/engine.h"

#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/tier.h"

#define LINE UINT64_C(64)

static const struct engine *const engines[] = {&engine_buddy, &engine_flat};

const struct engine *engine_find(const char *name, size_t n) {
  for (size_t i = 0; i < sizeof engines / sizeof *engines; i++)
    if (strlen(engines[i]->name) == n && strncmp(engines[i]->name, name, n) == 0) return engines[i];
  return NULL;
}

/* --- the ground ------------------------------------------------------------------------------------------------------- */

/* The next stretch of a map, regions *cursor on; false when there is no more. */
static bool next_stretch(const struct boot_region *regions, size_t count, size_t *cursor, struct engine_stretch *s) {
  size_t i = *cursor;
  while (i < count && !tier_manages(&regions[i])) i++;
  *cursor = i;
  if (i == count) return false;
  s->start = regions[i].start / FRAME_SIZE;
  do s->end = regions[i++].end / FRAME_SIZE;
  while (i < count && tier_manages(&regions[i]) && regions[i].start / FRAME_SIZE == s->end);
  *cursor = i;
  return true;
}

uint64_t engine_ground_size(const struct boot_region *regions, size_t count, uint64_t *frames) {
  struct engine_stretch s;
  uint64_t stretches = 0;
  *frames = 0;
  for (size_t cursor = 0; next_stretch(regions, count, &cursor, &s); stretches++) *frames += s.end - s.start;
  return bits_align_up(stretches * sizeof s, LINE);
}

void *engine_ground_init(struct engine_ground *g, void *memory, const struct boot_region *regions, size_t count) {
  struct engine_stretch s;
  *g = (struct engine_ground){.stretches = memory};
  for (size_t cursor = 0; next_stretch(regions, count, &cursor, &s); g->count++) {
    s.base = g->frames;
    g->stretches[g->count] = s;
    g->frames += s.end - s.start;
  }
  return (char *)memory + bits_align_up(g->count * sizeof s, LINE);
}

const struct engine_stretch *engine_ground_from(const struct engine_ground *g, uint64_t frame) {
  uint64_t low = 0, high = g->count;
  while (low < high) { /* The first stretch that ends above the frame. */
    uint64_t middle = low + (high - low) / 2;
    if (g->stretches[middle].end <= frame)
      low = middle + 1;
    else
      high = middle;
  }
  return low < g->count ? &g->stretches[low] : NULL;
}

const struct engine_stretch *engine_ground_at(const struct engine_ground *g, uint64_t frame) {
  const struct engine_stretch *s = engine_ground_from(g, frame);
  return s && s->start <= frame ? s : NULL;
}

const struct engine_stretch *engine_ground_of(const struct engine_ground *g, uint64_t number) {
  uint64_t low = 0, high = g->count - 1;
  while (low < high) { /* The last stretch whose numbers begin at or below it. */
    uint64_t middle = low + (high - low + 1) / 2;
    if (g->stretches[middle].base <= number)
      low = middle;
    else
      high = middle - 1;
  }
  return &g->stretches[low];
}

/* --- questions -------------------------------------------------------------------------------------------------------- */

uint64_t engine_lowest_start(uint64_t at, uint64_t count, const struct frame_limits *where) {
  uint64_t start = at;
  if (where->align > 1 && !bits_align_up_checked(at, where->align, &start)) return UINT64_MAX;
  if (where->boundary == 0 || (start ^ (start + count - 1)) < where->boundary) return start;
  /* It crosses a boundary: begin there.  No second crossing, for count <= boundary; a crossing run is aligned to less than
     the boundary, so the boundary is a start that is aligned enough. */
  return bits_align_up_checked(start, where->boundary, &start) ? start : UINT64_MAX;
}

uint64_t engine_free_end(const struct engine *e, const void *memory, uint64_t frame, uint64_t limit) {
  uint64_t start, end;
  while (frame < limit && e->look(memory, frame, &start, &end)) frame = end;
  return bits_min(frame, limit);
}

uint64_t engine_free_start(const struct engine *e, const void *memory, uint64_t frame, uint64_t floor) {
  uint64_t start, end;
  while (frame > floor && e->look(memory, frame - 1, &start, &end)) frame = start;
  return bits_max(frame, floor);
}

void engine_each_run(const struct engine *e, const void *memory, uint64_t from, uint64_t to,
                     void (*visit)(void *context, uint64_t start, uint64_t end), void *context) {
  for (uint64_t at = from, start, end; at < to;) {
    if (!e->look(memory, at, &start, &end)) {
      at = end;
      continue;
    }
    end = engine_free_end(e, memory, at, to);
    visit(context, at, end);
    at = end;
  }
}
