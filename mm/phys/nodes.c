/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/nodes.c — takes every request to the nearest allocator that can meet it.
 *
 * WHAT   Each node has an allocator that knows nothing of the others.  Here stands which one is asked, in what order, how a
 *        frame finds its way back, and what happens where two nodes touch.
 * HOW         alloc ──► NODE(n), else the slot's home ──► its order ──► pmm, pmm, ...  the first that has it
 *                                                                        │ none has, not NODE_EXACT, a run
 *                                                                        ▼
 *                                                             a free stretch across a border of nodes
 *             free  ──► span of the frame (binary search) ──► its pmm
 *
 *        A run across borders is taken piece by piece, each with the allocator's own promise that exactly this piece was
 *        free; when a piece is gone by then, those before it go back and the next stretch is tried.
 * LOCKING  none here: all of struct nodes that a request reads never changes after boot, but for homes (single bytes)
 *        and the ring of failures (atomic words).  No two allocators are ever locked together.
 * INVARIANTS
 *   INV-20  every frame of RAM is in the books of exactly one node, and that is the one that its span names.
 *        A run in several nodes is judged in all of them before its first piece is freed or given.  Two callers who free
 *        the same run at the same moment may see the second refused half-way; that it was refused is logged all the same.
 *        Nothing is refused for want of memory that a stock of zeroed frames holds (call_in).
 * WHY NOT  both locks at once: two allocators would need an order of locks, and callers of either would wait for both.
 */
#include "arch/cpu.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "mm/phys/instance.h"
#include "mm/phys/judge.h"
#include "mm/phys/nodes_instance.h"
#include "mm/platform.h"
#include "mm/zero.h"

/* --- which node ------------------------------------------------------------------------------------------------------- */

