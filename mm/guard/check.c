/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check.c — the second opinion: re-derives what the allocator believes and names what does not agree.
 *
 * WHAT   mm_check knows the layout of the data (instance.h, tier.h, record.h) and none of the functions that keep it: what
 *        belongs to whom is worked out here a second time, from the map and the records, one tier after the other.
 * HOW    Two passes, each once over everything:
 *          bytes     region by region of the map: is each frame's byte legal where it lies?      -> INV-2, INV-8
 *                    The owners are counted on the way.                                           -> INV-6
 *          bits      section by section: 64 bytes make the word that ought to be there, in the    -> INV-3, INV-8,
 *                    line of bits, or in line and mailbox of the slot that owns the block,           INV-10
 *                    or among what a slot has put by.
 *                    Entries are compared with lines and slots, the tiers above with entries.     -> INV-4, INV-5,
 *                                                                                                    INV-9, INV-11
 *                    Free runs are measured as they pass by, and sought where none was found.     -> INV-13
 *        then the slots, each against its block's entry,                                          -> INV-9, INV-12
 *        and two sums: the map's RAM and the owners' counts.                                      -> INV-7
 *        Every invariant keeps the first place where it broke; the lowest number is the one reported, for a broken map or
 *        record explains whatever comes after it.
 * LOCKING  takes none and writes nothing, so that the panic path can ask; the caller sees to it that nothing changes.
 * WHY NOT  stop at the first difference found: the tiers are wrong wherever a bit is, and the bit is what one wants to hear.
 */
#include "mm/check.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/phys/engine/engine.h"
#include "mm/phys/instance.h"
#include "mm/phys/run_memo.h"

enum {
  INV_NONE,
  INV_MAP,
  INV_RECORD,
  INV_BITMAP,
  INV_TIER,
  INV_COUNTER,
  INV_OWNER,
  INV_LEDGER,
  INV_FORBIDDEN,
  INV_SLOT,
  INV_MAIL,
  INV_ENTRY,
  INV_HELD,
  INV_BOUND,
  INV_COUNT
};

static const struct {
  const char *name, *text;
} invariants[] = {[INV_NONE] = {"none", "all hold"},
#define INVARIANT_ROW(number, name, text) [number] = {#name, text},
                  MM_INVARIANTS(INVARIANT_ROW)
#undef INVARIANT_ROW
};
static_assert(ARRAY_COUNT(invariants) == INV_COUNT);

#define NO_FRAME UINT64_MAX

/* The first place where an invariant broke. */
struct finding {
  bool is_broken;
  uint64_t frame, expected, found;
};

struct checker {
  const struct pmm *p;
  uint64_t budget; /* Frames that each pass may still look at. */
  bool is_partial; /* The budget ended a pass: what was counted is not the whole. */
  uint64_t frames_checked;
  uint64_t owned[FRAME_OWNER_COUNT];
  uint64_t ram_frames;
  uint64_t run_end, run_frames, run_longest; /* Free runs, as the words pass by. */
  struct finding findings[INV_COUNT];
};

static void expect(struct checker *c, unsigned invariant, uint64_t frame, uint64_t expected, uint64_t found) {
  struct finding *f = &c->findings[invariant];
  if (expected != found && !f->is_broken) *f = (struct finding){true, frame, expected, found};
}

/* --- what the map says ---------------------------------------------------------------------------------------------- */

/* What the map makes of a region: written down a second time on purpose. */
enum standing {
  STANDING_NONE,     /* No RAM. */
  STANDING_FIRMWARE, /* RAM that is never handed out. */
  STANDING_BAD,      /* RAM that the firmware has found errors in. */
  STANDING_OURS,     /* RAM that may be free or allocated. */
};

