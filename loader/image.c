/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/image.c — the kernel file is checked to the last field before one byte of it is used.
 *
 * HOW    image_plan walks the file's layers, and each layer is checked before the next one is looked at:
 *          ELF header ──► program headers ──► segments (bounds, order, permissions) ──► entry, pages, RELRO
 *          ──► dynamic section ──► RELA and RELR tables ──► every single relocation's target.
 *        The first check that fails ends it, with the check's name and the value seen.  image_place and image_relocate
 *        then only carry out what was planned; check and use of RELR share one decoder (relr_next), so they cannot differ.
 *        It decodes an entry at a time, not a word: a bitmap's first and last word in one segment mean that all of it is.
 * INVARIANTS  after image_plan said OK:
 *   1. segments are ascending, disjoint and inside [0, plan->size); their content is inside the file;
 *   2. no page is in two runs; no run is both writable and executable; runs are inside [0, plan->size);
 *   3. every relocated word lies wholly in one writable segment; tables lie in the file content of one segment.
 * WHY NOT  relocate from the tables in memory: a hostile file could relocate its own table while it is being read.
 *          Alignments above 4 KiB: images are placed at 4 KiB steps, so a larger one would be a promise we break.
 * SOURCE System V gABI 4.1, chapters 4 and 5; x86-64 psABI 1.0, 4.4.1.
 */
#include "loader/image.h"

#include "base/bits.h"
#include "base/bytes.h"
#include "base/compiler.h"
#include "lib/elf.h"
#include "lib/format.h"
#include "lib/string.h"

#define RELR_BITMAP_WORDS 63

static const struct check {
  const char *name;
  status_t status;
  bool is_hex;
  const char *text;
} checks[IMAGE_CHECK_COUNT] = {{"?", ERR_INVALID, false, "nothing is wrong"},
#define CHECK_ROW(id, status, shown, text) {#id, ERR_##status, #shown[0] == 'x', text},
                               IMAGE_CHECKS(CHECK_ROW)
#undef CHECK_ROW
};

/* A plan in the making. */
struct planner {
  const uint8_t *file;
  uint64_t size;
  struct elf_header header;
  struct elf_program_header relro;   /* memsz 0 when there is none. */
  struct elf_program_header dynamic; /* filesz 0 when there is none. */
  uint32_t relro_index;
  uint32_t dynamic_index;
  struct image_plan plan;
  struct image_error error;
};

/* Values of the dynamic section that matter. */
struct dynamic {
  uint64_t rela, rela_size, rela_entry;
  uint64_t relr, relr_size, relr_entry;
  uint64_t seen; /* Bit n: tag n came. */
};

static bool fail(struct planner *p, enum image_check check, uint32_t index, uint64_t value) {
  p->error = (struct image_error){.check = (uint32_t)check, .index = index, .value = value};
  return false;
}

/* --- header and segments ------------------------------------------------------------------------------------------- */

