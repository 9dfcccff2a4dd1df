/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_alloc.c — `alloc` and `free`: contiguous frames by hand, charged to the owner "tests".
 *
 * A refusal is explained (shell_fail.c), and the limits without which it would fit are named.
 */
#include "kernel/console.h"
#include "kernel/debug/shell.h"
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

/* A size in bytes that is whole frames, as frames; a bare number counts bytes. */
static bool read_frames(const char *text, uint64_t *frames) {
  uint64_t bytes;
  if (string_to_u64(text, strlen(text), true, &bytes) != OK || bytes == 0 || bytes % FRAME_SIZE != 0) return false;
  *frames = bytes / FRAME_SIZE;
  return true;
}

/* The first word: "12" frames, "3M" bytes. */
static bool read_count(const char *text, uint64_t *count) {
  uint64_t bytes;
  if (string_to_u64(text, strlen(text), false, count) == OK) return *count != 0;
  if (string_to_u64(text, strlen(text), true, &bytes) != OK || bytes == 0) return false;
  *count = (bytes - 1) / FRAME_SIZE + 1;
  return true;
}

static bool read_limit(const char *word, struct frame_limits *limits) {
  static const char *const names[] = {"align=", "below=", "boundary="};
  uint64_t *const fields[] = {&limits->align, &limits->max, &limits->boundary};
  for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
    const size_t n = strlen(names[i]);
    if (strncmp(word, names[i], n) == 0) return read_frames(word + n, fields[i]);
  }
  return false;
}

static bool read_node(const char *word, uint32_t *flags) {
  uint64_t node;
  if (strncmp(word, "node=", 5) != 0 || string_to_u64(word + 5, strlen(word + 5), false, &node) != OK) return false;
  *flags = NODE(node) | NODE_EXACT;
  return true;
}

bool shell_read_request(size_t count, const char *const *words, struct shell_request *out) {
  *out = (struct shell_request){};
  if (count < 2 || !read_count(words[1], &out->count)) {
    shell_complain("%s is no count of frames and no size.  Try: %s 512, %s 2M align=2M below=4G",
                   count < 2 ? "That" : words[1], words[0], words[0]);
    return false;
  }
  for (size_t i = 2; i < count; i++) {
    if (read_limit(words[i], &out->limits) || read_node(words[i], &out->flags)) continue;
    if (strncmp(words[i], "moves=", 6) == 0 && string_to_u64(words[i] + 6, strlen(words[i] + 6), false, &out->moves) == OK)
      continue;
    shell_complain(
        "%s is no limit: align=, below= and boundary= take whole frames, such as 64K or 4G; node= and moves= a number.",
        words[i]);
    return false;
  }
  return true;
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
  shell_complain("There is no such node: %u are there.", nodes_count(memory_nodes()));
  return true;
}

static void explain(const struct shell_request *r, status_t status) {
  char wanted[12];
  format_size(wanted, r->count > UINT64_MAX / FRAME_SIZE ? UINT64_MAX : r->count * FRAME_SIZE);
  if (status == ERR_INVALID) {
    shell_complain("That cannot be: align= and boundary= are powers of two, and a run of %s must fit in a boundary.",
                   wanted);
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

void shell_free(size_t count, const char *const *words) {
  uint64_t address;
  if (count == 2 && strcmp(words[1], "all") == 0) {
    for (size_t i = 0; i < RUNS_MAX; i++)
      if (runs[i].count != 0) give_back(&runs[i]);
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
