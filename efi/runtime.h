/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/runtime.h — whose machine it is: the watchdog, taking the machine over, giving it back. */
#pragma once

#include <stdint.h>

#include "base/status.h"

/** Stops the firmware's watchdog, which would reset the machine after five minutes. */
void efi_runtime_stop_watchdog(void);

/**
 * ExitBootServices with the key of the map that was taken last.
 * Returns OK (from then on no boot service may be called), ERR_INVALID (the map has changed since), or what the firmware
 * says; after a failure only memory services may be called (UEFI 2.10, 7.4.6).
 */
status_t efi_runtime_exit_boot_services(uint64_t key);

/** Ends the application: the firmware goes on with the next boot option. */
[[noreturn]] void efi_runtime_give_back(status_t reason);
