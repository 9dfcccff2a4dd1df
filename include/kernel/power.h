/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/power.h — how a machine ends.
 *
 * Each verb tries, in order: the firmware's ResetSystem from a private address space, ACPI, the keyboard controller (reboot
 * only), and says in the log which one it tries.  When all fail the CPU sleeps for ever and the screen says so.
 */
#pragma once

[[noreturn]] void power_reboot(void);
[[noreturn]] void power_off(void);
/** Ends QEMU through isa-debug-exit with status code*2+1 when that device is there, else like power_off. */
[[noreturn]] void power_exit(unsigned code);
