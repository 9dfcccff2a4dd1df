/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Certified pools: nobody who keeps the promise can break one.
 *
 * Three tries to.  Every client there is, for small promises: all states that any order of allocations and frees can reach
 * are visited in a model of aligned first fit.  The client of Robson's proof, which leaves behind what costs most.  And
 * random ones, on real pools, where each answer is that of the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "hosted.h"
#include "mm/contig_pool.h"
#include "movers.h"
#include "platform.h"

/* --- aligned first fit, as plainly as it can be written ---------------------------------------------------------- */

static uint64_t class_size(uint64_t count) {
  uint64_t size = 1;
  while (size < count) size *= 2;
  return size;
}

/* --- every client there is: states of up to 32 frames as two words ----------------------------------------------- */

struct state {
  uint32_t live, starts;
};

#define TABLE (UINT64_C(1) << 24)

struct search {
  struct contig_pool_promise promise;
  uint64_t highest, states;
  struct state *stack;
  size_t depth;
  struct state *table; /* Open addressing; live 0 is the empty place, for the state of nothing needs none. */
};

static void visit(struct search *s, struct state t) {
  uint64_t at = (t.live * UINT64_C(0x9e3779b97f4a7c15) ^ t.starts * UINT64_C(0xc2b2ae3d27d4eb4f)) >> 13 & (TABLE - 1);
  if (t.live == 0) return;
  for (; s->table[at].live != 0; at = (at + 1) & (TABLE - 1))
    if (s->table[at].live == t.live && s->table[at].starts == t.starts) return;
  s->table[at] = t;
  s->stack[s->depth++] = t;
  assert_true(++s->states < TABLE / 2);
}

static uint32_t frames_mask(uint64_t at, uint64_t count) { return (uint32_t)(((UINT64_C(1) << count) - 1) << at); }

static void try_alloc(struct search *s, struct state t, uint64_t count) {
  if (bits_count(t.live) + count > s->promise.max_live) return;
  uint64_t at = 0;
  while (t.live & frames_mask(at, count)) at += class_size(count);
  s->highest = bits_max(s->highest, at + count);
  assert_true(at + count <= 32);
  visit(s, (struct state){t.live | frames_mask(at, count), t.starts | frames_mask(at, 1)});
}

static void try_frees(struct search *s, struct state t) {
  for (uint32_t left = t.starts; left != 0; left &= left - 1) {
    const unsigned at = (unsigned)__builtin_ctz(left);
    uint32_t block = frames_mask(at, 1);
    for (unsigned i = at + 1; i < 32 && (t.live >> i & 1) && !(t.starts >> i & 1); i++) block |= frames_mask(i, 1);
    visit(s, (struct state){t.live & ~block, t.starts & ~frames_mask(at, 1)});
  }
}

/* The highest end that any client at all can bring about. */
static uint64_t worst_of_all(const struct contig_pool_promise *promise, uint64_t *states) {
  struct search s = {.promise = *promise, .stack = calloc(TABLE, sizeof *s.stack), .table = calloc(TABLE, sizeof *s.table)};
  for (struct state t = {0};; t = s.stack[--s.depth]) {
    for (uint64_t n = 1; n <= promise->max_block; n++) {
      if (promise->sizes == CONTIG_POOL_ANY || bits_is_power_of_two(n)) try_alloc(&s, t, n);
    }
    try_frees(&s, t);
    if (s.depth == 0) break;
  }
  *states = s.states;
  free(s.stack);
  free(s.table);
  return s.highest;
}

