/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/replay.c — see replay.h. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/bits.h"
#include "hosted.h"
#include "lib/memmap.h"
#include "mm/phys/instance.h"

/* --- reading ---------------------------------------------------------------------------------------------------------- */

struct lines {
  struct replay *r;
  uint64_t sum;
  size_t room;
  struct trace_pen pen;
  bool has_head, has_end;
  const char *problem;
};

static uint64_t hash(uint64_t sum, const char *text, size_t n) {
  for (size_t i = 0; i < n; i++) sum = (sum ^ (uint8_t)text[i]) * UINT64_C(0x100000001b3);
  return sum;
}

static uint32_t kind_of(char mark) {
  static const char marks[] = {
#define KIND_MARK(id, m, name, is_ram, fate) [BOOT_MEMORY_##id] = (m),
      BOOT_MEMORY_KINDS(KIND_MARK)
#undef KIND_MARK
  };
  const char *at = memchr(marks, mark, sizeof marks);
  return at ? (uint32_t)(at - marks) : BOOT_MEMORY_KIND_COUNT;
}

static void read_head(struct lines *l, const char *line) {
  unsigned version;
  unsigned long long records, lost;
  if (sscanf(line, "cairn-trace %u engine=%7s nodes=%x records=%llx lost=%llx", &version, l->r->engine, &l->r->node_count,
             &records, &lost) != 5) {
    l->problem = "the first line is none of a trace";
  } else if (version != 1) {
    l->problem = "another version of the format";
  } else if (l->r->node_count == 0 || l->r->node_count > TRACE_NODES_MAX || records > UINT32_MAX) {
    l->problem = "numbers that cannot be";
  } else {
    l->has_head = true;
    l->room = records;
    l->r->lost = lost;
    l->r->records = calloc(records + 1, sizeof *l->r->records);
    if (!l->r->records) l->problem = "no memory";
  }
}

static void read_region(struct lines *l, const char *line) {
  unsigned node;
  unsigned long long start, end;
  char mark;
  if (sscanf(line, "region %x %llx %llx %c", &node, &start, &end, &mark) != 4 || node >= l->r->node_count ||
      kind_of(mark) == BOOT_MEMORY_KIND_COUNT || end > UINT64_MAX / FRAME_SIZE) {
    l->problem = "a region that is none";
    return;
  }
  size_t *n = &l->r->nodes[node].count;
  struct boot_region *list = realloc(l->r->nodes[node].regions, (*n + 1) * sizeof *list);
  if (!list) {
    l->problem = "no memory";
    return;
  }
  l->r->nodes[node].regions = list;
  /* Neighbours of one kind differ in what only the firmware knows: the map must be maximal all the same. */
  list[*n] = (struct boot_region){start * FRAME_SIZE, end * FRAME_SIZE, kind_of(mark), 0, *n};
  (*n)++;
}

static void read_ops(struct lines *l, const char *line, const char *end) {
  for (const char *at = line + 4; at < end; at++) {
    const char *blank = memchr(at, ' ', (size_t)(end - at));
    const size_t n = (size_t)((blank ? blank : end) - at);
    struct trace_record *r = &l->r->records[l->r->record_count];
    if (l->r->record_count == l->room || trace_parse(&l->pen, at, n, r) != OK || r->node >= l->r->node_count) {
      l->problem = l->r->record_count == l->room ? "more records than its head says" : "a record that is none";
      return;
    }
    l->r->record_count++;
    at += n;
  }
}

static void read_line(struct lines *l, const char *line, const char *end) {
  const size_t n = (size_t)(end - line);
  unsigned node;
  unsigned long long number;
  char copy[160] = {0};
  memcpy(copy, line, n < sizeof copy ? n : sizeof copy - 1);
  if (!l->has_head) {
    read_head(l, copy);
  } else if (strncmp(copy, "region ", 7) == 0) {
    read_region(l, copy);
  } else if (strncmp(copy, "ops ", 4) == 0) {
    read_ops(l, line, end);
  } else if (sscanf(copy, "digest %x %llx", &node, &number) == 2 && node < l->r->node_count) {
    l->r->nodes[node].digest = number;
  } else if (strncmp(copy, "end ", 4) == 0) {
    char sum[24]; /* As it was written: what another spelling of the same number would hide is a changed byte. */
    snprintf(sum, sizeof sum, "end %llx", (unsigned long long)l->sum);
    l->has_end = true;
    if (strcmp(copy, sum) != 0) l->problem = "its sum is wrong: something of it is lost";
    return;
  } else {
    l->problem = "a line that is none of a trace";
  }
  l->sum = hash(l->sum, line, n + 1);
}

