/* SPDX-License-Identifier: BSD-2-Clause */
/* shell.h — the commands of the prompt, each in the file that its room names. */
#pragma once

#include <stddef.h>

#include "kernel/debug/picture.h"
#include "mm/contig.h"
#include "mm/pmm.h"

#define SHELL_WORDS_MAX 8

struct shell_command {
  const char *name;
  const char *usage;                                   /* What follows the name; "" for nothing. */
  size_t words;                                        /* At most so many words follow. */
  const char *help;                                    /* One line. */
  const char *more;                                    /* Further lines for `help <command>`, or NULL. */
  void (*run)(size_t count, const char *const *words); /* words[0] is the name. */
};

/* shell_memory.c */
/** The first lines above the prompt: what there is, and that every frame of it is accounted for. */
void shell_greet(void);
void shell_mem(size_t count, const char *const *words);
void shell_ledger(size_t count, const char *const *words);
void shell_check(size_t count, const char *const *words);
/* shell_blocks.c */
/** `map 2M`. */
void shell_map_blocks(void);
/* shell_map.c */
void shell_map(size_t count, const char *const *words);
void shell_why(size_t count, const char *const *words);
/* shell_alloc.c */
struct shell_request {
  uint64_t count; /* Frames. */
  uint32_t flags; /* Of include/mm/nodes.h. */
  struct frame_limits limits;
  uint64_t moves; /* As many may move for it. */
  uint64_t node;  /* As it was typed; the flags say whether it was. */
};
/** Says so when there is no such node; true then. */
bool shell_lacks_node(const struct shell_request *r);
/** Any of the nodes' allocators: the same engine finds frames for all of them. */
const struct pmm *shell_any_pmm(void);
/** What `quote`, `compact` and moves= cannot do here, because something else than the tiers finds frames. */
void shell_complain_of_engine(void);
/* A request whose limits make no sense. */
void shell_complain_of_limits(uint64_t frames);
/* So many frames; those of more than 2^64 bytes as 2^64. */
const char *shell_size_of(char to[static 12], uint64_t frames);
/** Reads "<count|size> [align=] [below=] [boundary=] [node=] [moves=]" from the second word on; complains and says false. */
bool shell_read_request(size_t count, const char *const *words, struct shell_request *out);
void shell_alloc(size_t count, const char *const *words);
void shell_free(size_t count, const char *const *words);
/* shell_bad.c */
void shell_bad(size_t count, const char *const *words);
/* shell_fail.c */
/** RAM of the machine, or of the node that the flags insist on. */
uint64_t shell_ram_frames(uint32_t flags);
/** One sentence about a request that was not met. */
void shell_explain(uint32_t flags, uint64_t count, const struct frame_limits *where);
/** The last of them. */
void shell_failures(void);
/* shell_trace.c */
void shell_trace(size_t count, const char *const *words);
/* shell_contig.c */
void shell_quote(size_t count, const char *const *words);
void shell_jumble(size_t count, const char *const *words);
void shell_compact(size_t count, const char *const *words);
/** contig_look over all nodes; false where an engine stands in the tiers' place. */
bool shell_look(uint64_t first, uint64_t count, struct contig_look *out);
/* shell_pci.c */
void shell_pci(size_t count, const char *const *words);
/* shell_machine.c */
void shell_cpu(size_t count, const char *const *words);
void shell_layout(size_t count, const char *const *words);
void shell_options(size_t count, const char *const *words);
void shell_options_help(void);
void shell_log(size_t count, const char *const *words);
void shell_test(size_t count, const char *const *words);
void shell_panic(size_t count, const char *const *words);
bool shell_crash_list(size_t index, const char **name, const char **what);
void shell_reboot(size_t count, const char *const *words);
void shell_poweroff(size_t count, const char *const *words);

/* shell_progress.c */
/** Before something long. */
void shell_progress_begin(void);
/** Shows how far it is, after a while; `total` 0: unknown.  False once Ctrl-C has been typed: it has to end. */
bool shell_progress(const char *what, uint64_t done, uint64_t total);
/** Wipes what was shown; false, and says so, when Ctrl-C has ended it. */
bool shell_progress_end(void);

/* A line that several commands build and print, one after the other: each byte of .bss is one more to find room for. */
extern struct picture shell_out;
/** Prints a finished line and empties it. */
void shell_print(struct picture *p);
/** A title over 80 columns: the name, a rule, and a remark on the right. */
void shell_title(const char *name, const char *remark);
/** A message about bad input, broken at blanks before column 80. */
void shell_complain(const char *format, ...) PRINTF_LIKE(1, 2);
