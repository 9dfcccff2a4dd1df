/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/pmm.c — hands out physical frames, takes them back.
 *
 * WHAT   The one door to RAM after boot.  Callers say how many frames, where they may lie and who pays; they never learn
 *        how frames are found.  Finding is tier.c's work and judging is frame.c's; this file keeps their promises together
 *        with the ledger's counts.
 * HOW    Two ways lead through the door.
 *
 *        The usual one: a single frame or a block of 2 MiB, with what the CPU's slot has (slot.c).  No lock, no atomic
 *        operation, one line of bits, one of bytes and the slot's own.  A frame that goes back to somebody else's block
 *        costs the lock of that block's entry.
 *
 *        The other one: everything else, and whatever the first cannot do, under the instance's lock:
 *
 *             caller ──► decode ──► judge (frame.c: bytes)  ──► commit ──► tiers and bytes  (tier.c)
 *                          │         │      or find (tier.c)                counts           (read by ledger.c)
 *                          ▼         ▼
 *                     ERR_INVALID   ERR_RANGE, ERR_STATE, ERR_OWNER, ERR_NO_MEMORY: nothing has changed
 *
 *        A refused step is a bug of the caller or worse, so it is logged, once, with frame, state and owner.
 *
 *        NOTHING IS REFUSED THAT A SLOT HOLDS.  Before ERR_NO_MEMORY all slots are called in, unless none has anything:
 *        then, and after that, "there is none" is answered in constant time.  Nor is anything refused that the tiers are
 *        just being told of: who breaks a full block and cannot note that as late (crumbs.c) comes to the lock to say so,
 *        and others may have freed frames of the same block meanwhile, and been done.  So it counts itself in `breaking`
 *        before its block can be seen, and who would refuse lets it pass first.
 *
 *        A RUN THAT CANNOT BE MET is expensive to look for once.  What searches have learnt is kept in run_memo.c: how
 *        long a run there was not (run_bound), and where none was of a kind that is asked for often.  Taking frames
 *        cannot make that wrong; giving them back can, and looks at its neighbours.  A free into nobody's block does that
 *        without the lock, so `watch` is set before the search: a barrier on all CPUs stands between, and a free that the
 *        search has missed has seen `watch` and waits for the lock.  What slots free in their own blocks is looked at when
 *        they give them back, and what the tiers learn late when they do; before run_bound refuses, a slot that has freed
 *        anything since is called in.
 * LOCKING  p->lock guards tiers and counts, and is never held while something is logged or visited.  Without it only slots
 *        work, by the rules of slot.c.  Two calls that free one frame at the same moment are a bug that is found, but
 *        not always at once: bits that are set twice end in a panic (INV-10, CHECK in flip_bits).
 * INVARIANTS
 *   INV-3   a frame's bit is set exactly when its byte says free.
 *   INV-6   owned[o] and the slots' deltas together are the number of frames whose owner is o.
 *   INV-12  held is the number of slots that have something.
 *   INV-13  no free run is where searches have learnt that there is none (run_memo.c).
 *   INV-14  a frame handed out was free, in bit and byte, and is allocated before the caller sees it.
 * WHY NOT  locked counters for each gig and compare-and-swap on every word, instead of one lock: with a block a slot and a
 *        pocket of sixteen the lock is taken once in 512 frames and once in 16 blocks, and what is behind it can be read.
 */
#include "base/assert.h"
#include "base/bits.h"
#include "mm/phys/crumbs.h"
#include "mm/phys/engine/door.h"
#include "mm/phys/instance.h"
#include "mm/phys/judge.h"
#include "mm/phys/run_memo.h"
#include "mm/phys/trace_instance.h"

/* At most a sixty-fourth of what is whole waits in one pocket. */
#define POCKET_SHARE 64U

/* --- commits: nothing here can fail --------------------------------------------------------------------------------- */

static void move_count(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t count) REQUIRES(p->lock) {
  slot_count_up(&p->owned[from], -count);
  slot_count_up(&p->owned[to], count);
}

/* Free frames that are to be had become somebody's. */
static void commit_take(struct pmm *p, uint8_t byte, uint64_t first, uint64_t count) REQUIRES(p->lock) {
  tier_take(&p->tier, first, count, byte);
  move_count(p, FRAME_OWNER_FREE, (enum frame_owner)(byte & FRAME_OWNER_MASK), count);
}

static void commit_put(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count) REQUIRES(p->lock) {
  tier_put(&p->tier, first, count);
  move_count(p, owner, FRAME_OWNER_FREE, count);
  run_memo_freed_in(&p->tier, first, first + count); /* A part of them may have gone to a slot by mail. */
}

/* --- slots, under the lock -------------------------------------------------------------------------------------------- */

/* The slot `number`, if there is one and no operation of the same CPU, which this one interrupted, is using it. */
static struct slot *idle_slot(struct pmm *p, uint32_t number) REQUIRES(p->lock) {
  struct slot *s = number < p->slot_count ? &p->slots[number] : NULL;
  return s && atomic_get(&s->busy) == 0 ? s : NULL;
}

