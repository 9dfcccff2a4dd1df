/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * efi/console.c — text through the firmware, in small pieces.
 *
 * Never resets the console, clears the screen or changes its mode: several machines hang when asked to (and the panel keeps
 * what the firmware drew).  SOURCE UEFI 2.10: 12.4 (text output), 12.3 (text input).
 */
#include "efi/console.h"

#include "efi/tables.h"

void efi_console_write(const char *text, size_t n) {
  SIMPLE_TEXT_OUTPUT_INTERFACE *out = efi_tables_system()->ConOut;
  CHAR16 piece[82]; /* A line of 80 characters at a time, CR LF included. */
  size_t fill = 0;
  if (!out) return;
  for (size_t i = 0; i < n; i++) {
    char c = text[i];
    if (c == '\n') piece[fill++] = '\r';
    piece[fill++] = (CHAR16)((c >= ' ' && c <= '~') || c == '\n' ? c : '?');
    if (fill >= 79 || i + 1 == n) {
      piece[fill] = 0;
      (void)out->OutputString(out, piece);
      fill = 0;
    }
  }
}

status_t efi_console_wait_key(void) {
  EFI_SYSTEM_TABLE *system = efi_tables_system();
  EFI_INPUT_KEY key;
  UINTN which = 0;
  if (!system->ConIn) return ERR_UNSUPPORTED;
  EFI_STATUS s = system->BootServices->WaitForEvent(1, &system->ConIn->WaitForKey, &which);
  if (!EFI_ERROR(s)) s = system->ConIn->ReadKeyStroke(system->ConIn, &key);
  return efi_tables_status(s);
}
