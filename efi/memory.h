/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/memory.h — memory from the firmware and the firmware's map of it.
 *
 * Page allocations are remembered, so that a loader that gives up can return every one of them.  Only the types that the
 * specification defines are used: firmware exists that hangs on types of our own.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

enum efi_memory_use {
  EFI_MEMORY_FOR_DATA, /* EfiLoaderData: may be non-executable. */
  EFI_MEMORY_FOR_CODE, /* EfiLoaderCode: the only type that is sure to be executable. */
};

/* Allocations that can be remembered, pages and pool: file, kernel, stack with handoff and tables, jump, trampoline, map,
 * scratch, regions, boot.cfg; and some of them again, larger. */
#define EFI_MEMORY_ALLOCATIONS_MAX 64

/* Whole frames, not zeroed.  Return OK, ERR_NO_MEMORY, ERR_NOT_FOUND (these frames are not free), ERR_FULL (table full). */
status_t efi_memory_alloc(enum efi_memory_use use, uint64_t frames, uint64_t *physical);
status_t efi_memory_alloc_at(uint64_t physical, uint64_t frames);
/** As above, all of it at or below the address max. */
status_t efi_memory_alloc_below(enum efi_memory_use use, uint64_t frames, uint64_t max, uint64_t *physical);

/** Gives one allocation of pages back before its time; a stranger's address does nothing. */
void efi_memory_free(uint64_t physical);

/** Gives back every allocation that has not been given back yet, pages and pool; for a loader that fails.
 *  => before ExitBootServices has succeeded. */
void efi_memory_free_all(void);

/** From the pool, 8-byte aligned.  Returns OK, ERR_NO_MEMORY or ERR_FULL.  Freeing NULL or a stranger does nothing. */
status_t efi_memory_alloc_pool(size_t size, void **memory);
void efi_memory_free_pool(void *memory);

/* Bytes behind the map that stay free, so that its reader can append two descriptors; no stride is
 * larger than half of them. */
#define EFI_MEMORY_MAP_SPARE 1024

/* A firmware map in a buffer of ours. */
struct efi_memory_map {
  void *descriptors;
  size_t capacity; /* Bytes of the buffer. */
  size_t size;     /* Bytes used. */
  size_t stride;   /* Bytes from one descriptor to the next. */
  uint64_t key;
  uint32_t version;  /* Of the descriptors; 1. */
  bool is_from_pool; /* The buffer is; false for one that the caller gave, which is not freed when it is too small. */
};

/**
 * Fills the map; a buffer that is too small (or NULL, capacity 0) is replaced by a larger one with room to spare, as often
 * as it takes.  Uses memory services alone, as is demanded after a failed ExitBootServices (UEFI 2.10, 7.4.6). Returns OK,
 * ERR_NO_MEMORY, ERR_CORRUPT (a stride below 40 or not a multiple of 8, more bytes than the buffer has), or what the
 * firmware says.
 */
status_t efi_memory_get_map(struct efi_memory_map *map);
