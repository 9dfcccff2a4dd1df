/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/maps.h — firmware memory maps to try things on: from files, and made up.
 *
 * A map file is text.  `#` begins a comment; every other line is one descriptor, in the firmware's own order:
 *     <UEFI type, decimal> <physical start, hex> <pages of 4 KiB, decimal> <attributes, hex>
 * A comment `# stride: 64` asks for descriptors that far apart; without it they are 48 bytes apart, as most firmware has it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/memmap.h"
#include "seed.h"

struct map {
  char name[128];
  uint8_t *bytes; /* As GetMemoryMap gives it. */
  size_t size, stride, count;
  size_t bad_lines; /* Lines of the file that are no descriptor. */
};

/** Reads a map file; false, with a message on stderr, when it cannot be read. */
bool map_read(const char *path, struct map *out);
void map_free(struct map *m);
void map_add(struct map *m, struct memmap_descriptor d);
struct memmap_descriptor map_get(const struct map *m, size_t index);

/** Paths of all *.map files of a directory, sorted; NULL-terminated, freed by map_paths_free; NULL when there is none. */
char **map_paths(const char *directory);
void map_paths_free(char **paths);
/** The maps of real machines: CAIRN_MEMMAPS or ../shared/memmaps; says on stdout when they are missing. */
char **map_paths_of_real_machines(void);
/** The maps of our own: tests/maps. */
char **map_paths_of_our_own(void);

/**
 * Makes a hostile map: overlapping, nested, doubled, empty, unaligned, wrapping, unsorted, of any type and attribute.  With
 * `frames_max` the RAM stays within so many frames, for tests that allocate all of it.
 */
void map_generate(struct dice *d, uint64_t frames_max, struct map *out);

/* A map that has been canonicalised. */
struct canon {
  struct boot_region *regions;
  size_t count;
  struct memmap_report report;
  status_t status;
};
/** Runs lib/memmap.c over a map, in exactly as much memory as it asks for. */
struct canon canon_of(const struct map *m, const struct memmap_claim *claims, size_t claim_count);
void canon_free(struct canon *c);
