/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/layout.c — the windows of this boot, and addresses told as places.
 *
 * Nothing here prints a kernel address: a place is a window and an offset, or a physical address.  Reads only what is fixed
 * after boot, so that the panic screen may call it at any time.
 */
#include "kernel/layout.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "boot/handoff.h"
#include "kernel/image.h"
#include "lib/format.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

RO_AFTER_INIT static vrange_t windows[BOOT_WINDOW_COUNT];
RO_AFTER_INIT static bool five_levels;

static const char *const window_names[BOOT_WINDOW_COUNT] = {
#define WINDOW_NAME(id, name, step, size, what) name,
    BOOT_WINDOWS(WINDOW_NAME)
#undef WINDOW_NAME
};

void layout_init(const struct boot_handoff *h) {
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    windows[i] = vrange(h->windows[i].base, h->windows[i].base + h->windows[i].size);
  }
  five_levels = (h->flags & BOOT_FLAG_LEVELS_5) != 0;
}

vrange_t layout_window(enum boot_window_id id) { return windows[id]; }
const char *layout_window_name(enum boot_window_id id) { return id < BOOT_WINDOW_COUNT ? window_names[id] : "nowhere"; }
/* In its own window, with the offset it has in 2 MiB, so that large leaves fit. */
void *layout_framebuffer(const struct boot_framebuffer *fb) {
  if (fb->format == BOOT_PIXEL_NONE) return nullptr;
  const uint64_t at = windows[BOOT_WINDOW_FRAMEBUFFER].start.raw + fb->base % FRAME_2M_SIZE;
  return (void *)(uintptr_t)at; // NOLINT(performance-no-int-to-ptr)
}

void *layout_direct(paddr_t address) { return physmap_at(address); }

enum boot_window_id layout_window_of(vaddr_t address) {
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    if (vrange_contains(windows[i], address)) return (enum boot_window_id)i;
  }
  return BOOT_WINDOW_COUNT;
}

static void describe_image(uint64_t offset, struct layout_place *out) {
  const struct {
    const char *name, *start;
  } parts[] = {
      {"text", image_text_start},
      {"constants", image_rodata_start},
      {"sealed data", image_seal_start},
      {"data", image_data_start},
  };
  const char *name = parts[0].name;
  for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
    if (offset >= (uint64_t)(parts[i].start - image_start)) name = parts[i].name;
  }
  format_string(out->text, sizeof out->text, "kernel image + 0x%llx, %s", (unsigned long long)offset, name);
}

static void describe_stack(vaddr_t address, uint64_t offset, struct layout_place *out) {
  struct kspace_stack stack;
  if (!kspace_stack_find(address, &stack)) {
    format_string(out->text, sizeof out->text, "stacks + 0x%llx, no stack there", (unsigned long long)offset);
  } else if (address.raw < stack.low.raw) {
    format_string(out->text, sizeof out->text, "%s, lower guard page", stack.name);
  } else if (address.raw >= stack.high.raw) {
    format_string(out->text, sizeof out->text, "%s, upper guard page", stack.name);
  } else {
    format_string(out->text, sizeof out->text, "%s, 0x%llx below its top", stack.name,
                  (unsigned long long)(stack.high.raw - address.raw));
  }
}

static void describe_direct(uint64_t offset, struct layout_place *out) {
  const char *note = physmap_covers(paddr(offset), 1) ? "" : ", not mapped: no RAM of ours";
  format_string(out->text, sizeof out->text, "direct map, physical 0x%llx%s", (unsigned long long)offset, note);
}

static void describe_outside(uint64_t raw, struct layout_place *out) {
  const unsigned bits = five_levels ? 57 : 48;
  const int64_t top = (int64_t)raw >> (bits - 1);
  const char *text = "upper half, in no window";
  if (raw < FRAME_SIZE) {
    text = "null page";
  } else if (top == 0) {
    text = "lower half, nothing is mapped there";
  } else if (top != -1) {
    text = "not a canonical address";
  }
  format_string(out->text, sizeof out->text, "%s", text);
}

/* The guard pages at the ends of the window STACKS belong to stacks too. */
void layout_describe(vaddr_t address, struct layout_place *out) {
  struct kspace_stack stack;
  out->window = layout_window_of(address);
  if (out->window == BOOT_WINDOW_COUNT && kspace_stack_find(address, &stack)) out->window = BOOT_WINDOW_STACKS;
  if (out->window == BOOT_WINDOW_COUNT) {
    out->offset = address.raw;
    describe_outside(address.raw, out);
    return;
  }
  out->offset = address.raw - windows[out->window].start.raw;
  switch (out->window) {
  case BOOT_WINDOW_IMAGE:
    describe_image(out->offset, out);
    break;
  case BOOT_WINDOW_DIRECT_MAP:
    describe_direct(out->offset, out);
    break;
  case BOOT_WINDOW_FRAMES:
    format_string(out->text, sizeof out->text, "frame records, record of frame 0x%llx",
                  (unsigned long long)(out->offset / 16));
    break;
  case BOOT_WINDOW_STACKS:
    describe_stack(address, out->offset, out);
    break;
  default:
    format_string(out->text, sizeof out->text, "%s + 0x%llx", window_names[out->window], (unsigned long long)out->offset);
    break;
  }
}
