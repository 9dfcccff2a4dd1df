/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/loader/config_test.c — boot.cfg and load options: what is taken, what is warned about, and that nothing fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "lib/random.h"
#include "loader/config.h"

static char warnings[64][300];
static size_t warning_count;

static void take_warning(void *context, const char *text) {
  assert_ptr_equal(context, warnings);
  assert_true(strlen(text) < 256);
  assert_null(strchr(text, '\n'));
  assert_true(warning_count < ARRAY_COUNT(warnings));
  (void)snprintf(warnings[warning_count++], sizeof(warnings[0]), "%s", text);
}

static int set_up(void **state) {
  (void)state;
  warning_count = 0;
  return 0;
}

/* From a heap block of exactly n bytes, so that the sanitizer sees every read beyond them. */
static void read_bytes(struct boot_config *c, const void *bytes, size_t n) {
  void *copy = malloc(n == 0 ? 1 : n);
  memcpy(copy, bytes, n);
  config_read_file(c, copy, n, take_warning, warnings);
  free(copy);
}

static void read_text(struct boot_config *c, const char *text) {
  config_init(c);
  warning_count = 0;
  read_bytes(c, text, strlen(text));
}

static void finish_bytes(struct boot_config *c, const void *bytes, size_t n) {
  void *copy = malloc(n == 0 ? 1 : n);
  memcpy(copy, bytes, n);
  config_finish(c, copy, n, take_warning, warnings);
  free(copy);
}

/* Writes a text without its terminator; returns its length. */
static size_t put(char *to, const char *text) {
  size_t n = strlen(text);
  for (size_t i = 0; i < n; i++) to[i] = text[i];
  return n;
}

/* ASCII as UTF-16LE; returns the bytes without a terminator. */
static size_t widen(const char *text, uint8_t *to) {
  size_t n = 0;
  for (; *text != '\0'; text++) {
    to[n++] = (uint8_t)*text;
    to[n++] = 0;
  }
  return n;
}

static void finish_utf16(struct boot_config *c, const char *text) {
  uint8_t wide[20000];
  finish_bytes(c, wide, widen(text, wide));
}

static void assert_command_line(const struct boot_config *c, const char *expected) {
  if (c->command_size != strlen(expected) || memcmp(c->command_line, expected, c->command_size) != 0) {
    fail_msg("command line is '%.*s', not '%s'", (int)c->command_size, c->command_line, expected);
  }
}

static void assert_path(const struct boot_config *c, const char *expected) {
  assert_string_equal(c->kernel_name, expected);
  size_t n = strlen(expected);
  for (size_t i = 0; i <= n; i++) assert_int_equal(c->kernel[i], (uint8_t)expected[i]);
}

static void assert_warning(size_t index, const char *expected) {
  assert_true(index < warning_count);
  assert_string_equal(warnings[index], expected);
}

static void assert_only_warning(const char *expected) {
  if (warning_count != 1) fail_msg("%zu warnings, first '%s'", warning_count, warnings[0]);
  assert_warning(0, expected);
}

static void a_missing_or_empty_file_means_defaults(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "");
  config_finish(&c, nullptr, 0, take_warning, warnings);
  assert_path(&c, "\\cairn\\kernel.elf");
  assert_command_line(&c, "");
  assert_int_equal(c.video, CONFIG_VIDEO_PANEL);
  assert_int_equal(c.log_level, 2);
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  assert_int_equal(c.levels, 4);
  assert_int_equal(c.read_chunk, 1 * MIB);
  assert_int_equal(warning_count, 0);
}

static void every_key_is_taken(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "# a comment\n"
                "kernel = /boot/other.elf\n"
                "  cmdline\t=  log=verbose  test=all = x  \n"
                "video=1920x1080 # and a comment behind\n"
                "log = verbose\n"
                "kaslr = 0x1234\n"
                "paging = 5\n"
                "\n"
                "read_chunk = 64K");
  assert_int_equal(warning_count, 0);
  assert_path(&c, "\\boot\\other.elf");
  assert_command_line(&c, "log=verbose  test=all = x");
  assert_int_equal(c.video, CONFIG_VIDEO_SIZE);
  assert_int_equal(c.video_width, 1920);
  assert_int_equal(c.video_height, 1080);
  assert_int_equal(c.log_level, 4);
  assert_int_equal(c.kaslr, CONFIG_KASLR_SEED);
  assert_int_equal(c.kaslr_seed, 0x1234);
  assert_int_equal(c.levels, 5);
  assert_int_equal(c.read_chunk, 64 * KIB);
  assert_int_equal(c.line_of[0], 2);
  assert_int_equal(c.line_of[6], 9);
}

