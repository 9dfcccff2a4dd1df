/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/interleave.c — see interleave.h: the scheduler, and which schedule comes next.
 *
 * WHAT   A schedule is the list of agents (threads, and the buffers their stores leave through) in the order of their steps.
 *        Schedules are run one after the other, each from the start: the part that is the same as last time is replayed.
 * HOW    The list is a stack of nodes; each knows which agents could have gone on there and which have been tried.  After a
 *        schedule the last node with something left to try is changed and everything behind it dropped.
 *          a bound   an agent may go on where another could have continued, so often; all such orders are run.
 *          all       two orders that differ only in steps that do not touch the same bytes come to the same.  So an agent is
 *                    tried at a node only when one of its later steps depends on the step that was taken there (dynamic
 *                    partial order reduction), and what was tried before is left alone until a step that depends on it
 *                    (sleep sets).
 *        Threads are coroutines on stacks of their own; a switch is a _longjmp, and a schedule that is given up leaves them
 *        where they are.
 * WHY NOT  threads of the host, held and let go: a switch would cost a hundred times as much, and the tools would see races.
 * SOURCE Musuvathi, Qadeer: Iterative context bounding for systematic testing of multithreaded programs, 2007.
 *        Flanagan, Godefroid: Dynamic partial-order reduction for model checking software, 2005.
 *        Godefroid: Partial-order methods for the verification of concurrent systems, 1996 (sleep sets).
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "interleave.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "interleave_memory.h"

#define STEPS_MAX  8192
#define STACK_SIZE (256 << 10)
#define RACES_MAX  64
#define NOBODY     UINT32_MAX

/* One place in a schedule, before its step is taken. */
struct node {
  unsigned chosen;
  uint32_t enabled, tried, wanted, asleep; /* Sets of agents. */
  unsigned last;                           /* Who took the step before. */
  uint32_t preempted;                      /* So often up to here. */
  struct step steps[AGENTS];               /* What each would do. */
  int clock[AGENTS];                       /* The last step of each that comes before the one taken here in every order. */
};

static struct thread {
  jmp_buf at;
  struct step next;
  bool is_done;
} threads[INTERLEAVE_THREADS_MAX];
static char stacks[INTERLEAVE_THREADS_MAX][STACK_SIZE];

static struct node nodes[STEPS_MAX];
static const struct interleave *program;
static struct interleave_result result;
static size_t depth, replayed;
static unsigned self = NOBODY;
static jmp_buf scheduler;
static jmp_buf judge; /* Where begin and end were called from. */
static bool is_judging;

/* --- coroutines ----------------------------------------------------------------------------------------------------- */

unsigned interleave_self(void) { return self; }

[[noreturn]] static void leave(void) {
  self = NOBODY;
  _longjmp(scheduler, 1);
}

void interleave_yield(const struct step *s) {
  struct thread *t = &threads[self];
  t->next = *s;
  if (_setjmp(t->at) == 0) leave();
}

static void say_wrong(const char *format, va_list args) {
  if (result.is_sound) vsnprintf(result.wrong, sizeof result.wrong, format, args);
  result.is_sound = false;
}

void interleave_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_wrong(format, args);
  va_end(args);
  if (self != NOBODY) leave();
  if (is_judging) _longjmp(judge, 1);
  fprintf(stderr, "outside of the threads: %s\n", result.wrong);
  abort();
}

[[gnu::format(printf, 1, 2)]] static void wrong(const char *format, ...) {
  va_list args;
  va_start(args, format);
  say_wrong(format, args);
  va_end(args);
}

static void coroutine(void) {
  struct thread *t = &threads[self];
  program->thread(program->context, self);
  t->is_done = true;
  leave();
}

/* Lets a thread run up to its next step. */
static void resume(unsigned thread) {
  if (_setjmp(scheduler) != 0) return;
  self = thread;
  _longjmp(threads[thread].at, 1);
}

