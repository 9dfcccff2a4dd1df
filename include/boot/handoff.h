/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/handoff.h — what a loader tells the kernel.
 *
 * WHAT   One contiguous, page-aligned, read-only block of memory: struct boot_handoff first, then everything its offsets
 *        name.  It is loader-neutral: any loader that fills it and enters the kernel as described in docs/boot-protocol.md
 *        can boot Cairn.
 * HOW    Fixed-width integers only; no pointer, no enum-typed field, no implicit padding.  Arrays and strings are named by
 *        (offset, count) pairs relative to the start of the block, so that the block can be mapped anywhere.  Addresses
 *        inside are physical unless the field says virtual.
 * RULES  A reader checks magic, version, size and every (offset, count) pair against `size` before use; kernel/handoff.c
 *        does that once.  A field is never reused for something else: new fields are appended and `version` grows.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "boot/layout.h"

#define BOOT_HANDOFF_MAGIC   UINT64_C(0x46444e484e524943) /* "CIRNHNDF" */
#define BOOT_HANDOFF_VERSION 1

/* (offset, count) of an array inside the handoff block. */
struct boot_span {
  uint32_t offset; /* Bytes from the start of struct boot_handoff. */
  uint32_t count;  /* Elements (bytes for strings and raw data). */
};

/*
 * The kinds of memory, from the least to the most restrictive: where descriptors of the firmware overlap, the larger
 * number wins (lib/memmap.c).  Columns: id, one-letter mark for maps, name, is it RAM (counted by the ledger), what the
 * kernel may do with it: USE at once, RECLAIM once nothing needs it, KEEP for ever.
 */
#define BOOT_MEMORY_KINDS(X)                                                                                                \
  X(USABLE, '.', "usable", 1, USE)                   /* EfiConventionalMemory. */                                           \
  X(BOOT_SERVICES, 'b', "boot services", 1, RECLAIM) /* EfiBootServicesCode, EfiBootServicesData. */                        \
  X(LOADER, 'l', "loader", 1, RECLAIM)               /* EfiLoaderCode, EfiLoaderData: the loader's own, dead now. */        \
  X(HANDOFF, 'h', "handoff", 1, KEEP)                /* This block. */                                                      \
  X(BOOT_STACK, 's', "boot stack", 1, KEEP)          /* The stack the kernel starts on. */                                  \
  X(PAGE_TABLES, 't', "page tables", 1, KEEP)        /* The first page tables. */                                           \
  X(KERNEL, 'k', "kernel image", 1, KEEP)            /* The kernel's segments. */                                           \
  X(LOW, '0', "low memory", 1, KEEP)                 /* RAM below 1 MiB and page 0: firmware writes there. */               \
  X(TRAMPOLINE, 'a', "AP trampoline", 1, KEEP)       /* One frame below 1 MiB to start other CPUs in. */                    \
  X(ACPI_RECLAIM, 'A', "ACPI tables", 1, KEEP)       /* EfiACPIReclaimMemory: kept, as rows.md asks. */                     \
  X(PERSISTENT, 'p', "persistent", 0, KEEP)          /* EfiPersistentMemory: not ours to overwrite. */                      \
  X(UNACCEPTED, 'u', "unaccepted", 1, KEEP)          /* EfiUnacceptedMemoryType. */                                         \
  X(ACPI_NVS, 'N', "ACPI NVS", 1, KEEP)              /* EfiACPIMemoryNVS. */                                                \
  X(RUNTIME_DATA, 'd', "runtime data", 1, KEEP)      /* EfiRuntimeServicesData. */                                          \
  X(RUNTIME_CODE, 'c', "runtime code", 1, KEEP)      /* EfiRuntimeServicesCode. */                                          \
  X(UNUSABLE, 'x', "bad memory", 1, KEEP)            /* EfiUnusableMemory: the firmware found errors. */                    \
  X(RESERVED, 'r', "reserved", 0, KEEP)              /* EfiReservedMemoryType, EfiPalCode, unknown types. */                \
  X(MMIO, 'm', "device memory", 0, KEEP)             /* EfiMemoryMappedIO. */                                               \
  X(MMIO_PORT, 'o', "device port space", 0, KEEP)    /* EfiMemoryMappedIOPortSpace. */

