/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/fabric.c — descriptors that no honest firmware gives.
 *
 * HOW      A piece of RAM, the arena, is taken from the firmware for good.  In the map it is replaced by whatever the quirks
 *          want to say about it: what they say is then true for everybody but the firmware, which has the arena allocated
 *          and gives it to nobody.  The rest of the map stays true, but for quirks that change the way it is written down.
 * INVARIANT The same quirks and the same number of failures give the same descriptors for the arena, whenever asked.
 * SOURCE   UEFI 2.10: 7.2.3 (GetMemoryMap).
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define ARENA_SIZE   (24 * MIB)
#define FAR_RESERVED UINT64_C(0xfd00000000) /* Where map-reserved puts its entries: above all RAM, below 2^40. */
#define ATTRIBUTES   UINT64_C(0xf)          /* UC, WC, WT, WB. */
#define RUNTIME      (UINT64_C(1) << 63)
#define PERSISTENT   14
#define UNACCEPTED   15
#define LOW_END      MIB

static uint64_t arena, cursor; /* Start; first address that no quirk has taken yet. */

void fabric_init(void) {
  arena = (uint64_t)(uintptr_t)shim_pages(ARENA_SIZE + 2 * MIB);
  arena = (arena + 2 * MIB - 1) & ~(2 * MIB - 1);
}

static void add_with(struct fabric *f, uint32_t type, uint64_t start, uint64_t pages, uint64_t attributes) {
  if (f->count == FABRIC_MAX) return;
  f->list[f->count++] =
      (EFI_MEMORY_DESCRIPTOR){.Type = type, .PhysicalStart = start, .NumberOfPages = pages, .Attribute = attributes};
}
static void add(struct fabric *f, uint32_t type, uint64_t start, uint64_t pages) {
  add_with(f, type, start, pages, ATTRIBUTES);
}

/* So many pages of the arena; they belong to the quirk that asks. */
static uint64_t take(uint64_t pages) {
  uint64_t start = cursor;
  cursor += pages * FRAME_SIZE;
  return start;
}

/* Cuts the arena out of the honest map. */
static void cut_arena(struct fabric *f) {
  size_t honest = f->count;
  size_t kept = 0;
  uint64_t arena_end = arena + ARENA_SIZE;
  for (size_t i = 0; i < honest; i++) {
    EFI_MEMORY_DESCRIPTOR *d = &f->list[i];
    uint64_t end = d->PhysicalStart + d->NumberOfPages * FRAME_SIZE;
    if (d->PhysicalStart >= arena_end || end <= arena) continue;
    if (end > arena_end) add_with(f, d->Type, arena_end, (end - arena_end) / FRAME_SIZE, d->Attribute);
    d->NumberOfPages = d->PhysicalStart < arena ? (arena - d->PhysicalStart) / FRAME_SIZE : 0;
  }
  for (size_t i = 0; i < f->count; i++) {
    if (f->list[i].NumberOfPages > 0) f->list[kept++] = f->list[i];
  }
  f->count = kept;
}

/* --- quirks that tell stories about the arena ------------------------------------------------------------------------ */

/* RAM in pieces of one page, every other one of them boot services'. */
static void add_fragments(struct fabric *f, uint64_t start, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    add(f, i % 2 ? EfiBootServicesData : EfiConventionalMemory, start + i * FRAME_SIZE, 1);
  }
}

static void nested(struct fabric *f) {
  uint64_t at = take(256);
  add(f, EfiConventionalMemory, at, 256);
  add(f, EfiReservedMemoryType, at + 64 * FRAME_SIZE, 16);
  at = take(64);
  add(f, EfiRuntimeServicesData, at + 8 * FRAME_SIZE, 4);
  add(f, EfiBootServicesData, at, 64);
}

static void overlap(struct fabric *f) {
  uint64_t at = take(256);
  add(f, EfiConventionalMemory, at, 192);
  add(f, EfiACPIMemoryNVS, at + 160 * FRAME_SIZE, 64);
  add(f, EfiConventionalMemory, at + 200 * FRAME_SIZE, 56);
  add(f, EfiACPIReclaimMemory, at + 250 * FRAME_SIZE, 2);
}

static void oem(struct fabric *f) {
  static const uint32_t types[] = {0x80000000, 0x70000000, 0xffffffff, 16};
  for (size_t i = 0; i < ARRAY_COUNT(types); i++) add(f, types[i], take(16), 16);
}

static void rare_types(struct fabric *f) {
  static const uint32_t types[] = {EfiUnusableMemory, EfiMemoryMappedIOPortSpace, EfiPalCode, PERSISTENT, UNACCEPTED};
  for (size_t i = 0; i < ARRAY_COUNT(types); i++) add(f, types[i], take(16), 16);
}

static void unaligned(struct fabric *f) {
  uint64_t at = take(16);
  add(f, EfiConventionalMemory, at + 0x800, 8);
  add(f, EfiACPIMemoryNVS, at + 9 * FRAME_SIZE + 0x10, 2);
}

static void wrap_ram(struct fabric *f) {
  add(f, EfiConventionalMemory, take(16), UINT64_C(1) << 52);
  add(f, EfiConventionalMemory, UINT64_C(0xfffffffff0000000), 0x20000);
  add(f, EfiBootServicesData, take(16), UINT64_MAX);
  add(f, EfiACPIMemoryNVS, take(16), UINT64_C(1) << 40);
}

