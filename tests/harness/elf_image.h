/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * elf_image.h — a small, valid kernel file made byte by byte, for tests to break.
 *
 *   file and memory   0x0000 R   headers, RELA table at 0x400, RELR table at 0x500
 *                     0x1000 RX  code, entry at 0x1010
 *                     0x2000 RW  dynamic section at 0x2000, data; PT_GNU_RELRO covers all of it
 *                     0x3000 RW  data up to 0x3200, zeros up to 0x5000
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/elf.h"

#define ELF_IMAGE_FILE_SIZE   0x3200
#define ELF_IMAGE_MEMORY_SIZE 0x5000
#define ELF_IMAGE_ENTRY       0x1010
#define ELF_IMAGE_RELA        0x400
#define ELF_IMAGE_RELR        0x500
#define ELF_IMAGE_RELOCATIONS 7

enum elf_image_header { EI_RODATA, EI_CODE, EI_RELRO_DATA, EI_DATA, EI_DYNAMIC, EI_RELRO, EI_SPARE, EI_HEADERS };
enum elf_image_tag { ET_RELA, ET_RELASZ, ET_RELAENT, ET_RELR, ET_RELRSZ, ET_RELRENT, ET_SPARE, ET_NULL, ET_ENTRIES };

/* The structures lie at their places in the file, so that a test changes the file by changing them. */
struct elf_image {
  struct elf_header header;
  struct elf_program_header headers[EI_HEADERS];
  uint8_t gap_headers[ELF_IMAGE_RELA - 64 - EI_HEADERS * 56];
  struct elf_rela rela[2];
  uint8_t gap_rela[ELF_IMAGE_RELR - ELF_IMAGE_RELA - 2 * 24];
  uint64_t relr[4];
  uint8_t gap_relr[0x1000 - ELF_IMAGE_RELR - 4 * 8];
  uint8_t code[0x1000];
  struct elf_dynamic dynamic[ET_ENTRIES];
  uint8_t relro_data[0x1000 - ET_ENTRIES * 16];
  uint64_t data[0x200 / 8];
};
static_assert(offsetof(struct elf_image, rela) == ELF_IMAGE_RELA);
static_assert(offsetof(struct elf_image, relr) == ELF_IMAGE_RELR);
static_assert(offsetof(struct elf_image, dynamic) == 0x2000);
static_assert(sizeof(struct elf_image) == ELF_IMAGE_FILE_SIZE);

void elf_image_init(struct elf_image *e);
