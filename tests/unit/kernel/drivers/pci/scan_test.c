/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/scan.c against configuration spaces made up here: good ones, and ones that lie.
 *
 * A made-up function has 64 registers and, for each, the bits that a write changes.  One that is hostile answers every read
 * with a number drawn from a seed, other at each read or always the same.
 */
#include "kernel/drivers/pci/scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "seed.h"

struct fake_function {
  struct pci_address where;
  uint32_t value[64], writable[64];
};

#define FAKES_MAX 16
struct fake {
  struct fake_function functions[FAKES_MAX];
  size_t count;
  uint64_t reads, writes;
  unsigned wrote_while_decoding; /* BARs changed while the function decoded them. */
};

static struct fake_function *find(struct fake *f, struct pci_address w) {
  for (size_t i = 0; i < f->count; i++) {
    const struct pci_address *a = &f->functions[i].where;
    if (a->segment == w.segment && a->bus == w.bus && a->device == w.device && a->function == w.function)
      return &f->functions[i];
  }
  return NULL;
}

static uint32_t fake_read(void *context, struct pci_address w, uint16_t offset) {
  struct fake *f = context;
  const struct fake_function *at = find(f, w);
  f->reads++;
  assert_true(offset % 4 == 0 && offset < 256);
  return at ? at->value[offset / 4] : UINT32_MAX;
}

static void fake_write(void *context, struct pci_address w, uint16_t offset, uint32_t value) {
  struct fake *f = context;
  struct fake_function *at = find(f, w);
  f->writes++;
  assert_true(offset % 4 == 0 && offset < 256);
  if (!at) return;
  if (offset >= PCI_BAR0 && offset < 0x28 && (at->value[1] & 3) != 0) f->wrote_while_decoding++;
  const uint32_t mask = at->writable[offset / 4];
  at->value[offset / 4] = (at->value[offset / 4] & ~mask) | (value & mask);
}

static struct pci_config config_of(struct fake *f) { return (struct pci_config){fake_read, fake_write, f}; }

static struct fake_function *add(struct fake *f, uint8_t bus, uint8_t device, uint8_t function, uint32_t id,
                                 uint32_t header) {
  assert_true(f->count < FAKES_MAX);
  struct fake_function *at = &f->functions[f->count++];
  *at = (struct fake_function){.where = {0, bus, device, function}};
  at->value[0] = id;
  at->value[1] = 0x7; /* Everything on, as firmware leaves it. */
  at->writable[1] = 0x547;
  at->value[2] = 0x02000001;
  at->value[3] = header << 16;
  return at;
}

static void set_bar(struct fake_function *f, unsigned index, uint32_t value, uint32_t writable) {
  f->value[4 + index] = value;
  f->writable[4 + index] = writable;
}

static size_t list(struct fake *f, struct pci_function *table, size_t room) {
  const struct pci_config c = config_of(f);
  const struct fake before = *f;
  const size_t n = pci_scan_list(&c, 0, 0, 255, table, room);
  for (size_t i = 0; i < f->count; i++) assert_memory_equal(&f->functions[i], &before.functions[i], sizeof *f->functions);
  assert_int_equal(f->wrote_while_decoding, 0);
  return n;
}

