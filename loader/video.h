/* SPDX-License-Identifier: BSD-2-Clause */
/* loader/video.h — which graphics mode the kernel gets, and the framebuffer that belongs to it. */
#pragma once

#include "boot/handoff.h"
#include "loader/config.h"

/**
 * Picks and sets a mode as boot.cfg says and describes what is there then.  Where there is no linear framebuffer the format
 * is BOOT_PIXEL_NONE, with a warning: that is no reason not to boot.
 *   => before ExitBootServices.  Cannot fail.
 */
void video_pick(const struct boot_config *config, struct boot_framebuffer *fb);
