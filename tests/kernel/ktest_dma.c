/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_dma.c — a real device moves real bytes: QEMU's `edu` copies 1 MiB from one buffer to another.
 *
 * The device drives 28 address bits.  Should it be given an address beyond them (break=dma-mask), it writes to that address
 * modulo 2^28: so the test owns that memory before it lets the device go, and looks there afterwards.
 */
#include "arch/boot.h"
#include "kernel/clock.h"
#include "kernel/drivers/pci/access.h"
#include "kernel/drivers/pci/edu.h"
#include "kernel/ktest.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/ledger.h"
#include "mm/physmap.h"

#define COPY_SIZE (UINT64_C(1) << 20)
#define REACH     (UINT64_C(1) << EDU_ADDRESS_BITS)

static uint64_t frames_of_dma(void) {
  struct ledger l;
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  return l.frames[FRAME_OWNER_DMA];
}

static uint64_t ram_above_4g(void) {
  size_t count;
  uint64_t bytes = 0;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++) {
    if (memmap_kind_is_ram(r[i].kind) && r[i].start >= UINT64_C(1) << 32) bytes += r[i].end - r[i].start;
  }
  return bytes;
}

static void fill(void *to, uint64_t size) {
  uint64_t *words = to, x = UINT64_C(0x9e3779b97f4a7c15);
  for (uint64_t i = 0; i < size / sizeof x; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    words[i] = x;
  }
}

static uint64_t sum(const void *of, uint64_t size) {
  const uint8_t *bytes = of;
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (uint64_t i = 0; i < size; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash;
}

/* One round: a piece for each device, all of them at work at the same time.  Bytes from `at` on that are done. */
static uint64_t copy_round(struct edu *e, const struct dma_segment *from, const struct dma_segment *to, uint64_t at) {
  uint64_t size[EDU_ENGINES_MAX] = {0};
  uint64_t done = at;
  status_t s = OK;
  for (unsigned i = 0; s == OK && i < e->engine_count && done < COPY_SIZE; i++, done += EDU_TRANSFER_MAX) {
    size[i] = COPY_SIZE - done < EDU_TRANSFER_MAX ? COPY_SIZE - done : EDU_TRANSFER_MAX;
    s = edu_start_in(e, i, paddr_add(from->device, done), size[i]);
  }
  if (s == OK) s = edu_wait(e);
  done = at;
  for (unsigned i = 0; s == OK && i < e->engine_count && size[i] != 0; i++, done += EDU_TRANSFER_MAX) {
    s = edu_start_out(e, i, paddr_add(to->device, done), size[i]);
  }
  if (s == OK) s = edu_wait(e);
  KTEST_EXPECT(s == OK);
  return s == OK ? (done < COPY_SIZE ? done : COPY_SIZE) - at : 0;
}

/* Through the devices and back, round by round, until one is not what it should be. */
static void copy(struct edu *e, const struct dma_segment *from, const struct dma_segment *to) {
  const uint64_t started = clock_us();
  unsigned rounds = 0;
  for (uint64_t at = 0, size; at < COPY_SIZE; at += size, rounds++) {
    size = copy_round(e, from, to, at);
    if (size == 0 || memcmp((char *)from->cpu + at, (char *)to->cpu + at, size) != 0) break;
  }
  const uint64_t sent = sum(from->cpu, COPY_SIZE), got = sum(to->cpu, COPY_SIZE);
  KTEST_EXPECT(sent == got);
  ktest_note("bytes=%llu devices=%u rounds=%u ms=%llu sent=%016llx got=%016llx", (unsigned long long)COPY_SIZE,
             e->engine_count, rounds, (unsigned long long)((clock_us() - started) / 1000), (unsigned long long)sent,
             (unsigned long long)got);
}

/* A target out of reach: what it is taken for must be ours before the device may write there. */
static void copy_out_of_reach(struct edu *e, const struct dma_segment *from, const struct dma_segment *to) {
  const uint64_t first = to->device.raw % REACH / FRAME_SIZE, count = COPY_SIZE / FRAME_SIZE;
  const struct frame_limits there = {.min = first, .max = first + count};
  pfn_t shadow;
  if (nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, count, &there, &shadow) != OK) {
    ktest_note("landed=not-tried");
    return;
  }
  char *bytes = physmap_at(paddr_of_pfn(shadow));
  memset(bytes, 0, COPY_SIZE);
  memset(to->cpu, 0, COPY_SIZE);
  fill(physmap_at(paddr_of_pfn(shadow)), FRAME_SIZE); /* Read and written: source and target may be the same modulo 2^28. */
  const uint64_t before = sum(bytes, COPY_SIZE);
  copy(e, from, to);
  ktest_note("landed=%s", sum(bytes, COPY_SIZE) != before ? "elsewhere" : "nowhere");
  KTEST_EXPECT(nodes_free_run(memory_nodes(), FRAME_OWNER_TEST, shadow, count) == OK);
}

