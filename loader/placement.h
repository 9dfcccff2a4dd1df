/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/placement.h — where everything lies: the windows of boot/layout.h in virtual memory, the image in physical memory.
 *
 * Each base is drawn on its own, uniformly over exactly the slots that are possible given the ones drawn before it: the
 * possible slots are counted, an index below that number is drawn, and the index is turned into a base.  No retries, no
 * clustering at the edges, and log2 of the count is the entropy, not an estimate of it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"
#include "boot/handoff.h"
#include "boot/layout.h"
#include "lib/random.h"

#define PLACEMENT_PHYSICAL_START (1 * MIB) /* Nothing of ours goes below: firmware writes there. */
#define PLACEMENT_AVOID_MAX      16

enum placement_mode {
  PLACEMENT_RANDOM,     /* From the machine's entropy. */
  PLACEMENT_FIXED_SEED, /* Drawn the same way from placement_seed's generator: the same layout every time, no secret. */
  PLACEMENT_DEFAULT,    /* nokaslr. */
};

struct placement_request {
  uint32_t mode;         /* enum placement_mode. */
  uint32_t levels;       /* 4 or 5. */
  uint32_t entropy_bits; /* What the sources were credited with; caps what is reported. */
  uint32_t reserved;
  uint64_t image_size;       /* Bytes, a multiple of 4 KiB, not 0. */
  uint64_t ram_end;          /* One past the highest RAM address, not 0, at most 2^52. */
  uint64_t framebuffer_base; /* Physical; the window maps from here rounded down to 2 MiB. */
  uint64_t framebuffer_size; /* Bytes; 0 where there is none. */
  uint64_t handoff_size;     /* Bytes that the handoff block may take, a multiple of 4 KiB, not 0. */
};

/** The generator of `kaslr = <seed>`; its stream depends on the seed alone. */
void placement_seed(uint64_t seed, struct random *r);

/**
 * Chooses all windows.  RANDOM and FIXED_SEED draw from r (the direct map first, then the others in the order of
 * boot/layout.h); DEFAULT does not touch r (which may be NULL) and packs the windows from LAYOUT_START upwards in the order
 * of boot/layout.h, each at its step and LAYOUT_GAP after its predecessor: the image at LAYOUT_START, the direct map 1 GiB
 * above it (for images below 1 GiB), and so on; slots are 1 and entropy 0 then.
 * The framebuffer lies at windows[FRAMEBUFFER].base + framebuffer_base % 2 MiB.
 *   => pure.
 * Returns OK, ERR_INVALID (levels, a size of 0 or unaligned), ERR_RANGE (ram_end or a size beyond 2^52), or ERR_NO_MEMORY
 * when the windows do not surely fit in this address space whatever is drawn (4 levels and RAM above about 120 TiB: ask
 * for 5).  Nothing is written then.
 */
status_t placement_choose(const struct placement_request *request, struct random *r,
                          struct boot_window windows[static BOOT_WINDOW_COUNT]);

/* Where the image may lie in physical memory. */
struct placement_physical_request {
  const struct boot_region *regions; /* Canonical (lib/memmap.h); only those of kind BOOT_MEMORY_USABLE are taken. */
  size_t region_count;
  const prange_t *avoid; /* Ranges to keep clear of, in any order; may overlap each other. */
  size_t avoid_count;    /* At most PLACEMENT_AVOID_MAX. */
  uint64_t size;         /* Bytes, a multiple of 4 KiB, not 0. */
  uint64_t align;        /* A power of two, at least 4 KiB. */
  uint64_t limit;        /* The range must end at or below; UINT64_MAX for no limit. */
  uint32_t mode;         /* enum placement_mode; DEFAULT takes the lowest suitable address. */
  uint32_t entropy_bits;
  bool low; /* Take the lowest suitable address whatever the mode: AMI firmware with UEFI up to 2.0 hangs on others. */
};

struct placement_physical {
  uint64_t base;
  uint64_t slots; /* Possible bases; 1 when the lowest was taken without drawing. */
  uint32_t millibits;
  uint32_t reserved;
};

/**
 * Chooses a physical base, uniformly over all multiples of align that are possible, at or above PLACEMENT_PHYSICAL_START.
 *   => pure; draws from r only when mode and low allow; call again for another draw when the firmware refuses the address.
 * Returns OK, ERR_INVALID (size, align, too many ranges to avoid), ERR_NO_MEMORY (no range is large enough).  *out is
 * written on OK alone.
 */
status_t placement_physical_choose(const struct placement_physical_request *request, struct random *r,
                                   struct placement_physical *out);
