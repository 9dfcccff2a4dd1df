/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_nodes.c: on a machine with nodes the cheapest window is found wherever it is, across borders too.
 *
 * Small machines of one to four nodes whose borders lie anywhere, in the middle of a word too, and which may come back to a
 * node; frames free, movable or in the way at random, with real bytes.  The oracle tries every window.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine.h"
#include "mm/bad.h"
#include "mm/contig_nodes.h"
#include "mm/contig_pool.h"
#include "platform.h"
#include "seed.h"

#define MOVER  FRAME_OWNER_USER
#define FIXED  FRAME_OWNER_TEST
#define FIRST  UINT64_C(512)
#define SPANS  5U
#define NODES  4U
#define FRAMES UINT64_C(2600) /* At most. */
#define END    (FIRST + FRAMES)

/* One machine, and whose each frame is. */
static struct {
  struct machine m;
  struct boot_region ram;
  struct nodes_range spans[SPANS];
  struct nodes_layout layout;
  struct contig whole, parts[NODES];
  char *bytes;
  uint32_t object_of[END], next_object; /* By frame; 0: none of the mover's. */
  bool is_fixed[END];
  uint64_t end, moves, held;
} t;

static uint64_t *words_of(uint64_t frame) { return (uint64_t *)(t.bytes + frame * FRAME_SIZE); }

static status_t hold(void *context, pfn_t frame) {
  (void)context;
  if (t.object_of[frame.raw] == 0) return ERR_STATE;
  t.held++;
  return OK;
}

static void move(void *context, pfn_t from, pfn_t to) {
  (void)context;
  assert_true(t.object_of[from.raw] != 0 && t.object_of[to.raw] == 0 && !t.is_fixed[to.raw]);
  t.object_of[to.raw] = t.object_of[from.raw];
  t.object_of[from.raw] = 0;
  t.moves++;
  t.held--;
}

static void release(void *context, pfn_t frame) {
  (void)context;
  (void)frame;
  t.held--;
}

static const struct frame_mover mover = {hold, move, release, NULL};

static bool take_at(uint64_t frame, enum frame_owner owner, uint32_t flags) {
  const struct frame_limits exactly = {.min = frame, .max = frame + 1};
  pfn_t got;
  return nodes_alloc_run(t.m.nodes, owner, flags, 1, &exactly, &got) == OK;
}

static void take_movable(uint64_t frame) {
  assert_true(take_at(frame, MOVER, PMM_MOVABLE));
  t.object_of[frame] = ++t.next_object;
  words_of(frame)[7] = t.next_object;
}

static void take_fixed(uint64_t frame) {
  assert_true(take_at(frame, FIXED, 0));
  t.is_fixed[frame] = true;
}

/* RAM from FIRST on, in pieces that belong to the nodes in turn. */
static void begin(uint64_t frames, uint32_t nodes, uint32_t spans, struct dice *d) {
  uint64_t at = FIRST;
  memset(t.object_of, 0, sizeof t.object_of);
  memset(t.is_fixed, 0, sizeof t.is_fixed);
  t.next_object = 0;
  t.moves = t.held = 0;
  t.end = FIRST + frames;
  t.ram = (struct boot_region){FIRST * FRAME_SIZE, t.end * FRAME_SIZE, BOOT_MEMORY_USABLE, 7, 8};
  for (uint32_t i = 0; i < spans; i++) {
    const uint64_t left = t.end - at, share = left / (spans - i);
    const uint64_t n = i + 1 == spans ? left : d ? dice_between(d, share / 4 + 1, share) : share;
    t.spans[i] = (struct nodes_range){at, at + n, i % nodes};
    at += n;
  }
  t.layout = (struct nodes_layout){nodes, t.spans, spans, NULL, 0};
  t.m = machine_create(&t.ram, 1, &t.layout, NULL, 0);
  assert_int_equal(t.m.status, OK);
  contig_nodes_init(&t.whole, t.parts, t.m.nodes);
  assert_int_equal(contig_mover_set(&t.whole, MOVER, &mover), OK);
}