static enum standing standing_of(const struct boot_region *r) {
  static const uint8_t standings[BOOT_MEMORY_KIND_COUNT] = {
      [BOOT_MEMORY_USABLE] = STANDING_OURS,           [BOOT_MEMORY_BOOT_SERVICES] = STANDING_OURS,
      [BOOT_MEMORY_LOADER] = STANDING_OURS,           [BOOT_MEMORY_HANDOFF] = STANDING_OURS,
      [BOOT_MEMORY_BOOT_STACK] = STANDING_OURS,       [BOOT_MEMORY_PAGE_TABLES] = STANDING_OURS,
      [BOOT_MEMORY_KERNEL] = STANDING_OURS,           [BOOT_MEMORY_LOW] = STANDING_FIRMWARE,
      [BOOT_MEMORY_TRAMPOLINE] = STANDING_FIRMWARE,   [BOOT_MEMORY_ACPI_RECLAIM] = STANDING_FIRMWARE,
      [BOOT_MEMORY_UNACCEPTED] = STANDING_FIRMWARE,   [BOOT_MEMORY_ACPI_NVS] = STANDING_FIRMWARE,
      [BOOT_MEMORY_RUNTIME_DATA] = STANDING_FIRMWARE, [BOOT_MEMORY_RUNTIME_CODE] = STANDING_FIRMWARE,
      [BOOT_MEMORY_UNUSABLE] = STANDING_BAD,
  };
  enum standing s = (enum standing)standings[r->kind];
  return s == STANDING_OURS && r->start < MIB ? STANDING_FIRMWARE : s;
}

static void check_map(struct checker *c) {
  const struct boot_region *last = NULL;
  for (size_t i = 0; i < c->p->region_count; i++) {
    const struct boot_region *r = &c->p->regions[i];
    bool is_sound = r->start < r->end && r->start % FRAME_SIZE == 0 && r->end % FRAME_SIZE == 0 &&
                    r->kind < BOOT_MEMORY_KIND_COUNT && (!last || last->end <= r->start);
    bool is_maximal = !last || last->end != r->start || last->kind != r->kind || last->firmware_type != r->firmware_type ||
                      last->attributes != r->attributes;
    expect(c, INV_MAP, r->start / FRAME_SIZE, true, is_sound && is_maximal);
    last = r;
  }
}

/* --- pass one: bytes ------------------------------------------------------------------------------------------------ */

static bool byte_is_legal(uint8_t hot) {
  struct frame_said said = frame_said_by(hot);
  return said.state < FRAME_ABSENT && (!(hot & (FRAME_MOVABLE | FRAME_TAIL)) || said.state == FRAME_ALLOCATED);
}

/* A byte that stands for so many frames from `frame` on. */
static void check_byte(struct checker *c, enum standing standing, uint64_t frame, uint64_t count, uint8_t hot) {
  if (standing == STANDING_OURS && hot == FRAME_OWNER_FREE) { /* Most frames of most machines: decides how long it takes. */
    c->owned[FRAME_OWNER_FREE] += count;
    return;
  }
  const struct frame_said said = frame_said_by(hot);
  bool is_handed = said.state == FRAME_FREE || said.state == FRAME_ALLOCATED;
  if (said.owner < FRAME_OWNER_COUNT) c->owned[said.owner] += count;
  if (standing != STANDING_OURS && is_handed) {
    expect(c, INV_FORBIDDEN, frame, standing == STANDING_BAD ? FRAME_BAD : FRAME_FIRMWARE, said.state);
    return;
  }
  bool fits = standing == STANDING_FIRMWARE ? said.state == FRAME_FIRMWARE
              : standing == STANDING_BAD    ? said.state == FRAME_BAD
                                            : said.state != FRAME_FIRMWARE;
  if (!fits || !byte_is_legal(hot)) expect(c, INV_RECORD, frame, UINT64_MAX, hot);
}

/* What an entry is. */
enum kind { KIND_PLAIN, KIND_WHOLE, KIND_POCKET, KIND_HUGE, KIND_OWNED };

static enum kind kind_of(uint32_t e) {
  bool has_slot = (e & ENTRY_SLOT) != 0;
  if (e & ENTRY_HUGE) return KIND_HUGE;
  if ((e & ENTRY_TAKEN) == 0) return has_slot ? KIND_POCKET : KIND_WHOLE;
  return has_slot ? KIND_OWNED : KIND_PLAIN;
}

