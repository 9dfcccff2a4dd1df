/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tests/harness/interleave_memory.c — see interleave.h: the memory that the threads under test see.
 *
 * WHAT   Stands in for ThreadSanitizer's runtime: the compiler has put a call in place of every atomic operation, and one
 *        before every plain access.  Each is a step: the thread first asks the scheduler, then does it.
 * HOW    With store buffers the machine is x86-TSO: a store goes into its thread's buffer (8 deep), from where an agent of
 *        its own lets them out in order; loads see their own thread's buffer first; locked operations, fences and stores
 * that are sequentially consistent wait until the buffer is empty. Who reads the same words over and over without a change
 * in any of them is waiting: it goes on when one changes. Plain stores are seen at once, buffers or not: programs without a
 * race cannot tell. SOURCE Owens, Sarkar, Sewell: A better x86 memory model: x86-TSO, 2009.
 */
#include "interleave_memory.h"

#include <stdio.h>
#include <string.h>

#define SPINS_MAX   1000 /* As often may a thread read a word that has not changed without saying that it waits. */
#define WINDOW      64
#define WATCHED_MAX 64
#define ORDER_ALL   5 /* __ATOMIC_SEQ_CST. */

struct store {
  void *address;
  unsigned size;
  uint64_t value;
  uint64_t code;
  int origin; /* The step that put it here. */
};

/* What one thread has in front of memory. */
static struct view {
  struct store buffer[BUFFER_STORES];
  unsigned buffered;
  struct {
    const char *address;
    unsigned size, times;
  } window[WINDOW]; /* Words read since any of them changed. */
  unsigned window_used, window_last;
  bool is_waiting;
} views[INTERLEAVE_THREADS_MAX];

static struct {
  const char *start;
  size_t size;
  const char *name;
} watched[WATCHED_MAX];
static unsigned watched_count;
static bool is_buffered, is_plain_seen;
static int origin;

static const struct {
  const char *name;
  bool reads, writes, fences;
} kinds[STEP_KIND_COUNT] = {
#define STEP_KIND_ROW(id, name, reads, writes, fences) [STEP_##id] = {name, reads, writes, fences},
    STEP_KINDS(STEP_KIND_ROW)
#undef STEP_KIND_ROW
};

void memory_begin(bool has_store_buffers, bool has_plain_steps) {
  memset(views, 0, sizeof views);
  is_buffered = has_store_buffers;
  is_plain_seen = has_plain_steps;
}

void interleave_watch(const void *start, size_t size, const char *name) {
  if (watched_count == WATCHED_MAX) return;
  watched[watched_count].start = start;
  watched[watched_count].size = size;
  watched[watched_count++].name = name;
}

void interleave_forget(void) { watched_count = 0; }

static const char *byte_at(uint64_t address) { return (const char *)(uintptr_t)address; }
static uint64_t address_of(const volatile void *p) { return (uint64_t)(uintptr_t)p; }

static uint64_t read_bytes(const volatile void *p, unsigned size) {
  switch (size) {
  case 1:
    return *(const volatile uint8_t *)p;
  case 2:
    return *(const volatile uint16_t *)p;
  case 4:
    return *(const volatile uint32_t *)p;
  default:
    return *(const volatile uint64_t *)p;
  }
}

static bool overlap(const char *a, unsigned a_size, const char *b, unsigned b_size) {
  return a < b + b_size && b < a + a_size;
}

/* Words that changed wake those who wait for it. */
static void forget_readings(const char *address, unsigned size) {
  for (unsigned t = 0; t < INTERLEAVE_THREADS_MAX; t++) {
    struct view *v = &views[t];
    for (unsigned i = 0; i < v->window_used; i++) {
      if (!overlap(v->window[i].address, v->window[i].size, address, size)) continue;
      v->window_used = 0;
      v->is_waiting = false;
    }
  }
}

static void write_bytes(volatile void *p, unsigned size, uint64_t value) {
  if (read_bytes(p, size) != value) forget_readings((const char *)p, size);
  switch (size) {
  case 1:
    *(volatile uint8_t *)p = (uint8_t)value;
    break;
  case 2:
    *(volatile uint16_t *)p = (uint16_t)value;
    break;
  case 4:
    *(volatile uint32_t *)p = (uint32_t)value;
    break;
  default:
    *(volatile uint64_t *)p = value;
    break;
  }
}

/* --- buffers and waiting -------------------------------------------------------------------------------------------- */

bool memory_next_flush(unsigned thread, struct step *out) {
  const struct view *v = &views[thread];
  if (v->buffered == 0) return false;
  const struct store *s = &v->buffer[0];
  *out = (struct step){.kind = STEP_FLUSH, .size = (uint8_t)s->size, .address = address_of(s->address), .code = s->code};
  return true;
}

