/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/run_memo.h — where there are no runs: what searches have learnt, until frees make it untrue.  Private to mm/phys
 * and mm/guard; the theory stands in run_memo.c.
 */
#pragma once

#include "mm/phys/tier.h"

#define RUN_MEMOS 8U /* Kinds of requests that are remembered at a time. */

/* One kind of request. */
struct run_memo {
  uint64_t count, align, boundary; /* As struct frame_limits has them, without its ends; count 0: no kind. */
  uint64_t used;                   /* When it was last asked. */
  uint32_t *may;                   /* One a gig, a bit a section: may such a run be met there? */
  struct ladder gigs;              /* Over gigs: some section may. */
};

struct run_memos {
  struct run_memo kinds[RUN_MEMOS];
  uint64_t clock;            /* Searches that have asked. */
  uint64_t shortest_but_one; /* Runs of that length, or less, are none of any kind; UINT64_MAX while there is no kind. */
  uint64_t longest;          /* Of all kinds. */
  uint64_t credit;           /* Frees that may still be looked at for what has been learnt. */
  uint64_t looks;            /* Sections and gigs that searches have looked into, ever. */
  uint32_t dear;             /* So many sections searched in vain make a search one to learn from. */
};

/** Bytes for the memos of so many gigs, a multiple of 8. */
uint64_t run_memo_size(uint64_t gigs);
/** Nothing is known.  => `memory` is 8-byte aligned, and need not be cleared. */
void run_memo_init(struct tier *t, void *memory);

/** The memo of a kind of request, `where` without its ends; NULL while there is none. */
struct run_memo *run_memo_of(const struct tier *t, uint64_t count, const struct frame_limits *where);
/**
 * Begins one, in place of the one that was used least lately.  What is read of the tiers from now on may be learnt from.
 *   => may cost a barrier on all CPUs.
 */
struct run_memo *run_memo_begin(struct tier *t, uint64_t count, const struct frame_limits *where);
/** There is no such run in the section at `p` / in any section of a gig that the tiers name. */
void run_memo_learn(struct tier *t, struct run_memo *m, const struct place *p);
void run_memo_learn_gig(struct run_memo *m, uint64_t gig);

/**
 * From now on no free run is longer than `bound` (UINT64_MAX: that is not known any more).
 */
void run_memo_bound(struct tier *t, uint64_t bound);
/** Frames are free that were not: is anything untrue now that was learnt?  => they are free in the tiers, or have been. */
void run_memo_freed(struct tier *t, uint64_t first, uint64_t count);
/** The same for all that is free of [first, end), which the tiers did not know of before. */
void run_memo_freed_in(struct tier *t, uint64_t first, uint64_t end);
/** Nothing is known any more. */
void run_memo_forget(struct tier *t);