/* Frames of one block: the entry speaks for all of them, or each has its byte. */
static void check_part(struct checker *c, enum standing standing, uint64_t first, uint64_t count) {
  struct place at;
  uint32_t e = ENTRY_FULL;
  if (standing == STANDING_OURS && place_find(&c->p->tier, first, &at)) e = c->p->tier.entries[at.block];
  switch (kind_of(e)) {
  case KIND_HUGE:
    check_byte(c, standing, first, count, (uint8_t)(e >> ENTRY_BYTE_SHIFT));
    return;
  case KIND_WHOLE:
  case KIND_POCKET:
    check_byte(c, standing, first, count, FRAME_OWNER_FREE);
    return;
  default:
    for (uint64_t i = first; i < first + count; i++) check_byte(c, standing, i, 1, c->p->records.hot[i]);
  }
}

static void check_records(struct checker *c) {
  uint64_t budget = c->budget;
  for (size_t i = 0; i < c->p->region_count; i++) {
    const struct boot_region *r = &c->p->regions[i];
    enum standing standing = standing_of(r);
    if (standing == STANDING_NONE) continue;
    uint64_t first = r->start / FRAME_SIZE, frames = (r->end - r->start) / FRAME_SIZE, n = bits_min(frames, budget);
    c->ram_frames += frames;
    c->frames_checked += n;
    c->is_partial |= n < frames;
    budget -= n;
    for (uint64_t at = first, stop; at < first + n; at = stop) {
      stop = bits_min(bits_align_down(at, FRAMES_PER_2M) + FRAMES_PER_2M, first + n);
      check_part(c, standing, at, stop - at);
    }
  }
}

/* --- pass two: bits and tiers --------------------------------------------------------------------------------------- */

/* The map and the tiers are both in order of address, so one finger on each is enough. */
struct finger {
  const struct boot_region *at, *end;
};

/* The bits that the word of frame `base` ought to have; *managed are those that may be set at all. */
static uint64_t word_expected(const struct checker *c, struct finger *f, uint64_t base, uint64_t *managed) {
  uint64_t word = 0;
  *managed = 0;
  while (f->at < f->end && f->at->end / FRAME_SIZE <= base) f->at++;
  for (const struct boot_region *r = f->at; r < f->end && r->start / FRAME_SIZE < base + 64; r++) {
    if (standing_of(r) != STANDING_OURS) continue;
    uint64_t first = bits_max(r->start / FRAME_SIZE, base), end = bits_min(r->end / FRAME_SIZE, base + 64);
    for (uint64_t frame = first; frame < end; frame++) {
      *managed |= UINT64_C(1) << (frame - base);
      word |= (uint64_t)(c->p->records.hot[frame] == FRAME_OWNER_FREE) << (frame - base);
    }
  }
  return word;
}

/* What was counted on the way up. */
struct sums {
  uint64_t frames;       /* Free. */
  uint64_t seen;         /* Of these, without those that slots have: what the tiers ought to know of. */
  uint64_t blocks, gigs; /* Whole, and seen. */
};

/* Adds a word to the free runs seen so far. */
static void follow_runs(struct checker *c, uint64_t word, uint64_t base) {
  while (word != 0) {
    unsigned from = bits_lowest(word);
    uint64_t used = ~(word >> from);
    unsigned n = used != 0 ? (unsigned)bits_min(bits_lowest(used), 64 - from) : 64;
    c->run_frames = c->run_end == base + from ? c->run_frames + n : n;
    c->run_end = base + from + n;
    c->run_longest = bits_max(c->run_longest, c->run_frames);
    if (from + n == 64) return;
    word = word >> (from + n) << (from + n);
  }
}

/* The words that a block ought to have; *any is false when none of its frames is ours. */
struct wanted {
  uint64_t word[TIER_WORDS_PER_BLOCK], managed[TIER_WORDS_PER_BLOCK];
  bool any;
};

static struct wanted block_expected(const struct checker *c, struct finger *f, uint64_t base) {
  struct wanted w = {0};
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) {
    w.word[i] = word_expected(c, f, base + UINT64_C(64) * i, &w.managed[i]);
    w.any |= w.managed[i] != 0;
  }
  return w;
}

