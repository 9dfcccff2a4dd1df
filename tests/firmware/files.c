/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/files.c — a file system that reads badly.
 *
 * HOW      Volume and files are wrapped one by one, because every call carries the protocol's own pointer.  Open files are
 *          counted.
 * SOURCE   UEFI 2.10: 13.4, 13.5.
 */
#include "tests/firmware/shim.h"

#define FILES_MAX 16

static EFI_FILE_IO_INTERFACE volume_face, *volume_real;
static struct file {
  EFI_FILE_PROTOCOL face; /* First: a file's pointer is its wrapper's. */
  EFI_FILE_HANDLE real;
  bool is_root;
} files[FILES_MAX];

static EFI_FILE_HANDLE real_of(EFI_FILE_HANDLE face) { return ((struct file *)face)->real; }

static EFI_STATUS EFIAPI file_open(EFI_FILE_HANDLE self, EFI_FILE_HANDLE *opened, CHAR16 *name, UINT64 mode, UINT64 how);

static EFI_STATUS EFIAPI file_close(EFI_FILE_HANDLE self) {
  EFI_FILE_HANDLE real = real_of(self);
  ((struct file *)self)->real = NULL;
  return real->Close(real);
}

static UINT64 position_of(EFI_FILE_HANDLE real) {
  UINT64 at = 0;
  (void)real->GetPosition(real, &at);
  return at;
}

static EFI_STATUS EFIAPI file_read(EFI_FILE_HANDLE self, UINTN *size, VOID *buffer) {
  EFI_FILE_HANDLE real = real_of(self);
  if (shim_is_strict) shim_violation("Read");
  if (quirks_play(QUIRK_READ_MOST) && *size > quirks_value(QUIRK_READ_MOST)) shim_violation("Read of too much at once");
  if (quirks_on(QUIRK_READ_MAX) && *size > quirks_value(QUIRK_READ_MAX)) {
    quirks_count(QUIRK_READ_MAX);
    return EFI_DEVICE_ERROR;
  }
  if (quirks_on(QUIRK_READ_ERROR) && position_of(real) + *size > quirks_value(QUIRK_READ_ERROR)) {
    quirks_count(QUIRK_READ_ERROR);
    return EFI_DEVICE_ERROR;
  }
  if (quirks_play(QUIRK_READ_ZERO)) {
    *size = 0;
    return EFI_SUCCESS;
  }
  UINTN asked = *size;
  if (asked > 1 && quirks_play(QUIRK_READ_SHORT)) *size = asked / 3 + 1;
  EFI_STATUS s = real->Read(real, size, buffer);
  if (quirks_play(QUIRK_READ_MORE)) *size = asked + 1;
  return s;
}

static EFI_STATUS EFIAPI file_get_position(EFI_FILE_HANDLE self, UINT64 *at) {
  return real_of(self)->GetPosition(real_of(self), at);
}
static EFI_STATUS EFIAPI file_set_position(EFI_FILE_HANDLE self, UINT64 at) {
  return real_of(self)->SetPosition(real_of(self), at);
}
static EFI_STATUS EFIAPI file_get_info(EFI_FILE_HANDLE self, EFI_GUID *type, UINTN *size, VOID *buffer) {
  return real_of(self)->GetInfo(real_of(self), type, size, buffer);
}

/* A loader writes nothing to the disk that it came from. */
static EFI_STATUS EFIAPI file_write(EFI_FILE_HANDLE self, UINTN *size, VOID *buffer) {
  (void)self, (void)size, (void)buffer;
  shim_violation("Write");
  return EFI_WRITE_PROTECTED;
}
static EFI_STATUS EFIAPI file_delete(EFI_FILE_HANDLE self) {
  (void)file_close(self);
  shim_violation("Delete");
  return EFI_WARN_DELETE_FAILURE;
}
static EFI_STATUS EFIAPI file_set_info(EFI_FILE_HANDLE self, EFI_GUID *type, UINTN size, VOID *buffer) {
  (void)self, (void)type, (void)size, (void)buffer;
  shim_violation("SetInfo");
  return EFI_WRITE_PROTECTED;
}
static EFI_STATUS EFIAPI file_flush(EFI_FILE_HANDLE self) {
  (void)self;
  shim_violation("Flush");
  return EFI_WRITE_PROTECTED;
}

static EFI_FILE_HANDLE wrap(EFI_FILE_HANDLE real, bool is_root) {
  for (size_t i = 0; i < FILES_MAX; i++) {
    if (files[i].real) continue;
    files[i] = (struct file){.real = real,
                             .is_root = is_root,
                             .face = {.Revision = EFI_FILE_PROTOCOL_REVISION,
                                      .Open = file_open,
                                      .Close = file_close,
                                      .Delete = file_delete,
                                      .Read = file_read,
                                      .Write = file_write,
                                      .GetPosition = file_get_position,
                                      .SetPosition = file_set_position,
                                      .GetInfo = file_get_info,
                                      .SetInfo = file_set_info,
                                      .Flush = file_flush}};
    return &files[i].face;
  }
  print_line("BROKEN more than %d open files", FILES_MAX);
  return real;
}

static EFI_STATUS EFIAPI file_open(EFI_FILE_HANDLE self, EFI_FILE_HANDLE *opened, CHAR16 *name, UINT64 mode, UINT64 how) {
  if (mode != EFI_FILE_MODE_READ) shim_violation("Open for writing");
  EFI_STATUS s = real_of(self)->Open(real_of(self), opened, name, mode, how);
  if (!EFI_ERROR(s)) *opened = wrap(*opened, false);
  return s;
}

static EFI_STATUS EFIAPI open_volume(EFI_FILE_IO_INTERFACE *self, EFI_FILE_HANDLE *root) {
  (void)self;
  EFI_STATUS s = volume_real->OpenVolume(volume_real, root);
  if (!EFI_ERROR(s)) *root = wrap(*root, true);
  return s;
}

void *files_wrap(void *volume) {
  volume_real = volume;
  volume_face = (EFI_FILE_IO_INTERFACE){.Revision = volume_real->Revision, .OpenVolume = open_volume};
  return &volume_face;
}

unsigned files_open(void) {
  unsigned open = 0;
  for (size_t i = 0; i < FILES_MAX; i++) {
    open += files[i].real != NULL;
    if (files[i].real) (void)file_close(&files[i].face);
  }
  return open;
}
