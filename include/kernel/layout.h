/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/layout.h — where the windows of boot/layout.h lie on this boot, and what a kernel address means.
 */
#pragma once

#include <stddef.h>

#include "base/addr.h"
#include "boot/layout.h"

/** The window as the loader drew it. */
vrange_t layout_window(enum boot_window_id id);
const char *layout_window_name(enum boot_window_id id);

/** Where the loader has mapped a framebuffer, NULL when there is none. */
struct boot_framebuffer;
void *layout_framebuffer(const struct boot_framebuffer *fb);

/** The direct map: RAM at a fixed distance from its physical address. */
void *layout_direct(paddr_t address);

/* What a virtual address is, for the panic screen and `why`. */
struct layout_place {
  enum boot_window_id window; /* BOOT_WINDOW_COUNT when it is in none. */
  uint64_t offset;            /* From the window's base. */
  char text[96];              /* "boot stack, lower guard page"; "direct map, physical 0x1234000"; "null page". */
};
/** Never prints a kernel address: offsets and physical addresses only. */
void layout_describe(vaddr_t address, struct layout_place *out);

struct boot_handoff;
/** => boot, once, after handoff_check. */
void layout_init(const struct boot_handoff *h);
/** The window that holds an address, BOOT_WINDOW_COUNT when none does. */
enum boot_window_id layout_window_of(vaddr_t address);
