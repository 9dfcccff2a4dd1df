/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_trace.c — `trace`: records what is asked of the frame allocator and sends it out of the machine.
 *
 * One trace at a time.  Its records are a run of frames of kernel data, taken before the trace begins and given back when
 * the next one starts, so that what the trace is about is the same on the host.  It leaves by the serial port alone, for
 * scripts/trace to find in the log: each line with "[R] " before it.
 */
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/klog.h"
#include "kernel/memory.h"
#include "kernel/options.h"
#include "kernel/shell.h"
#include "lib/format.h"
#include "lib/string.h"
#include "mm/physmap.h"
#include "mm/trace.h"

#define RECORDS_DEFAULT 65536
#define RECORDS_MAX     (UINT64_C(1) << 22) /* 256 MiB. */

static struct {
  struct trace *trace;
  pfn_t first;
  uint64_t frames; /* 0: there is none. */
} now;

/* --- one trace -------------------------------------------------------------------------------------------------------- */

static void drop(void) {
  if (now.frames == 0) return;
  trace_stop(now.trace);
  if (nodes_free_run(memory_nodes(), FRAME_OWNER_KERNEL, now.first, now.frames) != OK)
    klog(KLOG_WARN, "trace", "its frames have another owner");
  now.frames = 0;
}

/* Those of the nodes with memory, in order. */
static uint32_t list_allocators(struct pmm *list[TRACE_NODES_MAX]) {
  uint32_t n = 0;
  for (uint32_t i = 0; i < nodes_count(memory_nodes()) && n < TRACE_NODES_MAX; i++) {
    struct pmm *p = nodes_pmm(memory_nodes(), i);
    if (p) list[n++] = p;
  }
  return n;
}

static status_t start(uint64_t records) {
  struct pmm *list[TRACE_NODES_MAX];
  if (records == 0 || records > RECORDS_MAX) return ERR_RANGE; /* And the last one stays. */
  drop();
  const uint64_t frames = (trace_size(records) + FRAME_SIZE - 1) / FRAME_SIZE;
  status_t s = nodes_alloc_run(memory_nodes(), FRAME_OWNER_KERNEL, 0, frames, nullptr, &now.first);
  if (s != OK) return s;
  now.frames = frames;
  now.trace = trace_create(physmap_at(paddr_of_pfn(now.first)), records);
  s = trace_start(now.trace, list, list_allocators(list));
  if (s != OK) drop();
  return s;
}

void shell_trace_from_options(void) {
  const char *text = options->trace;
  uint64_t records = RECORDS_DEFAULT;
  if (text[0] == '\0') return;
  const bool is_named = strncmp(text, "frames", 6) == 0;
  if (!is_named ||
      (text[6] != '\0' && (text[6] != ':' || string_to_u64(text + 7, strlen(text + 7), true, &records) != OK))) {
    klog(KLOG_WARN, "trace", "trace=%s: it is trace=frames or trace=frames:<records>", text);
    return;
  }
  const status_t s = start(records);
  if (s != OK) klog(KLOG_WARN, "trace", "no trace of %llu records: %s", (unsigned long long)records, status_name(s));
}

/* --- on its way ------------------------------------------------------------------------------------------------------- */

static void send(void *context, const char *line, size_t n) {
  (void)context;
  console_write_to("serial", "[R] ", 4);
  console_write_to("serial", line, n);
}

static void tell(void) {
  struct trace_summary s;
  if (now.frames == 0) {
    console_printf(" There is no trace.  Try: trace start\n");
    return;
  }
  trace_read_summary(now.trace, &s);
  console_printf(" %s: %llu of %llu record%s, %llu lost\n", s.is_running ? "running" : "stopped",
                 (unsigned long long)s.records, (unsigned long long)s.capacity, words_s(s.capacity),
                 (unsigned long long)s.lost);
}

static void save(void) {
  struct trace_summary s;
  if (now.frames == 0) {
    tell();
    return;
  }
  trace_stop(now.trace);
  trace_read_summary(now.trace, &s);
  if (!console_has("serial")) {
    shell_complain("A trace leaves by the serial port, and there is none.");
    return;
  }
  trace_save(now.trace, send, nullptr);
  console_printf(" In the log of the serial port: %llu record%s; scripts/trace takes them out.\n",
                 (unsigned long long)s.records, words_s(s.records));
}

/* What it begins with is memory as it is; from there on each request is a record. */
static void tell_start(void) {
  struct trace_summary s;
  trace_read_summary(now.trace, &s);
  console_printf(" Recording. Of the room for %llu record%s %llu say how memory is now;\n"
                 " each request to the frame allocator takes one more.\n",
                 (unsigned long long)s.capacity, words_s(s.capacity), (unsigned long long)s.records);
  console_printf(" `trace` says how far it is, `trace stop` ends it, `trace save` sends it out.\n");
}

static void start_by_hand(const char *text) {
  uint64_t records = RECORDS_DEFAULT;
  const bool is_second = now.frames != 0;
  const bool is_number = !text || string_to_u64(text, strlen(text), true, &records) == OK;
  if (!is_number || records == 0 || records > RECORDS_MAX) {
    shell_complain("%s is no number of records: 1 to %llu.", text, (unsigned long long)RECORDS_MAX);
    return;
  }
  const status_t s = start(records);
  if (is_second) console_printf(" The trace before this one is forgotten.\n");
  if (s == OK)
    tell_start();
  else if (s == ERR_NO_MEMORY || s == ERR_RANGE)
    shell_complain("There is no run of memory for %llu records.", (unsigned long long)records);
  else if (s == ERR_FULL)
    shell_complain("That is not even room for how memory is now.");
  else
    shell_complain("No trace: %s", status_name(s));
}

void shell_trace(size_t count, const char *const *words) {
  if (count >= 2 && count <= 3 && strcmp(words[1], "start") == 0) {
    start_by_hand(count == 3 ? words[2] : nullptr);
  } else if (count == 2 && strcmp(words[1], "stop") == 0) {
    if (now.frames != 0) trace_stop(now.trace);
    tell();
  } else if (count == 2 && strcmp(words[1], "save") == 0) {
    save();
  } else if (count == 1) {
    tell();
  } else {
    shell_complain("trace takes start [records], stop or save; without a word it says how far it is.");
  }
}
