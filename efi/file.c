/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/file.c — read-only files through EFI_SIMPLE_FILE_SYSTEM_PROTOCOL.
 *
 * HOW      The size of a file is found by seeking to the end (position 2^64 - 1 means that), which needs no buffer and
 *          refuses directories.  Reads go straight to where the bytes belong, in pieces: some firmware corrupts large
 *          ones.  A read that fails is tried again in smaller pieces, down to 4 KiB; one that makes no progress ends the
 *          loop, so that a broken driver cannot hang us.
 * SOURCE   UEFI 2.10: 13.4 (simple file system), 13.5 (file protocol).
 */
#include "efi/file.h"

#include "base/units.h"
#include "efi/tables.h"

#define PIECE_MIN (4 * KIB)

static EFI_FILE_HANDLE file_root;
static EFI_FILE_HANDLE file_open[EFI_FILES_MAX];
static size_t file_open_count;

/* The volume of the device we came from, once. */
static status_t mount(void) {
  static const EFI_GUID guid = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
  if (file_root) return OK;
  EFI_LOADED_IMAGE *image = efi_tables_loaded_image();
  if (!image || !image->DeviceHandle) return ERR_NOT_FOUND;
  EFI_FILE_IO_INTERFACE *volume = efi_tables_protocol(image->DeviceHandle, &guid);
  if (!volume) return ERR_NOT_FOUND;
  return efi_tables_status(volume->OpenVolume(volume, &file_root));
}

/* Seeks to the end and asks where that is. */
static EFI_STATUS find_size(EFI_FILE_HANDLE handle, uint64_t *size) {
  UINT64 end = 0;
  EFI_STATUS s = handle->SetPosition(handle, UINT64_MAX);
  if (!EFI_ERROR(s)) s = handle->GetPosition(handle, &end);
  if (!EFI_ERROR(s)) *size = end;
  return s;
}

status_t efi_file_open(const uint16_t *path, struct efi_file *file) {
  EFI_FILE_HANDLE handle = NULL;
  uint64_t size = 0;
  status_t mounted = mount();
  if (mounted != OK) return mounted;
  if (file_open_count == EFI_FILES_MAX) return ERR_FULL;
  /* The firmware's prototype is not const; Open does not write to the name. */
  EFI_STATUS s = file_root->Open(file_root, &handle, (CHAR16 *)(uintptr_t)path, EFI_FILE_MODE_READ, 0);
  if (EFI_ERROR(s)) return efi_tables_status(s);
  s = find_size(handle, &size);
  if (EFI_ERROR(s)) {
    (void)handle->Close(handle);
    return efi_tables_status(s);
  }
  file_open[file_open_count++] = handle;
  *file = (struct efi_file){.handle = handle, .size = size};
  return OK;
}

status_t efi_file_read(struct efi_file *file, uint64_t offset, void *to, uint64_t size, uint64_t piece) {
  uint64_t done = 0;
  if (size == 0) return OK;
  EFI_STATUS s = file->handle->SetPosition(file->handle, offset);
  while (!EFI_ERROR(s) && done < size) {
    uint64_t asked = size - done < piece ? size - done : piece;
    UINTN given = asked;
    s = file->handle->Read(file->handle, &given, (uint8_t *)to + done);
    if (EFI_ERROR(s) && asked > PIECE_MIN) { /* Perhaps it was too large for this firmware. */
      piece = asked / 4 > PIECE_MIN ? asked / 4 : PIECE_MIN;
      s = file->handle->SetPosition(file->handle, offset + done);
      continue;
    }
    if (EFI_ERROR(s)) break;
    if (given == 0 || given > asked) return ERR_TRUNCATED;
    done += given;
  }
  return efi_tables_status(s);
}

void efi_file_close_all(void) {
  while (file_open_count > 0) {
    EFI_FILE_HANDLE handle = file_open[--file_open_count];
    (void)handle->Close(handle);
  }
  if (file_root) (void)file_root->Close(file_root);
  file_root = NULL;
}