enum boot_memory_kind {
#define BOOT_KIND_ENUM(id, mark, name, is_ram, fate) BOOT_MEMORY_##id,
  BOOT_MEMORY_KINDS(BOOT_KIND_ENUM)
#undef BOOT_KIND_ENUM
      BOOT_MEMORY_KIND_COUNT
};

/* One region of the canonical map: sorted by start, disjoint, whole frames, neighbours of one kind and attributes merged. */
struct boot_region {
  uint64_t start;         /* Physical, bytes, multiple of 4 KiB. */
  uint64_t end;           /* Physical, bytes, not included. */
  uint32_t kind;          /* enum boot_memory_kind. */
  uint32_t firmware_type; /* EFI memory type of the descriptor that won, for `why`. */
  uint64_t attributes;    /* EFI_MEMORY_* of that descriptor, as the firmware gave them. */
};

/* How pixels are laid out. */
enum boot_pixel_format {
  BOOT_PIXEL_NONE = 0,    /* No linear framebuffer: no GOP, or Blt only. */
  BOOT_PIXEL_RGB = 1,     /* Byte 0 red, 1 green, 2 blue, 3 unused. */
  BOOT_PIXEL_BGR = 2,     /* Byte 0 blue, 1 green, 2 red, 3 unused. */
  BOOT_PIXEL_BITMASK = 3, /* 32-bit pixels with the masks given. */
};

struct boot_framebuffer {
  uint64_t base;     /* Physical; may lie above 4 GiB. */
  uint64_t size;     /* Bytes that may be touched: stride * height * 4, never more than the firmware says. */
  uint32_t width;    /* Visible pixels a line. */
  uint32_t height;   /* Lines. */
  uint32_t stride;   /* Pixels from one line to the next. */
  uint32_t format;   /* enum boot_pixel_format. */
  uint32_t red_mask; /* Masks over the 32-bit pixel; filled for every format but NONE. */
  uint32_t green_mask;
  uint32_t blue_mask;
  uint32_t reserved;
};

/* One window of boot/layout.h as it was drawn. */
struct boot_window {
  uint64_t base;              /* Virtual. */
  uint64_t size;              /* Bytes. */
  uint64_t slots;             /* How many bases were possible when it was drawn. */
  uint32_t entropy_millibits; /* log2(slots) * 1000, capped by what the sources gave; 0 for a fixed seed or nokaslr. */
  uint32_t reserved;
};

/* Where the time went: the CPU's time stamp counter at the end of each phase. */
enum boot_phase {
  BOOT_PHASE_ENTRY,
  BOOT_PHASE_CONFIG,
  BOOT_PHASE_FILE,
  BOOT_PHASE_VIDEO,
  BOOT_PHASE_ENTROPY,
  BOOT_PHASE_IMAGE,
  BOOT_PHASE_TABLES,
  BOOT_PHASE_EXIT,
  BOOT_PHASE_JUMP,
  BOOT_PHASE_COUNT
};

/* The sources of entropy, as bits of entropy_sources (healthy) and entropy_rejected (present but unhealthy). */
#define BOOT_ENTROPY_EFI_RNG    UINT32_C(1)
#define BOOT_ENTROPY_RDSEED     UINT32_C(2)
#define BOOT_ENTROPY_RDRAND     UINT32_C(4)
#define BOOT_ENTROPY_JITTER     UINT32_C(8)
#define BOOT_ENTROPY_MEMORY_MAP UINT32_C(16)

#define BOOT_FLAG_NOKASLR    UINT32_C(1) /* Every window at its fixed default. */
#define BOOT_FLAG_FIXED_SEED UINT32_C(2) /* kaslr=<seed>: reproducible, no secret. */
#define BOOT_FLAG_LEVELS_5   UINT32_C(4) /* Five levels of page tables (CR4.LA57). */
#define BOOT_FLAG_GIB_PAGES  UINT32_C(8) /* The direct map uses 1 GiB leaves where it can. */

struct boot_handoff {
  uint64_t magic;
  uint32_t version;
  uint32_t size;      /* Bytes of the whole block. */
  uint32_t flags;     /* BOOT_FLAG_*. */
  uint32_t log_level; /* The loader's log level, 0 (errors) .. 4 (verbose). */

