/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tests of kernel/drivers/console/serial.c against a 16550 of our own: there, not there, half there, dying, and receiving.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/drivers/console/serial.c" /* NOLINT(bugprone-suspicious-include): with ports and a console of ours. */

/* The device: what its registers do, and what came out of it. */
static struct {
  bool is_there, has_loopback, is_dead;
  unsigned busy_reads; /* The holding register is full for so many status reads after each 16 bytes. */
  uint8_t scratch, modem, line_control;
  unsigned fifo, busy;
  unsigned shifting; /* Status reads until the loader's last byte has left the shift register. */
  char sent[4096];
  size_t sent_fill;
  uint8_t received[512]; /* Of which the receiver holds 16 at a time. */
  size_t received_head, received_tail;
  unsigned overruns;
  unsigned long reads;
} uart;
static struct options settings;
const struct options *const options = &settings;
static unsigned consoles;

static void arrive(uint8_t byte) {
  if (uart.received_head - uart.received_tail < FIFO_SIZE) uart.received[uart.received_head++ % 512] = byte;
}

static uint8_t line_status(void) {
  uint8_t status = 0;
  if (uart.received_head != uart.received_tail) status |= LSR_READY;
  if (uart.is_dead) return status;
  if (uart.shifting != 0) uart.shifting--;
  if (uart.shifting == 0) status |= LSR_IDLE;
  if (uart.busy != 0) uart.busy--;
  if (uart.busy == 0) {
    uart.fifo = 0;
    status |= LSR_THR_EMPTY;
  }
  return status;
}

uint8_t arch_port_read8(uint16_t port) {
  uart.reads++;
  if (!uart.is_there) return 0xff;
  switch (port) {
  case REGISTER_DATA:
    return uart.received_head == uart.received_tail ? 0 : uart.received[uart.received_tail++ % 512];
  case REGISTER_LINE_STATUS:
    return line_status();
  case REGISTER_SCRATCH:
    return uart.scratch;
  default:
    return 0;
  }
}

void arch_port_write8(uint16_t port, uint8_t value) {
  if (!uart.is_there) return;
  if (port == REGISTER_SCRATCH) uart.scratch = value;
  if (port == REGISTER_MODEM_CONTROL) uart.modem = value;
  if (port == REGISTER_LINE_CONTROL) uart.line_control = value;
  if (port != REGISTER_DATA || (uart.line_control & LCR_DLAB) != 0) return;
  if ((uart.modem & 0x10) != 0) {
    if (uart.shifting != 0) arrive('?'); /* What was on its way comes back too. */
    if (uart.has_loopback) arrive(value);
    return;
  }
  if (uart.fifo++ >= FIFO_SIZE) uart.overruns++;
  uart.busy = uart.busy_reads;
  uart.sent[uart.sent_fill++] = (char)value;
  uart.sent[uart.sent_fill] = '\0';
}

bool arch_irq_save(void) { return true; }
void arch_irq_restore(bool were_on) { assert_true(were_on); }
void console_add(const struct console_output *o) {
  (void)o;
  consoles++;
}
void klog(enum klog_level level, const char *room, const char *format, ...) {
  (void)level;
  (void)room;
  (void)format;
}

/* A fresh device and a driver that has seen nothing. */
static bool start(bool is_there, bool has_loopback) {
  memset(&uart, 0, sizeof(uart));
  uart.is_there = is_there;
  uart.has_loopback = has_loopback;
  uart.busy_reads = 3;
  settings = (struct options){};
  consoles = 0;
  is_present = is_stalled = false;
  fifo_room = 0;
  ring_head = ring_tail = 0;
  const bool is_found = serial_init();
  uart.sent_fill = 0;
  uart.sent[0] = '\0';
  return is_found;
}

static void send_text(const char *text) { serial_write(text, strlen(text)); }

static void a_port_that_is_not_there_is_found_out_at_once(void **context) {
  (void)context;
  assert_false(start(false, false));
  assert_true(uart.reads < 10);
  send_text("into the void");
  assert_int_equal(serial_poll(), -1);
  assert_int_equal(consoles, 0);
}

static void a_port_without_a_working_transmitter_is_refused_in_bounded_time(void **context) {
  (void)context;
  assert_false(start(true, false));
  assert_true(uart.reads < 50000);
  assert_int_equal(consoles, 0);
}

static void a_working_port_becomes_a_console_once(void **context) {
  (void)context;
  assert_true(start(true, true));
  assert_true(serial_init());
  assert_int_equal(consoles, 1);
  assert_int_equal(serial_poll(), -1); /* The byte of the loopback test was taken out. */
}

