/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fuzz/image_fuzz.c — no file makes image.c read or write where it must not, and what it accepts keeps its promises.
 *
 * INPUT  The first byte chooses: even, the rest is the file; odd, the rest is a list of changes to the valid file of
 *        tests/harness/elf_image.c, eleven bytes each: where (2), how many bytes (1), the bytes (8).  The second form gets
 *        behind the magic number at once.
 * CHECKS The file and the image lie in heap blocks of exactly their size, so the sanitizer sees the first byte too far.  An
 *        accepted plan has to satisfy the invariants in image.c's head, and relocating may change nothing outside writable
 *        segments.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "elf_image.h"
#include "loader/image.h"

#define PLACED_MAX  (1 * MIB) /* Larger images are planned but not placed: it would only cost time. */
#define CHANGE_SIZE 11

#define REQUIRE(e) ((e) ? (void)0 : fail_requirement(#e, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_requirement(const char *what, int line) {
  (void)fprintf(stderr, "image_fuzz.c:%d: %s does not hold\n", line, what);
  abort();
}

static void check_segments(const struct image_plan *p, uint64_t file_size) {
  uint64_t end = 0;
  REQUIRE(p->segment_count >= 1 && p->segment_count <= IMAGE_SEGMENTS_MAX);
  for (uint32_t i = 0; i < p->segment_count; i++) {
    const struct image_segment *s = &p->segments[i];
    REQUIRE(s->offset >= end && s->size != 0 && s->size <= p->size && s->offset <= p->size - s->size);
    REQUIRE(s->file_size <= s->size && s->file_size <= file_size && s->file_offset <= file_size - s->file_size);
    REQUIRE((s->permissions & (IMAGE_WRITE | IMAGE_EXECUTE)) != (IMAGE_WRITE | IMAGE_EXECUTE));
    end = s->offset + s->size;
  }
}

/* Permissions of the run that holds this page; 0 when none does. */
static uint32_t run_permissions(const struct image_plan *p, uint64_t page) {
  for (uint32_t i = 0; i < p->run_count; i++) {
    if (page >= p->runs[i].offset && page - p->runs[i].offset < p->runs[i].size) return p->runs[i].permissions;
  }
  return 0;
}

static void check_runs(const struct image_plan *p) {
  uint64_t end = 0;
  REQUIRE(p->run_count >= 1 && p->run_count <= IMAGE_RUNS_MAX);
  for (uint32_t i = 0; i < p->run_count; i++) {
    const struct image_run *r = &p->runs[i];
    REQUIRE(r->offset >= end && r->size != 0 && bits_is_aligned(r->offset | r->size, FRAME_SIZE));
    REQUIRE(r->size <= p->size && r->offset <= p->size - r->size);
    REQUIRE((r->permissions & (IMAGE_WRITE | IMAGE_EXECUTE)) != (IMAGE_WRITE | IMAGE_EXECUTE));
    end = r->offset + r->size;
  }
  REQUIRE((run_permissions(p, p->entry) & IMAGE_EXECUTE) != 0);
  for (uint32_t i = 0; i < p->segment_count; i++) {
    const struct image_segment *s = &p->segments[i];
    uint32_t first = run_permissions(p, s->offset);
    uint32_t last = run_permissions(p, s->offset + s->size - 1);
    REQUIRE(first != 0 && (first & ~s->permissions) == 0);
    REQUIRE(last != 0 && (last & ~s->permissions) == 0);
  }
}

/* Relocating changes whole words of writable segments and nothing else. */
static void check_placing(const struct image_plan *p, const uint8_t *file) {
  if (p->size > PLACED_MAX) return;
  uint8_t *placed = malloc(p->size);
  uint8_t *relocated = malloc(p->size);
  memset(placed, 0xee, p->size);
  image_place(p, file, placed);
  memcpy(relocated, placed, p->size);
  image_relocate(p, file, relocated, UINT64_C(0xffff9123456ff000));
  uint64_t at = 0;
  for (uint32_t i = 0; i < p->segment_count; i++) {
    const struct image_segment *s = &p->segments[i];
    if ((s->permissions & IMAGE_WRITE) == 0) continue;
    REQUIRE(memcmp(placed + at, relocated + at, s->offset - at) == 0);
    at = s->offset + s->size;
  }
  REQUIRE(memcmp(placed + at, relocated + at, p->size - at) == 0);
  free(placed);
  free(relocated);
}

static void try_file(const uint8_t *file, size_t size) {
  struct image_plan plan;
  struct image_error error = {0};
  if (image_plan(file, size, &plan, &error) != OK) {
    char text[IMAGE_ERROR_TEXT_MAX];
    REQUIRE(error.check > IMAGE_CHECK_NONE && error.check < IMAGE_CHECK_COUNT);
    image_error_text(&error, text);
    REQUIRE(strlen(text) < IMAGE_ERROR_TEXT_MAX - 1);
    return;
  }
  REQUIRE(plan.size != 0 && plan.size <= IMAGE_SIZE_MAX && bits_is_aligned(plan.size, FRAME_SIZE));
  check_segments(&plan, size);
  check_runs(&plan);
  check_placing(&plan, file);
}

static void try_changes(const uint8_t *data, size_t size) {
  struct elf_image *image = malloc(sizeof(*image));
  uint8_t *bytes = (uint8_t *)image;
  elf_image_init(image);
  for (; size >= CHANGE_SIZE; data += CHANGE_SIZE, size -= CHANGE_SIZE) {
    size_t at = ((size_t)data[0] | (size_t)data[1] << 8) % sizeof(*image);
    size_t n = data[2] % 8U + 1;
    memcpy(bytes + at, data + 3, n > sizeof(*image) - at ? sizeof(*image) - at : n);
  }
  try_file(bytes, sizeof(*image));
  free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  if ((data[0] & 1) != 0) {
    try_changes(data + 1, size - 1);
    return 0;
  }
  uint8_t *file = malloc(size);
  memcpy(file, data + 1, size - 1);
  uint8_t *exact = realloc(file, size == 1 ? 1 : size - 1);
  try_file(exact, size - 1);
  free(exact);
  return 0;
}
