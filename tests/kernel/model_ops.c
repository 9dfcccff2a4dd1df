/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/model_ops.c — see model.h: operations made up, run, and judged by what the model says. */
#include "base/bits.h"
#include "lib/format.h"
#include "tests/kernel/digest.h"
#include "tests/kernel/model.h"

static const char *const names[MODEL_KIND_COUNT] = {
#define MODEL_NAME(id, name) [MODEL_##id] = (name),
    MODEL_OPS(MODEL_NAME)
#undef MODEL_NAME
};

/* --- making up ------------------------------------------------------------------------------------------------------ */

static enum frame_owner some_owner(struct dice *d) {
  static const enum frame_owner owners[] = {FRAME_OWNER_TEST, FRAME_OWNER_KERNEL, FRAME_OWNER_DMA};
  return owners[dice_below(d, 3)];
}

static uint64_t some_count(struct model *m) {
  struct dice *d = &m->dice;
  if (m->is_huge && dice_one_in(d, 4)) return dice_one_in(d, 2) ? 1 << 18 : dice_any_size(d, 19) + 1;
  if (dice_one_in(d, m->is_huge ? 4 : 30)) return 512;
  return 1 + (dice_one_in(d, 8) ? dice_any_size(d, 11) : dice_any_size(d, 5));
}

static struct frame_limits some_limits(struct model *m, uint64_t count) {
  struct dice *d = &m->dice;
  struct frame_limits w = {0};
  const struct model_chunk *a = &m->chunks[dice_below(d, m->chunk_count)], *b = &m->chunks[dice_below(d, m->chunk_count)];
  if ((count == 512 || count == 1 << 18) && !dice_one_in(d, 3)) return (struct frame_limits){.align = count};
  if (dice_one_in(d, 3)) w.min = a->first + dice_below(d, a->count);
  if (dice_one_in(d, 3)) w.max = b->first + 1 + dice_below(d, b->count + 8);
  if (dice_one_in(d, 2)) w.align = UINT64_C(1) << dice_below(d, dice_one_in(d, 8) ? 64 : 11);
  if (dice_one_in(d, 4))
    w.boundary = UINT64_C(1) << dice_between(d, bits_log2_floor(2 * count - 1), dice_one_in(d, 8) ? 63 : 20);
  return w;
}

static void make_up_run(struct model *m, struct model_op *o) {
  struct dice *d = &m->dice;
  o->count = some_count(m);
  o->where = some_limits(m, o->count);
  /* What comes from slots and pockets is not the highest: out of where that is looked at. */
  if (m->is_runs_only && (o->count == 1 || o->where.align == o->count)) o->count++, o->where = (struct frame_limits){0};
  if (dice_one_in(d, 12)) o->flags |= PMM_BELOW(dice_between(d, 13, 34));
}

/* A frame somewhere, mostly of RAM; sometimes just beside it, or anywhere. */
static uint64_t some_frame(struct model *m) {
  struct dice *d = &m->dice;
  const struct model_chunk *c = &m->chunks[dice_below(d, m->chunk_count)];
  if (dice_one_in(d, 20)) return dice_u64(d) >> dice_below(d, 64);
  return c->first + dice_below(d, c->count + 2) - dice_below(d, 2);
}

/* Mostly a part or all of what one operation took; sometimes any frames. */
static void make_up_owned(struct model *m, struct model_op *o, uint32_t number) {
  struct dice *d = &m->dice;
  o->origin = UINT32_MAX;
  for (unsigned i = 0; i < 12 && number > 0; i++) {
    uint32_t candidate = (uint32_t)dice_below(d, number);
    const struct model_op *from = &m->ops[candidate];
    if (from->result == MODEL_NONE) continue;
    o->origin = candidate;
    o->count = from->count;
    o->owner = from->owner;
    if (from->count > 1 && dice_one_in(d, 3)) {
      o->first = dice_below(d, from->count);
      o->count = dice_between(d, 1, from->count - o->first);
    }
    struct model_chunk *c = model_chunk_of(m, from->result + o->first);
    if (c && c->owner[from->result + o->first - c->first] != FRAME_OWNER_FREE)
      break; /* Else it was given back: once more? */
  }
  if (o->origin == UINT32_MAX) o->first = some_frame(m), o->count = 1, o->owner = some_owner(d);
  if (dice_one_in(d, 40)) o->owner = some_owner(d);
  if (dice_one_in(d, 60)) o->origin = UINT32_MAX, o->first = some_frame(m);
  if (dice_one_in(d, 40)) o->count = dice_any_size(d, dice_one_in(d, 4) ? 64 : 8);
  struct model_chunk *c = o->origin == UINT32_MAX ? NULL : model_chunk_of(m, m->ops[o->origin].result + o->first);
  /* Who has it now may be another one than who took it. */
  if (c && dice_one_in(d, 2)) o->owner = model_owner(c, m->ops[o->origin].result + o->first);
}

