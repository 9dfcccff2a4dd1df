/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The enumerator itself, on programs from the textbooks whose answers are known: how many orders there are, which of them
 * are wrong, and that a wrong one is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "interleave.h"
#include "seed.h"

static struct {
  uint32_t a, b, turn, ticket, serving, lock;
  uint32_t inside, entered, count, seen[2];
  uint32_t outcomes; /* Kept from schedule to schedule. */
} s;

static void begin(void *context) {
  (void)context;
  uint32_t outcomes = s.outcomes;
  memset(&s, 0, sizeof s);
  s.outcomes = outcomes;
}

static uint32_t load(uint32_t *p) { return __atomic_load_n(p, __ATOMIC_RELAXED); }
static void store(uint32_t *p, uint32_t v) { __atomic_store_n(p, v, __ATOMIC_RELEASE); }

static bool always(void *context) {
  (void)context;
  return true;
}

static struct interleave_result all_of(void (*thread)(void *, unsigned), bool (*end)(void *), unsigned threads,
                                       uint32_t preemptions, bool has_store_buffers) {
  s.outcomes = 0;
  struct interleave p = {.name = "",
                         .threads = threads,
                         .begin = begin,
                         .thread = thread,
                         .end = end,
                         .preemptions = preemptions,
                         .has_store_buffers = has_store_buffers};
  return interleave_run_quietly(&p);
}

/* --- counting ------------------------------------------------------------------------------------------------------- */

static void three_stores(void *context, unsigned self) {
  (void)context;
  for (uint32_t i = 0; i < 3; i++) store(self == 0 ? &s.a : self == 1 ? &s.b : &s.turn, i);
}

static void three_stores_to_one_word(void *context, unsigned self) {
  (void)context;
  for (uint32_t i = 0; i < 3; i++) store(&s.a, 10 * self + i);
}

static void orders_are_counted_as_the_binomials_have_it(void **state) {
  (void)state;
  assert_int_equal(all_of(three_stores, always, 2, 100, false).schedules, 20);   /* 6 over 3. */
  assert_int_equal(all_of(three_stores, always, 3, 100, false).schedules, 1680); /* 9! / 3!^3. */
  assert_int_equal(all_of(three_stores, always, 2, 0, false).schedules, 2);
  /* One preemption: who begins, and after how many of its stores it is interrupted, which does not come back. */
  assert_int_equal(all_of(three_stores, always, 2, 1, false).schedules, 2 + 2 * 2);
}

static void orders_that_come_to_the_same_are_run_once(void **state) {
  (void)state;
  assert_int_equal(all_of(three_stores, always, 2, INTERLEAVE_ALL, false).schedules, 1);
  assert_int_equal(all_of(three_stores, always, 3, INTERLEAVE_ALL, false).schedules, 1);
  assert_int_equal(all_of(three_stores_to_one_word, always, 2, INTERLEAVE_ALL, false).schedules, 20);
  assert_int_equal(all_of(three_stores_to_one_word, always, 3, INTERLEAVE_ALL, false).schedules, 1680);
}

/* --- a lost update -------------------------------------------------------------------------------------------------- */

static void count_carelessly(void *context, unsigned self) {
  (void)context, (void)self;
  store(&s.count, load(&s.count) + 1);
}

static void count_atomically(void *context, unsigned self) {
  (void)context, (void)self;
  __atomic_fetch_add(&s.count, 1, __ATOMIC_RELAXED);
}

static void count_plainly(void *context, unsigned self) {
  (void)context, (void)self;
  *(volatile uint32_t *)&s.count = *(volatile uint32_t *)&s.count + 1;
}

static bool both_were_counted(void *context) {
  (void)context;
  return s.count == 2;
}

