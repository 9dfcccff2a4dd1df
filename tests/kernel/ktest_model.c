/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_model.c — the model test of the host (tests/unit/mm/phys/pmm_model_test.c) in the booted kernel: the
 * same machines, the same operations, the same answers, from the options model, model.seeds, model.keep and model.break.
 *
 * The allocator under test is one of its own over memory that is not there: only its bitmaps and bytes are.  It has as many
 * slots as the machine says, and this CPU plays each of them in turn, with interrupts masked.
 */
#include "arch/cpu.h"
#include "arch/percpu.h"
#include "kernel/console.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/play.h"
#include "lib/string.h"
#include "mm/check.h"
#include "mm/physmap.h"
#include "tests/kernel/model.h"

#define METADATA_SIZE (UINT64_C(1) << 20)
#define GARBAGE       0xa5

static_assert(OPTION_STEPS_MAX == MODEL_RANGES_MAX);

struct board {
  struct model m;
  uint8_t *metadata, *hot;
  bool were_on; /* Interrupts. */
  struct model_range kept[MODEL_RANGES_MAX];
  char line[MODEL_LINE_MAX];
};

static struct pmm *build(void *context, const struct boot_region *regions, size_t count, uint32_t slots, status_t *status) {
  struct board *b = context;
  struct pmm *p = nullptr;
  *status = ERR_NO_MEMORY;
  platform_play_slots(slots);
  if (pmm_metadata_size(regions, count) <= METADATA_SIZE) {
    memset(b->hot, GARBAGE, MODEL_FRAME_END);
    memset(b->metadata, GARBAGE, METADATA_SIZE);
    *status = pmm_create(b->metadata, (struct frame_records){.hot = b->hot}, regions, count, nullptr, 0, &p);
  }
  platform_play_slots(0);
  return *status == OK ? p : nullptr;
}

static void enter(void *context, uint32_t slot) {
  struct board *b = context;
  b->were_on = arch_irq_save();
  arch_slot_play(slot);
}

static void leave(void *context) {
  const struct board *b = context;
  arch_slot_play(arch_cpu_number());
  arch_irq_restore(b->were_on);
}

/* Into the log before it is done: a panic shows the last records. */
static bool around(void *context, struct model *m, uint32_t number) {
  char text[200] = "the end";
  (void)context;
  if (number < m->op_count) {
    if (m->ops[number].is_left_out) return model_step(m, number);
    model_op_text(m, number, text, sizeof text);
  }
  klog(KLOG_VERBOSE, "model", "%s", text);
  return model_step(m, number);
}

static void plant(void *context, struct pmm *p) {
  (void)context;
  if (options->model_break[0] != '\0' && mm_check_break(p, options->model_break) == ERR_NOT_FOUND)
    klog(KLOG_ERROR, "model", "there is no invariant %s", options->model_break);
}

static void say(const char *line) { console_printf("[T] # %s\n", line); }

static void run(struct board *b, uint8_t *metadata, uint8_t *hot, uint8_t *memory, struct model_op *ops) {
  const struct option_steps *keep = &options->model_keep;
  const struct model_wish wish = {.seed = options->model,
                                  .machines = options->model_seeds,
                                  .kept = b->kept,
                                  .kept_count = keep->count,
                                  .planted = options->model_break};
  b->metadata = metadata;
  b->hot = hot;
  b->m = (struct model){
      .build = build, .enter = enter, .leave = leave, .plant = plant, .context = b, .memory = memory, .ops = ops};
  if (keep->count > 0) b->m.around = around;
  for (uint32_t i = 0; i < keep->count; i++) b->kept[i] = (struct model_range){keep->range[i].first, keep->range[i].last};
  klog_set_level(KLOG_ERROR); /* Refusals are what is tested. */
  const uint64_t machines_that_failed = model_tell(&b->m, &wish, b->line, say);
  klog_set_level((enum klog_level)options->log);
  KTEST_EXPECT(machines_that_failed == 0);
  const struct model_tally *t = &b->m.tally;
  ktest_note("seed=%#llx operations=%llu frames=%llu runs=%llu freed=%llu refused=%llu compared=%llu",
             (unsigned long long)wish.seed, (unsigned long long)t->ops, (unsigned long long)t->frames,
             (unsigned long long)t->runs, (unsigned long long)t->freed, (unsigned long long)t->refused,
             (unsigned long long)t->checks);
}

static void *take(uint64_t size, pfn_t *first) {
  status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, size / FRAME_SIZE, nullptr, first);
  return s == OK ? physmap_at(paddr(first->raw * FRAME_SIZE)) : nullptr;
}

#define WHOLE_FRAMES(size) (((size) + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE)

KTEST(P1, random_operations_agree_with_the_model) {
  const uint64_t sizes[] = {METADATA_SIZE, MODEL_FRAME_END, MODEL_FRAMES_MAX,
                            WHOLE_FRAMES(MODEL_OPS_MAX * sizeof(struct model_op)), WHOLE_FRAMES(sizeof(struct board))};
  void *at[5];
  pfn_t first[5];
  unsigned taken = 0;
  while (taken < 5 && (at[taken] = take(sizes[taken], &first[taken]))) taken++;
  if (taken == 5)
    run(at[4], at[0], at[1], at[2], at[3]);
  else
    ktest_skip("there are not 4 MiB in runs");
  while (taken-- > 0) {
    KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, first[taken], sizes[taken] / FRAME_SIZE) == OK);
  }
}