static void start(unsigned thread) {
  static ucontext_t fresh;
  threads[thread].is_done = false;
  if (getcontext(&fresh) != 0) abort();
  fresh.uc_stack.ss_sp = stacks[thread];
  fresh.uc_stack.ss_size = STACK_SIZE;
  fresh.uc_link = NULL;
  makecontext(&fresh, coroutine, 0);
  if (_setjmp(scheduler) != 0) return;
  self = thread;
  setcontext(&fresh);
}

/* --- which agent next ----------------------------------------------------------------------------------------------- */

static uint32_t bit(unsigned agent) { return UINT32_C(1) << agent; }
static unsigned buffer_of(unsigned thread) { return INTERLEAVE_THREADS_MAX + thread; }

/* Fills in what every agent would do; the set of those that can. */
static uint32_t look(struct node *n) {
  uint32_t enabled = 0;
  for (unsigned t = 0; t < program->threads; t++) {
    n->steps[t] = threads[t].next;
    if (!threads[t].is_done && memory_allows(t, &threads[t].next)) enabled |= bit(t);
    if (memory_next_flush(t, &n->steps[buffer_of(t)])) enabled |= bit(buffer_of(t));
  }
  return enabled;
}

static bool all_are_done(void) {
  for (unsigned t = 0; t < program->threads; t++) {
    if (!threads[t].is_done) return false;
  }
  return true;
}

/* Who goes on when nothing speaks against it: a store is seen at once, and a thread goes on as long as it can. */
static unsigned natural(const struct node *n) {
  if (n->last != NOBODY) {
    unsigned thread = n->last % INTERLEAVE_THREADS_MAX;
    if (n->enabled & bit(buffer_of(thread))) return buffer_of(thread);
    if (n->enabled & bit(thread)) return thread;
  }
  return (unsigned)__builtin_ctz(n->enabled);
}

/* Is it a preemption if this agent goes on here? */
static uint32_t cost(const struct node *n, unsigned agent) {
  unsigned usual = natural(n);
  if (agent == usual || n->last == NOBODY) return 0;
  return usual % INTERLEAVE_THREADS_MAX == n->last % INTERLEAVE_THREADS_MAX;
}

static bool is_complete_search(void) { return program->preemptions == INTERLEAVE_ALL; }

/* An agent that is to be tried here, or NOBODY. */
static unsigned untried(const struct node *n) {
  uint32_t left = n->enabled & ~n->tried;
  if (is_complete_search()) left &= n->wanted & ~n->asleep;
  for (; left; left &= left - 1) {
    unsigned agent = (unsigned)__builtin_ctz(left);
    if (is_complete_search() || n->preempted + cost(n, agent) <= program->preemptions) return agent;
  }
  return NOBODY;
}

/* --- all orders ----------------------------------------------------------------------------------------------------- */

/* The clock of an agent whose last step was at `last` (or -1). */
static const int *clock_at(int last) {
  static const int none[AGENTS] = {-1, -1, -1, -1, -1, -1};
  return last < 0 ? none : nodes[last].clock;
}

static int last_step_of(unsigned agent) {
  for (size_t i = depth; i-- > 0;) {
    if (nodes[i].chosen == agent) return (int)i;
  }
  return -1;
}

static void merge_clock(int *clock, const int *other) {
  for (unsigned a = 0; a < AGENTS; a++) clock[a] = clock[a] > other[a] ? clock[a] : other[a];
}

/* What comes before an agent's next step in every order because it could not be taken otherwise; the last of those steps. */
static int begin_clock(int *clock, unsigned agent, const struct step *next) {
  int last = last_step_of(agent), cause = -1;
  if (next->kind == STEP_FLUSH) cause = memory_flush_origin(agent - INTERLEAVE_THREADS_MAX);
  if (memory_step_fences(next)) cause = last_step_of(buffer_of(agent));
  memcpy(clock, clock_at(last), sizeof(int[AGENTS]));
  merge_clock(clock, clock_at(cause));
  return last > cause ? last : cause;
}