static void every_word_of_every_key_is_taken(void **state) {
  (void)state;
  struct boot_config c;
  static const char *const logs[] = {"log=error", "log=warn", "log=notice", "log=info", "log=verbose"};
  static const char *const videos[] = {"video=panel", "video=largest", "video=keep"};
  for (size_t i = 0; i < ARRAY_COUNT(logs); i++) {
    read_text(&c, logs[i]);
    assert_int_equal(c.log_level, i);
  }
  for (size_t i = 0; i < ARRAY_COUNT(videos); i++) {
    read_text(&c, videos[i]);
    assert_int_equal(c.video, i);
  }
  read_text(&c, "kaslr = off\npaging = auto");
  assert_int_equal(c.kaslr, CONFIG_KASLR_OFF);
  assert_int_equal(c.levels, 4);
  read_text(&c, "kaslr = on\npaging = 4\ncmdline =");
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  assert_int_equal(c.levels, 4);
  assert_int_equal(warning_count, 0);
}

static void a_typing_error_is_named_with_file_and_line(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "# first\n\nvidoe = keep\nlog = info\n");
  assert_only_warning("boot.cfg:3: unknown key 'vidoe'");
  assert_int_equal(c.log_level, 3);
}

static void a_bad_value_is_named_and_changes_nothing(void **state) {
  (void)state;
  static const char *const lines[] = {
      "kernel =",
      "kernel = /",
      "kernel = a/b/",
      "video = huge",
      "video = 0x600",
      "video = 800x",
      "video = x600",
      "video = 800x65536",
      "video = 800x600x2",
      "video = -1x600",
      "video = 800 x 600",
      "log = loud",
      "log = 3",
      "log =",
      "kaslr = maybe",
      "kaslr = 1 2",
      "kaslr = -1",
      "kaslr = 18446744073709551616",
      "paging = 3",
      "paging = 45",
      "read_chunk = 0",
      "read_chunk = 2M",
      "read_chunk = 4095",
      "read_chunk = 5000",
      "read_chunk = 1048577",
  };
  for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
    struct boot_config c;
    struct boot_config before;
    config_init(&before);
    read_text(&c, lines[i]);
    assert_memory_equal(&c, &before, offsetof(struct boot_config, command_line));
    assert_int_equal(warning_count, 1);
    if (strncmp(warnings[0], "boot.cfg:1: bad value '", 23) != 0) fail_msg("%s: %s", lines[i], warnings[0]);
  }
  struct boot_config c;
  read_text(&c, "paging = six");
  assert_only_warning("boot.cfg:1: bad value 'six' for 'paging'; expected auto, 4 or 5");
}

static void a_key_that_comes_twice_counts_the_second_time(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "log = info\nlog = error\nlog = loud\n");
  assert_int_equal(c.log_level, 0);
  assert_warning(0, "boot.cfg:2: 'log' was set in line 1 already; this line counts");
  assert_warning(1, "boot.cfg:3: bad value 'loud' for 'log'; expected error, warn, notice, info or verbose");
  assert_int_equal(warning_count, 2);
}

static void a_line_without_equals_or_key_is_warned_about(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "hello world\n = 4\n=\n# = comment\n");
  assert_warning(0, "boot.cfg:1: no '=' in 'hello world'; ignored");
  assert_warning(1, "boot.cfg:2: no key before '='; ignored");
  assert_warning(2, "boot.cfg:3: no key before '='; ignored");
  assert_int_equal(warning_count, 3);
}

static void a_comment_may_hold_anything(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "# \x01\xff = 1\n \t# =\n#\nlog = info # \xe2\x82\xac\n");
  assert_int_equal(warning_count, 0);
  assert_int_equal(c.log_level, 3);
}

static void a_hash_within_a_word_is_no_comment(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "cmdline = a#b c #d\n");
  assert_command_line(&c, "a#b c");
  assert_int_equal(warning_count, 0);
}

static void a_line_of_10000_characters_is_warned_about_and_the_next_one_read(void **state) {
  (void)state;
  static char file[10200];
  struct boot_config c;
  memset(file, 'x', 10000);
  put(file, "cmdline = ");
  put(file + 10000, "\nlog = error\n");
  read_text(&c, file);
  assert_only_warning("boot.cfg:1: a line of 10000 bytes is longer than 4096; ignored");
  assert_command_line(&c, "");
  assert_int_equal(c.log_level, 0);
}

