/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/fbconsole.c — the kernel's one framebuffer console: a terminal (vt.c) and its picture (pixels.c).
 *
 * HOW      It begins with a small static grid, so that it works before the allocator and in the earliest panic, and goes on
 *          in a grid of the whole screen, in memory from the allocator, with the same cells at the same places.  The large
 *          one is complete before the one store that makes it the screen; a machine without frames for it keeps the small
 *          one.
 * LOCKING  the console's lock; a panic goes through without it after fbconsole_enter_panic has repaired the state.
 * WHY NOT  all of it static: 150 KiB in an image that has to find one piece of memory, cleared in every boot.
 */
#include "kernel/fbconsole.h"

#include <stdatomic.h>

#include "base/units.h"
#include "kernel/console.h"
#include "kernel/drivers/console/pixels.h"
#include "kernel/drivers/console/vt.h"
#include "kernel/klog.h"

#define EARLY_COLUMNS 100
#define EARLY_ROWS    24
#define EARLY_CELLS   ((size_t)EARLY_COLUMNS * EARLY_ROWS)

struct screen {
  struct vt terminal;
  struct pixels picture;
};

static vt_cell_t early_cells[2 * EARLY_CELLS]; /* The terminal's, and those that are shown. */
static_assert(sizeof(early_cells) < 20 * KIB);
static struct screen early, whole;
static struct screen *_Atomic screen; /* One of these; NULL without a picture. */

void fbconsole_write(const char *bytes, size_t n) {
  struct screen *s = screen;
  if (s == NULL) return;
  vt_write(&s->terminal, bytes, n);
  pixels_update(&s->picture, &s->terminal);
}

bool fbconsole_init(const struct boot_framebuffer *fb, void *mapped) {
  static const struct console_output output = {"framebuffer", fbconsole_write};
  struct pixels *p = &early.picture;
  if (screen != NULL) return true;
  const status_t status = pixels_init(p, fb, mapped, early_cells + EARLY_CELLS);
  if (status != OK) {
    if (fb->format != BOOT_PIXEL_NONE)
      klog(KLOG_WARN, "fbconsole", "%s: %ux%u stride %u", status_name(status), fb->width, fb->height, fb->stride);
    return false;
  }
  vt_init(&early.terminal, p->columns < EARLY_COLUMNS ? p->columns : EARLY_COLUMNS,
          p->rows < EARLY_ROWS ? p->rows : EARLY_ROWS, early_cells);
  pixels_clear(p);
  screen = &early;
  console_add(&output);
  klog(KLOG_INFO, "fbconsole", "%ux%u pixels, %ux%u characters of %ux%u", fb->width, fb->height, p->columns, p->rows,
       p->font->width, p->font->height);
  return true;
}

static size_t cell_count(void) { return (size_t)early.picture.columns * early.picture.rows; }

size_t fbconsole_grow_size(void) { return screen != NULL ? 2 * cell_count() * sizeof(vt_cell_t) : 0; }

void fbconsole_grow(void *memory) {
  vt_cell_t *cells = memory;
  if (screen != &early) return;
  vt_init(&whole.terminal, early.picture.columns, early.picture.rows, cells);
  vt_resume(&whole.terminal, &early.terminal);
  pixels_resume(&whole.picture, &whole.terminal, cells + cell_count(), &early.picture, &early.terminal);
  screen = &whole;
}

void fbconsole_enter_panic(void) {
  struct screen *s = screen;
  if (s == NULL) return;
  vt_recover(&s->terminal);
  pixels_set_palette(&s->picture, true);
  pixels_clear(&s->picture); /* The margins too. */
}

void fbconsole_size(unsigned *columns, unsigned *rows) {
  const struct screen *s = screen;
  *columns = s != NULL ? s->terminal.columns : 0;
  *rows = s != NULL ? s->terminal.rows : 0;
}
