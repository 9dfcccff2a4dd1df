/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/engine.h — other ways of finding free frames, behind one table.  Private to mm/phys, mm/guard and tests.
 *
 * An engine is what tier.c is to the allocator, and nothing more: it knows which frames are free and finds runs of them.
 * Owners, records, the judge, the ledger and the lock stay with pmm.c, so that two engines differ in the finding alone and
 * may be compared.  All positions are frame numbers; an engine never touches a frame.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"
#include "mm/pmm.h"

/* A maximal range of frames that an engine keeps; frame f of it has the engine's own number base + f - start. */
struct engine_stretch {
  uint64_t start, end;
  uint64_t base;
};

/*
 * The engine's numbering: stretch after stretch without gaps, so that its arrays follow RAM, not the highest address.  No
 * run crosses a stretch's end, for there the next number is no neighbour.
 */
struct engine_ground {
  struct engine_stretch *stretches; /* In order of address; behind them lies what the engine keeps besides. */
  uint64_t count;
  uint64_t frames; /* In all stretches. */
};

/** Bytes of the table of stretches of a map, a multiple of 64, and how many frames they have. */
uint64_t engine_ground_size(const struct boot_region *regions, size_t count, uint64_t *frames);
/** Fills the table; returns the byte behind it. */
void *engine_ground_init(struct engine_ground *g, void *memory, const struct boot_region *regions, size_t count);
/* Every engine's memory begins with its ground. */

/** The stretch with a frame, or the first one above it; NULL when there is neither. */
const struct engine_stretch *engine_ground_from(const struct engine_ground *g, uint64_t frame);
/** The stretch with a frame; NULL when none has it. */
const struct engine_stretch *engine_ground_at(const struct engine_ground *g, uint64_t frame);
/** The stretch with the engine's own number `number`, which is below g->frames. */
const struct engine_stretch *engine_ground_of(const struct engine_ground *g, uint64_t number);

struct engine {
  const char *name;
  const char *caveat; /* What it does not promise and tier does; NULL for nothing. */
  bool finds_every_run;
  uint64_t frames_max; /* That it can number. */
  /** Bytes that a map needs, a multiple of 64. */
  uint64_t (*size)(const struct boot_region *regions, size_t count);
  /** Makes an engine with no frame free in that many bytes, 64-byte aligned, of any contents. */
  void (*init)(void *memory, const struct boot_region *regions, size_t count);
  /** Makes frames free that are not / makes frames not free that are.  All of them in the map: CHECKed. */
  void (*put)(void *memory, uint64_t first, uint64_t count);
  void (*take)(void *memory, uint64_t first, uint64_t count);
  /** Finds a run within `where` (checked by the caller; `max` is never 0); false when it knows of none. */
  bool (*find)(const void *memory, uint64_t count, const struct frame_limits *where, uint64_t *first);
  /** Is a frame free?  [*start, *end) around it is the same, as far as one look tells. */
  bool (*look)(const void *memory, uint64_t frame, uint64_t *start, uint64_t *end);
  uint64_t (*free_frames)(const void *memory);
};

/** A binary buddy system with a free list an order, up to 1 GiB.  A run is found where a free block of its size holds it. */
extern const struct engine engine_buddy;
/** One bitmap, searched from where the last run taken ended.  A run is found if and only if there is one. */
extern const struct engine engine_flat;

/** The engine of a name, of so many characters; NULL for "tier", which is no engine but the real thing, and for any other.
 */
const struct engine *engine_find(const char *name, size_t n);

/** The lowest start at or above `at` that alignment and boundary allow; UINT64_MAX when there is none. */
uint64_t engine_lowest_start(uint64_t at, uint64_t count, const struct frame_limits *where);
/** First frame at or above `frame` that is not free, or `limit` when that comes first. */
uint64_t engine_free_end(const struct engine *e, const void *memory, uint64_t frame, uint64_t limit);
/** The lowest s in [floor, frame] for which all of [s, frame) is free. */
uint64_t engine_free_start(const struct engine *e, const void *memory, uint64_t frame, uint64_t floor);
/** Calls visit for every maximal run of free frames of [from, to), in order.  => costs frames: for statistics and checks. */
void engine_each_run(const struct engine *e, const void *memory, uint64_t from, uint64_t to,
                     void (*visit)(void *context, uint64_t start, uint64_t end), void *context);
