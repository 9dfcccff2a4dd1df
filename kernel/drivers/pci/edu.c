/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/edu.c — drives QEMU's `edu`, the smallest device that does DMA, and has a small reach.
 *
 * WHAT   The first driver of Cairn: proof that enumeration, mapping, bus mastering and DMA memory are real.
 * HOW    Four registers of 64 bits: source, destination, count, command.  The device waits for 100 ms of its clock, then
 *        copies at once and clears the command's lowest bit; that is asked for once a tick until a deadline.  Of an address
 *        it drives 28 bits, so that what lies above lands somewhere else, silently.
 * SPEED  100 ms for 4 KiB are the device's own (QEMU arms its timer so at every command): 1 MiB in and out are 514 of
 *        them, 51 s at the least.  Neither interrupts nor polling faster can change that; several devices side by side do,
 *        and so all that the machine has are used.  The CPU sleeps between looks: a guest that polls without end keeps
 *        QEMU's main loop, which runs the device's timer, from its lock.
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
#define POLLS_MAX         UINT64_C(100000000) /* For a machine whose clock stands. */

static struct edu edu;

static uint32_t get32(const struct edu_engine *g, unsigned at) { return *(volatile uint32_t *)(g->registers + at); }
static void set32(const struct edu_engine *g, unsigned at, uint32_t v) { *(volatile uint32_t *)(g->registers + at) = v; }
static uint64_t get64(const struct edu_engine *g, unsigned at) { return *(volatile uint64_t *)(g->registers + at); }
static void set64(const struct edu_engine *g, unsigned at, uint64_t v) { *(volatile uint64_t *)(g->registers + at) = v; }

static bool is_alive(struct edu_engine *g) {
  const uint32_t challenge = 0x5a17c0de;
  g->identity = get32(g, REGISTER_IDENTITY);
  set32(g, REGISTER_LIVENESS, challenge);
  return (g->identity & 0xffff) == 0x00ed && get32(g, REGISTER_LIVENESS) == ~challenge;
}

static bool is_busy(const struct edu_engine *g) { return (get64(g, REGISTER_COMMAND) & COMMAND_RUN) != 0; }

/* Registers, life, mastery: in this order, so that it can touch nothing before it is known. */
static status_t start(const struct pci_function *f, struct edu_engine *g) {
  void *mapped;
  if (f->bars[0].size < REGISTERS_SIZE) return ERR_IO;
  status_t s = pci_map_bar(f, 0, &mapped);
  if (s == OK) s = pci_enable(f, PCI_ENABLE_MEMORY);
  if (s != OK) return s;
  g->function = f;
  g->registers = mapped;
  if (!is_alive(g)) return ERR_IO;
  return pci_enable(f, PCI_ENABLE_MASTER);
}

static status_t add_engine(const struct pci_function *f) {
  struct edu_engine *g = &edu.engines[edu.engine_count];
  status_t s = pci_claim(f, "edu");
  if (s != OK) return s;
  s = start(f, g);
  if (s != OK) {
    klog(KLOG_WARN, "edu", "the device does not start: %s", status_name(s));
    return pci_release(f) == OK ? s : ERR_IO;
  }
  edu.engine_count++;
  klog(KLOG_INFO, "edu", "edu %u.%u at %02x:%02x.%x, %u address bits", (unsigned)(g->identity >> 24),
       (unsigned)(g->identity >> 16 & 0xff), (unsigned)f->where.bus, (unsigned)f->where.device, (unsigned)f->where.function,
       EDU_ADDRESS_BITS);
  return OK;
}

static bool is_edu(const struct pci_function *f) { return f->vendor == VENDOR && f->device == DEVICE; }

status_t edu_open(struct edu **out) {
  const struct dma_limits limits = {.address_bits = EDU_ADDRESS_BITS};
  const struct pci_function *f;
  *out = &edu;
  if (edu.engine_count > 0) return OK;
  if (!pci_find(VENDOR, DEVICE, 0)) return ERR_NOT_FOUND;
  status_t s = edu.dma ? OK : dma_device_create(memory_nodes(), "edu", &limits, &edu.dma);
  if (s != OK) return s;
  s = ERR_NOT_FOUND;
  for (size_t i = 0; edu.engine_count < EDU_ENGINES_MAX && (f = pci_get(i)) != NULL; i++) {
    if (is_edu(f) && f->driver == NULL) s = add_engine(f); /* One that does not start is no reason to do without the rest. */
  }
  return edu.engine_count > 0 ? OK : s;
}

status_t edu_wait(struct edu *e) {
  const uint64_t deadline = clock_us() + TIMEOUT_US;
  unsigned at = 0;
  for (uint64_t i = 0; i < POLLS_MAX; i++) {
    while (at < e->engine_count && !is_busy(&e->engines[at])) at++;
    if (at == e->engine_count) return OK;
    if (clock_us() > deadline) return ERR_TIMEOUT;
    arch_cpu_idle();
  }
  return ERR_TIMEOUT;
}

static status_t transfer(struct edu *e, unsigned engine, uint64_t source, uint64_t target, uint64_t size, uint32_t command) {
  if (engine >= e->engine_count || size == 0 || size > EDU_TRANSFER_MAX) return ERR_INVALID;
  const struct edu_engine *g = &e->engines[engine];
  if (!g->function->is_master) return ERR_STATE;
  if (is_busy(g)) return ERR_BUSY;
  set64(g, REGISTER_SOURCE, source);
  set64(g, REGISTER_TARGET, target);
  set64(g, REGISTER_COUNT, size);
  __atomic_thread_fence(__ATOMIC_SEQ_CST); /* What the CPU has written to the buffer is there before the device looks. */
  set64(g, REGISTER_COMMAND, command);
  return OK;
}

status_t edu_start_in(struct edu *e, unsigned engine, paddr_t from, uint64_t size) {
  return transfer(e, engine, from.raw, INTERNAL, size, COMMAND_RUN);
}

status_t edu_start_out(struct edu *e, unsigned engine, paddr_t to, uint64_t size) {
  return transfer(e, engine, INTERNAL, to.raw, size, COMMAND_RUN | COMMAND_TO_MEMORY);
}

uint64_t edu_fence(struct edu *e) {
  const bool is_idle = edu_wait(e) == OK;
  for (unsigned i = 0; !is_idle && i < e->engine_count; i++) {
    const struct edu_engine *g = &e->engines[i];
    if (is_busy(g) && pci_disable(g->function, PCI_ENABLE_MASTER) != OK) return 0;
  }
  return dma_fence(e->dma);
}
