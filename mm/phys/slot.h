/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/slot.h — what the allocator keeps for each CPU.  Private to mm/phys and mm/guard; the theory stands in slot.c.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "mm/frame.h"
#include "mm/phys/tier.h"
#include "mm/phys/tier_place.h"
#include "mm/pmm.h"

#define SLOT_MAX  255U /* Bits 10-17 of an entry. */
#define SLOT_NONE UINT64_MAX

#define SLOT_CRUMBS 12U /* Frames that are put by at most: with late[], what is left of two lines and one more. */
#define SLOT_LATE                                                                                                           \
  13U /* Blocks that are not yet called broken at most: as many frees as there are frames put by, and one.                  \
       */

/*
 * (o) the owner in an operation (`busy`), or who has the instance's lock and has called the slot in
 * (c) who calls in, under the instance's lock
 * (w) anybody, by an atomic OR, with the block's entry locked
 */
struct slot {                // NOLINT(clang-analyzer-optin.performance.Padding): each part has cache lines of its own
  alignas(64) uint32_t busy; /* (o) An operation is going on. */
  uint32_t called;           /* (c) Somebody wants what the slot has: hands off. */
  uint64_t block;            /* (o) The block it owns, first frame >> 9; SLOT_NONE. */
  uint64_t *line;            /* (o) Its bits; a line of zeros when there is none. */
  uint8_t *hot;              /* (o) The hot byte of its first frame. */
  uint64_t pocket;           /* (o) The section of the whole blocks it has, first frame >> 13; SLOT_NONE. */
  uint32_t *entries;         /* (o) The entries of that section's blocks. */
  uint64_t mine;             /* (o) The block again, or SLOT_NONE when it is MIXED: a free into that is looked at twice. */
  uint32_t in_pocket;        /* (o) Which of them are in the pocket. */
  uint32_t word;             /* (o) Where in the line the last frame was found. */
  uint64_t last_section;     /* (o) Where the last 2 MiB went that was freed outside the pocket. */
  uint64_t crumb_base;       /* (o) Frame from which crumbs[] counts downwards; SLOT_NONE: none are put by (crumbs.c). */
  uint32_t crumb, crumb_end; /* (o) Which of crumbs[] are left. */
  uint32_t late_count;       /* (o) How many of late[]. */
  uint32_t late[SLOT_LATE];  /* (o) Blocks, first frame >> 9, that are broken by a free and not yet so called above. */
  uint32_t crumbs[SLOT_CRUMBS]; /* (o) What is put by. */

  /* Counts, written by the owner alone and read by anybody. */
  alignas(64) uint64_t allocs;       /* Single frames handed out. */
  uint64_t frees;                    /* Single frames taken back. */
  uint64_t huge_allocs, huge_frees;  /* Blocks, from and to the pocket. */
  uint64_t mails;                    /* Frames sent to other slots. */
  uint64_t frees_seen;               /* frees + huge_frees when run_bound was learnt. */
  uint64_t delta[FRAME_OWNER_COUNT]; /* Frames that owners have more, or less, than the instance's counts say. */
  bool is_telling;                   /* (o) It has broken a full block, and comes to the lock to say so. */
  alignas(64) uint64_t mail[TIER_WORDS_PER_BLOCK]; /* (w) Frames of `block` that others have freed. */
};

static inline void slot_count_up(uint64_t *n, uint64_t by) { atomic_set(n, atomic_get(n) + by); }
/* What the slot's operations have added to the free frames. */
static inline uint64_t slot_free_delta(const struct slot *s) {
  return atomic_get(&s->frees) - atomic_get(&s->allocs) +
         FRAMES_PER_2M * (atomic_get(&s->huge_frees) - atomic_get(&s->huge_allocs));
}

/** Nothing in its hands. */
void slot_init(struct slot *s);

/* The verbs below want the instance's lock, and for another slot than the caller's that it has been called in. */

