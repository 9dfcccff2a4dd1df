/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/interleave/pmm_world.c — see pmm_world.h. */
#include "pmm_world.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "mm/phys/instance.h"
#include "platform.h"

#define OWNER     FRAME_OWNER_TEST
#define SCHEDULES 500

/* Half of it in one section of 32 MiB, half in the next; of GiB, from one on. */
void world_begin(struct world *w, uint64_t frames) {
  *w = (struct world){.frames = frames};
  w->first = frames < 1 << 18 ? 8192 - frames / 2 : 1 << 18;
  w->region = (struct boot_region){.start = w->first * FRAME_SIZE,
                                   .end = (w->first + frames) * FRAME_SIZE,
                                   .kind = BOOT_MEMORY_USABLE,
                                   .firmware_type = 7,
                                   .attributes = 0xf};
  w->h = hosted_create(&w->region, 1, NULL, 0);
  assert_int_equal(w->h.status, OK);
  w->metadata = malloc(w->h.metadata_size);
  w->ram = fake_platform_make_ram(w->region.end);
  w->records = malloc(frames);
}

void world_end(struct world *w) {
  free(w->metadata);
  free(w->records);
  fake_platform_free_ram(w->ram, w->region.end);
  hosted_destroy(&w->h);
}

static uint8_t *hot(const struct world *w) {
  return pmm_records_at(w->h.records, w->h.records_size / PMM_RECORD_SIZE).hot + w->first;
}

/* --- states ----------------------------------------------------------------------------------------------------------- */

static status_t alloc(struct world *w, uint64_t count, pfn_t *first) {
  const struct frame_limits aligned = {.align = count};
  bool is_group = count == 4 || count == 512 || count == 1 << 18;
  if (count == 1) return pmm_alloc_frame(w->h.pmm, OWNER, 0, first);
  return pmm_alloc_run(w->h.pmm, OWNER, 0, count, is_group ? &aligned : NULL, first);
}

void world_take_all(struct world *w) {
  pfn_t frame;
  while (pmm_alloc_frame(w->h.pmm, OWNER, 0, &frame) == OK) continue;
}

void world_alloc(struct world *w, uint32_t slot, uint64_t count) {
  pfn_t first;
  slots_play(slot);
  assert_int_equal(alloc(w, count, &first), OK);
  w->last = (struct run){first.raw, count};
}

void world_refuse(struct world *w, uint32_t slot, uint64_t count) {
  pfn_t first;
  slots_play(slot);
  assert_int_equal(alloc(w, count, &first), ERR_NO_MEMORY);
}

void world_free(struct world *w, uint64_t first, uint64_t count) {
  tier_join(&w->h.pmm->tier, first, count); /* Whatever it was handed out as. */
  assert_int_equal(pmm_free_run(w->h.pmm, OWNER, pfn(first), count), OK);
}

void world_keep(struct world *w, uint64_t first, uint64_t count) { w->kept[w->kept_count++] = (struct run){first, count}; }
void world_keep_last(struct world *w) { w->kept[w->kept_count++] = w->last; }

/* --- the frame that moves --------------------------------------------------------------------------------------------- */

static status_t hold(void *context, pfn_t frame) {
  struct world *w = context;
  if (w->movable != frame.raw) return ERR_STATE;
  w->is_held = true;
  return OK;
}

static void move(void *context, pfn_t from, pfn_t to) {
  struct world *w = context;
  if (!w->is_held || w->movable != from.raw)
    interleave_fail("frame %#llx moves and was not held", (unsigned long long)from.raw);
  w->movable = to.raw;
  w->is_held = false;
}

static void release(void *context, pfn_t frame) {
  struct world *w = context;
  if (!w->is_held || w->movable != frame.raw)
    interleave_fail("frame %#llx is let go and was not held", (unsigned long long)frame.raw);
  w->is_held = false;
}

void world_alloc_movable(struct world *w, uint64_t frame) {
  static struct frame_mover mover;
  const struct frame_limits exactly = {.min = frame, .max = frame + 1};
  pfn_t got;
  mover = (struct frame_mover){hold, move, release, w};
  contig_init(&w->contig, w->h.pmm);
  assert_int_equal(contig_mover_set(&w->contig, FRAME_OWNER_USER, &mover), OK);
  assert_int_equal(pmm_alloc_run(w->h.pmm, FRAME_OWNER_USER, PMM_MOVABLE, 1, &exactly, &got), OK);
  w->movable = frame;
}

void world_quote(struct world *w, uint64_t first, uint64_t count) {
  const struct frame_limits exactly = {.min = first, .max = first + count};
  assert_int_equal(contig_quote(&w->contig, count, &exactly, &w->quote), OK);
  assert_int_equal(w->quote.moves, 1);
}