static bool comes_before(int i, const int *clock) { return clock[nodes[i].chosen] >= i; }

/*
 * Who could begin, where step i was taken, an order in which the step taken now comes before step i: the first steps of
 * everything behind i that does not follow from it, and of the agent's own step when nothing there has to precede it.
 */
static uint32_t beginnings(int i, unsigned agent, const int *clock) {
  int first[AGENTS];
  uint32_t agents = 0;
  for (unsigned a = 0; a < AGENTS; a++) first[a] = INT_MAX;
  for (int j = i + 1; j <= (int)depth; j++) {
    bool is_now = j == (int)depth;
    const int *its = is_now ? clock : nodes[j].clock;
    unsigned by = is_now ? agent : nodes[j].chosen;
    if (!is_now && comes_before(i, its)) continue;
    bool is_preceded = false;
    for (unsigned a = 0; a < AGENTS; a++) is_preceded |= first[a] <= its[a];
    if (!is_preceded) agents |= bit(by);
    if (first[by] == INT_MAX) first[by] = j;
  }
  return agents;
}

/* A step that depends on an earlier one that nothing else puts before it: it is to be tried the other way round, too. */
static void want_reversal(int i, unsigned agent, const int *clock) {
  struct node *n = &nodes[i];
  uint32_t agents = beginnings(i, agent, clock);
  if (agents & n->wanted) return;
  agents &= n->enabled;
  n->wanted |= agents ? agents & -agents : n->enabled;
}

/* What comes before the step taken now in every order; from the last to the first, so that only neighbours are races. */
static void set_clock(struct node *now) {
  unsigned agent = now->chosen;
  const struct step *s = &now->steps[agent];
  int races[RACES_MAX], near[AGENTS]; /* Near: known by way of something in between. */
  unsigned count = 0;
  int own = begin_clock(now->clock, agent, s);
  memcpy(near, now->clock, sizeof near);
  for (int i = (int)depth; i-- > 0;) {
    const struct node *n = &nodes[i];
    if (comes_before(i, near) || !memory_steps_depend(n->chosen, &n->steps[n->chosen], agent, s)) continue;
    merge_clock(now->clock, n->clock);
    if (own < i && !(n->enabled & bit(agent))) continue; /* It waited for that step: look at those before. */
    if (memory_step_enables(n->chosen, &n->steps[n->chosen], s)) continue;
    if (count < RACES_MAX) races[count++] = i;
    merge_clock(near, n->clock);
  }
  now->clock[agent] = (int)depth;
  for (unsigned r = 0; r < count; r++) want_reversal(races[r], agent, now->clock);
}

/* Who has been tried already, with nothing since that depends on what it would do. */
static uint32_t still_asleep(const struct node *parent) {
  uint32_t asleep = 0;
  for (uint32_t left = (parent->asleep | parent->tried) & ~bit(parent->chosen); left; left &= left - 1) {
    unsigned agent = (unsigned)__builtin_ctz(left);
    if (!memory_steps_depend(agent, &parent->steps[agent], parent->chosen, &parent->steps[parent->chosen]))
      asleep |= bit(agent);
  }
  return asleep;
}

/* --- one schedule --------------------------------------------------------------------------------------------------- */

/* A place that no schedule has come to before: whom to begin with; NOBODY when everything that follows has been seen. */
static unsigned enter(struct node *n) {
  const struct node *parent = depth > 0 ? &nodes[depth - 1] : NULL;
  n->last = parent ? parent->chosen : NOBODY;
  n->preempted = parent ? parent->preempted + cost(parent, parent->chosen) : 0;
  n->tried = 0;
  n->asleep = 0;
  unsigned agent = natural(n);
  if (is_complete_search()) {
    n->asleep = parent ? still_asleep(parent) : 0;
    uint32_t awake = n->enabled & ~n->asleep;
    if (!awake) return NOBODY;
    if (n->asleep & bit(agent)) agent = (unsigned)__builtin_ctz(awake);
  }
  n->wanted = bit(agent);
  return agent;
}

