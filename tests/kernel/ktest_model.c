/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_model.c — the model test of the host (tests/unit/mm/phys/pmm_model_test.c) in the booted kernel: the
 * same machine, the same operations, from the seed that the option `model` gives.
 *
 * The allocator under test is one of its own over memory that is not there: only its bitmaps and bytes are.
 */
#include "kernel/console.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/ledger.h"
#include "mm/physmap.h"
#include "tests/kernel/model.h"

#define METADATA_SIZE (UINT64_C(1) << 20)
#define SHOWN         40

struct board {
  void *metadata;
  uint8_t *hot;
  struct pmm *pmm;
};

static struct pmm *build(void *context, const struct boot_region *regions, size_t count, status_t *status) {
  struct board *b = context;
  *status = ERR_NO_MEMORY;
  b->pmm = nullptr;
  if (pmm_metadata_size(regions, count) > METADATA_SIZE) return nullptr;
  memset(b->hot, 0, MODEL_FRAME_END);
  memset(b->metadata, 0, METADATA_SIZE);
  *status = pmm_create(b->metadata, (struct frame_records){.hot = b->hot}, regions, count, nullptr, 0, &b->pmm);
  return *status == OK ? b->pmm : nullptr;
}

static bool is_sound(void *context, char *why, size_t size) {
  const struct board *b = context;
  struct mm_check_report report;
  struct ledger l;
  ledger_read(b->pmm, &l);
  bool is_content = mm_check(b->pmm, 0, &report);
  format_string(why, size, "%s; ledger %llu of %llu", report.text, (unsigned long long)l.sum, (unsigned long long)l.total);
  return is_content && ledger_balances(&l);
}

static void show_shrunk(struct model *m) {
  char text[200];
  unsigned shown = 0;
  uint32_t left = model_shrink(m);
  console_printf("[T] # seed %#llx, %u operations are enough: %s\n", (unsigned long long)m->seed, left, m->wrong);
  for (uint32_t i = 0; i < m->op_count && shown < SHOWN; i++) {
    if (m->ops[i].is_left_out) continue;
    shown++;
    model_op_text(m, i, text, sizeof text);
    console_printf("[T] #   %s\n", text);
  }
}

static void *take(uint64_t size, pfn_t *first) {
  status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, size / FRAME_SIZE, nullptr, first);
  return s == OK ? physmap_at(paddr(first->raw * FRAME_SIZE)) : nullptr;
}

static void run(struct board *b, uint8_t *memory, struct model_op *ops) {
  struct model m = {.build = build, .is_sound = is_sound, .context = b, .memory = memory, .ops = ops};
  klog_set_level(KLOG_ERROR); /* Refusals are what is tested. */
  bool is_well = model_begin(&m, options->model) && model_run(&m, m.is_huge ? 1000 : MODEL_OPS_MAX) && model_compare(&m);
  if (!is_well && m.wrong[0] != '\0') {
    KTEST_EXPECT(m.wrong[0] == '\0');
    show_shrunk(&m);
  }
  klog_set_level((enum klog_level)options->log);
  ktest_note("seed=%#llx operations=%llu frames=%llu runs=%llu freed=%llu refused=%llu compared=%llu",
             (unsigned long long)m.seed, (unsigned long long)m.tally.ops, (unsigned long long)m.tally.frames,
             (unsigned long long)m.tally.runs, (unsigned long long)m.tally.freed, (unsigned long long)m.tally.refused,
             (unsigned long long)m.tally.checks);
}

KTEST(P1, random_operations_agree_with_the_model) {
  const uint64_t sizes[] = {METADATA_SIZE, MODEL_FRAME_END, MODEL_FRAMES_MAX,
                            (MODEL_OPS_MAX * sizeof(struct model_op) + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE};
  void *at[4];
  pfn_t first[4];
  unsigned taken = 0;
  while (taken < 4 && (at[taken] = take(sizes[taken], &first[taken]))) taken++;
  struct board b = {.metadata = at[0], .hot = at[1]};
  if (taken == 4)
    run(&b, at[2], at[3]);
  else
    ktest_skip("there are not 4 MiB in runs");
  while (taken-- > 0) {
    KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, first[taken], sizes[taken] / FRAME_SIZE) == OK);
  }
}
