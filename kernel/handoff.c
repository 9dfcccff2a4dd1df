/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/handoff.c — checks the loader's block, field by field, before anything uses it.
 *
 * WHAT   A loader is other people's code (docs/boot-protocol.md invites them to write one).  A wrong field must end in one
 *        sentence on the serial port and not in a fault a thousand lines later.
 * HOW    A list of small checks; the first that fails names itself.  Order matters: sizes before spans, spans before what
 *        they hold, the region list before questions about kinds.
 * WHY NOT a checksum: it would prove that the block arrived, not that it makes sense.
 */
#include "kernel/handoff.h"

#include "base/bits.h"
#include "base/units.h"
#include "lib/memmap.h"
#include "mm/pmm.h"

#define HANDOFF_SIZE_MAX (UINT32_C(16) * 1024 * 1024) /* A map of 100,000 descriptors and their regions fits twice. */
#define TEXT_MAX         (UINT32_C(64) * 1024)
#define PIXELS_MAX       UINT32_C(32768)

struct checked {
  const struct boot_handoff *h;
  uint64_t at;
  const char *problem;
};

static bool fail(struct checked *c, const char *problem) {
  c->problem = problem;
  return false;
}

static bool span_fits(const struct boot_handoff *h, struct boot_span span, uint64_t element, uint64_t align) {
  if (span.count == 0) return true;
  const uint64_t end = span.offset + span.count * element; /* 32-bit counts of small elements: no wrap in 64 bits. */
  return span.offset >= sizeof *h && bits_is_aligned(span.offset, align) && end <= h->size;
}

static bool check_spans(struct checked *c) {
  const struct boot_handoff *h = c->h;
  if (!span_fits(h, h->regions, sizeof(struct boot_region), 8)) return fail(c, "region list outside the block");
  if (!span_fits(h, h->firmware_map, 1, 1)) return fail(c, "firmware map outside the block");
  if (!span_fits(h, h->command_line, 1, 1)) return fail(c, "command line outside the block");
  if (!span_fits(h, h->loader_name, 1, 1)) return fail(c, "loader name outside the block");
  if (!span_fits(h, h->config_text, 1, 1)) return fail(c, "configuration text outside the block");
  if (!span_fits(h, h->warnings, 1, 1)) return fail(c, "warnings outside the block");
  if (h->command_line.count > TEXT_MAX || h->loader_name.count > TEXT_MAX) return fail(c, "a text is over 64 KiB");
  if (h->firmware_map.count > 0) {
    const uint32_t stride = h->firmware_descriptor_size;
    if (stride < sizeof(struct memmap_descriptor) || stride % 8 != 0) return fail(c, "stride of the firmware map");
    if (h->firmware_map.count % stride != 0) return fail(c, "firmware map is not whole descriptors");
  }
  return true;
}

static bool check_regions(struct checked *c) {
  size_t bad;
  if (c->h->regions.count == 0) return fail(c, "no memory regions");
  if (memmap_check(handoff_span(c->h, c->h->regions), c->h->regions.count, &bad) != OK) {
    return fail(c, "memory regions are not canonical");
  }
  return true;
}

/* Does [start, start + size) lie in one region of that kind? */
static bool lies_in(const struct boot_handoff *h, uint64_t start, uint64_t size, enum boot_memory_kind kind) {
  const struct boot_region *r = handoff_span(h, h->regions);
  for (uint32_t i = 0; i < h->regions.count; i++) {
    if (r[i].kind == (uint32_t)kind && start >= r[i].start && start < r[i].end && size <= r[i].end - start) return true;
  }
  return false;
}

static bool check_windows(struct checked *c) {
  const struct boot_window *w = c->h->windows;
  const bool five = (c->h->flags & BOOT_FLAG_LEVELS_5) != 0;
  const uint64_t low = five ? LAYOUT_START_5 : LAYOUT_START_4;
  const uint64_t high = five ? LAYOUT_END_5 : LAYOUT_END_4;
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    if (w[i].size == 0 || !bits_is_aligned(w[i].base | w[i].size, FRAME_SIZE)) return fail(c, "a window is not whole pages");
    if (w[i].base < low || w[i].base >= high || w[i].size > high - w[i].base) return fail(c, "a window outside the layout");
    for (unsigned j = 0; j < i; j++) {
      const bool is_apart =
          w[i].base >= w[j].base + w[j].size + LAYOUT_GAP || w[j].base >= w[i].base + w[i].size + LAYOUT_GAP;
      if (!is_apart) return fail(c, "windows overlap or stand too close");
    }
  }
  if (!bits_is_aligned(w[BOOT_WINDOW_DIRECT_MAP].base, FRAME_1G_SIZE)) return fail(c, "base of the direct map");
  return true;
}

