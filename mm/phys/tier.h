/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/tier.h — which frames are free: tiered bitmaps.  Private to mm/phys; the theory stands in tier.c.
 *
 * All positions are frame numbers.  pmm.c holds the lock that guards a struct tier; only blocks' entries are locked here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"
#include "mm/phys/ladder.h"
#include "mm/pmm.h"

/* The tiers, by the logarithm of their groups' size in frames. */
#define TIER_FRAME 0  /* 4 KiB */
#define TIER_64K   4  /* x 16; searched for, but no word stands for it. */
#define TIER_2M    9  /* x 32 */
#define TIER_32M   13 /* x 16 */
#define TIER_1G    18 /* x 32 */

#define TIER_WORDS_PER_BLOCK    8 /* 512 frames in 64-bit words: one cache line. */
#define TIER_BLOCKS_PER_SECTION 16
#define TIER_SECTIONS_PER_GIG   32
#define TIER_BLOCKS_PER_GIG     512U /* The product of both. */

/* Blocks of 2 MiB that are to be had: wholly free ones and broken ones; neither bit for one that is full or that a slot has.
 */
struct tier_section { /* 32 MiB, over 16 blocks of 2 MiB. */
  uint16_t whole, broken;
};
/* Above that "broken" is no answer to either question asked there, so its two parts are kept: may overlap. */
struct tier_gig {      /* 1 GiB, over 32 sections. */
  uint64_t number;     /* First frame >> TIER_1G. */
  uint32_t first;      /* Number of its first section in `sections`: its own, or the shared one.  (L), read without it. */
  uint32_t present;    /* Sections that hold managed memory; the others cost nothing. */
  uint32_t whole;      /* Sections wholly free. */
  uint32_t has_whole;  /* Sections not wholly free that have a wholly free block of 2 MiB. */
  uint32_t has_broken; /* Sections that have a broken block of 2 MiB. */
  uint32_t own;        /* Number of its own first section. */
};

struct slot;
struct run_memos;

struct tier {
  uint64_t watch;        /* A free that makes a longer run has to say so: run_memo.c.  Read without the lock. */
  struct tier_gig *gigs; /* Sorted; a GiB without managed memory has none. */
  uint64_t gig_count;
  struct tier_section *sections; /* All sections present, in order; section i has blocks 16 i .. 16 i + 15. */
  uint32_t section_count;
  uint32_t shared;     /* First of the sections behind those, all whole, that untouched gigs have in common; 0 for none. */
  uint32_t *entries;   /* One a block, mm/phys/entry.h; block i has words 8 i .. 8 i + 7.  A section's share a cache line. */
  uint64_t *bits;      /* One bit a frame: 1 is free. */
  uint8_t *hot;        /* Hot bytes, by frame number (mm/frame.h). */
  struct slot *slots;  /* Who may have blocks: frames of such a block go to its slot's mailbox. */
  struct ladder whole; /* Over gigs: wholly free. */
  struct ladder has_whole;  /* Over gigs: not wholly free, but some block of 2 MiB in it is. */
  struct ladder has_broken; /* Over gigs: some block of 2 MiB in it is broken. */
  uint64_t free_2m;         /* Blocks wholly free and to be had. */
  uint64_t free_1g;         /* Gigs wholly free. */
  uint64_t run_bound;       /* No run of free frames is longer; UINT64_MAX while nothing is known. */
  struct run_memos *memos;  /* What searches for runs have learnt. */
};

/** True for a region whose frames the allocator may ever hand out: general memory and what the loader used above 1 MiB. */
bool tier_manages(const struct boot_region *r);

/** Bytes that tier_init needs for a map. */
uint64_t tier_size(const struct boot_region *regions, size_t count);
/**
 * Builds the tiers in tier_size bytes, 64-byte aligned, with every managed frame free; returns the byte behind them. Neither
 * the memory nor the bytes at `hot` need be cleared: what belongs to wholly free blocks or gigs is not even written.
 */