static void drop_block(struct pmm *p, struct slot *s) REQUIRES(p->lock) {
  slot_drop_block(&p->tier, s); /* INV-13: tier_settle sees to it. */
  p->drains++;
}

static void drop_pocket(struct pmm *p, struct slot *s) REQUIRES(p->lock) {
  uint64_t first = atomic_get(&s->pocket) << TIER_32M;
  uint32_t blocks = atomic_get(&s->in_pocket);
  slot_drop_pocket(&p->tier, s);
  for (; blocks != 0; blocks &= blocks - 1)
    run_memo_freed(&p->tier, first + bits_lowest(blocks) * FRAMES_PER_2M, FRAMES_PER_2M);
}

/* The frames go to their bits, or by mail to another slot that has their block by now. */
static void drop_crumbs(struct pmm *p, struct slot *s) REQUIRES(p->lock) {
  for (uint64_t frame; crumbs_take_back(s, &frame);) {
    tier_put(&p->tier, frame, 1);
    if (tier_is_free(&p->tier, frame)) run_memo_freed(&p->tier, frame, 1);
  }
  crumbs_close(s);
}

/* Gives back all that a slot has.  => it is the caller's, or has been called in. */
static void drop_all(struct pmm *p, struct slot *s) REQUIRES(p->lock) {
  if (!slot_holds(s)) return;
  crumbs_settle_late(&p->tier, s);
  if (atomic_get(&s->crumb_base) != SLOT_NONE) drop_crumbs(p, s);
  if (atomic_get(&s->block) != SLOT_NONE) drop_block(p, s);
  if (atomic_get(&s->pocket) != SLOT_NONE) drop_pocket(p, s);
  p->held--;
  p->called_in++;
}

/* Calls in every slot that has something; `number` is the caller's own. */
static void call_in(struct pmm *p, uint32_t number) REQUIRES(p->lock) {
  struct slot *mine = idle_slot(p, number);
  bool any = false;
  if (p->held == 0) return;
  if (mine) drop_all(p, mine);
  for (uint32_t i = 0; i < p->slot_count; i++) {
    if (i == number || !slot_holds(&p->slots[i])) continue;
    atomic_set(&p->slots[i].called, 1U);
    any = true;
  }
  if (!any) return;
  platform_barrier_all();
  for (uint32_t i = 0; i < p->slot_count; i++) {
    struct slot *s = &p->slots[i];
    if (atomic_get(&s->called) == 0) continue;
    while (atomic_get_acquire(&s->busy) != 0) platform_relax();
    drop_all(p, s);
    atomic_set_release(&s->called, 0U);
  }
}

void pmm_bring_home(struct pmm *p) {
  if (UNLIKELY(pmm_is_traced(p))) trace_drain(p);
  call_in(p, platform_slot_enter());
  platform_slot_leave();
  for (uint32_t i = 0; i < p->slot_count; i++)
    p->slots[i].last_section = SLOT_NONE; /* What follows owes nothing to before. */
}

void pmm_drain(struct pmm *p) {
  platform_lock_acquire(&p->lock);
  pmm_bring_home(p);
  platform_lock_release(&p->lock);
}

static uint32_t pocket_room(const struct pmm *p) REQUIRES(p->lock) {
  uint64_t share = p->tier.free_2m / POCKET_SHARE;
  return (uint32_t)bits_min(bits_max(share, 1), TIER_BLOCKS_PER_SECTION);
}

/* Sees to it that the pocket is not empty; false when no whole block is to be had. */
static bool refill_pocket(struct pmm *p, struct slot *s, uint32_t number) REQUIRES(p->lock) {
  bool held = slot_holds(s);
  if (atomic_get(&s->in_pocket) != 0) return true;
  if (atomic_get(&s->pocket) != SLOT_NONE) drop_pocket(p, s);
  bool found = slot_fill_pocket(&p->tier, s, number, pocket_room(p));
  if (!slot_holds(s)) crumbs_settle_late(&p->tier, s); /* Nobody would call it in. */
  p->held = p->held + slot_holds(s) - held;
  return found;
}

/* Gives a block back that has nothing left but, perhaps, mail; false when there is a free frame in it. */
static bool drop_exhausted(struct pmm *p, struct slot *s) REQUIRES(p->lock) {
  unsigned in_block;
  if (atomic_get(&s->block) == SLOT_NONE) return true;
  if (slot_find(s, &in_block)) return false; /* It was not asked, because it was called in or busy. */
  drop_block(p, s);                          /* What mail it has makes it broken. */
  p->held = p->held + slot_holds(s) - 1;
  return true;
}

/* Sees to it that the slot, which has no block, owns one with a free frame: the highest broken one, else a whole one. */
static bool refill(struct pmm *p, struct slot *s, uint32_t number) REQUIRES(p->lock) {
  struct place at;
  bool held = slot_holds(s);
  if (tier_find_broken(&p->tier, &at)) {
    slot_take_block(&p->tier, s, number, &at);
    p->held = p->held + slot_holds(s) - held;
  } else {
    if (!refill_pocket(p, s, number)) return false;
    slot_take_from_pocket(&p->tier, s, number);
  }
  p->refills++;
  return true;
}

