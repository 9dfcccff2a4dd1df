/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * picture.h — memory drawn with characters: lines of text with bars, counts and colours, and the map of RAM.
 *
 * Pure.  Glyphs are UTF-8 blocks (a serial port with serial=ascii turns them into '#' and '.').
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "mm/frame.h"

#define PICTURE_COLUMNS 80

#define PICTURE_PLAIN "\033[0m"
#define PICTURE_DIM   "\033[90m"
#define PICTURE_TITLE "\033[1;97m"
#define PICTURE_GOOD  "\033[92m"
#define PICTURE_BAD   "\033[91m"
#define PICTURE_WARN  "\033[93m"
#define PICTURE_NAME  "\033[96m"

/* A line under construction; what does not fit is cut, never overflows. */
struct picture {
  size_t fill;
  char text[1400]; /* 80 cells, each at worst with a colour of its own. */
};
void picture_add(struct picture *p, const char *format, ...) PRINTF_LIKE(2, 3);
/**
 * Text that begins in column `column` and goes on in column `indent` of further lines, broken at blanks so that no line has
 * more than PICTURE_COLUMNS columns (a word that is longer stays whole).  Returns the column behind it.  ASCII alone.
 */
unsigned picture_wrap(struct picture *p, const char *text, unsigned column, unsigned indent);
/** The glyph `count` times. */
void picture_repeat(struct picture *p, const char *glyph, size_t count);
/** A bar of exactly `width` columns for value out of total, rounded up: anything above 0 shows. */
void picture_bar(struct picture *p, uint64_t value, uint64_t total, unsigned width);
/** Divides `width` columns among n values in proportion, at least one column for each value above 0; the sum is width. */
void picture_divide(const uint64_t *values, size_t n, unsigned width, unsigned *columns);

/** "131,072"; returns to. */
char *picture_count(char to[static 28], uint64_t n);
/** "95.7"; of total, rounded down, "100.0" only when it is all; returns to. */
char *picture_percent(char to[static 8], uint64_t value, uint64_t total);
/** At most four columns: "9999", "123k", "12M"; returns to. */
char *picture_short_count(char to[static 8], uint64_t n);

/** The colour of an owner, as an escape sequence. */
const char *picture_owner_colour(enum frame_owner owner);

/* The map of RAM: aligned slices of the address space, those without RAM left out, each shown as one cell. */
#define PICTURE_MAP_COLUMNS 64
#define PICTURE_MAP_CELLS   1024

struct picture_cell {
  uint8_t owner; /* Of most of what is not free; FREE when all is. */
  bool is_whole; /* Nothing in it is free, or everything. */
};

struct picture_map {
  uint64_t slice;                                              /* Frames of a cell, a power of two. */
  uint64_t at;                                                 /* Slice of the cell being filled, by number. */
  uint64_t weights[FRAME_OWNER_COUNT];                         /* Of that cell. */
  uint64_t total[FRAME_OWNER_COUNT];                           /* Of everything, for the legend. */
  size_t count;                                                /* Cells finished. */
  bool is_open;                                                /* A cell is being filled. */
  bool is_cut;                                                 /* There was more RAM than cells. */
  uint64_t row_start[PICTURE_MAP_CELLS / PICTURE_MAP_COLUMNS]; /* First frame number of each row's first slice. */
  struct picture_cell cells[PICTURE_MAP_CELLS];
};
/** Begins with the smallest slice, `least` or more, of which `frames` of RAM in a row fill three quarters of the cells. */
void picture_map_begin(struct picture_map *m, uint64_t frames, uint64_t least);
/** Adds the next frames of RAM: [start, end) all belong to owner. */
void picture_map_add(struct picture_map *m, uint64_t start, uint64_t end, enum frame_owner owner);
/** Finishes the last cell.  False when RAM lies in so many places that it has been cut: begin again with twice the slice. */
bool picture_map_end(struct picture_map *m);
/** Adds the glyphs of one row; each colour is set once for all its neighbours. */
void picture_map_row(const struct picture_map *m, size_t row, struct picture *p);
size_t picture_map_rows(const struct picture_map *m);

/*
 * The picture of 2 MiB frames: a cell is one of them, or an aligned group of a power of two.  Green: whole, the lightest
 * shade; of a group, some are.  Else cyan: could be made whole by moving, a darker shade for half and more in use, solid
 * when nothing is free.  Else grey: something in it cannot move.
 */
struct picture_block {
  uint64_t free, movable; /* Frames; the rest of FRAMES_PER_2M is in the way. */
};
struct picture_blocks {
  uint64_t per_cell; /* A power of two. */
  uint64_t at;       /* Group of the cell being filled, by number. */
  struct {
    uint64_t blocks, whole, movable_blocks;
    uint64_t moves; /* Frames in use of the blocks that could be made whole. */
  } cell;
  uint64_t whole, movable, fixed; /* Blocks of each fate. */
  size_t count;
  bool is_cut;
  uint64_t row_start[PICTURE_MAP_CELLS / PICTURE_MAP_COLUMNS]; /* First block number of each row. */
  uint8_t cells[PICTURE_MAP_CELLS];
};
/** As picture_map_begin, counted in blocks. */
void picture_blocks_begin(struct picture_blocks *b, uint64_t blocks, uint64_t least);
/** Adds a block; in the order of their numbers. */
void picture_blocks_add(struct picture_blocks *b, uint64_t block, const struct picture_block *what);
/** As picture_map_end. */
bool picture_blocks_end(struct picture_blocks *b);
void picture_blocks_row(const struct picture_blocks *b, size_t row, struct picture *p);
size_t picture_blocks_rows(const struct picture_blocks *b);

/** The glyph for a part of a whole, in quarters, from "░" to "█"; a part above 0 is seen. */
const char *picture_shade(uint64_t part, uint64_t whole);