void memory_set_origin(int number) { origin = number; }
int memory_flush_origin(unsigned thread) { return views[thread].buffer[0].origin; }
bool memory_step_fences(const struct step *s) { return kinds[s->kind].fences; }

void memory_flush(unsigned thread) {
  struct view *v = &views[thread];
  write_bytes(v->buffer[0].address, v->buffer[0].size, v->buffer[0].value);
  memmove(&v->buffer[0], &v->buffer[1], --v->buffered * sizeof v->buffer[0]);
}

/* The youngest store of the thread's own that covers a word; *is_torn when one only touches it. */
static bool find_buffered(const struct view *v, const char *address, unsigned size, uint64_t *value, bool *is_torn) {
  *is_torn = false;
  for (unsigned i = v->buffered; i-- > 0;) {
    const struct store *s = &v->buffer[i];
    if (!overlap(s->address, s->size, address, size)) continue;
    *value = s->value;
    *is_torn = s->address != address || s->size != size;
    return true;
  }
  return false;
}

bool memory_allows(unsigned thread, const struct step *s) {
  const struct view *v = &views[thread];
  uint64_t ignored;
  bool is_torn;
  if (v->is_waiting || (kinds[s->kind].fences && v->buffered > 0)) return false;
  switch (s->kind) {
  case STEP_LOCK:
    return read_bytes(byte_at(s->address), s->size) == 0;
  case STEP_BARRIER:
    return views[s->target].buffered == 0;
  case STEP_LOAD:
    return !find_buffered(v, byte_at(s->address), s->size, &ignored, &is_torn) || !is_torn;
  case STEP_BUFFER:
    return v->buffered < BUFFER_STORES;
  default:
    return true;
  }
}

static void note_reading(const char *address, unsigned size) {
  struct view *v = &views[interleave_self()];
  for (unsigned i = 0; i < v->window_used; i++) {
    if (v->window[i].address != address || v->window[i].size != size) continue;
    v->window_last = i;
    if (++v->window[i].times == SPINS_MAX) interleave_fail("a word is read %d times: who waits has to say so", SPINS_MAX);
    return;
  }
  if (v->window_used == WINDOW) v->window_used = 0;
  v->window_last = v->window_used;
  v->window[v->window_used].address = address;
  v->window[v->window_used].size = size;
  v->window[v->window_used++].times = 1;
}

/* Its own progress: what it reads from now on is read for the first time. */
static void note_writing(void) { views[interleave_self()].window_used = 0; }

void interleave_pause(void) {
  if (interleave_self() == UINT32_MAX) return;
  struct view *v = &views[interleave_self()];
  struct step s = {.kind = STEP_WAIT, .code = address_of(__builtin_return_address(0))};
  v->is_waiting = v->window_used > 0;
  if (v->is_waiting) { /* It goes on after a write to what it has read last, and so depends on that. */
    s.size = (uint8_t)v->window[v->window_last].size;
    s.address = address_of(v->window[v->window_last].address);
  }
  interleave_yield(&s);
}

bool memory_steps_depend(unsigned a_agent, const struct step *a, unsigned b_agent, const struct step *b) {
  if (a_agent % INTERLEAVE_THREADS_MAX == b_agent % INTERLEAVE_THREADS_MAX) return true;
  if (a->kind == STEP_BARRIER && a->target == b_agent % INTERLEAVE_THREADS_MAX) return is_buffered;
  if (b->kind == STEP_BARRIER && b->target == a_agent % INTERLEAVE_THREADS_MAX) return is_buffered;
  if (!kinds[a->kind].writes && !kinds[b->kind].writes) return false;
  if (a->size == 0 || b->size == 0) return false;
  return overlap(byte_at(a->address), a->size, byte_at(b->address), b->size);
}

bool memory_step_enables(unsigned agent, const struct step *s, const struct step *other) {
  if (other->kind == STEP_BARRIER) return agent == (unsigned)INTERLEAVE_THREADS_MAX + other->target;
  return other->kind == STEP_LOCK && s->kind != STEP_LOCK && s->address == other->address;
}

void memory_print_step(unsigned agent, const struct step *s) {
  printf("#   thread %u %s", agent % INTERLEAVE_THREADS_MAX, kinds[s->kind].name);
  if (s->kind == STEP_BARRIER) printf(" thread %u", s->target);
  const char *at = byte_at(s->address);
  for (unsigned i = 0; s->size > 0 && i <= watched_count; i++) {
    if (i == watched_count) {
      printf(" %#llx", (unsigned long long)s->address);
    } else if (at >= watched[i].start && at < watched[i].start + watched[i].size) {
      printf(" %s+%#llx", watched[i].name, (unsigned long long)(at - watched[i].start));
      break;
    }
  }
  printf(", code %#llx\n", (unsigned long long)s->code);
}

