/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/shim.c — firmware with bugs, for the loader to live with.
 *
 * HOW      The firmware starts the shim as EFI/BOOT/BOOTX64.EFI.  It reads \quirks.txt, makes a system table of its own,
 *          loads \EFI\CAIRN\LOADER.EFI, gives it that table through its loaded-image protocol (the firmware passes what
 *          stands there to the image's entry), and starts it.  A loader that leaves boot services never comes back; one
 *          that gives up does, and then the shim says with what status and whether it left memory or files behind.
 * STRICT   From the first ExitBootServices that fails on, every service but the memory services and Exit, and the text
 *          console, is a violation and is said on the serial port.
 * WHY NOT  patch the firmware's tables: its drivers call through them too, and their allocations would be counted.
 * SOURCE   UEFI 2.10: 7.4 (image services), 9.1 (loaded image), 7.4.6 (what may be called after ExitBootServices failed).
 */
#include "tests/firmware/shim.h"

#include "lib/string.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

EFI_SYSTEM_TABLE *shim_firmware;
EFI_BOOT_SERVICES *shim_services;
bool shim_is_strict;
unsigned shim_violations;

static EFI_BOOT_SERVICES *loader_services; /* The loader's: hooked. */
static EFI_SYSTEM_TABLE *loader_table;
static EFI_HANDLE shim_image;
static EFI_HANDLE shim_device;

bool shim_same_guid(const EFI_GUID *a, const EFI_GUID *b) { return memcmp(a, b, sizeof *a) == 0; }

void shim_violation(const char *service) {
  shim_violations++;
  print_line("VIOLATION %s%s", service, shim_is_strict ? " after ExitBootServices failed" : "");
}

void *shim_pages(size_t bytes) {
  EFI_PHYSICAL_ADDRESS at = 0;
  EFI_STATUS s = shim_services->AllocatePages(AllocateAnyPages, EfiBootServicesData, (bytes + 4095) / 4096, &at);
  if (EFI_ERROR(s)) {
    print_line("BROKEN no memory for the shim: %zu bytes", bytes);
    (void)shim_services->Exit(shim_image, EFI_OUT_OF_RESOURCES, 0, NULL);
  }
  return (void *)(uintptr_t)at;
}

/* --- services that are only there while nothing has failed ---------------------------------------------------------- */

// clang-format off
#define SERVICES(X) \
  X(RaiseTPL) X(RestoreTPL) X(CreateEvent) X(SetTimer) X(WaitForEvent) X(SignalEvent) X(CloseEvent) X(CheckEvent) \
  X(InstallProtocolInterface) X(ReinstallProtocolInterface) X(UninstallProtocolInterface) X(HandleProtocol) \
  X(PCHandleProtocol) X(RegisterProtocolNotify) X(LocateHandle) X(LocateDevicePath) X(InstallConfigurationTable) \
  X(LoadImage) X(StartImage) X(UnloadImage) X(GetNextMonotonicCount) X(Stall) X(SetWatchdogTimer) \
  X(ConnectController) X(DisconnectController) X(OpenProtocol) X(CloseProtocol) X(OpenProtocolInformation) \
  X(ProtocolsPerHandle) X(LocateHandleBuffer) X(LocateProtocol) X(InstallMultipleProtocolInterfaces) \
  X(UninstallMultipleProtocolInterfaces) X(CalculateCrc32) X(CopyMem) X(SetMem) X(CreateEventEx)
// clang-format on

/* The caller cleans the stack up, so one shape does for all signatures. */
#define FORBIDDEN(name)                                                                                                     \
  static EFI_STATUS EFIAPI forbidden_##name(void) {                                                                         \
    shim_violation(#name);                                                                                                  \
    return EFI_UNSUPPORTED;                                                                                                 \
  }
SERVICES(FORBIDDEN)

void shim_go_strict(void) {
  if (shim_is_strict) return;
  shim_is_strict = true;
#define FORBID(name) loader_services->name = (void *)forbidden_##name;
  SERVICES(FORBID)
}

/* A message that is read by a script needs no pause. */
static EFI_STATUS EFIAPI stall(UINTN microseconds) {
  return shim_services->Stall(microseconds < 1000 ? microseconds : 1000);
}

static void make_services(void) {
  *loader_services = *shim_services;
  loader_services->Stall = stall;
  memory_hook(loader_services);
  map_hook(loader_services);
  protocols_hook(loader_services);
}

/* --- files of the shim's own ---------------------------------------------------------------------------------------- */

static void *protocol_of(EFI_HANDLE handle, EFI_GUID guid) {
  void *interface = NULL;
  return EFI_ERROR(shim_services->HandleProtocol(handle, &guid, &interface)) ? NULL : interface;
}

/* A whole file, or NULL. */
static void *read_whole(CHAR16 *path, size_t *size) {
  EFI_FILE_IO_INTERFACE *volume = protocol_of(shim_device, (EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID);
  EFI_FILE_HANDLE root = NULL;
  EFI_FILE_HANDLE file = NULL;
  UINT64 end = 0;
  if (!volume || EFI_ERROR(volume->OpenVolume(volume, &root))) return NULL;
  if (EFI_ERROR(root->Open(root, &file, path, EFI_FILE_MODE_READ, 0))) return NULL;
  (void)file->SetPosition(file, UINT64_MAX);
  (void)file->GetPosition(file, &end);
  (void)file->SetPosition(file, 0);
  void *bytes = shim_pages(end + 1);
  UINTN n = end;
  EFI_STATUS s = file->Read(file, &n, bytes);
  (void)file->Close(file);
  (void)root->Close(root);
  *size = n;
  return EFI_ERROR(s) ? NULL : bytes;
}

/* --- runs of the loader --------------------------------------------------------------------------------------------- */

/* One run of the loader with allocations failing from a number on (0: as the quirks say).  Comes back when it gave up. */
static EFI_STATUS run(void *bytes, size_t size, uint64_t fail_from) {
  EFI_HANDLE handle = NULL;
  EFI_STATUS s = shim_services->LoadImage(FALSE, shim_image, NULL, bytes, size, &handle);
  if (EFI_ERROR(s)) {
    print_line("BROKEN the loader cannot be loaded: 0x%llx", (unsigned long long)s);
    return s;
  }
  EFI_LOADED_IMAGE *loaded = protocol_of(handle, (EFI_GUID)LOADED_IMAGE_PROTOCOL);
  make_services();
  map_begin();
  loaded->SystemTable = loader_table;
  loaded->DeviceHandle = shim_device;
  tables_set_options(loaded);
  memory_begin(fail_from);
  s = shim_services->StartImage(handle, NULL, NULL);
  unsigned open = files_open();
  uint64_t asked = memory_end(shim_is_strict ? 0 : open); /* Close is not to be called any more. */
  print_line("RETURNED status=0x%llx allocations=%llu", (unsigned long long)s, (unsigned long long)asked);
  return s;
}

/* Out of memory at the first allocation, at the second ... until there is enough for a start. */
static EFI_STATUS run_short_of_memory(void *bytes, size_t size) {
  EFI_STATUS s = EFI_SUCCESS;
  for (uint64_t n = 1; n <= quirks_value(QUIRK_OOM_EACH); n++) {
    print_line("OOM from=%llu", (unsigned long long)n);
    quirks_count(QUIRK_OOM_EACH);
    s = run(bytes, size, n);
  }
  return s;
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table) {
  size_t size = 0;
  shim_firmware = table;
  shim_services = table->BootServices;
  shim_image = image;
  EFI_LOADED_IMAGE *self = protocol_of(image, (EFI_GUID)LOADED_IMAGE_PROTOCOL);
  shim_device = self->DeviceHandle;
  print_line("shim");
  const char *text = read_whole(u"\\quirks.txt", &size);
  if (text) quirks_read(text, size);
  void *bytes = read_whole(u"\\EFI\\CAIRN\\LOADER.EFI", &size);
  if (!bytes) {
    print_line("BROKEN \\EFI\\CAIRN\\LOADER.EFI cannot be read");
    return EFI_NOT_FOUND;
  }
  fabric_init();
  oracle_init();
  map_init();
  loader_services = shim_pages(sizeof *loader_services);
  loader_table = tables_make(loader_services);
  if (quirks_play(QUIRK_FIVE_LEVELS)) paging_add_level();
  EFI_STATUS s = quirks_on(QUIRK_OOM_EACH) ? run_short_of_memory(bytes, size) : run(bytes, size, 0);
  quirks_say_played();
  print_line("END violations=%u", shim_violations);
  return s;
}
