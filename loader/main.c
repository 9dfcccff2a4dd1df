/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loader/main.c — from the firmware's call to the kernel's first instruction.
 *
 * HOW      efi_main is the list of steps; each one is a function here, in that order, and each either does its work or ends
 *          in loader_fail, which says what is wrong and gives everything back.  What they work on is one static struct.
 * MEMORY   the file (whole, for the checks) | the image, at a physical address drawn at random | one block: boot stack,
 *          handoff, page tables | the AP trampoline below 1 MiB | two frames below 4 GiB when the number of levels changes.
 *          All of it is loader memory to the firmware; what the kernel keeps is named by claims in the canonical map, and
 *          the kernel takes the rest back.
 * COST     Counted in instructions (make insns): no text output, no mode set without need, few allocations, nothing zeroed
 *          that is going to be written.
 */
#include "base/bits.h"
#include "base/compiler.h"
#include "efi/console.h"
#include "efi/file.h"
#include "efi/memory.h"
#include "efi/random.h"
#include "efi/runtime.h"
#include "efi/tables.h"
#include "lib/format.h"
#include "lib/string.h"
#include "loader/config.h"
#include "loader/console.h"
#include "loader/entropy.h"
#include "loader/handoff.h"
#include "loader/image.h"
#include "loader/memmap.h"
#include "loader/placement.h"
#include "loader/video.h"
#include "loader/x86_64/cpu.h"
#include "loader/x86_64/jump.h"
#include "loader/x86_64/levels.h"
#include "loader/x86_64/paging.h"

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table);

#define LOW_END          (1 * MIB)
#define FOUR_GIB         (4 * GIB)
#define ADDRESS_DRAWS    16        /* Physical bases tried: the map may be older than the firmware's free list. */
#define HANDOFF_SPARE    (1 * MIB) /* Of the handoff's window: a map that grows while we leave stays inside it. */
#define POOL_SPARE       8         /* Frames; as above for the tables. */
#define MAP_SPARE        64        /* Descriptors. */
#define KERNEL_NEEDS     (8 * MIB) /* Usable memory beside image and tables: frame records, heap, first stacks. */
#define CLAIMS           5
#define CONFIG_USUAL_MAX (4 * KIB)
#define REGIONS_USUAL    640 /* For 300 descriptors. */

static struct loader {
  uint64_t tsc[BOOT_PHASE_COUNT];
  struct cpu_features cpu;
  struct boot_config config;
  struct handoff_bytes config_text;
  void *file;
  uint64_t file_size;
  struct image_plan plan;
  struct boot_framebuffer framebuffer;
  struct entropy entropy;
  struct random random;
  struct memmap map;
  struct boot_region *regions; /* The map before our allocations: for choosing where they go. */
  size_t region_count;
  uint64_t ram_end;
  uint32_t levels;
  uint64_t switch_page, switch_top; /* For a change of levels; 0 when there is none. */
  uint32_t mode;                    /* enum placement_mode. */
  struct boot_window windows[BOOT_WINDOW_COUNT];
  struct placement_physical physical;
  uint64_t trampoline;
  uint64_t stack;
  uint64_t handoff, handoff_room; /* Physical, bytes. */
  struct paging_pool pool;
  uint64_t root;
} loader;

static void *at_physical(uint64_t physical) { return (void *)(uintptr_t)physical; }
static void mark(enum boot_phase phase) { loader.tsc[phase] = cpu_timestamp(); }
static struct boot_handoff *handoff_block(void) { return at_physical(loader.handoff); }

/* --- boot.cfg and the load options ---------------------------------------------------------------------------------- */