static void no_client_at_all_needs_more(void **state) {
  (void)state;
  const struct contig_pool_promise promises[] = {
      {1, 1, CONTIG_POOL_POWERS}, {4, 1, CONTIG_POOL_POWERS}, {2, 2, CONTIG_POOL_POWERS}, {4, 2, CONTIG_POOL_POWERS},
      {7, 2, CONTIG_POOL_POWERS}, {4, 4, CONTIG_POOL_POWERS}, {8, 4, CONTIG_POOL_POWERS}, {9, 4, CONTIG_POOL_POWERS},
      {8, 8, CONTIG_POOL_POWERS}, {3, 3, CONTIG_POOL_ANY},    {4, 3, CONTIG_POOL_ANY},    {5, 4, CONTIG_POOL_ANY},
      {6, 3, CONTIG_POOL_ANY},    {7, 4, CONTIG_POOL_ANY},    {8, 3, CONTIG_POOL_ANY},    {7, 7, CONTIG_POOL_ANY},
  };
  uint64_t all = 0;
  for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
    uint64_t states;
    const uint64_t cost = contig_pool_cost(&promises[i]), worst = worst_of_all(&promises[i], &states);
    printf("# live %llu, block %llu, %s: %llu states reach %llu, reserved %llu\n", (unsigned long long)promises[i].max_live,
           (unsigned long long)promises[i].max_block, promises[i].sizes == CONTIG_POOL_POWERS ? "powers" : "any length",
           (unsigned long long)states, (unsigned long long)worst, (unsigned long long)cost);
    assert_true(worst <= cost);
    assert_true(cost < 2 * worst + promises[i].max_block); /* Not by reserving the moon. */
    all += states;
  }
  printf("# %llu states\n", (unsigned long long)all);
}

/* --- real pools -------------------------------------------------------------------------------------------------- */

#define RAM_FRAMES 80000

struct bench {
  struct hosted h;
  struct movers m;
  struct contig_pool *pool;
  uint64_t first, reserved;
};

static struct bench begin(const struct contig_pool_promise *promise) {
  static struct boot_region ram;
  struct bench b = {0};
  ram = hosted_plain_region(RAM_FRAMES);
  b.h = hosted_create(&ram, 1, NULL, 0);
  assert_int_equal(b.h.status, OK);
  movers_init(&b.m, &b.h, FRAME_OWNER_USER, RAM_FRAMES + 256, false);
  assert_int_equal(contig_pool_create(&b.m.contig, FRAME_OWNER_TEST, promise, NULL, 0, &b.pool), OK);
  struct contig_pool_stats s;
  contig_pool_stats_read(b.pool, &s);
  b.reserved = s.reserved;
  assert_int_equal(b.reserved, contig_pool_cost(promise));
  return b;
}

static void end(struct bench *b) {
  struct ledger l;
  assert_int_equal(contig_pool_destroy(b->pool), OK);
  ledger_read(b->h.pmm, &l);
  assert_int_equal(l.frames[FRAME_OWNER_TEST], 0);
  assert_int_equal(l.frames[FRAME_OWNER_KERNEL], 0);
  hosted_must_be_sound(&b->h, "after the pool");
  movers_fini(&b->m);
  hosted_destroy(&b->h);
}

/* The blocks of a client. */
struct client {
  struct contig_pool *pool;
  uint64_t base; /* The first frame that it ever got: the pool's, for the fit is the first. */
  uint64_t *at, *count;
  size_t blocks;
  uint64_t live;
};

static struct client client_of(struct contig_pool *pool) {
  return (struct client){.pool = pool,
                         .base = UINT64_MAX,
                         .at = calloc(RAM_FRAMES, sizeof(uint64_t)),
                         .count = calloc(RAM_FRAMES, sizeof(uint64_t))};
}

static void client_free(struct client *c, size_t i) {
  assert_int_equal(contig_pool_free(c->pool, pfn(c->base + c->at[i]), c->count[i]), OK);
  c->live -= c->count[i];
  c->blocks--;
  c->at[i] = c->at[c->blocks];
  c->count[i] = c->count[c->blocks];
}

static void client_alloc(struct client *c, uint64_t count) {
  pfn_t first;
  assert_int_equal(contig_pool_alloc(c->pool, count, &first), OK);
  if (c->base == UINT64_MAX) c->base = first.raw;
  assert_int_equal((first.raw - c->base) % class_size(count), 0);
  c->at[c->blocks] = first.raw - c->base;
  c->count[c->blocks++] = count;
  c->live += count;
}

static void client_end(struct client *c) {
  while (c->blocks > 0) client_free(c, c->blocks - 1);
  free(c->at);
  free(c->count);
}

/* Words that blocks occupying an offset modulo `step` would keep when all others are freed. */
static uint64_t kept_by(const struct client *c, uint64_t step, uint64_t offset) {
  uint64_t kept = 0;
  for (size_t i = 0; i < c->blocks; i++) {
    const uint64_t next = c->at[i] + (offset + step - c->at[i] % step) % step;
    if (next < c->at[i] + c->count[i]) kept += c->count[i];
  }
  return kept;
}