/* A block that an entry speaks for: wholly ours, and what is written of it says that nothing was ever taken singly. */
static uint64_t check_spoken_for(struct checker *c, struct finger *f, uint64_t block, uint64_t base, uint32_t e) {
  const uint64_t *line = &c->p->tier.bits[block * TIER_WORDS_PER_BLOCK];
  const struct wanted w = block_expected(c, f, base);
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) {
    expect(c, INV_FORBIDDEN, base + UINT64_C(64) * i, UINT64_MAX, w.managed[i]);
    if (!(e & ENTRY_WRITTEN)) continue;
    expect(c, INV_BITMAP, base + UINT64_C(64) * i, UINT64_MAX, w.word[i]);
    expect(c, INV_BITMAP, base + UINT64_C(64) * i, UINT64_MAX, line[i]);
  }
  expect(c, INV_ENTRY, base, e & ENTRY_HUGE ? ENTRY_FRAMES : 0, e & ENTRY_TAKEN);
  return e & ENTRY_HUGE ? 0 : FRAMES_PER_2M;
}

/* The frames of a block that slots have put by; one that two have is INV-9. */
static void add_put_by(struct checker *c, uint64_t base, uint64_t words[TIER_WORDS_PER_BLOCK]) {
  for (uint32_t n = 0; n < c->p->slot_count; n++) {
    const struct slot *s = &c->p->slots[n];
    for (uint32_t i = s->crumb; s->crumb_base != SLOT_NONE && i < s->crumb_end && i < SLOT_CRUMBS; i++) {
      const uint64_t frame = s->crumb_base - s->crumbs[i], bit = UINT64_C(1) << frame % 64;
      if (frame - base >= FRAMES_PER_2M) continue;
      expect(c, INV_SLOT, frame, 0, (words[(frame - base) / 64] & bit) != 0);
      words[(frame - base) / 64] |= bit;
    }
  }
}

/* What a block's frames came to: those that are to be had, and all of them. */
struct line_sums {
  uint64_t seen, frames;
};

/*
 * A block with bits: the line of whoever has it, a slot's mail besides, and what slots have put by of it.  No line is kept
 * where nothing is ours.
 */
static struct line_sums check_line(struct checker *c, struct finger *f, uint64_t block, uint64_t base,
                                   const struct slot *owner) {
  const uint64_t *line = &c->p->tier.bits[block * TIER_WORDS_PER_BLOCK];
  const struct wanted w = block_expected(c, f, base);
  uint64_t put_by[TIER_WORDS_PER_BLOCK] = {0};
  struct line_sums sums = {0};
  add_put_by(c, base, put_by);
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK && w.any; i++) {
    uint64_t at = base + UINT64_C(64) * i, mail = owner ? owner->mail[i] : 0, word = line[i] | mail | put_by[i];
    const uint64_t twice = (line[i] | mail) & put_by[i];
    if (twice) expect(c, INV_SLOT, at + bits_lowest(twice), 0, 1);
    uint64_t alien = word & ~w.managed[i], wrong = (word ^ w.word[i]) & w.managed[i];
    if (line[i] & mail) expect(c, INV_MAIL, at + bits_lowest(line[i] & mail), 0, 1);
    if (alien) expect(c, INV_FORBIDDEN, at + bits_lowest(alien), 0, 1);
    if (wrong)
      expect(c, INV_BITMAP, at + bits_lowest(wrong), w.word[i] >> bits_lowest(wrong) & 1, word >> bits_lowest(wrong) & 1);
    if (!owner) follow_runs(c, line[i], at);
    sums.seen += bits_count(line[i]);
    sums.frames += bits_count(word);
  }
  return sums;
}

/* The slot that owns the block, if the entry names it and it names the block in turn. */
static const struct slot *check_owner(struct checker *c, uint64_t base, uint32_t e) {
  uint32_t number = (e & ENTRY_SLOT) >> ENTRY_SLOT_SHIFT;
  if (number == 0) return NULL;
  if (number > c->p->slot_count) {
    expect(c, INV_SLOT, base, c->p->slot_count, number);
    return NULL;
  }
  const struct slot *s = &c->p->slots[number - 1];
  if (kind_of(e) == KIND_POCKET) {
    bool is_in = s->in_pocket >> (base >> TIER_2M) % TIER_BLOCKS_PER_SECTION & 1;
    expect(c, INV_SLOT, base, true, is_in && s->pocket == base >> TIER_32M);
    return NULL;
  }
  expect(c, INV_SLOT, base, s->block, base >> TIER_2M);
  return s->block == base >> TIER_2M ? s : NULL;
}