void model_make_up(struct model *m, uint32_t number) {
  static const uint8_t alloc_shares[] = {80, 50, 60, 25};
  struct dice *d = &m->dice;
  struct model_op *o = &m->ops[number];
  *o =
      (struct model_op){.owner = some_owner(d), .to = some_owner(d), .origin = UINT32_MAX, .count = 1, .result = MODEL_NONE};
  o->slot = (uint8_t)(dice_one_in(d, 4) ? dice_below(d, m->players) : number / 16 % m->players);
  if (dice_one_in(d, 5)) o->flags = PMM_MOVABLE;
  if (dice_one_in(d, 400)) {
    o->kind = MODEL_BAD;
    o->first = some_frame(m);
  } else if (dice_one_in(d, 400)) {
    o->kind = MODEL_INVALID;
    o->first = dice_below(d, 9);
  } else if (dice_one_in(d, 20)) {
    o->kind = MODEL_GIVE;
    make_up_owned(m, o, number);
  } else if (dice_below(d, 100) >= alloc_shares[number / 700 % 4]) {
    o->kind = MODEL_FREE;
    make_up_owned(m, o, number);
  } else if (!m->is_runs_only && dice_one_in(d, 2)) {
    o->kind = MODEL_FRAME;
    if (dice_one_in(d, 30)) o->flags |= PMM_BELOW(dice_between(d, 13, 34));
  } else {
    o->kind = MODEL_RUN;
    make_up_run(m, o);
  }
}

/* --- running -------------------------------------------------------------------------------------------------------- */

/* The limits that a request comes to: those it names, and what its flags say. */
static struct frame_limits limits_of(const struct model_op *o) {
  struct frame_limits w = o->where;
  uint64_t bits = PMM_BELOW_BITS(o->flags);
  uint64_t end = bits == 0 || bits >= 64 ? UINT64_MAX : UINT64_C(1) << (bits - FRAME_SHIFT);
  if (bits != 0 && (w.max == 0 || w.max > end)) w.max = end;
  return w;
}

/* What came of an operation goes into the trail. */
static void note_result(struct model *m, status_t status, uint64_t frame) {
  model_note(m, (uint64_t)(int64_t)status);
  model_note(m, frame);
}

static bool judge_taken(struct model *m, struct model_op *o, pfn_t got, const struct frame_limits *w) {
  struct model_chunk *c = model_chunk_of(m, got.raw);
  if (!c || got.raw + o->count > c->first + c->count)
    return model_wrong(m, "frame %#llx was handed out and is not ours", (unsigned long long)got.raw);
  for (uint64_t f = got.raw; f < got.raw + o->count; f++) {
    if (c->owner[f - c->first] != FRAME_OWNER_FREE)
      return model_wrong(m, "frame %#llx was handed out and is not free", (unsigned long long)f);
  }
  if (!model_start_fits(got.raw, o->count, w))
    return model_wrong(m, "the run at %#llx is outside its limits", (unsigned long long)got.raw);
  model_set_piece(m, got.raw, o->count, o->owner);
  o->result = got.raw;
  return true;
}

static bool step_frame(struct model *m, struct model_op *o) {
  pfn_t got = pfn(MODEL_NONE);
  struct frame_limits w = limits_of(o);
  uint64_t expected;
  status_t status = pmm_alloc_frame(m->pmm, o->owner, o->flags & ~MODEL_ON_TRIAL, &got);
  note_result(m, status, got.raw);
  m->tally.frames += status == OK;
  m->tally.no_frame += status != OK;
  if (status == OK) return judge_taken(m, o, got, &w);
  if (status != ERR_NO_MEMORY || got.raw != MODEL_NONE) return model_wrong(m, "no frame: %s", status_name(status));
  if (!model_highest_run(m, 1, &w, &expected)) return true;
  return model_wrong(m, "no frame, but %#llx is free", (unsigned long long)expected);
}

