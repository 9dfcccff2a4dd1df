/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell.c — the prompt: reads a line, splits it into words, runs the command that the first one names.
 *
 * The commands stand in one table; what they do stands in shell_*.c.  The line is drawn anew on each key, as a window that
 * follows the cursor, so that a long line needs no knowledge of how a terminal wraps.  A character typed at the end of a
 * short line is just echoed.
 */
#include "kernel/debug/shell.h"

#include "kernel/console.h"
#include "kernel/debug/lineedit.h"
#include "kernel/debug/words.h"
#include "kernel/idle.h"
#include "kernel/options.h"
#include "kernel/shell.h"
#include "lib/format.h"
#include "lib/string.h"

#define PROMPT       "\033[1;92mcairn> \033[0m"
#define PROMPT_WIDTH 7
#define LINE_WIDTH   (PICTURE_COLUMNS - PROMPT_WIDTH - 1)

static void shell_help(size_t count, const char *const *words);

static const struct shell_command commands[] = {
    {"help", "[command|options]", 1, "this list, one command, or the boot options", NULL, shell_help},
    {"mem", "", 0, "who has the memory, and how contiguous the rest is", NULL, shell_mem},
    {"map", "[all|2M]", 1, "a picture of physical memory, and its regions; or of its 2 MiB frames",
     "The list merges what belongs together; `map all` shows every region, `map 2M` which 2 MiB frames are whole, could be "
     "made so by moving, or cannot.",
     shell_map},
    {"ledger", "", 0, "every owner's frames; their sum is the RAM the firmware reported", NULL, shell_ledger},
    {"why", "<address|fail>", 1, "the story of an address, from firmware to owner; or of refusals",
     "The address is hexadecimal, physical or virtual (`layout` tells some, with log=addresses).  `why fail`: the last "
     "requests for memory that were not met.",
     shell_why},
    {"check", "", 0, "derive every bitmap, counter and record anew and compare", NULL, shell_check},
    {"cpu", "[number]", 1, "the processors, and their features as used, unused or forced off", NULL, shell_cpu},
    {"pci", "", 0, "the devices on the PCI buses and what they decode", NULL, shell_pci},
    {"layout", "", 0, "the windows of the address space and their random bits", NULL, shell_layout},
    {"options", "", 0, "the boot options as they are", NULL, shell_options},
    {"log", "[level]", 1, "the log's records up to a level",
     "Levels: error warn notice info verbose; info when none is given.", shell_log},
    {"alloc", "<count|size> [align=] [below=] [boundary=] [node=] [moves=]", 6,
     "allocate contiguous frames; without words: what you hold",
     "A bare number counts frames; K, M and G make it a size.  The limits are sizes: alloc 2M align=2M below=4G.  With "
     "moves= a run that does not exist is made, if no more frames have to move for it.",
     shell_alloc},
    {"quote", "<count|size> [align=] [below=] [boundary=] [node=]", 5, "what a run costs: a picture of the cheapest window",
     "Frames that may be moved are counted; one that may not is in the way.  `alloc` with moves= makes the run.",
     shell_quote},
    {"jumble", "[size|off]", 1, "fill memory with movable frames, and free a random half of them",
     "Something to be tidied up by `alloc` and `compact`: see `map 2M` before and after.  Without words: are all of them "
     "still what they were?",
     shell_jumble},
    {"compact", "[2M|1G]", 1, "make as many whole 2 MiB or 1 GiB frames as there can be", NULL, shell_compact},
    {"free", "<address|all>", 1, "give back what alloc gave", NULL, shell_free},
    {"trace", "[start [records]|stop|save]", 2, "record what is asked of the frame allocator, and send it out",
     "It leaves by the serial port, for scripts/trace and then `make replay`.", shell_trace},
    {"bad", "[address]", 1, "a frame is broken; without an address: those that wait",
     "The address is physical, with 0x.  A free frame leaves service at once, a movable one when it has moved, any other "
     "when its owner frees it.",
     shell_bad},
    {"test", "[filter]", 1, "run the kernel's tests whose row or name begins so", NULL, shell_test},
    {"panic", "[crash]", 1, "end it here, or by a fault of choice", NULL, shell_panic},
    {"reboot", "", 0, "start the machine again", NULL, shell_reboot},
    {"poweroff", "", 0, "switch the machine off", NULL, shell_poweroff},
};

static struct lineedit line;
struct picture shell_out;

void shell_print(struct picture *p) {
  console_write(p->text, p->fill);
  p->fill = 0;
}

void shell_title(const char *name, const char *remark) {
  const size_t used = strlen(name) + strlen(remark) + 4;
  picture_add(&shell_out, "\n " PICTURE_TITLE "%s" PICTURE_PLAIN " " PICTURE_DIM, name);
  picture_repeat(&shell_out, "─", used < PICTURE_COLUMNS ? PICTURE_COLUMNS - used : 0);
  picture_add(&shell_out, PICTURE_PLAIN " %s\n", remark);
  shell_print(&shell_out);
}

void shell_complain(const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  format_string_v(text, sizeof(text), format, args);
  va_end(args);
  picture_add(&shell_out, PICTURE_WARN);
  picture_wrap(&shell_out, text, 0, 0);
  picture_add(&shell_out, PICTURE_PLAIN "\n");
  shell_print(&shell_out);
}

static const struct shell_command *find_command(const char *name) {
  for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
    if (strcmp(commands[i].name, name) == 0) return &commands[i];
  return NULL;
}

