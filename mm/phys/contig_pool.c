/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_pool.c — pools that cannot fail, and the theorem that says how large they are.
 *
 * WHAT   A client promises to have no more than M frames live and no block longer than n.  The pool sets aside as much as
 *        the worst client that keeps such a promise can make necessary, and from then on says no to promises broken alone.
 * HOW    Aligned first fit.  A block of class k (2^(k-1) < length <= 2^k) begins at the lowest multiple of 2^k from which
 *        its frames are free.  Nothing is split, joined or moved; a bitmap of what is live is all there is to look at.
 *
 *        The theorem (Robson 1971, 1974).  Let N(i) be the highest end, rounded to 2^i, of any block of class i.  When a
 *        block of class k goes to a start A, all slots of 2^k frames below A are occupied, for the fit is the first.
 *        A slot below N(0) may be so by a single frame; a slot that begins at N(0) or above has no block of class 0, hence
 *        one of w(1) frames at least, the shortest of class 1; one above N(1) has w(2), and so on:
 *
 *            |1  |1  |1  |w1 |w1 |w2 |w2 |2^k|2^k|   A            w(i) = 2^i, or 2^(i-1) + 1 where any length is allowed
 *            0          N(0)    N(1)    N(2)     N(k-1)
 *
 *        The sum over the slots is at most what is live, M less the new block: so A has an end, and N(k) with it, and the
 *        largest N(i) is what the pool needs.  (Slots that only a longer block touches: it may end in the middle of its
 *        last one.  m of them hold more than (m - 1) 2^k frames of it, so half a slot and half a frame each, at least.)
 *        `contig_pool_cost` is this recursion in whole slots.  For powers of two it comes to M (1 + log2(n) / 2) and
 *        roundings; Robson shows that no allocator whatever does with less than M (1 + log2(n) / 2) - n + 1.
 * LOCKING  pool->lock guards the bitmaps and the counts; nodes.holders the list of pools.
 * INVARIANTS
 *   INV-Q1  a bit of `live` is set exactly for the frames of blocks; one of `starts` exactly for their first ones.  With the
 *           counts and the owner of the frames this is INV-24 of mm/check.h (mm/guard/check_holders.c).
 *   INV-Q2  live <= max_live; then aligned first fit finds a place (panic if it does not: the theorem would be wrong).
 * WHY NOT  lists of buddies: the theorem speaks of the lowest place, which the smallest block that fits need not have.
 * SOURCE   J. M. Robson, An estimate of the store size necessary for dynamic storage allocation, JACM 18 (1971) 416-423;
 *          Bounds for some functions concerning dynamic storage allocation, JACM 21 (1974) 491-499; Worst case
 *          fragmentation of first fit and best fit storage allocation strategies, Computer Journal 20 (1977) 242-244.
 */
#include "mm/contig_pool.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "lib/string.h"
#include "mm/phys/contig_pool_instance.h"
#include "mm/phys/gather.h"
#include "mm/phys/nodes_instance.h"

#define CLASSES 36 /* Of blocks up to CONTIG_POOL_LIVE_MAX frames. */

static unsigned class_of(uint64_t count) { return count <= 1 ? 0 : bits_log2_floor(count - 1) + 1; }

/* --- the theorem ------------------------------------------------------------------------------------------------- */

/* The shortest block of a class. */
static uint64_t shortest(unsigned class, enum contig_pool_sizes sizes) {
  if (class == 0) return 1;
  return sizes == CONTIG_POOL_POWERS ? UINT64_C(1) << class : (UINT64_C(1) << (class - 1)) + 1;
}

/*
 * Slots of 2^k frames that `live` frames can occupy, each with as little as can lie there; reach[i] is N(i).  All in halves
 * of a frame, because of the longer blocks' ends.
 */
static uint64_t slots_occupied(uint64_t live, unsigned k, const uint64_t *reach, enum contig_pool_sizes sizes) {
  const uint64_t rest = sizes == CONTIG_POOL_POWERS ? UINT64_C(2) << k : (UINT64_C(1) << k) + 1;
  uint64_t budget = 2 * live, slots = 0;
  for (unsigned i = 0; i < k; i++) {
    const uint64_t end = (reach[i] + (UINT64_C(1) << k) - 1) >> k, cost = 2 * shortest(i, sizes);
    if (end <= slots) continue;
    const uint64_t n = bits_min(end - slots, budget / cost);
    const bool is_spent = n < end - slots;
    slots += n;
    budget -= n * cost;
    if (is_spent) return slots;
  }
  return slots + budget / rest;
}

