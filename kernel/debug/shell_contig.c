/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_contig.c — `quote`, `jumble` and `compact`: what contiguity costs, seen before it is paid.
 *
 * The picture of a window has one cell for a slice of it: empty where all of the slice is free, the fuller the more of it
 * would have to move, red where something is in the way.
 *
 * Ctrl-C reaches what takes long by way of the jumble's watcher: between frames, and when its mover is asked, which then
 * refuses.  What has moved by then stays where it is.
 */
#include "base/bits.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/debug/jumble.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/engine.h"

#define COLUMNS   UINT64_C(64)
#define CELLS_MAX (8 * COLUMNS)

/* --- the picture of a window ------------------------------------------------------------------------------------- */

bool shell_look(uint64_t first, uint64_t count, struct contig_look *seen) {
  *seen = (struct contig_look){};
  for (uint32_t node = 0; node < nodes_count(memory_nodes()); node++) {
    const struct contig *c = movers_contig(node);
    struct contig_look look;
    if (!c) continue;
    if (contig_look(c, pfn(first), count, &look) != OK) return false;
    seen->free += look.free;
    seen->movable += look.movable;
  }
  seen->fixed = count - seen->free - seen->movable;
  return true;
}

/* Frames of a cell, so that the window has at most CELLS_MAX of them. */
static uint64_t slice_of(uint64_t count) { return (count + CELLS_MAX - 1) / CELLS_MAX; }

static void draw_cell(const struct contig_look *c) {
  if (c->fixed != 0)
    picture_add(&shell_out, PICTURE_BAD "■");
  else if (c->movable == 0)
    picture_add(&shell_out, PICTURE_DIM "·");
  else
    picture_add(&shell_out, PICTURE_NAME "%s", picture_shade(c->movable, c->free + c->movable));
}