/* How long the blocks of a class are: as its name says, or just too long for the class below. */
static uint64_t whole_step(uint64_t step) { return step; }
static uint64_t half_and_one(uint64_t step) { return step / 2 + 1; }

/*
 * Robson's bad client.  It fills memory with single frames; then, for each power of two, frees everything that does not lie
 * over one frame in 2^k (of the two places that continue the last choice, the one that leaves most in the way) and
 * allocates as many blocks of 2^k as its promise allows.
 */
static uint64_t robson(struct contig_pool *pool, const struct contig_pool_promise *promise,
                       uint64_t (*length)(uint64_t step)) {
  struct client c = client_of(pool);
  struct contig_pool_stats s;
  uint64_t offset = 0;
  for (uint64_t i = 0; i < promise->max_live; i++) client_alloc(&c, 1);
  for (uint64_t step = 2; step <= promise->max_block; step *= 2) {
    /* The choice that keeps more blocks in the way for what they cost: a frame in each step. */
    const uint64_t other = offset + step / 2;
    if (kept_by(&c, step, other) > kept_by(&c, step, offset)) offset = other;
    for (size_t i = c.blocks; i-- > 0;) {
      const uint64_t next = c.at[i] + (offset + step - c.at[i] % step) % step;
      if (next >= c.at[i] + c.count[i]) client_free(&c, i);
    }
    while (length(step) <= promise->max_block && c.live + length(step) <= promise->max_live) client_alloc(&c, length(step));
  }
  client_end(&c);
  contig_pool_stats_read(pool, &s);
  return s.highest;
}

static void robsons_bad_client_is_served(void **state) {
  (void)state;
  const struct contig_pool_promise promises[] = {
      {64, 4, CONTIG_POOL_POWERS},     {512, 8, CONTIG_POOL_POWERS},    {1024, 64, CONTIG_POOL_POWERS},
      {2048, 256, CONTIG_POOL_POWERS}, {4096, 512, CONTIG_POOL_POWERS}, {1024, 1024, CONTIG_POOL_POWERS},
  };
  for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
    const struct contig_pool_promise *p = &promises[i];
    struct bench b = begin(p);
    const uint64_t log = bits_log2_floor(p->max_block);
    const uint64_t robsons = p->max_live + p->max_live * log / 2 - p->max_block + 1; /* Nobody can do with less. */
    const uint64_t highest = robson(b.pool, p, whole_step);
    printf("# live %llu, block %llu: Robson's client reaches %llu; his bound %llu; reserved %llu\n",
           (unsigned long long)p->max_live, (unsigned long long)p->max_block, (unsigned long long)highest,
           (unsigned long long)robsons, (unsigned long long)b.reserved);
    assert_true(highest <= b.reserved);
    assert_true(highest >= robsons);
    assert_true(b.reserved < robsons + 2 * p->max_block + p->max_live / 8);
    end(&b);
  }
}

/* The same where any length is allowed: blocks that are a frame too long for the class below cost it half as much. */
static void the_bad_client_of_any_length_is_served(void **state) {
  (void)state;
  const struct contig_pool_promise promises[] = {
      {64, 4, CONTIG_POOL_ANY},    {512, 9, CONTIG_POOL_ANY},    {1024, 64, CONTIG_POOL_ANY},
      {1000, 33, CONTIG_POOL_ANY}, {2048, 257, CONTIG_POOL_ANY}, {1500, 1024, CONTIG_POOL_ANY},
  };
  for (size_t i = 0; i < sizeof promises / sizeof *promises; i++) {
    uint64_t (*const lengths[])(uint64_t) = {half_and_one, whole_step};
    for (unsigned k = 0; k < 2; k++) {
      struct bench b = begin(&promises[i]);
      const uint64_t highest = robson(b.pool, &promises[i], lengths[k]);
      printf("# live %llu, block %llu, any length: the bad client reaches %llu; reserved %llu\n",
             (unsigned long long)promises[i].max_live, (unsigned long long)promises[i].max_block,
             (unsigned long long)highest, (unsigned long long)b.reserved);
      assert_true(highest <= b.reserved && highest > promises[i].max_live);
      end(&b);
    }
  }
}