static void read_config_file(void) {
  static const uint16_t name[] = u"\\" CONFIG_FILE_NAME;
  static uint8_t own[CONFIG_USUAL_MAX]; /* An allocation costs more instructions than reading the file. */
  struct efi_file file;
  void *text = own;
  status_t s = efi_file_open(name, &file);
  if (s == ERR_NOT_FOUND) return; /* Then the defaults stand. */
  uint64_t size = s == OK ? bits_min(file.size, CONFIG_FILE_MAX + 1) : 0;
  if (s == OK && size > sizeof own) s = efi_memory_alloc_pool(size, &text);
  if (s == OK) s = efi_file_read(&file, 0, text, size, CONFIG_READ_CHUNK_MAX);
  if (s == OK) {
    loader.config_text = (struct handoff_bytes){text, bits_min(size, CONFIG_FILE_MAX)};
    config_read_file(&loader.config, text, size, console_take_warning, NULL);
  } else {
    console_warn("%s cannot be read (%s); using the defaults", CONFIG_FILE_NAME, status_name(s));
  }
}

static void read_config(void) {
  const EFI_LOADED_IMAGE *image = efi_tables_loaded_image();
  config_init(&loader.config);
  read_config_file();
  config_finish(&loader.config, image ? image->LoadOptions : NULL, image ? image->LoadOptionsSize : 0, console_take_warning,
                NULL);
  console_set_level(loader.config.log_level);
  mark(BOOT_PHASE_CONFIG);
}

/* --- the kernel file ------------------------------------------------------------------------------------------------ */

static void fail_image(const struct image_error *error, status_t s) {
  char text[IMAGE_ERROR_TEXT_MAX];
  image_error_text(error, text);
  loader_fail(s, "copy cairn/kernel.elf of the same build as the loader to this disk again", "%s: %s",
              loader.config.kernel_name, text);
}

static void read_file(void) {
  struct efi_file file;
  struct image_error error = {.check = IMAGE_CHECK_FILE_LIMIT, .index = IMAGE_NO_INDEX};
  uint64_t physical = 0;
  status_t s = efi_file_open(loader.config.kernel, &file);
  if (s != OK) {
    loader_fail(s, "copy the kernel to this path, or correct `kernel` in boot.cfg on the disk the loader came from",
                "the kernel file %s cannot be opened", loader.config.kernel_name);
  }
  error.value = file.size;
  if (file.size > IMAGE_SIZE_MAX) fail_image(&error, ERR_RANGE);
  loader.file_size = file.size;
  s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, bits_align_up(bits_max(file.size, 1), FRAME_SIZE) / FRAME_SIZE, &physical);
  if (s != OK) {
    loader_fail(s, "give the machine more memory, or use a smaller kernel",
                "there is no memory for the kernel file: it needs %llu KiB in a row",
                (unsigned long long)(file.size / KIB + 1));
  }
  loader.file = at_physical(physical);
  s = efi_file_read(&file, 0, loader.file, file.size, loader.config.read_chunk);
  if (s != OK) {
    loader_fail(s, "check the disk; if the firmware is at fault, a smaller `read_chunk` in boot.cfg may help",
                "the kernel file %s cannot be read (%llu bytes)", loader.config.kernel_name, (unsigned long long)file.size);
  }
}

static void read_kernel(void) {
  struct image_error error;
  read_file();
  status_t s = image_plan(loader.file, loader.file_size, &loader.plan, &error);
  if (s != OK) fail_image(&error, s);
  console_info("kernel %s: %llu bytes, %llu KiB in memory, %llu relocations", loader.config.kernel_name,
               (unsigned long long)loader.file_size, (unsigned long long)(loader.plan.size / KIB),
               (unsigned long long)loader.plan.relocation_count);
  mark(BOOT_PHASE_FILE);
}

/* --- the machine: CPU, display, memory ------------------------------------------------------------------------------ */

/* Frames for a change of levels, where the firmware's number is not the one that is wanted. */
static void choose_levels(void) {
  uint32_t now = loader.cpu.is_la57_on ? 5 : 4;
  loader.levels = loader.config.levels;
  if (loader.levels == 5 && !loader.cpu.has_la57) {
    console_warn("paging = 5, but this CPU has four levels of page tables; using four");
    loader.levels = 4;
  }
  if (loader.levels == now) return;
  status_t s = efi_memory_alloc_below(EFI_MEMORY_FOR_CODE, 1, FOUR_GIB - 1, &loader.switch_page);
  if (s == OK) s = efi_memory_alloc_below(EFI_MEMORY_FOR_DATA, 1, FOUR_GIB - 1, &loader.switch_top);
  if (s == OK) return;
  console_warn("no memory below 4 GiB to change from %u to %u levels of page tables; using %u", now, loader.levels, now);
  efi_memory_free(loader.switch_page); /* Both or none: the page alone would say that there is a change. */
  loader.switch_page = 0;
  loader.levels = now;
}