static void must_be_intact(void) {
  struct pmm_story story;
  assert_int_equal(t.held, 0);
  for (uint64_t f = FIRST; f < t.end; f++) {
    nodes_describe(t.m.nodes, paddr_of_pfn(pfn(f)), &story);
    assert_int_equal(story.owner == MOVER, t.object_of[f] != 0);
    if (t.object_of[f] == 0) continue;
    assert_true(story.is_movable);
    assert_int_equal(words_of(f)[7], t.object_of[f]);
  }
  machine_must_be_sound(&t.m, "after moves");
}

static void end(void) {
  must_be_intact();
  machine_destroy(&t.m);
}

/* --- the oracle -------------------------------------------------------------------------------------------------- */

static bool start_fits(uint64_t start, uint64_t count, const struct frame_limits *w) {
  const uint64_t align = w->align ? w->align : 1, max = w->max ? w->max : UINT64_MAX;
  if (start % align != 0 || start < w->min || start + count > max) return false;
  return w->boundary == 0 || start / w->boundary == (start + count - 1) / w->boundary;
}

struct verdict {
  status_t status;
  uint64_t moves;           /* Of the cheapest window, */
  uint64_t moves_in[NODES]; /* and of those within one node. */
};

static bool lies_in(uint64_t first, uint64_t count, uint32_t node) {
  for (uint64_t f = first; f < first + count; f++)
    if (nodes_node_of(t.m.nodes, f) != node) return false;
  return true;
}

static struct verdict oracle(uint64_t count, const struct frame_limits *w) {
  struct verdict v = {ERR_RANGE, UINT64_MAX, {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX}};
  uint64_t free_frames = 0, movable = 0, fixed = 0;
  for (uint64_t f = FIRST; f < t.end; f++) {
    free_frames += t.object_of[f] == 0 && !t.is_fixed[f];
    movable += t.object_of[f] != 0;
    fixed += t.is_fixed[f];
    if (f - FIRST >= count) {
      movable -= t.object_of[f - count] != 0;
      fixed -= t.is_fixed[f - count];
    }
    if (f - FIRST + 1 < count || !start_fits(f + 1 - count, count, w)) continue;
    if (v.status == ERR_RANGE) v.status = ERR_BUSY;
    if (fixed != 0) continue;
    v.moves = bits_min(v.moves, movable);
    for (uint32_t n = 0; n < NODES; n++)
      if (movable < v.moves_in[n] && lies_in(f + 1 - count, count, n)) v.moves_in[n] = movable;
  }
  if (v.status == ERR_BUSY && free_frames < count) v.status = ERR_NO_MEMORY;
  if (v.status == ERR_BUSY && v.moves != UINT64_MAX) v.status = OK;
  return v;
}

static struct frame_limits some_limits(struct dice *d, uint64_t count) {
  struct frame_limits w = {0};
  if (dice_one_in(d, 3)) w.min = FIRST + dice_below(d, FRAMES / 2);
  if (dice_one_in(d, 3)) w.max = FIRST + FRAMES / 2 + dice_below(d, FRAMES);
  if (dice_one_in(d, 2)) w.align = UINT64_C(1) << dice_below(d, 11);
  if (dice_one_in(d, 4)) w.boundary = UINT64_C(1) << dice_between(d, bits_log2_floor(2 * count - 1), 12);
  return w;
}

static struct {
  uint64_t quotes, made, moves, across, near, strangers;
} tally;

