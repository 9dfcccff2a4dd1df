/* SPDX-License-Identifier: BSD-2-Clause */
/* loader/handoff.c — pure: offsets and copies.  Every span starts at a multiple of 8 bytes. */
#include "loader/handoff.h"

#include "base/bits.h"
#include "lib/string.h"

#define SPAN_ALIGN 8

size_t handoff_size(const struct handoff_parts *parts, size_t regions_max) {
  const struct handoff_bytes all[] = {
      parts->firmware_map, parts->command_line, {NULL, sizeof HANDOFF_LOADER_NAME - 1}, parts->config_text, parts->warnings};
  size_t size = sizeof(struct boot_handoff);
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) size = bits_align_up(size, SPAN_ALIGN) + all[i].size;
  return bits_align_up(size, SPAN_ALIGN) + regions_max * sizeof(struct boot_region);
}

static uint32_t add(struct boot_handoff *h, uint32_t at, struct handoff_bytes part, struct boot_span *span) {
  if (part.size > 0) memcpy((uint8_t *)h + at, part.bytes, part.size);
  *span = (struct boot_span){.offset = at, .count = (uint32_t)part.size};
  return (uint32_t)bits_align_up(at + part.size, SPAN_ALIGN);
}

struct boot_region *handoff_lay_out(struct boot_handoff *h, const struct handoff_parts *parts) {
  static_assert(sizeof(struct boot_handoff) % SPAN_ALIGN == 0);
  uint32_t at = sizeof(struct boot_handoff);
  at = add(h, at, parts->firmware_map, &h->firmware_map);
  at = add(h, at, parts->command_line, &h->command_line);
  at = add(h, at, (struct handoff_bytes){HANDOFF_LOADER_NAME, sizeof HANDOFF_LOADER_NAME - 1}, &h->loader_name);
  at = add(h, at, parts->config_text, &h->config_text);
  at = add(h, at, parts->warnings, &h->warnings);
  h->firmware_descriptor_size = (uint32_t)parts->stride;
  h->firmware_descriptor_version = parts->version;
  h->regions = (struct boot_span){.offset = at};
  return (struct boot_region *)((uint8_t *)h + at);
}

void handoff_seal(struct boot_handoff *h, size_t region_count) {
  h->regions.count = (uint32_t)region_count;
  h->magic = BOOT_HANDOFF_MAGIC;
  h->version = BOOT_HANDOFF_VERSION;
  h->size = (uint32_t)(h->regions.offset + region_count * sizeof(struct boot_region));
}

void handoff_move(struct boot_handoff *to, struct boot_handoff *from, uint64_t physical) {
  memcpy(to, from, sizeof *to);
  string_wipe(from->seed, sizeof from->seed);
  to->magic = 0;
  to->physical = physical;
}

bool handoff_has_map(const struct boot_handoff *h, const struct handoff_parts *parts) {
  return h->magic == BOOT_HANDOFF_MAGIC && h->firmware_map.count == parts->firmware_map.size &&
         h->firmware_descriptor_size == parts->stride &&
         memcmp((const uint8_t *)h + h->firmware_map.offset, parts->firmware_map.bytes, parts->firmware_map.size) == 0;
}