static void look_at_machine(void) {
  loader.cpu = cpu_features();
  if (!loader.cpu.has_nx) {
    loader_fail(ERR_UNSUPPORTED, "switch \"execute disable\" (NX, XD) on in the firmware's set-up",
                "the CPU does not offer non-executable pages");
  }
  memmap_init(&loader.map);
  choose_levels();
  const uint64_t address_end = UINT64_C(1) << loader.cpu.physical_bits;
  const struct boot_framebuffer *fb = &loader.framebuffer;
  video_pick(&loader.config, address_end, &loader.framebuffer);
  loader.map.holes[MEMMAP_HOLE_FRAMEBUFFER] = (struct memmap_hole){fb->base, fb->base + fb->size};
  loader.map.holes[MEMMAP_HOLE_BEYOND] = (struct memmap_hole){address_end, MEMMAP_ADDRESS_END};
  mark(BOOT_PHASE_VIDEO);
}

/* Takes the map as it is now: entropy, the end of RAM, where the image may go. */
static void look_at_memory(void) {
  static struct boot_region own[REGIONS_USUAL];
  bool has_allocated = false;
  void *regions = own;
  uint64_t usable = 0;
  status_t s = memmap_capture(&loader.map);
  size_t capacity = s == OK ? memmap_capacity(&loader.map, 0) : 0;
  if (s == OK) s = memmap_reserve(&loader.map, CLAIMS, &has_allocated);
  if (s == OK && capacity > REGIONS_USUAL) s = efi_memory_alloc_pool(capacity * sizeof(struct boot_region), &regions);
  loader.regions = regions;
  if (s == OK) s = memmap_build(&loader.map, NULL, 0, loader.regions, capacity, &loader.region_count);
  if (s == ERR_NO_MEMORY) loader_fail(s, "give the machine more memory", "not enough memory for the memory map");
  if (s != OK) {
    loader_fail(s, "update the firmware; if that does not help, report the machine",
                "the firmware's memory map is unusable");
  }
  for (size_t i = 0; i < loader.region_count; i++) {
    const struct boot_region *r = &loader.regions[i];
    if (memmap_kind_is_ram(r->kind)) loader.ram_end = r->end;
    if (memmap_kind_is_general(r->kind)) usable += r->end - r->start;
  }
  console_info("memory: %zu descriptors, %zu regions, %llu MiB usable", loader.map.raw.size / loader.map.raw.stride,
               loader.region_count, (unsigned long long)(usable / MIB));
  uint64_t need = loader.plan.size + LAYOUT_BOOT_STACK_SIZE + KERNEL_NEEDS;
  if (usable < need) {
    loader_fail(ERR_NO_MEMORY, "give the machine more memory",
                "not enough memory: %llu MiB are usable, at least %llu MiB are needed", (unsigned long long)(usable / MIB),
                (unsigned long long)(need / MIB + 1));
  }
}

/* --- entropy -------------------------------------------------------------------------------------------------------- */

#define ENTROPY_WANTED 256 /* Bits: with fewer something is missing that a user can change. */

/* What a source gives too little of, or in bad quality, entropy_add has taken note of. */
static void add_samples(uint32_t source, const void *samples, size_t n) {
  (void)!entropy_add(&loader.entropy, source, samples, n);
}

static void add_words(uint32_t source, size_t (*take)(uint64_t *, size_t), size_t n) {
  uint64_t words[ENTROPY_RDRAND_BEST];
  if (take(words, n) == n) {
    add_samples(source, words, n * sizeof words[0]);
  } else {
    entropy_reject(&loader.entropy, source);
  }
  string_wipe(words, sizeof words);
}

