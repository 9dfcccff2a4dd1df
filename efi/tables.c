/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/tables.c — everything that hangs off the EFI system table.
 *
 * WHAT   The two pointers that the firmware hands to efi_main, the configuration tables (ACPI, SMBIOS, memory attributes)
 *        and protocols.  The pointers in the configuration tables come from outside and are not followed; their number is
 *        believed up to TABLES_MAX.
 * SOURCE UEFI 2.10: 4.3 (system table), 4.6 (configuration tables), 7.3 (protocols), appendix D (status codes).
 */
#include "efi/tables.h"

#include "base/compiler.h"

static EFI_HANDLE tables_image;
static EFI_SYSTEM_TABLE *tables_system;

#define TABLES_MAX 1024 /* Real firmware has a dozen. */

/* Missing in the gnu-efi headers. */
#define TABLES_MEMORY_ATTRIBUTES_GUID {0xdcfa911d, 0x26eb, 0x469f, {0xa2, 0x20, 0x38, 0xb7, 0xdc, 0x46, 0x12, 0x20}}

void efi_tables_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *table) {
  tables_image = image;
  tables_system = table;
}

EFI_HANDLE efi_tables_image(void) { return tables_image; }
EFI_SYSTEM_TABLE *efi_tables_system(void) { return tables_system; }

static bool guid_equals(const EFI_GUID *a, const EFI_GUID *b) {
  /* Word by word, so that an unaligned table of the firmware is no surprise. */
  const unsigned char *p = (const unsigned char *)a;
  const unsigned char *q = (const unsigned char *)b;
  for (size_t i = 0; i < sizeof(EFI_GUID); i++) {
    if (p[i] != q[i]) return false;
  }
  return true;
}

struct efi_tables efi_tables_find(void) {
  static const EFI_GUID acpi_2 = ACPI_20_TABLE_GUID;
  static const EFI_GUID acpi_1 = ACPI_TABLE_GUID;
  static const EFI_GUID smbios_3 = SMBIOS3_TABLE_GUID;
  static const EFI_GUID smbios_2 = SMBIOS_TABLE_GUID;
  static const EFI_GUID attributes = TABLES_MEMORY_ATTRIBUTES_GUID;
  struct efi_tables found = {0};
  uint64_t old_rsdp = 0;
  uint64_t old_smbios = 0;
  const struct {
    const EFI_GUID *guid;
    uint64_t *to;
  } wanted[] = {{&acpi_2, &found.rsdp},
                {&acpi_1, &old_rsdp},
                {&smbios_3, &found.smbios},
                {&smbios_2, &old_smbios},
                {&attributes, &found.memory_attributes}};
  const UINTN count = tables_system->ConfigurationTable ? tables_system->NumberOfTableEntries : 0;
  for (UINTN i = 0; i < count && i < TABLES_MAX; i++) {
    const EFI_CONFIGURATION_TABLE *entry = &tables_system->ConfigurationTable[i];
    for (size_t w = 0; w < ARRAY_COUNT(wanted); w++) {
      if (guid_equals(&entry->VendorGuid, wanted[w].guid)) *wanted[w].to = (uint64_t)(uintptr_t)entry->VendorTable;
    }
  }
  if (found.rsdp == 0) found.rsdp = old_rsdp;
  if (found.smbios == 0) found.smbios = old_smbios;
  return found;
}

void *efi_tables_protocol(EFI_HANDLE handle, const EFI_GUID *guid) {
  const EFI_BOOT_SERVICES *services = tables_system->BootServices;
  EFI_GUID copy = *guid; /* The firmware's prototypes are not const. */
  void *interface = NULL;
  EFI_STATUS s =
      handle ? services->HandleProtocol(handle, &copy, &interface) : services->LocateProtocol(&copy, NULL, &interface);
  return EFI_ERROR(s) ? NULL : interface;
}

EFI_LOADED_IMAGE *efi_tables_loaded_image(void) {
  static const EFI_GUID guid = LOADED_IMAGE_PROTOCOL;
  return efi_tables_protocol(tables_image, &guid);
}

static const struct {
  EFI_STATUS firmware;
  status_t ours;
} status_pairs[] = {
    /* In both directions the first match counts. */
    {EFI_NOT_FOUND, ERR_NOT_FOUND},       {EFI_OUT_OF_RESOURCES, ERR_NO_MEMORY},
    {EFI_INVALID_PARAMETER, ERR_INVALID}, {EFI_UNSUPPORTED, ERR_UNSUPPORTED},
    {EFI_BUFFER_TOO_SMALL, ERR_FULL},     {EFI_BAD_BUFFER_SIZE, ERR_TRUNCATED},
    {EFI_DEVICE_ERROR, ERR_IO},           {EFI_VOLUME_CORRUPTED, ERR_CORRUPT},
    {EFI_TIMEOUT, ERR_TIMEOUT},           {EFI_NOT_READY, ERR_BUSY},
    {EFI_ACCESS_DENIED, ERR_DENIED},      {EFI_SECURITY_VIOLATION, ERR_DENIED},
    {EFI_ALREADY_STARTED, ERR_EXISTS},    {EFI_LOAD_ERROR, ERR_CORRUPT},
    {EFI_LOAD_ERROR, ERR_STATE},          {EFI_INVALID_PARAMETER, ERR_UNALIGNED},
    {EFI_INVALID_PARAMETER, ERR_RANGE},   {EFI_LOAD_ERROR, ERR_OVERLAP},
    {EFI_LOAD_ERROR, ERR_OWNER},
};

status_t efi_tables_status(EFI_STATUS firmware) {
  if (!EFI_ERROR(firmware)) return OK;
  for (size_t i = 0; i < ARRAY_COUNT(status_pairs); i++) {
    if (status_pairs[i].firmware == firmware) return status_pairs[i].ours;
  }
  return ERR_IO;
}

EFI_STATUS efi_tables_firmware_status(status_t s) {
  if (s == OK) return EFI_SUCCESS;
  for (size_t i = 0; i < ARRAY_COUNT(status_pairs); i++) {
    if (status_pairs[i].ours == s) return status_pairs[i].firmware;
  }
  return EFI_LOAD_ERROR;
}
