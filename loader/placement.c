/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/placement.c — where everything lies: count the possible slots, draw an index, turn it into a base.
 *
 * WHAT   Virtual windows (boot/layout.h) and the image's physical base, each drawn on its own.
 * HOW    What has been placed splits the address space into holes:
 *
 *          LAYOUT_START ........[ direct map ]........[ image ]........... LAYOUT_END
 *                      `hole 0 ´              `hole 1´         `  hole 2  ´       each shortened by LAYOUT_GAP at a window
 *
 *        In a hole of h bytes a window of s bytes has floor((h' - s) / step) + 1 bases, h' being what is left after
 *        rounding the hole's start up to the step.  The sum over the holes is the exact number of slots; one index below
 *        it is drawn without bias, and a second walk over the same holes finds the base it stands for.  Physical memory
 *        works alike: there the holes are the usable regions minus what has to be avoided.
 * INVARIANTS
 *   Before the first draw it is certain that every later one has a slot: k windows leave at most k + 1 holes, so one of
 *   them has at least 1/(k + 1) of what is free, whatever was drawn (surely_fits).  Nothing can fail between two draws.
 * WHY NOT  drawing a base and trying again when it overlaps: unbounded, and the entropy would be a guess.
 *          Drawing the image first: a direct map of 64 TiB might then fit on neither side of it.
 */
#include "loader/placement.h"

#include "base/assert.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "lib/bitlog.h"
#include "lib/string.h"

#define PLACEMENT_BYTES_MAX (UINT64_C(1) << 52)
#define FRAME_RECORD_SIZE   16 /* As boot/layout.h says. */

/* Half-open, bytes. */
struct hole {
  uint64_t start;
  uint64_t end;
};

/* Bases at multiples of step where size bytes fit into the hole; *first is the lowest of them when there is one. */
static uint64_t hole_slots(struct hole h, uint64_t size, uint64_t step, uint64_t *first) {
  uint64_t start;
  if (!bits_align_up_checked(h.start, step, &start) || start >= h.end || h.end - start < size) return 0;
  *first = start;
  return (h.end - start - size) / step + 1;
}

/* What is reported never exceeds what the sources gave, and a fixed layout has no entropy at all. */
static uint64_t credited_millibits(uint32_t mode, uint32_t entropy_bits) {
  return mode == PLACEMENT_RANDOM ? UINT64_C(1000) * entropy_bits : 0;
}

/* --- virtual ------------------------------------------------------------------------------------------------------ */

static const uint64_t window_step[BOOT_WINDOW_COUNT] = {
#define WINDOW_STEP(id, name, step, size, what) (step),
    BOOT_WINDOWS(WINDOW_STEP)
#undef WINDOW_STEP
};

/* The direct map before the image; all others as they stand in boot/layout.h. */
static const uint8_t draw_order[BOOT_WINDOW_COUNT] = {
    BOOT_WINDOW_DIRECT_MAP, BOOT_WINDOW_IMAGE,  BOOT_WINDOW_FRAMES,      BOOT_WINDOW_KSPACE,
    BOOT_WINDOW_STACKS,     BOOT_WINDOW_PERCPU, BOOT_WINDOW_FRAMEBUFFER, BOOT_WINDOW_HANDOFF,
};

/* What has been placed so far, ascending. */
struct space {
  struct hole whole;
  size_t count;
  struct hole taken[BOOT_WINDOW_COUNT];
};

/* Slots for a window in all holes together; *base is set when `index` is below that number. */
static uint64_t space_slots(const struct space *s, uint64_t size, uint64_t step, uint64_t index, uint64_t *base) {
  uint64_t slots = 0;
  struct hole h = {s->whole.start, 0};
  for (size_t i = 0; i <= s->count; i++) {
    bool is_last = i == s->count;
    h.end = is_last ? s->whole.end : s->taken[i].start - LAYOUT_GAP;
    uint64_t first = 0;
    uint64_t here = hole_slots(h, size, step, &first);
    if (index >= slots && index - slots < here) *base = first + (index - slots) * step;
    slots += here;
    if (!is_last) h.start = s->taken[i].end + LAYOUT_GAP;
  }
  return slots;
}

static void space_insert(struct space *s, uint64_t base, uint64_t size) {
  size_t at = s->count++;
  for (; at > 0 && s->taken[at - 1].start > base; at--) s->taken[at] = s->taken[at - 1];
  s->taken[at] = (struct hole){base, base + size};
}

static status_t check_request(const struct placement_request *q) {
  if (q->levels != 4 && q->levels != 5) return ERR_INVALID;
  if (q->image_size == 0 || q->ram_end == 0 || q->handoff_size == 0) return ERR_INVALID;
  if (!bits_is_aligned(q->image_size | q->handoff_size, FRAME_SIZE)) return ERR_INVALID;
  if (q->image_size > PLACEMENT_BYTES_MAX || q->ram_end > PLACEMENT_BYTES_MAX) return ERR_RANGE;
  if (q->framebuffer_size > PLACEMENT_BYTES_MAX || q->handoff_size > PLACEMENT_BYTES_MAX) return ERR_RANGE;
  return OK;
}

static void window_sizes(const struct placement_request *q, uint64_t size[static BOOT_WINDOW_COUNT]) {
  uint64_t frames = bits_align_up(q->ram_end, FRAME_SIZE) >> FRAME_SHIFT;
  uint64_t framebuffer = (q->framebuffer_base & (FRAME_2M_SIZE - 1)) + q->framebuffer_size;
  size[BOOT_WINDOW_IMAGE] = q->image_size;
  size[BOOT_WINDOW_DIRECT_MAP] = bits_align_up(q->ram_end, FRAME_1G_SIZE);
  size[BOOT_WINDOW_FRAMES] = bits_align_up(frames * FRAME_RECORD_SIZE, FRAME_2M_SIZE);
  size[BOOT_WINDOW_KSPACE] = LAYOUT_KSPACE_SIZE;
  size[BOOT_WINDOW_STACKS] = LAYOUT_STACKS_SIZE;
  size[BOOT_WINDOW_PERCPU] = LAYOUT_PERCPU_SIZE;
  size[BOOT_WINDOW_FRAMEBUFFER] = q->framebuffer_size == 0 ? FRAME_2M_SIZE : bits_align_up(framebuffer, FRAME_2M_SIZE);
  size[BOOT_WINDOW_HANDOFF] = q->handoff_size;
}

/* Sums stay below 2^56: eight windows of at most 2^52 bytes and their gaps. */
static bool surely_fits(const struct space *s, const uint64_t size[static BOOT_WINDOW_COUNT]) {
  uint64_t available = s->whole.end - s->whole.start;
  uint64_t used = 0;
  for (size_t k = 0; k < BOOT_WINDOW_COUNT; k++) {
    unsigned id = draw_order[k];
    if (used > available || (available - used) / (k + 1) < size[id] + window_step[id]) return false;
    used += size[id] + 2 * LAYOUT_GAP;
  }
  return true;
}

static void draw_windows(const struct placement_request *q, struct space *s, const uint64_t size[static BOOT_WINDOW_COUNT],
                         struct random *r, struct boot_window windows[static BOOT_WINDOW_COUNT]) {
  uint64_t cap = credited_millibits(q->mode, q->entropy_bits);
  for (size_t k = 0; k < BOOT_WINDOW_COUNT; k++) {
    unsigned id = draw_order[k];
    struct boot_window *w = &windows[id];
    uint64_t base = 0;
    uint64_t slots = space_slots(s, size[id], window_step[id], UINT64_MAX, &base);
    CHECK(slots != 0);
    (void)space_slots(s, size[id], window_step[id], random_below(r, slots), &base);
    space_insert(s, base, size[id]);
    *w = (struct boot_window){.base = base, .size = size[id], .slots = slots};
    w->entropy_millibits = (uint32_t)bits_min(bitlog_millibits(slots), cap);
  }
}

/* The same walk as a draw of index 0 in ascending order; *end is where the last window ends. */
static void pack_windows(const struct space *s, const uint64_t size[static BOOT_WINDOW_COUNT],
                         struct boot_window windows[static BOOT_WINDOW_COUNT], uint64_t *end) {
  uint64_t base = s->whole.start;
  for (size_t id = 0; id < BOOT_WINDOW_COUNT; id++) {
    base = bits_align_up(base, window_step[id]);
    windows[id] = (struct boot_window){.base = base, .size = size[id], .slots = 1};
    *end = base + size[id];
    base = *end + LAYOUT_GAP;
  }
}

void placement_seed(uint64_t seed, struct random *r) {
  static const char label[] = "cairn: reproducible layout";
  uint8_t key[32];
  struct blake2s b;
  blake2s_init(&b, sizeof(key), nullptr, 0);
  blake2s_update(&b, label, sizeof(label));
  blake2s_update(&b, &seed, sizeof(seed));
  blake2s_final(&b, key);
  random_init(r, key);
}

status_t placement_choose(const struct placement_request *request, struct random *r,
                          struct boot_window windows[static BOOT_WINDOW_COUNT]) {
  uint64_t size[BOOT_WINDOW_COUNT];
  struct space s;
  status_t status = check_request(request);
  if (status != OK) return status;
  s.count = 0;
  s.whole.start = request->levels == 5 ? LAYOUT_START_5 : LAYOUT_START_4;
  s.whole.end = request->levels == 5 ? LAYOUT_END_5 : LAYOUT_END_4;
  window_sizes(request, size);
  if (!surely_fits(&s, size)) return ERR_NO_MEMORY;
  if (request->mode != PLACEMENT_DEFAULT) {
    draw_windows(request, &s, size, r, windows);
    return OK;
  }
  struct boot_window packed[BOOT_WINDOW_COUNT];
  uint64_t end = 0;
  pack_windows(&s, size, packed, &end);
  if (end > s.whole.end) return ERR_NO_MEMORY;
  memcpy(windows, packed, sizeof(packed));
  return OK;
}

/* --- physical ----------------------------------------------------------------------------------------------------- */

struct physical_walk {
  uint64_t size;
  uint64_t align;
  uint64_t index; /* Slot that is looked for. */
  uint64_t slots; /* Slots seen so far. */
  uint64_t base;  /* Of that slot, once it has been passed. */
};

static void walk_hole(struct physical_walk *w, struct hole h) {
  uint64_t first = 0;
  uint64_t here = hole_slots(h, w->size, w->align, &first);
  if (w->index >= w->slots && w->index - w->slots < here) w->base = first + (w->index - w->slots) * w->align;
  w->slots += here;
}

/* One usable region, minus the ranges to avoid, which are in ascending order of their starts. */
static void walk_region(struct physical_walk *w, struct hole region, const struct hole *avoid, size_t avoid_count) {
  uint64_t at = region.start;
  for (size_t i = 0; i < avoid_count && avoid[i].start < region.end; i++) {
    if (avoid[i].end <= at) continue;
    if (avoid[i].start > at) walk_hole(w, (struct hole){at, avoid[i].start});
    at = avoid[i].end;
  }
  if (at < region.end) walk_hole(w, (struct hole){at, region.end});
}

static void walk_regions(struct physical_walk *w, const struct placement_physical_request *q, const struct hole *avoid,
                         size_t avoid_count) {
  w->slots = 0;
  for (size_t i = 0; i < q->region_count; i++) {
    const struct boot_region *region = &q->regions[i];
    if (region->kind != BOOT_MEMORY_USABLE) continue;
    struct hole h = {bits_max(region->start, PLACEMENT_PHYSICAL_START), bits_min(region->end, q->limit)};
    if (h.start < h.end) walk_region(w, h, avoid, avoid_count);
  }
}

/* Insertion sort; empty ranges are left out. */
static size_t sort_avoid(const struct placement_physical_request *q, struct hole sorted[static PLACEMENT_AVOID_MAX]) {
  size_t count = 0;
  for (size_t i = 0; i < q->avoid_count; i++) {
    struct hole h = {q->avoid[i].start.raw, q->avoid[i].end.raw};
    if (h.start >= h.end) continue;
    size_t at = count++;
    for (; at > 0 && sorted[at - 1].start > h.start; at--) sorted[at] = sorted[at - 1];
    sorted[at] = h;
  }
  return count;
}

status_t placement_physical_choose(const struct placement_physical_request *request, struct random *r,
                                   struct placement_physical *out) {
  const struct placement_physical_request *q = request;
  struct hole avoid[PLACEMENT_AVOID_MAX];
  struct physical_walk w = {.size = q->size, .align = q->align, .index = UINT64_MAX};
  if (q->size == 0 || !bits_is_aligned(q->size, FRAME_SIZE)) return ERR_INVALID;
  if (!bits_is_power_of_two(q->align) || q->align < FRAME_SIZE) return ERR_INVALID;
  if (q->avoid_count > PLACEMENT_AVOID_MAX) return ERR_INVALID;
  size_t avoid_count = sort_avoid(q, avoid);
  walk_regions(&w, q, avoid, avoid_count);
  if (w.slots == 0) return ERR_NO_MEMORY;
  bool is_drawn = !q->low && q->mode != PLACEMENT_DEFAULT;
  uint64_t slots = is_drawn ? w.slots : 1;
  w.index = is_drawn ? random_below(r, slots) : 0;
  walk_regions(&w, q, avoid, avoid_count);
  uint64_t cap = credited_millibits(q->mode, q->entropy_bits);
  *out = (struct placement_physical){.base = w.base, .slots = slots};
  out->millibits = (uint32_t)bits_min(bitlog_millibits(slots), cap);
  return OK;
}
