/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/model.c — see model.h: the machine that is made up, and what is true of it.
 */
#include "tests/kernel/model.h"

#include "base/bits.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/ledger.h"
#include "tests/kernel/digest.h"

bool model_wrong(struct model *m, const char *format, ...) {
  va_list args;
  va_start(args, format);
  if (m->wrong[0] == '\0') format_string_v(m->wrong, sizeof m->wrong, format, args);
  va_end(args);
  return false;
}

/* --- the machine ---------------------------------------------------------------------------------------------------- */

static void add_region(struct model *m, uint64_t first, uint64_t count, uint32_t kind) {
  if (count == 0) return;
  m->regions[m->region_count++] = (struct boot_region){
      .start = first * FRAME_SIZE, .end = (first + count) * FRAME_SIZE, .kind = kind, .firmware_type = 7, .attributes = 8};
}

static uint64_t chunk_size(struct model *m) {
  struct dice *d = &m->dice;
  if (m->is_huge && m->chunk_count == 0) return dice_between(d, 5 << 17, 3 << 18) - 4096; /* 2.5 to 3 GiB. */
  if (m->is_huge) return dice_between(d, 1, 600);
  return dice_one_in(d, 3) ? dice_between(d, 1, 40) : dice_between(d, 200, 1600);
}

/* A chunk around a border of some tier, a part of it the firmware's. */
static bool add_chunk(struct model *m, uint64_t near, uint8_t **memory) {
  static const unsigned borders[] = {4, 9, 13, 18};
  struct dice *d = &m->dice;
  uint64_t border = bits_align_up(near, UINT64_C(1) << borders[dice_below(d, 4)]);
  uint64_t count = chunk_size(m);
  uint64_t first = border - dice_below(d, bits_min(count, border - near) + 1);
  uint64_t usable = dice_one_in(d, 3) ? dice_below(d, count) : count;
  if (m->is_huge && m->chunk_count == 0) usable = count;
  if (first + count > MODEL_FRAME_END || *memory + count > m->memory + MODEL_FRAMES_MAX) return false;
  struct model_chunk *c = &m->chunks[m->chunk_count++];
  *c = (struct model_chunk){first, count, *memory};
  *memory += count;
  add_region(m, first, usable, BOOT_MEMORY_USABLE);
  add_region(m, first + usable, count - usable, BOOT_MEMORY_RUNTIME_DATA);
  return true;
}

static void clear_machine(struct model *m) {
  m->allocated = 0;
  for (size_t i = 0; i < m->chunk_count; i++) memset(m->chunks[i].owner, FRAME_OWNER_FREE, m->chunks[i].count);
  for (size_t i = 0; i < m->region_count; i++) {
    const struct boot_region *r = &m->regions[i];
    if (r->kind == BOOT_MEMORY_RUNTIME_DATA)
      model_set(m, r->start / FRAME_SIZE, (r->end - r->start) / FRAME_SIZE, FRAME_OWNER_FIRMWARE);
  }
}

bool model_build(struct model *m) {
  status_t status = OK;
  clear_machine(m);
  m->wrong[0] = '\0';
  m->now = 0;
  m->gifts = 0;
  m->trail = DIGEST_START;
  m->pmm = m->build(m->context, m->regions, m->region_count, m->slots, &status);
  if (m->pmm) return true;
  if (status != ERR_NOT_FOUND || model_free_frames(m) > 0)
    model_wrong(m, "the machine cannot be built: %s", status_name(status));
  return false;
}

void model_note(struct model *m, uint64_t word) { m->trail = digest_add(m->trail, &word, sizeof word); }

