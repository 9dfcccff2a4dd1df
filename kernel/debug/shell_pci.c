/* SPDX-License-Identifier: BSD-2-Clause */
/* kernel/debug/shell_pci.c — the devices on the PCI buses, a line each. */
#include "base/bits.h"
#include "kernel/console.h"
#include "kernel/debug/shell.h"
#include "kernel/debug/words.h"
#include "kernel/pci.h"
#include "lib/format.h"

/* "16M": sizes here are powers of two. */
static void add_size(uint64_t size, const char *kind) {
  static const char units[] = " KMGTPE";
  const unsigned unit = bits_log2_floor(size) / 10;
  picture_add(&shell_out, " %llu", (unsigned long long)(size >> (10 * unit)));
  if (unit > 0) picture_add(&shell_out, "%c", units[unit]);
  picture_add(&shell_out, "%s", kind);
}

static void show(const struct pci_function *f) {
  char where[16];
  if (f->where.segment != 0) {
    format_string(where, sizeof where, "%x:%02x:%02x.%x", (unsigned)f->where.segment, (unsigned)f->where.bus,
                  (unsigned)f->where.device, (unsigned)f->where.function);
  } else {
    format_string(where, sizeof where, "%02x:%02x.%x", (unsigned)f->where.bus, (unsigned)f->where.device,
                  (unsigned)f->where.function);
  }
  picture_add(&shell_out, " " PICTURE_NAME "%-12s" PICTURE_PLAIN "%04x:%04x  %-22s ", where, (unsigned)f->vendor,
              (unsigned)f->device, pci_class_name(f->class_code));
  picture_add(&shell_out, "%s%s%s" PICTURE_PLAIN " ", f->is_master ? PICTURE_WARN "m" : PICTURE_DIM "-", f->msi ? "i" : "-",
              f->msix ? "x" : "-");
  for (unsigned i = 0; i < PCI_BARS; i++) {
    if (f->bars[i].kind != PCI_BAR_NONE) add_size(f->bars[i].size, f->bars[i].kind == PCI_BAR_IO ? "io" : "");
  }
  if (f->bus_last != 0) picture_add(&shell_out, " buses %02x-%02x", (unsigned)f->bus_first, (unsigned)f->bus_last);
  if (f->driver) picture_add(&shell_out, " " PICTURE_GOOD "%s" PICTURE_PLAIN, f->driver);
  picture_add(&shell_out, "\n");
  shell_print(&shell_out);
}

void shell_pci(size_t count, const char *const *words) {
  (void)count;
  (void)words;
  const struct pci_function *f;
  char remark[64];
  size_t n = 0;
  while (pci_get(n)) n++;
  format_string(remark, sizeof remark, "%u function%s, configured through %s", (unsigned)n, words_s(n),
                pci_has_ecam() ? "memory" : "ports");
  shell_title("PCI", remark);
  picture_add(&shell_out, PICTURE_DIM " %-12s%-11s%-22s %-4s %s" PICTURE_PLAIN "\n", "address", "ids", "class", "can",
              "decodes");
  shell_print(&shell_out);
  for (size_t i = 0; (f = pci_get(i)) != NULL; i++) show(f);
  console_printf(PICTURE_DIM " m: may touch memory   i, x: MSI, MSI-X   sizes: of memory, or of ports (io)" PICTURE_PLAIN
                             "\n");
}
