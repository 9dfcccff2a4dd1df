/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_contig.c — `quote`, `jumble` and `compact`: what contiguity costs, seen before it is paid.
 *
 * The picture of a window has one cell for a slice of it: empty where all of the slice is free, the fuller the more of it
 * would have to move, red where something is in the way.
 */
#include "base/bits.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/debug/jumble.h"
#include "kernel/debug/shell.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/engine.h"

#define COLUMNS   UINT64_C(64)
#define CELLS_MAX (8 * COLUMNS)

static struct picture out;

/* --- the picture of a window ------------------------------------------------------------------------------------- */

struct cell {
  uint32_t free, movable, fixed;
};

/* Frames of a cell, so that the window has at most CELLS_MAX of them. */
static uint64_t slice_of(uint64_t count) { return (count + CELLS_MAX - 1) / CELLS_MAX; }

static struct cell count_cell(uint64_t first, uint64_t end) {
  struct cell c = {};
  for (uint64_t at = first; at < end; at++) {
    struct pmm_story story;
    nodes_describe(memory_nodes(), paddr_of_pfn(pfn(at)), &story);
    if (story.state == FRAME_FREE)
      c.free++;
    else if (story.is_movable)
      c.movable++;
    else
      c.fixed++;
  }
  return c;
}

static void draw_cell(const struct cell *c) {
  static const char *const shades[] = {"░", "▒", "▓", "█"};
  const uint32_t all = c->free + c->movable + c->fixed;
  if (c->fixed != 0)
    picture_add(&out, PICTURE_BAD "█");
  else if (c->movable == 0)
    picture_add(&out, PICTURE_DIM "·");
  else
    picture_add(&out, PICTURE_NAME "%s", shades[(c->movable * 4 - 1) / all]);
}

static void draw_window(uint64_t first, uint64_t count) {
  char size[12];
  const uint64_t slice = slice_of(count), n = (count + slice - 1) / slice;
  for (uint64_t i = 0; i < n; i++) {
    if (i % COLUMNS == 0) picture_add(&out, " " PICTURE_DIM "%12llx ", (unsigned long long)(first + i * slice) * FRAME_SIZE);
    const struct cell c = count_cell(first + i * slice, first + bits_min((i + 1) * slice, count));
    draw_cell(&c);
    if (i % COLUMNS != COLUMNS - 1 && i + 1 != n) continue;
    picture_add(&out, PICTURE_PLAIN "\n");
    shell_print(&out);
  }
  picture_add(&out,
              " " PICTURE_DIM "one cell: %s   · free   " PICTURE_PLAIN PICTURE_NAME "░▒▓█" PICTURE_DIM
              " would move   " PICTURE_BAD "█" PICTURE_DIM " in the way" PICTURE_PLAIN "\n",
              format_size(size, slice * FRAME_SIZE));
  shell_print(&out);
}

/* --- quote ------------------------------------------------------------------------------------------------------- */

static void show_quote(const struct contig_quote *q) {
  char moves[12], size[12];
  shell_title("quote", q->moves == 0 ? "it is free as it is" : "the cheapest window");
  draw_window(q->first.raw, q->count);
  console_printf(" 0x%llx-0x%llx, %s: %llu frames would move, %s to copy; %llu are free.\n",
                 (unsigned long long)q->first.raw * FRAME_SIZE,
                 (unsigned long long)(q->first.raw + q->count) * FRAME_SIZE - 1, format_size(size, q->count * FRAME_SIZE),
                 (unsigned long long)q->moves, format_size(moves, q->moves * FRAME_SIZE),
                 (unsigned long long)(q->count - q->moves));
}

static void show_obstacle(const struct shell_request *r) {
  struct contig_obstacle o;
  if (movers_explain(r->flags, r->count, &r->limits, &o) != OK) return;
  shell_title("quote", "something is in the way everywhere; here the least");
  draw_window(o.first.raw, r->count);
  console_printf(" 0x%llx: %llu frames cannot move, the first at 0x%llx (%s); %llu could.\n",
                 (unsigned long long)o.first.raw * FRAME_SIZE, (unsigned long long)o.unmovable,
                 (unsigned long long)o.frame.raw * FRAME_SIZE, frame_owner_name(o.owner), (unsigned long long)o.movable);
}

