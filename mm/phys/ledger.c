/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/ledger.c — reads the counts that pmm.c and the slots keep for every owner.
 *
 * Every change of a frame's owner moves its count from one row to another: in the instance's counts, under its lock, or in
 * the slot that did it, where `delta` has what owners gained and the calls counted what left the free frames.  So instance
 * and slots together add up to the RAM of the firmware's map at any quiet moment (INV-7); while CPUs work, a row may be off
 * by what they are just doing.  Reading costs one look at each row of each slot, however much RAM there is, and nobody is
 * called in for it; whether the rows are true is mm_check's question (INV-6).
 */
#include "mm/ledger.h"

#include "mm/phys/instance.h"

void ledger_read(const struct pmm *p, struct ledger *out) {
  struct platform_lock *lock = &((struct pmm *)p)->lock; /* The lock is not part of what const promises. */
  *out = (struct ledger){.total = p->total_frames,
                         .reclaimed_boot_services = p->reclaimed_boot_services,
                         .reclaimed_loader = p->reclaimed_loader};
  platform_lock_acquire(lock);
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    out->frames[i] = pmm_owned(p, (enum frame_owner)i);
    out->sum += out->frames[i];
  }
  platform_lock_release(lock);
}

bool ledger_balances(const struct ledger *l) { return l->sum == l->total; }