static void check_block(struct checker *c, struct finger *f, uint64_t block, uint64_t base, struct sums *sums) {
  uint32_t e = c->p->tier.entries[block];
  const struct slot *owner = check_owner(c, base, e);
  struct line_sums line;
  expect(c, INV_ENTRY, base, 0, e & ENTRY_LOCK);
  switch (kind_of(e)) {
  case KIND_WHOLE:
    for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) follow_runs(c, UINT64_MAX, base + UINT64_C(64) * i);
    sums->seen = sums->frames = check_spoken_for(c, f, block, base, e);
    return;
  case KIND_POCKET:
  case KIND_HUGE:
    sums->frames = check_spoken_for(c, f, block, base, e);
    return;
  case KIND_OWNED:
    sums->frames = check_line(c, f, block, base, owner).frames;
    expect(c, INV_ENTRY, base, ENTRY_FRAMES, e & ENTRY_TAKEN);
    return;
  case KIND_PLAIN:
    line = check_line(c, f, block, base, NULL);
    sums->seen = line.seen;
    sums->frames = line.frames;
    expect(c, INV_ENTRY, base, ENTRY_FRAMES - sums->seen, e & ENTRY_TAKEN);
  }
}

/* Has a slot noted that this block is broken, and not yet said so? */
static bool is_late(const struct checker *c, uint64_t base) {
  for (uint32_t n = 0; n < c->p->slot_count; n++) {
    const struct slot *s = &c->p->slots[n];
    for (uint32_t i = 0; i < s->late_count && i < SLOT_LATE; i++) {
      if (s->late[i] == base >> TIER_2M) return true;
    }
  }
  return false;
}

static void check_section(struct checker *c, struct finger *f, uint64_t section, uint64_t base, struct sums *sums) {
  const struct tier_section *s = &c->p->tier.sections[section];
  unsigned whole = 0, broken = 0;
  for (unsigned i = 0; i < TIER_BLOCKS_PER_SECTION; i++) {
    struct sums block = {0};
    check_block(c, f, section * TIER_BLOCKS_PER_SECTION + i, base + i * FRAMES_PER_2M, &block);
    bool is_broken = block.seen > 0 && block.seen < FRAMES_PER_2M;
    if (is_broken && !(s->broken >> i & 1) && is_late(c, base + i * FRAMES_PER_2M)) block.seen = 0;
    sums->frames += block.frames;
    sums->seen += block.seen;
    sums->blocks += block.seen == FRAMES_PER_2M;
    whole |= (unsigned)(block.seen == FRAMES_PER_2M) << i;
    broken |= (unsigned)(block.seen > 0 && block.seen < FRAMES_PER_2M) << i;
  }
  expect(c, INV_TIER, base, whole, s->whole);
  expect(c, INV_TIER, base, broken, s->broken);
}

static bool ladder_bit(const struct ladder *l, uint64_t bit) { return l->rung[0][bit / 64] >> (bit % 64) & 1; }

static void check_gig(struct checker *c, struct finger *f, uint64_t gig, struct sums *sums) {
  const struct tier *t = &c->p->tier;
  const struct tier_gig *g = &t->gigs[gig];
  uint64_t start = g->number * FRAMES_PER_1G, seen = 0;
  uint32_t whole = 0, has_whole = 0, has_broken = 0;
  for (unsigned i = 0; i < TIER_SECTIONS_PER_GIG; i++) {
    if (!(g->present >> i & 1)) continue;
    struct sums s = {0};
    check_section(c, f, place_section(g, i), start + i * (FRAMES_PER_1G / TIER_SECTIONS_PER_GIG), &s);
    bool is_whole = s.blocks == TIER_BLOCKS_PER_SECTION;
    whole |= (uint32_t)is_whole << i;
    has_whole |= (uint32_t)(!is_whole && s.blocks > 0) << i;
    has_broken |= (uint32_t)(s.seen != s.blocks * FRAMES_PER_2M) << i;
    seen += s.seen;
    sums->frames += s.frames;
    sums->blocks += s.blocks;
  }
  expect(c, INV_TIER, start, whole, g->whole);
  expect(c, INV_TIER, start, has_whole, g->has_whole);
  expect(c, INV_TIER, start, has_broken, g->has_broken);
  expect(c, INV_TIER, start, seen == FRAMES_PER_1G, ladder_bit(&t->whole, gig));
  expect(c, INV_TIER, start, seen < FRAMES_PER_1G && (whole | has_whole) != 0, ladder_bit(&t->has_whole, gig));
  expect(c, INV_TIER, start, has_broken != 0, ladder_bit(&t->has_broken, gig));
  sums->gigs += seen == FRAMES_PER_1G;
}