/** Brings in what others have freed; true when there is a frame to be had in the block then. */
bool slot_read_mail(struct slot *s);
/** Gives the block back / takes the block at `p`, which was found broken.  => it has none. */
void slot_drop_block(struct tier *t, struct slot *s);
void slot_take_block(struct tier *t, struct slot *s, uint32_t number, const struct place *p);
/** Gives the pocket back / fills it with up to `most` whole blocks of a section; false when there is none. */
void slot_drop_pocket(struct tier *t, struct slot *s);
bool slot_fill_pocket(struct tier *t, struct slot *s, uint32_t number, uint32_t most);
/** Lets it keep what it frees of that section (first frame >> 13), beginning with nothing.  => it has no pocket. */
void slot_open_pocket(struct tier *t, struct slot *s, uint64_t section);
/** Takes a block out of the pocket to own it. */
void slot_take_from_pocket(struct tier *t, struct slot *s, uint32_t number);

/** Has it anything that must be given back before it can be said that there is nothing? */
static inline bool slot_holds(const struct slot *s) {
  return atomic_get(&s->block) != SLOT_NONE || atomic_get(&s->pocket) != SLOT_NONE ||
         atomic_get(&s->crumb_base) != SLOT_NONE;
}

/** Word `i` of a block, with what slots keep of it: which of its frames are free. */
static inline uint64_t slot_free_word(const struct tier *t, uint64_t block, unsigned i) {
  const uint32_t e = atomic_get_acquire(&t->entries[block]);
  if (entry_taken(e) == 0) return UINT64_MAX;
  if (entry_slot(e) == 0) return place_block_word(t, block, i);
  return atomic_get(&place_line(t, block)[i]) | atomic_get(&t->slots[entry_slot(e) - 1].mail[i]);
}

/**
 * Is a whole block among what so many slots have?  Peeks, with the instance's lock; when nothing goes on meanwhile it misses
 * none.  Frames that are put by may be all that a block lacks: whose they are is not asked, only whether they are enough.
 */
bool slot_any_has_block(const struct tier *t, uint32_t count);
/** Has any of so many freed something, or got mail, since run_bound was learnt, or put by what others may free beside? */
bool slot_any_has_news(const struct tier *t, uint32_t count);

/* --- what the owner does, between slot_begin and slot_end ------------------------------------------------------------- */

/** Begins an operation; false when the slot is called in, or is in one already (an interrupt came in between). */
static inline bool slot_begin(struct slot *s) {
  if (atomic_get(&s->busy) != 0) return false;
  atomic_set(&s->busy, 1);
  atomic_fence_compiler(); /* The barrier on every CPU that the caller-in asks for does the rest. */
  if (LIKELY(atomic_get_acquire(&s->called) == 0)) return true;
  atomic_set_release(&s->busy, 0);
  return false;
}
static inline void slot_end(struct slot *s) { atomic_set_release(&s->busy, 0); }

/** A free frame of the slot's block, as its number in the block; false when it has none. */
static inline bool slot_find(struct slot *s, unsigned *at) {
  uint64_t word = atomic_get(&s->line[s->word]);
  if (UNLIKELY(word == 0)) {
    unsigned i = s->hot ? TIER_WORDS_PER_BLOCK : 0;
    while (i > 0 && (word = atomic_get(&s->line[i - 1])) == 0) i--;
    if (i == 0) return false;
    s->word = i - 1;
  }
  *at = s->word * 64 + bits_log2_floor(word);
  return true;
}

/** Takes the frame that slot_find has found; false when its byte says that it is not free. */
static inline bool slot_take(struct slot *s, unsigned at, uint8_t byte) {
  uint64_t *word = &s->line[at / 64];
  if (UNLIKELY(atomic_get(&s->hot[at]) != FRAME_OWNER_FREE)) return false;
  atomic_set(word, atomic_get(word) & ~(UINT64_C(1) << at % 64));
  atomic_set(&s->hot[at], byte);
  slot_count_up(&s->delta[byte & FRAME_OWNER_MASK], 1);
  slot_count_up(&s->allocs, 1);
  return true;
}
