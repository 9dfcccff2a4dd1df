/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fuzz/handoff_fuzz.c — a handoff with any damage: the check ends, reads nothing outside the block, and what it
 * accepts can be used.
 *
 * A block of random bytes fails at the magic number, so the input is a list of changes to a good one: two bytes of offset,
 * eight of value.
 */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/units.h"
#include "kernel/handoff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

#define AT UINT64_C(0xffffa00000000000)

#define EXPECT(e)                                                                                                           \
  do {                                                                                                                      \
    if (!(e)) abort();                                                                                                      \
  } while (0)

struct block {
  struct boot_handoff h;
  struct boot_region regions[5];
  char text[16];
};

static void fill(struct block *b) {
  *b = (struct block){
      .h = {.magic = BOOT_HANDOFF_MAGIC,
            .version = BOOT_HANDOFF_VERSION,
            .size = sizeof *b,
            .regions = {offsetof(struct block, regions), 5},
            .command_line = {offsetof(struct block, text), 16},
            .physical = 4 * MIB,
            .kernel_physical = MIB,
            .kernel_size = 64 * KIB,
            .page_table_root = 2 * MIB,
            .boot_stack_size = 32 * KIB,
            .boot_stack_physical = 3 * MIB},
      .regions = {{MIB, 2 * MIB, BOOT_MEMORY_KERNEL, 2, 0},
                  {2 * MIB, 3 * MIB, BOOT_MEMORY_PAGE_TABLES, 2, 0},
                  {3 * MIB, 4 * MIB, BOOT_MEMORY_BOOT_STACK, 2, 0},
                  {4 * MIB, 5 * MIB, BOOT_MEMORY_HANDOFF, 2, 0},
                  {5 * MIB, 64 * MIB, BOOT_MEMORY_USABLE, 7, 0}},
  };
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    b->h.windows[i] = (struct boot_window){.base = UINT64_C(0xffff900000000000) + 64 * GIB * i, .size = GIB, .slots = 1};
  }
  b->h.windows[BOOT_WINDOW_HANDOFF].base = AT;
  b->h.boot_stack = b->h.windows[BOOT_WINDOW_STACKS].base + FRAME_SIZE;
}

/* What the kernel does next, with every span it uses. */
static void use(const struct block *b) {
  const struct boot_handoff *h = &b->h;
  const struct boot_region *r = handoff_span(h, h->regions);
  uint64_t sum = 0;
  for (uint32_t i = 0; i < h->regions.count; i++) sum += r[i].end - r[i].start;
  const struct boot_span spans[] = {h->firmware_map, h->command_line, h->loader_name, h->config_text, h->warnings};
  for (size_t s = 0; s < sizeof spans / sizeof spans[0]; s++) {
    const char *text = handoff_span(h, spans[s]);
    for (uint32_t i = 0; i < spans[s].count; i++) sum += (uint64_t)(unsigned char)text[i];
  }
  EXPECT(sum > 0);
  EXPECT(bits_is_aligned(h->boot_stack, FRAME_SIZE) && h->boot_stack_size >= 2 * FRAME_SIZE);
  EXPECT(h->framebuffer.format <= BOOT_PIXEL_BITMASK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
  struct block *b = malloc(sizeof *b);
  const char *problem = NULL;
  if (b == NULL) return 0;
  fill(b);
  EXPECT(handoff_check(&b->h, AT, &problem) == OK);
  for (; n >= 10; data += 10, n -= 10) {
    const size_t at = (size_t)(data[0] | data[1] << 8) % (sizeof *b - 7);
    memcpy((char *)b + at, data + 2, 8);
  }
  if (b->h.size > sizeof *b) b->h.size = sizeof *b; /* How much is mapped is the loader's word alone. */
  if (handoff_check(&b->h, AT, &problem) == OK) {
    use(b);
  } else {
    EXPECT(problem != NULL && problem[0] != '\0');
  }
  free(b);
  return 0;
}