static void commit(const struct contig_quote *q) {
  const uint64_t before = t.moves;
  pfn_t first;
  assert_int_equal(contig_commit(&t.whole, q, FRAME_OWNER_KERNEL, &first), OK);
  assert_int_equal(t.moves - before, q->moves);
  must_be_intact();
  assert_int_equal(nodes_free_run(t.m.nodes, FRAME_OWNER_KERNEL, first, q->count), OK);
  tally.made++;
  tally.moves += q->moves;
  tally.across += !lies_in(q->first.raw, q->count, nodes_node_of(t.m.nodes, q->first.raw));
}

/* Of one node alone: the least that it has. */
static void quote_exactly(uint32_t node, uint64_t count, const struct frame_limits *w, const struct verdict *v) {
  struct contig_quote q;
  if (contig_nodes_quote(&t.whole, NODE(node) | NODE_EXACT, count, w, &q) != OK)
    return; /* Perhaps it has too little free. */
  assert_int_equal(q.moves, v->moves_in[node]);
  assert_true(lies_in(q.first.raw, count, node));
}

static void one_quote(struct dice *d, uint32_t nodes) {
  const uint64_t count = dice_one_in(d, 4) ? 512 : 1 + dice_any_size(d, dice_one_in(d, 3) ? 11 : 8);
  const struct frame_limits w = some_limits(d, count);
  const uint32_t near = (uint32_t)dice_below(d, nodes);
  struct contig_quote q = {.count = 77};
  const struct verdict v = oracle(count, &w);
  assert_int_equal(contig_nodes_quote(&t.whole, NODE(near), count, &w, &q), v.status);
  tally.quotes++;
  if (v.status != OK) {
    assert_int_equal(q.count, 77);
    return;
  }
  assert_int_equal(q.moves, v.moves);
  assert_true(start_fits(q.first.raw, count, &w));
  if (v.moves_in[near] == v.moves) { /* A node that has enough free frames of its own offers what it has. */
    struct pmm_stats s;
    nodes_stats_read(t.m.nodes, near, &s);
    if (s.free_frames >= count) assert_true(lies_in(q.first.raw, count, near));
    tally.near++;
  }
  quote_exactly(near, count, &w, &v);
  if (dice_one_in(d, 2)) commit(&q);
}

static void the_cheapest_window_of_all_nodes_is_quoted_and_made(void **state) {
  (void)state;
  const uint64_t seed = seed_of_run();
  for (uint64_t i = 0; i < 200; i++) {
    struct dice d = dice_of(seed + i);
    const uint32_t nodes = (uint32_t)dice_between(&d, 1, NODES), spans = (uint32_t)dice_between(&d, nodes, SPANS);
    begin(dice_between(&d, 300, FRAMES), nodes, nodes == 1 ? 1 : spans, &d);
    const uint64_t used = dice_below(&d, 90), fixed = dice_one_in(&d, 3) ? 0 : dice_any_size(&d, 6);
    for (uint64_t f = FIRST; f < t.end; f++) {
      if (dice_below(&d, 1000) < fixed)
        take_fixed(f);
      else if (dice_below(&d, 100) < used)
        take_movable(f);
    }
    for (unsigned k = 0; k < 15; k++) one_quote(&d, nodes);
    end();
  }
  printf("# nodes: %llu quotes, %llu made with %llu moves, %llu of them across a border; %llu times the node that was named "
         "had the cheapest\n",
         (unsigned long long)tally.quotes, (unsigned long long)tally.made, (unsigned long long)tally.moves,
         (unsigned long long)tally.across, (unsigned long long)tally.near);
  assert_true(tally.across > 20 && tally.near > 100 && tally.made > 300);
}

/* --- by hand: two nodes of 1024 frames -------------------------------------------------------------------------- */

#define BORDER (FIRST + 1024)

static uint64_t movable_in(uint32_t node) {
  struct ledger l;
  nodes_ledger_read(t.m.nodes, node, &l);
  return l.frames[MOVER];
}

