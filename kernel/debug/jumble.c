/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/jumble.c — an owner of movable frames, as small as one can be.
 *
 * HOW    A table says where each object lies; each frame says in its first word which object it is, and the rest of its
 * words follow from that.  So the mover finds its way from a frame to its object, and a frame that was copied wrongly, or
 * not at all, shows.
 */
#include "kernel/debug/jumble.h"

#include "kernel/memory.h"
#include "kernel/movers.h"
#include "mm/physmap.h"

#define WORDS       (FRAME_SIZE / sizeof(uint64_t))
#define ASKED_EVERY 512 /* Frames: 2 MiB of words. */

static struct {
  pfn_t table;           /* Frames of the table. */
  uint64_t table_frames; /* 0: there is no jumble. */
  uint64_t *frame_of;    /* By object; 0 where there is none. */
  uint64_t objects;      /* Rows of the table in use. */
  uint64_t moves, pinned_from;
  uint64_t asked; /* Holds since the watcher came. */
  jumble_watcher may_go_on;
} jumble = {.pinned_from = UINT64_MAX};

static uint64_t *words_of(uint64_t frame) { return physmap_at(paddr_of_pfn(pfn(frame))); }
static uint64_t word_of(uint64_t object, uint64_t i) { return object * UINT64_C(0x9e3779b97f4a7c15) + i; }

static void write_object(uint64_t frame, uint64_t object) {
  uint64_t *w = words_of(frame);
  w[0] = object;
  for (uint64_t i = 1; i < WORDS; i++) w[i] = word_of(object, i);
}

static bool is_intact(uint64_t frame, uint64_t object) {
  const uint64_t *w = words_of(frame);
  for (uint64_t i = 1; i < WORDS; i++)
    if (w[i] != word_of(object, i)) return false;
  return w[0] == object;
}

/* Every so often the watcher is asked. */
static bool goes_on(const char *what, uint64_t done, uint64_t total) {
  return jumble.may_go_on == NULL || done % ASKED_EVERY != 0 || jumble.may_go_on(what, done, total);
}

void jumble_watch(jumble_watcher may_go_on) {
  jumble.may_go_on = may_go_on;
  jumble.asked = 0;
}

/* --- the mover --------------------------------------------------------------------------------------------------- */

static bool object_at(uint64_t frame, uint64_t *object) {
  *object = words_of(frame)[0];
  return *object < jumble.objects && jumble.frame_of[*object] == frame;
}

static status_t hold(void *context, pfn_t frame) {
  uint64_t object;
  (void)context;
  if (!object_at(frame.raw, &object)) return ERR_STATE;
  if (!goes_on("moving", jumble.asked, 0)) return ERR_DENIED;
  jumble.asked++;
  return frame.raw >= jumble.pinned_from ? ERR_DENIED : OK;
}

static void move(void *context, pfn_t from, pfn_t to) {
  uint64_t object;
  (void)context;
  if (!object_at(from.raw, &object)) return;
  jumble.frame_of[object] = to.raw;
  jumble.moves++;
}

static void release(void *context, pfn_t frame) {
  (void)context;
  (void)frame;
}

static const struct frame_mover mover = {hold, move, release, NULL};

void jumble_pin(uint64_t from) { jumble.pinned_from = from; }

/* --- making and clearing ----------------------------------------------------------------------------------------- */

static void give_back(uint64_t object) {
  (void)!nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, pfn(jumble.frame_of[object]));
  jumble.frame_of[object] = 0;
}

/* What was begun and stopped is cleared whatever the watcher says to that. */
static bool clear(bool can_be_stopped) {
  for (uint64_t i = 0; i < jumble.objects; i++) {
    if (jumble.frame_of[i] == 0) continue;
    if (!goes_on("giving back", i, jumble.objects) && can_be_stopped) return false;
    give_back(i);
  }
  if (jumble.table_frames != 0) (void)!nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, jumble.table, jumble.table_frames);
  jumble.objects = jumble.table_frames = 0;
  return true;
}

bool jumble_clear(void) { return clear(true); }

/* Gives a random half back.  A generator of Marsaglia's, whose seed must not be 0. */
static status_t make_holes(uint64_t seed) {
  for (uint64_t i = 0; i < jumble.objects; i++) {
    if (!goes_on("making holes", i, jumble.objects)) return ERR_DENIED;
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    if (seed >> 40 & 1) give_back(i);
  }
  return OK;
}

static status_t fill(uint64_t frames) {
  for (pfn_t frame; jumble.objects < frames; jumble.objects++) {
    if (!goes_on("filling", jumble.objects, frames)) return ERR_DENIED;
    const status_t s = nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, PMM_MOVABLE, &frame);
    if (s != OK) return s;
    jumble.frame_of[jumble.objects] = frame.raw;
    write_object(frame.raw, jumble.objects);
  }
  return OK;
}

bool jumble_is_there(void) { return jumble.table_frames != 0; }

status_t jumble_make(uint64_t frames, uint64_t seed) {
  if (jumble_is_there()) return ERR_EXISTS;
  if (frames == 0 || frames > UINT64_MAX / FRAME_SIZE) return ERR_INVALID;
  status_t s = movers_set(FRAME_OWNER_TEST, &mover);
  if (s != OK && s != ERR_EXISTS) return s;
  const uint64_t table_frames = (frames * sizeof(uint64_t) + FRAME_SIZE - 1) / FRAME_SIZE;
  s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, table_frames, NULL, &jumble.table);
  if (s != OK) return s;
  jumble.table_frames = table_frames;
  jumble.frame_of = words_of(jumble.table.raw);
  jumble.moves = 0;
  s = fill(frames);
  if (s == OK) s = make_holes(seed | 1);
  if (s != OK) (void)clear(false);
  return s;
}

bool jumble_look(struct jumble_state *out) {
  *out = (struct jumble_state){.low = UINT64_MAX, .moves = jumble.moves};
  for (uint64_t i = 0; i < jumble.objects; i++) {
    const uint64_t frame = jumble.frame_of[i];
    if (!goes_on("reading", i, jumble.objects)) return false;
    if (frame == 0) continue;
    out->frames++;
    out->intact += is_intact(frame, i);
    if (frame < out->low) out->low = frame;
    if (frame >= out->high) out->high = frame + 1;
  }
  return true;
}
