/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/firmware/print.c — lines on the first serial port, which QEMU always has; the firmware's console is not used. */
#include <stdarg.h>

#include "lib/format.h"
#include "tests/firmware/shim.h"

#define SERIAL_DATA   0x3f8
#define SERIAL_STATUS 0x3fd
#define STATUS_READY  0x20
#define PATIENCE      1000000

static void out(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port)); }
static uint8_t in(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}

static void put(char c) {
  for (unsigned i = 0; i < PATIENCE && !(in(SERIAL_STATUS)&STATUS_READY); i++) {}
  out(SERIAL_DATA, (uint8_t)c);
}

void print_line(const char *format, ...) {
  char line[256];
  va_list args;
  va_start(args, format);
  size_t n = format_string_v(line, sizeof line, format, args);
  va_end(args);
  if (n >= sizeof line) n = sizeof line - 1;
  for (const char *p = "\r\n[S] "; *p; p++) put(*p);
  for (size_t i = 0; i < n; i++) put(line[i]);
  put('\r');
  put('\n');
}