/* --- single frames ---------------------------------------------------------------------------------------------------- */

static status_t refuse(struct pmm *p) REQUIRES(p->lock) {
  p->failures++;
  return ERR_NO_MEMORY;
}

/* A frame out of the slot, which has one. */
static uint64_t take_from(struct slot *s, uint8_t byte) {
  unsigned at;
  if (UNLIKELY(!slot_find(s, &at) || !slot_take(s, at, byte))) {
    platform_panic("INV-3: block %#llx has a free bit and a byte that says another thing", (unsigned long long)s->block);
  }
  return s->block * FRAMES_PER_2M + at;
}

/* Takes a frame that is put by, or puts some by where blocks have so few that the slot had better not own them. */
static bool take_crumb(struct pmm *p, struct slot *s, uint8_t byte, uint64_t *frame) REQUIRES(p->lock) {
  const bool held = slot_holds(s);
  bool is_there = crumbs_left(s) != 0;
  if (!is_there) {
    is_there = crumbs_gather(&p->tier, s);
    p->held = p->held + slot_holds(s) - held;
  }
  if (is_there && UNLIKELY(!crumbs_take(s, p->records.hot, byte, frame))) {
    platform_panic("INV-3: frame %#llx is to be had and its byte says another thing", (unsigned long long)*frame);
  }
  return is_there;
}

/*
 * A free that has broken a full block may still be on its way to the lock, to say so; others, that have freed frames of the
 * same block since, are done.  It comes before anything is refused.
 */
[[gnu::noinline]] static void await_told(struct pmm *p) REQUIRES(p->lock) {
  const uint64_t told = p->told;
  platform_lock_release(&p->lock);
  while (atomic_get(&p->told) == told) platform_relax();
  platform_lock_acquire(&p->lock);
}

/* Was somebody on the way?  Then it is worth looking again. */
static inline bool was_told(struct pmm *p) REQUIRES(p->lock) {
  if (LIKELY(atomic_get(&p->breaking) == p->told)) return false;
  await_told(p);
  return true;
}

static bool try_alloc_frame(struct pmm *p, uint32_t number, uint8_t byte, uint64_t *frame) REQUIRES(p->lock) {
  struct slot *s = idle_slot(p, number);
  if (s) {
    if (drop_exhausted(p, s)) {
      if (take_crumb(p, s, byte, frame)) return true;
      if (!refill(p, s, number)) return false;
    }
    *frame = take_from(s, byte);
    return true;
  }
  if (!tier_find_frame(&p->tier, frame)) return false;
  commit_take(p, byte, *frame, 1);
  p->allocations++;
  return true;
}

/* Is there surely no frame at all?  Then nothing has to be asked to say so. */
static bool has_none(const struct pmm *p) REQUIRES(p->lock) {
  return p->held == 0 && p->tier.free_2m == 0 && ladder_is_empty(&p->tier.has_broken);
}

/* With what the slot has, else with what all of them have. */
static bool find_frame(struct pmm *p, uint32_t number, uint8_t byte, uint64_t *frame) REQUIRES(p->lock) {
  if (!has_none(p) && try_alloc_frame(p, number, byte, frame)) return true;
  if (p->held == 0) return false;
  call_in(p, number);
  return try_alloc_frame(p, number, byte, frame);
}

static const struct frame_limits anywhere = {.max = UINT64_MAX};

static status_t alloc_frame_locked(struct pmm *p, uint32_t number, uint8_t byte, pfn_t *out) {
  uint64_t frame = 0;
  status_t status = OK;
  if (UNLIKELY(p->engine)) return engine_alloc(p, byte, 1, &anywhere, &out->raw);
  platform_lock_acquire(&p->lock);
  bool is_found;
  do is_found = find_frame(p, number, byte, &frame);
  while (!is_found && was_told(p));
  if (!is_found) status = refuse(p);
  platform_lock_release(&p->lock);
  if (status == OK) *out = pfn(frame);
  return status;
}

/* The byte of frames of that owner; false when owner or flags make no sense. */
static bool byte_for(enum frame_owner owner, uint32_t flags, uint8_t *byte) {
  uint32_t bits = PMM_BELOW_BITS(flags);
  if (!frame_owner_is_ours(owner) || (flags & ~(PMM_MOVABLE | PMM_BELOW(0xff))) != 0) return false;
  if (bits != 0 && (bits <= FRAME_SHIFT || bits > 64)) return false;
  *byte = (uint8_t)(owner | (flags & PMM_MOVABLE ? FRAME_MOVABLE : 0));
  return true;
}

/*
 * The usual way: from the slot, with no lock.  What calls it calls nothing else on that way, so that it saves no register:
 * everything else is done by the functions called _oddly, under the lock.
 */