static void gather_entropy(void) {
  uint8_t bytes[ENTROPY_EFI_RNG_BEST];
  uint64_t jitter[ENTROPY_JITTER_BEST];
  entropy_init(&loader.entropy);
  status_t s = efi_random_bytes(bytes, sizeof bytes);
  if (s == OK) add_samples(BOOT_ENTROPY_EFI_RNG, bytes, sizeof bytes);
  if (s != OK && s != ERR_NOT_FOUND) entropy_reject(&loader.entropy, BOOT_ENTROPY_EFI_RNG);
  if (loader.cpu.has_rdseed) add_words(BOOT_ENTROPY_RDSEED, cpu_rdseed, ENTROPY_RDSEED_BEST);
  if (loader.cpu.has_rdrand) add_words(BOOT_ENTROPY_RDRAND, cpu_rdrand, ENTROPY_RDRAND_BEST);
  cpu_jitter(jitter, ARRAY_COUNT(jitter));
  add_samples(BOOT_ENTROPY_JITTER, jitter, sizeof jitter);
  entropy_add_memory_map(&loader.entropy, loader.map.raw.descriptors, loader.map.raw.size);
  entropy_finish(&loader.entropy, &loader.random);
  console_info("entropy: %u bits, sources 0x%x, unhealthy 0x%x", entropy_bits(&loader.entropy), loader.entropy.sources,
               loader.entropy.rejected);
  if (entropy_bits(&loader.entropy) < ENTROPY_WANTED) {
    console_warn("only %u bits of entropy: healthy sources 0x%x, unhealthy ones 0x%x (EFI_RNG 1, RDSEED 2, RDRAND 4, time "
                 "stamps 8)",
                 entropy_bits(&loader.entropy), loader.entropy.sources, loader.entropy.rejected);
  }
  string_wipe(bytes, sizeof bytes);
  string_wipe(jitter, sizeof jitter);
  mark(BOOT_PHASE_ENTROPY);
}

/* --- placement ------------------------------------------------------------------------------------------------------ */

static struct handoff_parts handoff_parts(void) {
  struct handoff_parts p = {
      .firmware_map = {loader.map.raw.descriptors, loader.map.raw.size},
      .stride = loader.map.raw.stride,
      .version = loader.map.raw.version,
      .command_line = {loader.config.command_line, loader.config.command_size},
      .config_text = loader.config_text,
  };
  p.warnings.bytes = console_warnings(&p.warnings.size);
  return p;
}

/* AMI's firmware up to UEFI 2.0 hangs when something lies high in memory. */
static bool must_stay_low(void) {
  static const uint16_t ami[] = u"American Megatrends";
  const EFI_SYSTEM_TABLE *system = efi_tables_system();
  if (!system->FirmwareVendor || system->Hdr.Revision > 0x20000) return false;
  for (size_t i = 0; i + 1 < ARRAY_COUNT(ami); i++) {
    if (system->FirmwareVendor[i] != ami[i]) return false;
  }
  return true;
}

/* Room for the handoff, with more descriptors than there are now and all the warnings there can be. */
static uint64_t handoff_room(void) {
  struct handoff_parts p = handoff_parts();
  p.firmware_map.size += MAP_SPARE * p.stride;
  p.warnings.size = CONSOLE_WARNINGS_MAX;
  return bits_align_up(handoff_size(&p, memmap_capacity(&loader.map, CLAIMS) + (size_t)2 * MAP_SPARE), FRAME_SIZE);
}

static void place_windows(struct random *r) {
  struct placement_request request = {
      .mode = loader.mode,
      .levels = loader.levels,
      .entropy_bits = entropy_bits(&loader.entropy),
      .image_size = loader.plan.size,
      .ram_end = loader.ram_end,
      .framebuffer_base = loader.framebuffer.base,
      .framebuffer_size = loader.framebuffer.size,
      .handoff_size = handoff_room() + HANDOFF_SPARE,
  };
  status_t s = placement_choose(&request, r, loader.windows);
  if (s == OK) return;
  loader_fail(s, "write `paging = 5` into boot.cfg if the CPU has five levels of page tables",
              "memory up to %llu GiB does not fit into the address space of %u levels",
              (unsigned long long)(loader.ram_end / GIB), loader.levels);
}

