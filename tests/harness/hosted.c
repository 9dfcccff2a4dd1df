/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/harness/hosted.c — see hosted.h. */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "hosted.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "mm/engine.h"
#include "tests/kernel/digest.h"

#define METADATA_MAX GIB
#define ENGINE_MAX   (16 * GIB)
#define SCRIBBLE_MAX (4 * MIB)
#define GARBAGE      0xa5

void *hosted_map(uint64_t size) {
  void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return p == MAP_FAILED ? NULL : p;
}

/* The kernel maps both with 2 MiB pages; a bench asks the host for the same, as far as that does not fill its memory. */
static void prefer_large_pages(void *start, uint64_t size) {
#ifdef CAIRN_BENCH
  if (size <= GIB) madvise(start, size, MADV_HUGEPAGE);
#else
  (void)start;
  (void)size;
#endif
}

static void *take_metadata(uint64_t size) {
#ifdef CAIRN_BENCH
  return aligned_alloc(2 * MIB, bits_align_up(size, 2 * MIB));
#else
  return aligned_alloc(64, size); /* To the byte, so that the sanitizers see the one behind. */
#endif
}

void hosted_scribble(void *memory, uint64_t size) {
#ifdef CAIRN_BENCH
  (void)memory;
  (void)size;
#else
  memset(memory, GARBAGE, bits_min(size, SCRIBBLE_MAX));
#endif
}

static struct hosted create(bool is_engine, const struct boot_region *regions, size_t count, const struct pmm_taken *taken,
                            size_t taken_count) {
  struct hosted h = {.regions = regions, .region_count = count, .is_mapped = is_engine, .status = ERR_NO_MEMORY};
  uint64_t start, end = 1;
  for (size_t cursor = 0; pmm_next_record_range(regions, count, &cursor, &start, &end);) {}
  h.metadata_size = pmm_metadata_size(regions, count);
  h.records_size = end * PMM_RECORD_SIZE;
  if (h.metadata_size > (is_engine ? ENGINE_MAX : METADATA_MAX) || h.records_size > HOSTED_ADDRESS_SPACE) return h;
  h.metadata = is_engine ? hosted_map(h.metadata_size) : take_metadata(h.metadata_size);
  h.records = hosted_map(h.records_size);
  if (!h.metadata || !h.records) return h;
  prefer_large_pages(h.metadata, h.metadata_size);
  prefer_large_pages(h.records, h.records_size / PMM_RECORD_SIZE);
  hosted_scribble(h.metadata, h.metadata_size);
  hosted_scribble(h.records, h.records_size / PMM_RECORD_SIZE);
  h.status = pmm_create(h.metadata, pmm_records_at(h.records, h.records_size / PMM_RECORD_SIZE), regions, count, taken,
                        taken_count, &h.pmm);
  if (h.status != OK) h.pmm = NULL;
  return h;
}

struct hosted hosted_create(const struct boot_region *regions, size_t count, const struct pmm_taken *taken,
                            size_t taken_count) {
  return create(false, regions, count, taken, taken_count);
}

struct hosted hosted_create_with(const struct engine *engine, const struct boot_region *regions, size_t count,
                                 const struct pmm_taken *taken, size_t taken_count) {
  if (!engine) return create(false, regions, count, taken, taken_count);
  struct hosted h = {.status = engine_choose(engine->name, regions, count)};
  if (h.status != OK) return h;
  h = create(true, regions, count, taken, taken_count);
  if (engine_choose("tier", regions, count) != OK) abort();
  return h;
}

void hosted_destroy(struct hosted *h) {
  if (h->is_mapped && h->metadata) {
    munmap(h->metadata, h->metadata_size);
  } else {
    free(h->metadata);
  }
  if (h->records) munmap(h->records, h->records_size);
  *h = (struct hosted){0};
}

void hosted_must_be_sound(const struct hosted *h, const char *when) {
  struct mm_check_report report;
  struct ledger ledger;
  ledger_read(h->pmm, &ledger);
  bool ok = mm_check(h->pmm, 0, &report) && ledger_balances(&ledger);
  if (ok) return;
  fprintf(stderr, "%s: %s; ledger %llu of %llu\n", when, report.text, (unsigned long long)ledger.sum,
          (unsigned long long)ledger.total);
  abort();
}

uint64_t hosted_digest(const struct hosted *h) { return digest_of_pmm(h->pmm); }

void hosted_forget_records(const struct hosted *h, uint64_t first, uint64_t count) {
  uint64_t start = bits_align_up(first, FRAME_SIZE), end = bits_align_down(first + count, FRAME_SIZE);
  if (start < end) madvise((char *)h->records + start, end - start, MADV_DONTNEED);
}

struct boot_region hosted_plain_region(uint64_t frames) {
  return (struct boot_region){
      .start = MIB, .end = MIB + frames * FRAME_SIZE, .kind = BOOT_MEMORY_USABLE, .firmware_type = 7, .attributes = 0xf};
}
