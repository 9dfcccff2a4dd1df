/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/engine.h — the laboratory: who finds free frames behind the doors of pmm.h and nodes.h.
 *
 * "tier" is Cairn's own.  In its place a binary buddy system ("buddy") or a flat bitmap ("flat") can do the finding, under
 * one lock, with the same owners, records, checks and ledger, so that anybody can compare them on the same machine.
 */
#pragma once

#include <stddef.h>

#include "base/status.h"
#include "boot/handoff.h"
#include "mm/pmm.h"

/**
 * Says who finds frames in the allocators that are created from now on, for such a map: "tier" until somebody says
 * otherwise.
 *   => boot, before the allocator.
 * Returns OK; ERR_NOT_FOUND (nobody has that name); ERR_RANGE (the map has more RAM than this one can number).  When it is
 * not OK nothing has changed.
 */
status_t engine_choose(const char *name, const struct boot_region *regions, size_t count);

/** "tier", "buddy" or "flat". */
const char *engine_name(const struct pmm *p);
/** What the tiers promise and this one does not, in words; NULL for nothing. */
const char *engine_caveat(const struct pmm *p);