static bool check_header(struct planner *p) {
  const struct elf_header *h = &p->header;
  if (p->size < sizeof(*h)) return fail(p, IMAGE_CHECK_FILE_SIZE, IMAGE_NO_INDEX, p->size);
  if (p->size > IMAGE_SIZE_MAX) return fail(p, IMAGE_CHECK_FILE_LIMIT, IMAGE_NO_INDEX, p->size);
  memcpy(&p->header, p->file, sizeof(p->header));
  if (h->magic != ELF_MAGIC) return fail(p, IMAGE_CHECK_MAGIC, IMAGE_NO_INDEX, h->magic);
  if (h->class != ELF_CLASS_64) return fail(p, IMAGE_CHECK_CLASS, IMAGE_NO_INDEX, h->class);
  if (h->data != ELF_DATA_LITTLE) return fail(p, IMAGE_CHECK_ENCODING, IMAGE_NO_INDEX, h->data);
  if (h->ident_version != ELF_VERSION) return fail(p, IMAGE_CHECK_VERSION, IMAGE_NO_INDEX, h->ident_version);
  if (h->version != ELF_VERSION) return fail(p, IMAGE_CHECK_VERSION, IMAGE_NO_INDEX, h->version);
  if (h->type != ELF_TYPE_DYN) return fail(p, IMAGE_CHECK_TYPE, IMAGE_NO_INDEX, h->type);
  if (h->machine != ELF_MACHINE_X86) return fail(p, IMAGE_CHECK_MACHINE, IMAGE_NO_INDEX, h->machine);
  if (h->ehsize != sizeof(*h)) return fail(p, IMAGE_CHECK_HEADER_SIZE, IMAGE_NO_INDEX, h->ehsize);
  if (h->phentsize != sizeof(struct elf_program_header)) {
    return fail(p, IMAGE_CHECK_ENTRY_SIZE, IMAGE_NO_INDEX, h->phentsize);
  }
  if (h->phnum == 0 || h->phnum > IMAGE_HEADERS_MAX) return fail(p, IMAGE_CHECK_HEADER_COUNT, IMAGE_NO_INDEX, h->phnum);
  uint64_t bytes = (uint64_t)h->phnum * h->phentsize;
  if (h->phoff > p->size || p->size - h->phoff < bytes) {
    return fail(p, IMAGE_CHECK_HEADERS_BOUNDS, IMAGE_NO_INDEX, h->phoff);
  }
  return true;
}

/* One PT_LOAD on its own. */
static bool check_segment(struct planner *p, const struct elf_program_header *h, uint32_t index) {
  const uint32_t known = ELF_FLAG_READ | ELF_FLAG_WRITE | ELF_FLAG_EXECUTE;
  const uint32_t both = ELF_FLAG_WRITE | ELF_FLAG_EXECUTE;
  uint64_t file_end;
  uint64_t memory_end;
  if ((h->flags & ~known) != 0 || (h->flags & ELF_FLAG_READ) == 0) {
    return fail(p, IMAGE_CHECK_SEGMENT_FLAGS, index, h->flags);
  }
  if ((h->flags & both) == both) return fail(p, IMAGE_CHECK_SEGMENT_WX, index, h->flags);
  if (!bits_add(h->offset, h->filesz, &file_end) || !bits_add(h->vaddr, h->memsz, &memory_end) ||
      !bits_align_up_checked(memory_end, FRAME_SIZE, &memory_end)) {
    return fail(p, IMAGE_CHECK_SEGMENT_WRAP, index, h->vaddr);
  }
  if (file_end > p->size) return fail(p, IMAGE_CHECK_SEGMENT_FILE, index, file_end);
  if (h->filesz > h->memsz) return fail(p, IMAGE_CHECK_SEGMENT_SIZES, index, h->filesz);
  if (h->align != FRAME_SIZE) return fail(p, IMAGE_CHECK_SEGMENT_ALIGN, index, h->align);
  if (!bits_is_aligned(h->vaddr - h->offset, FRAME_SIZE)) return fail(p, IMAGE_CHECK_SEGMENT_OFFSET, index, h->vaddr);
  return true;
}

static uint32_t permissions_of(uint32_t flags) {
  uint32_t permissions = IMAGE_READ;
  if ((flags & ELF_FLAG_WRITE) != 0) permissions |= IMAGE_WRITE;
  if ((flags & ELF_FLAG_EXECUTE) != 0) permissions |= IMAGE_EXECUTE;
  return permissions;
}

