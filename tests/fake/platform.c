/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/fake/platform.c — mm's wall sockets on the host: locks that notice misuse, a log that is counted, a panic that
 * stops.
 */
#define _GNU_SOURCE /* Behind the C23 of the build, the host is a Linux. */
#include "platform.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/assert.h"
#ifdef CAIRN_INTERLEAVE
#include "interleave.h"
#endif
#include "mm/platform.h"

static uint64_t log_count;
static char last_line[256];
static bool is_loud;
static char *ram;

static _Thread_local unsigned locks_held;

unsigned fake_platform_locks_held(void) { return locks_held; }

char *fake_platform_make_ram(uint64_t size) {
  ram = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram != MAP_FAILED) return ram;
  fprintf(stderr, "the host has no room for RAM of %llu bytes\n", (unsigned long long)size);
  exit(1);
}

void fake_platform_free_ram(char *bytes, uint64_t size) {
  munmap(bytes, size);
  ram = NULL;
}

void *platform_direct(paddr_t address) {
  if (!ram) platform_panic("there is no RAM behind physical addresses here");
  return ram + address.raw;
}

static _Thread_local uint32_t slot;
void fake_platform_set_slot_hint(uint32_t hint) { slot = hint; }
uint32_t platform_slot_hint(void) { return slot; }

struct fake_cache fake_cache;
static uint8_t combining[1 << 21]; /* By frame: 8 GiB. */

bool fake_platform_is_combining(paddr_t address) { return combining[address.raw >> FRAME_SHIFT] != 0; }

/* Frame by frame, and no frame becomes what it is: that would be two who think that they have it. */
status_t platform_set_cache(paddr_t start, uint64_t size, enum platform_cache how) {
  const uint64_t first = start.raw >> FRAME_SHIFT, count = size >> FRAME_SHIFT;
  if (locks_held != 0) platform_panic("cache types change under a lock");
  if ((start.raw | size) % FRAME_SIZE != 0 || first + count > sizeof combining) platform_panic("no frames with a cache");
  if (fake_cache.in_change) fake_cache.in_change(start);
  if (how == PLATFORM_WRITE_COMBINING && fake_cache.refusal != OK) return fake_cache.refusal;
  for (uint64_t i = first; i < first + count; i++) {
    if (combining[i] == (how == PLATFORM_WRITE_COMBINING))
      platform_panic("frame %#llx is so already", (unsigned long long)i);
    combining[i] = how == PLATFORM_WRITE_COMBINING;
  }
  fake_cache.changes++;
  fake_cache.frames = how == PLATFORM_WRITE_COMBINING ? fake_cache.frames + count : fake_cache.frames - count;
  return OK;
}

uint64_t fake_platform_log_count(void) { return log_count; }
const char *fake_platform_last_line(void) { return last_line; }
void fake_platform_log_to_stderr(bool on) { is_loud = on; }

static _Thread_local jmp_buf *catcher;
static _Thread_local char last_words[256];
void fake_platform_catch(jmp_buf *back) { catcher = back; }
const char *fake_platform_last_words(void) { return last_words; }

/* With the words that the kernel's panic has for the same thing. */
static void throw_if_caught(const char *format, ...) {
  va_list args;
  if (!catcher) return;
  jmp_buf *back = catcher;
  catcher = NULL;
  va_start(args, format);
  vsnprintf(last_words, sizeof last_words, format, args);
  va_end(args);
  locks_held = 0;
  longjmp(*back, 1);
}

[[noreturn]] static void give_up(const char *what, const char *text) {
#ifdef CAIRN_INTERLEAVE
  interleave_fail("%s: %s", what, text); /* The schedule has failed; the test judges whether it had to. */
#else
  fprintf(stderr, "%s: %s\n", what, text);
  abort();
#endif
}

void assert_fail(const char *kind, const char *expression, const char *file, int line) {
  char text[256];
  throw_if_caught("%s(%s) at %s:%d", kind, expression, file, line);
  snprintf(text, sizeof text, "%s failed at %s:%d", expression, file, line);
  give_up(kind, text);
}

#ifdef CAIRN_INTERLEAVE
/* The enumerator's threads share one of the host's, and wait in its scheduler. */
void platform_lock_acquire(struct platform_lock *l) NO_ANALYSIS("implements the lock") { interleave_lock(&l->word); }
void platform_lock_release(struct platform_lock *l) NO_ANALYSIS("implements the lock") { interleave_unlock(&l->word); }
#else
/* A lock that a thread takes twice, or lets go of without having it, is a bug in mm. */
static thread_local char me; /* Its address tells threads apart. */

void platform_lock_acquire(struct platform_lock *l) NO_ANALYSIS("implements the lock") {
  const uint32_t self = (uint32_t)(uintptr_t)&me;
  while (__atomic_exchange_n(&l->word, 1U, __ATOMIC_ACQUIRE) != 0) {
    if (__atomic_load_n(&l->saved, __ATOMIC_RELAXED) == self) platform_panic("lock taken twice");
    sched_yield();
  }
  __atomic_store_n(&l->saved, self, __ATOMIC_RELAXED);
  locks_held++;
}

void platform_lock_release(struct platform_lock *l) NO_ANALYSIS("implements the lock") {
  __atomic_store_n(&l->saved, 0U, __ATOMIC_RELAXED);
  if (__atomic_exchange_n(&l->word, 0U, __ATOMIC_RELEASE) != 1) platform_panic("lock released that was free");
  locks_held--;
}
#endif

void platform_log(const char *room, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = snprintf(last_line, sizeof last_line, "%s: ", room);
  vsnprintf(last_line + n, sizeof last_line - (size_t)n, format, args);
  va_end(args);
  log_count++;
  if (is_loud) fprintf(stderr, "%s\n", last_line);
}

/* The host has no names for its callers. */
void platform_name_caller(char *to, size_t size) { snprintf(to, size, "a host's test"); }

void platform_panic(const char *format, ...) {
  char text[160];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  throw_if_caught("%s", text);
  give_up("panic", text);
}
