/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/frame.h — 16 bytes for each frame of RAM: one hot byte, which says whose it is, and a cold record of 15.
 *
 * They form two arrays in the window FRAMES, indexed by frame number and mapped only where there is RAM, so that their cost
 * follows RAM and not the highest address.  Linux spends 64 bytes a frame.  64 hot bytes share a cache line: to judge a
 * frame costs one load, and two million of them fit where four-byte neighbours would not.
 */
#pragma once

#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"

/* State of a frame.  The legal steps are the table in mm/phys/frame.c; every other one is refused and reported. */
enum frame_state : uint8_t {
  FRAME_FREE = 0,  /* Ours to hand out. */
  FRAME_ALLOCATED, /* Handed out; `owner` says to whom. */
  FRAME_FIRMWARE,  /* RAM that stays as the firmware left it: runtime, ACPI, low memory. */
  FRAME_BAD,       /* Never handed out: it is broken. */
  FRAME_ABSENT,    /* No RAM here: the answer about a frame without a record, stored in none. */
  FRAME_STATE_COUNT
};

/*
 * Owners: who a frame is charged to.  The ledger has one row for each.  Columns: id, mark for maps, name.
 * FREE is nobody's, NONE is for frames that are not there, FIRMWARE to TRAMPOLINE were never ours to hand out, the rest are
 * Cairn's.  So the owner says the state (frame_state_of).
 */
#define FRAME_OWNERS(X)                                                                                                     \
  X(FREE, '.', "free")                                                                                                      \
  X(NONE, ' ', "none")                                                                                                      \
  X(FIRMWARE, 'f', "firmware runtime")                                                                                      \
  X(ACPI, 'A', "ACPI tables")                                                                                               \
  X(LOW, '0', "low memory")                                                                                                 \
  X(UNACCEPTED, 'u', "unaccepted")                                                                                          \
  X(BAD, 'x', "bad memory")                                                                                                 \
  X(TRAMPOLINE, 'a', "AP trampoline")                                                                                       \
  X(KERNEL_IMAGE, 'k', "kernel image")                                                                                      \
  X(FRAME_RECORDS, 'r', "frame records")                                                                                    \
  X(BITMAPS, 'b', "bitmaps and tiers")                                                                                      \
  X(PAGE_TABLES, 't', "page tables")                                                                                        \
  X(STACKS, 's', "kernel stacks")                                                                                           \
  X(HANDOFF, 'h', "handoff")                                                                                                \
  X(KERNEL, 'K', "kernel data")                                                                                             \
  X(DMA, 'd', "DMA buffers") /* Of mm/dma.h and of pools: INV-23. */                                                        \
  X(ZEROED, 'z', "zeroed stock")                                                                                            \
  X(GATHERED, 'g', "runs being made")                                                                                       \
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
/* May frames be handed out to that owner? */
static inline bool frame_owner_is_ours(enum frame_owner owner) {
  return owner >= FRAME_OWNER_FIRST_OURS && owner < FRAME_OWNER_COUNT;
}

/*
 * The hot byte of a frame: its owner, whether it was handed out in one piece with the frame below it, and whether it may be
 * moved.  0 is free.
 */
#define FRAME_OWNER_MASK 0x3f
#define FRAME_TAIL       0x40
#define FRAME_MOVABLE    0x80
static_assert(FRAME_OWNER_COUNT <= FRAME_OWNER_MASK);

/* What the owner of a frame may keep about it.  Nobody else reads or clears it: it is garbage until it is written. */
struct [[gnu::packed]] frame_cold {
  uint32_t object;     /* Memory object it belongs to, so that its owner can be asked to move it; 0 for none. */
  uint32_t offset;     /* In frames, within that object. */
  uint32_t generation; /* Of the TLB, when it was unmapped last. */
  uint16_t references; /* Mappings and pins. */
  uint8_t payer;       /* Whose account it is on. */
};
static_assert(sizeof(struct frame_cold) == 15);

/* Both arrays, by frame number; readable and writable where the map has RAM. */
struct frame_records {
  uint8_t *hot;
  struct frame_cold *cold;
};

/* What a frame is. */
struct frame_said {
  enum frame_state state;
  enum frame_owner owner;
  bool is_movable;
};

/** The state of a frame with such an owner; FRAME_STATE_COUNT for a number that is no owner. */
static inline enum frame_state frame_state_of(enum frame_owner owner) {
  if (owner == FRAME_OWNER_FREE) return FRAME_FREE;
  if (owner >= FRAME_OWNER_FIRST_OURS) return owner < FRAME_OWNER_COUNT ? FRAME_ALLOCATED : FRAME_STATE_COUNT;
  if (owner == FRAME_OWNER_NONE) return FRAME_ABSENT;
  return owner == FRAME_OWNER_BAD ? FRAME_BAD : FRAME_FIRMWARE;
}
static inline struct frame_said frame_said_by(uint8_t hot) {
  const enum frame_owner owner = (enum frame_owner)(hot & FRAME_OWNER_MASK);
  return (struct frame_said){frame_state_of(owner), owner, (hot & FRAME_MOVABLE) != 0};
}

const char *frame_state_name(enum frame_state s); /* "free"; "?" when out of range. */
const char *frame_owner_name(enum frame_owner o); /* "page tables"; "?" when out of range. */
char frame_owner_mark(enum frame_owner o);        /* '?' when out of range. */