/* Puts a segment behind the ones there are; the first one's page is the image's link base. */
static bool add_segment(struct planner *p, const struct elf_program_header *h, uint32_t index) {
  struct image_plan *plan = &p->plan;
  if (!check_segment(p, h, index)) return false;
  if (plan->segment_count == IMAGE_SEGMENTS_MAX) {
    return fail(p, IMAGE_CHECK_SEGMENT_COUNT, index, IMAGE_SEGMENTS_MAX + 1);
  }
  if (plan->segment_count == 0) plan->link_base = bits_align_down(h->vaddr, FRAME_SIZE);
  if (h->vaddr < plan->link_base) return fail(p, IMAGE_CHECK_SEGMENT_ORDER, index, h->vaddr);
  struct image_segment s = {.offset = h->vaddr - plan->link_base, .size = h->memsz};
  s.file_offset = h->offset;
  s.file_size = h->filesz;
  s.permissions = permissions_of(h->flags);
  uint64_t end = bits_align_up(s.offset + s.size, FRAME_SIZE);
  if (end > IMAGE_SIZE_MAX) return fail(p, IMAGE_CHECK_IMAGE_LIMIT, index, end);
  if (plan->segment_count > 0) {
    const struct image_segment *before = &plan->segments[plan->segment_count - 1];
    uint64_t page = bits_align_down(s.offset, FRAME_SIZE);
    if (s.offset < before->offset + before->size) return fail(p, IMAGE_CHECK_SEGMENT_ORDER, index, h->vaddr);
    if (page < plan->size && s.permissions != before->permissions) {
      return fail(p, IMAGE_CHECK_SEGMENT_PAGE, index, plan->link_base + page);
    }
  }
  plan->segments[plan->segment_count++] = s;
  plan->size = end;
  return true;
}

/* Remembers a header of which there may be one. */
static bool keep_header(struct planner *p, struct elf_program_header *kept, uint32_t *kept_index, enum image_check twice,
                        const struct elf_program_header *h, uint32_t index) {
  if (*kept_index != IMAGE_NO_INDEX) return fail(p, twice, index, index);
  *kept = *h;
  *kept_index = index;
  return true;
}

static bool read_program_headers(struct planner *p) {
  p->relro_index = IMAGE_NO_INDEX;
  p->dynamic_index = IMAGE_NO_INDEX;
  for (uint32_t i = 0; i < p->header.phnum; i++) {
    struct elf_program_header h;
    bool is_good = true;
    memcpy(&h, p->file + p->header.phoff + i * sizeof(h), sizeof(h));
    if (h.type == ELF_PT_INTERP) return fail(p, IMAGE_CHECK_INTERPRETER, i, i);
    if (h.type == ELF_PT_LOAD && (h.memsz | h.filesz) != 0) is_good = add_segment(p, &h, i);
    if (h.type == ELF_PT_DYNAMIC) is_good = keep_header(p, &p->dynamic, &p->dynamic_index, IMAGE_CHECK_DYNAMIC_COUNT, &h, i);
    if (h.type == ELF_PT_GNU_RELRO) is_good = keep_header(p, &p->relro, &p->relro_index, IMAGE_CHECK_RELRO_COUNT, &h, i);
    if (!is_good) return false;
  }
  if (p->plan.segment_count == 0) return fail(p, IMAGE_CHECK_SEGMENT_COUNT, IMAGE_NO_INDEX, 0);
  return true;
}

static bool check_entry(struct planner *p) {
  struct image_plan *plan = &p->plan;
  bool has_code = false;
  plan->entry = p->header.entry - plan->link_base;
  for (uint32_t i = 0; i < plan->segment_count; i++) {
    const struct image_segment *s = &plan->segments[i];
    if ((s->permissions & IMAGE_EXECUTE) == 0) continue;
    has_code = true;
    if (plan->entry >= s->offset && plan->entry - s->offset < s->file_size) return true;
  }
  if (!has_code) return fail(p, IMAGE_CHECK_NO_CODE, IMAGE_NO_INDEX, plan->segment_count);
  return fail(p, IMAGE_CHECK_ENTRY, IMAGE_NO_INDEX, p->header.entry);
}

/* --- pages --------------------------------------------------------------------------------------------------------- */

static void add_run(struct image_plan *plan, uint64_t start, uint64_t end, uint32_t permissions) {
  if (start >= end) return;
  struct image_run run = {.offset = start, .size = end - start, .permissions = permissions};
  plan->runs[plan->run_count++] = run;
}

