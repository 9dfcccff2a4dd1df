/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator against a model (tests/kernel/model.h): all sizes, limits and owners mixed, legal and illegal, from several
 * slots; on machines whose RAM lies across the borders of all tiers.
 *
 * Built twice: under the sanitizers with a share of the operations, at -O2 with ten million.  A failure prints the seed and
 * the shortest list of operations that still fails.  CAIRN_SEED replays, CAIRN_OPS says how many, and the kernel runs the
 * same with `test=P1 model=<seed>`, on one CPU: CAIRN_ONE_SLOT=1 comes close to that here.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hosted.h"
#include "slots.h"
#include "tests/kernel/model.h"

#if __has_feature(address_sanitizer)
#define OPS 200000
#else
#define OPS 10000000
#endif

struct host {
  struct hosted h;
  uint32_t slot;
  unsigned leaks_in; /* Operations of slot 2 until one frame is stolen; 0 for never. */
  unsigned left;
};

static struct pmm *build(void *context, const struct boot_region *regions, size_t count, status_t *status) {
  struct host *host = context;
  hosted_destroy(&host->h);
  host->h = hosted_create(regions, count, NULL, 0);
  host->left = host->leaks_in;
  *status = host->h.status;
  return host->h.pmm;
}

static void play_slot(void *context, uint32_t slot) {
  struct host *host = context;
  pfn_t stolen;
  host->slot = slot;
  slots_play(slot);
  if (slot != 2 || host->left == 0) return;
  host->left--;
  if (host->left == 0) (void)!pmm_alloc_frame(host->h.pmm, FRAME_OWNER_TEST, 0, &stolen);
}

static uint64_t digest(void *context) { return hosted_digest(&((struct host *)context)->h); }

static bool is_sound(void *context, char *why, size_t size) {
  const struct host *host = context;
  struct mm_check_report report;
  struct ledger ledger;
  ledger_read(host->h.pmm, &ledger);
  bool is_content = mm_check(host->h.pmm, 0, &report);
  snprintf(why, size, "%s; ledger %llu of %llu", report.text, (unsigned long long)ledger.sum,
           (unsigned long long)ledger.total);
  return is_content && ledger_balances(&ledger);
}

static struct model model_of(struct host *host) {
  struct model m = {.build = build,
                    .play_slot = getenv("CAIRN_ONE_SLOT") ? NULL : play_slot,
                    .digest = digest,
                    .is_sound = is_sound,
                    .context = host};
  m.memory = malloc(MODEL_FRAMES_MAX);
  m.ops = calloc(MODEL_OPS_MAX, sizeof *m.ops);
  return m;
}

static void model_free(struct model *m, struct host *host) {
  free(m->memory);
  free(m->ops);
  hosted_destroy(&host->h);
}

static void print_shrunk(struct model *m) {
  char text[256];
  printf("# seed %#llx fails: %s\n", (unsigned long long)m->seed, m->wrong);
  uint32_t all = m->op_count, left = model_shrink(m);
  printf("# shrunk from %u operations to %u: %s\n", all, left, m->wrong);
  for (size_t i = 0; i < m->region_count; i++)
    printf("#   frames %#llx to %#llx: %s\n", (unsigned long long)(m->regions[i].start / FRAME_SIZE),
           (unsigned long long)(m->regions[i].end / FRAME_SIZE),
           m->regions[i].kind == BOOT_MEMORY_USABLE ? "usable" : "firmware");
  for (uint32_t i = 0; i < m->op_count; i++) {
    if (m->ops[i].is_left_out) continue;
    model_op_text(m, i, text, sizeof text);
    printf("#   %s\n", text);
  }
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  uint64_t ops = wanted ? strtoull(wanted, NULL, 0) : OPS, machines = 0, seed = seed_of_run();
  struct host host = {0};
  struct model m = model_of(&host);
  for (; m.tally.ops < ops; machines++) {
    bool is_well = model_begin(&m, seed + machines);
    if (is_well) is_well = model_run(&m, m.is_huge ? 1000 : MODEL_OPS_MAX) && model_compare(&m);
    if (is_well || m.wrong[0] == '\0') continue;
    print_shrunk(&m);
    fail_msg("%s", m.wrong);
  }
  const struct model_tally *t = &m.tally;
  printf("# operations: %llu on %llu machines: %llu frames, %llu runs, %llu runs and %llu frames that did not exist, "
         "%llu freed, %llu given, %llu refused, all of it compared %llu times\n",
         (unsigned long long)t->ops, (unsigned long long)machines, (unsigned long long)t->frames,
         (unsigned long long)t->runs, (unsigned long long)t->no_run, (unsigned long long)t->no_frame,
         (unsigned long long)t->freed, (unsigned long long)t->given, (unsigned long long)t->refused,
         (unsigned long long)t->checks);
  model_free(&m, &host);
}

/* Somebody takes a frame behind the model's back whenever slot 2 runs for the fifth time: five operations show it. */
static void a_list_that_fails_is_shrunk_to_what_matters(void **state) {
  (void)state;
  if (getenv("CAIRN_ONE_SLOT")) skip(); /* The thief comes with slot 2. */
  struct host host = {.leaks_in = 5};
  struct model m = model_of(&host);
  for (uint64_t seed = 1;; seed++) {
    if (!model_begin(&m, seed) || m.is_huge) continue;
    if (!model_run(&m, 2000)) break;
    assert_false(model_compare(&m)); /* At the latest. */
    break;
  }
  assert_true(m.op_count >= 60);
  uint32_t left = model_shrink(&m);
  assert_int_equal(left, 5);
  assert_true(m.wrong[0] != '\0');
  host.leaks_in = 0;
  assert_true(model_replay(&m)); /* It was the theft and nothing else. */
  model_free(&m, &host);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_list_that_fails_is_shrunk_to_what_matters),
      cmocka_unit_test(random_operations_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("mm/phys/pmm_model", tests, NULL, NULL);
}
