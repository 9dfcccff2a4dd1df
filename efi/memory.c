/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/memory.c — pages, pool and the memory map.
 *
 * HOW      The map's buffer grows by what the firmware asks plus 64 descriptors: allocating it may itself add some, and
 *          firmware adds more between two tries of ExitBootServices.  64 asks in a row that are still too small end it.
 * SOURCE   UEFI 2.10: 7.2 (memory services).
 */
#include "efi/memory.h"

#include "base/units.h"
#include "efi/tables.h"

static struct {
  uint64_t physical;
  uint64_t frames; /* 0: from the pool. */
} memory_given[EFI_MEMORY_ALLOCATIONS_MAX];
static size_t memory_given_count;

#define MAP_SLACK_DESCRIPTORS 64
#define MAP_TRIES             64
#define MAP_STRIDE_MIN        40 /* sizeof(EFI_MEMORY_DESCRIPTOR), version 1. */
#define MAP_STRIDE_MAX        (EFI_MEMORY_MAP_SPARE / 2)

static void remember(uint64_t physical, uint64_t frames) {
  memory_given[memory_given_count].physical = physical;
  memory_given[memory_given_count++].frames = frames;
}

static status_t alloc_pages(EFI_ALLOCATE_TYPE how, enum efi_memory_use use, uint64_t frames, uint64_t *physical) {
  EFI_PHYSICAL_ADDRESS at = *physical;
  EFI_MEMORY_TYPE type = use == EFI_MEMORY_FOR_CODE ? EfiLoaderCode : EfiLoaderData;
  if (memory_given_count == EFI_MEMORY_ALLOCATIONS_MAX) return ERR_FULL;
  EFI_STATUS s = efi_tables_system()->BootServices->AllocatePages(how, type, frames, &at);
  if (EFI_ERROR(s)) return efi_tables_status(s);
  remember(at, frames);
  *physical = at;
  return OK;
}

status_t efi_memory_alloc(enum efi_memory_use use, uint64_t frames, uint64_t *physical) {
  uint64_t at = 0;
  status_t s = alloc_pages(AllocateAnyPages, use, frames, &at);
  if (s == OK) *physical = at;
  return s;
}

status_t efi_memory_alloc_at(uint64_t physical, uint64_t frames) {
  return alloc_pages(AllocateAddress, EFI_MEMORY_FOR_DATA, frames, &physical);
}

status_t efi_memory_alloc_below(enum efi_memory_use use, uint64_t frames, uint64_t max, uint64_t *physical) {
  uint64_t at = max;
  status_t s = alloc_pages(AllocateMaxAddress, use, frames, &at);
  if (s == OK) *physical = at;
  return s;
}

status_t efi_memory_alloc_pool(size_t size, void **memory) {
  void *at = NULL;
  if (memory_given_count == EFI_MEMORY_ALLOCATIONS_MAX) return ERR_FULL;
  EFI_STATUS s = efi_tables_system()->BootServices->AllocatePool(EfiLoaderData, size, &at);
  if (EFI_ERROR(s)) return efi_tables_status(s);
  remember((uint64_t)(uintptr_t)at, 0);
  *memory = at;
  return OK;
}

void efi_memory_free_pool(void *memory) {
  for (size_t i = 0; i < memory_given_count; i++) {
    if (memory_given[i].frames != 0 || memory_given[i].physical != (uint64_t)(uintptr_t)memory) continue;
    memory_given[i] = memory_given[--memory_given_count];
    (void)efi_tables_system()->BootServices->FreePool(memory);
    return;
  }
}

void efi_memory_free(uint64_t physical) {
  for (size_t i = 0; i < memory_given_count; i++) {
    uint64_t frames = memory_given[i].frames;
    if (frames == 0 || memory_given[i].physical != physical) continue;
    memory_given[i] = memory_given[--memory_given_count];
    (void)efi_tables_system()->BootServices->FreePages(physical, frames);
    return;
  }
}

void efi_memory_free_all(void) {
  const EFI_BOOT_SERVICES *services = efi_tables_system()->BootServices;
  while (memory_given_count > 0) {
    uint64_t physical = memory_given[--memory_given_count].physical;
    uint64_t frames = memory_given[memory_given_count].frames;
    if (frames == 0) (void)services->FreePool((void *)(uintptr_t)physical);
    if (frames != 0) (void)services->FreePages(physical, frames);
  }
}

/* Replaces the buffer by one with room for `needed` bytes and some more descriptors. */
static status_t grow(struct efi_memory_map *map, size_t needed, size_t stride) {
  void *larger = NULL;
  size_t capacity = needed + MAP_SLACK_DESCRIPTORS * stride + EFI_MEMORY_MAP_SPARE;
  if (needed > GIB || capacity <= map->capacity) return ERR_CORRUPT;
  status_t s = efi_memory_alloc_pool(capacity, &larger);
  if (s != OK) return s;
  if (map->is_from_pool) efi_memory_free_pool(map->descriptors);
  map->is_from_pool = true;
  map->descriptors = larger;
  map->capacity = capacity;
  return OK;
}

status_t efi_memory_get_map(struct efi_memory_map *map) {
  for (unsigned i = 0; i < MAP_TRIES; i++) {
    UINTN size = map->capacity > EFI_MEMORY_MAP_SPARE ? map->capacity - EFI_MEMORY_MAP_SPARE : 0;
    UINTN room = size;
    UINTN key = 0;
    UINTN stride = 0;
    UINT32 version = 0;
    EFI_STATUS s = efi_tables_system()->BootServices->GetMemoryMap(&size, map->descriptors, &key, &stride, &version);
    if (s != EFI_BUFFER_TOO_SMALL && EFI_ERROR(s)) return efi_tables_status(s);
    if (s == EFI_BUFFER_TOO_SMALL && stride == 0) stride = MAP_STRIDE_MIN; /* Some say it only together with the map. */
    if (stride < MAP_STRIDE_MIN || stride > MAP_STRIDE_MAX || stride % 8 != 0) return ERR_CORRUPT;
    if (!EFI_ERROR(s)) {
      if (size > room) return ERR_CORRUPT;
      map->size = size - size % stride;
      map->stride = stride;
      map->key = key;
      map->version = version;
      return OK;
    }
    status_t grown = grow(map, size > room ? size : room + stride, stride);
    if (grown != OK) return grown;
  }
  return ERR_TIMEOUT;
}
