/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/assert.h — three kinds of "this cannot be".
 *
 *   ASSERT   a caller of ours broke a contract; always on, so at most a compare.
 *   DASSERT  an expensive self-check; on in debug builds and in every hosted test (CAIRN_DEBUG).
 *   CHECK    something that a plan has excluded happened in the commit; always on.
 *
 * None is for what comes from outside (firmware, files, devices, users): that is a status_t.
 */
#pragma once

/** Ends the program (host), the loader (back to the firmware) or the kernel (panic).  Supplied by each product. */
[[noreturn]] void assert_fail(const char *kind, const char *expression, const char *file, int line);

#define ASSERT(e) ((e) ? (void)0 : assert_fail("ASSERT", #e, __FILE_NAME__, __LINE__))
#define CHECK(e)  ((e) ? (void)0 : assert_fail("CHECK", #e, __FILE_NAME__, __LINE__))
#ifdef CAIRN_DEBUG
#define DASSERT(e) ((e) ? (void)0 : assert_fail("DASSERT", #e, __FILE_NAME__, __LINE__))
#else
#define DASSERT(e) ((void)sizeof(!(e)))
#endif
