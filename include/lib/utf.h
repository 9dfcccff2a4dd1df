/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/utf.h — Unicode between the firmware's UTF-16 and our UTF-8 (Unicode 15, section 3.9).
 *
 * Strict: overlong forms, surrogates in UTF-8, lone surrogates in UTF-16 and anything above U+10FFFF are invalid.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define UTF_INVALID UINT32_MAX

/**
 * Reads one character of n bytes of UTF-8 at *at (below n) and moves *at behind it; an invalid byte gives UTF_INVALID and
 * is passed over alone.
 */
uint32_t utf_read8(const char *text, size_t n, size_t *at);

/** Writes one character (below 0x110000, no surrogate) as UTF-8; returns how many bytes, 1 to 4. */
size_t utf_write8(uint32_t character, char to[static 4]);

/**
 * Reads one character of n bytes of UTF-16LE at *at (at least 2 below n) and moves *at behind it; a lone surrogate gives
 * UTF_INVALID and is passed over alone.  => bytes needs no alignment.
 */
uint32_t utf_read16(const uint8_t *bytes, size_t n, size_t *at);

/** Writes one character as UTF-16; returns how many units, 1 or 2. */
size_t utf_write16(uint32_t character, uint16_t to[static 2]);
