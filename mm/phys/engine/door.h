/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/engine/door.h — what pmm.c does when an engine stands in the tiers' place (p->engine is set).  Private to mm/phys.
 *
 * Arguments have been decoded: owners are ours, limits make sense and `max` is never 0.
 */
#pragma once

#include "mm/phys/engine/engine.h"
#include "mm/phys/instance.h"

/** The engine that allocators created now get; NULL: the tiers. */
const struct engine *engine_chosen(void);

/* Boot: the engine with nothing free, then each region of RAM with who has it (FREE: nobody), then what boot has taken. */
void engine_open(struct pmm *p, const struct engine *e, void *memory);
void engine_enter(struct pmm *p, uint64_t first, uint64_t count, enum frame_owner owner);
void engine_enter_taken(struct pmm *p, uint64_t first, uint64_t count, enum frame_owner owner);

/* What the functions of pmm.h promise, as far as the engine's caveat goes; `after` is the frames' hot byte. */
status_t engine_alloc(struct pmm *p, uint8_t after, uint64_t count, const struct frame_limits *within, uint64_t *first);
status_t engine_free(struct pmm *p, enum frame_owner owner, uint64_t first, uint64_t count);
status_t engine_give(struct pmm *p, enum frame_owner from, enum frame_owner to, uint64_t first, uint64_t count);
/** pmm_retire_frame; of a free frame (owner FREE) pmm_mark_bad.  Tells the trace itself, as does engine_give. */
status_t engine_retire(struct pmm *p, enum frame_owner owner, uint64_t frame);

/* For those who look; the lock is theirs to take. */
/** Calls visit for every maximal run of free frames, in order. */
void engine_each_free_run(const struct pmm *p, void (*visit)(void *context, uint64_t start, uint64_t end), void *context);
/** Counts free frames, free blocks of 2 MiB and free GiB. */
void engine_count_free(const struct pmm *p, struct pmm_stats *out);
