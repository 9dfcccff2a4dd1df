/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/image.h — from the bytes of the kernel file to an image in memory that can run.
 *
 * The caller reads the whole file, asks image_plan whether it is a kernel, chooses bases (loader/placement.h), and then
 * image_place and image_relocate do the work; they cannot fail, because everything that could be wrong with the file,
 * relocations included, has been checked by the plan.  "Offset" below means bytes from the start of the image in memory.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/units.h"

#define IMAGE_SIZE_MAX       (64 * MIB) /* Of the file, and of the image in memory. */
#define IMAGE_HEADERS_MAX    64         /* Program headers. */
#define IMAGE_SEGMENTS_MAX   16         /* PT_LOAD headers. */
#define IMAGE_RUNS_MAX       (IMAGE_SEGMENTS_MAX + 2)
#define IMAGE_ERROR_TEXT_MAX 192

#define IMAGE_READ    UINT32_C(1)
#define IMAGE_WRITE   UINT32_C(2)
#define IMAGE_EXECUTE UINT32_C(4)

/*
 * Every check, in the order of the file's layers.
 *   id, status, how the value is shown (d decimal, x hexadecimal), what is wrong (the value follows in brackets).
 */
#define IMAGE_CHECKS(X)                                                                                                     \
  X(FILE_SIZE, TRUNCATED, d, "the file is too small to hold an ELF header; its size")                                       \
  X(FILE_LIMIT, RANGE, d, "the file is larger than 64 MiB; its size")                                                       \
  X(MAGIC, CORRUPT, x, "this is no ELF file; its first four bytes")                                                         \
  X(CLASS, UNSUPPORTED, d, "not a 64-bit ELF file (class 2); its class")                                                    \
  X(ENCODING, UNSUPPORTED, d, "not little-endian (encoding 1); its encoding")                                               \
  X(VERSION, UNSUPPORTED, d, "not ELF version 1; its version")                                                              \
  X(TYPE, UNSUPPORTED, d, "not a position-independent executable (type 3); its type")                                       \
  X(MACHINE, UNSUPPORTED, d, "built for another machine than x86_64 (62); its machine")                                     \
  X(HEADER_SIZE, CORRUPT, d, "the ELF header does not have 64 bytes; its size")                                             \
  X(ENTRY_SIZE, CORRUPT, d, "program headers do not have 56 bytes each; their size")                                        \
  X(HEADER_COUNT, RANGE, d, "there must be 1 to 64 program headers; their number")                                          \
  X(HEADERS_BOUNDS, TRUNCATED, d, "the program headers run past the end of the file; their offset")                         \
  X(INTERPRETER, UNSUPPORTED, d, "the file asks for a dynamic loader; program header")                                      \
  X(SEGMENT_COUNT, RANGE, d, "there must be 1 to 16 segments to load; their number")                                        \
  X(SEGMENT_FLAGS, CORRUPT, x, "a segment is not readable, or has unknown flags")                                           \
  X(SEGMENT_WX, DENIED, x, "a segment is both writable and executable; its flags")                                          \
  X(SEGMENT_FILE, TRUNCATED, x, "a segment runs past the end of the file; the end it claims")                               \
  X(SEGMENT_SIZES, CORRUPT, x, "a segment has more bytes in the file than in memory; in the file")                          \
  X(SEGMENT_WRAP, CORRUPT, x, "a segment's addresses or file offsets wrap around; its address")                             \
  X(SEGMENT_ALIGN, UNALIGNED, x, "a segment's alignment is not 4 KiB, the step at which images are placed; it is")          \
  X(SEGMENT_OFFSET, UNALIGNED, x, "a segment's address and file offset differ within the page; its address")                \
  X(SEGMENT_ORDER, OVERLAP, x, "segments overlap or are not in ascending order; the address of the second")                 \
  X(SEGMENT_PAGE, OVERLAP, x, "two segments share a page and need different permissions; the page")                         \
  X(IMAGE_LIMIT, RANGE, x, "the image is larger than 64 MiB; the size it claims")                                           \
  X(NO_CODE, CORRUPT, d, "no segment is executable; segments seen")                                                         \
  X(ENTRY, CORRUPT, x, "the entry point lies in no executable segment; its address")                                        \
  X(RELRO_COUNT, CORRUPT, d, "there is more than one PT_GNU_RELRO; program header")                                         \
  X(RELRO_BOUNDS, CORRUPT, x, "PT_GNU_RELRO lies in no writable segment, or wraps around; its address")                     \
  X(RELRO_ALIGN, UNALIGNED, x, "PT_GNU_RELRO does not cover whole pages; its address or end")                               \
  X(DYNAMIC_COUNT, CORRUPT, d, "there is more than one PT_DYNAMIC; program header")                                         \
  X(DYNAMIC_BOUNDS, CORRUPT, x, "PT_DYNAMIC lies in no segment's file content; its address")                                \
  X(DYNAMIC_SIZE, CORRUPT, d, "PT_DYNAMIC is no array of 16-byte entries; its size")                                        \
  X(DYNAMIC_END, CORRUPT, d, "the dynamic section has no DT_NULL at its end; entries seen")                                 \
  X(DYNAMIC_TWICE, CORRUPT, x, "a dynamic tag comes twice; the tag")                                                        \
  X(NEEDED, UNSUPPORTED, d, "the file needs a shared library (DT_NEEDED); its name's offset")                               \
  X(TEXT_RELOCATIONS, DENIED, x, "the file relocates its own code (DT_TEXTREL); the tag")                                   \
  X(OTHER_RELOCATIONS, UNSUPPORTED, x, "the file has relocations that are neither RELA nor RELR; the dynamic tag")          \
  X(RELA_ENTRY, CORRUPT, d, "RELA entries do not have 24 bytes; their size")                                                \
  X(RELA_SIZE, CORRUPT, d, "the RELA table is no array of 24-byte entries; its size")                                       \
  X(RELA_BOUNDS, CORRUPT, x, "the RELA table lies in no segment's file content; its address")                               \
  X(RELA_TYPE, UNSUPPORTED, x, "a relocation is not R_X86_64_RELATIVE (8); its type and symbol")                            \
  X(RELA_TARGET, DENIED, x, "a RELA relocation lies outside every writable segment; its address")                           \
  X(RELR_ENTRY, CORRUPT, d, "RELR entries do not have 8 bytes; their size")                                                 \
  X(RELR_SIZE, CORRUPT, d, "the RELR table is no array of 8-byte entries; its size")                                        \
  X(RELR_BOUNDS, CORRUPT, x, "the RELR table lies in no segment's file content; its address")                               \
  X(RELR_START, CORRUPT, x, "the RELR table begins with a bitmap; its first entry")                                         \
  X(RELR_ALIGN, UNALIGNED, x, "a RELR relocation is not 8-byte aligned; its address")                                       \
  X(RELR_TARGET, DENIED, x, "a RELR relocation lies outside every writable segment; its address")

