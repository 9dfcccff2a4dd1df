/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/bench/qemu_plugin.h — what we use of QEMU's TCG plugin interface, version 1, in our own words.
 *
 * Distributions do not package qemu-plugin.h.  Names, types and values are the interface (QEMU 6 to 8, docs/devel/
 * tcg-plugins.rst); the prototypes are written down from its documentation.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef uint64_t qemu_plugin_id_t;

/* What QEMU tells about itself; only ever passed by pointer and not read here. */
struct qemu_info;
/* A translated block and an instruction in it; only valid during the translation callback. */
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_CB_R_REGS, QEMU_PLUGIN_CB_RW_REGS };

/* QEMU looks these two up in the plugin. */
extern int qemu_plugin_version;
int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

/** Drops all callbacks and translations of this plugin, before the next block runs; then calls done, which may register. */
void qemu_plugin_reset(qemu_plugin_id_t id, void (*done)(qemu_plugin_id_t id));

/** Called for each block as it is translated, which is just before it runs for the first time. */
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                           void (*callback)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
/** Called each time the block begins to run. */
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb, void (*callback)(unsigned cpu, void *data),
                                          enum qemu_plugin_cb_flags flags, void *data);
/** Adds to *counter each time the instruction runs, without a call. */
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *counter,
                                                uint64_t add);

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