/* The pool costs one move and its bitmaps, two frames in a row, another one: both count. */
static void what_moves_for_a_pool_is_no_more_than_allowed(void **state) {
  (void)state;
  const struct contig_pool_promise promise = {20000, 1, CONTIG_POOL_POWERS};
  struct boot_region ram = hosted_plain_region(RAM_FRAMES);
  struct hosted h = hosted_create(&ram, 1, NULL, 0);
  struct movers m;
  struct contig_pool *pool = NULL;
  movers_init(&m, &h, FRAME_OWNER_USER, RAM_FRAMES + 256, false);
  assert_true(movers_take_at(&m, 10000));
  for (uint64_t f = 20256; f < RAM_FRAMES + 256; f += 2) assert_true(movers_take_at(&m, f));
  assert_int_equal(contig_pool_create(&m.contig, FRAME_OWNER_TEST, &promise, NULL, 0, &pool), ERR_NO_MEMORY);
  assert_int_equal(contig_pool_create(&m.contig, FRAME_OWNER_TEST, &promise, NULL, 1, &pool), ERR_NO_MEMORY);
  assert_null(pool);
  assert_true(m.moves <= 1);
  while (m.moves > 0 && m.object_of[10000] == 0) { /* As it was. */
    m.moves = 0;
    assert_true(movers_take_at(&m, 10000));
  }
  assert_int_equal(contig_pool_create(&m.contig, FRAME_OWNER_TEST, &promise, NULL, 2, &pool), OK);
  assert_int_equal(contig_pool_destroy(pool), OK);
  movers_fini(&m);
  hosted_destroy(&h);
}

/* A random client that keeps its promise to the frame, at its limit most of the time. */
static void random_clients_are_served(void **state) {
  (void)state;
  const uint64_t seed = seed_of_run();
  uint64_t ops = 0;
  for (uint64_t run = 0; run < 60; run++) {
    struct dice d = dice_of(seed + run);
    struct contig_pool_promise p = {dice_between(&d, 1, 3000), 0, dice_one_in(&d, 2) ? CONTIG_POOL_ANY : CONTIG_POOL_POWERS};
    p.max_block = dice_between(&d, 1, bits_min(p.max_live, 600));
    if (p.sizes == CONTIG_POOL_POWERS) p.max_block = UINT64_C(1) << bits_log2_floor(p.max_block);
    struct bench b = begin(&p);
    struct client c = client_of(b.pool);
    for (unsigned i = 0; i < 6000; i++, ops++) {
      const unsigned phase = i / 500 % 4; /* Sizes grow from phase to phase: that is what fragments. */
      uint64_t n = 1 + dice_below(&d, bits_max(p.max_block >> (9 - 3 * phase), 1));
      if (p.sizes == CONTIG_POOL_POWERS) n = UINT64_C(1) << bits_log2_floor(n);
      if (c.live + n <= p.max_live)
        client_alloc(&c, n);
      else if (i % 500 < 250 || dice_one_in(&d, 2))
        client_free(&c, dice_below(&d, c.blocks));
    }
    client_end(&c);
    end(&b);
  }
  printf("# random clients: %llu operations\n", (unsigned long long)ops);
}