static void draw_window(uint64_t first, uint64_t count) {
  struct contig_look c;
  char size[12];
  const uint64_t slice = slice_of(count), n = (count + slice - 1) / slice;
  for (uint64_t i = 0; i < n; i++) {
    if (i % COLUMNS == 0)
      picture_add(&shell_out, " " PICTURE_DIM "%12llx ", (unsigned long long)(first + i * slice) * FRAME_SIZE);
    if (!shell_look(first + i * slice, bits_min(slice, count - i * slice), &c)) break;
    draw_cell(&c);
    if (i % COLUMNS != COLUMNS - 1 && i + 1 != n) continue;
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
  picture_add(&shell_out,
              " " PICTURE_DIM "one cell: %s   · free   " PICTURE_PLAIN PICTURE_NAME "░▒▓█" PICTURE_DIM
              " would move   " PICTURE_BAD "■" PICTURE_DIM " in the way" PICTURE_PLAIN "\n",
              format_size(size, slice * FRAME_SIZE));
  shell_print(&shell_out);
}

/* --- quote ------------------------------------------------------------------------------------------------------- */

static void show_quote(const struct contig_quote *q) {
  char moves[12], size[12], count[28];
  shell_title("Quote", q->moves == 0 ? "it is free as it is" : "the cheapest window");
  draw_window(q->first.raw, q->count);
  picture_add(&shell_out, " 0x%llx-0x%llx, %s: ", (unsigned long long)q->first.raw * FRAME_SIZE,
              (unsigned long long)(q->first.raw + q->count) * FRAME_SIZE - 1, format_size(size, q->count * FRAME_SIZE));
  if (q->moves == 0)
    picture_add(&shell_out, "nothing has to move.\n");
  else
    picture_add(&shell_out, "%s frame%s would move, %s.\n", picture_count(count, q->moves), words_s(q->moves),
                format_size(moves, q->moves * FRAME_SIZE));
  shell_print(&shell_out);
}

static void show_obstacle(const struct shell_request *r) {
  struct contig_obstacle o;
  if (movers_explain(r->flags, r->count, &r->limits, &o) != OK) return;
  char stay[28], move[28];
  shell_title("Quote", "something is in the way everywhere; here the least");
  draw_window(o.first.raw, r->count);
  console_printf(" %s frame%s cannot move%s 0x%llx (%s); %s could.\n", picture_count(stay, o.unmovable),
                 words_s(o.unmovable), o.unmovable == 1 ? ":" : ", one of them at",
                 (unsigned long long)o.frame.raw * FRAME_SIZE, frame_owner_name(o.owner), picture_count(move, o.movable));
}

void shell_complain_of_engine(void) {
  shell_complain("Nothing is moved with pmm=%s: prices are worked out from the tiers.", engine_name(shell_any_pmm()));
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
    shell_complain("Never: no RAM that may be handed out there is that long.");
  else if (s == ERR_UNSUPPORTED)
    shell_complain_of_engine();
  else
    shell_complain_of_limits(r.count);
}

/* --- jumble and compact ------------------------------------------------------------------------------------------ */

static void show_jumble(void) {
  struct jumble_state j;
  char size[12], frames[28], moves[28], intact[28];
  if (!jumble_is_there()) {
    console_printf(" There is no jumble.  Try: jumble 64M\n");
    return;
  }
  shell_progress_begin();
  (void)jumble_look(&j);
  if (!shell_progress_end()) return;
  if (j.frames == 0) {
    console_printf(" Nothing is left of it: jumble off\n");
    return;
  }
  console_printf(" %s movable frame%s (%s) between 0x%llx and 0x%llx;\n %s moved so far, %s intact.\n",
                 picture_count(frames, j.frames), words_s(j.frames), format_size(size, j.frames * FRAME_SIZE),
                 (unsigned long long)j.low * FRAME_SIZE, (unsigned long long)j.high * FRAME_SIZE - 1,
                 picture_count(moves, j.moves), picture_count(intact, j.intact));
}

static void make_jumble(uint64_t bytes) {
  struct ledger l;
  char size[12];
  const uint64_t frames = bytes / FRAME_SIZE;
  status_t s = jumble_is_there() ? ERR_EXISTS : OK;
  (void)nodes_call_in(memory_nodes());
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  /* Too much is not begun with, although only who fills memory knows exactly how much that is. */
  if (s == OK && frames > l.frames[FRAME_OWNER_FREE]) s = frames > l.total ? ERR_RANGE : ERR_NO_MEMORY;
  shell_progress_begin();
  if (s == OK) s = jumble_make(frames, clock_us());
  (void)shell_progress_end();
  if (s == ERR_EXISTS)
    shell_complain("There is one already: jumble off.");
  else if (s == ERR_NO_MEMORY)
    shell_complain("There is not that much: %s are free.", format_size(size, l.frames[FRAME_OWNER_FREE] * FRAME_SIZE));
  else if (s == ERR_RANGE || s == ERR_INVALID)
    shell_complain("Never: all of RAM is %s.", format_size(size, l.total * FRAME_SIZE));
  else if (s == OK)
    show_jumble();
}

void shell_jumble(size_t count, const char *const *words) {
  uint64_t bytes;
  jumble_watch(shell_progress);
  if (count == 2 && strcmp(words[1], "off") == 0) {
    shell_progress_begin();
    (void)jumble_clear();
    if (shell_progress_end()) console_printf(" There is no jumble any more.\n");
  } else if (count == 2 && string_to_u64(words[1], strlen(words[1]), true, &bytes) == OK && bytes >= FRAME_SIZE) {
    make_jumble(bytes);
  } else if (count == 1) {
    show_jumble();
  } else {
    shell_complain("jumble takes a size, such as 64M, or `off`.");
  }
  jumble_watch(NULL);
}

static void show_compaction(uint32_t node, bool is_gig, const struct contig_compaction *c, uint64_t us) {
  char counts[5][28];
  const uint64_t whole = c->before + c->made;
  console_printf(" node %u: %s whole %s frame%s of %s possible, %s before;\n", node, picture_count(counts[0], whole),
                 is_gig ? "1 GiB" : "2 MiB", words_s(whole), picture_count(counts[1], c->possible),
                 picture_count(counts[2], c->before));
  console_printf("         %s frame%s moved in %llu ms%s%s\n", picture_count(counts[3], c->moves), words_s(c->moves),
                 (unsigned long long)(us / 1000), c->refused != 0 ? "; emptying was refused: " : "",
                 c->refused != 0 ? picture_count(counts[4], c->refused) : "");
}

static void compact(uint64_t group) {
  bool goes_on = true;
  (void)nodes_call_in(memory_nodes());
  for (uint32_t node = 0; node < NODES_MAX && goes_on; node++) {
    struct contig *c = movers_contig(node);
    struct contig_compaction done;
    if (!c) continue;
    const uint64_t started = clock_us();
    shell_progress_begin();
    const status_t s = contig_compact(c, group, UINT64_MAX, &done);
    goes_on = shell_progress_end();
    if (!goes_on) done.refused = 0; /* By Ctrl-C. */
    if (s == OK)
      show_compaction(node, group == FRAMES_PER_1G, &done, clock_us() - started);
    else if (s == ERR_BUSY)
      shell_complain("Somebody else is at it.");
    else
      shell_complain_of_engine();
    goes_on = goes_on && s == OK;
  }
}

void shell_compact(size_t count, const char *const *words) {
  const bool is_gig = count == 2 && strcmp(words[1], "1G") == 0;
  if (count > 2 || (count == 2 && !is_gig && strcmp(words[1], "2M") != 0)) {
    shell_complain("compact takes 2M or 1G.");
    return;
  }
  jumble_watch(shell_progress); /* Who asks to be stopped is the owner of what moves. */
  compact(is_gig ? FRAMES_PER_1G : FRAMES_PER_2M);
  jumble_watch(NULL);
}