bool replay_read(struct replay *r, const char *text, size_t n, char *problem, size_t size) {
  struct lines l = {.r = r, .sum = UINT64_C(0xcbf29ce484222325)};
  *r = (struct replay){0};
  unsigned number = 0;
  for (const char *at = text, *end; at < text + n && !l.problem && !l.has_end; at = end + 1) {
    number++;
    end = memchr(at, '\n', (size_t)(text + n - at));
    if (!end) {
      l.problem = "a line without an end";
      break;
    }
    read_line(&l, at, end);
  }
  if (!l.problem && !l.has_end) l.problem = "it has no end";
  if (!l.problem && r->record_count != l.room) l.problem = "fewer records than its head says";
  if (!l.problem) return true;
  snprintf(problem, size, "line %u: %s", number, l.problem);
  replay_free(r);
  return false;
}

void replay_free(struct replay *r) {
  for (uint32_t i = 0; i < TRACE_NODES_MAX; i++) free(r->nodes[i].regions);
  free(r->records);
  *r = (struct replay){0};
}

/* --- the memory at the start ------------------------------------------------------------------------------------------ */

/* One run: the allocators, and what stands for each frame of the trace. */
struct play {
  const struct replay *r;
  struct replay_result *out;
  struct hosted nodes[TRACE_NODES_MAX];
  uint64_t *stands_for; /* By frame of the trace: the frame that the engine gave, + 1; 0 for none. */
  uint64_t frames;
  uint64_t in_use;
};

static bool each_have(const struct replay *r, uint32_t node, size_t *cursor, const struct trace_record **out) {
  for (; *cursor < r->record_count; (*cursor)++) {
    *out = &r->records[*cursor];
    if ((*out)->op != TRACE_HAVE || (*out)->node != node) continue;
    (*cursor)++;
    return true;
  }
  return false;
}

/* What was in use of general memory, in the form that pmm_create takes. */
static struct pmm_taken *taken_of(const struct replay *r, uint32_t node, size_t *count) {
  struct pmm_taken *taken = calloc(r->record_count * 2 + r->nodes[node].count + 1, sizeof *taken);
  const struct trace_record *h;
  *count = 0;
  for (size_t cursor = 0; taken && each_have(r, node, &cursor, &h);) {
    if (h->owner == FRAME_OWNER_BAD) continue;
    for (size_t i = 0; i < r->nodes[node].count; i++) {
      const struct boot_region *g = &r->nodes[node].regions[i];
      if (!memmap_kind_is_general(g->kind)) continue;
      const uint64_t start = bits_max(g->start / FRAME_SIZE, h->frame);
      const uint64_t end = bits_min(g->end / FRAME_SIZE, h->frame + h->count);
      if (start < end) taken[(*count)++] = (struct pmm_taken){start, end, h->owner};
    }
  }
  return taken;
}

struct ranges {
  struct pmm_range list[4096];
  size_t count;
  bool is_full;
};

static bool keep_range(void *context, const struct pmm_range *range) {
  struct ranges *r = context;
  if (range->state != FRAME_ALLOCATED) return true;
  if (r->count == sizeof r->list / sizeof *r->list) {
    r->is_full = true;
    return false;
  }
  r->list[r->count++] = *range;
  return true;
}

/* Kept regions belong to somebody from the start: what has changed hands since, or was given back. */
static bool settle_kept(const struct replay *r, uint32_t node, struct pmm *p) {
  struct ranges *ranges = calloc(1, sizeof *ranges);
  if (!ranges) return false;
  pmm_visit(p, keep_range, ranges);
  bool ok = !ranges->is_full;
  for (size_t i = 0; ok && i < ranges->count; i++) {
    const struct pmm_range *have = &ranges->list[i];
    const struct trace_record *h;
    uint64_t at = have->start;
    for (size_t cursor = 0; ok && each_have(r, node, &cursor, &h);) {
      const uint64_t start = bits_max(have->start, h->frame), end = bits_min(have->end, h->frame + h->count);
      if (start >= end) continue;
      if (at < start) ok = pmm_free_run(p, have->owner, pfn(at), start - at) == OK;
      if (ok && h->owner != have->owner) ok = pmm_give_run(p, have->owner, h->owner, pfn(start), end - start) == OK;
      at = end;
    }
    if (ok && at < have->end) ok = pmm_free_run(p, have->owner, pfn(at), have->end - at) == OK;
  }
  free(ranges);
  return ok;
}

