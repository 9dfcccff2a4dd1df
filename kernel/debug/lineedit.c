/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/lineedit.c — editing of one line, as Emacs and readline have taught everybody's fingers.
 *
 * Ctrl-A E B F D H K U W L C P N and the cursor keys; history as a ring of lines, with the unfinished line kept aside.
 */
#include "kernel/debug/lineedit.h"

#include "kernel/console.h"
#include "lib/string.h"

#define CONTROL(letter) ((letter) - 'A' + 1)

void lineedit_insert(struct lineedit *e, const char *text, size_t n) {
  const size_t room = LINEEDIT_MAX - e->length;
  if (n > room) n = room;
  memmove(e->text + e->cursor + n, e->text + e->cursor, e->length - e->cursor + 1);
  memcpy(e->text + e->cursor, text, n);
  e->length += n;
  e->cursor += n;
}

/* Takes [start, end) out; the cursor goes to start. */
static enum lineedit_result cut(struct lineedit *e, size_t start, size_t end) {
  memmove(e->text + start, e->text + end, e->length - end + 1);
  e->length -= end - start;
  e->cursor = start;
  return LINEEDIT_CHANGED;
}

static enum lineedit_result cut_word(struct lineedit *e) {
  size_t start = e->cursor;
  while (start != 0 && e->text[start - 1] == ' ') start--;
  while (start != 0 && e->text[start - 1] != ' ') start--;
  return cut(e, start, e->cursor);
}

static enum lineedit_result move(struct lineedit *e, size_t to) {
  if (to > e->length) return LINEEDIT_SAME;
  e->cursor = to;
  return LINEEDIT_CHANGED;
}

static void replace(struct lineedit *e, const char *text) {
  e->length = strlen(text);
  e->cursor = e->length;
  memcpy(e->text, text, e->length + 1);
}

static const char *line_back(const struct lineedit *e, unsigned back) {
  return back == 0 ? e->written : e->history[(e->history_count - back) % LINEEDIT_HISTORY];
}

static enum lineedit_result recall(struct lineedit *e, unsigned back) {
  const unsigned held = e->history_count < LINEEDIT_HISTORY ? e->history_count : LINEEDIT_HISTORY;
  if (back > held || back == e->back) return LINEEDIT_SAME;
  if (e->back == 0) memcpy(e->written, e->text, e->length + 1);
  e->back = back;
  replace(e, line_back(e, back));
  return LINEEDIT_CHANGED;
}

void lineedit_next(struct lineedit *e) {
  const bool is_new = e->history_count == 0 || strcmp(line_back(e, 1), e->text) != 0;
  if (e->keeps_history && e->length != 0 && e->text[0] != ' ' && is_new) {
    memcpy(e->history[e->history_count % LINEEDIT_HISTORY], e->text, e->length + 1);
    e->history_count++;
  }
  e->back = 0;
  replace(e, "");
}

static enum lineedit_result control_key(struct lineedit *e, int key) {
  switch (key) {
  case CONTROL('A'):
    return move(e, 0);
  case CONTROL('B'):
    return e->cursor == 0 ? LINEEDIT_SAME : move(e, e->cursor - 1);
  case CONTROL('C'):
    return LINEEDIT_CANCEL;
  case CONTROL('D'):
    return e->cursor == e->length ? LINEEDIT_SAME : cut(e, e->cursor, e->cursor + 1);
  case CONTROL('E'):
    return move(e, e->length);
  case CONTROL('F'):
    return move(e, e->cursor + 1);
  case CONTROL('K'):
    return cut(e, e->cursor, e->length);
  case CONTROL('L'):
    return LINEEDIT_CLEAR;
  case CONTROL('N'):
    return e->back == 0 ? LINEEDIT_SAME : recall(e, e->back - 1);
  case CONTROL('P'):
    return recall(e, e->back + 1);
  case CONTROL('U'):
    return cut(e, 0, e->cursor);
  case CONTROL('W'):
    return cut_word(e);
  case '\t':
    return LINEEDIT_COMPLETE;
  case '\r':
    return LINEEDIT_DONE;
  case '\b':
  case 0x7f:
    return e->cursor == 0 ? LINEEDIT_SAME : cut(e, e->cursor - 1, e->cursor);
  default:
    return LINEEDIT_SAME;
  }
}

enum lineedit_result lineedit_key(struct lineedit *e, int key) {
  switch (key) {
  case CONSOLE_KEY_UP:
    return control_key(e, CONTROL('P'));
  case CONSOLE_KEY_DOWN:
    return control_key(e, CONTROL('N'));
  case CONSOLE_KEY_LEFT:
    return control_key(e, CONTROL('B'));
  case CONSOLE_KEY_RIGHT:
    return control_key(e, CONTROL('F'));
  case CONSOLE_KEY_HOME:
    return control_key(e, CONTROL('A'));
  case CONSOLE_KEY_END:
    return control_key(e, CONTROL('E'));
  case CONSOLE_KEY_DELETE:
    return control_key(e, CONTROL('D'));
  default:
    break;
  }
  if (key < ' ' || key >= 0x7f) return control_key(e, key);
  if (e->length == LINEEDIT_MAX) return LINEEDIT_SAME;
  const char c = (char)key;
  lineedit_insert(e, &c, 1);
  return LINEEDIT_CHANGED;
}

size_t lineedit_view(const struct lineedit *e, size_t width) { return e->cursor < width ? 0 : e->cursor - width + 1; }
