/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_bad.c — `bad`: a frame is broken, says somebody who knows; and which ones wait for their owners.
 */
#include "base/bits.h"
#include "kernel/broken.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "lib/string.h"
#include "mm/bad.h"

static enum frame_owner owner_of(uint64_t frame) {
  struct pmm_story story;
  nodes_describe(memory_nodes(), paddr_of_pfn(pfn(frame)), &story);
  return story.owner;
}

/* What of a range of condemned frames is in use by one owner. */
struct listing {
  struct bad_range ranges[NODES_CONDEMNED_MAX];
  size_t count;
};

static bool list_range(void *context, const struct pmm_range *range) {
  const struct listing *l = context;
  for (size_t i = 0; range->state == FRAME_ALLOCATED && i < l->count; i++) {
    const uint64_t start = bits_max(range->start, l->ranges[i].start), end = bits_min(range->end, l->ranges[i].end);
    if (start < end)
      console_printf(" 0x%llx-0x%llx  %s\n", (unsigned long long)start * FRAME_SIZE,
                     (unsigned long long)end * FRAME_SIZE - 1, frame_owner_name(range->owner));
  }
  return true;
}

static void list(void) {
  static struct listing listing;
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  listing.count = bad_ranges(memory_nodes(), listing.ranges, NODES_CONDEMNED_MAX);
  const uint64_t condemned = bad_condemned(memory_nodes()), out = l.frames[FRAME_OWNER_BAD];
  console_printf(" %llu frame%s out of service, %llu condemned one%s still in use\n", (unsigned long long)out,
                 out == 1 ? " is" : "s are", (unsigned long long)condemned, condemned == 1 ? " is" : "s are");
  if (listing.count > 0) nodes_visit(memory_nodes(), NODES_ALL, list_range, &listing);
}

static void explain(uint64_t address, status_t status) {
  if (status == ERR_RANGE)
    shell_complain("At 0x%llx is no memory of ours; `why` says what is.", (unsigned long long)address);
  else if (status == ERR_EXISTS)
    shell_complain("That is known already.");
  else if (status == ERR_FULL)
    shell_complain("Condemned frames are in use in %u places: no more can be remembered.", NODES_CONDEMNED_MAX);
  else
    shell_complain("%s", status_name(status));
}

void shell_bad(size_t count, const char *const *words) {
  enum bad_outcome outcome;
  uint64_t address;
  if (count < 2) {
    list();
    return;
  }
  /* It cannot be taken back, and `why` reads bare digits as hexadecimal: no other number is taken for an address. */
  const bool is_hexadecimal = words[1][0] == '0' && (words[1][1] | 0x20) == 'x';
  if (count > 2 || !is_hexadecimal || string_to_u64(words[1], strlen(words[1]), false, &address) != OK) {
    shell_complain("bad takes one physical address, with 0x.");
    return;
  }
  const enum frame_owner owner = owner_of(address / FRAME_SIZE);
  struct contig *contig = movers_contig(nodes_node_of(memory_nodes(), address / FRAME_SIZE));
  const status_t s = bad_report(memory_nodes(), contig, pfn(address / FRAME_SIZE), &outcome);
  if (s != OK)
    explain(address, s);
  else if (outcome == BAD_CONDEMNED)
    console_printf(" in use: %s.  %s\n", frame_owner_name(owner), broken_advice(owner));
  else
    console_printf(outcome == BAD_MOVED ? " moved away: out of service\n" : " it was free: out of service\n");
}
