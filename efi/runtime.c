/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/runtime.c — SOURCE UEFI 2.10: 7.4 (image services), 7.5 (watchdog). */
#include "efi/runtime.h"

#include "efi/tables.h"

void efi_runtime_stop_watchdog(void) { (void)efi_tables_system()->BootServices->SetWatchdogTimer(0, 0, 0, NULL); }

status_t efi_runtime_exit_boot_services(uint64_t key) {
  return efi_tables_status(efi_tables_system()->BootServices->ExitBootServices(efi_tables_image(), key));
}

void efi_runtime_give_back(status_t reason) {
  /* Exit does not return for an image that was started; the loop is for firmware that breaks that promise. */
  for (;;) (void)efi_tables_system()->BootServices->Exit(efi_tables_image(), efi_tables_firmware_status(reason), 0, NULL);
}
