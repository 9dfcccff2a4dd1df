/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/picture.c — memory drawn with characters.
 *
 * HOW      A map cell is a power of two of frames, counted over RAM alone, so that a hole of a terabyte costs no cell.  It
 *          shows the owner that holds most of what is not free in it: one page table in 64 MiB of free memory is visible,
 *          as a shaded cell; a solid cell has no free frame.
 * BOUNDS   A picture that is full takes nothing more.  All sums stay below 2^64: frames are below 2^40, widths below 2^10.
 */
#include "kernel/debug/picture.h"

#include "lib/format.h"
#include "lib/string.h"

static void put(void *context, const char *bytes, size_t n) {
  struct picture *p = context;
  const size_t room = sizeof(p->text) - p->fill;
  const size_t taken = n < room ? n : room;
  memcpy(p->text + p->fill, bytes, taken);
  p->fill += taken;
}

void picture_add(struct picture *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  format_to_sink(put, p, format, args);
  va_end(args);
}

void picture_repeat(struct picture *p, const char *glyph, size_t count) {
  const size_t n = strlen(glyph);
  for (; count != 0; count--) put(p, glyph, n);
}

void picture_bar(struct picture *p, uint64_t value, uint64_t total, unsigned width) {
  if (value > total) value = total;
  const uint64_t columns = total == 0 ? 0 : (value * width + total - 1) / total;
  picture_repeat(p, "▆", (size_t)columns); /* Not the full block: bars of neighbouring lines stay apart. */
  picture_repeat(p, " ", width - (size_t)columns);
}

void picture_divide(const uint64_t *values, size_t n, unsigned width, unsigned *columns) {
  uint64_t total = 0;
  for (size_t i = 0; i < n; i++) total += values[i];
  unsigned given = 0;
  size_t largest = 0;
  for (size_t i = 0; i < n; i++) {
    columns[i] = total == 0 ? 0 : (unsigned)(values[i] * width / total);
    if (columns[i] == 0 && values[i] != 0) columns[i] = 1;
    given += columns[i];
    if (values[i] > values[largest]) largest = i;
  }
  /* What rounding and the single columns have left or taken is the largest's. */
  if (n != 0) columns[largest] += width - given;
}

char *picture_count(char to[static 28], uint64_t n) {
  char digits[24];
  const size_t length = format_string(digits, sizeof(digits), "%llu", (unsigned long long)n);
  size_t fill = 0;
  for (size_t i = 0; i < length; i++) {
    if (i != 0 && (length - i) % 3 == 0) to[fill++] = ',';
    to[fill++] = digits[i];
  }
  to[fill] = '\0';
  return to;
}

char *picture_percent(char to[static 8], uint64_t value, uint64_t total) {
  const uint64_t permille = total == 0 ? 0 : value * 1000 / total;
  if (permille == 0 && value != 0 && total != 0)
    format_string(to, 8, "<0.1");
  else
    format_string(to, 8, "%u.%u", (unsigned)(permille / 10) % 1000, (unsigned)(permille % 10));
  return to;
}

char *picture_short_count(char to[static 8], uint64_t n) {
  static const char units[] = "kMGTPE";
  if (n < 10000) {
    format_string(to, 8, "%u", (unsigned)n);
    return to;
  }
  unsigned unit = 0;
  for (n /= 1000; n >= 1000; n /= 1000) unit++;
  format_string(to, 8, "%u%c", (unsigned)n, units[unit]);
  return to;
}

const char *picture_owner_colour(enum frame_owner owner) {
  static const char *const colours[FRAME_OWNER_COUNT] = {
      [FRAME_OWNER_NONE] = "\033[90m",    [FRAME_OWNER_FIRMWARE] = "\033[33m",     [FRAME_OWNER_ACPI] = "\033[93m",
      [FRAME_OWNER_LOW] = "\033[90m",     [FRAME_OWNER_UNACCEPTED] = "\033[37m",   [FRAME_OWNER_BAD] = "\033[91m",
      [FRAME_OWNER_FREE] = "\033[32m",    [FRAME_OWNER_KERNEL_IMAGE] = "\033[96m", [FRAME_OWNER_FRAME_RECORDS] = "\033[94m",
      [FRAME_OWNER_BITMAPS] = "\033[34m", [FRAME_OWNER_PAGE_TABLES] = "\033[95m",  [FRAME_OWNER_STACKS] = "\033[35m",
      [FRAME_OWNER_HANDOFF] = "\033[36m", [FRAME_OWNER_TRAMPOLINE] = "\033[37m",   [FRAME_OWNER_KERNEL] = "\033[92m",
      [FRAME_OWNER_DMA] = "\033[31m",     [FRAME_OWNER_USER] = "\033[97m",         [FRAME_OWNER_TEST] = "\033[97m",
      [FRAME_OWNER_ZEROED] = "\033[36m",
  };
  return (unsigned)owner < FRAME_OWNER_COUNT && colours[owner] != NULL ? colours[owner] : "\033[37m";
}

void picture_map_begin(struct picture_map *m, uint64_t frames) {
  memset(m, 0, sizeof(*m));
  m->slice = 1;
  while ((frames + m->slice - 1) / m->slice > PICTURE_MAP_CELLS * 3 / 4) m->slice *= 2;
}

static void finish_cell(struct picture_map *m) {
  uint64_t most = 0;
  enum frame_owner owner = FRAME_OWNER_FREE;
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    if (i != FRAME_OWNER_FREE && m->weights[i] > most) {
      most = m->weights[i];
      owner = (enum frame_owner)i;
    }
  }
  const bool is_whole = owner == FRAME_OWNER_FREE || m->weights[FRAME_OWNER_FREE] == 0;
  m->cells[m->count++] = (struct picture_cell){.owner = owner, .is_whole = is_whole};
  memset(m->weights, 0, sizeof(m->weights));
}

void picture_map_add(struct picture_map *m, uint64_t start, uint64_t end, enum frame_owner owner) {
  while (start < end && m->count < PICTURE_MAP_CELLS) {
    if (m->at % (m->slice * PICTURE_MAP_COLUMNS) == 0) m->row_start[m->count / PICTURE_MAP_COLUMNS] = start;
    const uint64_t room = m->slice - m->at % m->slice;
    const uint64_t taken = end - start < room ? end - start : room;
    m->weights[owner] += taken;
    m->total[owner] += taken;
    m->at += taken;
    start += taken;
    if (taken == room) finish_cell(m);
  }
}

void picture_map_end(struct picture_map *m) {
  if (m->at % m->slice != 0 && m->count < PICTURE_MAP_CELLS) finish_cell(m);
}

size_t picture_map_rows(const struct picture_map *m) { return (m->count + PICTURE_MAP_COLUMNS - 1) / PICTURE_MAP_COLUMNS; }

void picture_map_row(const struct picture_map *m, size_t row, struct picture *p) {
  const char *colour = "";
  for (size_t i = row * PICTURE_MAP_COLUMNS; i < m->count && i < (row + 1) * PICTURE_MAP_COLUMNS; i++) {
    const struct picture_cell *cell = &m->cells[i];
    const char *wanted = picture_owner_colour((enum frame_owner)cell->owner);
    if (strcmp(wanted, colour) != 0) put(p, wanted, strlen(wanted));
    colour = wanted;
    if (cell->owner == FRAME_OWNER_FREE)
      picture_add(p, "░");
    else
      picture_add(p, "%s", cell->is_whole ? "█" : "▒");
  }
  picture_add(p, PICTURE_PLAIN);
}
