/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/guard/check.c — the second opinion: re-derives what the allocator believes and names what does not agree.
 *
 * WHAT   mm_check knows the layout of the data (instance.h, tier.h, record.h) and none of the functions that keep it: what
 *        belongs to whom is worked out here a second time, from the map and the records, one tier after the other.
 * HOW    Two passes, each once over everything:
 *          records   region by region of the map: is each frame's record legal where it lies?   -> INV-2, INV-8
 *                    The owners are counted on the way.                                          -> INV-6
 *          bits      section by section: 64 records make the word that ought to be there.       -> INV-3, INV-8
 *                    The tiers above are made again from the words.                              -> INV-4, INV-5
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
#include "mm/phys/instance.h"

enum { INV_NONE, INV_MAP, INV_RECORD, INV_BITMAP, INV_TIER, INV_COUNTER, INV_OWNER, INV_LEDGER, INV_FORBIDDEN, INV_COUNT };

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
  return said.state < FRAME_ABSENT && (!said.is_movable || said.state == FRAME_ALLOCATED);
}

static void check_record(struct checker *c, enum standing standing, uint64_t frame) {
  const uint8_t hot = c->p->records.hot[frame];
  if (standing == STANDING_OURS && hot == FRAME_OWNER_FREE) { /* Most frames of most machines: decides how long it takes. */
    c->owned[FRAME_OWNER_FREE]++;
    return;
  }
  const struct frame_said said = frame_said_by(hot);
  bool is_handed = said.state == FRAME_FREE || said.state == FRAME_ALLOCATED;
  if (said.owner < FRAME_OWNER_COUNT) c->owned[said.owner]++;
  if (standing != STANDING_OURS && is_handed) {
    expect(c, INV_FORBIDDEN, frame, standing == STANDING_BAD ? FRAME_BAD : FRAME_FIRMWARE, said.state);
    return;
  }
  bool fits = standing == STANDING_FIRMWARE ? said.state == FRAME_FIRMWARE
              : standing == STANDING_BAD    ? said.state == FRAME_BAD
                                            : said.state != FRAME_FIRMWARE;
  if (!fits || !byte_is_legal(hot)) expect(c, INV_RECORD, frame, UINT64_MAX, hot);
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
    for (uint64_t frame = first; frame < first + n; frame++) check_record(c, standing, frame);
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
  uint64_t frames, blocks, gigs;
};

static void check_block(struct checker *c, struct finger *f, uint64_t block, uint64_t base, struct sums *sums) {
  const uint64_t *words = &c->p->tier.bits[block * TIER_WORDS_PER_BLOCK];
  const struct tier_block *b = &c->p->tier.blocks[block];
  uint32_t whole = 0, broken = 0;
  for (unsigned i = 0; i < TIER_WORDS_PER_BLOCK; i++) {
    uint64_t managed, word = words[i], want = word_expected(c, f, base + UINT64_C(64) * i, &managed);
    uint64_t alien = word & ~managed, wrong = (word ^ want) & managed;
    if (alien) expect(c, INV_FORBIDDEN, base + UINT64_C(64) * i + bits_lowest(alien), 0, 1);
    if (wrong)
      expect(c, INV_BITMAP, base + UINT64_C(64) * i + bits_lowest(wrong), want >> bits_lowest(wrong) & 1,
             word >> bits_lowest(wrong) & 1);
    sums->frames += bits_count(word);
    for (unsigned g = 0; g < 4; g++) {
      unsigned free = bits_count(word >> 16 * g & 0xffff);
      whole |= (uint32_t)(free == 16) << (4 * i + g);
      broken |= (uint32_t)(free > 0 && free < 16) << (4 * i + g);
    }
  }
  expect(c, INV_TIER, base, whole, b->whole);
  expect(c, INV_TIER, base, broken, b->broken);
}

static void check_section(struct checker *c, struct finger *f, uint64_t section, uint64_t base, struct sums *sums) {
  const struct tier_section *s = &c->p->tier.sections[section];
  unsigned whole = 0, broken = 0;
  for (unsigned i = 0; i < TIER_BLOCKS_PER_SECTION; i++) {
    struct sums block = {0};
    check_block(c, f, section * TIER_BLOCKS_PER_SECTION + i, base + i * FRAMES_PER_2M, &block);
    sums->frames += block.frames;
    sums->blocks += block.frames == FRAMES_PER_2M;
    whole |= (unsigned)(block.frames == FRAMES_PER_2M) << i;
    broken |= (unsigned)(block.frames > 0 && block.frames < FRAMES_PER_2M) << i;
  }
  expect(c, INV_TIER, base, whole, s->whole);
  expect(c, INV_TIER, base, broken, s->broken);
}