static void a_line_as_long_as_allowed_is_read(void **state) {
  (void)state;
  static char file[CONFIG_LINE_MAX + 2];
  struct boot_config c;
  memset(file, 'x', CONFIG_LINE_MAX);
  put(file, "cmdline=");
  read_text(&c, file);
  assert_int_equal(warning_count, 0);
  assert_int_equal(c.command_size, CONFIG_LINE_MAX - 8);
  file[CONFIG_LINE_MAX] = 'x';
  read_text(&c, file);
  assert_int_equal(warning_count, 1);
}

static void garbage_is_warned_about_line_by_line(void **state) {
  (void)state;
  static const char file[] = "log = inf\0o\nlog = \x01\nlog = \xff\xfe\nlog = \xc0\xaf\nlog = info\x7f\npaging = 5\n";
  struct boot_config c;
  config_init(&c);
  read_bytes(&c, file, sizeof(file) - 1);
  assert_warning(0, "boot.cfg:1: the line has a NUL byte; ignored");
  assert_warning(1, "boot.cfg:2: the line has a control character; ignored");
  assert_warning(2, "boot.cfg:3: the line has bytes that are no UTF-8; ignored");
  assert_warning(3, "boot.cfg:4: the line has bytes that are no UTF-8; ignored");
  assert_warning(4, "boot.cfg:5: the line has a control character; ignored");
  assert_int_equal(warning_count, 5);
  assert_int_equal(c.levels, 5);
  assert_int_equal(c.log_level, 2);
}

static void many_warnings_end_in_their_number(void **state) {
  (void)state;
  static char file[2 * 1000 + 1];
  struct boot_config c;
  for (size_t i = 0; i < 1000; i++) put(file + 2 * i, "x\n");
  read_text(&c, file);
  assert_int_equal(warning_count, CONFIG_WARNINGS_MAX + 1);
  assert_warning(CONFIG_WARNINGS_MAX, "boot.cfg: 984 more warnings");
}

static void a_file_beyond_the_limit_is_read_up_to_it(void **state) {
  (void)state;
  static char file[CONFIG_FILE_MAX + 100];
  struct boot_config c;
  memset(file, '\n', sizeof(file));
  put(file, "log = info\n");
  put(file + CONFIG_FILE_MAX, "paging = 5\n");
  config_init(&c);
  read_bytes(&c, file, sizeof(file));
  assert_only_warning("boot.cfg: the file is larger than 64 KiB; the rest is ignored");
  assert_int_equal(c.log_level, 3);
  assert_int_equal(c.levels, 4);
}

static void limits_themselves_are_allowed(void **state) {
  (void)state;
  static char file[CONFIG_FILE_MAX];
  struct boot_config c;
  read_text(&c, "video = 65535x1\nread_chunk = 4K");
  assert_int_equal(c.video_width, 65535);
  assert_int_equal(c.read_chunk, 4096);
  read_text(&c, "read_chunk = 8K\nread_chunk = 0x100000");
  assert_int_equal(c.read_chunk, 1048576);
  memset(file, '\n', sizeof(file));
  warning_count = 0;
  read_bytes(&c, file, sizeof(file));
  assert_int_equal(warning_count, 0);
  for (size_t i = 0; i < CONFIG_WARNINGS_MAX; i++) put(file + 2 * i, "x\n");
  read_bytes(&c, file, sizeof(file));
  assert_int_equal(warning_count, CONFIG_WARNINGS_MAX);
  read_text(&c, "012345678901234567890123456789012345678901234567 = 1");
  assert_only_warning("boot.cfg:1: unknown key '012345678901234567890123456789012345678901234567'");
  read_text(&c, "\xef\xbb\xbf");
  read_text(&c, "\xff\xfe");
  assert_int_equal(warning_count, 0);
}

static void line_ends_of_all_systems_count_once(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "log = info\r\n\r\npaging = 5\rx\r");
  assert_only_warning("boot.cfg:4: no '=' in 'x'; ignored");
  assert_int_equal(c.log_level, 3);
  assert_int_equal(c.levels, 5);
}

static void a_byte_order_mark_is_no_part_of_the_first_key(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "\xef\xbb\xbflog = info\n");
  assert_int_equal(c.log_level, 3);
  assert_int_equal(warning_count, 0);
}