/* What is freed is the device's until it is idle. */
static void give_back(struct edu *e, const struct dma_segment *list, uint64_t frames) {
  const struct frame_limits there = {.min = list[0].device.raw / FRAME_SIZE, .max = list[0].device.raw / FRAME_SIZE + 1};
  pfn_t frame;
  const uint64_t before = frames_of_dma();
  KTEST_EXPECT(dma_free_scatter(e->dma, list, 2) == OK);
  KTEST_EXPECT(dma_free(e->dma, &list[0]) == ERR_STATE);
  KTEST_EXPECT(frames_of_dma() == before);
  KTEST_EXPECT(nodes_alloc_run(memory_nodes(), FRAME_OWNER_TEST, 0, 1, &there, &frame) == ERR_NO_MEMORY);
  KTEST_EXPECT(edu_fence(e) == frames);
  KTEST_EXPECT(frames_of_dma() == before - frames);
  ktest_note("quarantined=%llu", (unsigned long long)frames);
}

KTEST(P6, a_device_copies_within_its_reach) {
  struct edu *e;
  struct dma_segment list[2];
  const status_t s = edu_open(&e);
  if (s == ERR_NOT_FOUND) {
    ktest_skip("no edu device");
    return;
  }
  KTEST_EXPECT(s == OK);
  if (s != OK) return;
  if (dma_alloc(e->dma, COPY_SIZE, DMA_COHERENT, &list[0]) != OK) {
    ktest_fail("memory for the source", __FILE_NAME__, __LINE__);
    return;
  }
  if (dma_alloc(e->dma, COPY_SIZE, DMA_COHERENT, &list[1]) != OK) {
    ktest_fail("memory for the target", __FILE_NAME__, __LINE__);
    KTEST_EXPECT(dma_free(e->dma, &list[0]) == OK && edu_fence(e) == COPY_SIZE / FRAME_SIZE);
    return;
  }
  const bool in_reach = list[0].device.raw + COPY_SIZE <= REACH && list[1].device.raw + COPY_SIZE <= REACH;
  KTEST_EXPECT(in_reach);
  fill(list[0].cpu, COPY_SIZE);
  ktest_note("from=0x%llx to=0x%llx", (unsigned long long)list[0].device.raw, (unsigned long long)list[1].device.raw);
  if (in_reach) {
    copy(e, &list[0], &list[1]);
  } else {
    copy_out_of_reach(e, &list[0], &list[1]);
  }
  ktest_note("above_4g=%llu", (unsigned long long)ram_above_4g());
  give_back(e, list, 2 * COPY_SIZE / FRAME_SIZE);
}

/* The leaf that maps an address, read from the tables; how many pages of [at, at + size) are of the wrong kind. */
static uint64_t wrong_pages(const void *at, uint64_t size, uint32_t want) {
  uint64_t wrong = 0;
  for (uint64_t done = 0; done < size; done += FRAME_SIZE) {
    struct pagetable_leaf leaf;
    const status_t s = pagetable_find(memory_tables(), vaddr((uint64_t)(uintptr_t)at + done), &leaf);
    wrong += s != OK || (leaf.flags & (PAGE_WRITE_COMBINING | PAGE_UNCACHED | PAGE_WRITE)) != (want | PAGE_WRITE);
  }
  return wrong;
}

struct alias_search {
  uint64_t start, end; /* Physical. */
  uint64_t aliases;
};

/* A mapping of these frames that is not write-combining. */
static bool search_leaf(void *context, const struct pagetable_leaf *leaf) {
  struct alias_search *a = context;
  const bool meets = leaf->to.raw < a->end && leaf->to.raw + leaf->size > a->start;
  if (meets && !(leaf->flags & PAGE_WRITE_COMBINING)) a->aliases++;
  return true;
}

static uint64_t aliases_of(const struct dma_segment *s) {
  struct alias_search a = {.start = s->device.raw, .end = s->device.raw + s->size};
  unsigned first, end;
  arch_mmu_kernel_slots(&first, &end);
  pagetable_visit(memory_tables(), first, end, search_leaf, &a);
  return a.aliases;
}