static void a_byte_that_is_still_being_sent_does_not_spoil_the_probe(void **context) {
  (void)context;
  (void)start(false, false);
  uart.is_there = uart.has_loopback = true;
  uart.shifting = 80;
  assert_true(serial_init());
  assert_int_equal(serial_poll(), -1);
}

static void serial_off_leaves_the_port_alone(void **context) {
  (void)context;
  (void)start(false, false);
  uart.is_there = uart.has_loopback = true;
  uart.reads = 0;
  settings.serial = OPTION_SERIAL_OFF;
  assert_false(serial_init());
  assert_int_equal(uart.reads, 0);
}

static void lines_end_in_cr_lf_and_the_fifo_is_never_overrun(void **context) {
  (void)context;
  start(true, true);
  send_text("a\nbc\n");
  assert_string_equal(uart.sent, "a\r\nbc\r\n");
  for (unsigned i = 0; i < 50; i++) send_text("more than sixteen bytes in one line\n");
  assert_int_equal(uart.sent_fill, 7 + 50 * 37);
  assert_int_equal(uart.overruns, 0);
}

static void a_port_that_stops_taking_bytes_costs_one_wait_and_comes_back(void **context) {
  (void)context;
  start(true, true);
  send_text("alive");
  uart.is_dead = true;
  uart.reads = 0;
  for (unsigned i = 0; i < 100; i++) send_text("is anybody there?\n");
  assert_true(uart.reads <= 3UL * WAIT_MAX);
  arrive('x'); /* What is typed meanwhile counts. */
  assert_int_equal(serial_poll(), 'x');
  uart.is_dead = false;
  for (unsigned i = 0; i < 4; i++) send_text("."); /* The device needs a few reads to be empty. */
  const size_t before = uart.sent_fill;
  send_text("back again");
  assert_string_equal(uart.sent + before, "back again");
  assert_int_equal(uart.overruns, 0);
}

static void what_arrives_while_we_send_is_not_lost(void **context) {
  (void)context;
  start(true, true);
  for (unsigned i = 0; i < 40; i++) {
    send_text("0123456789abcdef0123456789abcdef");
    for (unsigned k = 0; k < 5; k++) arrive((uint8_t)(i * 5 + k));
  }
  send_text("0123456789abcdef0123456789abcdef");
  for (unsigned i = 0; i < 200; i++) assert_int_equal(serial_poll(), i);
  assert_int_equal(serial_poll(), -1);
}

static void what_the_ring_cannot_hold_stays_in_the_receiver(void **context) {
  (void)context;
  start(true, true);
  unsigned sent = 0;
  for (unsigned i = 0; i < 400; i++) {
    const size_t fill = uart.received_head - uart.received_tail;
    if (fill < FIFO_SIZE) arrive((uint8_t)sent++); /* The other end stops when the receiver is full. */
    uart.sent_fill = 0;
    send_text("0123456789abcdef");
  }
  assert_int_equal(sent, RING_SIZE + FIFO_SIZE);
  for (unsigned i = 0; i < sent; i++) assert_int_equal(serial_poll(), (uint8_t)i);
  assert_int_equal(serial_poll(), -1);
}

static void ascii_replaces_what_a_plain_terminal_cannot_show(void **context) {
  (void)context;
  start(true, true);
  settings.serial_ascii = true;
  send_text("█▆ ░▒ ─│┌ ■ é …");
  assert_string_equal(uart.sent, "## .: -|+ * ? ?");
  uart.sent_fill = 0;
  serial_write("\xe2\x96", 2);
  serial_write("\x88x\x80\xe2y", 5);
  assert_string_equal(uart.sent, "#xy");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_port_that_is_not_there_is_found_out_at_once),
      cmocka_unit_test(a_port_without_a_working_transmitter_is_refused_in_bounded_time),
      cmocka_unit_test(a_working_port_becomes_a_console_once),
      cmocka_unit_test(a_byte_that_is_still_being_sent_does_not_spoil_the_probe),
      cmocka_unit_test(serial_off_leaves_the_port_alone),
      cmocka_unit_test(lines_end_in_cr_lf_and_the_fifo_is_never_overrun),
      cmocka_unit_test(a_port_that_stops_taking_bytes_costs_one_wait_and_comes_back),
      cmocka_unit_test(what_arrives_while_we_send_is_not_lost),
      cmocka_unit_test(what_the_ring_cannot_hold_stays_in_the_receiver),
      cmocka_unit_test(ascii_replaces_what_a_plain_terminal_cannot_show),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