static void utf_16_as_notepad_writes_it_is_read(void **state) {
  (void)state;
  uint8_t file[1000] = {0xff, 0xfe};
  struct boot_config c;
  size_t n = 2 + widen("log = info\r\nvidoe = 1\r\nkernel = /k\r\n", file + 2);
  file[n - 6] = 0x3c; /* The 'k' becomes U+043C. */
  file[n - 5] = 0x04;
  file[n++] = '!'; /* An odd byte at the end is no character. */
  config_init(&c);
  read_bytes(&c, file, n);
  assert_only_warning("boot.cfg:2: unknown key 'vidoe'");
  assert_int_equal(c.log_level, 3);
  assert_int_equal(c.kernel[1], 0x43c);
  assert_string_equal(c.kernel_name, "\\\xd0\xbc");
}

static void a_lone_surrogate_spoils_its_line_only(void **state) {
  (void)state;
  uint8_t file[1000] = {0xff, 0xfe};
  struct boot_config c;
  size_t n = 2 + widen("log = x\npaging = 5", file + 2);
  file[14] = 0x00;
  file[15] = 0xd8;
  config_init(&c);
  read_bytes(&c, file, n);
  assert_only_warning("boot.cfg:1: the line has bytes that are no UTF-8; ignored");
  assert_int_equal(c.levels, 5);
}

static void long_words_are_quoted_in_part_and_never_within_a_character(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "0123456789012345678901234567890123456789012345\xe2\x82\xac\xe2\x82\xac = 1\n");
  assert_only_warning("boot.cfg:1: unknown key '0123456789012345678901234567890123456789012345'");
}

static void paths_take_both_slashes_and_no_leading_one(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "kernel = kernel.elf");
  assert_path(&c, "\\kernel.elf");
  read_text(&c, "kernel = //a\\/b///c.elf");
  assert_path(&c, "\\a\\b\\c.elf");
  read_text(&c, "kernel = \\A dir\\k.elf");
  assert_path(&c, "\\A dir\\k.elf");
}

static void a_path_is_as_long_as_fits_or_refused(void **state) {
  (void)state;
  char line[400] = "kernel = ";
  struct boot_config c;
  memset(line + 9, 'p', 253);
  read_text(&c, line);
  assert_int_equal(warning_count, 0);
  assert_int_equal(strlen(c.kernel_name), 254);
  assert_int_equal(c.kernel[254], 0);
  line[9 + 253] = 'p';
  read_text(&c, line);
  assert_int_equal(warning_count, 1);
  assert_path(&c, "\\cairn\\kernel.elf");
}

static void a_path_of_the_widest_characters_fits_its_name(void **state) {
  (void)state;
  char line[2000] = "kernel = ";
  struct boot_config c;
  for (size_t i = 0; i < 253; i++) put(line + 9 + 3 * i, "\xe2\x82\xac");
  read_text(&c, line);
  assert_int_equal(strlen(c.kernel_name), 1 + 253 * 3);
  memset(line + 9, 0, sizeof(line) - 9);
  for (size_t i = 0; i < 126; i++) put(line + 9 + 4 * i, "\xf0\x9f\x98\x80");
  read_text(&c, line);
  assert_int_equal(warning_count, 0);
  assert_int_equal(strlen(c.kernel_name), 1 + 126 * 4);
  assert_int_equal(c.kernel[1], 0xd83d);
  assert_int_equal(c.kernel[2], 0xde00);
}

/* --- load options -------------------------------------------------------------------------------------------------- */

static void load_options_are_appended_to_the_command_line(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "cmdline = log=info");
  finish_utf16(&c, "test=all test.exit");
  assert_command_line(&c, "log=info test=all test.exit");
  assert_int_equal(warning_count, 0);
}

static void load_options_may_end_in_nul_an_odd_byte_or_a_line_end(void **state) {
  (void)state;
  uint8_t wide[100];
  struct boot_config c;
  size_t n = widen("a b", wide);
  memset(wide + n, 0, 4);
  wide[n + 2] = 'A'; /* NUL, then more. */
  config_init(&c);
  finish_bytes(&c, wide, n + 4);
  assert_command_line(&c, "a b");
  wide[n] = 'x';
  config_init(&c);
  finish_bytes(&c, wide, n + 1);
  assert_command_line(&c, "a b");
  config_init(&c);
  finish_utf16(&c, " a\tb \r\n");
  assert_command_line(&c, "a b");
  config_init(&c);
  finish_bytes(&c, "\0\0", 2);
  finish_bytes(&c, "\0", 1);
  assert_command_line(&c, "");
  assert_int_equal(warning_count, 0);
}

