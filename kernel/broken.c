/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/broken.c — broken memory in use: whose it is, and what can be done about it.
 *
 * HOW    badmem= is obeyed three times: boot's own memory is taken elsewhere (early_avoid), what is free goes out of
 *        service, and what the loader, or boot for want of other memory, has put there is condemned, so that it goes when
 *        it is freed.  That happens by what there is and not by what was asked for: a range may cover all addresses, and
 *        RAM is little of that.  Later, one listener answers for all owners: none of them can do without a frame, but a
 * person can. WHY NOT  a listener an owner: none here lets go of a frame because it is broken, and the sentence is all that
 * differs.
 */
#include "kernel/broken.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/klog.h"
#include "kernel/options.h"
#include "mm/bad.h"

#define FRAMES_KEPT UINT64_C(1024) /* 4 MiB: what badmem= must leave to the rest of boot and to the prompt. */

#define LOADERS  "It stays while Cairn runs.  Boot again, without nokaslr: the loader puts it elsewhere."
#define BOOTS    "It stays while Cairn runs.  Boot with badmem=: it is put elsewhere."
#define MOSTLY   "Most of that stays while Cairn runs.  Boot with badmem=: it is put elsewhere."
#define WHEN_IT  "It leaves service when that frees it."
#define IN_SPITE "There was no other memory for it."

#define S(count)   ((count) == 1 ? "" : "s")
#define ARE(count) ((count) == 1 ? "is" : "are")

static const struct {
  const char *now;     /* To somebody who has just said that a frame is broken. */
  const char *at_boot; /* When badmem= was said and did not help. */
} advice[FRAME_OWNER_COUNT] = {
    [FRAME_OWNER_KERNEL_IMAGE] = {LOADERS, LOADERS},
    [FRAME_OWNER_HANDOFF] = {LOADERS, LOADERS},
    [FRAME_OWNER_PAGE_TABLES] = {MOSTLY, "Boot again, without nokaslr: the loader puts its own elsewhere."},
    [FRAME_OWNER_STACKS] = {BOOTS, "Boot again, without nokaslr: the loader puts its own elsewhere."},
    [FRAME_OWNER_FRAME_RECORDS] = {BOOTS, IN_SPITE},
    [FRAME_OWNER_BITMAPS] = {BOOTS, IN_SPITE},
    [FRAME_OWNER_KERNEL] = {MOSTLY, IN_SPITE},
    [FRAME_OWNER_DMA] = {"It leaves service when its driver has freed it and the device is fenced.", WHEN_IT},
    [FRAME_OWNER_ZEROED] = {"It is being cleared.  Report it again.", WHEN_IT},
    [FRAME_OWNER_GATHERED] = {"A run is being made of it.  Report it again.", WHEN_IT},
    [FRAME_OWNER_USER] = {WHEN_IT, WHEN_IT},
    [FRAME_OWNER_TEST] = {WHEN_IT, WHEN_IT},
};

const char *broken_advice(enum frame_owner owner) {
  const char *text = owner < FRAME_OWNER_COUNT ? advice[owner].now : NULL;
  return text ? text : WHEN_IT;
}

static void tell(void *context, enum frame_owner owner, pfn_t frame) {
  (void)context;
  klog(KLOG_WARN, "bad", "frame %#llx, %s: %s", (unsigned long long)frame.raw, frame_owner_name(owner),
       broken_advice(owner));
}

void broken_listen(struct nodes *n) {
  for (unsigned o = FRAME_OWNER_FIRST_OURS; o < FRAME_OWNER_COUNT; o++) {
    const status_t s = bad_listen(n, (enum frame_owner)o, tell, NULL);
    if (s != OK) klog(KLOG_WARN, "bad", "nobody answers for %s: %s", frame_owner_name((enum frame_owner)o), status_name(s));
  }
}

/* --- badmem= ---------------------------------------------------------------------------------------------------------- */

const prange_t *broken_ranges(size_t *count) {
  static prange_t ranges[OPTION_RANGES_MAX];
  for (uint32_t i = 0; i < options->badmem.count; i++) {
    const uint64_t start = options->badmem.range[i].start;
    uint64_t end; /* Of a range that reaches the last byte there is, the last byte: no RAM is there. */
    ranges[i] = prange(start, bits_add(start, options->badmem.range[i].size, &end) ? end : UINT64_MAX);
  }
  *count = options->badmem.count;
  return ranges;
}