/* A run longer than any node: it can only be made across the border, and what moves out finds room on either side. */
static void a_run_longer_than_a_node_is_made(void **state) {
  (void)state;
  begin(2048, 2, 2, NULL);
  for (uint64_t f = FIRST + 300; f < FIRST + 1700; f += 7) take_movable(f);
  pfn_t first = {0};
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, NODE(0) | NODE_EXACT, 1200, NULL, 999, &first),
                   ERR_RANGE);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, 0, 1200, NULL, 20, &first), ERR_DENIED);
  assert_int_equal(nodes_failure_count(t.m.nodes), 2);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, 0, 1200, NULL, 999, &first), OK);
  assert_int_equal(nodes_failure_count(t.m.nodes), 2); /* What is made has not failed. */
  assert_true(first.raw < BORDER && first.raw + 1200 > BORDER && t.moves > 0);
  must_be_intact();
  assert_int_equal(nodes_free_run(t.m.nodes, FRAME_OWNER_KERNEL, first, 1200), OK);
  end();
}

static void what_moves_stays_in_its_node_while_that_has_room(void **state) {
  (void)state;
  const struct frame_limits block = {.align = 512};
  begin(2048, 2, 2, NULL);
  for (uint64_t f = FIRST; f < t.end; f++) {
    const bool is_dear = f >= BORDER || f < FIRST + 512;
    if (f % (is_dear ? 2 : 4) == 0) take_movable(f);
  }
  const uint64_t in_0 = movable_in(0), in_1 = movable_in(1);
  pfn_t first;
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, NODE(1), 512, &block, 999, &first), OK);
  assert_int_equal(first.raw, FIRST + 512); /* Cheaper than any in the node that was named. */
  assert_int_equal(movable_in(0), in_0);
  assert_int_equal(movable_in(1), in_1);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_TEST, NODE(1) | NODE_EXACT, 512, &block, 999, &first), OK);
  assert_true(first.raw >= BORDER);
  assert_int_equal(movable_in(1), in_1);
  end();
}

/* Node 0 is full but for its window: what moves out of that goes to node 1, and is charged there. */
static void what_finds_no_room_in_its_node_goes_to_the_next(void **state) {
  (void)state;
  const struct frame_limits first_block = {.min = FIRST, .max = FIRST + 512};
  begin(2048, 2, 2, NULL);
  for (uint64_t f = FIRST; f < BORDER; f++) {
    if (f >= FIRST + 512)
      take_fixed(f);
    else if (f % 2 == 0)
      take_movable(f);
  }
  pfn_t first;
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, NODE_EXACT, 512, &first_block, 999, &first),
                   ERR_NO_MEMORY);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, NODE_ZEROED, 512, &first_block, 999, &first), OK);
  assert_int_equal(movable_in(0), 0);
  assert_int_equal(movable_in(1), 256);
  for (uint64_t i = 0; i < 512 * FRAME_SIZE / sizeof(uint64_t); i++) assert_int_equal(words_of(first.raw)[i], 0);
  end();
}

