/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/oracle.c — what the kernel has to make of a map, found out in the simplest way there is.
 *
 * HOW      One byte a frame of the first 8 GiB.  Each descriptor paints its frames with its class; a more restrictive class
 *          paints over a less restrictive one.  Then the frames of each class are counted and the borders hashed.  The
 * kernel counts and hashes its list of regions in the same way (tests/kernel/ktest_firmware.c), scripts/boots.py compares.
 * WHY NOT  lib/memmap.c: it is what is being tested.  Nothing of it is used here, its contract is written down anew.
 * SOURCE   UEFI 2.10: 7.2.3; include/lib/memmap.h for which descriptor is to be believed.
 */
#include "lib/string.h"
#include "tests/firmware/shim.h"

#define LIMIT_FRAMES (8 * GIB / FRAME_SIZE)
#define LOW_FRAMES   (MIB / FRAME_SIZE)
#define ADDRESS_BITS 52
#define WB           UINT64_C(8)
#define RUNTIME      (UINT64_C(1) << 63)

/* From the least restrictive to the most.  RAM is what the ledger counts. */
#define CLASSES(X)                                                                                                          \
  X(NONE, "none", 0)                                                                                                        \
  X(GENERAL, "general", 1)                                                                                                  \
  X(LOW, "low", 1)                                                                                                          \
  X(ACPI, "acpi", 1)                                                                                                        \
  X(PERSISTENT, "persistent", 0)                                                                                            \
  X(UNACCEPTED, "unaccepted", 1)                                                                                            \
  X(NVS, "nvs", 1)                                                                                                          \
  X(RUNTIME_DATA, "rtdata", 1)                                                                                              \
  X(RUNTIME_CODE, "rtcode", 1)                                                                                              \
  X(BAD, "bad", 1)                                                                                                          \
  X(RESERVED, "reserved", 0)                                                                                                \
  X(MMIO, "mmio", 0)                                                                                                        \
  X(PORT, "port", 0)

enum oracle_class {
#define CLASS_ID(id, name, is_ram) CLASS_##id,
  CLASSES(CLASS_ID)
#undef CLASS_ID
      CLASS_COUNT
};
static const struct {
  const char *name;
  bool is_ram;
} classes[] = {
#define CLASS_ROW(id, name, is_ram) {name, is_ram},
    CLASSES(CLASS_ROW)
#undef CLASS_ROW
};

static uint8_t *canvas;

void oracle_init(void) { canvas = shim_pages(LIMIT_FRAMES); }

static enum oracle_class class_of(const EFI_MEMORY_DESCRIPTOR *d, bool map_has_wb) {
  switch (d->Type) {
  case EfiLoaderCode:
  case EfiLoaderData:
  case EfiBootServicesCode:
  case EfiBootServicesData:
  case EfiConventionalMemory:
    if (d->Attribute & RUNTIME) return CLASS_RUNTIME_DATA;
    return map_has_wb && !(d->Attribute & WB) ? CLASS_RESERVED : CLASS_GENERAL;
  case EfiRuntimeServicesCode:
    return CLASS_RUNTIME_CODE;
  case EfiRuntimeServicesData:
    return CLASS_RUNTIME_DATA;
  case EfiUnusableMemory:
    return CLASS_BAD;
  case EfiACPIReclaimMemory:
    return CLASS_ACPI;
  case EfiACPIMemoryNVS:
    return CLASS_NVS;
  case EfiMemoryMappedIO:
    return CLASS_MMIO;
  case EfiMemoryMappedIOPortSpace:
    return CLASS_PORT;
  case 14:
    return CLASS_PERSISTENT;
  case 15:
    return CLASS_UNACCEPTED;
  default:
    return CLASS_RESERVED;
  }
}

static void paint(const EFI_MEMORY_DESCRIPTOR *d, enum oracle_class what) {
  const uint64_t top = UINT64_C(1) << (ADDRESS_BITS - 12);
  uint64_t first = d->PhysicalStart / FRAME_SIZE;
  uint64_t part = d->PhysicalStart % FRAME_SIZE;
  if (d->NumberOfPages == 0 || first >= top) return;
  bool leaves = d->NumberOfPages > top || first + d->NumberOfPages + (part != 0) > top;
  if (leaves && classes[what].is_ram) return; /* RAM without an end is no RAM. */
  uint64_t end = leaves ? top : first + d->NumberOfPages + (part != 0);
  if (part != 0 && what == CLASS_GENERAL) {
    first++;
    end--;
  }
  for (uint64_t at = first; at < end && at < LIMIT_FRAMES; at++) {
    if (canvas[at] < what) canvas[at] = (uint8_t)what;
  }
}

static void mix(uint64_t *hash, uint64_t value) {
  for (unsigned i = 0; i < 8; i++) *hash = (*hash ^ (value >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
}

static void say(void) {
  uint64_t counts[CLASS_COUNT] = {0};
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  uint64_t ram = 0;
  uint8_t last = CLASS_NONE;
  for (uint64_t at = 0; at < LIMIT_FRAMES; at++) {
    if (at < LOW_FRAMES && canvas[at] == CLASS_GENERAL) canvas[at] = CLASS_LOW;
    counts[canvas[at]]++;
    if (canvas[at] == last) continue;
    last = canvas[at];
    mix(&hash, at);
    mix(&hash, last);
  }
  for (unsigned c = 1; c < CLASS_COUNT; c++) {
    if (classes[c].is_ram) ram += counts[c];
    if (counts[c] > 0) print_line("expect %s=%llu", classes[c].name, (unsigned long long)counts[c]);
  }
  print_line("expect ram_frames=%llu", (unsigned long long)ram);
  print_line("expect borders=%016llx", (unsigned long long)hash);
}

void oracle_expect(const EFI_MEMORY_DESCRIPTOR *list, size_t count) {
  bool map_has_wb = false;
  memset(canvas, 0, LIMIT_FRAMES);
  for (size_t i = 0; i < count; i++) map_has_wb |= (list[i].Attribute & WB) != 0;
  for (size_t i = 0; i < count; i++) paint(&list[i], class_of(&list[i], map_has_wb));
  say();
}
