/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/handoff.h — lays the handoff block out in memory that is there already.
 *
 *   struct boot_handoff | firmware map | command line | loader name | boot.cfg | warnings | regions
 *
 * The regions come last because their number is known last.  The header's other fields are the caller's to fill, before or
 * after; the spans, size, magic and version are set here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/handoff.h"

#define HANDOFF_LOADER_NAME "Cairn loader 0.1"

struct handoff_bytes {
  const void *bytes;
  size_t size;
};

struct handoff_parts {
  struct handoff_bytes firmware_map;
  size_t stride; /* Of that map. */
  uint32_t version;
  struct handoff_bytes command_line, config_text, warnings;
};

/** Bytes the block takes with at most so many regions. */
size_t handoff_size(const struct handoff_parts *parts, size_t regions_max);

/** Copies the parts behind the header and returns where the regions go.  => the block has handoff_size bytes. */
struct boot_region *handoff_lay_out(struct boot_handoff *h, const struct handoff_parts *parts);

/** Closes the block: from here on it is what the kernel will check. */
void handoff_seal(struct boot_handoff *h, size_t region_count);

/**
 * Moves the header to a larger block at `physical` that has not been laid out yet.  The seed is wiped where it was: that
 * memory becomes the kernel's free memory.
 */
void handoff_move(struct boot_handoff *to, struct boot_handoff *from, uint64_t physical);

/** True when the block was laid out with exactly this firmware map. */
bool handoff_has_map(const struct boot_handoff *h, const struct handoff_parts *parts);
