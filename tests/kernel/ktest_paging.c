/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/kernel/ktest_paging.c — what the page tables of this boot promise, read back from the tables themselves.
 *
 * Every test walks the entries as the CPU would; none trusts what the code that wrote them remembers.
 */
#include "arch/boot.h"
#include "arch/trap.h"
#include "base/compiler.h"
#include "kernel/image.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "lib/memmap.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

struct walk {
  uint64_t leaves, by_level[3];
  uint64_t writable_executable, executable_bytes, unmarked_global, outside_windows;
};

static unsigned level_of(uint64_t size) { return size == FRAME_SIZE ? 0 : size == FRAME_2M_SIZE ? 1 : 2; }

static bool look_at_leaf(void *context, const struct pagetable_leaf *leaf) {
  struct walk *w = context;
  w->leaves++;
  w->by_level[level_of(leaf->size)]++;
  if ((leaf->flags & PAGE_WRITE) && (leaf->flags & PAGE_EXECUTE)) w->writable_executable++;
  if (leaf->flags & PAGE_EXECUTE) w->executable_bytes += leaf->size;
  if (!(leaf->flags & PAGE_GLOBAL)) w->unmarked_global++;
  if (layout_window_of(leaf->start) == BOOT_WINDOW_COUNT) w->outside_windows++;
  return true;
}

static struct walk walk_kernel_half(void) {
  struct walk w = {0};
  unsigned first;
  unsigned end;
  arch_mmu_kernel_slots(&first, &end);
  pagetable_visit(memory_tables(), first, end, look_at_leaf, &w);
  return w;
}

KTEST(K3, no_page_is_writable_and_executable) {
  if (!arch_mmu_keeps(ARCH_MMU_NO_EXECUTE)) {
    ktest_skip("nx_is_off");
    return;
  }
  const struct walk w = walk_kernel_half();
  KTEST_EXPECT(w.leaves > 0);
  KTEST_EXPECT(w.writable_executable == 0);
  KTEST_EXPECT(w.executable_bytes == (uint64_t)((image_text_end - image_text_start + 4095) / 4096 * 4096));
  ktest_note("leaves=%llu leaves_2m=%llu leaves_1g=%llu wx=%llu executable_kib=%llu", (unsigned long long)w.leaves,
             (unsigned long long)w.by_level[1], (unsigned long long)w.by_level[2], (unsigned long long)w.writable_executable,
             (unsigned long long)(w.executable_bytes / 1024));
}

KTEST(K5, every_page_of_the_kernel_is_global_and_in_a_window) {
  const struct walk w = walk_kernel_half();
  KTEST_EXPECT(w.outside_windows == 0);
  KTEST_EXPECT(w.by_level[2] == 0 || arch_mmu_has_leaf(2)); /* nofeat=pdpe1gb */
  if (arch_mmu_keeps(ARCH_MMU_GLOBAL)) KTEST_EXPECT(w.unmarked_global == 0);
}

static bool count_leaf(void *context, const struct pagetable_leaf *leaf) {
  (void)leaf;
  (*(uint64_t *)context)++;
  return true;
}

KTEST(K8, the_lower_half_is_empty_and_page_0_is_not_mapped) {
  uint64_t leaves = 0;
  unsigned first;
  unsigned end;
  struct pagetable_leaf leaf;
  arch_mmu_kernel_slots(&first, &end);
  pagetable_visit(memory_tables(), 0, first, count_leaf, &leaves);
  KTEST_EXPECT(leaves == 0);
  KTEST_EXPECT(pagetable_count_tables(memory_tables(), 0, first) == 0);
  KTEST_EXPECT(pagetable_find(memory_tables(), vaddr(0), &leaf) == ERR_NOT_FOUND);
  ktest_note("lower_half_leaves=%llu", (unsigned long long)leaves);
}

/* --- caught accesses ---------------------------------------------------------------------------------------------- */

static void store(void *at) { *(volatile uint8_t *)at = 1; }
static void load(void *at) { (void)*(volatile uint8_t *)at; }
static void jump(void *at) { ((void (*)(void))at)(); }

static void *hidden(uint64_t address) {
  void *p = (void *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
  __asm__("" : "+r"(p));
  return p;
}

KTEST(K3, writes_to_code_and_constants_are_caught) {
  struct arch_trap_caught caught = {0};
  if (!arch_mmu_keeps(ARCH_MMU_WRITE_PROTECT)) {
    ktest_skip("wp_is_off");
    return;
  }
  const uint64_t places[] = {(uint64_t)(uintptr_t)image_text_start, (uint64_t)(uintptr_t)image_rodata_start,
                             (uint64_t)(uintptr_t)image_seal_start, (uint64_t)(uintptr_t)memory_handoff()};
  for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
    KTEST_EXPECT(!arch_trap_guarded(store, hidden(places[i]), &caught));
    KTEST_EXPECT(caught.was_write && caught.was_mapped && caught.address.raw == places[i]);
  }
  /* Nor through the direct map. */
  for (size_t i = 0; i < 3; i++) {
    const uint64_t offset = places[i] - (uint64_t)(uintptr_t)image_start;
    void *alias = physmap_at(paddr(memory_handoff()->kernel_physical + offset));
    KTEST_EXPECT(!arch_trap_guarded(store, alias, &caught));
    KTEST_EXPECT(caught.was_write && caught.was_mapped);
  }
  ktest_note("caught=%u error=0x%llx", 7U, (unsigned long long)caught.error);
}

