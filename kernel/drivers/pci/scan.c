/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * kernel/drivers/pci/scan.c — reads configuration space, trusting none of it.
 *
 * WHAT   Which functions there are; what each is, what ranges it decodes and how long they are, where its capabilities lie.
 * HOW    Every bus, every device: function 0 says whether there are more.  A BAR is sized by writing ones and looking which
 *        bits stay 0, with decoding off meanwhile, because for that moment the BAR is a wrong address.  A capability list is
 *        followed for as many steps as fit into configuration space, so that a loop ends.
 * INVARIANTS  At most 256 * 32 * 8 functions; 48 capabilities each.  What makes no sense (a size that is no power of two, an
 *        address that wraps, a 64-bit BAR in the last slot) is no BAR.  Every register has its old value at the end.
 * WHY NOT  follow the bridges: a second root of a large machine hangs below no bridge, and its number is known only to AML.
 *        Asking all buses costs some milliseconds, once, and no lie of a bridge can lead astray.
 * WHY NOT  size the BARs of host bridges: their decoding cannot be switched off on old machines, and nobody drives them.
 * SOURCE   PCI Local Bus 3.0 6.1, 6.2.5.1, 6.7; PCI-to-PCI Bridge 1.2 3.2.
 */
#include "kernel/drivers/pci/scan.h"

#include "base/bits.h"

#define DEVICES          32U
#define FUNCTIONS        8U
#define CAPS_MAX         48U /* (256 - 64) / 4. */
#define HOST_BRIDGE      UINT32_C(0x0600)
#define MULTI_FUNCTION   (UINT32_C(1) << 23)
#define NOTHING          UINT32_MAX
#define HEADER_DEVICE    0
#define HEADER_BRIDGE    1
#define HEADER_CARDBUS   2
#define BAR_IO           1U
#define BAR_TYPE         6U
#define BAR_TYPE_64      4U
#define BAR_TYPE_NEVER   6U
#define BAR_PREFETCHABLE 8U

static uint32_t get(const struct pci_config *c, struct pci_address w, uint32_t offset) {
  return c->read(c->context, w, (uint16_t)offset);
}

static void set(const struct pci_config *c, struct pci_address w, uint32_t offset, uint32_t value) {
  c->write(c->context, w, (uint16_t)offset, value);
}

/* A function is there when its vendor is one: 0xffff is nobody, 0x0001 a device that is not ready, 0 never given out. */
static bool is_there(const struct pci_config *c, struct pci_address w) {
  const uint32_t vendor = get(c, w, PCI_ID) & 0xffff;
  return vendor != 0xffff && vendor > 1;
}

/* --- walking -------------------------------------------------------------------------------------------------------- */

/* Moves on to the next function that is there; false behind the last bus. */
struct walk {
  struct pci_address at;
  unsigned last;
  unsigned next;  /* bus << 8 | device << 3 | function, of the next to look at. */
  bool is_single; /* Function 0 of this device has said that there are no others. */
};

static bool walk_next(const struct pci_config *c, struct walk *w) {
  const unsigned end = (w->last + 1) << 8;
  while (w->next < end) {
    const unsigned function = w->next & 7;
    w->at.bus = (uint8_t)(w->next >> 8);
    w->at.device = (uint8_t)(w->next >> 3 & 31);
    w->at.function = (uint8_t)function;
    const bool found = is_there(c, w->at);
    if (function == 0) w->is_single = !found || !(get(c, w->at, PCI_HEADER) & MULTI_FUNCTION);
    w->next += w->is_single ? FUNCTIONS : 1;
    if (found) return true;
  }
  return false;
}

static struct walk walk_begin(uint16_t segment, uint8_t first, uint8_t last) {
  return (struct walk){.at = {.segment = segment}, .last = last, .next = (unsigned)first << 8};
}

size_t pci_scan_count(const struct pci_config *c, uint16_t segment, uint8_t first, uint8_t last, size_t most) {
  struct walk w = walk_begin(segment, first, last);
  size_t n = 0;
  while (n < most && walk_next(c, &w)) n++;
  return n;
}

/* --- BARs ----------------------------------------------------------------------------------------------------------- */

/* Writes ones, reads what sticks, puts the old value back. */
static uint32_t probe(const struct pci_config *c, struct pci_address w, uint32_t offset, uint32_t old) {
  set(c, w, offset, NOTHING);
  const uint32_t mask = get(c, w, offset);
  set(c, w, offset, old);
  return mask;
}

/* The range, when start, size and width hold together; else no BAR. */
static struct pci_bar make_bar(struct pci_bar b, uint64_t mask, uint64_t limit) {
  const uint64_t size = mask == 0 ? 0 : UINT64_C(1) << bits_lowest(mask);
  const bool is_contiguous = size != 0 && (mask | (size - 1)) == limit;
  uint64_t last;
  if (!is_contiguous || !bits_is_aligned(b.start, size) || !bits_add(b.start, size - 1, &last) || last > limit)
    return (struct pci_bar){0};
  b.size = size;
  return b;
}