static void a_lost_update_is_found(void **state) {
  (void)state;
  assert_false(all_of(count_carelessly, both_were_counted, 2, INTERLEAVE_ALL, false).is_sound);
  assert_false(all_of(count_carelessly, both_were_counted, 2, 1, false).is_sound);
  assert_true(all_of(count_carelessly, both_were_counted, 2, 0, false).is_sound);
  struct interleave_result good = all_of(count_atomically, both_were_counted, 2, INTERLEAVE_ALL, false);
  assert_true(good.is_sound && good.is_complete);
  assert_int_equal(good.schedules, 2);
}

static void plain_accesses_are_steps_when_asked_for(void **state) {
  (void)state;
  struct interleave p = {.name = "",
                         .threads = 2,
                         .begin = begin,
                         .thread = count_plainly,
                         .end = both_were_counted,
                         .preemptions = INTERLEAVE_ALL};
  assert_true(interleave_run_quietly(&p).is_sound);
  p.has_plain_steps = true;
  assert_true(interleave_run_quietly(&p).is_sound); /* Nothing is watched yet. */
  interleave_watch(&s, sizeof s, "s");
  assert_false(interleave_run_quietly(&p).is_sound);
  interleave_forget();
}

/* --- store buffers -------------------------------------------------------------------------------------------------- */

static void store_one_load_other(void *context, unsigned self) {
  (void)context;
  store(self == 0 ? &s.a : &s.b, 1);
  s.seen[self] = load(self == 0 ? &s.b : &s.a);
}

static void store_fence_load(void *context, unsigned self) {
  (void)context;
  store(self == 0 ? &s.a : &s.b, 1);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  s.seen[self] = load(self == 0 ? &s.b : &s.a);
}

/* Message passing: stores of one thread are seen in their order, loads are made in theirs. */
static void pass_a_message(void *context, unsigned self) {
  (void)context;
  if (self == 0) {
    store(&s.a, 1);
    store(&s.b, 1);
  } else {
    s.seen[0] = load(&s.b);
    s.seen[1] = load(&s.a);
  }
}

static void read_own_store(void *context, unsigned self) {
  (void)context;
  store(&s.a, self + 1);
  s.seen[self] = load(&s.a);
}

static bool note_outcome(void *context) {
  (void)context;
  s.outcomes |= 1U << (s.seen[0] * 4 + s.seen[1]);
  return true;
}

#define OUTCOME(x, y) (1U << ((x) * 4 + (y)))

static uint32_t outcomes_of(void (*thread)(void *, unsigned), uint32_t preemptions, bool has_store_buffers) {
  struct interleave_result r = all_of(thread, note_outcome, 2, preemptions, has_store_buffers);
  assert_true(r.is_sound && r.is_complete);
  return s.outcomes;
}

static void a_store_is_seen_after_a_later_load_only_with_buffers_and_without_fence(void **state) {
  (void)state;
  uint32_t in_order = OUTCOME(0, 1) | OUTCOME(1, 0) | OUTCOME(1, 1);
  for (unsigned i = 0; i < 2; i++) {
    uint32_t bound = i == 0 ? INTERLEAVE_ALL : 6;
    assert_int_equal(outcomes_of(store_one_load_other, bound, false), in_order);
    assert_int_equal(outcomes_of(store_one_load_other, bound, true), in_order | OUTCOME(0, 0));
    assert_int_equal(outcomes_of(store_fence_load, bound, true), in_order);
    assert_int_equal(outcomes_of(pass_a_message, bound, true), OUTCOME(0, 0) | OUTCOME(0, 1) | OUTCOME(1, 1));
    /* One's own store is read before others see it: 1 and 2, or what the other has stored since. */
    assert_int_equal(outcomes_of(read_own_store, bound, true), OUTCOME(1, 2) | OUTCOME(2, 2) | OUTCOME(1, 1));
  }
}

/* --- mutual exclusion ----------------------------------------------------------------------------------------------- */

static void critical(void) {
  if (__atomic_fetch_add(&s.inside, 1, __ATOMIC_RELAXED) != 0) interleave_fail("two are inside");
  __atomic_fetch_sub(&s.inside, 1, __ATOMIC_RELAXED);
  s.entered++;
}

static bool has_fence;

