/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/elf.h — the ELF-64 structures and numbers that we read, as the file has them.
 *
 * SOURCE System V gABI 4.1 with the RELR extension; x86-64 psABI 1.0, 4.4 (relocation types).
 */
#pragma once

#include <stdint.h>

#define ELF_MAGIC        UINT32_C(0x464c457f) /* 7f 'E' 'L' 'F', read as a little-endian number. */
#define ELF_CLASS_64     2
#define ELF_DATA_LITTLE  1
#define ELF_VERSION      1
#define ELF_TYPE_DYN     3
#define ELF_MACHINE_X86  62
#define ELF_PT_LOAD      1
#define ELF_PT_DYNAMIC   2
#define ELF_PT_INTERP    3
#define ELF_PT_GNU_RELRO 0x6474e552
#define ELF_FLAG_EXECUTE 1
#define ELF_FLAG_WRITE   2
#define ELF_FLAG_READ    4
#define ELF_RELATIVE     8 /* R_X86_64_RELATIVE. */
#define ELF_DF_TEXTREL   4 /* In DT_FLAGS. */

#define ELF_DT_NULL         0
#define ELF_DT_NEEDED       1
#define ELF_DT_RELA         7
#define ELF_DT_RELASZ       8
#define ELF_DT_RELAENT      9
#define ELF_DT_REL          17
#define ELF_DT_TEXTREL      22
#define ELF_DT_JMPREL       23
#define ELF_DT_FLAGS        30
#define ELF_DT_RELRSZ       35
#define ELF_DT_RELR         36
#define ELF_DT_RELRENT      37
#define ELF_DT_ANDROID_REL  0x6000000f
#define ELF_DT_ANDROID_RELA 0x60000011
#define ELF_DT_ANDROID_RELR 0x6fffe000

struct elf_header {
  uint32_t magic;
  uint8_t class;
  uint8_t data;
  uint8_t ident_version;
  uint8_t ident_rest[9];
  uint16_t type;
  uint16_t machine;
  uint32_t version;
  uint64_t entry;
  uint64_t phoff;
  uint64_t shoff;
  uint32_t flags;
  uint16_t ehsize;
  uint16_t phentsize;
  uint16_t phnum;
  uint16_t shentsize;
  uint16_t shnum;
  uint16_t shstrndx;
};
static_assert(sizeof(struct elf_header) == 64);

struct elf_program_header {
  uint32_t type;
  uint32_t flags;
  uint64_t offset;
  uint64_t vaddr;
  uint64_t paddr;
  uint64_t filesz;
  uint64_t memsz;
  uint64_t align;
};
static_assert(sizeof(struct elf_program_header) == 56);

struct elf_dynamic {
  uint64_t tag;
  uint64_t value;
};
static_assert(sizeof(struct elf_dynamic) == 16);

struct elf_rela {
  uint64_t offset;
  uint64_t info; /* Symbol << 32 | type. */
  uint64_t addend;
};
static_assert(sizeof(struct elf_rela) == 24);
