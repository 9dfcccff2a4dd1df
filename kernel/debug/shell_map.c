/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/debug/shell_map.c — `map`: the picture of RAM and the list of regions; `why`: the story of one address.
 *
 * The list of a real firmware has 120 regions and more.  `map` merges neighbours of one fate (what Cairn may use; what stays
 * the firmware's; devices) and shows the largest LIST_MAX of the result; `map all` shows every region.
 */
#include "arch/mmu.h"
#include "kernel/acpi.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/handoff.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "lib/format.h"
#include "lib/memmap.h"
#include "lib/string.h"
#include "mm/ledger.h"

#define LIST_MAX 16

static struct picture_map map;

static struct {
  uint64_t ranges, frames, total; /* Seen so far; frames of RAM. */
} seen;

static bool visit(void *context, const struct pmm_range *range) {
  if (range->state == FRAME_ABSENT) return true;
  picture_map_add(context, range->start, range->end, range->owner);
  seen.frames += range->end - range->start;
  return ++seen.ranges % 4096 != 0 || shell_progress("looking", seen.frames, seen.total);
}

/* All of RAM, in slices as small as fit; false when it was stopped. */
static bool look(uint64_t frames) {
  uint64_t least = 1;
  shell_progress_begin();
  do {
    seen.ranges = seen.frames = 0;
    seen.total = frames;
    picture_map_begin(&map, frames, least);
    nodes_visit(memory_nodes(), NODES_ALL, visit, &map);
    least = map.slice * 2;
  } while (!picture_map_end(&map));
  return shell_progress_end();
}

static void draw_legend(void) {
  char size[12];
  size_t columns = 0;
  picture_add(&shell_out, "\n");
  for (unsigned i = 0; i < FRAME_OWNER_COUNT; i++) {
    if (map.total[i] == 0) continue;
    const enum frame_owner o = (enum frame_owner)i;
    const char *mark = o == FRAME_OWNER_FREE ? "░" : "▆";
    const bool is_last = ++columns % 4 == 0;
    picture_add(&shell_out, is_last ? " %s%s" PICTURE_PLAIN " %s\n" : " %s%s" PICTURE_PLAIN " %-17s",
                picture_owner_colour(o), mark, frame_owner_name(o));
  }
  if (columns % 4 != 0) picture_add(&shell_out, "\n");
  picture_add(&shell_out, PICTURE_DIM " one cell is %s of RAM: █ nothing in it is free, ▒ some, ░ all" PICTURE_PLAIN "\n",
              format_size(size, map.slice * FRAME_SIZE));
  shell_print(&shell_out);
}

static bool draw_map(void) {
  struct ledger l;
  char size[12], remark[48];
  nodes_ledger_read(memory_nodes(), NODES_ALL, &l);
  if (!look(l.total)) return false;
  format_string(remark, sizeof(remark), "%s of RAM, holes left out", format_size(size, l.total * FRAME_SIZE));
  shell_title("Map", remark);
  for (size_t row = 0; row < picture_map_rows(&map); row++) {
    picture_add(&shell_out, PICTURE_DIM " %12llx " PICTURE_PLAIN, (unsigned long long)map.row_start[row] * FRAME_SIZE);
    picture_map_row(&map, row, &shell_out);
    picture_add(&shell_out, "\n");
    shell_print(&shell_out);
  }
  draw_legend();
  return true;
}

/* What a line of the short list stands for. */
struct entry {
  struct boot_region region; /* Of a merged entry: from the first's start to the last's end, the first's kind. */
  uint64_t size;             /* Their sizes together. */
  uint32_t count;            /* Regions in it. */
  bool is_mixed;             /* Some were free from the start, others were taken back. */
};

static const char *fate_of(uint32_t kind) {
  if (kind == BOOT_MEMORY_USABLE) return "free for use";
  if (memmap_kind_is_general(kind)) return "taken back";
  if (kind == BOOT_MEMORY_KERNEL || kind == BOOT_MEMORY_PAGE_TABLES || kind == BOOT_MEMORY_BOOT_STACK ||
      kind == BOOT_MEMORY_HANDOFF || kind == BOOT_MEMORY_TRAMPOLINE)
    return "Cairn's own";
  return memmap_kind_is_ram(kind) ? "kept" : "";
}

static const char *colour_of(uint32_t kind) {
  if (memmap_kind_is_general(kind)) return "\033[32m";
  if (strcmp(fate_of(kind), "Cairn's own") == 0) return "\033[96m";
  return memmap_kind_is_ram(kind) ? "\033[33m" : "\033[90m";
}

/* One line; regions that touch and share their fate may stand in it together. */
static void draw_entry(const struct entry *e) {
  const struct boot_region *r = &e->region;
  char size[12];
  picture_add(&shell_out, " %12llx-%-12llx %9s %s■" PICTURE_PLAIN " ", (unsigned long long)r->start,
              (unsigned long long)r->end - 1, format_size(size, e->size), colour_of(r->kind));
  if (e->count > 1)
    picture_add(&shell_out, "%u regions, %s\n", e->count,
                e->is_mixed                   ? "free or taken back"
                : fate_of(r->kind)[0] != '\0' ? fate_of(r->kind)
                                              : "no RAM");
  else
    picture_add(&shell_out, "%-17s " PICTURE_DIM "%.23s" PICTURE_PLAIN "\n", memmap_kind_name(r->kind),
                memmap_type_name(r->firmware_type));
  shell_print(&shell_out);
}

static void draw_list_head(const char *remark) {
  shell_title("Regions", remark);
  picture_add(&shell_out, PICTURE_DIM " %12s-%-12s %9s   %-17s %s" PICTURE_PLAIN "\n", "first", "last byte", "size", "kind",
              "firmware's type");
  shell_print(&shell_out);
}

static void draw_all(const struct boot_region *regions, size_t count) {
  char remark[32];
  format_string(remark, sizeof(remark), "all %u", (unsigned)count);
  draw_list_head(remark);
  for (size_t i = 0; i < count; i++) {
    const struct entry e = {.region = regions[i], .count = 1, .size = regions[i].end - regions[i].start};
    draw_entry(&e);
  }
}

static bool can_merge(const struct entry *e, const struct boot_region *r) {
  const bool both_general = memmap_kind_is_general(e->region.kind) && memmap_kind_is_general(r->kind);
  return both_general || strcmp(fate_of(e->region.kind), fate_of(r->kind)) == 0;
}

/* Takes the regions from *at on that may stand in one line; false when there are none left. */
static bool next_entry(const struct boot_region *regions, size_t count, size_t *at, struct entry *e) {
  if (*at == count) return false;
  *e = (struct entry){.region = regions[*at]};
  do {
    e->is_mixed |= strcmp(fate_of(e->region.kind), fate_of(regions[*at].kind)) != 0;
    e->region.end = regions[*at].end;
    e->size += regions[*at].end - regions[*at].start;
    e->count++;
    ++*at;
  } while (*at < count && regions[*at].start == e->region.end && can_merge(e, &regions[*at]));
  return true;
}

/* The largest lines met so far, by size, largest first; of two that are equal the earlier one stays. */
struct largest {
  uint64_t size[LIST_MAX];
  size_t index[LIST_MAX];
  size_t count;
};

static void largest_offer(struct largest *l, uint64_t size, size_t index) {
  const bool is_full = l->count == LIST_MAX;
  if (is_full && size <= l->size[LIST_MAX - 1]) return;
  size_t at = is_full ? LIST_MAX - 1 : l->count;
  for (; at > 0 && l->size[at - 1] < size; at--) {
    l->size[at] = l->size[at - 1];
    l->index[at] = l->index[at - 1];
  }
  l->size[at] = size;
  l->index[at] = index;
  if (!is_full) l->count++;
}

static bool largest_has(const struct largest *l, size_t index) {
  for (size_t i = 0; i < l->count; i++)
    if (l->index[i] == index) return true;
  return false;
}

static void draw_short(const struct boot_region *regions, size_t count) {
  char remark[48], size[12];
  struct largest shown = {.count = 0};
  struct entry e;
  uint64_t hidden = 0;
  size_t n = 0;
  for (size_t at = 0; next_entry(regions, count, &at, &e); n++) largest_offer(&shown, e.size, n);
  format_string(remark, sizeof(remark), "%u in all", (unsigned)count);
  draw_list_head(remark);
  n = 0;
  for (size_t at = 0; next_entry(regions, count, &at, &e); n++) {
    if (largest_has(&shown, n))
      draw_entry(&e);
    else
      hidden += e.size;
  }
  if (n > LIST_MAX)
    console_printf(PICTURE_DIM " %u smaller one%s, %s together, not shown; map all does" PICTURE_PLAIN "\n",
                   (unsigned)(n - LIST_MAX), words_s(n - LIST_MAX), format_size(size, hidden));
}

void shell_map(size_t count, const char *const *words) {
  size_t region_count;
  const struct boot_region *regions = memory_regions(&region_count);
  const bool wants_all = count == 2 && strcmp(words[1], "all") == 0;
  if (count == 2 && strcmp(words[1], "2M") == 0) {
    shell_map_blocks();
    return;
  }
  if (count > 1 && !wants_all) {
    shell_complain("map takes `all`, `2M` or nothing.");
    return;
  }
  if (!draw_map()) return;
  if (wants_all || region_count <= LIST_MAX)
    draw_all(regions, region_count);
  else
    draw_short(regions, region_count);
}

/* --- why ---------------------------------------------------------------------------------------------------------- */

/* The firmware's descriptor that holds an address, straight from its own map. */
static bool find_descriptor(uint64_t address, struct memmap_descriptor *out_descriptor) {
  const struct boot_handoff *h = memory_handoff();
  const char *bytes = handoff_span(h, h->firmware_map);
  const uint32_t stride = h->firmware_descriptor_size;
  if (stride < sizeof(*out_descriptor)) return false;
  for (uint32_t at = 0; at + stride <= h->firmware_map.count; at += stride) {
    struct memmap_descriptor d;
    memcpy(&d, bytes + at, sizeof(d));
    if (address < d.physical_start || (address - d.physical_start) / FRAME_SIZE >= d.pages) continue;
    *out_descriptor = d;
    return true;
  }
  return false;
}

static bool read_hexadecimal(const char *text, uint64_t *address) {
  char number[24];
  const bool has_prefix = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
  const size_t n = format_string(number, sizeof(number), "%s%s", has_prefix ? "" : "0x", text);
  return n < sizeof(number) && string_to_u64(number, n, false, address) == OK;
}

static void say(const char *branch, const char *label) {
  picture_add(&shell_out, " " PICTURE_DIM "%s" PICTURE_PLAIN " %-9s ", branch, label);
}

static void why_firmware(uint64_t physical) {
  struct memmap_descriptor d;
  char size[12];
  say("├─", "firmware");
  if (!find_descriptor(physical, &d)) {
    picture_add(&shell_out, "no descriptor of its map holds it\n");
    return;
  }
  picture_add(&shell_out, PICTURE_NAME "%s" PICTURE_PLAIN ", %llx-%llx, %s" PICTURE_DIM " %s%s%s%s" PICTURE_PLAIN "\n",
              memmap_type_name(d.type), (unsigned long long)d.physical_start,
              (unsigned long long)(d.physical_start + d.pages * FRAME_SIZE - 1), format_size(size, d.pages * FRAME_SIZE),
              (d.attributes & 8) != 0 ? "WB " : "", (d.attributes & 1) != 0 ? "UC " : "",
              (d.attributes & 0x4000) != 0 ? "XP " : "", (d.attributes >> 63) != 0 ? "RUNTIME" : "");
}

static void why_region(const struct pmm_story *s) {
  char size[12];
  say("├─", "region");
  if (!s->has_region) {
    picture_add(&shell_out, "none: a hole of the map\n");
    return;
  }
  const char *fate = fate_of(s->region.kind);
  picture_add(&shell_out, PICTURE_NAME "%s" PICTURE_PLAIN ", %llx-%llx, %s%s%s\n", memmap_kind_name(s->region.kind),
              (unsigned long long)s->region.start, (unsigned long long)s->region.end - 1,
              format_size(size, s->region.end - s->region.start), fate[0] != '\0' ? ": " : "", fate);
}

static void why_node(const struct pmm_story *s, uint64_t physical) {
  const struct numa_map *m = acpi_numa();
  uint64_t end;
  if (m->node_count < 2 || !s->has_record) return;
  const uint32_t node = numa_node_at(m, physical, &end);
  say("├─", "node");
  picture_add(&shell_out, PICTURE_NAME "%u" PICTURE_PLAIN ", the firmware's domain %u\n", node, m->domain[node]);
}

static void why_state(const struct pmm_story *s) {
  char size[12], count[28];
  if (!s->has_record) {
    say("└─", "record");
    picture_add(&shell_out, "none: not RAM that Cairn counts\n");
    return;
  }
  say("├─", "state");
  picture_add(&shell_out, PICTURE_NAME "%s" PICTURE_PLAIN, frame_state_name(s->state));
  if (s->state == FRAME_FREE)
    picture_add(&shell_out, ", in a free run of %s frame%s (%s)", picture_count(count, s->free_run), words_s(s->free_run),
                format_size(size, s->free_run * FRAME_SIZE));
  picture_add(&shell_out, "\n");
  say("└─", "owner");
  picture_add(&shell_out, "%s■ " PICTURE_PLAIN PICTURE_NAME "%s" PICTURE_PLAIN "\n", picture_owner_colour(s->owner),
              s->owner == FRAME_OWNER_FREE ? "nobody" : frame_owner_name(s->owner));
}

/* Video memory is in no map of the firmware's: only the handoff knows what lies there. */
static void why_device(uint64_t physical) {
  const struct boot_framebuffer *fb = &memory_handoff()->framebuffer;
  if (fb->format == BOOT_PIXEL_NONE || physical < fb->base || physical - fb->base >= fb->size) return;
  say("├─", "device");
  picture_add(&shell_out, PICTURE_NAME "framebuffer" PICTURE_PLAIN ", %u x %u pixels\n", fb->width, fb->height);
}

static void why_physical(uint64_t physical) {
  struct pmm_story story;
  nodes_describe(memory_nodes(), paddr(physical), &story);
  picture_add(&shell_out, " " PICTURE_TITLE "physical %llx" PICTURE_PLAIN ", frame %llu\n", (unsigned long long)physical,
              (unsigned long long)(physical / FRAME_SIZE));
  why_firmware(physical);
  why_device(physical);
  why_region(&story);
  why_node(&story, physical);
  why_state(&story);
  shell_print(&shell_out);
}

/* What the kernel's own tables say about a virtual address, then the story of the frame behind it. */
static void why_virtual(uint64_t address) {
  struct layout_place place;
  struct pagetable_leaf leaf;
  char size[12];
  layout_describe(vaddr(address), &place);
  picture_add(&shell_out, " " PICTURE_TITLE "virtual" PICTURE_PLAIN ", %s\n", place.text);
  const bool is_mapped = pagetable_find(memory_tables(), vaddr(address), &leaf) == OK;
  say("└─", "page");
  if (!is_mapped)
    picture_add(&shell_out, "none: an access faults\n");
  else
    picture_add(&shell_out, "%s, read%s%s%s\n", format_size(size, leaf.size),
                (leaf.flags & PAGE_WRITE) != 0 ? ", write" : "", (leaf.flags & PAGE_EXECUTE) != 0 ? ", execute" : "",
                (leaf.flags & PAGE_WRITE_COMBINING) != 0 ? ", write-combining" : "");
  shell_print(&shell_out);
  if (is_mapped) why_physical(leaf.to.raw + (address - leaf.start.raw));
}

void shell_why(size_t count, const char *const *words) {
  uint64_t address;
  if (count == 2 && strcmp(words[1], "fail") == 0)
    shell_failures();
  else if (count != 2 || !read_hexadecimal(words[1], &address))
    shell_complain("why takes one address in hexadecimal, such as: why 0x100000; or `fail`");
  else if (address < MEMMAP_ADDRESS_END)
    why_physical(address);
  else
    why_virtual(address);
}
