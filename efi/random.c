/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/random.c — EFI_RNG_PROTOCOL.  Firmware is known to answer EFI_NOT_READY at first.  SOURCE UEFI 2.10: 37.5. */
#include "efi/random.h"

#include "efi/tables.h"

#define RANDOM_TRIES 10

status_t efi_random_bytes(void *out, size_t n) {
  static const EFI_GUID guid = EFI_RNG_PROTOCOL_GUID;
  EFI_STATUS s = EFI_NOT_READY;
  EFI_RNG_PROTOCOL *rng = efi_tables_protocol(NULL, &guid);
  if (!rng) return ERR_NOT_FOUND;
  /* Zeros would be noticed; what lay on the stack would pass for random. */
  for (size_t i = 0; i < n; i++) ((unsigned char *)out)[i] = 0;
  for (unsigned i = 0; i < RANDOM_TRIES && s == EFI_NOT_READY; i++) s = rng->GetRNG(rng, NULL, n, out);
  return efi_tables_status(s);
}