/* A bit of a higher rung says that the word below it is not empty. */
static void check_ladder(struct checker *c, const struct ladder *l) {
  uint64_t words = (c->p->tier.gig_count + 63) / 64;
  for (unsigned r = 1; r < l->rungs; r++, words = (words + 63) / 64) {
    for (uint64_t i = 0; i < words; i++) {
      expect(c, INV_TIER, NO_FRAME, l->rung[r - 1][i] != 0, l->rung[r][i / 64] >> (i % 64) & 1);
    }
  }
}

/* Groups of so many frames that hold memory of ours. */
static uint64_t groups_of_ours(const struct checker *c, uint64_t frames) {
  uint64_t groups = 0, next = 0;
  for (size_t i = 0; i < c->p->region_count; i++) {
    const struct boot_region *r = &c->p->regions[i];
    if (standing_of(r) != STANDING_OURS) continue;
    uint64_t first = bits_max(r->start / FRAME_SIZE / frames, next), last = (r->end / FRAME_SIZE - 1) / frames;
    groups += last + 1 - first;
    next = last + 1;
  }
  return groups;
}

/* Are the arrays as long as the map asks for, and do the gigs share them out in order?  Else nothing in them can be read. */
static bool check_shape(struct checker *c) {
  const struct tier *t = &c->p->tier;
  uint64_t sections = 0;
  expect(c, INV_TIER, NO_FRAME, groups_of_ours(c, FRAMES_PER_1G), t->gig_count);
  expect(c, INV_TIER, NO_FRAME, groups_of_ours(c, FRAMES_PER_1G / TIER_SECTIONS_PER_GIG), t->section_count);
  for (uint64_t i = 0; i < t->gig_count && !c->findings[INV_TIER].is_broken; i++) {
    const struct tier_gig *g = &t->gigs[i];
    const bool is_shared = g->first != g->own; /* A whole gig that nobody has touched. */
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, sections, g->own);
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, is_shared ? t->shared : g->own, g->first);
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, is_shared, is_shared && t->shared != 0 && g->present == GIG_ALL);
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, true, i == 0 || g->number > g[-1].number);
    sections += bits_count(g->present);
  }
  expect(c, INV_TIER, NO_FRAME, sections, t->section_count);
  expect(c, INV_TIER, NO_FRAME, t->shared == 0 ? 0 : sections, t->shared);
  return !c->findings[INV_TIER].is_broken;
}

/* With an engine in the tiers' place: what it calls free, look by look, and how much that is. */
static void check_engine(struct checker *c) {
  const struct pmm *p = c->p;
  uint64_t budget = c->budget, sum = 0, start, end;
  for (size_t i = 0; i < p->region_count; i++) {
    const struct boot_region *r = &p->regions[i];
    if (standing_of(r) != STANDING_OURS) continue;
    const uint64_t first = r->start / FRAME_SIZE, frames = (r->end - r->start) / FRAME_SIZE, n = bits_min(frames, budget);
    c->is_partial |= n < frames;
    budget -= n;
    for (uint64_t frame = first; frame < first + n;) {
      const bool is_free = p->engine->look(p->engine_memory, frame, &start, &end);
      expect(c, INV_TIER, frame, true, start <= frame && frame < end);
      for (end = bits_min(bits_max(end, frame + 1), first + n); frame < end; frame++) {
        expect(c, INV_BITMAP, frame, pmm_frame_said(p, frame).state == FRAME_FREE, is_free);
        sum += is_free;
      }
    }
  }
  if (!c->is_partial) expect(c, INV_COUNTER, NO_FRAME, sum, p->engine->free_frames(p->engine_memory));
}