/* Neighbours with equal permissions become one run, so a page that two segments share comes once. */
static void build_runs(struct image_plan *plan) {
  for (uint32_t i = 0; i < plan->segment_count; i++) {
    const struct image_segment *s = &plan->segments[i];
    uint64_t start = bits_align_down(s->offset, FRAME_SIZE);
    uint64_t end = bits_align_up(s->offset + s->size, FRAME_SIZE);
    struct image_run *last = plan->run_count == 0 ? nullptr : &plan->runs[plan->run_count - 1];
    if (last != nullptr && last->permissions == s->permissions && last->offset + last->size >= start) {
      last->size = end - last->offset;
    } else {
      add_run(plan, start, end, s->permissions);
    }
  }
}

/* End of the last segment that begins below `limit`. */
static uint64_t content_end(const struct image_plan *plan, uint64_t limit) {
  uint64_t end = 0;
  for (uint32_t i = 0; i < plan->segment_count && plan->segments[i].offset < limit; i++) {
    end = plan->segments[i].offset + plan->segments[i].size;
  }
  return end;
}

/* Splits the run that holds [start, end) into what comes before, a read-only middle, and what comes after. */
static void carve_relro(struct image_plan *plan, uint32_t at, uint64_t start, uint64_t end) {
  struct image_run runs[IMAGE_RUNS_MAX];
  uint32_t count = plan->run_count;
  memcpy(runs, plan->runs, sizeof(runs));
  plan->run_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint64_t run_end = runs[i].offset + runs[i].size;
    if (i != at) {
      add_run(plan, runs[i].offset, run_end, runs[i].permissions);
      continue;
    }
    add_run(plan, runs[i].offset, start, runs[i].permissions);
    add_run(plan, start, end, IMAGE_READ);
    add_run(plan, end, run_end, runs[i].permissions);
  }
}

/*
 * RELRO is written by the relocations and read-only from then on.  It has to cover whole pages; only at the end of a run
 * may it end with the data, because nothing else is on that page.
 */
static bool apply_relro(struct planner *p) {
  struct image_plan *plan = &p->plan;
  uint64_t start = p->relro.vaddr - plan->link_base;
  uint64_t end;
  uint64_t page_end;
  if (p->relro.memsz == 0) return true;
  if (p->relro.vaddr < plan->link_base || !bits_add(start, p->relro.memsz, &end) ||
      !bits_align_up_checked(end, FRAME_SIZE, &page_end)) {
    return fail(p, IMAGE_CHECK_RELRO_BOUNDS, p->relro_index, p->relro.vaddr);
  }
  uint32_t at = 0;
  while (at < plan->run_count && plan->runs[at].offset + plan->runs[at].size <= start) at++;
  const struct image_run *run = &plan->runs[at];
  if (at == plan->run_count || start < run->offset || page_end > run->offset + run->size ||
      (run->permissions & IMAGE_WRITE) == 0) {
    return fail(p, IMAGE_CHECK_RELRO_BOUNDS, p->relro_index, p->relro.vaddr);
  }
  if (!bits_is_aligned(start, FRAME_SIZE)) return fail(p, IMAGE_CHECK_RELRO_ALIGN, p->relro_index, p->relro.vaddr);
  if (end != page_end && content_end(plan, page_end) > end) {
    return fail(p, IMAGE_CHECK_RELRO_ALIGN, p->relro_index, plan->link_base + end);
  }
  carve_relro(plan, at, start, page_end);
  return true;
}

/* --- relocations --------------------------------------------------------------------------------------------------- */

/* Where [address, address + bytes) lies in the file, if it is the file content of one segment. */
static bool find_content(const struct planner *p, uint64_t address, uint64_t bytes, uint64_t *file_offset) {
  uint64_t offset = address - p->plan.link_base;
  for (uint32_t i = 0; i < p->plan.segment_count; i++) {
    const struct image_segment *s = &p->plan.segments[i];
    if (offset < s->offset || offset - s->offset > s->file_size) continue;
    if (s->file_size - (offset - s->offset) < bytes) continue;
    *file_offset = s->file_offset + (offset - s->offset);
    return true;
  }
  return false;
}

