/* SPDX-License-Identifier: BSD-2-Clause */
/* tests/kernel/ktest_boot.c — what the loader handed over, where everything lies, what the CPU offers. */
#include "arch/cpu.h"
#include "base/bits.h"
#include "kernel/acpi.h"
#include "kernel/clock.h"
#include "kernel/firmware.h"
#include "kernel/handoff.h"
#include "kernel/klog.h"
#include "kernel/ktest.h"
#include "kernel/layout.h"
#include "kernel/memory.h"
#include "lib/format.h"
#include "lib/random.h"

KTEST(K1, the_handoff_is_sound) {
  const struct boot_handoff *h = memory_handoff();
  const char *problem = "";
  KTEST_EXPECT(handoff_check(h, (uint64_t)(uintptr_t)h, &problem) == OK);
  KTEST_EXPECT(h->exit_tries >= 1);
  KTEST_EXPECT(h->firmware_map.count > 0);
  ktest_note("fw_desc=%u regions=%u ebs_tries=%u", (unsigned)(h->firmware_map.count / h->firmware_descriptor_size),
             (unsigned)h->regions.count, (unsigned)h->exit_tries);
}

KTEST(K1, the_seed_is_wiped) {
  const struct boot_handoff *h = memory_handoff();
  uint8_t sum = 0;
  for (size_t i = 0; i < sizeof h->seed; i++) sum |= h->seed[i];
  KTEST_EXPECT(sum == 0);
}

/* A token that differs when the layout does, and tells nothing about it. */
static uint32_t layout_token(const struct boot_handoff *h) {
  struct blake2s b;
  uint32_t token;
  blake2s_init(&b, sizeof token, nullptr, 0);
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) blake2s_update(&b, &h->windows[i].base, sizeof h->windows[i].base);
  blake2s_update(&b, &h->kernel_physical, sizeof h->kernel_physical);
  blake2s_final(&b, &token);
  return token;
}

static void note_window(const struct boot_window *w, enum boot_window_id id) {
  char name[16];
  const char *from = layout_window_name(id);
  size_t n = 0;
  for (; from[n] && n + 1 < sizeof name; n++) {
    name[n] = from[n];
    if (name[n] == ' ') name[n] = '_';
  }
  name[n] = '\0';
  ktest_note("%s=%u.%03u", name, (unsigned)(w->entropy_millibits / 1000), (unsigned)(w->entropy_millibits % 1000));
  if (klog_addresses_allowed()) ktest_note("%s_base=0x%llx", name, (unsigned long long)w->base);
}

KTEST(K2, every_window_lies_alone_inside_the_layout) {
  const struct boot_handoff *h = memory_handoff();
  const bool five = arch_cpu_paging_levels() == 5;
  const uint64_t low = five ? LAYOUT_START_5 : LAYOUT_START_4;
  const uint64_t high = five ? LAYOUT_END_5 : LAYOUT_END_4;
  const bool is_random = !(h->flags & (BOOT_FLAG_NOKASLR | BOOT_FLAG_FIXED_SEED));
  for (unsigned i = 0; i < BOOT_WINDOW_COUNT; i++) {
    const struct boot_window *w = &h->windows[i];
    KTEST_EXPECT(w->base >= low && w->base + w->size <= high);
    for (unsigned j = 0; j < i; j++) {
      const struct boot_window *v = &h->windows[j];
      KTEST_EXPECT(w->base >= v->base + v->size + LAYOUT_GAP || v->base >= w->base + w->size + LAYOUT_GAP);
    }
    note_window(w, (enum boot_window_id)i);
  }
  if (is_random && h->entropy_bits >= 64) {
    KTEST_EXPECT(h->windows[BOOT_WINDOW_IMAGE].entropy_millibits >= 34000);
    KTEST_EXPECT(h->windows[BOOT_WINDOW_DIRECT_MAP].entropy_millibits >= 16000);
  }
  ktest_note("physical=%u.%03u random=%u layout=%08x", (unsigned)(h->physical_millibits / 1000),
             (unsigned)(h->physical_millibits % 1000), (unsigned)is_random, (unsigned)layout_token(h));
}

KTEST(K11, features_in_use) {
  char list[200];
  size_t used = 0;
  for (size_t i = 0; i < arch_cpu_feature_count(); i++) {
    const struct cpu_feature f = arch_cpu_feature(i);
    KTEST_EXPECT(!(f.used && f.forced_off));
    KTEST_EXPECT(!f.used || f.present);
    if (!f.used || used >= sizeof list) continue;
    used += format_string(list + used, sizeof list - used, "%s%s", used ? "," : "", f.name);
  }
  ktest_note("used=%s levels=%u physical_bits=%u cpus=%u", list, arch_cpu_paging_levels(), arch_cpu_physical_bits(),
             acpi_cpu_count());
}

#define TIMESTAMPS_PATIENCE UINT64_C(10000000000) /* Some seconds on any CPU. */

/* Ticks come, or idling polls: either way time passes and the counter agrees with itself. */
KTEST(K14, the_clock_moves) {
  const uint64_t start = clock_us();
  uint64_t now = start;
  const uint64_t first = arch_cpu_timestamp();
  while (now - start < 5000 && arch_cpu_timestamp() - first < TIMESTAMPS_PATIENCE) {
    arch_cpu_idle();
    now = clock_us();
  }
  KTEST_EXPECT(now - start >= 5000);
  KTEST_EXPECT(now - start < 2000000);
  ktest_note("us=%llu firmware=\"%s\"", (unsigned long long)(now - start), firmware_state());
}
