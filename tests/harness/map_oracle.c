/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/map_oracle.c — see map_oracle.h: cuts the addresses at every start and end there is, and asks all
 * descriptors about each piece.
 */
#include "map_oracle.h"

#include <stdlib.h>

#include "base/units.h"

#define WB      UINT64_C(8)
#define RUNTIME (UINT64_C(1) << 63)
#define TOP     (UINT64_C(1) << 52)

/* A descriptor as the contract in lib/memmap.h reads it. */
struct said {
  uint64_t start, end, attributes;
  uint32_t type, kind;
};

static bool is_general(uint32_t kind) {
  return kind == BOOT_MEMORY_USABLE || kind == BOOT_MEMORY_BOOT_SERVICES || kind == BOOT_MEMORY_LOADER;
}

static uint32_t kind_of(const struct memmap_descriptor *d, bool has_wb) {
  static const uint32_t by_type[16] = {
      BOOT_MEMORY_RESERVED,      BOOT_MEMORY_LOADER,       BOOT_MEMORY_LOADER,       BOOT_MEMORY_BOOT_SERVICES,
      BOOT_MEMORY_BOOT_SERVICES, BOOT_MEMORY_RUNTIME_CODE, BOOT_MEMORY_RUNTIME_DATA, BOOT_MEMORY_USABLE,
      BOOT_MEMORY_UNUSABLE,      BOOT_MEMORY_ACPI_RECLAIM, BOOT_MEMORY_ACPI_NVS,     BOOT_MEMORY_MMIO,
      BOOT_MEMORY_MMIO_PORT,     BOOT_MEMORY_RESERVED,     BOOT_MEMORY_PERSISTENT,   BOOT_MEMORY_UNACCEPTED};
  uint32_t kind = d->type < 16 ? by_type[d->type] : BOOT_MEMORY_RESERVED;
  if (is_general(kind) && (d->attributes & RUNTIME)) return BOOT_MEMORY_RUNTIME_DATA;
  if (is_general(kind) && has_wb && !(d->attributes & WB)) return BOOT_MEMORY_RESERVED;
  return kind;
}

static bool read_descriptor(const struct memmap_descriptor *d, bool has_wb, struct said *s) {
  unsigned __int128 start = d->physical_start, end = start + (unsigned __int128)d->pages * 4096;
  *s = (struct said){.attributes = d->attributes, .type = d->type, .kind = kind_of(d, has_wb)};
  bool is_ram = s->kind != BOOT_MEMORY_PERSISTENT && s->kind != BOOT_MEMORY_RESERVED && s->kind != BOOT_MEMORY_MMIO &&
                s->kind != BOOT_MEMORY_MMIO_PORT;
  if (end > TOP && is_ram) return false; /* RAM without an end is no RAM. */
  if (end > TOP) end = TOP;
  unsigned slack = is_general(s->kind) ? 4095 : 0;
  start = (start + slack) / 4096 * 4096;
  end = (end + 4095 - slack) / 4096 * 4096;
  s->start = (uint64_t)(start > TOP ? TOP : start);
  s->end = (uint64_t)end;
  return d->pages != 0 && s->start < s->end;
}