static void requests_that_make_no_sense_are_told_apart(void **state) {
  (void)state;
  struct contig_quote q;
  struct contig_obstacle o;
  pfn_t first;
  begin(2048, 2, 2, NULL);
  take_fixed(FIRST + 1);
  assert_int_equal(contig_nodes_quote(&t.whole, NODE(2), 1, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_nodes_quote(&t.whole, PMM_BELOW(12), 1, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_nodes_quote(&t.whole, PMM_BELOW(20), 1, NULL, &q), ERR_RANGE); /* RAM begins at 2 MiB. */
  assert_int_equal(contig_nodes_quote(&t.whole, PMM_BELOW(64), 0, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_nodes_quote(&t.whole, UINT32_C(1) << 31, 1, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_nodes_quote(&t.whole, PMM_BELOW(256 + 30), 1, NULL, &q), ERR_INVALID);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_GATHERED, 0, 1, NULL, 0, &first), ERR_INVALID);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_GATHERED, 0, 1, NULL, 1, &first), ERR_INVALID);
  assert_int_equal(contig_nodes_explain(&t.whole, NODE(7), 1, NULL, &o), ERR_INVALID);
  assert_int_equal(contig_nodes_explain(&t.whole, NODE(1) | NODE_EXACT, 1024, NULL, &o), ERR_NOT_FOUND);
  assert_int_equal(contig_nodes_explain(&t.whole, NODE(0) | NODE_EXACT, 1024, NULL, &o), OK);
  assert_int_equal(o.frame.raw, FIRST + 1);
  assert_int_equal(contig_nodes_explain(&t.whole, 0, 2048, NULL, &o), OK);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, NODE(9), 1, NULL, 1, &first), ERR_INVALID);
  assert_int_equal(contig_nodes_alloc(&t.whole, FRAME_OWNER_KERNEL, 0, 2049, NULL, 1, &first), ERR_RANGE);
  struct pmm_story story;
  assert_int_equal(contig_nodes_alloc(&t.whole, MOVER, PMM_MOVABLE, 3, NULL, 1, &first), OK);
  nodes_describe(t.m.nodes, paddr_of_pfn(first), &story);
  assert_false(story.is_movable); /* Found or made: as the contract has it. */
  assert_int_equal(nodes_free_run(t.m.nodes, MOVER, first, 3), OK);
  assert_null(contig_nodes_for(&t.whole, NODE(2)));
  assert_ptr_equal(contig_nodes_for(&t.whole, NODE(1)), &t.whole);
  assert_ptr_equal(contig_nodes_for(&t.whole, NODE(1) | NODE_EXACT), &t.parts[1]);
  end();
}

/* --- zeros in stock ------------------------------------------------------------------------------------------------ */

/* A stock in each node, filled: its head is the highest frame of the node, and its zeros come from the block below that. */
static void fill_stocks(void) {
  struct ledger l;
  while (nodes_idle(t.m.nodes)) continue;
  nodes_ledger_read(t.m.nodes, 1, &l);
  assert_true(l.frames[FRAME_OWNER_ZEROED] >= 32);
}

/* They are as good as free: they make no run dearer and none impossible, with moves or without. */
static void a_stock_of_zeros_is_in_nobodys_way(void **state) {
  (void)state;
  const struct contig_pool_promise promise = {1000, 1, CONTIG_POOL_POWERS};
  const struct frame_limits window = {.min = BORDER + 512, .max = BORDER + 1016};
  struct contig *part = NULL;
  struct contig_quote before, q;
  struct contig_compaction c;
  struct contig_pool *pool;
  pfn_t first;
  begin(2048, 2, 2, NULL);
  part = &t.parts[1];
  assert_int_equal(nodes_clear_init(t.m.nodes, NODES_CLEAR_ON_ALLOC, UINT64_C(1) << 20), OK);
  fill_stocks();
  assert_int_equal(contig_pool_create(part, FRAME_OWNER_TEST, &promise, NULL, 0, &pool), OK);
  assert_int_equal(contig_pool_destroy(pool), OK);
  for (uint64_t f = FIRST; f < t.end; f += 16) take_movable(f);
  assert_int_equal(contig_quote(part, 504, &window, &before), OK);
  fill_stocks();
  assert_int_equal(contig_quote(part, 504, &window, &q), OK);
  assert_int_equal(q.moves, before.moves);
  fill_stocks();
  assert_int_equal(contig_quote(&t.whole, 504, &window, &q), OK);
  assert_int_equal(q.moves, before.moves);
  fill_stocks();
  assert_int_equal(contig_alloc(part, FRAME_OWNER_KERNEL, 504, &window, before.moves, &first), OK);
  assert_int_equal(nodes_free_run(t.m.nodes, FRAME_OWNER_KERNEL, first, 504), OK);
  fill_stocks();
  assert_int_equal(contig_compact(part, FRAMES_PER_2M, UINT64_MAX, &c), OK);
  assert_int_equal(c.possible, 1); /* Of two blocks; in one is the stock's head. */
  assert_int_equal(c.before + c.made, 1);
  end();
}

