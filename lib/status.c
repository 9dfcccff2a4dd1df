/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/status.c — names of statuses, for logs and screens.
 *
 * A switch without default, so that the compiler names a status that was forgotten here.
 */
#include "base/status.h"

const char *status_name(status_t s) {
  switch (s) {
  case OK:
    return "OK";
  case ERR_INVALID:
    return "ERR_INVALID";
  case ERR_RANGE:
    return "ERR_RANGE";
  case ERR_UNALIGNED:
    return "ERR_UNALIGNED";
  case ERR_OVERLAP:
    return "ERR_OVERLAP";
  case ERR_NO_MEMORY:
    return "ERR_NO_MEMORY";
  case ERR_NOT_FOUND:
    return "ERR_NOT_FOUND";
  case ERR_EXISTS:
    return "ERR_EXISTS";
  case ERR_STATE:
    return "ERR_STATE";
  case ERR_OWNER:
    return "ERR_OWNER";
  case ERR_UNSUPPORTED:
    return "ERR_UNSUPPORTED";
  case ERR_CORRUPT:
    return "ERR_CORRUPT";
  case ERR_TRUNCATED:
    return "ERR_TRUNCATED";
  case ERR_IO:
    return "ERR_IO";
  case ERR_TIMEOUT:
    return "ERR_TIMEOUT";
  case ERR_BUSY:
    return "ERR_BUSY";
  case ERR_DENIED:
    return "ERR_DENIED";
  case ERR_FULL:
    return "ERR_FULL";
  }
  return "ERR_?";
}
