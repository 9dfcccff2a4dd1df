/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/unit/loader/config_test.c — boot.cfg: what is taken, what is warned about, and that nothing fails. */
#include "config_reader.h"

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
    cmocka_unit_test_setup(a_long_line_of_utf_16_is_warned_about_and_the_next_one_read, set_up),
};

int main(void) { return cmocka_run_group_tests_name("loader/config", tests, nullptr, nullptr); }
