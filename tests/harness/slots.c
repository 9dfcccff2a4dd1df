/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/slots.c — threads play CPUs: the sockets of mm/platform.h that speak of slots.
 *
 * A thread has the lowest number that no living thread has, from its first call to its end.  When there are more threads
 * than numbers, the others all get the number behind the last, which is no slot.
 */
#define _GNU_SOURCE /* syscall: behind the C23 of the build, the host is a Linux. */
#include <linux/membarrier.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "mm/platform.h"
#include "slots.h"
#ifdef CAIRN_INTERLEAVE
#include "interleave.h"
#endif

#define SLOTS 16U

static _Atomic(uint64_t) free_numbers = (UINT64_C(1) << SLOTS) - 1;
static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
#ifdef CAIRN_BENCH
thread_local uint32_t platform_number_plus_1;
#define number_plus_1 platform_number_plus_1
#else
static thread_local uint32_t number_plus_1; /* 0 until the thread's first call. */
#endif

static void give_number(void *number) {
  const uintptr_t n = (uintptr_t)number - 1;
  if (n < SLOTS) atomic_fetch_or(&free_numbers, UINT64_C(1) << n);
}

static void begin(void) {
  pthread_key_create(&key, give_number);
  syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
}

static void take_number(void) {
  pthread_once(&once, begin);
  uint64_t all = atomic_load(&free_numbers);
  while (all != 0 && !atomic_compare_exchange_weak(&free_numbers, &all, all & (all - 1))) {}
  number_plus_1 = all != 0 ? (uint32_t)__builtin_ctzll(all) + 1 : SLOTS + 1;
  pthread_setspecific(key, (void *)(uintptr_t)number_plus_1); // NOLINT(performance-no-int-to-ptr)
}

static bool is_without_barriers;
void slots_leave_out_barriers(bool are_left_out) { is_without_barriers = are_left_out; }
void slots_play(uint32_t number) { number_plus_1 = number + 1; }

#ifdef CAIRN_BENCH
[[clang::preserve_most]] uint32_t platform_slot_take(void) {
  take_number();
  return number_plus_1 - 1;
}
#else
uint32_t platform_slot_enter(void) {
#ifdef CAIRN_INTERLEAVE
  if (interleave_self() != UINT32_MAX) return interleave_self();
#endif
  if (number_plus_1 == 0) take_number();
  return number_plus_1 - 1;
}
void platform_slot_leave(void) {}
#endif

static uint32_t count_played; /* 0: none. */
void slots_play_count(uint32_t count) { count_played = count; }
uint32_t platform_slot_count(void) { return count_played != 0 ? count_played : SLOTS; }

bool platform_mask(void) { return true; }
void platform_unmask(bool were_on) { (void)were_on; }

void platform_relax(void) { atomic_pause(); }

void platform_barrier_all(void) {
  if (is_without_barriers) return;
#ifdef CAIRN_INTERLEAVE
  interleave_barrier();
#endif
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) atomic_thread_fence(memory_order_seq_cst);
}
