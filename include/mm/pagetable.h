/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/pagetable.h — maps ranges of virtual addresses: planned first, then committed.
 *
 * An instance is a root table and a source of frames for tables.  Every operation is all or nothing: the tables it needs
 * are counted and taken before the first entry changes, so that the commit cannot fail.  Leaves are as large as alignment,
 * size and the machine allow; a large leaf that is changed in part is split.
 */
#pragma once

#include <stdint.h>

#include "arch/mmu.h"
#include "base/addr.h"
#include "base/lock.h"
#include "base/status.h"

/* Where tables come from.  `take` need not zero; `give` may be NULL where nothing can be returned (early boot). */
struct pagetable_source {
  status_t (*take)(void *context, paddr_t *frame);
  void (*give)(void *context, paddr_t frame);
  void *context;
};

struct pagetable {
  struct platform_lock lock; /* Who changes the tables; nobody needs it to read them. */
  paddr_t root;
  struct pagetable_source source;
  paddr_t spare;        /* Frames taken and not yet used: a chain through their first words, 0 at its end. */
  uint64_t spare_count; /* How many. */
  uint64_t tables;      /* Taken from the source and in use; the loader's are not among them. */
};

void pagetable_init(struct pagetable *t, paddr_t root, struct pagetable_source source);

/** Makes sure that `count` spare frames are at hand.  OK or ERR_NO_MEMORY. */
status_t pagetable_reserve(struct pagetable *t, uint64_t count);
/** The opposite: spare frames above `count` go back to the source, where it takes any. */
void pagetable_trim(struct pagetable *t, uint64_t count);
/** Tables that pagetable_map would need for this mapping now.  Statuses of pagetable_map but for ERR_NO_MEMORY. */
status_t pagetable_map_cost(const struct pagetable *t, vrange_t where, paddr_t to, uint64_t *count);

/**
 * Maps [where) to physical memory from `to`, contiguous, with PAGE_* flags.
 *   => the caller keeps others away from the same range.
 * Returns OK, ERR_UNALIGNED (not whole pages), ERR_INVALID (empty, or writable and executable), ERR_RANGE (wraps, or beyond
 * the levels), ERR_EXISTS (a page of it is mapped), ERR_NO_MEMORY.
 */
status_t pagetable_map(struct pagetable *t, vrange_t where, paddr_t to, uint32_t flags);
/** Gives mapped pages new PAGE_* flags.  As pagetable_map; ERR_NOT_FOUND (a page of it is not mapped). */
status_t pagetable_protect(struct pagetable *t, vrange_t where, uint32_t flags);
/** Takes mapped pages away; tables stay.  As pagetable_protect. */
status_t pagetable_unmap(struct pagetable *t, vrange_t where);

/** Splits the leaf that maps an address into leaves one level below.  ERR_NOT_FOUND, ERR_UNSUPPORTED (the smallest),
 * ERR_NO_MEMORY. */
status_t pagetable_split(struct pagetable *t, vaddr_t address);

/**
 * The opposite: makes the table at `address` whose leaves are one level below `level` into one leaf, when they are all
 * there, in one piece, aligned and alike.  Its frame goes back to the source.
 * Returns OK; ERR_NOT_FOUND (no such table, or its leaves do not fit together); ERR_UNSUPPORTED (no leaf of that level).
 */
status_t pagetable_join(struct pagetable *t, vaddr_t address, unsigned level);

/* One leaf as it stands in the tables. */
struct pagetable_leaf {
  vaddr_t start;
  uint64_t size; /* Bytes: 4 KiB, 2 MiB, 1 GiB. */
  paddr_t to;
  uint32_t flags;
};
/** The leaf that maps an address; ERR_NOT_FOUND, ERR_RANGE (not canonical). */
status_t pagetable_find(const struct pagetable *t, vaddr_t address, struct pagetable_leaf *out);

/* Calls leaf for each leaf in ascending order until it returns false.  `start` and `end` bound the walk by top-level slots:
 * the walk covers [first_slot, end_slot) of the root. */
void pagetable_visit(const struct pagetable *t, unsigned first_slot, unsigned end_slot,
                     bool (*leaf)(void *context, const struct pagetable_leaf *leaf), void *context);
/** Tables in those slots, without the root. */
uint64_t pagetable_count_tables(const struct pagetable *t, unsigned first_slot, unsigned end_slot);
