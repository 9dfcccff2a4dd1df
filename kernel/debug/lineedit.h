/* SPDX-License-Identifier: BSD-2-Clause */
/* lineedit.h — one line of input under edit, with what was entered before.  Pure: keys in, text and cursor out. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define LINEEDIT_MAX     200 /* Bytes of a line, without its NUL. */
#define LINEEDIT_HISTORY 32

enum lineedit_result {
  LINEEDIT_SAME,     /* Nothing to draw. */
  LINEEDIT_CHANGED,  /* Draw the line again. */
  LINEEDIT_DONE,     /* Enter: the line is in text; lineedit_next begins the next one. */
  LINEEDIT_CANCEL,   /* Ctrl-C: the line is given up. */
  LINEEDIT_CLEAR,    /* Ctrl-L: clear the screen and draw the line again. */
  LINEEDIT_COMPLETE, /* Tab: the caller may know how the word goes on. */
};

/* Zeroed is ready. */
struct lineedit {
  char text[LINEEDIT_MAX + 1]; /* Always terminated. */
  size_t length, cursor;       /* cursor <= length <= LINEEDIT_MAX. */
  bool keeps_history;
  unsigned history_count; /* Lines ever remembered; the ring holds the last LINEEDIT_HISTORY. */
  unsigned back;          /* How many lines back we are; 0 is the line being written. */
  char written[LINEEDIT_MAX + 1];
  char history[LINEEDIT_HISTORY][LINEEDIT_MAX + 1];
};

/** Takes one key of include/kernel/console.h; what is no editing key and no printable ASCII is ignored. */
enum lineedit_result lineedit_key(struct lineedit *e, int key);
/** Inserts text at the cursor, as far as there is room. */
void lineedit_insert(struct lineedit *e, const char *text, size_t n);
/** Remembers the line (unless it is empty, blank-led or the same as the last) and empties it. */
void lineedit_next(struct lineedit *e);
/** First column to show so that the cursor is inside `width` columns. */
size_t lineedit_view(const struct lineedit *e, size_t width);