static void load_options_that_are_not_there_are_not_read(void **state) {
  (void)state;
  struct boot_config c;
  config_init(&c);
  config_finish(&c, nullptr, 100, take_warning, warnings);
  assert_command_line(&c, "");
}

static void eight_bit_load_options_are_text_too(void **state) {
  (void)state;
  struct boot_config c;
  config_init(&c);
  finish_bytes(&c, "log=info nokaslr", 16);
  assert_command_line(&c, "log=info nokaslr");
  assert_int_equal(c.kaslr, CONFIG_KASLR_OFF);
  config_init(&c);
  finish_bytes(&c, "ab\0\xff\xff", 5);
  assert_command_line(&c, "ab");
  config_init(&c);
  finish_bytes(&c, "a", 1);
  assert_command_line(&c, "a");
  assert_int_equal(warning_count, 0);
}

static void load_options_beyond_ascii_become_utf_8(void **state) {
  (void)state;
  struct boot_config c;
  config_init(&c);
  finish_bytes(&c, "a\0=\0\xac\x20", 6);
  assert_command_line(&c, "a=\xe2\x82\xac");
}

static void binary_load_options_are_warned_about(void **state) {
  (void)state;
  static const uint8_t guid[16] = {0x4e, 0xac, 0x08, 0x81, 0x11, 0x9f, 0x59, 0x4d,
                                   0x85, 0x0e, 0xe2, 0x1a, 0x52, 0x2c, 0x59, 0xb2};
  static const uint8_t control[4] = {'a', 0, 1, 0};
  static const uint8_t surrogate[4] = {'a', 0, 0, 0xd8};
  struct boot_config c;
  read_text(&c, "cmdline = keep");
  finish_bytes(&c, guid, sizeof(guid));
  assert_only_warning("load options: 16 bytes are no text (they begin with 0x4e 0xac); ignored");
  finish_bytes(&c, control, sizeof(control));
  finish_bytes(&c, surrogate, sizeof(surrogate));
  assert_int_equal(warning_count, 3);
  assert_command_line(&c, "keep");
}

static void the_images_own_name_is_dropped_as_the_shell_passes_it(void **state) {
  (void)state;
  struct boot_config c;
  config_init(&c);
  finish_utf16(&c, "BOOTX64.EFI log=info");
  assert_command_line(&c, "log=info");
  config_init(&c);
  finish_utf16(&c, "  FS0:\\EFI\\BOOT\\bootx64.Efi  ");
  assert_command_line(&c, "");
  config_init(&c);
  finish_utf16(&c, "\"FS0:\\my dir\\a.efi\" x y");
  assert_command_line(&c, "x y");
  config_init(&c);
  finish_utf16(&c, "log=info BOOTX64.EFI");
  assert_command_line(&c, "log=info BOOTX64.EFI");
  config_init(&c);
  finish_utf16(&c, "efi x");
  assert_command_line(&c, "efi x");
  config_init(&c);
  finish_utf16(&c, "\"unclosed");
  assert_command_line(&c, "\"unclosed");
}

/* A whole EFI_LOAD_OPTION: attributes, description, a device path of three nodes, optional data. */
static size_t make_load_option(uint8_t *to, const void *optional, size_t n) {
  static const uint8_t path[] = {0x04, 0x01, 0x0a, 0x00, 1,   0, 0, 0, 0, 0, /* Hard drive (cut short). */
                                 0x04, 0x04, 0x08, 0x00, 'A', 0, 0, 0,       /* File path. */
                                 0x7f, 0xff, 0x04, 0x00};
  size_t at = 6;
  memset(to, 0, 6);
  to[0] = 1;
  to[4] = sizeof(path);
  at += widen("Cairn", to + at);
  to[at++] = 0;
  to[at++] = 0;
  memcpy(to + at, path, sizeof(path));
  at += sizeof(path);
  memcpy(to + at, optional, n);
  return at + n;
}

static void a_whole_load_option_is_unpacked(void **state) {
  (void)state;
  uint8_t blob[200];
  uint8_t wide[40];
  struct boot_config c;
  size_t n = make_load_option(blob, wide, widen("log=info", wide));
  read_text(&c, "cmdline = a");
  finish_bytes(&c, blob, n);
  assert_command_line(&c, "a log=info");
  config_init(&c);
  finish_bytes(&c, blob, make_load_option(blob, "test=all", 8));
  assert_command_line(&c, "test=all");
  config_init(&c);
  finish_bytes(&c, blob, make_load_option(blob, "", 0));
  assert_command_line(&c, "");
  assert_int_equal(warning_count, 0);
}

