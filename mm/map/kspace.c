/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/map/kspace.c — hands out the kernel's windows from low to high.
 *
 * WHAT   Two windows (boot/layout.h): KSPACE for device registers, STACKS for stacks.  Each is a cursor that only moves up.
 * HOW    A mapping starts one page above the end of the last one, so that running off either end meets nothing.  A stack
 *        whose low end is overrun faults in its own guard page, which kspace_stack_find() can name.
 * LOCKING  kspace.lock: cursors and list, until a mapping of ours is entered.  kspace_stack_find takes
 *        none, because it may be called from a panic: it reads entries that are complete before the count says so.
 */
#include "mm/kspace.h"

#include "base/bits.h"
#include "mm/platform.h"

static struct {
  struct platform_lock lock;
  struct pagetable *table;
  vrange_t devices, stacks;
  uint64_t device_cursor, stack_cursor; /* Lowest address not yet given out. */
  struct kspace_source source;
  struct kspace_stack list[KSPACE_STACKS_MAX];
  struct kspace_stack *more; /* Behind the list. */
  size_t more_room;
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

static status_t map_devices(paddr_t first, uint64_t bytes, uint32_t flags, uint64_t *base) REQUIRES(&kspace.lock) {
  if (!place(kspace.device_cursor, kspace.devices.end.raw, bytes, first, base)) return ERR_NO_MEMORY;
  const status_t s = pagetable_map(kspace.table, vrange(*base, *base + bytes), first, flags | PAGE_GLOBAL);
  if (s == OK) kspace.device_cursor = *base + bytes;
  return s;
}

status_t kspace_map(paddr_t start, uint64_t size, uint32_t flags, void **out) {
  uint64_t end;
  if (size == 0 || (flags & PAGE_EXECUTE)) return ERR_INVALID;
  if (!bits_add(start.raw, size, &end) || !bits_align_up_checked(end, FRAME_SIZE, &end)) return ERR_INVALID;
  const paddr_t first = paddr(bits_align_down(start.raw, FRAME_SIZE));
  uint64_t base;
  platform_lock_acquire(&kspace.lock);
  const status_t s = map_devices(first, end - first.raw, flags, &base);
  platform_lock_release(&kspace.lock);
  if (s != OK) return s;
  *out = (void *)(uintptr_t)(base + (start.raw - first.raw)); // NOLINT(performance-no-int-to-ptr)
  return OK;
}

static struct kspace_stack *stack_at(size_t index) {
  return index < KSPACE_STACKS_MAX ? &kspace.list[index] : &kspace.more[index - KSPACE_STACKS_MAX];
}

static bool is_list_full(void) { return kspace.stack_count == KSPACE_STACKS_MAX + kspace.more_room; }

static void stack_enter(const struct kspace_stack *stack) REQUIRES(&kspace.lock) {
  *stack_at(kspace.stack_count) = *stack;
  __atomic_store_n(&kspace.stack_count, kspace.stack_count + 1, __ATOMIC_RELEASE);
  kspace.stack_cursor = bits_max(kspace.stack_cursor, stack->high.raw);
}

void kspace_stacks_room(struct kspace_stack *list, size_t count) {
  kspace.more = list;
  kspace.more_room = count;
}

status_t kspace_stack_gap(uint64_t pages) {
  platform_lock_acquire(&kspace.lock);
  const bool fits = pages < (kspace.stacks.end.raw - kspace.stack_cursor) / FRAME_SIZE;
  if (fits) kspace.stack_cursor += pages * FRAME_SIZE;
  platform_lock_release(&kspace.lock);
  return fits ? OK : ERR_NO_MEMORY;
}

status_t kspace_stack_adopt(const char *name, vaddr_t low, uint64_t size) {
  const struct kspace_stack stack = {name, low, vaddr_add(low, size)};
  platform_lock_acquire(&kspace.lock);
  const bool is_full = is_list_full();
  if (!is_full) stack_enter(&stack);
  platform_lock_release(&kspace.lock);
  return is_full ? ERR_FULL : OK;
}

static status_t make_stack(const char *name, uint64_t size, struct kspace_stack *out) REQUIRES(&kspace.lock) {
  if (is_list_full()) return ERR_FULL;
  /* Two pages: the guard above the last stack and the guard below this one are not shared, so each fault has one name. */
  const uint64_t low = kspace.stack_cursor + 2 * FRAME_SIZE;
  if (low > kspace.stacks.end.raw || size + FRAME_SIZE > kspace.stacks.end.raw - low) return ERR_NO_MEMORY;
  uint64_t cost;
  paddr_t frames;
  /* The frames are not known yet, so the worst is planned for: such that no large leaf fits, which takes more tables. */
  const paddr_t worst = paddr((low + FRAME_SIZE) % FRAME_2M_SIZE);
  status_t s = pagetable_map_cost(kspace.table, vrange(low, low + size), worst, &cost);
  const uint64_t spare = kspace.table->spare_count;
  if (s == OK) s = pagetable_reserve(kspace.table, cost);
  if (s == OK) s = kspace.source.take_run(kspace.source.context, size / FRAME_SIZE, &frames);
  if (s == OK) s = pagetable_map(kspace.table, vrange(low, low + size), frames, PAGE_WRITE | PAGE_GLOBAL);
  if (s != OK) {
    pagetable_trim(kspace.table, spare);
    return s;
  }
  *out = (struct kspace_stack){name, vaddr(low), vaddr(low + size)};
  stack_enter(out);
  return OK;
}

status_t kspace_stack_create(const char *name, uint64_t size, struct kspace_stack *out) {
  if (size == 0 || !bits_is_aligned(size, FRAME_SIZE)) return ERR_UNALIGNED;
  platform_lock_acquire(&kspace.lock);
  const status_t s = make_stack(name, size, out);
  platform_lock_release(&kspace.lock);
  return s;
}

bool kspace_stack_find(vaddr_t address, struct kspace_stack *out) {
  const size_t count = __atomic_load_n(&kspace.stack_count, __ATOMIC_ACQUIRE);
  for (size_t i = 0; i < count; i++) {
    const struct kspace_stack *s = stack_at(i);
    if (address.raw < s->low.raw - FRAME_SIZE || address.raw >= s->high.raw + FRAME_SIZE) continue;
    *out = *s;
    return true;
  }
  return false;
}
