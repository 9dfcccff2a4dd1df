/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_quote.c — the cheapest window: which frames would have to move for a run that does not exist.
 *
 * WHAT   Of all places where a run may lie, the one with no unmovable and the fewest movable frames.  Exactly the best one:
 *        a search that is content with a good one would move too much for ever.
 * HOW    All windows, from the highest start to the lowest, in strides of one 2 MiB block b of starts.  A window of n frames
 *        that starts in b covers the q - 1 blocks behind it wholly (q = n / 512) and two more in part:
 *
 *            |  b      | b+1 ........ b+q-1 |  b+q    |  b+q+1  |
 *                 [-----------------------------------)              start o frames into b, end o + r into b+q
 *                       inner: slides along, one block in, one out
 *
 *        Windows that start at blocks come first, for they are cheap to look at and their best is a good bound.
 *        Used frames can only cost, so `inner` is a lower bound for all 512 starts: a stride that cannot win costs two
 *        words.  One that may is looked at by the free bits of its three edge blocks: a lower bound for 64 starts at a time,
 *        then the price of each single start, in constant time.  Only a window cheaper than the best so far is asked for
 *        unmovable frames, byte by byte, and where that was asked before it is not asked again:
 *
 *            frames    . . . . . [ clean_low ......... ceiling )
 *
 *        An unmovable frame at u puts an end to all windows over it: the ceiling comes down to u.  So over the whole search
 *        each frame is judged once, and each block counted a few times, whatever the limits are.
 * LOCKING  none, once slots were called in: what is read may change meanwhile, so the sums are taken as hints and the winner
 *          is counted once more.
 * WHY NOT  counts of movable frames for each block: they would have to be kept by every allocation, for a question that is
 *          asked once in a while.
 */
#include "base/atomic.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "mm/nodes.h"
#include "mm/phys/gather.h"

#define NEVER INT64_MAX

/* What a request asks for, every field filled in. */
struct shape {
  uint64_t count, min, max, align, boundary;
};

struct search {
  const struct contig *c;
  const struct avoid *avoid; /* Frames that are not movable after all; NULL: none. */
  struct shape shape;
  uint64_t ceiling;   /* Windows end here or lower. */
  uint64_t clean_low; /* [clean_low, ceiling) has no unmovable frame. */
  bool has_window;    /* Some window lies within the limits and our RAM. */
  int64_t best;       /* Used frames in the best window so far. */
  uint64_t best_first;
};

static status_t decode(uint64_t count, const struct frame_limits *where, struct shape *out) {
  const struct frame_limits w = where ? *where : (struct frame_limits){0};
  *out = (struct shape){count, w.min, w.max ? w.max : UINT64_MAX, w.align ? w.align : 1, w.boundary};
  const bool is_valid = count > 0 && out->min < out->max && bits_is_power_of_two(out->align) &&
                        (w.boundary == 0 || (bits_is_power_of_two(w.boundary) && count <= w.boundary));
  return is_valid ? OK : ERR_INVALID;
}

static bool crosses(const struct shape *s, uint64_t first) {
  return s->boundary != 0 && (first ^ (first + s->count - 1)) >= s->boundary;
}

/* What of a range lies within the limits; false when no window does. */
static bool clip(const struct shape *s, uint64_t *start, uint64_t *end) {
  uint64_t lowest, last;
  *start = bits_max(*start, s->min);
  *end = bits_min(*end, s->max);
  if (!bits_align_up_checked(*start, s->align, &lowest)) return false;
  if (bits_add(lowest, s->count, &last) && crosses(s, lowest)) lowest = bits_align_up(lowest, s->boundary);
  return bits_add(lowest, s->count, &last) && last <= *end;
}

/* --- used frames, counted from the start of a block -------------------------------------------------------------- */

#define BLOCK_WORDS (WINDOW_BLOCK / WINDOW_WORD)

/* Used frames of two blocks in a row, so that any stretch of them is counted in constant time. */
struct edge {
  uint64_t used[2 * BLOCK_WORDS];
  uint32_t before[2 * BLOCK_WORDS + 1]; /* Used frames in the words before. */
};

static void edge_read(struct edge *e, const struct contig *c, uint64_t block) {
  window_free_of_block(c, block, e->used);
  window_free_of_block(c, block + 1, e->used + BLOCK_WORDS);
  e->before[0] = 0;
  for (unsigned i = 0; i < 2 * BLOCK_WORDS; i++) {
    e->used[i] = ~e->used[i];
    e->before[i + 1] = e->before[i] + bits_count(e->used[i]);
  }
}

