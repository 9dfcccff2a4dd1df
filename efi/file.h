/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/file.h — files on the volume that the loader was started from. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct _EFI_FILE_HANDLE;

#define EFI_FILES_MAX 4

struct efi_file {
  struct _EFI_FILE_HANDLE *handle;
  uint64_t size; /* Bytes. */
};

/**
 * Opens a file for reading; the path is UTF-16 with backslashes.  The first call mounts the volume.
 * Returns OK, ERR_NOT_FOUND (or no file system on the device we came from), ERR_UNSUPPORTED (a directory), ERR_FULL
 * (EFI_FILES_MAX are open), or what the firmware says; *file is written on OK alone.  The file stays open until
 * efi_file_close_all.
 */
status_t efi_file_open(const uint16_t *path, struct efi_file *file);

/**
 * Reads exactly size bytes from offset on, in pieces of at most `piece` bytes (some firmware corrupts large reads), and in
 * smaller ones, down to 4 KiB, after a read that fails.
 * Returns OK, ERR_TRUNCATED (the file ends earlier), or what the firmware says; the buffer's content is then undefined.
 */
status_t efi_file_read(struct efi_file *file, uint64_t offset, void *to, uint64_t size, uint64_t piece);

/**
 * Closes every file and the volume.  Only for a loader that gives up: when boot services end the file system ends with them,
 * and closing two files that were only read costs 40,000 instructions.
 */
void efi_file_close_all(void);