/* Takes one entry in; tags that need no care are passed over. */
static bool read_dynamic_entry(struct planner *p, struct dynamic *d, struct elf_dynamic entry, uint32_t index) {
  uint64_t *const slots[] = {[ELF_DT_RELA] = &d->rela, [ELF_DT_RELASZ] = &d->rela_size, [ELF_DT_RELAENT] = &d->rela_entry,
                             [ELF_DT_RELR] = &d->relr, [ELF_DT_RELRSZ] = &d->relr_size, [ELF_DT_RELRENT] = &d->relr_entry};
  switch (entry.tag) {
  case ELF_DT_NEEDED:
    return fail(p, IMAGE_CHECK_NEEDED, index, entry.value);
  case ELF_DT_TEXTREL:
    return fail(p, IMAGE_CHECK_TEXT_RELOCATIONS, index, entry.tag);
  case ELF_DT_FLAGS:
    if ((entry.value & ELF_DF_TEXTREL) != 0) return fail(p, IMAGE_CHECK_TEXT_RELOCATIONS, index, entry.tag);
    return true;
  case ELF_DT_REL:
  case ELF_DT_JMPREL:
  case ELF_DT_ANDROID_REL:
  case ELF_DT_ANDROID_RELA:
  case ELF_DT_ANDROID_RELR:
    return fail(p, IMAGE_CHECK_OTHER_RELOCATIONS, index, entry.tag);
  default:
    break;
  }
  if (entry.tag >= ARRAY_COUNT(slots) || slots[entry.tag] == nullptr) return true;
  if ((d->seen >> entry.tag & 1) != 0) return fail(p, IMAGE_CHECK_DYNAMIC_TWICE, index, entry.tag);
  d->seen |= UINT64_C(1) << entry.tag;
  *slots[entry.tag] = entry.value;
  return true;
}

static bool read_dynamic(struct planner *p, struct dynamic *d) {
  const struct elf_program_header *h = &p->dynamic;
  uint64_t file_offset = 0;
  if (p->dynamic_index == IMAGE_NO_INDEX) return true;
  if (h->filesz % sizeof(struct elf_dynamic) != 0) return fail(p, IMAGE_CHECK_DYNAMIC_SIZE, p->dynamic_index, h->filesz);
  if (!find_content(p, h->vaddr, h->filesz, &file_offset)) {
    return fail(p, IMAGE_CHECK_DYNAMIC_BOUNDS, p->dynamic_index, h->vaddr);
  }
  uint32_t count = (uint32_t)(h->filesz / sizeof(struct elf_dynamic));
  for (uint32_t i = 0; i < count; i++) {
    struct elf_dynamic entry;
    memcpy(&entry, p->file + file_offset + i * sizeof(entry), sizeof(entry));
    if (entry.tag == ELF_DT_NULL) return true;
    if (!read_dynamic_entry(p, d, entry, i)) return false;
  }
  return fail(p, IMAGE_CHECK_DYNAMIC_END, p->dynamic_index, count);
}

static bool is_in_segment(const struct image_segment *s, uint64_t offset) {
  return offset - s->offset < s->size; /* Wraps to a huge number below the segment. */
}

/* Does the word at this address lie wholly in a writable segment?  *last is the segment that was right the last time. */
static bool is_target(const struct image_plan *plan, uint64_t address, uint32_t *last) {
  uint64_t offset = address - plan->link_base;
  if (!is_in_segment(&plan->segments[*last], offset)) {
    uint32_t i = 0;
    while (i < plan->segment_count && !is_in_segment(&plan->segments[i], offset)) i++;
    if (i == plan->segment_count) return false;
    *last = i;
  }
  const struct image_segment *s = &plan->segments[*last];
  return (s->permissions & IMAGE_WRITE) != 0 && s->size - (offset - s->offset) >= sizeof(uint64_t);
}

static struct elf_rela rela_at(const uint8_t *file, const struct image_table *t, uint64_t index) {
  const uint8_t *at = file + t->file_offset + index * sizeof(struct elf_rela);
  return (struct elf_rela){bytes_load_u64(at), bytes_load_u64(at + 8), bytes_load_u64(at + 16)};
}