[[gnu::always_inline]] static inline bool alloc_usually(struct pmm *p, uint8_t byte, pfn_t *out) {
  bool done = false;
  uint32_t number = platform_slot_enter();
  if (LIKELY(number < p->slot_count)) {
    struct slot *s = &p->slots[number];
    unsigned at;
    if (LIKELY(slot_begin(s))) {
      if (LIKELY(slot_find(s, &at)) && LIKELY(slot_take(s, at, byte))) {
        *out = pfn(s->block * FRAMES_PER_2M + at);
        done = true;
      }
      slot_end(s);
    }
  }
  platform_slot_leave();
  return done;
}

static status_t alloc_frame(struct pmm *p, uint8_t byte, pfn_t *out) {
  uint32_t number = platform_slot_enter();
  status_t status = alloc_frame_locked(p, number, byte, out);
  platform_slot_leave();
  return status;
}

/* Out of what the slot has put by, with no lock either. */
static bool alloc_put_by(struct pmm *p, uint8_t byte, pfn_t *out) {
  const uint32_t number = platform_slot_enter();
  struct slot *s = number < p->slot_count ? &p->slots[number] : NULL;
  bool done = false;
  if (s && LIKELY(slot_begin(s))) {
    done = crumbs_take(s, p->records.hot, byte, &out->raw);
    slot_end(s);
  }
  platform_slot_leave();
  return done;
}

[[gnu::noinline]] static status_t alloc_frame_oddly(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out) {
  if (flags > PMM_MOVABLE) return pmm_alloc_run(p, owner, flags, 1, NULL, out);
  if (!frame_owner_is_ours(owner)) return ERR_INVALID;
  pfn_t frame = {0};
  const uint8_t byte = (uint8_t)(owner | flags << 7);
  status_t status = alloc_put_by(p, byte, &frame) ? OK : alloc_frame(p, byte, &frame);
  if (UNLIKELY(pmm_is_traced(p))) trace_frame(p, owner, flags, status, frame.raw);
  if (status == OK) *out = frame;
  return status;
}

/* On a cache line of its own, as pmm_free_frame: else a change anywhere before it moves the pair between 0.9 and 1.5 A. */
[[gnu::aligned(64)]] status_t pmm_alloc_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, pfn_t *out) {
  static_assert(FRAME_MOVABLE == PMM_MOVABLE << 7);
  bool is_usual = flags <= PMM_MOVABLE && frame_owner_is_ours(owner) && !pmm_is_traced(p);
  if (LIKELY(is_usual) && LIKELY(alloc_usually(p, (uint8_t)(owner | flags << 7), out))) return OK;
  return alloc_frame_oddly(p, owner, flags, out);
}

/* What a free into nobody's block, or another slot's, has left to do for one who holds the instance's lock. */
enum after { AFTER_NOTHING, AFTER_SETTLE, AFTER_REFUSE };

/* Could the free run around a frame be longer than the bound?  Asks its word alone. */
static bool may_exceed_bound(const struct pmm *p, const uint64_t *line, unsigned at) {
  atomic_fence_compiler(); /* The bit first, then the bound: see A RUN THAT CANNOT BE MET. */
  uint64_t bound = atomic_get(&p->tier.watch);
  if (LIKELY(bound == UINT64_MAX)) return false;
  uint64_t word = atomic_get(&line[at / 64]);
  unsigned bit = at % 64, low = bit, high = bit;
  while (low > 0 && word >> (low - 1) & 1) low--;
  while (high < 63 && word >> (high + 1) & 1) high++;
  return low == 0 || high == 63 || high - low + 1 > bound;
}

/*
 * A frame of a full block comes back: the tiers will have to know, later or now.  Before anybody sees what comes of it.
 * Saves its own registers, for it is rarely called.
 */
[[gnu::noinline, clang::preserve_most]] static void will_break(struct pmm *p, struct slot *s, uint64_t frame) {
  if (crumbs_note_late(s, frame)) return;
  s->is_telling = true;
  atomic_add(&p->breaking, UINT64_C(1));
}

