/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mm/phys/trace_text.c — a trace as text: how it leaves the machine, and how it is read again.
 *
 * HOW    Lines of blanks and words; numbers are hexadecimal, frames go by their number, owners by their mark (mm/frame.h),
 *        kinds of regions too (boot/handoff.h), statuses by what base/status.h says, without the sign.
 *
 *          cairn-trace 1 engine=tier nodes=1 records=1f40 lost=0     first; 1 is the version of this format
 *          region <node> <start> <end> <kind>                        the map of a node, in order: [start, end)
 *          ops <record> <record> ..                                  in order, as many as fit a line
 *          digest <node> <number>                                    what the memory was at the end (trace_digest)
 *          end <sum>                                                 FNV-1a of all lines before, with their line ends
 *
 *        A record is a letter, the owner's mark, and
 *          h<o><count>:<frame>                                       at the start these are the owner's
 *          a<o>[.<flags>]:<frame>                                    one frame, and the answer
 *          r<o>[.<flags>]<count>[/<align>][%<boundary>][>=<min>][<<max>]:<frame>       a run; limits of 0 are left out
 *          f<o>[<count>]:<frame>                                     given back; no count is 1
 *          g<o><to>[<count>]:<frame>                                 given to another owner
 *          b<o>:<frame>                                              taken out of service; from nobody (.) or from an owner
 *          x.<frame>:<frame>                                         two frames change roles
 *          d.:0                                                      the slots are called in
 *        with !<status> in place of the answer, or behind the frame that was named, when it was refused.  A record of
 *        another slot or node than the one before begins with @<slot>@ or ^<node>^.
 */
#include "base/compiler.h"
#include "lib/string.h"
#include "mm/engine.h"
#include "mm/phys/instance.h"
#include "mm/phys/trace_instance.h"

#define LINE_WIDTH 100

static const char letters[TRACE_OP_COUNT] = {
#define TRACE_OP_LETTER(id, letter) [TRACE_##id] = (letter),
    TRACE_OPS(TRACE_OP_LETTER)
#undef TRACE_OP_LETTER
};

/* --- writing a record ------------------------------------------------------------------------------------------------- */

struct text {
  char *to;
  size_t n;
};

static void put(struct text *t, char c) { t->to[t->n++] = c; }

static void put_number(struct text *t, uint64_t value) {
  unsigned shift = 60;
  while (shift > 0 && value >> shift == 0) shift -= 4;
  for (unsigned s = shift + 4; s > 0; s -= 4) put(t, "0123456789abcdef"[value >> (s - 4) & 15]);
}

static void put_limit(struct text *t, const char *name, uint64_t value) {
  if (value == 0) return;
  while (*name != '\0') put(t, *name++);
  put_number(t, value);
}

/* Six numbers of 16 digits at most, and a dozen characters. */
size_t trace_format(struct trace_pen *pen, const struct trace_record *r, char to[static TRACE_TEXT_MAX]) {
  struct text t = {to, 0};
  const bool is_answer = r->op == TRACE_FRAME || r->op == TRACE_RUN;
  if (pen->node != r->node) {
    put_limit(&t, "^", r->node);
    if (r->node == 0) put(&t, '^'), put(&t, '0');
    put(&t, '^');
  }
  if (pen->slot != r->slot) {
    put_limit(&t, "@", r->slot);
    if (r->slot == 0) put(&t, '@'), put(&t, '0');
    put(&t, '@');
  }
  *pen = (struct trace_pen){r->node, r->slot};
  put(&t, letters[r->op]);
  put(&t, frame_owner_mark(r->owner));
  if (r->op == TRACE_GIVE) put(&t, frame_owner_mark(r->to));
  if (is_answer) put_limit(&t, ".", r->flags);
  if (r->op == TRACE_RUN) put(&t, '*');
  if (r->op == TRACE_RUN || (r->op != TRACE_FRAME && r->count != 1)) put_number(&t, r->count);
  if (r->op == TRACE_RUN) {
    put_limit(&t, "/", r->where.align);
    put_limit(&t, "%", r->where.boundary);
    put_limit(&t, ">", r->where.min);
    put_limit(&t, "<", r->where.max);
  }
  if (!is_answer || r->status == OK) {
    put(&t, ':');
    put_number(&t, r->frame);
  }
  if (r->status != OK) {
    put(&t, '!');
    put_number(&t, (uint64_t)(-r->status));
  }
  to[t.n] = '\0';
  return t.n;
}

/* --- reading a record ------------------------------------------------------------------------------------------------- */

struct reader {
  const char *at, *end;
  bool is_bad;
};

static bool skip(struct reader *r, char c) {
  if (r->at == r->end || *r->at != c) return false;
  r->at++;
  return true;
}

static char take(struct reader *r) {
  if (r->at < r->end) return *r->at++;
  r->is_bad = true;
  return '\0';
}

static int digit(const struct reader *r) {
  if (r->at == r->end) return -1;
  const char c = *r->at;
  return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* At most 16 digits, at least one, and no more than `most`. */
static uint64_t take_number(struct reader *r, uint64_t most) {
  uint64_t value = 0;
  unsigned n = 0;
  for (int d = digit(r); d >= 0 && n < 16; d = digit(r), n++) {
    value = value << 4 | (unsigned)d;
    r->at++;
  }
  r->is_bad |= n == 0 || value > most;
  return value;
}

static uint64_t take_limit(struct reader *r, char name) { return skip(r, name) ? take_number(r, UINT64_MAX) : 0; }

static enum frame_owner take_owner(struct reader *r) {
  const char mark = take(r);
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++)
    if (frame_owner_mark((enum frame_owner)i) == mark) return (enum frame_owner)i;
  r->is_bad = true;
  return FRAME_OWNER_NONE;
}

