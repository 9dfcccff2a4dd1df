/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/peers/engine.h — frame allocators of the textbooks, behind one table, to compare Cairn's own with.
 *
 * An engine hands out frames 0 .. frames - 1 by number and never touches one.  It lives in memory of its caller, takes no
 * lock (the bench holds one around each call, as a kernel would) and knows no owners.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#define ENGINE_ORDERS     19U                 /* 4 KiB .. 1 GiB. */
#define ENGINE_FRAMES_MAX (UINT64_C(1) << 31) /* 8 TiB: links of 32 bits. */

struct engine {
  const char *name;
  /** Bytes that so many frames need; the memory is aligned to 8 at least, which is all that create asks of it. */
  size_t (*size)(uint64_t frames);
  /** Makes an engine with nothing to hand out; ERR_INVALID for 0 frames or more than ENGINE_FRAMES_MAX. */
  status_t (*create)(void *memory, uint64_t frames);
  /** Puts frames that it never had into its hands; each at most once, which is the caller's word.  ERR_RANGE. */
  status_t (*add)(void *memory, uint64_t first, uint64_t count);
  /** 2^order frames, aligned to their size.  ERR_NO_MEMORY, ERR_INVALID (no such order). */
  status_t (*alloc)(void *memory, unsigned order, uint64_t *first);
  /** Gives back what alloc gave.  ERR_RANGE, ERR_STATE (not handed out like that), ERR_INVALID.  All or nothing. */
  status_t (*free)(void *memory, unsigned order, uint64_t first);
  /** `count` frames in a row from a multiple of `align`, a power of two.  ERR_NO_MEMORY; ERR_INVALID. */
  status_t (*alloc_run)(void *memory, uint64_t count, uint64_t align, uint64_t *first);
  /** Gives a whole run back.  Statuses as free. */
  status_t (*free_run)(void *memory, uint64_t first, uint64_t count);
  uint64_t (*free_frames)(const void *memory);
};

/** A binary buddy system with free lists.  A run is found where an aligned power of two that holds it is free. */
extern const struct engine buddy_engine;
/** One bitmap, searched from where the last search ended.  A run is found if and only if there is one. */
extern const struct engine flat_engine;