static bool step_run(struct model *m, struct model_op *o) {
  pfn_t got = pfn(MODEL_NONE);
  struct frame_limits w = limits_of(o);
  uint64_t expected = MODEL_NONE;
  bool is_valid = w.max == 0 || w.min < w.max;
  bool is_there = is_valid && model_highest_run(m, o->count, &w, &expected);
  status_t due = !is_valid ? ERR_INVALID : is_there ? OK : ERR_NO_MEMORY;
  status_t status = pmm_alloc_run(m->pmm, o->owner, o->flags & ~MODEL_ON_TRIAL, o->count, &o->where, &got);
  note_result(m, status, got.raw);
  if (o->where.max != 0 && o->where.min >= o->where.max) due = ERR_INVALID;
  /* Below its flags' limit there is nothing above its own minimum: either answer says so. */
  bool is_same = status == due || (!is_valid && status == ERR_NO_MEMORY && PMM_BELOW_BITS(o->flags) != 0);
  m->tally.runs += is_there;
  m->tally.no_run += !is_there;
  if (!is_same)
    return model_wrong(m, "a run of %llu: %s instead of %s (%#llx)", (unsigned long long)o->count, status_name(status),
                       status_name(due), (unsigned long long)expected);
  if (status != OK) return true;
  if (m->is_runs_only && got.raw != expected)
    return model_wrong(m, "a run of %llu at %#llx, not the highest at %#llx", (unsigned long long)o->count,
                       (unsigned long long)got.raw, (unsigned long long)expected);
  return judge_taken(m, o, got, &w);
}

/* Where the frames lie that an operation means; false when the operation that took them has not done so. */
static bool find_meant(const struct model *m, const struct model_op *o, uint64_t *first) {
  *first = o->first;
  if (o->origin == UINT32_MAX) return true;
  if (m->ops[o->origin].result == MODEL_NONE) return false;
  *first += m->ops[o->origin].result;
  return true;
}

/* The state before something that is to be refused: of every fourth, for to work it out costs more than all else. */
static uint64_t state_before(struct model *m, status_t due) {
  bool is_time = due != OK && !m->is_huge && m->now % 4 == 0;
  return is_time ? digest_of_pmm(m->pmm) : 0;
}

static bool refusal_is_due(struct model *m, const char *what, uint64_t first, status_t status, status_t due,
                           uint64_t before) {
  note_result(m, status, first);
  m->tally.refused += due != OK;
  if (status != due)
    return model_wrong(m, "%s %#llx: %s instead of %s", what, (unsigned long long)first, status_name(status),
                       status_name(due));
  if (due != OK && before != 0 && digest_of_pmm(m->pmm) != before)
    return model_wrong(m, "%s %#llx was refused and has changed something", what, (unsigned long long)first);
  return true;
}

static bool step_owned(struct model *m, struct model_op *o) {
  uint64_t first, before;
  if (!find_meant(m, o, &first)) return true;
  status_t due = model_verdict(m, o->owner, first, o->count), status;
  bool is_give = o->kind == MODEL_GIVE;
  before = state_before(m, due);
  if (is_give)
    status = pmm_give_run(m->pmm, o->owner, o->to, pfn(first), o->count);
  else if (o->count == 1)
    status = pmm_free_frame(m->pmm, o->owner, pfn(first));
  else
    status = pmm_free_run(m->pmm, o->owner, pfn(first), o->count);
  if (!refusal_is_due(m, names[o->kind], first, status, due, before)) return false;
  if (due != OK) return true;
  model_set(m, first, o->count, is_give ? o->to : FRAME_OWNER_FREE);
  m->tally.freed += !is_give;
  m->tally.given += is_give;
  return true;
}

/* Behind everybody's back. */
static void plant_if_due(struct model *m, const struct model_op *o) {
  if (!m->plant || o->kind != MODEL_GIVE) return;
  m->gifts++;
  if (m->gifts == MODEL_BREAKS_AT) m->plant(m->context, m->pmm);
}

static bool step_bad(struct model *m, struct model_op *o) {
  struct model_chunk *c = model_chunk_of(m, o->first);
  enum frame_owner owner = c ? model_owner(c, o->first) : FRAME_OWNER_NONE;
  status_t due = owner == FRAME_OWNER_FREE                                    ? OK
                 : owner == FRAME_OWNER_NONE || owner == FRAME_OWNER_FIRMWARE ? ERR_RANGE
                                                                              : ERR_STATE;
  uint64_t before = state_before(m, due);
  status_t status = pmm_mark_bad(m->pmm, pfn(o->first));
  if (due == OK && status == OK) model_set(m, o->first, 1, FRAME_OWNER_BAD);
  return refusal_is_due(m, "mark bad", o->first, status, due, before);
}

