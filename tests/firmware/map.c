/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/map.c — GetMemoryMap and ExitBootServices.
 *
 * HOW      Each map has a key of the shim's; ExitBootServices takes the last one only, translates it to the firmware's, and
 *          fails as often as the quirks say before it passes the call on.  Right before that the oracle says what the kernel
 *          has to make of the last map.
 * SOURCE   UEFI 2.10: 7.2.3, 7.4.6.
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define RAW_SIZE (512 * KIB)

static uint8_t *raw; /* The firmware's map. */
static struct fabric fabric;
static UINTN key, firmware_key, stride;
static uint64_t busy;
static uint64_t exit_calls;

void map_init(void) {
  raw = shim_pages(RAW_SIZE);
  fabric.list = shim_pages(FABRIC_MAX * sizeof *fabric.list);
}

void map_begin(void) {
  key = 1000;
  exit_calls = 0;
  fabric.failures = 0;
  shim_is_strict = false;
}

/* Takes the firmware's map and puts the quirks in. */
static EFI_STATUS build(UINT32 *version) {
  UINTN size = RAW_SIZE;
  EFI_STATUS s = shim_services->GetMemoryMap(&size, (EFI_MEMORY_DESCRIPTOR *)raw, &firmware_key, &stride, version);
  if (EFI_ERROR(s)) {
    print_line("BROKEN GetMemoryMap: 0x%llx", (unsigned long long)s);
    return s;
  }
  fabric.count = 0;
  for (UINTN at = 0; at + stride <= size; at += stride) {
    memcpy(&fabric.list[fabric.count++], raw + at, sizeof(EFI_MEMORY_DESCRIPTOR));
  }
  fabric_apply(&fabric);
  if (quirks_play(QUIRK_MAP_STRIDE)) stride = quirks_value(QUIRK_MAP_STRIDE);
  return EFI_SUCCESS;
}

static void write_out(uint8_t *to) {
  for (size_t i = 0; i < fabric.count; i++) {
    size_t n = stride < sizeof fabric.list[i] ? stride : sizeof fabric.list[i];
    memcpy(to + i * stride, &fabric.list[i], n);
    if (stride > n) memset(to + i * stride + n, 0xee, stride - n);
  }
}

static EFI_STATUS EFIAPI get_memory_map(UINTN *size, EFI_MEMORY_DESCRIPTOR *map, UINTN *map_key, UINTN *descriptor_size,
                                        UINT32 *version) {
  if (quirks_play(QUIRK_MAP_FAILS)) return EFI_DEVICE_ERROR;
  EFI_STATUS s = build(version);
  if (EFI_ERROR(s)) return s;
  UINTN needed = fabric.count * stride;
  *descriptor_size = stride;
  if (quirks_play(QUIRK_MAP_NEVER)) needed = *size + 2 * stride;
  if (*size >= needed && busy < quirks_value(QUIRK_MAP_BUSY) && quirks_play(QUIRK_MAP_BUSY)) {
    busy++; /* Something came between the two calls. */
    needed = *size + 2 * stride;
  }
  if (*size < needed) {
    *size = needed;
    return EFI_BUFFER_TOO_SMALL;
  }
  *size = needed;
  write_out((uint8_t *)map);
  *map_key = ++key;
  return EFI_SUCCESS;
}

static EFI_STATUS EFIAPI exit_boot_services(EFI_HANDLE image, UINTN map_key) {
  exit_calls++;
  if (map_key != key) {
    print_line("STALE-KEY");
    shim_go_strict();
    return EFI_INVALID_PARAMETER;
  }
  if (quirks_on(QUIRK_EBS_FAILS) && fabric.failures < quirks_value(QUIRK_EBS_FAILS)) {
    quirks_count(QUIRK_EBS_FAILS);
    fabric.failures++;
    key++; /* The map that was taken is no longer good enough. */
    shim_go_strict();
    return EFI_INVALID_PARAMETER;
  }
  print_line("map descriptors=%zu stride=%llu exit_calls=%llu", fabric.count, (unsigned long long)stride,
             (unsigned long long)exit_calls);
  oracle_expect(fabric.list, fabric.count);
  quirks_say_played();
  print_line("LEAVING violations=%u", shim_violations);
  EFI_STATUS s = shim_services->ExitBootServices(image, firmware_key);
  if (EFI_ERROR(s)) print_line("BROKEN ExitBootServices: 0x%llx", (unsigned long long)s);
  return s;
}

void map_hook(EFI_BOOT_SERVICES *services) {
  services->GetMemoryMap = get_memory_map;
  services->ExitBootServices = exit_boot_services;
}
