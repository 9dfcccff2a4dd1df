/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/unit/loader/image_test.c — every check of loader/image.h is seen, with its value; good files are placed right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "elf_image.h"
#include "loader/image.h"

static bool seen[IMAGE_CHECK_COUNT];

/* The file in a heap block of exactly its size, so that the sanitizer sees every read beyond it. */
static status_t plan_bytes(const void *bytes, size_t size, struct image_plan *plan, struct image_error *error) {
  void *file = malloc(size == 0 ? 1 : size);
  memcpy(file, bytes, size);
  status_t status = image_plan(file, size, plan, error);
  free(file);
  return status;
}

static void assert_refused_bytes(const void *bytes, size_t size, enum image_check check, status_t status, uint64_t value) {
  struct image_plan plan;
  struct image_plan untouched;
  struct image_error error = {0};
  memset(&plan, 0xa5, sizeof(plan));
  untouched = plan;
  status_t got = plan_bytes(bytes, size, &plan, &error);
  if (error.check != (uint32_t)check) {
    fail_msg("expected %s, got %s", image_check_name((uint32_t)check), image_check_name(error.check));
  }
  assert_int_equal(got, status);
  assert_int_equal(error.value, value);
  assert_memory_equal(&plan, &untouched, sizeof(plan));
  char text[IMAGE_ERROR_TEXT_MAX];
  char number[32];
  image_error_text(&error, text);
  assert_true(strlen(text) < sizeof(text) - 1);
  assert_non_null(strstr(text, image_check_name((uint32_t)check)));
  (void)snprintf(number, sizeof(number), strstr(text, ": 0x") != nullptr ? ": 0x%llx" : ": %llu", (unsigned long long)value);
  assert_non_null(strstr(text, number));
  seen[check] = true;
}

static void assert_refused(const struct elf_image *e, enum image_check check, status_t status, uint64_t value) {
  assert_refused_bytes(e, sizeof(*e), check, status, value);
}

static struct image_plan assert_accepted(const struct elf_image *e) {
  struct image_plan plan;
  struct image_error error = {0};
  char text[IMAGE_ERROR_TEXT_MAX] = "";
  if (plan_bytes(e, sizeof(*e), &plan, &error) != OK) {
    image_error_text(&error, text);
    fail_msg("%s", text);
  }
  return plan;
}

