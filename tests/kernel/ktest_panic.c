/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/ktest_panic.c — what the panic screen is made of: names for addresses, callers, places. */
#include "kernel/handoff.h"
#include "kernel/image.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/main.h"
#include "kernel/memory.h"
#include "kernel/symtab.h"
#include "lib/string.h"
#include "mm/kspace.h"

static uint64_t address_of(const void *p) { return (uint64_t)(uintptr_t)p; }

KTEST(K2, code_addresses_have_names_in_spite_of_the_slide) {
  uint64_t offset = 99;
  const char *name = symtab_find(vaddr((uint64_t)(uintptr_t)handoff_check), &offset);
  KTEST_EXPECT(name && strcmp(name, "handoff_check") == 0 && offset == 0);
  name = symtab_find(vaddr((uint64_t)(uintptr_t)kmain + 5), &offset);
  KTEST_EXPECT(name && strcmp(name, "kmain") == 0 && offset == 5);
  KTEST_EXPECT(symtab_find(vaddr(address_of(image_text_end)), &offset) == nullptr);
  KTEST_EXPECT(symtab_find(vaddr(0), &offset) == nullptr);
}

struct callers {
  unsigned count;
  bool has_kmain;
};

static bool look_at_caller(void *context, unsigned depth, vaddr_t pc) {
  struct callers *c = context;
  uint64_t offset;
  const char *name = symtab_find(pc, &offset);
  c->count = depth + 1;
  if (name && strcmp(name, "kmain") == 0) c->has_kmain = true;
  return true;
}

KTEST(K2, a_backtrace_reaches_kmain_and_ends) {
  struct callers c = {0};
  backtrace_walk(vaddr(address_of(__builtin_frame_address(0))), look_at_caller, &c);
  KTEST_EXPECT(c.has_kmain);
  KTEST_EXPECT(c.count >= 3 && c.count < 40);
  ktest_note("callers=%u", c.count);
}

KTEST(K2, a_broken_frame_pointer_ends_a_backtrace) {
  struct callers c = {0};
  const uint64_t loop[2] = {address_of(loop), address_of(image_text_start) + 1}; /* A frame that is its own caller. */
  backtrace_walk(vaddr(address_of(loop)), look_at_caller, &c);
  KTEST_EXPECT(c.count == 1);
  const uint64_t nowhere[] = {0, 8, UINT64_MAX, memory_handoff()->boot_stack - 8, address_of(loop) + 1};
  for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++) {
    c.count = 0;
    backtrace_walk(vaddr(nowhere[i]), look_at_caller, &c);
    KTEST_EXPECT(c.count == 0);
  }
}

static bool is_told_as(uint64_t address, const char *beginning) {
  struct layout_place place;
  layout_describe(vaddr(address), &place);
  return strncmp(place.text, beginning, strlen(beginning)) == 0;
}

KTEST(K9, every_address_is_told_as_a_place) {
  const struct boot_handoff *h = memory_handoff();
  const uint64_t direct = layout_window(BOOT_WINDOW_DIRECT_MAP).start.raw;
  KTEST_EXPECT(is_told_as(0, "null page"));
  KTEST_EXPECT(is_told_as(4096, "lower half"));
  KTEST_EXPECT(is_told_as(UINT64_C(0x0100000000000000), "not a canonical address"));
  KTEST_EXPECT(is_told_as(UINT64_MAX, "upper half, in no window"));
  KTEST_EXPECT(is_told_as(h->boot_stack - 1, "boot stack, lower guard page"));
  KTEST_EXPECT(is_told_as(h->boot_stack + h->boot_stack_size, "boot stack, upper guard page"));
  KTEST_EXPECT(is_told_as(h->boot_stack, "boot stack, 0x8000 below its top"));
  KTEST_EXPECT(is_told_as(address_of(image_text_start), "kernel image + 0x0, text"));
  KTEST_EXPECT(is_told_as(direct + h->kernel_physical, "direct map, physical 0x"));
  KTEST_EXPECT(is_told_as(layout_window(BOOT_WINDOW_FRAMES).start.raw + 4096, "frame records, record of frame 0x100"));
}
