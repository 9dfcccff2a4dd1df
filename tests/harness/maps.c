/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/maps.c — reads, makes up and canonicalises memory maps for tests and for scripts/memmap. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "maps.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define STRIDE_USUAL  48 /* What EDK2 uses: the structure and 8 bytes to spare. */
#define MAP_BYTES_MAX (UINT64_C(64) * MIB)

/* --- files ---------------------------------------------------------------------------------------------------------- */

void map_add(struct map *m, struct memmap_descriptor d) {
  if (m->size + m->stride > MAP_BYTES_MAX) return; /* No firmware has that many; who is so long is garbage. */
  uint8_t *bytes = realloc(m->bytes, m->size + m->stride);
  if (!bytes) abort();
  m->bytes = bytes;
  memset(m->bytes + m->size, 0xa5, m->stride); /* Nobody may look at what lies behind the structure. */
  memcpy(m->bytes + m->size, &d, sizeof d);
  m->size += m->stride;
  m->count++;
}

struct memmap_descriptor map_get(const struct map *m, size_t index) {
  struct memmap_descriptor d;
  memcpy(&d, m->bytes + index * m->stride, sizeof d);
  return d;
}

static bool parse_line(const char *line, struct memmap_descriptor *d) {
  unsigned long long start, pages, attributes;
  unsigned type;
  int used = 0;
  if (sscanf(line, " %u %llx %llu %llx %n", &type, &start, &pages, &attributes, &used) != 4 || line[used] != '\0')
    return false;
  *d = (struct memmap_descriptor){.type = type, .physical_start = start, .pages = pages, .attributes = attributes};
  return true;
}

static void read_line(struct map *m, char *line) {
  struct memmap_descriptor d;
  unsigned stride;
  char *text = line + strspn(line, " \t\r\n");
  if (*text == '#') {
    bool is_stride = m->count == 0 && sscanf(text, "# stride: %u", &stride) == 1 && stride >= 40 && stride <= 4096;
    if (is_stride) m->stride = stride;
  } else if (parse_line(text, &d)) {
    map_add(m, d);
  } else {
    m->bad_lines += *text != '\0';
  }
}

bool map_read(const char *path, struct map *out) {
  FILE *f = fopen(path, "r");
  if (!f) {
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
  }
  const char *slash = strrchr(path, '/');
  *out = (struct map){.stride = STRIDE_USUAL};
  snprintf(out->name, sizeof out->name, "%s", slash ? slash + 1 : path);
  char *line = NULL;
  size_t room = 0;
  while (getline(&line, &room, f) >= 0) read_line(out, line);
  free(line);
  bool ok = ferror(f) == 0;
  if (!ok) fprintf(stderr, "%s: cannot be read\n", path);
  fclose(f);
  if (!ok) map_free(out);
  return ok;
}

void map_free(struct map *m) {
  free(m->bytes);
  *m = (struct map){0};
}

char **map_paths(const char *directory) {
  char pattern[4096];
  glob_t found;
  snprintf(pattern, sizeof pattern, "%s/*.map", directory);
  if (glob(pattern, 0, NULL, &found) != 0) return NULL;
  char **paths = (char **)calloc(found.gl_pathc + 1, sizeof *paths);
  for (size_t i = 0; i < found.gl_pathc; i++) paths[i] = strdup(found.gl_pathv[i]);
  globfree(&found);
  return paths;
}

void map_paths_free(char **paths) {
  for (size_t i = 0; paths && paths[i]; i++) free(paths[i]);
  free((void *)paths);
}

char **map_paths_of_real_machines(void) {
  const char *directory = getenv("CAIRN_MEMMAPS");
  if (!directory) directory = "../shared/memmaps";
  char **paths = map_paths(directory);
  if (!paths) printf("# maps of real machines are missing in %s: going on without them\n", directory);
  return paths;
}

char **map_paths_of_our_own(void) { return map_paths("tests/maps"); }

/* --- hostile maps --------------------------------------------------------------------------------------------------- */

#define ATTRIBUTE_WB UINT64_C(8)

