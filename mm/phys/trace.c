/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/trace.c — records what is asked of allocators.
 *
 * HOW    A place in the row of records is drawn by one atomic addition and then filled; behind the last one what comes is
 *        counted and forgotten.  The first records of a trace, and not the last, are what is wanted: without the beginning
 *        nobody could build the memory that the rest is about.
 *        An allocator that is not traced pays for one branch (pmm.c, UNLIKELY).
 * LOCKING  none; the records are read when the trace has been stopped.  Who writes one counts itself first and looks for the
 *        trace then; who stops it takes it away first and waits then until nobody is counted: one of them sees the other.
 *        Two CPUs that ask at once are recorded in the order in which they got their answers, give or take one operation
 *        each: with one CPU the order is exact.
 */
#include "mm/trace.h"

#include "base/bits.h"
#include "mm/phys/instance.h"
#include "mm/phys/run_memo.h"
#include "mm/phys/trace_instance.h"

#define LINE UINT64_C(64)

uint64_t trace_size(uint64_t records) {
  return bits_align_up(sizeof(struct trace), LINE) + records * sizeof(struct trace_record);
}

struct trace *trace_create(void *memory, uint64_t records) {
  struct trace *t = memory;
  *t = (struct trace){.capacity = records};
  t->records = (void *)((char *)memory + bits_align_up(sizeof *t, LINE));
  return t;
}

void trace_add(struct trace *t, const struct trace_record *r) {
  uint64_t i = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED);
  if (i < t->capacity) t->records[i] = *r;
}

/* --- what pmm.c tells ------------------------------------------------------------------------------------------------- */

/* A record from this CPU. */
static void note(struct pmm *p, struct trace_record r) {
  if (r.status == ERR_INVALID) return;
  r.slot = (uint16_t)platform_slot_enter();
  (void)__atomic_fetch_add(&p->trace_writers, 1, __ATOMIC_SEQ_CST);
  struct trace *t = __atomic_load_n(&p->trace, __ATOMIC_SEQ_CST);
  if (t) {
    r.node = p->trace_node;
    trace_add(t, &r);
  }
  (void)__atomic_fetch_sub(&p->trace_writers, 1, __ATOMIC_RELEASE);
  platform_slot_leave();
}

void trace_frame(struct pmm *p, enum frame_owner owner, uint32_t flags, status_t status, uint64_t frame) {
  if (status != OK) frame = 0;
  note(p, (struct trace_record){
              .op = TRACE_FRAME, .owner = owner, .status = (int8_t)status, .flags = flags, .count = 1, .frame = frame});
}

void trace_run(struct pmm *p, enum frame_owner owner, uint32_t flags, uint64_t count, const struct frame_limits *where,
               status_t status, uint64_t first) {
  struct trace_record r = {.op = TRACE_RUN, .owner = owner, .status = (int8_t)status, .flags = flags, .count = count};
  if (status == OK) r.frame = first;
  if (where) r.where = *where;
  note(p, r);
}

void trace_free(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count, status_t status) {
  note(p, (struct trace_record){.op = TRACE_FREE, .owner = owner, .status = (int8_t)status, .count = count, .frame = first});
}

void trace_give(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t first, uint64_t count, status_t status) {
  note(p, (struct trace_record){
              .op = TRACE_GIVE, .owner = from, .to = to, .status = (int8_t)status, .count = count, .frame = first});
}

void trace_drain(struct pmm *p) { note(p, (struct trace_record){.op = TRACE_DRAIN, .count = 1}); }

void trace_exchange(struct pmm *p, uint64_t a, uint64_t b) {
  note(p, (struct trace_record){.op = TRACE_EXCHANGE, .count = b, .frame = a});
}

void trace_retire(struct pmm *p, enum frame_owner owner, uint64_t frame, status_t status) {
  note(p, (struct trace_record){.op = TRACE_RETIRE, .owner = owner, .status = (int8_t)status, .count = 1, .frame = frame});
}

/* --- the start -------------------------------------------------------------------------------------------------------- */

struct snapshot {
  struct trace *t;
  uint8_t node;
};

/* Free frames and the firmware's are not mentioned: the map says so. */
static bool note_range(void *context, const struct pmm_range *range) {
  const struct snapshot *s = context;
  if (range->state != FRAME_ALLOCATED && range->state != FRAME_BAD) return true;
  trace_add(s->t, &(struct trace_record){.op = TRACE_HAVE,
                                         .owner = range->owner,
                                         .node = s->node,
                                         .count = range->end - range->start,
                                         .frame = range->start});
  return true;
}

/* Everything home, and nothing remembered that a new instance would not know. */
static void forget(struct pmm *p) {
  pmm_drain(p);
  platform_lock_acquire(&p->lock);
  for (uint32_t i = 0; i < p->slot_count; i++) p->slots[i].last_section = SLOT_NONE;
  if (!p->engine) run_memo_forget(&p->tier);
  platform_lock_release(&p->lock);
}

status_t trace_start(struct trace *t, struct pmm *const *nodes, uint32_t count) {
  if (count == 0 || count > TRACE_NODES_MAX) return ERR_INVALID;
  for (uint32_t i = 0; i < count; i++)
    if (pmm_is_traced(nodes[i])) return ERR_STATE;
  t->next = 0;
  t->node_count = count;
  for (uint32_t i = 0; i < count; i++) {
    t->nodes[i] = nodes[i];
    forget(nodes[i]);
    pmm_visit(nodes[i], note_range, &(struct snapshot){t, (uint8_t)i});
  }
  if (t->next > t->capacity) return ERR_FULL;
  t->is_running = true;
  for (uint32_t i = 0; i < count; i++) {
    nodes[i]->trace_node = (uint8_t)i;
    __atomic_store_n(&nodes[i]->trace, t, __ATOMIC_RELEASE);
  }
  return OK;
}

/* --- the end ---------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, uint64_t word) { return (hash ^ word) * UINT64_C(0x100000001b3); }

static bool mix_range(void *context, const struct pmm_range *range) {
  uint64_t *hash = context;
  *hash = mix(mix(*hash, range->start), range->end);
  *hash = mix(mix(*hash, (uint64_t)range->state), (uint64_t)range->owner);
  return true;
}

uint64_t trace_digest(const struct pmm *p) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  pmm_visit(p, mix_range, &hash);
  return hash;
}

void trace_stop(struct trace *t) {
  if (!t->is_running) return;
  for (uint32_t i = 0; i < t->node_count; i++) __atomic_store_n(&t->nodes[i]->trace, NULL, __ATOMIC_SEQ_CST);
  for (uint32_t i = 0; i < t->node_count; i++)
    while (__atomic_load_n(&t->nodes[i]->trace_writers, __ATOMIC_SEQ_CST) != 0) atomic_pause();
  for (uint32_t i = 0; i < t->node_count; i++) t->digest[i] = trace_digest(t->nodes[i]);
  t->is_running = false;
}

void trace_read_summary(const struct trace *t, struct trace_summary *out) {
  uint64_t next = __atomic_load_n(&t->next, __ATOMIC_RELAXED), records = bits_min(next, t->capacity);
  *out = (struct trace_summary){records, next - records, t->capacity, t->is_running};
}
