/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/power.c — every way to end, one after the other.
 *
 * Each way returns when it did not work.  The order is from the best informed to the bluntest: the firmware knows the board,
 * ACPI describes it, the keyboard controller's reset line is a convention of PCs, a triple fault is the CPU's own.
 * The other CPUs are stopped first, each where it holds no lock, so that none of them works on while the firmware takes the
 * machine down; one that does not stop in time does not keep us.
 */
#include "kernel/power.h"

#include "arch/cpu.h"
#include "arch/port.h"
#include "base/compiler.h"
#include "kernel/acpi.h"
#include "kernel/console.h"
#include "kernel/firmware.h"
#include "kernel/klog.h"
#include "kernel/options.h"
#include "kernel/smp.h"

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

static void firmware_cold(void) { firmware_reset(FIRMWARE_RESET_COLD); }
static void firmware_off(void) { firmware_reset(FIRMWARE_RESET_OFF); }

/* The ways in their order; reset= says where to begin.  Each returns when it did not work. */
struct way {
  enum option_reset begin;
  const char *name;
  void (*go)(void);
};

static void try_all(const char *what, const struct way *ways, size_t count) {
  const unsigned running = smp_stop_others(SMP_STOP_SOON);
  if (running > 0) klog(KLOG_WARN, "power", "%u %s not stop", running, running == 1 ? "CPU did" : "CPUs did");
  for (size_t i = 0; i < count; i++) {
    if (ways[i].begin < options->reset && i + 1 < count) continue;
    klog(KLOG_INFO, "power", "%s: %s", what, ways[i].name);
    ways[i].go();
  }
}

void power_reboot(void) {
  static const struct way ways[] = {
      {OPTION_RESET_FIRMWARE, "the firmware's ResetSystem", firmware_cold},
      {OPTION_RESET_ACPI, "the ACPI reset register", acpi_reset},
      {OPTION_RESET_KEYBOARD, "the keyboard controller", keyboard_reset},
      {OPTION_RESET_CPU, "a triple fault", arch_cpu_reset},
  };
  try_all("reboot", ways, ARRAY_COUNT(ways));
  give_up("reboot");
}

void power_off(void) {
  static const struct way ways[] = {
      {OPTION_RESET_FIRMWARE, "the firmware's ResetSystem", firmware_off},
      {OPTION_RESET_ACPI, "ACPI S5", acpi_power_off},
  };
  try_all("off", ways, ARRAY_COUNT(ways));
  give_up("power off");
}

/* Nothing answers at this port on a PC: the write is lost and the machine is switched off instead. */
void power_exit(unsigned code) {
  arch_port_write32(DEBUG_EXIT_PORT, code);
  power_off();
}