/* Frees a frame that is not in the slot's own block. */
static enum after free_elsewhere(struct pmm *p, struct slot *s, enum frame_owner owner, uint64_t frame, struct place *at) {
  uint8_t *hot = &p->records.hot[frame];
  unsigned bit = (unsigned)(frame % FRAMES_PER_2M);
  uint32_t e, after;
  if (UNLIKELY(!place_find(&p->tier, frame, at))) return AFTER_REFUSE;
  uint32_t *entry = &p->tier.entries[at->block];
  uint64_t *line = place_line(&p->tier, at->block), mask = UINT64_C(1) << bit % 64;
  __builtin_prefetch(hot, 1); /* Both are on their way while the entry is being locked. */
  __builtin_prefetch(&line[bit / 64], 1);
  if (UNLIKELY(atomic_get(entry) & ENTRY_MIXED) && judge_ram_end(p, frame, frame + 1) == frame) return AFTER_REFUSE;
  if (UNLIKELY(!entry_lock(entry, &e))) return AFTER_REFUSE; /* Or HUGE: there the other way leads further. */
  if (UNLIKELY((atomic_get(hot) & FRAME_OWNER_MASK) != owner)) {
    entry_unlock(entry, e);
    return AFTER_REFUSE;
  }
  atomic_set(hot, FRAME_OWNER_FREE);
  slot_count_up(&s->delta[owner], UINT64_MAX);
  slot_count_up(&s->frees, 1);
  if (entry_slot(e) != 0) {
    atomic_or(&p->slots[entry_slot(e) - 1].mail[bit / 64], mask);
    entry_unlock(entry, e);
    slot_count_up(&s->mails, 1);
    return AFTER_NOTHING;
  }
  after = e - 1;
  if (UNLIKELY(entry_is_full(e))) will_break(p, s, frame);
  CHECK((atomic_get(&line[bit / 64]) & mask) == 0);
  atomic_set(&line[bit / 64], atomic_get(&line[bit / 64]) | mask);
  entry_unlock(entry, after);
  if (UNLIKELY(entry_taken(after) == 0) || UNLIKELY(may_exceed_bound(p, line, bit))) return AFTER_SETTLE;
  return LIKELY(!entry_is_full(e)) || !s->is_telling ? AFTER_NOTHING : AFTER_SETTLE;
}

/* Frees a frame of the slot's own block; false when it is not the owner's to free. */
static bool free_own(struct slot *s, enum frame_owner owner, uint64_t frame) {
  unsigned at = (unsigned)(frame % FRAMES_PER_2M);
  if (UNLIKELY((atomic_get(&s->hot[at]) & FRAME_OWNER_MASK) != owner)) return false;
  uint64_t *word = &s->line[at / 64], mask = UINT64_C(1) << at % 64;
  if (UNLIKELY((atomic_get(word) & mask) != 0)) return false; /* INV-3 is broken: the long way will say so. */
  atomic_set(&s->hot[at], FRAME_OWNER_FREE);
  atomic_set(word, atomic_get(word) | mask);
  slot_count_up(&s->delta[owner], UINT64_MAX);
  slot_count_up(&s->frees, 1);
  return true;
}

static void settle(struct pmm *p, uint32_t number, const struct place *at, uint64_t frame) {
  struct slot *s = &p->slots[number];
  platform_lock_acquire(&p->lock);
  crumbs_settle_late(&p->tier, s);
  tier_settle(&p->tier, at, 1);
  if (s->is_telling) atomic_set(&p->told, p->told + 1);
  s->is_telling = false;
  if (tier_is_free(&p->tier, frame))
    run_memo_freed(&p->tier, frame, 1);
  else
    run_memo_bound(&p->tier, UINT64_MAX); /* A slot has the block by now, with a run that it has not freed (run_memo.c). */
  platform_lock_release(&p->lock);
}

static status_t free_locked(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count) {
  if (UNLIKELY(p->engine)) return engine_free(p, owner, first, count);
  platform_lock_acquire(&p->lock);
  struct judge_refusal refusal = judge_frames(p, FRAME_STEP_FREE, owner, first, count);
  if (refusal.status == OK) {
    commit_put(p, owner, first, count);
    p->frees++;
  }
  platform_lock_release(&p->lock);
  return judge_report(&refusal);
}

[[gnu::noinline]] static status_t free_frame_oddly(struct pmm *p, enum frame_owner owner, pfn_t frame) {
  uint32_t number = platform_slot_enter();
  enum after after = AFTER_REFUSE;
  struct place at;
  if (LIKELY(number < p->slot_count) && LIKELY(frame_owner_is_ours(owner)) && LIKELY(slot_begin(&p->slots[number]))) {
    struct slot *s = &p->slots[number];
    if (frame.raw / FRAMES_PER_2M == s->mine) {
      if (free_own(s, owner, frame.raw)) after = AFTER_NOTHING;
    } else {
      bool were_on = platform_mask();
      after = free_elsewhere(p, s, owner, frame.raw, &at);
      platform_unmask(were_on);
    }
    slot_end(s);
  }
  if (UNLIKELY(after == AFTER_SETTLE)) settle(p, number, &at, frame.raw);
  platform_slot_leave();
  status_t status = OK;
  if (UNLIKELY(after == AFTER_REFUSE)) status = free_locked(p, owner, frame.raw, 1);
  if (UNLIKELY(pmm_is_traced(p))) trace_free(p, owner, frame.raw, 1, status);
  return status;
}

/* As pmm_alloc_frame: the usual way, into the slot's own block. */
[[gnu::aligned(64)]] status_t pmm_free_frame(struct pmm *p, enum frame_owner owner, pfn_t frame) {
  bool is_usual = frame_owner_is_ours(owner) && !pmm_is_traced(p);
  if (UNLIKELY(!is_usual)) return free_frame_oddly(p, owner, frame);
  uint32_t number = platform_slot_enter();
  if (LIKELY(number < p->slot_count)) {
    struct slot *s = &p->slots[number];
    if (LIKELY(slot_begin(s))) {
      if (frame.raw / FRAMES_PER_2M == s->mine && LIKELY(free_own(s, owner, frame.raw))) {
        slot_end(s);
        platform_slot_leave();
        return OK;
      }
      slot_end(s);
    }
  }
  platform_slot_leave();
  return free_frame_oddly(p, owner, frame);
}

