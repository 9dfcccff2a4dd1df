/* SPDX-License-Identifier: BSD-2-Clause */
/* efi/gop.h — the graphics output protocol and the panel's own idea of its size. */
#pragma once

#include <efi.h>
#include <stdint.h>

#include "base/status.h"

/* The display: its protocol and the handle that it stands on.  gop is NULL when there is none. */
struct efi_gop {
  EFI_GRAPHICS_OUTPUT_PROTOCOL *gop;
  EFI_HANDLE handle;
};

/** The display behind the console, else the first with a framebuffer, else any; its Mode is never NULL. */
struct efi_gop efi_gop_find(void);

struct efi_gop_mode {
  uint32_t width, height; /* Pixels. */
  bool is_linear;         /* Has a framebuffer; false for Blt only. */
};

/** Describes a mode without setting it.  Returns OK, ERR_CORRUPT (no description), or what the firmware says. */
status_t efi_gop_query(const struct efi_gop *display, uint32_t mode, struct efi_gop_mode *description);

/** Switches to a mode.  Returns OK, or what the firmware says. */
status_t efi_gop_set(const struct efi_gop *display, uint32_t mode);

/**
 * The panel's preferred size from its EDID (the active one, else the discovered one): first detailed timing.
 * Returns OK, ERR_NOT_FOUND (no EDID), ERR_CORRUPT (wrong header or sum, no timing).
 */
status_t efi_gop_panel(const struct efi_gop *display, uint32_t *width, uint32_t *height);