static void functions_are_found_on_every_bus(void **state) {
  (void)state;
  static struct fake f;
  struct pci_function table[FAKES_MAX];
  f = (struct fake){0};
  add(&f, 0, 0, 0, 0x29c08086, 0x00);
  add(&f, 0, 31, 0, 0x29188086, 0x80);
  add(&f, 0, 31, 3, 0x29308086, 0x80);
  add(&f, 0, 5, 0, 0x11111234, 0x00);
  add(&f, 0, 5, 1, 0x11111234, 0x00); /* Function 0 says that it is alone. */
  add(&f, 0, 7, 1, 0x22221234, 0x80); /* No function 0. */
  add(&f, 0, 8, 0, 0x22220000, 0x00); /* No vendor. */
  add(&f, 0, 9, 0, 0xffff0001, 0x00); /* Not ready. */
  add(&f, 255, 31, 0, 0x33331234, 0x80);
  add(&f, 255, 31, 7, 0x33341234, 0x00);
  const struct pci_config c = config_of(&f);
  assert_int_equal(pci_scan_count(&c, 0, 0, 255, 1000), 6);
  assert_int_equal(pci_scan_count(&c, 0, 0, 255, 2), 2);
  assert_int_equal(pci_scan_count(&c, 0, 1, 254, 1000), 0);
  assert_int_equal(pci_scan_count(&c, 1, 0, 255, 1000), 0);
  assert_int_equal(f.writes, 0);
  assert_int_equal(list(&f, table, FAKES_MAX), 6);
  assert_int_equal(table[0].device, 0x29c0);
  assert_int_equal(table[0].vendor, 0x8086);
  assert_int_equal(table[0].class_code, 0x020000);
  assert_int_equal(table[0].revision, 1);
  assert_true(table[0].is_master);
  assert_int_equal(table[5].where.bus, 255);
  assert_int_equal(table[5].where.function, 7);
  assert_int_equal(list(&f, table, 3), 3);
}

static void bars_of_all_kinds_are_sized(void **state) {
  (void)state;
  static struct fake f;
  struct pci_function t;
  f = (struct fake){0};
  struct fake_function *d = add(&f, 0, 1, 0, 0x11111234, 0);
  set_bar(d, 0, 0xfd000008, 0xff000000); /* 16 MiB, prefetchable. */
  set_bar(d, 1, 0x0000c001, 0x0000ffe0); /* 32 ports, 16 bits wide. */
  set_bar(d, 2, 0xc000000c, 0xc0000000); /* 64 bits, 1 GiB, above 4 GiB. */
  set_bar(d, 3, 0x00000038, 0xffffffff);
  set_bar(d, 4, 0x00000000, 0xfffff000); /* 4 KiB without an address. */
  assert_int_equal(list(&f, &t, 1), 1);
  assert_true(t.bars[0].kind == PCI_BAR_MEMORY && t.bars[0].is_prefetchable && !t.bars[0].is_64bit);
  assert_int_equal(t.bars[0].start, 0xfd000000);
  assert_int_equal(t.bars[0].size, 0x1000000);
  assert_true(t.bars[1].kind == PCI_BAR_IO);
  assert_int_equal(t.bars[1].start, 0xc000);
  assert_int_equal(t.bars[1].size, 32);
  assert_true(t.bars[2].kind == PCI_BAR_MEMORY && t.bars[2].is_64bit);
  assert_int_equal(t.bars[2].start, UINT64_C(0x38c0000000));
  assert_int_equal(t.bars[2].size, UINT64_C(1) << 30);
  assert_int_equal(t.bars[3].kind, PCI_BAR_NONE);
  assert_true(t.bars[4].kind == PCI_BAR_MEMORY && t.bars[4].start == 0);
  assert_int_equal(t.bars[4].size, 4096);
  assert_int_equal(t.bars[5].kind, PCI_BAR_NONE);
}

static void a_bar_above_4_gib_may_be_longer_than_4_gib(void **state) {
  (void)state;
  static struct fake f;
  struct pci_function t;
  f = (struct fake){0};
  struct fake_function *d = add(&f, 0, 1, 0, 0x11111234, 0);
  set_bar(d, 0, 0x0000000c, 0x00000000);
  set_bar(d, 1, 0x00000040, 0xfffffff0); /* 64 GiB. */
  assert_int_equal(list(&f, &t, 1), 1);
  assert_int_equal(t.bars[0].size, UINT64_C(1) << 36);
  assert_int_equal(t.bars[0].start, UINT64_C(1) << 38);
}

