/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/digest.h — numbers that change when something changes, the same on the host and in the kernel. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mm/pmm.h"

#define DIGEST_START UINT64_C(0xcbf29ce484222325)

/** The digest `hash` with more in it. */
uint64_t digest_add(uint64_t hash, const void *data, size_t n);
/** Of everything in an allocator but how often it was called; brings home first what slots have. */
uint64_t digest_of_pmm(struct pmm *p);
