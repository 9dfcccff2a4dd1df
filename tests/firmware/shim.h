/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/firmware/shim.h — what the files of the fault shim share.
 *
 * WHAT   The shim stands between the firmware and the loader: the loader is started with a system table, boot services and
 *        protocols of the shim's, which pass each call on to the firmware or play a bug that real firmware has.  The
 *        firmware's own tables stay as they are, so that its drivers see nothing of it.
 * OUTPUT Lines on the first serial port that begin with `[S] `; scripts/boots.py reads them.
 */
#pragma once

#include <efi.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/units.h"

/* --- quirks.c: what to play, and whether it was played -------------------------------------------------------------- */

enum quirk {
#define QUIRK(id, name, value) QUIRK_##id,
#include "tests/firmware/quirks.def"
#undef QUIRK
  QUIRK_COUNT
};

/** Reads quirks.txt: `name` or `name=value` a line, # comments.  Says each one; an unknown one is said as such. */
void quirks_read(const char *text, size_t size);
bool quirks_on(enum quirk q);
uint64_t quirks_value(enum quirk q);
const char *quirks_text(enum quirk q); /* The value as it was written, "" when there was none. */
/** True when the quirk is on, and counts that it was played. */
bool quirks_play(enum quirk q);
/** True as above for the first value() plays. */
bool quirks_play_limited(enum quirk q);
void quirks_count(enum quirk q);
/** Says which were played how often, and which were on but never played. */
void quirks_say_played(void);

/* --- print.c: the serial port --------------------------------------------------------------------------------------- */

void print_line(const char *format, ...) PRINTF_LIKE(1, 2);

/* --- shim.c: the state that everybody needs ------------------------------------------------------------------------- */

extern EFI_SYSTEM_TABLE *shim_firmware;  /* The firmware's own. */
extern EFI_BOOT_SERVICES *shim_services; /* Its boot services. */
extern bool shim_is_strict;              /* ExitBootServices has failed: only memory services may be called. */
extern unsigned shim_violations;

/** Memory of the firmware's (boot services data) for the shim's tables; the shim ends without it. */
void *shim_pages(size_t bytes);
/** Says that the loader called something it must not call. */
void shim_violation(const char *service);
bool shim_same_guid(const EFI_GUID *a, const EFI_GUID *b);
/** From now on only memory services may be called. */
void shim_go_strict(void);

/* --- the rooms of the fake firmware --------------------------------------------------------------------------------- */

/* map.c: GetMemoryMap and ExitBootServices. */
void map_init(void);
void map_hook(EFI_BOOT_SERVICES *services);
void map_begin(void);

/* fabric.c: the descriptors that no honest firmware gives. */
#define FABRIC_MAX 16384 /* Descriptors in a map. */
struct fabric {
  EFI_MEMORY_DESCRIPTOR *list;
  size_t count;
  uint64_t failures; /* Of ExitBootServices so far. */
};
void fabric_init(void);
/** Puts the quirks of the memory map into an honest one. */
void fabric_apply(struct fabric *f);

/* oracle.c: what the kernel has to make of the last map, painted frame by frame. */
void oracle_init(void);
void oracle_expect(const EFI_MEMORY_DESCRIPTOR *list, size_t count);

/* memory.c: AllocatePages and its brothers. */
void memory_hook(EFI_BOOT_SERVICES *services);
/** Starts counting for a new run of the loader; allocations from number `fail_from` on fail (0: by the quirks). */
void memory_begin(uint64_t fail_from);
/** Allocations asked for since memory_begin; prints CLEAN or LEAK for them. */
uint64_t memory_end(unsigned open_files);

/* paging.c: the firmware's page tables. */
void paging_forbid_execution(uint64_t start, uint64_t size);
/** Makes the firmware run with five levels.  => the CPU has LA57, four levels are on. */
void paging_add_level(void);

/* protocols.c: HandleProtocol and its brothers, random numbers. */
void protocols_hook(EFI_BOOT_SERVICES *services);

/* display.c: graphics output and EDID. */
void *display_wrap(void *gop);
void *display_edid(void);

/* files.c: the file system. */
void *files_wrap(void *volume);
unsigned files_open(void);

/* tables.c: the loader's system table and load options. */
EFI_SYSTEM_TABLE *tables_make(EFI_BOOT_SERVICES *services);
void tables_set_options(EFI_LOADED_IMAGE *image);
