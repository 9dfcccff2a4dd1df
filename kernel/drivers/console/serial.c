/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/serial.c — the first serial port, a 16550 or what looks like one.
 *
 * HOW      Probe: what is written to the scratch register must come back, twice, and a byte must come back in loopback mode,
 *          once the loader's last byte has left; a port that is not there reads all ones.
 *          Output fills the 16-byte FIFO each time the holding register reports empty.  At 115200 baud a FIFO takes 1.4 ms
 *          to drain; WAIT_MAX reads of about 1 us each are a generous multiple.  When that is not enough the other end
 *          holds us up (Ctrl-S in a terminal) or the device has died: bytes are lost, without another wait, until the
 *          holding register is empty again.  While it waits it takes in what arrives, so that a paste does not overrun the
 *          receiver; what the ring cannot hold stays in the receiver, where the other end can see that it is full.
 * LOCKING  serial_write runs under the console's lock.  The receiver and its ring belong to whoever gets `receiving`, with
 *          interrupts masked; it is only ever tried: a writer on another CPU, or a panic that has stopped the holder, goes
 *          on without, and the next tick comes again.
 * SOURCE   PC16550D data sheet (National Semiconductor, 1995).
 */
#include "kernel/serial.h"

#include <stdatomic.h>

#include "arch/cpu.h"
#include "arch/port.h"
#include "base/compiler.h"
#include "kernel/console.h"
#include "kernel/klog.h"
#include "kernel/options.h"

#define PORT 0x3f8

enum {
  REGISTER_DATA = PORT,           /* Divisor, low, with LCR_DLAB. */
  REGISTER_INTERRUPTS = PORT + 1, /* Divisor, high, with LCR_DLAB. */
  REGISTER_FIFO = PORT + 2,
  REGISTER_LINE_CONTROL = PORT + 3,
  REGISTER_MODEM_CONTROL = PORT + 4,
  REGISTER_LINE_STATUS = PORT + 5,
  REGISTER_SCRATCH = PORT + 7,
};

#define LCR_8N1       0x03
#define LCR_DLAB      0x80
#define FCR_ENABLE    0x07 /* FIFOs on and emptied. */
#define MCR_READY     0x03 /* DTR and RTS. */
#define MCR_LOOPBACK  0x1e /* OUT1, OUT2, RTS, loop. */
#define LSR_READY     0x01
#define LSR_THR_EMPTY 0x20
#define LSR_IDLE      0x40 /* The shift register too. */

#define FIFO_SIZE 16
#define WAIT_MAX  1000000
#define RING_SIZE 256

static bool is_present;
static bool is_stalled; /* Its last wait for room was in vain. */
static unsigned fifo_room;
static atomic_flag receiving = ATOMIC_FLAG_INIT;
static uint8_t ring[RING_SIZE];
static unsigned ring_head, ring_tail; /* Free-running; head - tail is the fill. */

static bool receive_begin(void) { return !atomic_flag_test_and_set_explicit(&receiving, memory_order_acquire); }
static void receive_end(void) { atomic_flag_clear_explicit(&receiving, memory_order_release); }

/* => receiving */
static void receive(void) {
  for (unsigned i = 0; i < FIFO_SIZE && ring_head - ring_tail < RING_SIZE; i++) {
    if ((arch_port_read8(REGISTER_LINE_STATUS) & LSR_READY) == 0) return;
    ring[ring_head++ % RING_SIZE] = arch_port_read8(REGISTER_DATA);
  }
}

static bool probe_scratch(uint8_t value) {
  arch_port_write8(REGISTER_SCRATCH, value);
  return arch_port_read8(REGISTER_SCRATCH) == value;
}

