/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/zero.c — clears memory, some of it before anybody asks.
 *
 * WHAT   Whoever asks for zeros gets zeros: from a stock of frames that were cleared while a CPU had nothing to do, else
 *        by clearing what the allocator gave.  With zero=free everything is cleared as it is freed instead.
 * HOW    The stock is one frame: a head and two lists of frame numbers, single ones and 2 MiB ones.
 *
 *             FREE ──step──► taken, being cleared ──step..──► in stock ──take──► the caller's
 *              ▲                     │                            │
 *              └─────────────────────┴────────── reclaim ─────────┘
 *
 *        A 2 MiB frame is cleared in 32 steps, so that an idle CPU looks at its keys between any two; until it is done it is
 *        `pending`.  Nothing is taken while free memory is below `floor`: a stock must not be what makes memory scarce, nor
 *        be filled again at once by the idle CPU beside the one that has just called it in.
 *        Who has called the stock in pauses it until it has asked again: an idle CPU would be faster.
 *        `wants` says without the lock whether looking is worth it: it is set by whatever makes room, and by a step that was
 *        done; the step that finds the stock full or memory scarce takes it back.
 * LOCKING  z->lock guards the lists; the allocator's locks are taken below it or alone.  Memory is cleared with no lock
 *        held: what is being cleared belongs to "zeroed stock" and to the one CPU for which `is_stepping` stands.
 * INVARIANTS
 *   INV-Z1  a frame in a list is ALLOCATED, owned by "zeroed stock", and all zeros.
 *   INV-Z2  at a quiet moment the frames of "zeroed stock" are those in the lists and the pending one.
 *           Both are INV-21 of mm/check.h (mm/guard/check_zero.c).
 *   INV-Z3  no memory is cleared under a lock (the tests' seam panics at it).
 * WHY NOT  a list through the frames themselves: their first words would have to be cleared again, and a frame that goes
 *        bad in stock would take the list with it.
 * WHY NOT  clear first and judge afterwards in zero_free_run: a free by the wrong owner would wipe out somebody's memory.
 */
#include "mm/zero.h"

#include "arch/memory.h"
#include "base/assert.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "base/units.h"
#include "lib/string.h"
#include "mm/ledger.h"
#include "mm/phys/instance.h"
#include "mm/phys/zero_instance.h"
#include "mm/platform.h"

#define FAR_BYTES      FRAME_2M_SIZE /* From here on the caches are better off without it. */
#define BLOCK_PATIENCE 4096U         /* Steps without a 2 MiB frame after there was none. */
#define RECALL_SPINS   65536U        /* A step is some microseconds. */
#define STOCK_SHARE    16            /* Of RAM. */

static_assert(FRAME_2M_SIZE % ZERO_STEP_BYTES == 0);

/* --- clearing ------------------------------------------------------------------------------------------------------- */

void zero_clear(pfn_t first, uint64_t count) {
  void *at = platform_direct(paddr_of_pfn(first));
  const uint64_t size = count * FRAME_SIZE;
  if (size >= FAR_BYTES)
    arch_memory_clear_far(at, size);
  else
    arch_memory_clear(at, size);
}

static void give_back(struct pmm *p, uint64_t first, uint64_t count) {
  const status_t s = pmm_free_run(p, FRAME_OWNER_ZEROED, pfn(first), count);
  if (s != OK) platform_panic("INV-Z1: frame %#llx: %s", (unsigned long long)first, status_name(s));
}

status_t zero_free_run(struct pmm *p, enum frame_owner owner, pfn_t first, uint64_t count) {
  const status_t s = pmm_give_run(p, owner, FRAME_OWNER_ZEROED, first, count);
  if (s != OK) return s;
  zero_clear(first, count);
  give_back(p, first.raw, count);
  return OK;
}

static bool clear_if_free(void *context, const struct pmm_range *r) {
  uint64_t *cleared = context;
  if (r->state != FRAME_FREE) return true;
  arch_memory_clear_far(platform_direct(paddr_of_pfn(pfn(r->start))), (r->end - r->start) * FRAME_SIZE);
  *cleared += r->end - r->start;
  return true;
}

uint64_t zero_clear_all_free(struct pmm *p) {
  uint64_t cleared = 0;
  pmm_visit(p, clear_if_free, &cleared);
  p->clears_on_free = true;
  return cleared;
}

void zero_leave(const struct pmm *p, pfn_t first, uint64_t count) {
  if (p->clears_on_free) zero_clear(first, count);
}

static void set_wants(struct zero_stock *z, bool wants) REQUIRES(z->lock) {
  __atomic_store_n(&z->wants, wants, __ATOMIC_RELAXED);
}

static void unlock(struct zero_stock *z) RELEASE(z->lock) {
  const bool holds = z->stats.frames + z->stats.blocks != 0 || z->has_pending || z->is_stepping;
  __atomic_store_n(&z->holds, holds, __ATOMIC_RELEASE);
  platform_lock_release(&z->lock);
}

/* --- the stock ------------------------------------------------------------------------------------------------------ */

/* How much of a wish the lists and the machine can bear. */
static void set_limits(struct zero_stock *z, uint64_t bytes, uint64_t ram_frames) {
  const uint64_t wanted = bits_min(bytes / FRAME_SIZE, ram_frames / STOCK_SHARE);
  z->frames_max = bits_min(wanted / 4, ZERO_STOCK_FRAMES_MAX);
  z->blocks_max = bits_min((wanted - z->frames_max) / FRAMES_PER_2M, ZERO_STOCK_BLOCKS_MAX);
  if (z->blocks_max == 0) z->frames_max = bits_min(wanted, ZERO_STOCK_FRAMES_MAX);
  z->floor = bits_max(2 * (z->frames_max + z->blocks_max * FRAMES_PER_2M), ram_frames / STOCK_SHARE);
}

status_t zero_stock_create(struct pmm *p, uint64_t bytes, struct zero_stock **out) {
  struct ledger l;
  pfn_t frame;
  const status_t s = pmm_alloc_frame(p, FRAME_OWNER_KERNEL, 0, &frame);
  if (s != OK) return s;
  struct zero_stock *z = platform_direct(paddr_of_pfn(frame));
  memset(z, 0, sizeof *z);
  z->pmm = p;
  z->frame = frame;
  ledger_read(p, &l);
  set_limits(z, bytes, l.total);
  z->wants = 1;
  *out = z;
  return OK;
}

void zero_stock_destroy(struct zero_stock *z) {
  zero_reclaim(z);
  struct pmm *p = z->pmm;
  const status_t s = pmm_free_frame(p, FRAME_OWNER_KERNEL, z->frame);
  CHECK(s == OK);
}

/* Does a limit stand in the way of handing out what happens to be in stock? */
static bool takes_anything(uint64_t count, const struct frame_limits *w) {
  if (count != 1 && count != FRAMES_PER_2M) return false;
  if (!w) return true;
  const bool is_anywhere = w->min == 0 && (w->max == 0 || w->max == UINT64_MAX);
  return is_anywhere && w->align <= count && (w->boundary == 0 || w->boundary >= count);
}

/* One of the list, out of it; the frames stay the stock's until they are given away. */
static bool pop(struct zero_stock *z, uint64_t count, uint64_t *first) {
  bool found = false;
  platform_lock_acquire(&z->lock);
  if (count == 1 && z->stats.frames > 0) {
    *first = z->frames[--z->stats.frames];
    found = true;
  } else if (count == FRAMES_PER_2M && z->stats.blocks > 0) {
    *first = z->blocks[--z->stats.blocks];
    found = true;
  }
  if (found) set_wants(z, true);
  z->stats.hits += found;
  z->stats.misses += !found;
  unlock(z);
  return found;
}

status_t zero_take(struct zero_stock *z, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                   pfn_t *first) {
  uint64_t at;
  if (!frame_owner_is_ours(owner)) return ERR_NOT_FOUND; /* The allocator's to refuse. */
  if (!takes_anything(count, where) || !pop(z, count, &at)) return ERR_NOT_FOUND;
  const status_t s = pmm_give_run(z->pmm, FRAME_OWNER_ZEROED, owner, pfn(at), count);
  if (s != OK) platform_panic("INV-Z1: frame %#llx: %s", (unsigned long long)at, status_name(s));
  *first = pfn(at);
  return OK;
}

status_t zero_alloc_run(struct zero_stock *z, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                        pfn_t *first) {
  if (zero_take(z, owner, count, where, first) == OK) return OK;
  status_t s = pmm_alloc_run(z->pmm, owner, 0, count, where, first);
  if (s == ERR_NO_MEMORY && zero_reclaim(z) > 0) s = pmm_alloc_run(z->pmm, owner, 0, count, where, first);
  if (s == OK) zero_clear(*first, count);
  return s;
}

/* --- filling -------------------------------------------------------------------------------------------------------- */

static bool is_scarce(const struct zero_stock *z) {
  struct ledger l;
  ledger_read(z->pmm, &l);
  return l.frames[FRAME_OWNER_FREE] < z->floor;
}

enum job { JOB_NONE, JOB_FRAME, JOB_BLOCK, JOB_PENDING };

/* What to do next; with any job comes the right to do it. */
static enum job begin_step(struct zero_stock *z) {
  enum job job = JOB_NONE;
  platform_lock_acquire(&z->lock);
  (void)atomic_swap(&z->holds, 1U); /* Who pauses then looks at this; who steps looks whether somebody has paused. */
  const bool may_not = z->is_stepping || atomic_get(&z->pauses) != 0;
  if (may_not)
    job = JOB_NONE;
  else if (z->has_pending)
    job = JOB_PENDING;
  else if (z->stats.frames < z->frames_max)
    job = JOB_FRAME;
  else if (z->stats.blocks < z->blocks_max && z->patience == 0)
    job = JOB_BLOCK;
  else if (z->patience > 0)
    z->patience--;
  if (job == JOB_NONE && !may_not) set_wants(z, false);
  z->is_stepping |= job != JOB_NONE;
  z->is_recalled &= job == JOB_NONE;
  unlock(z);
  return job;
}

static void count_reclaimed(struct zero_stock *z, uint64_t frames) REQUIRES(z->lock) {
  __atomic_store_n(&z->stats.reclaimed, z->stats.reclaimed + frames, __ATOMIC_RELAXED);
}

/* The end of a step that holds frames: into the stock, or back when they were called in meanwhile. */
static void end_step(struct zero_stock *z, enum job job, uint64_t first, bool is_done) {
  const uint64_t count = job == JOB_FRAME ? 1 : FRAMES_PER_2M;
  platform_lock_acquire(&z->lock);
  const bool is_recalled = z->is_recalled;
  z->is_recalled = false;
  z->has_pending = !is_recalled && !is_done;
  if (!is_recalled && is_done) {
    if (job == JOB_FRAME)
      z->frames[z->stats.frames++] = first;
    else
      z->blocks[z->stats.blocks++] = first;
    z->stats.filled += count;
  }
  if (is_recalled) {
    count_reclaimed(z, count);
    give_back(z->pmm, first, count);
  }
  z->is_stepping = false;
  set_wants(z, true);
  unlock(z);
}

static void cancel_step(struct zero_stock *z, enum job job) {
  platform_lock_acquire(&z->lock);
  if (job == JOB_BLOCK) z->patience = BLOCK_PATIENCE;
  z->is_stepping = z->is_recalled = false;
  set_wants(z, false);
  unlock(z);
}

/* Takes what a step begins with. */
static bool take(struct zero_stock *z, enum job job) {
  const uint64_t count = job == JOB_FRAME ? 1 : FRAMES_PER_2M;
  const struct frame_limits aligned = {.align = count};
  pfn_t first;
  if (is_scarce(z) || pmm_alloc_run(z->pmm, FRAME_OWNER_ZEROED, 0, count, &aligned, &first) != OK) return false;
  z->pending = first.raw;
  z->pending_bytes = 0;
  return true;
}

bool zero_wants(const struct zero_stock *z) { return __atomic_load_n(&z->wants, __ATOMIC_RELAXED) != 0; }

bool zero_step(struct zero_stock *z) {
  const enum job job = begin_step(z);
  if (job == JOB_NONE) return false;
  if (job != JOB_PENDING && !take(z, job)) {
    cancel_step(z, job);
    return false;
  }
  const uint64_t whole = job == JOB_FRAME ? FRAME_SIZE : FRAME_2M_SIZE;
  const uint64_t size = bits_min(whole, ZERO_STEP_BYTES);
  arch_memory_clear_far(platform_direct(paddr_add(paddr_of_pfn(pfn(z->pending)), z->pending_bytes)), size);
  z->pending_bytes += size;
  end_step(z, job, z->pending, z->pending_bytes == whole);
  return true;
}

/* --- giving back ------------------------------------------------------------------------------------------------------ */

/* Everything in the lists, and the pending frame when nobody is at it; else it is called back.  True when it was. */
static bool empty(struct zero_stock *z) {
  platform_lock_acquire(&z->lock);
  uint64_t count = z->stats.frames + z->stats.blocks * FRAMES_PER_2M;
  while (z->stats.frames > 0) give_back(z->pmm, z->frames[--z->stats.frames], 1);
  while (z->stats.blocks > 0) give_back(z->pmm, z->blocks[--z->stats.blocks], FRAMES_PER_2M);
  if (z->has_pending && !z->is_stepping) {
    give_back(z->pmm, z->pending, FRAMES_PER_2M);
    z->has_pending = false;
    count += FRAMES_PER_2M;
  }
  count_reclaimed(z, count);
  set_wants(z, true);
  z->is_recalled = z->is_stepping;
  const bool is_recalled = z->is_recalled;
  unlock(z);
  return is_recalled;
}

static uint64_t reclaimed_ever(struct zero_stock *z, bool *is_recalled) {
  platform_lock_acquire(&z->lock);
  const uint64_t frames = z->stats.reclaimed;
  *is_recalled = z->is_recalled;
  unlock(z);
  return frames;
}

void zero_pause(struct zero_stock *z) { (void)atomic_add(&z->pauses, 1U); }
void zero_resume(struct zero_stock *z) { (void)atomic_add(&z->pauses, UINT32_MAX); }

uint64_t zero_reclaim(struct zero_stock *z) {
  bool waits;
  if (__atomic_load_n(&z->holds, __ATOMIC_ACQUIRE) == 0) return 0;
  const uint64_t before = reclaimed_ever(z, &waits);
  waits = empty(z);
  uint64_t after = reclaimed_ever(z, &waits);
  /* Another CPU's step ends soon; but it may be this CPU's own, interrupted: so not for ever. */
  for (unsigned i = 0; waits && i < RECALL_SPINS; i++) after = reclaimed_ever(z, &waits);
  return after - before;
}

uint64_t zero_reclaimed_ever(const struct zero_stock *z) { return __atomic_load_n(&z->stats.reclaimed, __ATOMIC_RELAXED); }

void zero_stats_read(struct zero_stock *z, struct zero_stats *out) {
  platform_lock_acquire(&z->lock);
  *out = z->stats;
  unlock(z);
  out->frames_max = z->frames_max;
  out->blocks_max = z->blocks_max;
}