static void take_step(struct node *n) {
  unsigned agent = n->chosen;
  if (is_complete_search() && depth + 1 >= replayed) set_clock(n);
  memory_set_origin((int)depth);
  depth++;
  result.steps++;
  if (agent < INTERLEAVE_THREADS_MAX)
    resume(agent);
  else
    memory_flush(agent - INTERLEAVE_THREADS_MAX);
}

/* Calls what is not a thread; what fails there fails the schedule. */
static bool begin_or_judge(bool is_end) {
  bool is_well = true;
  is_judging = true;
  if (_setjmp(judge) != 0)
    is_well = false;
  else if (is_end)
    is_well = program->end(program->context);
  else
    program->begin(program->context);
  is_judging = false;
  return is_well;
}

/* True when it came to its end; false when it was cut. */
static bool run_schedule(void) {
  depth = 0;
  if (!begin_or_judge(false)) return true;
  memory_begin(program->has_store_buffers, program->has_plain_steps);
  for (unsigned t = 0; t < program->threads; t++) start(t);
  while (result.is_sound) {
    if (depth == STEPS_MAX) {
      wrong("more than %d steps: it does not end", STEPS_MAX);
      break;
    }
    struct node *n = &nodes[depth];
    uint32_t enabled = look(n);
    if (!enabled) {
      if (all_are_done()) return true;
      wrong("everybody waits for somebody else");
      break;
    }
    if (depth < replayed && n->enabled != enabled) {
      wrong("the same schedule went another way: the program depends on something else");
      break;
    }
    n->enabled = enabled;
    if (depth >= replayed) n->chosen = enter(n);
    if (n->chosen == NOBODY) return false;
    n->tried |= bit(n->chosen);
    take_step(n);
  }
  return true;
}

/* Changes the last place where something is left to try; false when there is none. */
static bool next_schedule(void) {
  for (; depth > 0; depth--) {
    struct node *n = &nodes[depth - 1];
    unsigned agent = untried(n);
    if (agent == NOBODY) continue;
    n->chosen = agent;
    replayed = depth;
    return true;
  }
  return false;
}

static void print_schedule(void) {
  printf("#   the last schedule: %s\n", result.wrong);
  for (size_t i = 0; i < depth; i++) memory_print_step(nodes[i].chosen, &nodes[i].steps[nodes[i].chosen]);
}

struct interleave_result interleave_run_quietly(const struct interleave *p) {
  program = p;
  result = (struct interleave_result){.is_sound = true};
  replayed = 0;
  bool is_more = true;
  while (is_more && result.is_sound && (p->schedules_max == 0 || result.schedules < p->schedules_max)) {
    bool is_whole = run_schedule();
    result.schedules += is_whole;
    result.cut += !is_whole;
    if (is_whole && result.is_sound && !begin_or_judge(true)) wrong("the state at the end is wrong");
    if (result.is_sound) is_more = next_schedule();
  }
  result.is_complete = !is_more;
  return result;
}

struct interleave_result interleave_run(const struct interleave *p) {
  struct interleave_result r = interleave_run_quietly(p);
  printf("# interleavings: %s: %llu", p->name, (unsigned long long)r.schedules);
  if (p->preemptions == INTERLEAVE_ALL)
    printf(" (%s%llu cut)", r.is_complete ? "all, " : "", (unsigned long long)r.cut);
  else
    printf(" (%sup to %u preemptions)", r.is_complete ? "all " : "", p->preemptions);
  printf("%s, %llu steps\n", p->has_store_buffers ? ", store buffers" : "", (unsigned long long)r.steps);
  if (!r.is_sound || getenv("CAIRN_SCHEDULE")) print_schedule();
  return r;
}
