/* SPDX-License-Identifier: BSD-2-Clause */
/* loader/video.h — which graphics mode the kernel gets, and the framebuffer that belongs to it. */
#pragma once

#include "boot/handoff.h"
#include "loader/config.h"

/**
 * Picks and sets a mode as boot.cfg says and describes what is there then.  Where there is no linear framebuffer the format
 * is BOOT_PIXEL_NONE, with a warning: that is no reason not to boot.
 * address_end: the end of physical addresses on this CPU; a framebuffer beyond it cannot be mapped and is none.
 *   => before ExitBootServices.  Cannot fail.
 */
void video_pick(const struct boot_config *config, uint64_t address_end, struct boot_framebuffer *fb);
