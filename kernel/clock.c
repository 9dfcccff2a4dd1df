/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/clock.c — microseconds from the CPU's counter.
 *
 * One multiplication: us = ticks * factor >> 32, with the factor computed once.  At 5 GHz the product of 128 bits lasts for
 * ever; the counter itself wraps after a century.
 */
#include "kernel/clock.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "base/compiler.h"
#include "kernel/klog.h"

RO_AFTER_INIT static uint64_t factor; /* 2^32 * microseconds a tick; 0 while the rate is unknown. */

status_t clock_init(uint16_t pm_timer) {
  const status_t s = arch_timer_init(pm_timer);
  const char *source;
  const uint64_t rate = arch_timestamp_rate(&source);
  if (rate > 0) factor = (UINT64_C(1000000) << 32) / rate;
  klog(KLOG_INFO, "clock", "counter at %llu.%03llu MHz by %s", (unsigned long long)(rate / 1000000),
       (unsigned long long)(rate / 1000 % 1000), source);
  if (s != OK) klog(KLOG_WARN, "clock", "no tick: consoles are polled while idle");
  return s;
}

uint64_t clock_us_of(uint64_t timestamp) {
  const uint64_t ticks = timestamp - arch_timestamp_at_entry();
  return (uint64_t)((unsigned __int128)ticks * factor >> 32);
}

uint64_t clock_us(void) { return clock_us_of(arch_cpu_timestamp()); }