static bool step_invalid(struct model *m, struct model_op *o) {
  static const struct {
    enum frame_owner owner;
    uint32_t flags;
    uint64_t count;
    struct frame_limits where;
    status_t due;
  } cases[] = {
      {FRAME_OWNER_TEST, 0, 0, {0}, ERR_INVALID},
      {FRAME_OWNER_TEST, 0, 1, {.align = 3}, ERR_INVALID},
      {FRAME_OWNER_TEST, 0, 1, {.boundary = 6}, ERR_INVALID},
      {FRAME_OWNER_TEST, 0, 5, {.boundary = 4}, ERR_INVALID},
      {FRAME_OWNER_TEST, 0, 1, {.min = 9, .max = 9}, ERR_INVALID},
      {FRAME_OWNER_FREE, 0, 1, {0}, ERR_INVALID},
      {FRAME_OWNER_FIRMWARE, 0, 1, {0}, ERR_INVALID},
      {FRAME_OWNER_TEST, 0, UINT64_MAX, {0}, ERR_NO_MEMORY},
      {FRAME_OWNER_TEST, 0x80, 1, {0}, ERR_INVALID},
  };
  const size_t i = o->first % (sizeof cases / sizeof *cases);
  pfn_t got = pfn(7);
  status_t status = pmm_alloc_run(m->pmm, cases[i].owner, cases[i].flags, cases[i].count, &cases[i].where, &got);
  note_result(m, status, got.raw);
  if (status == cases[i].due && got.raw == 7) return true;
  return model_wrong(m, "invalid request %zu: %s instead of %s", i, status_name(status), status_name(cases[i].due));
}

/* What is asked goes into the trail before what is answered. */
static void note_request(struct model *m, const struct model_op *o, uint32_t number) {
  const uint64_t words[] = {number,   o->kind,  o->owner,     o->to,        o->slot,        o->flags & ~MODEL_ON_TRIAL,
                            o->first, o->count, o->where.min, o->where.max, o->where.align, o->where.boundary,
                            o->origin};
  for (size_t i = 0; i < sizeof words / sizeof *words; i++) model_note(m, words[i]);
}

bool model_do(struct model *m, uint32_t number) {
  static bool (*const steps[MODEL_KIND_COUNT])(struct model *, struct model_op *) = {
      [MODEL_FRAME] = step_frame, [MODEL_RUN] = step_run, [MODEL_FREE] = step_owned,
      [MODEL_GIVE] = step_owned,  [MODEL_BAD] = step_bad, [MODEL_INVALID] = step_invalid,
  };
  struct model_op *o = &m->ops[number];
  o->result = MODEL_NONE;
  m->tally.ops++;
  note_request(m, o, number);
  m->enter(m->context, o->slot);
  bool is_well = steps[o->kind](m, o);
  plant_if_due(m, o);
  m->leave(m->context);
  return is_well;
}

void model_op_text(const struct model *m, uint32_t number, char *to, size_t size) {
  const struct model_op *o = &m->ops[number];
  size_t n = format_string(to, size, "%u: slot %u %s %s count=%llu", number, o->slot, names[o->kind],
                           frame_owner_name(o->owner), (unsigned long long)o->count);
  if (n >= size) return;
  if (o->kind == MODEL_RUN)
    n += format_string(to + n, size - n, " flags=%#x min=%#llx max=%#llx align=%llu boundary=%llu", o->flags,
                       (unsigned long long)o->where.min, (unsigned long long)o->where.max,
                       (unsigned long long)o->where.align, (unsigned long long)o->where.boundary);
  if (n >= size) return;
  if (o->kind == MODEL_FRAME || o->kind == MODEL_RUN)
    format_string(to + n, size - n, " -> %#llx", (unsigned long long)o->result);
  else if (o->kind == MODEL_GIVE)
    n += format_string(to + n, size - n, " to %s", frame_owner_name(o->to));
  if (n >= size || o->kind == MODEL_FRAME || o->kind == MODEL_RUN) return;
  if (o->origin != UINT32_MAX)
    format_string(to + n, size - n, " of %u + %llu", o->origin, (unsigned long long)o->first);
  else
    format_string(to + n, size - n, " at %#llx", (unsigned long long)o->first);
}