static void peterson(void *context, unsigned self) {
  (void)context;
  uint32_t *mine = self == 0 ? &s.a : &s.b;
  uint32_t *other = self == 0 ? &s.b : &s.a;
  store(mine, 1);
  store(&s.turn, 1 - self);
  if (has_fence) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  while (load(other) && load(&s.turn) == 1 - self) interleave_pause();
  critical();
  store(mine, 0);
}

static bool both_have_entered(void *context) {
  (void)context;
  return s.entered == 2;
}

static void petersons_lock_needs_its_fence(void **state) {
  (void)state;
  has_fence = false;
  struct interleave_result ordered = all_of(peterson, both_have_entered, 2, INTERLEAVE_ALL, false);
  assert_true(ordered.is_sound && ordered.is_complete);
  struct interleave_result without = all_of(peterson, both_have_entered, 2, INTERLEAVE_ALL, true);
  assert_false(without.is_sound);
  assert_string_equal(without.wrong, "two are inside");
  assert_false(all_of(peterson, both_have_entered, 2, 4, true).is_sound);
  has_fence = true;
  struct interleave_result with = all_of(peterson, both_have_entered, 2, INTERLEAVE_ALL, true);
  assert_true(with.is_sound && with.is_complete);
  printf("# interleavings: Peterson's lock: %llu in order, %llu with store buffers and fence; without: wrong after %llu\n",
         (unsigned long long)ordered.schedules, (unsigned long long)with.schedules, (unsigned long long)without.schedules);
}

/* The handshake of decision 0010: the fast side pays no fence, the slow side makes it pass one. */
static bool has_barrier;

static void ask_not_lock(void *context, unsigned self) {
  (void)context;
  if (self == 0) {
    store(&s.a, 1); /* busy */
    if (load(&s.b)) return;
    critical();
    store(&s.a, 0);
    return;
  }
  store(&s.b, 1); /* called */
  if (has_barrier)
    interleave_barrier();
  else
    __atomic_thread_fence(__ATOMIC_SEQ_CST); /* Its own fence alone does not help. */
  while (__atomic_load_n(&s.a, __ATOMIC_ACQUIRE)) {
    if (s.entered == 0 && s.inside == 0) return; /* It was turned away with `busy` set: in earnest it would clear it. */
    interleave_pause();
  }
  critical();
}

static void asking_needs_the_barrier_on_the_other_side(void **state) {
  (void)state;
  has_barrier = false;
  struct interleave_result without = all_of(ask_not_lock, always, 2, INTERLEAVE_ALL, true);
  assert_false(without.is_sound);
  assert_string_equal(without.wrong, "two are inside");
  assert_true(all_of(ask_not_lock, always, 2, INTERLEAVE_ALL, false).is_sound);
  has_barrier = true;
  struct interleave_result with = all_of(ask_not_lock, always, 2, INTERLEAVE_ALL, true);
  assert_true(with.is_sound && with.is_complete);
}

static void ticket_lock(void *context, unsigned self) {
  (void)context, (void)self;
  uint32_t mine = __atomic_fetch_add(&s.ticket, 1, __ATOMIC_RELAXED);
  while (__atomic_load_n(&s.serving, __ATOMIC_ACQUIRE) != mine) interleave_pause();
  critical();
  store(&s.serving, mine + 1);
}

static bool three_have_entered(void *context) {
  (void)context;
  return s.entered == 3;
}

static void a_ticket_lock_lets_all_in_one_by_one(void **state) {
  (void)state;
  struct interleave_result two = all_of(ticket_lock, both_have_entered, 2, INTERLEAVE_ALL, true);
  struct interleave_result three = all_of(ticket_lock, three_have_entered, 3, 2, false);
  assert_true(two.is_sound && two.is_complete);
  if (!three.is_sound) fail_msg("%s", three.wrong);
  assert_true(three.is_complete);
  printf("# interleavings: a ticket lock: %llu of two threads, %llu of three\n", (unsigned long long)two.schedules,
         (unsigned long long)three.schedules);
}

