/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The allocator against a model (tests/kernel/model.h): all sizes, limits and owners mixed, legal and illegal, from several
 * slots; on machines whose RAM lies across the borders of all tiers.
 *
 * Built twice: under the sanitizers with a share of the operations and mm_check after every step; at -O2 with ten million,
 * compared every so often.  A failure prints the machine's
 * seed, the shortest list of operations that still fails, and the command line with which QEMU does the very same steps.
 * CAIRN_SEED runs from that seed on, CAIRN_OPS says how many operations; `make model` runs one machine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "mm/ledger.h"
#include "model_host.h"

#if __has_feature(address_sanitizer)
#define OPS              200000
#define CHECKS_EACH_STEP true
#else
#define OPS              10000000
#define CHECKS_EACH_STEP false
#endif

static void say(const char *line) { printf("# %s\n", line); }

/* Runs a machine again, alone, and says all there is to be said about it. */
static void tell(struct model_host *host) {
  char *line = malloc(MODEL_LINE_MAX);
  assert_non_null(line);
  const struct model_wish wish = {.seed = host->m.seed, .machines = 1, .planted = host->planted};
  (void)!model_tell(&host->m, &wish, line, say);
  free(line);
}

static void random_operations_agree_with_the_model(void **state) {
  (void)state;
  const char *wanted = getenv("CAIRN_OPS");
  uint64_t ops = wanted ? strtoull(wanted, NULL, 0) : OPS, machines = 0, seed = seed_of_run();
  static struct model_host host;
  model_host_init(&host);
  host.checks_each_step = CHECKS_EACH_STEP;
  struct model *m = &host.m;
  for (; m->tally.ops < ops; machines++) {
    bool is_well = model_begin(m, seed + machines);
    if (is_well) is_well = model_run(m, m->is_huge ? MODEL_OPS_HUGE : MODEL_OPS_MAX);
    if (is_well || m->wrong[0] == '\0') continue;
    tell(&host);
    fail_msg("seed %#llx", (unsigned long long)m->seed);
  }
  const struct model_tally *t = &m->tally;
  printf("# operations: %llu on %llu machines: %llu frames, %llu runs, %llu runs and %llu frames that did not exist, "
         "%llu freed, %llu given, %llu refused, all of it compared %llu times, summaries checked after %llu steps\n",
         (unsigned long long)t->ops, (unsigned long long)machines, (unsigned long long)t->frames,
         (unsigned long long)t->runs, (unsigned long long)t->no_run, (unsigned long long)t->no_frame,
         (unsigned long long)t->freed, (unsigned long long)t->given, (unsigned long long)t->refused,
         (unsigned long long)t->checks, (unsigned long long)host.checks);
  model_host_fini(&host);
}

/* Takes a frame behind the model's back. */
static void steal(void *context, struct pmm *p) {
  pfn_t stolen;
  (void)context;
  (void)!pmm_alloc_frame(p, FRAME_OWNER_TEST, 0, &stolen);
}

/* A first machine of single frames too, on which something planted is found late. */
static void begin_with_mistake(struct model_host *host, uint64_t seed) {
  model_host_init(host);
  host->m.plant = steal;
  for (;; seed++) {
    if (!model_begin(&host->m, seed) || host->m.is_huge) continue;
    assert_false(model_run(&host->m, 2000));
    if (host->m.op_count >= 60) return;
  }
}

/* Somebody steals at the fifth gift: five operations show it. */
static void a_list_that_fails_is_shrunk_to_what_matters(void **state) {
  (void)state;
  static struct model_host host;
  begin_with_mistake(&host, 1);
  uint32_t left = model_shrink(&host.m);
  assert_int_equal(left, MODEL_BREAKS_AT);
  assert_true(host.m.wrong[0] != '\0');
  host.m.plant = NULL;
  assert_true(model_replay(&host.m)); /* It was the theft and nothing else. */
  model_host_fini(&host);
}

/* From nothing but the seed and the numbers, after other machines, the same steps fail at the same one, in the same words.
 */
static void the_numbers_of_its_steps_are_enough_to_run_a_list_again(void **state) {
  (void)state;
  static struct model_host host;
  begin_with_mistake(&host, 20);
  struct model *m = &host.m;
  const uint64_t seed = m->seed;
  struct model_range kept[MODEL_BREAKS_AT] = {0};
  size_t count = 0;
  assert_int_equal(model_shrink(m), MODEL_BREAKS_AT);
  for (uint32_t i = 0; i < m->op_count && count < MODEL_BREAKS_AT; i++) {
    if (!m->ops[i].is_left_out) kept[count++] = (struct model_range){i, i};
  }
  struct model before = *m;
  for (uint64_t other = 1; other < 4; other++) (void)(model_begin(m, other) && model_run(m, 100));
  assert_true(model_begin(m, seed) && model_prepare(m, kept[MODEL_BREAKS_AT - 1].last + 1));
  model_keep(m, kept, count);
  assert_false(model_replay(m));
  assert_string_equal(m->wrong, before.wrong);
  assert_int_equal(m->trail, before.trail);
  model_host_fini(&host);
}

/* A count that is one too high harms nobody until somebody adds up: the step that did it is named, not a later one. */
static void with_a_check_after_every_step_the_step_that_did_it_fails(void **state) {
  (void)state;
  static struct model_host host;
  model_host_init(&host);
  host.planted = "counter";
  host.checks_each_step = true;
  struct model *m = &host.m;
  uint64_t seed = 1;
  while (!model_begin(m, seed) || m->is_huge || model_run(m, 2000)) seed++;
  assert_int_equal(m->gifts, MODEL_BREAKS_AT);
  assert_int_equal(m->ops[m->now].kind, MODEL_GIVE);
  assert_non_null(strstr(m->wrong, "INV-5"));
  model_host_fini(&host);
}

/* What ends the kernel is found, named and shrunk as everything else. */
static void a_panic_is_a_step_that_fails(void **state) {
  (void)state;
  static struct model_host host;
  model_host_init(&host);
  host.planted = "bitmap";
  struct model *m = &host.m;
  bool has_panicked = false;
  for (uint64_t seed = 1; seed < 200 && !has_panicked; seed++) {
    if (!model_begin(m, seed) || m->is_huge || model_run(m, 2000)) continue;
    has_panicked = strstr(m->wrong, "CHECK") || strstr(m->wrong, "INV-3: block");
  }
  assert_true(has_panicked);
  char words[sizeof m->wrong];
  snprintf(words, sizeof words, "%s", m->wrong);
  assert_true(model_shrink(m) >= MODEL_BREAKS_AT);
  assert_true(m->wrong[0] != '\0');
  model_host_fini(&host);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_list_that_fails_is_shrunk_to_what_matters),
      cmocka_unit_test(the_numbers_of_its_steps_are_enough_to_run_a_list_again),
      cmocka_unit_test(with_a_check_after_every_step_the_step_that_did_it_fails),
      cmocka_unit_test(a_panic_is_a_step_that_fails),
      cmocka_unit_test(random_operations_agree_with_the_model),
  };
  return cmocka_run_group_tests_name("mm/phys/pmm_model", tests, NULL, NULL);
}
