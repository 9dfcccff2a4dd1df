/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/elf_image.c — see elf_image.h. */
#include "elf_image.h"

#include <string.h>

static void set_segment(struct elf_image *e, unsigned index, uint32_t flags, uint64_t at, uint64_t filesz, uint64_t memsz) {
  e->headers[index] = (struct elf_program_header){
      .type = ELF_PT_LOAD, .flags = flags, .offset = at, .vaddr = at, .filesz = filesz, .memsz = memsz, .align = 0x1000};
}

static void set_tables(struct elf_image *e) {
  const struct elf_dynamic dynamic[ET_ENTRIES] = {
      [ET_RELA] = {ELF_DT_RELA, ELF_IMAGE_RELA}, [ET_RELASZ] = {ELF_DT_RELASZ, sizeof(e->rela)},
      [ET_RELAENT] = {ELF_DT_RELAENT, 24},       [ET_RELR] = {ELF_DT_RELR, ELF_IMAGE_RELR},
      [ET_RELRSZ] = {ELF_DT_RELRSZ, 24},         [ET_RELRENT] = {ELF_DT_RELRENT, 8},
      [ET_SPARE] = {0x6ffffef5, 0x300},          [ET_NULL] = {ELF_DT_NULL, 0},
  };
  memcpy(e->dynamic, dynamic, sizeof(dynamic));
  e->rela[0] = (struct elf_rela){.offset = 0x2800, .info = ELF_RELATIVE, .addend = 0x1234};
  e->rela[1] = (struct elf_rela){.offset = 0x4ff8, .info = ELF_RELATIVE, .addend = 0x4ff8}; /* The last word of the zeros. */
  /* 0x3000; then of the 63 words from 0x3008 the first, the second and the last; then 0x2900 and the word after... */
  e->relr[0] = 0x3000;
  e->relr[1] = UINT64_C(1) | UINT64_C(1) << 1 | UINT64_C(1) << 2 | UINT64_C(1) << 63;
  e->relr[2] = 0x2900;
  e->relr[3] = 0; /* Not part of the table. */
}

void elf_image_init(struct elf_image *e) {
  memset(e, 0, sizeof(*e));
  e->header = (struct elf_header){.magic = ELF_MAGIC,
                                  .class = ELF_CLASS_64,
                                  .data = ELF_DATA_LITTLE,
                                  .ident_version = ELF_VERSION,
                                  .type = ELF_TYPE_DYN,
                                  .machine = ELF_MACHINE_X86,
                                  .version = ELF_VERSION,
                                  .entry = ELF_IMAGE_ENTRY,
                                  .phoff = sizeof(struct elf_header),
                                  .ehsize = sizeof(struct elf_header),
                                  .phentsize = sizeof(struct elf_program_header),
                                  .phnum = EI_HEADERS};
  set_segment(e, EI_RODATA, ELF_FLAG_READ, 0, 0x600, 0x600);
  set_segment(e, EI_CODE, ELF_FLAG_READ | ELF_FLAG_EXECUTE, 0x1000, 0x800, 0x800);
  set_segment(e, EI_RELRO_DATA, ELF_FLAG_READ | ELF_FLAG_WRITE, 0x2000, 0x1000, 0x1000);
  set_segment(e, EI_DATA, ELF_FLAG_READ | ELF_FLAG_WRITE, 0x3000, 0x200, 0x2000);
  set_segment(e, EI_DYNAMIC, ELF_FLAG_READ | ELF_FLAG_WRITE, 0x2000, sizeof(e->dynamic), sizeof(e->dynamic));
  set_segment(e, EI_RELRO, ELF_FLAG_READ, 0x2000, 0x1000, 0x1000);
  set_segment(e, EI_SPARE, ELF_FLAG_READ | ELF_FLAG_WRITE, 0, 0, 0);
  e->headers[EI_DYNAMIC].type = ELF_PT_DYNAMIC;
  e->headers[EI_RELRO].type = ELF_PT_GNU_RELRO;
  e->headers[EI_SPARE].type = 0x6474e551; /* PT_GNU_STACK: of no interest to us. */
  memset(e->code, 0xcc, sizeof(e->code));
  memset(e->relro_data, 0x5a, sizeof(e->relro_data));
  for (size_t i = 0; i < sizeof(e->data) / sizeof(e->data[0]); i++) e->data[i] = 0x1000 + i;
  set_tables(e);
}