static bool build_node(struct play *play, uint32_t node, const struct engine *engine) {
  const struct replay *r = play->r;
  const struct trace_record *h;
  size_t count;
  struct pmm_taken *taken = taken_of(r, node, &count);
  if (!taken) return false;
  struct hosted *m = &play->nodes[node];
  *m = hosted_create_with(engine, r->nodes[node].regions, r->nodes[node].count, taken, count);
  free(taken);
  if (m->status != OK || !settle_kept(r, node, m->pmm)) return false;
  for (size_t cursor = 0; each_have(r, node, &cursor, &h);) {
    for (uint64_t i = 0; i < h->count; i++) {
      play->stands_for[h->frame + i] = h->frame + i + 1;
      if (h->owner == FRAME_OWNER_BAD) (void)pmm_mark_bad(m->pmm, pfn(h->frame + i)); /* Or the map says so already. */
    }
  }
  return true;
}

/* Is every frame between, which is below play->frames, RAM of the node? */
static bool is_ram(const struct replay *r, uint32_t node, uint64_t first, uint64_t count) {
  for (size_t i = 0; i < r->nodes[node].count && count > 0; i++) {
    const struct boot_region *g = &r->nodes[node].regions[i];
    const uint64_t end = g->end / FRAME_SIZE;
    if (!memmap_kind_is_ram(g->kind) || first < g->start / FRAME_SIZE || first >= end) continue;
    const uint64_t n = bits_min(count, end - first);
    first += n;
    count -= n;
  }
  return count == 0;
}

/* Does it speak of frames that this memory has, and in words that a trace would use? */
static bool is_possible(const struct play *play, const struct trace_record *t) {
  const bool is_inside = t->frame < play->frames && t->count <= play->frames - t->frame;
  switch (t->op) {
  case TRACE_HAVE:
    return t->status == OK && is_inside && is_ram(play->r, t->node, t->frame, t->count);
  case TRACE_DRAIN:
    return t->status == OK;
  case TRACE_EXCHANGE:
    return t->status == OK && t->frame < play->frames && t->count < play->frames;
  case TRACE_RETIRE:
    return t->status != OK || (is_inside && t->count == 1);
  default:
    return t->status != OK || is_inside;
  }
}

