/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/tlb.h — forgets translations.  One CPU runs; other CPUs get their shoot-down with the scheduler. */
#pragma once

#include "base/addr.h"

/** Forgets the translation of one page, also a global one, and whatever the walk to it has cached. */
void arch_tlb_flush_page(vaddr_t address);
/** Forgets everything, global translations too. */
void arch_tlb_flush_all(void);