/* KiB of the largest free range, for those who have to find more. */
static unsigned long long largest_free_kib(void) {
  uint64_t largest = 0;
  for (size_t i = 0; i < loader.region_count; i++) {
    const struct boot_region *r = &loader.regions[i];
    if (r->kind == BOOT_MEMORY_USABLE) largest = bits_max(largest, r->end - r->start);
  }
  return largest / KIB;
}

static void place_image(struct random *r) {
  struct placement_physical_request request = {
      .regions = loader.regions,
      .region_count = loader.region_count,
      .size = loader.plan.size,
      .align = FRAME_SIZE,
      .limit = UINT64_MAX,
      .mode = loader.mode,
      .entropy_bits = entropy_bits(&loader.entropy),
      .low = must_stay_low(),
  };
  uint64_t frames = loader.plan.size / FRAME_SIZE;
  for (unsigned i = 0; i < ADDRESS_DRAWS; i++) {
    if (placement_physical_choose(&request, r, &loader.physical) != OK) break;
    if (efi_memory_alloc_at(loader.physical.base, frames) == OK) return;
  }
  loader.physical = (struct placement_physical){.slots = 1};
  status_t s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, frames, &loader.physical.base);
  if (s != OK) {
    loader_fail(s, "give the machine more memory",
                "not enough memory: the kernel needs %llu KiB in a row, the largest free range has %llu KiB",
                (unsigned long long)(loader.plan.size / KIB), largest_free_kib());
  }
  console_warn("no physical address that was drawn was free; the firmware chose the kernel's");
}

static void place(void) {
  struct random fixed;
  struct random *r = &loader.random;
  loader.mode = PLACEMENT_RANDOM;
  if (loader.config.kaslr == CONFIG_KASLR_OFF) loader.mode = PLACEMENT_DEFAULT;
  if (loader.config.kaslr == CONFIG_KASLR_SEED) {
    loader.mode = PLACEMENT_FIXED_SEED;
    placement_seed(loader.config.kaslr_seed, &fixed);
    r = &fixed;
  }
  place_windows(r);
  place_image(r);
  image_place(&loader.plan, loader.file, at_physical(loader.physical.base));
  image_relocate(&loader.plan, loader.file, at_physical(loader.physical.base), loader.windows[BOOT_WINDOW_IMAGE].base);
  mark(BOOT_PHASE_IMAGE);
}

/* --- memory for what the kernel starts with ------------------------------------------------------------------------- */

static uint64_t jump_frame(void) {
  uint64_t code = loader.switch_page ? loader.switch_page : (uint64_t)(uintptr_t)jump_code;
  return bits_align_down(code, FRAME_SIZE);
}

static struct paging_request paging_request(const struct boot_region *regions, size_t region_count) {
  return (struct paging_request){
      .levels = loader.levels,
      .has_gib_pages = loader.cpu.has_gib_pages,
      .regions = regions,
      .region_count = region_count,
      .windows = loader.windows,
      .runs = loader.plan.runs,
      .run_count = loader.plan.run_count,
      .image_physical = loader.physical.base,
      .stack_physical = loader.stack,
      .stack_size = LAYOUT_BOOT_STACK_SIZE,
      .handoff_physical = loader.handoff,
      .handoff_size = loader.handoff_room,
      .framebuffer = loader.framebuffer.base,
      .framebuffer_size = loader.framebuffer.size,
      .jump_page = jump_frame(),
  };
}

static void set_pool(uint64_t physical, uint64_t frames) {
  loader.pool = (struct paging_pool){.memory = at_physical(physical), .physical = physical, .frames = frames};
}

