/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fuzz/config_fuzz.c — no boot.cfg and no load options do any harm.
 *
 * INPUT  Up to the first byte 0x1e (record separator) the file, behind it the load options.
 * CHECKS Reads beyond either are seen by the sanitizer; every field of the result lies in its range; the command line, the
 *        path's name and all warnings are UTF-8; the path is absolute and terminated; reading the same twice gives the same.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/utf.h"
#include "loader/config.h"

#define REQUIRE(e) ((e) ? (void)0 : fail_requirement(#e, __LINE__))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail_requirement(const char *what, int line) {
  (void)fprintf(stderr, "config_fuzz.c:%d: %s does not hold\n", line, what);
  abort();
}

static void check_text(const char *text, size_t n) {
  for (size_t at = 0; at < n;) {
    uint32_t c = utf_read8(text, n, &at);
    REQUIRE(c != UTF_INVALID && c != 0x7f && (c >= ' ' || c == '\t'));
  }
}

static void count_warning(void *context, const char *text) {
  unsigned *count = context;
  REQUIRE(strlen(text) < 256);
  check_text(text, strlen(text));
  ++*count;
}

static void check_config(const struct boot_config *c) {
  size_t units = 0;
  REQUIRE(c->video <= CONFIG_VIDEO_SIZE && c->kaslr <= CONFIG_KASLR_SEED && c->log_level <= 4);
  REQUIRE(c->video != CONFIG_VIDEO_SIZE || (c->video_width != 0 && c->video_height != 0));
  REQUIRE(c->video_width <= 65535 && c->video_height <= 65535);
  REQUIRE(c->levels == 4 || c->levels == 5);
  REQUIRE(c->read_chunk >= CONFIG_READ_CHUNK_MIN && c->read_chunk <= CONFIG_READ_CHUNK_MAX && c->read_chunk % 4096 == 0);
  REQUIRE(c->command_size <= CONFIG_COMMAND_LINE_MAX);
  check_text(c->command_line, c->command_size);
  REQUIRE(memchr(c->kernel_name, 0, sizeof(c->kernel_name)) != nullptr);
  check_text(c->kernel_name, strlen(c->kernel_name));
  while (units < CONFIG_PATH_MAX && c->kernel[units] != 0) units++;
  REQUIRE(units >= 2 && units < CONFIG_PATH_MAX && c->kernel[0] == '\\' && c->kernel[units - 1] != '\\');
}

static void *copy_of(const uint8_t *bytes, size_t n) {
  void *copy = malloc(n == 0 ? 1 : n);
  if (n != 0) memcpy(copy, bytes, n);
  return copy;
}

static void read_all(struct boot_config *c, const uint8_t *data, size_t size, size_t split) {
  unsigned count = 0;
  size_t rest = split < size ? size - split - 1 : 0;
  void *file = copy_of(data, split);
  void *options = copy_of(data + size - rest, rest);
  config_init(c);
  config_read_file(c, file, split, count_warning, &count);
  config_finish(c, options, rest, count_warning, &count);
  REQUIRE(count <= 3 * (CONFIG_WARNINGS_MAX + 1));
  free(file);
  free(options);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct boot_config first;
  static struct boot_config second;
  const uint8_t *separator = size == 0 ? nullptr : memchr(data, 0x1e, size);
  size_t split = separator == nullptr ? size : (size_t)(separator - data);
  read_all(&first, data, size, split);
  check_config(&first);
  read_all(&second, data, size, split);
  REQUIRE(memcmp(&first, &second, offsetof(struct boot_config, command_line)) == 0);
  REQUIRE(memcmp(first.command_line, second.command_line, first.command_size) == 0);
  return 0;
}
