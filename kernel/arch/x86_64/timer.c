/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/timer.c — how fast the time stamp counter runs, and a tick of about 1 kHz.
 *
 * WHAT   The counter is the kernel's clock; its rate comes from the first source that can be trusted:
 *          CPUID 15h when it gives crystal and ratio (SDM 2A; many CPUs and hypervisors leave the crystal 0),
 *          the ACPI timer (3.579545 MHz by specification, ACPI 6.5 4.8.3.3), watched for 5 ms,
 *          the 8254's channel 2 (1.193182 MHz), watched for 10 ms,
 *          CPUID 16h, a nominal figure that is a few percent off.
 * HOW    The APIC timer's rate is then measured against the counter for 2 ms.  Every wait is bounded in steps, so that a
 *        device that stands still costs a bounded time and not the boot.
 */
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/port.h"
#include "arch_impl/cpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "kernel/console.h"
#include "kernel/idle.h"
#include "kernel/klog.h"

#define PM_TIMER_HZ   UINT64_C(3579545)
#define PM_TIMER_MASK 0xffffffU           /* 24 bits are always there. */
#define PM_TICKS      (PM_TIMER_HZ / 200) /* 5 ms. */
#define PIT_HZ        UINT64_C(1193182)
#define PIT_TICKS     (PIT_HZ / 100)    /* 10 ms. */
#define WAIT_STEPS    UINT32_C(2000000) /* A port read takes about a microsecond on a PC: two seconds. */
#define TICK_HZ       1000
#define RATE_MIN      UINT64_C(50000000)
#define RATE_MAX      UINT64_C(20000000000)

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PIT_GATE     0x61

RO_AFTER_INIT static uint64_t rate;
RO_AFTER_INIT static const char *rate_source = "unknown";
RO_AFTER_INIT static bool is_ticking;

static uint64_t rate_by_crystal(void) {
  if (cpuid_read(0, 0).eax < 0x15) return 0;
  const struct cpuid r = cpuid_read(0x15, 0);
  if (r.eax == 0 || r.ebx == 0 || r.ecx == 0) return 0;
  return (uint64_t)r.ecx * r.ebx / r.eax;
}

static uint64_t rate_by_pm_timer(uint16_t port) {
  if (port == 0) return 0;
  const uint32_t first = arch_port_read32(port) & PM_TIMER_MASK;
  const uint64_t start = tsc_read();
  for (uint32_t i = 0; i < WAIT_STEPS; i++) {
    const uint64_t ticks = ((arch_port_read32(port) & PM_TIMER_MASK) - first) & PM_TIMER_MASK;
    if (ticks >= PM_TICKS) return (tsc_read() - start) * PM_TIMER_HZ / ticks;
    if (i == 10000 && ticks == 0) return 0; /* It stands still. */
  }
  return 0;
}

static uint64_t rate_by_pit(void) {
  const uint8_t gate = arch_port_read8(PIT_GATE);
  arch_port_write8(PIT_GATE, (uint8_t)((gate & ~2U) | 1U)); /* Gate on, speaker off. */
  arch_port_write8(PIT_COMMAND, 0xb0);                      /* Channel 2, both bytes, mode 0: output rises at the end. */
  arch_port_write8(PIT_CHANNEL2, PIT_TICKS & 0xff);
  arch_port_write8(PIT_CHANNEL2, PIT_TICKS >> 8);
  const uint64_t start = tsc_read();
  uint64_t result = 0;
  for (uint32_t i = 0; i < WAIT_STEPS && result == 0; i++) {
    if (arch_port_read8(PIT_GATE) & 0x20) result = (tsc_read() - start) * PIT_HZ / PIT_TICKS;
  }
  arch_port_write8(PIT_GATE, gate);
  return result;
}

static uint64_t rate_by_name(void) {
  return cpuid_read(0, 0).eax >= 0x16 ? (cpuid_read(0x16, 0).eax & 0xffff) * UINT64_C(1000000) : 0;
}

static bool accept(uint64_t found, const char *source) {
  if (found < RATE_MIN || found > RATE_MAX) return false;
  rate = found;
  rate_source = source;
  return true;
}

static void find_rate(uint16_t pm_timer) {
  if (accept(rate_by_crystal(), "CPUID 15h")) return;
  if (accept(rate_by_pm_timer(pm_timer), "ACPI timer")) return;
  if (accept(rate_by_pit(), "8254")) return;
  if (accept(rate_by_name(), "CPUID 16h")) return;
  klog(KLOG_WARN, "timer", "no source tells the rate of the time stamp counter: times in the log are 0");
}

uint64_t arch_timestamp_rate(const char **source) {
  *source = rate_source;
  return rate;
}

/* APIC timer ticks in 2 ms by the counter, 0 when it stands still. */
static uint32_t measure_apic(void) {
  const uint64_t span = rate / 500;
  apic_timer_count();
  const uint64_t start = tsc_read();
  const uint32_t first = apic_timer_left();
  while (tsc_read() - start < span) cpu_pause();
  return first - apic_timer_left();
}

status_t arch_timer_init(uint16_t pm_timer) {
  find_rate(pm_timer);
  if (!apic_init() || rate == 0) return ERR_UNSUPPORTED;
  const uint32_t ticks = measure_apic();
  if (ticks < 4) return ERR_UNSUPPORTED;
  is_ticking = true;
  apic_timer_start(ticks / (TICK_HZ / 500));
  return OK;
}

void timer_interrupt(void) {
  console_tick();
  idle_tick();
}

/* Without a tick nobody else polls the consoles. */
void arch_cpu_idle(void) {
  if (is_ticking) {
    __asm__ volatile("hlt");
  } else {
    console_tick();
    cpu_pause();
  }
}
