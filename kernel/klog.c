/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/klog.c — the log: a ring of records that any context may add to.
 *
 * HOW      A writer draws a sequence number, claims the slot number % SLOTS by one compare-and-swap on the slot's word,
 *          fills it and publishes it.  The word is (sequence + 1) * 4 when the slot holds that record, WRITING more while it
 *          is being written, SHOWN more when somebody has taken it upon himself to show it; 0 is a slot never used.  A
 *          reader copies a record and believes it when the word was the same before and after.  Then the records nobody has
 *          shown yet go to the consoles, oldest first, by whoever gets the `showing` flag; who does not get it leaves its
 *          record to the one that has it.  A number that was drawn and has no slot yet cannot be waited for, since its
 *          writer may be an interrupted one: the holder first moves shown_sequence past it and then looks at the slot, its
 *          writer first publishes and then looks at shown_sequence.  One of them sees the other, and SHOWN says whose it is.
 *          The ring is small and static until there is memory for more: then the records move, on a machine that does
 *          nothing else, and one store makes the large ring the ring.
 * LOCKING  None to wait for: an interrupt in the middle of a writer or of the showing, or another CPU, meets a busy word or
 *          a taken flag, and goes on.  In a panic the flag may be held for ever; there a writer shows its own record and
 *          nothing else.
 * INVARIANTS  A record is never torn: a slot under a writer is not given to a second one; that one's record is dropped and
 *          counted.  No control character is in a record, so nothing from outside can move a terminal's cursor.
 */
#include "kernel/klog.h"

#include <stdatomic.h>

#include "base/units.h"
#include "kernel/clock.h"
#include "kernel/console.h"
#include "lib/format.h"
#include "lib/string.h"

#define SLOTS_EARLY 64
#define SLOTS       320

struct slot {
  _Atomic uint64_t word;
  struct klog_record record;
};
static_assert(sizeof(struct slot[SLOTS_EARLY]) <= 16 * KIB && sizeof(struct slot[SLOTS]) <= 64 * KIB);

struct ring {
  struct slot *slots;
  uint64_t count;
};

static struct slot early_slots[SLOTS_EARLY];
static const struct ring early = {early_slots, SLOTS_EARLY};
static struct ring grown;
static const struct ring *_Atomic ring = &early;
static _Atomic uint64_t next_sequence;  /* Records ever begun. */
static _Atomic uint64_t shown_sequence; /* Below it everything has been shown; moved by the holder of `showing`. */
static atomic_flag showing = ATOMIC_FLAG_INIT;
static _Atomic uint32_t dropped;
static _Atomic int level_shown = KLOG_NOTICE;
static atomic_bool addresses_allowed;

#define WRITING 1U
#define SHOWN   2U

static struct slot *slot_of(uint64_t sequence) {
  const struct ring *r = ring;
  return &r->slots[sequence % r->count];
}

static uint64_t word_of(uint64_t sequence) { return (sequence + 1) * 4; }

const char *klog_level_name(enum klog_level level) {
  static const char *const names[] = {"error", "warn", "notice", "info", "verbose"};
  return (unsigned)level < ARRAY_COUNT(names) ? names[level] : "?";
}

void klog_set_level(enum klog_level level) { level_shown = (int)level; }
void klog_allow_addresses(void) { addresses_allowed = true; }
bool klog_addresses_allowed(void) { return addresses_allowed; }

struct text_sink {
  struct klog_record *record;
  size_t fill;
};

/* U+0080 to U+009f are control characters too: U+009b begins an escape sequence as ESC [ does. */
static bool is_second_of_control(const struct text_sink *s, unsigned char c) {
  return c >= 0x80 && c < 0xa0 && s->fill > 0 && (unsigned char)s->record->text[s->fill - 1] == 0xc2;
}

static void text_put(void *context, const char *bytes, size_t n) {
  struct text_sink *s = context;
  const size_t room = sizeof(s->record->text) - 1;
  for (size_t i = 0; i < n && s->fill < room; i++) {
    const unsigned char c = (unsigned char)bytes[i];
    const bool is_second = is_second_of_control(s, c);
    if (is_second) s->record->text[s->fill - 1] = '?';
    s->record->text[s->fill++] = bytes[i];
    if (c == '\n')
      s->record->text[s->fill - 1] = ' ';
    else if (is_second || c < ' ' || c == 0x7f)
      s->record->text[s->fill - 1] = '?';
  }
}

static void record_fill(struct klog_record *r, enum klog_level level, const char *room, const char *format, va_list args) {
  r->time_us = clock_us();
  r->level = level;
  format_string(r->room, sizeof(r->room), "%s", room);
  struct text_sink sink = {.record = r};
  const size_t n = addresses_allowed ? format_to_sink_with_addresses(text_put, &sink, format, args)
                                     : format_to_sink(text_put, &sink, format, args);
  r->text[sink.fill] = '\0';
  if (n > sink.fill) memcpy(r->text + sink.fill - 3, "...", 3);
}