/* What is read from the tables, not what was asked for; 600 frames have parts of 2 MiB frames at both ends. */
KTEST(P6, write_combining_memory_is_so_in_the_tables_and_nowhere_else) {
  const struct dma_limits limits = {.align = FRAME_SIZE};
  const uint64_t size = 600 * FRAME_SIZE;
  struct dma_device *d;
  struct dma_segment s;
  struct ledger before, after;
  if (!arch_mmu_keeps(ARCH_MMU_WRITE_COMBINING)) {
    ktest_skip("pat_is_off");
    return;
  }
  nodes_ledger_read(memory_nodes(), NODES_ALL, &before);
  const status_t made = dma_device_create(memory_nodes(), "test", &limits, &d);
  KTEST_EXPECT(made == OK);
  if (made != OK) return;
  const status_t allocated = dma_alloc(d, size, DMA_WRITE_COMBINING, &s);
  KTEST_EXPECT(allocated == OK);
  if (allocated == OK) {
    KTEST_EXPECT(wrong_pages(s.cpu, size, PAGE_WRITE_COMBINING) == 0);
    KTEST_EXPECT(aliases_of(&s) == 0);
    KTEST_EXPECT(wrong_pages((char *)s.cpu + size, FRAME_SIZE, 0) == 0 || !physmap_covers(paddr_add(s.device, size), 1));
    KTEST_EXPECT(((char *)s.cpu)[0] == 0 && memcmp(s.cpu, (char *)s.cpu + 1, size - 1) == 0);
    fill(s.cpu, size);
    const uint64_t written = sum(s.cpu, size);
    KTEST_EXPECT(dma_free(d, &s) == OK);
    KTEST_EXPECT(wrong_pages(s.cpu, size, PAGE_WRITE_COMBINING) == 0);
    KTEST_EXPECT(dma_fence(d) == size / FRAME_SIZE);
    KTEST_EXPECT(wrong_pages(s.cpu, size, 0) == 0);
    KTEST_EXPECT(options->zero == OPTION_ZERO_FREE ? *(uint64_t *)s.cpu == 0 : sum(s.cpu, size) == written);
    ktest_note("frames=600 at=0x%llx", (unsigned long long)s.device.raw);
  }
  KTEST_EXPECT(dma_device_destroy(d) == OK);
  nodes_ledger_read(memory_nodes(), NODES_ALL, &after);
  const uint64_t spare = memory_tables()->spare_count;
  KTEST_EXPECT(after.frames[FRAME_OWNER_PAGE_TABLES] <= before.frames[FRAME_OWNER_PAGE_TABLES] + spare);
  ktest_note("tables_before=%llu tables_after=%llu spare=%llu", (unsigned long long)before.frames[FRAME_OWNER_PAGE_TABLES],
             (unsigned long long)after.frames[FRAME_OWNER_PAGE_TABLES], (unsigned long long)spare);
}

KTEST(P6, both_ways_to_configuration_space_agree) {
  struct pci_access ports;
  const struct pci_function *f;
  unsigned compared = 0;
  if (!pci_get(0) || !pci_has_ecam() || pci_access_ports(&ports) != OK) {
    ktest_skip("there are not both");
    return;
  }
  for (size_t i = 0; (f = pci_get(i)) != NULL; i++) {
    if (f->where.segment != 0) continue;
    const uint32_t id = ports.config.read(ports.config.context, f->where, PCI_ID);
    const uint32_t class_code = ports.config.read(ports.config.context, f->where, PCI_CLASS);
    KTEST_EXPECT(id == ((uint32_t)f->device << 16 | f->vendor));
    KTEST_EXPECT(class_code == (f->class_code << 8 | f->revision));
    compared++;
  }
  ktest_note("functions=%u", compared);
}

/* A function that nobody has and that may lose its right to touch memory: it has none, or is the SMBus, which wants none. */
static const struct pci_function *quiet_function(void) {
  const uint32_t smbus = 0x0c05;
  const struct pci_function *f;
  for (size_t i = 0; (f = pci_get(i)) != NULL; i++) {
    if (f->driver == NULL && (!f->is_master || f->class_code >> 8 == smbus)) return f;
  }
  return NULL;
}

KTEST(P6, a_function_is_claimed_once_and_masters_nothing_before) {
  const struct pci_function *f = quiet_function();
  void *mapped;
  if (!f) {
    ktest_skip("no PCI function that is free");
    return;
  }
  KTEST_EXPECT(pci_enable(f, PCI_ENABLE_MASTER) == ERR_STATE);
  KTEST_EXPECT(pci_map_bar(f, PCI_BARS, &mapped) == ERR_INVALID);
  KTEST_EXPECT(pci_claim(f, "test") == OK);
  KTEST_EXPECT(pci_claim(f, "another") == ERR_BUSY);
  KTEST_EXPECT(pci_enable(f, 1U << 10) == ERR_INVALID);
  KTEST_EXPECT(pci_release(f) == OK);
  KTEST_EXPECT(pci_release(f) == ERR_STATE);
  KTEST_EXPECT(f->driver == NULL && !f->is_master);
}