static void what_only_resembles_a_load_option_is_binary_data(void **state) {
  (void)state;
  uint8_t blob[200];
  struct boot_config c;
  size_t n = make_load_option(blob, "ab", 2);
  const struct {
    size_t at;
    uint8_t byte;
  } changes[] = {{0, 4}, {2, 1}, {4, 23}, {4, 0xff}, {20, 3}, {37, 0xfe}, {38, 5}};
  for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
    uint8_t kept = blob[changes[i].at];
    blob[changes[i].at] = changes[i].byte;
    config_init(&c);
    warning_count = 0;
    finish_bytes(&c, blob, n);
    if (warning_count != 1) fail_msg("change %zu passes for '%.*s'", i, (int)c.command_size, c.command_line);
    assert_command_line(&c, "");
    blob[changes[i].at] = kept;
  }
  for (size_t size = 0; size < n - 2; size++) { /* Cut anywhere: survived. */
    config_init(&c);
    warning_count = 0;
    finish_bytes(&c, blob, size);
    assert_true(c.command_size <= 4);
  }
}

static void a_command_line_that_is_too_long_loses_whole_words(void **state) {
  (void)state;
  static char line[CONFIG_LINE_MAX + 1];
  struct boot_config c;
  memset(line, 'x', 4090);
  put(line, "cmdline=");
  read_text(&c, line); /* 4082 bytes. */
  finish_utf16(&c, "log=info test=all");
  assert_only_warning("load options: the command line is longer than 4096 bytes; its end is left out");
  assert_int_equal(c.command_size, 4082 + 9);
  assert_memory_equal(c.command_line + 4082, " log=info", 9);
  finish_utf16(&c, "toolong");
  assert_int_equal(c.command_size, 4091);
}

static void a_long_line_of_utf_16_is_warned_about_and_the_next_one_read(void **state) {
  (void)state;
  static uint8_t file[25000] = {0xff, 0xfe};
  static char text[10100];
  struct boot_config c;
  memset(text, 'x', 10000);
  put(text, "cmdline=");
  put(text + 10000, "\r\nlog = error");
  config_init(&c);
  read_bytes(&c, file, 2 + widen(text, file + 2));
  assert_only_warning("boot.cfg:1: a line of 10000 bytes is longer than 4096; ignored");
  assert_int_equal(c.log_level, 0);
}

static void a_command_line_that_just_fits_is_kept_whole(void **state) {
  (void)state;
  static char text[CONFIG_COMMAND_LINE_MAX + 1];
  struct boot_config c;
  memset(text, 'w', CONFIG_COMMAND_LINE_MAX);
  config_init(&c);
  finish_utf16(&c, text);
  assert_int_equal(c.command_size, CONFIG_COMMAND_LINE_MAX);
  assert_int_equal(warning_count, 0);
  text[CONFIG_COMMAND_LINE_MAX - 3] = '\0';
  read_text(&c, "cmdline = a");
  finish_utf16(&c, text);
  assert_int_equal(c.command_size, CONFIG_COMMAND_LINE_MAX - 1);
  finish_utf16(&c, "x");
  assert_int_equal(c.command_size, CONFIG_COMMAND_LINE_MAX - 1); /* A blank would fit, a blank and a word do not. */
  assert_only_warning("load options: the command line is longer than 4096 bytes; its end is left out");
}

static void load_options_longer_than_the_command_line_are_warned_about(void **state) {
  (void)state;
  static char text[9001];
  struct boot_config c;
  for (size_t i = 0; i < 9000; i++) text[i] = i % 10 == 9 ? ' ' : 'w';
  config_init(&c);
  finish_utf16(&c, text);
  assert_int_equal(warning_count, 1);
  assert_int_equal(c.command_size, 4089);
  config_init(&c);
  finish_bytes(&c, text, 9000);
  assert_int_equal(warning_count, 2);
  assert_int_equal(c.command_size, 4089);
}