static bool ladder_bit(const struct ladder *l, uint64_t bit) { return l->rung[0][bit / 64] >> (bit % 64) & 1; }

static void check_gig(struct checker *c, struct finger *f, uint64_t gig, uint64_t *section, struct sums *sums) {
  const struct tier *t = &c->p->tier;
  const struct tier_gig *g = &t->gigs[gig];
  uint64_t start = g->number * FRAMES_PER_1G, frames = 0;
  uint32_t whole = 0, has_whole = 0, has_broken = 0;
  for (unsigned i = 0; i < TIER_SECTIONS_PER_GIG; i++) {
    if (!(g->present >> i & 1)) continue;
    struct sums s = {0};
    check_section(c, f, *section, start + i * (FRAMES_PER_1G / TIER_SECTIONS_PER_GIG), &s);
    bool is_whole = s.blocks == TIER_BLOCKS_PER_SECTION;
    whole |= (uint32_t)is_whole << i;
    has_whole |= (uint32_t)(!is_whole && s.blocks > 0) << i;
    has_broken |= (uint32_t)(s.frames != s.blocks * FRAMES_PER_2M) << i;
    frames += s.frames;
    sums->blocks += s.blocks;
    (*section)++;
  }
  expect(c, INV_TIER, start, whole, g->whole);
  expect(c, INV_TIER, start, has_whole, g->has_whole);
  expect(c, INV_TIER, start, has_broken, g->has_broken);
  expect(c, INV_TIER, start, frames == FRAMES_PER_1G, ladder_bit(&t->whole, gig));
  expect(c, INV_TIER, start, frames < FRAMES_PER_1G && (whole | has_whole) != 0, ladder_bit(&t->has_whole, gig));
  expect(c, INV_TIER, start, has_broken != 0, ladder_bit(&t->has_broken, gig));
  sums->frames += frames;
  sums->gigs += frames == FRAMES_PER_1G;
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
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, sections, g->first);
    expect(c, INV_TIER, g->number * FRAMES_PER_1G, true, i == 0 || g->number > g[-1].number);
    sections += bits_count(g->present);
  }
  expect(c, INV_TIER, NO_FRAME, sections, t->section_count);
  return !c->findings[INV_TIER].is_broken;
}

static void check_bits(struct checker *c) {
  const struct tier *t = &c->p->tier;
  if (!check_shape(c)) return;
  struct finger finger = {c->p->regions, c->p->regions + c->p->region_count};
  struct sums sums = {0};
  uint64_t section = 0, budget = c->budget;
  for (uint64_t gig = 0; gig < t->gig_count; gig++) {
    uint64_t frames = bits_count(t->gigs[gig].present) * (FRAMES_PER_1G / TIER_SECTIONS_PER_GIG);
    if (budget < frames) {
      c->is_partial = true;
      return;
    }
    budget -= frames;
    check_gig(c, &finger, gig, &section, &sums);
  }
  check_ladder(c, &t->whole);
  check_ladder(c, &t->has_whole);
  check_ladder(c, &t->has_broken);
  expect(c, INV_COUNTER, NO_FRAME, sums.frames, t->free_frames);
  expect(c, INV_COUNTER, NO_FRAME, sums.blocks, t->free_2m);
  expect(c, INV_COUNTER, NO_FRAME, sums.gigs, t->free_1g);
}

/* --- sums and the verdict ------------------------------------------------------------------------------------------- */

/* Where firmware memory is said to be somebody's, the owners' counts are wrong for that reason: INV-8 is what to hear of. */
static void check_sums(struct checker *c) {
  bool can_compare = !c->is_partial && !c->findings[INV_FORBIDDEN].is_broken;
  uint64_t sum = 0;
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    sum += c->p->owned[i];
    if (can_compare) expect(c, INV_OWNER, NO_FRAME, c->owned[i], c->p->owned[i]);
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
    check_sums(&c);
  }
  for (unsigned i = INV_MAP; i < INV_COUNT && out->invariant == INV_NONE; i++) {
    if (c.findings[i].is_broken) out->invariant = i;
  }
  out->frames_checked = c.frames_checked;
  describe(&c, out);
  return out->invariant == INV_NONE;
}