void *tier_init(struct tier *t, void *memory, uint8_t *hot, const struct boot_region *regions, size_t count);

/**
 * Frees frames that are allocated (judged before), all of them managed: bytes, bits and tiers.  => run_memo_freed is told
 * before the next search.
 */
void tier_put(struct tier *t, uint64_t first, uint64_t count);
/** Makes free frames that are to be had somebody's: their bytes say `byte` afterwards. */
void tier_take(struct tier *t, uint64_t first, uint64_t count, uint8_t byte);
struct place;
/** Gives the gig at `p` sections and entries of its own, and `p` with them.  => its first is not its own. */
void tier_touch(struct tier *t, struct place *p);
/** Makes the words above so many blocks of a section, from the one at `p` on, say what their entries say now. */
void tier_settle(struct tier *t, const struct place *p, unsigned blocks);
/** Of a section, the one at `p`, these broken blocks (a bit each) have no frame left. */
void tier_settle_full(struct tier *t, const struct place *p, uint32_t blocks);
/** Makes the frames of a block that was handed out as one single ones, each with a byte of its own. */
void tier_split(struct tier *t, uint64_t frame);
/** Gives allocated frames another owner; but for bad ones, what may be moved stays movable, and pieces stay pieces. */
void tier_give(struct tier *t, uint64_t first, uint64_t count, enum frame_owner to);
/** Allocated frames are one piece from now on. */
void tier_join(struct tier *t, uint64_t first, uint64_t count);
/** Was the GiB at `p` handed out in blocks of 2 MiB that all have the same byte, as one or not?  => reads 512 entries. */
bool tier_gig_is_one(const struct tier *t, const struct place *p);
/** Writes the line of bits and the bytes of a block all of whose frames are free, unless they are written. */
void tier_write_block(struct tier *t, uint64_t block, uint64_t first, uint32_t entry);

/** Finds the highest broken block.  False when there is none. */
bool tier_find_broken(const struct tier *t, struct place *p);
/** Finds a free frame that costs least to take: in a broken block if there is one.  False when none is to be had. */
bool tier_find_frame(const struct tier *t, uint64_t *frame);
/** Finds the wholly free block of 2 MiB that costs least to take.  False when there is none. */
bool tier_find_block(const struct tier *t, uint64_t *first);
/** Finds the highest wholly free GiB.  False when there is none. */
bool tier_find_gig(const struct tier *t, uint64_t *first);
/**
 * Finds the highest run within `where` (checked by the caller); false when there is none.  Learns from what it reads in
 * vain: mm/phys/run_memo.h.
 *   => may cost a barrier on all CPUs.
 */
bool tier_find_run(struct tier *t, uint64_t count, const struct frame_limits *where, uint64_t *first);

/** The highest start of a run that ends at or below `end`, by alignment and boundary alone; false when there is none. */
bool tier_run_highest_start(uint64_t count, const struct frame_limits *where, uint64_t end, uint64_t *first);
/** Each such run contains a whole group of this tier; TIER_FRAME when that is only its frames. */
unsigned tier_run_groups(uint64_t count, uint64_t align);

/** Is it free and to be had?  A frame of a block that a slot has is not. */
bool tier_is_free(const struct tier *t, uint64_t frame);
/** First frame at or above `frame` that is not free, or `limit` when that comes first. */
uint64_t tier_free_end(const struct tier *t, uint64_t frame, uint64_t limit);
/** First frame at or above `frame` that is free, or `limit` when that comes first. */
uint64_t tier_next_free(const struct tier *t, uint64_t frame, uint64_t limit);
/** The lowest s in [floor, frame] for which all of [s, frame) is free. */
uint64_t tier_free_start(const struct tier *t, uint64_t frame, uint64_t floor);
/** Calls visit for every maximal run of free frames, in order.  => costs words, not frames. */
void tier_each_run(const struct tier *t, void (*visit)(void *context, uint64_t start, uint64_t end), void *context);
