/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/status.h — the one way a function of Cairn says that it could not do its work.
 *
 * A status is must-check by type: dropping one does not compile.  A function that returns anything but OK has changed
 * nothing that its caller can see; results come through the last parameter, written on OK alone.
 */
#pragma once

typedef enum [[nodiscard]] status : int {
  OK = 0,
  ERR_INVALID = -1,      /* An argument makes no sense: zero, not a power of two, unknown flag. */
  ERR_RANGE = -2,        /* A number lies outside what it may be; sums that would wrap. */
  ERR_UNALIGNED = -3,    /* An address or size is not a multiple of what it must be. */
  ERR_OVERLAP = -4,      /* Two ranges share an address and must not. */
  ERR_NO_MEMORY = -5,    /* There is no memory (or no slot in a fixed table) for it now. */
  ERR_NOT_FOUND = -6,    /* What was asked for is not there. */
  ERR_EXISTS = -7,       /* It is there already. */
  ERR_STATE = -8,        /* Not in this state: a frame freed twice, a table entry in use. */
  ERR_OWNER = -9,        /* It belongs to somebody else. */
  ERR_UNSUPPORTED = -10, /* This machine or format version cannot do it. */
  ERR_CORRUPT = -11,     /* Data from outside contradicts itself. */
  ERR_TRUNCATED = -12,   /* Data from outside ends too early. */
  ERR_IO = -13,          /* A device or the firmware refused. */
  ERR_TIMEOUT = -14,     /* A device did not answer in time. */
  ERR_BUSY = -15,        /* Somebody else holds it now; trying again may work. */
  ERR_DENIED = -16,      /* Policy forbids it: a W+X segment, firmware memory. */
  ERR_FULL = -17,        /* The caller's buffer is too small for the answer. */
} status_t;

#define STATUS_COUNT 18

/** Name of a status for a human ("ERR_NO_MEMORY"); never NULL, any value is allowed. */
const char *status_name(status_t s);