/* What has become of one range. */
struct taking {
  struct nodes *nodes;
  uint64_t first, last;                    /* Frames. */
  uint64_t budget;                         /* Frames that can be done without. */
  uint64_t marked, kept, known, firmwares; /* Out of service; free and needed; out of it before; never ours. */
  uint64_t lost;                           /* In use, and the list is full. */
  struct {
    uint64_t first, frames;
  } used[FRAME_OWNER_COUNT];
};

static void take_free(struct taking *t, uint64_t start, uint64_t end) {
  for (uint64_t frame = start; frame < end; frame++) {
    if (t->marked == t->budget) {
      t->kept += end - frame;
      break;
    }
    t->marked += nodes_mark_bad(t->nodes, pfn(frame)) == OK;
  }
}

static void condemn(struct taking *t, enum frame_owner owner, uint64_t start, uint64_t end) {
  if (t->used[owner].frames == 0) t->used[owner].first = start;
  t->used[owner].frames += end - start;
  if (bad_condemn(t->nodes, pfn(start), end - start) != OK) t->lost += end - start;
}

static bool take_range(void *context, const struct pmm_range *range) {
  struct taking *t = context;
  const uint64_t start = bits_max(range->start, t->first);
  const uint64_t end = bits_min(range->end, t->last + 1);
  if (start >= end) return true;
  if (range->state == FRAME_FREE)
    take_free(t, start, end);
  else if (range->state == FRAME_ALLOCATED)
    condemn(t, range->owner, start, end);
  else
    *(range->state == FRAME_BAD ? &t->known : &t->firmwares) += end - start;
  return true;
}

static void report_used(const struct taking *t) {
  bool is_any = false;
  for (unsigned o = 0; o < FRAME_OWNER_COUNT; o++) {
    const char *text = advice[o].at_boot ? advice[o].at_boot : WHEN_IT;
    if (t->used[o].frames == 0) continue;
    is_any = true;
    klog(KLOG_WARN, "memory", "badmem: %llu frame%s from 0x%llx on %s in use, %s.  %s",
         (unsigned long long)t->used[o].frames, S(t->used[o].frames), (unsigned long long)t->used[o].first * FRAME_SIZE,
         ARE(t->used[o].frames), frame_owner_name((enum frame_owner)o), text);
  }
  if (t->lost > 0)
    klog(KLOG_WARN, "memory", "badmem: %llu of these are in too many places to be remembered", (unsigned long long)t->lost);
  if (!is_any && t->marked + t->kept + t->known + t->firmwares == 0)
    klog(KLOG_WARN, "memory", "badmem: 0x%llx: no RAM is there", (unsigned long long)t->first * FRAME_SIZE);
}

static void report(const struct taking *t, uint64_t start) {
  if (t->marked > 0)
    klog(KLOG_NOTICE, "memory", "badmem: %llu frame%s from 0x%llx will never be handed out", (unsigned long long)t->marked,
         S(t->marked), (unsigned long long)start);
  if (t->kept > 0)
    klog(KLOG_WARN, "memory", "badmem: %llu frame%s %s used all the same: nothing would be left",
         (unsigned long long)t->kept, S(t->kept), ARE(t->kept));
  if (t->known > 0)
    klog(KLOG_NOTICE, "memory", "badmem: %llu frame%s from 0x%llx %s out of service already", (unsigned long long)t->known,
         S(t->known), (unsigned long long)start, ARE(t->known));
  if (t->firmwares > 0)
    klog(KLOG_NOTICE, "memory", "badmem: %llu frame%s from 0x%llx %s the firmware's, and never handed out anyway",
         (unsigned long long)t->firmwares, S(t->firmwares), (unsigned long long)start, ARE(t->firmwares));
  report_used(t);
}

void broken_take_out(struct nodes *n) {
  size_t count;
  const prange_t *ranges = broken_ranges(&count);
  for (size_t i = 0; i < count; i++) {
    static struct taking t; /* A row for each owner: too much for a boot stack. */
    struct pmm_stats stats;
    nodes_stats_read(n, NODES_ALL, &stats);
    t = (struct taking){.nodes = n, .first = ranges[i].start.raw / FRAME_SIZE, .last = (ranges[i].end.raw - 1) / FRAME_SIZE};
    t.budget = stats.free_frames - bits_min(stats.free_frames, FRAMES_KEPT);
    nodes_visit(n, NODES_ALL, take_range, &t);
    report(&t, ranges[i].start.raw);
  }
}
