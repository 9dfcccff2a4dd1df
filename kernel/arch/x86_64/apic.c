/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/apic.c — the local APIC as a timer and as the way to other CPUs, and the two old 8259s kept quiet.
 *
 * WHAT   The kernel needs two interrupts: a tick on CPU 0 that polls the consoles, and one from CPU to CPU.  Both come from
 *        the CPUs' own APICs, so no routing through I/O APICs is needed.
 * HOW    The mode is the firmware's: x2APIC (registers are MSRs) when it left that on, since it cannot be switched off
 *        without a reset when interrupt remapping relies on it; else xAPIC, whose page is mapped uncached.  CPUs that join
 *        are brought to the mode of CPU 0, and to the same address.
 * LOCKING  A command of an xAPIC is two writes: interrupts are masked between them.
 * SOURCE SDM 3A chapter 10 (local APIC), 10.12 (x2APIC); Intel 8259A data sheet.
 */
#include "arch/cpu.h"
#include "arch/mmu.h"
#include "arch/port.h"
#include "arch_impl/cpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "kernel/klog.h"
#include "mm/kspace.h"

#define APIC_ID            0x020
#define APIC_TASK_PRIORITY 0x080
#define APIC_END           0x0b0
#define APIC_SPURIOUS      0x0f0
#define APIC_COMMAND       0x300
#define APIC_COMMAND_TO    0x310
#define APIC_LVT_TIMER     0x320
#define APIC_LVT_LINT0     0x350
#define APIC_LVT_ERROR     0x370
#define APIC_TIMER_INITIAL 0x380
#define APIC_TIMER_CURRENT 0x390
#define APIC_TIMER_DIVIDE  0x3e0

#define APIC_SOFTWARE_ENABLE 0x100U
#define APIC_LVT_MASKED      0x10000U
#define APIC_TIMER_PERIODIC  0x20000U
#define APIC_DIVIDE_BY_16    0x3U
#define APIC_COMMAND_WAITS   0x1000U
#define APIC_XAPIC_IDS       0xffU /* 255 means all of them. */
#define COMMAND_STEPS        100000U

#define PIC_COMMAND(n) ((uint16_t)((n) ? 0xa0 : 0x20))
#define PIC_DATA(n)    ((uint16_t)((n) ? 0xa1 : 0x21))

RO_AFTER_INIT static volatile uint32_t *registers; /* xAPIC: 16 bytes apart. */
RO_AFTER_INIT static bool is_x2apic;
RO_AFTER_INIT static bool is_on;
RO_AFTER_INIT static uint64_t place; /* Physical address of the registers. */

static uint32_t apic_read(uint32_t offset) {
  return is_x2apic ? (uint32_t)msr_read(MSR_X2APIC + offset / 16) : registers[offset / 4];
}
static void apic_write(uint32_t offset, uint32_t value) {
  if (is_x2apic) {
    msr_write(MSR_X2APIC + offset / 16, value);
  } else {
    registers[offset / 4] = value;
  }
}

/* Even masked 8259s can raise a spurious interrupt: they must not do it on an exception's vector. */
static void pic_silence(void) {
  for (unsigned n = 0; n < 2; n++) {
    arch_port_write8(PIC_COMMAND(n), 0x11);                       /* ICW1: initialise, ICW4 follows. */
    arch_port_write8(PIC_DATA(n), (uint8_t)(VECTOR_PIC + 8 * n)); /* ICW2: vectors. */
    arch_port_write8(PIC_DATA(n), n ? 2 : 4);                     /* ICW3: the slave hangs on line 2. */
    arch_port_write8(PIC_DATA(n), 0x01);                          /* ICW4: 8086 mode. */
    arch_port_write8(PIC_DATA(n), 0xff);                          /* All lines masked. */
  }
}

static bool map_registers(uint64_t base) {
  void *mapped;
  const paddr_t page = paddr(base & PTE_ADDRESS);
  if (kspace_map(page, FRAME_SIZE, PAGE_WRITE | PAGE_UNCACHED, &mapped) != OK) return false;
  registers = mapped;
  return true;
}

static void set_up(void) {
  apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
  apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED); /* The 8259s' line. */
  apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
  apic_write(APIC_TASK_PRIORITY, 0);
  apic_write(APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | VECTOR_SPURIOUS);
}

bool apic_init(void) {
  pic_silence();
  if (!cpu_has_apic()) return false;
  const uint64_t base = msr_read(MSR_APIC_BASE);
  is_x2apic = (base & APIC_BASE_ENABLED) && (base & APIC_BASE_X2APIC);
  place = base & PTE_ADDRESS;
  if (!(base & APIC_BASE_ENABLED)) msr_write(MSR_APIC_BASE, base | APIC_BASE_ENABLED);
  if (!is_x2apic && !map_registers(base)) return false;
  set_up();
  is_on = true;
  klog(KLOG_INFO, "apic", "local APIC in %s mode", is_x2apic ? "x2APIC" : "xAPIC");
  return true;
}

/* From x2APIC mode the way back leads through "off"; into it the way leads through "on" (SDM 3A 10.12.5, figure 10-27). */
void apic_join(void) {
  const uint64_t base = msr_read(MSR_APIC_BASE);
  const uint64_t want = place | APIC_BASE_ENABLED | (base & APIC_BASE_FIRST);
  const bool was_x2apic = (base & APIC_BASE_ENABLED) && (base & APIC_BASE_X2APIC);
  if (was_x2apic && !is_x2apic) msr_write(MSR_APIC_BASE, place | (base & APIC_BASE_FIRST));
  if (!was_x2apic || !is_x2apic) msr_write(MSR_APIC_BASE, want);
  if (!was_x2apic && is_x2apic) msr_write(MSR_APIC_BASE, want | APIC_BASE_X2APIC);
  set_up();
}

bool apic_is_on(void) { return is_on; }
uint32_t apic_self(void) { return is_x2apic ? apic_read(APIC_ID) : apic_read(APIC_ID) >> 24; }
bool apic_reaches(uint32_t id) { return is_x2apic || id < APIC_XAPIC_IDS; }

/* The write of an x2APIC register does not wait for the stores before it (SDM 3A 10.12.3). */
static void send_x2apic(uint32_t to, uint32_t command) {
  __asm__ volatile("mfence; lfence" : : : "memory");
  msr_write(MSR_X2APIC + APIC_COMMAND / 16, (uint64_t)to << 32 | command);
}

void apic_send(uint32_t to, uint32_t command) {
  if (is_x2apic) {
    send_x2apic(to, command);
    return;
  }
  const bool were_on = arch_irq_save();
  apic_write(APIC_COMMAND_TO, to << 24);
  apic_write(APIC_COMMAND, command);
  for (unsigned i = 0; i < COMMAND_STEPS && (apic_read(APIC_COMMAND) & APIC_COMMAND_WAITS); i++) cpu_pause();
  arch_irq_restore(were_on);
}

void apic_end_of_interrupt(void) { apic_write(APIC_END, 0); }

void apic_timer_count(void) {
  apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
  apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
  apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
}
uint32_t apic_timer_left(void) { return apic_read(APIC_TIMER_CURRENT); }

void apic_timer_start(uint32_t period) {
  apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_16);
  apic_write(APIC_LVT_TIMER, APIC_TIMER_PERIODIC | VECTOR_TIMER);
  apic_write(APIC_TIMER_INITIAL, period);
}