static void complain_of_name(const char *name) {
  const char *names[ARRAY_COUNT(commands)];
  for (size_t i = 0; i < ARRAY_COUNT(commands); i++) names[i] = commands[i].name;
  const char *like = words_find_like(name, names, ARRAY_COUNT(commands));
  if (like)
    shell_complain("There is no command %s; is it %s?", name, like);
  else
    shell_complain("There is no command %s; `help` lists them.", name);
}

static void help_one(const struct shell_command *c) {
  picture_add(&shell_out, " " PICTURE_NAME "%s" PICTURE_PLAIN " %s\n   ", c->name, c->usage);
  picture_wrap(&shell_out, c->help, 3, 3);
  picture_add(&shell_out, ".\n");
  if (c->more != NULL) {
    picture_add(&shell_out, "   ");
    picture_wrap(&shell_out, c->more, 3, 3);
    picture_add(&shell_out, "\n");
  }
  shell_print(&shell_out);
  const char *name, *what;
  if (c->run != shell_panic) return;
  for (size_t i = 0; shell_crash_list(i, &name, &what); i++) console_printf("   %-12s %s\n", name, what);
}

static void shell_help(size_t count, const char *const *words) {
  if (count > 1 && strcmp(words[1], "options") == 0) {
    shell_options_help();
    return;
  }
  if (count > 1) {
    const struct shell_command *c = find_command(words[1]);
    if (c != NULL)
      help_one(c);
    else
      complain_of_name(words[1]);
    return;
  }
  shell_title("Commands", "Tab completes, the up key recalls");
  for (size_t i = 0; i < ARRAY_COUNT(commands); i++)
    console_printf(" " PICTURE_NAME "%-9s" PICTURE_PLAIN " %s\n", commands[i].name, commands[i].help);
  console_printf("\n " PICTURE_DIM "help <command> says more; help options lists the boot options." PICTURE_PLAIN "\n");
}

/* A word too many is a mistake, not something to be passed over: it may have been meant. */
static void complain_of_words(const struct shell_command *c) {
  if (c->words == 0)
    shell_complain("%s takes no words.", c->name);
  else
    shell_complain("%s takes at most %u word%s: %s %s", c->name, (unsigned)c->words, words_s(c->words), c->name, c->usage);
}

static void run_line(void) {
  char text[LINEEDIT_MAX + 1];
  const char *words[SHELL_WORDS_MAX];
  memcpy(text, line.text, line.length + 1);
  const size_t count = words_split(text, words, SHELL_WORDS_MAX);
  if (count == 0) return;
  const struct shell_command *c = find_command(words[0]);
  if (c == NULL)
    complain_of_name(words[0]);
  else if (count > c->words + 1)
    complain_of_words(c);
  else
    c->run(count, words);
}

static void draw_line(void) {
  const size_t start = lineedit_view(&line, LINE_WIDTH);
  const size_t left = line.length - start;
  const size_t shown = left < LINE_WIDTH ? left : LINE_WIDTH;
  console_printf("\r" PROMPT "%.*s\033[K", (int)shown, line.text + start);
  const size_t back = start + shown - line.cursor;
  if (back != 0) console_printf("\033[%uD", (unsigned)back);
}

/* The rest of the command's name when the line is the beginning of exactly one; else the names that are possible. */
static void complete(void) {
  const struct shell_command *found = NULL;
  size_t matches = 0;
  for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
    if (strncmp(commands[i].name, line.text, line.length) != 0) continue;
    found = &commands[i];
    matches++;
  }
  if (matches == 1) {
    lineedit_insert(&line, found->name + line.length, strlen(found->name) - line.length);
    lineedit_insert(&line, " ", 1);
  } else if (matches > 1) {
    size_t column = PICTURE_COLUMNS;
    for (size_t i = 0; i < ARRAY_COUNT(commands); i++) {
      if (strncmp(commands[i].name, line.text, line.length) != 0) continue;
      column += strlen(commands[i].name) + 1;
      console_printf(column > PICTURE_COLUMNS ? "\n %s" : " %s", commands[i].name);
      if (column > PICTURE_COLUMNS) column = strlen(commands[i].name) + 1;
    }
    console_printf("\n");
  }
}

/* True when the key was just echoed: a character at the end of a line that fits. */
static bool is_echoed(int key) { return key >= ' ' && key < 0x7f && line.cursor == line.length && line.length < LINE_WIDTH; }

static void read_line(void) {
  draw_line();
  for (;;) {
    const int key = console_read_key();
    switch (lineedit_key(&line, key)) {
    case LINEEDIT_SAME:
      break;
    case LINEEDIT_CHANGED:
      if (is_echoed(key))
        console_printf("%c", key);
      else
        draw_line();
      break;
    case LINEEDIT_CLEAR:
      console_printf("\033[H\033[2J");
      draw_line();
      break;
    case LINEEDIT_COMPLETE:
      if (line.cursor == line.length) complete();
      draw_line();
      break;
    case LINEEDIT_CANCEL:
      console_printf("^C\n");
      line.length = line.cursor = 0;
      line.text[0] = '\0';
      return;
    case LINEEDIT_DONE:
      console_printf("\n");
      return;
    }
  }
}

void shell_run(void) {
  line.keeps_history = options->history;
  shell_greet();
  for (;;) {
    idle_resume(); /* While somebody types, and no longer: what commands count is exact. */
    read_line();
    idle_pause();
    run_line();
    lineedit_next(&line);
  }
}
