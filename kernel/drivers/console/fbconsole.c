/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/fbconsole.c — the kernel's one framebuffer console: a terminal (vt.c) and its picture (pixels.c).
 *
 * All memory is static, about 200 KiB of .bss, so that it works before the allocator and in every panic.
 * LOCKING  the console's lock; a panic goes through without it after fbconsole_enter_panic has repaired the state.
 */
#include "kernel/fbconsole.h"

#include "base/units.h"
#include "kernel/console.h"
#include "kernel/drivers/console/pixels.h"
#include "kernel/drivers/console/vt.h"
#include "kernel/klog.h"

static struct vt terminal;
static struct pixels picture;
static_assert(sizeof(terminal) + sizeof(picture) < 256 * KIB);
static bool is_present;

void fbconsole_write(const char *bytes, size_t n) {
  if (!is_present) return;
  vt_write(&terminal, bytes, n);
  pixels_update(&picture, &terminal);
}

bool fbconsole_init(const struct boot_framebuffer *fb, void *mapped) {
  static const struct console_output output = {"framebuffer", fbconsole_write};
  if (is_present) return true;
  const status_t status = pixels_init(&picture, fb, mapped);
  if (status != OK) {
    if (fb->format != BOOT_PIXEL_NONE)
      klog(KLOG_WARN, "fbconsole", "%s: %ux%u stride %u", status_name(status), fb->width, fb->height, fb->stride);
    return false;
  }
  vt_init(&terminal, picture.columns, picture.rows);
  pixels_clear(&picture);
  is_present = true;
  console_add(&output);
  klog(KLOG_INFO, "fbconsole", "%ux%u pixels, %ux%u characters of %ux%u", fb->width, fb->height, picture.columns,
       picture.rows, picture.font->width, picture.font->height);
  return true;
}

void fbconsole_move(void *mapped) { picture.memory = mapped; }

void fbconsole_enter_panic(void) {
  if (!is_present) return;
  vt_recover(&terminal);
  pixels_set_palette(&picture, true);
  pixels_clear(&picture); /* The margins too. */
}

void fbconsole_size(unsigned *columns, unsigned *rows) {
  *columns = is_present ? picture.columns : 0;
  *rows = is_present ? picture.rows : 0;
}