/* --- blocks of 2 MiB -------------------------------------------------------------------------------------------------- */

/* A block out of the pocket, which has one. */
static inline uint64_t take_block_from(struct slot *s, uint32_t number, uint8_t byte) {
  unsigned i = highest(s->in_pocket);
  uint32_t *entry = &s->entries[i], e = atomic_get(entry);
  if (UNLIKELY((e & ~ENTRY_WRITTEN) != entry_of_slot(number))) {
    platform_panic("INV-9: block %u of section %#llx is in a pocket and its entry says %#x", i,
                   (unsigned long long)s->pocket, e);
  }
  atomic_set(&s->in_pocket, s->in_pocket & ~(1U << i));
  atomic_set_release(entry, entry_huge(e, byte));
  slot_count_up(&s->delta[byte & FRAME_OWNER_MASK], FRAMES_PER_2M);
  slot_count_up(&s->huge_allocs, 1);
  return (s->pocket << TIER_32M) + i * FRAMES_PER_2M;
}

static bool try_alloc_block(struct pmm *p, uint32_t number, uint8_t byte, uint64_t *first) REQUIRES(p->lock) {
  struct slot *s = idle_slot(p, number);
  if (s) {
    if (!refill_pocket(p, s, number)) return false;
    *first = take_block_from(s, number, byte);
    return true;
  }
  if (!tier_find_block(&p->tier, first)) return false;
  commit_take(p, byte, *first, FRAMES_PER_2M);
  p->allocations++;
  return true;
}

static status_t alloc_block_locked(struct pmm *p, uint32_t number, uint8_t byte, uint64_t *first) {
  static const struct frame_limits aligned = {.max = UINT64_MAX, .align = FRAMES_PER_2M};
  if (UNLIKELY(p->engine)) return engine_alloc(p, byte, FRAMES_PER_2M, &aligned, first);
  status_t status = OK;
  platform_lock_acquire(&p->lock);
  if (!try_alloc_block(p, number, byte, first)) {
    bool may_be = p->held != 0 && slot_any_has_block(&p->tier, p->slot_count);
    if (may_be) call_in(p, number);
    if (!may_be || !try_alloc_block(p, number, byte, first)) status = refuse(p);
  }
  platform_lock_release(&p->lock);
  return status;
}

/* As alloc_usually, from the pocket. */
[[gnu::always_inline]] static inline bool alloc_block_usually(struct pmm *p, uint8_t byte, pfn_t *out) {
  bool done = false;
  uint32_t number = platform_slot_enter();
  if (LIKELY(number < p->slot_count)) {
    struct slot *s = &p->slots[number];
    if (LIKELY(slot_begin(s))) {
      if (LIKELY(s->in_pocket != 0)) {
        *out = pfn(take_block_from(s, number, byte));
        done = true;
      }
      slot_end(s);
    }
  }
  platform_slot_leave();
  return done;
}

static status_t alloc_block(struct pmm *p, uint8_t byte, pfn_t *out) {
  uint32_t number = platform_slot_enter();
  uint64_t first = 0;
  status_t status = alloc_block_locked(p, number, byte, &first);
  platform_slot_leave();
  if (status == OK) *out = pfn(first);
  return status;
}

/* Puts a block back into the pocket it came from; false when it is not of that section, or not the owner's. */
static inline bool free_to_pocket(struct slot *s, uint32_t number, enum frame_owner owner, uint64_t first) {
  if (first >> TIER_32M != s->pocket) return false;
  unsigned i = (unsigned)(first >> TIER_2M) % TIER_BLOCKS_PER_SECTION;
  uint32_t e = atomic_get(&s->entries[i]);
  if (!(e & ENTRY_HUGE) || (entry_byte(e) & FRAME_OWNER_MASK) != owner) return false;
  atomic_set_release(&s->entries[i], (e & ENTRY_WRITTEN) | entry_of_slot(number));
  atomic_set(&s->in_pocket, s->in_pocket | 1U << i);
  slot_count_up(&s->delta[owner], -FRAMES_PER_2M);
  slot_count_up(&s->huge_frees, 1);
  return true;
}

/* The second block in a row that goes back to a section that is not the pocket's: then the pocket moves there. */
static void follow_frees(struct pmm *p, uint32_t number, uint64_t section) {
  platform_lock_acquire(&p->lock);
  struct slot *s = idle_slot(p, number);
  if (s && s->last_section == section && pocket_room(p) > 1) {
    bool held = slot_holds(s);
    if (atomic_get(&s->pocket) != SLOT_NONE) drop_pocket(p, s);
    slot_open_pocket(&p->tier, s, section);
    p->held = p->held + slot_holds(s) - held;
  }
  if (s) s->last_section = section;
  platform_lock_release(&p->lock);
}

