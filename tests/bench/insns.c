/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/insns.c — counts guest instructions from the loader's first to the kernel's first, and in functions of it.
 *
 * WHAT   A plugin for QEMU's translator, run by scripts/insns; instructions repeat where seconds do not.
 * HOW    A block is translated just before it runs for the first time, so both ends are seen at translation: the loader's
 *        first block has the bytes of the PE's entry point at the right offset in its page, the kernel's first block is the
 *        first one at an upper-half address.  Every instruction adds one to a counter; the difference is the answer, and
 *        at the kernel's first instruction it is noted.  The firmware's gigainstruction before the loader runs uncounted: at
 *        the loader's first block all translations are thrown away and made again, counting.  A repeated string instruction
 *        counts once for each repetition.  With hot=on the blocks are counted one by one, and firmware instructions also on
 *        behalf of the loader's block that ran last: that says which call into the firmware is expensive.
 * KERNEL The image lies where its first block is, less the entry's offset.  The block that runs before the first one of a
 *        function ends with the call, and behind the call is where the function returns to: when a block begins there, its
 *        first call has been counted.  When that of the function named last has, the plugin writes its report and ends QEMU.
 * QUIET  The firmware's disk driver writes to a port and then looks for the answer, over and over: how often is the host's
 *        affair.  So after each OUT the guest stands still until the host has had the time to answer, and the first look
 *        finds it: what is counted is the firmware's work without its waiting.  A boot has eight OUTs.
 * ARGUMENTS  entry=<RVA> size=<image size> bytes=<hex at the entry> kernel=<offset of its entry> function=<offset of a
 *            function, as often as there are> out=<report> hot=on; without any the report comes at the kernel's first
 *            instruction.
 */
#define _POSIX_C_SOURCE 200809L /* strdup, nanosleep. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qemu_plugin.h"

#define UPPER_HALF UINT64_C(0xffff000000000000)
#define BLOCKS_MAX (1U << 20)
#define DEVICE_NS  20000000 /* A read of 256 KiB from the host's cache takes 1 ms. */

#define FUNCTIONS_MAX 32

struct block {
  uint64_t address;
  uint64_t end;
  uint64_t insns;
  uint64_t runs;
  uint64_t on_behalf; /* Instructions of the firmware since this block of the loader ran. */
};

/* A function of the kernel, and what its first call took. */
struct function {
  uint64_t offset; /* In the image. */
  uint64_t returns_to, insns_at_call, insns;
  bool is_over;
};

int qemu_plugin_version = 1;

static uint64_t entry_rva, image_size, image_base;
static unsigned char entry_bytes[64];
static size_t entry_size;
static const char *out_path = "insns.out";
static bool hot;

static uint64_t all_insns, loader_insns; /* Written by translated code, */
static uint64_t outs;                    /* and this too. */
static uint64_t outs_answered;
static struct block blocks[BLOCKS_MAX];
static size_t block_count;
static struct block *caller;

static uint64_t kernel_entry; /* Its offset in the kernel's image. */
static uint64_t kernel_base;  /* 0 before its first instruction. */
static uint64_t insns_at_kernel;
static struct function functions[FUNCTIONS_MAX];
static size_t function_count, functions_running;
static const struct block *last_block;

static bool in_loader(uint64_t address) { return image_base != 0 && address - image_base < image_size; }

/* True when the block begins with the bytes of the loader's entry point, as far as both reach. */
static bool is_loader_entry(const struct qemu_plugin_tb *tb) {
  if (((qemu_plugin_tb_vaddr(tb) ^ entry_rva) & 0xfff) != 0) return false;
  size_t at = 0;
  for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb) && at < entry_size; i++) {
    const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    size_t size = qemu_plugin_insn_size(insn);
    if (size > entry_size - at) size = entry_size - at;
    if (memcmp(qemu_plugin_insn_data(insn), entry_bytes + at, size) != 0) return false;
    at += size;
  }
  return at >= 8;
}

[[noreturn]] static void report_and_end(void) {
  FILE *f = fopen(out_path, "w");
  if (f == NULL) abort();
  fprintf(f, "total %lu\nloader %lu\nfirmware %lu\n", insns_at_kernel, loader_insns, insns_at_kernel - loader_insns);
  for (size_t i = 0; i < function_count; i++) fprintf(f, "function %lu\n", functions[i].insns);
  for (size_t i = 0; hot && i < block_count; i++) {
    const struct block *b = &blocks[i];
    if (b->runs == 0) continue;
    bool own = in_loader(b->address), kernel = b->address >= UPPER_HALF;
    uint64_t base = own ? image_base : kernel ? kernel_base : 0;
    fprintf(f, "%s %lx %lu %lu %lu\n",
            own      ? "own"
            : kernel ? "kernel"
                     : "other",
            b->address - base, b->runs, b->runs * b->insns, b->on_behalf);
  }
  fclose(f);
  _Exit(0);
}

static void block_runs(unsigned cpu, void *data) {
  (void)cpu;
  struct block *b = data;
  b->runs += functions_running != 0 || kernel_base == 0; /* Of the kernel the functions alone. */
  if (in_loader(b->address))
    caller = b;
  else if (caller != NULL)
    caller->on_behalf += b->insns;
}