static bool begin(struct play *play, const struct engine *engine) {
  for (uint32_t i = 0; i < play->r->node_count; i++) {
    const size_t n = play->r->nodes[i].count;
    if (n > 0) play->frames = bits_max(play->frames, play->r->nodes[i].regions[n - 1].end / FRAME_SIZE);
  }
  if (play->frames == 0 || play->frames > UINT64_C(1) << 33) return false; /* 32 TiB. */
  for (size_t i = 0; i < play->r->record_count; i++)
    if (!is_possible(play, &play->r->records[i])) return false;
  play->stands_for = mmap(NULL, play->frames * sizeof(uint64_t), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (play->stands_for == MAP_FAILED) return false;
  for (uint32_t i = 0; i < play->r->node_count; i++)
    if (!build_node(play, i, engine)) return false;
  return true;
}

static void end(struct play *play) {
  for (uint32_t i = 0; i < play->r->node_count; i++) hosted_destroy(&play->nodes[i]);
  if (play->stands_for && play->stands_for != MAP_FAILED) munmap(play->stands_for, play->frames * sizeof(uint64_t));
}

/* --- the operations --------------------------------------------------------------------------------------------------- */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void play_request(struct play *play, struct pmm *p, const struct trace_record *t, bool *is_same) {
  struct replay_result *out = play->out;
  pfn_t first = {0};
  const uint64_t began = now_ns();
  const status_t s = t->op == TRACE_FRAME ? pmm_alloc_frame(p, t->owner, t->flags, &first)
                                          : pmm_alloc_run(p, t->owner, t->flags, t->count, &t->where, &first);
  out->ns += now_ns() - began;
  out->allocations++;
  *is_same = s == t->status && (s != OK || first.raw == t->frame);
  out->refused += s != OK;
  out->refused_alone += s != OK && t->status == OK;
  if (t->status == OK) {
    for (uint64_t i = 0; i < t->count; i++) play->stands_for[t->frame + i] = s == OK ? first.raw + i + 1 : 0;
    play->in_use += s == OK ? t->count : 0;
    out->frames_at_most = bits_max(out->frames_at_most, play->in_use);
  } else if (s == OK) {
    out->met_alone++;
    (void)pmm_free_run(p, t->owner, first, t->count);
  }
}

/* What stands for the frames of the trace may lie in pieces, and some may never have been had. */
static void play_on_frames(struct play *play, struct pmm *p, const struct trace_record *t, bool *is_same) {
  for (uint64_t i = 0, n; i < t->count; i += n) {
    const uint64_t *at = &play->stands_for[t->frame + i], frame = *at - 1;
    for (n = 1; i + n < t->count && at[0] != 0 && at[n] == at[0] + n;) n++;
    if (at[0] == 0) {
      *is_same = false;
      continue;
    }
    const uint64_t began = now_ns();
    const status_t s =
        t->op == TRACE_GIVE ? pmm_give_run(p, t->owner, t->to, pfn(frame), n) : pmm_free_run(p, t->owner, pfn(frame), n);
    play->out->ns += now_ns() - began;
    *is_same &= s == t->status && frame == t->frame + i;
    if (t->op != TRACE_FREE) continue;
    play->in_use -= bits_min(n, play->in_use);
    for (uint64_t k = 0; k < n; k++) play->stands_for[t->frame + i + k] = 0;
  }
}

/* Another engine may have handed a frame out that was free here, and then it cannot be retired. */
static void play_retire(struct play *play, struct pmm *p, const struct trace_record *t, bool *is_same) {
  if (t->owner != FRAME_OWNER_FREE) {
    const uint64_t stands = play->stands_for[t->frame];
    *is_same = stands == t->frame + 1 && pmm_retire_frame(p, t->owner, pfn(t->frame)) == OK;
    return;
  }
  /* Not pmm_describe, which calls the slots in: the recorded request did that only where it had to. */
  *is_same = is_ram(play->r, t->node, t->frame, 1) && pmm_frame_said(p, t->frame).state == FRAME_FREE &&
             pmm_mark_bad(p, pfn(t->frame)) == OK;
}

static bool is_allocated(const struct play *play, struct pmm *p, uint32_t node, uint64_t frame) {
  return is_ram(play->r, node, frame, 1) && pmm_frame_said(p, frame).state == FRAME_ALLOCATED;
}

static void play_exchange(struct play *play, struct pmm *p, const struct trace_record *t, bool *is_same) {
  const uint64_t a = play->stands_for[t->frame], b = play->stands_for[t->count];
  *is_same = a == t->frame + 1 && b == t->count + 1;
  const bool are_there = a != 0 && b != 0 && is_allocated(play, p, t->node, a - 1) && is_allocated(play, p, t->node, b - 1);
  if (are_there) pmm_exchange(p, a - 1, b - 1);
}

static void play_record(struct play *play, size_t i) {
  const struct trace_record *t = &play->r->records[i];
  struct pmm *p = play->nodes[t->node].pmm;
  bool is_same = true;
  if (t->op == TRACE_HAVE) return;
  play->out->operations++;
  if (t->op == TRACE_FRAME || t->op == TRACE_RUN) {
    play_request(play, p, t, &is_same);
  } else if (t->op == TRACE_DRAIN) {
    pmm_drain(p);
  } else if (t->op == TRACE_EXCHANGE) {
    play_exchange(play, p, t, &is_same);
  } else if (t->status == OK && t->op == TRACE_RETIRE) {
    play_retire(play, p, t, &is_same);
  } else if (t->status == OK) { /* A caller's mistake changes nothing, and was reported where it was made. */
    play_on_frames(play, p, t, &is_same);
  }
  if (!is_same && play->out->differing++ == 0) play->out->first_differing = i;
}

static void add_stats(struct pmm_stats *to, const struct pmm_stats *s) {
  to->total_frames += s->total_frames;
  to->free_frames += s->free_frames;
  to->free_2m += s->free_2m;
  to->free_1g += s->free_1g;
  to->largest_free_run = bits_max(to->largest_free_run, s->largest_free_run);
  to->failures += s->failures;
}

bool replay_run(const struct replay *r, const struct engine *engine, struct replay_result *out) {
  struct play play = {.r = r, .out = out};
  *out = (struct replay_result){0};
  const bool ok = begin(&play, engine);
  for (uint32_t i = 0; ok && i < r->node_count; i++) pmm_drain(play.nodes[i].pmm);
  for (size_t i = 0; ok && i < r->record_count; i++) play_record(&play, i);
  for (uint32_t i = 0; ok && i < r->node_count; i++) {
    struct pmm_stats s;
    pmm_stats_read(play.nodes[i].pmm, &s);
    add_stats(&out->stats, &s);
    out->digest[i] = trace_digest(play.nodes[i].pmm);
    hosted_must_be_sound(&play.nodes[i], "after a replay");
  }
  end(&play);
  return ok;
}

bool replay_is_exact(const struct replay *r, const struct replay_result *result) {
  bool is_same = result->differing == 0 && r->lost == 0;
  for (uint32_t i = 0; i < r->node_count; i++) is_same &= result->digest[i] == r->nodes[i].digest;
  return is_same;
}