void shell_complain_of_engine(void) {
  shell_complain("Nothing is moved here: prices are worked out from the tiers, and pmm=%s finds the frames.  Boot with "
                 "pmm=tier.",
                 engine_name(shell_any_pmm()));
}

void shell_quote(size_t count, const char *const *words) {
  struct shell_request r;
  struct movers_quote q;
  if (!shell_read_request(count, words, &r) || shell_lacks_node(&r)) return;
  if (r.moves != 0) {
    shell_complain("moves= is what `alloc` may spend; quote says how much it is.");
    return;
  }
  const status_t s = movers_quote(r.flags, r.count, &r.limits, &q);
  if (s == OK)
    show_quote(&q.quote);
  else if (s == ERR_BUSY)
    show_obstacle(&r);
  else if (s == ERR_NO_MEMORY)
    shell_complain("No: fewer frames are free than that, so what moves out would have nowhere to go.");
  else if (s == ERR_RANGE)
    shell_complain("Never: within these limits no RAM is that long.");
  else if (s == ERR_UNSUPPORTED)
    shell_complain_of_engine();
  else
    shell_complain("That cannot be: align= and boundary= are powers of two, and the run must fit in a boundary.");
}

/* --- jumble and compact ------------------------------------------------------------------------------------------ */

static void show_jumble(void) {
  struct jumble_state j;
  char size[12];
  jumble_look(&j);
  if (j.frames == 0) {
    console_printf(" There is no jumble.  Try: jumble 64M\n");
    return;
  }
  console_printf(" %llu movable frames (%s) between 0x%llx and 0x%llx, %llu moved so far, %llu intact.\n",
                 (unsigned long long)j.frames, format_size(size, j.frames * FRAME_SIZE),
                 (unsigned long long)j.low * FRAME_SIZE, (unsigned long long)j.high * FRAME_SIZE - 1,
                 (unsigned long long)j.moves, (unsigned long long)j.intact);
}

void shell_jumble(size_t count, const char *const *words) {
  uint64_t bytes;
  if (count == 2 && strcmp(words[1], "off") == 0) {
    jumble_clear();
  } else if (count == 2 && string_to_u64(words[1], strlen(words[1]), true, &bytes) == OK && bytes >= FRAME_SIZE) {
    const status_t s = jumble_make(bytes / FRAME_SIZE, clock_us());
    if (s == ERR_EXISTS) shell_complain("There is one already: jumble off.");
    if (s == ERR_NO_MEMORY) shell_complain("There is not that much.");
    if (s == OK) show_jumble();
  } else if (count == 1) {
    show_jumble();
  } else {
    shell_complain("jumble takes a size, such as 64M, or `off`.");
  }
}

void shell_compact(size_t count, const char *const *words) {
  const bool is_gig = count == 2 && strcmp(words[1], "1G") == 0;
  if (count > 2 || (count == 2 && !is_gig && strcmp(words[1], "2M") != 0)) {
    shell_complain("compact takes 2M or 1G.");
    return;
  }
  const uint64_t group = is_gig ? FRAMES_PER_1G : FRAMES_PER_2M, started = clock_us();
  (void)nodes_call_in(memory_nodes());
  for (uint32_t node = 0; node < NODES_MAX; node++) {
    struct contig *c = movers_contig(node);
    struct contig_compaction done;
    if (!c) continue;
    const status_t s = contig_compact(c, group, UINT64_MAX, &done);
    if (s == ERR_BUSY) shell_complain("Somebody else is at it.");
    if (s == ERR_UNSUPPORTED) shell_complain_of_engine();
    if (s != OK) return;
    const uint64_t whole = done.before + done.made;
    console_printf(" node %u: %llu whole %s frames of %llu possible, %llu before; %llu frames moved, %llu groups refused.\n",
                   node, (unsigned long long)whole, is_gig ? "1 GiB" : "2 MiB", (unsigned long long)done.possible,
                   (unsigned long long)done.before, (unsigned long long)done.moves, (unsigned long long)done.refused);
  }
  const uint64_t ms = (clock_us() - started) / 1000;
  console_printf(" %llu ms\n", (unsigned long long)ms);
}