/* Reads one BAR; *slots says how many it takes. */
static struct pci_bar read_bar(const struct pci_config *c, struct pci_address w, unsigned index, unsigned count,
                               unsigned *slots) {
  const uint32_t offset = PCI_BAR0 + 4 * index;
  const uint32_t old = get(c, w, offset);
  const uint32_t mask = probe(c, w, offset, old);
  *slots = 1;
  if (mask == 0 || (old == NOTHING && mask == NOTHING)) return (struct pci_bar){0};
  if (mask & BAR_IO) {
    /* 16 address bits are enough for a port: the upper ones may read 0. */
    const uint32_t ports = mask & ~UINT32_C(3);
    return make_bar((struct pci_bar){.kind = PCI_BAR_IO, .start = old & ~UINT32_C(3)},
                    ports >> 16 == 0 && ports != 0 ? ports | UINT32_C(0xffff0000) : ports, UINT32_MAX);
  }
  struct pci_bar b = {.kind = PCI_BAR_MEMORY, .is_prefetchable = (mask & BAR_PREFETCHABLE) != 0};
  b.start = old & ~UINT32_C(15);
  if ((mask & BAR_TYPE) == BAR_TYPE_NEVER) return (struct pci_bar){0};
  if ((mask & BAR_TYPE) != BAR_TYPE_64) return make_bar(b, mask & ~UINT32_C(15), UINT32_MAX);
  if (index + 1 >= count) return (struct pci_bar){0};
  *slots = 2;
  const uint32_t old_high = get(c, w, offset + 4);
  const uint32_t mask_high = probe(c, w, offset + 4, old_high);
  b.is_64bit = true;
  b.start |= (uint64_t)old_high << 32;
  return make_bar(b, (uint64_t)mask_high << 32 | (mask & ~UINT32_C(15)), UINT64_MAX);
}

static void read_bars(const struct pci_config *c, struct pci_function *f, uint32_t command) {
  const unsigned count = f->header == HEADER_DEVICE ? PCI_BARS : f->header == HEADER_BRIDGE ? 2 : 0;
  if (count == 0 || f->class_code >> 8 == HOST_BRIDGE) return;
  set(c, f->where, PCI_COMMAND, command & ~(PCI_COMMAND_IO | PCI_COMMAND_MEMORY));
  for (unsigned i = 0, slots; i < count; i += slots) f->bars[i] = read_bar(c, f->where, i, count, &slots);
  set(c, f->where, PCI_COMMAND, command);
}

/* --- capabilities --------------------------------------------------------------------------------------------------- */

static void read_capabilities(const struct pci_config *c, struct pci_function *f) {
  if (f->header > HEADER_BRIDGE || !(get(c, f->where, PCI_COMMAND) & PCI_STATUS_CAPS)) return;
  uint32_t at = get(c, f->where, PCI_CAPABILITY) & 0xfc;
  for (unsigned i = 0; i < CAPS_MAX && at >= 0x40; i++) {
    const uint32_t head = get(c, f->where, at);
    const uint32_t id = head & 0xff;
    if (head == NOTHING) return;
    if (id == PCI_CAP_MSI && f->msi == 0) f->msi = (uint8_t)at;
    if (id == PCI_CAP_MSIX && f->msix == 0) f->msix = (uint8_t)at;
    if (id == PCI_CAP_EXPRESS && f->express == 0) f->express = (uint8_t)at;
    at = head >> 8 & 0xfc;
  }
}

static void read_function(const struct pci_config *c, struct pci_address w, struct pci_function *f) {
  const uint32_t id = get(c, w, PCI_ID);
  const uint32_t class_code = get(c, w, PCI_CLASS);
  const uint32_t command = get(c, w, PCI_COMMAND) & PCI_COMMAND_ALL;
  *f = (struct pci_function){
      .where = w,
      .vendor = (uint16_t)id,
      .device = (uint16_t)(id >> 16),
      .class_code = class_code >> 8,
      .revision = (uint8_t)class_code,
      .header = (uint8_t)(get(c, w, PCI_HEADER) >> 16 & 0x7f),
      .is_master = (command & PCI_COMMAND_MASTER) != 0,
  };
  if (f->header == HEADER_BRIDGE || f->header == HEADER_CARDBUS) {
    const uint32_t buses = get(c, w, PCI_BUSES);
    f->bus_first = (uint8_t)(buses >> 8);
    f->bus_last = (uint8_t)(buses >> 16);
  }
  read_bars(c, f, command);
  read_capabilities(c, f);
}

size_t pci_scan_list(const struct pci_config *c, uint16_t segment, uint8_t first, uint8_t last, struct pci_function *table,
                     size_t room) {
  struct walk w = walk_begin(segment, first, last);
  size_t n = 0;
  while (n < room && walk_next(c, &w)) read_function(c, w.at, &table[n++]);
  return n;
}