/* A byte sent in loopback mode arrives; bounded by the time ten bits take, many times over. */
static bool probe_loopback(void) {
  /* The loader's last byte, still in the shift register, would come back first. */
  for (unsigned i = 0; i < 10000 && (arch_port_read8(REGISTER_LINE_STATUS) & LSR_IDLE) == 0; i++) {}
  arch_port_write8(REGISTER_MODEM_CONTROL, MCR_LOOPBACK);
  arch_port_write8(REGISTER_DATA, 0xa7);
  unsigned tries = 10000;
  while (tries != 0 && (arch_port_read8(REGISTER_LINE_STATUS) & LSR_READY) == 0) tries--;
  const bool is_back = tries != 0 && arch_port_read8(REGISTER_DATA) == 0xa7;
  arch_port_write8(REGISTER_MODEM_CONTROL, MCR_READY);
  return is_back;
}

static void configure(void) {
  arch_port_write8(REGISTER_INTERRUPTS, 0);
  arch_port_write8(REGISTER_LINE_CONTROL, LCR_DLAB);
  arch_port_write8(REGISTER_DATA, 1); /* 115200 / 1. */
  arch_port_write8(REGISTER_INTERRUPTS, 0);
  arch_port_write8(REGISTER_LINE_CONTROL, LCR_8N1);
  arch_port_write8(REGISTER_FIFO, FCR_ENABLE);
}

static bool wait_for_room(void) {
  for (unsigned tries = is_stalled ? 1 : WAIT_MAX; tries != 0; tries--) {
    if ((arch_port_read8(REGISTER_LINE_STATUS) & LSR_THR_EMPTY) != 0) {
      fifo_room = FIFO_SIZE;
      is_stalled = false;
      return true;
    }
    if (receive_begin()) {
      receive();
      receive_end();
    }
  }
  is_stalled = true;
  return false;
}

static void send(uint8_t byte) {
  if (!is_present || (fifo_room == 0 && !wait_for_room())) return;
  arch_port_write8(REGISTER_DATA, byte);
  fifo_room--;
}

/* The nearest ASCII for a character; our own screens use U+2500 to U+25ff: boxes, blocks, shapes. */
static char ascii_of(uint32_t character) {
  if (character == 0x2591) return '.';
  if (character == 0x2592) return ':';
  if (character >= 0x2580 && character <= 0x259f) return '#';
  if (character == 0x2500 || character == 0x2501 || character == 0x2550) return '-';
  if (character == 0x2502 || character == 0x2503 || character == 0x2551) return '|';
  if (character >= 0x2500 && character < 0x2580) return '+';
  return character >= 0x25a0 && character < 0x2600 ? '*' : '?';
}

/* A character may come in two calls, so what has been read of it is kept. */
static void send_ascii(uint8_t byte) {
  static uint32_t character;
  static unsigned missing;
  if ((byte & 0xc0) == 0x80) {
    if (missing == 0) return;
    character = character << 6 | (byte & 0x3f);
    missing--;
    if (missing == 0) send((uint8_t)ascii_of(character));
  } else if (byte >= 0xc0) {
    missing = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    character = byte & (0x3fU >> missing);
  } else {
    missing = 0;
    send(byte);
  }
}

void serial_write(const char *bytes, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const uint8_t byte = (uint8_t)bytes[i];
    if (byte == '\n') send('\r');
    if (options->serial_ascii)
      send_ascii(byte);
    else
      send(byte);
  }
}

int serial_poll(void) {
  if (!is_present) return -1;
  const bool were_on = arch_irq_save();
  int byte = -1;
  if (receive_begin()) {
    if (ring_head == ring_tail) receive();
    if (ring_head != ring_tail) byte = ring[ring_tail++ % RING_SIZE];
    receive_end();
  }
  arch_irq_restore(were_on);
  return byte;
}

bool serial_init(void) {
  static const struct console_output output = {"serial", serial_write};
  if (is_present) return true;
  if (options->serial == OPTION_SERIAL_OFF) return false;
  if (!probe_scratch(0x5a) || !probe_scratch(0xa5)) return false;
  configure();
  if (!probe_loopback()) return false;
  is_present = true;
  console_add(&output);
  klog(KLOG_INFO, "serial", "16550 at port 0x%x, 115200 8N1", PORT);
  return true;
}
