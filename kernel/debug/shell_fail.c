/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_fail.c — why memory was refused, in words: when `alloc` fails, and later, as `why fail`.
 *
 * What was asked is kept by the nodes (nodes_failures); why it fails is worked out when somebody asks, as memory is then.
 */
#include "kernel/clock.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/engine.h"
#include "mm/ledger.h"

static struct picture said; /* A sentence, before it is broken into lines. */

const struct pmm *shell_any_pmm(void) {
  uint32_t node = 0;
  while (!nodes_pmm(memory_nodes(), node)) node++; /* One of them has memory, or nobody would be here. */
  return nodes_pmm(memory_nodes(), node);
}

const char *shell_size_of(char to[static 12], uint64_t frames) {
  return format_size(to, frames > UINT64_MAX / FRAME_SIZE ? UINT64_MAX : frames * FRAME_SIZE);
}

/* "a 2 MiB frame", "a run of 3 MiB at a multiple of 64 KiB, below 4 GiB, of node 1". */
static void say_request(uint32_t flags, uint64_t count, const struct frame_limits *w) {
  char size[12];
  const uint32_t node = (flags & NODE_MASK) >> 16;
  const bool is_page = count == FRAMES_PER_2M || count == FRAMES_PER_1G;
  if (count == 1 || (is_page && w->align == count))
    picture_add(&said, "a %s frame", shell_size_of(size, count));
  else
    picture_add(&said, "a run of %s", shell_size_of(size, count));
  if (w->align > 1 && !(is_page && w->align == count))
    picture_add(&said, " at a multiple of %s", shell_size_of(size, w->align));
  if (w->boundary != 0) picture_add(&said, ", not across a multiple of %s", shell_size_of(size, w->boundary));
  if (w->min != 0) picture_add(&said, ", from 0x%llx on", (unsigned long long)w->min * FRAME_SIZE);
  if (w->max != 0 && w->max != UINT64_MAX) picture_add(&said, ", below 0x%llx", (unsigned long long)w->max * FRAME_SIZE);
  if (PMM_BELOW_BITS(flags) != 0) picture_add(&said, ", below 2^%u", PMM_BELOW_BITS(flags));
  if (node != 0) picture_add(&said, ", of node %u%s", node - 1, flags & NODE_EXACT ? " alone" : " first");
}

/* What is in the way in the window that is nearest to being free. */
static void say_window(uint32_t flags, uint64_t count, const struct frame_limits *w) {
  char n[28];
  struct contig_obstacle o;
  struct movers_quote q;
  const status_t s = movers_explain(flags, count, w, &o);
  if (s == OK) {
    picture_add(&said, ", %s unmovable frame%s in the best window (0x%llx: %s)", picture_count(n, o.unmovable),
                words_s(o.unmovable), (unsigned long long)o.frame.raw * FRAME_SIZE, frame_owner_name(o.owner));
  } else if (s == ERR_NOT_FOUND && movers_quote(flags, count, w, &q) == OK) {
    picture_add(&said, ", none unmovable in the best window: %s would have to move", picture_count(n, q.quote.moves));
  } else if (s == ERR_RANGE) {
    picture_add(&said, ", and no RAM that may be handed out there is that long");
  }
}

uint64_t shell_ram_frames(uint32_t flags) {
  struct ledger l;
  const uint32_t node = (flags & NODE_MASK) >> 16;
  nodes_ledger_read(memory_nodes(), node != 0 && (flags & NODE_EXACT) ? node - 1 : NODES_ALL, &l);
  return l.total;
}

/* More than there is; says so. */
static bool can_never_be(uint32_t flags, uint64_t count) {
  char size[12];
  const uint64_t ram = shell_ram_frames(flags);
  if (ram == 0)
    picture_add(&said, "never possible: no memory is there");
  else if (count > ram)
    picture_add(&said, "never possible: all RAM%s is %s", flags & NODE_EXACT ? " of that node" : "",
                shell_size_of(size, ram));
  return count > ram;
}

static void say_reason(uint32_t flags, uint64_t count, const struct frame_limits *w, const struct nodes_reason *r) {
  char n[28], size[12];
  if (r->cause == NODES_FITS_NOW) {
    const char *caveat = engine_caveat(shell_any_pmm());
    if (caveat)
      picture_add(&said, "such a run is free now, but with pmm=%s %s", engine_name(shell_any_pmm()), caveat);
    else
      picture_add(&said, "it would be found now");
    return;
  }
  picture_add(&said, "%s free block%s of 64 KiB", picture_count(n, r->free_64k), words_s(r->free_64k));
  if (r->free_2m != 0) picture_add(&said, ", %s of 2 MiB", picture_count(n, r->free_2m));
  picture_add(&said, ", largest run %s", shell_size_of(size, r->largest_within));
  if (r->largest_within < r->largest_run)
    picture_add(&said, " within the limits, %s elsewhere", shell_size_of(size, r->largest_run));
  if (r->cause == NODES_TOO_LITTLE_FREE)
    picture_add(&said, ", %s free in all", shell_size_of(size, r->free_frames));
  else
    say_window(flags, count, w);
}

/* Moves what was said to the output. */
static void wrap_said(unsigned column, unsigned indent) {
  said.text[said.fill < sizeof(said.text) ? said.fill : sizeof(said.text) - 1] = '\0';
  picture_wrap(&shell_out, said.text, column, indent);
  said.fill = 0;
}

void shell_explain(uint32_t flags, uint64_t count, const struct frame_limits *where) {
  struct nodes_reason r;
  if (nodes_explain(memory_nodes(), flags, count, where, &r) != OK) return;
  picture_add(&shell_out, PICTURE_WARN);
  say_request(flags, count, where);
  picture_add(&said, " failed: ");
  if (!can_never_be(flags, count)) say_reason(flags, count, where, &r);
  wrap_said(0, 0);
  picture_add(&shell_out, PICTURE_PLAIN "\n");
  shell_print(&shell_out);
}

void shell_failures(void) {
  struct nodes_failure list[NODES_FAILURES_KEPT];
  char n[28];
  const size_t count = nodes_failures(memory_nodes(), list, NODES_FAILURES_KEPT);
  if (count == 0) {
    console_printf(" No request for memory has failed.\n");
    return;
  }
  console_printf(" Requests that failed: %s; the last ones, and what memory says to them now:\n",
                 picture_count(n, nodes_failure_count(memory_nodes())));
  for (size_t i = 0; i < count; i++) {
    const struct nodes_failure *f = &list[i];
    struct nodes_reason r;
    const uint64_t us = clock_us_of(f->time);
    const char *name = frame_owner_name(f->owner);
    picture_add(&shell_out, " " PICTURE_DIM "%5llu.%06llu" PICTURE_PLAIN " " PICTURE_NAME "%s" PICTURE_PLAIN,
                (unsigned long long)(us / 1000000), (unsigned long long)(us % 1000000), name);
    picture_add(&said, " asked for ");
    say_request(f->flags, f->count, &f->where);
    wrap_said(14 + (unsigned)strlen(name), 14);
    picture_add(&shell_out, "\n              ");
    if (nodes_explain(memory_nodes(), f->flags, f->count, &f->where, &r) == OK) {
      if (!can_never_be(f->flags, f->count)) say_reason(f->flags, f->count, &f->where, &r);
      wrap_said(14, 14);
    }
    picture_add(&shell_out, "\n");
    shell_print(&shell_out);
  }
}
