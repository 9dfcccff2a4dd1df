/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/console.c — every console of this machine as one.
 *
 * HOW      Output goes to each console_output in turn, in pieces of PIECE bytes.  Input is polled by console_tick (the
 *          timer's interrupt) into a ring of keys; readers poll for themselves when the ring is empty, so that input works
 *          before the timer does.
 * LOCKING  `busy` is held for one piece, with interrupts masked, so no interrupt of the same CPU can meet it held; a line of
 *          the log is one piece, so lines of several CPUs do not mix.  A panic ignores it.  The ring is only touched with
 *          interrupts masked, by CPU 0: the tick and the prompt are there.
 */
#include "kernel/console.h"

#include <stdatomic.h>

#include "arch/cpu.h"
#include "kernel/crash.h"
#include "kernel/drivers/console/input.h"
#include "kernel/fbconsole.h"
#include "kernel/idle.h"
#include "kernel/keyboard.h"
#include "kernel/klog.h"
#include "kernel/serial.h"
#include "kernel/smp.h"
#include "lib/format.h"
#include "lib/string.h"

#define OUTPUTS_MAX 4
#define PIECE       256
#define RING_SIZE   128
#define CONTROL_C   3

static const struct console_output *outputs[OUTPUTS_MAX];
static unsigned output_count;
static atomic_flag busy = ATOMIC_FLAG_INIT;
static atomic_bool is_panicking;

static int ring[RING_SIZE];
static unsigned ring_head, ring_tail; /* Free-running; head - tail is the fill. */
static struct input_terminal terminal;

/* Returns whether interrupts were on; in a panic it takes nothing. */
static bool piece_begin(void) {
  const bool were_on = arch_irq_save();
  while (!is_panicking && atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) smp_relax();
  return were_on;
}

static void piece_end(bool were_on) {
  atomic_flag_clear_explicit(&busy, memory_order_release);
  arch_irq_restore(were_on);
}

void console_write(const char *bytes, size_t n) {
  while (n != 0) {
    const size_t piece = n < PIECE ? n : PIECE;
    const bool were_on = piece_begin();
    for (unsigned i = 0; i < output_count; i++) outputs[i]->write(bytes, piece);
    piece_end(were_on);
    bytes += piece;
    n -= piece;
  }
}

static const struct console_output *find_output(const char *name) {
  for (unsigned i = 0; i < output_count; i++)
    if (strcmp(outputs[i]->name, name) == 0) return outputs[i];
  return NULL;
}

bool console_has(const char *name) { return find_output(name) != NULL; }

void console_write_to(const char *name, const char *bytes, size_t n) {
  const struct console_output *o = find_output(name);
  while (o && n != 0) {
    const size_t piece = n < PIECE ? n : PIECE;
    const bool were_on = piece_begin();
    o->write(bytes, piece);
    piece_end(were_on);
    bytes += piece;
    n -= piece;
  }
}

struct line_sink {
  char text[PIECE];
  size_t fill;
};

static void line_flush(struct line_sink *s) {
  console_write(s->text, s->fill);
  s->fill = 0;
}

static void line_put(void *context, const char *bytes, size_t n) {
  struct line_sink *s = context;
  while (n != 0) {
    if (s->fill == sizeof(s->text)) line_flush(s);
    const size_t room = sizeof(s->text) - s->fill;
    const size_t taken = n < room ? n : room;
    memcpy(s->text + s->fill, bytes, taken);
    s->fill += taken;
    bytes += taken;
    n -= taken;
  }
}

void console_vprintf(const char *format, va_list args) {
  struct line_sink sink;
  sink.fill = 0;
  if (klog_addresses_allowed())
    format_to_sink_with_addresses(line_put, &sink, format, args);
  else
    format_to_sink(line_put, &sink, format, args);
  line_flush(&sink);
}

void console_printf(const char *format, ...) {
  va_list args;
  va_start(args, format);
  console_vprintf(format, args);
  va_end(args);
}

void console_add(const struct console_output *o) {
  if (output_count == OUTPUTS_MAX) return;
  klog_replay(o->write);
  outputs[output_count++] = o;
}

static void ring_put(int key) {
  if (key != CONSOLE_KEY_NONE && ring_head - ring_tail < RING_SIZE) ring[ring_head++ % RING_SIZE] = key;
}

/* => interrupts masked */
static void take_input(void) {
  for (int byte = serial_poll(); byte >= 0; byte = serial_poll()) {
    ring_put(input_terminal_byte(&terminal, (uint8_t)byte));
    if (ring_head - ring_tail == RING_SIZE) break;
  }
  for (int key = keyboard_poll(); key != CONSOLE_KEY_NONE; key = keyboard_poll()) {
    ring_put(key);
    if (ring_head - ring_tail == RING_SIZE) break;
  }
}

void console_tick(void) {
  crash_on_tick();
  if (ring_head - ring_tail < RING_SIZE) take_input();
}

int console_poll_key(void) {
  const bool were_on = arch_irq_save();
  if (ring_head == ring_tail) take_input();
  const int key = ring_head == ring_tail ? CONSOLE_KEY_NONE : ring[ring_tail++ % RING_SIZE];
  arch_irq_restore(were_on);
  return key;
}

bool console_interrupted(void) {
  const bool were_on = arch_irq_save();
  if (ring_head - ring_tail < RING_SIZE) take_input();
  bool is_there = false;
  for (unsigned at = ring_head; at != ring_tail && !is_there; at--) {
    is_there = ring[(at - 1) % RING_SIZE] == CONTROL_C;
    if (is_there) ring_tail = at;
  }
  arch_irq_restore(were_on);
  return is_there;
}

int console_read_key(void) {
  for (;;) {
    const int key = console_poll_key();
    if (key != CONSOLE_KEY_NONE) return key;
    if (!idle_step()) arch_cpu_idle(); /* Bounded steps: the next key waits for one at most. */
  }
}

bool console_is_panicking(void) { return is_panicking; }

void console_enter_panic(void) {
  if (atomic_exchange(&is_panicking, true)) return;
  fbconsole_enter_panic();
  console_write("\033[0m\n", 5);
}
