/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/console.c — the firmware's screen and a 16550 of our own.
 *
 * WHAT   Failures go to both, because a user may have only one of them: a PC without a serial port, a server without a
 *        screen.  Where the firmware's console is the serial port, the reader sees the message twice, each time whole.
 * HOW    The UART is looked for when there is something to say: its scratch register must keep two patterns and its line
 *        status must not read all ones, as an absent device does.  Waiting for it is bounded; one that never becomes ready
 *        is not asked again.
 * WHY NOT the firmware's serial protocol: it is gone after ExitBootServices, and opening it costs the console.
 * SOURCE National PC16550D data sheet: 8.4 (line status), 8.6 (scratch register).
 */
#include "loader/console.h"

#include "base/assert.h"
#include "efi/console.h"
#include "efi/file.h"
#include "efi/memory.h"
#include "efi/runtime.h"
#include "lib/format.h"
#include "lib/string.h"
#include "loader/x86_64/cpu.h"

#define SERIAL_BASE       0x3f8
#define SERIAL_DATA       (SERIAL_BASE + 0)
#define SERIAL_INTERRUPTS (SERIAL_BASE + 1)
#define SERIAL_FIFO       (SERIAL_BASE + 2)
#define SERIAL_LINE       (SERIAL_BASE + 3)
#define SERIAL_MODEM      (SERIAL_BASE + 4)
#define SERIAL_STATUS     (SERIAL_BASE + 5)
#define SERIAL_SCRATCH    (SERIAL_BASE + 7)
#define STATUS_READY      0x20
#define SERIAL_PATIENCE   200000 /* Reads of the status; one takes about a microsecond, a byte at 115200 baud takes 87. */

#define LEVEL_WARN   1
#define LEVEL_NOTICE 2
#define LEVEL_INFO   3

#define FAIL_PAUSE_MS 3000 /* Firmware clears the screen when it goes on: time to read two lines. */

static struct {
  enum { SERIAL_UNKNOWN, SERIAL_ABSENT, SERIAL_PRESENT } serial;
  bool firmware_is_gone;
  size_t warnings_size;
  char warnings[CONSOLE_WARNINGS_MAX];
} console;

static uint32_t console_level = LEVEL_NOTICE; /* Not in the struct, which would then be in the file, zeros and all. */

static bool keeps(uint8_t pattern) {
  cpu_port_write(SERIAL_SCRATCH, pattern);
  return cpu_port_read(SERIAL_SCRATCH) == pattern;
}

static bool find_serial(void) {
  if (!keeps(0x5a) || !keeps(0xa5) || cpu_port_read(SERIAL_STATUS) == 0xff) return false;
  cpu_port_write(SERIAL_INTERRUPTS, 0);
  cpu_port_write(SERIAL_LINE, 0x80); /* Divisor latch: 115200 baud. */
  cpu_port_write(SERIAL_DATA, 1);
  cpu_port_write(SERIAL_INTERRUPTS, 0);
  cpu_port_write(SERIAL_LINE, 0x03); /* 8 bits, no parity, one stop bit. */
  cpu_port_write(SERIAL_FIFO, 0x01); /* FIFO on; what the firmware has put there stays. */
  cpu_port_write(SERIAL_MODEM, 0x03);
  return true;
}

static void serial_put(char c) {
  for (unsigned i = 0; i < SERIAL_PATIENCE; i++) {
    if (cpu_port_read(SERIAL_STATUS) & STATUS_READY) {
      cpu_port_write(SERIAL_DATA, (uint8_t)c);
      return;
    }
  }
  console.serial = SERIAL_ABSENT;
}

static void serial_write(const char *text, size_t n) {
  if (console.serial == SERIAL_UNKNOWN) console.serial = find_serial() ? SERIAL_PRESENT : SERIAL_ABSENT;
  for (size_t i = 0; i < n && console.serial == SERIAL_PRESENT; i++) {
    if (text[i] == '\n') serial_put('\r');
    serial_put(text[i]);
  }
}

static void write_both(const char *text, size_t n) {
  if (!console.firmware_is_gone) efi_console_write(text, n);
  serial_write(text, n);
}

/* Formats into a line; returns its length, line end included. */
static size_t make_line(char line[static CONSOLE_LINE_MAX], const char *prefix, const char *format, va_list args) {
  size_t n = format_string(line, CONSOLE_LINE_MAX, "%s", prefix);
  n += format_string_v(line + n, CONSOLE_LINE_MAX - n, format, args);
  if (n > CONSOLE_LINE_MAX - 2) n = CONSOLE_LINE_MAX - 2;
  line[n++] = '\n';
  return n;
}

static void keep_warning(const char *text, size_t n) {
  size_t room = CONSOLE_WARNINGS_MAX - console.warnings_size;
  if (n > room) return; /* Whole lines or nothing; it has been on the serial port. */
  memcpy(console.warnings + console.warnings_size, text, n);
  console.warnings_size += n;
}

void console_set_level(uint32_t level) { console_level = level; }

void console_info(const char *format, ...) {
  char line[CONSOLE_LINE_MAX];
  va_list args;
  if (console_level < LEVEL_INFO) return;
  va_start(args, format);
  size_t n = make_line(line, "loader: ", format, args);
  va_end(args);
  serial_write(line, n);
}

void console_warn(const char *format, ...) {
  static const char prefix[] = "loader: ";
  char line[CONSOLE_LINE_MAX];
  va_list args;
  va_start(args, format);
  size_t n = make_line(line, prefix, format, args);
  va_end(args);
  if (console_level >= LEVEL_WARN) serial_write(line, n);
  keep_warning(line + sizeof prefix - 1, n - (sizeof prefix - 1));
}

void console_take_warning(void *context, const char *text) {
  (void)context;
  console_warn("%s", text);
}

const char *console_warnings(size_t *size) {
  *size = console.warnings_size;
  return console.warnings;
}

void console_say(const char *format, ...) {
  char line[CONSOLE_LINE_MAX];
  va_list args;
  va_start(args, format);
  size_t n = make_line(line, "loader: ", format, args);
  va_end(args);
  write_both(line, n);
}

void console_leave_firmware(void) { console.firmware_is_gone = true; }

void loader_fail(status_t status, const char *hint, const char *what, ...) {
  char text[2 * CONSOLE_LINE_MAX];
  va_list args;
  va_start(args, what);
  size_t n = make_line(text, "Cairn cannot start: ", what, args);
  va_end(args);
  n += format_string(text + n, sizeof text - n, "  what to try: %s (%s)\n", hint, status_name(status));
  if (n > sizeof text - 1) n = sizeof text - 1;
  write_both(text, n);
  if (!console.firmware_is_gone) {
    efi_console_pause(FAIL_PAUSE_MS);
    efi_file_close_all();
  }
  efi_memory_free_all();
  efi_runtime_give_back(status);
}

void assert_fail(const char *kind, const char *expression, const char *file, int line) {
  loader_fail(ERR_STATE, "this is a defect of the loader: please report these two lines", "%s(%s) in %s:%d", kind,
              expression, file, line);
}
