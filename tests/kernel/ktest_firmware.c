/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_firmware.c — what became of the firmware's memory map, in numbers that a witness can compare.
 *
 * The fault shim (tests/firmware/oracle.c) paints the first 8 GiB frame by frame from the descriptors it gave, counts the
 * classes and hashes their borders; this does the same with the regions that the loader handed over.  scripts/boots.py
 * compares the two.
 */
#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "lib/memmap.h"

#define LIMIT_FRAMES (8 * GIB / FRAME_SIZE)

/* What a kind is to the firmware, and that class's place in the shim's list; loader memory is general memory there. */
static const struct {
  const char *name;
  uint8_t class;
} classes[] = {
    [BOOT_MEMORY_USABLE] = {"general", 1},        [BOOT_MEMORY_BOOT_SERVICES] = {"general", 1},
    [BOOT_MEMORY_LOADER] = {"general", 1},        [BOOT_MEMORY_HANDOFF] = {"general", 1},
    [BOOT_MEMORY_BOOT_STACK] = {"general", 1},    [BOOT_MEMORY_PAGE_TABLES] = {"general", 1},
    [BOOT_MEMORY_KERNEL] = {"general", 1},        [BOOT_MEMORY_LOW] = {"low", 2},
    [BOOT_MEMORY_TRAMPOLINE] = {"low", 2},        [BOOT_MEMORY_ACPI_RECLAIM] = {"acpi", 3},
    [BOOT_MEMORY_PERSISTENT] = {"persistent", 4}, [BOOT_MEMORY_UNACCEPTED] = {"unaccepted", 5},
    [BOOT_MEMORY_ACPI_NVS] = {"nvs", 6},          [BOOT_MEMORY_RUNTIME_DATA] = {"rtdata", 7},
    [BOOT_MEMORY_RUNTIME_CODE] = {"rtcode", 8},   [BOOT_MEMORY_UNUSABLE] = {"bad", 9},
    [BOOT_MEMORY_RESERVED] = {"reserved", 10},    [BOOT_MEMORY_MMIO] = {"mmio", 11},
    [BOOT_MEMORY_MMIO_PORT] = {"port", 12},
};
#define CLASS_COUNT 13

struct borders {
  uint64_t hash;
  uint64_t end; /* Of the last region. */
  uint8_t class;
};

static void mix(struct borders *b, uint64_t frame, uint8_t class) {
  const uint64_t words[] = {frame, class};
  if (class == b->class) return;
  b->class = class;
  for (size_t w = 0; w < ARRAY_COUNT(words); w++) {
    for (unsigned i = 0; i < 8; i++) b->hash = (b->hash ^ (words[w] >> 8 * i & 0xff)) * UINT64_C(0x100000001b3);
  }
}

KTEST(K1, the_map_is_what_the_firmware_said) {
  uint64_t counts[CLASS_COUNT] = {0};
  uint64_t ram = 0;
  size_t count;
  struct borders b = {.hash = UINT64_C(0xcbf29ce484222325)};
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++) {
    const uint64_t start = bits_min(r[i].start / FRAME_SIZE, LIMIT_FRAMES);
    const uint64_t end = bits_min(r[i].end / FRAME_SIZE, LIMIT_FRAMES);
    if (start == end) continue;
    if (start > b.end) mix(&b, b.end, 0);
    mix(&b, start, classes[r[i].kind].class);
    b.end = end;
    counts[classes[r[i].kind].class] += end - start;
    if (memmap_kind_is_ram(r[i].kind)) ram += end - start;
  }
  if (b.end < LIMIT_FRAMES) mix(&b, b.end, 0);
  KTEST_EXPECT(ram > 0);
  for (unsigned k = 0, seen = 0; k < ARRAY_COUNT(classes); k++) {
    const uint8_t class = classes[k].class;
    if (class == seen || counts[class] == 0) continue;
    seen = class;
    ktest_note("%s=%llu", classes[k].name, (unsigned long long)counts[class]);
  }
  ktest_note("ram_frames=%llu borders=%016llx", (unsigned long long)ram, (unsigned long long)b.hash);
}

KTEST(K1, what_the_firmware_lent) {
  const struct boot_handoff *h = memory_handoff();
  const struct boot_framebuffer *fb = &h->framebuffer;
  ktest_note("screen=%ux%u stride=%u format=%u base=%s size=%llu", fb->width, fb->height, fb->stride, fb->format,
             fb->base >= 4 * GIB ? "high" : "low", (unsigned long long)fb->size);
  ktest_note("entropy_sources=%u rejected=%u acpi=%s attributes=%s", h->entropy_sources, h->entropy_rejected,
             h->rsdp ? "yes" : "no", h->memory_attributes ? "yes" : "no");
  ktest_note("trampoline=%s ebs_tries=%u image=%s", h->trampoline ? "yes" : "no", h->exit_tries,
             h->kernel_physical < 16 * MIB ? "low" : "high");
}