static void two_locks(void *context, unsigned self) {
  (void)context;
  uint32_t *first = self == 0 ? &s.lock : &s.a;
  uint32_t *second = self == 0 ? &s.a : &s.lock;
  interleave_lock(first);
  interleave_lock(second);
  s.entered++;
  interleave_unlock(second);
  interleave_unlock(first);
}

static void a_deadlock_is_found(void **state) {
  (void)state;
  struct interleave_result r = all_of(two_locks, both_have_entered, 2, INTERLEAVE_ALL, false);
  assert_false(r.is_sound);
  assert_string_equal(r.wrong, "everybody waits for somebody else");
  assert_true(all_of(two_locks, both_have_entered, 2, 0, false).is_sound);
}

static void reads_for_ever(void *context, unsigned self) {
  (void)context;
  if (self == 0)
    while (load(&s.a) == 0) continue; /* And nobody sets it. */
}

static void who_waits_without_saying_so_is_found(void **state) {
  (void)state;
  struct interleave_result r = all_of(reads_for_ever, NULL, 2, 0, false);
  assert_false(r.is_sound);
  assert_string_equal(r.wrong, "a word is read 1000 times: who waits has to say so");
}

/* --- the reduction against every order ------------------------------------------------------------------------------ */

#define OPS_MAX  4
#define WORDS    2
#define OUTCOMES (1U << 16)

/* A program made up at random: what each thread does, and what came of it. */
static struct {
  struct {
    uint8_t what, word, value;
  } ops[INTERLEAVE_THREADS_MAX][OPS_MAX];
  unsigned count;
  uint32_t lock, spin, words[WORDS], read[INTERLEAVE_THREADS_MAX][OPS_MAX];
  uint8_t seen[OUTCOMES / 8];
} made_up;

static void made_up_begin(void *context) {
  (void)context;
  made_up.lock = made_up.spin = 0;
  memset(made_up.words, 0, sizeof made_up.words);
  memset(made_up.read, 0, sizeof made_up.read);
}

