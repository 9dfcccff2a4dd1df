/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/unlanded.c — a weak stand-in for the prompt, so that the kernel links while that room is being built. */
#include "arch/cpu.h"
#include "kernel/klog.h"
#include "kernel/power.h"
#include "kernel/shell.h"

[[gnu::weak]] void shell_run(void) {
  klog(KLOG_NOTICE, "shell", "no prompt yet");
  for (unsigned i = 0; i < 1000; i++) arch_cpu_idle();
  power_exit(0);
}
