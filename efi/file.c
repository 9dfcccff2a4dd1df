/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/file.c — read-only files through EFI_SIMPLE_FILE_SYSTEM_PROTOCOL.
 *
 * HOW      The size of a file is found by seeking to the end (position 2^64 - 1 means that), which needs no buffer and
 *          refuses directories.  Reads go straight to where the bytes belong, at most 1 MiB a call: some firmware corrupts
 *          larger ones.  A read that makes no progress ends the loop, so that a broken driver cannot hang us.
 * SOURCE   UEFI 2.10: 13.4 (simple file system), 13.5 (file protocol).
 */
#include "efi/file.h"

#include "base/units.h"
#include "efi/tables.h"

static EFI_FILE_HANDLE file_root;

#define FILE_PIECE MIB

status_t efi_file_mount(void) {
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

status_t efi_file_open(const char *path, size_t path_length, struct efi_file *file) {
  CHAR16 name[EFI_FILE_PATH_MAX + 1];
  EFI_FILE_HANDLE handle = NULL;
  uint64_t size = 0;
  if (path_length > EFI_FILE_PATH_MAX) return ERR_RANGE;
  status_t mounted = efi_file_mount();
  if (mounted != OK) return mounted;
  for (size_t i = 0; i < path_length; i++) name[i] = (CHAR16)(path[i] == '/' ? '\\' : (unsigned char)path[i]);
  name[path_length] = 0;
  EFI_STATUS s = file_root->Open(file_root, &handle, name, EFI_FILE_MODE_READ, 0);
  if (EFI_ERROR(s)) return efi_tables_status(s);
  s = find_size(handle, &size);
  if (EFI_ERROR(s)) {
    (void)handle->Close(handle);
    return efi_tables_status(s);
  }
  *file = (struct efi_file){.handle = handle, .size = size};
  return OK;
}

status_t efi_file_read(struct efi_file *file, uint64_t offset, void *to, uint64_t size) {
  uint8_t *at = to;
  if (size == 0) return OK;
  EFI_STATUS s = file->handle->SetPosition(file->handle, offset);
  while (!EFI_ERROR(s) && size > 0) {
    UINTN piece = size < FILE_PIECE ? size : FILE_PIECE;
    UINTN asked = piece;
    s = file->handle->Read(file->handle, &piece, at);
    if (EFI_ERROR(s)) break;
    if (piece == 0 || piece > asked) return ERR_TRUNCATED;
    at += piece;
    size -= piece;
  }
  return efi_tables_status(s);
}

void efi_file_close(struct efi_file *file) {
  if (file->handle) (void)file->handle->Close(file->handle);
  file->handle = NULL;
}
