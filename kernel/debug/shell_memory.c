/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_memory.c — `mem`, `ledger` and `check`: who has the memory.
 *
 * Numbers come from ledger_read and pmm_stats_read in one moment each; between the two an interrupt may allocate, so `mem`
 * may be off by what it allocated, and `ledger`, which reads once, never is.
 */
#include "kernel/acpi.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/memory.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "mm/bad.h"
#include "mm/check.h"
#include "mm/ledger.h"
#include "mm/zero.h"

#define ORDERS       19
#define CHART_HEIGHT 4 /* Rows at most. */
#define BAR_WIDTH    26

/* Who a class of owners is, for the bar on top. */
enum class { CLASS_CAIRN, CLASS_FIRMWARE, CLASS_BROKEN, CLASS_FREE, CLASS_COUNT };
static const char *const class_names[] = {"Cairn", "firmware", "broken", "free"};
static const char *const class_colours[] = {"\033[94m", "\033[33m", "\033[91m", "\033[32m"};

static enum class class_of(enum frame_owner owner) {
  if (owner == FRAME_OWNER_FREE) return CLASS_FREE; if (owner == FRAME_OWNER_BAD) return CLASS_BROKEN;
  return owner < FRAME_OWNER_KERNEL_IMAGE ? CLASS_FIRMWARE : CLASS_CAIRN; /* The order of FRAME_OWNERS. */
}

static void draw_total(const struct ledger *l) {
  char size[12], percent[8], remark[40], count[28];
  uint64_t frames[CLASS_COUNT] = {};
  unsigned columns[CLASS_COUNT];
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) frames[class_of((enum frame_owner)i)] += l->frames[i];
  format_string(remark, sizeof(remark), "%s, %s frames", format_size(size, l->total * FRAME_SIZE),
                picture_count(count, l->total));
  shell_title("Memory", remark);
  picture_divide(frames, CLASS_COUNT, PICTURE_COLUMNS - 2, columns);
  picture_add(&shell_out, " ");
  for (unsigned i = 0; i < CLASS_COUNT; i++) {
    picture_add(&shell_out, "%s", class_colours[i]);
    picture_repeat(&shell_out, "█", columns[i]);
  }
  picture_add(&shell_out, PICTURE_PLAIN "\n ");
  for (unsigned i = 0; i < CLASS_COUNT; i++)
    if (frames[i] != 0 || i != CLASS_BROKEN)
      picture_add(&shell_out, "%s■" PICTURE_PLAIN " %s %s " PICTURE_DIM "%s%%" PICTURE_PLAIN "    ", class_colours[i],
                  class_names[i], format_size(size, frames[i] * FRAME_SIZE), picture_percent(percent, frames[i], l->total));
  picture_add(&shell_out, "\n\n");
  shell_print(&shell_out);
}

/* The owners with frames, most first; returns how many. */
static size_t sort_owners(const struct ledger *l, enum frame_owner *order) {
  size_t n = 0;
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    if (l->frames[i] == 0) continue;
    size_t at = n++;
    for (; at != 0 && l->frames[order[at - 1]] < l->frames[i]; at--) order[at] = order[at - 1];
    order[at] = (enum frame_owner)i;
  }
  return n;
}