/* A run of that kind lies at `first`: are the sections marked in which a search would meet it (run_memo.c)? */
static void check_met(struct checker *c, const struct run_memo *m, uint64_t first) {
  const unsigned tier = tier_run_groups(m->count, m->align);
  const uint64_t end = first + m->count, size = UINT64_C(1) << tier;
  uint64_t at = tier == TIER_FRAME ? end - 1 : bits_align_up(first, size);
  for (; at + size <= end; at += size) {
    struct place p;
    if (place_find(&c->p->tier, at, &p) && m->may[p.gig] >> p.in_gig & 1) continue;
    expect(c, INV_BOUND, at, m->count, 0);
  }
}

/* A free run that the tiers know of: is it where searches have learnt that there is none? */
static void check_learnt(void *context, uint64_t start, uint64_t end) {
  struct checker *c = context;
  for (unsigned i = 0; i < RUN_MEMOS; i++) {
    const struct run_memo *m = &c->p->tier.memos->kinds[i];
    const struct frame_limits kind = {.align = m->align, .boundary = m->boundary};
    uint64_t first;
    if (m->count != 0 && tier_run_highest_start(m->count, &kind, end, &first) && first >= start) check_met(c, m, first);
  }
}

static void check_bits(struct checker *c) {
  if (c->p->engine) {
    check_engine(c);
    return;
  }
  const struct tier *t = &c->p->tier;
  if (!check_shape(c)) return;
  struct finger finger = {c->p->regions, c->p->regions + c->p->region_count};
  struct sums sums = {0};
  uint64_t budget = c->budget;
  for (uint64_t gig = 0; gig < t->gig_count; gig++) {
    uint64_t frames = bits_count(t->gigs[gig].present) * (FRAMES_PER_1G / TIER_SECTIONS_PER_GIG);
    if (budget < frames) {
      c->is_partial = true;
      return;
    }
    budget -= frames;
    check_gig(c, &finger, gig, &sums);
  }
  check_ladder(c, &t->whole);
  check_ladder(c, &t->has_whole);
  check_ladder(c, &t->has_broken);
  if (!c->findings[INV_FORBIDDEN].is_broken) expect(c, INV_OWNER, NO_FRAME, sums.frames, pmm_owned(c->p, FRAME_OWNER_FREE));
  expect(c, INV_COUNTER, NO_FRAME, sums.blocks, t->free_2m);
  expect(c, INV_COUNTER, NO_FRAME, sums.gigs, t->free_1g);
  tier_each_run(t, check_learnt, c);
  if (c->run_longest > c->p->tier.run_bound) expect(c, INV_BOUND, NO_FRAME, c->p->tier.run_bound, c->run_longest);
}

/* --- slots ---------------------------------------------------------------------------------------------------------- */

/* What a slot names has to name the slot. */
static void check_named(struct checker *c, uint64_t first, uint32_t number, enum kind kind) {
  struct place at;
  if (!place_find(&c->p->tier, first, &at)) {
    expect(c, INV_SLOT, first, true, false);
    return;
  }
  uint32_t e = c->p->tier.entries[at.block];
  expect(c, INV_SLOT, first, kind, kind_of(e));
  expect(c, INV_SLOT, first, number + 1, (e & ENTRY_SLOT) >> ENTRY_SLOT_SHIFT);
}

/* What a slot has put by lies in blocks that are in pieces, and is free. */
static void check_put_by(struct checker *c, const struct slot *s) {
  const bool is_sound = s->crumb <= s->crumb_end && s->crumb_end <= SLOT_CRUMBS && s->late_count <= SLOT_LATE;
  expect(c, INV_SLOT, NO_FRAME, true, is_sound);
  for (uint32_t i = s->crumb; is_sound && s->crumb_base != SLOT_NONE && i < s->crumb_end; i++) {
    const uint64_t frame = s->crumb_base - s->crumbs[i];
    struct place at;
    const bool is_there = place_find(&c->p->tier, frame, &at);
    const enum kind kind = is_there ? kind_of(c->p->tier.entries[at.block]) : KIND_HUGE;
    expect(c, INV_SLOT, frame, true, kind == KIND_PLAIN || kind == KIND_OWNED);
    if (is_there) expect(c, INV_BITMAP, frame, FRAME_OWNER_FREE, c->p->records.hot[frame]);
  }
}