/* Direct map and frame records are indexed by address: do they reach as far as memory does? */
static bool check_reach(struct checked *c) {
  const struct boot_window *w = c->h->windows;
  const struct boot_region *r = handoff_span(c->h, c->h->regions);
  for (uint32_t i = 0; i < c->h->regions.count; i++) {
    const uint64_t records = r[i].end / FRAME_SIZE * PMM_RECORD_SIZE;
    if (memmap_kind_is_ram(r[i].kind) && records > w[BOOT_WINDOW_FRAMES].size) return fail(c, "window of frame records");
    if (memmap_kind_in_direct_map(r[i].kind) && r[i].end > w[BOOT_WINDOW_DIRECT_MAP].size) return fail(c, "direct map");
  }
  return true;
}

static bool check_placement(struct checked *c) {
  const struct boot_handoff *h = c->h;
  const struct boot_window *w = h->windows;
  if (c->at != w[BOOT_WINDOW_HANDOFF].base || h->size > w[BOOT_WINDOW_HANDOFF].size) return fail(c, "handoff window");
  if (!lies_in(h, h->physical, h->size, BOOT_MEMORY_HANDOFF)) return fail(c, "handoff is not in a handoff region");
  if (!bits_is_aligned(h->physical | h->kernel_physical | h->boot_stack_physical, FRAME_SIZE)) {
    return fail(c, "what the loader placed is not in whole pages");
  }
  if (h->kernel_size == 0 || h->kernel_size > w[BOOT_WINDOW_IMAGE].size) return fail(c, "size of the kernel image");
  if (!lies_in(h, h->kernel_physical, h->kernel_size, BOOT_MEMORY_KERNEL)) return fail(c, "kernel is not in its region");
  if (!lies_in(h, bits_align_down(h->page_table_root, FRAME_SIZE), FRAME_SIZE, BOOT_MEMORY_PAGE_TABLES)) {
    return fail(c, "root table is not in a page table region");
  }
  const struct boot_window *stacks = &w[BOOT_WINDOW_STACKS];
  const uint64_t size = h->boot_stack_size;
  if (size < 2 * FRAME_SIZE || !bits_is_aligned(size | h->boot_stack, FRAME_SIZE)) return fail(c, "size of the boot stack");
  if (h->boot_stack < stacks->base || size > stacks->size || h->boot_stack > stacks->base + stacks->size - size) {
    return fail(c, "boot stack outside its window");
  }
  if (!lies_in(h, h->boot_stack_physical, size, BOOT_MEMORY_BOOT_STACK)) return fail(c, "boot stack not in its region");
  if (h->trampoline >= MIB || !bits_is_aligned(h->trampoline, FRAME_SIZE)) return fail(c, "trampoline above 1 MiB");
  return true;
}

static bool check_framebuffer(struct checked *c) {
  const struct boot_framebuffer *fb = &c->h->framebuffer;
  uint64_t end;
  if (fb->format == BOOT_PIXEL_NONE) return true;
  if (fb->format > BOOT_PIXEL_BITMASK) return fail(c, "pixel format");
  if (fb->width == 0 || fb->height == 0 || fb->width > PIXELS_MAX || fb->height > PIXELS_MAX) return fail(c, "video mode");
  if (fb->stride < fb->width || fb->stride > 2 * PIXELS_MAX) return fail(c, "framebuffer stride");
  if ((uint64_t)fb->stride * fb->height * 4 > fb->size) return fail(c, "framebuffer smaller than its mode");
  if (!bits_add(fb->base, fb->size, &end) || end > MEMMAP_ADDRESS_END) return fail(c, "framebuffer address");
  const uint64_t window = c->h->windows[BOOT_WINDOW_FRAMEBUFFER].size;
  if (fb->size > window || fb->base % FRAME_2M_SIZE > window - fb->size)
    return fail(c, "framebuffer larger than its window");
  return true;
}

status_t handoff_check(const struct boot_handoff *h, uint64_t at, const char **problem) {
  struct checked c = {h, at, "magic number"};
  status_t s = ERR_UNSUPPORTED;
  if (h->magic == BOOT_HANDOFF_MAGIC) {
    c.problem = "version";
    if (h->version >= BOOT_HANDOFF_VERSION) s = ERR_TRUNCATED;
  }
  if (s == ERR_TRUNCATED) {
    c.problem = "size of the block";
    if (h->size >= sizeof *h && h->size <= HANDOFF_SIZE_MAX && check_spans(&c)) s = ERR_CORRUPT;
  }
  if (s == ERR_CORRUPT) {
    const bool good =
        check_regions(&c) && check_windows(&c) && check_reach(&c) && check_placement(&c) && check_framebuffer(&c);
    if (good) return OK;
  }
  *problem = c.problem;
  return s;
}