static void what_makes_no_sense_is_no_bar(void **state) {
  (void)state;
  static const struct {
    unsigned index;
    uint32_t value, writable;
  } cases[] = {
      {0, 0xf0f00000, 0xf0f00000}, /* Holes in the mask. */
      {0, 0x00000006, 0xfffff000}, /* A type that is reserved. */
      {5, 0x0000000c, 0xfffff000}, /* 64 bits in the last slot. */
      {0, 0xffffffff, 0xffffffff}, /* A device that is gone. */
      {0, 0x00000001, 0x00000000}, /* Ports, none of them. */
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    static struct fake f;
    struct pci_function t;
    f = (struct fake){0};
    struct fake_function *d = add(&f, 0, 1, 0, 0x11111234, 0);
    set_bar(d, cases[i].index, cases[i].value, cases[i].writable);
    d->writable[10] = 0xffffffff; /* What lies behind the last BAR would do as its upper half. */
    assert_int_equal(list(&f, &t, 1), 1);
    for (unsigned b = 0; b < PCI_BARS; b++) assert_int_equal(t.bars[b].kind, PCI_BAR_NONE);
  }
}

static void bridges_have_two_bars_and_odd_headers_none(void **state) {
  (void)state;
  static struct fake f;
  struct pci_function t[3];
  f = (struct fake){0};
  struct fake_function *bridge = add(&f, 0, 1, 0, 0x11111234, 1);
  struct fake_function *odd = add(&f, 0, 2, 0, 0x11111234, 0x55);
  struct fake_function *host = add(&f, 0, 3, 0, 0x11111234, 0);
  bridge->value[2] = 0x06040000;
  bridge->value[6] = 0x00050300; /* Buses 3 to 5 behind 0: no BAR. */
  bridge->writable[6] = 0xffffffff;
  set_bar(bridge, 0, 0xfe000000, 0xfffff000);
  set_bar(odd, 0, 0xfe000000, 0xfffff000);
  host->value[2] = 0x06000000;
  set_bar(host, 0, 0xfe000000, 0xfffff000);
  assert_int_equal(list(&f, t, 3), 3);
  assert_int_equal(t[0].bars[0].size, 4096);
  assert_int_equal(t[0].bus_first, 3);
  assert_int_equal(t[0].bus_last, 5);
  for (unsigned b = 1; b < PCI_BARS; b++) assert_int_equal(t[0].bars[b].kind, PCI_BAR_NONE);
  assert_int_equal(t[1].header, 0x55);
  assert_int_equal(t[1].bars[0].kind, PCI_BAR_NONE);
  assert_int_equal(t[2].bars[0].kind, PCI_BAR_NONE); /* A host bridge is left alone. */
}

static void capabilities_are_followed_and_loops_end(void **state) {
  (void)state;
  static struct fake f;
  struct pci_function t;
  f = (struct fake){0};
  struct fake_function *d = add(&f, 0, 1, 0, 0x11111234, 0);
  d->value[1] |= 1U << 20;
  d->value[0x34 / 4] = 0x43; /* The lowest bits do not count. */
  d->value[0x40 / 4] = 0x00005005;
  d->value[0x50 / 4] = 0x00006010;
  d->value[0x60 / 4] = 0x00007011;
  d->value[0x70 / 4] = 0x00004005; /* A second MSI, and back to the first. */
  assert_int_equal(list(&f, &t, 1), 1);
  assert_int_equal(t.msi, 0x40);
  assert_int_equal(t.express, 0x50);
  assert_int_equal(t.msix, 0x60);
  d->value[0x34 / 4] = 0x20; /* Into the header. */
  assert_int_equal(list(&f, &t, 1), 1);
  assert_int_equal(t.msi + t.msix + t.express, 0);
  d->value[0x34 / 4] = 0x80;
  d->value[0x80 / 4] = 0xffffffff;
  assert_int_equal(list(&f, &t, 1), 1);
  assert_int_equal(t.msi + t.msix + t.express, 0);
  d->value[0x80 / 4] = 0x00008009; /* Itself. */
  assert_int_equal(list(&f, &t, 1), 1);
  d->value[1] &= ~(1U << 20);
  d->value[0x34 / 4] = 0x40;
  assert_int_equal(list(&f, &t, 1), 1);
  assert_int_equal(t.msi, 0);
}

/* --- configuration space that lies ------------------------------------------------------------------------------------ */

