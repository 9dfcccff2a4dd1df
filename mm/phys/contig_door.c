/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/contig_door.c — how contig takes frames and gives them back, of one allocator or of several.
 *
 * HOW    A window may lie across a border of nodes: then each piece of it is taken from its own allocator, freed or given
 *        there.  Who is asked by name of a frame is never asked in vain, as the nodes' own door would have to.  Frames go
 *        back past that door, because what they are is known; only when some frame of the machine is condemned does the
 *        free lead through mm/phys/bad.c, which takes that one out of service.
 * LOCKING  none.
 */
#include "mm/phys/contig_door.h"

#include "base/assert.h"
#include "base/atomic.h"
#include "mm/phys/nodes_instance.h"
#include "mm/platform.h"
#include "mm/zero.h"

static status_t free_pieces(struct contig *c, enum frame_owner owner, uint64_t first, uint64_t end) {
  status_t s = OK;
  for (uint64_t at = first, stop; at < end && s == OK; at = stop) {
    stop = window_pmm_end(c, at, end);
    s = pmm_free_run(window_pmm(c, at), owner, pfn(at), stop - at);
  }
  return s;
}

void contig_door_free(struct contig *c, enum frame_owner owner, uint64_t first, uint64_t count) {
  const bool is_odd = c->nodes && atomic_get(&c->nodes->condemned.count) != 0;
  const status_t s = is_odd ? bad_free_run(c->nodes, owner, pfn(first), count) : free_pieces(c, owner, first, first + count);
  if (s != OK) platform_panic("INV-G2: frame %#llx was ours: %s", (unsigned long long)first, status_name(s));
}

status_t contig_door_take(struct contig *c, uint64_t first, uint64_t count) {
  const uint64_t end = first + count;
  for (uint64_t at = first, stop; at < end; at = stop) {
    stop = window_pmm_end(c, at, end);
    const struct frame_limits exactly = {.min = at, .max = stop};
    pfn_t got;
    const status_t s = pmm_alloc_run(window_pmm(c, at), FRAME_OWNER_GATHERED, 0, stop - at, &exactly, &got);
    if (s == OK) continue;
    if (at > first) contig_door_free(c, FRAME_OWNER_GATHERED, first, at - first);
    return s;
  }
  return OK;
}

status_t contig_door_take_within(struct contig *c, const struct frame_limits *where, uint64_t *frame) {
  pfn_t got;
  const status_t s = c->pmm ? pmm_alloc_run(c->pmm, FRAME_OWNER_GATHERED, 0, 1, where, &got)
                            : nodes_alloc_run(c->nodes, FRAME_OWNER_GATHERED, NODE_PROBE, 1, where, &got);
  if (s == OK) *frame = got.raw;
  return s;
}

status_t contig_door_take_near(struct contig *c, uint64_t near, uint64_t *frame) {
  pfn_t got;
  const status_t s =
      c->pmm ? pmm_alloc_frame(c->pmm, FRAME_OWNER_GATHERED, 0, &got)
             : nodes_alloc_frame(c->nodes, FRAME_OWNER_GATHERED, NODE_PROBE | NODE(nodes_node_of(c->nodes, near)), &got);
  if (s == OK) *frame = got.raw;
  return s;
}

status_t contig_door_find(struct contig *c, enum frame_owner owner, uint64_t count, const struct frame_limits *where,
                          pfn_t *first) {
  if (!c->pmm) return nodes_alloc_run(c->nodes, owner, 0, count, where, first);
  const status_t s = pmm_alloc_run(c->pmm, owner, 0, count, where, first);
  if (s != ERR_NO_MEMORY || !c->nodes) return s;
  (void)nodes_call_in(c->nodes); /* INV-21; and ask again in any case: another CPU may have called in what there was. */
  return pmm_alloc_run(c->pmm, owner, 0, count, where, first);
}

void contig_door_deliver(struct contig *c, uint64_t first, uint64_t count, enum frame_owner owner) {
  const uint64_t end = first + count;
  for (uint64_t at = first, stop; at < end; at = stop) {
    stop = window_pmm_end(c, at, end);
    CHECK(pmm_give_run(window_pmm(c, at), FRAME_OWNER_GATHERED, owner, pfn(at), stop - at) == OK);
  }
}

void contig_door_leave(struct contig *c, uint64_t first, uint64_t count) {
  const uint64_t end = first + count;
  for (uint64_t at = first, stop; at < end; at = stop) {
    stop = window_pmm_end(c, at, end);
    zero_leave(window_pmm(c, at), pfn(at), stop - at);
  }
}

void contig_door_drain(struct contig *c) {
  if (c->nodes) (void)nodes_call_in(c->nodes); /* Zeros in stock are free for whoever wants a run. */
  if (c->pmm) {
    pmm_drain(c->pmm);
    return;
  }
  for (uint32_t i = 0; i < nodes_count(c->nodes); i++) {
    struct pmm *p = nodes_pmm(c->nodes, i);
    if (p) pmm_drain(p);
  }
}
