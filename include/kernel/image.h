/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/image.h — the borders of the kernel's own image, from kernel.ld.  Only their addresses mean anything. */
#pragma once

extern const char image_start[];      /* First byte of the image; equals the base of window IMAGE. */
extern const char image_text_start[]; /* Code: readable, executable. */
extern const char image_text_end[];
extern const char image_mm_start[]; /* The code of mm, in one piece. */
extern const char image_mm_end[];
extern const char image_rodata_start[]; /* Constants: readable. */
extern const char image_rodata_end[];
extern char image_seal_start[]; /* Written during boot only; whole pages. */
extern char image_seal_end[];
extern const char image_data_start[]; /* Variables. */
extern const char image_end[];        /* Behind .bss; a multiple of 4 KiB. */
extern const char image_build_id[];   /* An ELF note. */
extern const char image_build_id_end[];
