/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_blocks.c — `map 2M`: which 2 MiB frames are whole, which could be made so, and which cannot.
 *
 * The tiers tell of 64 frames at once (contig_look).  An engine of the laboratory is asked for its ranges instead, and moves
 * nothing, so that everything in use is in the way.
 */
#include "base/bits.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/format.h"
#include "lib/memmap.h"

static struct picture_blocks blocks;

/* The block that is being put together. */
static struct {
  uint64_t number, free, total; /* By number; frames; blocks of RAM in all, for the progress. */
  bool is_open;
} now;

static bool finish(void) {
  struct picture_block b = {.free = now.free};
  struct contig_look look;
  const uint64_t first = now.number * FRAMES_PER_2M;
  if (!now.is_open) return true;
  now.is_open = false;
  if (shell_look(first, FRAMES_PER_2M, &look)) b = (struct picture_block){look.free, look.movable};
  picture_blocks_add(&blocks, now.number, &b);
  return now.number % 256 != 0 || shell_progress("looking", blocks.whole + blocks.movable + blocks.fixed, now.total);
}

static bool add(uint64_t start, uint64_t end, bool is_free) {
  while (start < end) {
    const uint64_t number = start / FRAMES_PER_2M, stop = bits_min(end, (number + 1) * FRAMES_PER_2M);
    if (now.is_open && now.number != number && !finish()) return false;
    if (!now.is_open) now.free = 0;
    now.number = number;
    now.is_open = true;
    now.free += is_free ? stop - start : 0;
    start = stop;
  }
  return true;
}

static bool add_range(void *context, const struct pmm_range *range) {
  (void)context;
  return range->state == FRAME_ABSENT || add(range->start, range->end, range->state == FRAME_FREE);
}

/* All RAM once; false when it was stopped. */
static bool look(bool has_tiers) {
  size_t count;
  const struct boot_region *regions = memory_regions(&count);
  now.is_open = false;
  if (!has_tiers) nodes_visit(memory_nodes(), NODES_ALL, add_range, NULL);
  for (size_t i = 0; has_tiers && i < count; i++) {
    const struct boot_region *r = &regions[i];
    if (memmap_kind_is_ram(r->kind) && !add(r->start / FRAME_SIZE, r->end / FRAME_SIZE, false)) return false;
  }
  return finish();
}

/* How many whole ones what is free could make; false where nothing is moved. */
static bool count_possible(uint64_t *possible) {
  struct contig_compaction c = {};
  *possible = 0;
  for (uint32_t node = 0; node < nodes_count(memory_nodes()); node++) {
    struct contig *contig = movers_contig(node);
    if (contig && contig_compact(contig, FRAMES_PER_2M, 0, &c) != OK) return false;
    *possible += contig ? c.possible : 0;
  }
  return *possible != 0;
}

static void draw(const struct ledger *l, bool has_tiers, uint64_t possible) {
  char a[28], b[28], c[28], size[12];
  char remark[48];
  format_string(remark, sizeof(remark), "%s, %s free", format_size(a, l->total * FRAME_SIZE),
                format_size(size, l->frames[FRAME_OWNER_FREE] * FRAME_SIZE));
  shell_title("2 MiB frames", remark);
  for (size_t row = 0; row < picture_blocks_rows(&blocks); row++) {
    picture_add(&shell_out, PICTURE_DIM " %12llx " PICTURE_PLAIN,
                (unsigned long long)blocks.row_start[row] * FRAMES_PER_2M * FRAME_SIZE);
    picture_blocks_row(&blocks, row, &shell_out);
    picture_add(&shell_out, "\n");
    shell_print(&shell_out);
  }
  picture_add(&shell_out, PICTURE_DIM " one cell: %s  ", format_size(size, blocks.per_cell * FRAMES_PER_2M * FRAME_SIZE));
  picture_add(&shell_out, PICTURE_GOOD "%s" PICTURE_DIM "  ", blocks.per_cell > 1 ? "░ whole, ▒▓ some" : "░ whole");
  picture_add(&shell_out, PICTURE_NAME "▒▓█" PICTURE_DIM " could be emptied  ■ something stays" PICTURE_PLAIN "\n");
  picture_add(&shell_out, " " PICTURE_TITLE "%s" PICTURE_PLAIN " are whole, %s could be emptied, %s cannot\n",
              picture_count(a, blocks.whole), picture_count(b, blocks.movable), picture_count(c, blocks.fixed));
  if (has_tiers)
    picture_add(&shell_out, " what is free could make " PICTURE_TITLE "%s" PICTURE_PLAIN " whole ones%s\n",
                picture_count(a, possible), possible > blocks.whole ? ": compact makes them" : "");
  shell_print(&shell_out);
}

void shell_map_blocks(void) {
  struct ledger l;
  uint64_t possible;
  (void)nodes_call_in(memory_nodes()); /* The stock of zeros is as good as free. */
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  const bool has_tiers = count_possible(&possible);
  shell_progress_begin();
  bool is_done, goes_on;
  uint64_t least = 1;
  do {
    now.total = l.total / FRAMES_PER_2M;
    picture_blocks_begin(&blocks, now.total, least);
    goes_on = look(has_tiers);
    is_done = picture_blocks_end(&blocks);
    least = blocks.per_cell * 2;
  } while (goes_on && !is_done);
  if (shell_progress_end()) draw(&l, has_tiers, possible);
}
