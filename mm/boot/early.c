/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/boot/early.c — memory before the allocator is.
 *
 * WHAT   The allocator needs memory for its own bitmaps, its records and the tables that map them; this bump supplies it and
 *        then retires: its list of what it took becomes pmm_create's `taken`, and everything else is free.
 * HOW    Down from the top of the largest usable region, so that low memory is spared; when a request does not fit what is
 *        left there, from the top of the next largest.  What is left behind is not lost: it was never taken.  Only USABLE
 *        memory serves at first: what boot services and the loader had may still be read (strings, the attributes table).
 *        Once that has been copied, boot services' memory serves after all usable: on 48 MiB the firmware has all the rest.
 *        Memory that is said to be broken is passed over.  Where that leaves nothing, a second search from the first region
 *        on takes it all the same, around what was taken before: a machine that starts can say what is wrong with it.
 * LOCKING  none: boot, one CPU.
 */
#include "mm/early.h"

#include "base/bits.h"

/* Is region a served before region b?  Usable memory first; then the larger; of equal ones the first. */
static bool serves_before(const struct boot_region *regions, size_t a, size_t b) {
  static_assert(BOOT_MEMORY_USABLE < BOOT_MEMORY_BOOT_SERVICES);
  if (regions[a].kind != regions[b].kind) return regions[a].kind < regions[b].kind;
  uint64_t size_a = regions[a].end - regions[a].start, size_b = regions[b].end - regions[b].start;
  return size_a != size_b ? size_a > size_b : a < b;
}

/* The region that serves after `current` (after none: the largest); false when there is none. */
static bool next_region(const struct early *e, size_t current, bool has_current, size_t *next) {
  bool found = false;
  for (size_t i = 0; i < e->region_count; i++) {
    bool serves = e->regions[i].kind == BOOT_MEMORY_USABLE ||
                  (e->has_boot_services && e->regions[i].kind == BOOT_MEMORY_BOOT_SERVICES);
    if (!serves || e->regions[i].start < MIB) continue;
    if (has_current && !serves_before(e->regions, current, i)) continue;
    if (found && !serves_before(e->regions, i, *next)) continue;
    *next = i;
    found = true;
  }
  return found;
}

void early_init(struct early *e, const struct boot_region *regions, size_t region_count) {
  *e = (struct early){.regions = regions, .region_count = region_count};
  if (!next_region(e, 0, false, &e->current)) return;
  e->low = regions[e->current].start;
  e->high = regions[e->current].end;
}

void early_avoid(struct early *e, const prange_t *ranges, size_t count) {
  e->broken = ranges;
  e->broken_count = count;
}

void early_add_boot_services(struct early *e) {
  e->has_boot_services = true;
  if (e->high == 0 && next_region(e, 0, false, &e->current)) {
    e->low = e->regions[e->current].start;
    e->high = e->regions[e->current].end;
  }
}

/* Where the bump stands: what is left of a region. */
struct stand {
  size_t current;
  uint64_t low, high;
};

static bool is_broken(const struct early *e, prange_t r, uint64_t *below) {
  for (size_t i = 0; i < e->broken_count; i++) {
    if (!prange_overlaps(e->broken[i], r)) continue;
    *below = e->broken[i].start.raw;
    return true;
  }
  return false;
}

static bool is_taken(const struct early *e, prange_t r, uint64_t *below) {
  for (size_t i = 0; i < e->taken_count; i++) {
    const uint64_t start = e->taken[i].start * FRAME_SIZE, end = e->taken[i].end * FRAME_SIZE;
    if (!prange_overlaps(prange(start, end), r)) continue;
    *below = start;
    return true;
  }
  return false;
}

/* Top of what is left that holds `size` aligned bytes: where they start; false when they do not fit. */
static bool fit(const struct early *e, const struct stand *s, bool is_picky, uint64_t size, uint64_t align,
                uint64_t *start) {
  for (uint64_t high = s->high; high >= s->low && high - s->low >= size;) {
    *start = bits_align_down(high - size, align);
    if (*start < s->low) return false;
    const prange_t r = prange(*start, *start + size);
    const bool is_in_the_way =
        (is_picky && is_broken(e, r, &high)) || ((e->has_strayed || !is_picky) && is_taken(e, r, &high));
    if (!is_in_the_way) return true;
  }
  return false;
}

/* From a stand on, region by region; the stand is where it was found then. */
static bool find(const struct early *e, struct stand *s, bool is_picky, uint64_t size, uint64_t align, uint64_t *start) {
  while (!fit(e, s, is_picky, size, align, start)) {
    if (s->high == 0 || !next_region(e, s->current, true, &s->current)) return false;
    s->low = e->regions[s->current].start;
    s->high = e->regions[s->current].end;
  }
  return true;
}

/* The second search: from the first region on, whatever is said of its memory. */
static bool find_anywhere(const struct early *e, uint64_t size, uint64_t align, uint64_t *start) {
  struct stand s = {0};
  if (e->broken_count == 0 || !next_region(e, 0, false, &s.current)) return false;
  s.low = e->regions[s.current].start;
  s.high = e->regions[s.current].end;
  return find(e, &s, false, size, align, start);
}

/* The entry of `taken` that the frames [start, end) touch and that has the same owner; else a new one; NULL when full. */
static struct pmm_taken *entry_for(struct early *e, enum frame_owner owner, uint64_t start, uint64_t end) {
  for (size_t i = e->taken_count; i-- > 0;) {
    struct pmm_taken *t = &e->taken[i];
    if (t->owner == owner && (t->start == end || t->end == start)) return t;
  }
  return e->taken_count < EARLY_TAKEN_MAX ? &e->taken[e->taken_count] : NULL;
}

static void enter(struct early *e, struct pmm_taken *t, enum frame_owner owner, uint64_t start, uint64_t end) {
  bool is_new = t == &e->taken[e->taken_count];
  if (is_new) e->taken_count++;
  *t = (struct pmm_taken){is_new ? start : bits_min(t->start, start), is_new ? end : bits_max(t->end, end), owner};
}

status_t early_alloc(struct early *e, enum frame_owner owner, uint64_t size, uint64_t align, paddr_t *out) {
  if (size == 0 || !bits_is_power_of_two(align) || align < FRAME_SIZE) return ERR_INVALID;
  if (!bits_align_up_checked(size, FRAME_SIZE, &size)) return ERR_NO_MEMORY;
  uint64_t start;
  struct stand s = {e->current, e->low, e->high};
  const bool is_sound = find(e, &s, true, size, align, &start);
  if (!is_sound && !find_anywhere(e, size, align, &start)) return ERR_NO_MEMORY;
  struct pmm_taken *entry = entry_for(e, owner, start / FRAME_SIZE, (start + size) / FRAME_SIZE);
  if (!entry) return ERR_NO_MEMORY;
  enter(e, entry, owner, start / FRAME_SIZE, (start + size) / FRAME_SIZE);
  if (is_sound) {
    e->current = s.current;
    e->low = s.low;
    e->high = start;
  }
  e->has_strayed |= !is_sound;
  *out = paddr(start);
  return OK;
}
