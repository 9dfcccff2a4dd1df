/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/memory.c — allocations of the loader: refused by number or by kind, dirty, not executable, and all counted.
 *
 * HOW      Every block that is given is written down and struck out when it comes back.  What is left when the loader has
 *          come back is a leak; a block that comes back without having been given is a violation.
 * SOURCE   UEFI 2.10: 7.2 (memory allocation services).
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define BLOCKS_MAX 512

static struct block {
  uint64_t start;
  uint64_t pages; /* 0: pool. */
} blocks[BLOCKS_MAX];
static size_t block_count;
static uint64_t asked, fail_from;

void memory_begin(uint64_t from) {
  block_count = 0;
  asked = 0;
  fail_from = from;
}

uint64_t memory_end(unsigned open_files) {
  uint64_t pages = 0;
  uint64_t pools = 0;
  for (size_t i = 0; i < block_count; i++) {
    pages += blocks[i].pages;
    pools += blocks[i].pages == 0;
  }
  if (pages + pools + open_files == 0) {
    print_line("CLEAN");
  } else {
    print_line("LEAK pages=%llu pools=%llu files=%u", (unsigned long long)pages, (unsigned long long)pools, open_files);
  }
  return asked;
}

static void note(uint64_t start, uint64_t pages, uint64_t size) {
  if (block_count == BLOCKS_MAX) {
    print_line("BROKEN more than %d blocks", BLOCKS_MAX);
    return;
  }
  blocks[block_count++] = (struct block){start, pages};
  if (quirks_play(QUIRK_ALLOC_DIRTY)) memset((void *)(uintptr_t)start, (int)quirks_value(QUIRK_ALLOC_DIRTY), size);
}

static bool strike_out(uint64_t start, uint64_t pages) {
  for (size_t i = 0; i < block_count; i++) {
    if (blocks[i].start != start || blocks[i].pages != pages) continue;
    blocks[i] = blocks[--block_count];
    return true;
  }
  return false;
}

/* Whether the call with this number is to be refused. */
static bool is_refused(void) {
  asked++;
  if (fail_from != 0 && asked >= fail_from) return true;
  if (quirks_on(QUIRK_ALLOC_FAILS) && asked >= quirks_value(QUIRK_ALLOC_FAILS)) return quirks_play(QUIRK_ALLOC_FAILS);
  return quirks_on(QUIRK_ALLOC_FAILS_ONCE) && asked == quirks_value(QUIRK_ALLOC_FAILS_ONCE) &&
         quirks_play(QUIRK_ALLOC_FAILS_ONCE);
}

/* From the n-th request on. */
static bool below_fails(void) {
  static uint64_t requests;
  if (!quirks_on(QUIRK_ALLOC_BELOW_FAILS) || ++requests < quirks_value(QUIRK_ALLOC_BELOW_FAILS)) return false;
  return quirks_play(QUIRK_ALLOC_BELOW_FAILS);
}

static EFI_STATUS EFIAPI allocate_pages(EFI_ALLOCATE_TYPE how, EFI_MEMORY_TYPE type, UINTN pages,
                                        EFI_PHYSICAL_ADDRESS *memory) {
  if (is_refused()) return EFI_OUT_OF_RESOURCES;
  if (how == AllocateAddress && quirks_play_limited(QUIRK_ALLOC_AT_FAILS)) return EFI_NOT_FOUND;
  if (how == AllocateMaxAddress) {
    bool is_low = *memory < MIB;
    if (below_fails()) return EFI_OUT_OF_RESOURCES;
    if (is_low && (quirks_on(QUIRK_LOW_BOOT) || quirks_on(QUIRK_LOW_NONE))) return EFI_OUT_OF_RESOURCES;
  }
  if ((uint32_t)type >= 0x70000000) shim_violation("AllocatePages of a type of its own");
  EFI_STATUS s = shim_services->AllocatePages(how, type, pages, memory);
  if (EFI_ERROR(s)) return s;
  note(*memory, pages, pages * FRAME_SIZE);
  if (type == EfiLoaderData && quirks_play(QUIRK_NX_DATA)) paging_forbid_execution(*memory, pages * FRAME_SIZE);
  return s;
}

static EFI_STATUS EFIAPI free_pages(EFI_PHYSICAL_ADDRESS memory, UINTN pages) {
  if (!strike_out(memory, pages)) shim_violation("FreePages of what was not allocated so");
  return shim_services->FreePages(memory, pages);
}

static EFI_STATUS EFIAPI allocate_pool(EFI_MEMORY_TYPE type, UINTN size, VOID **buffer) {
  if (is_refused()) return EFI_OUT_OF_RESOURCES;
  EFI_STATUS s = shim_services->AllocatePool(type, size, buffer);
  if (EFI_ERROR(s)) return s;
  note((uint64_t)(uintptr_t)*buffer, 0, size);
  if (type == EfiLoaderData && quirks_on(QUIRK_NX_DATA)) paging_forbid_execution((uint64_t)(uintptr_t)*buffer, size);
  return s;
}

/* Pool also comes from the firmware itself (QueryMode); what is not in the list is the firmware's to judge. */
static EFI_STATUS EFIAPI free_pool(VOID *buffer) {
  (void)strike_out((uint64_t)(uintptr_t)buffer, 0);
  return shim_services->FreePool(buffer);
}

void memory_hook(EFI_BOOT_SERVICES *services) {
  services->AllocatePages = allocate_pages;
  services->FreePages = free_pages;
  services->AllocatePool = allocate_pool;
  services->FreePool = free_pool;
}