static void growth(struct fabric *f) {
  uint64_t room = (quirks_value(QUIRK_EBS_FAILS) + 1) * quirks_value(QUIRK_EBS_GROW);
  uint64_t grown = f->failures * quirks_value(QUIRK_EBS_GROW);
  uint64_t at = take(room);
  if (grown > 0) quirks_count(QUIRK_EBS_GROW);
  add_fragments(f, at, grown);
  if (grown < room) add(f, EfiConventionalMemory, at + grown * FRAME_SIZE, room - grown);
}

static void fill_arena(struct fabric *f) {
  cursor = arena;
  if (quirks_play(QUIRK_MAP_NESTED)) nested(f);
  if (quirks_play(QUIRK_MAP_OVERLAP)) overlap(f);
  if (quirks_play(QUIRK_MAP_OEM)) oem(f);
  if (quirks_play(QUIRK_MAP_TYPES)) rare_types(f);
  if (quirks_play(QUIRK_MAP_UNALIGNED)) unaligned(f);
  if (quirks_play(QUIRK_MAP_WRAP_RAM)) wrap_ram(f);
  if (quirks_play(QUIRK_MAP_RUNTIME_RAM)) add_with(f, EfiConventionalMemory, take(16), 16, ATTRIBUTES | RUNTIME);
  if (quirks_on(QUIRK_EBS_GROW)) growth(f);
  if (quirks_play(QUIRK_MAP_FRAGMENTS)) {
    add_fragments(f, take(quirks_value(QUIRK_MAP_FRAGMENTS)), quirks_value(QUIRK_MAP_FRAGMENTS));
  }
  if (cursor > arena + ARENA_SIZE) print_line("BROKEN the quirks want more than the arena");
  add(f, EfiConventionalMemory, cursor, (arena + ARENA_SIZE - cursor) / FRAME_SIZE);
}

/* --- quirks that are about no RAM at all ---------------------------------------------------------------------------- */

static void add_far(struct fabric *f) {
  if (quirks_play(QUIRK_MAP_MMIO)) add(f, EfiMemoryMappedIO, quirks_value(QUIRK_MAP_MMIO) << 40, 0x10000);
  if (quirks_play(QUIRK_MAP_FAR_RAM)) add(f, EfiConventionalMemory, UINT64_C(1) << quirks_value(QUIRK_MAP_FAR_RAM), 0x1000);
  if (quirks_play(QUIRK_MAP_TOP)) add(f, EfiReservedMemoryType, UINT64_C(0) - MIB, 256);
  if (quirks_play(QUIRK_MAP_WRAP)) add(f, EfiReservedMemoryType, UINT64_C(0xffffffffffff0000), 0x100);
  if (quirks_play(QUIRK_MAP_RESERVED)) {
    for (uint64_t i = 0; i < quirks_value(QUIRK_MAP_RESERVED); i++) {
      add(f, EfiReservedMemoryType, FAR_RESERVED + 2 * i * FRAME_SIZE, 1);
    }
  }
}

/* --- quirks of writing it down -------------------------------------------------------------------------------------- */

static void change_each(EFI_MEMORY_DESCRIPTOR *d) {
  bool is_low = d->PhysicalStart < LOW_END;
  bool is_runtime = d->Type == EfiRuntimeServicesCode || d->Type == EfiRuntimeServicesData;
  if (d->Type == EfiConventionalMemory && is_low && quirks_play(QUIRK_LOW_BOOT)) d->Type = EfiBootServicesData;
  if (is_runtime && quirks_play(QUIRK_MAP_RUNTIME_BARE)) d->Attribute &= ~RUNTIME;
  if (quirks_play(QUIRK_MAP_NO_ATTRIBUTES)) d->Attribute = 0;
  if (quirks_play(QUIRK_MAP_VIRTUAL)) d->VirtualStart = UINT64_C(0xdeadbeefcafef00d) ^ d->PhysicalStart;
}

static void drop_low(struct fabric *f) {
  size_t kept = 0;
  for (size_t i = 0; i < f->count; i++) {
    if (f->list[i].PhysicalStart >= LOW_END) f->list[kept++] = f->list[i];
  }
  f->count = kept;
}

static void add_empty(struct fabric *f) {
  size_t first = f->count;
  for (uint64_t i = 0; i < quirks_value(QUIRK_MAP_EMPTY); i++) {
    add(f, i % 2 ? EfiReservedMemoryType : EfiConventionalMemory, arena + i * 12345, 0);
  }
  for (size_t i = first; i < f->count; i++) { /* Spread over the list. */
    size_t to = (i - first) * 7 % first;
    EFI_MEMORY_DESCRIPTOR swapped = f->list[to];
    f->list[to] = f->list[i];
    f->list[i] = swapped;
  }
}

static void reverse(struct fabric *f) {
  for (size_t i = 1; i < f->count; i++) { /* Sorted downwards; the honest part is sorted already. */
    EFI_MEMORY_DESCRIPTOR d = f->list[i];
    size_t at = i;
    for (; at > 0 && f->list[at - 1].PhysicalStart < d.PhysicalStart; at--) f->list[at] = f->list[at - 1];
    f->list[at] = d;
  }
}

void fabric_apply(struct fabric *f) {
  cut_arena(f);
  fill_arena(f);
  add_far(f);
  for (size_t i = 0; i < f->count; i++) change_each(&f->list[i]);
  if (quirks_play(QUIRK_LOW_NONE)) drop_low(f);
  if (quirks_play(QUIRK_MAP_EMPTY)) add_empty(f);
  if (quirks_play(QUIRK_MAP_DUPLICATE)) {
    size_t single = f->count;
    for (size_t i = 0; i < single && f->count < FABRIC_MAX; i++) f->list[f->count++] = f->list[i];
  }
  if (quirks_play(QUIRK_MAP_REVERSE)) reverse(f);
}
