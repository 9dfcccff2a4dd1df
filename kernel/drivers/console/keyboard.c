/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/console/keyboard.c — a keyboard behind an i8042 controller, polled.
 *
 * HOW      The firmware has left the controller working; we drain it, ask for translation to scancode set 1 without
 *          interrupts, and switch scanning on.  Every wait is a bounded number of status reads (about 1 us each on a PC).
 *          A machine without the controller reads all ones.
 * LOCKING  keyboard_poll masks interrupts around its few port accesses.
 * SOURCE   IBM PS/2 Hardware Interface Technical Reference, keyboard and auxiliary device controller.
 */
#include "kernel/keyboard.h"

#include "arch/cpu.h"
#include "arch/port.h"
#include "kernel/console.h"
#include "kernel/drivers/console/input.h"
#include "kernel/klog.h"

#define PORT_DATA    0x60
#define PORT_COMMAND 0x64 /* Status when read. */

#define STATUS_OUTPUT_FULL 0x01
#define STATUS_INPUT_FULL  0x02
#define STATUS_AUXILIARY   0x20

#define COMMAND_READ_CONFIG  0x20
#define COMMAND_WRITE_CONFIG 0x60
#define COMMAND_ENABLE       0xae
#define CONFIG_INTERRUPTS    0x03
#define CONFIG_CLOCK_OFF     0x10
#define CONFIG_TRANSLATE     0x40
#define KEYBOARD_SCAN        0xf4

#define WAIT_MAX 5000

static bool is_present;
static struct input_keyboard state;

static bool wait_status(uint8_t mask, uint8_t wanted) {
  for (unsigned tries = WAIT_MAX; tries != 0; tries--)
    if ((arch_port_read8(PORT_COMMAND) & mask) == wanted) return true;
  return false;
}

static bool write_port(uint16_t port, uint8_t value) {
  if (!wait_status(STATUS_INPUT_FULL, 0)) return false;
  arch_port_write8(port, value);
  return true;
}

static void drain(void) {
  for (unsigned i = 0; i < 64 && (arch_port_read8(PORT_COMMAND) & STATUS_OUTPUT_FULL) != 0; i++) arch_port_read8(PORT_DATA);
}

static bool read_config(uint8_t *config) {
  if (!write_port(PORT_COMMAND, COMMAND_READ_CONFIG) || !wait_status(STATUS_OUTPUT_FULL, STATUS_OUTPUT_FULL)) return false;
  *config = arch_port_read8(PORT_DATA);
  return true;
}

static bool configure(void) {
  uint8_t config;
  if (!write_port(PORT_COMMAND, COMMAND_ENABLE)) return false;
  drain();
  if (!read_config(&config)) return false;
  config = (uint8_t)((config | CONFIG_TRANSLATE) & ~(CONFIG_INTERRUPTS | CONFIG_CLOCK_OFF));
  if (!write_port(PORT_COMMAND, COMMAND_WRITE_CONFIG) || !write_port(PORT_DATA, config)) return false;
  if (!write_port(PORT_DATA, KEYBOARD_SCAN)) return false;
  /* The acknowledgement (0xfa) may come late, or never when no keyboard is plugged in; keyboard_poll ignores it. */
  return true;
}

int keyboard_poll(void) {
  if (!is_present) return CONSOLE_KEY_NONE;
  int key = CONSOLE_KEY_NONE;
  const bool were_on = arch_irq_save();
  for (unsigned i = 0; i < 16 && key == CONSOLE_KEY_NONE; i++) {
    const uint8_t status = arch_port_read8(PORT_COMMAND);
    if ((status & STATUS_OUTPUT_FULL) == 0) break;
    const uint8_t byte = arch_port_read8(PORT_DATA);
    if ((status & STATUS_AUXILIARY) == 0) key = input_keyboard_byte(&state, byte);
  }
  arch_irq_restore(were_on);
  return key;
}

bool keyboard_init(void) {
  if (arch_port_read8(PORT_COMMAND) == 0xff) return false;
  is_present = configure();
  klog(KLOG_INFO, "keyboard", is_present ? "i8042 controller, scancode set 1" : "i8042 controller does not answer");
  return is_present;
}