static void check_slots(struct checker *c) {
  uint64_t held = 0;
  for (uint32_t i = 0; i < c->p->slot_count; i++) {
    const struct slot *s = &c->p->slots[i];
    const bool holds = s->block != SLOT_NONE || s->pocket != SLOT_NONE || s->crumb_base != SLOT_NONE;
    held += holds;
    expect(c, INV_HELD, NO_FRAME, true, holds || s->late_count == 0);
    check_put_by(c, s);
    if (s->block != SLOT_NONE) check_named(c, s->block << TIER_2M, i, KIND_OWNED);
    for (unsigned w = 0; w < TIER_WORDS_PER_BLOCK && s->block == SLOT_NONE; w++)
      expect(c, INV_MAIL, NO_FRAME, 0, s->mail[w]);
    for (uint32_t left = s->in_pocket; left != 0; left &= left - 1)
      check_named(c, (s->pocket << TIER_32M) + ((uint64_t)bits_lowest(left) << TIER_2M), i, KIND_POCKET);
    expect(c, INV_SLOT, NO_FRAME, 0, s->called);
  }
  expect(c, INV_HELD, NO_FRAME, held, c->p->held);
}

/* --- sums and the verdict ------------------------------------------------------------------------------------------- */

/* Where firmware memory is said to be somebody's, the owners' counts are wrong for that reason: INV-8 is what to hear of. */
static void check_sums(struct checker *c) {
  bool can_compare = !c->is_partial && !c->findings[INV_FORBIDDEN].is_broken;
  uint64_t sum = 0;
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    uint64_t owned = pmm_owned(c->p, (enum frame_owner)i);
    sum += owned;
    if (can_compare) expect(c, INV_OWNER, NO_FRAME, c->owned[i], owned);
  }
  expect(c, INV_LEDGER, NO_FRAME, c->ram_frames, c->p->total_frames);
  expect(c, INV_LEDGER, NO_FRAME, c->p->total_frames, sum);
}

static void describe(const struct checker *c, struct mm_check_report *out) {
  const struct finding *f = &c->findings[out->invariant];
  out->frame = f->frame;
  out->expected = f->expected;
  out->found = f->found;
  if (out->invariant == INV_NONE) {
    format_string(out->text, sizeof out->text, "all invariants hold over %llu frames%s",
                  (unsigned long long)c->frames_checked, c->is_partial ? " (not all were looked at)" : "");
  } else if (f->frame == NO_FRAME) {
    format_string(out->text, sizeof out->text, "INV-%u %s broken: expected %llu, found %llu", out->invariant,
                  invariants[out->invariant].name, (unsigned long long)f->expected, (unsigned long long)f->found);
  } else {
    format_string(out->text, sizeof out->text, "INV-%u %s broken at frame %#llx: expected %#llx, found %#llx",
                  out->invariant, invariants[out->invariant].name, (unsigned long long)f->frame,
                  (unsigned long long)f->expected, (unsigned long long)f->found);
  }
}

bool mm_check(const struct pmm *p, uint64_t limit, struct mm_check_report *out) {
  struct checker c = {.p = p, .budget = limit != 0 ? limit : UINT64_MAX};
  *out = (struct mm_check_report){0};
  check_map(&c);
  if (!c.findings[INV_MAP].is_broken) { /* Without a map one can trust there is nothing to compare with. */
    check_records(&c);
    check_bits(&c);
    check_slots(&c);
    check_sums(&c);
  }
  for (unsigned i = INV_MAP; i < INV_COUNT && out->invariant == INV_NONE; i++) {
    if (c.findings[i].is_broken) out->invariant = i;
  }
  out->frames_checked = c.frames_checked;
  describe(&c, out);
  return out->invariant == INV_NONE;
}