KTEST(K3, data_cannot_be_executed) {
  static uint8_t code[] = {0xc3};
  struct arch_trap_caught caught = {0};
  if (!arch_mmu_keeps(ARCH_MMU_NO_EXECUTE)) {
    ktest_skip("nx_is_off");
    return;
  }
  KTEST_EXPECT(!arch_trap_guarded(jump, hidden((uint64_t)(uintptr_t)code), &caught));
  KTEST_EXPECT(caught.was_execute && caught.was_mapped);
  ktest_note("error=0x%llx", (unsigned long long)caught.error);
}

KTEST(K8, the_null_page_and_the_guard_pages_fault) {
  struct arch_trap_caught caught = {0};
  const struct boot_handoff *h = memory_handoff();
  const uint64_t places[] = {0, 8, FRAME_SIZE - 1, h->boot_stack - 1, h->boot_stack + h->boot_stack_size};
  for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
    KTEST_EXPECT(!arch_trap_guarded(load, hidden(places[i]), &caught));
    KTEST_EXPECT(!caught.was_mapped && caught.address.raw == places[i]);
  }
}

/* --- framebuffer and direct map ----------------------------------------------------------------------------------- */

KTEST(K4, the_framebuffer_is_write_combining) {
  struct pagetable_leaf leaf = {0};
  const struct boot_framebuffer *fb = &memory_handoff()->framebuffer;
  const char *mapped = layout_framebuffer(fb);
  if (!mapped) {
    ktest_skip("no_framebuffer");
    return;
  }
  if (!arch_mmu_keeps(ARCH_MMU_WRITE_COMBINING)) {
    ktest_skip("pat_is_off");
    return;
  }
  for (uint64_t at = 0; at < fb->size; at += leaf.size) {
    KTEST_EXPECT(pagetable_find(memory_tables(), vaddr((uint64_t)(uintptr_t)mapped + at), &leaf) == OK);
    KTEST_EXPECT(leaf.flags & PAGE_WRITE_COMBINING);
    KTEST_EXPECT(!(leaf.flags & PAGE_EXECUTE) || !arch_mmu_keeps(ARCH_MMU_NO_EXECUTE));
    if (leaf.size == 0) break;
  }
  ktest_note("width=%u height=%u leaf=%llu cache=wc", (unsigned)fb->width, (unsigned)fb->height,
             (unsigned long long)leaf.size);
}

struct direct {
  vrange_t window;
  uint64_t bytes, wrong_place, not_ram, executable, writable_text;
};

static bool overlaps_read_only_image(paddr_t start, uint64_t size) {
  const uint64_t image = memory_handoff()->kernel_physical;
  const uint64_t end = image + (uint64_t)(image_seal_end - image_start);
  return start.raw < end && image < start.raw + size;
}

static bool look_at_direct(void *context, const struct pagetable_leaf *leaf) {
  struct direct *d = context;
  if (!vrange_contains(d->window, leaf->start)) return true;
  d->bytes += leaf->size;
  if (leaf->start.raw - d->window.start.raw != leaf->to.raw) d->wrong_place++;
  if (!physmap_covers(leaf->to, leaf->size)) d->not_ram++;
  if (leaf->flags & PAGE_EXECUTE) d->executable++;
  if ((leaf->flags & PAGE_WRITE) && overlaps_read_only_image(leaf->to, leaf->size)) d->writable_text++;
  return true;
}

KTEST(K6, the_direct_map_covers_exactly_ram) {
  struct direct d = {.window = layout_window(BOOT_WINDOW_DIRECT_MAP)};
  unsigned first;
  unsigned end;
  size_t count;
  uint64_t expected = 0;
  const struct boot_region *r = memory_regions(&count);
  for (size_t i = 0; i < count; i++) expected += memmap_kind_in_direct_map(r[i].kind) ? r[i].end - r[i].start : 0;
  arch_mmu_kernel_slots(&first, &end);
  pagetable_visit(memory_tables(), first, end, look_at_direct, &d);
  KTEST_EXPECT(d.bytes == expected);
  KTEST_EXPECT(d.wrong_place == 0);
  KTEST_EXPECT(d.not_ram == 0);
  KTEST_EXPECT(d.executable == 0 || !arch_mmu_keeps(ARCH_MMU_NO_EXECUTE));
  KTEST_EXPECT(d.writable_text == 0);
  ktest_note("mapped_kib=%llu ram_kib=%llu", (unsigned long long)(d.bytes / 1024), (unsigned long long)(expected / 1024));
}
