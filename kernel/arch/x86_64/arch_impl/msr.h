/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/msr.h — numbers of control bits and model-specific registers (SDM 4; AMD APM 2 A).  Read by C and assembly. */
#pragma once

#define MSR_APIC_BASE  0x1b
#define MSR_MCG_CAP    0x179
#define MSR_PAT        0x277
#define MSR_MC0_STATUS 0x401 /* + 4 for each bank. */
#define MSR_X2APIC     0x800 /* + register offset / 16. */
#define MSR_EFER       0xc0000080
#define MSR_GS_BASE    0xc0000101

#define EFER_LME (1u << 8)
#define EFER_NXE (1u << 11)

#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_WP (UINT64_C(1) << 16)

#define CR4_DE         (UINT64_C(1) << 3)
#define CR4_PAE        (UINT64_C(1) << 5)
#define CR4_MCE        (UINT64_C(1) << 6)
#define CR4_PGE        (UINT64_C(1) << 7)
#define CR4_OSFXSR     (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP       (UINT64_C(1) << 11)
#define CR4_LA57       (UINT64_C(1) << 12)
#define CR4_VMXE       (UINT64_C(1) << 13)
#define CR4_SMXE       (UINT64_C(1) << 14)
#define CR4_SMEP       (UINT64_C(1) << 20)
#define CR4_SMAP       (UINT64_C(1) << 21)

#define APIC_BASE_ENABLED (UINT64_C(1) << 11)
#define APIC_BASE_X2APIC  (UINT64_C(1) << 10)
#define APIC_BASE_FIRST   (UINT64_C(1) << 8) /* The CPU that the firmware ran on. */

#define RFLAGS_IF (UINT64_C(1) << 9)