/* A low frame that is the boot services' now and free when they are gone: some firmware keeps all of them until then.
 * Nothing is written there before that; 0 when there is none. */
static uint64_t find_trampoline(void) {
  uint64_t found = 0;
  for (size_t i = 0; i < loader.region_count; i++) {
    const struct boot_region *r = &loader.regions[i];
    enum boot_memory_kind was = memmap_kind_of_type(r->firmware_type);
    bool will_be_free = was == BOOT_MEMORY_BOOT_SERVICES || was == BOOT_MEMORY_USABLE;
    if (r->kind == BOOT_MEMORY_LOW && will_be_free && r->end > FRAME_SIZE) found = r->end - FRAME_SIZE;
  }
  return found;
}

/* The frame that other CPUs start in. */
static void place_trampoline(void) {
  status_t s = efi_memory_alloc_below(EFI_MEMORY_FOR_DATA, 1, LOW_END - 1, &loader.trampoline);
  if (s != OK || loader.trampoline == 0) loader.trampoline = find_trampoline();
  if (loader.trampoline == 0) console_warn("no free frame below 1 MiB; the kernel will run on one CPU");
}

/* One block: stack, handoff, tables.  The tables are counted with the map as it was before; the spare frames cover what our
 * own allocations add to it. */
static void allocate(void) {
  uint64_t block = 0;
  loader.handoff_room = handoff_room();
  struct paging_request request = paging_request(loader.regions, loader.region_count);
  uint64_t tables = paging_frames_max(&request) + POOL_SPARE;
  uint64_t frames = (LAYOUT_BOOT_STACK_SIZE + loader.handoff_room) / FRAME_SIZE + tables;
  status_t s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, frames, &block);
  if (s != OK) { /* The file has done its duty; on a small machine its memory is what is missing. */
    efi_memory_free((uint64_t)(uintptr_t)loader.file);
    s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, frames, &block);
  }
  if (s != OK) {
    loader_fail(s, "give the machine more memory",
                "not enough memory: page tables, stack and handoff need %llu KiB in a row",
                (unsigned long long)(frames * FRAME_SIZE / KIB));
  }
  console_info("%llu frames for page tables, %u levels, leaves up to %s", (unsigned long long)tables, loader.levels,
               loader.cpu.has_gib_pages ? "1 GiB" : "2 MiB");
  loader.stack = block;
  loader.handoff = block + LAYOUT_BOOT_STACK_SIZE;
  set_pool(loader.handoff + loader.handoff_room, tables);
  place_trampoline();
}

/* --- the handoff ---------------------------------------------------------------------------------------------------- */

static void fill_addresses(struct boot_handoff *h) {
  const EFI_SYSTEM_TABLE *system = efi_tables_system();
  struct efi_tables tables = efi_tables_find();
  h->physical = loader.handoff;
  h->kernel_physical = loader.physical.base;
  h->kernel_size = loader.plan.size;
  h->boot_stack_physical = loader.stack;
  h->boot_stack = loader.windows[BOOT_WINDOW_STACKS].base + FRAME_SIZE;
  h->boot_stack_size = LAYOUT_BOOT_STACK_SIZE;
  h->trampoline = loader.trampoline;
  h->rsdp = tables.rsdp;
  h->smbios = tables.smbios;
  h->memory_attributes = tables.memory_attributes;
  h->system_table = (uint64_t)(uintptr_t)system;
  h->firmware_vendor = (uint64_t)(uintptr_t)system->FirmwareVendor;
  h->firmware_revision = system->FirmwareRevision;
  h->uefi_revision = system->Hdr.Revision;
}

