/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/model_list.c — see model.h: lists of operations, run, run again, shrunk and told.
 *
 * Shrinking is delta debugging (Zeller, Hildebrandt 2002): halves, quarters, .. of the list are left out as long as what
 * remains still fails, down to single operations.
 *
 * A shrunk list is told as the numbers of its operations.  Each was made up from what those before it had returned, so to
 * have them again the whole list is run first, up to the last one that is kept; then the machine is built anew.
 */
#include "base/bits.h"
#include "lib/format.h"
#include "tests/kernel/model.h"

/* --- running -------------------------------------------------------------------------------------------------------- */

/* The whole is compared every so often: to look may teach the allocator something, so a replay looks as often. */
bool model_step(struct model *m, uint32_t number) {
  if (number == m->op_count) return model_compare(m);
  bool is_time = number % (m->is_huge ? 500 : 1250) == 0;
  if (!m->ops[number].is_left_out && !model_do(m, number)) return false;
  return !(is_time || m->is_checked) || model_compare(m);
}

static bool step(struct model *m, uint32_t number) {
  m->now = number;
  return m->around ? m->around(m->context, m, number) : model_step(m, number);
}

static bool make_up_and_run(struct model *m, uint32_t made, uint32_t run) {
  for (uint32_t i = 0; i < made; i++) {
    model_make_up(m, i);
    m->op_count = i + 1;
    if (i < run && !step(m, i)) return false;
  }
  return true;
}

bool model_run(struct model *m, uint32_t count) {
  count = (uint32_t)bits_min(count, MODEL_OPS_MAX);
  return make_up_and_run(m, count, count) && step(m, count);
}

bool model_prepare(struct model *m, uint32_t count) {
  count = (uint32_t)bits_min(count, MODEL_OPS_MAX);
  return make_up_and_run(m, count, count == 0 ? 0 : count - 1);
}

bool model_replay(struct model *m) {
  if (!model_build(m)) return m->wrong[0] == '\0';
  for (uint32_t i = 0; i < m->op_count; i++) m->ops[i].result = MODEL_NONE;
  for (uint32_t i = 0; i <= m->op_count; i++) {
    if (!step(m, i)) return false;
  }
  return true;
}

void model_keep(struct model *m, const struct model_range *kept, size_t count) {
  for (uint32_t i = 0; i < m->op_count; i++) {
    bool is_kept = false;
    for (size_t j = 0; j < count; j++) is_kept |= kept[j].first <= i && i <= kept[j].last;
    m->ops[i].is_left_out = !is_kept;
  }
}

/* --- shrinking ------------------------------------------------------------------------------------------------------ */

uint32_t model_kept(const struct model *m) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->op_count; i++) n += !m->ops[i].is_left_out;
  return n;
}

/* Leaves out those of the kept operations whose number among them lies in [from, to); they come back when that heals it. */
static bool try_without(struct model *m, uint32_t from, uint32_t to) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < m->op_count; i++) {
    if (m->ops[i].is_left_out) continue;
    bool is_meant = n >= from && n < to;
    n++;
    if (is_meant) m->ops[i].flags |= MODEL_ON_TRIAL, m->ops[i].is_left_out = true;
  }
  bool still_fails = !model_replay(m);
  for (uint32_t i = 0; i < m->op_count; i++) {
    if (!(m->ops[i].flags & MODEL_ON_TRIAL)) continue;
    m->ops[i].flags &= ~MODEL_ON_TRIAL;
    m->ops[i].is_left_out = still_fails;
  }
  return still_fails;
}

/* Forgets the operations behind the last one that is kept, as long as what remains still fails. */
static void cut_end(struct model *m) {
  const uint32_t count = m->op_count;
  while (m->op_count > 0 && m->ops[m->op_count - 1].is_left_out) m->op_count--;
  if (model_replay(m)) m->op_count = count;
}

uint32_t model_shrink(struct model *m) {
  uint32_t piece = model_kept(m);
  if (model_replay(m)) return model_kept(m); /* It does not fail again: nothing can be learnt by leaving out. */
  while (piece > 0) {
    bool is_smaller = false;
    for (uint32_t from = 0; from < model_kept(m);) {
      if (try_without(m, from, from + piece))
        is_smaller = true;
      else
        from += piece;
    }
    if (piece == 1 && !is_smaller) break;
    if (piece > 1) piece = (piece + 1) / 2;
  }
  cut_end(m);
  (void)!model_replay(m); /* So that `wrong` is about what is left. */
  return model_kept(m);
}

/* --- telling -------------------------------------------------------------------------------------------------------- */

struct teller {
  struct model *m;
  const struct model_wish *wish;
  char *line;
  size_t used;
  void (*say)(const char *line);
};

