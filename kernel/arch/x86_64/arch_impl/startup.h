/* SPDX-License-Identifier: BSD-2-Clause */
/* arch_impl/startup.h — what a CPU that wakes is told, by the offset of each word.  Read by C and assembly. */
#pragma once

/* Where the word stands that says whose turn it is, and its values. */
#define STARTUP_HARDWARE 0  /* 32 bits: the local APIC's id of the CPU that is meant. */
#define STARTUP_STATE    4  /* 32 bits: STARTUP_*. */
#define STARTUP_CR0      8  /* 32 bits each: what CPU 0 has. */
#define STARTUP_CR3      12 /* The tables to switch paging on with. */
#define STARTUP_CR4      16 /* No more than paging needs. */
#define STARTUP_EFER     20
#define STARTUP_STACK    24 /* 64 bits each, virtual. */
#define STARTUP_BLOCK    32
#define STARTUP_ENTRY    40
#define STARTUP_ROOT     48 /* Physical: the kernel's own tables. */

#define STARTUP_NOBODY  0
#define STARTUP_OFFERED 1
#define STARTUP_TAKEN   2 /* By the CPU, before it reads the rest. */
#define STARTUP_READ    3 /* The words may be used for the next. */
