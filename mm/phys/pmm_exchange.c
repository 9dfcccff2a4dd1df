/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/pmm_exchange.c — two allocated frames become each other: what is left of a move when the bytes have been copied.
 *
 * LOCKING  the instance's; where two instances have the frames, one lock after the other.  Nobody else changes either frame:
 *        one is held by its owner, the other is the mover's.
 */
#include "mm/phys/instance.h"
#include "mm/phys/trace_instance.h"

void pmm_exchange(struct pmm *p, uint64_t a, uint64_t b) {
  struct frame_records *r = &p->records;
  platform_lock_acquire(&p->lock);
  if (!p->engine) {
    tier_split(&p->tier, a);
    tier_split(&p->tier, b);
  }
  const struct frame_cold cold = r->cold[a];
  const uint8_t hot = atomic_get(&r->hot[a]);
  r->cold[a] = r->cold[b];
  r->cold[b] = cold;
  atomic_set(&r->hot[a], atomic_get(&r->hot[b]));
  atomic_set(&r->hot[b], hot);
  platform_lock_release(&p->lock);
  if (UNLIKELY(pmm_is_traced(p))) trace_exchange(p, a, b);
}

/* An allocated frame becomes another owner's, movable or not as the byte says; returns its byte before. */
static uint8_t become(struct pmm *p, uint64_t frame, uint8_t byte) {
  const enum frame_owner to = (enum frame_owner)(byte & FRAME_OWNER_MASK);
  platform_lock_acquire(&p->lock);
  tier_split(&p->tier, frame);
  const uint8_t before = atomic_get(&p->records.hot[frame]);
  const enum frame_owner from = (enum frame_owner)(before & FRAME_OWNER_MASK);
  atomic_set(&p->records.hot[frame], byte);
  slot_count_up(&p->owned[from], UINT64_MAX);
  slot_count_up(&p->owned[to], 1);
  platform_lock_release(&p->lock);
  if (UNLIKELY(p->trace)) trace_give(p, from, to, frame, 1, OK);
  return before;
}

void pmm_exchange_across(struct pmm *of_a, uint64_t a, struct pmm *of_b, uint64_t b) {
  struct frame_cold *of = &of_a->records.cold[a], *with = &of_b->records.cold[b];
  const struct frame_cold cold = *of;
  const struct frame_said said = pmm_frame_said(of_b, b);
  const uint8_t byte = (uint8_t)(said.owner | (said.is_movable ? FRAME_MOVABLE : 0));
  (void)become(of_b, b, become(of_a, a, byte));
  *of = *with;
  *with = cold;
}