/* --- broken frames ------------------------------------------------------------------------------------------------ */

static uint64_t state_of(uint64_t frame) {
  struct pmm_story story;
  nodes_describe(t.m.nodes, paddr_of_pfn(pfn(frame)), &story);
  return story.state;
}

static void condemn(uint64_t frame) {
  enum bad_outcome outcome;
  assert_int_equal(bad_report(t.m.nodes, NULL, pfn(frame), &outcome), OK);
  assert_int_equal(outcome, BAD_CONDEMNED);
}

/* A condemned frame is in no run that is made, and compaction does not bring it back into circulation. */
static void what_is_condemned_is_in_the_way(void **state) {
  (void)state;
  const struct frame_limits window = {.min = BORDER, .max = BORDER + 512};
  struct contig_compaction c;
  struct contig_quote q;
  begin(2048, 2, 2, NULL);
  for (uint64_t f = FIRST; f < t.end; f += 4) take_movable(f);
  assert_int_equal(contig_nodes_quote(&t.whole, 0, 512, &window, &q), OK);
  condemn(BORDER + 8);
  assert_int_equal(contig_commit(&t.whole, &q, FRAME_OWNER_KERNEL, &(pfn_t){0}), ERR_BUSY);
  assert_int_equal(contig_nodes_quote(&t.whole, 0, 512, &window, &q), ERR_BUSY);
  assert_int_equal(contig_compact(&t.parts[1], 512, UINT64_MAX, &c), OK);
  assert_int_equal(c.made, 1);
  assert_int_equal(state_of(BORDER + 8), FRAME_ALLOCATED);
  assert_true(t.object_of[BORDER + 8] != 0); /* Where it was. */
  enum bad_outcome outcome;
  assert_int_equal(bad_report(t.m.nodes, &t.parts[1], pfn(BORDER + 8), &outcome), OK); /* But bad.c may move it. */
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(state_of(BORDER + 8), FRAME_BAD);
  assert_int_equal(bad_condemned(t.m.nodes), 0);
  end();
}

/* A frame that is gathered turns out to be broken. */
static uint64_t victim;
static bool refuses_then;
static status_t condemn_in_hold(void *context, pfn_t frame) {
  struct pmm_story story = {0};
  if (victim != 0) nodes_describe(t.m.nodes, paddr_of_pfn(pfn(victim)), &story);
  if (story.owner == FRAME_OWNER_GATHERED) {
    condemn(victim);
    victim = 0;
    if (refuses_then) return ERR_DENIED;
  }
  return hold(context, frame);
}

/* Whether the window is made, and freed, or given up: the broken frame leaves service and is not free for a moment. */
static void what_is_condemned_in_the_middle_leaves_service(void **state) {
  (void)state;
  static const struct frame_mover spoiler = {condemn_in_hold, move, release, NULL};
  for (unsigned i = 0; i < 2; i++) {
    begin(2048, 2, 2, NULL);
    t.whole.movers[MOVER] = &spoiler;
    for (uint64_t f = FIRST; f < t.end; f += 4) take_movable(f);
    struct contig_compaction c;
    victim = FIRST + 1;
    refuses_then = i == 1;
    assert_int_equal(contig_compact(&t.parts[0], 512, 1, &c), OK);
    assert_int_equal(victim, 0);
    assert_int_equal(state_of(FIRST + 1), FRAME_BAD);
    assert_int_equal(bad_condemned(t.m.nodes), 0);
    end();
  }
}

