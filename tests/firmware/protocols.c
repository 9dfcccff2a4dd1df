/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/protocols.c — the services that hand out protocols, and EFI_RNG_PROTOCOL itself.
 *
 * HOW      The firmware answers; then its answer is taken away, or wrapped: graphics output, EDID, file systems and random
 *          numbers always go through the shim.
 * SOURCE   UEFI 2.10: 7.3 (protocol handler services), 37.5 (random numbers).
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define WEAK_BYTE 0x5a

static EFI_RNG_PROTOCOL random_face, *random_real;

/* --- random numbers ------------------------------------------------------------------------------------------------- */

static EFI_STATUS EFIAPI get_rng(EFI_RNG_PROTOCOL *self, EFI_RNG_ALGORITHM *algorithm, UINTN size, UINT8 *out) {
  (void)self;
  if (shim_is_strict) shim_violation("GetRNG");
  if (quirks_play_limited(QUIRK_RNG_NOT_READY)) return EFI_NOT_READY;
  if (quirks_play(QUIRK_RNG_ERROR)) return EFI_DEVICE_ERROR;
  if (quirks_play(QUIRK_RNG_FILL)) {
    memset(out, (int)quirks_value(QUIRK_RNG_FILL), size);
    return EFI_SUCCESS;
  }
  if (quirks_play(QUIRK_RNG_REPEAT)) { /* One word, over and over. */
    for (UINTN i = 0; i < size; i++) out[i] = (UINT8)(WEAK_BYTE ^ (i % 8 * 29));
    return EFI_SUCCESS;
  }
  return random_real->GetRNG(random_real, algorithm, size, out);
}

static void *wrap_random(EFI_RNG_PROTOCOL *real) {
  random_real = real;
  random_face = *real;
  random_face.GetRNG = get_rng;
  return &random_face;
}

/* --- what is found -------------------------------------------------------------------------------------------------- */

static const EFI_GUID graphics = EFI_GRAPHICS_OUTPUT_PROTOCOL_GUID;
static const EFI_GUID edid_active = EFI_EDID_ACTIVE_PROTOCOL_GUID;
static const EFI_GUID edid_discovered = EFI_EDID_DISCOVERED_PROTOCOL_GUID;
static const EFI_GUID volume = EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID;
static const EFI_GUID randomness = EFI_RNG_PROTOCOL_GUID;

/* True for a protocol that the machine is not to have. */
static bool is_hidden(const EFI_GUID *guid) {
  if (shim_same_guid(guid, &graphics)) return quirks_play(QUIRK_GOP_NONE);
  return shim_same_guid(guid, &randomness) && quirks_play(QUIRK_RNG_NONE);
}

static bool is_edid(const EFI_GUID *guid) {
  return shim_same_guid(guid, &edid_active) || shim_same_guid(guid, &edid_discovered);
}

/* What the loader gets for what the firmware found. */
static EFI_STATUS answer(const EFI_GUID *guid, EFI_STATUS s, void **interface) {
  if (is_edid(guid) && display_edid()) {
    *interface = display_edid();
    return EFI_SUCCESS;
  }
  if (EFI_ERROR(s)) return s;
  if (is_hidden(guid)) {
    *interface = NULL;
    return EFI_NOT_FOUND;
  }
  if (shim_same_guid(guid, &graphics)) *interface = display_wrap(*interface);
  if (shim_same_guid(guid, &volume)) *interface = files_wrap(*interface);
  if (shim_same_guid(guid, &randomness)) *interface = wrap_random(*interface);
  return s;
}

static EFI_STATUS EFIAPI handle_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **interface) {
  return answer(guid, shim_services->HandleProtocol(handle, guid, interface), interface);
}

static EFI_STATUS EFIAPI open_protocol(EFI_HANDLE handle, EFI_GUID *guid, VOID **interface, EFI_HANDLE agent,
                                       EFI_HANDLE controller, UINT32 attributes) {
  EFI_STATUS s = shim_services->OpenProtocol(handle, guid, interface, agent, controller, attributes);
  return interface ? answer(guid, s, interface) : s;
}

static EFI_STATUS EFIAPI locate_protocol(EFI_GUID *guid, VOID *registration, VOID **interface) {
  return answer(guid, shim_services->LocateProtocol(guid, registration, interface), interface);
}

static EFI_STATUS EFIAPI locate_handle(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, VOID *key, UINTN *size,
                                       EFI_HANDLE *buffer) {
  if (how == ByProtocol && guid && is_hidden(guid)) return EFI_NOT_FOUND;
  return shim_services->LocateHandle(how, guid, key, size, buffer);
}

static EFI_STATUS EFIAPI locate_handle_buffer(EFI_LOCATE_SEARCH_TYPE how, EFI_GUID *guid, VOID *key, UINTN *count,
                                              EFI_HANDLE **buffer) {
  if (how == ByProtocol && guid && is_hidden(guid)) return EFI_NOT_FOUND;
  return shim_services->LocateHandleBuffer(how, guid, key, count, buffer);
}

void protocols_hook(EFI_BOOT_SERVICES *services) {
  services->HandleProtocol = handle_protocol;
  services->OpenProtocol = open_protocol;
  services->LocateProtocol = locate_protocol;
  services->LocateHandle = locate_handle;
  services->LocateHandleBuffer = locate_handle_buffer;
}