static bool check_rela(struct planner *p, const struct dynamic *d) {
  struct image_table t = {0, d->rela_size / sizeof(struct elf_rela)};
  uint32_t last = 0;
  if (d->rela_size == 0) return true;
  if (d->rela_entry != sizeof(struct elf_rela)) return fail(p, IMAGE_CHECK_RELA_ENTRY, IMAGE_NO_INDEX, d->rela_entry);
  if (d->rela_size % sizeof(struct elf_rela) != 0) return fail(p, IMAGE_CHECK_RELA_SIZE, IMAGE_NO_INDEX, d->rela_size);
  if ((d->seen >> ELF_DT_RELA & 1) == 0 || !find_content(p, d->rela, d->rela_size, &t.file_offset)) {
    return fail(p, IMAGE_CHECK_RELA_BOUNDS, IMAGE_NO_INDEX, d->rela);
  }
  for (uint64_t i = 0; i < t.count; i++) {
    struct elf_rela r = rela_at(p->file, &t, i);
    if (r.info != ELF_RELATIVE) return fail(p, IMAGE_CHECK_RELA_TYPE, (uint32_t)i, r.info);
    if (!is_target(&p->plan, r.offset, &last)) return fail(p, IMAGE_CHECK_RELA_TARGET, (uint32_t)i, r.offset);
  }
  p->plan.rela = t;
  p->plan.relocation_count += t.count;
  return true;
}

/*
 * RELR: an even entry is the address of one word; an odd one is a bitmap (bit 0 aside) of which of the following 63 words
 * are meant too.
 */
struct relr_cursor {
  const uint8_t *table;
  uint64_t count;
  uint64_t index; /* Next entry. */
  uint64_t next;  /* Where the next bitmap begins. */
};

/* Words to relocate: bit n of the bitmap, which is not 0, stands for the one at base + 8 n. */
struct relr_words {
  uint64_t base;
  uint64_t bitmap;
};

static bool relr_next(struct relr_cursor *c, struct relr_words *words) {
  while (c->index < c->count) {
    uint64_t entry = bytes_load_u64(c->table + c->index++ * sizeof(entry));
    if ((entry & 1) == 0) {
      *words = (struct relr_words){.base = entry, .bitmap = 1};
      c->next = entry + sizeof(uint64_t);
      return true;
    }
    *words = (struct relr_words){.base = c->next, .bitmap = entry >> 1};
    c->next += RELR_BITMAP_WORDS * sizeof(uint64_t);
    if (words->bitmap != 0) return true;
  }
  return false;
}

static struct relr_cursor relr_begin(const uint8_t *file, const struct image_table *t) {
  return (struct relr_cursor){.table = file + t->file_offset, .count = t->count};
}

/* Checks the words of one entry; the first one that is wrong is the one that is named. */
static bool check_relr_words(struct planner *p, struct relr_words words, uint32_t index, uint32_t *last) {
  uint64_t lowest = words.base + bits_lowest(words.bitmap) * sizeof(uint64_t);
  uint64_t highest = words.base + bits_log2_floor(words.bitmap) * sizeof(uint64_t);
  p->plan.relocation_count += bits_count(words.bitmap);
  if (!bits_is_aligned(lowest, sizeof(uint64_t))) return fail(p, IMAGE_CHECK_RELR_ALIGN, index, lowest);
  if (!is_target(&p->plan, lowest, last)) return fail(p, IMAGE_CHECK_RELR_TARGET, index, lowest);
  uint32_t segment = *last;
  if (highest >= lowest && is_target(&p->plan, highest, last) && *last == segment) return true;
  for (uint64_t left = words.bitmap; left != 0; left &= left - 1) { /* It leaves the segment: word by word. */
    uint64_t address = words.base + bits_lowest(left) * sizeof(uint64_t);
    if (!is_target(&p->plan, address, last)) return fail(p, IMAGE_CHECK_RELR_TARGET, index, address);
  }
  return true;
}

