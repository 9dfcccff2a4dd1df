/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/ledger.c — reads the counts that pmm.c keeps for every owner.
 *
 * Every change of a frame's owner moves its count from one row to another, under the instance's lock, so the rows add up to
 * the RAM of the firmware's map at any moment at which the lock is free (INV-7).  Reading costs one look at each row,
 * however much RAM there is; whether the rows are true is mm_check's question (INV-6).
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
    out->frames[i] = p->owned[i];
    out->sum += p->owned[i];
  }
  platform_lock_release(lock);
}

bool ledger_balances(const struct ledger *l) { return l->sum == l->total; }