/* Used ones among the first `n` frames. */
static int64_t edge_count(const struct edge *e, uint64_t n) {
  const uint64_t word = n / WINDOW_WORD, bit = n % WINDOW_WORD;
  return e->before[word] + (bit == 0 ? 0 : bits_count(e->used[word] << (WINDOW_WORD - bit)));
}

/* --- unmovable frames -------------------------------------------------------------------------------------------- */

static uint64_t unmovable_of(const struct contig *c, const struct avoid *avoid, uint64_t base) {
  const struct window_word w = window_word_at(c, base);
  uint64_t unmovable = ~(w.free | w.movable);
  for (uint32_t i = 0; avoid && i < avoid->count; i++) {
    const uint64_t at = avoid->frames[i] - base;
    if (at < WINDOW_WORD) unmovable |= w.movable & UINT64_C(1) << at;
  }
  return unmovable;
}

/* The lowest unmovable frame of [start, end), or end. */
static uint64_t first_unmovable(const struct contig *c, const struct avoid *avoid, uint64_t start, uint64_t end) {
  while (start < end) {
    const uint64_t base = bits_align_down(start, WINDOW_WORD);
    const uint64_t in_the_way = unmovable_of(c, avoid, base) >> (start - base);
    if (in_the_way != 0) return bits_min(start + bits_lowest(in_the_way), end);
    start = base + WINDOW_WORD;
  }
  return end;
}

/* Can a window be had at all?  Keeps what it learns. */
static bool is_clean(struct search *s, uint64_t first) {
  const uint64_t end = first + s->shape.count;
  if (end > s->ceiling) return false;
  const uint64_t known = bits_min(s->clean_low, end);
  const uint64_t in_the_way = first < known ? first_unmovable(s->c, s->avoid, first, known) : known;
  s->clean_low = bits_min(s->clean_low, first);
  if (in_the_way == known) return true;
  s->ceiling = in_the_way;
  return false;
}

/* --- strides ----------------------------------------------------------------------------------------------------- */

static void consider(struct search *s, uint64_t first, int64_t price) {
  if (price >= s->best || crosses(&s->shape, first) || !is_clean(s, first)) return;
  s->best = price;
  s->best_first = first;
}

/* One block of starts, and what is known about the blocks behind it. */
struct stride {
  uint64_t block, low, high; /* Starts from low to high, both included. */
  int64_t inner;             /* Used frames of the blocks that every window covers. */
};

/* Starts of one word, from `high` down to `low`; what they cost comes from the edges. */
static void try_starts(struct search *s, const struct stride *t, const struct edge *head, const struct edge *tail,
                       uint64_t low, uint64_t high) {
  const uint64_t base = t->block * WINDOW_BLOCK, q = s->shape.count / WINDOW_BLOCK, r = s->shape.count % WINDOW_BLOCK;
  const int64_t covered = q == 0 ? 0 : edge_count(head, WINDOW_BLOCK) + t->inner;
  for (uint64_t o = bits_align_down(high, s->shape.align) - base;; o -= s->shape.align) {
    if (base + o + s->shape.count <= s->ceiling) {
      consider(s, base + o, covered + edge_count(tail, o + r) - edge_count(head, o));
    }
    if (base + o < low + s->shape.align) return;
  }
}

/* What all windows that start at offsets [low, high] have in common. */
static int64_t shared_price(const struct search *s, const struct stride *t, const struct edge *head, const struct edge *tail,
                            uint64_t low, uint64_t high) {
  const uint64_t q = s->shape.count / WINDOW_BLOCK, r = s->shape.count % WINDOW_BLOCK;
  if (high - low >= s->shape.count) return 0;
  const int64_t covered = q == 0 ? 0 : edge_count(head, WINDOW_BLOCK) + t->inner;
  return covered + edge_count(tail, low + r) - edge_count(head, high);
}