static void fill_handoff(void) {
  struct boot_handoff *h = handoff_block();
  *h = (struct boot_handoff){0};
  h->log_level = loader.config.log_level;
  if (loader.mode == PLACEMENT_DEFAULT) h->flags |= BOOT_FLAG_NOKASLR;
  if (loader.mode == PLACEMENT_FIXED_SEED) h->flags |= BOOT_FLAG_FIXED_SEED;
  if (loader.levels == 5) h->flags |= BOOT_FLAG_LEVELS_5;
  if (loader.cpu.has_gib_pages) h->flags |= BOOT_FLAG_GIB_PAGES;
  fill_addresses(h);
  h->framebuffer = loader.framebuffer;
  memcpy(h->windows, loader.windows, sizeof h->windows);
  h->physical_slots = loader.physical.slots;
  h->physical_millibits = loader.physical.millibits;
  random_derive(&loader.random, "kernel", h->seed);
  h->entropy_sources = loader.entropy.sources;
  h->entropy_rejected = loader.entropy.rejected;
  h->entropy_bits = entropy_bits(&loader.entropy);
  memcpy(h->tsc, loader.tsc, sizeof h->tsc);
}

/* --- leaving -------------------------------------------------------------------------------------------------------- */

static struct jump_state jump_state(void) {
  return (struct jump_state){
      .root = loader.root,
      .stack = loader.windows[BOOT_WINDOW_STACKS].base + FRAME_SIZE + LAYOUT_BOOT_STACK_SIZE,
      .entry = loader.windows[BOOT_WINDOW_IMAGE].base + loader.plan.entry,
      .handoff = loader.windows[BOOT_WINDOW_HANDOFF].base,
  };
}

/* Makes sure that the handoff block and the pool are large enough for the map as it is now. */
static status_t grow(const struct handoff_parts *parts, bool *has_allocated) {
  uint64_t size = bits_align_up(handoff_size(parts, memmap_capacity(&loader.map, CLAIMS)), FRAME_SIZE);
  uint64_t larger = 0;
  status_t s = memmap_reserve(&loader.map, CLAIMS, has_allocated);
  if (s != OK || size <= loader.handoff_room) return s;
  if (size > loader.windows[BOOT_WINDOW_HANDOFF].size) return ERR_NO_MEMORY;
  size = bits_min(bits_align_up(size + size / 2, FRAME_SIZE), loader.windows[BOOT_WINDOW_HANDOFF].size);
  s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, size / FRAME_SIZE, &larger);
  if (s != OK) return s;
  handoff_move(at_physical(larger), handoff_block(), larger);
  loader.handoff = larger;
  loader.handoff_room = size;
  *has_allocated = true;
  return OK;
}

static status_t grow_pool(const struct paging_request *request, bool *has_allocated) {
  uint64_t physical = 0;
  uint64_t frames = paging_frames_max(request) + POOL_SPARE;
  status_t s = efi_memory_alloc(EFI_MEMORY_FOR_DATA, frames, &physical);
  if (s != OK) return s;
  set_pool(physical, frames);
  *has_allocated = true;
  return OK;
}

/* Everything that depends on the memory map, made from the map that was just taken. */
static status_t prepare(void *context, bool *is_stale) {
  struct handoff_parts parts = handoff_parts();
  size_t count = 0;
  (void)context;
  if (handoff_has_map(handoff_block(), &parts)) return OK;
  handoff_block()->magic = 0; /* Not sealed until all of this has worked. */
  status_t s = grow(&parts, is_stale);
  if (s != OK || *is_stale) return s;
  size_t capacity = memmap_capacity(&loader.map, CLAIMS);
  uint64_t handoff_end = loader.handoff + bits_align_up(handoff_size(&parts, capacity), FRAME_SIZE);
  const struct memmap_claim claims[CLAIMS] = {
      {.start = loader.physical.base, .end = loader.physical.base + loader.plan.size, .kind = BOOT_MEMORY_KERNEL},
      {.start = loader.stack, .end = loader.stack + LAYOUT_BOOT_STACK_SIZE, .kind = BOOT_MEMORY_BOOT_STACK},
      {.start = loader.handoff, .end = handoff_end, .kind = BOOT_MEMORY_HANDOFF},
      {.start = loader.pool.physical,
       .end = loader.pool.physical + loader.pool.frames * FRAME_SIZE,
       .kind = BOOT_MEMORY_PAGE_TABLES},
      {.start = loader.trampoline, .end = loader.trampoline + FRAME_SIZE, .kind = BOOT_MEMORY_TRAMPOLINE},
  };
  struct boot_region *regions = handoff_lay_out(handoff_block(), &parts);
  s = memmap_build(&loader.map, claims, loader.trampoline ? CLAIMS : CLAIMS - 1, regions, capacity, &count);
  if (s != OK) return s;
  struct paging_request request = paging_request(regions, count);
  request.handoff_size = handoff_end - loader.handoff;
  s = paging_build(&request, &loader.pool, &loader.root);
  if (s == ERR_NO_MEMORY) return grow_pool(&request, is_stale);
  if (s != OK) return s;
  struct boot_handoff *h = handoff_block();
  h->page_table_root = loader.root;
  h->page_tables_physical = loader.pool.physical;
  h->page_tables_size = loader.pool.frames * FRAME_SIZE;
  h->tsc[BOOT_PHASE_TABLES] = cpu_timestamp();
  handoff_seal(h, count);
  if (!loader.switch_page) return OK;
  struct jump_state state = jump_state();
  levels_prepare(at_physical(loader.switch_page), at_physical(loader.switch_top), &state);
  return OK;
}