static void a_pools_broken_frame_leaves_service_with_the_pool(void **state) {
  (void)state;
  const struct contig_pool_promise promise = {64, 8, CONTIG_POOL_POWERS};
  struct contig_pool *pool;
  pfn_t block;
  begin(2048, 2, 2, NULL);
  assert_int_equal(contig_pool_create(&t.whole, FRAME_OWNER_TEST, &promise, NULL, 0, &pool), OK);
  assert_int_equal(contig_pool_alloc(pool, 8, &block), OK);
  condemn(block.raw + 3);
  assert_int_equal(contig_pool_free(pool, block, 8), OK);
  assert_int_equal(state_of(block.raw + 3), FRAME_ALLOCATED);
  assert_int_equal(contig_pool_destroy(pool), OK);
  assert_int_equal(state_of(block.raw + 3), FRAME_BAD);
  assert_int_equal(state_of(block.raw + 4), FRAME_FREE);
  assert_int_equal(bad_condemned(t.m.nodes), 0);
  end();
}

/* The node of a broken frame is full, but the machine is not: its owner takes a frame of another node. */
static void a_broken_frame_moves_out_of_a_full_node(void **state) {
  (void)state;
  enum bad_outcome outcome;
  begin(2048, 2, 2, NULL);
  for (uint64_t f = FIRST; f < BORDER; f++) take_movable(f);
  assert_int_equal(bad_report(t.m.nodes, &t.parts[0], pfn(FIRST + 77), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(bad_report(t.m.nodes, &t.whole, pfn(FIRST + 600), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(movable_in(0), 1022);
  assert_int_equal(movable_in(1), 2);
  assert_int_equal(bad_condemned(t.m.nodes), 0);
  end();
}

/* All that is free lies in the stock of zeros: that is enough for a broken frame's bytes. */
static void a_broken_frame_moves_into_what_the_stock_had(void **state) {
  (void)state;
  enum bad_outcome outcome;
  struct ledger l;
  uint64_t fixed = 0;
  begin(2048, 1, 1, NULL);
  assert_int_equal(nodes_clear_init(t.m.nodes, NODES_CLEAR_ON_ALLOC, MIB), OK);
  for (uint64_t f = FIRST; f < FIRST + 100; f++) take_movable(f);
  while (nodes_idle(t.m.nodes)) continue;
  pfn_t got;
  for (; pmm_alloc_frame(nodes_pmm(t.m.nodes, 0), FIXED, 0, &got) == OK; fixed++) t.is_fixed[got.raw] = true;
  nodes_ledger_read(t.m.nodes, NODES_ALL, &l);
  assert_true(fixed > 0 && l.frames[FRAME_OWNER_FREE] == 0 && l.frames[FRAME_OWNER_ZEROED] > 0);
  assert_int_equal(bad_report(t.m.nodes, &t.parts[0], pfn(FIRST + 50), &outcome), OK);
  assert_int_equal(outcome, BAD_MOVED);
  assert_int_equal(movable_in(0), 100);
  end();
}

int main(void) {
  t.bytes = fake_platform_make_ram(END * FRAME_SIZE);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_longer_than_a_node_is_made),
      cmocka_unit_test(what_moves_stays_in_its_node_while_that_has_room),
      cmocka_unit_test(what_finds_no_room_in_its_node_goes_to_the_next),
      cmocka_unit_test(requests_that_make_no_sense_are_told_apart),
      cmocka_unit_test(a_stock_of_zeros_is_in_nobodys_way),
      cmocka_unit_test(what_is_condemned_is_in_the_way),
      cmocka_unit_test(what_is_condemned_in_the_middle_leaves_service),
      cmocka_unit_test(a_pools_broken_frame_leaves_service_with_the_pool),
      cmocka_unit_test(a_broken_frame_moves_out_of_a_full_node),
      cmocka_unit_test(a_broken_frame_moves_into_what_the_stock_had),
      cmocka_unit_test(the_cheapest_window_of_all_nodes_is_quoted_and_made),
  };
  return cmocka_run_group_tests_name("mm/phys/contig_nodes", tests, NULL, NULL);
}