static bool check_relr(struct planner *p, const struct dynamic *d) {
  struct image_table t = {0, d->relr_size / sizeof(uint64_t)};
  struct relr_words words;
  uint32_t last = 0;
  if (d->relr_size == 0) return true;
  if (d->relr_entry != sizeof(uint64_t)) return fail(p, IMAGE_CHECK_RELR_ENTRY, IMAGE_NO_INDEX, d->relr_entry);
  if (d->relr_size % sizeof(uint64_t) != 0) return fail(p, IMAGE_CHECK_RELR_SIZE, IMAGE_NO_INDEX, d->relr_size);
  if ((d->seen >> ELF_DT_RELR & 1) == 0 || !find_content(p, d->relr, d->relr_size, &t.file_offset)) {
    return fail(p, IMAGE_CHECK_RELR_BOUNDS, IMAGE_NO_INDEX, d->relr);
  }
  struct relr_cursor c = relr_begin(p->file, &t);
  if ((bytes_load_u64(c.table) & 1) != 0) return fail(p, IMAGE_CHECK_RELR_START, 0, bytes_load_u64(c.table));
  while (relr_next(&c, &words)) {
    if (!check_relr_words(p, words, (uint32_t)(c.index - 1), &last)) return false;
  }
  p->plan.relr = t;
  return true;
}

static bool make_plan(struct planner *p) {
  struct dynamic d = {0};
  if (!check_header(p) || !read_program_headers(p) || !check_entry(p)) return false;
  build_runs(&p->plan);
  return apply_relro(p) && read_dynamic(p, &d) && check_rela(p, &d) && check_relr(p, &d);
}

/* --- the public verbs ---------------------------------------------------------------------------------------------- */

status_t image_plan(const void *file, uint64_t size, struct image_plan *plan, struct image_error *error) {
  struct planner p;
  memset(&p, 0, sizeof(p));
  p.file = file;
  p.size = size;
  if (!make_plan(&p)) {
    *error = p.error;
    return checks[p.error.check].status;
  }
  *plan = p.plan;
  return OK;
}

void image_place(const struct image_plan *plan, const void *file, void *memory) {
  uint8_t *to = memory;
  uint64_t done = 0;
  for (uint32_t i = 0; i < plan->segment_count; i++) {
    const struct image_segment *s = &plan->segments[i];
    memset(to + done, 0, s->offset - done);
    memcpy(to + s->offset, (const uint8_t *)file + s->file_offset, s->file_size);
    done = s->offset + s->file_size;
  }
  memset(to + done, 0, plan->size - done);
}

void image_relocate(const struct image_plan *plan, const void *file, void *memory, uint64_t virtual_base) {
  uint8_t *image = memory;
  uint64_t slide = virtual_base - plan->link_base;
  struct relr_words words;
  for (uint64_t i = 0; i < plan->rela.count; i++) {
    struct elf_rela r = rela_at(file, &plan->rela, i);
    bytes_store_u64(image + (r.offset - plan->link_base), slide + r.addend);
  }
  struct relr_cursor c = relr_begin(file, &plan->relr);
  while (relr_next(&c, &words)) {
    uint8_t *base = image + (words.base - plan->link_base);
    for (; words.bitmap != 0; words.bitmap &= words.bitmap - 1) {
      uint8_t *word = base + bits_lowest(words.bitmap) * sizeof(uint64_t);
      bytes_store_u64(word, slide + bytes_load_u64(word));
    }
  }
}

const char *image_check_name(uint32_t check) { return checks[check < IMAGE_CHECK_COUNT ? check : 0].name; }

void image_error_text(const struct image_error *error, char to[static IMAGE_ERROR_TEXT_MAX]) {
  const struct check *c = &checks[error->check < IMAGE_CHECK_COUNT ? error->check : 0];
  unsigned long long value = error->value;
  const size_t size = IMAGE_ERROR_TEXT_MAX;
  size_t n = format_string(to, size, c->is_hex ? "%s: 0x%llx" : "%s: %llu", c->text, value);
  if (error->index != IMAGE_NO_INDEX) n += format_string(to + n, size - n, " (number %u)", error->index);
  (void)format_string(to + n, size - n, " [%s]", c->name);
}
