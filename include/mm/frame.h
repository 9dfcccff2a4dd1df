/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/frame.h — one record of 16 bytes for each frame of RAM: its state and its owner.
 *
 * The records form one array in the window FRAMES, indexed by frame number and mapped only where there is RAM, so that
 * their cost follows RAM and not the highest address.  Linux spends 64 bytes a frame.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"

/* State of a frame.  The legal steps are the table in mm/phys/frame.c; every other one is refused and reported. */
enum frame_state : uint8_t {
  FRAME_FREE = 0,  /* Ours to hand out; 0, so that fresh records of zeros need no initialisation. */
  FRAME_ALLOCATED, /* Handed out; `owner` says to whom. */
  FRAME_FIRMWARE,  /* RAM that stays as the firmware left it: runtime, ACPI, low memory. */
  FRAME_BAD,       /* Never handed out: it is broken. */
  FRAME_ABSENT,    /* No RAM here: the answer about a frame without a record, stored in none. */
  FRAME_STATE_COUNT
};

/*
 * Owners: who a frame is charged to.  The ledger has one row for each.  Columns: id, mark for maps, name.
 * FREE is nobody's, NONE is for frames that are not there, FIRMWARE to BAD were never ours, the rest are Cairn's.
 */
#define FRAME_OWNERS(X)                                                                                                     \
  X(FREE, '.', "free")                                                                                                      \
  X(NONE, ' ', "none")                                                                                                      \
  X(FIRMWARE, 'f', "firmware runtime")                                                                                      \
  X(ACPI, 'A', "ACPI tables")                                                                                               \
  X(LOW, '0', "low memory")                                                                                                 \
  X(UNACCEPTED, 'u', "unaccepted")                                                                                          \
  X(BAD, 'x', "bad memory")                                                                                                 \
  X(KERNEL_IMAGE, 'k', "kernel image")                                                                                      \
  X(FRAME_RECORDS, 'r', "frame records")                                                                                    \
  X(BITMAPS, 'b', "bitmaps and tiers")                                                                                      \
  X(PAGE_TABLES, 't', "page tables")                                                                                        \
  X(STACKS, 's', "kernel stacks")                                                                                           \
  X(HANDOFF, 'h', "handoff")                                                                                                \
  X(TRAMPOLINE, 'a', "AP trampoline")                                                                                       \
  X(KERNEL, 'K', "kernel data")                                                                                             \
  X(DMA, 'd', "DMA buffers")                                                                                                \
  X(ZEROED, 'z', "zeroed stock")                                                                                            \
  X(USER, 'U', "user")                                                                                                      \
  X(TEST, 'T', "tests")

enum frame_owner : uint8_t {
#define FRAME_OWNER_ENUM(id, mark, name) FRAME_OWNER_##id,
  FRAME_OWNERS(FRAME_OWNER_ENUM)
#undef FRAME_OWNER_ENUM
      FRAME_OWNER_COUNT
};

/* The first owner that frames are handed out to. */
#define FRAME_OWNER_FIRST_OURS FRAME_OWNER_KERNEL_IMAGE

const char *frame_state_name(enum frame_state s); /* "free"; "?" when out of range. */
const char *frame_owner_name(enum frame_owner o); /* "page tables"; "?" when out of range. */
char frame_owner_mark(enum frame_owner o);        /* '?' when out of range. */