static inline bool free_block_usually(struct pmm *p, enum frame_owner owner, uint64_t first) {
  bool done = false;
  uint32_t number = platform_slot_enter();
  if (LIKELY(number < p->slot_count)) {
    struct slot *s = &p->slots[number];
    if (LIKELY(slot_begin(s))) {
      done = free_to_pocket(s, number, owner, first);
      slot_end(s);
    }
  }
  platform_slot_leave();
  return done;
}

static status_t free_block(struct pmm *p, enum frame_owner owner, uint64_t first) {
  if (pmm_is_traced(p) && frame_owner_is_ours(owner) && free_block_usually(p, owner, first))
    return OK; /* Traced or not: the same way. */
  uint32_t number = platform_slot_enter();
  status_t status = free_locked(p, owner, first, FRAMES_PER_2M);
  if (status == OK && number < p->slot_count) follow_frees(p, number, first >> TIER_32M);
  platform_slot_leave();
  return status;
}

/* --- runs ------------------------------------------------------------------------------------------------------------- */

static bool limits_are_valid(uint64_t count, const struct frame_limits *w) {
  return count > 0 && w->min < w->max && (w->align == 0 || bits_is_power_of_two(w->align)) &&
         (w->boundary == 0 || (bits_is_power_of_two(w->boundary) && count <= w->boundary));
}

/* Any place will do, but for alignment: what is aligned to its own size crosses no boundary. */
static bool is_anywhere(const struct frame_limits *w) { return w->min == 0 && w->max == UINT64_MAX; }

static bool find(struct tier *t, uint64_t count, const struct frame_limits *w, uint64_t *first) {
  if (is_anywhere(w) && count == FRAMES_PER_1G && w->align == count) return tier_find_gig(t, first);
  return tier_find_run(t, count, w, first);
}

static void note_news_seen(struct pmm *p) REQUIRES(p->lock) {
  for (uint32_t i = 0; i < p->slot_count; i++) {
    struct slot *s = &p->slots[i];
    if (!slot_holds(s)) s->frees_seen = atomic_get(&s->frees) + atomic_get(&s->huge_frees);
  }
}

/* Is it known that there is no such run? */
static bool is_known_not_to_be(struct pmm *p, uint32_t number, uint64_t count) REQUIRES(p->lock) {
  if (count <= p->tier.run_bound) return false;
  if (p->held != 0 && slot_any_has_news(&p->tier, p->slot_count)) {
    call_in(p, number);
    note_news_seen(p);
  }
  return count > p->tier.run_bound;
}

/* Finds a run, with everything that slots have if need be; learns from it when there is none (INV-13). */
static bool find_or_learn(struct pmm *p, uint32_t number, uint64_t count, const struct frame_limits *w, uint64_t *first)
    REQUIRES(p->lock) {
  bool learns = is_anywhere(w) && w->align <= 1 && w->boundary == 0;
  if (is_known_not_to_be(p, number, count)) return false;
  if (find(&p->tier, count, w, first)) return true;
  if (p->held == 0 && !learns) return false;
  call_in(p, number);
  if (p->held != 0) learns = false; /* An operation that this one interrupted keeps its slot's. */
  if (learns) {
    run_memo_bound(&p->tier, bits_min(p->tier.run_bound, count - 1));
    platform_barrier_all();
    note_news_seen(p);
  }
  if (!find(&p->tier, count, w, first)) return false;
  if (learns) run_memo_bound(&p->tier, UINT64_MAX);
  return true;
}

static status_t alloc_run_locked(struct pmm *p, uint8_t byte, uint64_t count, const struct frame_limits *w, pfn_t *first) {
  if (UNLIKELY(p->engine)) return engine_alloc(p, byte, count, w, &first->raw);
  uint32_t number = platform_slot_enter();
  uint64_t start = 0;
  status_t status = OK;
  platform_lock_acquire(&p->lock);
  bool is_found;
  do is_found = find_or_learn(p, number, count, w, &start);
  while (!is_found && was_told(p));
  if (is_found) {
    commit_take(p, byte, start, count);
    p->allocations++;
  } else {
    status = refuse(p);
  }
  platform_lock_release(&p->lock);
  platform_slot_leave();
  if (status == OK) *first = pfn(start);
  return status;
}

/* A request's limits, with a max that is not 0, and its frames' byte; false when it makes no sense. */
static bool decode_run(enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where,
                       struct frame_limits *within, uint8_t *byte) {
  const uint32_t bits = PMM_BELOW_BITS(flags);
  *within = where ? *where : (struct frame_limits){0};
  if (!byte_for(owner, flags, byte)) return false;
  if (within->max == 0) within->max = UINT64_MAX;
  if (bits != 0 && bits < 64) within->max = bits_min(within->max, UINT64_C(1) << (bits - FRAME_SHIFT));
  return limits_are_valid(count, within);
}

