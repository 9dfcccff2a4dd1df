/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/pmm.h — the one door to RAM after boot.
 *
 * A struct pmm is an instance: the kernel has one, tests have hundreds.  It lives in memory that its caller supplies and
 * allocates nothing itself.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/annotate.h"
#include "base/status.h"
#include "boot/handoff.h"
#include "mm/frame.h"

struct pmm;

/* What a run may look like.  All in frames; all zeros means anywhere. */
struct frame_limits {
  uint64_t min;      /* First frame number allowed. */
  uint64_t max;      /* First frame number no longer allowed: the run ends at or below it; 0 for no limit. */
  uint64_t align;    /* The run starts at a multiple of it: 0 or 1 for none, else a power of two. */
  uint64_t boundary; /* The run does not cross a multiple of it: 0 for none, else a power of two. */
};

/* A frame at boot that is in use already and by whom; everything general that no such range covers is free. */
struct pmm_taken {
  uint64_t start; /* Frame number. */
  uint64_t end;
  enum frame_owner owner;
};

/**
 * Bytes of frame metadata a map needs: bitmaps, tiers and the struct itself, contiguous, 64-byte aligned; without records.
 * Follows RAM, never the highest address: about 34.2 KiB for each GiB that holds any.
 */
uint64_t pmm_metadata_size(const struct boot_region *regions, size_t count);

/**
 * Walks over the ranges of frames that must have records, in order: every maximal range of RAM of the map.  *cursor is 0 at
 * the start; true with [*start, *end) in frame numbers, false at the end.
 */
bool pmm_next_record_range(const struct boot_region *regions, size_t count, size_t *cursor, uint64_t *start, uint64_t *end);

/* Bytes for each frame in both arrays together. */
#define PMM_RECORD_SIZE 16
/** Lays both arrays into PMM_RECORD_SIZE * frames bytes from `base` on, for frames below `frames`: hot first, cold behind.
 */
static inline struct frame_records pmm_records_at(void *base, uint64_t frames) {
  return (struct frame_records){base, (struct frame_cold *)((char *)base + frames)};
}

/**
 * Builds the allocator over a canonical map.
 *
 * `metadata` is pmm_metadata_size bytes, 64-byte aligned, and stays in use for the life of the instance, as does `regions`;
 * `records` is where the frames' records are, mapped at least for every frame that pmm_next_record_range names, with any
 * contents; instances over other regions may share the arrays.  `taken` names what boot has used of general memory.
 *   => boot, one CPU.   => cost follows metadata and what is not free, not RAM.
 * Returns OK; ERR_CORRUPT (the map is not canonical), ERR_INVALID (a taken range is empty or its owner is not one of ours),
 * ERR_OVERLAP (taken ranges overlap, or lie outside general memory), ERR_NOT_FOUND (no general memory).
 */
status_t pmm_create(void *metadata, struct frame_records records, const struct boot_region *regions, size_t count,
                    const struct pmm_taken *taken, size_t taken_count, struct pmm **out);

/* Flags of a request. */
#define PMM_MOVABLE           UINT32_C(1)           /* Its owner will move it when asked. */
#define PMM_BELOW(bits)       pmm_below(bits)       /* Every byte below 2^bits, 12 < bits <= 64. */
#define PMM_BELOW_BITS(flags) ((flags) >> 8 & 0xff) /* 0 when nothing was said. */
/* A number too large for its place is refused, and not taken for a smaller one or for other flags. */
static inline uint32_t pmm_below(uint64_t bits) { return (uint32_t)(bits < 255 ? bits : 255) << 8; }

/**
 * Allocates one frame, of the 2 MiB block that the CPU works in; the next such block is the highest that is broken already,
 * so that whole blocks stay whole.
 *   => any CPU, interrupts may be off, never sleeps; not from an interrupt's handler (slot.c).
 *   => no lock, as a rule; with PMM_BELOW as a run of one frame.
 * Returns OK; ERR_NO_MEMORY; ERR_INVALID (not one of our owners, unknown flags).  On failure nothing has changed.
 */
status_t pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out);
/** Returns one frame.  ERR_RANGE (no frame of ours), ERR_STATE (it is not allocated), ERR_OWNER (not this owner's). */
status_t pmm_free_frame(struct pmm *p, enum frame_owner owner, pfn_t frame);

