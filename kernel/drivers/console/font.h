/* SPDX-License-Identifier: BSD-2-Clause */
/* font.h — the bitmap fonts that scripts/gen-font writes at build time from a packaged font. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

struct font {
  uint32_t width, height; /* Of a character cell, pixels. */
  const uint8_t *bits;    /* Glyph after glyph, rows of (width + 7) / 8 bytes, leftmost pixel in the highest bit. */
};

extern const struct font font_sizes[]; /* From small to large, all with the same glyphs. */
extern const size_t font_size_count;
extern const uint16_t font_characters[]; /* Sorted; the i-th character has the i-th glyph. */
extern const size_t font_character_count;