bool pmm_run_makes_sense(enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where) {
  struct frame_limits within;
  uint8_t byte;
  return decode_run(owner, flags, count, where, &within, &byte);
}

[[gnu::noinline]] static status_t alloc_run_oddly(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                                                  const struct frame_limits *where, pfn_t *first) {
  struct frame_limits within;
  uint8_t byte;
  if (!decode_run(owner, flags, count, where, &within, &byte)) return ERR_INVALID;
  status_t status;
  pfn_t start = {0};
  if (is_anywhere(&within) && count == FRAMES_PER_2M && within.align == count)
    status = alloc_block(p, byte, &start);
  else if (is_anywhere(&within) && count == 1 && within.align <= 1)
    status = alloc_usually(p, byte, &start) ? OK : alloc_frame(p, byte, &start);
  else
    status = alloc_run_locked(p, byte, count, &within, &start);
  if (UNLIKELY(pmm_is_traced(p))) trace_run(p, owner, flags, count, where, status, start.raw);
  if (status == OK) *first = start;
  return status;
}

status_t pmm_alloc_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count,
                       const struct frame_limits *where, pfn_t *first) {
  bool is_block =
      count == FRAMES_PER_2M && where && where->align == count && (where->min | where->max | where->boundary) == 0;
  bool is_usual = is_block && flags <= PMM_MOVABLE && frame_owner_is_ours(owner) && !pmm_is_traced(p);
  if (is_usual && alloc_block_usually(p, (uint8_t)(owner | flags << 7), first)) return OK;
  return alloc_run_oddly(p, owner, flags, count, where, first);
}

[[gnu::noinline]] static status_t free_run_oddly(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count) {
  bool is_block = count == FRAMES_PER_2M && bits_is_aligned(first.raw, count);
  status_t status = is_block ? free_block(p, owner, first.raw) : free_locked(p, owner, first.raw, count);
  if (UNLIKELY(pmm_is_traced(p))) trace_free(p, owner, first.raw, count, status);
  return status;
}

status_t pmm_free_run(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count) {
  if (count == 1) return pmm_free_frame(p, owner, first);
  bool is_block = count == FRAMES_PER_2M && bits_is_aligned(first.raw, FRAMES_PER_2M);
  bool is_usual = is_block && frame_owner_is_ours(owner) && !pmm_is_traced(p);
  if (is_usual && free_block_usually(p, owner, first.raw)) return OK;
  return free_run_oddly(p, owner, first, count);
}

status_t pmm_give_run(struct pmm *p, enum frame_owner from, enum frame_owner to, pfn_t first, uint64_t count) {
  if (!frame_owner_is_ours(to)) return ERR_INVALID;
  if (UNLIKELY(p->engine)) return engine_give(p, from, to, first.raw, count);
  platform_lock_acquire(&p->lock);
  struct judge_refusal refusal = judge_frames(p, FRAME_STEP_GIVE, from, first.raw, count);
  if (refusal.status == OK) {
    tier_give(&p->tier, first.raw, count, to);
    if (from == FRAME_OWNER_GATHERED) tier_join(&p->tier, first.raw, count);
    move_count(p, from, to, count);
  }
  platform_lock_release(&p->lock);
  if (UNLIKELY(pmm_is_traced(p))) trace_give(p, from, to, first.raw, count, refusal.status);
  return judge_report(&refusal);
}

status_t pmm_mark_bad(struct pmm *p, pfn_t frame) {
  if (UNLIKELY(p->engine)) return engine_retire(p, FRAME_OWNER_FREE, frame.raw);
  platform_lock_acquire(&p->lock);
  struct judge_refusal refusal = judge_frames(p, FRAME_STEP_RETIRE, FRAME_OWNER_BAD, frame.raw, 1);
  if (refusal.status == OK && !tier_is_free(&p->tier, frame.raw)) pmm_bring_home(p);
  if (refusal.status == OK && !tier_is_free(&p->tier, frame.raw)) refusal.status = ERR_BUSY;
  if (refusal.status == OK) commit_take(p, FRAME_OWNER_BAD, frame.raw, 1);
  platform_lock_release(&p->lock);
  if (UNLIKELY(pmm_is_traced(p))) trace_retire(p, FRAME_OWNER_FREE, frame.raw, refusal.status);
  return judge_report(&refusal);
}

status_t pmm_retire_frame(struct pmm *p, enum frame_owner owner, pfn_t frame) {
  if (UNLIKELY(p->engine)) return engine_retire(p, owner, frame.raw);
  platform_lock_acquire(&p->lock);
  struct judge_refusal refusal = judge_frames(p, FRAME_STEP_CONDEMN, owner, frame.raw, 1);
  if (refusal.status == OK) {
    tier_give(&p->tier, frame.raw, 1, FRAME_OWNER_BAD);
    move_count(p, owner, FRAME_OWNER_BAD, 1);
  }
  platform_lock_release(&p->lock);
  if (UNLIKELY(pmm_is_traced(p))) trace_retire(p, owner, frame.raw, refusal.status);
  return judge_report(&refusal);
}
