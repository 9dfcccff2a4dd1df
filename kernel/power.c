/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/power.c — every way to end, one after the other.
 *
 * Each way returns when it did not work.  The order is from the best informed to the bluntest: the firmware knows the board,
 * ACPI describes it, the keyboard controller's reset line is a convention of PCs, a triple fault is the CPU's own.
 */
#include "kernel/power.h"

#include "arch/cpu.h"
#include "arch/port.h"
#include "kernel/acpi.h"
#include "kernel/console.h"
#include "kernel/firmware.h"
#include "kernel/klog.h"

#define I8042_STATUS     0x64
#define I8042_INPUT_FULL 2U
#define I8042_RESET      0xfe
#define WAIT_STEPS       1000000U
#define DEBUG_EXIT_PORT  0xf4

static void keyboard_reset(void) {
  for (unsigned i = 0; i < WAIT_STEPS && (arch_port_read8(I8042_STATUS) & I8042_INPUT_FULL); i++) arch_cpu_relax();
  arch_port_write8(I8042_STATUS, I8042_RESET);
  for (unsigned i = 0; i < WAIT_STEPS; i++) arch_cpu_relax();
}

[[noreturn]] static void give_up(const char *what) {
  console_printf("power: %s did not work on this machine: switch it off by hand\n", what);
  arch_cpu_stop();
}

void power_reboot(void) {
  klog(KLOG_INFO, "power", "reboot: the firmware's ResetSystem (%s)", firmware_state());
  firmware_reset(FIRMWARE_RESET_COLD);
  klog(KLOG_INFO, "power", "reboot: the ACPI reset register");
  acpi_reset();
  klog(KLOG_INFO, "power", "reboot: the keyboard controller");
  keyboard_reset();
  klog(KLOG_INFO, "power", "reboot: a triple fault");
  arch_cpu_reset();
  give_up("reboot");
}

void power_off(void) {
  klog(KLOG_INFO, "power", "off: the firmware's ResetSystem (%s)", firmware_state());
  firmware_reset(FIRMWARE_RESET_OFF);
  klog(KLOG_INFO, "power", "off: ACPI S5");
  acpi_power_off();
  give_up("power off");
}

/* Nothing answers at this port on a PC: the write is lost and the machine is switched off instead. */
void power_exit(unsigned code) {
  arch_port_write32(DEBUG_EXIT_PORT, code);
  power_off();
}
