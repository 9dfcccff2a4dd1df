/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/unit/loader/config_reader.h — boot.cfg and load options as tests hand them in, and what was warned about.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "loader/config.h"

static char warnings[64][300];
static size_t warning_count;

static inline void take_warning(void *context, const char *text) {
  assert_ptr_equal(context, warnings);
  assert_true(strlen(text) < 256);
  assert_null(strchr(text, '\n'));
  assert_true(warning_count < ARRAY_COUNT(warnings));
  (void)snprintf(warnings[warning_count++], sizeof(warnings[0]), "%s", text);
}

static inline int set_up(void **state) {
  (void)state;
  warning_count = 0;
  return 0;
}

/* From a heap block of exactly n bytes, so that the sanitizer sees every read beyond them. */
static inline void read_bytes(struct boot_config *c, const void *bytes, size_t n) {
  void *copy = malloc(n == 0 ? 1 : n);
  memcpy(copy, bytes, n);
  config_read_file(c, copy, n, take_warning, warnings);
  free(copy);
}

static inline void read_text(struct boot_config *c, const char *text) {
  config_init(c);
  warning_count = 0;
  read_bytes(c, text, strlen(text));
}

static inline void finish_bytes(struct boot_config *c, const void *bytes, size_t n) {
  void *copy = malloc(n == 0 ? 1 : n);
  memcpy(copy, bytes, n);
  config_finish(c, copy, n, take_warning, warnings);
  free(copy);
}

/* Writes a text without its terminator; returns its length. */
static inline size_t put(char *to, const char *text) {
  size_t n = strlen(text);
  for (size_t i = 0; i < n; i++) to[i] = text[i];
  return n;
}

/* ASCII as UTF-16LE; returns the bytes without a terminator. */
static inline size_t widen(const char *text, uint8_t *to) {
  size_t n = 0;
  for (; *text != '\0'; text++) {
    to[n++] = (uint8_t)*text;
    to[n++] = 0;
  }
  return n;
}

static inline void finish_utf16(struct boot_config *c, const char *text) {
  uint8_t wide[20000];
  finish_bytes(c, wide, widen(text, wide));
}

static inline void assert_command_line(const struct boot_config *c, const char *expected) {
  if (c->command_size != strlen(expected) || memcmp(c->command_line, expected, c->command_size) != 0) {
    fail_msg("command line is '%.*s', not '%s'", (int)c->command_size, c->command_line, expected);
  }
}

static inline void assert_path(const struct boot_config *c, const char *expected) {
  assert_string_equal(c->kernel_name, expected);
  size_t n = strlen(expected);
  for (size_t i = 0; i <= n; i++) assert_int_equal(c->kernel[i], (uint8_t)expected[i]);
}

static inline void assert_warning(size_t index, const char *expected) {
  assert_true(index < warning_count);
  assert_string_equal(warnings[index], expected);
}

static inline void assert_only_warning(const char *expected) {
  if (warning_count != 1) fail_msg("%zu warnings, first '%s'", warning_count, warnings[0]);
  assert_warning(0, expected);
}
