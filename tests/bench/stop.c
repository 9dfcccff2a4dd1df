/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/stop.c — stops the machine at the kernel's first instruction, wherever it lies.
 *
 * WHAT   A plugin for QEMU's translator, for `make gdb`: with the kernel at a random address there is nothing to set a
 *        breakpoint on before it runs.
 * HOW    The first block at an upper-half address is the kernel's entry.  When it is being translated it has not run yet:
 *        the plugin asks QEMU over QMP to stop, once QMP is known to listen, and keeps the CPU waiting until that request
 *        must have arrived (its answer comes only when the CPU has stopped).  A CPU looks for requests before every block,
 * so it stops in front of the kernel's first instruction, not behind it. ARGUMENTS  qmp=<path of a QMP socket nobody else
 * uses>
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "qemu_plugin.h"

#define UPPER_HALF UINT64_C(0xffff000000000000)

int qemu_plugin_version = 1;

static struct sockaddr_un qmp = {.sun_family = AF_UNIX};
static bool stopped;

static bool send_line(int s, const char *line) { return write(s, line, strlen(line)) == (ssize_t)strlen(line); }

/* Reads to the end of a line: QMP greets with one, and answers each command with one. */
static bool skip_line(int s) {
  char c = 0;
  while (c != '\n')
    if (read(s, &c, 1) != 1) return false;
  return true;
}

static void ask_to_stop(void) {
  int s = socket(AF_UNIX, SOCK_STREAM, 0);
  if (s < 0 || connect(s, (const struct sockaddr *)&qmp, sizeof(qmp)) != 0 || !skip_line(s) ||
      !send_line(s, "{\"execute\":\"qmp_capabilities\"}\n") || !skip_line(s) || !send_line(s, "{\"execute\":\"stop\"}\n"))
    perror("stop: QMP");
  struct timespec half_a_second = {.tv_nsec = 500000000};
  nanosleep(&half_a_second, NULL);
}

static void block_translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  if (stopped || qemu_plugin_tb_vaddr(tb) < UPPER_HALF) return;
  stopped = true;
  ask_to_stop();
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv) {
  (void)info;
  if (argc != 1 || strncmp(argv[0], "qmp=", 4) != 0 || strlen(argv[0] + 4) >= sizeof(qmp.sun_path)) {
    fputs("stop: needs qmp=<socket>\n", stderr);
    return -1;
  }
  memcpy(qmp.sun_path, argv[0] + 4, strlen(argv[0] + 4));
  qemu_plugin_register_vcpu_tb_trans_cb(id, block_translated);
  return 0;
}