bool model_begin(struct model *m, uint64_t seed) {
  uint8_t *memory = m->memory;
  uint64_t near = 256;
  m->seed = seed;
  m->dice = dice_of(seed);
  m->region_count = 0;
  m->chunk_count = 0;
  m->op_count = 0;
  m->is_huge = dice_one_in(&m->dice, 150);
  m->is_runs_only = dice_one_in(&m->dice, 4);
  m->is_checked = !m->is_huge && dice_one_in(&m->dice, 50);
  m->slots = (uint32_t)(dice_one_in(&m->dice, 8) ? MODEL_SLOTS_MAX : dice_between(&m->dice, 1, 4));
  m->players = m->slots + dice_one_in(&m->dice, 6);
  size_t chunks = dice_between(&m->dice, 1, MODEL_CHUNKS_MAX);
  while (m->chunk_count < chunks && add_chunk(m, near, &memory)) {
    const struct model_chunk *c = &m->chunks[m->chunk_count - 1];
    near = c->first + c->count + 1 + dice_any_size(&m->dice, 18);
  }
  return model_build(m);
}

/* --- what is true --------------------------------------------------------------------------------------------------- */

struct model_chunk *model_chunk_of(struct model *m, uint64_t frame) {
  for (size_t i = 0; i < m->chunk_count; i++) {
    if (frame >= m->chunks[i].first && frame < m->chunks[i].first + m->chunks[i].count) return &m->chunks[i];
  }
  return NULL;
}

void model_set(struct model *m, uint64_t first, uint64_t count, enum frame_owner owner) {
  struct model_chunk *c = model_chunk_of(m, first); /* Chunks do not touch, so a run lies in one of them. */
  const uint8_t kept = frame_owner_is_ours(owner) ? MODEL_TAIL : 0;
  for (uint8_t *at = &c->owner[first - c->first], *end = at + count; at < end; at++) *at = (*at & kept) | owner;
}

void model_set_piece(struct model *m, uint64_t first, uint64_t count, enum frame_owner owner) {
  struct model_chunk *c = model_chunk_of(m, first);
  memset(&c->owner[first - c->first], owner | MODEL_TAIL, count);
  c->owner[first - c->first] = owner;
}

enum frame_owner model_owner(const struct model_chunk *c, uint64_t frame) {
  return (enum frame_owner)(c->owner[frame - c->first] & ~MODEL_TAIL);
}

status_t model_verdict(struct model *m, enum frame_owner owner, uint64_t first, uint64_t count) {
  if (count == 0 || first + count < first) return ERR_INVALID;
  for (uint64_t f = first; f < first + count; f++) {
    struct model_chunk *c = model_chunk_of(m, f);
    if (!c || model_owner(c, f) == FRAME_OWNER_FIRMWARE) return ERR_RANGE;
    enum frame_owner is = model_owner(c, f);
    if (is == FRAME_OWNER_FREE || is == FRAME_OWNER_BAD) return ERR_STATE;
    if (is != owner) return ERR_OWNER;
  }
  const struct model_chunk *c = model_chunk_of(m, first);
  for (uint64_t f = first + 1; f < first + count; f++)
    if (!(c->owner[f - c->first] & MODEL_TAIL)) return ERR_OVERLAP;
  return OK;
}

bool model_start_fits(uint64_t start, uint64_t count, const struct frame_limits *w) {
  uint64_t align = w->align ? w->align : 1, max = w->max ? w->max : UINT64_MAX;
  if (start % align != 0 || start < w->min || start + count > max) return false;
  return w->boundary == 0 || start / w->boundary == (start + count - 1) / w->boundary;
}

/* The highest run that fits, by trying every start. */
bool model_highest_run(struct model *m, uint64_t count, const struct frame_limits *w, uint64_t *start) {
  for (size_t i = m->chunk_count; i-- > 0;) {
    const struct model_chunk *c = &m->chunks[i];
    uint64_t free_above = 0; /* Free frames from here upwards. */
    for (uint64_t at = c->count; at-- > 0;) {
      free_above = c->owner[at] == FRAME_OWNER_FREE ? free_above + 1 : 0;
      if (free_above < count || !model_start_fits(c->first + at, count, w)) continue;
      *start = c->first + at;
      return true;
    }
  }
  return false;
}