#define SPACE (UINT64_C(16) * 32 * 8) /* Functions of 16 buses. */

struct liar {
  struct dice dice;
  unsigned mode; /* 0: any number; 1: numbers that look good; 2: all ones; 3: zeros; 4: one of the last values written. */
  uint64_t accesses;
  uint32_t last;
};

static uint32_t liar_read(void *context, struct pci_address w, uint16_t offset) {
  struct liar *l = context;
  (void)w;
  l->accesses++;
  assert_true(offset % 4 == 0 && offset < 256);
  static const uint32_t plausible[] = {0x00801234, 0x00100007, 0xfffff00c, 0xffffffff, 0x00004005, 0, 0x80, 0x0c000001};
  switch (l->mode) {
  case 1:
    return plausible[dice_below(&l->dice, 8)];
  case 2:
    return UINT32_MAX;
  case 3:
    return 0;
  case 4:
    return dice_one_in(&l->dice, 2) ? l->last : (uint32_t)dice_u64(&l->dice);
  default:
    return (uint32_t)dice_u64(&l->dice);
  }
}

static void liar_write(void *context, struct pci_address w, uint16_t offset, uint32_t value) {
  struct liar *l = context;
  (void)w;
  (void)offset;
  l->accesses++;
  l->last = value;
}

static void a_space_that_lies_is_survived_in_bounded_time(void **state) {
  (void)state;
  static struct pci_function table[512];
  const uint64_t seed = seed_of_run();
  for (unsigned i = 0; i < 200; i++) {
    struct liar l = {.dice = dice_of(seed + i), .mode = i % 5};
    const struct pci_config c = {liar_read, liar_write, &l};
    const size_t room = dice_below(&l.dice, 513);
    const size_t counted = pci_scan_count(&c, 0, 0, 15, 100000);
    assert_true(counted <= SPACE);
    l.accesses = 0;
    const size_t n = pci_scan_list(&c, 0, 0, 15, table, room);
    assert_true(n <= room);
    assert_true(l.accesses <= 2 * SPACE + n * 120);
    for (size_t k = 0; k < n; k++) {
      for (unsigned b = 0; b < PCI_BARS; b++) {
        const struct pci_bar *bar = &table[k].bars[b];
        if (bar->kind == PCI_BAR_NONE) continue;
        assert_true(bits_is_power_of_two(bar->size) && bar->start % bar->size == 0);
        assert_true(bar->start + (bar->size - 1) >= bar->start);
        assert_true(bar->is_64bit || bar->start + (bar->size - 1) <= UINT32_MAX);
      }
      assert_true(table[k].msi == 0 || table[k].msi >= 0x40);
    }
  }
}

static void every_class_has_a_name(void **state) {
  (void)state;
  assert_string_equal(pci_class_name(0x010601), "AHCI controller");
  assert_string_equal(pci_class_name(0x010600), "SATA controller");
  assert_string_equal(pci_class_name(0x0106ff), "SATA controller");
  assert_string_equal(pci_class_name(0x0c0330), "xHCI USB controller");
  assert_string_equal(pci_class_name(0x020000), "Ethernet controller");
  assert_string_equal(pci_class_name(0x028000), "network controller");
  assert_string_equal(pci_class_name(0xff0000), "unknown device");
  for (uint32_t c = 0; c < 0x1000000; c += 0x31) {
    const size_t n = strlen(pci_class_name(c));
    assert_true(n > 0 && n <= 22); /* The column of the prompt's list. */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(functions_are_found_on_every_bus),
      cmocka_unit_test(bars_of_all_kinds_are_sized),
      cmocka_unit_test(a_bar_above_4_gib_may_be_longer_than_4_gib),
      cmocka_unit_test(what_makes_no_sense_is_no_bar),
      cmocka_unit_test(bridges_have_two_bars_and_odd_headers_none),
      cmocka_unit_test(capabilities_are_followed_and_loops_end),
      cmocka_unit_test(a_space_that_lies_is_survived_in_bounded_time),
      cmocka_unit_test(every_class_has_a_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