/* The span that holds a frame. */
static uint32_t span_of(const struct nodes *n, uint64_t frame) {
  uint32_t low = 0;
  uint32_t high = n->span_count;
  while (high - low > 1) {
    const uint32_t middle = low + (high - low) / 2;
    if (n->spans[middle].start <= frame) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

static uint64_t span_end(const struct nodes *n, uint32_t span) {
  return span + 1 < n->span_count ? n->spans[span + 1].start : UINT64_MAX;
}

static struct pmm *pmm_of_span(const struct nodes *n, uint32_t span) { return n->node[n->spans[span].node].pmm; }

static struct pmm *pmm_of(const struct nodes *n, uint64_t frame) {
  return n->sole ? n->sole : pmm_of_span(n, span_of(n, frame));
}

uint32_t nodes_node_of(const struct nodes *n, uint64_t frame) { return n->spans[span_of(n, frame)].node; }

uint32_t nodes_home(const struct nodes *n, uint32_t slot) { return slot < NODES_SLOTS_MAX ? atomic_get(&n->home[slot]) : 0; }

status_t nodes_set_home(struct nodes *n, uint32_t slot, uint32_t node) {
  if (slot >= NODES_SLOTS_MAX || node >= n->count) return ERR_INVALID;
  atomic_set(&n->home[slot], (uint8_t)node);
  return OK;
}

/* Where a request begins; false for a node that does not exist. */
bool nodes_begin_at(const struct nodes *n, uint32_t flags, uint32_t *node) {
  const uint32_t wanted = (flags & NODE_MASK) >> 16;
  *node = wanted == 0 ? nodes_home(n, platform_slot_hint()) : wanted - 1;
  return *node < n->count;
}

/* --- refusals --------------------------------------------------------------------------------------------------------- */

/* A request on its way; a single frame is a run of one that may lie anywhere, and is asked for more cheaply. */
struct request {
  enum frame_owner owner;
  uint32_t flags;
  uint64_t count;
  const struct frame_limits *where; /* NULL: anywhere. */
  const struct pmm *asked;          /* Has said no already; NULL: none has. */
  bool is_frame;
};

/* Writers of one entry can meet when NODES_FAILURES_KEPT others have failed meanwhile: then it tells of either. */
static void note_failure(struct nodes *n, const struct request *r, status_t status) {
  if (r->flags & NODE_PROBE) return;
  const struct frame_limits w = r->where ? *r->where : (struct frame_limits){0};
  const uint64_t number = atomic_add(&n->failures, 1) + 1;
  const uint64_t what = (uint64_t)r->flags << 32 | (uint64_t)(uint8_t)-status << 8 | r->owner;
  const uint64_t words[NODES_WORDS] = {0, arch_cpu_timestamp(), r->count, w.min, w.max, w.align, w.boundary, what};
  uint64_t *entry = n->failed[number % NODES_FAILURES_KEPT];
  atomic_swap(&entry[NODES_WORD_NUMBER], 0); /* Nothing below happens before it. */
  for (unsigned i = NODES_WORD_TIME; i < NODES_WORDS; i++) atomic_set(&entry[i], words[i]);
  atomic_set_release(&entry[NODES_WORD_NUMBER], number);
}

uint64_t nodes_failure_count(const struct nodes *n) { return atomic_get(&n->failures); }

/* False when the entry tells of another failure, or is being written. */
static bool read_failure(const struct nodes *n, uint64_t number, struct nodes_failure *out) {
  const uint64_t *entry = n->failed[number % NODES_FAILURES_KEPT];
  uint64_t words[NODES_WORDS];
  for (unsigned i = 0; i < NODES_WORDS; i++) words[i] = atomic_get_acquire(&entry[i]);
  if (words[NODES_WORD_NUMBER] != number || atomic_get(&entry[NODES_WORD_NUMBER]) != number) return false;
  const uint64_t *w = &words[NODES_WORD_WHERE];
  const uint64_t what = words[NODES_WORD_WHAT];
  *out = (struct nodes_failure){.number = number,
                                .time = words[NODES_WORD_TIME],
                                .count = words[NODES_WORD_COUNT],
                                .where = {.min = w[0], .max = w[1], .align = w[2], .boundary = w[3]},
                                .flags = (uint32_t)(what >> 32),
                                .owner = (enum frame_owner)(what & 0xff),
                                .status = (status_t) - (int)(what >> 8 & 0xff)};
  return true;
}

size_t nodes_failures(const struct nodes *n, struct nodes_failure *list, size_t room) {
  const uint64_t last = nodes_failure_count(n);
  size_t count = 0;
  for (uint64_t back = 0; back < bits_min(last, NODES_FAILURES_KEPT) && count < room; back++)
    count += read_failure(n, last - back, &list[count]);
  return count;
}

/* --- limits ----------------------------------------------------------------------------------------------------------- */

/* The highest place in a free stretch for a run within limits that pmm_alloc_run has found valid. */
bool nodes_place(uint64_t start, uint64_t end, uint64_t count, const struct frame_limits *w, uint64_t *first) {
  const uint64_t align = bits_max(w->align, 1);
  start = bits_max(start, w->min);
  end = bits_min(end, w->max);
  if (end <= start || end - start < count) return false;
  *first = bits_align_down(end - count, align);
  if (w->boundary != 0) {
    const uint64_t border = bits_align_down(*first + count - 1, w->boundary);
    if (border > *first) { /* It crosses: it has to end there. */
      if (border < count) return false;
      *first = bits_align_down(border - count, align);
    }
  }
  return *first >= start;
}

/* A max that is never 0, and the reach of the flags in it.  A reach below a frame, which is refused, changes nothing. */
struct frame_limits nodes_limits(uint32_t flags, const struct frame_limits *where) {
  struct frame_limits w = where ? *where : (struct frame_limits){0};
  const uint32_t below = PMM_BELOW_BITS(flags);
  if (w.max == 0) w.max = UINT64_MAX;
  if (below > FRAME_SHIFT && below < 64) w.max = bits_min(w.max, UINT64_C(1) << (below - FRAME_SHIFT));
  return w;
}

/* Would it be met if all memory that may ever be handed out were free?  As a rule a comparison says so. */
static bool is_possible(const struct nodes *n, uint32_t node, const struct request *r) {
  const struct frame_limits w = nodes_limits(r->flags, r->where);
  const bool is_exact = (r->flags & NODE_EXACT) != 0;
  const struct boot_region *regions = is_exact ? n->node[node].regions : n->regions;
  const size_t count = is_exact ? n->node[node].region_count : n->region_count;
  const uint64_t room = bits_max(w.align, w.boundary); /* With so many frames more some place fits. */
  uint64_t start = 0, end = 0, first;
  if (!is_exact && w.min == 0 && w.max == UINT64_MAX && r->count <= n->longest && room <= n->longest - r->count) return true;
  for (size_t i = 0; i < count; i++) {
    if (!tier_manages(&regions[i])) continue;
    if (regions[i].start / FRAME_SIZE != end) start = regions[i].start / FRAME_SIZE;
    end = regions[i].end / FRAME_SIZE;
    if (nodes_place(start, end, r->count, &w, &first)) return true;
  }
  return false;
}

/* --- one node after the other ----------------------------------------------------------------------------------------- */

static status_t ask(struct pmm *p, const struct request *r, pfn_t *out) {
  if (r->is_frame) return pmm_alloc_frame(p, r->owner, r->flags & ~NODE_FLAGS, out);
  return pmm_alloc_run(p, r->owner, r->flags & ~NODE_FLAGS, r->count, r->where, out);
}

/* "Not here": another node may have it.  Anything else would be said by every node. */
static bool is_local(status_t s) { return s == ERR_NO_MEMORY || s == ERR_RANGE; }

/* Not now, or never? */
static status_t refuse(struct nodes *n, uint32_t node, const struct request *r) {
  const status_t s = is_possible(n, node, r) ? ERR_NO_MEMORY : ERR_RANGE;
  note_failure(n, r, s);
  return s;
}

static bool makes_sense(const struct request *r) {
  return pmm_run_makes_sense(r->owner, r->flags & ~NODE_FLAGS, r->count, r->where);
}

static status_t ask_in_order(const struct nodes *n, uint32_t node, const struct request *r, pfn_t *out) {
  const uint8_t *order = n->node[node].order;
  status_t worst = r->asked ? ERR_NO_MEMORY : ERR_RANGE; /* Which of them the first said is asked again by refuse. */
  const bool is_refused = (r->flags & NODE_EXACT) && !n->node[node].pmm; /* And nobody else looks at the request. */
  if (is_refused) return makes_sense(r) ? ERR_NO_MEMORY : ERR_INVALID;
  if (r->flags & NODE_EXACT) return ask(n->node[node].pmm, r, out);
  for (uint32_t i = 0; i < n->served; i++) {
    struct pmm *p = n->node[order[i]].pmm;
    if (p == r->asked) continue;
    const status_t s = ask(p, r, out);
    if (!is_local(s)) return s;
    if (s == ERR_NO_MEMORY) worst = s;
  }
  return worst;
}

/* Zeros that are there already: the home's, or of the node that was named. */
static bool take_zeroed(const struct nodes *n, uint32_t node, const struct request *r, pfn_t *out) {
  struct zero_stock *stock = n->node[node].stock;
  if (!stock || (r->flags & ~NODE_FLAGS) || !(r->flags & NODE_ZEROED)) return false;
  return zero_take(stock, r->owner, r->count, r->where, out) == OK;
}

/*
 * Calls the stocks in; true when it is worth asking again, because one has given something back since this CPU was here
 * last: now, or by another CPU's doing after somebody had said no.  (A thread that changed its CPU since then might miss
 * that: the kernel is not preempted.)
 */
static bool call_in(struct nodes *n) {
  const uint32_t slot = platform_slot_hint();
  uint64_t given_back = 0;
  (void)nodes_call_in(n);
  for (uint32_t i = 0; i < n->count; i++)
    if (n->node[i].stock) given_back += zero_reclaimed_ever(n->node[i].stock);
  if (slot >= NODES_SLOTS_MAX) return true;
  const bool is_more = atomic_get(&n->given_back[slot]) != (uint32_t)given_back;
  atomic_set(&n->given_back[slot], (uint32_t)given_back);
  return is_more;
}

/* Pauses all stocks, so that what has been called in stays: an idle CPU would have it again before this one has asked. */
static void pause_stocks(struct nodes *n) {
  for (uint32_t i = 0; i < n->count; i++)
    if (n->node[i].stock) zero_pause(n->node[i].stock);
  (void)nodes_call_in(n);
}
static void resume_stocks(struct nodes *n) {
  for (uint32_t i = 0; i < n->count; i++)
    if (n->node[i].stock) zero_resume(n->node[i].stock);
}

/* By way of everything that may still have one; `asked` has said that it has none, unless it is NULL. */
static status_t alloc_frame_far(struct nodes *n, uint32_t node, enum frame_owner owner, uint32_t flags,
                                const struct pmm *asked, pfn_t *out) {
  struct request r = {.owner = owner, .flags = flags, .count = 1, .asked = asked, .is_frame = true};
  if (take_zeroed(n, node, &r, out)) return OK;
  status_t s = ask_in_order(n, node, &r, out);
  r.asked = NULL;
  if (UNLIKELY(is_local(s)) && call_in(n)) {
    pause_stocks(n);
    s = ask_in_order(n, node, &r, out);
    resume_stocks(n);
  }
  if (UNLIKELY(is_local(s))) s = refuse(n, node, &r);
  if (s == OK && (flags & NODE_ZEROED)) nodes_clear(n, *out, 1);
  return s;
}

status_t nodes_alloc_frame_near(struct nodes *n, enum frame_owner owner, uint32_t flags, const struct pmm *asked,
                                pfn_t *out) {
  uint32_t node;
  if (!nodes_begin_at(n, flags, &node)) return ERR_INVALID;
  struct pmm *p = flags & NODE_EXACT ? n->node[node].pmm : n->node[node].nearest;
  if (LIKELY(p && p != asked && !(flags & NODE_ZEROED))) { /* The usual case: the first that is asked has one. */
    const status_t s = pmm_alloc_frame(p, owner, flags & ~NODE_FLAGS, out);
    if (LIKELY(!is_local(s))) return s;
    if (!(flags & NODE_EXACT)) asked = p;
  }
  return alloc_frame_far(n, node, owner, flags, asked, out);
}

status_t nodes_free_frame(struct nodes *n, enum frame_owner owner, pfn_t frame) {
  struct pmm *only = atomic_get(&n->front.only);
  if (LIKELY(only != NULL)) return pmm_free_frame(only, owner, frame);
  if (UNLIKELY(n->clears_on_free || atomic_get(&n->condemned.count) != 0)) return nodes_free_run(n, owner, frame, 1);
  return pmm_free_frame(pmm_of(n, frame.raw), owner, frame);
}

status_t nodes_mark_bad(struct nodes *n, pfn_t frame) { return pmm_mark_bad(pmm_of(n, frame.raw), frame); }

/* --- runs that lie in more than one node ------------------------------------------------------------------------------ */

/* Frees or gives the pieces of [first, end), which nothing can refuse any more. */
static status_t each_piece(struct nodes *n, uint64_t first, uint64_t end, enum frame_owner from,
                           const enum frame_owner *to) {
  status_t status = OK;
  for (uint64_t at = first; at < end && status == OK;) {
    const uint32_t span = span_of(n, at);
    const uint64_t stop = bits_min(span_end(n, span), end);
    struct pmm *p = pmm_of_span(n, span);
    status = to ? pmm_give_run(p, from, *to, pfn(at), stop - at) : pmm_free_run(p, from, pfn(at), stop - at);
    at = stop;
  }
  return status;
}

/* May all of these frames take the step?  Each piece is asked of its own allocator, which changes nothing for it. */
static status_t judge(struct nodes *n, uint64_t first, uint64_t end, enum frame_step step, enum frame_owner owner) {
  for (uint64_t at = first, stop; at < end; at = stop) {
    const uint32_t span = span_of(n, at);
    struct pmm *p = pmm_of_span(n, span);
    stop = bits_min(span_end(n, span), end);
    platform_lock_acquire(&p->lock);
    const struct judge_refusal r = judge_frames(p, step, owner, at, stop - at);
    platform_lock_release(&p->lock);
    if (r.status != OK) return judge_report(&r);
  }
  return OK;
}

/* Is all of it in one node's books, or too odd to be in any? */
static bool is_whole(const struct nodes *n, uint64_t first, uint64_t count) {
  uint64_t end;
  return n->sole || count == 0 || !bits_add(first, count, &end) || end <= span_end(n, span_of(n, first));
}

static status_t free_as_it_is(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count) {
  if (is_whole(n, first.raw, count)) return pmm_free_run(pmm_of(n, first.raw), owner, first, count);
  const status_t s = judge(n, first.raw, first.raw + count, FRAME_STEP_FREE, owner);
  return s == OK ? each_piece(n, first.raw, first.raw + count, owner, NULL) : s;
}

struct pmm *nodes_pmm_of(const struct nodes *n, uint64_t frame) { return pmm_of(n, frame); }
uint64_t nodes_span_end_of(const struct nodes *n, uint64_t frame) {
  return n->sole ? UINT64_MAX : span_end(n, span_of(n, frame));
}
status_t nodes_judge(struct nodes *n, uint64_t first, uint64_t end, enum frame_owner owner) {
  return judge(n, first, end, FRAME_STEP_FREE, owner);
}

/* Judged as what it is, a free; then cleared by somebody else than its old owner and its next one: zero_free_run says why.
 */
status_t nodes_free_sound(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count) {
  uint64_t end;
  if (LIKELY(!n->clears_on_free)) return free_as_it_is(n, owner, first, count);
  status_t s = bits_add(first.raw, count, &end) ? judge(n, first.raw, end, FRAME_STEP_FREE, owner) : ERR_INVALID;
  if (s == OK) s = nodes_give_run(n, owner, FRAME_OWNER_ZEROED, first, count);
  if (s != OK) return s;
  zero_clear(first, count);
  return free_as_it_is(n, FRAME_OWNER_ZEROED, first, count);
}

status_t nodes_free_run(struct nodes *n, enum frame_owner owner, pfn_t first, uint64_t count) {
  struct pmm *only = atomic_get(&n->front.only);
  if (LIKELY(only != NULL)) return pmm_free_run(only, owner, first, count);
  if (UNLIKELY(atomic_get(&n->condemned.count) != 0)) return bad_free_run(n, owner, first, count);
  return nodes_free_sound(n, owner, first, count);
}

status_t nodes_give_run(struct nodes *n, enum frame_owner from, enum frame_owner to, pfn_t first, uint64_t count) {
  if (is_whole(n, first.raw, count)) return pmm_give_run(pmm_of(n, first.raw), from, to, first, count);
  const status_t s = judge(n, first.raw, first.raw + count, FRAME_STEP_GIVE, from);
  return s == OK ? each_piece(n, first.raw, first.raw + count, from, &to) : s;
}

/* Takes exactly these frames, or none. */
static status_t take_pieces(struct nodes *n, const struct request *r, uint64_t first) {
  const uint64_t end = first + r->count;
  for (uint64_t at = first; at < end;) {
    const uint32_t span = span_of(n, at);
    const uint64_t stop = bits_min(span_end(n, span), end);
    const struct frame_limits here = {.min = at, .max = stop};
    pfn_t got;
    const status_t s = pmm_alloc_run(pmm_of_span(n, span), r->owner, r->flags & PMM_MOVABLE, stop - at, &here, &got);
    if (s != OK) {
      if (each_piece(n, first, at, r->owner, NULL) != OK) platform_panic("INV-20: a piece cannot go back to its node");
      return s;
    }
    at = stop;
  }
  return OK;
}

/* A run in one node, the nearest that has one, else across borders. */
static status_t find_run(struct nodes *n, uint32_t node, const struct request *r, pfn_t *first) {
  uint64_t best = 0;
  const status_t s = ask_in_order(n, node, r, first);
  if (LIKELY(!is_local(s)) || n->served == 1 || (r->flags & NODE_EXACT)) return s;
  for (struct frame_limits within = nodes_limits(r->flags, r->where);;) {
    bool is_found = false;
    uint64_t start, end, at;
    for (uint32_t span = 1; nodes_next_stretch(n, &span, &start, &end);) {
      if (!nodes_place(start, end, r->count, &within, &at)) continue;
      best = at; /* They come in order of address. */
      is_found = true;
    }
    if (!is_found) break;
    if (take_pieces(n, r, best) == OK) {
      *first = pfn(best);
      return OK;
    }
    within.max = best + r->count - 1; /* Somebody was faster: further down, then. */
  }
  return s;
}

/* As alloc_frame_far. */
static status_t alloc_run_far(struct nodes *n, const struct pmm *asked, enum frame_owner owner, uint32_t flags,
                              uint64_t count, const struct frame_limits *where, pfn_t *first) {
  struct request r = {.owner = owner, .flags = flags, .count = count, .where = where, .asked = asked};
  uint32_t node;
  if (!nodes_begin_at(n, flags, &node)) return ERR_INVALID;
  if (take_zeroed(n, node, &r, first)) return OK;
  status_t s = find_run(n, node, &r, first);
  r.asked = NULL;
  if (UNLIKELY(is_local(s)) && call_in(n)) {
    pause_stocks(n);
    s = find_run(n, node, &r, first);
    resume_stocks(n);
  }
  if (UNLIKELY(is_local(s))) s = refuse(n, node, &r);
  if (s == OK && (flags & NODE_ZEROED)) nodes_clear(n, *first, count);
  return s;
}

status_t nodes_alloc_run(struct nodes *n, enum frame_owner owner, uint32_t flags, uint64_t count,
                         const struct frame_limits *where, pfn_t *first) {
  struct pmm *only = atomic_get(&n->front.only);
  if (UNLIKELY(!only || (flags & NODE_FLAGS) != 0)) return alloc_run_far(n, NULL, owner, flags, count, where, first);
  const status_t s = pmm_alloc_run(only, owner, flags, count, where, first);
  return LIKELY(!is_local(s)) ? s : alloc_run_far(n, only, owner, flags, count, where, first);
}