uint64_t model_free_frames(const struct model *m) {
  uint64_t n = 0;
  for (size_t i = 0; i < m->chunk_count; i++) {
    for (uint64_t j = 0; j < m->chunks[i].count; j++) n += m->chunks[i].owner[j] == FRAME_OWNER_FREE;
  }
  return n;
}

/* --- the whole compared --------------------------------------------------------------------------------------------- */

struct seen {
  struct model *m;
  uint64_t frames, last_end;
};

static bool compare_range(void *context, const struct pmm_range *r) {
  struct seen *s = context;
  if (r->start < s->last_end || r->start >= r->end) return model_wrong(s->m, "ranges are not in order");
  s->last_end = r->end;
  s->frames += r->end - r->start;
  for (uint64_t f = r->start; f < r->end; f++) {
    struct model_chunk *c = model_chunk_of(s->m, f);
    if (c && model_owner(c, f) == r->owner && frame_state_of(r->owner) == r->state) continue;
    return model_wrong(s->m, "frame %#llx is %s's, not %s's", (unsigned long long)f, frame_owner_name(r->owner),
                       c ? frame_owner_name(model_owner(c, f)) : "nobody");
  }
  return true;
}

static bool compare_stats(struct model *m) {
  uint64_t largest = 0, blocks = 0, gigs = 0, sum = 0;
  for (size_t i = 0; i < m->chunk_count; i++) {
    const struct model_chunk *c = &m->chunks[i];
    uint64_t run = 0;
    for (uint64_t j = 0; j < c->count; j++) {
      run = c->owner[j] == FRAME_OWNER_FREE ? run + 1 : 0;
      blocks += (c->first + j) % 512 == 511 && run >= 512;
      gigs += (c->first + j) % (1 << 18) == (1 << 18) - 1 && run >= 1 << 18;
      largest = bits_max(largest, run);
    }
  }
  struct pmm_stats s;
  pmm_stats_read(m->pmm, &s);
  const uint64_t done[] = {s.allocations, s.frees, s.failures, s.refusals, s.refills, s.drains, s.called_in, s.mails};
  for (size_t i = 0; i < sizeof done / sizeof *done; i++) model_note(m, done[i]);
  for (unsigned i = 0; i < 19; i++) sum += s.free_by_order[i] << i;
  if (s.free_frames != model_free_frames(m) || sum != s.free_frames)
    return model_wrong(m, "%llu frames free, %llu by size, not %llu", (unsigned long long)s.free_frames,
                       (unsigned long long)sum, (unsigned long long)model_free_frames(m));
  if (s.largest_free_run != largest || s.free_2m != blocks || s.free_1g != gigs)
    return model_wrong(m, "largest run %llu, 2 MiB %llu, 1 GiB %llu, not %llu, %llu, %llu",
                       (unsigned long long)s.largest_free_run, (unsigned long long)s.free_2m, (unsigned long long)s.free_1g,
                       (unsigned long long)largest, (unsigned long long)blocks, (unsigned long long)gigs);
  return true;
}

static bool compare_sums(struct model *m) {
  struct mm_check_report report;
  struct ledger l;
  ledger_read(m->pmm, &l);
  if (!mm_check(m->pmm, 0, &report)) return model_wrong(m, "%s", report.text);
  return ledger_balances(&l) ||
         model_wrong(m, "the ledger has %llu frames of %llu", (unsigned long long)l.sum, (unsigned long long)l.total);
}

static bool compare(struct model *m) {
  struct seen seen = {.m = m};
  uint64_t frames = 0;
  for (size_t i = 0; i < m->chunk_count; i++) frames += m->chunks[i].count;
  pmm_visit(m->pmm, compare_range, &seen);
  m->tally.checks++;
  if (m->wrong[0] != '\0') return false;
  if (seen.frames != frames) return model_wrong(m, "%llu frames are told of, not all", (unsigned long long)seen.frames);
  return compare_stats(m) && compare_sums(m);
}

bool model_compare(struct model *m) {
  m->enter(m->context, 0); /* Whose CPU looks makes a difference: it gives back what it has first. */
  bool is_same = compare(m);
  m->leave(m->context);
  return is_same;
}