/* A stride that may win: its words of starts, one after the other. */
static void try_stride(struct search *s, const struct stride *t) {
  const uint64_t base = t->block * WINDOW_BLOCK, q = s->shape.count / WINDOW_BLOCK;
  struct edge head, tail;
  edge_read(&head, s->c, t->block);
  edge_read(&tail, s->c, t->block + q);
  for (uint64_t high = t->high; high >= t->low;) {
    const uint64_t word = bits_align_down(high, WINDOW_WORD), low = bits_max(word, t->low);
    const uint64_t lowest = bits_align_up(low, s->shape.align), highest = bits_align_down(high, s->shape.align);
    if (lowest <= highest) {
      const int64_t least = shared_price(s, t, &head, &tail, lowest - base, highest - base);
      if (least < s->best) try_starts(s, t, &head, &tail, lowest, highest);
    }
    if (low == t->low) return;
    high = low - 1;
  }
}

/* Windows that are whole blocks cost what their blocks say. */
static bool try_whole_blocks(struct search *s, const struct stride *t) {
  if (s->shape.align < WINDOW_BLOCK || s->shape.count % WINDOW_BLOCK != 0) return false;
  const uint64_t first = t->block * WINDOW_BLOCK;
  const bool is_start = bits_is_aligned(first, s->shape.align) && first >= t->low && first <= t->high;
  if (is_start) consider(s, first, t->inner + (int64_t)window_used(s->c, t->block));
  return true;
}

/* All windows within one range of our RAM. */
static void try_range(struct search *s, uint64_t start, uint64_t end) {
  const uint64_t q = s->shape.count / WINDOW_BLOCK;
  if (!clip(&s->shape, &start, &end)) return;
  s->has_window = true;
  s->ceiling = s->clean_low = end;
  const uint64_t highest = end - s->shape.count, last = highest / WINDOW_BLOCK;
  struct stride t = {.block = last};
  for (uint64_t b = last + 1; b < last + q; b++) t.inner += (int64_t)window_used(s->c, b);
  for (;; t.block--) {
    const uint64_t base = t.block * WINDOW_BLOCK;
    t.low = bits_max(base, start);
    t.high = bits_min(base + WINDOW_BLOCK - 1, highest);
    const bool is_open = t.low + s->shape.count <= s->ceiling;
    if (is_open && t.inner < s->best && !try_whole_blocks(s, &t)) try_stride(s, &t);
    if (t.low == start || s->best == 0) return;
    if (q > 1) t.inner += (int64_t)window_used(s->c, t.block) - (int64_t)window_used(s->c, t.block + q - 1);
  }
}

/* --- the door ---------------------------------------------------------------------------------------------------- */

/* Movable frames of a window; false when something else is in it after all. */
static bool count_moves(const struct contig *c, uint64_t first, uint64_t count, uint64_t *moves) {
  *moves = 0;
  for (uint64_t at = first, end = first + count, n; at < end; at += n) {
    const uint64_t base = bits_align_down(at, WINDOW_WORD);
    n = bits_min(base + WINDOW_WORD, end) - at;
    const struct window_word w = window_word_at(c, base);
    const uint64_t mask = UINT64_MAX >> (WINDOW_WORD - n) << (at - base);
    if ((~(w.free | w.movable) & mask) != 0) return false;
    *moves += bits_count(w.movable & mask);
  }
  return true;
}

static void search(struct search *s) {
  uint64_t limit = s->shape.max, start, end;
  while (s->best != 0 && limit > s->shape.min && window_range_below(s->c, limit, &start, &end)) {
    try_range(s, start, end);
    limit = start;
  }
}

/* A few windows first, aligned far more than they have to be: what is found there makes most of the others not worth a look.
 */
static void search_coarsely(struct search *s) {
  const uint64_t align = s->shape.align;
  s->shape.align = bits_max(align, bits_min(UINT64_C(1) << bits_log2_floor(s->shape.count), WINDOW_BLOCK));
  if (s->shape.align != align) search(s);
  s->shape.align = align;
}

static status_t quote(struct contig *c, uint64_t count, const struct frame_limits *where, const struct avoid *avoid,
                      struct contig_quote *out) {
  struct search s = {.c = c, .avoid = avoid, .best = NEVER};
  const status_t status = decode(count, where, &s.shape);
  if (status != OK) return status;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  contig_door_drain(c); /* What a slot has put by counts as used in its block, and a stock's frames as unmovable. */
  uint64_t moves;
  search_coarsely(&s);
  search(&s);
  if (s.best == NEVER && !s.has_window) return ERR_RANGE;
  if (window_free_frames(c) < count) return ERR_NO_MEMORY;
  if (s.best == NEVER || !count_moves(c, s.best_first, count, &moves)) return ERR_BUSY;
  *out = (struct contig_quote){.first = pfn(s.best_first), .count = count, .moves = moves};
  return OK;
}