/* Claims the slot of a sequence number; NULL when an interrupted writer, or a later record, has it. */
static struct slot *slot_claim(uint64_t sequence) {
  struct slot *s = slot_of(sequence);
  uint64_t word = atomic_load_explicit(&s->word, memory_order_relaxed);
  if ((word & WRITING) != 0 || word > word_of(sequence)) return NULL;
  return atomic_compare_exchange_strong(&s->word, &word, word_of(sequence) + WRITING) ? s : NULL;
}

/* Copies the record with this sequence number if the ring holds it whole. */
static bool record_copy(uint64_t sequence, struct klog_record *out) {
  struct slot *s = slot_of(sequence);
  if ((atomic_load_explicit(&s->word, memory_order_acquire) & ~(uint64_t)SHOWN) != word_of(sequence)) return false;
  *out = s->record;
  atomic_thread_fence(memory_order_acquire);
  return (atomic_load_explicit(&s->word, memory_order_relaxed) & ~(uint64_t)SHOWN) == word_of(sequence);
}

/* True for one caller: to show the record is his. */
static bool record_take(uint64_t sequence) {
  uint64_t word = word_of(sequence);
  return atomic_compare_exchange_strong(&slot_of(sequence)->word, &word, word_of(sequence) + SHOWN);
}

static void record_show(const struct klog_record *r, void (*write)(const char *bytes, size_t n)) {
  static const char *const colours[] = {"\033[91m", "\033[93m", "", "\033[37m", "\033[90m"};
  char line[sizeof(r->room) + sizeof(r->text) + 64];
  const size_t n =
      format_string(line, sizeof(line), "\033[90m[%4u.%06u]\033[0m %s%s: %s\033[0m\n", (unsigned)(r->time_us / 1000000),
                    (unsigned)(r->time_us % 1000000), colours[r->level], r->room, r->text);
  write(line, n);
}

static bool is_shown(const struct klog_record *r) { return (int)r->level <= level_shown; }

static uint64_t oldest_held(void) {
  const struct ring *r = ring;
  const uint64_t next = next_sequence;
  return next > r->count ? next - r->count : 0;
}

/* Shows what waits, up to the first record that is still being written: its writer comes here afterwards. */
static void show_waiting(void) {
  struct klog_record r;
  if (shown_sequence < oldest_held()) shown_sequence = oldest_held();
  uint64_t at = shown_sequence;
  for (; at < next_sequence; at++) {
    if (slot_of(at)->word == word_of(at) + WRITING) break;
    shown_sequence = at + 1;
    if (record_take(at) && record_copy(at, &r) && is_shown(&r)) record_show(&r, console_write);
  }
}

static bool is_waiting(void) {
  const uint64_t at = shown_sequence;
  return at < next_sequence && slot_of(at)->word != word_of(at) + WRITING;
}

static void show(void) {
  while (is_waiting() && !atomic_flag_test_and_set(&showing)) {
    show_waiting();
    atomic_flag_clear(&showing);
  }
}

void klog(enum klog_level level, const char *room, const char *format, ...) {
  const uint64_t sequence = atomic_fetch_add(&next_sequence, 1);
  struct slot *s = slot_claim(sequence);
  if (s == NULL) {
    dropped++;
    return;
  }
  s->record.sequence = sequence;
  va_list args;
  va_start(args, format);
  record_fill(&s->record, (unsigned)level <= KLOG_VERBOSE ? level : KLOG_ERROR, room, format, args);
  va_end(args);
  s->word = word_of(sequence); /* Sequentially consistent, as is the load of shown_sequence. */
  if (!console_is_panicking() && shown_sequence <= sequence) {
    show();
    return;
  }
  struct klog_record r; /* Later ones were shown before there was a slot for this one, or nobody else shows any more. */
  if (record_take(sequence) && record_copy(sequence, &r) && is_shown(&r)) record_show(&r, console_write);
}

bool klog_read(uint64_t from, struct klog_record *out) {
  uint64_t at = oldest_held();
  if (at < from) at = from;
  for (; at < next_sequence; at++)
    if (record_copy(at, out)) return true;
  return false;
}

void klog_replay(void (*write)(const char *bytes, size_t n)) {
  struct klog_record r;
  for (uint64_t at = 0; at < shown_sequence && klog_read(at, &r) && r.sequence < shown_sequence; at = r.sequence + 1)
    if (is_shown(&r)) record_show(&r, write);
}

size_t klog_grow_size(void) { return sizeof(struct slot[SLOTS]); }

/* A number that has no record in the small ring has none in the large one, whose other slots are free. */
void klog_grow(void *memory) {
  struct slot *slots = memory;
  if (ring != &early) return;
  for (size_t i = 0; i < SLOTS; i++) slots[i].word = 0;
  for (uint64_t at = oldest_held(); at < next_sequence; at++) {
    const struct slot *from = slot_of(at);
    if ((from->word & ~(uint64_t)SHOWN) != word_of(at)) continue;
    slots[at % SLOTS].record = from->record;
    slots[at % SLOTS].word = from->word;
  }
  grown = (struct ring){slots, SLOTS};
  ring = &grown;
}

uint32_t klog_dropped(void) { return dropped; }
