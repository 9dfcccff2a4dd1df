/* SPDX-License-Identifier: BSD-2-Clause */
/* base/units.h — sizes.  A page is virtual, a frame is physical; both have 4 KiB at the base. */
#pragma once

#include <stdint.h>

#define KIB UINT64_C(1024)
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define FRAME_SHIFT    12
#define FRAME_SIZE     (UINT64_C(1) << FRAME_SHIFT)
#define FRAME_2M_SHIFT 21
#define FRAME_2M_SIZE  (UINT64_C(1) << FRAME_2M_SHIFT)
#define FRAME_1G_SHIFT 30
#define FRAME_1G_SIZE  (UINT64_C(1) << FRAME_1G_SHIFT)
#define FRAMES_PER_2M  (FRAME_2M_SIZE / FRAME_SIZE)
#define FRAMES_PER_1G  (FRAME_1G_SIZE / FRAME_SIZE)