static void words_of_the_command_line_win_over_the_file_and_the_last_one_wins(void **state) {
  (void)state;
  struct boot_config c;
  read_text(&c, "kaslr = 7\ncmdline = nokaslr");
  config_finish(&c, nullptr, 0, take_warning, warnings);
  assert_int_equal(c.kaslr, CONFIG_KASLR_OFF);
  finish_utf16(&c, "kaslr_seed=0xab");
  assert_int_equal(c.kaslr, CONFIG_KASLR_SEED);
  assert_int_equal(c.kaslr_seed, 0xab);
  finish_utf16(&c, "kaslr");
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  finish_utf16(&c, "xnokaslr nokaslrx xkaslr=off kaslrx=off kaslr_seedx=1 paging5 xpaging=5");
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  assert_int_equal(c.levels, 4);
  assert_int_equal(warning_count, 0);
  finish_utf16(&c, "kaslr_seed=12x");
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  assert_only_warning("command line: bad value in 'kaslr_seed=12x'; expected a number");
  read_text(&c, "cmdline = kaslr_seed=");
  config_finish(&c, nullptr, 0, take_warning, warnings);
  assert_only_warning("command line: bad value in 'kaslr_seed='; expected a number");
  read_text(&c, "cmdline = kaslr_seed");
  config_finish(&c, nullptr, 0, take_warning, warnings);
  assert_only_warning("command line: bad value in 'kaslr_seed'; expected a number");
}

/* As `help options` has them. */
static void the_loaders_words_take_values(void **state) {
  (void)state;
  static const char *const bad[] = {"kaslr=", "kaslr=foo", "paging", "paging=", "paging=6", "debug", "debug=now"};
  struct boot_config c;
  read_text(&c, "kaslr = on\npaging = 4");
  finish_utf16(&c, "kaslr=off paging=5 debug=wait");
  assert_int_equal(c.kaslr, CONFIG_KASLR_OFF);
  assert_int_equal(c.levels, 5);
  finish_utf16(&c, "kaslr=on paging=auto");
  assert_int_equal(c.kaslr, CONFIG_KASLR_ON);
  assert_int_equal(c.levels, 4);
  finish_utf16(&c, "kaslr=0x2a");
  assert_int_equal(c.kaslr, CONFIG_KASLR_SEED);
  assert_int_equal(c.kaslr_seed, 42);
  assert_int_equal(warning_count, 0);
  for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
    read_text(&c, "paging = 5\nkaslr = 7");
    finish_utf16(&c, bad[i]);
    assert_int_equal(warning_count, 1);
    assert_int_equal(c.kaslr, CONFIG_KASLR_SEED);
    assert_int_equal(c.levels, 5);
  }
}

/* Whatever comes in, the results stay within their bounds. */
static void assert_sound(const struct boot_config *c) {
  assert_true(c->command_size <= CONFIG_COMMAND_LINE_MAX);
  assert_true(memchr(c->kernel_name, 0, sizeof(c->kernel_name)) != nullptr);
  assert_true(c->video <= CONFIG_VIDEO_SIZE && c->kaslr <= CONFIG_KASLR_SEED && c->log_level <= 4);
  assert_true(c->levels == 4 || c->levels == 5);
  assert_true(c->read_chunk >= CONFIG_READ_CHUNK_MIN && c->read_chunk <= CONFIG_READ_CHUNK_MAX);
  assert_int_equal(c->kernel[0], '\\');
}

