/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/addr.h — physical addresses, virtual addresses and frame numbers are three different types.
 *
 * Each is a struct around one integer, so that mixing them up does not compile; at -O1 and above the code is the same as
 * for the integer.  Arithmetic goes through the verbs here.  Ranges are half-open: [start, end).
 */
#pragma once

#include "base/units.h"

typedef struct {
  uint64_t raw;
} paddr_t; /* Physical address, bytes. */
typedef struct {
  uint64_t raw;
} vaddr_t; /* Virtual address, bytes. */
typedef struct {
  uint64_t raw;
} pfn_t; /* Frame number: physical address >> FRAME_SHIFT. */
typedef struct {
  paddr_t start, end;
} prange_t;
typedef struct {
  vaddr_t start, end;
} vrange_t;

static inline paddr_t paddr(uint64_t raw) { return (paddr_t){raw}; }
static inline vaddr_t vaddr(uint64_t raw) { return (vaddr_t){raw}; }
static inline pfn_t pfn(uint64_t raw) { return (pfn_t){raw}; }

static inline paddr_t paddr_add(paddr_t a, uint64_t bytes) { return paddr(a.raw + bytes); }
static inline vaddr_t vaddr_add(vaddr_t a, uint64_t bytes) { return vaddr(a.raw + bytes); }
static inline pfn_t pfn_add(pfn_t a, uint64_t frames) { return pfn(a.raw + frames); }
static inline pfn_t pfn_of_paddr(paddr_t a) { return pfn(a.raw >> FRAME_SHIFT); }
static inline paddr_t paddr_of_pfn(pfn_t a) { return paddr(a.raw << FRAME_SHIFT); }

static inline prange_t prange(uint64_t start, uint64_t end) { return (prange_t){{start}, {end}}; }
static inline vrange_t vrange(uint64_t start, uint64_t end) { return (vrange_t){{start}, {end}}; }
static inline uint64_t prange_size(prange_t r) { return r.end.raw - r.start.raw; }
static inline uint64_t vrange_size(vrange_t r) { return r.end.raw - r.start.raw; }
static inline bool prange_contains(prange_t r, paddr_t a) { return a.raw >= r.start.raw && a.raw < r.end.raw; }
static inline bool vrange_contains(vrange_t r, vaddr_t a) { return a.raw >= r.start.raw && a.raw < r.end.raw; }
static inline bool prange_overlaps(prange_t a, prange_t b) { return a.start.raw < b.end.raw && b.start.raw < a.end.raw; }
static inline bool vrange_overlaps(vrange_t a, vrange_t b) { return a.start.raw < b.end.raw && b.start.raw < a.end.raw; }