static void a_broken_promise_is_denied_and_a_wrong_free_refused(void **state) {
  (void)state;
  const struct contig_pool_promise p = {10, 4, CONTIG_POOL_ANY}, powers = {8, 4, CONTIG_POOL_POWERS};
  struct bench b = begin(&p);
  pfn_t one, four, three, more = pfn(7);
  struct contig_pool_stats s;
  assert_int_equal(contig_pool_alloc(b.pool, 1, &one), OK);
  assert_int_equal(contig_pool_alloc(b.pool, 4, &four), OK);
  assert_int_equal(contig_pool_alloc(b.pool, 3, &three), OK);
  assert_int_equal(contig_pool_alloc(b.pool, 3, &more), ERR_DENIED);
  assert_int_equal(contig_pool_alloc(b.pool, 5, &more), ERR_DENIED);
  assert_int_equal(contig_pool_alloc(b.pool, UINT64_MAX, &more), ERR_DENIED);
  assert_int_equal(contig_pool_alloc(b.pool, 0, &more), ERR_INVALID);
  assert_int_equal(more.raw, 7);
  assert_int_equal(contig_pool_free(b.pool, four, 3), ERR_INVALID);
  assert_int_equal(contig_pool_free(b.pool, four, 5), ERR_INVALID);
  assert_int_equal(three.raw, four.raw + 4);
  assert_int_equal(contig_pool_free(b.pool, four, 7), ERR_INVALID); /* Two blocks are not one. */
  assert_int_equal(contig_pool_free(b.pool, pfn_add(four, 1), 3), ERR_STATE);
  assert_int_equal(contig_pool_free(b.pool, pfn_add(one, 1), 1), ERR_STATE);
  assert_int_equal(contig_pool_free(b.pool, pfn(one.raw - 1), 1), ERR_RANGE);
  assert_int_equal(contig_pool_free(b.pool, pfn_add(one, b.reserved), 1), ERR_RANGE);
  assert_int_equal(contig_pool_free(b.pool, one, UINT64_MAX), ERR_RANGE);
  assert_int_equal(contig_pool_free(b.pool, one, 0), ERR_INVALID);
  assert_int_equal(contig_pool_destroy(b.pool), ERR_BUSY);
  contig_pool_stats_read(b.pool, &s);
  assert_int_equal(s.live, 8);
  assert_int_equal(s.blocks, 3);
  assert_int_equal(s.denied, 3);
  assert_int_equal(contig_pool_free(b.pool, four, 4), OK);
  assert_int_equal(contig_pool_free(b.pool, four, 4), ERR_STATE);
  assert_int_equal(contig_pool_free(b.pool, one, 1), OK);
  assert_int_equal(contig_pool_free(b.pool, three, 3), OK);
  end(&b);
  b = begin(&powers);
  assert_int_equal(contig_pool_alloc(b.pool, 3, &more), ERR_INVALID);
  end(&b);
}

static void promises_that_make_no_sense_are_told_apart(void **state) {
  (void)state;
  const struct contig_pool_promise bad[] = {{0, 0, CONTIG_POOL_ANY},
                                            {4, 0, CONTIG_POOL_ANY},
                                            {4, 5, CONTIG_POOL_ANY},
                                            {8, 3, CONTIG_POOL_POWERS},
                                            {UINT64_MAX, 1, CONTIG_POOL_ANY}};
  const struct contig_pool_promise large = {CONTIG_POOL_LIVE_MAX, CONTIG_POOL_LIVE_MAX, CONTIG_POOL_ANY},
                                   good = {64, 8, CONTIG_POOL_ANY};
  struct bench b = begin(&good);
  struct contig_pool *pool = NULL;
  struct contig *c = &b.m.contig;
  const uint64_t before = hosted_digest(&b.h);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    assert_int_equal(contig_pool_cost(&bad[i]), 0);
    assert_int_equal(contig_pool_create(c, FRAME_OWNER_TEST, &bad[i], NULL, 0, &pool), ERR_INVALID);
  }
  assert_true(contig_pool_cost(&large) > CONTIG_POOL_LIVE_MAX && contig_pool_cost(&large) < 64 * CONTIG_POOL_LIVE_MAX);
  assert_int_equal(contig_pool_create(c, FRAME_OWNER_TEST, &large, NULL, 0, &pool), ERR_RANGE);
  assert_int_equal(contig_pool_create(c, FRAME_OWNER_GATHERED, &good, NULL, 0, &pool), ERR_INVALID);
  assert_int_equal(contig_pool_create(c, FRAME_OWNER_FREE, &good, NULL, 0, &pool), ERR_INVALID);
  assert_int_equal(contig_pool_create(c, FRAME_OWNER_TEST, &good, &(struct frame_limits){.align = 3}, 0, &pool),
                   ERR_INVALID);
  assert_null(pool);
  assert_int_equal(hosted_digest(&b.h), before);
  end(&b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(no_client_at_all_needs_more),
      cmocka_unit_test(robsons_bad_client_is_served),
      cmocka_unit_test(the_bad_client_of_any_length_is_served),
      cmocka_unit_test(what_moves_for_a_pool_is_no_more_than_allowed),
      cmocka_unit_test(random_clients_are_served),
      cmocka_unit_test(a_broken_promise_is_denied_and_a_wrong_free_refused),
      cmocka_unit_test(promises_that_make_no_sense_are_told_apart),
  };
  return cmocka_run_group_tests_name("mm/phys/contig_pool", tests, NULL, NULL);
}