static void made_up_thread(void *context, unsigned self) {
  (void)context;
  for (unsigned i = 0; i < made_up.count; i++) {
    uint32_t *word = &made_up.words[made_up.ops[self][i].word], value = made_up.ops[self][i].value, expected = 0;
    switch (made_up.ops[self][i].what) {
    case 0:
    case 1:
      made_up.read[self][i] = load(word);
      break;
    case 2:
    case 3:
      store(word, value);
      break;
    case 4:
      made_up.read[self][i] = __atomic_fetch_add(word, value, __ATOMIC_RELAXED);
      break;
    case 5:
      made_up.read[self][i] = __atomic_compare_exchange_n(word, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
      break;
    case 6:
      __atomic_thread_fence(__ATOMIC_SEQ_CST);
      break;
    case 7:
      interleave_barrier();
      break;
    case 8:
      while (__atomic_exchange_n(&made_up.spin, 1, __ATOMIC_ACQUIRE) != 0) interleave_pause();
      made_up.read[self][i] = load(word);
      store(word, value);
      store(&made_up.spin, 0);
      break;
    default:
      interleave_lock(&made_up.lock);
      made_up.read[self][i] = load(word);
      interleave_unlock(&made_up.lock);
      break;
    }
  }
}

static bool made_up_end(void *context) {
  (void)context;
  uint32_t hash = 2166136261U;
  for (unsigned i = 0; i < WORDS; i++) hash = (hash ^ made_up.words[i]) * 16777619U;
  for (unsigned t = 0; t < INTERLEAVE_THREADS_MAX; t++) {
    for (unsigned i = 0; i < OPS_MAX; i++) hash = (hash ^ made_up.read[t][i]) * 16777619U;
  }
  hash = (hash ^ hash >> 15) % OUTCOMES;
  made_up.seen[hash / 8] |= (uint8_t)(1U << hash % 8);
  return true;
}

static uint64_t run_made_up(unsigned threads, uint32_t preemptions, bool has_store_buffers) {
  struct interleave p = {.name = "",
                         .threads = threads,
                         .begin = made_up_begin,
                         .thread = made_up_thread,
                         .end = made_up_end,
                         .preemptions = preemptions,
                         .has_store_buffers = has_store_buffers,
                         .schedules_max = 100000};
  memset(made_up.seen, 0, sizeof made_up.seen);
  struct interleave_result r = interleave_run_quietly(&p);
  if (!r.is_sound) fail_msg("%s", r.wrong);
  return r.is_complete ? r.schedules : 0;
}

static void print_made_up(unsigned threads, bool has_store_buffers) {
  static const char *const names[] = {"load", "load",  "store",   "store", "add",
                                      "cas",  "fence", "barrier", "spin",  "locked load"};
  printf("# %s store buffers:\n", has_store_buffers ? "with" : "without");
  for (unsigned t = 0; t < threads; t++) {
    for (unsigned o = 0; o < made_up.count; o++)
      printf("#   %s %u %u", names[made_up.ops[t][o].what], made_up.ops[t][o].word, made_up.ops[t][o].value);
    printf("\n");
  }
}

static void what_the_reduction_leaves_out_has_no_other_outcome(void **state) {
  (void)state;
  struct dice d = dice_of(seed_of_run());
  uint64_t all_orders = 0, reduced = 0, programs = 0;
  static uint8_t expected[OUTCOMES / 8];
  for (unsigned i = 0; i < 300; i++) {
    unsigned threads = dice_one_in(&d, 4) ? 3 : 2;
    bool has_store_buffers = dice_one_in(&d, 2);
    made_up.count = threads == 3 || has_store_buffers ? OPS_MAX - 1 : OPS_MAX;
    for (unsigned t = 0; t < threads; t++) {
      for (unsigned o = 0; o < made_up.count; o++) {
        made_up.ops[t][o].what = (uint8_t)dice_below(&d, 10);
        made_up.ops[t][o].word = (uint8_t)dice_below(&d, WORDS);
        made_up.ops[t][o].value = (uint8_t)(1 + o + OPS_MAX * t);
      }
    }
    uint64_t orders = run_made_up(threads, 1000, has_store_buffers);
    if (orders == 0) continue; /* Too many. */
    memcpy(expected, made_up.seen, sizeof expected);
    uint64_t fewer = run_made_up(threads, INTERLEAVE_ALL, has_store_buffers);
    assert_true(fewer > 0 && fewer <= orders);
    if (memcmp(expected, made_up.seen, sizeof expected) != 0) print_made_up(threads, has_store_buffers);
    assert_memory_equal(expected, made_up.seen, sizeof expected);
    all_orders += orders, reduced += fewer, programs++;
  }
  assert_true(programs > 150);
  printf("# interleavings: %llu programs made up: %llu orders, %llu of them run by the reduction, the same outcomes\n",
         (unsigned long long)programs, (unsigned long long)all_orders, (unsigned long long)reduced);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(orders_are_counted_as_the_binomials_have_it),
      cmocka_unit_test(orders_that_come_to_the_same_are_run_once),
      cmocka_unit_test(a_lost_update_is_found),
      cmocka_unit_test(plain_accesses_are_steps_when_asked_for),
      cmocka_unit_test(a_store_is_seen_after_a_later_load_only_with_buffers_and_without_fence),
      cmocka_unit_test(petersons_lock_needs_its_fence),
      cmocka_unit_test(asking_needs_the_barrier_on_the_other_side),
      cmocka_unit_test(a_ticket_lock_lets_all_in_one_by_one),
      cmocka_unit_test(a_deadlock_is_found),
      cmocka_unit_test(who_waits_without_saying_so_is_found),
      cmocka_unit_test(what_the_reduction_leaves_out_has_no_other_outcome),
  };
  return cmocka_run_group_tests_name("interleave/tool", tests, NULL, NULL);
}
