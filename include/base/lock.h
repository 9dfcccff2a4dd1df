/* SPDX-License-Identifier: BSD-2-Clause */
/* base/lock.h — what a lock is made of; who waits for it, and how, is said in mm/platform.h. */
#pragma once

#include <stdint.h>

#include "base/annotate.h"

/* A lock that spins with interrupts masked in the kernel, and with a host mutex's duties in threaded tests. */
struct CAPABILITY("platform_lock") platform_lock {
  uint32_t word;  /* 0 free, 1 held. */
  uint32_t saved; /* The holder's interrupt state. */
};