/* A test of one check: what is changed in a good file, the check and status that must come, and the value reported. */
#define REFUSES(name, id, expected_status, expected_value, change)                                                          \
  static void name(void **state) {                                                                                          \
    (void)state;                                                                                                            \
    struct elf_image e;                                                                                                     \
    elf_image_init(&e);                                                                                                     \
    change;                                                                                                                 \
    assert_refused(&e, IMAGE_CHECK_##id, expected_status, expected_value);                                                  \
  }

REFUSES(a_file_without_the_magic_number_is_refused, MAGIC, ERR_CORRUPT, 0x464c457e, e.header.magic--)
REFUSES(a_32_bit_file_is_refused, CLASS, ERR_UNSUPPORTED, 1, e.header.class = 1)
REFUSES(a_big_endian_file_is_refused, ENCODING, ERR_UNSUPPORTED, 2, e.header.data = 2)
REFUSES(an_unknown_version_in_the_identification_is_refused, VERSION, ERR_UNSUPPORTED, 2, e.header.ident_version = 2)
REFUSES(an_unknown_version_is_refused, VERSION, ERR_UNSUPPORTED, 0x10001, e.header.version = 0x10001)
REFUSES(an_executable_with_fixed_addresses_is_refused, TYPE, ERR_UNSUPPORTED, 2, e.header.type = 2)
REFUSES(a_file_for_another_machine_is_refused, MACHINE, ERR_UNSUPPORTED, 183, e.header.machine = 183)
REFUSES(a_header_of_another_size_is_refused, HEADER_SIZE, ERR_CORRUPT, 52, e.header.ehsize = 52)
REFUSES(program_headers_of_another_size_are_refused, ENTRY_SIZE, ERR_CORRUPT, 32, e.header.phentsize = 32)
REFUSES(no_program_headers_are_refused, HEADER_COUNT, ERR_RANGE, 0, e.header.phnum = 0)
REFUSES(too_many_program_headers_are_refused, HEADER_COUNT, ERR_RANGE, 65, e.header.phnum = 65)
REFUSES(program_headers_beyond_the_end_are_refused, HEADERS_BOUNDS, ERR_TRUNCATED, ELF_IMAGE_FILE_SIZE - 391,
        e.header.phoff = ELF_IMAGE_FILE_SIZE - 391)
REFUSES(a_program_header_offset_that_wraps_is_refused, HEADERS_BOUNDS, ERR_TRUNCATED, UINT64_MAX - 7,
        e.header.phoff = UINT64_MAX - 7)
REFUSES(a_file_that_asks_for_a_dynamic_loader_is_refused, INTERPRETER, ERR_UNSUPPORTED, EI_SPARE,
        e.headers[EI_SPARE].type = ELF_PT_INTERP)
REFUSES(an_unreadable_segment_is_refused, SEGMENT_FLAGS, ERR_CORRUPT, ELF_FLAG_EXECUTE,
        e.headers[EI_CODE].flags = ELF_FLAG_EXECUTE)
REFUSES(unknown_segment_flags_are_refused, SEGMENT_FLAGS, ERR_CORRUPT, 0x14, e.headers[EI_RODATA].flags = 0x14)
REFUSES(a_writable_and_executable_segment_is_refused, SEGMENT_WX, ERR_DENIED, 7, e.headers[EI_DATA].flags = 7)
REFUSES(a_segment_beyond_the_end_of_the_file_is_refused, SEGMENT_FILE, ERR_TRUNCATED, ELF_IMAGE_FILE_SIZE + 1,
        e.headers[EI_DATA].filesz++)
REFUSES(a_segment_larger_in_the_file_than_in_memory_is_refused, SEGMENT_SIZES, ERR_CORRUPT, 0x800,
        e.headers[EI_CODE].memsz = 0x7ff)
REFUSES(a_segment_with_content_but_no_memory_is_refused, SEGMENT_SIZES, ERR_CORRUPT, 0x800, e.headers[EI_CODE].memsz = 0)
REFUSES(a_segment_that_wraps_in_memory_is_refused, SEGMENT_WRAP, ERR_CORRUPT, 0x3000,
        e.headers[EI_DATA].memsz = UINT64_MAX - 0x2fff)
REFUSES(a_segment_whose_last_page_wraps_is_refused, SEGMENT_WRAP, ERR_CORRUPT, 0x3000,
        e.headers[EI_DATA].memsz = UINT64_MAX - 0x3000)
REFUSES(a_segment_that_wraps_in_the_file_is_refused, SEGMENT_WRAP, ERR_CORRUPT, 0x1000,
        e.headers[EI_CODE].offset = UINT64_MAX - 0x7fe)
REFUSES(an_alignment_below_a_page_is_refused, SEGMENT_ALIGN, ERR_UNALIGNED, 0x800, e.headers[EI_CODE].align = 0x800)
REFUSES(an_alignment_above_a_page_is_refused, SEGMENT_ALIGN, ERR_UNALIGNED, 0x200000, e.headers[EI_CODE].align = 0x200000)
REFUSES(an_alignment_that_is_no_power_of_two_is_refused, SEGMENT_ALIGN, ERR_UNALIGNED, 0x1800,
        e.headers[EI_CODE].align = 0x1800)
REFUSES(an_address_at_another_place_in_its_page_is_refused, SEGMENT_OFFSET, ERR_UNALIGNED, 0x1010,
        e.headers[EI_CODE].vaddr += 0x10)
REFUSES(overlapping_segments_are_refused, SEGMENT_ORDER, ERR_OVERLAP, 0x3000, e.headers[EI_RELRO_DATA].memsz = 0x1001)
REFUSES(segments_out_of_order_are_refused, SEGMENT_ORDER, ERR_OVERLAP, 0x1000, {
  struct elf_program_header h = e.headers[EI_CODE];
  e.headers[EI_CODE] = e.headers[EI_RELRO_DATA];
  e.headers[EI_RELRO_DATA] = h;
})
REFUSES(a_segment_below_the_first_one_is_refused, SEGMENT_ORDER, ERR_OVERLAP, 0x1000, e.headers[EI_RODATA].vaddr = 0x8000)
REFUSES(a_page_with_two_permissions_is_refused, SEGMENT_PAGE, ERR_OVERLAP, 0x1000, {
  e.headers[EI_RODATA].filesz = e.headers[EI_RODATA].memsz = 0x1100;
  e.headers[EI_CODE].offset = e.headers[EI_CODE].vaddr = 0x1100;
})
REFUSES(an_image_larger_than_the_limit_is_refused, IMAGE_LIMIT, ERR_RANGE, IMAGE_SIZE_MAX + 0x1000,
        e.headers[EI_DATA].memsz = IMAGE_SIZE_MAX - 0x3000 + 1)
REFUSES(an_image_without_code_is_refused, NO_CODE, ERR_CORRUPT, 4, e.headers[EI_CODE].flags = ELF_FLAG_READ)
REFUSES(an_image_without_segments_is_refused, SEGMENT_COUNT, ERR_RANGE, 0,
        for (int i = EI_RODATA; i <= EI_DATA; i++) e.headers[i].type = 0)
REFUSES(an_entry_in_data_is_refused, ENTRY, ERR_CORRUPT, 0x3000, e.header.entry = 0x3000)
REFUSES(an_entry_behind_the_code_is_refused, ENTRY, ERR_CORRUPT, 0x1800, e.header.entry = 0x1800)
REFUSES(an_entry_before_the_code_is_refused, ENTRY, ERR_CORRUPT, 0xfff, e.header.entry = 0xfff)
REFUSES(an_entry_outside_the_image_is_refused, ENTRY, ERR_CORRUPT, UINT64_MAX, e.header.entry = UINT64_MAX)
REFUSES(a_second_relro_is_refused, RELRO_COUNT, ERR_CORRUPT, EI_SPARE, e.headers[EI_SPARE].type = ELF_PT_GNU_RELRO)
REFUSES(relro_over_code_is_refused, RELRO_BOUNDS, ERR_CORRUPT, 0x1000, e.headers[EI_RELRO].vaddr = 0x1000)
REFUSES(relro_outside_the_image_is_refused, RELRO_BOUNDS, ERR_CORRUPT, 0x9000, e.headers[EI_RELRO].vaddr = 0x9000)
REFUSES(relro_beyond_its_segment_is_refused, RELRO_BOUNDS, ERR_CORRUPT, 0x2000, e.headers[EI_RELRO].memsz = 0x3001)
REFUSES(relro_that_wraps_is_refused, RELRO_BOUNDS, ERR_CORRUPT, 0x2000, e.headers[EI_RELRO].memsz = UINT64_MAX)
REFUSES(relro_that_begins_within_a_page_is_refused, RELRO_ALIGN, ERR_UNALIGNED, 0x2008, {
  e.headers[EI_RELRO].vaddr = 0x2008;
  e.headers[EI_RELRO].memsz = 0xff8;
})
REFUSES(relro_that_ends_before_other_data_of_its_page_is_refused, RELRO_ALIGN, ERR_UNALIGNED, 0x2ff8,
        e.headers[EI_RELRO].memsz = 0xff8)
REFUSES(a_second_dynamic_section_is_refused, DYNAMIC_COUNT, ERR_CORRUPT, EI_SPARE, e.headers[EI_SPARE].type = ELF_PT_DYNAMIC)
REFUSES(a_dynamic_section_outside_is_refused, DYNAMIC_BOUNDS, ERR_CORRUPT, 0x6000, e.headers[EI_DYNAMIC].vaddr = 0x6000)
REFUSES(a_dynamic_section_in_the_zeros_is_refused, DYNAMIC_BOUNDS, ERR_CORRUPT, 0x3200, e.headers[EI_DYNAMIC].vaddr = 0x3200)
REFUSES(a_dynamic_section_of_part_of_an_entry_is_refused, DYNAMIC_SIZE, ERR_CORRUPT, 120, e.headers[EI_DYNAMIC].filesz = 120)
REFUSES(a_dynamic_section_without_an_end_is_refused, DYNAMIC_END, ERR_CORRUPT, ET_NULL,
        e.headers[EI_DYNAMIC].filesz = sizeof(struct elf_dynamic) * ET_NULL)
REFUSES(an_empty_dynamic_section_is_refused, DYNAMIC_END, ERR_CORRUPT, 0, e.headers[EI_DYNAMIC].filesz = 0)
REFUSES(a_dynamic_tag_that_comes_twice_is_refused, DYNAMIC_TWICE, ERR_CORRUPT, ELF_DT_RELA,
        e.dynamic[ET_SPARE].tag = ELF_DT_RELA)
REFUSES(a_shared_library_is_refused, NEEDED, ERR_UNSUPPORTED, 0x300, e.dynamic[ET_SPARE].tag = ELF_DT_NEEDED)
REFUSES(relocations_of_code_are_refused, TEXT_RELOCATIONS, ERR_DENIED, ELF_DT_TEXTREL,
        e.dynamic[ET_SPARE].tag = ELF_DT_TEXTREL)
REFUSES(a_flag_for_relocations_of_code_is_refused, TEXT_RELOCATIONS, ERR_DENIED, ELF_DT_FLAGS, {
  e.dynamic[ET_SPARE].tag = ELF_DT_FLAGS;
  e.dynamic[ET_SPARE].value = ELF_DF_TEXTREL;
})
REFUSES(rel_relocations_are_refused, OTHER_RELOCATIONS, ERR_UNSUPPORTED, ELF_DT_REL, e.dynamic[ET_SPARE].tag = ELF_DT_REL)
REFUSES(plt_relocations_are_refused, OTHER_RELOCATIONS, ERR_UNSUPPORTED, ELF_DT_JMPREL,
        e.dynamic[ET_SPARE].tag = ELF_DT_JMPREL)
REFUSES(packed_relocations_of_android_are_refused, OTHER_RELOCATIONS, ERR_UNSUPPORTED, ELF_DT_ANDROID_RELA,
        e.dynamic[ET_SPARE].tag = ELF_DT_ANDROID_RELA)
REFUSES(rela_entries_of_another_size_are_refused, RELA_ENTRY, ERR_CORRUPT, 12, e.dynamic[ET_RELAENT].value = 12)
REFUSES(rela_without_an_entry_size_is_refused, RELA_ENTRY, ERR_CORRUPT, 0, e.dynamic[ET_RELAENT].tag = 100)
REFUSES(a_rela_table_of_part_of_an_entry_is_refused, RELA_SIZE, ERR_CORRUPT, 47, e.dynamic[ET_RELASZ].value = 47)
REFUSES(a_rela_table_outside_the_file_content_is_refused, RELA_BOUNDS, ERR_CORRUPT, 0x3200,
        e.dynamic[ET_RELA].value = 0x3200)
REFUSES(a_rela_table_that_leaves_its_segment_is_refused, RELA_BOUNDS, ERR_CORRUPT, 0x5d1, e.dynamic[ET_RELA].value = 0x5d1)
REFUSES(a_huge_rela_table_is_refused, RELA_BOUNDS, ERR_CORRUPT, ELF_IMAGE_RELA,
        e.dynamic[ET_RELASZ].value = UINT64_MAX / 24 * 24)
REFUSES(a_rela_size_without_a_table_is_refused, RELA_BOUNDS, ERR_CORRUPT, 0, e.dynamic[ET_RELA].tag = 100)
REFUSES(a_relocation_of_another_type_is_refused, RELA_TYPE, ERR_UNSUPPORTED, 1, e.rela[1].info = 1)
REFUSES(a_relocation_with_a_symbol_is_refused, RELA_TYPE, ERR_UNSUPPORTED, UINT64_C(1) << 32 | 8,
        e.rela[1].info = UINT64_C(1) << 32 | 8)
REFUSES(a_rela_target_in_code_is_refused, RELA_TARGET, ERR_DENIED, 0x1100, e.rela[0].offset = 0x1100)
REFUSES(a_rela_target_in_a_gap_is_refused, RELA_TARGET, ERR_DENIED, 0x1900, e.rela[0].offset = 0x1900)
REFUSES(a_rela_target_half_outside_is_refused, RELA_TARGET, ERR_DENIED, 0x4ff9, e.rela[1].offset = 0x4ff9)
REFUSES(a_rela_target_that_wraps_is_refused, RELA_TARGET, ERR_DENIED, UINT64_MAX - 3, e.rela[1].offset = UINT64_MAX - 3)
REFUSES(relr_entries_of_another_size_are_refused, RELR_ENTRY, ERR_CORRUPT, 4, e.dynamic[ET_RELRENT].value = 4)
REFUSES(a_relr_table_of_part_of_an_entry_is_refused, RELR_SIZE, ERR_CORRUPT, 23, e.dynamic[ET_RELRSZ].value = 23)
REFUSES(a_relr_table_outside_is_refused, RELR_BOUNDS, ERR_CORRUPT, 0x5fc, e.dynamic[ET_RELR].value = 0x5fc)
REFUSES(a_relr_size_without_a_table_is_refused, RELR_BOUNDS, ERR_CORRUPT, 0, e.dynamic[ET_RELR].tag = 100)
REFUSES(a_relr_table_that_begins_with_a_bitmap_is_refused, RELR_START, ERR_CORRUPT, 3, e.relr[0] = 3)
REFUSES(an_unaligned_relr_target_is_refused, RELR_ALIGN, ERR_UNALIGNED, 0x2904, e.relr[2] = 0x2904)
REFUSES(a_relr_target_in_code_is_refused, RELR_TARGET, ERR_DENIED, 0x1000, e.relr[2] = 0x1000)
REFUSES(a_relr_target_outside_is_refused, RELR_TARGET, ERR_DENIED, 0x5000, e.relr[2] = 0x5000)
REFUSES(a_relr_bitmap_that_leaves_the_image_is_refused, RELR_TARGET, ERR_DENIED, 0x5000, e.relr[0] = 0x4ff8)
REFUSES(a_relr_bitmap_whose_last_word_leaves_the_image_is_refused, RELR_TARGET, ERR_DENIED, 0x50f8, e.relr[0] = 0x4f00)
REFUSES(a_relr_bitmap_that_wraps_is_refused, RELR_TARGET, ERR_DENIED, UINT64_MAX - 7, e.relr[2] = UINT64_MAX - 7)

static void too_many_segments_are_refused(void **state) {
  (void)state;
  static uint8_t file[0x40000];
  struct elf_image e;
  elf_image_init(&e);
  memcpy(file, &e, sizeof(e));
  struct elf_program_header *h = (struct elf_program_header *)(file + 0x30000);
  ((struct elf_header *)file)->phoff = 0x30000;
  ((struct elf_header *)file)->phnum = IMAGE_SEGMENTS_MAX + 1;
  for (uint64_t i = 0; i <= IMAGE_SEGMENTS_MAX; i++) {
    h[i] = e.headers[EI_CODE];
    h[i].vaddr = 0x1000 * i;
    h[i].offset = 0x1000;
  }
  assert_refused_bytes(file, sizeof(file), IMAGE_CHECK_SEGMENT_COUNT, ERR_RANGE, IMAGE_SEGMENTS_MAX + 1);
}

static void a_file_without_a_whole_header_is_refused(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  assert_refused_bytes(&e, 63, IMAGE_CHECK_FILE_SIZE, ERR_TRUNCATED, 63);
  assert_refused_bytes(&e, 0, IMAGE_CHECK_FILE_SIZE, ERR_TRUNCATED, 0);
}

static void a_file_above_the_limit_is_refused_without_reading_it(void **state) {
  (void)state;
  struct elf_image e;
  struct image_plan plan;
  struct image_error error;
  elf_image_init(&e);
  assert_int_equal(image_plan(&e, IMAGE_SIZE_MAX + 1, &plan, &error), ERR_RANGE);
  assert_int_equal(error.check, IMAGE_CHECK_FILE_LIMIT);
  seen[IMAGE_CHECK_FILE_LIMIT] = true;
}

static void a_file_cut_anywhere_is_refused(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  for (size_t size = 0; size < sizeof(e); size += size < 0x700 ? 1 : 61) {
    struct image_plan plan;
    struct image_error error;
    assert_int_not_equal(plan_bytes(&e, size, &plan, &error), OK);
  }
}

static void every_check_has_been_seen(void **state) {
  (void)state;
  for (uint32_t i = 1; i < IMAGE_CHECK_COUNT; i++) {
    if (!seen[i]) fail_msg("no test has seen %s", image_check_name(i));
  }
}

static void a_good_file_is_planned_as_it_is_linked(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  struct image_plan plan = assert_accepted(&e);
  static const struct image_run runs[] = {
      {0x0000, 0x1000, IMAGE_READ, 0},
      {0x1000, 0x1000, IMAGE_READ | IMAGE_EXECUTE, 0},
      {0x2000, 0x1000, IMAGE_READ, 0}, /* RELRO. */
      {0x3000, 0x2000, IMAGE_READ | IMAGE_WRITE, 0},
  };
  assert_int_equal(plan.size, ELF_IMAGE_MEMORY_SIZE);
  assert_int_equal(plan.link_base, 0);
  assert_int_equal(plan.entry, ELF_IMAGE_ENTRY);
  assert_int_equal(plan.segment_count, 4);
  assert_int_equal(plan.run_count, ARRAY_COUNT(runs));
  assert_memory_equal(plan.runs, runs, sizeof(runs));
  assert_int_equal(plan.rela.count, 2);
  assert_int_equal(plan.relr.count, 3);
  assert_int_equal(plan.relocation_count, ELF_IMAGE_RELOCATIONS);
}

static uint64_t word_of(const uint8_t *memory, size_t at) {
  uint64_t w;
  memcpy(&w, memory + at, sizeof(w));
  return w;
}

/* Every byte of the image has one right value: content, zero, or a relocated word. */
static void a_good_file_is_placed_and_relocated_to_the_byte(void **state) {
  (void)state;
  const uint64_t base = 0xffffa5a512345000;
  struct elf_image e;
  elf_image_init(&e);
  struct image_plan plan = assert_accepted(&e);
  uint8_t *memory = malloc(plan.size);
  uint8_t expected[ELF_IMAGE_MEMORY_SIZE] = {0};
  memset(memory, 0xee, plan.size);
  memcpy(expected, &e, 0x600);
  memcpy(expected + 0x1000, e.code, 0x800);
  memcpy(expected + 0x2000, e.dynamic, 0x1000);
  memcpy(expected + 0x3000, e.data, 0x200);
  image_place(&plan, &e, memory);
  assert_memory_equal(memory, expected, sizeof(expected));
  image_relocate(&plan, &e, memory, base);
  static const size_t relr[] = {0x3000, 0x3008, 0x3010, 0x3008 + 62 * 8, 0x2900};
  for (size_t i = 0; i < ARRAY_COUNT(relr); i++) {
    assert_int_equal(word_of(memory, relr[i]), word_of(expected, relr[i]) + base);
    memset(memory + relr[i], 0, 8);
    memset(expected + relr[i], 0, 8);
  }
  assert_int_equal(word_of(memory, 0x2800), base + 0x1234);
  assert_int_equal(word_of(memory, 0x4ff8), base + 0x4ff8);
  memset(memory + 0x4ff8, 0, 8);
  memcpy(memory + 0x2800, expected + 0x2800, 8);
  assert_memory_equal(memory, expected, sizeof(expected));
  free(memory);
}

/* The same file linked 16 MiB higher: offsets stay, relocations count from the link base. */
static void a_file_with_a_link_base_is_moved_by_the_difference(void **state) {
  (void)state;
  const uint64_t up = 0x1000000;
  struct elf_image e;
  elf_image_init(&e);
  e.header.entry += up;
  for (int i = 0; i < EI_HEADERS; i++) e.headers[i].vaddr += up;
  e.dynamic[ET_RELA].value += up;
  e.dynamic[ET_RELR].value += up;
  e.rela[0].offset += up;
  e.rela[1].offset += up;
  e.relr[0] += up;
  e.relr[2] += up;
  struct image_plan plan = assert_accepted(&e);
  uint8_t *memory = malloc(plan.size);
  assert_int_equal(plan.link_base, up);
  assert_int_equal(plan.entry, ELF_IMAGE_ENTRY);
  image_place(&plan, &e, memory);
  image_relocate(&plan, &e, memory, 0x5000000);
  assert_int_equal(word_of(memory, 0x3000), 0x1000 + 0x4000000);
  assert_int_equal(word_of(memory, 0x2800), 0x1234 + 0x4000000);
  free(memory);
}

/* The RELR table lies in a writable segment and names itself; were it read from memory, the second word would go astray. */
static void a_file_that_relocates_its_own_table_does_no_harm(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.dynamic[ET_RELR].value = 0x3100;
  e.data[0x100 / 8] = 0x3108;
  e.data[0x108 / 8] = 0x3100;
  e.data[0x110 / 8] = 0x3110;
  struct image_plan plan = assert_accepted(&e);
  uint8_t *memory = malloc(plan.size);
  image_place(&plan, &e, memory);
  image_relocate(&plan, &e, memory, 0xffff900000000000);
  assert_int_equal(word_of(memory, 0x3108), 0x3100 + 0xffff900000000000);
  assert_int_equal(word_of(memory, 0x3110), 0x3110 + 0xffff900000000000);
  free(memory);
}

static void a_file_without_relocations_is_good(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.headers[EI_DYNAMIC].type = 0;
  e.headers[EI_RELRO].type = 0;
  struct image_plan plan = assert_accepted(&e);
  assert_int_equal(plan.relocation_count, 0);
  assert_int_equal(plan.run_count, 3); /* Both writable segments are neighbours: one run. */
  assert_int_equal(plan.runs[2].size, 0x3000);
}

static void relro_in_the_middle_of_a_run_splits_it_in_three(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.headers[EI_RELRO].vaddr = 0x3000;
  struct image_plan plan = assert_accepted(&e);
  assert_int_equal(plan.run_count, 5);
  assert_int_equal(plan.runs[2].permissions, IMAGE_READ | IMAGE_WRITE);
  assert_int_equal(plan.runs[3].offset, 0x3000);
  assert_int_equal(plan.runs[3].permissions, IMAGE_READ);
  assert_int_equal(plan.runs[4].offset, 0x4000);
}

static void relro_may_end_with_the_data_of_its_run(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.headers[EI_DATA].memsz = 0x1ff8;
  e.rela[1].offset = 0x4ff0;
  e.headers[EI_RELRO].vaddr = 0x4000;
  e.headers[EI_RELRO].memsz = 0xff8;
  struct image_plan plan = assert_accepted(&e);
  assert_int_equal(plan.runs[plan.run_count - 1].permissions, IMAGE_READ);
  assert_int_equal(plan.runs[plan.run_count - 1].size, 0x1000);
}

static void segments_with_equal_permissions_may_share_a_page(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.headers[EI_RELRO].type = 0;
  e.headers[EI_RELRO_DATA].filesz = e.headers[EI_RELRO_DATA].memsz = 0xfc0;
  e.headers[EI_DATA].offset = e.headers[EI_DATA].vaddr = 0x2fc0;
  e.headers[EI_DATA].filesz = 0x240;
  e.headers[EI_DATA].memsz = 0x2040;
  struct image_plan plan = assert_accepted(&e);
  assert_int_equal(plan.run_count, 3);
  assert_int_equal(plan.runs[2].offset, 0x2000);
  assert_int_equal(plan.runs[2].offset + plan.runs[2].size, plan.size);
}

static void empty_segments_are_passed_over(void **state) {
  (void)state;
  struct elf_image e;
  elf_image_init(&e);
  e.headers[EI_SPARE].type = ELF_PT_LOAD;
  e.headers[EI_SPARE].flags = 7;
  assert_int_equal(assert_accepted(&e).segment_count, 4);
}

static void an_unknown_check_has_a_text_too(void **state) {
  (void)state;
  char text[IMAGE_ERROR_TEXT_MAX];
  struct image_error error = {.check = 12345, .index = UINT32_MAX - 1, .value = UINT64_MAX};
  image_error_text(&error, text);
  assert_string_equal(image_check_name(12345), "?");
  assert_true(strlen(text) > 0);
}

static void an_error_text_says_what_which_and_how(void **state) {
  (void)state;
  char text[IMAGE_ERROR_TEXT_MAX];
  struct image_error error = {.check = IMAGE_CHECK_SEGMENT_WX, .index = 3, .value = 7};
  image_error_text(&error, text);
  assert_string_equal(text, "a segment is both writable and executable; its flags: 0x7 (number 3) [SEGMENT_WX]");
  error = (struct image_error){.check = IMAGE_CHECK_MACHINE, .index = IMAGE_NO_INDEX, .value = 183};
  image_error_text(&error, text);
  assert_string_equal(text, "built for another machine than x86_64 (62); its machine: 183 [MACHINE]");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_file_without_the_magic_number_is_refused),
    cmocka_unit_test(a_32_bit_file_is_refused),
    cmocka_unit_test(a_big_endian_file_is_refused),
    cmocka_unit_test(an_unknown_version_in_the_identification_is_refused),
    cmocka_unit_test(an_unknown_version_is_refused),
    cmocka_unit_test(an_executable_with_fixed_addresses_is_refused),
    cmocka_unit_test(a_file_for_another_machine_is_refused),
    cmocka_unit_test(a_header_of_another_size_is_refused),
    cmocka_unit_test(program_headers_of_another_size_are_refused),
    cmocka_unit_test(no_program_headers_are_refused),
    cmocka_unit_test(too_many_program_headers_are_refused),
    cmocka_unit_test(program_headers_beyond_the_end_are_refused),
    cmocka_unit_test(a_program_header_offset_that_wraps_is_refused),
    cmocka_unit_test(a_file_that_asks_for_a_dynamic_loader_is_refused),
    cmocka_unit_test(an_unreadable_segment_is_refused),
    cmocka_unit_test(unknown_segment_flags_are_refused),
    cmocka_unit_test(a_writable_and_executable_segment_is_refused),
    cmocka_unit_test(a_segment_beyond_the_end_of_the_file_is_refused),
    cmocka_unit_test(a_segment_larger_in_the_file_than_in_memory_is_refused),
    cmocka_unit_test(a_segment_with_content_but_no_memory_is_refused),
    cmocka_unit_test(a_segment_that_wraps_in_memory_is_refused),
    cmocka_unit_test(a_segment_whose_last_page_wraps_is_refused),
    cmocka_unit_test(a_segment_that_wraps_in_the_file_is_refused),
    cmocka_unit_test(an_alignment_below_a_page_is_refused),
    cmocka_unit_test(an_alignment_above_a_page_is_refused),
    cmocka_unit_test(an_alignment_that_is_no_power_of_two_is_refused),
    cmocka_unit_test(an_address_at_another_place_in_its_page_is_refused),
    cmocka_unit_test(overlapping_segments_are_refused),
    cmocka_unit_test(segments_out_of_order_are_refused),
    cmocka_unit_test(a_segment_below_the_first_one_is_refused),
    cmocka_unit_test(a_page_with_two_permissions_is_refused),
    cmocka_unit_test(an_image_larger_than_the_limit_is_refused),
    cmocka_unit_test(an_image_without_code_is_refused),
    cmocka_unit_test(an_image_without_segments_is_refused),
    cmocka_unit_test(an_entry_in_data_is_refused),
    cmocka_unit_test(an_entry_behind_the_code_is_refused),
    cmocka_unit_test(an_entry_before_the_code_is_refused),
    cmocka_unit_test(an_entry_outside_the_image_is_refused),
    cmocka_unit_test(a_second_relro_is_refused),
    cmocka_unit_test(relro_over_code_is_refused),
    cmocka_unit_test(relro_outside_the_image_is_refused),
    cmocka_unit_test(relro_beyond_its_segment_is_refused),
    cmocka_unit_test(relro_that_wraps_is_refused),
    cmocka_unit_test(relro_that_begins_within_a_page_is_refused),
    cmocka_unit_test(relro_that_ends_before_other_data_of_its_page_is_refused),
    cmocka_unit_test(a_second_dynamic_section_is_refused),
    cmocka_unit_test(a_dynamic_section_outside_is_refused),
    cmocka_unit_test(a_dynamic_section_in_the_zeros_is_refused),
    cmocka_unit_test(a_dynamic_section_of_part_of_an_entry_is_refused),
    cmocka_unit_test(a_dynamic_section_without_an_end_is_refused),
    cmocka_unit_test(an_empty_dynamic_section_is_refused),
    cmocka_unit_test(a_dynamic_tag_that_comes_twice_is_refused),
    cmocka_unit_test(a_shared_library_is_refused),
    cmocka_unit_test(relocations_of_code_are_refused),
    cmocka_unit_test(a_flag_for_relocations_of_code_is_refused),
    cmocka_unit_test(rel_relocations_are_refused),
    cmocka_unit_test(plt_relocations_are_refused),
    cmocka_unit_test(packed_relocations_of_android_are_refused),
    cmocka_unit_test(rela_entries_of_another_size_are_refused),
    cmocka_unit_test(rela_without_an_entry_size_is_refused),
    cmocka_unit_test(a_rela_table_of_part_of_an_entry_is_refused),
    cmocka_unit_test(a_rela_table_outside_the_file_content_is_refused),
    cmocka_unit_test(a_rela_table_that_leaves_its_segment_is_refused),
    cmocka_unit_test(a_huge_rela_table_is_refused),
    cmocka_unit_test(a_rela_size_without_a_table_is_refused),
    cmocka_unit_test(a_relocation_of_another_type_is_refused),
    cmocka_unit_test(a_relocation_with_a_symbol_is_refused),
    cmocka_unit_test(a_rela_target_in_code_is_refused),
    cmocka_unit_test(a_rela_target_in_a_gap_is_refused),
    cmocka_unit_test(a_rela_target_half_outside_is_refused),
    cmocka_unit_test(a_rela_target_that_wraps_is_refused),
    cmocka_unit_test(relr_entries_of_another_size_are_refused),
    cmocka_unit_test(a_relr_table_of_part_of_an_entry_is_refused),
    cmocka_unit_test(a_relr_table_outside_is_refused),
    cmocka_unit_test(a_relr_size_without_a_table_is_refused),
    cmocka_unit_test(a_relr_table_that_begins_with_a_bitmap_is_refused),
    cmocka_unit_test(an_unaligned_relr_target_is_refused),
    cmocka_unit_test(a_relr_target_in_code_is_refused),
    cmocka_unit_test(a_relr_target_outside_is_refused),
    cmocka_unit_test(a_relr_bitmap_that_leaves_the_image_is_refused),
    cmocka_unit_test(a_relr_bitmap_whose_last_word_leaves_the_image_is_refused),
    cmocka_unit_test(a_relr_bitmap_that_wraps_is_refused),
    cmocka_unit_test(too_many_segments_are_refused),
    cmocka_unit_test(a_file_without_a_whole_header_is_refused),
    cmocka_unit_test(a_file_above_the_limit_is_refused_without_reading_it),
    cmocka_unit_test(a_file_cut_anywhere_is_refused),
    cmocka_unit_test(a_good_file_is_planned_as_it_is_linked),
    cmocka_unit_test(a_good_file_is_placed_and_relocated_to_the_byte),
    cmocka_unit_test(a_file_with_a_link_base_is_moved_by_the_difference),
    cmocka_unit_test(a_file_that_relocates_its_own_table_does_no_harm),
    cmocka_unit_test(a_file_without_relocations_is_good),
    cmocka_unit_test(relro_in_the_middle_of_a_run_splits_it_in_three),
    cmocka_unit_test(relro_may_end_with_the_data_of_its_run),
    cmocka_unit_test(segments_with_equal_permissions_may_share_a_page),
    cmocka_unit_test(empty_segments_are_passed_over),
    cmocka_unit_test(an_unknown_check_has_a_text_too),
    cmocka_unit_test(an_error_text_says_what_which_and_how),
    cmocka_unit_test(every_check_has_been_seen),
};

int main(void) { return cmocka_run_group_tests_name("loader/image", tests, nullptr, nullptr); }