static void draw_owners(const struct ledger *l) {
  enum frame_owner order[FRAME_OWNER_COUNT];
  char count[28], size[12], percent[8];
  const size_t n = sort_owners(l, order);
  /* The bars compare what is in use; free memory would flatten them all. */
  uint64_t most = 1;
  for (size_t i = 0; i < n; i++)
    if (order[i] != FRAME_OWNER_FREE && l->frames[order[i]] > most) most = l->frames[order[i]];
  picture_add(&shell_out, PICTURE_DIM " %-18s %13s %10s %6s" PICTURE_PLAIN "\n", "owner", "frames", "size", "%");
  for (size_t i = 0; i < n; i++) {
    const enum frame_owner o = order[i];
    picture_add(&shell_out, " %-18s %13s %10s %6s  %s", frame_owner_name(o), picture_count(count, l->frames[o]),
                format_size(size, l->frames[o] * FRAME_SIZE), picture_percent(percent, l->frames[o], l->total),
                picture_owner_colour(o));
    if (o == FRAME_OWNER_FREE)
      picture_repeat(&shell_out, "░", BAR_WIDTH);
    else
      picture_bar(&shell_out, l->frames[o], most, BAR_WIDTH);
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
}

#define DISTANCE_COLUMN 60

/* One line a node, on machines that have more than one; distances that have no room go on in further lines. */
static void draw_nodes(const struct numa_map *m) {
  char size[12], left[12], percent[8], text[NODES_MAX * 4 + 1];
  if (m->node_count < 2) return;
  shell_title("Nodes", "size, free, whole 2 MiB frames of that, CPUs, distances (10: its own)");
  for (uint32_t i = 0; i < m->node_count; i++) {
    struct pmm_stats s;
    nodes_stats_read(memory_nodes(), i, &s);
    if (nodes_pmm(memory_nodes(), i))
      picture_add(&shell_out, " node %-3u %9s, %9s free, %5s%% as 2 MiB", i, format_size(size, s.total_frames * FRAME_SIZE),
                  format_size(left, s.free_frames * FRAME_SIZE),
                  picture_percent(percent, s.free_2m * FRAMES_PER_2M, s.free_frames));
    else
      picture_add(&shell_out, " node %-3u %-41s", i, "no memory");
    picture_add(&shell_out, " %3u CPU%s " PICTURE_DIM, m->cpus[i], m->cpus[i] == 1 ? " " : "s");
    size_t fill = 0;
    for (uint32_t to = 0; to < m->node_count; to++)
      fill += format_string(text + fill, sizeof(text) - fill, " %u", m->distance[i][to]);
    picture_wrap(&shell_out, text, DISTANCE_COLUMN, DISTANCE_COLUMN);
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
}

/* Height in eighths of a row: the logarithm of the count, so that one large block is as visible as many small ones. */
static unsigned chart_height(uint64_t count) {
  unsigned height = 0;
  for (; count != 0; count /= 2) height += 3;
  return height < CHART_HEIGHT * 8 ? height : CHART_HEIGHT * 8;
}

/* The bars, highest row first; rows that would be empty are left out. */
static void draw_chart(const uint64_t *free_by_order) {
  static const char *const eighths[] = {" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  unsigned highest = 0;
  for (unsigned i = 0; i < ORDERS; i++)
    if (chart_height(free_by_order[i]) > highest) highest = chart_height(free_by_order[i]);
  for (unsigned row = (highest + 7) / 8; row-- != 0;) {
    picture_add(&shell_out, " \033[32m");
    for (unsigned i = 0; i < ORDERS; i++) {
      const unsigned height = chart_height(free_by_order[i]);
      const unsigned part = height <= row * 8 ? 0 : height - row * 8;
      const bool is_page = i == 9 || i == 18; /* What the MMU maps at once: 2 MiB and 1 GiB. */
      if (is_page) picture_add(&shell_out, "\033[92m");
      picture_repeat(&shell_out, eighths[part < 8 ? part : 8], 3);
      picture_add(&shell_out, is_page ? "\033[32m " : " ");
    }
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
}

static void draw_orders(const uint64_t *free_by_order) {
  char count[8];
  draw_chart(free_by_order);
  picture_add(&shell_out, " ");
  for (unsigned i = 0; i < ORDERS; i++) picture_add(&shell_out, "%-3s ", picture_short_count(count, free_by_order[i]));
  picture_add(&shell_out, "\n " PICTURE_DIM);
  for (unsigned i = 0; i < ORDERS; i++)
    picture_add(&shell_out, "%-3u ", i < 8 ? 4U << i : i < 18 ? 1U << (i - 8) : 1U << (i - 18));
  picture_add(&shell_out, "\n KiB ");
  picture_repeat(&shell_out, "─", 27);
  picture_add(&shell_out, " MiB ");
  picture_repeat(&shell_out, "─", 35);
  picture_add(&shell_out, " GiB" PICTURE_PLAIN "\n");
  shell_print(&shell_out);
}

static void draw_contiguity(const struct pmm_stats *s) {
  char size[12], count[28], count_1g[28], percent[8];
  shell_title("Contiguous", "free runs, cut into aligned powers of two");
  draw_orders(s->free_by_order);
  picture_add(&shell_out,
              "\n largest run " PICTURE_TITLE "%s" PICTURE_PLAIN "    free 2 MiB blocks " PICTURE_TITLE "%s" PICTURE_PLAIN,
              format_size(size, s->largest_free_run * FRAME_SIZE), picture_count(count, s->free_2m));
  picture_add(&shell_out, "    free 1 GiB blocks " PICTURE_TITLE "%s" PICTURE_PLAIN "\n",
              picture_count(count_1g, s->free_1g));
  picture_add(&shell_out, " of the free memory, " PICTURE_TITLE "%s%%" PICTURE_PLAIN " could be 2 MiB frames as it is\n",
              picture_percent(percent, s->free_2m * FRAMES_PER_2M, s->free_frames));
  shell_print(&shell_out);
}

/* What is cleared in advance counts as available; what is condemned will go. */
static void draw_zeros_and_bad(const struct ledger *l) {
  char a[12], b[12], counts[2][28];
  struct zero_stats z;
  const uint64_t condemned = bad_condemned(memory_nodes());
  nodes_zero_stats_read(memory_nodes(), &z);
  if (z.frames_max + z.blocks_max > 0) {
    picture_add(&shell_out, " zeroed in advance %s of %s, requests for zeros served %s of %s\n",
                format_size(a, l->frames[FRAME_OWNER_ZEROED] * FRAME_SIZE),
                format_size(b, (z.frames_max + z.blocks_max * FRAMES_PER_2M) * FRAME_SIZE), picture_count(counts[0], z.hits),
                picture_count(counts[1], z.hits + z.misses));
  }
  if (condemned > 0)
    picture_add(&shell_out, " " PICTURE_BAD "%llu broken frame%s still in use" PICTURE_PLAIN ": `bad` says by whom\n",
                (unsigned long long)condemned, condemned == 1 ? " is" : "s are");
}

static void draw_costs(const struct ledger *l, const struct pmm_stats *s) {
  char a[12], b[12], percent[8], counts[5][28];
  const uint64_t metadata = s->metadata_bytes + s->record_bytes;
  picture_add(&shell_out, " taken back from boot services %s, from the loader %s\n",
              format_size(a, l->reclaimed_boot_services * FRAME_SIZE), format_size(b, l->reclaimed_loader * FRAME_SIZE));
  picture_add(&shell_out, " bookkeeping: records %s, bitmaps %s" PICTURE_DIM " = %s%% of RAM" PICTURE_PLAIN "\n",
              format_size(a, s->record_bytes), format_size(b, s->metadata_bytes),
              picture_percent(percent, metadata, l->total * FRAME_SIZE));
  picture_add(&shell_out, " allocations %s, frees %s, refused %s%s\n", picture_count(counts[0], s->allocations),
              picture_count(counts[1], s->frees), picture_count(counts[2], s->failures),
              s->failures == 0 ? "" : PICTURE_DIM "; why fail says why" PICTURE_PLAIN);
  picture_add(&shell_out,
              " CPUs: blocks taken %s, given back %s, calls home %s,\n"
              "       frames by mail %s, free frames kept %s\n",
              picture_count(counts[0], s->refills), picture_count(counts[1], s->drains),
              picture_count(counts[2], s->called_in), picture_count(counts[3], s->mails),
              picture_count(counts[4], s->held_frames));
  draw_zeros_and_bad(l);
  shell_print(&shell_out);
}

void shell_mem(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  struct ledger l;
  struct pmm_stats s;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  nodes_stats_read(memory_nodes(), NODES_ALL, &s);
  draw_total(&l);
  draw_owners(&l);
  draw_nodes(acpi_numa());
  draw_contiguity(&s);
  draw_costs(&l, &s);
}

/* Each node's books balance by themselves. */
static void draw_node_ledgers(void) {
  char count[28], size[12];
  const uint32_t nodes = nodes_count(memory_nodes());
  for (uint32_t i = 0; i < nodes && nodes > 1; i++) {
    struct ledger l;
    nodes_ledger_read(memory_nodes(), i, &l);
    picture_add(&shell_out, "   node %-13u %15s %12s  ", i, picture_count(count, l.sum),
                format_size(size, l.sum * FRAME_SIZE));
    picture_add(&shell_out, ledger_balances(&l) ? PICTURE_DIM "balanced" PICTURE_PLAIN "\n"
                                                : PICTURE_BAD "NOT balanced" PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
}

void shell_ledger(size_t words_count, const char *const *words) {
  (void)words_count;
  (void)words;
  struct ledger l;
  char count[28], size[12], percent[8];
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  shell_title("Ledger", "one owner for every frame");
  picture_add(&shell_out, PICTURE_DIM "   %-18s %15s %12s %8s" PICTURE_PLAIN "\n", "owner", "frames", "size", "%");
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    if (l.frames[i] == 0) continue;
    const enum frame_owner o = (enum frame_owner)i;
    picture_add(&shell_out, " %s■" PICTURE_PLAIN " %-18s %15s %12s %8s\n", picture_owner_colour(o), frame_owner_name(o),
                picture_count(count, l.frames[i]), format_size(size, l.frames[i] * FRAME_SIZE),
                picture_percent(percent, l.frames[i], l.total));
    shell_print(&shell_out);
  }
  picture_add(&shell_out, "   " PICTURE_DIM);
  picture_repeat(&shell_out, "─", 56);
  picture_add(&shell_out, PICTURE_PLAIN "\n   %-18s %15s %12s\n", "sum of the owners", picture_count(count, l.sum),
              format_size(size, l.sum * FRAME_SIZE));
  picture_add(&shell_out, "   %-18s %15s %12s\n", "firmware's total", picture_count(count, l.total),
              format_size(size, l.total * FRAME_SIZE));
  draw_node_ledgers();
  if (ledger_balances(&l))
    picture_add(&shell_out, "\n   " PICTURE_GOOD "balanced to the frame" PICTURE_PLAIN "\n");
  else
    picture_add(&shell_out, "\n   " PICTURE_BAD "NOT balanced: off by %lld frames" PICTURE_PLAIN "\n",
                (long long)l.sum - (long long)l.total);
  if (bad_condemned(memory_nodes()) > 0)
    picture_add(&shell_out, "   " PICTURE_BAD "%llu frame%s broken" PICTURE_PLAIN ": `bad` says whose\n",
                (unsigned long long)bad_condemned(memory_nodes()),
                bad_condemned(memory_nodes()) == 1 ? " in use is" : "s in use are");
  picture_add(&shell_out, "   taken back: %s from boot services, ",
              format_size(size, l.reclaimed_boot_services * FRAME_SIZE));
  picture_add(&shell_out, "%s from the loader\n", format_size(size, l.reclaimed_loader * FRAME_SIZE));
  shell_print(&shell_out);
}

void shell_greet(void) {
  struct ledger l;
  char size[12], count[28];
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  picture_add(&shell_out, "\n " PICTURE_TITLE "Cairn" PICTURE_PLAIN "  %s of RAM in %s frames, every one with an owner: ",
              format_size(size, l.total * FRAME_SIZE), picture_count(count, l.total));
  picture_add(&shell_out, "%s" PICTURE_PLAIN "\n",
              ledger_balances(&l) ? PICTURE_GOOD "balanced" : PICTURE_BAD "NOT balanced");
  picture_add(&shell_out,
              PICTURE_DIM "        mem, map, ledger and why <address> show them; help lists the rest" PICTURE_PLAIN "\n\n");
  shell_print(&shell_out);
}

void shell_check(size_t words_count, const char *const *words) {
  (void)words_count;
  (void)words;
  static const struct {
    uint32_t number;
    const char *text;
  } promises[] = {
#define PROMISE(number, name, text) {number, text},
      MM_INVARIANTS(PROMISE) MM_DOOR_INVARIANTS(PROMISE)
#undef PROMISE
  };
  struct mm_check_report report;
  char count[28];
  const uint64_t start = clock_us();
  const bool is_good = mm_check_nodes(memory_nodes(), 0, &report);
  const uint64_t us = clock_us() - start;
  shell_title("Check", "everything derived anew from the records");
  for (size_t i = 0; i < ARRAY_COUNT(promises); i++) {
    const uint32_t number = promises[i].number;
    const bool is_broken = !is_good && report.invariant == number;
    const bool is_unknown = !is_good && report.invariant < number; /* The check ends at the first that is broken. */
    const char *colour = is_broken ? PICTURE_BAD : is_unknown ? PICTURE_DIM : PICTURE_GOOD;
    picture_add(&shell_out, " %s%-6s" PICTURE_PLAIN " INV-%02u ", colour,
                is_broken    ? "BROKEN"
                : is_unknown ? "?"
                             : "holds",
                number);
    picture_wrap(&shell_out, promises[i].text, 15, 15);
    if (is_broken) {
      picture_add(&shell_out, "\n               %s", colour);
      picture_wrap(&shell_out, report.text, 15, 15);
    }
    picture_add(&shell_out, PICTURE_PLAIN "\n");
    shell_print(&shell_out);
  }
  console_printf(" %s frames looked at in %u.%03u ms\n", picture_count(count, report.frames_checked), (unsigned)(us / 1000),
                 (unsigned)(us % 1000));
}