static bool promise_makes_sense(const struct contig_pool_promise *p) {
  if (p->max_block == 0 || p->max_block > p->max_live || p->max_live > CONTIG_POOL_LIVE_MAX) return false;
  return p->sizes == CONTIG_POOL_ANY || (p->sizes == CONTIG_POOL_POWERS && bits_is_power_of_two(p->max_block));
}

uint64_t contig_pool_cost(const struct contig_pool_promise *promise) {
  uint64_t reach[CLASSES], most = 0;
  if (!promise_makes_sense(promise)) return 0;
  for (unsigned k = 0; k <= class_of(promise->max_block); k++) {
    const uint64_t live = promise->max_live - shortest(k, promise->sizes);
    reach[k] = (slots_occupied(live, k, reach, promise->sizes) + 1) << k;
    most = bits_max(most, reach[k]);
  }
  return most;
}

/* --- bitmaps ----------------------------------------------------------------------------------------------------- */

static uint64_t ones(uint64_t n) { return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1; }
static bool bit(const uint64_t *words, uint64_t at) { return words[at / 64] >> at % 64 & 1; }
static uint64_t words_of(const struct contig_pool *p) { return (p->stats.reserved + 63) / 64; }

static void write_bits(uint64_t *words, uint64_t at, uint64_t count, bool value) {
  for (uint64_t n; count > 0; at += n, count -= n) {
    n = bits_min(64 - at % 64, count);
    const uint64_t mask = ones(n) << at % 64;
    words[at / 64] = value ? words[at / 64] | mask : words[at / 64] & ~mask;
  }
}

/* Is none of [at, at + count) live?  `at` is a multiple of 64. */
static bool are_free(const struct contig_pool *p, uint64_t at, uint64_t count) {
  const uint64_t *word = &p->live[at / 64];
  for (; count >= 64; count -= 64)
    if (*word++ != 0) return false;
  return count == 0 || (*word & ones(count)) == 0;
}

/* The lowest start in one word of a block of a class below 6: it does not cross the word. */
static bool find_in_word(uint64_t live, uint64_t count, unsigned class, unsigned *at) {
  uint64_t starts = ~live, aligned = 1;
  for (uint64_t have = 1; have < count;) { /* Keeps the ones at which `count` of them begin. */
    const uint64_t step = bits_min(have, count - have);
    starts &= starts >> step;
    have += step;
  }
  for (unsigned period = 1U << class; period < 64; period *= 2) aligned |= aligned << period;
  starts &= aligned;
  if (starts == 0) return false;
  *at = bits_lowest(starts);
  return true;
}

/* Aligned first fit. */
static bool find(const struct contig_pool *p, uint64_t count, uint64_t *at) REQUIRES(p->lock) {
  const unsigned class = class_of(count);
  unsigned in_word;
  for (uint64_t i = 0; class < 6 && i < words_of(p); i++) {
    if (!find_in_word(p->live[i], count, class, &in_word)) continue;
    *at = 64 * i + in_word;
    return true;
  }
  for (uint64_t start = 0; class >= 6 && start + count <= p->stats.reserved; start += UINT64_C(1) << class) {
    *at = start;
    if (are_free(p, start, count)) return true;
  }
  return false;
}

/* --- the door ---------------------------------------------------------------------------------------------------- */

static uint64_t frames_for_self(uint64_t reserved) {
  const uint64_t words = (reserved + 63) / 64;
  return (sizeof(struct contig_pool) + 2 * words * sizeof(uint64_t) + FRAME_SIZE - 1) / FRAME_SIZE;
}

/* Makes the struct in its frames, over a pool that is ours already. */
static struct contig_pool *build(const struct contig_pool *plan) {
  struct contig_pool *pool = platform_direct(paddr_of_pfn(plan->self));
  memset(pool, 0, plan->self_frames * FRAME_SIZE);
  *pool = *plan;
  pool->live = (uint64_t *)(pool + 1);
  pool->starts = pool->live + words_of(pool);
  write_bits(pool->live, pool->stats.reserved, 64 * words_of(pool) - pool->stats.reserved, true);
  return pool;
}

static void put_on_list(struct contig_pool *pool) {
  struct nodes *n = pool->door.nodes;
  if (!n) return;
  platform_lock_acquire(&n->holders);
  pool->next = n->pools;
  atomic_set_release(&n->pools, pool);
  platform_lock_release(&n->holders);
}

static void take_off_list(struct contig_pool *pool) {
  struct nodes *n = pool->door.nodes;
  if (!n) return;
  platform_lock_acquire(&n->holders);
  struct contig_pool **link = &n->pools;
  for (; *link != pool; link = &(*link)->next) ASSERT(*link); /* Else it was ended before. */
  atomic_set(link, pool->next);
  platform_lock_release(&n->holders);
}

