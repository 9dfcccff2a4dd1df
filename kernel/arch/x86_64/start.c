/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/arch/x86_64/start.c — from the first C function to kmain.
 *
 * WHAT   Checks the handoff, takes the seed, sets the stack guard, forgets the loader's lower half and loads tables of our
 *        own.  After it the kernel depends on nothing of the loader's but the page tables of its own half.
 * HOW    start() is compiled without a stack guard, because it changes the guard's value under its own feet.
 *        When the handoff is wrong nothing else works yet: the reason goes to port 0x3f8 blindly, a bounded time a byte.
 */
#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/port.h"
#include "arch_impl/cpu.h"
#include "arch_impl/percpu.h"
#include "arch_impl/trap.h"
#include "base/compiler.h"
#include "kernel/handoff.h"
#include "kernel/layout.h"
#include "kernel/main.h"
#include "kernel/smp.h"
#include "lib/random.h"
#include "lib/string.h"
#include "mm/kspace.h"
#include "mm/physmap.h"

#define COM1_DATA        0x3f8
#define COM1_LINE_STATUS 0x3fd
#define COM1_READY       0x20
#define COM1_TRIES       100000

/* Until the seed is there the guard is a number that no string copy can write: it has a zero byte in it. */
struct percpu percpu_boot = {.self = &percpu_boot, .stack_guard = UINT64_C(0x0aff0d00c0debad0)};
RO_AFTER_INIT static uint64_t entry_timestamp;

uint64_t arch_timestamp_at_entry(void) { return entry_timestamp; }

static void say(const char *text) {
  for (; *text; text++) {
    for (unsigned i = 0; i < COM1_TRIES && !(arch_port_read8(COM1_LINE_STATUS) & COM1_READY); i++) cpu_pause();
    arch_port_write8(COM1_DATA, (uint8_t)*text);
  }
}

[[noreturn]] static void refuse(const char *problem) {
  say("\r\ncairn: the loader's handoff is not usable: ");
  say(problem);
  say("\r\ncairn: boot with the loader of the same version\r\n");
  arch_cpu_stop();
}

/* A fresh guard: its lowest byte is zero, so that a string that overruns its buffer cannot carry the right one.  What other
 * CPUs need, theirs and more, is drawn later. */
static uint64_t draw_guard(const struct boot_handoff *h) {
  struct random r;
  uint8_t seed[32];
  random_init(&r, h->seed);
  random_derive(&r, "processors", seed);
  percpu_seed(seed);
  random_derive(&r, "stack guard", seed);
  random_init(&r, seed);
  const uint64_t guard = random_u64(&r) & ~UINT64_C(0xff);
  string_wipe(seed, sizeof seed);
  string_wipe(&r, sizeof r);
  return guard;
}

/* The block itself is mapped read-only; its frames are in the direct map. */
static void wipe_seed(const struct boot_handoff *h) {
  string_wipe(physmap_at(paddr_add(paddr(h->physical), offsetof(struct boot_handoff, seed))), sizeof h->seed);
}

/* The loader's jump page is all that the lower half holds. */
static void forget_lower_half(void) {
  volatile uint64_t *root = physmap_at(arch_mmu_root());
  for (unsigned i = 0; i < 256; i++) root[i] = 0;
  cr3_write(cr3_read());
}

[[noreturn, gnu::used, clang::no_stack_protector]] void start(const struct boot_handoff *h);
[[noreturn, gnu::used, clang::no_stack_protector]] void start(const struct boot_handoff *h) {
  const char *problem;
  entry_timestamp = tsc_read();
  if (handoff_check(h, (uint64_t)(uintptr_t)h, &problem) != OK) refuse(problem);
  layout_init(h);
  physmap_init(vaddr(h->windows[BOOT_WINDOW_DIRECT_MAP].base), handoff_span(h, h->regions), h->regions.count);
  /* There is room for it; a panic from here on can tell whose stack it is on. */
  (void)kspace_stack_adopt("boot stack", vaddr(h->boot_stack), h->boot_stack_size);
  percpu_boot.stack_guard = draw_guard(h);
  wipe_seed(h);
  cpu_early();
  forget_lower_half();
  gdt_init();
  trap_init();
  kmain(h);
}

/* Another CPU, on its own stack, with its block behind GS. */
[[noreturn, gnu::used]] void start_other(struct percpu *me);
[[noreturn, gnu::used]] void start_other(struct percpu *me) {
  smp_begin();
  me->smp.arrived = tsc_read();
  gdt_use(percpu_descriptors(me->number));
  trap_load();
  const char *missing = cpu_join();
  if (missing) smp_refuse(missing);
  apic_join();
  smp_live();
}
