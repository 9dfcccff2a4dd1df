/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/firmware.c — ResetSystem, called with nothing but the firmware's own memory beside the kernel.
 *
 * WHAT   UEFI's runtime services run in physical mode: SetVirtualAddressMap is never called, because many firmwares break in
 *        it and it can be called once only (research: stale pointers, writes to page 0).  They get a private address space
 *        whose lower half maps their regions one to one and whose upper half is the kernel's.
 * HOW    The rights come from the memory attributes table: code read-only, data not executable.  Without the table no rights
 *        are known, every page would have to be writable and executable, and so Cairn does not call (decision): power.c
 *        goes on to ACPI.  The call is guarded: a fault inside comes back here.
 * LOCKING  Called once, at the end, with interrupts off.
 */
#include "kernel/firmware.h"

#include "arch/boot.h"
#include "arch/cpu.h"
#include "arch/trap.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "lib/string.h"
#include "mm/pagetable.h"
#include "mm/physmap.h"
#include "mm/pmm.h"

#define EFI_SYSTEM_TABLE_SIGNATURE UINT64_C(0x5453595320494249) /* "IBI SYST" */
#define EFI_RUNTIME_SIGNATURE      UINT64_C(0x56524553544e5552) /* "RUNTSERV" */
#define EFI_SYSTEM_TABLE_RUNTIME   88
#define EFI_RUNTIME_RESET          104
#define EFI_MEMORY_XP              (UINT64_C(1) << 14)
#define EFI_MEMORY_RO              (UINT64_C(1) << 17)
#define EFI_MEMORY_RUNTIME         (UINT64_C(1) << 63)

RO_AFTER_INIT static struct {
  uint64_t system_table;
  const struct firmware_region *regions;
  size_t count;
  const struct boot_region *map;
  size_t map_count;
  struct pagetable space; /* Root 0 until firmware_prepare has built it. */
  const char *trouble;    /* Why it has not. */
} firmware;

void firmware_init(const struct boot_handoff *h, const struct firmware_region *regions, size_t count) {
  firmware.system_table = h->system_table;
  firmware.regions = regions;
  firmware.count = count;
  firmware.map = memory_regions(&firmware.map_count);
}

const char *firmware_state(void) {
  if (firmware.system_table == 0) return "no system table";
  if (firmware.count == 0) return "no memory attributes table";
  if (firmware.space.root.raw == 0) return firmware.trouble ? firmware.trouble : "not prepared";
  return "ready";
}

/* --- the private address space ----------------------------------------------------------------------------------------- */

static status_t take_frame(void *context, paddr_t *out) {
  pfn_t frame;
  (void)context;
  const status_t s = nodes_alloc_frame(memory_nodes(), FRAME_OWNER_PAGE_TABLES, 0, &frame);
  if (s == OK) *out = paddr_of_pfn(frame);
  return s;
}

static uint32_t flags_of(uint64_t attributes) {
  if (!(attributes & EFI_MEMORY_XP)) return PAGE_EXECUTE; /* Code; one that claims to be writable too stays read-only. */
  return attributes & EFI_MEMORY_RO ? 0 : PAGE_WRITE;
}

static status_t map_services(struct pagetable *t) {
  for (size_t i = 0; i < firmware.count; i++) {
    const struct firmware_region *r = &firmware.regions[i];
    const status_t s = pagetable_map(t, vrange(r->start, r->end), paddr(r->start), flags_of(r->attributes));
    if (s != OK) return s;
  }
  return OK;
}

/* Device memory that the services reach through (flash): the map marks it, the attributes table does not list it. */
static status_t map_devices(struct pagetable *t) {
  for (size_t i = 0; i < firmware.map_count; i++) {
    const struct boot_region *r = &firmware.map[i];
    const bool is_device = r->kind == BOOT_MEMORY_MMIO || r->kind == BOOT_MEMORY_RESERVED;
    if (!is_device || !(r->attributes & EFI_MEMORY_RUNTIME)) continue;
    const status_t s = pagetable_map(t, vrange(r->start, r->end), paddr(r->start), PAGE_WRITE | PAGE_UNCACHED);
    if (s != OK) return s;
  }
  return OK;
}

static status_t build_space(struct pagetable *t) {
  paddr_t root;
  status_t s = take_frame(nullptr, &root);
  if (s != OK) return s;
  memset(physmap_at(root), 0, FRAME_SIZE);
  pagetable_init(t, root, (struct pagetable_source){take_frame, nullptr, nullptr});
  s = map_services(t);
  if (s == OK) s = map_devices(t);
  return s;
}

/* Its tables are built at boot: who ends the machine may be a panic, which must not ask the allocator for anything. */
void firmware_prepare(void) {
  if (firmware.system_table == 0 || firmware.count == 0) return;
  struct pagetable space;
  if (build_space(&space) == OK) {
    firmware.space = space;
  } else {
    firmware.trouble = "its regions cannot be mapped"; /* What was built stays, charged to page tables. */
  }
  klog(KLOG_INFO, "firmware", "%s, UEFI %u.%u, runtime services %s", memory_firmware_vendor(),
       (unsigned)(memory_handoff()->uefi_revision >> 16), (unsigned)(memory_handoff()->uefi_revision & 0xffff) / 10,
       firmware_state());
}

/* The kernel's half as it is now. */
static void share_kernel_half(void) {
  unsigned first;
  unsigned end;
  arch_mmu_kernel_slots(&first, &end);
  arch_pte_t *entries = physmap_at(firmware.space.root);
  const arch_pte_t *kernel = physmap_at(arch_mmu_root());
  for (unsigned i = first; i < end; i++) entries[i] = kernel[i];
}

/* --- the call ----------------------------------------------------------------------------------------------------- */

typedef void(ARCH_FIRMWARE_CALL *reset_system_t)(uint32_t kind, uint64_t status, uint64_t size, const void *data);

static uint64_t read_word(uint64_t address) {
  return *(const volatile uint64_t *)(uintptr_t)address; // NOLINT(performance-no-int-to-ptr)
}

/* Runs in the private space; every address here is physical and mapped one to one, or the read faults and we are back. */
static void call_reset(void *argument) {
  const enum firmware_reset *kind = argument;
  const uint64_t table = firmware.system_table;
  if (read_word(table) != EFI_SYSTEM_TABLE_SIGNATURE) return;
  const uint64_t services = read_word(table + EFI_SYSTEM_TABLE_RUNTIME);
  if (read_word(services) != EFI_RUNTIME_SIGNATURE) return;
  const reset_system_t reset = (reset_system_t)(uintptr_t)read_word(services + EFI_RUNTIME_RESET); // NOLINT
  reset((uint32_t)*kind, 0, 0, nullptr);
}

void firmware_reset(enum firmware_reset kind) {
  struct arch_trap_caught caught;
  if (firmware.space.root.raw == 0) {
    klog(KLOG_INFO, "firmware", "not called: %s", firmware_state());
    return;
  }
  (void)arch_irq_save();
  share_kernel_half();
  const paddr_t before = arch_mmu_root();
  arch_mmu_use_root(firmware.space.root);
  const bool returned = arch_trap_guarded(call_reset, &kind, &caught);
  arch_mmu_use_root(before);
  if (returned) {
    klog(KLOG_WARN, "firmware", "ResetSystem came back");
  } else {
    klog(KLOG_WARN, "firmware", "ResetSystem faulted (vector %u)", caught.vector);
  }
}
