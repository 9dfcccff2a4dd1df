/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/picture.c — memory drawn with characters.
 *
 * HOW      A map cell is a power of two of frames at a multiple of itself, so that what is aligned in memory is aligned in
 *          the picture; slices without RAM cost no cell, nor does a hole of a terabyte.  It shows the owner that holds most
 *          of what is not free in it: one page table in 64 MiB of free memory is visible, as a shaded cell; a solid cell has
 *          no free frame.
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

/* "B", "MiB": a number stays with its unit. */
static bool is_unit(const char *word, size_t n) {
  return (n >= 1 && word[0] == 'B' && (n == 1 || word[1] == ',')) ||
         (n >= 3 && word[1] == 'i' && word[2] == 'B' && word[0] >= 'E' && word[0] <= 'T');
}

/* Where the line may be broken next: behind a word, and behind the unit that follows it. */
static size_t piece_length(const char *text) {
  size_t n = 0;
  while (text[n] != '\0' && text[n] != ' ') n++;
  size_t next = n + (text[n] == ' ' ? 1 : 0), more = 0;
  while (text[next + more] != '\0' && text[next + more] != ' ') more++;
  return is_unit(text + next, more) ? next + more : n;
}

unsigned picture_wrap(struct picture *p, const char *text, unsigned column, unsigned indent) {
  while (*text != '\0') {
    size_t blanks = 0;
    while (text[blanks] == ' ') blanks++;
    const size_t n = piece_length(text + blanks);
    if (column != indent && column + blanks + n > PICTURE_COLUMNS) {
      put(p, "\n", 1);
      picture_repeat(p, " ", indent);
      column = indent;
    } else {
      picture_repeat(p, " ", blanks);
      column += (unsigned)blanks;
    }
    put(p, text + blanks, n);
    column += (unsigned)n;
    text += blanks + n;
  }
  return column;
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
      [FRAME_OWNER_HANDOFF] = "\033[37m", [FRAME_OWNER_TRAMPOLINE] = "\033[90m",   [FRAME_OWNER_KERNEL] = "\033[92m",
      [FRAME_OWNER_DMA] = "\033[31m",     [FRAME_OWNER_USER] = "\033[97m",         [FRAME_OWNER_TEST] = "\033[97m",
      [FRAME_OWNER_ZEROED] = "\033[36m",
  };
  return (unsigned)owner < FRAME_OWNER_COUNT && colours[owner] != NULL ? colours[owner] : "\033[37m";
}

static uint64_t smallest_slice(uint64_t n, uint64_t least) {
  uint64_t slice = least;
  while ((n + slice - 1) / slice > PICTURE_MAP_CELLS * 3 / 4) slice *= 2;
  return slice;
}

void picture_map_begin(struct picture_map *m, uint64_t frames, uint64_t least) {
  memset(m, 0, sizeof(*m));
  m->slice = smallest_slice(frames, least);
}

static void finish_cell(struct picture_map *m) {
  uint64_t most = 0;
  enum frame_owner owner = FRAME_OWNER_FREE;
  if (!m->is_open) return;
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    if (i != FRAME_OWNER_FREE && m->weights[i] > most) {
      most = m->weights[i];
      owner = (enum frame_owner)i;
    }
  }
  const bool is_whole = owner == FRAME_OWNER_FREE || m->weights[FRAME_OWNER_FREE] == 0;
  m->cells[m->count++] = (struct picture_cell){.owner = owner, .is_whole = is_whole};
  m->is_open = false;
  memset(m->weights, 0, sizeof(m->weights));
}

/* The cell of a slice becomes the one that is filled; false when there is none left. */
static bool open_cell(struct picture_map *m, uint64_t slice) {
  if (m->is_open && m->at == slice) return true;
  finish_cell(m);
  if (m->count == PICTURE_MAP_CELLS) {
    m->is_cut = true;
    return false;
  }
  if (m->count % PICTURE_MAP_COLUMNS == 0) m->row_start[m->count / PICTURE_MAP_COLUMNS] = slice * m->slice;
  m->at = slice;
  m->is_open = true;
  return true;
}

void picture_map_add(struct picture_map *m, uint64_t start, uint64_t end, enum frame_owner owner) {
  while (start < end && open_cell(m, start / m->slice)) {
    const uint64_t room = m->slice - start % m->slice;
    const uint64_t taken = end - start < room ? end - start : room;
    m->weights[owner] += taken;
    m->total[owner] += taken;
    start += taken;
  }
}