static enum trace_op take_op(struct reader *r) {
  const char letter = take(r);
  for (unsigned i = 0; i < TRACE_OP_COUNT; i++)
    if (letters[i] == letter) return (enum trace_op)i;
  r->is_bad = true;
  return TRACE_HAVE;
}

/* The answer of a request that was met, or the frame that was named; and the status. */
static void take_answer(struct reader *r, struct trace_record *out) {
  const bool is_answer = out->op == TRACE_FRAME || out->op == TRACE_RUN;
  const bool has_frame = skip(r, ':');
  if (has_frame) out->frame = take_number(r, UINT64_MAX);
  const bool is_refused = skip(r, '!');
  if (is_refused) out->status = (int8_t)-(int)take_number(r, STATUS_COUNT - 1);
  r->is_bad |= is_answer ? has_frame == is_refused : !has_frame;
  r->is_bad |= is_refused && out->status == OK;
}

status_t trace_parse(struct trace_pen *pen, const char *text, size_t n, struct trace_record *out) {
  struct reader r = {text, text + n, false};
  struct trace_pen said = *pen;
  if (skip(&r, '^')) {
    said.node = (uint8_t)take_number(&r, TRACE_NODES_MAX - 1);
    r.is_bad |= !skip(&r, '^');
  }
  if (skip(&r, '@')) {
    said.slot = (uint16_t)take_number(&r, UINT16_MAX);
    r.is_bad |= !skip(&r, '@');
  }
  struct trace_record t = {.op = take_op(&r), .node = said.node, .slot = said.slot, .count = 1};
  t.owner = take_owner(&r);
  if (t.op == TRACE_GIVE) t.to = take_owner(&r);
  const bool is_request = t.op == TRACE_FRAME || t.op == TRACE_RUN;
  if (is_request && skip(&r, '.')) t.flags = (uint32_t)take_number(&r, UINT32_MAX);
  if (t.op == TRACE_RUN) r.is_bad |= !skip(&r, '*');
  if (t.op == TRACE_RUN || (t.op != TRACE_FRAME && digit(&r) >= 0)) t.count = take_number(&r, UINT64_MAX);
  if (t.op == TRACE_RUN) {
    t.where.align = take_limit(&r, '/');
    t.where.boundary = take_limit(&r, '%');
    t.where.min = take_limit(&r, '>');
    t.where.max = take_limit(&r, '<');
  }
  take_answer(&r, &t);
  if (r.is_bad || r.at != r.end) return ERR_CORRUPT;
  *pen = said;
  *out = t;
  return OK;
}

/* --- the whole -------------------------------------------------------------------------------------------------------- */

struct page {
  format_sink_t sink;
  void *context;
  uint64_t sum;
  char line[LINE_WIDTH + TRACE_TEXT_MAX];
  size_t n;
};

static void end_line(struct page *p) {
  p->line[p->n++] = '\n';
  for (size_t i = 0; i < p->n; i++) p->sum = (p->sum ^ (uint8_t)p->line[i]) * UINT64_C(0x100000001b3);
  p->sink(p->context, p->line, p->n);
  p->n = 0;
}

static void PRINTF_LIKE(2, 3) write_line(struct page *p, const char *format, ...) {
  va_list args;
  va_start(args, format);
  const size_t n = format_string_v(p->line, LINE_WIDTH, format, args);
  va_end(args);
  p->n = n < LINE_WIDTH ? n : LINE_WIDTH - 1;
  end_line(p);
}

static char kind_mark(uint32_t kind) {
  static const char marks[BOOT_MEMORY_KIND_COUNT] = {
#define KIND_MARK(id, mark, name, is_ram, fate) [BOOT_MEMORY_##id] = (mark),
      BOOT_MEMORY_KINDS(KIND_MARK)
#undef KIND_MARK
  };
  if (kind >= BOOT_MEMORY_KIND_COUNT) return '?';
  return marks[kind];
}

static void write_regions(struct page *page, const struct pmm *p, uint32_t node) {
  for (size_t i = 0; i < p->region_count; i++) {
    const struct boot_region *r = &p->regions[i];
    write_line(page, "region %x %llx %llx %c", node, (unsigned long long)(r->start / FRAME_SIZE),
               (unsigned long long)(r->end / FRAME_SIZE), kind_mark(r->kind));
  }
}

static void write_records(struct page *page, const struct trace *t, uint64_t records) {
  struct trace_pen pen = {0};
  for (uint64_t i = 0; i < records; i++) {
    if (page->n == 0) {
      memcpy(page->line, "ops", 3);
      page->n = 3;
    }
    page->line[page->n++] = ' ';
    page->n += trace_format(&pen, &t->records[i], page->line + page->n);
    if (page->n >= LINE_WIDTH - 1 || i + 1 == records) end_line(page);
  }
}

void trace_save(const struct trace *t, format_sink_t sink, void *context) {
  struct page page = {.sink = sink, .context = context, .sum = UINT64_C(0xcbf29ce484222325)};
  struct trace_summary s;
  trace_read_summary(t, &s);
  write_line(&page, "cairn-trace 1 engine=%s nodes=%x records=%llx lost=%llx", engine_name(t->nodes[0]), t->node_count,
             (unsigned long long)s.records, (unsigned long long)s.lost);
  for (uint32_t i = 0; i < t->node_count; i++) write_regions(&page, t->nodes[i], i);
  write_records(&page, t, s.records);
  for (uint32_t i = 0; i < t->node_count; i++) write_line(&page, "digest %x %llx", i, (unsigned long long)t->digest[i]);
  write_line(&page, "end %llx", (unsigned long long)page.sum);
}