  struct boot_span regions;          /* struct boot_region: the canonical map, after ExitBootServices. */
  struct boot_span firmware_map;     /* Bytes: the firmware's own map, as GetMemoryMap gave it last. */
  uint32_t firmware_descriptor_size; /* Stride of that map. */
  uint32_t firmware_descriptor_version;
  struct boot_span command_line; /* Bytes of UTF-8, no terminator: boot.cfg's, then the load options'. */
  struct boot_span loader_name;  /* Bytes: "Cairn loader 0.1". */
  struct boot_span config_text;  /* Bytes: boot.cfg as read, empty when there was none. */
  struct boot_span warnings;     /* Bytes: the loader's warnings, one a line, for the kernel's log. */

  uint64_t physical;             /* Where this block lies. */
  uint64_t kernel_physical;      /* The image's physical base; its frames are contiguous. */
  uint64_t kernel_size;          /* Bytes, whole frames. */
  uint64_t page_table_root;      /* The value of CR3. */
  uint64_t page_tables_physical; /* The pool the first tables came from (kind PAGE_TABLES). */
  uint64_t page_tables_size;     /* Bytes. */
  uint64_t boot_stack_physical;
  uint64_t boot_stack; /* Virtual, lowest mapped byte; a guard page lies on either side. */
  uint64_t boot_stack_size;
  uint64_t trampoline; /* One frame below 1 MiB for starting CPUs; 0 when there was none. */

  uint64_t rsdp;              /* 0 when the firmware has none. */
  uint64_t smbios;            /* The 64-bit entry point if there is one, else the 32-bit one, else 0. */
  uint64_t system_table;      /* EFI system table. */
  uint64_t memory_attributes; /* EFI_MEMORY_ATTRIBUTES_TABLE, 0 when the firmware has none. */
  uint64_t firmware_vendor;   /* CHAR16 string, in firmware memory that may be boot services memory. */
  uint32_t firmware_revision;
  uint32_t uefi_revision; /* As in the system table's header: major << 16 | minor. */

  struct boot_framebuffer framebuffer;
  struct boot_window windows[BOOT_WINDOW_COUNT];
  uint64_t physical_slots; /* Choices there were for the image's physical base. */
  uint32_t physical_millibits;
  uint32_t exit_tries; /* Calls of ExitBootServices; 1 is the normal case. */

  uint8_t seed[32];          /* Derived for the kernel alone; the kernel takes it once and wipes it. */
  uint32_t entropy_sources;  /* BOOT_ENTROPY_* that were mixed in. */
  uint32_t entropy_rejected; /* BOOT_ENTROPY_* that failed their health check. */
  uint32_t entropy_bits;     /* Bits credited to the sources together, at most 256. */
  uint32_t reserved;

  uint64_t tsc[BOOT_PHASE_COUNT]; /* enum boot_phase. */
};

static_assert(sizeof(struct boot_span) == 8);
static_assert(sizeof(struct boot_region) == 32);
static_assert(sizeof(struct boot_framebuffer) == 48);
static_assert(sizeof(struct boot_window) == 32);
static_assert(offsetof(struct boot_handoff, regions) == 24);
static_assert(offsetof(struct boot_handoff, physical) == 80);
static_assert(offsetof(struct boot_handoff, rsdp) == 160);
static_assert(offsetof(struct boot_handoff, framebuffer) == 208);
static_assert(offsetof(struct boot_handoff, windows) == 256);
static_assert(offsetof(struct boot_handoff, physical_slots) == 512);
static_assert(offsetof(struct boot_handoff, seed) == 528);
static_assert(offsetof(struct boot_handoff, tsc) == 576);
static_assert(sizeof(struct boot_handoff) == 648);

/*
 * The kernel's entry: entered by a jump, never returns.
 *   RDI  virtual address of struct boot_handoff (window HANDOFF), RSP top of the boot stack, 16-byte aligned,
 *   interrupts off, direction flag clear, CR0.WP and EFER.NXE on, paging on with page_table_root, the lower half empty but
 *   for the one page that holds the loader's jump, which the kernel drops first.
 */
