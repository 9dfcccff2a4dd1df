/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_bad.c — frames break while the machine runs.
 *
 * What breaks stays broken, so these tests cost some frames for good: they run on machines that end with them (test.exit).
 */
#include "kernel/broken.h"
#include "kernel/debug/jumble.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/movers.h"
#include "kernel/options.h"
#include "lib/string.h"
#include "mm/bad.h"

#define JUMBLE 2000

static enum frame_state state_of(uint64_t frame) {
  struct pmm_story story;
  nodes_describe(memory_nodes(), paddr_of_pfn(pfn(frame)), &story);
  return story.state;
}

static status_t report(uint64_t frame, enum bad_outcome *outcome) {
  return bad_report(memory_nodes(), movers_contig(nodes_node_of(memory_nodes(), frame)), pfn(frame), outcome);
}

KTEST(P12, a_broken_frame_that_can_move_moves_with_its_bytes) {
  struct jumble_state before, after;
  enum bad_outcome outcome = BAD_RETIRED;
  const uint64_t condemned = bad_condemned(memory_nodes()); /* By badmem=. */
  if (!options->test_exit) {
    ktest_skip("costs a frame for good: only with test.exit");
    return;
  }
  KTEST_EXPECT(jumble_make(JUMBLE, 12) == OK);
  jumble_look(&before);
  jumble_pin(before.low);
  KTEST_EXPECT(report(before.high - 1, &outcome) == OK && outcome == BAD_CONDEMNED);
  jumble_pin(UINT64_MAX);
  KTEST_EXPECT(report(before.low, &outcome) == OK && outcome == BAD_MOVED);
  KTEST_EXPECT(state_of(before.low) == FRAME_BAD);
  jumble_look(&after);
  KTEST_EXPECT(after.frames == before.frames && after.intact == after.frames && after.moves == 1);
  ktest_note("frames=%llu intact=%llu moved=%llu condemned=%llu", (unsigned long long)after.frames,
             (unsigned long long)after.intact, (unsigned long long)after.moves,
             (unsigned long long)bad_condemned(memory_nodes()));
  jumble_clear();
  KTEST_EXPECT(state_of(before.high - 1) == FRAME_BAD);
  KTEST_EXPECT(bad_condemned(memory_nodes()) == condemned);
}

static void stay_silent(void *context, enum frame_owner owner, pfn_t frame) {
  (void)context;
  (void)owner;
  (void)frame;
}

KTEST(P12, somebody_answers_for_every_owner_of_broken_frames) {
  unsigned owners = 0;
  for (unsigned o = FRAME_OWNER_FIRST_OURS; o < FRAME_OWNER_COUNT; o++, owners++) {
    const char *text = broken_advice((enum frame_owner)o);
    KTEST_EXPECT(bad_listen(memory_nodes(), (enum frame_owner)o, stay_silent, NULL) == ERR_EXISTS);
    KTEST_EXPECT(text[0] != '\0' && text[strlen(text) - 1] == '.');
  }
  ktest_note("owners=%u", owners);
}

KTEST(P12, a_broken_frame_in_the_stock_of_zeros_leaves_it) {
  struct nodes *n = memory_nodes();
  enum bad_outcome outcome = BAD_CONDEMNED;
  pfn_t frame;
  if (!options->test_exit) {
    ktest_skip("costs a frame for good: only with test.exit");
    return;
  }
  /* What comes out of the stock is what goes into it: the frame that was freed last is taken first. */
  KTEST_EXPECT(nodes_alloc_frame(n, FRAME_OWNER_TEST, 0, &frame) == OK);
  KTEST_EXPECT(nodes_free_frame(n, FRAME_OWNER_TEST, frame) == OK);
  while (nodes_idle(n)) {}
  struct pmm_story story;
  nodes_describe(n, paddr_of_pfn(frame), &story);
  const enum frame_owner owner = story.owner;
  KTEST_EXPECT(report(frame.raw, &outcome) == OK && outcome == BAD_RETIRED);
  KTEST_EXPECT(state_of(frame.raw) == FRAME_BAD);
  ktest_note("was=%s", owner == FRAME_OWNER_ZEROED ? "in-stock" : "free");
}
