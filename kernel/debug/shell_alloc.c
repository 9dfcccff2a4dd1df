/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_alloc.c — `alloc` and `free`: contiguous frames by hand, charged to the owner "tests".
 *
 * A refusal is explained (shell_fail.c), and the limits without which it would fit are named.
 */
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/engine.h"

#define RUNS_MAX 16

struct run {
  uint64_t first, count; /* Frames; count 0 is an empty slot. */
};
static struct run runs[RUNS_MAX];

bool shell_read_request(size_t count, const char *const *words, struct shell_request *out) {
  char why[160];
  const bool is_good = words_read_request(count, words, out, why, sizeof why);
  if (!is_good) shell_complain("%s", why);
  return is_good;
}

/* Asked without allocating, so that no failure is counted for it. */
static bool would_fit(const struct shell_request *r) {
  struct nodes_reason reason;
  if (engine_caveat(shell_any_pmm())) return false; /* That it is free would not mean that it is found. */
  return nodes_explain(memory_nodes(), r->flags, r->count, &r->limits, &reason) == OK && reason.fits_now;
}

static void blame_limits(const struct shell_request *r) {
  struct shell_request without = *r;
  without.limits.align = 0;
  if (r->limits.align > 1 && would_fit(&without)) shell_complain("Without align= it would fit.");
  without = *r;
  without.limits.boundary = 0;
  if (r->limits.boundary != 0 && would_fit(&without)) shell_complain("Without boundary= it would fit.");
  without = *r;
  without.limits.max = 0;
  if (r->limits.max != 0 && would_fit(&without)) shell_complain("Without below= it would fit.");
}

/* A run that can be made has a price. */
static bool offer(const struct shell_request *r, const char *wanted) {
  struct movers_quote q;
  if (movers_quote(r->flags, r->count, &r->limits, &q) != OK || q.quote.moves == 0) return false;
  shell_complain("No run of %s is free, but one can be made: with moves=%llu.  See also: quote", wanted,
                 (unsigned long long)q.quote.moves);
  return true;
}

bool shell_lacks_node(const struct shell_request *r) {
  if ((r->flags & NODE_MASK) >> 16 <= nodes_count(memory_nodes())) return false;
  const uint32_t nodes = nodes_count(memory_nodes());
  if (nodes == 1)
    shell_complain("There is no node %llu: this machine has node 0 alone.", (unsigned long long)r->node);
  else
    shell_complain("There is no node %llu: this machine has nodes 0 %s %u.", (unsigned long long)r->node,
                   nodes == 2 ? "and" : "to", nodes - 1);
  return true;
}

void shell_complain_of_limits(uint64_t frames) {
  char wanted[12];
  shell_complain("That cannot be: align= and boundary= are powers of two, and a run of %s must fit in a boundary.",
                 shell_size_of(wanted, frames));
}

static void explain(const struct shell_request *r, status_t status) {
  char wanted[12];
  shell_size_of(wanted, r->count);
  if (status == ERR_INVALID) {
    shell_complain_of_limits(r->count);
  } else if (!offer(r, wanted)) {
    shell_explain(r->flags, r->count, &r->limits);
    blame_limits(r);
    if (status == ERR_UNSUPPORTED) shell_complain_of_engine();
  }
}

static void list_runs(void) {
  char size[12];
  bool is_any = false;
  for (size_t i = 0; i < RUNS_MAX; i++) {
    if (runs[i].count == 0) continue;
    is_any = true;
    console_printf(" 0x%llx  %s\n", (unsigned long long)runs[i].first * FRAME_SIZE,
                   format_size(size, runs[i].count * FRAME_SIZE));
  }
  if (!is_any) console_printf(" You hold nothing.  Try: alloc 2M align=2M\n");
}

static struct run *find_slot(uint64_t count, uint64_t first) {
  for (size_t i = 0; i < RUNS_MAX; i++)
    if (count == 0 ? runs[i].count == 0 : runs[i].count != 0 && runs[i].first == first) return &runs[i];
  return NULL;
}

void shell_alloc(size_t count, const char *const *words) {
  struct shell_request r = {};
  char size[12];
  pfn_t first;
  if (count < 2) {
    list_runs();
    return;
  }
  if (!shell_read_request(count, words, &r)) return;
  struct run *slot = find_slot(0, 0);
  if (slot == NULL) {
    shell_complain("You hold %u runs already; free one first.", RUNS_MAX);
    return;
  }
  if (shell_lacks_node(&r)) return;
  const status_t status = movers_alloc(FRAME_OWNER_TEST, r.flags, r.count, &r.limits, r.moves, &first);
  if (status != OK) {
    explain(&r, status);
    return;
  }
  *slot = (struct run){.first = first.raw, .count = r.count};
  console_printf(" 0x%llx-0x%llx, %s\n", (unsigned long long)first.raw * FRAME_SIZE,
                 (unsigned long long)(first.raw + r.count) * FRAME_SIZE - 1, format_size(size, r.count * FRAME_SIZE));
}

static void give_back(struct run *slot) {
  const status_t status = nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, pfn(slot->first), slot->count);
  if (status != OK) shell_complain("0x%llx: %s", (unsigned long long)slot->first * FRAME_SIZE, status_name(status));
  slot->count = 0;
}

static void give_back_all(void) {
  unsigned given = 0;
  for (size_t i = 0; i < RUNS_MAX; i++) {
    if (runs[i].count == 0) continue;
    give_back(&runs[i]);
    given++;
  }
  if (given == 0)
    console_printf(" You hold nothing.\n");
  else
    console_printf(" Given back: %u run%s.\n", given, words_s(given));
}

void shell_free(size_t count, const char *const *words) {
  uint64_t address;
  if (count == 2 && strcmp(words[1], "all") == 0) {
    give_back_all();
    return;
  }
  if (count != 2 || string_to_u64(words[1], strlen(words[1]), false, &address) != OK) {
    shell_complain("free takes `all` or an address as alloc printed it, with 0x.");
    return;
  }
  struct run *slot = address % FRAME_SIZE == 0 ? find_slot(1, address / FRAME_SIZE) : NULL;
  if (slot == NULL)
    shell_complain("Nothing of yours begins at %s; `alloc` lists what you hold.", words[1]);
  else
    give_back(slot);
}
