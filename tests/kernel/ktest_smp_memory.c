/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_smp_memory.c — the frame allocator under all CPUs of this machine at once.
 *
 * WHAT   Churn: every CPU allocates and frees runs of mixed sizes; half of them change hands on the way, so that they are
 *        freed by a CPU that did not allocate them; and now and then one calls home what all have, in the middle of their
 *        work.  Every frame carries the name of its run while it is held, so that a
 *        frame handed out twice is seen.  Exhaustion: all CPUs take until there is none left, and have taken everything.
 * HOW    What is held is chained through the memory itself.  Bounded by operations, not by time.
 */
#include "base/atomic.h"
#include "base/compiler.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/smp.h"
#include "lib/random.h"
#include "mm/ledger.h"
#include "mm/physmap.h"

#define OPERATIONS UINT32_C(24000) /* Of all CPUs together. */
#define HELD       32              /* Runs that a CPU has at a time. */
#define COUNTER    64              /* Runs that change hands. */
#define DRAIN      20              /* Once in so many operations all CPUs have to give back what they keep. */

/* First words of each frame of a run that is held. */
struct tag {
  uint64_t first, count, check;
};

static uint64_t counter[COUNTER]; /* first << 12 | count; 0: nothing lies there. */
static struct {
  uint64_t allocated, freed, foreign, refused, drains;
  uint32_t damaged, failed;
} total;

static struct tag *tag_of(uint64_t frame) { return physmap_at(paddr_of_pfn(pfn(frame))); }
static uint64_t check_of(uint64_t first, uint64_t count, uint64_t frame) {
  return (first << 12 | count) * UINT64_C(0x9e3779b97f4a7c15) ^ frame;
}

static void mark(uint64_t first, uint64_t count) {
  for (uint64_t f = first; f < first + count; f++) *tag_of(f) = (struct tag){first, count, check_of(first, count, f)};
}

/* The tag goes with the frame: the next owner writes its own. */
static bool is_intact(uint64_t first, uint64_t count) {
  bool good = true;
  for (uint64_t f = first; f < first + count; f++) {
    struct tag *t = tag_of(f);
    good = good && t->first == first && t->count == count && t->check == check_of(first, count, f);
    *t = (struct tag){0};
  }
  return good;
}

/* --- churn ------------------------------------------------------------------------------------------------------------ */

struct worker {
  struct random random;
  uint64_t held[HELD];
  uint64_t allocated, freed, foreign, refused, drains;
};

static uint64_t draw_count(struct random *r) {
  const uint64_t kind = random_below(r, 16);
  if (kind < 10) return 1;
  if (kind < 14) return 1 + random_below(r, 40);
  return kind == 14 ? FRAMES_PER_2M : 1 + random_below(r, 700);
}

static void give_back(struct worker *w, uint64_t run) {
  const uint64_t first = run >> 12;
  const uint64_t count = run & 0xfff;
  if (!is_intact(first, count)) atomic_add(&total.damaged, 1);
  const status_t s = count == 1 ? nodes_free_frame(memory_nodes(), FRAME_OWNER_TEST, pfn(first))
                                : nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn(first), count);
  if (s != OK) atomic_add(&total.failed, 1);
  w->freed += count;
}

static uint64_t take_run(struct worker *w) {
  const uint64_t count = draw_count(&w->random);
  const struct frame_limits aligned = {.max = UINT64_MAX, .align = FRAMES_PER_2M};
  pfn_t first;
  const status_t s = count == 1 ? nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &first)
                                : nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, count,
                                                  count == FRAMES_PER_2M ? &aligned : nullptr, &first);
  if (s != OK) {
    if (s != ERR_NO_MEMORY) atomic_add(&total.failed, 1);
    w->refused++;
    return 0;
  }
  mark(first.raw, count);
  w->allocated += count;
  return first.raw << 12 | count;
}

static void drain(void) {
  for (uint32_t node = 0; node < nodes_count(memory_nodes()); node++) {
    struct pmm *p = nodes_pmm(memory_nodes(), node);
    if (p) pmm_drain(p);
  }
}

static void work(struct worker *w) {
  for (uint32_t i = 0; i < OPERATIONS / smp_cpu_count(); i++) {
    if (random_below(&w->random, DRAIN) == 0) {
      drain();
      w->drains++;
    }
    uint64_t *place = &w->held[random_below(&w->random, HELD)];
    if (*place == 0) {
      *place = take_run(w);
    } else if (random_below(&w->random, 2) == 0) {
      give_back(w, *place);
      *place = 0;
    } else { /* Lays it down and takes what lies there. */
      *place = atomic_swap(&counter[random_below(&w->random, COUNTER)], *place);
      w->foreign++;
    }
  }
  for (size_t i = 0; i < HELD; i++)
    if (w->held[i] != 0) give_back(w, w->held[i]);
}