bool picture_map_end(struct picture_map *m) {
  finish_cell(m);
  return !m->is_cut;
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

const char *picture_shade(uint64_t part, uint64_t whole) {
  static const char *const shades[] = {"░", "▒", "▓", "█"};
  if (part == 0 || whole == 0) return shades[0];
  return part >= whole ? shades[3] : shades[(part * 4 - 1) / whole];
}

/* --- 2 MiB frames ------------------------------------------------------------------------------------------------- */

/* What a cell says: what a colour tells, its glyph tells too. */
enum block_sign { SIGN_WHOLE, SIGN_SOME_WHOLE, SIGN_FEW_WHOLE, SIGN_LITTLE, SIGN_MUCH, SIGN_FULL, SIGN_FIXED };
static const struct {
  const char *colour, *glyph;
} signs[] = {
    [SIGN_WHOLE] = {PICTURE_GOOD, "░"},  [SIGN_SOME_WHOLE] = {PICTURE_GOOD, "▒"}, [SIGN_FEW_WHOLE] = {PICTURE_GOOD, "▓"},
    [SIGN_LITTLE] = {PICTURE_NAME, "▒"}, [SIGN_MUCH] = {PICTURE_NAME, "▓"},       [SIGN_FULL] = {PICTURE_NAME, "█"},
    [SIGN_FIXED] = {PICTURE_DIM, "■"},
};

void picture_blocks_begin(struct picture_blocks *b, uint64_t blocks, uint64_t least) {
  memset(b, 0, sizeof(*b));
  b->per_cell = smallest_slice(blocks, least);
}

static enum block_sign sign_of(const struct picture_blocks *b) {
  if (b->cell.whole == b->cell.blocks) return SIGN_WHOLE;
  if (b->cell.whole != 0) return b->cell.whole * 2 >= b->cell.blocks ? SIGN_SOME_WHOLE : SIGN_FEW_WHOLE;
  if (b->cell.movable_blocks == 0) return SIGN_FIXED;
  const uint64_t frames = b->cell.movable_blocks * FRAMES_PER_2M;
  if (b->cell.moves * 2 < frames) return SIGN_LITTLE;
  return b->cell.moves == frames ? SIGN_FULL : SIGN_MUCH;
}

static void finish_group(struct picture_blocks *b) {
  if (b->cell.blocks == 0) return;
  b->cells[b->count++] = (uint8_t)sign_of(b);
  memset(&b->cell, 0, sizeof(b->cell));
}

void picture_blocks_add(struct picture_blocks *b, uint64_t block, const struct picture_block *what) {
  const uint64_t used = FRAMES_PER_2M - what->free;
  if (b->cell.blocks != 0 && b->at != block / b->per_cell) finish_group(b);
  if (b->count == PICTURE_MAP_CELLS) {
    b->is_cut = true;
    return;
  }
  if (b->cell.blocks == 0 && b->count % PICTURE_MAP_COLUMNS == 0)
    b->row_start[b->count / PICTURE_MAP_COLUMNS] = block / b->per_cell * b->per_cell;
  b->at = block / b->per_cell;
  b->cell.blocks++;
  if (used == 0) {
    b->cell.whole++;
    b->whole++;
  } else if (used == what->movable) {
    b->cell.movable_blocks++;
    b->cell.moves += used;
    b->movable++;
  } else {
    b->fixed++;
  }
}

bool picture_blocks_end(struct picture_blocks *b) {
  finish_group(b);
  return !b->is_cut;
}

size_t picture_blocks_rows(const struct picture_blocks *b) {
  return (b->count + PICTURE_MAP_COLUMNS - 1) / PICTURE_MAP_COLUMNS;
}

void picture_blocks_row(const struct picture_blocks *b, size_t row, struct picture *p) {
  const char *colour = "";
  for (size_t i = row * PICTURE_MAP_COLUMNS; i < b->count && i < (row + 1) * PICTURE_MAP_COLUMNS; i++) {
    const char *wanted = signs[b->cells[i]].colour;
    if (strcmp(wanted, colour) != 0) picture_add(p, "%s", wanted);
    colour = wanted;
    picture_add(p, "%s", signs[b->cells[i]].glyph);
  }
  picture_add(p, PICTURE_PLAIN);
}
