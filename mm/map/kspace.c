/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/map/kspace.c — hands out the kernel's windows from low to high.
 *
 * WHAT   Two windows (boot/layout.h): KSPACE for device registers, STACKS for stacks.  Each is a cursor that only moves up.
 * HOW    A mapping starts one page above the end of the last one, so that running off either end meets nothing.  A stack
 *        whose low end is overrun faults in its own guard page, which kspace_stack_find() can name.
 * LOCKING  None: mappings are made during boot by one CPU.  kspace_stack_find reads entries that are complete before the
 *        count says so, and may be called from a panic.
 */
#include "mm/kspace.h"

#include "base/bits.h"

static struct {
  struct pagetable *table;
  vrange_t devices, stacks;
  uint64_t device_cursor, stack_cursor; /* Lowest address not yet given out. */
  struct kspace_source source;
  struct kspace_stack list[KSPACE_STACKS_MAX];
  size_t stack_count;
} kspace;

void kspace_init(struct pagetable *table, vrange_t devices, vrange_t stacks, struct kspace_source source) {
  kspace.table = table;
  kspace.devices = devices;
  kspace.stacks = stacks;
  kspace.device_cursor = devices.start.raw;
  kspace.stack_cursor = bits_max(stacks.start.raw, kspace.stack_cursor);
  kspace.source = source;
}

void kspace_set_source(struct kspace_source source) { kspace.source = source; }

/* Room for `size` bytes behind a guard page, with the same offset in 2 MiB as `to` when that lets large leaves be used. */
static bool place(uint64_t cursor, uint64_t end, uint64_t size, paddr_t to, uint64_t *base) {
  uint64_t at = cursor + FRAME_SIZE;
  if (size >= FRAME_2M_SIZE) {
    at = bits_align_up(at, FRAME_2M_SIZE) + (to.raw & (FRAME_2M_SIZE - 1));
  }
  if (size > end - cursor || at > end - size) return false;
  *base = at;
  return true;
}

status_t kspace_map(paddr_t start, uint64_t size, uint32_t flags, void **out) {
  uint64_t end;
  if (size == 0 || (flags & PAGE_EXECUTE)) return ERR_INVALID;
  if (!bits_add(start.raw, size, &end) || !bits_align_up_checked(end, FRAME_SIZE, &end)) return ERR_INVALID;
  const paddr_t first = paddr(bits_align_down(start.raw, FRAME_SIZE));
  const uint64_t bytes = end - first.raw;
  uint64_t base;
  if (!place(kspace.device_cursor, kspace.devices.end.raw, bytes, first, &base)) return ERR_NO_MEMORY;
  const status_t s = pagetable_map(kspace.table, vrange(base, base + bytes), first, flags | PAGE_GLOBAL);
  if (s != OK) return s;
  kspace.device_cursor = base + bytes;
  *out = (void *)(uintptr_t)(base + (start.raw - first.raw)); // NOLINT(performance-no-int-to-ptr)
  return OK;
}

static void stack_enter(const struct kspace_stack *stack) {
  kspace.list[kspace.stack_count] = *stack;
  __atomic_store_n(&kspace.stack_count, kspace.stack_count + 1, __ATOMIC_RELEASE);
  kspace.stack_cursor = bits_max(kspace.stack_cursor, stack->high.raw);
}

status_t kspace_stack_adopt(const char *name, vaddr_t low, uint64_t size) {
  if (kspace.stack_count == KSPACE_STACKS_MAX) return ERR_FULL;
  const struct kspace_stack stack = {name, low, vaddr_add(low, size)};
  stack_enter(&stack);
  return OK;
}

status_t kspace_stack_create(const char *name, uint64_t size, struct kspace_stack *out) {
  if (size == 0 || !bits_is_aligned(size, FRAME_SIZE)) return ERR_UNALIGNED;
  if (kspace.stack_count == KSPACE_STACKS_MAX) return ERR_FULL;
  /* Two pages: the guard above the last stack and the guard below this one are not shared, so each fault has one name. */
  const uint64_t low = kspace.stack_cursor + 2 * FRAME_SIZE;
  if (low > kspace.stacks.end.raw || size + FRAME_SIZE > kspace.stacks.end.raw - low) return ERR_NO_MEMORY;
  uint64_t cost;
  paddr_t frames;
  /* The frames are not known yet, so the worst is planned for: such that no large leaf fits, which takes more tables. */
  const paddr_t worst = paddr((low + FRAME_SIZE) % FRAME_2M_SIZE);
  status_t s = pagetable_map_cost(kspace.table, vrange(low, low + size), worst, &cost);
  if (s == OK) s = pagetable_reserve(kspace.table, cost);
  if (s == OK) s = kspace.source.take_run(kspace.source.context, size / FRAME_SIZE, &frames);
  if (s == OK) s = pagetable_map(kspace.table, vrange(low, low + size), frames, PAGE_WRITE | PAGE_GLOBAL);
  if (s != OK) return s;
  *out = (struct kspace_stack){name, vaddr(low), vaddr(low + size)};
  stack_enter(out);
  return OK;
}

bool kspace_stack_find(vaddr_t address, struct kspace_stack *out) {
  const size_t count = __atomic_load_n(&kspace.stack_count, __ATOMIC_ACQUIRE);
  for (size_t i = 0; i < count; i++) {
    const struct kspace_stack *s = &kspace.list[i];
    if (address.raw < s->low.raw - FRAME_SIZE || address.raw >= s->high.raw + FRAME_SIZE) continue;
    *out = *s;
    return true;
  }
  return false;
}
