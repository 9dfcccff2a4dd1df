/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/unit/loader/config_options_test.c — load options and the command line: what is appended, unpacked, obeyed, warned
 * about; and files and options made of anything.
 */
#include "config_reader.h"

#include <time.h>

#include "lib/random.h"

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
    cmocka_unit_test_setup(a_command_line_that_just_fits_is_kept_whole, set_up),
    cmocka_unit_test_setup(load_options_longer_than_the_command_line_are_warned_about, set_up),
    cmocka_unit_test_setup(words_of_the_command_line_win_over_the_file_and_the_last_one_wins, set_up),
    cmocka_unit_test_setup(the_loaders_words_take_values, set_up),
    cmocka_unit_test_setup(files_and_options_made_of_anything_do_no_harm, set_up),
};

int main(void) { return cmocka_run_group_tests_name("loader/config_options", tests, nullptr, nullptr); }