/**
 * Allocates `count` physically contiguous frames, any count; found if and only if such a run exists.
 *
 * `where` limits addresses, alignment and boundary; NULL means anywhere.  The highest run that fits is taken, of those that
 * no CPU keeps for itself; a 2 MiB block without limits comes from a 1 GiB group that is broken already.  On OK the caller
 * owns [*first, *first + count) and gives it back with pmm_free_run, whole or in parts.
 *   => any CPU; never sleeps.   => the search costs tier words, not frames; 2 MiB and 1 GiB blocks are O(tiers).
 * Returns OK, ERR_NO_MEMORY (no such run now), ERR_INVALID (count 0, alignment or boundary not a power of two, count over
 * boundary, min >= max, not one of our owners, unknown flags).
 */
status_t pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                       const struct frame_limits *where, pfn_t *first);
/** Would pmm_alloc_run of any allocator not answer ERR_INVALID?  => pure. */
bool pmm_run_makes_sense(enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where);
/**
 * Returns a whole run or a part of one; all or nothing.  Statuses as pmm_free_frame; ERR_INVALID (count 0, or it wraps);
 * ERR_OVERLAP (the size is wrong: it reaches into what the same owner was given apart).
 */
status_t pmm_free_run(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count);

/** Moves allocated frames to another owner, all or nothing.  Statuses as pmm_free_run; ERR_INVALID for an owner not ours. */
status_t pmm_give_run(struct pmm *p, enum frame_owner from, enum frame_owner to, pfn_t first, uint64_t count);

/** Takes a free frame out of service for ever (bad memory).  ERR_RANGE (no frame of ours), ERR_STATE (in use, or bad),
 * ERR_BUSY (free, and a CPU is about to take it). */
status_t pmm_mark_bad(struct pmm *p, pfn_t frame);

/** Takes an allocated frame out of service for ever: it is never free in between.  Statuses as pmm_free_frame. */
status_t pmm_retire_frame(struct pmm *p, enum frame_owner owner, pfn_t frame);

/**
 * Brings home what CPUs keep for their next requests: a block of 2 MiB each, and some whole ones.
 *   => nobody needs it to get memory: whatever would be refused does this first.   => costs a barrier on all CPUs.
 */
void pmm_drain(struct pmm *p);

/* What pmm knows about one address. */
struct pmm_story {
  struct boot_region region; /* Zeroed when no region of the map holds the address. */
  bool has_region;
  bool has_record; /* RAM with a record. */
  enum frame_state state;
  enum frame_owner owner;
  bool is_movable;
  uint64_t free_run; /* Frames in the free run around it; 0 when it is not free. */
};
/** The chain firmware descriptor -> region -> owner -> state.  => any CPU. */
void pmm_describe(const struct pmm *p, paddr_t address, struct pmm_story *out);

struct pmm_stats {
  uint64_t total_frames; /* RAM by the firmware's word. */
  uint64_t free_frames;
  uint64_t free_2m; /* Aligned 2 MiB blocks wholly free. */
  uint64_t free_1g;
  uint64_t largest_free_run; /* Frames. */
  uint64_t allocations;      /* Calls that succeeded. */
  uint64_t frees;
  uint64_t failures;          /* Requests that could not be met. */
  uint64_t refusals;          /* Illegal steps: frames of somebody else, freed twice, no frames at all. */
  uint64_t refills;           /* Blocks that CPUs took to serve single frames from. */
  uint64_t drains;            /* Blocks that they gave back, */
  uint64_t called_in;         /* and how often a CPU had to give back all that it had, because somebody asked. */
  uint64_t held_frames;       /* Free frames that CPUs kept for their next requests when this was asked; it calls them in. */
  uint64_t mails;             /* Frames freed into a block of another CPU's. */
  uint64_t metadata_bytes;    /* Bitmaps and tiers. */
  uint64_t record_bytes;      /* Records, as mapped. */
  uint64_t free_by_order[19]; /* Free runs cut into aligned powers of two: [0] 4 KiB .. [9] 2 MiB .. [18] 1 GiB. */
};
void pmm_stats_read(const struct pmm *p, struct pmm_stats *out);

/** Calls visit for each maximal range of frames with one state and owner, in order, until it returns false. */
struct pmm_range {
  uint64_t start, end; /* Frame numbers. */
  enum frame_state state;
  enum frame_owner owner;
};
void pmm_visit(const struct pmm *p, bool (*visit)(void *context, const struct pmm_range *range), void *context);