/* --- atomic operations ---------------------------------------------------------------------------------------------- */

static uint64_t step_load(const volatile void *p, unsigned size, uint64_t code) {
  if (interleave_self() == UINT32_MAX) return read_bytes(p, size);
  uint64_t value;
  bool is_torn;
  interleave_yield(&(struct step){.kind = STEP_LOAD, .size = (uint8_t)size, .address = address_of(p), .code = code});
  if (find_buffered(&views[interleave_self()], (const char *)p, size, &value, &is_torn)) return value;
  note_reading((const char *)p, size);
  return read_bytes(p, size);
}

static void step_store(volatile void *p, unsigned size, uint64_t value, int order, uint64_t code) {
  if (interleave_self() == UINT32_MAX) {
    write_bytes(p, size, value);
    return;
  }
  struct view *v = &views[interleave_self()];
  struct step s = {.kind = STEP_STORE, .size = (uint8_t)size, .address = address_of(p), .code = code};
  if (is_buffered) s.kind = order == ORDER_ALL ? STEP_UPDATE : STEP_BUFFER;
  interleave_yield(&s);
  note_writing();
  if (s.kind == STEP_BUFFER)
    v->buffer[v->buffered++] = (struct store){(void *)(uintptr_t)s.address, size, value, code, origin};
  else
    write_bytes(p, size, value);
}

enum update { UPDATE_EXCHANGE, UPDATE_ADD, UPDATE_SUB, UPDATE_AND, UPDATE_OR, UPDATE_XOR, UPDATE_NAND };

static uint64_t mask_of(unsigned size) { return size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1; }

static uint64_t updated(uint64_t old, enum update how, uint64_t with) {
  switch (how) {
  case UPDATE_ADD:
    return old + with;
  case UPDATE_SUB:
    return old - with;
  case UPDATE_AND:
    return old & with;
  case UPDATE_OR:
    return old | with;
  case UPDATE_XOR:
    return old ^ with;
  case UPDATE_NAND:
    return ~(old & with);
  default:
    return with;
  }
}

/* A locked operation has changed a word, or has only looked at it. */
static void finish_update(volatile void *p, unsigned size, uint64_t old, uint64_t value) {
  if (interleave_self() != UINT32_MAX) {
    if (old == value)
      note_reading((const char *)p, size);
    else
      note_writing();
  }
  write_bytes(p, size, value);
}

static void begin_update(const volatile void *p, unsigned size, uint64_t code) {
  if (interleave_self() == UINT32_MAX) return;
  interleave_yield(&(struct step){.kind = STEP_UPDATE, .size = (uint8_t)size, .address = address_of(p), .code = code});
}

static uint64_t step_update(volatile void *p, unsigned size, enum update how, uint64_t with, uint64_t code) {
  begin_update(p, size, code);
  uint64_t old = read_bytes(p, size);
  finish_update(p, size, old, updated(old, how, with) & mask_of(size));
  return old;
}

static uint64_t step_compare(volatile void *p, unsigned size, uint64_t expected, uint64_t value, uint64_t code) {
  begin_update(p, size, code);
  uint64_t old = read_bytes(p, size);
  finish_update(p, size, old, old == expected ? value : old);
  return old;
}

static void step_fence(int order, uint64_t code) {
  if (interleave_self() == UINT32_MAX || order != ORDER_ALL) return;
  interleave_yield(&(struct step){.kind = STEP_FENCE, .code = code});
}

void interleave_lock(uint32_t *word) {
  if (interleave_self() != UINT32_MAX) {
    uint64_t code = address_of(__builtin_return_address(0));
    interleave_yield(&(struct step){.kind = STEP_LOCK, .size = sizeof *word, .address = address_of(word), .code = code});
    note_writing();
  } else if (*word != 0) {
    interleave_fail("a lock is taken twice");
  }
  write_bytes(word, sizeof *word, 1);
}

void interleave_unlock(uint32_t *word) {
  if (*word != 1) interleave_fail("a lock is let go of that is free");
  step_store(word, sizeof *word, 0, 3, address_of(__builtin_return_address(0)));
}

void interleave_barrier(void) {
  uint64_t code = address_of(__builtin_return_address(0));
  unsigned self = interleave_self();
  if (self == UINT32_MAX) return;
  for (uint8_t t = 0; t < INTERLEAVE_THREADS_MAX; t++) {
    if (t != self) interleave_yield(&(struct step){.kind = STEP_BARRIER, .target = t, .code = code});
  }
}