enum image_check {
  IMAGE_CHECK_NONE,
#define IMAGE_CHECK_ENUM(id, status, shown, text) IMAGE_CHECK_##id,
  IMAGE_CHECKS(IMAGE_CHECK_ENUM)
#undef IMAGE_CHECK_ENUM
      IMAGE_CHECK_COUNT
};

#define IMAGE_NO_INDEX UINT32_MAX

struct image_error {
  uint32_t check; /* enum image_check. */
  uint32_t index; /* Program header, dynamic entry or relocation it is about; IMAGE_NO_INDEX when about none. */
  uint64_t value; /* The value seen. */
};

/* One PT_LOAD segment. */
struct image_segment {
  uint64_t offset;      /* Of its first byte in the image; need not be page-aligned. */
  uint64_t size;        /* Bytes in memory. */
  uint64_t file_offset; /* Of its content in the file. */
  uint64_t file_size;   /* At most size; the rest is zero. */
  uint32_t permissions; /* IMAGE_*. */
  uint32_t reserved;
};

/* Pages with one permission; what the page tables are made from.  PT_GNU_RELRO is carved out as read-only here. */
struct image_run {
  uint64_t offset; /* Multiple of 4 KiB. */
  uint64_t size;   /* Multiple of 4 KiB, not 0. */
  uint32_t permissions;
  uint32_t reserved;
};

/* A table of the file that has been checked: where, and how many entries. */
struct image_table {
  uint64_t file_offset;
  uint64_t count;
};

struct image_plan {
  uint64_t size;      /* Of the image in memory: a multiple of 4 KiB, not 0, at most IMAGE_SIZE_MAX. */
  uint64_t link_base; /* Address the file is linked at (0 for a static PIE); a multiple of 4 KiB. */
  uint64_t entry;     /* Offset of the first instruction. */
  uint32_t segment_count;
  uint32_t run_count;
  struct image_segment segments[IMAGE_SEGMENTS_MAX]; /* Ascending, disjoint. */
  struct image_run runs[IMAGE_RUNS_MAX];             /* Ascending, disjoint; pages in no run stay unmapped. */
  struct image_table rela, relr;
  uint64_t relocation_count; /* Words that image_relocate will change. */
};

/**
 * Checks every field of a kernel file and says how it will lie in memory.
 *   => pure; allocates nothing; `file` needs no alignment and is only read.
 * Returns OK and fills *plan; or the status of the first check that failed (column two above), with *error saying which
 * one, and *plan untouched.  *error is written on failure alone.
 */
status_t image_plan(const void *file, uint64_t size, struct image_plan *plan, struct image_error *error);

/**
 * Writes the image into `memory`: plan->size bytes, all of which are written (content, else zero).
 *   => the plan was made from these file bytes; memory and file do not overlap.
 */
void image_place(const struct image_plan *plan, const void *file, void *memory);

/**
 * Relocates an image that image_place has just written to run at `virtual_base` (a multiple of 4 KiB).
 * The tables are read from the file and not from the image, so that a file that relocates its own tables does no harm.
 *   => once; the plan was made from these file bytes; memory is the one of image_place.
 */
void image_relocate(const struct image_plan *plan, const void *file, void *memory, uint64_t virtual_base);

/** "SEGMENT_WX"; "?" for no check at all. */
const char *image_check_name(uint32_t check);

/** The whole sentence, NUL-terminated: what is wrong, the value, which header ("...; its flags: 0x7 (number 2)
 * [SEGMENT_WX]"). */
void image_error_text(const struct image_error *error, char to[static IMAGE_ERROR_TEXT_MAX]);
