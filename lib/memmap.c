/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib/memmap.c — turns what the firmware says about memory into regions that one can build on.
 *
 * WHAT   Firmware lists come unsorted, overlapping, nested, doubled, empty, unaligned, wrapping past 2^64, a few hundred
 *        descriptors long and with a stride of the firmware's own choice.  The result is sorted, disjoint, in whole frames
 *        and maximal, and where two descriptors disagree about a frame the more restrictive one is believed.
 * HOW    intake   each descriptor becomes a span [start, end) with a kind; nonsense is cut, dropped and counted.
 *        order    a merge sort of span numbers by start, which costs nothing where the firmware had sorted already.
 *        sweep    a line moves up through the addresses.  Each layer keeps the spans under the line in a heap whose root
 *                 is the span to believe; ended spans leave the heap only when they reach the root.
 *
 *                   claims     |                 [ KERNEL ]                   what the loader did with its memory
 *                   firmware   |   [ LOADER            ][ USABLE ...          what the firmware says
 *                              |             [ RUNTIME ]                      (nested: the more restrictive wins)
 *                              +---------------|------------------------------> address
 *                                              the line: KERNEL is believed, for claims lie over the firmware's word
 *
 *        The line stops where the believed span ends or any span starts, whichever is first, and at 1 MiB.  Each stop
 *        is charged to one end of one span, so n spans make at most 2n regions in O(n log n).
 * WHY    A claim wins even against "reserved": the loader has written to that memory and the kernel runs from it, so a
 *        descriptor that says otherwise is the one that is wrong.
 * WHY NOT quadratic insertion into the result, the usual way: real maps have 130 descriptors and more, and the loader's
 *        whole budget is a million instructions.
 * SOURCE UEFI 2.10, 7.2.3 GetMemoryMap.
 */
#include "lib/memmap.h"

#include "base/bits.h"
#include "base/compiler.h"
#include "base/units.h"
#include "lib/string.h"

/* UEFI 2.10, 7.2.3: the memory types by number, and the kind each one is to us. */
#define MEMMAP_TYPES(X)                                                                                                     \
  X(0, "EfiReservedMemoryType", RESERVED)                                                                                   \
  X(1, "EfiLoaderCode", LOADER)                                                                                             \
  X(2, "EfiLoaderData", LOADER)                                                                                             \
  X(3, "EfiBootServicesCode", BOOT_SERVICES)                                                                                \
  X(4, "EfiBootServicesData", BOOT_SERVICES)                                                                                \
  X(5, "EfiRuntimeServicesCode", RUNTIME_CODE)                                                                              \
  X(6, "EfiRuntimeServicesData", RUNTIME_DATA)                                                                              \
  X(7, "EfiConventionalMemory", USABLE)                                                                                     \
  X(8, "EfiUnusableMemory", UNUSABLE)                                                                                       \
  X(9, "EfiACPIReclaimMemory", ACPI_RECLAIM)                                                                                \
  X(10, "EfiACPIMemoryNVS", ACPI_NVS)                                                                                       \
  X(11, "EfiMemoryMappedIO", MMIO)                                                                                          \
  X(12, "EfiMemoryMappedIOPortSpace", MMIO_PORT)                                                                            \
  X(13, "EfiPalCode", RESERVED)                                                                                             \
  X(14, "EfiPersistentMemory", PERSISTENT)                                                                                  \
  X(15, "EfiUnacceptedMemoryType", UNACCEPTED)

static const struct {
  const char *name;
  enum boot_memory_kind kind;
} types[] = {
#define TYPE_ROW(number, name, kind) [number] = {name, BOOT_MEMORY_##kind},
    MEMMAP_TYPES(TYPE_ROW)
#undef TYPE_ROW
};

enum fate { USE, RECLAIM, KEEP };
static const struct {
  const char *name;
  char mark;
  bool is_ram;
  enum fate fate;
} kinds[] = {
#define KIND_ROW(id, mark, name, is_ram, fate) [BOOT_MEMORY_##id] = {name, mark, is_ram, fate},
    BOOT_MEMORY_KINDS(KIND_ROW)
#undef KIND_ROW
};

/* One bit a kind, for the questions that are asked of every region. */
#define IS_RAM_BIT(id, mark, name, is_ram, fate)     | (uint32_t)(is_ram) << BOOT_MEMORY_##id
#define IS_GENERAL_BIT(id, mark, name, is_ram, fate) | (uint32_t)((fate) != KEEP) << BOOT_MEMORY_##id
static_assert(BOOT_MEMORY_KIND_COUNT <= 32);
static const uint32_t ram_kinds = 0 BOOT_MEMORY_KINDS(IS_RAM_BIT);
static const uint32_t general_kinds = 0 BOOT_MEMORY_KINDS(IS_GENERAL_BIT);
/* RAM that the direct map leaves out: */
static const uint32_t unmapped_kinds = 1U << BOOT_MEMORY_UNACCEPTED     /* touching it early is fatal on TDX and SNP; */
                                       | 1U << BOOT_MEMORY_RUNTIME_DATA /* the firmware's alone, mapped for its */
                                       | 1U << BOOT_MEMORY_RUNTIME_CODE /* calls only; */
                                       | 1U << BOOT_MEMORY_UNUSABLE;    /* broken. */

#define TYPE_LOADER_DATA  2
#define ATTRIBUTE_WB      UINT64_C(8)         /* EFI_MEMORY_WB: may be cached as memory is. */
#define ATTRIBUTE_RUNTIME (UINT64_C(1) << 63) /* EFI_MEMORY_RUNTIME: the firmware needs it after boot. */
#define LOW_END           MIB

/* --- what a kind means ---------------------------------------------------------------------------------------------- */

enum boot_memory_kind memmap_kind_of_type(uint32_t firmware_type) {
  return firmware_type < ARRAY_COUNT(types) ? types[firmware_type].kind : BOOT_MEMORY_RESERVED;
}
const char *memmap_type_name(uint32_t firmware_type) {
  return firmware_type < ARRAY_COUNT(types) ? types[firmware_type].name : "unknown type";
}
const char *memmap_kind_name(uint32_t kind) { return kind < ARRAY_COUNT(kinds) ? kinds[kind].name : "?"; }
char memmap_kind_mark(uint32_t kind) {
  if (kind >= ARRAY_COUNT(kinds)) return '?';
  return kinds[kind].mark;
}

static bool is_one_of(uint32_t kind, uint32_t set) { return kind < BOOT_MEMORY_KIND_COUNT && (set >> kind & 1) != 0; }
bool memmap_kind_is_ram(uint32_t kind) { return is_one_of(kind, ram_kinds); }
bool memmap_kind_is_general(uint32_t kind) { return is_one_of(kind, general_kinds); }
bool memmap_kind_in_direct_map(uint32_t kind) { return is_one_of(kind, ram_kinds & ~unmapped_kinds); }

static bool kind_is_claim(uint32_t kind) {
  return kind == BOOT_MEMORY_HANDOFF || kind == BOOT_MEMORY_BOOT_STACK || kind == BOOT_MEMORY_PAGE_TABLES ||
         kind == BOOT_MEMORY_KERNEL || kind == BOOT_MEMORY_TRAMPOLINE;
}

/* --- spans and layers ----------------------------------------------------------------------------------------------- */

/* A descriptor or a claim after intake: whole frames, never empty, below MEMMAP_ADDRESS_END. */
struct span {
  uint64_t start, end;
  uint64_t attributes;
  uint32_t type;
  uint8_t kind;
  bool is_marked; /* Firmware layer: counted as overlapping.  Claims: counted as outside loader memory. */
};

/* One list of spans and the line's place in it. */
struct layer {
  struct span *spans;
  uint32_t count;
  uint32_t *order; /* Numbers of spans, by start. */
  uint32_t next;   /* First of `order` that the line has not reached. */
  uint32_t *heap;  /* Numbers of spans under the line, the one to believe at the root; may hold ended ones below it. */
  uint32_t heap_count;
  uint64_t stop;         /* Where the line has to stop next; UINT64_MAX when nothing lies ahead. */
  struct span *believed; /* Up to there; NULL when the layer is silent. */
};

size_t memmap_regions_max(size_t descriptor_count, size_t claim_count) { return 2 * (descriptor_count + claim_count) + 1; }

/* A span, its place in `order`, half a place in the sort's spare room, its place in the heap. */
size_t memmap_scratch_size(size_t descriptor_count, size_t claim_count) {
  size_t spans = descriptor_count + claim_count;
  return (spans * (sizeof(struct span) + 2 * sizeof(uint32_t)) + 7) & ~(size_t)7;
}

/* Cuts a layer with room for `capacity` spans off the scratch memory; returns what is left. */
static void *layer_init(struct layer *l, void *scratch, size_t capacity) {
  struct span *spans = scratch;
  uint32_t *order = (uint32_t *)(spans + capacity);
  *l = (struct layer){.spans = spans, .order = order, .heap = order + capacity};
  return order + 2 * capacity;
}

static void layer_add(struct layer *l, struct span s) { l->spans[l->count++] = s; }

/* Merges order[first, middle) and order[middle, end), both sorted; `spare` takes the first of them meanwhile. */
static void order_merge(const struct span *spans, uint32_t *order, uint32_t *spare, size_t first, size_t middle,
                        size_t end) {
  size_t left_count = middle - first, left = 0, right = middle, to = first;
  memcpy(spare, order + first, left_count * sizeof *spare);
  while (left < left_count) {
    bool take_right = right < end && spans[order[right]].start < spans[spare[left]].start;
    order[to++] = take_right ? order[right++] : spare[left++];
  }
}

/* Sorts by start; spans that start together stay in the firmware's order.  The heap's room is free until the sweep. */
static void layer_sort(struct layer *l) {
  const struct span *spans = l->spans;
  for (uint32_t i = 0; i < l->count; i++) l->order[i] = i;
  for (size_t width = 1; width < l->count; width *= 2) {
    for (size_t first = 0; first + width < l->count; first += 2 * width) {
      size_t middle = first + width, end = bits_min(middle + width, l->count);
      if (spans[l->order[middle]].start >= spans[l->order[middle - 1]].start) continue;
      order_merge(spans, l->order, l->heap, first, middle, end);
    }
  }
}

/* True when span a is to be believed before span b: the more restrictive kind, then the one the firmware named first. */
static bool span_is_before(const struct layer *l, uint32_t a, uint32_t b) {
  uint8_t kind_a = l->spans[a].kind, kind_b = l->spans[b].kind;
  return kind_a != kind_b ? kind_a > kind_b : a < b;
}

static void heap_push(struct layer *l, uint32_t number) {
  uint32_t at = l->heap_count++;
  while (at > 0 && span_is_before(l, number, l->heap[(at - 1) / 2])) {
    l->heap[at] = l->heap[(at - 1) / 2];
    at = (at - 1) / 2;
  }
  l->heap[at] = number;
}

static void heap_pop(struct layer *l) {
  uint32_t number = l->heap[--l->heap_count], at = 0;
  while (l->heap_count > 0) {
    uint32_t child = 2 * at + 1;
    if (child >= l->heap_count) break;
    if (child + 1 < l->heap_count && span_is_before(l, l->heap[child + 1], l->heap[child])) child++;
    if (!span_is_before(l, l->heap[child], number)) break;
    l->heap[at] = l->heap[child];
    at = child;
  }
  l->heap[at] = number;
}

/* Moves the line to `address`, which is not beyond the layer's stop: what starts there cannot have ended. */
static void layer_move(struct layer *l, uint64_t address) {
  while (l->heap_count > 0 && l->spans[l->heap[0]].end <= address) heap_pop(l);
  l->stop = UINT64_MAX;
  for (; l->next < l->count; l->next++) {
    uint32_t number = l->order[l->next];
    l->stop = l->spans[number].start;
    if (l->stop > address) break;
    heap_push(l, number);
    l->stop = UINT64_MAX;
  }
  l->believed = NULL;
  if (l->heap_count == 0) return;
  l->believed = &l->spans[l->heap[0]];
  l->stop = bits_min(l->stop, l->believed->end);
}

/* --- intake --------------------------------------------------------------------------------------------------------- */

struct intake {
  const uint8_t *descriptors;
  size_t count, stride;
  bool has_wb; /* Some descriptor of the map has EFI_MEMORY_WB. */
};

static struct memmap_descriptor intake_read(const struct intake *in, size_t index) {
  struct memmap_descriptor d;
  memcpy(&d, in->descriptors + index * in->stride, sizeof d);
  return d;
}

/* The kind of a descriptor: its type's, unless its attributes say that general memory is not for general use. */
static uint8_t kind_of_descriptor(const struct memmap_descriptor *d, bool has_wb) {
  uint8_t kind = (uint8_t)memmap_kind_of_type(d->type);
  if (!memmap_kind_is_general(kind)) return kind;
  if (d->attributes & ATTRIBUTE_RUNTIME) return BOOT_MEMORY_RUNTIME_DATA;
  if (has_wb && !(d->attributes & ATTRIBUTE_WB)) return BOOT_MEMORY_RESERVED;
  return kind;
}

/* Makes a span of one descriptor and counts what is odd about it; false when nothing of it is left. */
static bool span_of_descriptor(const struct memmap_descriptor *d, bool has_wb, struct memmap_report *report,
                               struct span *out) {
  uint64_t start = d->physical_start, size, end;
  uint8_t kind = kind_of_descriptor(d, has_wb);
  report->unknown_type += d->type >= ARRAY_COUNT(types);
  if (d->pages == 0) {
    report->empty++;
    return false;
  }
  if (!bits_mul(d->pages, FRAME_SIZE, &size) || !bits_add(start, size, &end) || end > MEMMAP_ADDRESS_END) {
    report->wrapping++;
    if (memmap_kind_is_ram(kind)) return false;
    end = MEMMAP_ADDRESS_END;
  }
  if (start >= MEMMAP_ADDRESS_END) return false;
  if (!bits_is_aligned(start, FRAME_SIZE)) {
    report->unaligned++;
    bool is_general = memmap_kind_is_general(kind);
    start = is_general ? bits_align_up(start, FRAME_SIZE) : bits_align_down(start, FRAME_SIZE);
    end = is_general ? bits_align_down(end, FRAME_SIZE) : bits_align_up(end, FRAME_SIZE);
  }
  *out = (struct span){.start = start, .end = end, .attributes = d->attributes, .type = d->type, .kind = kind};
  return start < end;
}

static void intake_descriptors(const struct intake *in, struct layer *firmware, struct memmap_report *report) {
  uint64_t previous = 0;
  report->descriptors = (uint32_t)in->count;
  for (size_t i = 0; i < in->count; i++) {
    struct memmap_descriptor d = intake_read(in, i);
    struct span s;
    report->unsorted += d.physical_start < previous;
    previous = d.physical_start;
    if (span_of_descriptor(&d, in->has_wb, report, &s)) layer_add(firmware, s);
  }
}

static bool claim_is_valid(const struct memmap_claim *c) {
  return c->start < c->end && c->end <= MEMMAP_ADDRESS_END && bits_is_aligned(c->start | c->end, FRAME_SIZE) &&
         kind_is_claim(c->kind);
}

/* Marks and counts every span that shares a frame with another.  In order of start it is enough to know the one that
   reaches furthest: it overlaps the next span if any earlier one does, and one that it hides has been marked by it. */
static uint32_t count_overlapping(struct layer *l) {
  uint32_t overlapping = 0;
  struct span *reach = NULL;
  for (uint32_t i = 0; i < l->count; i++) {
    struct span *s = &l->spans[l->order[i]];
    if (reach && s->start < reach->end) {
      overlapping += 1U + !reach->is_marked;
      s->is_marked = reach->is_marked = true;
    }
    if (!reach || s->end > reach->end) reach = s;
  }
  return overlapping;
}

/* --- the sweep ------------------------------------------------------------------------------------------------------ */

/* The list being made. */
struct output {
  struct boot_region *regions;
  size_t capacity, count;
  bool has_usable;
};

static bool region_is_like(const struct boot_region *a, const struct boot_region *b) {
  return a->kind == b->kind && a->firmware_type == b->firmware_type && a->attributes == b->attributes;
}

/* Appends a region, or lets the last one grow when it touches and says the same. */
static status_t output_add(struct output *out, const struct boot_region *r) {
  struct boot_region *last = out->count > 0 ? &out->regions[out->count - 1] : NULL;
  out->has_usable |= r->kind == BOOT_MEMORY_USABLE;
  if (last && last->end == r->start && region_is_like(last, r)) {
    last->end = r->end;
    return OK;
  }
  if (out->count == out->capacity) return ERR_FULL;
  out->regions[out->count++] = *r;
  return OK;
}

/* What holds between two stops, when the layers say this about it. */
static struct boot_region region_of(uint64_t start, uint64_t end, const struct span *firmware, const struct span *claim) {
  struct boot_region r = {.start = start, .end = end, .firmware_type = TYPE_LOADER_DATA};
  if (firmware) {
    r.kind = firmware->kind;
    r.firmware_type = firmware->type;
    r.attributes = firmware->attributes;
  }
  if (claim) r.kind = claim->kind;
  if (start < LOW_END && memmap_kind_is_general(r.kind)) r.kind = BOOT_MEMORY_LOW;
  return r;
}

static status_t sweep(struct layer *firmware, struct layer *claims, struct output *out, struct memmap_report *report) {
  for (uint64_t line = 0; line != UINT64_MAX;) {
    if (line >= firmware->stop) layer_move(firmware, line);
    if (line >= claims->stop) layer_move(claims, line);
    const struct span *says = firmware->believed;
    struct span *claim = claims->believed;
    uint64_t stop = bits_min(firmware->stop, claims->stop);
    if (line < LOW_END && stop > LOW_END) stop = LOW_END;
    if (claim && !claim->is_marked && !(says && says->kind == BOOT_MEMORY_LOADER)) {
      claim->is_marked = true;
      report->claims_outside++;
    }
    if (says || claim) {
      struct boot_region r = region_of(line, stop, says, claim);
      status_t status = output_add(out, &r);
      if (status != OK) return status;
    }
    line = stop;
  }
  return OK;
}

status_t memmap_canonicalise(const void *descriptors, size_t bytes, size_t stride, const struct memmap_claim *claims,
                             size_t claim_count, struct boot_region *regions, size_t capacity, void *scratch,
                             size_t *region_count, struct memmap_report *report) {
  if (stride < sizeof(struct memmap_descriptor) || stride % 8 != 0 || bytes % stride != 0) return ERR_INVALID;
  for (size_t i = 0; i < claim_count; i++) {
    if (!claim_is_valid(&claims[i])) return ERR_INVALID;
  }
  struct intake in = {.descriptors = descriptors, .count = bytes / stride, .stride = stride};
  if (in.count >= UINT32_MAX / 2 || claim_count >= UINT32_MAX / 2) return ERR_INVALID;
  for (size_t i = 0; i < in.count && !in.has_wb; i++) in.has_wb = (intake_read(&in, i).attributes & ATTRIBUTE_WB) != 0;

  struct memmap_report seen = {0};
  struct layer firmware, claimed;
  layer_init(&claimed, layer_init(&firmware, scratch, in.count), claim_count);
  intake_descriptors(&in, &firmware, &seen);
  for (size_t i = 0; i < claim_count; i++) {
    layer_add(&claimed, (struct span){.start = claims[i].start, .end = claims[i].end, .kind = (uint8_t)claims[i].kind});
  }
  layer_sort(&firmware);
  layer_sort(&claimed);
  seen.overlapping = count_overlapping(&firmware);

  struct output out = {.regions = regions, .capacity = capacity};
  status_t status = sweep(&firmware, &claimed, &out, &seen);
  if (status != OK) return status;
  *region_count = out.count;
  *report = seen;
  return out.has_usable ? OK : ERR_NOT_FOUND;
}

status_t memmap_check(const struct boot_region *regions, size_t count, size_t *bad_index) {
  for (size_t i = 0; i < count; i++) {
    const struct boot_region *r = &regions[i], *last = i > 0 ? &regions[i - 1] : NULL;
    bool is_sound = r->start < r->end && r->end <= MEMMAP_ADDRESS_END && bits_is_aligned(r->start | r->end, FRAME_SIZE) &&
                    r->kind < BOOT_MEMORY_KIND_COUNT && !(r->start < LOW_END && memmap_kind_is_general(r->kind));
    bool is_after = !last || last->end < r->start || (last->end == r->start && !region_is_like(last, r));
    if (!is_sound || !is_after) {
      *bad_index = i;
      return ERR_CORRUPT;
    }
  }
  return OK;
}
