/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/edu.c — drives QEMU's `edu`, the smallest device that does DMA, and has a small reach.
 *
 * WHAT   The first driver of Cairn: proof that enumeration, mapping, bus mastering and DMA memory are real.
 * HOW    Four registers of 64 bits: source, destination, count, command.  The device works for about 100 ms a transfer and
 *        clears the command's lowest bit; that is asked for until a deadline.  Of an address it drives 28 bits, so that what
 *        lies above lands somewhere else, silently.
 * LOCKING  None: one caller at a time.
 * SOURCE   QEMU's own specification of the device: "EDU device".
 */
#include "kernel/drivers/pci/edu.h"

#include "arch/cpu.h"
#include "kernel/clock.h"
#include "kernel/klog.h"
#include "kernel/memory.h"

#define VENDOR            0x1234
#define DEVICE            0x11e8
#define REGISTERS_SIZE    UINT64_C(0x100000)
#define REGISTER_IDENTITY 0x00 /* 0xRRrr00ed. */
#define REGISTER_LIVENESS 0x04 /* Reads as the inverse of what was written. */
#define REGISTER_SOURCE   0x80
#define REGISTER_TARGET   0x88
#define REGISTER_COUNT    0x90
#define REGISTER_COMMAND  0x98
#define COMMAND_RUN       1U
#define COMMAND_TO_MEMORY 2U
#define INTERNAL          UINT64_C(0x40000) /* The device's own bytes, as it addresses them. */
#define TIMEOUT_US        UINT64_C(5000000)
#define POLLS_MAX         UINT64_C(2000000000) /* For a machine whose clock stands. */

static struct edu edu;

static uint32_t get32(unsigned at) { return *(volatile uint32_t *)(edu.registers + at); }
static void set32(unsigned at, uint32_t value) { *(volatile uint32_t *)(edu.registers + at) = value; }
static uint64_t get64(unsigned at) { return *(volatile uint64_t *)(edu.registers + at); }
static void set64(unsigned at, uint64_t value) { *(volatile uint64_t *)(edu.registers + at) = value; }

static bool is_alive(void) {
  const uint32_t challenge = 0x5a17c0de;
  edu.identity = get32(REGISTER_IDENTITY);
  set32(REGISTER_LIVENESS, challenge);
  return (edu.identity & 0xffff) == 0x00ed && get32(REGISTER_LIVENESS) == ~challenge;
}

/* Registers, life, memory, mastery: in this order, so that it can touch nothing before it is known. */
static status_t start(const struct pci_function *f) {
  void *mapped;
  if (f->bars[0].size < REGISTERS_SIZE) return ERR_IO;
  status_t s = pci_map_bar(f, 0, &mapped);
  if (s == OK) s = pci_enable(f, PCI_ENABLE_MEMORY);
  if (s != OK) return s;
  edu.registers = mapped;
  if (!is_alive()) return ERR_IO;
  const struct dma_limits limits = {.address_bits = EDU_ADDRESS_BITS};
  struct dma_device *dma;
  s = dma_device_create(memory_pmm(), "edu", &limits, &dma);
  if (s != OK) return s;
  edu.dma = dma;
  edu.function = f;
  return pci_enable(f, PCI_ENABLE_MASTER);
}

status_t edu_open(struct edu **out) {
  *out = &edu;
  if (edu.function) return OK;
  const struct pci_function *f = pci_find(VENDOR, DEVICE, 0);
  if (!f) return ERR_NOT_FOUND;
  status_t s = pci_claim(f, "edu");
  if (s != OK) return s;
  s = start(f);
  if (s != OK) {
    klog(KLOG_WARN, "edu", "the device does not start: %s", status_name(s));
    return pci_release(f) == OK ? s : ERR_IO;
  }
  klog(KLOG_INFO, "edu", "edu %u.%u at %02x:%02x.%x, %u address bits", (unsigned)(edu.identity >> 24),
       (unsigned)(edu.identity >> 16 & 0xff), (unsigned)f->where.bus, (unsigned)f->where.device, (unsigned)f->where.function,
       EDU_ADDRESS_BITS);
  return OK;
}

static bool wait_until_idle(void) {
  const uint64_t deadline = clock_us() + TIMEOUT_US;
  for (uint64_t i = 0; i < POLLS_MAX; i++) {
    if (!(get64(REGISTER_COMMAND) & COMMAND_RUN)) return true;
    if (clock_us() > deadline) return false;
    arch_cpu_relax();
  }
  return false;
}

static status_t transfer(uint64_t source, uint64_t target, uint64_t size, uint32_t command) {
  if (size == 0 || size > EDU_TRANSFER_MAX) return ERR_INVALID;
  if (get64(REGISTER_COMMAND) & COMMAND_RUN) return ERR_BUSY;
  set64(REGISTER_SOURCE, source);
  set64(REGISTER_TARGET, target);
  set64(REGISTER_COUNT, size);
  __atomic_thread_fence(__ATOMIC_SEQ_CST); /* What the CPU has written to the buffer is there before the device looks. */
  set64(REGISTER_COMMAND, command);
  return wait_until_idle() ? OK : ERR_TIMEOUT;
}

status_t edu_copy_in(struct edu *e, paddr_t from, uint64_t size) {
  (void)e;
  return transfer(from.raw, INTERNAL, size, COMMAND_RUN);
}

status_t edu_copy_out(struct edu *e, paddr_t to, uint64_t size) {
  (void)e;
  return transfer(INTERNAL, to.raw, size, COMMAND_RUN | COMMAND_TO_MEMORY);
}

uint64_t edu_fence(struct edu *e) {
  if (!wait_until_idle() && pci_disable(e->function, PCI_ENABLE_MASTER) != OK) return 0;
  return dma_fence(e->dma);
}
