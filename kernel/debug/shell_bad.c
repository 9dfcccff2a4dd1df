/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_bad.c — `bad`: a frame is broken, says somebody who knows; and which ones wait for their owners.
 */
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

static void list(void) {
  uint64_t frames[NODES_CONDEMNED_MAX];
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  const size_t count = bad_condemned(memory_nodes(), frames, NODES_CONDEMNED_MAX);
  console_printf(" %llu frames are out of service, %u condemned ones are still in use\n",
                 (unsigned long long)l.frames[FRAME_OWNER_BAD], (unsigned)count);
  for (size_t i = 0; i < count; i++)
    console_printf(" 0x%llx  %s\n", (unsigned long long)frames[i] * FRAME_SIZE, frame_owner_name(owner_of(frames[i])));
}

static void explain(uint64_t address, status_t status) {
  if (status == ERR_RANGE)
    shell_complain("At 0x%llx is no memory of ours; `why` says what is.", (unsigned long long)address);
  else if (status == ERR_EXISTS)
    shell_complain("That is known already.");
  else if (status == ERR_FULL)
    shell_complain("%u condemned frames are in use: no more can be remembered.", NODES_CONDEMNED_MAX);
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
  if (count > 2 || string_to_u64(words[1], strlen(words[1]), false, &address) != OK) {
    shell_complain("bad takes one physical address, with 0x.");
    return;
  }
  const enum frame_owner owner = owner_of(address / FRAME_SIZE);
  struct contig *contig = movers_contig(nodes_node_of(memory_nodes(), address / FRAME_SIZE));
  const status_t s = bad_report(memory_nodes(), contig, pfn(address / FRAME_SIZE), &outcome);
  if (s != OK)
    explain(address, s);
  else if (outcome == BAD_CONDEMNED)
    console_printf(" in use: %s.  It leaves service when that frees it.\n", frame_owner_name(owner));
  else
    console_printf(outcome == BAD_MOVED ? " moved away: out of service\n" : " it was free: out of service\n");
}