static void add(struct teller *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct teller *t, const char *format, ...) {
  va_list args;
  if (t->used >= MODEL_LINE_MAX) return;
  va_start(args, format);
  t->used += format_string_v(t->line + t->used, MODEL_LINE_MAX - t->used, format, args);
  va_end(args);
}

static void say(struct teller *t) {
  t->say(t->line);
  t->used = 0;
}

/* The words of the command line that run what is kept of this machine; false when they are too many. */
static bool add_words(struct teller *t, bool is_all) {
  const struct model *m = t->m;
  unsigned ranges = 0, in_word = 0;
  add(t, "test=random_operations model=%#llx", (unsigned long long)m->seed);
  if (t->wish->planted && t->wish->planted[0] != '\0') add(t, " model.break=%s", t->wish->planted);
  for (uint32_t i = 0, end; !is_all && i < m->op_count; i = end) {
    end = i + 1;
    if (m->ops[i].is_left_out) continue;
    while (end < m->op_count && !m->ops[end].is_left_out) end++;
    add(t, in_word++ % MODEL_RANGES_A_WORD == 0 ? " model.keep=%u" : ",%u", i);
    if (end > i + 1) add(t, "-%u", end - 1);
    ranges++;
  }
  return ranges <= MODEL_RANGES_MAX && t->used + 64 < MODEL_LINE_MAX;
}

static void say_how(struct teller *t, bool is_all) {
  add(t, "again: make run CMDLINE='");
  bool fits = add_words(t, is_all);
  add(t, " test.exit'");
  if (fits)
    say(t);
  else
    t->used = 0;
}

/* "machine 0x1007: 3 slots, 8000 steps, digest 0123456789abcdef: as it must be" */
static void say_machine(struct teller *t, const char *of_what, uint32_t steps) {
  const struct model *m = t->m;
  add(t, "machine %#llx: %u slots, %u %s, digest %016llx: ", (unsigned long long)m->seed, m->slots, steps, of_what,
      (unsigned long long)m->trail);
  if (m->wrong[0] == '\0')
    add(t, "as it must be");
  else if (m->now < m->op_count)
    add(t, "step %u fails: %s", m->now, m->wrong);
  else
    add(t, "fails at the end: %s", m->wrong);
  say(t);
}

static void say_list(struct teller *t) {
  const struct model *m = t->m;
  for (size_t i = 0; i < m->region_count; i++) {
    add(t, "  frames %#llx to %#llx: %s", (unsigned long long)(m->regions[i].start / FRAME_SIZE),
        (unsigned long long)(m->regions[i].end / FRAME_SIZE),
        m->regions[i].kind == BOOT_MEMORY_USABLE ? "usable" : "firmware");
    say(t);
  }
  for (uint32_t i = 0; i < m->op_count; i++) {
    if (m->ops[i].is_left_out) continue;
    model_op_text(m, i, t->line, MODEL_LINE_MAX);
    t->say(t->line);
  }
}

/* The machine of the wish's seed, or a part of its operations; false when it fails. */
static bool tell_kept(struct teller *t) {
  struct model *m = t->m;
  uint32_t end = 0;
  for (size_t i = 0; i < t->wish->kept_count; i++) end = (uint32_t)bits_max(end, t->wish->kept[i].last + UINT64_C(1));
  bool is_well = model_prepare(m, end);
  if (is_well) {
    model_keep(m, t->wish->kept, t->wish->kept_count);
    is_well = model_replay(m);
  }
  say_machine(t, "steps kept", model_kept(m));
  if (!is_well) say_list(t);
  return is_well;
}

static bool tell_all(struct teller *t) {
  struct model *m = t->m;
  bool is_well = model_run(m, m->is_huge ? MODEL_OPS_HUGE : MODEL_OPS_MAX);
  say_machine(t, "steps", m->op_count);
  if (is_well) return true;
  say_how(t, true);
  uint32_t left = model_shrink(m);
  if (m->wrong[0] == '\0') return false; /* It does not fail again. */
  say_machine(t, "steps kept", left);
  say_list(t);
  say_how(t, false);
  return false;
}

uint64_t model_tell(struct model *m, const struct model_wish *wish, char *line, void (*say_line)(const char *line)) {
  struct teller t = {.m = m, .wish = wish, .line = line, .say = say_line};
  uint64_t failed = 0;
  for (uint64_t i = 0; i < wish->machines; i++) {
    bool is_well = model_begin(m, wish->seed + i);
    if (is_well)
      is_well = wish->kept_count > 0 ? tell_kept(&t) : tell_all(&t);
    else
      say_machine(&t, "steps", 0), is_well = m->wrong[0] == '\0';
    failed += !is_well;
  }
  return failed;
}