status_t contig_pool_create(struct contig *c, enum frame_owner owner, const struct contig_pool_promise *promise,
                            const struct frame_limits *where, uint64_t moves_max, struct contig_pool **out) {
  struct contig_pool plan = {.door = {.pmm = c->pmm, .nodes = c->nodes}, .owner = owner, .promise = *promise};
  struct frame_limits within = where ? *where : (struct frame_limits){0};
  uint64_t moved, moved_for_self;
  plan.stats.reserved = contig_pool_cost(promise);
  if (plan.stats.reserved == 0 || (within.align != 0 && !bits_is_power_of_two(within.align))) return ERR_INVALID;
  plan.self_frames = frames_for_self(plan.stats.reserved);
  within.align = bits_max(within.align, UINT64_C(1) << class_of(promise->max_block));
  status_t s = contig_find_or_make(c, owner, plan.stats.reserved, &within, moves_max, &moved, &plan.first);
  if (s != OK) return s;
  s = contig_find_or_make(c, FRAME_OWNER_KERNEL, plan.self_frames, NULL, moves_max - moved, &moved_for_self, &plan.self);
  if (s != OK) {
    contig_door_free(c, owner, plan.first.raw, plan.stats.reserved);
    return s;
  }
  *out = build(&plan);
  put_on_list(*out);
  return OK;
}

status_t contig_pool_destroy(struct contig_pool *pool) {
  struct contig_pool_stats stats;
  contig_pool_stats_read(pool, &stats);
  if (stats.blocks != 0) return ERR_BUSY;
  take_off_list(pool);
  struct contig_pool plan = *pool;
  contig_door_leave(&plan.door, plan.first.raw, plan.stats.reserved);
  contig_door_leave(&plan.door, plan.self.raw, plan.self_frames);
  contig_door_free(&plan.door, plan.owner, plan.first.raw, plan.stats.reserved);
  contig_door_free(&plan.door, FRAME_OWNER_KERNEL, plan.self.raw, plan.self_frames);
  return OK;
}

status_t contig_pool_alloc(struct contig_pool *pool, uint64_t count, pfn_t *first) {
  uint64_t at = 0;
  if (count == 0 || (pool->promise.sizes == CONTIG_POOL_POWERS && !bits_is_power_of_two(count))) return ERR_INVALID;
  platform_lock_acquire(&pool->lock);
  const bool is_promised = count <= pool->promise.max_block && count <= pool->promise.max_live - pool->stats.live;
  const bool is_there = is_promised && find(pool, count, &at);
  if (is_there) {
    write_bits(pool->live, at, count, true);
    write_bits(pool->starts, at, 1, true);
    pool->stats.live += count;
    pool->stats.blocks++;
    pool->stats.highest = bits_max(pool->stats.highest, at + count);
  }
  pool->stats.denied += !is_promised;
  platform_lock_release(&pool->lock);
  if (!is_promised) return ERR_DENIED;
  if (!is_there) platform_panic("INV-Q2: no place for %llu frames in a certified pool", (unsigned long long)count);
  *first = pfn_add(pool->first, at);
  return OK;
}

/* Is [at, at + count) one block? */
static status_t judge(const struct contig_pool *p, uint64_t at, uint64_t count) REQUIRES(p->lock) {
  const uint64_t end = at + count;
  if (!bit(p->live, at) || !bit(p->starts, at)) return ERR_STATE;
  for (uint64_t i = at + 1; i < end; i++)
    if (!bit(p->live, i) || bit(p->starts, i)) return ERR_INVALID;
  const bool goes_on = end < p->stats.reserved && bit(p->live, end) && !bit(p->starts, end);
  return goes_on ? ERR_INVALID : OK;
}

status_t contig_pool_free(struct contig_pool *pool, pfn_t first, uint64_t count) {
  const uint64_t reserved = pool->stats.reserved, at = first.raw - pool->first.raw;
  if (count == 0) return ERR_INVALID;
  if (first.raw < pool->first.raw || at >= reserved || count > reserved - at) return ERR_RANGE;
  platform_lock_acquire(&pool->lock);
  const status_t s = judge(pool, at, count);
  if (s == OK) {
    write_bits(pool->live, at, count, false);
    write_bits(pool->starts, at, 1, false);
    pool->stats.live -= count;
    pool->stats.blocks--;
  }
  platform_lock_release(&pool->lock);
  return s;
}

void contig_pool_stats_read(struct contig_pool *pool, struct contig_pool_stats *out) {
  platform_lock_acquire(&pool->lock);
  *out = pool->stats;
  platform_lock_release(&pool->lock);
}