static void churn(void *unused) {
  (void)unused;
  uint8_t seed[32] = {'c', 'h', 'u', 'r', 'n', (uint8_t)smp_this_cpu()};
  struct worker w = {0};
  random_init(&w.random, seed);
  work(&w);
  atomic_add(&total.allocated, w.allocated);
  atomic_add(&total.freed, w.freed);
  atomic_add(&total.foreign, w.foreign);
  atomic_add(&total.refused, w.refused);
  atomic_add(&total.drains, w.drains);
}

static void clear_counter(void) {
  struct worker w = {0};
  for (size_t i = 0; i < COUNTER; i++) {
    if (counter[i] != 0) give_back(&w, counter[i]);
    counter[i] = 0;
  }
  total.freed += w.freed;
}

static void expect_same(const struct ledger *before) {
  struct ledger after;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &after);
  KTEST_EXPECT(ledger_balances(&after));
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) KTEST_EXPECT(after.frames[i] == before->frames[i]);
}

/* It is quiet: every CPU reads the same ledger, and it balances. */
static void look(void *context) {
  const struct ledger *before = context;
  struct ledger l;
  bool is_same = true;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) is_same = is_same && l.frames[i] == before->frames[i];
  if (!is_same || !ledger_balances(&l)) atomic_add(&total.failed, 1);
}

KTEST(P13, all_cpus_allocate_and_free_at_once) {
  struct ledger before;
  if (smp_cpu_count() == 1) {
    ktest_skip("one_cpu");
    return;
  }
  total = (typeof(total)){0};
  nodes_ledger_read(memory_nodes(), NODES_ALL, &before);
  smp_run_all(churn, nullptr);
  clear_counter();
  smp_run_all(look, &before);
  KTEST_EXPECT(total.damaged == 0);
  KTEST_EXPECT(total.failed == 0);
  KTEST_EXPECT(total.allocated == total.freed);
  expect_same(&before);
  ktest_note("cpus=%u operations=%u frames=%llu foreign=%llu refused=%llu drains=%llu", smp_cpu_count(), OPERATIONS,
             (unsigned long long)total.allocated, (unsigned long long)total.foreign, (unsigned long long)total.refused,
             (unsigned long long)total.drains);
}

/* --- exhaustion ------------------------------------------------------------------------------------------------------- */

#define SWEEP_MAX (UINT64_C(2) * GIB / FRAME_SIZE) /* Frames; more of them would only take longer. */

struct chain {
  struct chain *next;
  uint64_t first, count;
};

static uint64_t take_until_refused(struct chain **list, uint64_t count) {
  const struct frame_limits where = {.max = UINT64_MAX, .align = count};
  uint64_t taken = 0;
  pfn_t first;
  while ((count == 1 ? nodes_alloc_frame(memory_nodes(), FRAME_OWNER_TEST, 0, &first)
                     : nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, count, &where, &first)) == OK) {
    struct chain *c = physmap_at(paddr_of_pfn(first));
    *c = (struct chain){*list, first.raw, count};
    *list = c;
    taken += count;
  }
  return taken;
}

static struct {
  uint32_t done;
} gate;

static void exhaust(void *unused) {
  struct chain *list = nullptr;
  (void)unused;
  const uint64_t taken =
      take_until_refused(&list, FRAMES_PER_2M) + take_until_refused(&list, 8) + take_until_refused(&list, 1);
  atomic_add(&total.allocated, taken);
  atomic_add(&gate.done, 1);
  while (atomic_get_acquire(&gate.done) < smp_cpu_count()) smp_relax(); /* Nobody frees before all were refused. */
  while (list) {
    const struct chain c = *list;
    list = c.next;
    if (nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn(c.first), c.count) != OK) atomic_add(&total.failed, 1);
    atomic_add(&total.freed, c.count);
  }
}

KTEST(P13, all_cpus_together_get_the_last_frame) {
  struct ledger before;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &before);
  if (smp_cpu_count() == 1 || before.frames[FRAME_OWNER_FREE] > SWEEP_MAX) {
    ktest_skip(smp_cpu_count() == 1 ? "one_cpu" : "too_much_memory");
    return;
  }
  total = (typeof(total)){0};
  gate.done = 0;
  smp_run_all(exhaust, nullptr);
  KTEST_EXPECT(total.allocated == before.frames[FRAME_OWNER_FREE]);
  KTEST_EXPECT(total.freed == total.allocated);
  KTEST_EXPECT(total.failed == 0);
  expect_same(&before);
  ktest_note("cpus=%u frames=%llu", smp_cpu_count(), (unsigned long long)total.allocated);
}
