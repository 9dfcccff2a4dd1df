/* SPDX-License-Identifier: BSD-2-Clause */
/* Tests of kernel/drivers/console/keyboard.c against an i8042 of our own: there, not there, stuck, and typing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/drivers/console/keyboard.c" /* NOLINT(bugprone-suspicious-include): with ports of ours. */

static struct {
  bool is_there, is_stuck, is_mute; /* Stuck: never takes a byte.  Mute: never answers. */
  uint8_t queue[256];
  bool from_mouse[256];
  unsigned head, tail;
  uint8_t config;
  bool expects_config;
  unsigned long reads;
  bool scans;
} chip;

static void queue(uint8_t byte, bool from_mouse) {
  chip.queue[chip.head % 256] = byte;
  chip.from_mouse[chip.head++ % 256] = from_mouse;
}

uint8_t arch_port_read8(uint16_t port) {
  chip.reads++;
  if (!chip.is_there) return 0xff;
  const bool is_full = chip.head != chip.tail;
  if (port == PORT_COMMAND)
    return (uint8_t)((is_full ? STATUS_OUTPUT_FULL : 0) | (chip.is_stuck ? STATUS_INPUT_FULL : 0) |
                     (is_full && chip.from_mouse[chip.tail % 256] ? STATUS_AUXILIARY : 0));
  return is_full ? chip.queue[chip.tail++ % 256] : 0;
}

void arch_port_write8(uint16_t port, uint8_t value) {
  if (port == PORT_COMMAND && value == COMMAND_READ_CONFIG && !chip.is_mute) queue(chip.config, false);
  if (port == PORT_COMMAND) chip.expects_config = value == COMMAND_WRITE_CONFIG;
  if (port != PORT_DATA) return;
  if (chip.expects_config) {
    chip.config = value;
    chip.expects_config = false;
  } else if (value == KEYBOARD_SCAN) {
    chip.scans = true;
    queue(0xfa, false);
  }
}

bool arch_irq_save(void) { return false; }
void arch_irq_restore(bool were_on) { assert_false(were_on); }
void klog(enum klog_level level, const char *room, const char *format, ...) {
  (void)level;
  (void)room;
  (void)format;
}

static void reset(bool is_there) {
  memset(&chip, 0, sizeof(chip));
  chip.is_there = is_there;
  chip.config = 0x33; /* Interrupts on, both clocks off, no translation. */
  is_present = false;
  state = (struct input_keyboard){};
}

static void a_machine_without_a_controller_is_found_out_at_once(void **context) {
  (void)context;
  reset(false);
  assert_false(keyboard_init());
  assert_int_equal(chip.reads, 1);
  assert_int_equal(keyboard_poll(), CONSOLE_KEY_NONE);
  assert_int_equal(chip.reads, 1);
}

static void a_controller_that_is_stuck_or_mute_costs_a_bounded_wait(void **context) {
  (void)context;
  reset(true);
  chip.is_stuck = true;
  assert_false(keyboard_init());
  assert_true(chip.reads < 3UL * WAIT_MAX);
  reset(true);
  chip.is_mute = true;
  assert_false(keyboard_init());
  assert_true(chip.reads < 3UL * WAIT_MAX);
  assert_int_equal(keyboard_poll(), CONSOLE_KEY_NONE);
}

static void a_controller_is_set_to_translate_without_interrupts(void **context) {
  (void)context;
  reset(true);
  for (unsigned i = 0; i < 20; i++) queue(0x1e, false); /* Typed while the firmware ran: dropped. */
  assert_true(keyboard_init());
  assert_int_equal(chip.config, 0x60);
  assert_true(chip.scans);
  assert_int_equal(keyboard_poll(), CONSOLE_KEY_NONE); /* The acknowledgement types nothing. */
}

static void keys_come_in_order_and_the_mouse_types_nothing(void **context) {
  (void)context;
  reset(true);
  assert_true(keyboard_init());
  queue(0x23, false);
  queue(0xa3, false);
  queue(0x17, true);
  queue(0x17, false);
  queue(0xe0, false);
  queue(0x48, false);
  assert_int_equal(keyboard_poll(), 'h');
  assert_int_equal(keyboard_poll(), 'i');
  assert_int_equal(keyboard_poll(), CONSOLE_KEY_UP);
  assert_int_equal(keyboard_poll(), CONSOLE_KEY_NONE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_machine_without_a_controller_is_found_out_at_once),
      cmocka_unit_test(a_controller_that_is_stuck_or_mute_costs_a_bounded_wait),
      cmocka_unit_test(a_controller_is_set_to_translate_without_interrupts),
      cmocka_unit_test(keys_come_in_order_and_the_mouse_types_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