/* A start near something that matters: 0, 1 MiB, the ends of what is there already, 4 GiB, 2^52, 2^64, or anywhere. */
static uint64_t generate_start(struct dice *d, const struct map *m, uint64_t end) {
  if (m->count > 0 && !dice_one_in(d, 3)) {
    struct memmap_descriptor other = map_get(m, dice_below(d, m->count));
    uint64_t at = other.physical_start + (dice_one_in(d, 2) ? 0 : other.pages * FRAME_SIZE);
    return at + FRAME_SIZE * (dice_below(d, 9) - 4);
  }
  switch (dice_below(d, 6)) {
  case 0:
    return FRAME_SIZE * dice_below(d, 4);
  case 1:
    return MIB + FRAME_SIZE * (dice_below(d, 9) - 4);
  default:
    return dice_below(d, end / FRAME_SIZE) * FRAME_SIZE;
  }
}

static struct memmap_descriptor generate_descriptor(struct dice *d, const struct map *m, uint64_t end, bool is_wild) {
  static const uint32_t likely[] = {7, 7, 7, 7, 4, 3, 2, 1, 0, 5, 6, 9, 10, 11};
  struct memmap_descriptor e = {.attributes = 0xf};
  e.type = dice_one_in(d, 8) ? (uint32_t)dice_below(d, 18) : likely[dice_below(d, sizeof likely / sizeof *likely)];
  e.physical_start = generate_start(d, m, end);
  e.pages = dice_one_in(d, 12) ? 0 : dice_any_size(d, 10);
  if (dice_one_in(d, 16)) e.physical_start += dice_below(d, FRAME_SIZE);
  if (dice_one_in(d, 12)) e.attributes = dice_one_in(d, 2) ? 0 : dice_u64(d);
  if (dice_one_in(d, 40)) e.type = (uint32_t)dice_u64(d);
  if (!is_wild) return e;
  if (dice_one_in(d, 12)) e.physical_start = dice_u64(d);
  if (dice_one_in(d, 12)) e.physical_start = (UINT64_C(1) << 52) - FRAME_SIZE * dice_below(d, 8);
  if (dice_one_in(d, 12)) e.pages = dice_u64(d);
  if (dice_one_in(d, 12)) e.pages = dice_any_size(d, 52);
  return e;
}

void map_generate(struct dice *d, uint64_t frames_max, struct map *out) {
  bool is_wild = frames_max == 0;
  uint64_t end = (is_wild ? dice_between(d, 16, 1 << 14) : dice_between(d, frames_max / 8 + 1, frames_max)) * FRAME_SIZE;
  *out = (struct map){.stride = 40 + 8 * dice_below(d, 4), .name = "generated"};
  size_t count = dice_one_in(d, 50) ? dice_below(d, 300) : dice_below(d, 24);
  bool is_plain = dice_one_in(d, 8); /* A map without any attribute. */
  for (size_t i = 0; i < count; i++) {
    struct memmap_descriptor e = generate_descriptor(d, out, end, is_wild);
    if (is_plain) e.attributes = 0;
    if (!is_wild && (e.physical_start > end || e.pages * FRAME_SIZE > end - e.physical_start)) continue;
    map_add(out, e);
    if (dice_one_in(d, 16)) map_add(out, e);
  }
}

/* --- canonical ------------------------------------------------------------------------------------------------------ */

struct canon canon_of(const struct map *m, const struct memmap_claim *claims, size_t claim_count) {
  struct canon c = {0};
  size_t capacity = memmap_regions_max(m->count, claim_count);
  void *scratch = malloc(memmap_scratch_size(m->count, claim_count) + 1);
  c.regions = malloc(capacity * sizeof *c.regions);
  c.status = memmap_canonicalise(m->bytes, m->size, m->stride, claims, claim_count, c.regions, capacity, scratch, &c.count,
                                 &c.report);
  free(scratch);
  return c;
}

void canon_free(struct canon *c) {
  free(c->regions);
  *c = (struct canon){0};
}