static int by_value(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

/* What the pieces [at, next) is; false when nobody speaks of it. */
static bool ask_about(const struct said *said, size_t n, const struct memmap_claim *claims, size_t claim_count, uint64_t at,
                      struct boot_region *r) {
  const struct said *best = NULL;
  const struct memmap_claim *claim = NULL;
  for (size_t i = 0; i < n; i++) {
    if (said[i].start <= at && at < said[i].end && (!best || said[i].kind > best->kind)) best = &said[i];
  }
  for (size_t i = 0; i < claim_count; i++) {
    if (claims[i].start <= at && at < claims[i].end && (!claim || claims[i].kind > claim->kind)) claim = &claims[i];
  }
  if (!best && !claim) return false;
  r->kind = claim ? claim->kind : best->kind;
  r->firmware_type = best ? best->type : 2;
  r->attributes = best ? best->attributes : 0;
  if (at < MIB && is_general(r->kind)) r->kind = BOOT_MEMORY_LOW;
  return true;
}

size_t map_oracle_regions(const struct map *m, const struct memmap_claim *claims, size_t claim_count,
                          struct boot_region *out) {
  struct said *said = calloc(m->count + 1, sizeof *said);
  uint64_t *cuts = calloc(2 * (m->count + claim_count) + 1, sizeof *cuts);
  size_t n = 0, cut_count = 0, count = 0;
  bool has_wb = false;
  for (size_t i = 0; i < m->count; i++) has_wb |= (map_get(m, i).attributes & WB) != 0;
  for (size_t i = 0; i < m->count; i++) {
    struct memmap_descriptor d = map_get(m, i);
    if (!read_descriptor(&d, has_wb, &said[n])) continue;
    cuts[cut_count++] = said[n].start;
    cuts[cut_count++] = said[n++].end;
  }
  for (size_t i = 0; i < claim_count; i++) {
    cuts[cut_count++] = claims[i].start;
    cuts[cut_count++] = claims[i].end;
  }
  cuts[cut_count++] = MIB;
  qsort(cuts, cut_count, sizeof *cuts, by_value);
  for (size_t i = 0; i + 1 < cut_count; i++) {
    struct boot_region r = {.start = cuts[i], .end = cuts[i + 1]};
    if (r.start == r.end || !ask_about(said, n, claims, claim_count, r.start, &r)) continue;
    struct boot_region *last = count > 0 ? &out[count - 1] : NULL;
    bool is_same = last && last->end == r.start && last->kind == r.kind && last->firmware_type == r.firmware_type &&
                   last->attributes == r.attributes;
    if (is_same)
      last->end = r.end;
    else
      out[count++] = r;
  }
  free(said);
  free(cuts);
  return count;
}

/* Descriptors that share a frame with another, by looking at every pair. */
uint32_t map_oracle_overlapping(const struct map *m) {
  bool has_wb = false;
  uint32_t overlapping = 0;
  for (size_t i = 0; i < m->count; i++) has_wb |= (map_get(m, i).attributes & WB) != 0;
  for (size_t i = 0; i < m->count; i++) {
    struct memmap_descriptor a = map_get(m, i);
    struct said sa, sb;
    bool does = false;
    for (size_t j = 0; read_descriptor(&a, has_wb, &sa) && j < m->count && !does; j++) {
      struct memmap_descriptor b = map_get(m, j);
      does = j != i && read_descriptor(&b, has_wb, &sb) && sa.start < sb.end && sb.start < sa.end;
    }
    overlapping += does;
  }
  return overlapping;
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

struct map_free map_free_of(const struct map *m) {
  struct boot_region *regions = calloc(memmap_regions_max(m->count, 0) + 1, sizeof *regions);
  struct map_free f = {.runs = calloc(memmap_regions_max(m->count, 0) + 1, sizeof *f.runs)};
  if (!regions || !f.runs) abort();
  const size_t count = map_oracle_regions(m, NULL, 0, regions);
  for (size_t i = 0; i < count; i++) {
    if (!is_general(regions[i].kind)) continue;
    const struct map_free_run r = {regions[i].start / 4096, regions[i].end / 4096};
    f.frames += r.end - r.first;
    if (f.count > 0 && f.runs[f.count - 1].end == r.first)
      f.runs[f.count - 1].end = r.end;
    else
      f.runs[f.count++] = r;
  }
  free(regions);
  return f;
}

void map_free_end(struct map_free *f) {
  free(f->runs);
  *f = (struct map_free){0};
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The highest start in [low, high) by going down from the top until alignment and boundary are content. */
static bool highest_in(uint64_t low, uint64_t high, uint64_t count, const struct frame_limits *w, uint64_t *first) {
  const uint64_t align = w->align ? w->align : 1;
  while (high >= count && high - count >= low) {
    const uint64_t start = (high - count) / align * align, last = start + count - 1;
    if (start < low) return false;
    if (w->boundary == 0 || start / w->boundary == last / w->boundary) {
      *first = start;
      return true;
    }
    high = last / w->boundary * w->boundary;
  }
  return false;
}

bool map_free_highest(const struct map_free *f, uint64_t count, const struct frame_limits *w, uint64_t below,
                      uint64_t *first) {
  const uint64_t max = least(below, w->max ? w->max : UINT64_MAX);
  for (size_t i = f->count; i-- > 0;) {
    const uint64_t low = f->runs[i].first > w->min ? f->runs[i].first : w->min;
    if (highest_in(low, least(f->runs[i].end, max), count, w, first)) return true;
  }
  return false;
}

uint64_t map_free_count(const struct map_free *f, uint64_t count, const struct frame_limits *w, uint64_t most) {
  uint64_t n = 0, below = UINT64_MAX;
  while (n < most && map_free_highest(f, count, w, below, &below)) n++;
  return n;
}

/* What fits, fits shorter at the same place. */
uint64_t map_free_longest(const struct map_free *f, const struct frame_limits *w) {
  uint64_t fits = 0, high = w->boundary ? w->boundary : f->frames, first;
  while (fits < high) {
    const uint64_t middle = high - (high - fits) / 2;
    if (map_free_highest(f, middle, w, UINT64_MAX, &first))
      fits = middle;
    else
      high = middle - 1;
  }
  return fits;
}