/* The cheapest of all windows is known: does a node have one at that price, and which is the nearest that does? */
static void prefer_near(struct contig *c, uint32_t near, const struct frame_limits *where, const struct avoid *avoid,
                        struct contig_quote *q) {
  struct contig_quote here;
  uint32_t node;
  for (uint32_t i = 0; nodes_fallback(c->nodes, near, i, &node); i++) {
    if (quote(&c->parts[node], q->count, where, avoid, &here) != OK || here.moves > q->moves) continue;
    *q = here;
    return;
  }
}

status_t contig_quote_avoiding(struct contig *c, uint32_t near, uint64_t count, const struct frame_limits *where,
                               const struct avoid *avoid, struct contig_quote *out) {
  struct contig_quote q;
  const status_t s = quote(c, count, where, avoid, &q);
  if (s != OK) return s;
  if (near != NEAR_NOBODY && c->parts && nodes_count(c->nodes) > 1) prefer_near(c, near, where, avoid, &q);
  *out = q;
  (void)atomic_add(&window_machine(c)->stats.quotes, UINT64_C(1));
  return OK;
}

status_t contig_quote(struct contig *c, uint64_t count, const struct frame_limits *where, struct contig_quote *out) {
  return contig_quote_avoiding(c, NEAR_NOBODY, count, where, NULL, out);
}

bool contig_is_possible(const struct contig *c, uint64_t count, const struct frame_limits *where) {
  struct shape s;
  uint64_t start, end;
  if (decode(count, where, &s) != OK) return false;
  for (uint64_t limit = s.max; limit > s.min && window_range_below(c, limit, &start, &end); limit = start) {
    uint64_t from = start;
    if (clip(&s, &from, &end)) return true;
  }
  return false;
}

/* --- explaining -------------------------------------------------------------------------------------------------- */

/* A reader of single frames that keeps the word it read last. */
struct reader {
  const struct contig *c;
  uint64_t base; /* No frame's when nothing was read. */
  struct window_word word;
};

static void count_frame(struct reader *r, uint64_t frame, uint64_t sign, struct contig_obstacle *o) {
  const uint64_t base = bits_align_down(frame, WINDOW_WORD);
  if (r->base != base) *r = (struct reader){r->c, base, window_word_at(r->c, base)};
  const uint64_t movable = r->word.movable >> (frame - base) & 1, free = r->word.free >> (frame - base) & 1;
  o->movable += movable * sign;
  o->unmovable += (1 - (movable | free)) * sign;
}

/* Slides one window from the highest start of a range to the lowest. */
static void explain_range(const struct contig *c, const struct shape *s, uint64_t start, uint64_t end,
                          struct contig_obstacle *best) {
  struct reader in = {.c = c, .base = UINT64_MAX}, out = in;
  struct contig_obstacle o = {0};
  if (!clip(s, &start, &end)) return;
  uint64_t bottom = end, top = end; /* What is counted. */
  for (uint64_t at = bits_align_down(end - s->count, s->align);; at -= s->align) {
    while (bottom > at) count_frame(&in, --bottom, 1, &o);
    while (top > at + s->count) count_frame(&out, --top, UINT64_MAX, &o);
    o.first = pfn(at);
    if (!crosses(s, at) && o.unmovable < best->unmovable) *best = o;
    if (at < start + s->align) return;
  }
}

status_t contig_explain(struct contig *c, uint64_t count, const struct frame_limits *where, struct contig_obstacle *out) {
  struct contig_obstacle best = {.unmovable = UINT64_MAX};
  struct shape s;
  bool is_movable;
  const status_t status = decode(count, where, &s);
  if (status != OK) return status;
  if (!window_can_see(c)) return ERR_UNSUPPORTED;
  uint64_t limit = s.max, start, end;
  for (; limit > s.min && window_range_below(c, limit, &start, &end); limit = start) explain_range(c, &s, start, end, &best);
  if (best.unmovable == UINT64_MAX) return ERR_RANGE;
  if (best.unmovable == 0) return ERR_NOT_FOUND;
  best.frame = pfn(first_unmovable(c, NULL, best.first.raw, best.first.raw + count));
  best.owner = window_owner(c, best.frame.raw, &is_movable);
  *out = best;
  return OK;
}