static uint64_t free_frames(const struct world *w) {
  struct ledger l;
  ledger_read(w->h.pmm, &l);
  return ledger_balances(&l) ? l.frames[FRAME_OWNER_FREE] : UINT64_MAX;
}

/* --- one order -------------------------------------------------------------------------------------------------------- */

static void put_back(void *context) {
  struct world *w = context;
  memcpy(w->h.metadata, w->metadata, w->h.metadata_size);
  memcpy(hot(w), w->records, w->frames);
  memset(w->did, 0, sizeof w->did);
  w->contig = w->contig_fresh;
  w->movable = w->movable_fresh;
  w->is_held = false;
  slots_play(SETUP_SLOT);
}

static void run_op(struct world *w, unsigned self, unsigned i) {
  const struct op *o = &w->scenario->ops[self][i];
  const struct run *kept = &w->kept[o->kept];
  pfn_t first = pfn(0);
  status_t s;
  switch (o->kind) {
  case OP_ALLOC:
    s = alloc(w, o->count, &first);
    if (s == OK) w->did[self].taken[i] = (struct run){first.raw, o->count};
    if (s == OK) w->did[self].met++;
    if (s != OK && s != ERR_NO_MEMORY) interleave_fail("to allocate %llu: %s", (unsigned long long)o->count, status_name(s));
    return;
  case OP_FREE:
    s = pmm_free_run(w->h.pmm, OWNER, pfn(kept->first), kept->count);
    if (s != OK) interleave_fail("to free %#llx: %s", (unsigned long long)kept->first, status_name(s));
    w->did[self].freed += kept->count;
    return;
  case OP_GIVE:
    s = pmm_give_run(w->h.pmm, OWNER, FRAME_OWNER_KERNEL, pfn(kept->first), kept->count);
    break;
  case OP_RETIRE:
    s = pmm_retire_frame(w->h.pmm, OWNER, pfn(kept->first));
    break;
  case OP_COMMIT:
    s = contig_commit(&w->contig, &w->quote, OWNER, &first);
    if (s == OK) w->did[self].taken[i] = (struct run){first.raw, w->quote.count};
    if (s == OK) w->did[self].met++;
    if (s != OK && s != ERR_BUSY && s != ERR_NO_MEMORY && s != ERR_STATE) interleave_fail("to commit: %s", status_name(s));
    return;
  case OP_FREE_MOVABLE:
    if (w->is_held) return; /* Its owner has promised to wait. */
    first = pfn(w->movable);
    w->movable = 0;
    s = pmm_free_frame(w->h.pmm, FRAME_OWNER_USER, first);
    w->did[self].freed++;
    break;
  case OP_MISTAKE:
    s = pmm_free_frame(w->h.pmm, FRAME_OWNER_KERNEL, pfn(kept->first));
    if (s != ERR_STATE && s != ERR_OWNER)
      interleave_fail("to free %#llx, which is not the kernel's: %s", (unsigned long long)kept->first, status_name(s));
    return;
  case OP_DRAIN:
    pmm_drain(w->h.pmm);
    return;
  default:
    return;
  }
  if (s != OK) interleave_fail("operation %u of thread %u: %s", i, self, status_name(s));
}

static void thread(void *context, unsigned self) {
  for (unsigned i = 0; i < OPS_MAX; i++) run_op(context, self, i);
}

static bool must(bool is_so, const char *what) {
  if (!is_so) interleave_fail("%s", what);
  return is_so;
}

/* No frame that was handed out was anybody's, or is somebody else's now. */
static void judge_hands(const struct world *w) {
  const struct run *all[INTERLEAVE_THREADS_MAX * OPS_MAX];
  unsigned n = 0;
  for (unsigned t = 0; t < INTERLEAVE_THREADS_MAX; t++) {
    for (unsigned i = 0; i < OPS_MAX; i++) {
      if (w->did[t].taken[i].count > 0) all[n++] = &w->did[t].taken[i];
    }
  }
  for (unsigned i = 0; i < n; i++) {
    for (unsigned j = 0; j < i; j++) {
      bool is_apart = all[i]->first + all[i]->count <= all[j]->first || all[j]->first + all[j]->count <= all[i]->first;
      if (!is_apart) interleave_fail("frame %#llx is in two hands", (unsigned long long)all[i]->first);
    }
    struct pmm_story story;
    pmm_describe(w->h.pmm, paddr_of_pfn(pfn(all[i]->first)), &story);
    if (story.owner != OWNER)
      interleave_fail("frame %#llx was handed out and is %s's", (unsigned long long)all[i]->first,
                      frame_owner_name(story.owner));
  }
}