static void files_and_options_made_of_anything_do_no_harm(void **state) {
  (void)state;
  static const char *const pieces[] = {"kernel",
                                       "cmdline",
                                       "video",
                                       "log",
                                       "kaslr",
                                       " = ",
                                       "=",
                                       "\n",
                                       "\r\n",
                                       "#",
                                       "off",
                                       "5",
                                       "800x600",
                                       "\xff\xfe",
                                       "\xef\xbb\xbf",
                                       "/a/b",
                                       "info",
                                       "0x",
                                       "99999999999999999999",
                                       "kaslr_seed=",
                                       "nokaslr ",
                                       ".efi ",
                                       "\"",
                                       "64K",
                                       "\xe2\x82\xac"};
  const char *given = getenv("CAIRN_SEED");
  uint64_t seed = given != nullptr ? strtoull(given, nullptr, 0) : (uint64_t)time(nullptr);
  uint8_t key[32] = {0};
  struct random r;
  print_message("CAIRN_SEED=%llu\n", (unsigned long long)seed);
  memcpy(key, &seed, sizeof(seed));
  random_init(&r, key);
  for (int round = 0; round < 20000; round++) {
    uint8_t bytes[2][700];
    size_t n[2] = {0, 0};
    struct boot_config c;
    for (size_t k = 0; k < 2; k++) {
      for (uint64_t left = random_below(&r, 30); left > 0; left--) {
        const char *piece = pieces[random_below(&r, ARRAY_COUNT(pieces))];
        if (random_below(&r, 4) == 0) {
          random_bytes(&r, bytes[k] + n[k], 3);
          n[k] += 3;
        } else {
          n[k] += put((char *)bytes[k] + n[k], piece);
        }
      }
    }
    if (random_below(&r, 4) == 0) n[1] = make_load_option(bytes[1], bytes[0], n[0] < 100 ? n[0] : 100);
    warning_count = 0;
    config_init(&c);
    read_bytes(&c, bytes[0], n[0]);
    finish_bytes(&c, bytes[1], n[1]);
    assert_sound(&c);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup(a_missing_or_empty_file_means_defaults, set_up),
    cmocka_unit_test_setup(every_key_is_taken, set_up),
    cmocka_unit_test_setup(every_word_of_every_key_is_taken, set_up),
    cmocka_unit_test_setup(a_typing_error_is_named_with_file_and_line, set_up),
    cmocka_unit_test_setup(a_bad_value_is_named_and_changes_nothing, set_up),
    cmocka_unit_test_setup(a_key_that_comes_twice_counts_the_second_time, set_up),
    cmocka_unit_test_setup(a_line_without_equals_or_key_is_warned_about, set_up),
    cmocka_unit_test_setup(a_comment_may_hold_anything, set_up),
    cmocka_unit_test_setup(a_hash_within_a_word_is_no_comment, set_up),
    cmocka_unit_test_setup(a_line_of_10000_characters_is_warned_about_and_the_next_one_read, set_up),
    cmocka_unit_test_setup(a_line_as_long_as_allowed_is_read, set_up),
    cmocka_unit_test_setup(garbage_is_warned_about_line_by_line, set_up),
    cmocka_unit_test_setup(many_warnings_end_in_their_number, set_up),
    cmocka_unit_test_setup(a_file_beyond_the_limit_is_read_up_to_it, set_up),
    cmocka_unit_test_setup(limits_themselves_are_allowed, set_up),
    cmocka_unit_test_setup(line_ends_of_all_systems_count_once, set_up),
    cmocka_unit_test_setup(a_byte_order_mark_is_no_part_of_the_first_key, set_up),
    cmocka_unit_test_setup(utf_16_as_notepad_writes_it_is_read, set_up),
    cmocka_unit_test_setup(a_lone_surrogate_spoils_its_line_only, set_up),
    cmocka_unit_test_setup(long_words_are_quoted_in_part_and_never_within_a_character, set_up),
    cmocka_unit_test_setup(paths_take_both_slashes_and_no_leading_one, set_up),
    cmocka_unit_test_setup(a_path_is_as_long_as_fits_or_refused, set_up),
    cmocka_unit_test_setup(a_path_of_the_widest_characters_fits_its_name, set_up),
    cmocka_unit_test_setup(load_options_are_appended_to_the_command_line, set_up),
    cmocka_unit_test_setup(load_options_may_end_in_nul_an_odd_byte_or_a_line_end, set_up),
    cmocka_unit_test_setup(load_options_that_are_not_there_are_not_read, set_up),
    cmocka_unit_test_setup(eight_bit_load_options_are_text_too, set_up),
    cmocka_unit_test_setup(load_options_beyond_ascii_become_utf_8, set_up),
    cmocka_unit_test_setup(binary_load_options_are_warned_about, set_up),
    cmocka_unit_test_setup(the_images_own_name_is_dropped_as_the_shell_passes_it, set_up),
    cmocka_unit_test_setup(a_whole_load_option_is_unpacked, set_up),
    cmocka_unit_test_setup(what_only_resembles_a_load_option_is_binary_data, set_up),
    cmocka_unit_test_setup(a_command_line_that_is_too_long_loses_whole_words, set_up),
    cmocka_unit_test_setup(a_long_line_of_utf_16_is_warned_about_and_the_next_one_read, set_up),
    cmocka_unit_test_setup(a_command_line_that_just_fits_is_kept_whole, set_up),
    cmocka_unit_test_setup(load_options_longer_than_the_command_line_are_warned_about, set_up),
    cmocka_unit_test_setup(words_of_the_command_line_win_over_the_file_and_the_last_one_wins, set_up),
    cmocka_unit_test_setup(the_loaders_words_take_values, set_up),
    cmocka_unit_test_setup(files_and_options_made_of_anything_do_no_harm, set_up),
};

int main(void) { return cmocka_run_group_tests_name("loader/config", tests, nullptr, nullptr); }
