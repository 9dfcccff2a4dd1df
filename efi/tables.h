/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/tables.h — the system table, the firmware's tables and protocols, and its status codes in our words. */
#pragma once

#include <efi.h>
#include <stdint.h>

#include "base/status.h"

/* The firmware's tables that a kernel wants; addresses are physical, 0 when the firmware has none. */
struct efi_tables {
  uint64_t rsdp;              /* ACPI 2.0 pointer if there is one, else ACPI 1.0. */
  uint64_t smbios;            /* The 64-bit entry point if there is one, else the 32-bit one. */
  uint64_t memory_attributes; /* EFI_MEMORY_ATTRIBUTES_TABLE (UEFI 2.10, 4.6.4). */
};

/** Remembers what the firmware gave to efi_main; every other function of this room needs it.  => called once, first. */
void efi_tables_init(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);
EFI_HANDLE efi_tables_image(void);
EFI_SYSTEM_TABLE *efi_tables_system(void);

/** Walks the configuration tables once. */
struct efi_tables efi_tables_find(void);

/** The protocol on a handle, or, with handle NULL, the first of its kind anywhere; NULL when there is none. */
void *efi_tables_protocol(EFI_HANDLE handle, const EFI_GUID *guid);

/** The loaded image: device, load options, place in memory; NULL on a firmware that breaks the specification. */
EFI_LOADED_IMAGE *efi_tables_loaded_image(void);

/** A status of the firmware as ours (UEFI 2.10, appendix D); unknown ones are ERR_IO, warnings are OK. */
status_t efi_tables_status(EFI_STATUS firmware);
/** The way back, for what efi_main returns. */
EFI_STATUS efi_tables_firmware_status(status_t s);
