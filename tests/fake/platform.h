/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/fake/platform.h — what a test may ask about the calls that mm made of the platform. */
#pragma once

#include <setjmp.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/status.h"

/* Lines that mm has logged since the program began; the last one is kept. */
uint64_t fake_platform_log_count(void);
const char *fake_platform_last_line(void);
/**
 * Bytes of zero for the physical addresses below `size`, in place of those before; without them, to ask for RAM is a panic.
 * What is never written costs nothing, and a host that has no room ends the program.
 */
char *fake_platform_make_ram(uint64_t size);
/** Gives them back; there is no RAM then. */
void fake_platform_free_ram(char *bytes, uint64_t size);
/** What platform_slot_hint says to this thread from now on; 0 until then. */
void fake_platform_set_slot_hint(uint32_t hint);
/** Prints what is logged from now on, or stops doing so (the default). */
void fake_platform_log_to_stderr(bool on);
/**
 * From now on a panic or a failed assertion of this thread comes back through `back` instead of ending the program, which
 * may then ask for its words; NULL: no longer.  Locks that were held are nobody's: what they guard is not to be used again.
 */
void fake_platform_catch(jmp_buf *back);
const char *fake_platform_last_words(void);
/** Locks that this thread holds now. */
unsigned fake_platform_locks_held(void);

/* What mm has asked of arch/memory.h since the program began.  To clear memory with a lock held is a panic. */
struct fake_memory {
  uint64_t cleared, cleared_far, flushed; /* Bytes. */
  uint64_t longest;                       /* The most that one call cleared. */
};
extern struct fake_memory fake_memory;

/* platform_set_cache, as mm has called it. */
struct fake_cache {
  uint64_t frames;  /* Write-combining now. */
  uint64_t changes; /* Calls that changed something. */
  status_t refusal; /* For the test to set: OK, or what to answer instead of making frames write-combining. */
  void (*in_change)(paddr_t start); /* Called in each, before it is done; or NULL. */
};
extern struct fake_cache fake_cache;
bool fake_platform_is_combining(paddr_t address);
