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

/* The map of RAM: equal slices of RAM, holes left out, each shown as one cell. */
#define PICTURE_MAP_COLUMNS 64
#define PICTURE_MAP_CELLS   1024

struct picture_cell {
  uint8_t owner; /* Of most of what is not free; FREE when all is. */
  bool is_whole; /* Nothing in it is free, or everything. */
};

struct picture_map {
  uint64_t slice;                                              /* Frames of a cell, a power of two. */
  uint64_t at;                                                 /* Frames of RAM seen so far. */
  uint64_t weights[FRAME_OWNER_COUNT];                         /* Of the cell being filled. */
  uint64_t total[FRAME_OWNER_COUNT];                           /* Of everything, for the legend. */
  size_t count;                                                /* Cells finished. */
  uint64_t row_start[PICTURE_MAP_CELLS / PICTURE_MAP_COLUMNS]; /* Frame number of each row's first frame. */
  struct picture_cell cells[PICTURE_MAP_CELLS];
};
/** Picks the slice so that `frames` of RAM fill at most PICTURE_MAP_CELLS cells. */
void picture_map_begin(struct picture_map *m, uint64_t frames);
/** Adds the next frames of RAM: [start, end) all belong to owner. */
void picture_map_add(struct picture_map *m, uint64_t start, uint64_t end, enum frame_owner owner);
/** Finishes a last cell that is only partly filled. */
void picture_map_end(struct picture_map *m);
/** Adds the glyphs of one row; each colour is set once for all its neighbours. */
void picture_map_row(const struct picture_map *m, size_t row, struct picture *p);
size_t picture_map_rows(const struct picture_map *m);