static void leave_firmware(void) {
  uint32_t tries = 0;
  status_t s = memmap_leave(&loader.map, prepare, NULL, &tries);
  if (s == ERR_NO_MEMORY) {
    loader_fail(s, "give the machine more memory", "not enough memory for the last memory map (ExitBootServices, %u tries)",
                tries);
  }
  if (s != OK && s != ERR_TIMEOUT) {
    loader_fail(s, "update the firmware; if that does not help, report the machine",
                "the firmware's last memory map cannot be used (ExitBootServices, %u tries)", tries);
  }
  if (s != OK) {
    loader_fail(s, "update the firmware; if that does not help, report the machine",
                "the firmware did not let go of the machine (ExitBootServices, %u tries)", tries);
  }
  console_leave_firmware();
  handoff_block()->exit_tries = tries;
  handoff_block()->tsc[BOOT_PHASE_EXIT] = cpu_timestamp();
}

[[noreturn]] static void enter_kernel(void) {
  struct jump_state state = jump_state();
  string_wipe(&loader.random, sizeof loader.random);
  handoff_block()->tsc[BOOT_PHASE_JUMP] = cpu_timestamp();
  if (loader.switch_page) levels_switch(at_physical(loader.switch_page));
  jump_to_kernel(&state);
}

/* --- debug=wait ----------------------------------------------------------------------------------------------------- */

volatile int main_debugger_is_here; /* A debugger may set this to go on. */

static bool has_word(const char *text, size_t n, const char *word) {
  size_t length = strlen(word);
  for (size_t i = 0; i + length <= n; i++) {
    bool starts = i == 0 || text[i - 1] == ' ';
    bool ends = i + length == n || text[i + length] == ' ';
    if (starts && ends && memcmp(text + i, word, length) == 0) return true;
  }
  return false;
}

static void wait_for_debugger(void) {
  const EFI_LOADED_IMAGE *image = efi_tables_loaded_image();
  if (!has_word(loader.config.command_line, loader.config.command_size, "debug=wait")) return;
  efi_runtime_stop_watchdog();
  console_say("image base 0x%llx; the kernel will run at 0x%llx, entry 0x%llx; press a key to start it",
              image ? (unsigned long long)(uintptr_t)image->ImageBase : 0ULL,
              (unsigned long long)loader.windows[BOOT_WINDOW_IMAGE].base,
              (unsigned long long)(loader.windows[BOOT_WINDOW_IMAGE].base + loader.plan.entry));
  while (!main_debugger_is_here && !efi_console_poll_key()) efi_console_pause(10);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *table) {
  mark(BOOT_PHASE_ENTRY);
  efi_tables_init(image, table);
  read_config();
  read_kernel();
  look_at_machine();
  look_at_memory();
  gather_entropy();
  place();
  allocate();
  fill_handoff();
  wait_for_debugger();
  leave_firmware();
  enter_kernel();
}