static void judge_state(const struct world *w, uint64_t expected, const char *when) {
  struct mm_check_report report;
  uint64_t is = free_frames(w);
  if (is != expected)
    interleave_fail("%s: %llu frames are free, not %llu", when, (unsigned long long)is, (unsigned long long)expected);
  if (!mm_check(w->h.pmm, 0, &report)) interleave_fail("%s: %s", when, report.text);
  must(w->h.pmm->breaking == w->h.pmm->told, "somebody has broken a block and not told");
}

static bool judge(void *context) {
  static uint64_t calls;
  struct world *w = context;
  uint64_t expected = w->free_frames;
  unsigned met = 0;
  for (unsigned t = 0; t < INTERLEAVE_THREADS_MAX; t++) {
    for (unsigned i = 0; i < OPS_MAX; i++) expected -= w->did[t].taken[i].count;
    expected += w->did[t].freed;
    met += w->did[t].met;
  }
  judge_hands(w);
  if (w->movable != 0) {
    struct pmm_story story;
    pmm_describe(w->h.pmm, paddr_of_pfn(pfn(w->movable)), &story);
    must(story.owner == FRAME_OWNER_USER && story.is_movable && !w->is_held,
         "the frame that moves is not where its owner thinks");
  }
  if (met < w->scenario->met) interleave_fail("%u requests were met, not %u", met, w->scenario->met);
  judge_state(w, expected, "afterwards");
  pmm_drain(w->h.pmm);
  if (calls++ % 4 == 0) judge_state(w, expected, "with everything at home");
  must(free_frames(w) == expected, "the ledger is another when everything is at home");
  if (w->scenario->whole_left > 0) {
    pfn_t first;
    must(alloc(w, w->scenario->whole_left, &first) == OK, "the block is not whole");
  }
  return true;
}

/* --- all orders ------------------------------------------------------------------------------------------------------- */

static unsigned threads_of(const struct scenario *s) {
  unsigned n = INTERLEAVE_THREADS_MAX;
  while (s->ops[n - 1][0].kind == OP_NONE) n--;
  return n;
}

static struct interleave program_of(struct world *w, const struct scenario *s) {
  static struct pmm *fresh;
  hosted_destroy(&w->h);
  w->h = hosted_create(&w->region, 1, NULL, 0);
  fresh = w->h.pmm;
  w->kept_count = 0;
  w->movable = 0;
  w->scenario = s;
  s->begin(w);
  w->free_frames = free_frames(w);
  w->contig_fresh = w->contig;
  w->movable_fresh = w->movable;
  memcpy(w->metadata, w->h.metadata, w->h.metadata_size);
  memcpy(w->records, hot(w), w->frames);
  interleave_forget();
  interleave_watch(fresh, w->h.metadata_size, "metadata");
  interleave_watch(hot(w), w->frames, "bytes");
  return (struct interleave){
      .name = s->name, .threads = threads_of(s), .begin = put_back, .thread = thread, .end = judge, .context = w};
}

static uint64_t run(struct interleave *p, uint32_t preemptions, bool has_store_buffers, uint64_t max) {
  p->preemptions = preemptions;
  p->has_store_buffers = has_store_buffers;
  p->schedules_max = max;
  struct interleave_result r = interleave_run(p);
  if (!r.is_sound) fail_msg("%s%s: %s", p->name, has_store_buffers ? ", with store buffers" : "", r.wrong);
  return r.schedules;
}

uint64_t world_enumerate(struct world *w, const struct scenario *s, uint64_t all_max, uint32_t preemptions) {
  const char *wanted = getenv("CAIRN_SCHEDULES");
  struct interleave p = program_of(w, s);
  uint64_t n = run(&p, INTERLEAVE_ALL, false, all_max) + run(&p, 1, true, all_max);
  uint64_t some = wanted ? strtoull(wanted, NULL, 0) : SCHEDULES;
  if (preemptions > 1) n += run(&p, preemptions, true, s->is_handshake ? 0 : some);
  return n;
}

bool world_is_sound(struct world *w, const struct scenario *s, uint64_t max, uint32_t preemptions) {
  struct interleave p = program_of(w, s);
  p.preemptions = preemptions;
  p.has_store_buffers = true;
  p.schedules_max = max;
  fflush(stdout);
  pid_t child = fork(); /* What goes wrong may go very wrong. */
  if (child == 0) {
    signal(SIGSEGV, SIG_DFL); /* The test framework would go on with it. */
    signal(SIGABRT, SIG_DFL);
    struct interleave_result r = interleave_run_quietly(&p);
    if (!r.is_sound) printf("#   %s: %s\n", s->name, r.wrong);
    fflush(stdout);
    _exit(r.is_sound ? 0 : 1);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
