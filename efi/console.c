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

bool efi_console_poll_key(void) {
  SIMPLE_INPUT_INTERFACE *in = efi_tables_system()->ConIn;
  EFI_INPUT_KEY key;
  return in && !EFI_ERROR(in->ReadKeyStroke(in, &key));
}

void efi_console_pause(unsigned milliseconds) { (void)efi_tables_system()->BootServices->Stall((UINTN)milliseconds * 1000); }
