/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/model_host.c — see model_host.h. */
#include "model_host.h"

#include <setjmp.h>
#include <stdlib.h>

#include "mm/check.h"
#include "platform.h"
#include "slots.h"

#define CHECKED_HUGE 64 /* Of so many steps on GiBs one is checked. */

static struct pmm *build(void *context, const struct boot_region *regions, size_t count, uint32_t slots, status_t *status) {
  struct model_host *host = context;
  hosted_destroy(&host->h);
  slots_play_count(slots);
  host->h = hosted_create(regions, count, NULL, 0);
  slots_play_count(0);
  *status = host->h.status;
  return host->h.pmm;
}

static void enter(void *context, uint32_t slot) {
  (void)context;
  slots_play(slot);
}
static void leave(void *context) {
  (void)context;
  slots_play(0);
}

/* All summaries worked out anew; looking changes nothing, so the steps are the same with it and without. */
static bool is_sound(struct model *m) {
  struct mm_check_report report;
  return mm_check(m->pmm, 0, &report) || model_wrong(m, "%s", report.text);
}

static bool around(void *context, struct model *m, uint32_t number) {
  struct model_host *host = context;
  jmp_buf back;
  if (setjmp(back) != 0) return model_wrong(m, "%s", fake_platform_last_words());
  fake_platform_catch(&back);
  bool is_well = model_step(m, number);
  if (is_well && host->checks_each_step && (!m->is_huge || number % CHECKED_HUGE == 0)) {
    is_well = is_sound(m);
    host->checks++;
  }
  fake_platform_catch(NULL);
  return is_well;
}

static void plant(void *context, struct pmm *p) {
  const struct model_host *host = context;
  if (host->planted) (void)!mm_check_break(p, host->planted);
}

void model_host_init(struct model_host *host) {
  *host = (struct model_host){.m = {.build = build,
                                    .enter = enter,
                                    .leave = leave,
                                    .around = around,
                                    .plant = plant,
                                    .context = host,
                                    .memory = malloc(MODEL_FRAMES_MAX),
                                    .ops = calloc(MODEL_OPS_MAX, sizeof(struct model_op))}};
  if (!host->m.memory || !host->m.ops) abort();
}

void model_host_fini(struct model_host *host) {
  hosted_destroy(&host->h);
  free(host->m.memory);
  free(host->m.ops);
}
