/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/tlb.h — forgets translations: of this CPU, and of the others.
 *
 * Who changes an entry that was present forgets it here, page by page or all at once, and then once for the others.
 */
#pragma once

#include "base/addr.h"

/** Forgets the translation of one page, also a global one, and whatever the walk to it has cached.  => this CPU. */
void arch_tlb_flush_page(vaddr_t address);
/** Forgets everything, global translations too.  => this CPU. */
void arch_tlb_flush_all(void);
/** Returns when every other CPU has forgotten everything.  => any context; locks may be held. */
void arch_tlb_flush_others(void);