/* A plain access to a word that the thread has stored to atomically: it has to see that, so the store must have left. */
static void await_own_stores(const char *p, size_t size, uint64_t code) {
  const struct view *v = &views[interleave_self()];
  for (unsigned i = 0; i < v->buffered; i++) {
    if (!overlap(v->buffer[i].address, v->buffer[i].size, p, (unsigned)size)) continue;
    interleave_yield(&(struct step){.kind = STEP_FENCE, .code = code});
    return;
  }
}

static void step_plain(enum step_kind kind, const void *p, size_t size, uint64_t code) {
  if (interleave_self() == UINT32_MAX) return;
  if (is_buffered) await_own_stores(p, size, code);
  if (!is_plain_seen) return;
  const char *at = p;
  for (unsigned i = 0; i < watched_count; i++) {
    if (at < watched[i].start || at >= watched[i].start + watched[i].size) continue;
    interleave_yield(&(struct step){
        .kind = (uint8_t)kind, .size = (uint8_t)(size < 255 ? size : 255), .address = address_of(p), .code = code});
    return;
  }
}

/* --- the calls that the compiler makes ------------------------------------------------------------------------------ */

#define CODE address_of(__builtin_return_address(0))

#define FETCH(bits, name, how)                                                                                              \
  uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order);                     \
  uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order) {                    \
    (void)order;                                                                                                            \
    return (uint##bits##_t)step_update(p, bits / 8, how, v, CODE);                                                          \
  }
#define ATOMICS(bits)                                                                                                       \
  uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order);                                   \
  void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order);                                \
  uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *p, uint##bits##_t expected,            \
                                                            uint##bits##_t v, int order, int order_failed);                 \
  uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order) {                                  \
    (void)order;                                                                                                            \
    return (uint##bits##_t)step_load(p, bits / 8, CODE);                                                                    \
  }                                                                                                                         \
  void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order) {                               \
    step_store(p, bits / 8, v, order, CODE);                                                                                \
  }                                                                                                                         \
  uint##bits##_t __tsan_atomic##bits##_compare_exchange_val(volatile uint##bits##_t *p, uint##bits##_t expected,            \
                                                            uint##bits##_t v, int order, int order_failed) {                \
    (void)order, (void)order_failed;                                                                                        \
    return (uint##bits##_t)step_compare(p, bits / 8, expected, v, CODE);                                                    \
  }                                                                                                                         \
  FETCH(bits, exchange, UPDATE_EXCHANGE)                                                                                    \
  FETCH(bits, fetch_add, UPDATE_ADD)                                                                                        \
  FETCH(bits, fetch_sub, UPDATE_SUB)                                                                                        \
  FETCH(bits, fetch_and, UPDATE_AND)                                                                                        \
  FETCH(bits, fetch_or, UPDATE_OR)                                                                                          \
  FETCH(bits, fetch_xor, UPDATE_XOR)                                                                                        \
  FETCH(bits, fetch_nand, UPDATE_NAND)
ATOMICS(8)
ATOMICS(16)
ATOMICS(32)
ATOMICS(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_thread_fence(int order) { step_fence(order, CODE); }
void __tsan_atomic_signal_fence(int order) { (void)order; }

#define PLAIN(size)                                                                                                         \
  void __tsan_read##size(void *p);                                                                                          \
  void __tsan_write##size(void *p);                                                                                         \
  void __tsan_unaligned_read##size(void *p);                                                                                \
  void __tsan_unaligned_write##size(void *p);                                                                               \
  void __tsan_read##size(void *p) { step_plain(STEP_READ, p, size, CODE); }                                                 \
  void __tsan_write##size(void *p) { step_plain(STEP_WRITE, p, size, CODE); }                                               \
  void __tsan_unaligned_read##size(void *p) { step_plain(STEP_READ, p, size, CODE); }                                       \
  void __tsan_unaligned_write##size(void *p) { step_plain(STEP_WRITE, p, size, CODE); }
PLAIN(1)
PLAIN(2)
PLAIN(4)
PLAIN(8)
PLAIN(16)

void *__tsan_memset(void *p, int byte, size_t size);
void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *p, int byte, size_t size) {
  step_plain(STEP_WRITE, p, size, CODE);
  return memset(p, byte, size);
}
void *__tsan_memcpy(void *to, const void *from, size_t size) {
  step_plain(STEP_READ, from, size, CODE);
  step_plain(STEP_WRITE, to, size, CODE);
  return memcpy(to, from, size);
}
void *__tsan_memmove(void *to, const void *from, size_t size) {
  step_plain(STEP_READ, from, size, CODE);
  step_plain(STEP_WRITE, to, size, CODE);
  return memmove(to, from, size);
}

void __tsan_init(void);
void __tsan_func_entry(void *code);
void __tsan_func_exit(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *code) { (void)code; }
void __tsan_func_exit(void) {}