/* OUT in any form: after it, a device may have work to do. */
static bool is_out(const struct qemu_plugin_insn *insn) {
  const unsigned char *code = qemu_plugin_insn_data(insn);
  size_t at = 0, size = qemu_plugin_insn_size(insn);
  while (at + 1 < size && (code[at] == 0x66 || code[at] == 0xf2 || code[at] == 0xf3)) at++;
  return (code[at] & 0xfe) == 0xe6 || (code[at] & 0xfe) == 0xee || (code[at] & 0xfe) == 0x6e;
}

/* Before each block; an OUT ends its block under icount. */
static void let_devices_answer(unsigned cpu, void *data) {
  (void)cpu;
  (void)data;
  if (outs == outs_answered) return;
  outs_answered = outs;
  nanosleep(&(struct timespec){.tv_nsec = DEVICE_NS}, NULL);
}

/* A block begins: is it the function's first, or where it returns to? */
static void follow_function(struct function *f, uint64_t address) {
  if (f->is_over) return;
  if (f->returns_to == 0 && address == kernel_base + f->offset && last_block != NULL) {
    f->returns_to = last_block->end;
    f->insns_at_call = all_insns;
    functions_running++;
  } else if (f->returns_to != 0 && address == f->returns_to) {
    f->insns = all_insns - f->insns_at_call;
    f->is_over = true;
    functions_running--;
  }
}

/* Before each block of the kernel. */
static void follow_functions(unsigned cpu, void *data) {
  (void)cpu;
  const struct block *b = data;
  for (size_t i = 0; i < function_count; i++) follow_function(&functions[i], b->address);
  if (functions[function_count - 1].is_over) report_and_end();
  last_block = b;
}

static void reach_kernel(uint64_t address) {
  insns_at_kernel = all_insns;
  kernel_base = address - kernel_entry;
  if (function_count == 0) report_and_end();
}

static struct block *block_of(const struct qemu_plugin_tb *tb, uint64_t address, size_t n) {
  const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, n - 1);
  if (block_count == BLOCKS_MAX) abort();
  struct block *b = &blocks[block_count++];
  *b = (struct block){.address = address, .insns = n};
  b->end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
  return b;
}

static void count_block(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  (void)id;
  uint64_t address = qemu_plugin_tb_vaddr(tb);
  if (address >= UPPER_HALF && kernel_base == 0) reach_kernel(address);
  size_t n = qemu_plugin_tb_n_insns(tb);
  for (size_t i = 0; i < n; i++) {
    struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
    qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &all_insns, 1);
    if (in_loader(address)) qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &loader_insns, 1);
    if (is_out(insn)) qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &outs, 1);
  }
  bool is_kernel = address >= UPPER_HALF; /* Which waits for no device before its memory is there. */
  if (!is_kernel) qemu_plugin_register_vcpu_tb_exec_cb(tb, let_devices_answer, QEMU_PLUGIN_CB_NO_REGS, NULL);
  if (!hot && !is_kernel) return;
  struct block *b = block_of(tb, address, n);
  if (is_kernel) qemu_plugin_register_vcpu_tb_exec_cb(tb, follow_functions, QEMU_PLUGIN_CB_NO_REGS, b);
  if (hot) qemu_plugin_register_vcpu_tb_exec_cb(tb, block_runs, QEMU_PLUGIN_CB_NO_REGS, b);
}

static void count_from_now(qemu_plugin_id_t id) { qemu_plugin_register_vcpu_tb_trans_cb(id, count_block); }

static void await_loader(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
  if (image_base != 0 || !is_loader_entry(tb)) return;
  image_base = qemu_plugin_tb_vaddr(tb) - entry_rva;
  qemu_plugin_reset(id, count_from_now);
}

/* The value of "key=value" when the argument has that key, else NULL. */
static const char *value_of(const char *argument, const char *key) {
  size_t n = strlen(key);
  return strncmp(argument, key, n) == 0 && argument[n] == '=' ? argument + n + 1 : NULL;
}

static void read_hex(const char *text) {
  unsigned byte;
  while (entry_size < sizeof(entry_bytes) && sscanf(text, "%2x", &byte) == 1) {
    entry_bytes[entry_size++] = (unsigned char)byte;
    text += 2;
  }
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv) {
  (void)info;
  for (int i = 0; i < argc; i++) {
    const char *v;
    if ((v = value_of(argv[i], "entry")) != NULL) entry_rva = strtoull(v, NULL, 0);
    if ((v = value_of(argv[i], "size")) != NULL) image_size = strtoull(v, NULL, 0);
    if ((v = value_of(argv[i], "kernel")) != NULL) kernel_entry = strtoull(v, NULL, 0);
    if ((v = value_of(argv[i], "function")) != NULL && function_count < FUNCTIONS_MAX)
      functions[function_count++].offset = strtoull(v, NULL, 0);
    if ((v = value_of(argv[i], "bytes")) != NULL) read_hex(v);
    if ((v = value_of(argv[i], "out")) != NULL) out_path = strdup(v);
    if (strcmp(argv[i], "hot=on") == 0) hot = true;
  }
  if (entry_rva == 0 || image_size == 0 || entry_size < 8) {
    fputs("insns: needs entry=, size= and bytes=\n", stderr);
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, await_loader);
  return 0;
}
